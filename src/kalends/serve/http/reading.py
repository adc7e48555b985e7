"""Reading requests: octets to the parser, heads and bodies checked as they come, refusals in their place."""

from __future__ import annotations

import asyncio
import logging
import re
from collections import deque
from collections.abc import Callable
from typing import Protocol

import httptools

from kalends.serve.http.answers import Answer, plain
from kalends.serve.http.app import BUG, App, Visit
from kalends.serve.http.body import Body, BodyError, Room
from kalends.serve.http.head import BadHeadError, Head
from kalends.serve.http.limits import EXTRA_WIRE, HttpLimits

log = logging.getLogger(__name__)

BODILESS = frozenset(("GET", "HEAD", "DELETE", "OPTIONS"))
"""Methods whose body means nothing here; it is read and dropped."""
IGNORED_BODY = 65_536
"""Octets of such a body that are put up with."""
NO_HTTP = "This is not HTTP/1.1 as RFC 9112 has it."
VERSIONS = ("1.1", "1.0")
_METHOD = re.compile(rb"(?:\A|\n)[A-Za-z-]+ [^ \r\n]+ HTTP/1\.[01]\r?\n")
"""A request line that is none only for its method."""


class Exchange:
    """A request and what becomes of it."""

    __slots__ = ("asked", "body", "complete", "head", "refusal", "since", "visit", "wire")

    def __init__(self, head: Head | None, visit: Visit | None, body: Body | None, refusal: Answer | None):
        self.head, self.visit, self.body, self.refusal = head, visit, body, refusal
        self.complete = refusal is not None
        self.asked = head is None or not head.expects
        """Whether the peer was told to send its body, or needs not be told."""
        self.since = 0.0
        self.wire = 0


class Terms(Protocol):
    """What all connections of a listener read by.

    Attributes:
        app: what is served. limits: how much of everything is read. room: what all bodies together may take.
        secure: whether they are TLS. loop: whose time counts.
    """

    app: App
    limits: HttpLimits
    room: Room
    secure: bool
    loop: asyncio.AbstractEventLoop


