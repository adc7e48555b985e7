"""MODIFY: replace old values by new ones in what a query selects (RFC 4324 §10.9)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from kalends.calquery.tree import Column, Contained, Query
from kalends.core import (
    admission,
    agendas,
    attachments,
    containers,
    deleting,
    patch,
    scheduling,
    selecting,
    texts,
)
from kalends.core.access import amending, decrees, rights
from kalends.core.access.rights import Authority
from kalends.core.admission import Sent
from kalends.core.conflicts import strictness
from kalends.core.errors import DeniedError, InvalidError, StaleError
from kalends.core.hits import Hit
from kalends.core.model import Caller, Receipt, Selection, Target
from kalends.core.names import complete_upn, qualified, relative
from kalends.core.timezones import needed
from kalends.core.trial import Trial
from kalends.core.writer import Writer
from kalends.ical.tree import Component
from kalends.ical.values import unescape_text
from kalends.ical.zones import Zones
from kalends.store import calendars
from kalends.store.base import Tx
from kalends.store.calendars import VCALSTORE, CalendarRow
from kalends.store.objects import ObjectRow

_MADE_AT_READING = {
    "VAGENDA": frozenset(("CALID", "LAST-MODIFIED")),
    "VCALSTORE": frozenset(("LAST-MODIFIED", "RELATED-TO")),
}
"""Properties that a container shows otherwise than it stores them. A VAGENDA's LAST-MODIFIED may be given
new values, as every client's habit is; the store knows better."""


def modify(
    tx: Tx, caller: Caller, targets: Sequence[Target], selection: Selection, old: Component, new: Component
) -> list[list[Receipt]]:
    """Modify; see `ledger.modify`."""
    if old.name != new.name:
        raise InvalidError(f"the old values are a {old.name}, the new ones a {new.name}")
    patch.check_encoding(old)
    patch.check_encoding(new)
    there = {target: rights.authority_in(tx, caller, target) for target in targets}
    for target, authority in there.items():
        if not (target.is_store and old.name == "VAGENDA"):
            authority.require("MODIFY", old.name)
    writer = Writer(tx, caller, sorted({target.calendar_id for target in targets}))
    trial = Trial(writer)
    receipts = [_modify_in(trial, target, there[target], selection, old, new) for target in targets]
    trial.judge()
    return receipts


def _modify_in(
    trial: Trial,
    target: Target,
    authority: Authority,
    selection: Selection,
    old: Component,
    new: Component,
) -> list[Receipt]:
    writer = trial.writer
    tx, caller = writer.tx, writer.caller
    receipts: list[Receipt] = []
    refused = len(trial.refusals)
    for query, expand in selecting.queries_of(tx, caller, target, selection):
        if old.name in ("VAGENDA", "VCALSTORE"):
            receipts += _modify_properties(writer, target, query, old, new)
            continue
        found = selecting.hits(
            tx, caller, target, query, expand=expand, permission="MODIFY", authority=authority
        )
        selecting.limited(found, caller)
        was, becomes = _meant(query, old), _meant(query, new)
        for group in selecting.by_object(found):
            with trial.of(target, _named(group[0])):
                receipts += _modify_object(writer, authority, group, was, becomes)
    if not receipts and len(trial.refusals) == refused:
        with trial.of(target, Receipt("", "", "")):
            raise StaleError("nothing that the query selects holds these old values")
    return receipts


def _meant(query: Query, values: Component) -> Component:
    """Values as those of the component a query is FROM: `SELECT VALARM FROM VEVENT` selects its alarms.

    Source: RFC 4324 §6.1.1 (rule 7), §10.9.
    """
    inner = ((Contained(values.name),), (Column(values.name),))  # an X- may be either (§6.1.1)
    if query.source != values.name and query.select in inner:
        return Component(query.source, [values])
    return values


def _named(hit: Hit) -> Receipt:
    """What a refusal calls an object: what the caller sees of it."""
    name, value = texts.identifier(hit.view)
    return Receipt(
        hit.view.name, name if value else "", value, hit.view.first("RECURRENCE-ID"), hit.row.method
    )


