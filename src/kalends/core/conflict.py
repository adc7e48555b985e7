"""No double bookings: what may not share time, checked under the calendar's lock by everything that writes.

What excludes what (RFC 4324 §8.1, §8.36):

* In a calendar with ALLOW-CONFLICT:FALSE, all BOOKED objects that occupy time exclude each other, and
  instances of one series too. Not occupying are CANCELLED and TRANSPARENT ones, and a VTODO that has not both
  start and due date.
* TRANSP:OPAQUE-NOCONFLICT and TRANSPARENT-NOCONFLICT exclude other OPAQUE and OPAQUE-NOCONFLICT objects, in
  any calendar and in whatever order they come. Two TRANSPARENT-NOCONFLICT ones do not exclude each other.
* Ends are exclusive; what takes no time overlaps nothing. UNPROCESSED and DELETED objects block nothing.
* Floating times and dates are read in the calendar's zone: the first of DEFAULT-TZID.

Up to the horizon the index answers. Behind it `courses` proves by arithmetic that series never meet; what it
cannot prove, `proof` walks through; what that cannot finish is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, islice
from math import lcm

from kalends.core import agendas, rights
from kalends.core.courses import (
    Clashes,
    Course,
    Stretch,
    course_of,
    farthest_offset,
    may_happen_at,
    may_meet,
    meets_itself,
)
from kalends.core.errors import ConflictError, TooComplexError
from kalends.core.model import Caller, Policy
from kalends.core.proof import STEPS, Overlap, Walk, end_of_proof, overlaps, sweep
from kalends.ical.errors import ICalError, StepBudgetError
from kalends.ical.moment import DAY, LAST_WALL, to_datetime
from kalends.ical.occurrences import occurrences
from kalends.ical.recur_plan import Budget
from kalends.ical.tree import Component, Line, parse
from kalends.ical.tzfile import Zone
from kalends.ical.values import unescape_text
from kalends.ical.zones import Zones
from kalends.store import calendars, instances, objects
from kalends.store.base import Store, Tx
from kalends.store.calendars import CalendarRow
from kalends.store.instances import (
    BUSY,
    BUSY_NOCONFLICT,
    BUSY_TENTATIVE,
    FREE,
    FREE_NOCONFLICT,
    OpenRow,
    SlotRow,
)
from kalends.store.maintenance import Finding
from kalends.store.objects import ObjectRow
from kalends.store.spans import busy_of

NAMED = 3
"""Conflicts told in one refusal: enough to see a pattern, short enough for a status line."""
NEAR_LIMIT = 50_000
"""Pairs looked at before a calendar is called too full to be checked."""
FEW_SCANS = 4
"""Instances for which a wide scan is cheaper than a look at the calendar's zone."""
FEW = 64
"""Instances of a series without rows behind the horizon that are compared one by one."""
MAX_OPEN_PAIRS = 200_000
"""Pairs of series without end that are compared when a whole calendar is checked: a second or two."""
FINDINGS = 100
"""Overlaps told of one calendar."""
SUMMARY_LENGTH = 60
COURSES_KEPT = 4_096
"""Courses remembered by ETag: a kilobyte each."""

Rules = Mapping[str, frozenset[str]]
"""For each kind of occupancy the kinds it may not share time with."""

_TIMED = ("VEVENT", "VTODO", "VJOURNAL")
_EXCLUSIVE = frozenset((BUSY_NOCONFLICT, FREE_NOCONFLICT))
_OCCUPYING = frozenset((BUSY, BUSY_TENTATIVE, BUSY_NOCONFLICT, FREE_NOCONFLICT))
_EVERYTHING = _OCCUPYING | {FREE}
_WHERE_ALLOWED: Rules = {
    BUSY: _EXCLUSIVE,
    BUSY_TENTATIVE: _EXCLUSIVE,
    BUSY_NOCONFLICT: _OCCUPYING,
    FREE_NOCONFLICT: frozenset((BUSY, BUSY_TENTATIVE, BUSY_NOCONFLICT)),
}
_WHERE_FORBIDDEN: Rules = dict.fromkeys(_OCCUPYING, _OCCUPYING)
_LITERALLY: Rules = dict.fromkeys(_EVERYTHING, _EVERYTHING)

_courses: dict[str, Course] = {}


