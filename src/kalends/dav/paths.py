"""Raw paths and what they name.

A path is cut at '/' first and each segment percent-decoded after that, so that '%2F' can never become a
separator; it is refused instead, as are '.', '..', empty segments, NUL and what is not UTF-8.

Names are compared octet for octet, without Unicode normalisation: a client that PUTs a name has to find it in
every answer exactly as it wrote it, and two forms of one text are two names, as on most servers' disks.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal
from urllib.parse import quote, unquote_to_bytes

from kalends.dav.errors import DavError

Area = Literal["root", "principals", "calendars", "other"]

ROOT = "/dav/"
PRINCIPALS = "/dav/principals/"
CALENDARS = "/dav/calendars/"
WELL_KNOWN = "/.well-known/caldav"
INBOX, OUTBOX = "inbox", "outbox"
PROXIES = {"calendar-proxy-read": False, "calendar-proxy-write": True}
"""Segments under a principal: its delegates, and whether they may write."""
RESERVED = frozenset((INBOX, OUTBOX))
"""Segments under a home that no calendar has."""
MAX_SEGMENT = 1_000
"""Octets of one name, decoded: it is part of an index row of every database."""
MAX_PATH = 16_000
"""Characters of a raw path: four names of full length, percent-encoded, do not need more."""
_SAFE = "@:$+,;=!*()~"
"""What stays as it is besides letters, digits and '-._~' (RFC 3986 §3.3, without '&' and the apostrophe)."""
_PLAIN = re.compile(r"[A-Za-z0-9@:$+,;=!*()~._-]+\Z")
_BAD_PERCENT = re.compile("%(?![0-9A-Fa-f]{2})")


KNOWN_LENGTH = 200
"""Characters of a path that is remembered once it was read: 4,096 of them take a megabyte or two."""


@dataclass(frozen=True, slots=True)
class Address:
    """What a path names; whether it exists is another question.

    Attributes:
        area: which part of the tree; 'other' for a path outside of it.
        principal: the name under principals/ or calendars/, or None.
        calendar: the segment under a home, or under a principal, or None.
        member: the segment under a calendar, or None.
        slash: whether the path ended with '/'.
    """

    area: Area
    principal: str | None = None
    calendar: str | None = None
    member: str | None = None
    slash: bool = False

    @property
    def parent(self) -> Address:
        """The collection above."""
        if self.member is not None:
            return Address(self.area, self.principal, self.calendar, None, True)
        if self.calendar is not None:
            return Address(self.area, self.principal, None, None, True)
        if self.principal is not None:
            return Address(self.area, None, None, None, True)
        return Address("root", slash=True)


def decode(segment: str) -> str:
    """One segment of a raw path as text.

    Raises:
        DavError: 400; a broken percent-encoding, '/', NUL, '.', '..', not UTF-8, or too long.

    Source: RFC 3986 §2.1, §3.3, §7.3.
    """
    if _PLAIN.match(segment) and segment not in (".", "..") and len(segment) <= MAX_SEGMENT:
        return segment
    if "%" in segment and _BAD_PERCENT.search(segment):
        raise DavError(400, None, "The path holds a '%' that is not followed by two hexadecimal digits.")
    try:
        name = unquote_to_bytes(segment).decode("utf-8")
    except UnicodeError as error:
        raise DavError(400, None, "The path is not UTF-8.") from error
    if name in ("", ".", "..") or "/" in name or "\x00" in name:
        raise DavError(400, None, "No part of a path is empty, '.' or '..', or holds '/' or NUL.")
    if len(name) > MAX_SEGMENT // 4 and len(name.encode()) > MAX_SEGMENT:
        raise DavError(400, None, f"A name in a path has at most {MAX_SEGMENT} octets.")
    return name


def is_plain(segment: str) -> bool:
    """Whether a raw segment is its own name: nothing in it is encoded, or would have to be."""
    return len(segment) <= MAX_SEGMENT and segment not in (".", "..") and _PLAIN.match(segment) is not None


def encode(name: str) -> str:
    """One name as a segment of a path."""
    return name if _PLAIN.match(name) else quote(name, safe=_SAFE)


def read(path: str) -> Address:
    """Read a raw path without its prefix.

    Args:
        path: such as '/dav/calendars/bill/calendar/x.ics'.

    Raises:
        DavError: 400 for a path that is none (see `decode`).
    """
    return _read_known(path) if len(path) <= KNOWN_LENGTH else _read(path)


def _read(path: str) -> Address:
    if len(path) > MAX_PATH:
        raise DavError(414, None, f"A path has at most {MAX_PATH} characters.")
    slash = path.endswith("/")
    parts = [decode(part) for part in path.strip("/").split("/")] if path.strip("/") else []
    if path.startswith("//") or path.endswith("//"):
        raise DavError(400, None, "No part of a path is empty.")
    if not parts or parts == ["dav"]:
        return Address("root", slash=slash)
    if parts[0] == "dav" and parts[1] == "principals" and len(parts) <= 4:
        return Address("principals", *_filled(parts[2:]), slash)
    if parts[0] == "dav" and parts[1] == "calendars" and len(parts) <= 5:
        return Address("calendars", *_filled(parts[2:]), slash)
    return Address("other", slash=slash)


_read_known = lru_cache(maxsize=4096)(_read)


def _filled(parts: list[str]) -> tuple[str | None, str | None, str | None]:
    """Up to three names, the missing ones None."""
    first, second, third = (*parts, None, None, None)[:3]
    return first, second, third


@lru_cache(maxsize=4096)
def principal(prefix: str, name: str) -> str:
    """The raw path of a principal."""
    return f"{prefix}{PRINCIPALS}{encode(name)}/"


def proxy(prefix: str, name: str, *, write: bool) -> str:
    """The raw path of the principal that stands for somebody's delegates."""
    return f"{principal(prefix, name)}calendar-proxy-{'write' if write else 'read'}/"


@lru_cache(maxsize=4096)
def home(prefix: str, name: str) -> str:
    """The raw path of a principal's calendar home."""
    return f"{prefix}{CALENDARS}{encode(name)}/"


@lru_cache(maxsize=4096)
def calendar(prefix: str, name: str, slug: str) -> str:
    """The raw path of a calendar, an inbox or an outbox."""
    return f"{prefix}{CALENDARS}{encode(name)}/{encode(slug)}/"
