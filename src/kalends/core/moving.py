"""MOVE: put what queries select into another calendar, or give a calendar another name (RFC 4324 §10.10)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kalends.calquery.tree import And, Compare, Condition, Constant, Query
from kalends.calquery.tree import Literal as Text
from kalends.core import (
    admission,
    agendas,
    containers,
    creating,
    deleting,
    renaming,
    selecting,
    series,
    texts,
)
from kalends.core.access import decrees, rights
from kalends.core.access.circumstances import Standing
from kalends.core.access.rights import Authority
from kalends.core.containers import NEW
from kalends.core.errors import DuplicateError, InvalidError, KalendsError, NotFoundError
from kalends.core.hits import Hit
from kalends.core.model import Caller, Receipt, Selection, Target
from kalends.core.writer import Writer
from kalends.ical.tree import Component, parse
from kalends.ical.zones import Zones
from kalends.store import objects
from kalends.store.base import Tx
from kalends.store.calendars import VCALSTORE
from kalends.store.objects import ObjectRow

_IN_CALENDARS = ("VEVENT", "VTODO", "VJOURNAL")


def move(tx: Tx, caller: Caller, target: Target, selections: Sequence[Selection]) -> list[Receipt]:
    """Move or rename; see `ledger.move`."""
    receipts: list[Receipt] = []
    for selection in selections:
        source = _source(tx, caller, target, selection)
        for query, expand in selecting.queries_of(tx, caller, target, selection):
            if query.source == "VAGENDA":
                receipts += _rename(tx, caller, target, query)
                continue
            if query.source in ("VCALSTORE", "VFREEBUSY"):
                raise InvalidError(f"a {query.source} cannot be moved")
            receipts += _move_objects(
                tx, caller, target, *_from_where(tx, caller, source, query), expand=expand
            )
    return receipts


def _source(tx: Tx, caller: Caller, target: Target, selection: Selection) -> Target | None:
    """The calendar a VQUERY's TARGET names, when it does not name the place of a stored query (A-55)."""
    if selection.container is None or selection.query_id is not None:
        return None
    return containers.resolve(tx, caller, selection.container)


def _from_where(tx: Tx, caller: Caller, source: Target | None, query: Query) -> tuple[Target, Query]:
    """The source calendar, from the VQUERY's TARGET or from `WHERE CALID = '…'`, and the rest of the query.

    Raises:
        InvalidError: nothing says where the objects are.
    """
    named, rest = _without_calid(query.where)
    if named is not None:
        source = containers.resolve(tx, caller, named)
        query = Query(query.select, query.source, rest, query.text)
    if source is None:
        raise InvalidError("MOVE needs the calendar to move from: TARGET in the VQUERY, or WHERE CALID = '…'")
    return source, query


def _without_calid(condition: Condition | None) -> tuple[str | None, Condition | None]:
    match condition:
        case Compare(column, "=", Text(text)) if column.name == "CALID" and column.param is None:
            return text, None
        case And(terms):
            named: str | None = None
            kept: list[Condition] = []
            for term in terms:
                found, rest = _without_calid(term)
                named = found or named
                if rest is not None:
                    kept.append(rest)
            return named, And(tuple(kept)) if kept else Constant(True)
        case _:
            return None, condition


def _rename(tx: Tx, caller: Caller, target: Target, query: Query) -> list[Receipt]:
    """Give the one calendar that matches the CALID in TARGET (Nellis becomes Area-51).

    Raises:
        InvalidError: several calendars match, or TARGET is no CALID.
        DuplicateError: the CALID is taken.
    """
    everywhere = Target("", VCALSTORE, "")
    found = selecting.agendas_matching(tx, caller, everywhere, query)
    if not found:
        return []
    if target.is_store:
        raise InvalidError("a calendar cannot be moved into the store; it is there already")
    if target.calendar_id != NEW:
        raise DuplicateError(f"the CALID {target.calid} is taken")
    if len(found) > 1:
        raise InvalidError(f"{len(found)} calendars match; one of them can have the CALID {target.calid}")
    calendar = found[0][0]
    old = Target(calendar.calid, calendar.id, calendar.calid)
    renaming.rename_calendar(tx, caller, old, target.calid)
    return [Receipt("VAGENDA", "CALID", calendar.calid)]


def _move_objects(
    tx: Tx, caller: Caller, target: Target, source: Target, query: Query, *, expand: bool
) -> list[Receipt]:
    if target.calendar_id == NEW:
        raise NotFoundError("no such calendar or store")
    here, there = rights.authority_in(tx, caller, source), rights.authority_in(tx, caller, target)
    here.require("MOVE", query.source)
    there.require("CREATE", query.source)
    if target.is_store and query.source in _IN_CALENDARS:
        raise InvalidError(f"a {query.source} cannot be put into the calendar store")
    if source.calendar_id == target.calendar_id:
        raise InvalidError("what is moved is in that calendar already")
    writer = Writer(tx, caller, (source.calendar_id, target.calendar_id))
    found = selecting.hits(tx, caller, source, query, expand=expand, permission="MOVE", authority=here)
    selecting.limited(found, caller)
    receipts: list[Receipt] = []
    for group in selecting.by_object(found):
        error: KalendsError | None = None
        try:
            with tx.savepoint():
                moved = _move_group(writer, (here, there), group, target)
        except KalendsError as refused:
            error, moved = refused, [group[0]]
        receipts += [_receipt(hit, error) for hit in moved]
    return receipts


