"""MIME as CAP uses it: finding the text/calendar bodies of a message, and wrapping one.

Headers are optional (RFC 3080 §2.2), and RFC 4324's own examples leave them out, so a body that starts
with BEGIN:VCALENDAR is taken for what it is (A-18).
"""

from __future__ import annotations

import binascii
import re

from kalends.beep.mime import DEFAULT_TYPE, build_entity, split_entity
from kalends.cap.status import BAD_ARGS, UNSUPPORTED, RefusalError

MAX_PARTS = 1_000
"""Parts of one multipart message: nobody sends more objects than that at once."""
MAX_DEPTH = 4
"""multipart inside multipart; mail knows three levels."""

_SNIFF = re.compile(rb"\s*BEGIN\s*:\s*VCALENDAR\s*\r?\n", re.IGNORECASE)
_UTF8 = {"utf-8", "utf8", "us-ascii", "ascii"}


def wrap(body: bytes) -> bytes:
    """Put the entity header before a calendar body."""
    return build_entity("text/calendar", body)


def calendar_bodies(payload: bytes) -> list[bytes]:
    """Find the bodies of all text/calendar entities in a message, in order.

    Args:
        payload: entity headers and body as BEEP delivered them.

    Returns:
        At least one body.

    Raises:
        RefusalError: 6.3, when there is none or the MIME structure is broken; 3.1.4 for a charset or encoding
            that is not offered.

    Source: RFC 4324 §12.1; A-18.
    """
    bodies = _bodies(payload, 0)
    if not bodies:
        raise RefusalError(BAD_ARGS, "The message holds no text/calendar object.")
    return bodies


def _bodies(entity: bytes, depth: int) -> list[bytes]:
    split = split_entity(entity)
    kind, params, body = split.content_type, split.parameters, split.body
    if kind.startswith("multipart/"):
        if depth >= MAX_DEPTH:
            raise RefusalError(BAD_ARGS, f"Multiparts are nested deeper than {MAX_DEPTH}.")
        return [
            found for part in _parts(body, params.get("boundary", "")) for found in _bodies(part, depth + 1)
        ]
    if kind != "text/calendar" and not (kind in {DEFAULT_TYPE, "text/plain"} and _SNIFF.match(body)):
        return []
    charset = params.get("charset", "utf-8").lower()
    if charset not in _UTF8:
        raise RefusalError(UNSUPPORTED, f"The charset {charset[:40]} is not offered; send UTF-8.")
    return [_decode(body, split.encoding)]


def _parts(body: bytes, boundary: str) -> list[bytes]:
    """The parts between the boundary lines (RFC 2046 §5.1.1)."""
    if not boundary or len(boundary) > 70:
        raise RefusalError(BAD_ARGS, "A multipart message needs a boundary of 1 to 70 characters.")
    mark = re.compile(
        rb"(?:\A|\r?\n)--" + re.escape(boundary.encode("utf-8", "replace")) + rb"(--)?[ \t]*(?=\r?\n|\Z)"
    )
    parts: list[bytes] = []
    start = -1
    for match in mark.finditer(body):
        if start >= 0:
            parts.append(re.sub(rb"\A\r?\n", b"", body[start : match.start()], count=1))
        if len(parts) > MAX_PARTS:
            raise RefusalError(BAD_ARGS, f"The message has more than {MAX_PARTS} parts.")
        start = match.end()
        if match[1]:
            return parts
    raise RefusalError(BAD_ARGS, "The multipart message is not closed by its boundary.")


def _decode(body: bytes, encoding: str) -> bytes:
    if encoding in {"binary", "8bit", "7bit", ""}:
        return body
    try:
        if encoding == "base64":
            return binascii.a2b_base64(body)
        if encoding == "quoted-printable":
            return binascii.a2b_qp(body)
    except binascii.Error as error:
        raise RefusalError(BAD_ARGS, f"The part is not valid {encoding}: {error}.") from None
    raise RefusalError(UNSUPPORTED, f"The transfer encoding {encoding[:40]} is not offered.")
