"""Putting one whole object under a name of the client's choice, as CalDAV does."""

from __future__ import annotations

from collections.abc import Callable

from kalends.core import admission, attachments, scheduling, texts
from kalends.core.access import replacing, rights
from kalends.core.access.circumstances import Standing
from kalends.core.admission import Sent
from kalends.core.creating import IN_STORE, booked, expect
from kalends.core.errors import DuplicateError, InvalidError
from kalends.core.model import Caller, State, Target
from kalends.core.people import availability
from kalends.core.texts import Draft
from kalends.core.writer import Writer
from kalends.ical.tree import Component
from kalends.store import objects
from kalends.store.base import Tx
from kalends.store.objects import ObjectRow


def put_object(
    tx: Tx,
    caller: Caller,
    target: Target,
    name: str,
    vcalendar: Component,
    *,
    replaced: ObjectRow | None = None,
    state: State = "BOOKED",
    check: Callable[[ObjectRow | None], None] | None = None,
) -> ObjectRow:
    """Put one whole object; see `ledger.put_object`."""
    method = admission.envelope(vcalendar, caller)
    writer: Writer | None = None
    if check is not None:
        expect(tx, target.calendar_id, vcalendar, name=name, calid=target.calid)
        writer = Writer(tx, caller, (target.calendar_id,))
        replaced = objects.by_name(tx, target.calendar_id, name, state)
        check(replaced)
    authority = rights.authority_in(tx, caller, target)
    authority.require("CREATE" if replaced is None else "MODIFY")
    draft = _only_draft(vcalendar)
    if replaced is not None:
        vcalendar = replacing.merged(authority, replaced, vcalendar)
    else:
        for component in draft.components:
            authority.allow("CREATE", component, Standing(state, method))
    _check_whole(tx, caller, draft, replaced, vcalendar)
    writer = writer or Writer(tx, caller, (target.calendar_id,))
    twin = booked(tx, target.calendar_id, draft.kind, draft.uid) if state == "BOOKED" else None
    if twin is not None and (replaced is None or twin.id != replaced.id):
        raise DuplicateError(f"the UID {draft.uid[:80]} is taken in this calendar")
    tag: str | None = None
    if state == "BOOKED":
        vcalendar, tag = scheduling.write(
            writer, target.calendar_id, replaced, vcalendar, kind=draft.kind, uid=draft.uid
        )
    if replaced is not None:
        return writer.update(replaced, vcalendar, kind=draft.kind, uid=draft.uid, schedule_tag=tag)
    admission.check_quota(tx, caller, target.calendar_id, draft.kind)
    return writer.insert(
        target.calendar_id, vcalendar, kind=draft.kind, uid=draft.uid, state=state, method=method, name=name,
        schedule_tag=tag,
    )  # fmt: skip


def _only_draft(vcalendar: Component) -> Draft:
    found = [draft for draft in texts.drafts(vcalendar) if draft.kind != "VTIMEZONE"]
    if len(found) != 1 or found[0].kind in IN_STORE:
        raise InvalidError("one calendar object, of one UID, is needed")
    return found[0]


def _check_whole(
    tx: Tx, caller: Caller, draft: Draft, replaced: ObjectRow | None, vcalendar: Component
) -> None:
    """Refuse a text that is not to be kept, whoever puts it."""
    admission.check_dates(draft.components, caller)
    admission.check_size(len(vcalendar.to_bytes()), caller)
    admission.check_object(vcalendar, caller, Sent(vcalendar))
    if draft.kind == availability.KIND:
        availability.check(vcalendar)
    attachments.check_references(tx, caller, None if replaced is None else replaced.ics, vcalendar)
