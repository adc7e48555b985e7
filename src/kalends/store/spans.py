"""When an object happens: its occurrences up to the horizon, its alarms, its outer span."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

from kalends.ical import occurrences as ical
from kalends.ical.component_times import line_moment, line_periods, read_times
from kalends.ical.errors import ICalError, StepBudgetError
from kalends.ical.moment import FIRST_WALL
from kalends.ical.recurrence_set import TIMED
from kalends.ical.tree import Component
from kalends.ical.zones import Zones
from kalends.store.instances import (
    ALARM,
    BUSY,
    BUSY_NOCONFLICT,
    BUSY_TENTATIVE,
    BUSY_UNAVAILABLE,
    FREE,
    FREE_NOCONFLICT,
)

ALARMS = 1_000
"""Ringings listed of one object: an alarm further ahead is found by expanding in memory."""
UNEXPANDED = FIRST_WALL
"""`expanded_to` of an object whose rules need too many steps: no instance of it is listed."""

_HAPPENS = frozenset(("VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY"))
_RECURS = frozenset(("RRULE", "RDATE"))
_PLURAL = _RECURS | {"EXRULE", "EXDATE", "RECURRENCE-ID"}
_OF_TRANSP: Mapping[str, str] = {
    "OPAQUE": BUSY,
    "OPAQUE-NOCONFLICT": BUSY_NOCONFLICT,
    "TRANSPARENT": FREE,
    "TRANSPARENT-NOCONFLICT": FREE_NOCONFLICT,
}
_OF_FBTYPE: Mapping[str, str] = {
    "FREE": FREE,
    "BUSY-UNAVAILABLE": BUSY_UNAVAILABLE,
    "BUSY-TENTATIVE": BUSY_TENTATIVE,
}


class Node(NamedTuple):
    """A component that gets rows in the index.

    Attributes:
        component: the component. parent: the one it stands in, None directly below VCALENDAR.
        pos: its place in `Component.walk()` of the VCALENDAR. up: index of the parent's node, or -1.
    """

    component: Component
    parent: Component | None
    pos: int
    up: int


class Occurrence(NamedTuple):
    """One row of `instance`, with a node's index in place of a component's id."""

    node: int
    start_at: int
    end_at: int
    recurrence_at: int
    floating: bool
    busy: str


class Span(NamedTuple):
    """The outer span of an object: what its row says of it (see `objects.ObjectRow`)."""

    first_at: int | None
    last_at: int | None
    expanded_to: int | None


NEVER = Span(None, None, None)
"""The span of what has no time."""


@dataclass(slots=True)
class Expansion:
    """What `expand` found.

    Attributes:
        occurrences: alarms included.
        span: of all of them.
        recurrence: RECURRENCE-ID in seconds, by node.
    """

    occurrences: list[Occurrence] = field(default_factory=list)
    span: Span = NEVER
    recurrence: dict[int, int] = field(default_factory=dict)


def expand(
    vcalendar: Component, nodes: Sequence[Node], zones: Zones, *, horizon: int, recur_limit: int
) -> Expansion:
    """Find when the components of a text happen.

    What does not recur is listed wherever it lies, and what recurs up to the horizon.

    Args:
        vcalendar: the text.
        nodes: its components.
        zones: its zones.
        horizon: seconds UTC.
        recur_limit: at most so many occurrences; the span then says up to where they are complete.
    """
    if not any(node.component.name in _HAPPENS for node in nodes):
        return Expansion()
    recurrence = _recurrence_ids(nodes, zones)
    if horizon <= UNEXPANDED:
        return Expansion([], Span(None, None, UNEXPANDED), recurrence)
    try:
        found, span = _occurrences(vcalendar, nodes, zones, horizon, recur_limit)
    except StepBudgetError:
        return Expansion([], Span(None, None, UNEXPANDED), recurrence)
    except ICalError:
        return Expansion([], NEVER, recurrence)  # dates that can't be read: it happens never
    return Expansion(found, span, recurrence)


def _occurrences(
    vcalendar: Component, nodes: Sequence[Node], zones: Zones, horizon: int, recur_limit: int
) -> tuple[list[Occurrence], Span]:
    if len(nodes) == 1 and _happens_once(nodes[0].component):
        return _once(nodes[0].component, zones)
    outer = ical.span(vcalendar, zones=zones)
    if outer is None:  # an alarm of a to-do without dates may still say when it rings
        return list(_ringing(vcalendar, nodes, zones, None).values()), NEVER
    first, last = outer
    recurs = any(item.name in _RECURS for node in nodes for item in node.component.items)
    hi = horizon if recurs else None
    listed = list(islice(ical.occurrences(vcalendar, None, hi, zones=zones), recur_limit + 1))
    if len(listed) > recur_limit:
        hi = listed[-1].start
        listed = [one for one in listed if one.start < hi]
    complete = hi is None or (last is not None and last <= hi)
    at = {id(node.component): number for number, node in enumerate(nodes)}
    busy = {id(node.component): busy_of(node.component) for node in nodes if node.component.name in _HAPPENS}
    periods = _periods(nodes, zones)
    rows: dict[tuple[int, int, int], Occurrence] = {}
    for one in listed:
        node = at[id(one.component)]
        kind = periods.get((node, one.start)) or busy[id(one.component)]
        row = Occurrence(node, one.start, one.end, one.recurrence, one.floating, kind)
        key = (node, one.start, one.recurrence)
        if key not in rows or rows[key].end_at < row.end_at:
            rows[key] = row
    rows |= _ringing(vcalendar, nodes, zones, hi)
    return list(rows.values()), Span(first, last, None if complete else hi)


def _ringing(
    vcalendar: Component, nodes: Sequence[Node], zones: Zones, hi: int | None
) -> dict[tuple[int, int, int], Occurrence]:
    """The ringings of alarms before `hi`, by node, time and the instance they belong to."""
    at = {id(node.component): number for number, node in enumerate(nodes) if node.component.name == "VALARM"}
    if not at:
        return {}
    found = ical.alarms(vcalendar, None, hi, zones=zones, limit=ALARMS)
    rows = [
        Occurrence(at[id(one.alarm)], one.at, one.at, one.recurrence, one.floating, ALARM) for one in found
    ]
    return {(row.node, row.start_at, row.recurrence_at): row for row in rows}


def _happens_once(component: Component) -> bool:
    return component.name in TIMED and not any(item.name in _PLURAL for item in component.items)


def _once(component: Component, zones: Zones) -> tuple[list[Occurrence], Span]:
    """What `ical.occurrences` and `ical.span` say of one event without alarms, at a third of the cost."""
    times = read_times(component, zones)
    if times is None:
        return [], NEVER
    begin = times.begin
    end = times.end(begin, times.start.wall, times.length)
    row = Occurrence(0, begin, end, begin, times.zone is None, busy_of(component))
    return [row], Span(begin, end, None)


def _recurrence_ids(nodes: Sequence[Node], zones: Zones) -> dict[int, int]:
    out: dict[int, int] = {}
    for number, node in enumerate(nodes):
        line = node.component.first("RECURRENCE-ID")
        if line is not None:
            try:
                out[number] = zones.to_epoch(line_moment(line))
            except ICalError:
                continue  # it names no instance
    return out


def busy_of(component: Component) -> str:
    """How a component occupies its time (decision 2: neither CANCELLED nor TRANSPARENT ones do).

    Source: RFC 5545 §3.8.1.11, §3.8.2.7; RFC 4324 §8.36.
    """
    status = (component.value("STATUS") or "").upper()
    if component.name == "VEVENT":
        if status == "CANCELLED":
            return FREE
        busy = _OF_TRANSP.get((component.value("TRANSP") or "OPAQUE").upper(), BUSY)
        return BUSY_TENTATIVE if busy == BUSY and status == "TENTATIVE" else busy
    if component.name == "VTODO" and status not in ("CANCELLED", "COMPLETED"):
        ends = component.first("DUE") or component.first("DURATION")
        return BUSY if ends is not None and component.first("DTSTART") is not None else FREE
    return FREE


def _periods(nodes: Sequence[Node], zones: Zones) -> dict[tuple[int, int], str]:
    """The kinds of the periods that VFREEBUSY components list, by node and start."""
    out: dict[tuple[int, int], str] = {}
    for number, node in enumerate(nodes):
        if node.component.name != "VFREEBUSY":
            continue
        for line in node.component.all("FREEBUSY"):
            kind = _OF_FBTYPE.get((line.param("FBTYPE") or "").upper(), BUSY)
            for period in line_periods(line):
                out[number, zones.to_epoch(period.start)] = kind
    return out
