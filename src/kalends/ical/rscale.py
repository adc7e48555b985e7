"""The calendars that rules may be reckoned in (RFC 7529).

Of a calendar two things are needed: on what day a year begins, and how long its months are; the rest is
counting. Where that is arithmetic, it is done here. Where the sky decides (CHINESE), tables of a library say
it: it comes with the extra `rscale` and is imported when the first rule needs it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec

from kalends.ical.gregorian import month_of, year_start
from kalends.ical.moment import DAY, LAST_WALL

LEAP = 100
"""Added to the number of a month for the leap month behind it: 105 is `5L`."""
YEARS_KEPT = 4096
"""Years whose months are kept ready: at most 200 octets for each month."""

_ALIASES = {
    "ETHIOAA": "ETHIOPIC",  # the years have other numbers, which no rule mentions
    "ETHIOPIC-AMETE-ALEM": "ETHIOPIC",
    "GREGORY": "GREGORIAN",
    "ISLAMICC": "ISLAMIC-CIVIL",
}

Months = tuple[tuple[int, int], ...]
"""The months of a year in their order: number (leap months have LEAP added), days."""


@dataclass(frozen=True, slots=True)
class Year:
    """One year of a calendar.

    Attributes:
        start: the day number of its first day.
        numbers: of its months, in order; leap months have LEAP added.
        starts: the day numbers on which they begin, and at last the one on which the next year does.
    """

    start: int
    numbers: tuple[int, ...]
    starts: tuple[int, ...]


class Reckoning:
    """A calendar, from the first to the last year that its library covers.

    Args:
        first: the first year. last: the last one.
        start: the day number on which a year begins.
        months: the months of a year.
        before: how many months lie before a year, counted from anywhere.
        numbers: the numbers of all months that any year has.
    """

    def __init__(
        self,
        first: int,
        last: int,
        start: Callable[[int], int],
        months: Callable[[int], Months],
        before: Callable[[int], int],
        numbers: frozenset[int],
    ) -> None:
        self.first, self.last, self.before, self.numbers = first, last, before, numbers
        self._start, self._months = start, months
        self.year = lru_cache(YEARS_KEPT)(self._read)
        self.first_day = start(first)
        self.end_day = start(last) + sum(days for _, days in months(last))

    def _read(self, year: int) -> Year:
        starts = [self._start(year)]
        months = self._months(year)
        for _, days in months:
            starts.append(starts[-1] + days)
        return Year(starts[0], tuple(number for number, _ in months), tuple(starts))

    def year_of(self, day: int) -> int:
        """The year a day number falls in, which has to be covered."""
        years = self.last + 1 - self.first
        year = self.first + (day - self.first_day) * years // (self.end_day - self.first_day)
        year = min(max(year, self.first), self.last)
        while self.year(year).start > day:
            year -= 1
        while self.year(year).starts[-1] <= day:
            year += 1
        return year


def _until_9999(first: int, start: Callable[[int], int]) -> tuple[int, int]:
    """The years first..last that begin before the last date there is."""
    low, high = first, 20_000
    while low + 1 < high:
        middle = (low + high) // 2
        low, high = (middle, high) if start(middle) <= LAST_WALL // DAY else (low, middle)
    return first, low


# --- Hebrew ---

_HEBREW = (1, 2, 3, 4, 5, LEAP + 5, 6, 7, 8, 9, 10, 11, 12)
"""Its months from Tishri on, so that 5L is Adar I (RFC 7529 §4.2)."""
_HEBREW_DAY_0 = -2_092_590
"""The day number that the days of `_molad` are counted from."""


def _hebrew_before(year: int) -> int:
    """The months before a year: seven of nineteen years have one more."""
    return (235 * year - 234) // 19


def _molad(year: int) -> int:
    """The day of a year's new moon, the next one after noon or where weekdays forbid it."""
    months = _hebrew_before(year)
    day = 29 * months + (12_084 + 13_753 * months) // 25_920
    return day + 1 if 3 * (day + 1) % 7 < 3 else day


def _hebrew_start(year: int) -> int:
    """1 Tishri, put off where the year or the one before would get a length that no year has."""
    last, this, after = _molad(year - 1), _molad(year), _molad(year + 1)
    put_off = 2 if after - this == 356 else 1 if this - last == 382 else 0
    return _HEBREW_DAY_0 + this + put_off


def _hebrew_months(year: int) -> Months:
    days = _hebrew_start(year + 1) - _hebrew_start(year)
    heshvan, kislev = 30 if days % 10 == 5 else 29, 29 if days % 10 == 3 else 30
    lengths = (30, heshvan, kislev, 29, 30, 30, 29, 30, 29, 30, 29, 30, 29)
    leap = days > 360
    return tuple(
        (month, length) for month, length in zip(_HEBREW, lengths, strict=True) if leap or month < LEAP
    )


