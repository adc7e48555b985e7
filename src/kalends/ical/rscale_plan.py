"""How a rule is walked that is reckoned in another calendar than the Gregorian one (RFC 7529 §4).

Years and months of such a calendar are looked at one after the other. BYMONTH makes months in YEARLY rules,
where SKIP moves a leap month that a year does not have; in rules of other frequencies it only limits.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence

from kalends.ical.budget import Budget
from kalends.ical.errors import ICalError
from kalends.ical.gregorian import weekday
from kalends.ical.moment import DAY
from kalends.ical.recur_days import days_of_month, nth_days
from kalends.ical.recur_parts import Parts
from kalends.ical.recur_plan import MAX_OFFSETS, Plan
from kalends.ical.rscale import LEAP, Reckoning, Year, covered, reckoning

_REACH = 64
"""Days that SKIP never moves an instance over: a month and a day at most."""
_YEAR_COST = 10
"""Steps for a year that is looked at."""


class _Days:
    """Which days of a year or a month fit the rule."""

    def __init__(self, parts: Parts, calendar: Reckoning, first_day: int) -> None:
        self.calendar = calendar
        self.seen: tuple[int, int, frozenset[int]] = (0, 0, frozenset())  # one value: threads share plans
        self.months, self.monthdays = parts.months, parts.monthdays
        self.makes = parts.freq in {"YEARLY", "MONTHLY"}
        self.skip = parts.skip if self.makes else ""
        self.plain = frozenset(day for n, day in parts.weekdays if not (n and self.makes))
        self.nth = tuple((n, day) for n, day in parts.weekdays if n and self.makes)
        if self.makes and not (parts.monthdays or parts.weekdays):
            year = calendar.year(calendar.year_of(first_day))
            at = bisect_right(year.starts, first_day) - 1
            self.monthdays = (first_day - year.starts[at] + 1,)
            if parts.freq == "YEARLY" and not self.months:
                self.months = (year.numbers[at],)

    def in_month(self, year: Year, at: int, *, weekdays: bool = True) -> list[int]:
        """The fitting day numbers of a year's month (0 for the first); with SKIP also beside it."""
        begin, length = year.starts[at], year.starts[at + 1] - year.starts[at]
        days: Iterable[int] = range(length)
        if self.monthdays:
            days = days_of_month(self.monthdays, length, self.skip)
        found = [begin + day for day in days]
        return self._on_weekdays(found, begin, length) if weekdays else found

    def in_year(self, number: int) -> list[int]:
        """The fitting day numbers of a year, or next to it where SKIP moves them; not sorted."""
        year = self.calendar.year(number)
        if self.months:
            return [day for place in self._places(number, year) for day in self.in_month(*place)]
        found = [day for at in range(len(year.numbers)) for day in self.in_month(year, at, weekdays=False)]
        return self._on_weekdays(found, year.start, year.starts[-1] - year.start)

    def fits(self, day: int) -> bool:
        """Whether a day is not ruled out: BYMONTH, BYMONTHDAY, BYDAY where they limit."""
        begin, end, fitting = self.seen
        if not begin <= day < end:
            begin, end, fitting = self.seen = self._year_around(day)
        return day in fitting

    def _year_around(self, day: int) -> tuple[int, int, frozenset[int]]:
        """From where to where a year goes, and which of its days fit."""
        calendar = self.calendar
        if not calendar.first_day <= day < calendar.end_day:
            return day, day + 1, frozenset()
        year = calendar.year(calendar.year_of(day))
        places = [at for at, number in enumerate(year.numbers) if not self.months or number in self.months]
        fitting = frozenset(one for at in places for one in self.in_month(year, at))
        return year.start, year.starts[-1], fitting

    def _places(self, number: int, year: Year) -> Iterator[tuple[Year, int]]:
        """Where the months of BYMONTH lie, a missing one moved to its neighbour."""
        for month in self.months:
            if month in year.numbers:
                yield year, year.numbers.index(month)
            elif self.skip == "BACKWARD":
                yield year, year.numbers.index(month - LEAP)
            elif self.skip == "FORWARD":
                at = year.numbers.index(month - LEAP) + 1
                if at < len(year.numbers):
                    yield year, at
                elif number < self.calendar.last:
                    yield self.calendar.year(number + 1), 0

    def _on_weekdays(self, days: list[int], begin: int, length: int) -> list[int]:
        if not (self.plain or self.nth):
            return days
        nth = nth_days(self.nth, weekday(begin), length)
        return [day for day in days if weekday(day) in self.plain or day - begin in nth]


