"""The course of a calendar object through all time, in a form that answers at once whether two can ever meet.

A rule's instances repeat on the wall clock: a weekly one every week, one by the month at least at its times
of day. A `Strand` is such a repeating pattern that holds every instance of a rule, and maybe more. Two
patterns with the periods P and Q meet somewhere if and only if they meet modulo gcd(P, Q); so "never" is
proven by arithmetic, for ever and for every DST change, without an expansion. The rest is for `proof`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import gcd, lcm
from typing import NamedTuple

from kalends.ical.component_times import ComponentTimes
from kalends.ical.moment import DAY, FIRST_WALL, LAST_WALL
from kalends.ical.recur import Rule, bind
from kalends.ical.recur_parts import UNITS
from kalends.ical.recurrence_set import Series, read_sets
from kalends.ical.tree import Component
from kalends.ical.tzfile import CYCLE, LAST_TABLE_YEAR, Zone
from kalends.ical.zones import Zones
from kalends.store.spans import busy_of

WEEK = 7 * DAY
MAX_SLOTS = 500
"""Starts in one period of a pattern. Rules with more (every minute of office hours) are walked instead."""
MAX_PAIRS = 20_000
"""Pairs of slots or single dates compared by arithmetic; beyond it walking is no slower."""
_MODERN = 1_577_836_800
"""2020: zones changed on any weekday and hour in their history, but follow one rule now."""
_THURSDAY = 3  # the weekday of day number 0
_UNTIL_YEAR = (LAST_TABLE_YEAR - 1970) * 31_556_952

Clashes = Callable[[str, str], bool]
"""Whether two kinds of occupancy (`instance.busy`) exclude each other."""


class Stretch(NamedTuple):
    """Something that happens once.

    Attributes:
        start, end: seconds UTC; wall seconds as if in UTC when floating. The end is not included.
        floating: whether it floats. busy: how it occupies its time.
    """

    start: int
    end: int
    floating: bool
    busy: str

    def placed(self, zone: Zone | None) -> Stretch:
        """The same in instants, a floating one read in a zone."""
        if not self.floating:
            return self
        if zone is None:
            return self._replace(floating=False)
        return Stretch(zone.epoch(self.start), zone.epoch(self.end), False, self.busy)


@dataclass(frozen=True, slots=True)
class Strand:
    """A repeating pattern that holds all instances of one rule.

    Attributes:
        zone: whose wall clock it is on; None when it floats.
        period: seconds after which it repeats; 1 for a rule that no pattern describes.
        starts: seconds within the period, ascending.
        length: of the longest instance, in seconds.
        busy: how it occupies its time.
    """

    zone: Zone | None
    period: int
    starts: tuple[int, ...]
    length: int
    busy: str


@dataclass(frozen=True, slots=True)
class Course:
    """All of an object's time.

    Attributes:
        strands: of its rules.
        stretches: what happens once: DTSTART, RDATEs, overrides.
        cycles: after so many times 400 years its rules repeat, zones included.
    """

    strands: tuple[Strand, ...]
    stretches: tuple[Stretch, ...]
    cycles: int = 1

    def only(self, kinds: Collection[str]) -> Course:
        """The part of it that occupies its time in certain ways."""
        return Course(
            tuple(strand for strand in self.strands if strand.busy in kinds),
            tuple(stretch for stretch in self.stretches if stretch.busy in kinds),
            self.cycles,
        )


def course_of(whole: Component) -> Course:
    """Read an object's course.

    Args:
        whole: the VCALENDAR.

    Raises:
        ICalError: a value that cannot be read.
    """
    strands: list[Strand] = []
    stretches: list[Stretch] = []
    cycles = 1
    for series in read_sets(whole, Zones(whole)):
        strands += _strands(series)
        stretches += _stretches(series)
        for rule in (*series.times.rules, *series.times.exrules):
            cycles = lcm(cycles, _cycles(rule))
    return Course(tuple(strands), tuple(stretches), cycles)


def _stretches(series: Series) -> Iterable[Stretch]:
    times = series.times
    busy = busy_of(times.component)
    for begin, wall, own in series.extras:
        end = times.end(begin, wall, times.length if own is None else own)
        yield Stretch(begin, end, times.zone is None, busy)
    for one in series.overrides:
        end = one.end(one.begin, one.start.wall, one.length)
        yield Stretch(one.begin, end, one.zone is None, busy_of(one.component))


def _strands(series: Series) -> Iterable[Strand]:
    times = series.times
    for rule in times.rules:
        pattern = _pattern(rule, times)
        yield _strand(pattern, times, 0)
        for at, override in series.cuts:  # RANGE=THISANDFUTURE: the pattern again, moved as it was moved
            moved = override.start.wall - override.wall(at)
            yield _strand(pattern if override.zone is times.zone else None, override, moved)


def _strand(pattern: tuple[int, Sequence[int]] | None, times: ComponentTimes, moved: int) -> Strand:
    busy, length = busy_of(times.component), times.length.total
    if pattern is None:
        return Strand(times.zone, 1, (0,), length, busy)
    period, starts = pattern
    return Strand(times.zone, period, tuple(sorted({(at + moved) % period for at in starts})), length, busy)


def _pattern(rule: Rule, times: ComponentTimes) -> tuple[int, Sequence[int]] | None:
    """A period and the starts in it that every instance of a rule has; None when there are too many."""
    start = times.start
    plan = bind(rule, start.wall, start.is_date)
    if plan.pattern and plan.period:
        if len(plan.pattern) > MAX_SLOTS:
            return None
        return plan.period, [(plan.origin + at) % plan.period for at in plan.pattern]
    if plan.freq in UNITS:
        return None
    days = sorted({day for _, day in rule.weekdays})
    if not days and plan.freq == "WEEKLY":
        days = [(start.wall // DAY + _THURSDAY) % 7]
    if len(plan.times) * max(1, len(days)) > MAX_SLOTS:
        return None
    if not days:
        return DAY, plan.times
    return WEEK, [(day - _THURSDAY) % 7 * DAY + clock for day in days for clock in plan.times]


_FOR_EVER = 25
"""400 years so often are all the dates there are."""


def _cycles(rule: Rule) -> int:
    """After how many times 400 years a rule repeats: the calendar does so after one."""
    n = rule.interval
    if rule.scale:
        return _FOR_EVER  # other calendars repeat after longer times, or are known for a while only
    if rule.freq in UNITS:
        return lcm(n * UNITS[rule.freq], CYCLE) // CYCLE
    units = {"DAILY": CYCLE // DAY, "WEEKLY": CYCLE // WEEK, "MONTHLY": 4800, "YEARLY": 400}[rule.freq]
    return lcm(n, units) // units


# --- can they meet? ---


def may_meet(one: Course, other: Course, clashes: Clashes, zone: Zone | None, since: int) -> bool:
    """Whether two objects can ever share time that they may not share. False is a proof, True a suspicion.

    Args:
        one: a course.
        other: another object's.
        clashes: which kinds of occupancy exclude each other.
        zone: the calendar's, for floating times.
        since: seconds UTC; what happens before does not matter.
    """
    for a in one.strands:
        for b in other.strands:
            if clashes(a.busy, b.busy) and strands_meet(a, b, zone, since):
                return True
    return (
        stretches_meet(one.stretches, other.strands, clashes, zone)
        or stretches_meet(other.stretches, one.strands, clashes, zone)
        or _singles_meet(one.stretches, other.stretches, clashes, zone)
    )


def may_happen_at(single: Stretch, course: Course, clashes: Clashes, zone: Zone | None) -> bool:
    """Whether an object may happen in a stretch of time that excludes it. False is a proof."""
    one = (single,)
    return stretches_meet(one, course.strands, clashes, zone) or _singles_meet(
        one, course.stretches, clashes, zone
    )


def meets_itself(course: Course, zone: Zone | None, since: int) -> bool:
    """Whether instances of one object can overlap each other. False is a proof, True a suspicion."""
    strands = course.strands
    for at, a in enumerate(strands):
        if _dense(a, zone, since) or any(strands_meet(a, b, zone, since) for b in strands[at + 1 :]):
            return True
    # DTSTART is mostly an instance of its own rule: whether it stands in the way only a walk can say.
    return len(course.stretches) > 1 or (bool(course.stretches) and not _first_fits(course))


def _first_fits(course: Course) -> bool:
    """Whether the only single date lies in the one strand, so that it is one of its slots."""
    if len(course.strands) != 1:
        return not course.strands
    strand, first = course.strands[0], course.stretches[0]
    if first.floating != (strand.zone is None) or first.end - first.start > strand.length:
        return False
    wall = first.start if strand.zone is None else strand.zone.wall(first.start)
    return wall % strand.period in strand.starts


def _dense(strand: Strand, zone: Zone | None, since: int) -> bool:
    """Whether consecutive starts of a strand come closer than an instance lasts."""
    if not strand.length:
        return False
    own = zone if strand.zone is None else strand.zone
    pads = _pads(strand, own, own, since)
    edges = sorted((at - pad, at + strand.length + pad) for at, pad in zip(strand.starts, pads, strict=True))
    first = edges[0][0] + strand.period
    return any(end > begin for (_, end), (begin, _) in zip(edges, [*edges[1:], (first, 0)], strict=True))


def strands_meet(a: Strand, b: Strand, zone: Zone | None, since: int) -> bool:
    """Whether instances of two patterns can overlap. False is a proof.

    Away from changes of their zones' offsets two instances lie on the wall clock as they lie in time, apart
    by one of the differences that the two zones ever have. Slots that a change can fall into are made longer
    at both ends by the largest change.
    """
    if not a.length or not b.length:
        return False
    if len(a.starts) * len(b.starts) > MAX_PAIRS:
        return True
    of_a, of_b = (zone if one.zone is None else one.zone for one in (a, b))
    modulus = gcd(a.period, b.period)
    shifts = (0,) if of_a is of_b else _differences(of_a, of_b, since >= _MODERN)
    if a.zone is None and b.zone is None:  # dates and floating times never leave the wall clock
        pads_a, pads_b = [0] * len(a.starts), [0] * len(b.starts)
    else:
        pads_a, pads_b = _pads(a, of_a, of_b, since), _pads(b, of_b, of_a, since)
    for at_a, pad_a in zip(a.starts, pads_a, strict=True):
        for at_b, pad_b in zip(b.starts, pads_b, strict=True):
            pad = pad_a + pad_b
            for shift in shifts:
                apart = at_b - at_a + shift
                if (apart + pad) % modulus < a.length + 2 * pad or (
                    -apart + pad
                ) % modulus < b.length + 2 * pad:
                    return True
    return False


def stretches_meet(
    singles: Sequence[Stretch], strands: Sequence[Strand], clashes: Clashes, zone: Zone | None
) -> bool:
    """Whether one of some single dates can overlap an instance of a pattern. False is a proof."""
    if not strands or not singles:
        return False
    if len(singles) * sum(len(strand.starts) for strand in strands) > MAX_PAIRS:
        return True
    for single in singles:
        if single.end <= single.start:
            continue
        placed = single.placed(zone)
        for strand in strands:
            if strand.length and clashes(single.busy, strand.busy) and _falls_into(placed, strand, zone):
                return True
    return False


def _falls_into(single: Stretch, strand: Strand, zone: Zone | None) -> bool:
    own = zone if strand.zone is None else strand.zone
    begin, end, pad = single.start, single.end, 0
    if own is not None:
        reach = strand.length + DAY
        if own.transitions(begin - reach, end + reach):
            pad = _largest_change(own)
        begin, end = own.wall(begin), own.wall(end)
    lasts = max(end - begin, single.end - single.start)
    return any(
        (at - begin + pad) % strand.period < lasts + 2 * pad
        or (begin - at + pad) % strand.period < strand.length + 2 * pad
        for at in strand.starts
    )


def _singles_meet(
    ones: Sequence[Stretch], others: Sequence[Stretch], clashes: Clashes, zone: Zone | None
) -> bool:
    if not ones or not others:
        return False
    if len(ones) * len(others) > MAX_PAIRS:
        return True
    placed = [other.placed(zone) for other in others]
    for one in (each.placed(zone) for each in ones):
        for other in placed:
            if (
                one.start < other.end and other.start < one.end
                and one.start < one.end and other.start < other.end
                and clashes(one.busy, other.busy)
            ):  # fmt: skip
                return True
    return False


# --- zones ---


def _pads(strand: Strand, own: Zone | None, other: Zone | None, since: int) -> list[int]:
    """For each start of a strand, by how much a change of offset can move its ends, at most."""
    modern = since >= _MODERN
    modulus = gcd(strand.period, WEEK)
    edges: set[tuple[int, int]] = set()
    pad = 0
    for zone in {own, other}:
        if zone is not None:
            pad = max(pad, _largest_change(zone))
            edges.update(_changes_on_clock(zone, own, modulus, modern))
    if not pad:
        return [0] * len(strand.starts)
    return [
        pad
        if any((at - lo) % modulus <= hi - lo or (lo - at) % modulus <= strand.length for lo, hi in edges)
        else 0
        for at in strand.starts
    ]


@lru_cache(maxsize=256)
def _changes_on_clock(
    zone: Zone, clock: Zone | None, modulus: int, modern: bool
) -> frozenset[tuple[int, int]]:
    """When a zone changes its offset, as stretches on another zone's wall clock modulo some seconds."""
    found: set[tuple[int, int]] = set()
    for at, _ in zone.transitions(_MODERN if modern else FIRST_WALL, _UNTIL_YEAR):
        walls = (at, at) if clock is None else (clock.wall(at - 1) + 1, clock.wall(at))
        lo, hi = min(walls), max(walls)
        found.add((lo % modulus, lo % modulus + hi - lo))
    return frozenset(found)


