"""Times as HTTP and WebDAV write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_IMF = re.compile(
    r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), (\d{2}) (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) (\d{4})"
    r" (\d{2}):(\d{2}):(\d{2}) GMT\Z"
)


@lru_cache(maxsize=4096)
def http_date(epoch: int) -> str:
    """An IMF-fixdate (RFC 9110 §5.6.7)."""
    at = _EPOCH + timedelta(seconds=epoch)
    return f"{_DAYS[at.weekday()]}, {at.day:02} {_MONTHS[at.month - 1]} {at.year:04} {at:%H:%M:%S} GMT"


def read_http_date(text: str) -> int | None:
    """Seconds since 1970 UTC; None for anything but an IMF-fixdate, which then is no condition."""
    found = _IMF.match(text.strip())
    if found is None:
        return None
    day, month, year, hour, minute, second = found.groups()
    try:
        at = datetime(
            int(year),
            _MONTHS.index(month) + 1,
            int(day),
            int(hour),
            int(minute),
            min(int(second), 59),
            tzinfo=UTC,
        )
    except ValueError:
        return None
    return int((at - _EPOCH).total_seconds())


@lru_cache(maxsize=4096)
def iso_date(epoch: int) -> str:
    """An RFC 3339 date-time in UTC (RFC 4918 §15.1)."""
    return f"{_EPOCH + timedelta(seconds=epoch):%Y-%m-%dT%H:%M:%SZ}"
