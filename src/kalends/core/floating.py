"""The zone in which the floating times and dates of a calendar are read (RFC 4791 §5.2.2; RFC 4324 §8.13)."""

from __future__ import annotations

from kalends.core import agendas
from kalends.core.model import Caller
from kalends.ical.tzfile import Zone
from kalends.ical.zones import Zones, iana_name
from kalends.store import calendars, objects
from kalends.store.base import Tx

_UTC = frozenset(("UTC", "Etc/UTC"))


def zone_of(tx: Tx, caller: Caller, calendar_id: int) -> Zone | None:
    """The client's zone, else the calendar's first DEFAULT-TZID, else the store's.

    Args:
        tx: a transaction.
        caller: who asks.
        calendar_id: the calendar.

    Returns:
        None for UTC.

    Source: RFC 4791 §7.3; RFC 4324 §6.1.1.7, §8.13; QRY-17, A-34.
    """
    name = _name_of(tx, caller, calendar_id)
    return None if name in _UTC else defined(tx, calendar_id, name)


def name_of(tx: Tx, caller: Caller, calendar_id: int) -> str:
    """The name of `zone_of`: that of the tz database for a definition under another name that equals it."""
    name = _name_of(tx, caller, calendar_id)
    if iana_name(name) is not None:
        return name
    zone = defined(tx, calendar_id, name)
    return name if zone is None or iana_name(zone.name) is None else zone.name


def _name_of(tx: Tx, caller: Caller, calendar_id: int) -> str:
    if caller.default_tz:
        return caller.default_tz
    calendar = calendars.by_id(tx, calendar_id)
    zones = agendas.time_zones(agendas.properties(tx, calendar)) if calendar is not None else []
    return zones[0] if zones else caller.policy.default_tz


def defined(tx: Tx, calendar_id: int, tzid: str) -> Zone | None:
    """A zone by its name, which a VTIMEZONE of the calendar may define (RFC 4791 §5.2.2).

    Args:
        tx: a transaction.
        calendar_id: the calendar.
        tzid: such as a value of DEFAULT-TZID.

    Returns:
        None where nobody knows it.
    """
    found = Zones().zone(tzid)
    if found is None:
        held = objects.by_uid(tx, calendar_id, tzid, "BOOKED", "VTIMEZONE")
        found = Zones(agendas.parsed(held[0])).zone(tzid) if held else None
    return found
