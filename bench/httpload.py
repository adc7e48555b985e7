"""A load client for HTTP: octets made beforehand over a few connections, and a look at what comes back."""

from __future__ import annotations

import base64
import selectors
import socket
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from bench.place import PASSWORD, USER

LARGEST = 256 * 1024 * 1024
"""Octets of one answer; more is a broken server."""


def login(user: str = USER, password: str = PASSWORD) -> str:
    """The value of an Authorization field."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def request(method: str, path: str, body: bytes | str = b"", **fields: str) -> bytes:
    """A request, signed in as the user of all benchmarks."""
    octets = body.encode() if isinstance(body, str) else body
    head = {"Host": "127.0.0.1", "Authorization": login(), "User-Agent": "bench"}
    if octets or method in ("PUT", "POST"):
        head["Content-Length"] = str(len(octets))
    head |= {name.replace("_", "-"): value for name, value in fields.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
    return f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode() + octets


@dataclass(slots=True)
class Got:
    """The answers to some requests.

    Attributes:
        seconds: wall time of all.
        waits: seconds of each, in order of their ends.
        octets: of all bodies.
        last: the body of the last one.
    """

    seconds: float = 0.0
    waits: list[float] = field(default_factory=list)
    octets: int = 0
    last: bytes = b""
    etag: str = ""

    @property
    def rate(self) -> float:
        """Requests a second."""
        return len(self.waits) / self.seconds


class _Line:
    """One connection with at most one request under way."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.open()
        self.began = 0.0

    def open(self) -> None:
        self.socket = socket.create_connection(("127.0.0.1", self.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.data = bytearray()
        self.head = -1
        self.length: int | None = None
        self.status = 0
        self.close = self.chunked = False

    def send(self, octets: bytes) -> None:
        self.head = -1
        self.data.clear()
        self.began = time.perf_counter()
        self.socket.sendall(octets)

    def receive(self) -> bytes | None:
        """The body once it is whole."""
        data = self.socket.recv(1 << 20)
        self.data += data
        if self.head < 0:
            end = self.data.find(b"\r\n\r\n")
            if end < 0:
                if not data:
                    raise ConnectionError("closed without an answer")
                return None
            self._read_head(bytes(self.data[:end]).decode("latin-1"))
            self.head = end + 4
        if len(self.data) > LARGEST:
            raise ValueError("an answer without end")
        if self.chunked:
            return self._chunks() if self.data.endswith(b"0\r\n\r\n") else None
        if self.length is None:
            return None if data else bytes(self.data[self.head :])
        if len(self.data) - self.head < self.length:
            if not data:
                raise ConnectionError("cut off")
            return None
        return bytes(self.data[self.head : self.head + self.length])

    def _read_head(self, head: str) -> None:
        first, *lines = head.split("\r\n")
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        self.status = int(first.split()[1])
        self.chunked = fields.get("transfer-encoding", "").lower() == "chunked"
        length = fields.get("content-length")
        self.length = 0 if self.status in (204, 304) else None if length is None else int(length)
        kept = fields.get("connection", "").lower()
        self.close = kept == "close" or (first.startswith("HTTP/1.0") and kept != "keep-alive")
        self.etag = fields.get("etag", "")

    def _chunks(self) -> bytes | None:
        body, at = bytearray(), self.head
        while True:
            end = self.data.find(b"\r\n", at)
            if end < 0:
                return None
            size = int(bytes(self.data[at:end]).partition(b";")[0], 16)
            if not size:
                return bytes(body)
            body += self.data[end + 2 : end + 2 + size]
            at = end + 2 + size + 2


def load(port: int, requests: Iterable[bytes], connections: int = 1, expect: tuple[int, ...] = (200,)) -> Got:
    """Send requests, each connection the next one as soon as its last is answered.

    Raises:
        ValueError: an answer with another status than expected: what fails fast must not look fast.
    """
    waiting: Iterator[bytes] = iter(requests)
    got = Got()
    with selectors.DefaultSelector() as selector:
        lines = [_Line(port) for _ in range(connections)]
        busy = 0
        began = time.perf_counter()
        for line in lines:
            octets = next(waiting, None)
            if octets is not None:
                line.send(octets)
                selector.register(line.socket, selectors.EVENT_READ, line)
                busy += 1
        while busy:
            for key, _ in selector.select(60):
                line = key.data
                body = line.receive()
                if body is None:
                    continue
                if line.status not in expect:
                    raise ValueError(f"{line.status} instead of {expect}: {body[:500]!r}")
                got.waits.append(time.perf_counter() - line.began)
                got.octets += len(body)
                got.last, got.etag = body, line.etag
                octets = next(waiting, None)
                if octets is None:
                    busy -= 1
                    selector.unregister(line.socket)
                    continue
                if line.close:
                    selector.unregister(line.socket)
                    line.socket.close()
                    line.open()
                    selector.register(line.socket, selectors.EVENT_READ, line)
                line.send(octets)
        got.seconds = time.perf_counter() - began
        for line in lines:
            line.socket.close()
    return got
