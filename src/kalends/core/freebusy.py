"""VFREEBUSY, computed when somebody asks (RFC 4324 §10.12.1)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from kalends.calquery.bind import bind
from kalends.calquery.match import Subject
from kalends.calquery.plan import plan
from kalends.calquery.ranges import bounds
from kalends.calquery.tree import And, Compare, Condition, Constant, Or, Query
from kalends.core import floating, selecting
from kalends.core.access.sights import Sight
from kalends.core.errors import InvalidError
from kalends.core.model import Caller, Target
from kalends.ical.errors import ICalError
from kalends.ical.moment import DAY, utc_moment
from kalends.ical.occurrences import occurrences
from kalends.ical.tree import Component, parse
from kalends.ical.tzfile import Zone
from kalends.store import instances, objects
from kalends.store.base import Tx, paced
from kalends.store.spans import busy_of

DEFAULT_DAYS = 62
"""Days from today that are told when the query names no range: two months (A-68)."""
MAX_DAYS = 366 * 5
"""Longest range that is told at once: longer ones would have to expand rules without end."""
MAX_PERIODS_A_LINE = 20
"""Periods in one FREEBUSY line, so that no line is a kilometre long."""
_BUSY = ("BUSY", "BUSY-NOCONFLICT")
_TENTATIVE = ("BUSY-TENTATIVE",)

Span = tuple[int, int]
"""From and to, seconds UTC, the end not included."""


def free_busy(tx: Tx, caller: Caller, target: Target, query: Query, sight: Sight) -> Component | None:
    """The VFREEBUSY of a calendar for a query.

    Args:
        tx: a transaction.
        caller: who asks.
        target: a calendar.
        query: FROM VFREEBUSY; DTSTART and DTEND in its WHERE say which range is meant.
        sight: what the caller may see there; conditions are about what is left of the component.

    Returns:
        The component; None when the query selects none: another state than BOOKED, or a condition that a
        computed VFREEBUSY does not meet.

    Raises:
        InvalidError: a range of more than five years.

    Source: RFC 4324 §10.12.1; FBY-01 to FBY-03, A-68.
    """
    states = selecting.states_of(query.where)
    if target.is_store or (states and "BOOKED" not in states):
        return None
    bound = bind(query, selecting.bindings(tx, caller, target))
    lo, hi = _range(bound, caller.now)
    made = sight.of(component(caller, lo, hi, *busy_spans(tx, caller, target, lo, hi)))
    if made is None:
        return None
    rest = Query(bound.select, bound.source, _without_range(bound.where), bound.text)
    return made if Subject(made).satisfies(plan(rest.where)) else None


def _range(query: Query, now: int) -> Span:
    """The range a query asks about: what it says of DTSTART and DTEND, in any combination."""
    found = bounds(plan(query.where))
    lows = [value for value in (found.start.low, found.end.low) if value is not None]
    highs = [value for value in (found.start.high, found.end.high) if value is not None]
    today = now - now % DAY
    if lows and highs:
        lo, hi = min(lows), max(highs)
    elif lows:
        lo, hi = min(lows), min(lows) + DEFAULT_DAYS * DAY
    elif highs:
        lo, hi = min(today, max(highs) - DAY), max(highs)
    else:
        lo, hi = today, today + DEFAULT_DAYS * DAY
    if hi - lo > MAX_DAYS * DAY:
        raise InvalidError(f"free/busy is told for at most {MAX_DAYS} days at once")
    return lo, max(hi, lo)


def _without_range(condition: Condition | None) -> Condition | None:
    match condition:
        case And(terms):
            return And(tuple(_without_range(term) or Constant(True) for term in terms))
        case Or(terms):
            return Or(tuple(_without_range(term) or Constant(True) for term in terms))
        case Compare(column) if column.name in ("DTSTART", "DTEND") and column.component is None:
            return Constant(True)
        case _:
            return condition


def busy_spans(tx: Tx, caller: Caller, target: Target, lo: int, hi: int) -> tuple[list[Span], list[Span]]:
    """When a calendar is busy, and when tentatively so and not busy anyway.

    Args:
        tx: a transaction.
        caller: whose default zone places floating times.
        target: a calendar.
        lo: seconds UTC.
        hi: seconds UTC, not included.

    Returns:
        Merged spans, cut to the range, in order.
    """
    zone = floating.zone_of(tx, caller, target.calendar_id)
    rows = instances.overlapping(
        tx,
        (target.calendar_id,),
        lo,
        hi,
        busy=_BUSY + _TENTATIVE,
        floating_lo=None if zone is None else zone.wall(lo),
        floating_hi=None if zone is None else zone.wall(hi),
    )
    found: list[tuple[str, int, int]] = []
    for row in paced(tx, rows):
        start, end = row.start_at, row.end_at
        if row.floating and zone is not None:
            start, end = zone.epoch(start), zone.epoch(end)
        found.append((row.busy, start, end))
    found += _beyond(tx, target, lo, hi, zone)
    busy = merged(((start, end) for kind, start, end in found if kind in _BUSY), lo, hi)
    tentative = merged(((start, end) for kind, start, end in found if kind in _TENTATIVE), lo, hi)
    return busy, without(tentative, busy)


def _beyond(tx: Tx, target: Target, lo: int, hi: int, zone: Zone | None) -> Iterable[tuple[str, int, int]]:
    """What the rules give behind the index's horizon, floating times placed as the index's are."""
    for row in objects.get_many(tx, instances.open_objects(tx, (target.calendar_id,), hi + DAY)).values():
        if row.state != "BOOKED" or row.expanded_to is None:
            continue
        whole = parse(row.ics)
        try:
            for one in paced(tx, occurrences(whole, max(lo - DAY, row.expanded_to), hi + DAY)):
                if one.start < row.expanded_to:
                    continue
                start, end = one.start, one.end
                if one.floating and zone is not None:
                    start, end = zone.epoch(start), zone.epoch(end)
                yield busy_of(one.component), start, end
        except ICalError:
            continue  # a rule without end of steps: what could be told was told


def merged(spans: Iterable[Span], lo: int, hi: int) -> list[Span]:
    """Spans cut to a range, sorted, with those that overlap or touch made one.

    Args:
        spans: in any order.
        lo: start of the range.
        hi: its end.
    """
    out: list[Span] = []
    for start, end in sorted((max(start, lo), min(end, hi)) for start, end in spans):
        if start >= end:
            continue
        if out and start <= out[-1][1]:
            out[-1] = (out[-1][0], max(out[-1][1], end))
        else:
            out.append((start, end))
    return out


def without(spans: Sequence[Span], taken: Sequence[Span]) -> list[Span]:
    """What is left of merged spans outside of other merged spans."""
    out: list[Span] = []
    for start, end in spans:
        at = start
        for begin, stop in taken:
            if stop <= at or begin >= end:
                continue
            if begin > at:
                out.append((at, begin))
            at = stop
        if at < end:
            out.append((at, end))
    return out


def component(
    caller: Caller,
    lo: int,
    hi: int,
    busy: Sequence[Span],
    tentative: Sequence[Span],
    unavailable: Sequence[Span] = (),
) -> Component:
    """Write a VFREEBUSY.

    Args:
        caller: gives the time of asking.
        lo: start of the range, seconds UTC.
        hi: its end.
        busy: merged spans.
        tentative: merged spans.
        unavailable: merged spans (RFC 7953 §3.2).

    Source: RFC 5545 §3.6.4.
    """
    made = Component("VFREEBUSY")
    made.add("DTSTAMP", str(utc_moment(caller.now)))
    made.add("DTSTART", str(utc_moment(lo)))
    made.add("DTEND", str(utc_moment(hi)))
    told = (("BUSY", busy), ("BUSY-UNAVAILABLE", unavailable), ("BUSY-TENTATIVE", tentative))
    for kind, spans in told:
        texts = [f"{utc_moment(start)}/{utc_moment(end)}" for start, end in spans]
        for at in range(0, len(texts), MAX_PERIODS_A_LINE):
            made.add("FREEBUSY", ",".join(texts[at : at + MAX_PERIODS_A_LINE]), ("FBTYPE", (kind,)))
    return made
