"""The body of a request as it comes: bounded by itself and together with all others, unpacked on the way."""

from __future__ import annotations

import zlib

GZIP = 31
"""zlib's window bits for the gzip format."""


class Room:
    """Octets of request bodies held in memory for all connections together.

    Args:
        octets: how many there may be.
    """

    __slots__ = ("_left",)

    def __init__(self, octets: int) -> None:
        self._left = octets

    def take(self, octets: int) -> bool:
        """Take room; False when there is not so much."""
        if octets > self._left:
            return False
        self._left -= octets
        return True

    def give(self, octets: int) -> None:
        """Give room back."""
        self._left += octets


class BodyError(ValueError):
    """A body that is not taken.

    Attributes:
        status: the HTTP status of the refusal.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Body:
    """One body.

    Args:
        limit: octets accepted, counted after unpacking.
        room: shared by all.
        packed: whether it is gzip.
        dropped: whether it means nothing and is read to be thrown away (a GET's; RFC 9110 §9.3.1).
    """

    __slots__ = ("_dropped", "_inflate", "_parts", "_room", "limit", "raw", "size")

    def __init__(self, limit: int, room: Room, *, packed: bool = False, dropped: bool = False) -> None:
        self.limit, self._room, self._dropped = limit, room, dropped
        self._inflate = zlib.decompressobj(GZIP) if packed else None
        self._parts: list[bytes] = []
        self.size = 0
        self.raw = 0

    def feed(self, data: bytes) -> None:
        """Add what came.

        Raises:
            BodyError: 413 larger than accepted, 503 no room, 400 not gzip.
        """
        self.raw += len(data)
        if self._inflate is not None:
            data = self._unpacked(data)
        if self.size + len(data) > self.limit:
            raise BodyError(413, f"the body is larger than the {self.limit:,} octets accepted here")
        if self._dropped:
            self.size += len(data)
            return
        if not self._room.take(len(data)):
            raise BodyError(503, "too many large requests at once; try again in a few seconds")
        self.size += len(data)
        self._parts.append(data)

    def _unpacked(self, data: bytes) -> bytes:
        """At most one octet more than the limit, however small the packed form is."""
        assert self._inflate is not None
        try:
            data = self._inflate.decompress(data, self.limit - self.size + 1)
        except zlib.error:
            raise BodyError(400, "the body is not gzip, although Content-Encoding says so") from None
        if self._inflate.unused_data:
            raise BodyError(400, "something follows the gzip data in the body")
        return data

    def whole(self) -> bytes:
        """All of it.

        Raises:
            BodyError: 400 when gzip data ends too early.
        """
        if self._inflate is not None and self.raw and not self._inflate.eof:
            raise BodyError(400, "the gzip data of the body ends too early")
        if len(self._parts) > 1:
            self._parts = [b"".join(self._parts)]
        return self._parts[0] if self._parts else b""

    def release(self) -> None:
        """Give the room back."""
        if not self._dropped:
            self._room.give(self.size)
        self._parts, self.size = [], 0
