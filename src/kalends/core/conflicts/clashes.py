"""The overlaps in a calendar: of one object with all others, or of all with all.

Up to the horizon the index answers, behind it `endless`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from heapq import heappop, heappush
from itertools import combinations, islice

from kalends.core.conflicts.courses import Stretch, farthest_offset
from kalends.core.conflicts.endless import NAMED, Series
from kalends.core.conflicts.exclusion import EXCLUSIVE, Clash, Place, overlap
from kalends.core.conflicts.proof import sweep
from kalends.core.errors import TooComplexError
from kalends.ical.moment import DAY, LAST_WALL
from kalends.ical.tree import Component, parse
from kalends.store import calendars, instances, objects
from kalends.store.base import paced
from kalends.store.instances import SlotRow
from kalends.store.objects import ObjectRow
from kalends.store.spans import busy_of

NEAR_LIMIT = 50_000
"""Pairs looked at before a calendar is called too full to be checked."""
FEW_SCANS = 4
"""Instances for which a wide scan is cheaper than a look at the calendar's zone."""
DENSE = 50
"""Instances of one object in the time around one of them; with more, one scan is cheaper than many."""
MAX_OPEN_PAIRS = 200_000
"""Pairs of series without end that are compared when a whole calendar is checked: a second or two."""

TIMED = ("VEVENT", "VTODO", "VJOURNAL")


def clashes_of(place: Place, object_id: int, whole: Component) -> list[Clash]:
    """The overlaps of an object that is in the index already with the rest of the calendar, or itself.

    Args:
        place: the calendar, under its lock.
        object_id: the object.
        whole: its text.

    Raises:
        TooComplexError: whether there are any could not be found out.
    """
    kinds = {busy_of(part) for part in whole.components if part.name in TIMED} & place.rules.keys()
    if not kinds:
        return []
    row = objects.get(place.tx, object_id)  # as the index left it
    assert row is not None, "an object of a locked calendar"
    mine = instances.of_object(place.tx, row.id, sorted(kinds))
    if not mine and row.expanded_to is None:
        return []
    theirs = frozenset().union(*(place.rules[kind] for kind in kinds))
    return (
        (_own(place, row, mine) if place.own and len(mine) > 1 else [])
        or (
            _swept(place, row, mine, sorted(theirs))
            if _is_dense(place, mine)
            else _listed(place, row, sorted(kinds), sorted(theirs), len(mine))
        )
        or _beyond(place, row, whole, mine, theirs)
    )


def _is_dense(place: Place, mine: Sequence[SlotRow]) -> bool:
    """Whether the scans of `_listed`, one for each instance, would read the same rows again and again."""
    if len(mine) <= DENSE:
        return False
    span = max(slot.end_at for slot in mine) - min(slot.start_at for slot in mine)
    return len(mine) * min(place.row.longest, span) > DENSE * span


def _swept(place: Place, row: ObjectRow, mine: Sequence[SlotRow], theirs: Sequence[str]) -> list[Clash]:
    """The same as `_listed`, with one scan."""
    slack = _slack(place, len(mine))
    lo = min(slot.start_at for slot in mine) - place.row.longest - slack
    hi = max(slot.end_at for slot in mine) + slack
    others = instances.between(place.tx, place.row.id, theirs, lo, hi)
    all_slots = [*mine, *(slot for slot in others if slot.object_id != row.id)]
    stretches = sorted(((slot.object_id, place.placed(slot)) for slot in all_slots), key=lambda one: one[1])
    found: dict[tuple[int, int], Clash] = {}
    pairs = sweep(paced(place.tx, stretches), place.clashes, False)
    with_mine = ((one, other) for one, other in pairs if row.id in (one[0], other[0]))
    for one, other in islice(with_mine, NEAR_LIMIT):
        (_, ours), (owner, taken) = (one, other) if one[0] == row.id else (other, one)
        found.setdefault((owner, taken.start), Clash(ours, taken, row.id, owner))
    return sorted(found.values(), key=_when)


