"""How a recurrence rule is walked: straight to the asked window, a period at a time (RFC 5545 §3.3.10).

Everything is whole numbers: wall seconds since 1970 as if in UTC, and day numbers. Whether a day fits a rule
depends only on the shape of its year (leap or not, weekday of 1 January) or month, so the fitting days of a
shape are found once and reused; what is left per period is an addition. Rules without calendar conditions are
arithmetic progressions and are not walked at all.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from kalends.ical.errors import StepBudgetError
from kalends.ical.gregorian import (
    MONTH_LENGTHS,
    MONTHS_OF_CYCLE,
    days_in_month,
    is_leap,
    month_of,
    month_start,
    weekday,
    year_start,
)
from kalends.ical.moment import DAY, LAST_WALL

STEP_BUDGET = 500_000
"""Steps (a period looked at, a candidate tried, an instance given) one question may take: under a second."""
MAX_OFFSETS = 800
"""Most instances of one period kept as a list; larger sets are made a day at a time."""
BATCH = 256
"""Instances gathered before they are handed on."""

UNITS = {"SECONDLY": 1, "MINUTELY": 60, "HOURLY": 3600}
"""Seconds of one interval of the frequencies below a day."""

_MONTH = 32 * DAY
"""Seconds that no month lasts."""
_NONE: list[int] = []

MonthShape = tuple[int, int]
"""Length of a month, weekday of its first day."""
YearShape = tuple[bool, int, bool, bool]
"""Leap year, weekday of 1 January, leap year before and after (weeks reach into them)."""


class Budget:
    """Counts steps down and stops a walk that takes too many.

    Args:
        steps: how many are allowed.
    """

    __slots__ = ("left", "steps")

    def __init__(self, steps: int = STEP_BUDGET) -> None:
        self.steps = self.left = steps

    def spend(self, steps: int) -> None:
        """Take off so many steps.

        Raises:
            StepBudgetError: none are left.
        """
        self.left -= steps
        if self.left < 0:
            raise StepBudgetError(
                f"the recurrence needs more than {self.steps} steps to answer this question"
            )


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of a rule that decide its instances; empty tuples where a part is absent.

    Attributes:
        freq: SECONDLY to YEARLY. interval: at least 1. wkst: first day of the week, 0 is Monday.
        weekdays: (ordinal or 0, weekday with 0 for Monday). The other BY parts: numbers as written.
        skip: what becomes of a day that its month does not have: '' for nothing, FORWARD for the first of
            the next month, BACKWARD for the last day (RFC 7529 §4.1).
        scale: the calendar it is reckoned in, '' for the Gregorian one; months are then numbers of `rscale`.
    """

    freq: str
    interval: int = 1
    seconds: tuple[int, ...] = ()
    minutes: tuple[int, ...] = ()
    hours: tuple[int, ...] = ()
    weekdays: tuple[tuple[int, int], ...] = ()
    monthdays: tuple[int, ...] = ()
    yeardays: tuple[int, ...] = ()
    weeknos: tuple[int, ...] = ()
    months: tuple[int, ...] = ()
    setpos: tuple[int, ...] = ()
    wkst: int = 0
    skip: str = ""
    scale: str = ""

    @property
    def has_day_filter(self) -> bool:
        """Whether anything but the weekday decides which days fit."""
        return bool(self.monthdays or self.yeardays or self.weeknos or self.months)


