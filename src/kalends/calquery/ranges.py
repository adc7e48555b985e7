"""What range of dates a condition asks for: a bound a store can search by before it looks closer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from kalends.calquery.columns import TICK
from kalends.calquery.lower import NumberTest, lower
from kalends.calquery.plan import All, Any, Plan
from kalends.calquery.tree import Column, Compare


@dataclass(frozen=True, slots=True)
class Range:
    """Whole seconds from `low` to `high`, both included; None is without end."""

    low: int | None = None
    high: int | None = None

    def both(self, other: Range) -> Range:
        """What lies in both ranges."""
        return Range(_pick(max, self.low, other.low), _pick(min, self.high, other.high))

    def widened(self, wall: Callable[[int], int]) -> Range:
        """This range, and the wall times that a zone's clocks show in it."""
        low = None if self.low is None else min(self.low, wall(self.low))
        return Range(low, None if self.high is None else max(self.high, wall(self.high)))

    def either(self, other: Range) -> Range:
        """The smallest range around both."""
        low = None if self.low is None or other.low is None else min(self.low, other.low)
        high = None if self.high is None or other.high is None else max(self.high, other.high)
        return Range(low, high)


EVER: Final = Range()


@dataclass(frozen=True, slots=True)
class Bounds:
    """Where the dates of everything that satisfies a condition lie.

    Attributes:
        start: of DTSTART. end: of DTEND or DUE. recurrence: of RECURRENCE-ID.
    """

    start: Range = EVER
    end: Range = EVER
    recurrence: Range = EVER

    def widened(self, wall: Callable[[int], int]) -> Bounds:
        """Bounds that hold for floating times, too, whose numbers are wall times."""
        return Bounds(self.start.widened(wall), self.end.widened(wall), self.recurrence.widened(wall))

    def window(self) -> Range:
        """The window that every matching occurrence touches, as far as the condition says.

        RECURRENCE-ID counts where nothing is said of start and end: an occurrence then touches the window by
        its rule, whatever an override did to it.
        """
        if self.start == EVER == self.end:
            return self.recurrence
        return Range(_pick(max, self.start.low, self.end.low), self.start.high)


UNBOUNDED: Final = Bounds()


def bounds(plan: Plan) -> Bounds:
    """The dates a plan limits itself to; never narrower than what it selects.

    Args:
        plan: a prepared condition.

    Returns:
        Bounds in seconds since 1970 UTC; conditions that say nothing about dates are unbounded.
    """
    match plan:
        case All(parts):
            found = UNBOUNDED
            for part in parts:
                one = bounds(part)
                found = Bounds(
                    found.start.both(one.start),
                    found.end.both(one.end),
                    found.recurrence.both(one.recurrence),
                )
            return found
        case Any(parts):
            first, *rest = [bounds(part) for part in parts]
            for one in rest:
                first = Bounds(
                    first.start.either(one.start),
                    first.end.either(one.end),
                    first.recurrence.either(one.recurrence),
                )
            return first
        case Compare(Column("DTSTART", None, None)):
            return Bounds(start=_range(plan))
        case Compare(Column("DTEND" | "DUE", None, None)):
            return Bounds(end=_range(plan))
        case Compare(Column("RECURRENCE-ID", None, None)):
            return Bounds(recurrence=_range(plan))
        case _:
            return UNBOUNDED


def _range(compare: Compare) -> Range:
    test = lower(compare.column, compare.operator, compare.value)
    if not isinstance(test, NumberTest):
        return EVER
    low = test.low if test.day is None else min(test.low, test.day)
    match test.operator:
        case "=":
            return Range(low, test.high)
        case "<":
            return Range(None, test.low - 1)
        case "<=":
            return Range(None, test.high)
        case ">":
            return Range(test.high + 1, None)
        case ">=":
            return Range(low, None)
        case _:
            return EVER


def _pick(choose: Callable[[int, int], int], one: int | None, other: int | None) -> int | None:
    if one is None or other is None:
        return other if one is None else one
    return choose(one, other)


def ticks_from(prepared: Plan) -> int | None:
    """The tick before which nothing can satisfy a condition.

    Args:
        prepared: a condition, bound and planned.

    Returns:
        The smallest tick that may match; None when every tick may.

    Raises:
        QueryError: a tick that is no number.
    """
    match prepared:
        case Compare(Column(name, None, None) as column, ">" | ">=" as operator, value) if name == TICK:
            test = lower(column, operator, value)
            return test.low + (operator == ">") if isinstance(test, NumberTest) else None
        case All(parts):
            known = [first for part in parts if (first := ticks_from(part)) is not None]
            return max(known, default=None)
        case _:
            return None
