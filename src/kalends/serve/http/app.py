"""What a connection asks of what is served."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Protocol

from kalends.serve.http.answers import Answer
from kalends.serve.http.head import Head

BUG = "Something went wrong in the server; it is written in its log. Nothing was changed."

Answered = Answer | Coroutine[Any, Any, Answer]


class Visit(Protocol):
    """One request on its way through the site."""

    @property
    def limit(self) -> int:
        """Octets of body accepted."""

    def admit(self) -> Answer | Coroutine[Any, Any, Answer | None] | None:
        """Asked before the peer is told to send its body; an answer refuses it."""

    def answer(self, body: bytes) -> Answered:
        """Answer, at once or later. A task that does it later is cancelled when the peer is gone."""

    def too_large(self, limit: int) -> Answer:
        """The answer to a body of more than `limit` octets; it is not read to its end."""

    def done(self, status: int, octets: int) -> None:
        """The answer was handed to the transport."""


class App(Protocol):
    """What is served."""

    def open(self, head: Head) -> Visit | Answer:
        """Look at a head: how large may the body be, or is it refused at once."""