def _modify_object(
    writer: Writer, authority: Authority, group: Sequence[Hit], old: Component, new: Component
) -> list[Receipt]:
    """Change the components found in one object; those without the old values stay as they are.

    Raises:
        InvalidError: the result would break a rule, or the old values are of another kind.
        DeniedError: the caller may not, or asks for values that they may not see.
    """
    row, whole = group[0].row, group[0].whole
    receipts: list[Receipt] = []
    for hit in group:
        if hit.component.name != old.name:
            raise InvalidError(f"the query selects a {hit.component.name}, the old values are a {old.name}")
        if not patch.holds(hit.view, old):
            if hit.cut is not None and not amending.may_compare(authority, hit, old):
                raise DeniedError(rights.DENIED)
            continue
        name, value = texts.identifier(hit.seen)
        receipts.append(Receipt(old.name, name, value, hit.seen.first("RECURRENCE-ID"), row.method))
        decrees.refuse(row)
        amending.amend(authority, hit, old, new)
    if receipts:
        _store_changed(writer, row, whole)
    return receipts


def _store_changed(writer: Writer, row: ObjectRow, whole: Component) -> None:
    """Check a changed object like a new one, and keep it."""
    mains = whole.children(row.kind)
    admission.check_dates(mains, writer.caller)
    admission.check_size(len(whole.to_bytes()), writer.caller)
    _define_zones(whole, mains)
    sent = Sent(whole)
    admission.check_object(whole, writer.caller, sent)
    _check_kind(writer, row, mains, sent)
    attachments.check_references(writer.tx, writer.caller, row.ics, whole)
    zones = Zones(whole)
    keys = [texts.recurrence_key(part, zones) for part in mains] if row.state == "BOOKED" else []
    if len(set(keys)) != len(keys):
        raise InvalidError("two components for one instance")
    uid = unescape_text(texts.identifier(mains[0])[1]).strip()
    whole, tag = scheduling.write(writer, row.calendar_id, row, whole, kind=row.kind, uid=row.uid)
    writer.update(row, whole, uid=uid if uid and uid != row.uid else None, schedule_tag=tag)


def _check_kind(writer: Writer, row: ObjectRow, mains: Sequence[Component], sent: Sent) -> None:
    if row.kind == "VCAR":
        calendar = calendars.by_id(writer.tx, row.calendar_id)
        assert calendar is not None, "a locked calendar"
        rights.respect_decrees(writer.tx, row.calendar_id, mains[0], agendas.owners(writer.tx, calendar))
        admission.check_rights(mains[0], writer.caller, sent)
        if unescape_text(texts.identifier(mains[0])[1]).strip() != row.uid:
            deleting.keep_promises(writer, row)
    elif row.kind == "VQUERY":
        admission.check_query(mains[0], writer.caller, sent)
    elif row.kind == "VTIMEZONE" and unescape_text(mains[0].value("TZID") or "") != row.uid:
        raise InvalidError("TZID of a VTIMEZONE cannot be changed; other components refer to it")
    agendas.check_names(mains[0])


def _define_zones(whole: Component, mains: Sequence[Component]) -> None:
    """Add the VTIMEZONEs that new values refer to.

    Raises:
        InvalidError: a TZID that nobody defines.
    """
    defined = {unescape_text(zone.value("TZID") or "") for zone in whole.children("VTIMEZONE")}
    for tzid in texts.zones_named(list(mains)):
        if tzid not in defined:
            whole.items.insert(whole.items.index(mains[0]), needed(tzid))


def _modify_properties(
    writer: Writer, target: Target, query: Query, old: Component, new: Component
) -> list[Receipt]:
    """Change the properties of calendars, or of the store.

    Raises:
        InvalidError: RFC 4324 §9.1 or §9.2 would be broken.
    """
    tx, caller = writer.tx, writer.caller
    old, new = _in_full(old, caller), _in_full(new, caller)
    if query.source != old.name:
        raise InvalidError(f"the query is FROM {query.source}, the old values are a {old.name}")
    if old.name == "VCALSTORE":
        found = selecting.store_matching(tx, caller, target, query)
    else:
        found = selecting.agendas_matching(tx, caller, target, query)
    receipts: list[Receipt] = []
    for calendar, seen in found:
        if not patch.holds(seen, old):
            authority = rights.authority(tx, caller, calendar.id)
            if not amending.may_compare_properties(authority, old):
                raise DeniedError(rights.DENIED)
        else:
            _modify_one(writer, calendar, seen, old, new)
            name = "CSID" if old.name == "VCALSTORE" else "CALID"
            receipts.append(Receipt(old.name, name, seen.value(name) or ""))
    return receipts


