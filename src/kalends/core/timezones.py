"""VTIMEZONEs for the texts this store writes, where nobody sent one."""

from __future__ import annotations

from functools import lru_cache

from kalends.core.defaults import vtimezone_utc
from kalends.core.errors import InvalidError
from kalends.ical.tree import Component
from kalends.ical.vtimezone import write_vtimezone
from kalends.ical.zones import iana_name

FIRST_YEAR = 2007
"""Definitions are right from here on: short, for every object carries one. Who knows the zone by its name
does not need them, and who does not seldom asks about older years."""


@lru_cache(maxsize=256)
def definition(tzid: str) -> Component | None:
    """A VTIMEZONE for a TZID, made from the IANA database; None when nobody knows that zone.

    Args:
        tzid: as written in a TZID parameter; Windows names and prefixed TZIDs are understood.

    Returns:
        A component that is shared: do not change it.

    Source: RFC 4324 §8.13; A-66.
    """
    if tzid.upper() == "UTC":
        return vtimezone_utc()
    name = iana_name(tzid)
    return None if name is None else write_vtimezone(name, tzid, FIRST_YEAR)


def needed(tzid: str) -> Component:
    """A VTIMEZONE for a TZID.

    Raises:
        InvalidError: nobody knows that zone.
    """
    found = definition(tzid)
    if found is None:
        raise InvalidError(f"the time zone {tzid[:80]} is neither defined here nor known")
    return found
