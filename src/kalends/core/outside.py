"""Texts for programs that know iCalendar and not CAP: CalDAV's clients, and mail (RFC 4324 §2; OBM-15).

Whether a text has anything for CAP only is found out when it is written, and its ETag says so from then on:
whoever reads looks at the end of a string.
"""

from __future__ import annotations

import hashlib
from typing import Final

from kalends.ical.alarms import has_cap, without_cap
from kalends.ical.tree import Component, parse

MARK: Final = "-cap"
"""How the ETag ends of a text that others than CAP get without what is CAP's."""


def digest(data: bytes) -> str:
    """What octets are known by: equal ones, and no others, have the same."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def etag_of(data: bytes, vcalendar: Component) -> str:
    """The ETag of an object's octets, without quotes.

    Args:
        data: the octets.
        vcalendar: the same, parsed.
    """
    return digest(data) + MARK if has_cap(vcalendar) else digest(data)


def text(etag: str, ics: bytes) -> bytes:
    """An object as a program gets it that does not speak CAP: nearly always the very octets.

    Args:
        etag: the object's, without quotes.
        ics: its text, or what somebody sees of it.
    """
    return without_cap(parse(ics)).to_bytes() if etag.endswith(MARK) else ics
