"""Walking through all time where arithmetic leaves a suspicion: the proof that two objects never overlap.

What repeats is walked through once: the Gregorian calendar, and with it every rule and zone, repeats after
400 years. The walk goes from block to block of years, short ones first, for most overlaps come soon.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from kalends.core.conflicts.courses import Clashes, Stretch
from kalends.core.errors import TooComplexError
from kalends.ical.budget import Budget
from kalends.ical.errors import StepBudgetError
from kalends.ical.moment import DAY
from kalends.ical.recurrence_set import Series, read_sets
from kalends.ical.tree import Component
from kalends.ical.tzfile import CYCLE, Zone
from kalends.ical.zones import Zones
from kalends.store.base import Tx, paced
from kalends.store.spans import busy_of

STEPS = 400_000
"""Instances walked through for one question: two weekly series through 400 years ten times, or one daily and
one weekly series twice."""
FIRST_BLOCK = 2 * 366 * DAY
LONGEST_BLOCK = 40 * 366 * DAY
"""Seconds walked at a time: the first overlap is mostly near, and a block of daily instances stays small."""
STEADY = 2_145_916_800
"""2038: from here on every zone follows its last rule."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """Two instances that share time, in instants: `mine` of the first object, `other` of the second."""

    mine: Stretch
    other: Stretch


class Walk:
    """An object's instances, in instants.

    Args:
        whole: its VCALENDAR.
        zone: the calendar's, for floating times.
        tx: the transaction this is done in: its deadline counts.
    """

    def __init__(self, whole: Component, zone: Zone | None, tx: Tx) -> None:
        self.tx = tx
        self._sets: list[Series] = list(read_sets(whole, Zones(whole)))
        self._zone = zone
        self._kinds: dict[int, str] = {}

    def between(self, lo: int, hi: int, budget: Budget) -> list[Stretch]:
        """What touches a window, ascending by start."""
        found: list[Stretch] = []
        kinds = self._kinds
        for series in self._sets:
            for one in paced(self.tx, series.occurrences(lo - DAY, hi + DAY, budget)):
                key = id(one.component)
                busy = kinds.get(key) or kinds.setdefault(key, busy_of(one.component))
                found.append(Stretch(one.start, one.end, one.floating, busy).placed(self._zone))
        found.sort()
        return found


def sweep(
    stretches: Iterable[tuple[int, Stretch]], clashes: Clashes, same: bool
) -> Iterator[tuple[tuple[int, Stretch], tuple[int, Stretch]]]:
    """Find what overlaps among placed stretches of several owners.

    Args:
        stretches: an owner's key and a stretch, ascending by start.
        clashes: which kinds exclude each other.
        same: whether two stretches of one owner can clash, too; otherwise only those of different owners.

    Yields:
        Pairs that overlap, the earlier one first; every stretch that overlaps an earlier one is in one.
    """
    open_ones: list[tuple[int, Stretch]] = []
    for owner, stretch in stretches:
        if stretch.end <= stretch.start:
            continue
        open_ones = [one for one in open_ones if one[1].end > stretch.start]
        for one in open_ones:
            if (same or one[0] != owner) and clashes(one[1].busy, stretch.busy):
                yield one, (owner, stretch)
        open_ones.append((owner, stretch))


def blocks(lo: int, hi: int) -> Iterator[tuple[int, int]]:
    """Cut a long time into pieces that get longer."""
    size = FIRST_BLOCK
    while lo < hi:
        yield lo, min(hi, lo + size)
        lo, size = lo + size, min(LONGEST_BLOCK, size * 2)


def end_of_proof(lo: int, cycles: int, latest: int) -> int:
    """Up to where rules have to be walked: once through what repeats, or to the end of all dates.

    Args:
        lo: where the walk begins, or the last single date if that is later; seconds UTC.
        cycles: after how many times 400 years everything repeats.
        latest: the last date there is (MAXDATE).
    """
    return min(latest, max(lo, STEADY) + cycles * CYCLE + 2 * DAY)


def overlaps(
    mine: Walk, other: Walk | None, lo: int, hi: int, clashes: Clashes, budget: Budget, limit: int
) -> list[Overlap]:
    """Walk through two objects, or through one that may stand in its own way.

    Args:
        mine: an object.
        other: another one; None for the same.
        lo: seconds UTC.
        hi: seconds UTC.
        clashes: which kinds exclude each other.
        budget: taken from.
        limit: overlaps looked for.

    Raises:
        TooComplexError: the budget ended before the question did.
    """
    found: list[Overlap] = []
    try:
        for begin, end in blocks(lo, hi):
            ours = [(0, one) for one in mine.between(begin, end, budget)]
            theirs = [] if other is None else [(1, one) for one in other.between(begin, end, budget)]
            if other is not None and not (ours and theirs):
                continue
            for first, second in sweep(paced(mine.tx, _merged(ours, theirs)), clashes, other is None):
                if min(first[1].end, second[1].end) <= begin:
                    continue  # seen in the block before
                found.append(Overlap(first[1], second[1]) if first[0] == 0 else Overlap(second[1], first[1]))
                if len(found) >= limit:
                    return found
            if found:
                return found
    except StepBudgetError as error:
        raise TooComplexError("these rules need too many steps to be compared with each other") from error
    return found


def _merged(
    ours: list[tuple[int, Stretch]], theirs: list[tuple[int, Stretch]]
) -> Sequence[tuple[int, Stretch]]:
    if not theirs:
        return ours
    return sorted([*ours, *theirs], key=_start)


_start: Callable[[tuple[int, Stretch]], int] = lambda one: one[1].start  # noqa: E731 - a key, not a function
