"""The instances of a calendar object: what happens when (RFC 5545 §3.6, §3.8.4.4, §3.8.5).

Windows are instants, lo <= t < hi. Floating times and dates are compared by their wall clock as if in UTC;
whoever looks from a zone asks twice, with the window as instants and as wall clock.

Choices where the RFC leaves room:

* DTSTART always is an instance, and the first of COUNT, also where it does not fit the rule.
* An instance in a DST gap is read with the offset before the gap (§3.3.5), an hour later on the clock. One of
  a rule that repeats by hours or less is left out instead: it would double the instances after the gap.
* What occurs twice in a fold happens at the first of the two.
* The same instant out of several rules or dates is one instance (§3.8.5.3).
* DTEND and DUE fix an exact length for all instances, DURATION a nominal one (§3.8.5.3).
* A RECURRENCE-ID that the rules do not give is an instance of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import merge
from itertools import islice
from typing import NamedTuple

from kalends.ical.alarms import is_off
from kalends.ical.budget import STEP_BUDGET, Budget
from kalends.ical.component_times import line_moment, line_periods, period_length, read_times
from kalends.ical.moment import (
    DAY,
    FIRST_WALL,
    LAST_WALL,
    Duration,
    Moment,
    format_duration,
    parse_duration,
    parse_moment,
    utc_moment,
)
from kalends.ical.recurrence_set import SLACK, TIMED, Occurrence, by_start, read_sets, touches
from kalends.ical.tree import Component, Line
from kalends.ical.tzfile import Zone
from kalends.ical.zones import Zones

MAX_REPEAT = 1_000
"""Repetitions of one alarm that are looked at."""

_RECURRENCE = frozenset({"RRULE", "RDATE", "EXDATE", "EXRULE"})


class Alarm(NamedTuple):
    """One ringing of an alarm.

    Attributes:
        alarm: the VALARM. component: what it belongs to.
        at: epoch seconds (wall seconds as if in UTC when floating).
        repeat: 0 for the first ringing, then 1, 2, … for the repetitions.
        recurrence: of the instance it belongs to; the component's start for an absolute trigger.
        floating: as for Occurrence.
    """

    alarm: Component
    component: Component
    at: int
    repeat: int
    recurrence: int
    floating: bool


def _busy(vcalendar: Component, zones: Zones) -> Iterator[Occurrence]:
    """The periods of VFREEBUSY components; its own range when it lists none."""
    for component in [vcalendar] if vcalendar.name == "VFREEBUSY" else vcalendar.children("VFREEBUSY"):
        found = False
        for line in component.all("FREEBUSY"):
            for period in line_periods(line):
                begin = zones.to_epoch(period.start)
                end = zones.shift(period.start, period_length(period, zones))
                found = True
                yield _busy_occurrence(component, period.start, begin, end, zones)
        ends = component.first("DTEND")
        starts = component.first("DTSTART")
        if not found and starts is not None and ends is not None:
            start = line_moment(starts)
            end = zones.to_epoch(line_moment(ends))
            yield _busy_occurrence(component, start, zones.to_epoch(start), end, zones)


def _busy_occurrence(component: Component, start: Moment, begin: int, end: int, zones: Zones) -> Occurrence:
    floating = zones.is_floating(start)
    return Occurrence(
        component, begin, max(begin, end), begin, floating, start.is_date, start, False, start.wall, False
    )


def _window(lo: int | None, hi: int | None) -> tuple[int, int]:
    return FIRST_WALL - SLACK if lo is None else lo, LAST_WALL + SLACK if hi is None else hi


def occurrences(
    vcalendar: Component,
    lo: int | None = None,
    hi: int | None = None,
    *,
    zones: Zones | None = None,
    limit: int | None = None,
    budget: int = STEP_BUDGET,
) -> Iterator[Occurrence]:
    """The instances of an object that touch a window, ascending by start.

    An instance touches the window when it starts before the window's end, and ends after the window's
    beginning or starts in it.

    Args:
        vcalendar: a VCALENDAR with the components of one or more UIDs, or one such component by itself.
        lo: epoch seconds, None for no bound.
        hi: epoch seconds, not included, None for no bound (rules without end go on to the year 9999).
        zones: the object's zones when known already.
        limit: at most so many instances; iteration just ends there.
        budget: steps allowed for the whole question.

    Returns:
        An iterator; reading the object happens at once, walking the rules as it is consumed.

    Raises:
        ICalError: a value that cannot be read.
        StepBudgetError: while iterating, when the rules need too many steps.

    Source: RFC 5545 §3.8.5.
    """
    zones = zones or Zones(vcalendar)
    first, last = _window(lo, hi)
    steps = Budget(budget)
    streams = [series.occurrences(first, last, steps) for series in read_sets(vcalendar, zones)]
    busy = sorted((o for o in _busy(vcalendar, zones) if touches(o.start, o.end, first, last)), key=by_start)
    if busy:
        streams.append(iter(busy))
    found = streams[0] if len(streams) == 1 else merge(*streams, key=by_start)
    return islice(found, limit) if limit is not None else found


def span(
    vcalendar: Component, *, zones: Zones | None = None, budget: int = STEP_BUDGET
) -> tuple[int, int | None] | None:
    """Between which instants an object happens.

    The bounds are never too narrow; they may be wider where a UNTIL or a THISANDFUTURE leaves room.

    Args:
        vcalendar: as for `occurrences`.
        zones: the object's zones when known already.
        budget: steps allowed (COUNT may have to be counted).

    Returns:
        First start and last end in epoch seconds, the latter None for a rule without end; None when nothing
        in the object has a date.

    Raises:
        ICalError: a value that cannot be read; StepBudgetError when COUNT takes too many steps.
    """
    zones = zones or Zones(vcalendar)
    steps = Budget(budget)
    found = [series.span(steps) for series in read_sets(vcalendar, zones)]
    found += [(o.start, o.end) for o in _busy(vcalendar, zones)]
    if not found:
        return None
    first = min(start for start, _ in found)
    ends = [end for _, end in found]
    known = [end for end in ends if end is not None]
    return first, max(known) if len(known) == len(ends) else None


# --- alarms ---


class _Trigger(NamedTuple):
    """A VALARM's trigger: relative to start or end, or absolute; and its repetitions, in seconds apart."""

    alarm: Component
    relative: Duration | None
    from_end: bool
    absolute: int
    repeats: int
    every: int

    @property
    def reach(self) -> int:
        """Seconds by which the farthest ringing can lie from the instance."""
        relative = abs(self.relative.total) if self.relative is not None else 0
        return relative + self.repeats * self.every + SLACK


