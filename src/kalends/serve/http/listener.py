"""The listening side of HTTP: sockets, how many connections, who is late, an orderly end."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections import Counter
from collections.abc import Callable

from kalends.serve.descriptors import is_scarce
from kalends.serve.http.answers import RETRY, Answer, plain
from kalends.serve.http.app import App
from kalends.serve.http.body import Room
from kalends.serve.http.connection import HttpConnection
from kalends.serve.http.limits import BACKLOG, TLS_HANDSHAKE_SECONDS, HttpLimits
from kalends.serve.rates import neighbourhood

log = logging.getLogger(__name__)


class HttpListener:
    """One listening HTTP server.

    Args:
        app: what is served.
        host: address to listen on.
        port: 0 picks a free one.
        tls: None for plain HTTP.
        limits: what a peer may cost.
        speaks_for_many: tells addresses (trusted proxies) that may have any number of connections.

    Raises:
        OSError: the port cannot be had.
    """

    def __init__(
        self,
        app: App,
        host: str,
        port: int,
        tls: ssl.SSLContext | None,
        limits: HttpLimits | None = None,
        speaks_for_many: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self.app = app
        self.limits = limits or HttpLimits()
        self.room = Room(self.limits.bodies_in_memory)
        self.secure = tls is not None
        self.draining = False
        self.loop: asyncio.AbstractEventLoop
        self._tls = tls
        self._speaks_for_many = speaks_for_many
        self._socket = _bound(host, port)
        self._server: asyncio.Server | None = None
        self._connections: set[HttpConnection] = set()
        self._by_address: Counter[str] = Counter()
        self._empty = asyncio.Event()
        self._tick: asyncio.TimerHandle | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        name = self._socket.getsockname()
        return name[0], name[1]

    @property
    def connections(self) -> int:
        """How many there are."""
        return len(self._connections)

    async def start(self) -> None:
        """Listen; returns when connections are accepted."""
        self.loop = asyncio.get_running_loop()
        handshake = TLS_HANDSHAKE_SECONDS if self._tls is not None else None
        self._server = await self.loop.create_server(
            lambda: HttpConnection(self),
            sock=self._socket,
            ssl=self._tls,
            backlog=BACKLOG,
            ssl_handshake_timeout=handshake,
        )
        self._tick = self.loop.call_later(self.limits.tick, self._look)

    def _look(self) -> None:
        now = self.loop.time()
        for connection in list(self._connections):
            connection.check(now)
        self._tick = self.loop.call_later(self.limits.tick, self._look)

    def opened(self, connection: HttpConnection) -> Answer | None:
        """Count a connection; an answer refuses all it asks."""
        limits, peer = self.limits, neighbourhood(connection.peer)
        self._connections.add(connection)
        self._by_address[peer] += 1
        if len(self._connections) > limits.connections or is_scarce(connection.descriptor):
            return plain(503, "The server has as many connections as it takes; try again later.", RETRY)
        if self._by_address[peer] > limits.per_address and not self._speaks_for_many(connection.peer):
            return plain(503, "Too many connections from your address at once.", RETRY)
        return None

    def closed(self, connection: HttpConnection) -> None:
        """Count it no more."""
        self._connections.discard(connection)
        peer = neighbourhood(connection.peer)
        self._by_address[peer] -= 1
        if not self._by_address[peer]:
            del self._by_address[peer]
        if not self._connections:
            self._empty.set()

    async def stop(self, seconds: float) -> None:
        """Accept nothing new, answer what is asked, then end; after `seconds` it is cut off."""
        self.draining = True
        if self._server is None:
            self._socket.close()
            return
        self._server.close()
        for connection in list(self._connections):
            connection.drain()
        if self._connections:
            self._empty.clear()
            try:
                await asyncio.wait_for(self._empty.wait(), seconds)
            except TimeoutError:
                log.warning("requests over HTTP did not end in time and are cut off")
                for connection in list(self._connections):
                    connection.abort()
                await self._empty.wait()
        if self._tick is not None:
            self._tick.cancel()


def _bound(host: str, port: int) -> socket.socket:
    infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, kind, protocol, _, address = infos[0]
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen(BACKLOG)  # a second listener on the port is told now, not later
    except OSError:
        sock.close()
        raise
    sock.setblocking(False)
    return sock
