"""DELETE: remove what queries select, or mark it (RFC 4324 §10.5)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from kalends.calquery.tree import AllProperties, Column, Contained, Everything, Query, Selected
from kalends.core import admission, agendas, containers, scheduling, selecting, series, texts
from kalends.core.access import decrees, rights
from kalends.core.access.circumstances import Standing
from kalends.core.access.rights import Authority
from kalends.core.admission import Sent
from kalends.core.errors import InvalidError, KalendsError, NotFoundError
from kalends.core.hits import Hit
from kalends.core.model import Caller, Receipt, Selection, State, Target
from kalends.core.writer import Writer
from kalends.ical.tree import Component
from kalends.ical.zones import Zones
from kalends.store import objects
from kalends.store.base import Tx
from kalends.store.objects import ObjectRow

PAGE = 200
"""Objects looked at together when a calendar is removed."""


def delete(
    tx: Tx, caller: Caller, target: Target, selections: Sequence[Selection], *, mark: bool
) -> list[Receipt]:
    """Remove or mark; see `ledger.delete`."""
    receipts: list[Receipt] = []
    for selection in selections:
        for query, expand in selecting.queries_of(tx, caller, target, selection):
            inner = _inner(query)
            if query.source == "VAGENDA":
                receipts += _delete_agendas(tx, caller, target, query, mark=mark)
            elif query.source == "VCALSTORE":
                raise InvalidError("the calendar store cannot be deleted")
            elif query.source != "VFREEBUSY":
                receipts += _delete_objects(tx, caller, target, query, inner, expand=expand, mark=mark)
    return receipts


def _inner(query: Query) -> list[str]:
    """The names of contained components that a query selects; without any, it is about what it is FROM.

    Raises:
        InvalidError: it selects properties, which is no reason to delete what holds them.

    Source: RFC 4324 §6.1.1 (rule 7), §10.5.
    """
    names: list[str] = []
    for one in query.select:
        if isinstance(one, Contained):
            names.append(one.component)
        elif isinstance(one, AllProperties | Everything) or _identifies(one, query.source):
            continue
        elif isinstance(one, Column) and one.name.startswith("X-") and one.component is None:
            names.append(one.name)  # no grammar tells an x-component from an x-property
        else:
            raise InvalidError("DELETE removes components and no properties; select * or one such as VALARM")
    return names


def _identifies(one: Selected, kind: str) -> bool:
    """Whether a selected item is what names a component of a kind: `SELECT UID FROM VEVENT`."""
    if not isinstance(one, Column) or one.component is not None or one.param is not None:
        return False
    named = one.name.endswith("-ID") if kind.startswith("X-") else one.name == texts.ID_OF.get(kind)
    return named or one.name in ("UID", "RECURRENCE-ID")


def delete_object(
    tx: Tx,
    caller: Caller,
    target: Target,
    name: str,
    *,
    check: Callable[[ObjectRow | None], None],
    state: State = "BOOKED",
) -> None:
    """Put the object of a name into state DELETED; see `ledger.delete_object`."""
    authority = rights.authority_in(tx, caller, target)
    authority.require("DELETE")
    writer = Writer(tx, caller, (target.calendar_id,))
    row = objects.by_name(tx, target.calendar_id, name, state)
    if row is not None and authority.sight().object(row) is None:
        row = None  # what is not seen is not there
    check(row)
    if row is None:
        raise NotFoundError("no such object")
    authority.allow_object("DELETE", row)
    keep_promises(writer, row)
    scheduling.remove(writer, row)
    writer.mark(row)


def remove_calendar(tx: Tx, caller: Caller, target: Target) -> int:
    """Remove a calendar and call off what is to come; see `ledger.remove_calendar`."""

    def call_off(writer: Writer) -> None:
        _allow_contents(tx, caller, target)
        for row in _contents(tx, target):
            if row.last_at is None or row.last_at > caller.now:
                scheduling.remove(writer, row)

    return containers.remove_calendar(tx, caller, target, before=call_off)


def _allow_contents(tx: Tx, caller: Caller, target: Target) -> None:
    """Go on only where all that a calendar holds may be deleted: it is no way around a DENY on some of it.

    Raises:
        DeniedError: something in it may not.

    Source: RFC 4324 §4.2 (a DENY wins), §10.5.
    """
    authority = rights.authority_in(tx, caller, target)
    if authority.free("DELETE"):
        return
    for row in _contents(tx, target):
        authority.allow_object("DELETE", row)


def _contents(tx: Tx, target: Target) -> Iterator[ObjectRow]:
    after = -1
    while page := objects.page(tx, after, PAGE, target.calendar_id):
        yield from page
        after = page[-1].id


def _delete_agendas(tx: Tx, caller: Caller, target: Target, query: Query, *, mark: bool) -> list[Receipt]:
    """Remove calendars with all they contain (DEL-06)."""
    if mark:
        raise InvalidError("a calendar is removed or kept; it cannot be marked")
    receipts: list[Receipt] = []
    for calendar, _ in selecting.agendas_matching(tx, caller, target, query):
        found = Target(calendar.calid, calendar.id, calendar.calid)
        error: KalendsError | None = None
        try:
            with tx.savepoint():
                remove_calendar(tx, caller, found)
        except KalendsError as refused:
            error = refused
        receipts.append(Receipt("VAGENDA", "CALID", calendar.calid, error=error))
    return receipts


def _delete_objects(
    tx: Tx, caller: Caller, target: Target, query: Query, contained: list[str], *, expand: bool, mark: bool
) -> list[Receipt]:
    authority = rights.authority_in(tx, caller, target)
    for kind in contained or [query.source]:
        authority.require("DELETE", kind)
    writer = Writer(tx, caller, (target.calendar_id,))
    found = selecting.hits(tx, caller, target, query, expand=expand, permission="DELETE", authority=authority)
    selecting.limited(found, caller)
    receipts: list[Receipt] = []
    for group in selecting.by_object(found):
        try:
            with writer.attempt():
                receipts += _delete_group(writer, authority, group, contained, mark=mark)
        except KalendsError as refused:
            receipts.append(_receipt(group[0].row, group[0].seen, error=refused))
    return receipts


def _delete_group(
    writer: Writer, authority: Authority, group: Sequence[Hit], contained: list[str], *, mark: bool
) -> list[Receipt]:
    """Delete what was found in one object: contained components, some of its instances, or all of it."""
    row, whole = group[0].row, group[0].whole
    decrees.refuse(row)
    standing = Standing(row.state, row.method, Zones(whole))
    if contained or group[0].component.name != row.kind:
        doomed = [(hit.component, hit.parent) for hit in group]
        if contained:
            doomed = [
                (child, hit.component)
                for hit in group
                for name in contained
                for child in hit.component.children(name)
            ]
        for child, _ in doomed:
            top = next(one for one in whole.components if any(part is child for part in one.walk()))
            authority.allow_inside("DELETE", top, child, standing)
        return _delete_contained(writer, row, whole, doomed, mark=mark)
    master = series.master_of(whole, row.kind)
    chosen = [hit.component for hit in group if hit.at is None]
    rest = [part for part in whole.children(row.kind) if not any(part is one for one in chosen)]
    if any(part is master for part in chosen) or not rest:
        for part in whole.children(row.kind):
            authority.allow("DELETE", part, standing)
        keep_promises(writer, row)
        named = [master] if master is not None else chosen
        scheduling.remove(writer, row)
        if mark:
            writer.mark(row)
        else:
            writer.remove(row)
        return [_receipt(row, part) for part in named]
    for hit in group:
        authority.allow("DELETE", hit.component, standing)
    return _delete_instances(writer, row, whole, group, mark=mark)


def _delete_instances(
    writer: Writer, row: ObjectRow, whole: Component, group: Sequence[Hit], *, mark: bool
) -> list[Receipt]:
    """Take instances out of a series; marked ones become DELETED objects of their own."""
    receipts: list[Receipt] = []
    for hit in group:
        at = hit.at if hit.at is not None else texts.recurrence_key(hit.component, Zones(whole))
        assert at is not None, "an override without RECURRENCE-ID"
        if mark:
            writer.insert(
                row.calendar_id, series.alone(whole, hit.seen), kind=row.kind, uid=row.uid,
                state="DELETED", method=row.method,
            )  # fmt: skip
        series.exclude(whole, row.kind, at)
        receipts.append(_receipt(row, hit.seen))
    whole, tag = scheduling.write(writer, row.calendar_id, row, whole, kind=row.kind, uid=row.uid)
    writer.update(row, whole, schedule_tag=tag)
    return receipts


def _delete_contained(
    writer: Writer,
    row: ObjectRow,
    whole: Component,
    doomed: Iterable[tuple[Component, Component]],
    *,
    mark: bool,
) -> list[Receipt]:
    """Take alarms and the like out of their component.

    Raises:
        InvalidError: with `mark`, for only objects have states; or when the rest would break a rule.
    """
    if mark:
        raise InvalidError("what stands inside of another component is removed or kept; it cannot be marked")
    receipts: list[Receipt] = []
    for child, parent in doomed:
        parent.remove(child)
        name, value = texts.identifier(child)
        receipts.append(Receipt(child.name, name, value, method=row.method))
    if receipts:
        admission.check_object(whole, writer.caller, Sent(whole))
        writer.update(row, whole)
    return receipts


def keep_promises(writer: Writer, row: ObjectRow) -> None:
    """Refuse to take away what the container's properties promise (RFC 4324 §8.13, §8.14).

    Raises:
        InvalidError: a VTIMEZONE of DEFAULT-TZID, or a VCAR of DEFAULT-VCARS.
        DeniedError: a DECREED VCAR.
    """
    if row.state != "BOOKED" or row.kind not in ("VTIMEZONE", "VCAR"):
        return
    decrees.refuse(row)
    calendar = containers.calendar_of(writer.tx, Target("", row.calendar_id, ""))
    held = agendas.properties(writer.tx, calendar)
    name = "DEFAULT-TZID" if row.kind == "VTIMEZONE" else "DEFAULT-VCARS"
    if row.uid in agendas.listed(held, name):
        raise InvalidError(f"{row.uid[:80]} stands in {name}; change that first")


def _receipt(row: ObjectRow, component: Component, error: KalendsError | None = None) -> Receipt:
    name, value = texts.identifier(component)
    return Receipt(
        component.name, name, value or row.uid, component.first("RECURRENCE-ID"), row.method, error
    )
