"""gzip for answers: where it is understood, worth it, and harms no ETag.

An answer with a strong ETag is never packed. Packed octets would need an ETag of their own (RFC 9110
§8.8.3.3), but a calendar client compares the ETag of its GET with those of PROPFIND and sends it back in
If-Match: one that names the packed form would never fit again, and a weak one may not be used in If-Match at
all. Single objects are small; what is worth packing (multistatus, feeds) has no strong ETag.
"""

from __future__ import annotations

import re
import zlib
from functools import lru_cache

from kalends.serve.http.body import GZIP

SMALLEST = 1_024
"""Octets from which packing is worth it: below, an answer is one packet anyway."""
LEVEL = 1
"""Of zlib; see docs/performance.md: higher levels save some percent and cost several times the CPU."""
PACKED_TYPES = ("text/xml", "application/xml", "text/calendar", "application/calendar", "application/json")
"""What is packed. No HTML: a page may hold a secret beside what an attacker made it repeat (BREACH)."""
PACKED = (("content-encoding", "gzip"), ("vary", "accept-encoding"))

_QUALITY = re.compile(r"\s*([A-Za-z0-9*-]+)\s*(?:;\s*q\s*=\s*([01](?:\.\d{0,3})?))?\s*\Z")


@lru_cache(256)
def accepts_gzip(field: str) -> bool:
    """Whether an Accept-Encoding field lets us send gzip (RFC 9110 §12.5.3)."""
    found: dict[str, float] = {}
    for item in field[:500].split(","):
        match = _QUALITY.match(item)
        if match:
            found[match[1].lower()] = float(match[2] or 1)
    for coding in ("gzip", "x-gzip", "*"):
        if coding in found:
            return found[coding] > 0
    return False


def may_be_packed(status: int, headers: tuple[tuple[str, str], ...]) -> bool:
    """Whether an answer of this kind may be packed at all."""
    packable = False
    for name, value in headers:
        match name.lower():
            case "content-type":
                packable = value.lower().startswith(PACKED_TYPES)
            case "etag":
                if not value.startswith("W/"):
                    return False
            case "content-encoding" | "content-range":
                return False
            case "cache-control":
                if "no-transform" in value.lower():
                    return False
    return packable and status not in (206, 304)


def packed(body: bytes) -> bytes:
    """The body as gzip."""
    packer = Packer()
    return packer.pack(body) + packer.end()


class Packer:
    """Packs a body piece by piece."""

    __slots__ = ("_deflate",)

    def __init__(self) -> None:
        self._deflate = zlib.compressobj(LEVEL, zlib.DEFLATED, GZIP)

    def pack(self, data: bytes) -> bytes:
        """What can be sent so far."""
        return self._deflate.compress(data)

    def end(self) -> bytes:
        """The rest."""
        return self._deflate.flush()
