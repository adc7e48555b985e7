"""How taken time is told: when it is, in the calendar's zone, and by what, if the caller may see that."""

from __future__ import annotations

from collections.abc import Sequence

from kalends.core.access import rights
from kalends.core.conflicts.courses import Stretch
from kalends.core.conflicts.endless import NAMED
from kalends.core.conflicts.exclusion import Clash, Place
from kalends.core.errors import ConflictError
from kalends.core.model import Caller
from kalends.ical.errors import ICalError, StepBudgetError
from kalends.ical.moment import DAY, to_datetime
from kalends.ical.occurrences import occurrences
from kalends.ical.tree import Component, parse
from kalends.ical.tzfile import Zone
from kalends.ical.values import unescape_text
from kalends.store import objects

SUMMARY_LENGTH = 60


def taken_by(place: Place, caller: Caller, found: Sequence[Clash]) -> ConflictError:
    """The refusal of an object that shares time with others, or with itself."""
    first = found[0]
    if first.my_id == first.other_id:
        at, again = when(place, first.other), when(place, first.mine)
        return ConflictError(f"the series overlaps itself: {at} and {again}")
    told = "; ".join(_name(place, caller, clash.other_id, clash.other) for clash in found[:NAMED])
    if len(found) > NAMED:
        return ConflictError(f"the time is taken: {told}, and {len(found) - NAMED} more")
    return ConflictError(f"the time is taken: {told}")


def overlapping(place: Place, caller: Caller, found: Sequence[Clash]) -> ConflictError:
    """The refusal of a calendar in which something overlaps already."""
    pairs = "; ".join(
        f"{_name(place, caller, one.my_id, one.mine)} and {_name(place, caller, one.other_id, one.other)}"
        for one in found[:NAMED]
    )
    if len(found) > NAMED:
        return ConflictError(f"in {place.row.calid} overlap: {pairs}, and more")
    return ConflictError(f"in {place.row.calid} overlap: {pairs}")


def _name(place: Place, caller: Caller, object_id: int, at: Stretch) -> str:
    """When it is, and what it is if the caller may see it."""
    at_what_time = when(place, at)
    row = objects.get(place.tx, object_id)
    if row is None:
        return at_what_time
    whole = parse(row.ics)
    seen = rights.sight(place.tx, caller, place.row.id).of(_described(whole, row.kind, at, place.zone))
    if seen is None:
        return at_what_time
    summary = unescape_text(seen.value("SUMMARY") or "").strip()
    uid = seen.value("UID")
    if summary:
        return f"{at_what_time} “{summary[:SUMMARY_LENGTH]}”"
    return f"{at_what_time} (UID {uid[:SUMMARY_LENGTH]})" if uid else at_what_time


def _described(whole: Component, kind: str, at: Stretch, zone: Zone | None) -> Component:
    """The component that says what happens then: the series, or the override of that instance."""
    try:
        for one in occurrences(whole, at.start - DAY, at.start + DAY):
            if Stretch(one.start, one.end, one.floating, "").placed(zone).start == at.start:
                return one.component
    except (ICalError, StepBudgetError):
        pass  # then the first one describes it well enough
    return whole.children(kind)[0]


def when(place: Place, at: Stretch) -> str:
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