class _Days:
    """Which days fit the BY parts from BYMONTH to BYDAY, found per shape of year or month."""

    def __init__(self, parts: Parts, first_day: int, weekdays: tuple[tuple[int, int], ...]) -> None:
        self.weekdays = weekdays
        self.months = frozenset(parts.months)
        self.monthdays = parts.monthdays
        self.yeardays = parts.yeardays
        self.weeknos = frozenset(parts.weeknos)
        self.wkst = parts.wkst
        self.yearly = parts.freq == "YEARLY"
        self.skip = parts.skip if parts.freq in {"YEARLY", "MONTHLY"} else ""
        self.ordinals = parts.freq in {"YEARLY", "MONTHLY"} and not parts.weeknos
        self.of_year: dict[YearShape, list[int]] = {}
        self.of_month: dict[MonthShape, list[int]] = {}
        if parts.freq in {"YEARLY", "MONTHLY"}:
            self._default_to(first_day)
        self.plain = frozenset(day for n, day in self.weekdays if not (n and self.ordinals))
        self.nth = tuple((n, day) for n, day in self.weekdays if n and self.ordinals)

    def _default_to(self, first_day: int) -> None:
        """What the rule leaves open comes from DTSTART."""
        if self.weekdays or self.monthdays or self.yeardays:
            return
        if self.weeknos:
            self.weekdays = ((0, weekday(first_day)),)
            return
        month = month_of(first_day)
        self.monthdays = (first_day - month_start(month) + 1,)
        if self.yearly and not self.months:
            self.months = frozenset((month % 12 + 1,))

    def in_year(self, year: int) -> list[int]:
        """The fitting days of a year, ascending, 0 for 1 January."""
        begin = year_start(year)
        shape = (is_leap(year), weekday(begin), is_leap(year - 1), is_leap(year + 1))
        days = self.of_year.get(shape)
        if days is None:
            days = self.of_year[shape] = self._find_in_year(begin, shape[0], shape[1])
        return days

    def in_month(self, index: int) -> list[int]:
        """The fitting days of a month (`year * 12 + month - 1`), ascending, 0 for the first."""
        year, month = divmod(index, 12)
        if self.months and month + 1 not in self.months:
            return []
        if self.yeardays or self.weeknos:
            first = month_start(index) - year_start(year)
            length = days_in_month(year, month + 1)
            return [day - first for day in self.in_year(year) if first <= day < first + length]
        shape = (days_in_month(year, month + 1), weekday(month_start(index)))
        days = self.of_month.get(shape)
        if days is None:
            days = self.of_month[shape] = self._find_in_month(*shape)
        return days

    def fits(self, day: int) -> bool:
        """Whether one day number fits."""
        year = month_of(day) // 12
        days, at = self.in_year(year), day - year_start(year)
        found = bisect_left(days, at)
        return found < len(days) and days[found] == at

    def _find_in_month(self, length: int, first: int) -> list[int]:
        found = self._of_monthdays(length) if self.monthdays else list(range(length))
        if self.weekdays:
            nth = nth_days(self.nth, first, length)
            found = [day for day in found if (day + first) % 7 in self.plain or day in nth]
        return sorted(found)

    def _find_in_year(self, begin: int, leap: bool, first: int) -> list[int]:
        length = 366 if leap else 365
        by_year = self.yearly and not self.months
        found: list[int] = []
        start = 0
        for month, usual in enumerate(MONTH_LENGTHS, 1):
            size = 29 if leap and month == 2 else usual
            if not self.months or month in self.months:
                found += [start + day for day in self._in_month_of_year(size, (first + start) % 7, by_year)]
            start += size
        if self.yeardays:
            wanted = {n - 1 if n > 0 else length + n for n in self.yeardays}
            found = [day for day in found if day in wanted]
        if self.weeknos:
            found = [day for day in found if self._week_fits(begin + day)]
        if self.weekdays and by_year:
            nth = nth_days(self.nth, first, length)
            found = [day for day in found if (day + first) % 7 in self.plain or day in nth]
        return sorted(set(found)) if self.skip else found

    def _in_month_of_year(self, size: int, first: int, by_year: bool) -> list[int]:
        """The days of one month of a year; weekdays wait when their ordinals count through the year."""
        if not by_year:
            return self._find_in_month(size, first)
        return sorted(self._of_monthdays(size)) if self.monthdays else list(range(size))

    def _of_monthdays(self, length: int) -> list[int]:
        return days_of_month(self.monthdays, length, self.skip)

    def _week_fits(self, day: int) -> bool:
        """BYWEEKNO: the number of the week a day number lies in, in the year that owns its fourth day."""
        fourth = day - (weekday(day) - self.wkst) % 7 + 3
        year = month_of(fourth) // 12
        begin = year_start(year)
        number = (fourth - begin) // 7 + 1
        weeks = (year_start(year + 1) - 1 - begin - (fourth - begin) % 7) // 7 + 1
        return number in self.weeknos or number - weeks - 1 in self.weeknos


def days_of_month(monthdays: tuple[int, ...], length: int, skip: str) -> list[int]:
    """BYMONTHDAY in a month of that length, 0 for its first day; with SKIP up to a day outside of it."""
    days = {n - 1 if n > 0 else length + n for n in monthdays}
    if not skip:
        return [day for day in days if 0 <= day < length]
    first, last = (0, length) if skip == "FORWARD" else (-1, length - 1)
    return list({min(max(day, first), last) if not 0 <= day < length else day for day in days})


