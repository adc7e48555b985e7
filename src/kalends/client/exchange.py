"""A command under way, and what has come in answer to it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from kalends.client.commands import Command
from kalends.client.errors import ClientError


@dataclass(eq=False, slots=True)
class Exchange:
    """A command under way and what has come in answer to it.

    Attributes:
        command: what was asked. ident: under which ID.
        answers: payloads that came and nobody took yet.
        done: nothing more will come.
        error: why it failed; raised once the answers before it are taken.
        discarded: nobody waits any more; what comes is thrown away.
    """

    command: Command
    ident: str = ""
    answers: deque[bytes] = field(default_factory=deque)
    done: bool = False
    error: ClientError | None = None
    discarded: bool = False

    @property
    def news(self) -> bool:
        """Whether there is something to take, or nothing more to wait for."""
        return bool(self.answers) or self.done
