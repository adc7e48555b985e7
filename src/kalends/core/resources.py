"""Calendar object resources that a filter selects: what CalDAV's reports ask for (RFC 4791 §7.8)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from kalends.calquery.match import Subject
from kalends.calquery.occasions import Occasions
from kalends.calquery.plan import Plan, plan
from kalends.calquery.tree import And, Condition, Constant, Inside, Occurs, State
from kalends.core import texts
from kalends.core.access import rights, veil
from kalends.core.access.sights import Sight
from kalends.core.model import Caller
from kalends.ical.tzfile import Zone
from kalends.ical.zones import Zones
from kalends.store import found, instances, objects
from kalends.store.base import Tx
from kalends.store.objects import ObjectRow
from kalends.store.sqltext import chunks

PAGE: Final = 200
"""Objects whose texts are in memory together."""
_BOOKED: Final = State("BOOKED")


def matching(
    tx: Tx, caller: Caller, calendar_id: int, condition: Condition | None, *, zone: Zone | None = None
) -> list[int]:
    """The ids of the calendar object resources that a condition selects of what the caller may see.

    Args:
        tx: a transaction.
        caller: who asks.
        calendar_id: the calendar.
        condition: about whole objects: its components are those directly inside VCALENDAR; None for all.
        zone: of floating times and dates; None for UTC.

    Returns:
        In ascending order.

    Raises:
        TooComplexError: too many kinds of contained components.

    Source: RFC 4791 §7.8.
    """
    sight = rights.sight(tx, caller, calendar_id)
    if not sight.whole and sight.judge is None:
        return []
    prepared = _planned(condition)
    asked = prepared if sight.whole else _planned(_askable(condition, sight))
    wall = None if zone is None else zone.wall
    compiled, ids = found.find_objects(tx, asked, (calendar_id,), wall=wall)
    sure = set(ids) if compiled.exact and sight.whole else set()
    doubtful = set(ids) - sure
    if compiled.until is not None:
        doubtful |= set(instances.open_objects(tx, (calendar_id,), compiled.until)) - sure
    sure |= {row.id for row in rows(tx, sorted(doubtful)) if _matches(row, sight, prepared, zone)}
    return sorted(sure)


def among(
    messages: Sequence[ObjectRow], condition: Condition | None, *, zone: Zone | None
) -> list[ObjectRow]:
    """The scheduling messages that a condition selects of those in an inbox, in their order.

    Args:
        messages: what lies in the inbox of the caller.
        condition: as for `matching`; None for all.
        zone: of floating times and dates; None for UTC.

    Source: RFC 6638 §2.3: a VEVENT without DTSTART is in every range of time.
    """
    if condition is None:
        return list(messages)
    usual, timeless = plan(condition), plan(_without_times(condition))
    found: list[ObjectRow] = []
    for row in messages:
        whole, _ = texts.read(row)
        zones = Zones(whole)
        subject = Subject(whole, state=row.state, zones=zones, occasions=Occasions(whole, zones, zone))
        undated = any(part.first("DTSTART") is None for part in whole.children("VEVENT"))
        if subject.satisfies(timeless if undated else usual):
            found.append(row)
    return found


def _without_times(condition: Condition | None) -> Condition | None:
    match condition:
        case Occurs():
            return Constant(True)
        case And(terms):
            kept = (_without_times(term) for term in terms)
            return And(tuple(one for one in kept if one is not None))
        case Inside(kind, where, negated):
            return Inside(kind, _without_times(where), negated)
        case _:
            return condition


def _planned(condition: Condition | None) -> Plan:
    return plan(_BOOKED if condition is None else And((_BOOKED, condition)))


def rows(tx: Tx, ids: Sequence[int]) -> Iterator[ObjectRow]:
    """Objects by their ids, page by page; what is gone is left out.

    Args:
        tx: a transaction, open until the iterator is done.
        ids: objects.
    """
    for part in chunks(ids, PAGE):
        found = objects.get_many(tx, part)
        yield from (found[one] for one in part if one in found)


def _matches(row: ObjectRow, sight: Sight, prepared: Plan, zone: Zone | None) -> bool:
    """Whether an object is selected: the condition is about what the caller sees."""
    if row.state != "BOOKED":
        return False
    if sight.whole:
        whole, _ = texts.read(row)
    else:
        one = sight.object(row)
        if one is None:
            return False
        whole = one.vcalendar()
    zones = Zones(whole)
    subject = Subject(whole, state=row.state, zones=zones, occasions=Occasions(whole, zones, zone))
    return subject.satisfies(prepared)


def _askable(condition: Condition | None, sight: Sight) -> Condition:
    """A condition that selects at least all that is meant, and that tells nothing of what is hidden."""
    match condition:
        case And(terms):
            return And(tuple(_askable(term, sight) for term in terms))
        case Inside(kind, where, False):
            times = sight.judge is not None and veil.tells_times(sight.judge, kind)
            return Inside(kind, _ranges(where) if times else None)
        case _:
            return Constant(True)


def _ranges(where: Condition | None) -> Condition | None:
    match where:
        case Occurs():
            return where
        case And(terms):
            kept = tuple(term for term in terms if isinstance(term, Occurs))
            return And(kept) if kept else None
        case _:
            return None
