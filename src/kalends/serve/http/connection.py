"""One connection of HTTP/1.1: requests in, answers out in their order, every wait bounded."""

from __future__ import annotations

import asyncio
import logging
import re
from collections import deque
from collections.abc import Coroutine
from typing import Any, Protocol, cast

import httptools

from kalends.serve.http.answers import Answer, plain
from kalends.serve.http.body import Body, BodyError, Room
from kalends.serve.http.head import BadHeadError, Head
from kalends.serve.http.limits import EXTRA_WIRE, HttpLimits
from kalends.serve.http.sending import Sender
from kalends.serve.http.spool import Spool

log = logging.getLogger(__name__)

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
BODILESS = frozenset(("GET", "HEAD", "DELETE", "OPTIONS"))
"""Methods whose body means nothing here; it is read and dropped."""
IGNORED_BODY = 65_536
"""Octets of such a body that are put up with."""
BUG = "Something went wrong in the server; it is written in its log. Nothing was changed."
NO_HTTP = "This is not HTTP/1.1 as RFC 9112 has it."
VERSIONS = ("1.1", "1.0")
_METHOD = re.compile(rb"(?:\A|\n)[A-Za-z-]+ [^ \r\n]+ HTTP/1\.[01]\r?\n")
"""A request line that is none only for its method."""

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


class Shared(Protocol):
    """What all connections of a listener share."""

    app: App
    limits: HttpLimits
    room: Room
    secure: bool
    loop: asyncio.AbstractEventLoop
    draining: bool

    def opened(self, connection: HttpConnection) -> Answer | None:
        """Count a connection; an answer refuses all it asks."""

    def closed(self, connection: HttpConnection) -> None:
        """Count it no more."""


class _Exchange:
    """A request and what becomes of it."""

    __slots__ = ("asked", "body", "complete", "head", "refusal", "since", "visit", "wire")

    def __init__(self, head: Head | None, visit: Visit | None, body: Body | None, refusal: Answer | None):
        self.head, self.visit, self.body, self.refusal = head, visit, body, refusal
        self.complete = refusal is not None
        self.asked = head is None or not head.expects
        """Whether the peer was told to send its body, or needs not be told."""
        self.since = 0.0
        self.wire = 0


