"""One recurrence set: a master component, its rules and dates, and the overrides of its instances.

`occurrences` is the face of this module and says which choices are taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from heapq import merge
from itertools import chain
from operator import itemgetter
from typing import NamedTuple

from kalends.ical.budget import Budget
from kalends.ical.component_times import ComponentTimes, read_times
from kalends.ical.moment import DAY, FIRST_WALL, LAST_WALL, Duration, Moment
from kalends.ical.recur import Rule
from kalends.ical.recur_parts import UNITS
from kalends.ical.tree import Component
from kalends.ical.tzfile import Zone
from kalends.ical.zones import Zones

SLACK = 2 * DAY
"""Seconds by which windows are widened when they are taken to the wall clock: offsets stay below 26 hours."""
TIMED = frozenset({"VEVENT", "VTODO", "VJOURNAL"})
"""Components that can recur."""

by_start = itemgetter(1)
"""Sort key of occurrences."""


class Occurrence(NamedTuple):
    """One instance.

    Attributes:
        component: the component that describes it: the master, or the override.
        start: epoch seconds. end: epoch seconds, not included; equal to start when it takes no time.
        recurrence: epoch seconds of its RECURRENCE-ID: where it would start if no override moved it.
        floating: times are wall seconds as if in UTC.
        is_date: it covers whole days.
        form: a moment in the form of the master's DTSTART, for RECURRENCE-ID.
        identified: it needs a RECURRENCE-ID (belongs to a recurrence set).
        wall: the RECURRENCE-ID's wall seconds, in the zone of `form`.
        own_length: an RDATE's PERIOD gave it a length of its own.
    """

    component: Component
    start: int
    end: int
    recurrence: int
    floating: bool
    is_date: bool
    form: Moment
    identified: bool
    wall: int
    own_length: bool

    @property
    def recurrence_id(self) -> Moment | None:
        """The RECURRENCE-ID in the form of the master's DTSTART; None for what does not recur."""
        return self.form.moved(self.wall) if self.identified else None


Pair = tuple[int, int, Duration | None]
"""An instance before overrides: epoch seconds, wall seconds, a length of its own (RDATE as PERIOD)."""


