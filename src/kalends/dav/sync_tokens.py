"""Sync tokens: a URI that names a calendar and how often it had changed (RFC 6578 §4)."""

from __future__ import annotations

import re

from kalends.store.calendars import CalendarRow

_TOKEN = re.compile(r"urn:kalends:sync:([0-9a-f]{1,16}):([0-9]{1,18})\Z")


def write(calendar: CalendarRow) -> str:
    """The token that stands for a calendar as it is in this transaction."""
    return f"urn:kalends:sync:{calendar.id:x}:{calendar.tick}"


def read(token: str) -> tuple[int, int] | None:
    """The calendar's id and tick of a token; None for what is no token of this store."""
    found = _TOKEN.match(token.strip())
    return None if found is None else (int(found[1], 16), int(found[2]))
