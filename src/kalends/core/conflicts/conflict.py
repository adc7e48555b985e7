"""No double bookings: checked under the calendar's lock by everything that writes.

`exclusion` says what may not share time, `clashes` finds what does, `taken` tells it.
"""

from __future__ import annotations

from kalends.core.conflicts.clashes import TIMED, all_clashes, clashes_of
from kalends.core.conflicts.endless import NAMED
from kalends.core.conflicts.exclusion import Place
from kalends.core.conflicts.taken import overlapping, taken_by, when
from kalends.core.errors import TooComplexError
from kalends.core.model import Caller, Policy
from kalends.ical.tree import Component, Line, parse
from kalends.store import calendars, objects
from kalends.store.base import Store, Tx
from kalends.store.calendars import CalendarRow
from kalends.store.maintenance import Finding
from kalends.store.objects import ObjectRow

FINDINGS = 100
"""Overlaps told of one calendar."""
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
    if row.state != "BOOKED" or row.kind not in TIMED:
        return
    if before is not None and same_times(before, whole):
        return
    calendar = calendars.by_id(tx, row.calendar_id)
    assert calendar is not None, "a locked calendar"
    if calendar.allow_conflict and not calendar.exclusive:
        return  # nothing in it excludes anything, this object included: the index would have said so
    place = Place(tx, caller.policy, calendar)
    found = clashes_of(place, row.id, whole)
    if found:
        raise taken_by(place, caller, found)


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
    place = Place(tx, caller.policy, calendar)
    found = all_clashes(place, NAMED + 1)
    if found:
        raise overlapping(place, caller, found)


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
    place = Place(tx, policy, row)
    where = f"calendar {row.calid}"
    try:
        clashes = all_clashes(place, FINDINGS)
    except TooComplexError as error:
        return [Finding("overlap-unknown", where, f"whether anything overlaps is not known: {error.reason}")]
    uids = objects.get_many(tx, {key for one in clashes for key in (one.my_id, one.other_id)})
    return [
        Finding(
            "overlap",
            where,
            f"{when(place, one.other)} ({uids[one.other_id].uid}) and {when(place, one.mine)}"
            f" ({uids[one.my_id].uid}) overlap",
        )
        for one in clashes
    ]
