"""What a change of an object means for others: nothing, news, or another time (RFC 6638 §3.2.1.2, §3.2.8)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from kalends.core.scheduling import facts, parties
from kalends.core.scheduling.instances import Key, excluded, made, parts, ranges
from kalends.ical.component_times import read_times
from kalends.ical.errors import ICalError
from kalends.ical.recur import Rule
from kalends.ical.tree import Component
from kalends.ical.zones import Zones

Difference = Literal["none", "status", "content"]
"""Nothing; only who said what; anything else."""

_STATUS = facts.ROUTE | {"PARTSTAT", "RSVP"}


def difference(old: Component | None, new: Component | None, kind: str) -> Difference:
    """How two views of an object differ."""
    before, after = parts(old, kind), parts(new, kind)
    if before.keys() != after.keys():
        return "content"
    if old is not None and new is not None and _other_zones(old, new, after):
        return "content"
    pairs = [(before[key], after[key]) for key in before]
    if any(facts.facts(one, without=_STATUS) != facts.facts(two, without=_STATUS) for one, two in pairs):
        return "content"
    return "none" if all(facts.facts(one) == facts.facts(two) for one, two in pairs) else "status"


def _other_zones(old: Component, new: Component, after: Mapping[Key, Component]) -> bool:
    """Whether the same names of zones mean other times than before."""
    was, now = Zones(old), Zones(new)
    return any(facts.redefined(part, was, now) for part in after.values())


def rescheduled(old: Component, new: Component, was: Component, now: Component) -> bool:
    """Whether a component's change moves instances, or brings new ones: then everybody is asked again.

    Args:
        old: the component before.
        new: the component after.
        was: the object before.
        now: the object after.

    Source: RFC 6638 §3.2.8.
    """
    zones_was, zones_now = Zones(was), Zones(now)
    told = facts.values(old, facts.TIME) != facts.values(new, facts.TIME)
    if told and facts.when(old, zones_was) != facts.when(new, zones_now):
        return True
    if facts.redefined(new, zones_was, zones_now):
        return True
    rules = facts.values(old, ("RRULE",)) != facts.values(new, ("RRULE",))
    if rules and new.first("RRULE") is not None and not _shortened(old, new, zones_now):
        return True
    if not set(facts.values(new, ("RDATE",))) <= set(facts.values(old, ("RDATE",))):
        return True
    back = excluded(old, was) - excluded(new, now)
    return bool(back)


def _shortened(old: Component, new: Component, zones: Zones) -> bool:
    """Whether a rule has become another only in that it ends earlier: that moves nothing, and adds nothing.

    So is a series split: the old one ends, and what was said of it counts.
    """
    try:
        times = read_times(new, zones)
        had = [Rule.parse(line.value) for line in old.all("RRULE")]
        if times is None or len(had) != 1 or len(times.rules) != 1:
            return False
        ends = [
            rule.last(times.start.wall, is_date=times.start.is_date, zone=times.zone)
            for rule in (had[0], times.rules[0])
        ]
    except ICalError:
        return False
    endless = [facts.endless(rule) for rule in (had[0], times.rules[0])]
    was, now = ends
    return endless[0] == endless[1] and now is not None and (was is None or now <= was)


def raises(old: Component, new: Component) -> bool:
    """Whether a component's change demands a higher SEQUENCE (RFC 5546 §2.1.4)."""
    names = (*facts.TIME, "RRULE", "RDATE", "EXDATE")
    if facts.values(old, names) != facts.values(new, names):
        return True
    return cancelled(new) != cancelled(old)


def _uninvites(old: Component, new: Component, mine: frozenset[str]) -> bool:
    """Whether somebody is taken off a list, who gets a CANCEL: invited again, they have to believe it.

    Source: RFC 5546 §2.1.4 (a CANCEL raises SEQUENCE), §4.2.10.
    """
    left = {parties.address(line) for line in new.all("ATTENDEE") if parties.served(line)}
    had = {parties.address(line) for line in old.all("ATTENDEE") if parties.served(line)}
    return bool(had - left - mine)


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
    known, spans = parts(old, kind), ranges(old, kind)
    for key, part in parts(new, kind).items():
        was = known.get(key)
        if was is None and key is not None:
            was = made(old, kind, key, spans=spans)
        if was is None:
            continue
        moved = rescheduled(was, part, old, new)
        if moved or raises(was, part) or _uninvites(was, part, mine):
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
