"""Answers on their way out: small ones in one write, long ones piece by piece as the peer reads."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator

from kalends.serve.http.answers import Answer, has_body, head_of
from kalends.serve.http.head import Head
from kalends.serve.http.limits import PIECE
from kalends.serve.http.spool import Spool, SpoolClosedError

log = logging.getLogger(__name__)


class Sender:
    """Writes one answer after the other to a transport.

    Args:
        transport: where to.
        loop: whose time counts.
        wake: called in the loop when a spool has something new; it calls `resume`.
        sent: called when an answer was handed over, with its status and octets, and whether the connection
            ends now.
    """

    __slots__ = (
        "_last",
        "_loop",
        "_octets",
        "_pieces",
        "_sent",
        "_spool",
        "_status",
        "_transport",
        "_woken",
        "stalled",
    )

    def __init__(
        self,
        transport: asyncio.Transport,
        loop: asyncio.AbstractEventLoop,
        wake: Callable[[], None],
        sent: Callable[[int, int, bool], None],
    ) -> None:
        self._transport, self._loop, self._woken, self._sent = transport, loop, wake, sent
        self._pieces: Iterator[bytes | None] | None = None
        self._spool: Spool | None = None
        self._status = self._octets = 0
        self._last = False
        self.stalled = 0.0
        """Since when the peer does not read; 0 when it does."""

    @property
    def ready(self) -> bool:
        """Whether the next answer may begin."""
        return self._pieces is None and not self.stalled

    def send(self, answer: Answer, head: Head | None, *, keep_alive: bool) -> None:
        """Send an answer.

        Args:
            answer: what is answered.
            head: of the request; None when it could not be read.
            keep_alive: whether the connection may be kept.

        Raises:
            ValueError: a field that cannot be sent; nothing was.
        """
        chunks = head is not None and head.chunks
        body, framing, chunked = _framed(answer, head, chunks=chunks)
        keep = keep_alive and not (isinstance(body, Spool) and not chunked)
        start = head_of(answer, framing, keep_alive=keep, say_so=not chunks)
        self._last = not keep
        if isinstance(body, bytes) and len(body) <= PIECE:
            self._transport.write(start + body if body else start)
            self._sent(answer.status, len(body), self._last)
            return
        self._status, self._octets = answer.status, 0
        if isinstance(body, Spool):
            self._spool = body
            body.wake = self._wake
            self._pieces = _spooled(body, chunked=chunked)
        else:
            self._pieces = (body[at : at + PIECE] for at in range(0, len(body), PIECE))
        self._transport.write(start)
        self._pump()

    def _wake(self) -> None:
        """Called in a spool's thread."""
        try:
            self._loop.call_soon_threadsafe(self._woken)
        except RuntimeError:  # the loop is closed: nobody sends any more
            log.debug("an answer was made after the server ended")

    def pause(self) -> None:
        """The peer does not read."""
        self.stalled = self._loop.time()

    def resume(self) -> None:
        """There is something new to send, or the peer reads again."""
        if self._pieces is not None and not self.stalled:
            self._pump()

    def _pump(self) -> None:
        """Write pieces until the peer stops reading or the body's maker has nothing yet."""
        pieces = self._pieces
        assert pieces is not None
        try:
            while not self.stalled:
                piece = next(pieces)
                if piece is None:
                    return
                self._octets += len(piece)
                self._transport.write(piece)
        except StopIteration:
            self.close()
            self._sent(self._status, self._octets, self._last)
        except (SpoolClosedError, OSError) as error:
            log.warning("an answer was cut off: %s", error or "the rest of it could not be made")
            self.close()
            self._transport.abort()

    def close(self) -> None:
        """Forget what was not sent; whoever makes it is told."""
        self._pieces = None
        if self._spool is not None:
            self._spool.close()
            self._spool = None


def _framed(answer: Answer, head: Head | None, *, chunks: bool) -> tuple[bytes | Spool, str, bool]:
    """The body to be sent, the line that frames it, and whether it goes in chunks."""
    body = answer.body
    wanted = has_body(answer.status) and (head is None or head.method != "HEAD")
    if isinstance(body, bytes):
        if not has_body(answer.status):
            return b"", "", False
        told = not body and any(name.lower() == "content-length" for name, _ in answer.headers)
        framing = "" if told else f"content-length: {len(body)}\r\n"  # HEAD's may tell what GET's would be
        return (body if wanted else b""), framing, False
    if not wanted:
        body.close()
        return b"", "", False
    return body, "transfer-encoding: chunked\r\n" if chunks else "", chunks


def _spooled(spool: Spool, *, chunked: bool) -> Iterator[bytes | None]:
    """The pieces of a spool as they go on the wire; None when there is nothing yet."""
    while True:
        data = spool.take(PIECE)
        if data is None:
            yield None
        elif data:
            yield b"%x\r\n%b\r\n" % (len(data), data) if chunked else data
        else:
            break
    if chunked:
        yield b"0\r\n\r\n"
