"""CREATE: from a VCALENDAR to objects in a container (RFC 4324 §10.4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kalends.core import admission, agendas, attachments, containers, scheduling, texts
from kalends.core.access import answering, rights
from kalends.core.access.circumstances import Standing
from kalends.core.access.rights import Authority
from kalends.core.admission import Sent
from kalends.core.errors import (
    DeniedError,
    DuplicateError,
    InvalidError,
    KalendsError,
    UnsupportedError,
)
from kalends.core.model import Caller, Receipt, Target
from kalends.core.people import availability
from kalends.core.texts import UID_KINDS, Draft
from kalends.core.timezones import definition
from kalends.core.writer import Writer
from kalends.ical.tree import Component, Line, parse
from kalends.ical.values import unescape_text
from kalends.ical.zones import Zones
from kalends.store import calendars, objects
from kalends.store.base import Tx
from kalends.store.objects import ObjectRow

IN_STORE = frozenset(("VAGENDA", "VCAR", "VQUERY", "VTIMEZONE"))
IN_CALENDAR = frozenset(
    ("VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY", "VAVAILABILITY", "VCAR", "VQUERY", "VTIMEZONE")
)
"""What each container holds, besides x-components (RFC 4324 §3.2; OBM-17)."""
_NEVER = {
    "VCALSTORE": "a calendar store is not made by CREATE",
    "VALARM": "an alarm stands in a VEVENT or VTODO; MODIFY adds it there",
    "VRIGHT": "a VRIGHT stands in a VCAR",
    "STANDARD": "STANDARD stands in a VTIMEZONE",
    "DAYLIGHT": "DAYLIGHT stands in a VTIMEZONE",
}
_KEPT_ON_IMPORT = frozenset(("VERSION", "PRODID", "CALSCALE"))


@dataclass(slots=True)
class _Batch:
    """What the objects of one command have in common.

    Attributes:
        tx: the write transaction. caller: who acts. target: where to. writer: holds the lock.
        sent: the command's text. head: lines for each object's VCALENDAR.
        zones: VTIMEZONEs that came along, by TZID. named: TZIDs that other components refer to.
        method: METHOD, or None. own_zones: identities of the VTIMEZONEs that came along.
        authority: what the caller may do there, as it was before the command.
        imported: whether this is an exported file, and nobody is to be told.
    """

    tx: Tx
    caller: Caller
    target: Target
    writer: Writer
    sent: Sent
    head: list[Line]
    zones: dict[str, Component]
    named: set[str]
    method: str | None
    own_zones: frozenset[int]
    authority: Authority
    imported: bool = False

    @property
    def standing(self) -> Standing:
        """Of what is created."""
        return Standing("BOOKED" if self.method is None else "UNPROCESSED", self.method)

    def allow(self, draft: Draft) -> None:
        """Go on only when all components of a draft may be created. Raises DeniedError."""
        for component in draft.components:
            if not answering.may_answer(self.authority, component, draft.uid, self.method):
                self.authority.allow("CREATE", component, self.standing)


def create(tx: Tx, caller: Caller, target: Target, vcalendar: Component) -> list[Receipt]:
    """Create the components of a VCALENDAR; see `ledger.create`."""
    return _create(rights.authority_in(tx, caller, target), target, vcalendar)


def _create(authority: Authority, target: Target, vcalendar: Component) -> list[Receipt]:
    caller = authority.caller
    method = admission.envelope(vcalendar, caller)
    if method is not None:
        admission.check_message(vcalendar, caller, Sent(vcalendar))
    drafts = texts.drafts(vcalendar)
    by_itself = target.is_store and all(draft.kind == "VAGENDA" for draft in drafts)
    if not by_itself and method not in answering.ANSWERS:
        _require(authority, drafts, method)
    if len(drafts) == 1:
        expect(authority.tx, target.calendar_id, vcalendar)
    batch = _batch(authority, target, vcalendar, texts.header(vcalendar), method)
    return _all(batch, drafts)


def _require(authority: Authority, drafts: Sequence[Draft], method: str | None = None) -> None:
    """Refuse at once what cannot be but refused, so that nothing is locked for it."""
    kinds = {draft.kind for draft in drafts}
    if not any(authority.anything("CREATE", kind) for kind in kinds) and not any(
        answering.may_answer(authority, part, draft.uid, method)
        for draft in drafts
        for part in draft.components
    ):
        authority.require("CREATE", next(iter(kinds), None))


def import_objects(tx: Tx, caller: Caller, target: Target, vcalendar: Component) -> list[Receipt]:
    """Book the objects of an exported file: any number, in one transaction.

    METHOD and what describes the exported calendar as a whole are left out; time zones stay with the
    objects that refer to them.

    Args:
        tx: a write transaction.
        caller: who imports.
        target: a calendar.
        vcalendar: the file.

    Returns:
        One receipt per component, in order; a refused one carries its error.

    Raises:
        KalendsError: the file as a whole is refused.
    """
    admission.envelope(vcalendar, caller)
    authority = rights.authority_in(tx, caller, target)
    head = [line for line in vcalendar.lines if line.name in _KEPT_ON_IMPORT]
    drafts = [draft for draft in texts.drafts(vcalendar) if draft.kind != "VTIMEZONE"]
    _require(authority, drafts)
    batch = _batch(authority, target, vcalendar, head, None)
    batch.imported = True
    return _all(batch, drafts)


def _batch(
    authority: Authority, target: Target, vcalendar: Component, head: list[Line], method: str | None
) -> _Batch:
    tx, caller = authority.tx, authority.caller
    zones = {unescape_text(zone.value("TZID") or ""): zone for zone in vcalendar.children("VTIMEZONE")}
    others = [component for component in vcalendar.components if component.name != "VTIMEZONE"]
    named = set(texts.zones_named(others)) if zones else set()
    writer = Writer(tx, caller, (target.calendar_id,))
    own = frozenset(id(zone) for zone in zones.values())
    return _Batch(tx, caller, target, writer, Sent(vcalendar), head, zones, named, method, own, authority)


def _all(batch: _Batch, drafts: Sequence[Draft]) -> list[Receipt]:
    receipts: dict[int, Receipt] = {}
    for draft in drafts:
        sent = list(draft.components)
        unreachable: tuple[str, ...] = ()
        error: KalendsError | None = None
        try:
            with batch.writer.attempt():
                _create_one(batch, draft)
            if batch.method is None:
                unreachable = answering.unreachable(sent, batch.caller.policy)
        except KalendsError as refused:
            error = refused
        for component in sent:
            recurrence = component.first("RECURRENCE-ID")
            name = draft.id_name if draft.id_value else ""
            receipts[id(component)] = Receipt(
                draft.kind, name, draft.id_value, recurrence, batch.method, error, unreachable
            )
    order = [id(component) for component in batch.sent.root.components]
    return [receipts[key] for key in order if key in receipts]


def _create_one(batch: _Batch, draft: Draft) -> None:
    """Create one object, or say why not."""
    if not draft.uid:
        raise InvalidError(f"a {draft.kind} needs a {draft.id_name}", batch.sent.number(draft.components[0]))
    reason = _NEVER.get(draft.kind)
    if reason is not None:
        raise InvalidError(reason, batch.sent.number(draft.components[0]))
    allowed = IN_STORE if batch.target.is_store else IN_CALENDAR
    if draft.kind not in allowed and not draft.kind.startswith("X-"):
        if draft.kind in IN_STORE or draft.kind in IN_CALENDAR:
            place = "the calendar store" if batch.target.is_store else "a calendar"
            raise InvalidError(
                f"a {draft.kind} cannot be put into {place}", batch.sent.number(draft.components[0])
            )
        raise UnsupportedError(f"{draft.kind} is not offered here")
    _MAKERS.get(draft.kind, _create_object)(batch, draft)


def _create_object(batch: _Batch, draft: Draft) -> None:
    """Book or deposit a VEVENT, VTODO, VJOURNAL or x-component with the time zones it needs."""
    caller = batch.caller
    batch.allow(draft)
    if draft.kind.startswith("X-"):
        _name_x_component(draft)
    if batch.method == "COUNTER":
        _name_counterer(batch, draft)
    admission.check_dates(draft.components, caller)
    companions = _companions(batch, draft.components)
    # zones of our own making need no check, and are half of the lines
    sent = [zone for zone in companions if id(zone) in batch.own_zones]
    admission.check_object(texts.assemble(batch.head, sent, draft.components), caller, batch.sent)
    whole = texts.assemble(batch.head, companions, draft.components)
    admission.check_size(len(whole.to_bytes()), caller)
    if draft.kind == availability.KIND:
        availability.check(whole)
    if not batch.imported:
        attachments.check_references(batch.tx, caller, None, whole)
    admission.check_quota(batch.tx, caller, batch.target.calendar_id, draft.kind)
    if batch.method is not None:
        _deposit(batch, draft, whole)
        return
    existing = booked(batch.tx, batch.target.calendar_id, draft.kind, draft.uid)
    if existing is None:
        _book(batch, draft, None, whole)
    else:
        _join(batch, draft, existing)


def _name_x_component(draft: Draft) -> None:
    """Write the X-ID that the reply tells into an x-component that came without (RFC 4324 §10.4: x-id)."""
    for number, component in enumerate(draft.components):
        if not texts.identifier(component)[1]:
            named = component.copy()
            named.items.insert(0, Line.make(draft.id_name, draft.id_value))
            draft.components[number] = named


def _book(batch: _Batch, draft: Draft, existing: ObjectRow | None, whole: Component) -> None:
    """Write a booked object, and tell those whom it invites. What is imported was told long ago."""
    calendar_id, tag = batch.target.calendar_id, None
    if not batch.imported:
        whole, tag = scheduling.write(
            batch.writer, calendar_id, existing, whole, kind=draft.kind, uid=draft.uid
        )
    if existing is None:
        batch.writer.insert(calendar_id, whole, kind=draft.kind, uid=draft.uid, schedule_tag=tag)
    else:
        batch.writer.update(existing, whole, schedule_tag=tag)


def _deposit(batch: _Batch, draft: Draft, whole: Component) -> None:
    """Keep an iTIP object UNPROCESSED.

    One that is the same as an object which its owner marked for delete is dropped without a word, where the
    calendar leaves processing to the server: they have dealt with it.

    Source: RFC 4324 §2.2.
    """
    calendar_id = batch.target.calendar_id
    calendar = calendars.by_id(batch.tx, calendar_id)
    if calendar is not None and calendar.auto_process:
        same = [part.to_ics() for part in draft.components]
        for gone in objects.by_uid(batch.tx, calendar_id, draft.uid, "DELETED", draft.kind):
            if gone.method == batch.method and same == [
                part.to_ics() for part in parse(gone.ics).children(draft.kind)
            ]:
                return
    row = batch.writer.insert(
        calendar_id, whole, kind=draft.kind, uid=draft.uid, state="UNPROCESSED", method=batch.method
    )
    scheduling.receive(
        batch.writer,
        calendar_id,
        whole,
        kind=draft.kind,
        uid=draft.uid,
        sender=batch.caller.identity.addresses,
        books_first=batch.caller.via != "cap",
        row=row,
    )


def booked(tx: Tx, calendar_id: int, kind: str, uid: str) -> ObjectRow | None:
    """The BOOKED object that has an identifier already: UIDs are shared by all kinds that have one (A-64)."""
    for found in objects.by_uid(tx, calendar_id, uid, "BOOKED"):
        if found.kind == kind or (kind in UID_KINDS and found.kind in UID_KINDS):
            return found
    return None


def expect(
    tx: Tx, calendar_id: int, whole: Component, *, name: str | None = None, calid: str | None = None
) -> None:
    """Say what will be asked before an object is written, so that the lock brings the answers along.

    Args:
        tx: a write transaction that is about to lock the calendar.
        calendar_id: where.
        whole: the object's VCALENDAR, as it came.
        name: its name, when it will be looked for.
        calid: the calendar's CALID, when its own properties will be.
    """
    if tx.dialect == "sqlite":  # nothing is far away there
        return
    part = next((part for part in whole.components if part.name != "VTIMEZONE"), None)
    uid = None if part is None else part.value("UID")
    if part is not None and uid is not None:
        invites = part.first("ORGANIZER") is not None
        objects.expect(tx, calendar_id, unescape_text(uid), name=name, container=calid, everywhere=invites)


def _join(batch: _Batch, draft: Draft, existing: ObjectRow) -> None:
    """Let overrides join the series of their UID, or a series the overrides that came before it.

    Raises:
        DuplicateError: one of the components is there already.

    Source: RFC 4324 §2.2; OBM-09, A-64.
    """
    whole = parse(existing.ics)
    present = whole.children(existing.kind)
    keys = {texts.recurrence_key(component, Zones(whole)) for component in present}
    fresh = Zones(Component("VCALENDAR", [*batch.zones.values()]))
    arriving = [texts.recurrence_key(component, fresh) for component in draft.components]
    if existing.kind != draft.kind or not keys.isdisjoint(arriving):
        raise DuplicateError(f"the UID {draft.uid[:80]} is taken in this calendar")
    defined = {zone.value("TZID") for zone in whole.children("VTIMEZONE")}
    zones = [zone for zone in _companions(batch, draft.components) if zone.value("TZID") not in defined]
    at = whole.items.index(present[0])
    ordered = [*present, *draft.components]
    ordered.sort(key=lambda component: component.first("RECURRENCE-ID") is not None)
    others = [item for item in whole.items[at:] if not any(item is component for component in present)]
    whole.items[at:] = [*zones, *ordered, *others]
    admission.check_size(len(whole.to_bytes()), batch.caller)
    admission.check_object(whole, batch.caller, batch.sent)
    _book(batch, draft, existing, whole)


def _companions(batch: _Batch, components: list[Component]) -> list[Component]:
    """The VTIMEZONEs that components refer to: the client's, the IANA database's, or the calendar's.

    Raises:
        InvalidError: a TZID that nobody defines.
    """
    found: list[Component] = []
    for tzid in texts.zones_named(components):
        zone = batch.zones.get(tzid) or definition(tzid) or _held_zone(batch, tzid)
        if zone is None:
            raise InvalidError(f"the time zone {tzid[:80]} is neither defined here nor known")
        batch.zones.setdefault(tzid, zone)
        found.append(zone)
    return found


def _held_zone(batch: _Batch, tzid: str) -> Component | None:
    held = objects.by_uid(batch.tx, batch.target.calendar_id, tzid, "BOOKED", "VTIMEZONE")
    return agendas.parsed(held[0]).children("VTIMEZONE")[0] if held else None


def _name_counterer(batch: _Batch, draft: Draft) -> None:
    """ATT-COUNTER says who sent a COUNTER; a lenient store fills it in (RFC 4324 §8.2; OBM-18).

    Raises:
        InvalidError: it is missing, in strict mode or from somebody without a name.
    """
    for index, component in enumerate(draft.components):
        if component.first("ATT-COUNTER") is None:
            if batch.caller.strict or batch.caller.identity.principal_id is None:
                raise InvalidError("a COUNTER needs ATT-COUNTER", batch.sent.number(component))
            named = draft.components[index] = component.copy()
            named.add("ATT-COUNTER", f"mailto:{batch.caller.identity.upn}")


def _create_zone(batch: _Batch, draft: Draft) -> None:
    """Keep a VTIMEZONE; one that came along for other components and is known already needs nothing."""
    calendar_id = batch.target.calendar_id
    companion = draft.uid in batch.named
    if companion and (batch.method is not None or booked(batch.tx, calendar_id, "VTIMEZONE", draft.uid)):
        return
    try:
        _create_single(batch, draft)
    except DeniedError:
        if not companion:  # else it stands in the objects that need it, which is enough
            raise


def _create_single(batch: _Batch, draft: Draft) -> None:
    """Keep a VCAR, VQUERY or VTIMEZONE as an object of its own; METHOD says nothing of the last."""
    if len(draft.components) > 1:
        raise DuplicateError(f"the {draft.id_name} {draft.uid[:80]} stands in two components")
    component = draft.components[0]
    batch.allow(draft)
    if draft.kind == "VCAR":
        admission.check_rights(component, batch.caller, batch.sent)
        owners = agendas.owners(batch.tx, batch.authority.calendar)
        rights.respect_decrees(batch.tx, batch.target.calendar_id, component, owners)
    elif draft.kind == "VQUERY":
        admission.check_query(component, batch.caller, batch.sent)
    agendas.check_names(component)
    whole = texts.assemble([line for line in batch.head if line.name != "METHOD"], [], [component])
    admission.check_size(len(whole.to_bytes()), batch.caller)
    admission.check_object(whole, batch.caller, batch.sent)
    batch.writer.insert(batch.target.calendar_id, whole, kind=draft.kind, uid=draft.uid)


def _accept_free_busy(batch: _Batch, draft: Draft) -> None:
    """Take a VFREEBUSY and forget it: this store computes free/busy (RFC 4324 §10.12.1; CRE-14)."""
    batch.allow(draft)
    whole = texts.assemble(batch.head, [], draft.components)
    admission.check_object(whole, batch.caller, batch.sent)


def _create_agenda(batch: _Batch, draft: Draft) -> None:
    """Make a calendar, and what stands in its VAGENDA with it.

    Raises:
        KalendsError: the calendar, or anything in it, is refused.
    """
    if len(draft.components) > 1:
        raise DuplicateError("the CALID stands in two components")
    written = draft.components[0]
    made = containers.found_calendar(batch.tx, batch.caller, written, batch.zones)
    inner = [Component("VCALENDAR", [c]) for c in written.components if c.name != "VCALENDAR"]
    authority = rights.authority_in(
        batch.tx, batch.caller, made
    )  # before rights that come along take away any
    for vcalendar in (*inner, *written.children("VCALENDAR")):
        for receipt in _create(authority, made, vcalendar):
            if receipt.error is not None:
                raise receipt.error


_MAKERS = {
    "VAGENDA": _create_agenda,
    "VCAR": _create_single,
    "VFREEBUSY": _accept_free_busy,
    "VQUERY": _create_single,
    "VTIMEZONE": _create_zone,
}
"""How components other than plain calendar objects are created."""