def rules_of(calendar: CalendarRow, policy: Policy) -> Rules:
    """What excludes what in a calendar (decision 2; A-14)."""
    if calendar.allow_conflict:
        return _WHERE_ALLOWED
    return _LITERALLY if policy.conflict_counts_everything else _WHERE_FORBIDDEN


def _clashes(rules: Rules) -> Clashes:
    return lambda one, other: other in rules.get(one, ())


@dataclass(frozen=True, slots=True)
class Clash:
    """Two instances that share time and may not: placed in instants, with the objects they belong to."""

    mine: Stretch
    other: Stretch
    my_id: int
    other_id: int


class Calendar:
    """A calendar under its lock, ready to be asked about overlaps.

    Args:
        tx: a transaction.
        policy: limits, and what counts.
        row: the calendar.
    """

    def __init__(self, tx: Tx, policy: Policy, row: CalendarRow) -> None:
        self.tx, self.policy, self.row = tx, policy, row
        self.rules = rules_of(row, policy)
        self.clashes = _clashes(self.rules)
        self.budget = Budget(STEPS)

    @property
    def own(self) -> bool:
        """Whether instances of one series exclude each other, too."""
        return not self.row.allow_conflict

    @cached_property
    def zone(self) -> Zone | None:
        """The zone that floating times and dates are read in; None for UTC."""
        names = agendas.time_zones(agendas.properties(self.tx, self.row))
        tzid = names[0] if names else self.policy.default_tz
        found = Zones().zone(tzid)
        if found is None:
            held = objects.by_uid(self.tx, self.row.id, tzid, "BOOKED", "VTIMEZONE")
            found = Zones(agendas.parsed(held[0])).zone(tzid) if held else None
        return found

    def placed(self, slot: SlotRow | Stretch) -> Stretch:
        """An occurrence in instants."""
        if isinstance(slot, SlotRow):
            slot = Stretch(slot.start_at, slot.end_at, slot.floating, slot.busy)
        return slot.placed(self.zone) if slot.floating else slot

    # --- one object ---

    def clashes_of(self, object_id: int, whole: Component) -> list[Clash]:
        """The overlaps of an object that is in the index already with the rest of the calendar, or itself.

        Args:
            object_id: the object.
            whole: its text.

        Raises:
            TooComplexError: whether there are any could not be found out.
        """
        kinds = {busy_of(part) for part in whole.components if part.name in _TIMED} & self.rules.keys()
        if not kinds:
            return []
        row = objects.get(self.tx, object_id)  # as the index left it
        assert row is not None, "an object of a locked calendar"
        mine = instances.of_object(self.tx, row.id, sorted(kinds))
        if not mine and row.expanded_to is None:
            return []
        theirs = frozenset().union(*(self.rules[kind] for kind in kinds))
        return (
            self._listed(row, sorted(kinds), sorted(theirs), len(mine))
            or (self._own(row, mine) if self.own and len(mine) > 1 else [])
            or self._beyond(row, whole, mine, theirs)
        )

    def _listed(self, row: ObjectRow, mine: Sequence[str], theirs: Sequence[str], count: int) -> list[Clash]:
        """What the index says, up to the horizon."""
        pairs = instances.near(
            self.tx,
            row.id,
            self.row.id,
            mine,
            theirs,
            longest=self.row.longest,
            slack=self._slack(count),
            limit=NEAR_LIMIT,
        )
        found: dict[tuple[int, int], Clash] = {}
        for ours, other in pairs:
            if not self.clashes(ours.busy, other.busy):
                continue
            if ours.floating == other.floating or _overlap(self.placed(ours), self.placed(other)):
                clash = Clash(self.placed(ours), self.placed(other), row.id, other.object_id)
                found.setdefault((other.object_id, clash.other.start), clash)
        if not found and len(pairs) >= NEAR_LIMIT:
            raise TooComplexError("there is too much around these times to be checked for overlaps")
        return sorted(found.values(), key=_when)

    def _slack(self, count: int) -> int:
        """How far a floating time can lie from the same clock in UTC, in this calendar.

        For few instances a day is good enough; finding out the zone costs more than a wider scan.
        """
        return DAY if count <= FEW_SCANS else 0 if self.zone is None else farthest_offset(self.zone)

    def _own(self, row: ObjectRow, mine: Iterable[SlotRow]) -> list[Clash]:
        stretches = sorted((row.id, self.placed(slot)) for slot in mine)
        pairs = islice(sweep(stretches, self.clashes, True), NAMED)
        return [Clash(second, first, row.id, row.id) for (_, first), (_, second) in pairs]

    # --- behind the horizon ---

    def _beyond(
        self, row: ObjectRow, whole: Component, mine: Sequence[SlotRow], theirs: frozenset[str]
    ) -> list[Clash]:
        last = LAST_WALL if row.expanded_to is not None and row.last_at is None else row.last_at
        until = max([slot.end_at for slot in mine], default=0) if last is None else last
        others = instances.open_rows(
            self.tx, self.row.id, until + DAY, exclusive=theirs <= _EXCLUSIVE
        )  # fmt: skip
        others = [other for other in others if other.id != row.id]
        if row.expanded_to is None and not others:
            return []
        series = _Series(self, row, whole, mine)
        for other in others:
            found = series.against(other)
            if found:
                return found
        if row.expanded_to is None:
            return []
        return (series.against_itself() if self.own else []) or series.against_listed(sorted(theirs))

    # --- the whole calendar ---

    def all_clashes(self, limit: int) -> list[Clash]:
        """The overlaps in the whole calendar, as many as are asked for.

        Raises:
            TooComplexError: whether there are any could not be found out.
        """
        kinds = sorted(self.rules)
        listed = sorted(
            ((slot.object_id, self.placed(slot)) for slot in instances.slots(self.tx, self.row.id, kinds)),
            key=lambda one: one[1],
        )
        pairs = islice(sweep(listed, self.clashes, self.own), limit)
        found = [Clash(second[1], first[1], second[0], first[0]) for first, second in pairs]
        if len(found) < limit:
            found += self._open_clashes(limit - len(found))
        return found

    def _open_clashes(self, limit: int) -> list[Clash]:
        rows = instances.open_rows(self.tx, self.row.id, LAST_WALL + DAY)
        if len(rows) ** 2 > 2 * MAX_OPEN_PAIRS:
            raise TooComplexError(f"{len(rows)} series without end are too many to be compared at once")
        found: list[Clash] = []
        texts = objects.get_many(self.tx, [row.id for row in rows])
        all_series = [_Series(self, texts[row.id], parse(texts[row.id].ics), ()) for row in rows]
        for series in all_series:
            found += series.against_itself() if self.own else []
            found += series.against_listed(sorted(self.rules))
        for (series, _), (_, other) in combinations(zip(all_series, rows, strict=True), 2):
            if len(found) >= limit:
                break
            found += series.against(other)
        return found[:limit]


