"""`python -m bench.web KIND`: an HTTP server whose answers cost nothing; it prints its loopback port."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import httptools
import uvicorn

from bench.place import furnished
from kalends.core.model import Caller, Policy
from kalends.dav.messages import Plan, Request, Response, ready
from kalends.serve.config import load_config
from kalends.serve.http.answers import Answer
from kalends.serve.http.app import Visit
from kalends.serve.http.head import Head
from kalends.serve.http.listener import HttpListener
from kalends.serve.server import Server, _loop_factory

BODY = b"x" * 600
HEADERS = (("Content-Type", "text/calendar; charset=utf-8"), ("ETag", '"2b9fe8773417931793c25fb2eed48856"'))


class Bare(asyncio.Protocol):
    """The floor: a request is parsed by httptools and forgotten."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.parser = httptools.HttpRequestParser(self)
        lines = "".join(f"{name}: {value}\r\n" for name, value in HEADERS)
        self.answer = f"HTTP/1.1 200 OK\r\n{lines}content-length: {len(BODY)}\r\n\r\n".encode() + BODY

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        pass

    def on_message_complete(self) -> None:
        self.transport.write(self.answer)


async def _asgi(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    headers = [(name.lower().encode(), value.encode()) for name, value in HEADERS]
    headers.append((b"content-length", str(len(BODY)).encode()))
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": BODY})


class _Nothing:
    limit = 65_536

    def admit(self) -> None:
        return None

    def answer(self, body: bytes) -> Answer:
        return Answer(200, HEADERS, BODY)

    def too_large(self, limit: int) -> Answer:
        return Answer(413)

    def done(self, status: int, octets: int) -> None:
        pass


class _App:
    def open(self, head: Head) -> Visit | Answer:
        return _Nothing()


class _Room:
    """A dav room whose plans do nothing: in no transaction, in a read, in a write."""

    def plan(self, request: Request, caller: Caller) -> Plan:
        if request.query == "none":
            return ready(Response(200, HEADERS, BODY))
        kind = "write" if request.method == "PUT" else "read"
        return Plan(kind, lambda tx: Response(200, HEADERS, BODY))  # type: ignore[arg-type]

    def limit_of(
        self, method: str, path: str, headers: Mapping[str, str], policy: Policy | None = None
    ) -> int:
        return 65_536

    def too_large(self, method: str, limit: int) -> Response:
        return Response(413)

    def refusal(self, request: Request, error: Exception) -> Response | None:
        return None


async def main(kind: str, folder: Path) -> None:
    """Serve until killed."""
    loop = asyncio.get_running_loop()
    if kind == "bare":
        server = await loop.create_server(Bare, "127.0.0.1", 0)
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()
    elif kind == "uvicorn":
        config = uvicorn.Config(_asgi, port=0, log_level="error", access_log=False, lifespan="off")
        config.load()
        sock = config.bind_socket()
        print(sock.getsockname()[1], flush=True)
        await uvicorn.Server(config).serve([sock])
    elif kind == "listener":
        listener = HttpListener(_App(), "127.0.0.1", 0, None)
        await listener.start()
        print(listener.address[1], flush=True)
        await asyncio.Event().wait()
    else:
        with furnished(str(folder / "store.db")) as store:
            options = {
                "store": str(folder / "store.db"),
                "cap_port": 0,
                "http_port": 0,
                "csid": "cal.example.com",
            }
            config_ = load_config({**options, "realm": "example.com"}, {"HOME": str(folder)})
            async with Server(config_, store, _Room()) as ours:
                assert ours.http_address is not None
                print(ours.http_address[1], flush=True)
                await asyncio.Event().wait()


if __name__ == "__main__":
    with (
        tempfile.TemporaryDirectory(prefix="kalends-bench-") as name,
        asyncio.Runner(loop_factory=_loop_factory()) as runner,
    ):
        runner.run(main(sys.argv[1], Path(name)))
