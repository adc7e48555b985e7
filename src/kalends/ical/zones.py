"""Which zone a TZID means, and local times as instants (RFC 5545 §3.2.19, §3.3.5).

A name of the tz database beats a definition that comes along under that name (A-66); other names are looked
up among the Windows names, then in the VTIMEZONEs that come along.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache

from kalends.ical.errors import ICalError
from kalends.ical.gregorian import year_start
from kalends.ical.moment import DAY, Duration, Moment
from kalends.ical.tree import Component
from kalends.ical.tzfile import UTC, Transition, Zone, fixed, iana_names, load_zone
from kalends.ical.values import unescape_text
from kalends.ical.vtimezone import read_vtimezone
from kalends.ical.windows_zones import WINDOWS_ZONES

MATCH_YEARS = (2020, 2037)
"""A custom definition is taken for a tz database zone when every change of offset in these years agrees."""
MAX_TZID = 200
"""Longest TZID looked up, in characters."""

_UTC_NAMES = frozenset({"utc", "z", "gmt", "etc/utc", "tzone://microsoft/utc", "coordinated universal time"})
_WINDOWS = {name.lower(): zone for name, zone in WINDOWS_ZONES.items()}
_FIXED = re.compile(r"\(?(?:GMT|UTC) ?([+-])(\d{1,2})(?:[:.]?(\d\d))?(?:\).*|)\Z", re.ASCII | re.IGNORECASE)


def iana_name(tzid: str) -> str | None:
    """The tz database name that a TZID stands for by itself.

    Forgiven: case, blanks for underscores, quotes, and the prefixes of globally unique TZIDs
    (`/mozilla.org/20050126_1/Europe/Berlin`). Windows names are translated.

    Args:
        tzid: as it stands in the parameter.

    Returns:
        The name exactly as the tz database writes it, or None.
    """
    return _iana_name(tzid) if len(tzid) <= MAX_TZID else None


@lru_cache(4096)
def _iana_name(tzid: str) -> str | None:
    key = tzid.strip().strip("\"'").lower()
    if key in _UTC_NAMES:
        return "Etc/UTC" if key == "etc/utc" else "UTC"
    names = iana_names()
    found = names.get(key) or names.get(key.replace(" ", "_")) or _WINDOWS.get(key)
    if found is None and "/" in key:
        pieces = key.replace(" ", "_").split("/")
        for size in (3, 2, 1) if key.startswith("/") else (3, 2):
            found = found or names.get("/".join(pieces[-size:]))
    return found


def _signature(zone: Zone) -> tuple[int, tuple[Transition, ...]]:
    lo, hi = (year_start(year) * DAY for year in MATCH_YEARS)
    return zone.offset(lo), tuple(zone.transitions(lo, hi))


@cache
def _signatures() -> dict[tuple[int, tuple[Transition, ...]], str]:
    """Zones with changes of offset, by their changes: the best known name where several are alike."""
    out: dict[tuple[int, tuple[Transition, ...]], str] = {}
    known = ["Europe/Berlin", "America/New_York", "America/Chicago", "Europe/London", "Europe/Helsinki"]
    for name in [*known, *sorted(set(WINDOWS_ZONES.values()))]:
        key = _signature(load_zone(name))
        if key[1]:
            out.setdefault(key, name)
    return out


def match_iana(zone: Zone) -> str | None:
    """The tz database zone with the same offsets, for a zone defined by a VTIMEZONE.

    Only zones that still change their offset are matched: a fixed offset says nothing about the past.

    Args:
        zone: what `read_vtimezone` gave.

    Returns:
        A tz database name, or None.
    """
    key = _signature(zone)
    return _signatures().get(key) if key[1] else None


def alike(one: Zone | None, other: Zone | None) -> bool:
    """Whether two zones have the same offsets in the years that are looked at; None is no zone."""
    if one is None or other is None or one is other:
        return one is other
    return _signature(one) == _signature(other)


class Zones:
    """The zones of one iCalendar object.

    Args:
        vcalendar: the object, for the VTIMEZONEs in it; None when there is none.
        default: tz database name for TZIDs that nothing defines; without it they are floating.
    """

    __slots__ = ("_default", "_defined", "_found", "_vcalendar")

    def __init__(self, vcalendar: Component | None = None, default: str | None = None) -> None:
        self._vcalendar = vcalendar
        self._default = default
        self._found: dict[str, Zone | None] = {}
        self._defined: dict[str, Component] | None = None

    def find(self, tzid: str) -> Zone | None:
        """The zone a TZID means, or None when nothing defines it."""
        if tzid in self._found:
            return self._found[tzid]
        name = iana_name(tzid)
        zone = load_zone(name) if name is not None else self._embedded(tzid) or _offset_name(tzid)
        self._found[tzid] = zone
        return zone

    def zone(self, tzid: str | None) -> Zone | None:
        """The zone to compute with: as `find`, but the default for an undefined TZID.

        Returns:
            None for a floating time: no TZID, or an undefined one without default.
        """
        if tzid is None:
            return None
        found = self.find(tzid)
        if found is None and self._default is not None:
            name = iana_name(self._default)
            return load_zone(name) if name is not None else None
        return found

    def _embedded(self, tzid: str) -> Zone | None:
        """A VTIMEZONE of that TZID: as the tz database zone it equals or names, else as it is."""
        component = self._definitions().get(tzid.strip())
        if component is None:
            return None
        try:
            own = read_vtimezone(component)
        except ICalError:
            return None  # a broken definition defines nothing; validation tells the client why
        location = component.value("X-LIC-LOCATION")
        named = iana_name(location) if location else None
        if named is not None and _signature(load_zone(named)) == _signature(own):
            return load_zone(named)
        name = match_iana(own)
        return own if name is None else load_zone(name)

    def _definitions(self) -> dict[str, Component]:
        """The VTIMEZONEs by TZID, the first of each: thousands of either cost no more than a pass."""
        if self._defined is None:
            self._defined = {}
            for component in () if self._vcalendar is None else self._vcalendar.children("VTIMEZONE"):
                name = component.value("TZID") or ""
                self._defined.setdefault(name.strip(), component)
                if "\\" in name:  # a TEXT value here, but not in the parameter that refers to it
                    self._defined.setdefault(unescape_text(name).strip(), component)
        return self._defined

    def of(self, moment: Moment) -> Zone | None:
        """The zone of a moment: UTC for UTC times, None for floating times and dates."""
        return UTC if moment.utc else None if moment.is_date else self.zone(moment.tzid)

    def is_floating(self, moment: Moment) -> bool:
        """Whether the moment stands for the same wall clock everywhere."""
        return self.of(moment) is None

    def to_epoch(self, moment: Moment) -> int:
        """The instant of a moment.

        Args:
            moment: any DATE or DATE-TIME.

        Returns:
            Epoch seconds; for floating times and dates, their wall seconds as if in UTC.

        Source: RFC 5545 §3.3.5.
        """
        zone = self.of(moment)
        return moment.wall if zone is None else zone.epoch(moment.wall)

    def local(self, epoch: int, tzid: str | None) -> Moment:
        """The local time of an instant in a zone; a floating time when the TZID is None or undefined."""
        zone = self.zone(tzid)
        return Moment(epoch if zone is None else zone.wall(epoch), tzid)

    def shift(self, moment: Moment, duration: Duration) -> int:
        """The instant a duration after a moment: days on the wall calendar, then exact seconds.

        Args:
            moment: from where.
            duration: signed.

        Returns:
            Epoch seconds (as `to_epoch`).

        Source: RFC 5545 §3.3.6.
        """
        zone = self.of(moment)
        wall = moment.wall + duration.days * DAY
        return (wall if zone is None else zone.epoch(wall)) + duration.seconds


def _offset_name(tzid: str) -> Zone | None:
    """A TZID that says its offset, `GMT+01:00` or `(UTC+01:00) Amsterdam`, for want of anything better."""
    match = _FIXED.match(tzid.strip()[:MAX_TZID])
    if match is None or int(match[2]) > 14 or int(match[3] or 0) > 59:
        return None
    seconds = int(match[2]) * 3600 + int(match[3] or 0) * 60
    return fixed(tzid, -seconds if match[1] == "-" else seconds)
