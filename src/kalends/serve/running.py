"""Plans in their transactions: turns, long answers that leave early, gzip beside the loop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

from kalends.dav.messages import Plan, Response
from kalends.serve.credentials import Login
from kalends.serve.http import packing
from kalends.serve.http.answers import Answer
from kalends.serve.http.limits import PIECE
from kalends.serve.http.spool import Spool, SpoolClosedError
from kalends.store import errors as store
from kalends.store.base import Tx, paced

log = logging.getLogger(__name__)

COALESCED = 16_384
"""Octets of small pieces that are put together before they are packed and sent."""


class StaleLoginError(Exception):
    """What was remembered of this login counts no more."""


class Turns:
    """How many reads of one user run in threads at once: others want some of the threads, too.

    Args:
        each: for one user; the rest wait, in order.
    """

    def __init__(self, each: int) -> None:
        self._each = max(1, each)
        self._users: dict[str, tuple[asyncio.Semaphore, list[None]]] = {}

    @asynccontextmanager
    async def of(self, user: str) -> AsyncIterator[None]:
        """Wait for a turn."""
        turn, present = self._users.setdefault(user, (asyncio.Semaphore(self._each), []))
        present.append(None)
        try:
            async with turn:
                yield
        finally:
            present.pop()
            if not present:
                del self._users[user]


def pack(answer: Answer) -> Answer:
    """An answer as gzip, where that is worth it and allowed."""
    body = answer.body
    if (
        isinstance(body, bytes)
        and len(body) >= packing.SMALLEST
        and packing.may_be_packed(answer.status, answer.headers)
    ):
        answer.headers, answer.body = (*answer.headers, *packing.PACKED), packing.packed(body)
    return answer


class Run:
    """One plan in its transaction. Where its body is long, the answer leaves before the transaction ends.

    Args:
        plan: a read or a write.
        login: whose proof has to hold still.
        packs: whether the peer takes gzip.
    """

    def __init__(self, plan: Plan, login: Login, *, packs: bool) -> None:
        self._plan, self._login, self._packs = plan, login, packs
        self._loop = asyncio.get_running_loop()
        self.future: asyncio.Future[Any] = self._loop.create_future()
        self._spool: Spool | None = None

    def work(self, tx: Tx) -> Answer | None:
        """Runs in a thread."""
        if self._spool is not None:  # the database asks for a retry, but a part of the answer is out
            raise store.StoreUnavailableError("lost in the midst of an answer")
        if not self._login.holds(tx):
            raise StaleLoginError
        response = self._plan.work(tx)
        body = response.body
        if isinstance(body, bytes):
            return self._packed(Answer(response.status, response.headers, body))
        if self._plan.kind == "write":
            return Answer(response.status, response.headers, b"".join(body))
        head: list[bytes] = []
        size = 0
        body = paced(tx, body)
        for piece in body:
            head.append(piece)
            size += len(piece)
            if size > PIECE:
                self._stream(response, head, body)
                return None
        return self._packed(Answer(response.status, response.headers, b"".join(head)))

    def _packed(self, answer: Answer) -> Answer:
        return pack(answer) if self._packs else answer

    def _stream(self, response: Response, head: list[bytes], body: Iterator[bytes]) -> None:
        packer, headers = None, response.headers
        if self._packs and packing.may_be_packed(response.status, headers):
            packer, headers = packing.Packer(), (*headers, *packing.PACKED)
        spool = self._spool = Spool()
        self._tell(Answer(response.status, headers, spool))
        try:
            for data in _coalesced(head, body):
                ready = data if packer is None else packer.pack(data)
                if ready:
                    spool.put(ready)
            if packer is not None:
                spool.put(packer.end())
        except SpoolClosedError:
            return
        except BaseException:
            spool.end(failed=True)
            raise
        spool.end()

    def _tell(self, answer: Answer) -> None:
        try:
            self._loop.call_soon_threadsafe(self.done, answer)
        except RuntimeError:  # the loop is closed: nobody waits for this any more
            raise SpoolClosedError from None

    def done(self, outcome: Any) -> None:
        """Runs in the loop; what comes after a streamed answer is only of interest when it is a failure.

        The work's own end (None) may overtake the answer it sent ahead: outcomes come in batches.
        """
        if outcome is None:
            return
        if not self.future.done():
            self.future.set_result(outcome)
        elif isinstance(outcome, Exception) and not self.future.cancelled():
            log.warning("an answer was cut off: %s", type(outcome).__name__)
        elif isinstance(outcome, Answer) and isinstance(outcome.body, Spool):
            outcome.body.close()  # the peer went away meanwhile


def _coalesced(head: list[bytes], rest: Iterator[bytes]) -> Iterator[bytes]:
    """The same octets in pieces worth sending."""
    yield b"".join(head)
    parts: list[bytes] = []
    size = 0
    for piece in rest:
        parts.append(piece)
        size += len(piece)
        if size >= COALESCED:
            yield b"".join(parts)
            parts, size = [], 0
    if parts:
        yield b"".join(parts)
