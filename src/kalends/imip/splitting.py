"""A mail taken apart: headers, and the parts that hold no others (RFC 5322 §2, RFC 2045, RFC 2046 §5.1).

The standard library's parser descends as deep as a mail is nested and looks at each line once a level; what a
stranger sends may be nested ten thousand levels deep. This one has bounds.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from kalends.imip.errors import BadMailError

MAX_DEPTH, MAX_PARTS = 8, 100
"""Multiparts in multiparts, and parts of all of them together."""
MAX_HEAD, MAX_FIELDS, MAX_FIELD = 256 * 1024, 1_000, 16 * 1024
"""Octets of one head, its fields, and octets of a field that is looked at."""

_BLANK = re.compile(rb"\r?\n\r?\n")
_FIELD = re.compile(r"([!-9;-~]+)[ \t]*:(.*)\Z", re.DOTALL)
_PARAM = re.compile(r';\s*([^\s=;"]{1,40})\s*=\s*("(?:[^"\\]|\\.){0,2000}"|[^\s;"]{0,2000})')
_BASE64_NOISE = re.compile(rb"[^A-Za-z0-9+/]")


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a mail, or a mail as a whole.

    Attributes:
        fields: header fields by lower-case name, unfolded, in order.
        body: what stands below them, as it came.
    """

    fields: Mapping[str, tuple[str, ...]]
    body: bytes

    def first(self, name: str) -> str:
        """The first field of a name; '' for none."""
        found = self.fields.get(name)
        return found[0] if found else ""

    @property
    def kind(self) -> str:
        """The media type, in lower case; text/plain if none is said."""
        said = self.first("content-type").partition(";")[0].strip().lower()
        return said if "/" in said else "text/plain"

    def param(self, name: str) -> str | None:
        """A parameter of Content-Type."""
        for key, value in _PARAM.findall(self.first("content-type")[:MAX_FIELD]):
            if key.lower() == name:
                return re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value
        return None

    def decoded(self) -> bytes:
        """The body without its transfer encoding; one that is broken is read as far as it goes."""
        how = self.first("content-transfer-encoding").strip().lower()
        if how == "quoted-printable":
            return binascii.a2b_qp(self.body)
        if how != "base64":
            return self.body
        letters = _BASE64_NOISE.sub(b"", self.body.partition(b"=")[0])
        if len(letters) % 4 == 1:
            letters = letters[:-1]
        return binascii.a2b_base64(letters + b"=" * (-len(letters) % 4))


def split(data: bytes) -> Part:
    """Read the head of a mail, or of a part.

    Raises:
        BadMailError: its head is larger than any honest one.
    """
    if data.startswith(b"From "):  # what a pipe may put before a mail
        data = data.partition(b"\n")[2]
    if data.startswith((b"\n", b"\r\n")):
        return Part({}, data.partition(b"\n")[2])
    blank = _BLANK.search(data, 0, MAX_HEAD)
    if blank is None and len(data) > MAX_HEAD:
        raise BadMailError("the head of the mail, or of a part, is too large")
    head, body = (data, b"") if blank is None else (data[: blank.start()], data[blank.end() :])
    lines = re.sub(rb"\r?\n[ \t]+", b" ", head).splitlines()
    if len(lines) > MAX_FIELDS:
        raise BadMailError("the mail, or a part, has too many header fields")
    fields: dict[str, tuple[str, ...]] = {}
    for line in lines:
        match = _FIELD.match(line.decode("utf-8", "replace"))
        if match is not None:
            name = match[1].lower()
            fields[name] = (*fields.get(name, ()), match[2].strip())
    return Part(fields, body)


def leaves(mail: Part) -> list[Part]:
    """The parts that hold no others, in order. A mail inside of a mail is one: its sender is not this one's.

    Raises:
        BadMailError: it is nested too deeply, or has too many parts.
    """
    found: list[Part] = []
    count = 0
    todo = [(mail, 0)]
    while todo:
        part, depth = todo.pop()
        count += 1
        boundary = part.param("boundary") if part.kind.startswith("multipart/") else None
        if not boundary:
            found.append(part)
            continue
        if depth == MAX_DEPTH:
            raise BadMailError(f"the mail is nested more than {MAX_DEPTH} levels deep")
        pieces: list[tuple[Part, int]] = []
        for piece in _pieces(part.body, boundary):
            if count + len(todo) + len(pieces) == MAX_PARTS:
                raise BadMailError(f"the mail has more than {MAX_PARTS} parts")
            pieces.append((split(piece), depth + 1))
        todo += reversed(pieces)
    return found


def _pieces(body: bytes, boundary: str) -> Iterator[bytes]:
    """What stands between the boundaries of a multipart; one that was cut off ends where it ends."""
    mark = re.compile(
        rb"(?:\A|\r?\n)--" + re.escape(boundary.encode("utf-8", "replace")) + rb"(--)?[ \t]*(?=\r?\n|\Z)"
    )
    began: int | None = None
    for match in mark.finditer(body):
        if began is not None:
            yield _inner(body[began : match.start()])
        if match[1]:
            return
        began = match.end()
    if began is not None:
        yield _inner(body[began:])


def _inner(piece: bytes) -> bytes:
    """A piece without the end of the line on which its boundary stood."""
    return piece[2:] if piece.startswith(b"\r\n") else piece[1:]