def _hebrew() -> Reckoning:
    first, last = _until_9999(3761, _hebrew_start)  # the first one in the years that can be written
    return Reckoning(first, last, _hebrew_start, _hebrew_months, _hebrew_before, frozenset(_HEBREW))


# --- calendars that always have the same months ---


def _regular(first: int, start: Callable[[int], int], lengths: Callable[[int], tuple[int, ...]]) -> Reckoning:
    """Make a calendar whose years all have the same months.

    Args:
        first: its first year.
        start: the day number on which a year begins.
        lengths: of the months of a year that has so many days.
    """

    def months(year: int) -> Months:
        return tuple(enumerate(lengths(start(year + 1) - start(year)), 1))

    numbers = frozenset(number for number, _ in months(first))
    count = len(numbers)
    return Reckoning(*_until_9999(first, start), start, months, lambda year: year * count, numbers)


def _coptic() -> Reckoning:
    """Twelve months of 30 days and a short one; ETHIOPIC only counts its years from elsewhere."""
    return _regular(
        -275,  # the first year of the Ethiopic count
        lambda year: (year - 1) * 365 + year // 4 - 615_558,
        lambda days: (*[30] * 12, days - 360),
    )


def _indian() -> Reckoning:
    """The Saka era: years begin on 22 March, in leap years on the 21st."""
    return _regular(
        1, lambda year: year_start(year + 78) + 80, lambda days: (days - 335, *[31] * 5, *[30] * 6)
    )


def _islamic_civil() -> Reckoning:
    """Months of 30 and 29 days in turn; eleven of thirty years have a day more at their end."""
    return _regular(
        1,
        lambda year: (year - 1) * 354 + (3 + 11 * year) // 30 - 492_148,
        lambda days: (*[30, 29] * 5, 30, days - 325),
    )


# --- Chinese ---


_ORDINAL_1970 = 719_163
"""1970-01-01 as datetime counts days."""


def _chinese() -> Reckoning:
    """From tables: a year is named by the Gregorian one it begins in."""
    library = import_module("borax.calendars.lunardate")
    first, last = int(library.MIN_LUNAR_YEAR), int(library.MAX_LUNAR_YEAR)
    years: dict[int, Months] = {}
    starts: dict[int, int] = {}
    before: dict[int, int] = {}
    day, count = library.MIN_SOLAR_DATE.toordinal() - _ORDINAL_1970, 0
    for year in range(first, last + 1):
        months = library.LCalendars.iter_year_month(year)
        years[year] = tuple((number + LEAP * leap, days) for number, days, leap in months)
        starts[year], before[year] = day, count
        day, count = day + sum(days for _, days in years[year]), count + len(years[year])
    numbers = frozenset(range(1, 13)) | frozenset(range(LEAP + 1, LEAP + 13))
    return Reckoning(first, last, starts.__getitem__, years.__getitem__, before.__getitem__, numbers)


# --- by name ---

_MAKERS: dict[str, tuple[str, Callable[[], Reckoning]]] = {
    # CLDR's name: the library that has to be there, if any; what makes it
    "CHINESE": ("borax", _chinese),
    "COPTIC": ("", _coptic),
    "ETHIOPIC": ("", _coptic),
    "HEBREW": ("", _hebrew),
    "INDIAN": ("", _indian),
    "ISLAMIC-CIVIL": ("", _islamic_civil),
}


@lru_cache(1)
def scales() -> tuple[str, ...]:
    """The calendars that are there, GREGORIAN first: those of a library only if it is installed."""
    found = (name for name, (library, _) in _MAKERS.items() if not library or find_spec(library) is not None)
    return ("GREGORIAN", *found)


def known(text: str) -> str | None:
    """A calendar's own name, where rules may be reckoned in it.

    Args:
        text: RSCALE as written, or an alias that CLDR has for it.

    Source: RFC 7529 §5.
    """
    name = _ALIASES.get(text.upper(), text.upper())
    return name if name in scales() else None


@lru_cache(len(_MAKERS))
def reckoning(name: str) -> Reckoning:
    """The calendar of that name, which `known` gave and is not GREGORIAN."""
    return _MAKERS[name][1]()


def covered(calendar: Reckoning) -> tuple[int, int]:
    """The first and the last Gregorian year that lie wholly in what is known of a calendar."""
    first, last = month_of(calendar.first_day) // 12, month_of(calendar.end_day) // 12 - 1
    return first if year_start(first) >= calendar.first_day else first + 1, last