def _listed(
    place: Place, row: ObjectRow, mine: Sequence[str], theirs: Sequence[str], count: int
) -> list[Clash]:
    """What the index says, up to the horizon."""
    pairs = instances.near(
        place.tx,
        row.id,
        place.row.id,
        mine,
        theirs,
        longest=place.row.longest,
        slack=_slack(place, count),
        limit=NEAR_LIMIT,
    )
    found: dict[tuple[int, int], Clash] = {}
    for ours, other in pairs:
        if not place.clashes(ours.busy, other.busy):
            continue
        if ours.floating == other.floating or overlap(place.placed(ours), place.placed(other)):
            clash = Clash(place.placed(ours), place.placed(other), row.id, other.object_id)
            found.setdefault((other.object_id, clash.other.start), clash)
    if not found and len(pairs) >= NEAR_LIMIT:
        raise TooComplexError("there is too much around these times to be checked for overlaps")
    return sorted(found.values(), key=_when)


def _slack(place: Place, count: int) -> int:
    """How far a floating time can lie from the same clock in UTC, in this calendar.

    For few instances a day is good enough; finding out the zone costs more than a wider scan.
    """
    return DAY if count <= FEW_SCANS else 0 if place.zone is None else farthest_offset(place.zone)


def _own(place: Place, row: ObjectRow, mine: Iterable[SlotRow]) -> list[Clash]:
    stretches = sorted((row.id, place.placed(slot)) for slot in mine)
    pairs = islice(sweep(stretches, place.clashes, True), NAMED)
    return [Clash(second, first, row.id, row.id) for (_, first), (_, second) in pairs]


def _beyond(
    place: Place, row: ObjectRow, whole: Component, mine: Sequence[SlotRow], theirs: frozenset[str]
) -> list[Clash]:
    last = LAST_WALL if row.expanded_to is not None and row.last_at is None else row.last_at
    until = max([slot.end_at for slot in mine], default=0) if last is None else last
    others = instances.open_rows(
        place.tx, place.row.id, until + DAY, exclusive=theirs <= EXCLUSIVE
    )  # fmt: skip
    others = [other for other in others if other.id != row.id]
    if row.expanded_to is None and not others:
        return []
    series = Series(place, row, whole, mine)
    for other in others:
        found = series.against(other)
        if found:
            return found
    if row.expanded_to is None:
        return []
    return (series.against_itself() if place.own else []) or series.against_listed(sorted(theirs))


def all_clashes(place: Place, limit: int) -> list[Clash]:
    """The overlaps in the whole calendar, as many as are asked for.

    Args:
        place: the calendar.
        limit: how many are enough.

    Raises:
        TooComplexError: whether there are any could not be found out.
    """
    if place.row.allow_conflict and not calendars.holds_exclusive(place.tx, place.row.id):
        return []  # nothing in it excludes anything: no need to look where anything is
    pairs = islice(sweep(_in_order(place), place.clashes, place.own), limit)
    found = [Clash(second[1], first[1], second[0], first[0]) for first, second in pairs]
    if len(found) < limit:
        found += _open_clashes(place, limit - len(found))
    return found


def _in_order(place: Place) -> Iterator[tuple[int, Stretch]]:
    """All occurrences in a calendar, placed, ascending by start; few of them are in memory at a time.

    The index has them in the order of what is written. One that floats may be placed as far from there as the
    zone's clock is from UTC: each waits until nothing can come before it.
    """
    slack = 0 if place.zone is None else farthest_offset(place.zone)
    waiting: list[tuple[Stretch, int]] = []
    for slot in instances.walk(place.tx, place.row.id, sorted(place.rules)):
        while waiting and waiting[0][0].start < slot.start_at - slack:
            stretch, owner = heappop(waiting)
            yield owner, stretch
        heappush(waiting, (place.placed(slot), slot.object_id))
    while waiting:
        stretch, owner = heappop(waiting)
        yield owner, stretch


def _open_clashes(place: Place, limit: int) -> list[Clash]:
    rows = instances.open_rows(place.tx, place.row.id, LAST_WALL + DAY)
    if len(rows) ** 2 > 2 * MAX_OPEN_PAIRS:
        raise TooComplexError(f"{len(rows)} series without end are too many to be compared at once")
    found: list[Clash] = []
    texts = objects.get_many(place.tx, [row.id for row in rows])
    all_series = [Series(place, texts[row.id], parse(texts[row.id].ics), ()) for row in rows]
    for series in all_series:
        found += series.against_itself() if place.own else []
        found += series.against_listed(sorted(place.rules))
    for (series, _), (_, other) in combinations(zip(all_series, rows, strict=True), 2):
        if len(found) >= limit:
            break
        found += series.against(other)
    return found[:limit]


def _when(clash: Clash) -> tuple[int, int]:
    return clash.other.start, clash.other_id
