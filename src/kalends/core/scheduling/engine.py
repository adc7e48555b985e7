"""What a change of one object sets going in the calendars of others (RFC 6638 §3.2)."""

from __future__ import annotations

from typing import NamedTuple

from kalends.core.errors import (
    AttendeeChangeError,
    OrganizerChangeError,
    OrganizerMismatchError,
    SchedulingTwinError,
)
from kalends.core.outside import etag_of
from kalends.core.scheduling import attending, organizing, parties
from kalends.core.scheduling.delivery import Post
from kalends.core.scheduling.people import Person
from kalends.core.writer import Writer
from kalends.ical.tree import Component, parse
from kalends.store import calendars
from kalends.store.objects import ObjectRow


class Written(NamedTuple):
    """What is to be stored.

    Attributes:
        whole: the object's text, as it is to be stored.
        schedule_tag: its new Schedule-Tag; None for what is no scheduling object.
    """

    whole: Component
    schedule_tag: str | None


def write(
    writer: Writer, calendar_id: int, row: ObjectRow | None, whole: Component, *, kind: str, uid: str
) -> Written:
    """Tell others what is about to be booked. To be called before the object is written.

    Args:
        writer: has locked the calendar.
        calendar_id: where the object is, or will be.
        row: the object as it was; None for a new one.
        whole: as it is to be; it stays as it is, for all of this may run again.
        kind: its kind.
        uid: its UID.

    Raises:
        AttendeeChangeError, OrganizerChangeError, OrganizerMismatchError, SchedulingTwinError, InvalidError.
        locks.OutOfOrderError: for `locks.in_order`.

    Source: RFC 6638 §3.2.1, §3.2.2.
    """
    plain = Written(whole, None)
    if kind not in parties.SCHEDULED or (row is not None and row.state != "BOOKED"):
        return plain
    old = None if row is None or b"ORGANIZER" not in row.ics.upper() else parse(row.ics)
    now_by = parties.organizer(whole, kind)
    was_by = "" if old is None else parties.organizer(old, kind)
    sides = around(writer, calendar_id, kind, uid) if now_by or was_by else None
    if sides is None:
        return plain
    post, owner = sides
    if len(parties.organizers(whole, kind)) > 1:
        raise OrganizerMismatchError("the components of one object name different organizers")
    twin = post.booked(owner) if row is None else None
    if twin is not None and twin.calendar_id != calendar_id:
        if writer.caller.via == "dav":
            raise SchedulingTwinError("this invitation is in another of your calendars")
        return plain
    whole, mine = whole.copy(), owner.addresses
    if was_by in mine and now_by and now_by not in mine:
        raise OrganizerChangeError("an organizer cannot hand an event to somebody else")
    taken_over = was_by and was_by not in mine and now_by in mine
    if taken_over and old is not None and parties.invites(old, kind, mine):
        raise AttendeeChangeError("ORGANIZER is the organizer's to change; an attendee can answer")
    if now_by in mine or was_by in mine:
        organizing.organize(post, owner, old if was_by in mine else None, whole)
    elif any(one is not None and parties.invites(one, kind, mine) for one in (old, whole)):
        attending.attend(post, owner, old if was_by else None, whole)
    else:
        return plain
    parties.settle_forced(whole, kind)
    return Written(whole, etag_of(whole.to_bytes(), whole))


def remove(writer: Writer, row: ObjectRow) -> None:
    """Tell others that an object is about to be removed, or marked for delete.

    Raises:
        locks.OutOfOrderError: for `locks.in_order`.

    Source: RFC 6638 §3.2.1.3, §3.2.2.4.
    """
    if row.kind not in parties.SCHEDULED or row.state != "BOOKED" or b"ORGANIZER" not in row.ics.upper():
        return
    sides = around(writer, row.calendar_id, row.kind, row.uid)
    if sides is None:
        return
    post, owner = sides
    twin = post.booked(owner)
    if twin is not None and twin.id != row.id:
        return  # the other one is the invitation
    old = parse(row.ics)
    by = parties.organizer(old, row.kind)
    if by in owner.addresses:
        organizing.organize(post, owner, old, None)
    elif by and parties.invites(old, row.kind, owner.addresses):
        attending.attend(post, owner, old, None)


def around(writer: Writer, calendar_id: int, kind: str, uid: str) -> tuple[Post, Person] | None:
    """Who delivers, and who lives at a calendar.

    Returns:
        None where messages are the client's business, and in calendars that are nobody's.
    """
    calendar = calendars.by_id(writer.tx, calendar_id)
    if calendar is None or not calendar.auto_process:
        return None
    post = Post(writer, kind, uid)
    owner = post.people.living_at(calendar)
    return None if owner is None else (post, owner)
