"""A message that was deposited, or came by mail: what the server does with it (RFC 5546 §3, RFC 6638 §4).

Only what comes from whom it claims to come from is acted upon. Everything stays UNPROCESSED beside that,
for the owner's client to look at: COUNTER, DECLINECOUNTER, ADD and PUBLISH ask for a person's decision.
"""

from __future__ import annotations

from kalends.core import series
from kalends.core.scheduling import attending, changes, copies, messages, organizing, parties, rooms, views
from kalends.core.scheduling.delivery import Post
from kalends.core.scheduling.instances import Key, add, excluded, made, parts, ranges
from kalends.core.scheduling.people import Person
from kalends.core.writer import Writer
from kalends.ical.tree import Component, parse
from kalends.ical.zones import Zones
from kalends.store import calendars
from kalends.store.objects import ObjectRow


def receive(
    writer: Writer,
    calendar_id: int,
    message: Component,
    *,
    kind: str,
    uid: str,
    sender: frozenset[str],
    books_first: bool,
    row: ObjectRow,
) -> bool:
    """Act upon a message that was deposited in a calendar.

    Args:
        writer: has locked the calendar.
        calendar_id: where it was deposited.
        message: an object with METHOD, of one UID; it stays as it is.
        kind: its kind.
        uid: its UID.
        sender: the addresses that are proven to be the sender's.
        books_first: whether a first invitation is booked. A CUA books it by itself (RFC 4324 §2.2).
        row: the message where it lies now; what it makes obsolete goes, if it is whose it says it is.

    Returns:
        Whether anything was done with it; False leaves it to the owner.

    Raises:
        locks.OutOfOrderError: for `locks.in_order`.

    Source: RFC 5546 §2.1.5, §3.2; RFC 6638 §4.1, §4.2.
    """
    calendar = calendars.by_id(writer.tx, calendar_id)
    if calendar is None or not calendar.auto_process or kind not in parties.SCHEDULED:
        return False
    post = Post(writer, kind, uid)
    owner = post.people.living_at(calendar)
    by = parties.organizer(message, kind)
    if owner is None or not by or len(parties.organizers(message, kind)) > 1:
        return False
    post.hold([owner])
    method = (message.value("METHOD") or "").strip().upper()
    if method in ("REQUEST", "CANCEL"):
        if by not in sender or by in owner.addresses:
            return False
        post.clear(calendar_id, message, but=row)
        if method == "CANCEL":
            return _cancelled(post, owner, by, message)
        return _requested(post, owner, by, message, books_first=books_first)
    if by not in owner.addresses:
        return False
    if method == "REPLY":
        return _replied(post, owner, message, sender, row)
    return method == "REFRESH" and _refreshed(post, owner, message, sender)


def _is_old(copy: Component, message: Component, kind: str) -> bool:
    """Whether a message says less than what is known already (RFC 5546 §2.1.5)."""
    had = parts(copy, kind)
    for key, part in parts(message, kind).items():
        was = had.get(key) or had.get(None)
        if was is None:
            continue
        mine, theirs = parties.sequence(was), parties.sequence(part)
        stamps = (was.value("DTSTAMP") or "", part.value("DTSTAMP") or "")
        if theirs < mine or (theirs == mine and stamps[1] < stamps[0]):
            return True
    return False


def _requested(post: Post, owner: Person, by: str, message: Component, *, books_first: bool) -> bool:
    if not parties.invites(message, post.kind, owner.addresses):
        return False
    row = post.booked(owner)
    copy = None if row is None else parse(row.ics)
    if copy is not None and (parties.organizer(copy, post.kind) != by or _is_old(copy, message, post.kind)):
        return False
    view = _joined(copy, message, post.kind, owner.addresses)
    if owner.answers_itself:
        _answer_for_room(post, owner, by, view)
        return True
    if copy is None and not books_first:
        return False
    return post.book(owner, view, news=True)


def _joined(copy: Component | None, message: Component, kind: str, me: frozenset[str]) -> Component:
    """What an attendee is invited to, when a message tells of some instances only (RFC 5546 §3.2.2).

    Nobody says of an override in a copy whose it is. One that differs from its series in nothing but what an
    attendee may change follows the series, and they keep what is theirs in it; any other one was told apart
    by the organizer, and stays until a message tells of it.
    """
    fresh = Component("VCALENDAR", [item for item in message.items if item.name != "METHOD"]).copy()
    if copy is None:
        return fresh
    said = parts(fresh, kind)
    known = parts(copy, kind)
    if None in said and None in known:
        _leave_out(fresh, copy, kind, me)
        if changes.rescheduled(known[None], said[None], copy, fresh):
            return fresh  # another series: nothing is known of its instances but what it says
    zones = {zone.value("TZID") for zone in fresh.children("VTIMEZONE")}
    at = next(i for i, item in enumerate(fresh.items) if item.name == kind)
    fresh.items[at:at] = [
        zone.copy() for zone in copy.children("VTIMEZONE") if zone.value("TZID") not in zones
    ]
    known_zones, spans, fresh_spans = Zones(copy), ranges(copy, kind), ranges(fresh, kind)
    for key, part in known.items():
        if key in said:
            continue
        usual = made(copy, kind, key, spans=spans) if key is not None and None in said else None
        if key is None or usual is None or not copies.is_own(part, usual, known_zones):
            add(fresh, part.copy())
            continue
        follower = made(fresh, kind, key, spans=fresh_spans)
        if follower is not None:
            _answer_as(follower, part, usual, me)
            add(fresh, follower)
    return fresh