class _Series:
    """An object compared with others behind the horizon of the index.

    Args:
        calendar: where it is.
        row: the object.
        whole: its text.
        mine: its rows.
    """

    def __init__(self, calendar: Calendar, row: ObjectRow, whole: Component, mine: Sequence[SlotRow]) -> None:
        self.calendar, self.row, self.whole = calendar, row, whole
        self.few = row.expanded_to is None and len(mine) <= FEW
        if self.few:
            self.course = Course((), tuple(calendar.placed(slot) for slot in mine))
        else:
            self.course = _course(row.etag, whole).only(calendar.rules)

    @cached_property
    def walk(self) -> Walk:
        return Walk(self.whole, self.calendar.zone)

    def against(self, other: OpenRow) -> list[Clash]:
        """Compare with a series that goes on behind its rows."""
        lo = min(at for at in (self.row.expanded_to, other.expanded_to) if at is not None) - DAY
        lo = max([lo, *(at - DAY for at in (self.row.first_at, other.first_at) if at is not None)])
        lasts = [one.last_at for one in (self.row, other) if one.last_at is not None]
        if lasts and min(lasts) + DAY <= lo:
            return []
        calendar = self.calendar
        course, text = self._other(other)
        if not may_meet(self.course, course.only(calendar.rules), calendar.clashes, calendar.zone, lo):
            return []
        walk = Walk(text if text is not None else parse(self._ics(other.id)), calendar.zone)
        try:
            if self.few:
                found = self._few_against(walk)
            else:
                cycles = lcm(self.course.cycles, course.cycles)
                hi = min(lasts) + DAY if lasts else self._end(lo, cycles, (self.course, course))
                found = overlaps(self.walk, walk, lo, hi, calendar.clashes, calendar.budget, NAMED)
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
        found = objects.get(self.calendar.tx, object_id)
        assert found is not None, "an object of a locked calendar"
        return found.ics

    def _few_against(self, walk: Walk) -> list[Overlap]:
        return [
            Overlap(one, other)
            for one in self.course.stretches
            for other in walk.between(one.start, one.end, self.calendar.budget)
            if _overlap(one, other) and self.calendar.clashes(one.busy, other.busy)
        ]

    def _end(self, lo: int, cycles: int, courses: Iterable[Course]) -> int:
        latest = max((one.end for course in courses for one in course.stretches), default=lo)
        return end_of_proof(max(lo, latest), cycles, min(self.calendar.policy.max_date, LAST_WALL))

    def against_itself(self) -> list[Clash]:
        """Whether instances overlap each other."""
        calendar, row = self.calendar, self.row
        assert row.expanded_to is not None
        lo = max(row.expanded_to, row.first_at or row.expanded_to) - DAY
        if not meets_itself(self.course, calendar.zone, lo):
            return []
        hi = (
            row.last_at + DAY
            if row.last_at is not None
            else self._end(lo, self.course.cycles, (self.course,))
        )
        found = overlaps(self.walk, None, lo, hi, calendar.clashes, calendar.budget, NAMED)
        return [Clash(one.other, one.mine, row.id, row.id) for one in found]

    def against_listed(self, theirs: Sequence[str]) -> list[Clash]:
        """Compare with the rows of others that lie behind this one's own."""
        calendar, row = self.calendar, self.row
        assert row.expanded_to is not None
        listed = instances.slots(
            calendar.tx,
            calendar.row.id,
            theirs,
            after=row.expanded_to - DAY,
            longest=calendar.row.longest + DAY,
        )
        found: list[Clash] = []
        for slot in listed:
            if slot.object_id == row.id:
                continue
            single = calendar.placed(slot)
            if not may_happen_at(single, self.course, calendar.clashes, calendar.zone):
                continue
            try:
                around = self.walk.between(single.start, single.end, calendar.budget)
            except StepBudgetError as error:
                raise TooComplexError("this rule takes too many steps to be compared with others") from error
            found += [
                Clash(one, single, row.id, slot.object_id)
                for one in around
                if _overlap(one, single) and calendar.clashes(one.busy, single.busy)
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


def _overlap(one: Stretch, other: Stretch) -> bool:
    return one.start < other.end and other.start < one.end


def _when(clash: Clash) -> tuple[int, int]:
    return clash.other.start, clash.other_id


# --- refusing ---

_OF_TIME = frozenset(
    "DTSTART DTEND DUE DURATION RRULE RDATE EXRULE EXDATE RECURRENCE-ID TRANSP STATUS UID SEQUENCE".split()  # noqa: SIM905 (shorter)
)


def check(tx: Tx, caller: Caller, row: ObjectRow, whole: Component, *, before: bytes | None = None) -> None:
    """Refuse an object that has just been written, if it shares time that it may not share.

    Args:
        tx: a write transaction that holds the calendar's lock and has indexed the object.
        caller: what the refusal tells depends on what they may see.
        row: the object.
        whole: its text.
        before: the text it had, when this is a change: one that leaves all times alone is not looked at.

    Raises:
        ConflictError: the time is taken; the words say when, and by what if the caller may see it.
        TooComplexError: it could not be proven that the time is free.

    Source: RFC 4324 §8.1, §8.36, §10.15 (6.2); CON-01 to CON-06.
    """
    if row.state != "BOOKED" or row.kind not in _TIMED:
        return
    if before is not None and same_times(before, whole):
        return
    calendar = calendars.by_id(tx, row.calendar_id)
    assert calendar is not None, "a locked calendar"
    if calendar.allow_conflict and not calendar.exclusive:
        return  # nothing in it excludes anything, this object included: the index would have said so
    place = Calendar(tx, caller.policy, calendar)
    found = place.clashes_of(row.id, whole)
    if found:
        raise ConflictError(_refusal(place, caller, found))


def same_times(old: bytes, new: Component) -> bool:
    """Whether a new text leaves all that decides about its time as it was."""
    return _time_lines(parse(old)) == _time_lines(new)


def _time_lines(whole: Component) -> list[list[str]]:
    return [
        [item.raw for item in part.items if isinstance(item, Line) and item.name in _OF_TIME]
        if part.name != "VTIMEZONE"
        else [part.to_ics()]
        for part in whole.components
    ]


def check_calendar(tx: Tx, caller: Caller, calendar: CalendarRow) -> None:
    """Refuse a calendar in which something overlaps already that may not.

    Args:
        tx: a write transaction that holds the calendar's lock.
        caller: who changes the calendar.
        calendar: its row as it is to be.

    Raises:
        ConflictError: with what overlaps.
        TooComplexError: it could not be proven that nothing does.
    """
    place = Calendar(tx, caller.policy, calendar)
    found = place.all_clashes(NAMED + 1)
    if found:
        pairs = [
            f"{_name(place, caller, one.my_id, one.mine)} and {_name(place, caller, one.other_id, one.other)}"
            for one in found[:NAMED]
        ]
        more = ", and more" if len(found) > NAMED else ""
        raise ConflictError(f"in {calendar.calid} overlap: {'; '.join(pairs)}{more}")


def _refusal(place: Calendar, caller: Caller, found: Sequence[Clash]) -> str:
    first = found[0]
    if first.my_id == first.other_id:
        at, again = _time(place, first.other), _time(place, first.mine)
        return f"the series overlaps itself: {at} and {again}"
    told = [_name(place, caller, clash.other_id, clash.other) for clash in found[:NAMED]]
    more = f", and {len(found) - NAMED} more" if len(found) > NAMED else ""
    return f"the time is taken: {'; '.join(told)}{more}"


def _name(place: Calendar, caller: Caller, object_id: int, at: Stretch) -> str:
    """When it is, and what it is if the caller may see it."""
    when = _time(place, at)
    row = objects.get(place.tx, object_id)
    if row is None:
        return when
    whole = parse(row.ics)
    seen = rights.sight(place.tx, caller, place.row.id).of(_described(whole, row.kind, at, place.zone))
    if seen is None:
        return when
    summary = unescape_text(seen.value("SUMMARY") or "").strip()
    uid = seen.value("UID")
    if summary:
        return f"{when} “{summary[:SUMMARY_LENGTH]}”"
    return f"{when} (UID {uid[:SUMMARY_LENGTH]})" if uid else when


def _described(whole: Component, kind: str, at: Stretch, zone: Zone | None) -> Component:
    """The component that says what happens then: the series, or the override of that instance."""
    try:
        for one in occurrences(whole, at.start - DAY, at.start + DAY):
            if Stretch(one.start, one.end, one.floating, "").placed(zone).start == at.start:
                return one.component
    except (ICalError, StepBudgetError):
        pass  # then the first one describes it well enough
    return whole.children(kind)[0]


def _time(place: Calendar, at: Stretch) -> str:
    """A stretch of time as a person writes it, in the calendar's zone."""
    zone = place.zone
    start, end = (at.start, at.end) if zone is None else (zone.wall(at.start), zone.wall(at.end))
    name = "UTC" if zone is None else zone.name
    if start % DAY == 0 and end % DAY == 0:
        first, last = _date(start), _date(end - DAY)
        return first if first == last else f"{first} to {last}"
    until = _clock(end) if start // DAY == end // DAY else f"{_date(end)} {_clock(end)}"
    return f"{_date(start)} {_clock(start)} to {until} {name}"


def _date(wall: int) -> str:

    return to_datetime(wall - wall % DAY).date().isoformat()


def _clock(wall: int) -> str:
    seconds = wall % DAY
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}" + (f":{seconds % 60:02}" if seconds % 60 else "")


# --- kalends check ---


def findings(store: Store, policy: Policy) -> list[Finding]:
    """What overlaps in the store although it may not: it came in before the rule, or with new time zone data.

    Args:
        store: the store.
        policy: what counts.
    """
    found: list[Finding] = []
    for row in store.read(calendars.every):
        found += store.read(lambda tx, row=row: _findings_in(tx, policy, row))  # type: ignore[misc]
    return found


def _findings_in(tx: Tx, policy: Policy, row: CalendarRow) -> list[Finding]:
    place = Calendar(tx, policy, row)
    where = f"calendar {row.calid}"
    try:
        clashes = place.all_clashes(FINDINGS)
    except TooComplexError as error:
        return [Finding("overlap-unknown", where, f"whether anything overlaps is not known: {error.reason}")]
    uids = objects.get_many(tx, {key for one in clashes for key in (one.my_id, one.other_id)})
    return [
        Finding(
            "overlap",
            where,
            f"{_time(place, one.other)} ({uids[one.other_id].uid}) and {_time(place, one.mine)}"
            f" ({uids[one.my_id].uid}) overlap",
        )
        for one in clashes
    ]