class ScaledPlan(Plan):
    """A rule with an RSCALE bound to its DTSTART.

    Args:
        parts: the rule.
        start: DTSTART, wall seconds.
        is_date: DTSTART is a DATE.

    Raises:
        ICalError: DTSTART lies outside of what is known of the calendar.
    """

    def _choose(self) -> Callable[[int, int, Budget], Iterator[Sequence[int]]]:
        parts = self.parts
        if self.freq in {"DAILY", "WEEKLY"} and not parts.has_day_filter:
            return super()._choose()  # days and weeks are the same in every calendar
        self.calendar = calendar = reckoning(parts.scale)
        if not calendar.first_day <= self.first_day < calendar.end_day:
            first, last = covered(calendar)
            raise ICalError(f"RSCALE={parts.scale} is known from {first} to {last} only")
        found = _Days(parts, calendar, self.first_day)
        self.found, self.fits = found, found.fits
        if self.freq == "DAILY":
            return self._by_week_or_day
        if self.freq == "WEEKLY":
            found.plain = frozenset()  # they make the week; the other parts limit
            return super()._choose()
        return self._by_period

    def _by_period(self, lo: int, hi: int, budget: Budget) -> Iterator[Sequence[int]]:
        """YEARLY and MONTHLY: the days of each period, in order although SKIP may move some out of theirs."""
        first = max(lo // DAY - _REACH, self.calendar.first_day, self.first_day)
        periods = (self._years if self.freq == "YEARLY" else self._months)(first, hi // DAY + 2, budget)
        if self.setpos:
            chosen = (
                (begin * DAY, [begin * DAY + off for off in self._pick([day - begin for day in days])])
                for begin, days in periods
            )
            yield from _in_order(chosen, DAY)
            return
        for days in _in_order(periods, 1):
            if len(days) * len(self.times) > MAX_OFFSETS:
                yield from self._day_by_day(0, days)
            else:
                yield [day * DAY + clock for day in days for clock in self.times]

    def _years(self, first: int, end: int, budget: Budget) -> Iterator[tuple[int, list[int]]]:
        calendar, interval = self.calendar, self.interval
        origin = calendar.year_of(self.first_day)
        number = calendar.year_of(first)
        number += (origin - number) % interval
        while number <= calendar.last:
            budget.spend(_YEAR_COST)
            begin = calendar.year(number).start
            if begin >= end:
                return
            yield begin, sorted(set(self.found.in_year(number)))
            number += interval

    def _months(self, first: int, end: int, budget: Budget) -> Iterator[tuple[int, list[int]]]:
        calendar, interval, wanted = self.calendar, self.interval, self.found.months
        origin = calendar.year_of(self.first_day)
        at = calendar.before(origin) + bisect_right(calendar.year(origin).starts, self.first_day)
        number = calendar.year_of(first)
        year = calendar.year(number)
        here = bisect_right(year.starts, first) - 1
        here += (at - 1 - calendar.before(number) - here) % interval
        while True:
            while here >= len(year.numbers):
                here -= len(year.numbers)
                number += 1
                if number > calendar.last:
                    return
                budget.spend(_YEAR_COST)
                year = calendar.year(number)
                if year.start >= end:
                    return
            begin = year.starts[here]
            if begin >= end:
                return
            if not wanted or year.numbers[here] in wanted:
                budget.spend(1)
                yield begin, sorted(self.found.in_month(year, here))
            here += interval


def _in_order(periods: Iterable[tuple[int, list[int]]], day: int) -> Iterator[list[int]]:
    """The values of all periods once and ascending, although some lie beside their period.

    Args:
        periods: where each begins, and its values; no value lies more than a day before its period.
        day: how much a day counts.
    """
    held: list[int] = []
    for begin, values in periods:
        ready = [value for value in held if value < begin - day]
        if ready:
            yield ready
            held = held[len(ready) :]
        held = sorted({*held, *values})
    yield held