def _triggers(component: Component, zones: Zones) -> Iterator[_Trigger]:
    for alarm in component.children("VALARM"):
        line = alarm.first("TRIGGER")
        if line is None or is_off(alarm):
            continue
        repeat, every = alarm.value("REPEAT") or "0", alarm.value("DURATION")
        repeats = int(repeat) if repeat.isascii() and repeat.isdigit() and len(repeat) < 6 and every else 0
        seconds = max(0, parse_duration(every).total) if every and repeats else 0
        text = line.value.strip()
        if text[:1].isdigit():
            at = zones.to_epoch(parse_moment(text, line.param("TZID")))
            yield _Trigger(alarm, None, False, at, min(repeats, MAX_REPEAT), seconds)
        else:
            from_end = (line.param("RELATED") or "").upper() == "END"
            yield _Trigger(alarm, parse_duration(text), from_end, 0, min(repeats, MAX_REPEAT), seconds)


def alarms(
    vcalendar: Component,
    lo: int | None = None,
    hi: int | None = None,
    *,
    zones: Zones | None = None,
    limit: int | None = None,
    budget: int = STEP_BUDGET,
) -> Iterator[Alarm]:
    """The ringings of all alarms of an object in a window, in the order of their instances.

    Args:
        vcalendar: as for `occurrences`.
        lo: epoch seconds, None for no bound.
        hi: epoch seconds, not included, None for no bound.
        zones: the object's zones when known already.
        limit: at most so many ringings.
        budget: steps allowed.

    Returns:
        An iterator of ringings lo <= at < hi.

    Raises:
        ICalError: a trigger that cannot be read; StepBudgetError while iterating.

    Source: RFC 5545 §3.6.6, §3.8.6.
    """
    found = _ring(vcalendar, *_window(lo, hi), zones or Zones(vcalendar), budget)
    return islice(found, limit) if limit is not None else found


def _ring(vcalendar: Component, lo: int, hi: int, zones: Zones, budget: int) -> Iterator[Alarm]:
    components = [vcalendar] if vcalendar.name in TIMED else vcalendar.components
    triggers = {
        id(component): list(_triggers(component, zones))
        for component in components
        if component.name in TIMED
    }
    everything = [(c, t) for c in components for t in triggers.get(id(c), ())]
    for component, trigger in everything:
        if trigger.relative is None:
            times = read_times(component, zones)
            at = trigger.absolute if times is None else times.begin
            yield from _ringings(trigger, component, trigger.absolute, at, False, lo, hi)
    relative = [trigger.reach for _, trigger in everything if trigger.relative is not None]
    if not relative:
        return
    reach = max(relative)
    for found in occurrences(vcalendar, lo - reach, hi + reach, zones=zones, budget=budget):
        zone = None if found.floating else _zone_of(found, zones)
        for trigger in triggers.get(id(found.component), ()):
            if trigger.relative is not None:
                at = _shift(found.end if trigger.from_end else found.start, trigger.relative, zone)
                yield from _ringings(trigger, found.component, at, found.recurrence, found.floating, lo, hi)


