"""Taking back what others were told: they hear of it as of any change, with a SEQUENCE that counts."""

from __future__ import annotations

from kalends.core.outside import etag_of
from kalends.core.scheduling import attending, copies, engine, parties, views
from kalends.core.scheduling.engine import Written
from kalends.core.scheduling.instances import parts
from kalends.core.scheduling.people import Person
from kalends.core.writer import Writer
from kalends.ical.tree import Component, parse
from kalends.store.objects import ObjectRow

_OVER_A_CANCEL = 2
"""What SEQUENCE grows by when something comes back: the CANCEL had the next one (RFC 5546 §3.2.5)."""


def change_back(
    writer: Writer, calendar_id: int, row: ObjectRow, whole: Component, *, kind: str, uid: str
) -> Written:
    """Tell others that a booked object is about to be as it was before a change.

    Args:
        writer: has locked the calendar.
        calendar_id: where the object is.
        row: the object as it is.
        whole: as it was, and is to be again; it stays as it is.
        kind: its kind then.
        uid: its UID then.

    Raises: as `engine.write`.

    Source: RFC 6638 §3.2.1.2; RFC 5546 §2.1.4 (SEQUENCE never goes back).
    """
    whole = whole.copy()
    had = parts(parse(row.ics), kind) if row.kind == kind else {}
    for key, part in parts(whole, kind).items():
        now = had.get(key)
        if now is not None and parties.sequence(part) < parties.sequence(now):
            parties.set_value(part, "SEQUENCE", str(parties.sequence(now) + 1))
    return engine.write(writer, calendar_id, row, whole, kind=kind, uid=uid)


def bring_back(
    writer: Writer, calendar_id: int, whole: Component, *, kind: str, uid: str, tag: str | None
) -> Written:
    """Tell others that an object is about to be booked again that was removed, or marked for delete.

    An organizer's attendees are invited anew; what they answered counts as long as they do not say
    otherwise. An attendee answers again as they did, and has what the organizer's object says by now: where
    it was called off meanwhile, or they are not invited any more, their copy says so.

    Args:
        writer: has locked the calendar.
        calendar_id: where it is to be.
        whole: as it was when it was removed; it stays as it is.
        kind: its kind.
        uid: its UID.
        tag: the Schedule-Tag it had; None for what was no scheduling object.

    Raises: as `engine.write`.

    Source: RFC 6638 §3.2.1.1, §3.2.2.1; RFC 5546 §2.1.4, §3.2.5.
    """
    plain = Written(whole, None)
    by = parties.organizer(whole, kind)
    sides = engine.around(writer, calendar_id, kind, uid) if by and kind in parties.SCHEDULED else None
    if sides is None:
        return plain
    post, owner = sides
    if by in owner.addresses:
        whole = whole.copy()
        if views.everyone(whole, kind=kind, but=owner.addresses):
            for part in whole.children(kind):
                parties.set_value(part, "SEQUENCE", str(parties.sequence(part) + _OVER_A_CANCEL))
        return engine.write(writer, calendar_id, None, whole, kind=kind, uid=uid)
    if not parties.invites(whole, kind, owner.addresses) or post.booked(owner) is not None:
        return plain
    organizer = post.people.at(by)
    if organizer is not None:
        post.hold([organizer])
        row = post.booked(organizer)
        view = None if row is None else views.view(parse(row.ics), kind, owner.addresses)
        if view is None and tag is not None:
            newer = 1 + max(parties.sequence(part) for part in whole.children(kind))
            whole = copies.cancel(whole, kind, [None], newer) or whole
            return Written(whole, etag_of(whole.to_bytes(), whole))
        if view is not None:
            whole = _as_it_is_now(whole, view, kind, owner)
    whole = whole.copy()
    attending.attend(post, owner, _declined(whole, kind, owner), whole)
    return Written(whole, etag_of(whole.to_bytes(), whole))


def _as_it_is_now(copy: Component, view: Component, kind: str, owner: Person) -> Component:
    """An attendee's copy as the organizer's object has it, with the answers that still are about that."""
    had = parts(copy, kind)
    whole = copies.follow(copy, view, kind, owner.addresses)
    for key, part in parts(whole, kind).items():
        was = had.get(key) or had.get(None)
        line = parties.attendee(part, owner.addresses)
        said = None if was is None else parties.attendee(was, owner.addresses)
        if line is None or was is None or said is None:
            continue
        same = parties.sequence(was) == parties.sequence(part)
        parties.set_param(part, line, "PARTSTAT", parties.partstat(said) if same else parties.NEEDS_ACTION)
    return whole


def _declined(whole: Component, kind: str, owner: Person) -> Component:
    """What the organizer knows: whoever removes their copy declines."""
    made = whole.copy()
    for part in made.children(kind):
        line = parties.attendee(part, owner.addresses)
        if line is not None:
            parties.set_param(part, line, "PARTSTAT", "DECLINED")
    return made
