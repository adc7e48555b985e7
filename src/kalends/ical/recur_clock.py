"""Rules that repeat within a day: SECONDLY, MINUTELY and HOURLY (RFC 5545 §3.3.10)."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence

from kalends.ical.budget import Budget
from kalends.ical.gregorian import month_of, year_start
from kalends.ical.moment import DAY
from kalends.ical.recur_days import FittingDays
from kalends.ical.recur_parts import UNITS, Parts


class SubDaily:
    """How such a rule is walked.

    Args:
        parts: the rule.
        start: DTSTART, wall seconds.
        days: the days that fit it.

    Attributes:
        origin: where its first unit begins, wall seconds.
        step: seconds from one unit to the next.
        within: seconds of its instances from the start of a unit.
        walk: gives ascending sequences that cover a window and may stick out of it; None when all units
            hold the same instances.
    """

    def __init__(self, parts: Parts, start: int, days: FittingDays) -> None:
        self._parts = parts
        self._days = days
        self._start = start
        self._unit = unit = UNITS[parts.freq]
        self.step = unit * parts.interval
        self.origin = start - start % unit
        self.within = self._within_unit()
        self._hours = frozenset(parts.hours)
        self._minutes = frozenset(parts.minutes) if unit <= 60 else frozenset()
        self._seconds = frozenset(min(s, 59) for s in parts.seconds) if unit == 1 else frozenset()
        self._day_filter = parts.has_day_filter or bool(parts.weekdays)
        self.walk: Callable[[int, int, Budget], Iterator[Sequence[int]]] | None = None
        if self._day_filter or self._hours or self._minutes or self._seconds:
            self.walk = self._sparse if self.step >= DAY else self._within_days

    def _within_unit(self) -> list[int]:
        """Offsets of the instances of one hour, minute or second, BYSETPOS applied."""
        parts = self._parts
        seconds = sorted({min(s, 59) for s in parts.seconds} or {self._start % 60})
        if self._unit == 1:
            return _select(self._parts.setpos, [0])
        if self._unit == 60:
            return _select(self._parts.setpos, seconds)
        minutes = sorted(set(parts.minutes) or {self._start // 60 % 60})
        return _select(self._parts.setpos, [m * 60 + s for m in minutes for s in seconds])

    def _time_fits(self, clock: int) -> bool:
        return (
            (not self._hours or clock // 3600 in self._hours)
            and (not self._minutes or clock // 60 % 60 in self._minutes)
            and (not self._seconds or clock % 60 in self._seconds)
        )

    def _sparse(self, lo: int, hi: int, budget: Budget) -> Iterator[Sequence[int]]:
        """An interval of a day or more: try each."""
        first = self.origin + (lo - self.origin) // self.step * self.step
        for wall in range(first, hi, self.step):
            budget.spend(1)
            if self._time_fits(wall % DAY) and (not self._day_filter or self._days.fits(wall // DAY)):
                yield [wall + off for off in self.within]

    def _within_days(self, lo: int, hi: int, budget: Budget) -> Iterator[Sequence[int]]:
        """Day by fitting day, block by block of the size that the rule's conditions do not cut."""
        if not self.within:
            return
        block = 60 if self._minutes or self._seconds else 3600 if self._hours else DAY
        clocks = [clock for clock in range(0, DAY, block) if self._block_fits(clock)]
        for day in self._fitting_days(lo // DAY, (hi - 1) // DAY, budget):
            base = day * DAY
            for clock in clocks[bisect_left(clocks, lo - base - block + 1) : bisect_left(clocks, hi - base)]:
                budget.spend(1)
                yield self._block(base + clock, base + clock + block)

    def _block_fits(self, clock: int) -> bool:
        return (not self._hours or clock // 3600 in self._hours) and (
            not self._minutes or clock // 60 % 60 in self._minutes
        )

    def _block(self, begin: int, end: int) -> Sequence[int]:
        """The instances of a stretch of time that fits as a whole (but for BYSECOND)."""
        first = begin + (self.origin - begin) % self.step
        walls: Sequence[int] = range(first, end, self.step)
        if self._seconds:
            walls = [wall for wall in walls if wall % 60 in self._seconds]
        if self._unit == 1:
            return walls
        return [wall + off for wall in walls for off in self.within]

    def _fitting_days(self, first: int, last: int, budget: Budget) -> Iterator[int]:
        if not self._day_filter:
            yield from range(first, last + 1)
            return
        barren = 0
        for year in range(month_of(first) // 12, month_of(last) // 12 + 1):
            budget.spend(1)
            days = self._days.in_year(year)
            barren = 0 if days else barren + 1
            if barren > 400:
                return
            begin = year_start(year)
            for day in days[bisect_left(days, first - begin) : bisect_right(days, last - begin)]:
                yield begin + day


def _select(setpos: tuple[int, ...], values: list[int]) -> list[int]:
    """BYSETPOS over one period's values."""
    if not setpos:
        return values
    at = {p - 1 if p > 0 else len(values) + p for p in setpos}
    return [values[i] for i in sorted(at) if 0 <= i < len(values)]
