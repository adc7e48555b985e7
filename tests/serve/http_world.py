"""A server with HTTP in a thread, a dav room that does what a test wants, and a client that writes octets."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs

from serve_client import add_people, config_for

from kalends.core.model import Caller, Policy
from kalends.dav.messages import Plan, Request, Response, ready
from kalends.serve.server import Server, _loop_factory
from kalends.store import errors as store
from kalends.store.base import Store, Tx
from kalends.store.open import open_store

LIMIT = 100_000
WAIT = 15.0


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


class Room:
    """A dav room made of what tests need; `noted` is what happened in it."""

    def __init__(self) -> None:
        self.noted: list[str] = []
        self.ended = threading.Event()
        self.begun = threading.Event()
        self.running = self.most = 0

    def limit_of(
        self, method: str, path: str, headers: Mapping[str, str], policy: Policy | None = None
    ) -> int:
        return LIMIT

    def too_large(self, method: str, limit: int) -> Response:
        return Response(413, (("Content-Type", "application/xml"),), b"<too-large/>")

    def refusal(self, request: Request, error: Exception) -> Response | None:
        return Response(409, (), b"refused") if isinstance(error, ValueError) else None

    def plan(self, request: Request, caller: Caller) -> Plan:
        self.planned_in = threading.current_thread()
        word = request.path.strip("/").split("/")[-1]
        query = {name: values[0] for name, values in parse_qs(request.query).items()}
        self.noted.append(f"{request.method} {request.path}")
        if request.method == "OPTIONS":
            return ready(Response(200, (("DAV", "1, 3, calendar-access"),)))
        if word == "public":
            return ready(self._echo(request, caller))
        if caller.identity.upn == "@":
            return ready(Response(401, (), b"who are you?\n"))
        if word == "body":
            size, kind = int(query["n"]), query.get("type", "text/xml")
            extra = tuple((k, v) for k, v in query.items() if k in ("ETag", "Cache-Control"))
            return ready(Response(200, (("Content-Type", kind), *extra), b"calendar " * (size // 9)))
        work: Callable[[Tx], Response] = getattr(self, f"_{word}", None) or (
            lambda tx: self._echo(request, caller)
        )
        self.query = query
        return Plan("write" if request.method in ("PUT", "DELETE") else "read", work)

    @staticmethod
    def _echo(request: Request, caller: Caller) -> Response:
        told = {
            "method": request.method,
            "path": request.path,
            "query": request.query,
            "prefix": request.prefix,
            "origin": request.origin,
            "upn": caller.identity.upn,
            "groups": sorted(caller.identity.groups),
            "octets": len(request.body),
            "text": request.body[:50].decode("latin-1"),
        }
        return Response(200, (("Content-Type", "application/json"),), json.dumps(told).encode())

    def _stream(self, tx: Tx) -> Response:
        pieces, size = int(self.query["n"]), int(self.query.get("size", "1000"))

        def body() -> Iterator[bytes]:
            try:
                for number in range(pieces):
                    assert tx.row("select 1") == (1,)  # still inside of the transaction
                    yield f"{number:08d} ".encode() * (size // 9)
                    if number == int(self.query.get("fail", "-1")):
                        raise ValueError("no more")
            finally:
                self.ended.set()

        return Response(207, (("Content-Type", "text/xml"),), body())

    def _forever(self, tx: Tx) -> Response:
        self.begun.set()
        try:
            tx.rows(
                "with recursive n(i) as (select 1 union all select i + 1 from n where i < 100000000000)"
                " select count(*) from n"
            )
        finally:
            self.ended.set()
        return Response(200)

    def _count(self, tx: Tx) -> Response:
        """How many of these run at once."""
        self.running += 1
        self.most = max(self.most, self.running)
        time.sleep(0.1)
        self.running -= 1
        return Response(200)

    def _full(self, tx: Tx) -> Response:
        raise store.StoreFullError("/secret/path is full")

    def _busy(self, tx: Tx) -> Response:
        raise store.StoreBusyError("held by /secret/path")

    def _bug(self, tx: Tx) -> Response:
        raise RuntimeError("secret detail")

    def _refuse(self, tx: Tx) -> Response:
        raise ValueError("not like that")

    def _split(self, tx: Tx) -> Response:
        return Response(200, (("X-Name", "a\r\nSet-Cookie: b"),), b"x")


class World:
    """A running server; its loop is in a thread."""

    def __init__(
        self, folder: Path, *, room: Any = None, limits: Mapping[str, Any] | None = None, **options: object
    ):
        self.room: Any = room or Room()
        self.config = config_for(folder, http_port=0, **options)
        self._limits = dict(limits or {})
        self.store: Store = open_store(self.config.store)
        add_people(self.store, self.config, "amira", "bruno")
        self.server: Server
        self._started = threading.Event()
        self._loop: asyncio.AbstractEventLoop
        self._stop: asyncio.Event
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(self._main())

    async def _main(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self.server = Server(self.config, self.store, self.room)
        self.server.http_limits = replace(self.server.http_limits, **self._limits)
        async with self.server:
            self._started.set()
            await self._stop.wait()

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._started.wait(WAIT)
        assert self.server.http_address is not None
        self.port = self.server.http_address[1]
        return self

    def stop(self) -> None:
        """Begin to end."""
        with contextlib.suppress(RuntimeError):  # it has ended already
            self._loop.call_soon_threadsafe(self._stop.set)

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._thread.join(60)
        self.store.close()
        assert not self._thread.is_alive()

    def connect(self) -> Peer:
        return Peer(socket.create_connection(("127.0.0.1", self.port), timeout=WAIT))

    def ask(self, method: str, path: str, body: bytes = b"", user: str = "amira", **headers: str) -> Got:
        """One request on a connection of its own, with amira's password unless told otherwise."""
        with self.connect() as peer:
            peer.request(method, path, body, user, **headers)
            return peer.read(method)


