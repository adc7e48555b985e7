"""Day numbers of months and years in the Gregorian calendar, counted from 1970-01-01."""

from __future__ import annotations

MONTHS_OF_CYCLE = 4800
"""Months of 400 years, after which the calendar repeats."""
DAYS_OF_CYCLE = 146_097
"""Days of 400 years: a whole number of weeks, so weekdays repeat as well."""
MONTH_LENGTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
"""Days of the months of a common year."""
_DAYS_BEFORE_1970 = 719_528
"""From 0000-01-01 (proleptic) to 1970-01-01."""


def is_leap(year: int) -> bool:
    """Whether the year has 366 days."""
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def days_in_month(year: int, month: int) -> int:
    """Days of a month, 1 to 12."""
    return 29 if month == 2 and is_leap(year) else MONTH_LENGTHS[month - 1]


def _cycle() -> list[int]:
    """First day of each month of the years 0 to 399, from 0000-01-01."""
    starts: list[int] = []
    day = 0
    for year in range(400):
        for month in range(1, 13):
            starts.append(day)
            day += days_in_month(year, month)
    return starts


_STARTS = _cycle()


def month_start(index: int) -> int:
    """The day number of a month's first day.

    Args:
        index: `year * 12 + month - 1`.
    """
    cycle, at = divmod(index, MONTHS_OF_CYCLE)
    return _STARTS[at] + cycle * DAYS_OF_CYCLE - _DAYS_BEFORE_1970


def year_start(year: int) -> int:
    """The day number of 1 January."""
    cycle, at = divmod(year, 400)
    return _STARTS[at * 12] + cycle * DAYS_OF_CYCLE - _DAYS_BEFORE_1970


def month_of(day: int) -> int:
    """The month a day number falls in, as `year * 12 + month - 1`."""
    cycle, rest = divmod(day + _DAYS_BEFORE_1970, DAYS_OF_CYCLE)
    guess = min(rest * 4800 // DAYS_OF_CYCLE, 4799)
    while _STARTS[guess] > rest:
        guess -= 1
    while guess < 4799 and _STARTS[guess + 1] <= rest:
        guess += 1
    return cycle * MONTHS_OF_CYCLE + guess


def weekday(day: int) -> int:
    """The weekday of a day number, 0 is Monday."""
    return (day + 3) % 7
