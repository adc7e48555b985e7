"""What a change of an object means for others: nothing, news, or another time (RFC 6638 §3.2.1.2, §3.2.8)."""

from __future__ import annotations

from typing import Literal

from kalends.core import series
from kalends.core.scheduling import parties
from kalends.core.scheduling.instances import excluded, made, parts
from kalends.ical.alarms import travels
from kalends.ical.component_times import read_times
from kalends.ical.errors import ICalError
from kalends.ical.tree import Component, Line
from kalends.ical.zones import Zones

Difference = Literal["none", "status", "content"]
"""Nothing; only who said what; anything else."""

_BOOKKEEPING = frozenset(("CREATED", "DTSTAMP", "LAST-MODIFIED", "SEQUENCE", "REQUEST-STATUS"))
TIME = ("DTSTART", "DTEND", "DUE", "DURATION")
"""The properties that say when a component happens."""
_STATUS = frozenset(("PARTSTAT", "RSVP", "SCHEDULE-STATUS", "SCHEDULE-FORCE-SEND", "SCHEDULE-AGENT"))
_ROUTE = frozenset(("SCHEDULE-STATUS", "SCHEDULE-FORCE-SEND", "SCHEDULE-AGENT"))


def facts(component: Component, *, without: frozenset[str] = _ROUTE) -> set[str]:
    """A component's lines in a form that can be compared: parameters sorted, addresses normal."""
    found: set[str] = set()
    for item in component.items:
        if item.name in _BOOKKEEPING:
            continue
        if isinstance(item, Line):
            found.add(fact(item, without))
        elif item.name != "VALARM" or travels(item):
            found.add(item.to_ics())
    return found


def fact(line: Line, without: frozenset[str] = _ROUTE) -> str:
    """One line in a form that can be compared."""
    people = line.name in ("ATTENDEE", "ORGANIZER")
    value = parties.address(line) if people else line.value.strip()
    kept = sorted((key, values) for key, values in line.params if not people or key not in without)
    if people and "PARTSTAT" not in without:
        kept = [param for param in kept if param != ("PARTSTAT", (parties.NEEDS_ACTION,))]
    return f"{line.name};{kept}:{value}"


def difference(old: Component | None, new: Component | None, kind: str) -> Difference:
    """How two views of an object differ."""
    before, after = parts(old, kind), parts(new, kind)
    if before.keys() != after.keys():
        return "content"
    if any(facts(before[key], without=_STATUS) != facts(after[key], without=_STATUS) for key in before):
        return "content"
    return "none" if all(facts(before[key]) == facts(after[key]) for key in before) else "status"


def _values(component: Component, names: tuple[str, ...]) -> list[str]:
    return sorted(fact(line) for name in names for line in component.all(name))


def when(component: Component, zones: Zones) -> list[str]:
    """When a component happens, in a form that can be compared.

    An app may write an instance that it changed in another zone, or its DURATION as DTEND: that moves
    nothing. In a series the zone tells where the other instances are, so that its lines count as they are.

    Args:
        component: a VEVENT, VTODO or VJOURNAL.
        zones: those of its object.

    Returns:
        Facts that begin with the name of a property.
    """
    lines = _values(component, TIME)
    if series.recurs(component):
        return lines
    try:
        times = read_times(component, zones)
    except ICalError:
        return lines
    if times is None:
        return lines
    kind = "date" if times.start.is_date else "floating" if zones.is_floating(times.start) else "instant"
    found = [f"DTSTART;{kind}:{times.begin}"] if component.first("DTSTART") is not None else []
    if any(component.first(name) is not None for name in TIME[1:]):
        end = "DUE" if component.name == "VTODO" else "DTEND"
        found.append(f"{end};{kind}:{times.end(times.begin, times.start.wall, times.length)}")
    return found


def rescheduled(old: Component, new: Component, was: Component, now: Component) -> bool:
    """Whether a component's change moves instances, or brings new ones: then everybody is asked again.

    Args:
        old: the component before.
        new: the component after.
        was: the object before.
        now: the object after.

    Source: RFC 6638 §3.2.8.
    """
    if _values(old, TIME) != _values(new, TIME) and when(old, Zones(was)) != when(new, Zones(now)):
        return True
    if new.first("RRULE") is not None and _values(old, ("RRULE",)) != _values(new, ("RRULE",)):
        return True
    if not set(_values(new, ("RDATE",))) <= set(_values(old, ("RDATE",))):
        return True
    back = excluded(old, was) - excluded(new, now)
    return bool(back)


def raises(old: Component, new: Component) -> bool:
    """Whether a component's change demands a higher SEQUENCE (RFC 5546 §2.1.4)."""
    names = (*TIME, "RRULE", "RDATE", "EXDATE")
    if _values(old, names) != _values(new, names):
        return True
    return cancelled(new) and not cancelled(old)


def cancelled(component: Component) -> bool:
    """Whether a component says that it does not take place."""
    return (component.value("STATUS") or "").strip().upper() == "CANCELLED"


def settle(
    old: Component | None, new: Component, kind: str, *, mine: frozenset[str], keep: frozenset[str]
) -> None:
    """Do what an organizer's client may have left out, in place: SEQUENCE, and who has to answer anew.

    Args:
        old: the object before; None for a new one.
        new: the object after.
        kind: its kind.
        mine: the organizer's addresses; their own PARTSTAT stays.
        keep: attendees whose PARTSTAT is known better here than to a client that read it some time ago.

    Source: RFC 5546 §2.1.4; RFC 6638 §3.2.5, §3.2.8, §3.2.10.
    """
    if old is None:
        return
    known = parts(old, kind)
    for key, part in parts(new, kind).items():
        was = known.get(key)
        if was is None and key is not None:
            was = made(old, kind, key)
        if was is None:
            continue
        moved = rescheduled(was, part, old, new)
        if raises(was, part):
            top = max([parties.sequence(was), *([parties.sequence(known[None])] if None in known else [])])
            if parties.sequence(part) <= top:
                parties.set_value(part, "SEQUENCE", str(top + 1))
        for line in part.all("ATTENDEE"):
            who = parties.address(line)
            if who in mine or not parties.served(line):
                continue
            had = parties.attendee(was, (who,))
            if had is None:
                continue
            if moved:
                if parties.partstat(line) != parties.NEEDS_ACTION:
                    parties.set_param(part, line, "PARTSTAT", parties.NEEDS_ACTION)
            elif who in keep and parties.partstat(line) != parties.partstat(had):
                parties.set_param(part, line, "PARTSTAT", parties.partstat(had))
