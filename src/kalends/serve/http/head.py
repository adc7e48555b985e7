"""The head of a request: what it asks for, read once and checked."""

from __future__ import annotations

import re
from functools import lru_cache

_HOST = re.compile(
    r"(?:\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,252}[A-Za-z0-9_])?\.?)(?::\d{1,5})?\Z"
)
"""A host as we repeat it in links: a name, an IPv4 or a bracketed IPv6 address, perhaps a port."""
SINGLE = ("host", "authorization", "content-length", "content-type", "depth", "destination")
"""Fields that a request may have once: of two different hosts or users nobody knows which is meant."""


class BadHeadError(ValueError):
    """A head that cannot be answered as asked.

    Attributes:
        status: the HTTP status of the refusal.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Head:
    """One request's head.

    Attributes:
        method: upper case.
        path: raw, still percent-encoded; begins with '/'.
        query: raw.
        headers: lower-case names; repeated ones joined with ', '.
        peer: the address of who connected.
        secure: whether the connection itself is TLS.
        keep_alive: whether the connection is kept after the answer.
        chunks: whether the peer understands chunked answers (HTTP/1.1).
    """

    __slots__ = ("chunks", "headers", "keep_alive", "method", "path", "peer", "query", "secure")

    def __init__(
        self,
        method: str,
        target: bytes,
        lines: list[tuple[bytes, bytes]],
        *,
        peer: str = "",
        secure: bool = False,
        keep_alive: bool = True,
        chunks: bool = True,
    ) -> None:
        self.method = method
        self.headers = _joined(lines)
        authority, self.path, self.query = _split(target)
        if authority:  # RFC 9112 §3.2.2: then Host does not count, and a proxy chose us by this
            self.headers["host"] = authority
        self.peer, self.secure, self.keep_alive, self.chunks = peer, secure, keep_alive, chunks
        if chunks and "host" not in self.headers:
            raise BadHeadError(400, "a request of HTTP/1.1 has a Host")
        coding = self.headers.get("transfer-encoding")
        if coding is not None and not chunks:
            raise BadHeadError(400, "HTTP/1.0 has no Transfer-Encoding")
        if coding is not None and coding.lower() != "chunked":
            raise BadHeadError(501, "the only Transfer-Encoding taken is chunked")

    @property
    def length(self) -> int | None:
        """Content-Length; None when it is chunked or has no body."""
        value = self.headers.get("content-length")
        return None if value is None else int(value)

    @property
    def has_body(self) -> bool:
        """Whether a body follows."""
        return "transfer-encoding" in self.headers or bool(self.length)

    @property
    def expects(self) -> bool:
        """Whether the peer waits for 100 Continue (RFC 9110 §10.1.1)."""
        return self.chunks and self.headers.get("expect", "").lower() == "100-continue"


def is_host(text: str) -> bool:
    """Whether this is a host (and port) that may stand in a link of ours."""
    return bool(_HOST.match(text))


@lru_cache(512)
def _name(raw: bytes) -> str:
    return raw.decode("latin-1").lower()


def _joined(lines: list[tuple[bytes, bytes]]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for raw, value in lines:
        name, text = _name(raw), value.decode("latin-1")
        if name not in headers:
            headers[name] = text
        elif name in SINGLE:
            raise BadHeadError(400, f"there are two fields {name} in the request")
        else:
            headers[name] += ("; " if name == "cookie" else ", ") + text
    return headers


def _split(target: bytes) -> tuple[str, str, str]:
    """Host, path and query of a request target, which may be a whole URL or `*` (RFC 9112 §3.2)."""
    text, authority = target.decode("latin-1"), ""
    if not text.startswith("/"):
        lower = text[:8].lower()
        if lower.startswith(("http://", "https://")):
            rest = text.partition("://")[2]
            cut = min((i for i in (rest.find("/"), rest.find("?")) if i >= 0), default=len(rest))
            authority = rest[:cut]
            if not authority:
                raise BadHeadError(400, "the address of the request names no host")
            text = rest[cut:] if rest[cut : cut + 1] == "/" else "/" + rest[cut:]
        elif text == "*":
            text = "/"
        else:
            raise BadHeadError(400, "the request names no path")
    text, hash_sign, _ = text.partition("#")
    if hash_sign:
        raise BadHeadError(400, "a request has no fragment")
    path, _, query = text.partition("?")
    return authority, path, query
