"""An attendee changed or removed their copy: what they say with it, and to whom (RFC 6638 §3.2.2)."""

from __future__ import annotations

from collections.abc import Mapping

from kalends.core.scheduling import copies, merging, messages, organizing, parties, replies, views
from kalends.core.scheduling.delivery import NOT_ALLOWED, Post
from kalends.core.scheduling.instances import Key
from kalends.core.scheduling.people import Person
from kalends.ical.tree import Component, parse
from kalends.store import calendars


def attend(post: Post, owner: Person, old: Component | None, new: Component | None) -> None:
    """Tell the organizer what an attendee says with a change of their copy.

    Args:
        post: delivers.
        owner: the attendee.
        old: the copy before; None for a new one.
        new: after, None when it is removed; changed in place: SCHEDULE-STATUS of ORGANIZER.

    Raises:
        AttendeeChangeError: a change that is the organizer's to make.
    """
    source = old if new is None else new
    assert source is not None, "a change of nothing"
    line = next((one for part in source.children(post.kind) for one in part.all("ORGANIZER")), None)
    if not parties.served(line) and (old is None or new is None or line is not None):
        return
    me = owner.addresses
    by = parties.organizer(source, post.kind)
    if old is not None and new is not None and not _consolidates(post, by):
        if post.caller.merge_answers:
            merging.merge(old, new, post.kind, me)
        copies.check(old, new, post.kind, me)
        copies.restore_others(old, new, post.kind, me)
    if new is None and not post.caller.schedule_reply:
        return
    said = copies.answers(old, new, post.kind, me)
    if not said:
        return
    status = answer(post, owner, by, source, said)
    if new is not None:
        parties.set_status(new, post.kind, "ORGANIZER", (by,), status)


def _consolidates(post: Post, by: str) -> bool:
    """Whether a CUA may be booking what a message from elsewhere says, as RFC 4324 §2.2 has it do.

    Where the organizer's object is here, the copies follow it without a CUA.
    """
    organizer = post.people.at(by)
    return post.caller.via == "cap" and (organizer is None or post.booked(organizer) is None)


def answer(
    post: Post,
    me: Person,
    by: str,
    source: Component,
    said: Mapping[Key, Component],
    *,
    status: str = messages.SUCCESS,
) -> str:
    """Send a REPLY to an organizer, who may be here or elsewhere.

    Args:
        post: delivers.
        me: the attendee.
        by: the organizer's address.
        source: the object that is answered.
        said: by instance, components with the attendee's line.
        status: REQUEST-STATUS.

    Returns:
        SCHEDULE-STATUS.
    """
    message = messages.reply(source, said, me.addresses, post.caller.now, status=status)
    organizer = post.people.at(by)
    if organizer is None:
        lines = [parties.attendee(part, me.addresses) for part in said.values()]
        sender = next(parties.address(line) for line in lines if line is not None)
        return post.mail(sender, by, message)
    if post.booked(organizer) is None and not post.may_ask(organizer, message):
        return NOT_ALLOWED  # an answer to nothing they asked
    take(post, organizer, said, me.addresses, trusted=True)
    return post.deposit(organizer, message)


def take(
    post: Post,
    organizer: Person,
    said: Mapping[Key, Component],
    who: frozenset[str],
    *,
    trusted: bool = False,
) -> bool:
    """Put an answer into the organizer's object, and let the other attendees' copies follow.

    Args:
        post: delivers.
        organizer: whose object it is.
        said: by instance, components with the attendee's line.
        who: the attendee's addresses.
        trusted: the answer is about the object as it is now, whatever SEQUENCE says.

    Returns:
        Whether anything was put in.
    """
    post.hold([organizer])
    row = post.booked(organizer)
    if row is None:
        return False
    before = parse(row.ics)
    calendar = calendars.by_id(post.tx, row.calendar_id)
    if calendar is None or not calendar.auto_process:
        return False
    if parties.organizer(before, post.kind) not in organizer.addresses:
        return False
    whole = parse(row.ics)
    if not replies.put_in(whole, post.kind, said, who, trusted=trusted):
        return False
    others = views.everyone(before, whole, kind=post.kind, but=organizer.addresses | who)
    if len(others) > parties.MAX_ATTENDEES:
        return False
    organizing.spread(post, before, whole, others, quiet=True)
    return post.put(organizer, row.calendar_id, whole, news=False)
