"""The HTTP listener: uvicorn inside our own loop, its signals and sockets kept in our hands."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from uvicorn._types import ASGIApplication

log = logging.getLogger(__name__)

KEEP_ALIVE_SECONDS = 15
"""How long an idle connection is kept for the next request."""
MAX_CONNECTIONS = 1024
"""Requests and connections at once; more are answered 503."""
BACKLOG = 1024
START_TICK = 0.005
"""Seconds between two looks whether uvicorn listens already; it offers no event for that."""


class _Quiet(uvicorn.Server):
    """uvicorn without its signal handlers: the server around it ends everything in one order."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class HttpListener:
    """One listening HTTP server.

    Args:
        app: the ASGI application.
        host: address to listen on.
        port: 0 picks a free one.
        tls: None for plain HTTP.
    """

    def __init__(self, app: ASGIApplication, host: str, port: int, tls: ssl.SSLContext | None) -> None:
        self._socket = _bound(host, port)
        config = uvicorn.Config(
            app,
            http="httptools",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            limit_concurrency=MAX_CONNECTIONS,
            backlog=BACKLOG,
            proxy_headers=False,
        )
        config.load()
        config.ssl = tls
        self._server = _Quiet(config)
        self._task: asyncio.Task[None] | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        name = self._socket.getsockname()
        return name[0], name[1]

    async def start(self) -> None:
        """Listen; returns when connections are accepted."""
        self._task = asyncio.create_task(self._server.serve(sockets=[self._socket]))
        while not self._server.started and not self._task.done():
            await asyncio.sleep(START_TICK)
        if self._task.done():
            self._task.result()

    async def stop(self, seconds: float) -> None:
        """Accept nothing new, answer what is asked, then end; after `seconds` it is cut off."""
        if self._task is None:
            self._socket.close()
            return
        self._server.should_exit = True
        try:
            await asyncio.wait_for(asyncio.shield(self._task), seconds)
        except TimeoutError:
            log.warning("requests over HTTP did not end in time and are cut off")
            self._server.force_exit = True
            await self._task
        self._task = None


def _bound(host: str, port: int) -> socket.socket:
    infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, kind, protocol, _, address = infos[0]
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
    except OSError:
        sock.close()
        raise
    sock.setblocking(False)
    return sock
