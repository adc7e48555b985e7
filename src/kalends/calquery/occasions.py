"""When the components of one object happen, as CalDAV's time ranges ask (RFC 4791 §9.9), in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from kalends.ical.component_times import is_forgotten, line_moment, line_periods, period_length, read_times
from kalends.ical.errors import ICalError, StepBudgetError
from kalends.ical.moment import DAY, parse_duration
from kalends.ical.occurrences import alarms, occurrences
from kalends.ical.recurrence_set import TIMED
from kalends.ical.tree import Component
from kalends.ical.tzfile import Zone
from kalends.ical.zones import Zones

MAX_LOOKED_AT: Final = 10_000
"""Instances looked at for one question: a series that has none in the range by then counts as having one."""
EFFECTIVE: Final = frozenset(("DTEND", "DUE"))
"""Properties that DTSTART and DURATION stand for where they are not written."""
_NAMES: Final = frozenset(("DTSTART", "DTEND", "DUE"))

Bound = int | None
Touch = Callable[[int, int, Bound, Bound], bool]


def _open(start: int, end: int, low: Bound, high: Bound) -> bool:
    """What lasts overlaps the range; what does not lies in it."""
    return (high is None or start < high) and (low is None or end > low or start >= low)


def _closed(start: int, end: int, low: Bound, high: Bound) -> bool:
    """A to-do with DTSTART and DURATION."""
    return (low is None or end >= low) and (high is None or start < high or end <= high)


def _until_due(start: int, end: int, low: Bound, high: Bound) -> bool:
    """A to-do with DTSTART and DUE."""
    return (low is None or end > low or start >= low) and (high is None or start < high or end <= high)


def _due_only(start: int, end: int, low: Bound, high: Bound) -> bool:
    """A to-do with DUE alone, which `start` is."""
    return (low is None or start > low) and (high is None or start <= high)


def _at_start(start: int, end: int, low: Bound, high: Bound) -> bool:
    """A to-do with DTSTART alone: it lasts no time, whether it starts at a time or on a day."""
    return _open(start, start, low, high)


def _test_of(component: Component) -> Touch:
    """How instances of a component with dates touch a range."""
    if component.name != "VTODO":
        return _open
    names = {item.name for item in component.items}
    if "DTSTART" not in names:
        return _due_only
    if "DUE" in names:
        return _until_due
    return _closed if "DURATION" in names else _at_start


class Occasions:
    """When the components of one object happen.

    Args:
        whole: the object, or one component of it by itself.
        zones: its zones when known already.
        zone: the zone of floating times and dates; None for UTC.
    """

    __slots__ = ("_zones", "whole", "zone")

    def __init__(self, whole: Component, zones: Zones | None = None, zone: Zone | None = None) -> None:
        self.whole = whole
        self._zones = zones
        self.zone = zone

    @property
    def zones(self) -> Zones:
        """The object's zones."""
        if self._zones is None:
            self._zones = Zones(self.whole)
        return self._zones

    def window(self, low: Bound, high: Bound, *, floats: bool) -> tuple[Bound, Bound]:
        """A range as instants, or as what the clocks show then, for what floats."""
        if not floats or self.zone is None:
            return low, high
        wall = self.zone.wall
        return None if low is None else wall(low), None if high is None else wall(high)

    def touch(self, component: Component, low: Bound, high: Bound) -> bool:
        """Whether an instance of a component touches a range.

        Args:
            component: a component of the object.
            low: seconds UTC; None for no bound.
            high: seconds UTC, not included; None for no bound.

        Returns:
            True also where the rules need more steps than there are: what cannot be excluded is found.

        Source: RFC 4791 §9.9.
        """
        ask = _KINDS.get(component.name)
        if ask is None:
            return False
        try:
            return ask(self, component, low, high)
        except StepBudgetError:
            return True
        except ICalError:
            return False  # dates that cannot be read: it happens never

    def touches(
        self, component: Component, start: int, end: int, low: Bound, high: Bound, *, floats: bool
    ) -> bool:
        """Whether one instance of a component touches a range.

        Args:
            component: what describes it.
            start: seconds UTC, as if in UTC where it floats.
            end: the same.
            low: seconds UTC; None for no bound.
            high: seconds UTC, not included; None for no bound.
            floats: whether it floats.
        """
        lo, hi = self.window(low, high, floats=floats)
        return _test_of(component)(start, end, lo, hi)

    def has_end(self, component: Component, name: str) -> bool:
        """Whether a component has an end of that name by its DTSTART and DURATION alone."""
        written = component.first("DTSTART") is not None and component.first("DURATION") is not None
        return written and component.name == ("VTODO" if name == "DUE" else "VEVENT")

    def dated(self, component: Component, name: str, low: Bound, high: Bound) -> bool | None:
        """Whether DTSTART, DTEND or DUE of an instance lies in a range; None for other properties."""
        if name not in _NAMES or component.name not in TIMED:
            return None
        ending = name != "DTSTART"

        def inside(start: int, end: int, lo: Bound, hi: Bound) -> bool:
            at = end if ending else start
            return (lo is None or lo <= at) and (hi is None or at < hi)

        try:
            return self._any(component, low, high, inside)
        except StepBudgetError:
            return True
        except ICalError:
            return False

    def _any(self, component: Component, low: Bound, high: Bound, touches: Touch) -> bool:
        """Whether an instance of a component passes a test."""
        for start, end, floats in self._spans(component, low, high):
            if touches(start, end, *self.window(low, high, floats=floats)):
                return True
        return False

    def _spans(self, component: Component, low: Bound, high: Bound) -> Iterator[tuple[int, int, bool]]:
        line = component.first("RECURRENCE-ID")
        if line is not None and (line.param("RANGE") or "").upper() != "THISANDFUTURE":
            times = read_times(component, self.zones)
            if times is not None:
                begin = times.begin
                yield begin, times.end(begin, times.start.wall, times.length), times.zone is None
            return
        lo = None if low is None else low - DAY - 1
        hi = None if high is None else high + DAY + 1
        for found, one in enumerate(occurrences(self.whole, lo, hi, zones=self.zones)):
            if one.component is component:
                yield one.start, one.end, one.floating
            if found == MAX_LOOKED_AT:
                raise StepBudgetError(f"more than {MAX_LOOKED_AT} instances")

    # one function a kind of component

    def _event(self, component: Component, low: Bound, high: Bound) -> bool:
        return self._any(component, low, high, _open)

    def _todo(self, component: Component, low: Bound, high: Bound) -> bool:
        names = {item.name for item in component.items}
        if names.isdisjoint(("DTSTART", "DUE")):
            return self._unscheduled(component, low, high)
        return self._any(component, low, high, _test_of(component))

    def _unscheduled(self, component: Component, low: Bound, high: Bound) -> bool:
        """A to-do without dates: by when it was made and when it was done."""
        at = {
            name: self.zones.to_epoch(line_moment(line))
            for name in ("COMPLETED", "CREATED")
            if (line := component.first(name)) is not None and not is_forgotten(line)
        }
        if not at:
            return True
        if "COMPLETED" not in at:
            return high is None or high > at["CREATED"]
        return (low is None or low <= max(at.values())) and (high is None or high >= min(at.values()))

    def _free_busy(self, component: Component, low: Bound, high: Bound) -> bool:
        starts, ends = component.first("DTSTART"), component.first("DTEND")
        if starts is not None and ends is not None:
            start, end = (self.zones.to_epoch(line_moment(line)) for line in (starts, ends))
            return (low is None or low <= end) and (high is None or high > start)
        for line in component.all("FREEBUSY"):
            for period in line_periods(line):
                start = self.zones.to_epoch(period.start)
                end = self.zones.shift(period.start, period_length(period, self.zones))
                if (low is None or low < end) and (high is None or high > start):
                    return True
        return False

    def _availability(self, component: Component, low: Bound, high: Bound) -> bool:
        """RFC 7953 §7.2.2: what has no start or no end is open there."""
        begins, ends, length = (component.first(name) for name in ("DTSTART", "DTEND", "DURATION"))
        start = None if begins is None else self.zones.to_epoch(line_moment(begins))
        end = None if ends is None else self.zones.to_epoch(line_moment(ends))
        if begins is not None and end is None and length is not None:
            end = self.zones.shift(line_moment(begins), parse_duration(length.value))
        return (low is None or end is None or low < end) and (high is None or start is None or high > start)

    def _alarm(self, component: Component, low: Bound, high: Bound) -> bool:
        lo = None if low is None else low - DAY
        hi = None if high is None else high + DAY
        for found, one in enumerate(alarms(self._ringing(component), lo, hi, zones=self.zones)):
            if one.alarm is component and _open(one.at, one.at, *self.window(low, high, floats=one.floating)):
                return True
            if found == MAX_LOOKED_AT:
                raise StepBudgetError(f"more than {MAX_LOOKED_AT} ringings")
        return False

    def _ringing(self, alarm: Component) -> Component:
        """What has to be expanded for an alarm: no series where it does not ring with one."""
        holder = next((one for one in (self.whole, *self.whole.components) if alarm in one.components), None)
        if holder is None or holder is self.whole:
            return self.whole
        trigger, line = alarm.value("TRIGGER") or "", holder.first("RECURRENCE-ID")
        if trigger.strip()[:1].isdigit():
            return Component(holder.name, [*holder.lines, alarm])
        alone = line is not None and (line.param("RANGE") or "").upper() != "THISANDFUTURE"
        return holder if alone else self.whole


_KINDS: Final[Mapping[str, Callable[[Occasions, Component, Bound, Bound], bool]]] = {
    "VEVENT": Occasions._event,
    "VJOURNAL": Occasions._event,
    "VTODO": Occasions._todo,
    "VFREEBUSY": Occasions._free_busy,
    "VAVAILABILITY": Occasions._availability,
    "VALARM": Occasions._alarm,
}
"""How each kind of component touches a range; what is not here never does."""
TIMELY: Final = frozenset(_KINDS)
"""Components that a range of time may be asked of."""