class Reader:
    """What one connection reads; the parser calls its `on_…` methods.

    Args:
        terms: the listener's.
        peer: the address at the other end.
        refused: called when a request was refused that is to be answered.

    Attributes:
        queue: what was asked and not answered yet, in order.
        incoming: the request whose body comes in now.
        deaf: nothing more is read as a request.
        fresh: no whole head came yet.
        head_octets: octets of a head that is not whole yet.
        since: when that head began, or the last answer was out.
    """

    def __init__(self, terms: Terms, peer: str, refused: Callable[[], None]) -> None:
        self.queue: deque[Exchange] = deque()
        self.incoming: Exchange | None = None
        self.deaf = False
        self.fresh = True
        self.head_octets = 0
        self.since = terms.loop.time()
        self._terms = terms
        self._limits = terms.limits
        self._peer = peer
        self._refused = refused
        self._parser = httptools.HttpRequestParser(self)
        self._target, self._lines = b"", list[tuple[bytes, bytes]]()
        self._in_head, self._fields_octets = False, 0

    @property
    def idle(self) -> bool:
        """Whether no request is under way or waits for its answer."""
        return not (self.queue or self._in_head or self.incoming)

    def feed(self, data: bytes) -> None:
        """Parse what came."""
        incoming = self.incoming
        if incoming is None:
            if not (self.head_octets or self.queue or self.fresh):
                self.since = self._terms.loop.time()
            self.head_octets += len(data)
        self._feed(data)
        if incoming is not None and incoming is self.incoming:
            self._count(incoming, len(data))
        if self.head_octets > self._limits.head_octets:
            self.refuse(plain(431, "The header fields of this request are too large."))

    def _feed(self, data: bytes) -> None:
        try:
            while data and not self.deaf:
                data = self._fed(data)
        except httptools.HttpParserInvalidMethodError:
            known = _METHOD.search(data)
            self.refuse(plain(501, "This method is not known here.") if known else plain(400, NO_HTTP))
        except httptools.HttpParserCallbackError as error:
            log.critical("reading a request failed", exc_info=error.__context__ or error)
            self.refuse(plain(500, BUG))
        except httptools.HttpParserError:
            self.refuse(plain(400, NO_HTTP))

    def _fed(self, data: bytes) -> bytes:
        """Parse up to the end of a request that wants another protocol. Returns what follows it."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            # We upgrade to nothing: the request stands as it is, and what follows is the next one.
            self._parser = httptools.HttpRequestParser(self)
            return data[upgrade.args[0] :]
        return b""

    def _count(self, exchange: Exchange, octets: int) -> None:
        """Chunks may be small, but not next to nothing but extensions and trailers."""
        exchange.wire += octets
        if exchange.body is not None and exchange.wire > EXTRA_WIRE + 8 * exchange.body.raw:
            self.give_up(exchange, plain(400, "The chunks of this body hold next to nothing."))

    def on_message_begin(self) -> None:
        """A request begins."""
        self._target, self._lines, self._in_head = b"", [], True
        self._fields_octets = 0

    def on_url(self, part: bytes) -> None:
        """Its target, or a part of it."""
        self._target += part
        if len(self._target) > self._limits.target_octets and not self.deaf:
            self.refuse(plain(414, "The address of this request is too long."))

    def on_header(self, name: bytes, value: bytes) -> None:
        """A field; those of a trailer are dropped (RFC 9110 §6.5.1 lets us)."""
        if not self._in_head or self.deaf:
            return
        self._fields_octets += len(name) + len(value)
        if len(self._lines) >= self._limits.head_lines:
            self.refuse(plain(431, "There are too many header fields in this request."))
        elif self._fields_octets > self._limits.head_octets:
            self.refuse(plain(431, "The header fields of this request are too large."))
        else:
            self._lines.append((name, value))

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._in_head = self.fresh = False
        self.head_octets = 0
        if self.deaf:
            return
        head = self._whole_head()
        if head is None:
            return
        try:
            opened = self._terms.app.open(head)
        except Exception:
            log.exception("looking at a request failed")
            opened = plain(500, BUG)
        if isinstance(opened, Answer):
            self._turn_away(head, opened)
        else:
            self._accept(head, opened)

    def _whole_head(self) -> Head | None:
        """The head as the parser has it, or None when the request is refused."""
        parser = self._parser
        version = parser.get_http_version()
        try:
            head = Head(
                parser.get_method().decode("ascii"),
                self._target,
                self._lines,
                peer=self._peer,
                secure=self._terms.secure,
                keep_alive=parser.should_keep_alive(),
                chunks=version != "1.0",
            )
        except BadHeadError as error:
            self.refuse(plain(error.status, f"This cannot be answered: {error}."))
            return None
        if parser.should_upgrade() and head.has_body:
            # The parser reads no such body: it would be taken for the next request, with a proxy's trust.
            self.refuse(plain(501, "A request with a body cannot ask for another protocol (Upgrade)."), head)
            return None
        if version not in VERSIONS:
            self.refuse(plain(505, NO_HTTP), head)
            return None
        return head

    def _accept(self, head: Head, visit: Visit) -> None:
        """Take a request whose head is good; its body may still be refused."""
        limit = min(visit.limit, IGNORED_BODY) if head.method in BODILESS else visit.limit
        coding = head.headers.get("content-encoding", "identity").lower()
        if (head.length or 0) > limit:
            self._turn_away(head, visit.too_large(limit))
        elif coding not in ("identity", "gzip", "x-gzip") and head.has_body:
            refusal = plain(415, "Send the body as it is, or as gzip.", ("accept-encoding", "gzip"))
            self._turn_away(head, refusal)
        else:
            packed = coding != "identity"
            body = Body(limit, self._terms.room, packed=packed, dropped=head.method in BODILESS)
            self.incoming = Exchange(head, visit, body, None)
            self.incoming.since = self._terms.loop.time()
            self.queue.append(self.incoming)

    def _turn_away(self, head: Head, refusal: Answer) -> None:
        """Refuse a request by its head; where a body follows it is not read, and the connection ends."""
        if head.has_body:
            self.refuse(refusal, head)
            return
        self.incoming = Exchange(head, None, None, refusal)
        self.queue.append(self.incoming)

    def on_body(self, data: bytes) -> None:
        """A part of the body."""
        exchange = self.incoming
        if exchange is None or exchange.body is None or self.deaf:
            return
        try:
            exchange.body.feed(data)
        except BodyError as error:
            refusal = plain(error.status, f"Refused: {error}.")
            if error.status == 413 and exchange.visit is not None:
                refusal = exchange.visit.too_large(exchange.body.limit)
            self.give_up(exchange, refusal)

    def on_message_complete(self) -> None:
        """The request is whole."""
        exchange, self.incoming = self.incoming, None
        if exchange is not None:
            exchange.complete = True
            exchange.asked = True
        if exchange is not None and exchange.head is not None and not exchange.head.keep_alive:
            self.deaf = True

    def give_up(self, exchange: Exchange, refusal: Answer) -> None:
        """Refuse a request in the midst of its body."""
        if self.deaf:
            return
        if exchange.body is not None:
            exchange.body.release()
        exchange.refusal, exchange.complete = refusal, True
        refusal.close = True
        self.deaf, self.incoming = True, None

    def refuse(self, refusal: Answer, head: Head | None = None) -> None:
        """Answer this after what was asked before, read nothing more, and end."""
        if self.deaf:
            return
        refusal.close = True
        self.deaf, self._in_head = True, False
        if self.incoming is not None:
            self._give_up_silently(self.incoming, refusal)
            self.incoming = None
        else:
            self.queue.append(Exchange(head, None, None, refusal))
        self._refused()

    @staticmethod
    def _give_up_silently(exchange: Exchange, refusal: Answer) -> None:
        if exchange.body is not None:
            exchange.body.release()
        exchange.refusal, exchange.complete = refusal, True