def _leave_out(fresh: Component, copy: Component, kind: str, me: frozenset[str]) -> None:
    """Leave out the instances that the attendee took out of their copy, unless they are asked anew; in place.

    Whose an EXDATE is, a copy does not say either. An organizer who brings an instance back raises SEQUENCE
    and asks for an answer (RFC 5546 §2.1.4, RFC 6638 §3.2.8).
    """
    said, known = parts(fresh, kind), parts(copy, kind)
    newer = parties.sequence(said[None]) > parties.sequence(known[None])
    if newer and parties.partstat(parties.attendee(said[None], me)) == parties.NEEDS_ACTION:
        return
    for key in sorted(excluded(known[None], copy) - excluded(said[None], fresh)):
        if key not in said:
            series.exclude(fresh, kind, key)


def _answer_as(part: Component, mine: Component, usual: Component, me: frozenset[str]) -> None:
    """Let an attendee's answer be that of their own override, where that is not the series'; in place."""
    line, had = parties.attendee(part, me), parties.attendee(mine, me)
    was = parties.attendee(usual, me)
    if line is not None and had is not None and parties.partstat(had) != parties.partstat(was):
        parties.set_param(part, line, "PARTSTAT", parties.partstat(had))


def _answer_for_room(post: Post, room: Person, by: str, view: Component) -> None:
    """A room was invited by a message: its answer goes back as one."""
    said = rooms.answer(post, room, view)
    answers: dict[Key, Component] = {}
    for key, part in parts(view, post.kind).items():
        line = parties.attendee(part, room.addresses)
        if line is not None and key in said:
            twin = part.copy()
            parties.set_param(twin, line, "PARTSTAT", said[key])
            answers[key] = twin
    if answers:
        declined = all(answer == "DECLINED" for answer in said.values())
        status = messages.CONFLICT if declined else messages.SUCCESS
        attending.answer(post, room, by, view, answers, status=status)


def _cancelled(post: Post, owner: Person, by: str, message: Component) -> bool:
    row = post.booked(owner)
    if row is None:
        return False
    copy = parse(row.ics)
    said = {key: part for key, part in parts(message, post.kind).items() if _is_for(part, owner.addresses)}
    top = max((parties.sequence(part) for part in said.values()), default=-1)
    newest = max((parties.sequence(part) for part in copy.children(post.kind)), default=0)
    if parties.organizer(copy, post.kind) != by or top < newest:
        return False
    if owner.answers_itself and None in said:
        post.unbook(owner)
    else:
        future = [key for key, part in said.items() if series.is_range(part)]
        post.cancel(owner, list(said), top, future=future)
    return True


def _is_for(part: Component, me: frozenset[str]) -> bool:
    """Whether a CANCEL concerns somebody: it takes place no more, or takes them off the list, and not others.

    Source: RFC 5546 §3.2.5 (STATUS; ATTENDEE), §4.2.10.
    """
    return changes.cancelled(part) or not part.all("ATTENDEE") or parties.attendee(part, me) is not None


def _replied(post: Post, owner: Person, message: Component, sender: frozenset[str], row: ObjectRow) -> bool:
    said = parts(message, post.kind)
    lines = [line for part in said.values() for line in part.all("ATTENDEE")[:1]]
    who = frozenset(parties.address(line) for line in lines)
    if len(who) != 1 or not who <= sender:
        return False
    post.clear(row.calendar_id, message, but=row)
    late = post.overtaken(row.calendar_id, message, row)
    news = {key: part for key, part in said.items() if key not in late}
    return attending.take(post, owner, news, who)


def _refreshed(post: Post, owner: Person, message: Component, sender: frozenset[str]) -> bool:
    """Send the object once more to an attendee who asks for it (RFC 5546 §3.2.6)."""
    row = post.booked(owner)
    whole = None if row is None else parse(row.ics)
    asking = [who for who in parties.invited(message, post.kind) if who in sender]
    done = False
    for who in asking[:1]:
        view = views.view(whole, post.kind, sender)
        if view is not None:
            organizing.remind(post, parties.organizer(message, post.kind), who, view)
            done = True
    return done
