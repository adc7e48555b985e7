"""One connection of HTTP/1.1: requests in, answers out in their order, every wait bounded."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Coroutine
from typing import Any, Protocol, cast

from kalends.serve.http.answers import Answer, plain
from kalends.serve.http.app import BUG
from kalends.serve.http.body import BodyError
from kalends.serve.http.reading import Exchange, Reader, Terms
from kalends.serve.http.sending import Sender
from kalends.serve.http.spool import Spool

log = logging.getLogger(__name__)

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Shared(Terms, Protocol):
    """What all connections of a listener share."""

    draining: bool

    def opened(self, connection: HttpConnection) -> Answer | None:
        """Count a connection; an answer refuses all it asks."""

    def closed(self, connection: HttpConnection) -> None:
        """Count it no more."""


class HttpConnection(asyncio.Protocol):
    """A connection: what its `Reader` reads is worked on, and sent by its `Sender`, one after the other.

    Args:
        shared: the listener's.
    """

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._limits = shared.limits
        self._loop = shared.loop
        self._transport: asyncio.Transport
        self._reader: Reader
        self._sender: Sender
        self._queue: deque[Exchange]
        self._dropped = 0
        self._busy = False
        self._task: asyncio.Task[None] | None = None
        self._paused_reading = False
        self._lost = False
        self._lingering = 0.0
        self.peer = ""

    # -- the transport -----------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by class
        self._sender = Sender(self._transport, self._loop, self._go_on, self._finish)
        name = transport.get_extra_info("peername")
        self.peer = name[0].partition("%")[0] if isinstance(name, tuple) else ""
        self._reader = Reader(self._shared, self.peer, self._refused)
        self._queue = self._reader.queue
        refusal = self._shared.opened(self)
        if refusal is not None:
            self._reader.refuse(refusal)

    @property
    def descriptor(self) -> int:
        """The number of its open file; below 0 for none."""
        sock = self._transport.get_extra_info("socket")
        return -1 if sock is None else int(sock.fileno())

    def connection_lost(self, error: Exception | None) -> None:
        """Stop what was asked for: nobody waits for it."""
        self._lost = True
        self._shared.closed(self)
        if self._task is not None:
            self._task.cancel()
        self._sender.close()
        for exchange in self._queue:
            if exchange.body is not None:
                exchange.body.release()
        self._queue.clear()

    def eof_received(self) -> bool:
        """The peer is gone, or has closed its half, which no client of HTTP does that still waits."""
        self._reader.deaf = True
        return False

    def data_received(self, data: bytes) -> None:
        """Parse."""
        reader = self._reader
        if reader.deaf:
            self._dropped += len(data)
            if self._dropped > self._limits.linger_octets:
                self._transport.abort()
            return
        reader.feed(data)
        if not self._busy:
            self._advance()
        if len(self._queue) >= self._limits.pipelined and not self._paused_reading:
            self._paused_reading = True
            self._transport.pause_reading()

    def pause_writing(self) -> None:
        """The peer does not read."""
        self._sender.pause()

    def resume_writing(self) -> None:
        """The peer reads again."""
        self._sender.stalled = 0.0
        self._go_on()

    def _refused(self) -> None:
        """A request was refused as it came in."""
        if not self._busy:
            self._loop.call_soon(self._advance)

    def _go_on(self) -> None:
        """Send more of the present answer, and the next ones after it."""
        self._sender.resume()
        if not self._busy:
            self._advance()

    # -- answering ---------------------------------------------------------------------------------------

    def _advance(self) -> None:
        """Answer what is whole, in order, as far as the peer reads."""
        while self._queue and self._sender.ready and not (self._busy or self._lost):
            exchange = self._queue[0]
            if not exchange.complete and exchange.asked:
                return
            self._busy = True
            if exchange.refusal is not None:
                self._send(exchange, exchange.refusal)
            elif not exchange.complete:
                self._ask(exchange)
            else:
                self._work(exchange)
        if not self._queue and not self._busy:
            self._idle()

    def _idle(self) -> None:
        if self._paused_reading and not self._lost:
            self._paused_reading = False
            self._transport.resume_reading()
        if self._shared.draining and self._reader.incoming is None and not self._lost and not self._lingering:
            self._transport.close()

    def _ask(self, exchange: Exchange) -> None:
        """Let the site look before the peer sends its body."""
        assert exchange.visit is not None
        exchange.asked = True
        try:
            refusal = exchange.visit.admit()
        except Exception:
            log.exception("looking at a request failed")
            refusal = plain(500, BUG)
        if refusal is None or isinstance(refusal, Answer):
            self._asked(exchange, refusal)
        else:
            self._start(self._ask_later(exchange, refusal))

    async def _ask_later(self, exchange: Exchange, refusal: Coroutine[Any, Any, Answer | None]) -> None:
        try:
            answer = await refusal
        except Exception:
            log.exception("looking at a request failed")
            answer = plain(500, BUG)
        self._task = None
        self._asked(exchange, answer)
        if not self._busy:
            self._advance()

    def _asked(self, exchange: Exchange, refusal: Answer | None) -> None:
        self._busy = False
        if refusal is not None and not exchange.complete:
            self._reader.give_up(exchange, refusal)
        elif not exchange.complete:
            exchange.since = self._loop.time()
            self._transport.write(CONTINUE)

    def _work(self, exchange: Exchange) -> None:
        assert exchange.visit is not None
        assert exchange.body is not None
        try:
            result = exchange.visit.answer(exchange.body.whole())
        except BodyError as error:
            result = plain(error.status, f"Refused: {error}.")
        except Exception:
            log.exception("answering a request failed")
            result = plain(500, BUG)
        if isinstance(result, Answer):
            self._send(exchange, result)
        else:
            self._start(self._work_later(exchange, result))

    async def _work_later(self, exchange: Exchange, result: Coroutine[Any, Any, Answer]) -> None:
        try:
            answer = await result
        except Exception:
            log.exception("answering a request failed")
            answer = plain(500, BUG)
        self._task = None
        if isinstance(answer.body, Spool) and self._lost:
            answer.body.close()
        if not self._lost:
            self._send(exchange, answer)
            if not self._busy:
                self._advance()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        self._task = self._loop.create_task(work)

    def _send(self, exchange: Exchange, answer: Answer) -> None:
        """Hand an answer over; `_finish` is called when all of it is out."""
        head = exchange.head
        if exchange.body is not None:
            exchange.body.release()
        keep = head is not None and head.keep_alive and not answer.close and not self._shared.draining
        try:
            self._sender.send(answer, head, keep_alive=keep)
        except ValueError:
            log.exception("an answer cannot be sent")
            self._sender.send(plain(500, BUG), head, keep_alive=False)

    def _finish(self, status: int, octets: int, last: bool) -> None:
        """The present answer is out."""
        exchange = self._queue.popleft()
        if exchange.visit is not None:
            exchange.visit.done(status, octets)
        self._busy = False
        self._reader.since = now = self._loop.time()
        if not last:
            return
        self._queue.clear()
        self._reader.deaf = True
        if exchange.refusal is None or self._transport.is_closing():
            self._transport.close()
            return
        self._lingering = now
        if self._paused_reading:
            self._transport.resume_reading()
        if self._transport.can_write_eof():
            self._transport.write_eof()

    # -- time --------------------------------------------------------------------------------------------

    def check(self, now: float) -> None:
        """Cut off who is late; called every tick."""
        limits = self._limits
        if self._lingering:
            if now - self._lingering > limits.linger_seconds:
                self._transport.abort()
        elif self._sender.stalled:
            if now - self._sender.stalled > limits.stall_seconds:
                log.info("%s does not read its answer and is cut off", self.peer)
                self._transport.abort()
        elif self._busy:
            return
        elif self._queue:
            self._check_body(self._queue[0], now)
        elif self._reader.head_octets:
            if now - self._reader.since > limits.head_seconds:
                self._reader.refuse(plain(408, "The request did not come in time."))
        else:
            patience = (
                min(limits.head_seconds, limits.idle_seconds) if self._reader.fresh else limits.idle_seconds
            )
            if now - self._reader.since > patience:
                self._transport.close()

    def _check_body(self, exchange: Exchange, now: float) -> None:
        limits = self._limits
        came = 0 if exchange.body is None else exchange.body.raw
        if not exchange.complete and now - exchange.since > limits.body_grace + came / limits.body_rate:
            self._reader.give_up(exchange, plain(408, "The body of the request came too slowly."))
            self._advance()

    @property
    def is_idle(self) -> bool:
        """Whether nothing is being asked."""
        return self._reader.idle and not self._busy

    def drain(self) -> None:
        """End when what was asked is answered."""
        if self.is_idle:
            self._transport.close()

    def abort(self) -> None:
        """End now."""
        self._transport.abort()
