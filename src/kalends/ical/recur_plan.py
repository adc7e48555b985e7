"""How a recurrence rule is walked: straight to the asked window, a period at a time (RFC 5545 §3.3.10).

Everything is whole numbers: wall seconds since 1970 as if in UTC, and day numbers. `recur_days` knows which
days fit, so that what is left per period is an addition. Rules without calendar conditions are arithmetic
progressions and are not walked at all.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence

from kalends.ical.budget import Budget
from kalends.ical.gregorian import MONTHS_OF_CYCLE, month_of, month_start, weekday, year_start
from kalends.ical.moment import DAY, LAST_WALL
from kalends.ical.recur_clock import SubDaily
from kalends.ical.recur_days import FittingDays
from kalends.ical.recur_parts import UNITS, Parts

MAX_OFFSETS = 800
"""Most instances of one period kept as a list; larger sets are made a day at a time."""
BATCH = 256
"""Instances gathered before they are handed on."""
_MONTH = 32 * DAY
"""Seconds that no month lasts."""
_NONE: list[int] = []


class Plan:
    """A rule bound to its DTSTART, ready to be asked for windows.

    COUNT and UNTIL are not part of the plan: `nth` finds where a COUNT ends.

    Args:
        parts: the rule.
        start: DTSTART, wall seconds.
        is_date: DTSTART is a DATE: times of day are ignored, and a frequency below a day is read as DAILY
            with the interval rounded up to whole days.
    """

    def __init__(self, parts: Parts, start: int, is_date: bool) -> None:
        freq, interval = parts.freq, parts.interval
        if is_date and freq in UNITS:
            freq, interval = "DAILY", -(-interval * UNITS[freq] // DAY)
        self.freq, self.interval, self.start, self.is_date = freq, interval, start, is_date
        self.parts = parts
        self.setpos = parts.setpos
        self.first_day, clock = divmod(start, DAY)
        self.wkst = parts.wkst
        self.times = [0] if is_date else self._clock_times(clock)
        weekdays = parts.weekdays
        if freq == "WEEKLY":
            weekdays = ()  # they make the week; the other parts limit
        self.days = FittingDays(parts, self.first_day, weekdays)
        self.fits = self.days.fits
        self.offsets: dict[object, list[int] | None] = {}
        self.period = 0
        self.origin = 0
        self.pattern: list[int] = []
        self.walk = self._choose()

    # --- preparation ---

    def _clock_times(self, clock: int) -> list[int]:
        """The times of day, in seconds, of a rule that repeats by the day or more."""
        if self.freq in UNITS:
            return []
        parts = self.parts
        hours = parts.hours or (clock // 3600,)
        minutes = parts.minutes or (clock // 60 % 60,)
        seconds = parts.seconds or (clock % 60,)
        return sorted({h * 3600 + m * 60 + min(s, 59) for h in hours for m in minutes for s in seconds})

    def _choose(self) -> Callable[[int, int, Budget], Iterator[Sequence[int]]]:
        """The cheapest way to walk this rule."""
        parts = self.parts
        if self.freq in UNITS:
            clock = SubDaily(parts, self.start, self.days)
            if clock.walk is None:
                self.origin, self.period, self.pattern = clock.origin, clock.step, clock.within
            return clock.walk or self._periodic
        if self.freq == "DAILY":
            if not parts.has_day_filter and not parts.weekdays:
                if self._make_periodic(self.first_day, self.interval, [0]):
                    return self._periodic
                return self._by_week_or_day
            return self._by_week_or_day if self.setpos or len(self.times) > 1 else self._daily
        if self.freq == "WEEKLY":
            days = {(day - self.wkst) % 7 for _, day in parts.weekdays}
            self.week = sorted(days) or [(weekday(self.first_day) - self.wkst) % 7]
            begin = self.first_day - (weekday(self.first_day) - self.wkst) % 7
            if not parts.has_day_filter and self._make_periodic(begin, 7 * self.interval, self.week):
                return self._periodic
            return self._by_week_or_day
        if self.freq == "YEARLY":
            return self._yearly
        return self._skipping if self.days.skip else self._monthly

    def _make_periodic(self, begin: int, days: int, pattern: list[int]) -> bool:
        """Take the rule as a progression, if one period holds few enough instances."""
        if len(pattern) * len(self.times) > MAX_OFFSETS:
            return False
        self.origin, self.period = begin * DAY, days * DAY
        self.pattern = self._pick(pattern)
        return True

    def _pick(self, days: Sequence[int]) -> list[int]:
        """Seconds of the instances on these days of a period, BYSETPOS applied."""
        times = self.times
        if not self.setpos:
            if len(times) == 1:
                clock = times[0]
                return [day * DAY + clock for day in days]
            return [day * DAY + clock for day in days for clock in times]
        size, width = len(days) * len(times), len(times)
        at = {p - 1 if p > 0 else size + p for p in self.setpos}
        return [days[i // width] * DAY + times[i % width] for i in sorted(at) if 0 <= i < size]

    # --- questions ---

    def chunks(self, lo: int, hi: int, budget: Budget) -> Iterator[Sequence[int]]:
        """The instances lo <= wall < hi, never before DTSTART, in ascending sequences.

        Args:
            lo: wall seconds, included.
            hi: wall seconds, not included.
            budget: steps are taken from it while walking.

        Raises:
            StepBudgetError: the walk takes too many steps.
        """
        lo, hi = max(lo, self.start), min(hi, LAST_WALL + 1)
        if lo >= hi:
            return
        for chunk in self.walk(lo, hi, budget):
            if not chunk:
                continue
            if chunk[0] < lo or chunk[-1] >= hi:
                chunk = chunk[bisect_left(chunk, lo) : bisect_left(chunk, hi)]  # noqa: PLW2901 (clipped)
                if not chunk:
                    continue
            if len(chunk) <= BATCH:
                budget.spend(len(chunk))
                yield chunk
            else:
                for at in range(0, len(chunk), BATCH):
                    budget.spend(BATCH)
                    yield chunk[at : at + BATCH]

    def nth(self, count: int, budget: Budget) -> int | None:
        """Where the count-th instance lies.

        Args:
            count: at least 1.
            budget: steps are taken from it while counting.

        Returns:
            Wall seconds, or None when the rule ends (year 9999) or never has so many.

        Raises:
            StepBudgetError: counting takes too many steps.
        """
        if self.pattern:
            first = len(self.pattern) - bisect_left(self.pattern, self.start - self.origin)
            if count <= first:
                return self.origin + self.pattern[len(self.pattern) - first + count - 1]
            periods, at = divmod(count - first - 1, len(self.pattern))
            wall = self.origin + (periods + 1) * self.period + self.pattern[at]
            return wall if wall <= LAST_WALL else None
        for chunk in self.chunks(self.start, LAST_WALL + 1, budget):
            if len(chunk) >= count:
                return chunk[count - 1]
            count -= len(chunk)
        return None

    # --- walks: each yields ascending sequences that cover lo..hi and may stick out of it ---

    def _periodic(self, lo: int, hi: int, _: Budget) -> Iterator[Sequence[int]]:
        pattern, period, origin = self.pattern, self.period, self.origin
        if not pattern:
            return
        first = origin + (lo - origin) // period * period
        if len(pattern) == 1:
            wall = first + pattern[0]
            yield range(wall if wall >= lo else wall + period, hi, period)
            return
        step = period * max(1, BATCH // len(pattern))
        for begin in range(first, hi, step):
            yield [base + off for base in range(begin, min(begin + step, hi), period) for off in pattern]

    def _offsets_of(self, key: object, days: Sequence[int]) -> list[int] | None:
        """A period's instances as seconds from its start; None when there are too many for a list."""
        if key not in self.offsets:
            few = self.setpos or len(days) * len(self.times) <= MAX_OFFSETS
            self.offsets[key] = self._pick(days) if few else None
        return self.offsets[key]

    def _monthly(self, lo: int, hi: int, budget: Budget) -> Iterator[Sequence[int]]:
        first = month_of(self.first_day)
        at = month_of(lo // DAY) - first
        out: list[int] = []
        barren = 0
        days_of, interval, months = self.days, self.interval, self.days.months
        by_year = bool(days_of.weeknos or days_of.yeardays)
        known: dict[object, list[int] | None] = self.offsets
        for month in range(first + -(-at // interval) * interval, month_of((hi - 1) // DAY) + 1, interval):
            begin = month_start(month)
            shape = month if by_year else (month_start(month + 1) - begin) * 7 + begin % 7
            offsets = known.get(shape) if not months or month % 12 + 1 in months else _NONE
            if offsets is None:
                days = days_of.in_month(month)
                offsets = self._offsets_of(shape, days)
                if offsets is None:
                    yield from self._day_by_day(begin, days)
                    continue
                if by_year:
                    del known[shape]  # one entry for each month of history would be too many
            if not offsets:
                barren += 1
                if barren > MONTHS_OF_CYCLE:
                    return  # the calendar repeats: there never is one
                budget.spend(1)
                continue
            barren = 0
            base = begin * DAY
            out += [base + off for off in offsets]
            if len(out) >= BATCH:
                yield out
                out = []
        yield out

    def _skipping(self, lo: int, hi: int, budget: Budget) -> Iterator[Sequence[int]]:
        """Months whose instances may fall on the next one's first day, or on the last of the one before."""
        held: list[int] = []
        for chunk in self._monthly(lo - _MONTH, hi + _MONTH, budget):
            if not chunk:
                continue
            values = sorted({*held, *chunk})
            cut = bisect_left(values, values[-1] - 2 * DAY)  # what follows may come again, or come before
            held = values[cut:]
            yield values[:cut]
        yield held

    def _yearly(self, lo: int, hi: int, budget: Budget) -> Iterator[Sequence[int]]:
        first = month_of(self.first_day) // 12
        at = month_of(lo // DAY) // 12 - first
        out: list[int] = []
        barren = 0
        interval = self.interval
        for year in range(
            first + -(-at // interval) * interval, month_of((hi - 1) // DAY) // 12 + 1, interval
        ):
            days = self.days.in_year(year)
            budget.spend(1)
            if not days:
                barren += 1
                if barren > 400:
                    return  # the calendar repeats: there never is one
                continue
            barren = 0
            base = year_start(year) * DAY
            offsets = self._offsets_of(id(days), days)
            if offsets is None:
                yield from self._day_by_day(base // DAY, days)
                continue
            out += [base + off for off in offsets]
            if len(out) >= BATCH:
                yield out
                out = []
        yield out

    def _day_by_day(self, begin: int, days: Sequence[int]) -> Iterator[list[int]]:
        for day in days:
            base = (begin + day) * DAY
            yield [base + clock for clock in self.times]

    def _daily(self, lo: int, hi: int, budget: Budget) -> Iterator[Sequence[int]]:
        """DAILY with conditions on the day and one time of day: a year at a time."""
        clock, interval = self.times[0], self.interval
        last = (hi - 1) // DAY
        barren = 0
        for year in range(month_of(lo // DAY) // 12, month_of(last) // 12 + 1):
            days = self.days.in_year(year)
            barren = 0 if days else barren + 1
            if barren > 400:
                return
            begin = year_start(year)
            if interval == 1:
                base = begin * DAY + clock
                yield [base + day * DAY for day in days]
                continue
            budget.spend(1 + len(days) // 8)
            phase = (self.first_day - begin) % interval
            yield [(begin + day) * DAY + clock for day in days if day % interval == phase]

    def _by_week_or_day(self, lo: int, hi: int, budget: Budget) -> Iterator[Sequence[int]]:
        """WEEKLY and DAILY with conditions and BYSETPOS or many times of day: a period at a time."""
        if self.freq == "WEEKLY":
            begin, span, week = self.first_day - (weekday(self.first_day) - self.wkst) % 7, 7, self.week
        else:
            begin, span, week = self.first_day, 1, [0]
        step = span * self.interval
        at = (lo // DAY - begin) // step * step + begin
        always = not self.parts.has_day_filter and (self.freq == "WEEKLY" or not self.parts.weekdays)
        for period in range(at, (hi - 1) // DAY + 1, step):
            budget.spend(1)
            days = week if always else [day for day in week if self.fits(period + day)]
            if self.setpos or len(days) * len(self.times) <= MAX_OFFSETS:
                base = period * DAY
                yield [base + off for off in self._pick(days)]
            else:
                yield from self._day_by_day(period, days)