def move_object(
    tx: Tx,
    caller: Caller,
    source: Target,
    name: str,
    target: Target,
    new_name: str,
    *,
    check: Callable[[ObjectRow | None, ObjectRow | None], None],
) -> bool:
    """Move or rename one object; see `ledger.move_object`."""
    here, goal = rights.authority_in(tx, caller, source), rights.authority_in(tx, caller, target)
    here.require("MOVE")
    goal.require("CREATE")
    writer = Writer(tx, caller, (source.calendar_id, target.calendar_id))
    row = objects.by_name(tx, source.calendar_id, name)
    there = objects.by_name(tx, target.calendar_id, new_name)
    if row is not None and here.sight().object(row) is None:
        row = None  # what is not seen is not there
    check(row, there)
    if row is None:
        raise NotFoundError("no such object")
    here.allow_object("MOVE", row)
    goal.allow_object("CREATE", row)
    if there is not None:
        goal.allow_object("DELETE", there)
        writer.mark(there)
    if source.calendar_id == target.calendar_id:
        writer.rename(row, new_name)
        return there is not None
    twin = creating.booked(tx, target.calendar_id, row.kind, row.uid)
    if twin is not None:
        raise DuplicateError(f"the UID {row.uid[:80]} is taken in that calendar")
    if there is None:
        admission.check_quota(tx, caller, target.calendar_id, row.kind)
    writer.move(row, target.calendar_id, name=new_name)
    return there is not None


def _move_group(
    writer: Writer, sides: tuple[Authority, Authority], group: Sequence[Hit], target: Target
) -> list[Hit]:
    """Move one object, or some instances of it. Returns the hits that stand for what was moved."""
    row, whole = group[0].row, group[0].whole
    if group[0].component.name != row.kind:
        raise InvalidError(f"a {group[0].component.name} moves with the {row.kind} it stands in")
    master = series.master_of(whole, row.kind)
    chosen = [hit.component for hit in group if hit.at is None]
    rest = [part for part in whole.children(row.kind) if not any(part is one for one in chosen)]
    if any(part is master for part in chosen) or not rest:
        _allow(sides, row, whole, whole.children(row.kind))
        deleting.keep_promises(writer, row)
        _refuse_twin(writer, group[0], target)
        admission.check_quota(writer.tx, writer.caller, target.calendar_id, row.kind)
        writer.move(row, target.calendar_id)
        return [hit for hit in group if hit.component is master] or list(group)
    _allow(sides, row, whole, [hit.component for hit in group])
    for hit in group:
        at = hit.at if hit.at is not None else texts.recurrence_key(hit.component, Zones(whole))
        assert at is not None, "an override without RECURRENCE-ID"
        _settle_instance(writer, hit, target, at)
        series.exclude(whole, row.kind, at)
    writer.update(row, whole)
    return list(group)


def _allow(
    sides: tuple[Authority, Authority], row: ObjectRow, whole: Component, parts: Sequence[Component]
) -> None:
    """Go on only where components may leave here and come there.

    Raises:
        DeniedError: MOVE is missing here or CREATE there, or a decree stands against a VCAR.

    Source: RFC 4324 §8.25, §10.10; A-56.
    """
    decrees.refuse(row)
    here, there = sides
    standing = Standing(row.state, row.method, Zones(whole))
    for part in parts:
        here.allow("MOVE", part, standing)
        there.allow("CREATE", part, standing)
        if part.name == "VCAR":
            owners = agendas.owners(there.tx, there.calendar)
            rights.respect_decrees(there.tx, there.calendar.id, part, owners)


def _refuse_twin(writer: Writer, hit: Hit, target: Target) -> None:
    if hit.row.state == "BOOKED" and creating.booked(
        writer.tx, target.calendar_id, hit.row.kind, hit.row.uid
    ):
        raise DuplicateError(f"the {texts.identifier(hit.component)[0]} is taken in that calendar")


def _settle_instance(writer: Writer, hit: Hit, target: Target, at: int) -> None:
    """Put one instance into the target calendar: beside other instances of its UID, or by itself.

    Raises:
        DuplicateError: that instance, or the whole series, is there already.
        QuotaError: the calendar is full.
    """
    row = hit.row
    own = series.alone(hit.whole, hit.seen)
    there = creating.booked(writer.tx, target.calendar_id, row.kind, row.uid)
    if there is None:
        admission.check_quota(writer.tx, writer.caller, target.calendar_id, row.kind)
        writer.insert(target.calendar_id, own, kind=row.kind, uid=row.uid, state=row.state, method=row.method)
        return
    whole = parse(there.ics)
    if there.kind != row.kind or series.override_at(whole, row.kind, at) is not None:
        raise DuplicateError("that instance is in the calendar already")
    defined = {zone.value("TZID") for zone in whole.children("VTIMEZONE")}
    zones = [zone for zone in own.children("VTIMEZONE") if zone.value("TZID") not in defined]
    first = whole.items.index(whole.children(row.kind)[0])
    whole.items[first:first] = zones
    whole.items.append(hit.seen)
    writer.update(there, whole)


def _receipt(hit: Hit, error: KalendsError | None) -> Receipt:
    name, value = texts.identifier(hit.seen)
    recurrence = hit.seen.first("RECURRENCE-ID")
    return Receipt(hit.seen.name, name, value or hit.row.uid, recurrence, hit.row.method, error)