@lru_cache(maxsize=256)
def farthest_offset(zone: Zone) -> int:
    """The largest offset a zone ever has, east or west, in seconds."""
    ever = [zone.offset(FIRST_WALL), *(offset for _, offset in zone.transitions(FIRST_WALL, _UNTIL_YEAR))]
    return max(map(abs, ever))


@lru_cache(maxsize=256)
def _largest_change(zone: Zone) -> int:
    """By how many seconds a zone ever changes its offset at once."""
    changes = zone.transitions(FIRST_WALL, _UNTIL_YEAR)
    largest, before = 0, zone.offset(FIRST_WALL)
    for _, after in changes:
        largest, before = max(largest, abs(after - before)), after
    return largest


@lru_cache(maxsize=256)
def _differences(one: Zone | None, other: Zone | None, modern: bool) -> tuple[int, ...]:
    """All values that (offset of one - offset of the other) ever has."""
    first = _MODERN if modern else FIRST_WALL
    moments = {first, LAST_WALL}
    for zone in (one, other):
        if zone is not None:
            moments.update(at for at, _ in zone.transitions(first, _UNTIL_YEAR))
    found = {
        (0 if one is None else one.offset(at)) - (0 if other is None else other.offset(at)) for at in moments
    }
    return tuple(sorted(found))