def nth_days(nth: tuple[tuple[int, int], ...], first: int, length: int) -> set[int]:
    """The days that are the n-th (from the end when negative) of their weekday in a month or year."""
    days: set[int] = set()
    for n, day in nth:
        at = (
            (day - first) % 7 + 7 * (n - 1)
            if n > 0
            else length - 1 - (first + length - 1 - day) % 7 + 7 * (n + 1)
        )
        if 0 <= at < length:
            days.add(at)
    return days


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
        self.days = _Days(parts, self.first_day, weekdays)
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
            return self._prepare_sub_daily()
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

    def _select(self, values: list[int]) -> list[int]:
        """BYSETPOS over one period's values."""
        if not self.setpos:
            return values
        at = {p - 1 if p > 0 else len(values) + p for p in self.setpos}
        return [values[i] for i in sorted(at) if 0 <= i < len(values)]

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

    # --- SECONDLY, MINUTELY, HOURLY ---

    def _prepare_sub_daily(self) -> Callable[[int, int, Budget], Iterator[Sequence[int]]]:
        parts, unit = self.parts, UNITS[self.freq]
        self.unit = unit
        self.step = unit * self.interval
        self.origin = self.start - self.start % unit
        self.within = self._within_unit()
        self.hours = frozenset(parts.hours)
        self.minutes = frozenset(parts.minutes) if unit <= 60 else frozenset()
        self.second_set = frozenset(min(s, 59) for s in parts.seconds) if unit == 1 else frozenset()
        self.day_filter = parts.has_day_filter or bool(parts.weekdays)
        if not (self.day_filter or self.hours or self.minutes or self.second_set):
            self.period, self.pattern = self.step, self.within
            return self._periodic
        return self._sparse if self.step >= DAY else self._within_days

    def _within_unit(self) -> list[int]:
        """Offsets of the instances of one hour, minute or second, BYSETPOS applied."""
        parts = self.parts
        seconds = sorted({min(s, 59) for s in parts.seconds} or {self.start % 60})
        if self.unit == 1:
            return self._select([0])
        if self.unit == 60:
            return self._select(seconds)
        minutes = sorted(set(parts.minutes) or {self.start // 60 % 60})
        return self._select([m * 60 + s for m in minutes for s in seconds])

    def _time_fits(self, clock: int) -> bool:
        return (
            (not self.hours or clock // 3600 in self.hours)
            and (not self.minutes or clock // 60 % 60 in self.minutes)
            and (not self.second_set or clock % 60 in self.second_set)
        )

    def _sparse(self, lo: int, hi: int, budget: Budget) -> Iterator[Sequence[int]]:
        """An interval of a day or more: try each."""
        first = self.origin + (lo - self.origin) // self.step * self.step
        for wall in range(first, hi, self.step):
            budget.spend(1)
            if self._time_fits(wall % DAY) and (not self.day_filter or self.days.fits(wall // DAY)):
                yield [wall + off for off in self.within]

    def _within_days(self, lo: int, hi: int, budget: Budget) -> Iterator[Sequence[int]]:
        """Day by fitting day, block by block of the size that the rule's conditions do not cut."""
        if not self.within:
            return
        block = 60 if self.minutes or self.second_set else 3600 if self.hours else DAY
        clocks = [clock for clock in range(0, DAY, block) if self._block_fits(clock)]
        for day in self._fitting_days(lo // DAY, (hi - 1) // DAY, budget):
            base = day * DAY
            for clock in clocks[bisect_left(clocks, lo - base - block + 1) : bisect_left(clocks, hi - base)]:
                budget.spend(1)
                yield self._block(base + clock, base + clock + block)

    def _block_fits(self, clock: int) -> bool:
        return (not self.hours or clock // 3600 in self.hours) and (
            not self.minutes or clock // 60 % 60 in self.minutes
        )

    def _block(self, begin: int, end: int) -> Sequence[int]:
        """The instances of a stretch of time that fits as a whole (but for BYSECOND)."""
        first = begin + (self.origin - begin) % self.step
        walls: Sequence[int] = range(first, end, self.step)
        if self.second_set:
            walls = [wall for wall in walls if wall % 60 in self.second_set]
        if self.unit == 1:
            return walls
        return [wall + off for wall in walls for off in self.within]

    def _fitting_days(self, first: int, last: int, budget: Budget) -> Iterator[int]:
        if not self.day_filter:
            yield from range(first, last + 1)
            return
        barren = 0
        for year in range(month_of(first) // 12, month_of(last) // 12 + 1):
            budget.spend(1)
            days = self.days.in_year(year)
            barren = 0 if days else barren + 1
            if barren > 400:
                return
            begin = year_start(year)
            for day in days[bisect_left(days, first - begin) : bisect_right(days, last - begin)]:
                yield begin + day
