"""Objects compared behind the horizon of the index: by the arithmetic of their courses, else by walking.

`courses` proves by arithmetic that series never meet; what it cannot prove, `proof` walks through; what that
cannot finish is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from math import lcm

from kalends.core.conflicts.courses import Course, course_of, may_happen_at, may_meet, meets_itself
from kalends.core.conflicts.exclusion import Clash, Place, overlap
from kalends.core.conflicts.proof import Overlap, Walk, end_of_proof, overlaps
from kalends.core.errors import TooComplexError
from kalends.ical.errors import ICalError, StepBudgetError
from kalends.ical.moment import DAY, LAST_WALL
from kalends.ical.tree import Component, parse
from kalends.store import instances, objects
from kalends.store.instances import OpenRow, SlotRow
from kalends.store.objects import ObjectRow

NAMED = 3
"""Conflicts told in one refusal: enough to see a pattern, short enough for a status line."""
FEW = 64
"""Instances of a series without rows behind the horizon that are compared one by one."""
COURSES_KEPT = 4_096
"""Courses remembered by ETag: a kilobyte each."""

_courses: dict[str, Course] = {}


class Series:
    """An object compared with others behind the horizon of the index.

    Args:
        place: the calendar it is in.
        row: the object.
        whole: its text.
        mine: its rows.
    """

    def __init__(self, place: Place, row: ObjectRow, whole: Component, mine: Sequence[SlotRow]) -> None:
        self.place, self.row, self.whole = place, row, whole
        self.few = row.expanded_to is None and len(mine) <= FEW
        if self.few:
            self.course = Course((), tuple(place.placed(slot) for slot in mine))
        else:
            self.course = _course(row.etag, whole).only(place.rules)

    @cached_property
    def walk(self) -> Walk:
        """Its instances, to be walked through."""
        return Walk(self.whole, self.place.zone, self.place.tx)

    def against(self, other: OpenRow) -> list[Clash]:
        """Compare with a series that goes on behind its rows."""
        lo = min(at for at in (self.row.expanded_to, other.expanded_to) if at is not None) - DAY
        lo = max([lo, *(at - DAY for at in (self.row.first_at, other.first_at) if at is not None)])
        lasts = [one.last_at for one in (self.row, other) if one.last_at is not None]
        if lasts and min(lasts) + DAY <= lo:
            return []
        place = self.place
        course, text = self._other(other)
        if not may_meet(self.course, course.only(place.rules), place.clashes, place.zone, lo):
            return []
        walk = Walk(text if text is not None else parse(self._ics(other.id)), place.zone, place.tx)
        try:
            if self.few:
                found = self._few_against(walk)
            else:
                cycles = lcm(self.course.cycles, course.cycles)
                hi = min(lasts) + DAY if lasts else self._end(lo, cycles, (self.course, course))
                found = overlaps(self.walk, walk, lo, hi, place.clashes, place.budget, NAMED)
        except (StepBudgetError, TooComplexError) as error:
            raise TooComplexError(
                "whether two series without end ever overlap takes too many steps to find out"
            ) from error
        return [Clash(one.mine, one.other, self.row.id, other.id) for one in found]

    def _other(self, other: OpenRow) -> tuple[Course, Component | None]:
        known = _courses.get(other.etag)
        if known is not None:
            return known, None
        whole = parse(self._ics(other.id))
        return _course(other.etag, whole), whole

    def _ics(self, object_id: int) -> bytes:
        found = objects.get(self.place.tx, object_id)
        assert found is not None, "an object of a locked calendar"
        return found.ics

    def _few_against(self, walk: Walk) -> list[Overlap]:
        return [
            Overlap(one, other)
            for one in self.course.stretches
            for other in walk.between(one.start, one.end, self.place.budget)
            if overlap(one, other) and self.place.clashes(one.busy, other.busy)
        ]

    def _end(self, lo: int, cycles: int, courses: Iterable[Course]) -> int:
        latest = max((one.end for course in courses for one in course.stretches), default=lo)
        return end_of_proof(max(lo, latest), cycles, min(self.place.policy.max_date, LAST_WALL))

    def against_itself(self) -> list[Clash]:
        """Whether instances overlap each other."""
        place, row = self.place, self.row
        assert row.expanded_to is not None
        lo = max(row.expanded_to, row.first_at or row.expanded_to) - DAY
        if not meets_itself(self.course, place.zone, lo):
            return []
        hi = (
            row.last_at + DAY
            if row.last_at is not None
            else self._end(lo, self.course.cycles, (self.course,))
        )
        found = overlaps(self.walk, None, lo, hi, place.clashes, place.budget, NAMED)
        return [Clash(one.other, one.mine, row.id, row.id) for one in found]

    def against_listed(self, theirs: Sequence[str]) -> list[Clash]:
        """Compare with the rows of others that lie behind this one's own."""
        place, row = self.place, self.row
        assert row.expanded_to is not None
        listed = instances.slots_after(
            place.tx, place.row.id, theirs, row.expanded_to - DAY, longest=place.row.longest + DAY
        )
        found: list[Clash] = []
        for slot in listed:
            if slot.object_id == row.id:
                continue
            single = place.placed(slot)
            if not may_happen_at(single, self.course, place.clashes, place.zone):
                continue
            try:
                around = self.walk.between(single.start, single.end, place.budget)
            except StepBudgetError as error:
                raise TooComplexError("this rule takes too many steps to be compared with others") from error
            found += [
                Clash(one, single, row.id, slot.object_id)
                for one in around
                if overlap(one, single) and place.clashes(one.busy, single.busy)
            ]
            if len(found) >= NAMED:
                break
        return found


def _course(etag: str, whole: Component) -> Course:
    found = _courses.get(etag)
    if found is None:
        try:
            found = course_of(whole)
        except ICalError:
            found = Course((), ())  # dates that cannot be read: it happens never, says the index, too
        if len(_courses) >= COURSES_KEPT:
            _courses.clear()
        _courses[etag] = found
    return found