class HttpConnection(asyncio.Protocol):
    """A connection; the parser calls its `on_…` methods.

    Args:
        shared: the listener's.
    """

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._limits = shared.limits
        self._loop = shared.loop
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport
        self._sender: Sender
        self._queue: deque[_Exchange] = deque()
        self._incoming: _Exchange | None = None
        self._target, self._lines = b"", list[tuple[bytes, bytes]]()
        self._in_head, self._head_octets, self._fields_octets = False, 0, 0
        self._fresh = True  # no whole head came yet
        self._deaf = False  # nothing more is read as a request
        self._dropped = 0
        self._busy = False
        self._task: asyncio.Task[None] | None = None
        self._paused_reading = False
        self._lost = False
        self._lingering = 0.0
        self._since = 0.0
        self.peer = ""

    # -- the transport -----------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by class
        self._sender = Sender(self._transport, self._loop, self._go_on, self._finish)
        self._since = self._loop.time()
        name = transport.get_extra_info("peername")
        self.peer = name[0].partition("%")[0] if isinstance(name, tuple) else ""
        refusal = self._shared.opened(self)
        if refusal is not None:
            self._refuse(refusal)

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
        self._deaf = True
        return False

    def data_received(self, data: bytes) -> None:
        """Parse."""
        if self._deaf:
            self._dropped += len(data)
            if self._dropped > self._limits.linger_octets:
                self._transport.abort()
            return
        incoming = self._incoming
        if incoming is None:
            if not (self._head_octets or self._queue or self._fresh):
                self._since = self._loop.time()
            self._head_octets += len(data)
        self._feed(data)
        if incoming is not None and incoming is self._incoming:
            self._count(incoming, len(data))
        if self._head_octets > self._limits.head_octets:
            self._refuse(plain(431, "The header fields of this request are too large."))
        if not self._busy:
            self._advance()
        if len(self._queue) >= self._limits.pipelined and not self._paused_reading:
            self._paused_reading = True
            self._transport.pause_reading()

    def _feed(self, data: bytes) -> None:
        try:
            while data and not self._deaf:
                data = self._fed(data)
        except httptools.HttpParserInvalidMethodError:
            known = _METHOD.search(data)
            self._refuse(plain(501, "This method is not known here.") if known else plain(400, NO_HTTP))
        except httptools.HttpParserCallbackError as error:
            log.critical("reading a request failed", exc_info=error.__context__ or error)
            self._refuse(plain(500, BUG))
        except httptools.HttpParserError:
            self._refuse(plain(400, NO_HTTP))

    def _fed(self, data: bytes) -> bytes:
        """Parse up to the end of a request that wants another protocol. Returns what follows it."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            # We upgrade to nothing: the request stands as it is, and what follows is the next one.
            self._parser = httptools.HttpRequestParser(self)
            return data[upgrade.args[0] :]
        return b""

    def _count(self, exchange: _Exchange, octets: int) -> None:
        """Chunks may be small, but not next to nothing but extensions and trailers."""
        exchange.wire += octets
        if exchange.body is not None and exchange.wire > EXTRA_WIRE + 8 * exchange.body.raw:
            self._give_up(exchange, plain(400, "The chunks of this body hold next to nothing."))

    def pause_writing(self) -> None:
        """The peer does not read."""
        self._sender.pause()

    def resume_writing(self) -> None:
        """The peer reads again."""
        self._sender.stalled = 0.0
        self._go_on()

    def _go_on(self) -> None:
        """Send more of the present answer, and the next ones after it."""
        self._sender.resume()
        if not self._busy:
            self._advance()

    # -- the parser --------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """A request begins."""
        self._target, self._lines, self._in_head = b"", [], True
        self._fields_octets = 0

    def on_url(self, part: bytes) -> None:
        """Its target, or a part of it."""
        self._target += part
        if len(self._target) > self._limits.target_octets and not self._deaf:
            self._refuse(plain(414, "The address of this request is too long."))

    def on_header(self, name: bytes, value: bytes) -> None:
        """A field; those of a trailer are dropped (RFC 9110 §6.5.1 lets us)."""
        if not self._in_head or self._deaf:
            return
        self._fields_octets += len(name) + len(value)
        if len(self._lines) >= self._limits.head_lines:
            self._refuse(plain(431, "There are too many header fields in this request."))
        elif self._fields_octets > self._limits.head_octets:
            self._refuse(plain(431, "The header fields of this request are too large."))
        else:
            self._lines.append((name, value))

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._in_head = self._fresh = False
        self._head_octets = 0
        if self._deaf:
            return
        parser = self._parser
        try:
            head = Head(
                parser.get_method().decode("ascii"),
                self._target,
                self._lines,
                peer=self.peer,
                secure=self._shared.secure,
                keep_alive=parser.should_keep_alive(),
                chunks=parser.get_http_version() != "1.0",
            )
        except BadHeadError as error:
            self._refuse(plain(error.status, f"This cannot be answered: {error}."))
            return
        if parser.should_upgrade() and head.has_body:
            # The parser reads no such body: it would be taken for the next request, with a proxy's trust.
            self._refuse(plain(501, "A request with a body cannot ask for another protocol (Upgrade)."), head)
            return
        if parser.get_http_version() not in VERSIONS:
            self._refuse(plain(505, NO_HTTP), head)
            return
        try:
            opened = self._shared.app.open(head)
        except Exception:
            log.exception("looking at a request failed")
            opened = plain(500, BUG)
        if isinstance(opened, Answer):
            self._turn_away(head, opened)
            return
        limit = min(opened.limit, IGNORED_BODY) if head.method in BODILESS else opened.limit
        coding = head.headers.get("content-encoding", "identity").lower()
        if (head.length or 0) > limit:
            self._turn_away(head, opened.too_large(limit))
        elif coding not in ("identity", "gzip", "x-gzip") and head.has_body:
            refusal = plain(415, "Send the body as it is, or as gzip.", ("accept-encoding", "gzip"))
            self._turn_away(head, refusal)
        else:
            packed = coding != "identity"
            body = Body(limit, self._shared.room, packed=packed, dropped=head.method in BODILESS)
            self._incoming = _Exchange(head, opened, body, None)
            self._incoming.since = self._loop.time()
            self._queue.append(self._incoming)

    def _turn_away(self, head: Head, refusal: Answer) -> None:
        """Refuse a request by its head; where a body follows it is not read, and the connection ends."""
        if head.has_body:
            self._refuse(refusal, head)
            return
        self._incoming = _Exchange(head, None, None, refusal)
        self._queue.append(self._incoming)

    def on_body(self, data: bytes) -> None:
        """A part of the body."""
        exchange = self._incoming
        if exchange is None or exchange.body is None or self._deaf:
            return
        try:
            exchange.body.feed(data)
        except BodyError as error:
            refusal = plain(error.status, f"Refused: {error}.")
            if error.status == 413 and exchange.visit is not None:
                refusal = exchange.visit.too_large(exchange.body.limit)
            self._give_up(exchange, refusal)

    def on_message_complete(self) -> None:
        """The request is whole."""
        exchange, self._incoming = self._incoming, None
        if exchange is not None:
            exchange.complete = True
            exchange.asked = True
        if exchange is not None and exchange.head is not None and not exchange.head.keep_alive:
            self._deaf = True

    # -- refusing ----------------------------------------------------------------------------------------

    def _give_up(self, exchange: _Exchange, refusal: Answer) -> None:
        """Refuse a request in the midst of its body."""
        if self._deaf:
            return
        if exchange.body is not None:
            exchange.body.release()
        exchange.refusal, exchange.complete = refusal, True
        refusal.close = True
        self._deaf, self._incoming = True, None

    def _refuse(self, refusal: Answer, head: Head | None = None) -> None:
        """Answer this after what was asked before, read nothing more, and end."""
        if self._deaf:
            return
        refusal.close = True
        self._deaf, self._in_head = True, False
        if self._incoming is not None:
            self._give_up_silently(self._incoming, refusal)
            self._incoming = None
        else:
            self._queue.append(_Exchange(head, None, None, refusal))
        if not self._busy:
            self._loop.call_soon(self._advance)

    @staticmethod
    def _give_up_silently(exchange: _Exchange, refusal: Answer) -> None:
        if exchange.body is not None:
            exchange.body.release()
        exchange.refusal, exchange.complete = refusal, True

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
        if self._shared.draining and self._incoming is None and not self._lost and not self._lingering:
            self._transport.close()

    def _ask(self, exchange: _Exchange) -> None:
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

    async def _ask_later(self, exchange: _Exchange, refusal: Coroutine[Any, Any, Answer | None]) -> None:
        try:
            answer = await refusal
        except Exception:
            log.exception("looking at a request failed")
            answer = plain(500, BUG)
        self._task = None
        self._asked(exchange, answer)
        if not self._busy:
            self._advance()

    def _asked(self, exchange: _Exchange, refusal: Answer | None) -> None:
        self._busy = False
        if refusal is not None and not exchange.complete:
            self._give_up(exchange, refusal)
        elif not exchange.complete:
            exchange.since = self._loop.time()
            self._transport.write(CONTINUE)

    def _work(self, exchange: _Exchange) -> None:
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

    async def _work_later(self, exchange: _Exchange, result: Coroutine[Any, Any, Answer]) -> None:
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

    def _send(self, exchange: _Exchange, answer: Answer) -> None:
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
        self._since = self._loop.time()
        if not last:
            return
        self._queue.clear()
        self._deaf = True
        if exchange.refusal is None or self._transport.is_closing():
            self._transport.close()
            return
        self._lingering = self._since
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
        elif self._head_octets:
            if now - self._since > limits.head_seconds:
                self._refuse(plain(408, "The request did not come in time."))
        elif (
            self._fresh and now - self._since > limits.head_seconds
        ) or now - self._since > limits.idle_seconds:
            self._transport.close()

    def _check_body(self, exchange: _Exchange, now: float) -> None:
        limits = self._limits
        came = 0 if exchange.body is None else exchange.body.raw
        if not exchange.complete and now - exchange.since > limits.body_grace + came / limits.body_rate:
            self._give_up(exchange, plain(408, "The body of the request came too slowly."))
            self._advance()

    @property
    def is_idle(self) -> bool:
        """Whether nothing is being asked."""
        return not (self._queue or self._busy or self._in_head or self._incoming)

    def drain(self) -> None:
        """End when what was asked is answered."""
        if self.is_idle:
            self._transport.close()

    def abort(self) -> None:
        """End now."""
        self._transport.abort()