def _modify_one(
    writer: Writer, calendar: CalendarRow, seen: Component, old: Component, new: Component
) -> None:
    tx, caller = writer.tx, writer.caller
    authority = rights.authority(tx, caller, calendar.id)
    authority.require("MODIFY", old.name)
    if calendar.id not in writer.ticks:
        writer.lock(calendar.id)
    row = agendas.row_of(tx, calendar)
    whole = agendas.parsed(row).copy()
    held = whole.children(row.kind)[0]
    before = held.copy()
    # Old values were compared with what the caller sees; lines made at reading are not there to be replaced.
    made = _MADE_AT_READING[row.kind]
    _refuse_changes(old, new, made & patch.READ_ONLY[row.kind])
    patch.apply(held, _without(old, made), _without(new, made))
    wished = seen.copy()
    patch.apply(wished, _without(old, made), _without(new, made))
    authority.allow_change(before, held, wished=(seen, wished))
    _keep_properties(writer, calendar, row, whole, before, {})


def edit_calendar(
    tx: Tx, caller: Caller, target: Target, edit: Callable[[Component], None], zones: Mapping[str, Component]
) -> None:
    """Change a calendar's properties by a function; see `ledger.edit_calendar`."""
    authority = rights.authority_in(tx, caller, target)
    authority.require("MODIFY", "VAGENDA")
    writer = Writer(tx, caller, (target.calendar_id,))
    calendar = containers.calendar_of(tx, target)
    row = agendas.row_of(tx, calendar)
    whole = agendas.parsed(row).copy()
    held = whole.children(row.kind)[0]
    before = held.copy()
    edit(held)
    authority.allow_change(before, held)
    _keep_properties(writer, calendar, row, whole, before, zones)


def _keep_properties(
    writer: Writer,
    calendar: CalendarRow,
    row: ObjectRow,
    whole: Component,
    before: Component,
    zones: Mapping[str, Component],
) -> None:
    """Check changed properties like new ones, keep them, and let the calendar follow.

    Args:
        writer: has locked the calendar.
        calendar: its row as it was.
        row: the object that holds its properties, as it was.
        whole: its new text.
        before: the VAGENDA or VCALSTORE as it was.
        zones: VTIMEZONEs that came along, by TZID.
    """
    tx, caller = writer.tx, writer.caller
    held = whole.children(row.kind)[0]
    _complete_owners(held, caller)
    agendas.check(held)
    containers.respect_store(tx, held)
    admission.check_size(len(whole.to_bytes()), caller)
    admission.check_object(whole, caller, Sent(whole))
    if row.kind == "VAGENDA" and not caller.identity.admin and agendas.home_of(tx, held) is None:
        raise InvalidError("a calendar needs an OWNER who is known here")
    writer.update(row, whole)
    redefined = containers.provide_zones(writer, calendar.id, held, zones)
    fresh = calendars.by_id(tx, calendar.id)
    if fresh is not None and calendar.id != VCALSTORE:
        containers.settle(tx, fresh, held)
    strictness.follow(writer, calendar, before, held, redefined=redefined)


def _refuse_changes(old: Component, new: Component, names: frozenset[str]) -> None:
    """Refuse new values for properties that are made at reading and belong to nobody's client.

    Raises:
        InvalidError: one of them would change.
    """
    for name in sorted(names):
        if sorted(line.value for line in old.all(name)) != sorted(line.value for line in new.all(name)):
            raise InvalidError(f"{name} of a {old.name} cannot be changed")


def _in_full(values: Component, caller: Caller) -> Component:
    """Values of a container with its address and owners in full: both have short forms (A-16, A-17)."""
    written = values.copy()
    for line in (*written.all("CALID"), *written.all("CSID")):
        calid = relative(line.value, caller.policy)
        if calid is not None:
            agendas.rewrite(written, line, qualified(calid, caller.policy))
    for line in written.all("OWNER"):
        with suppress(InvalidError):  # what is no UPN is not there, or refused with the result
            agendas.rewrite(written, line, complete_upn(line.value, caller.policy))
    return written


def _without(values: Component, names: frozenset[str]) -> Component:
    return Component(values.name, [item for item in values.items if item.name not in names])


def _complete_owners(held: Component, caller: Caller) -> None:
    for line in held.all("OWNER"):
        agendas.rewrite(held, line, complete_upn(line.value, caller.policy))
