"""Which days fit a recurrence rule (RFC 5545 §3.3.10).

Whether a day fits depends only on the shape of its year (leap or not, weekday of 1 January) or month, so the
fitting days of a shape are found once and reused.
"""

from __future__ import annotations

from bisect import bisect_left

from kalends.ical.gregorian import (
    MONTH_LENGTHS,
    days_in_month,
    is_leap,
    month_of,
    month_start,
    weekday,
    year_start,
)
from kalends.ical.recur_parts import Parts

MonthShape = tuple[int, int]
"""Length of a month, weekday of its first day."""
YearShape = tuple[bool, int, bool, bool]
"""Leap year, weekday of 1 January, leap year before and after (weeks reach into them)."""


class FittingDays:
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
