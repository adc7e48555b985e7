"""What components say, in forms that can be compared: two programs seldom write the same thing alike."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from kalends.core import series, texts
from kalends.core.scheduling import parties
from kalends.ical.alarms import travels
from kalends.ical.component_times import read_times
from kalends.ical.errors import ICalError
from kalends.ical.moment import DAY
from kalends.ical.recur import Rule
from kalends.ical.tree import Component, Line
from kalends.ical.zones import Zones, alike, iana_name

TIME = ("DTSTART", "DTEND", "DUE", "DURATION")
"""The properties that say when a component happens."""
ROUTE = frozenset(("SCHEDULE-STATUS", "SCHEDULE-FORCE-SEND", "SCHEDULE-AGENT"))
"""Parameters that a store and its client tell each other."""
_BOOKKEEPING = frozenset(("CREATED", "DTSTAMP", "LAST-MODIFIED", "SEQUENCE", "REQUEST-STATUS"))
_DATED = frozenset((*TIME, "RECURRENCE-ID", "RDATE", "EXDATE"))


def facts(component: Component, *, without: frozenset[str] = ROUTE) -> set[str]:
    """A component's lines in a form that can be compared: parameters sorted, addresses normal."""
    found: set[str] = set()
    for item in component.items:
        if item.name in _BOOKKEEPING:
            continue
        if isinstance(item, Line):
            found.update(told(item, without))
        elif item.name != "VALARM" or travels(item):
            found.add(item.to_ics())
    return found


def told(line: Line, without: frozenset[str] = ROUTE) -> list[str]:
    """What one line says: one fact, or one of each date that it lists."""
    if line.name in ("RDATE", "EXDATE") and "," in line.value:
        return [
            fact(line.with_value(text.strip()), without) for text in line.value.split(",") if text.strip()
        ]
    return [fact(line, without)]


def fact(line: Line, without: frozenset[str] = ROUTE) -> str:
    """One line in a form that can be compared."""
    people = line.name in ("ATTENDEE", "ORGANIZER")
    value = parties.address(line) if people else line.value.strip()
    kept = sorted((key, values) for key, values in line.params if not people or key not in without)
    if people and "PARTSTAT" not in without:
        kept = [param for param in kept if param != ("PARTSTAT", (parties.NEEDS_ACTION,))]
    if line.name in _DATED:
        kept = [_named(param) for param in kept if param != ("VALUE", ("DATE-TIME",))]
    elif line.name == "RRULE":
        value = _rule(value)
    return f"{line.name};{kept}:{value}"


def _named(param: tuple[str, tuple[str, ...]]) -> tuple[str, tuple[str, ...]]:
    """A TZID by the name everybody knows it by."""
    name, values = param
    return (name, tuple(iana_name(value) or value for value in values)) if name == "TZID" else param


def _rule(text: str) -> str:
    """A recurrence rule with its parts and lists in order; as it is where it cannot be read."""
    try:
        return str(_in_order(Rule.parse(text)))
    except ICalError:
        return text


def _in_order(rule: Rule) -> Rule:
    ordered: dict[str, Any] = {}
    for one in fields(rule):
        held = getattr(rule, one.name)
        if isinstance(held, tuple):
            ordered[one.name] = tuple(sorted(held))
    return replace(rule, **ordered)


def endless(rule: Rule) -> str:
    """What a rule would be without COUNT and UNTIL, in a form that can be compared."""
    return str(_in_order(replace(rule, count=None, until=None)))


def values(component: Component, names: tuple[str, ...]) -> list[str]:
    """What a component says with the properties of some names."""
    return sorted(one for name in names for line in component.all(name) for one in told(line))


def when(component: Component, zones: Zones) -> list[str]:
    """When a component happens, in a form that can be compared.

    An app may write an instance that it changed in another zone, or its DURATION as DTEND: that moves
    nothing. In a series the zone tells where the other instances are, so that its start counts as it is.

    Args:
        component: a VEVENT, VTODO or VJOURNAL.
        zones: those of its object.

    Returns:
        Facts that begin with the name of a property.
    """
    lines = values(component, TIME)
    try:
        times = read_times(component, zones)
    except ICalError:
        return lines
    if times is None:
        return lines
    end = "DUE" if component.name == "VTODO" else "DTEND"
    ends = any(component.first(name) is not None for name in TIME[1:])
    if series.recurs(component):
        if component.first("DTSTART") is None:
            return lines
        days, seconds = times.length.days, times.length.seconds
        if times.start.is_date:
            days, seconds = days + seconds // DAY, seconds % DAY
        return [*values(component, ("DTSTART",)), *([f"{end};{days}:{seconds}"] if ends else [])]
    kind = "date" if times.start.is_date else "floating" if zones.is_floating(times.start) else "instant"
    found = [f"DTSTART;{kind}:{times.begin}"] if component.first("DTSTART") is not None else []
    if ends:
        found.append(f"{end};{kind}:{times.end(times.begin, times.start.wall, times.length)}")
    return found


def redefined(component: Component, was: Zones, now: Zones) -> bool:
    """Whether a name of a zone that a component uses means another time than before.

    Args:
        component: as it is now.
        was: the zones of the object as it was.
        now: the zones of the object as it is.

    Source: RFC 5545 §3.6.5 (what a TZID means is said in the object).
    """
    named = (tzid for tzid in texts.zones_named([component]) if iana_name(tzid) is None)
    return any(not alike(was.find(tzid), now.find(tzid)) for tzid in named)
