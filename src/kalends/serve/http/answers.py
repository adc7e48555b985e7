"""Answers: status, fields, a body of octets or one that is still being made; and their head on the wire."""

from __future__ import annotations

import time
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus

from kalends.serve.http.spool import Spool

TEXT = "text/plain; charset=utf-8"
NO_STORE = ("cache-control", "no-store")
RETRY = ("retry-after", "5")
"""Seconds after which trying again is worth it: a busy store or a restart of the database takes less."""

_PHRASES = {status.value: status.phrase for status in HTTPStatus}
_STATUS_LINES = {code: f"HTTP/1.1 {code} {phrase}\r\n" for code, phrase in _PHRASES.items()}


@dataclass(slots=True)
class Answer:
    """What is answered to one request.

    Attributes:
        status: the code.
        headers: names and values, without Content-Length, Date, Connection.
        body: octets, or a spool that is still being filled.
        close: whether the connection ends with it.
    """

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | Spool = b""
    close: bool = False


def plain(status: int, text: str, *extra: tuple[str, str], close: bool = False) -> Answer:
    """A sentence for people."""
    headers = (("content-type", TEXT), ("x-content-type-options", "nosniff"), NO_STORE, *extra)
    return Answer(status, headers, f"{text}\n".encode(), close)


class _Clock:
    """The Date field, made once a second."""

    __slots__ = ("_line", "_second")

    def __init__(self) -> None:
        self._second, self._line = 0, ""

    def line(self) -> str:
        now = int(time.time())
        if now != self._second:
            self._second, self._line = now, f"date: {formatdate(now, usegmt=True)}\r\n"
        return self._line


_clock = _Clock()


def has_body(status: int) -> bool:
    """Whether an answer of this status may have a body (RFC 9110 §6.4.1)."""
    return status >= 200 and status not in (204, 304)


def head_of(answer: Answer, framing: str, *, keep_alive: bool, say_so: bool) -> bytes:
    """The head of an answer on the wire.

    Args:
        answer: status and fields.
        framing: the line that says how long the body is, with CRLF; '' for none.
        keep_alive: whether the connection is kept.
        say_so: whether keeping it has to be said (HTTP/1.0).

    Raises:
        ValueError: a field with a line break in it, which would be another field to the peer.
    """
    lines = [_STATUS_LINES.get(answer.status) or f"HTTP/1.1 {answer.status} \r\n", _clock.line()]
    lines += [f"{name}: {value}\r\n" for name, value in answer.headers]
    if framing:
        lines.append(framing)
    if not keep_alive:
        lines.append("connection: close\r\n")
    elif say_so:
        lines.append("connection: keep-alive\r\n")
    text = "".join(lines)
    if text.count("\n") != len(lines) or text.count("\r") != len(lines):
        raise ValueError("a line break inside of a header field")
    return (text + "\r\n").encode("latin-1", "replace")