class Got:
    """An answer."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Peer:
    """A client's socket."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.rest = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def send(self, octets: bytes | str) -> None:
        self.sock.sendall(octets.encode("latin-1") if isinstance(octets, str) else octets)

    def request(self, method: str, path: str, body: bytes = b"", user: str = "amira", **headers: str) -> None:
        from serve_client import PASSWORD

        fields = {"Host": "localhost"}
        if user:
            fields["Authorization"] = basic(user, PASSWORD)
        if body:
            fields["Content-Length"] = str(len(body))
        fields |= {name.replace("_", "-"): value for name, value in headers.items()}
        head = f"{method} {path} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in fields.items())
        self.send(head.encode("latin-1") + b"\r\n" + body)

    def more(self) -> bytes:
        data = self.sock.recv(65536)
        self.rest += data
        return data

    def line(self) -> bytes:
        while b"\r\n" not in self.rest:
            if not self.more():
                raise EOFError(self.rest)
        line, _, self.rest = self.rest.partition(b"\r\n")
        return line

    def take(self, octets: int) -> bytes:
        while len(self.rest) < octets:
            if not self.more():
                raise EOFError(f"{len(self.rest)} of {octets}")
        data, self.rest = self.rest[:octets], self.rest[octets:]
        return data

    def read(self, method: str = "GET") -> Got:
        """Read an answer."""
        status = int(self.line().split()[1])
        headers: dict[str, str] = {}
        while line := self.line():
            name, _, value = line.decode("latin-1").partition(":")
            name = name.lower()
            headers[name] = f"{headers[name]}, {value.strip()}" if name in headers else value.strip()
        if method == "HEAD" or status < 200 or status in (204, 304):
            return Got(status, headers, b"")
        if headers.get("transfer-encoding") == "chunked":
            body = b""
            while size := int(self.line(), 16):
                body += self.take(size)
                assert self.line() == b""
            assert self.line() == b""
            return Got(status, headers, body)
        return Got(status, headers, self.take(int(headers["content-length"])))

    def is_closed(self, seconds: float = WAIT) -> bool:
        """Whether the server ends the connection; what still comes is dropped."""
        self.sock.settimeout(seconds)
        try:
            while self.sock.recv(65536):
                pass
        except TimeoutError:
            return False
        except ConnectionError:
            return True
        return True


def until(met: Callable[[], bool], seconds: float = WAIT) -> None:
    """Wait for something to become true."""
    end = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)