def _zone_of(found: Occurrence, zones: Zones) -> Zone | None:
    line = found.component.first("DTSTART") or found.component.first("DUE")
    return zones.zone(line.param("TZID")) if line is not None else None


def _shift(at: int, by: Duration, zone: Zone | None) -> int:
    if by.days and zone is not None:
        return zone.epoch(zone.wall(at) + by.days * DAY) + by.seconds
    return at + by.total


def _ringings(
    trigger: _Trigger, component: Component, at: int, recurrence: int, floating: bool, lo: int, hi: int
) -> Iterator[Alarm]:
    for repeat in range(trigger.repeats + 1):
        when = at + repeat * trigger.every
        if lo <= when < hi:
            yield Alarm(trigger.alarm, component, when, repeat, recurrence, floating)


# --- one instance as a component ---


def expand_component(
    vcalendar: Component, occurrence: Occurrence, *, utc: bool = False, zones: Zones | None = None
) -> Component:
    """A component for one instance, as CAP's EXPAND and CalDAV's expand send it.

    Args:
        vcalendar: the object the instance came from.
        occurrence: an instance of it.
        utc: write zoned times in UTC (then no VTIMEZONE is needed).
        zones: the object's zones when known already.

    Returns:
        A new component: DTSTART and DTEND or DUE of the instance, RECURRENCE-ID when it is one of several,
        no recurrence properties. Everything else as in the component that describes the instance.

    Source: RFC 4324 §6.1.1 (EXPAND), RFC 4791 §9.6.5.
    """
    zones = zones or Zones(vcalendar)
    out = occurrence.component.copy()
    out.items = [item for item in out.items if item.name not in _RECURRENCE]
    if occurrence.component.name == "VFREEBUSY":
        return out
    values = {"DTSTART": occurrence.start, "DTEND": occurrence.end, "DUE": occurrence.end}
    for item in list(out.items):
        if isinstance(item, Line) and item.name in values:
            out.replace(item, _placed(item, values[item.name], occurrence, utc, zones))
    if occurrence.own_length:
        _set_end(out, occurrence)
    elif utc and not occurrence.floating:
        _make_exact(out, occurrence)
    if occurrence.identified:
        _identify(out, occurrence, utc, zones)
    return out


def _placed(line: Line, epoch: int, occurrence: Occurrence, utc: bool, zones: Zones) -> Line:
    """A DTSTART, DTEND or DUE with another instant in it."""
    old = line_moment(line)
    zone = None if occurrence.floating else zones.of(old) or _zone_of(occurrence, zones)
    if zone is not None and utc and not old.is_date:
        keep = tuple(param for param in line.params if param[0] not in {"TZID", "VALUE"})
        return Line.make(line.name, str(utc_moment(epoch)), keep)
    new = old.moved(epoch if zone is None else zone.wall(epoch))
    return line if new == old else line.with_value(str(new))


def _make_exact(out: Component, occurrence: Occurrence) -> None:
    """A DURATION in days as it really is: beside a DTSTART in UTC, days have 24 hours (RFC 5545 §3.3.6)."""
    line = out.first("DURATION")
    length = Duration(0, occurrence.end - occurrence.start)
    if line is not None and parse_duration(line.value).total != length.total:
        out.replace(line, line.with_value(format_duration(length)))


def _set_end(out: Component, occurrence: Occurrence) -> None:
    """The end of an instance that a PERIOD in RDATE gave a length of its own."""
    for name in ("DTEND", "DUE"):
        if out.first(name) is not None:
            return  # already placed
    length = occurrence.end - occurrence.start
    old = out.first("DURATION")
    line = Line.make("DURATION", format_duration(Duration(0, length)))
    if old is not None:
        out.replace(old, line)
    else:
        out.items.insert(_after_start(out), line)


def _after_start(out: Component) -> int:
    return next((i + 1 for i, item in enumerate(out.items) if item.name == "DTSTART"), len(out.items))


def _identify(out: Component, occurrence: Occurrence, utc: bool, zones: Zones) -> None:
    moment = occurrence.recurrence_id
    assert moment is not None
    if utc and zones.of(moment) is not None:
        moment = utc_moment(occurrence.recurrence)
    params: list[tuple[str, tuple[str, ...]]] = []
    if moment.is_date:
        params.append(("VALUE", ("DATE",)))
    if moment.tzid is not None:
        params.append(("TZID", (moment.tzid,)))
    line = Line.make("RECURRENCE-ID", str(moment), tuple(params))
    old = out.first("RECURRENCE-ID")
    if old is not None:
        out.replace(old, line)
    else:
        out.items.insert(_after_start(out), line)
