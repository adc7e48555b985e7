"""The parts of a recurrence rule that decide its instances (RFC 5545 §3.3.10)."""

from __future__ import annotations

from dataclasses import dataclass

UNITS = {"SECONDLY": 1, "MINUTELY": 60, "HOURLY": 3600}
"""Seconds of one interval of the frequencies below a day."""


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