class Series:
    """One master and the overrides of its instances."""

    def __init__(self, times: ComponentTimes, overrides: list[ComponentTimes], zones: Zones) -> None:
        self.times, self.zones = times, zones
        self.overrides = overrides
        self.gone = {times.like_start(moment, zones) for moment in times.exdates}
        self.gone_days: set[int] = set()
        if not times.start.is_date:
            self.gone_days = {moment.wall // DAY for moment in times.exdates if moment.is_date}
        self.replaced: set[int] = set()
        self.cuts: list[tuple[int, ComponentTimes]] = []
        for override in overrides:
            assert override.recurrence_id is not None
            at = times.like_start(override.recurrence_id, zones)
            self.replaced.add(at)
            if override.future:
                self.cuts.append((at, override))
        self.cuts.sort(key=itemgetter(0))
        self.extras = self._extras()
        self.extra_set = {pair[0] for pair in self.extras}

    def _extras(self) -> list[Pair]:
        """DTSTART and the RDATEs, ascending; the same instant once, with its own length if it has one."""
        times = self.times
        found: dict[int, Pair] = {times.begin: (times.begin, times.start.wall, None)}
        for moment, length in times.rdates:
            at = times.like_start(moment, self.zones)
            if length is not None or at not in found:
                found[at] = (at, times.wall(at), length)
        return sorted((pair for pair in found.values() if self._stays(pair[0], pair[1])), key=itemgetter(0))

    def _stays(self, epoch: int, wall: int) -> bool:
        return (
            epoch not in self.gone
            and epoch not in self.replaced
            and not (self.gone_days and wall // DAY in self.gone_days)
        )

    # --- before overrides ---

    def pairs(self, lo: int, hi: int, budget: Budget) -> Iterator[Pair]:
        """Instances whose RECURRENCE-ID lies in lo <= t < hi (and some around), ascending."""
        extras = [pair for pair in self.extras if lo <= pair[0] < hi]
        if not self.times.exrules and not self.times.rules:
            return iter(extras)
        rules = [self._of_rule(rule, lo, hi, budget) for rule in self.times.rules]
        if self.times.exrules:
            extras = [pair for pair in extras if pair[0] not in self._excluded(pair[1], pair[1], budget)]
        if len(rules) == 1 and (not extras or extras[-1][0] <= self.times.begin):
            return chain(extras, rules[0])
        return _once(merge(extras, *rules, key=itemgetter(0)))

    def _of_rule(self, rule: Rule, lo: int, hi: int, budget: Budget) -> Iterator[Pair]:
        times = self.times
        zone, dense = times.zone, _is_dense(rule)
        last = _until_instant(rule) if zone is not None else None
        skip = self.gone | self.replaced | self.extra_set
        held: list[Pair] = []
        for walls in self._walls(rule, lo, hi, budget):
            epochs = walls if zone is None else zone.epochs(walls)
            if self.gone_days or times.exrules:
                excluded = self._excluded(walls[0], walls[-1], budget)
                found: list[Pair] = [
                    (e, w, None)
                    for e, w in zip(epochs, walls, strict=True)
                    if e not in skip and e not in excluded and w // DAY not in self.gone_days
                ]
            else:
                found = [(e, w, None) for e, w in zip(epochs, walls, strict=True) if e not in skip]
            if last is not None and epochs[-1] > last:
                found = [pair for pair in found if pair[0] <= last]
            if dense and zone is not None and (held or zone.transitions(epochs[0] - DAY, epochs[-1] + DAY)):
                yield from _through_gaps(found, held, zone, rule.freq in UNITS)
            else:
                yield from found
        yield from held

    def _walls(self, rule: Rule, lo: int, hi: int, budget: Budget) -> Iterator[Sequence[int]]:
        """Wall times of a rule's instances around the instants lo..hi."""
        start = self.times.start
        return rule.chunks(
            start.wall,
            lo - SLACK,
            hi + SLACK,
            is_date=start.is_date,
            zone=self.times.zone,
            count_start=True,
            budget=budget,
        )

    def _excluded(self, first: int, last: int, budget: Budget) -> set[int]:
        """Instants that the EXRULEs take out, of wall times first..last."""
        times = self.times
        out: set[int] = set()
        for rule in times.exrules:
            for walls in rule.chunks(
                times.start.wall, first, last + 1, is_date=times.start.is_date, zone=times.zone, budget=budget
            ):
                out.update(walls if times.zone is None else times.zone.epochs(walls))
        return out

    # --- with overrides ---

    def occurrences(self, lo: int, hi: int, budget: Budget) -> Iterator[Occurrence]:
        """The instances that touch the window, ascending by start."""
        single = sorted((self._override(o) for o in self.overrides), key=by_start)
        streams = [iter([o for o in single if touches(o.start, o.end, lo, hi)])]
        edges = [FIRST_WALL - SLACK, *(at for at, _ in self.cuts), LAST_WALL + SLACK]
        if not self.cuts:
            master = self._steady(lo, hi, budget) if self._is_steady() else self._plain(lo, hi, budget)
            return merge(*streams, master, key=by_start) if single else master
        streams.append(self._plain(lo, hi, budget, edges[1]))
        for index, (at, override) in enumerate(self.cuts):
            streams.append(self._shifted(override, at, edges[index + 2], lo, hi, budget))
        return merge(*streams, key=by_start)

    def _is_steady(self) -> bool:
        """One rule, one exact length, nothing that needs a look at each instance: most recurring events."""
        times = self.times
        return (
            len(times.rules) == 1
            and not (times.rdates or times.exrules or self.gone_days or times.length.days)
            and (times.zone is None or not _is_dense(times.rules[0]))
        )

    def _steady(self, lo: int, hi: int, budget: Budget) -> Iterator[Occurrence]:
        """What `_plain` gives for a steady set, made a sequence at a time: half the cost."""
        times = self.times
        component, form, zone, rule = times.component, times.start, times.zone, times.rules[0]
        floating, is_date, seconds = zone is None, form.is_date, times.length.seconds
        new = tuple.__new__
        until = _until_instant(rule) if zone is not None else None
        last = hi - 1 if until is None else min(hi - 1, until)
        first = min(lo, lo - seconds + 1)
        for begin, wall, _ in self.extras:
            if first <= begin < hi:
                end = begin + seconds
                yield Occurrence(component, begin, end, begin, floating, is_date, form, True, wall, False)
        skip = self.gone | self.replaced | self.extra_set
        for walls in self._walls(rule, first, hi, budget):
            epochs = walls if zone is None else zone.epochs(walls)
            pairs: Iterable[tuple[int, int]] = zip(epochs, walls, strict=True)
            if epochs[0] < first or epochs[-1] > last or not skip.isdisjoint(epochs):
                pairs = [(e, w) for e, w in pairs if first <= e <= last and e not in skip]
            yield from [
                new(Occurrence, (component, e, e + seconds, e, floating, is_date, form, True, w, False))
                for e, w in pairs
            ]

    def _plain(
        self, lo: int, hi: int, budget: Budget, until: int = LAST_WALL + SLACK
    ) -> Iterator[Occurrence]:
        """Instances as the master has them, before the instant `until`."""
        times = self.times
        component, form, length = times.component, times.start, times.length
        floating, is_date, recurs = times.zone is None, form.is_date, times.recurs
        longest = max([length.total, *(own.total for _, _, own in self.extras if own is not None)])
        days, seconds = length.days, length.seconds
        hi = min(hi, until)
        for begin, wall, own in self.pairs(lo - longest - SLACK, hi, budget):
            if begin >= hi:
                return
            if own is not None:
                end = times.end(begin, wall, own)
            elif days:
                end = times.end(begin, wall, length)
            else:
                end = begin + seconds
            if end > lo or begin >= lo:
                yield Occurrence(
                    component, begin, end, begin, floating, is_date, form, recurs, wall, own is not None
                )

    def _override(self, override: ComponentTimes) -> Occurrence:
        rid = override.recurrence_id
        assert rid is not None
        at = self.times.like_start(rid, self.zones)
        begin = override.begin
        end = override.end(begin, override.start.wall, override.length)
        return Occurrence(
            override.component,
            begin,
            end,
            at,
            override.zone is None,
            override.start.is_date,
            self.times.start,
            True,
            self.times.wall(at),
            False,
        )

    def _shifted(
        self, override: ComponentTimes, first: int, until: int, lo: int, hi: int, budget: Budget
    ) -> Iterator[Occurrence]:
        """Instances after a THISANDFUTURE override: moved as it was moved, as long as it is.

        Source: RFC 5545 §3.2.13, §3.8.4.4.
        """
        delta = override.start.wall - override.wall(first)
        reach = abs(delta) + override.length.total + SLACK
        for at, wall, _ in self.pairs(max(first + 1, lo - reach), min(until, hi + reach), budget):
            if not first < at < until:
                continue
            shifted = override.wall(at) + delta
            begin = override.epoch(shifted)
            end = override.end(begin, shifted, override.length)
            if touches(begin, end, lo, hi):
                yield Occurrence(
                    override.component,
                    begin,
                    end,
                    at,
                    override.zone is None,
                    override.start.is_date,
                    self.times.start,
                    True,
                    wall,
                    False,
                )

    def span(self, budget: Budget) -> tuple[int, int | None]:
        """First start and last end that any instance can have; None when they go on for ever."""
        times = self.times
        found = [self._override(o) for o in self.overrides]
        first = min([times.begin, *(at for at, _, _ in self.extras), *(o.start for o in found)])
        ends = [o.end for o in found]
        ends += [times.end(at, wall, own or times.length) for at, wall, own in self.extras]
        ends.append(times.end(times.begin, times.start.wall, times.length))
        for rule in times.rules:
            wall = rule.last(
                times.start.wall,
                is_date=times.start.is_date,
                zone=times.zone,
                count_start=True,
                budget=budget,
            )
            if wall is None:
                return self._shift_first(first), None
            last = times.epoch(wall)
            ends.append(times.end(last, wall, times.length))
            for _, override in self.cuts:
                moved = abs(
                    override.begin - times.like_start(override.recurrence_id or times.start, self.zones)
                )
                ends.append(last + moved + override.length.total + SLACK)
        return self._shift_first(first), max(ends)

    def _shift_first(self, first: int) -> int:
        """A THISANDFUTURE may move instances before the first one."""
        return min([first, *(at + min(0, o.begin - at) - SLACK for at, o in self.cuts)])


def touches(start: int, end: int, lo: int, hi: int) -> bool:
    """Whether start..end has a moment in lo..hi; what takes no time counts where it stands."""
    return start < hi and (end > lo or start >= lo)


def _is_dense(rule: Rule) -> bool:
    """Whether several instances can fall on one day, so that a DST gap can push one past the next."""
    return rule.freq in UNITS or max(len(rule.hours), len(rule.minutes), len(rule.seconds)) > 1


def _until_instant(rule: Rule) -> int | None:
    """UNTIL where it is written in UTC, as an instant."""
    return rule.until.wall if rule.until is not None and rule.until.utc else None


def _once(pairs: Iterator[Pair]) -> Iterator[Pair]:
    """Ascending instances without doubles."""
    last: int | None = None
    for pair in pairs:
        if pair[0] != last:
            yield pair
            last = pair[0]


def _through_gaps(found: list[Pair], held: list[Pair], zone: Zone, leave_out: bool) -> Iterator[Pair]:
    """Instances around a DST gap: those inside it left out, or put where they belong.

    Args:
        found: ascending by wall clock.
        held: instances pushed out of a gap that wait for their turn; changed in place.
        zone: their zone.
        leave_out: the rule repeats by hours or less.
    """
    for pair in found:
        if zone.is_gap(pair[1]):
            if not leave_out:
                held.append(pair)
            continue
        while held and held[0][0] <= pair[0]:
            pushed = held.pop(0)
            if pushed[0] < pair[0]:
                yield pushed
        yield pair


def read_sets(vcalendar: Component, zones: Zones) -> Iterator[Series]:
    """The recurrence sets of an object: by kind and UID, overrides under their master."""
    masters: dict[tuple[str, str | None], list[ComponentTimes]] = {}
    overrides: dict[tuple[str, str | None], list[ComponentTimes]] = {}
    components = [vcalendar] if vcalendar.name in TIMED else vcalendar.components
    for component in components:
        if component.name not in TIMED:
            continue
        times = read_times(component, zones)
        if times is None:
            continue
        key = (component.name, component.value("UID"))
        (masters if times.recurrence_id is None else overrides).setdefault(key, []).append(times)
    for key, group in masters.items():
        changed = overrides.pop(key, [])
        for index, times in enumerate(group):
            yield Series(times, _latest(changed, times, zones) if index == 0 else [], zones)
    for changed in overrides.values():
        yield Orphans(changed, zones)


def _latest(overrides: list[ComponentTimes], times: ComponentTimes, zones: Zones) -> list[ComponentTimes]:
    """One override per instance: the one with the highest SEQUENCE, then the last written."""
    if len(overrides) < 2:
        return overrides
    found: dict[int, ComponentTimes] = {}
    for override in overrides:
        assert override.recurrence_id is not None
        at = times.like_start(override.recurrence_id, zones)
        if at not in found or _sequence(override) >= _sequence(found[at]):
            found[at] = override
    return list(found.values())


def _sequence(times: ComponentTimes) -> int:
    text = times.component.value("SEQUENCE") or "0"
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


class Orphans(Series):
    """Overrides whose master is not in the object: instances of their own (RFC 5546 §3.2.1 allows it)."""

    def __init__(self, overrides: list[ComponentTimes], zones: Zones) -> None:
        stand_in = overrides[0]
        assert stand_in.recurrence_id is not None
        rid = stand_in.recurrence_id
        zone = zones.of(rid)
        times = ComponentTimes(
            stand_in.component, rid, zone, zones.to_epoch(rid), Duration(1) if rid.is_date else Duration()
        )
        super().__init__(times, _latest(overrides, times, zones), zones)

    def _extras(self) -> list[Pair]:
        return []

    def span(self, budget: Budget) -> tuple[int, int | None]:
        """From the first to the last override."""
        found = [self._override(o) for o in self.overrides]
        return min(o.start for o in found), max(o.end for o in found)
