"""Recurrence rules: RECUR values and the instances they stand for (RFC 5545 §3.3.10, §3.8.5.3).

Choices where the RFC leaves room, or is read differently by different programs:

* A rule is evaluated on the wall clock, sub-daily frequencies too; each instance is then an explicit local
  time (§3.3.5). `occurrences` says what becomes of those in a DST gap.
* BYMONTH, BYWEEKNO, BYYEARDAY and BYMONTHDAY with a frequency that "MUST NOT" have them limit its instances.
  Ordinals in BYDAY with a frequency other than MONTHLY and YEARLY, or beside BYWEEKNO, are ignored.
* A rule gives what fits the rule; that DTSTART itself always is an instance is the business of `occurrences`.
* BYSECOND=60 is 59 (§3.3.12). RSCALE (RFC 7529) is understood for the calendars of `rscale`, and SKIP with it
  where a day that its month does not have comes from BYMONTHDAY or DTSTART.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from kalends.ical.budget import STEP_BUDGET, Budget
from kalends.ical.errors import ICalError
from kalends.ical.moment import DAY, FIRST_WALL, LAST_WALL, Moment, from_datetime, parse_moment, to_datetime
from kalends.ical.recur_parts import UNITS, Parts
from kalends.ical.recur_plan import Plan
from kalends.ical.rscale import LEAP, known, reckoning, scales
from kalends.ical.rscale_plan import ScaledPlan
from kalends.ical.tzfile import Zone

MAX_NUMBER = 1_000_000_000
"""Largest INTERVAL and COUNT: beyond any calendar, and safe to compute with."""
MAX_RULE = 10_000
"""Longest RECUR text, in characters: every BY list written out in full stays below it."""
PLANS_KEPT = 128
"""Bound rules kept ready: the recurring objects a few clients are looking at."""
RULES_KEPT = 512
"""Parsed rules kept: most calendars use the same few dozen texts."""

FREQUENCIES = ("SECONDLY", "MINUTELY", "HOURLY", "DAILY", "WEEKLY", "MONTHLY", "YEARLY")
WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


@dataclass(frozen=True, slots=True)
class Rule(Parts):
    """A RECUR value.

    Attributes:
        count: COUNT, or None.
        until: UNTIL as written (DATE, local or UTC), or None.
        extra: X- parts as written, kept for writing back.
    """

    count: int | None = None
    until: Moment | None = None
    extra: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Rule:
        """Read a RECUR value.

        Parts may come in any order and case; a COUNT beside an UNTIL is kept, whichever ends first counts.

        Raises:
            ICalError: an unknown part, a part that stands twice, a number out of range, no FREQ.

        Source: RFC 5545 §3.3.10.
        """
        return _parse(text)

    def __str__(self) -> str:
        """The rule as it stands on the wire, FREQ first."""
        out = [f"FREQ={self.freq}"]
        if self.until is not None:
            out.append(f"UNTIL={self.until}")
        if self.count is not None:
            out.append(f"COUNT={self.count}")
        if self.interval != 1:
            out.append(f"INTERVAL={self.interval}")
        for name, (field, _, _) in _LISTS.items():
            values: tuple[int, ...] = getattr(self, field)
            if values:
                shown = (f"{n - LEAP}L" if name == "BYMONTH" and n > LEAP else str(n) for n in values)
                out.append(f"{name}={','.join(shown)}")
            if name == "BYHOUR" and self.weekdays:
                days = (f"{n or ''}{WEEKDAYS[day]}" for n, day in self.weekdays)
                out.append(f"BYDAY={','.join(days)}")
        if self.wkst:
            out.append(f"WKST={WEEKDAYS[self.wkst]}")
        if self.skip or self.scale:
            out.append(f"RSCALE={self.scale or 'GREGORIAN'}")
        if self.skip:
            out.append(f"SKIP={self.skip}")
        return ";".join([*out, *self.extra])

    def until_wall(self, is_date: bool, zone: Zone | None = None) -> int | None:
        """The last wall second UNTIL allows.

        A DATE beside a DATE-TIME start lasts to the end of that day; a DATE-TIME beside a DATE start is cut
        to its day; a UTC time is taken to the zone, or as it stands for floating starts.

        Args:
            is_date: DTSTART is a DATE.
            zone: DTSTART's zone; None for a UTC or floating one.
        """
        until = self.until
        if until is None:
            return None
        if until.is_date:
            return until.wall + DAY - 1
        if is_date:
            return until.wall - until.wall % DAY + DAY - 1
        if not until.utc or zone is None:
            return until.wall
        wall = zone.wall(until.wall)
        return wall + until.wall - zone.epoch(wall)  # after a fold's first pass all of that pass is before it

    def fits(self, start: int, *, is_date: bool = False, budget: Budget | None = None) -> bool:
        """Whether DTSTART (wall seconds) is itself an instance of the rule."""
        chunks = bind(self, start, is_date).chunks(start, start + 1, budget or Budget())
        return next(chunks, None) is not None

    def chunks(
        self,
        start: int,
        lo: int,
        hi: int,
        *,
        is_date: bool = False,
        zone: Zone | None = None,
        count_start: bool = False,
        budget: Budget | None = None,
    ) -> Iterator[Sequence[int]]:
        """The instances lo <= wall < hi as ascending sequences: the fast form of `starts`.

        Args:
            start: DTSTART, wall seconds.
            lo: wall seconds, included.
            hi: wall seconds, not included.
            is_date: DTSTART is a DATE.
            zone: DTSTART's zone, for a UTC UNTIL.
            count_start: a DTSTART that does not fit the rule uses up one of COUNT (it is not given here).
            budget: steps are taken from it; a new one of STEP_BUDGET when None.

        Raises:
            StepBudgetError: the question takes too many steps.
        """
        plan = bind(self, start, is_date)
        budget = budget or Budget()
        until = self.until_wall(is_date, zone)
        if until is not None:
            hi = min(hi, until + 1)
        if self.count is not None and lo < hi:
            last = _last_counted(self, start, is_date, count_start, budget)
            if last is not None:
                hi = min(hi, last + 1)
        yield from plan.chunks(lo, hi, budget)

    def walls(
        self, start: int, lo: int, hi: int, *, is_date: bool = False, budget: Budget | None = None
    ) -> Iterator[int]:
        """The instances lo <= wall < hi, one by one; arguments as for `chunks`."""
        for chunk in self.chunks(start, lo, hi, is_date=is_date, budget=budget):
            yield from chunk

    def starts(
        self,
        dtstart: dt.date,
        lo: dt.date | None = None,
        hi: dt.date | None = None,
        budget: int = STEP_BUDGET,
    ) -> Iterator[dt.date]:
        """The instances as Python values.

        Args:
            dtstart: a date or a naive datetime; the instances are of the same kind.
            lo: first moment asked for, None for the start.
            hi: moment from which on nothing is asked for, None for no end.
            budget: steps allowed.

        Raises:
            StepBudgetError: the question takes too many steps.
        """
        begin = from_datetime(dtstart)
        first = FIRST_WALL if lo is None else from_datetime(lo).wall
        last = LAST_WALL + 1 if hi is None else from_datetime(hi).wall
        convert: Callable[[int], dt.date] = _to_date if begin.is_date else to_datetime
        for wall in self.walls(begin.wall, first, last, is_date=begin.is_date, budget=Budget(budget)):
            yield convert(wall)

    def last(
        self,
        start: int,
        *,
        is_date: bool = False,
        zone: Zone | None = None,
        count_start: bool = False,
        budget: Budget | None = None,
    ) -> int | None:
        """A wall second at or after the last instance: exact for COUNT, UNTIL itself otherwise.

        Returns:
            Wall seconds, or None for a rule that goes on for ever.

        Raises:
            StepBudgetError: counting takes too many steps.
        """
        ends = [self.until_wall(is_date, zone)]
        if self.count is not None:
            ends.append(_last_counted(self, start, is_date, count_start, budget or Budget()))
            if ends == [None, None]:  # fewer instances than COUNT before the year 9999
                return LAST_WALL
        return min((end for end in ends if end is not None), default=None)


def _to_date(wall: int) -> dt.date:
    return to_datetime(wall).date()


@lru_cache(PLANS_KEPT)
def bind(rule: Parts, start: int, is_date: bool) -> Plan:
    """The plan of a rule from a DTSTART (wall seconds), kept for the next question."""
    return ScaledPlan(rule, start, is_date) if rule.scale else Plan(rule, start, is_date)


_COUNTED: dict[tuple[Rule, int, bool, bool], int | None] = {}


def _last_counted(rule: Rule, start: int, is_date: bool, count_start: bool, budget: Budget) -> int | None:
    """The last of COUNT instances, wall seconds; None when the rule never has so many."""
    key = (rule, start, is_date, count_start)
    if key in _COUNTED:
        return _COUNTED[key]
    assert rule.count is not None
    count = rule.count
    if count_start and not rule.fits(start, is_date=is_date, budget=budget):
        count -= 1
    last = bind(rule, start, is_date).nth(count, budget) if count else start
    if len(_COUNTED) >= PLANS_KEPT:
        _COUNTED.clear()
    _COUNTED[key] = last
    return last


# --- reading ---

_LISTS = {
    # part: field of Parts, largest value, signed (else from zero up)
    "BYSECOND": ("seconds", 60, False),
    "BYMINUTE": ("minutes", 59, False),
    "BYHOUR": ("hours", 23, False),
    "BYMONTHDAY": ("monthdays", 31, True),
    "BYYEARDAY": ("yeardays", 366, True),
    "BYWEEKNO": ("weeknos", 53, True),
    "BYMONTH": ("months", 12, False),  # read last: what months there are depends on RSCALE
    "BYSETPOS": ("setpos", 366, True),
}


_TWELVE = frozenset(range(1, 13))


def _number(text: str, name: str, low: int, high: int) -> int:
    digits = text[1:] if text[:1] in {"+", "-"} and low < 0 else text
    if digits.isascii() and digits.isdigit() and len(digits) <= 10:
        value = int(text)
        if low <= value <= high and (value or low == 0):
            return value
    raise ICalError(f"{name}={text[:20]}: a number from {low or 0} to {high} is needed")


def _numbers(text: str, name: str) -> tuple[int, ...]:
    _, high, signed = _LISTS[name]
    low = -high if signed else 0
    return tuple(dict.fromkeys(_number(item.strip(), name, low, high) for item in text.split(",")))


def _months(text: str, scale: str) -> tuple[int, ...]:
    """BYMONTH, with the months that the calendar has; 5L is LEAP + 5 (RFC 7529 §4.2)."""
    numbers = reckoning(scale).numbers if scale else _TWELVE
    highest = max(number for number in numbers if number < LEAP)
    out: dict[int, None] = {}
    for item in text.upper().split(","):
        plain = item.strip().removesuffix("L")
        number = _number(plain, "BYMONTH", 1, highest) + (LEAP if plain != item.strip() else 0)
        if number not in numbers:
            raise ICalError(f"BYMONTH={text[:20]}: leap months need a calendar (RSCALE) that has them")
        out[number] = None
    return tuple(out)


def _weekdays(text: str) -> tuple[tuple[int, int], ...]:
    out: dict[tuple[int, int], None] = {}
    for item in text.split(","):
        word = item.strip().upper()
        if word[-2:] not in WEEKDAYS:
            raise ICalError(f"BYDAY={text[:20]}: {word[:10]!r} is no weekday such as MO or -1FR")
        ordinal = _number(word[:-2], "BYDAY", -53, 53) if len(word) > 2 else 0
        out[ordinal, WEEKDAYS.index(word[-2:])] = None
    return tuple(out)


def _frequency(text: str) -> str:
    freq = text.upper()
    if freq not in FREQUENCIES:
        raise ICalError(f"FREQ={text[:20]}: one of {', '.join(FREQUENCIES)} is needed")
    return freq


def _week_start(text: str) -> int:
    if text.upper() not in WEEKDAYS:
        raise ICalError(f"WKST={text[:20]}: a weekday such as MO is needed")
    return WEEKDAYS.index(text.upper())


def _scale(text: str) -> str:
    name = known(text)
    if name is None:
        raise ICalError(f"RSCALE={text[:20]} (RFC 7529) is not supported, only RSCALE={','.join(scales())}")
    return "" if name == "GREGORIAN" else name


def _skip(text: str) -> str:
    skip = text.upper()
    if skip not in {"OMIT", "FORWARD", "BACKWARD"}:
        raise ICalError(f"SKIP={text[:20]}: OMIT, FORWARD or BACKWARD is needed")
    return "" if skip == "OMIT" else skip


def _check_scale(fields: dict[str, object]) -> None:
    """SKIP comes with RSCALE; where a day of the year or a week is not there, it is not understood."""
    if fields.get("skip") and "scale" not in fields:
        raise ICalError("SKIP needs RSCALE beside it (RFC 7529 §4.1)")
    if fields.get("skip") and ("yeardays" in fields or "weeknos" in fields):
        raise ICalError("SKIP beside BYYEARDAY or BYWEEKNO is not supported")
    scale = str(fields.get("scale", ""))
    if scale:
        there = {"BYYEARDAY": "yeardays" in fields, "BYWEEKNO": "weeknos" in fields}
        there[f"FREQ={fields['freq']}"] = fields["freq"] in UNITS
        for part in (part for part, is_there in there.items() if is_there):
            raise ICalError(f"{part} beside RSCALE={scale} is not supported")
    if "months" in fields:
        fields["months"] = _months(str(fields["months"]), scale)


_SINGLES: dict[str, tuple[str, Callable[[str], object]]] = {
    "FREQ": ("freq", _frequency),
    "UNTIL": ("until", parse_moment),
    "COUNT": ("count", lambda text: _number(text, "COUNT", 1, MAX_NUMBER)),
    "INTERVAL": ("interval", lambda text: _number(text, "INTERVAL", 1, MAX_NUMBER)),
    "BYDAY": ("weekdays", _weekdays),
    "WKST": ("wkst", _week_start),
    "RSCALE": ("scale", _scale),
    "SKIP": ("skip", _skip),
}


@lru_cache(RULES_KEPT)
def _parse(text: str) -> Rule:
    if len(text) > MAX_RULE:
        raise ICalError(f"a recurrence rule of more than {MAX_RULE} characters")
    fields: dict[str, object] = {}
    extra: list[str] = []
    for part in text.strip().strip(";").split(";"):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        name = name.upper()
        if not equals or not value:
            raise ICalError(f"recurrence rule part {part[:20]!r}: NAME=VALUE is needed")
        if name.startswith("X-"):
            extra.append(part)
        elif name in _LISTS:
            read_now = value if name == "BYMONTH" else _numbers(value, name)
            _set_once(fields, _LISTS[name][0], read_now, name)
        elif name in _SINGLES:
            field, read = _SINGLES[name]
            _set_once(fields, field, read(value), name)
        else:
            raise ICalError(f"unknown recurrence rule part {name[:20]!r}")
    if "freq" not in fields:
        raise ICalError("a recurrence rule without FREQ")
    _check_scale(fields)
    return Rule(extra=tuple(extra), **fields)  # type: ignore[arg-type]


def _set_once(fields: dict[str, object], field: str, value: object, name: str) -> None:
    if field in fields:
        raise ICalError(f"recurrence rule part {name} stands twice")
    fields[field] = value
