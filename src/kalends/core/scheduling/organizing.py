"""An organizer made, changed or removed an object: who hears of it, and how (RFC 6638 §3.2.1)."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Literal

from kalends.core.errors import InvalidError
from kalends.core.scheduling import changes, merging, messages, parties, rooms, views
from kalends.core.scheduling.delivery import DELIVERED, FULL, NOT_ALLOWED, Post
from kalends.core.scheduling.instances import Key, made, parts, ranges
from kalends.core.scheduling.people import Person
from kalends.core.scheduling.replies import DONE
from kalends.ical.tree import Component

Action = Literal["nothing", "quiet", "request", "cancel"]


@dataclass(slots=True)
class _Errand:
    """What there is to say to one attendee.

    Attributes:
        who: their address. addresses: all of theirs, for they may be invited by several.
        person: them, when they are known here.
        before: what they had. after: what they are to have.
        action: nothing; let the copy follow without a word; a REQUEST; a CANCEL.
    """

    who: str
    addresses: frozenset[str]
    person: Person | None
    before: Component | None
    after: Component | None
    action: Action

    @property
    def is_room(self) -> bool:
        return self.person is not None and self.person.answers_itself


def organize(post: Post, owner: Person, old: Component | None, new: Component | None) -> None:
    """Tell the attendees of an object what became of it.

    Args:
        post: delivers.
        owner: the organizer.
        old: the object before; None for a new one.
        new: after, None when it is removed; changed in place: SEQUENCE, PARTSTAT, SCHEDULE-STATUS.

    Raises:
        InvalidError: too many attendees.
    """
    everyone = views.everyone(old, new, kind=post.kind, but=owner.addresses)
    if len(everyone) > parties.MAX_ATTENDEES:
        raise InvalidError(f"an object has at most {parties.MAX_ATTENDEES} attendees")
    if new is not None:
        if old is not None and post.caller.merge_answers:
            merging.merge(old, new, post.kind, owner.addresses)
        changes.settle(old, new, post.kind, mine=owner.addresses, keep=_better_known(post, everyone))
    spread(post, old, new, everyone)


def _better_known(post: Post, everyone: list[str]) -> frozenset[str]:
    """Whose PARTSTAT is taken from the store: a CalDAV client writes what it read some time ago.

    CAP's MODIFY names the old value, so that it means what it says.
    """
    if post.caller.via != "dav":
        return frozenset()
    own = post.caller.identity.addresses  # an attendee who may write here speaks for themselves
    return frozenset(who for who in everyone if who not in own and post.people.at(who) is not None)


def spread(
    post: Post, old: Component | None, new: Component | None, everyone: list[str], *, quiet: bool = False
) -> None:
    """Send each attendee what a change means for them.

    Args:
        post: delivers.
        old: the organizer's object before.
        new: after; changed in place. None when it is removed.
        everyone: the attendees, without those who need not be told.
        quiet: only new attendees get a message: that somebody answered is no news for the others.
    """
    by = parties.organizer(new, post.kind) if new is not None else ""
    source = new if by else None
    if not by and old is not None:
        by = parties.organizer(old, post.kind)
    sheet = _Sheet(post, old, source, quiet=quiet)
    served = _each_once(post, [who for who in everyone if sheet.serves(who)])
    errands = [sheet.errand(who) for who in served]
    answering = any(errand.is_room and errand.action == "request" for errand in errands)
    post.hold([one.person for one in errands if one.person and (answering or one.action != "nothing")])
    said = {one.who: _run(post, by, one, new) for one in errands if one.is_room}
    if answering:  # the messages tell what the rooms answered
        sheet = _Sheet(post, old, source, quiet=quiet)
        errands = [sheet.errand(who) for who in served]
    said |= {one.who: _run(post, by, one, new) for one in errands if not one.is_room}
    if new is not None:
        statuses = {
            who: status
            for one in errands
            for who in one.addresses
            if sheet.serves_now(who) and (status := said[one.who]) is not None
        }
        parties.set_statuses(new, post.kind, "ATTENDEE", statuses)


def _each_once(post: Post, everyone: list[str]) -> list[str]:
    """One address of each attendee: invited by two of theirs, they have one copy of all that invites them."""
    found: dict[int | str, str] = {}
    for who in everyone:
        person = post.people.at(who)
        found.setdefault(who if person is None else person.row.id, who)
    return list(found.values())


class _Sheet:
    """What a change means for each attendee; what is the same for many of them is worked out once.

    Args:
        post: delivers.
        old: the organizer's object before.
        new: after; it is not changed as long as this is asked.
        quiet: only new attendees get a message.
    """

    def __init__(self, post: Post, old: Component | None, new: Component | None, *, quiet: bool) -> None:
        self._post, self._new, self._quiet = post, new, quiet
        self._before, self._after = views.Views(old, post.kind), views.Views(new, post.kind)
        self._served_before, self._served = _served(old, post.kind), _served(new, post.kind)
        self._differ: dict[tuple[int, int], changes.Difference] = {}

    def serves(self, who: str) -> bool:
        """Whether messages to somebody are, or were, the server's to send."""
        return who in self._served_before or who in self._served

    def serves_now(self, who: str) -> bool:
        """Whether messages to somebody are the server's to send from now on."""
        return who in self._served

    def errand(self, who: str) -> _Errand:
        """What there is to say to one of them.

        Whom a client saw to before had nothing from here, and whom it sees to from now on has nothing left.

        Source: RFC 6638 §3.2.1.2 (the table of SCHEDULE-AGENT).
        """
        person = self._post.people.at(who)
        theirs = frozenset((who,)) if person is None else person.addresses
        before, after = self._before.of(theirs & self._served_before), self._after.of(theirs & self._served)
        return _Errand(who, theirs, person, before, after, self._action(theirs, before, after))

    def _action(self, who: frozenset[str], before: Component | None, after: Component | None) -> Action:
        if after is None:
            return "nothing" if before is None else "cancel"
        if before is None or _is_forced(self._new, self._post.kind, who):
            return "request"
        pair = id(before), id(after)  # both live as long as their views
        differ = self._differ.get(pair)
        if differ is None:
            differ = self._differ[pair] = changes.difference(before, after, self._post.kind)
        if not self._quiet and (
            differ == "content" or (differ == "status" and _asked_anew(before, after, self._post.kind, who))
        ):
            return "request"
        return "nothing" if differ == "none" else "quiet"


def _served(whole: Component | None, kind: str) -> frozenset[str]:
    """Those to whom the server is to send messages about an object."""
    return frozenset(who for who, line in parties.invited(whole, kind).items() if parties.served(line))


def _asked_anew(before: Component, after: Component, kind: str, who: frozenset[str]) -> bool:
    """Whether the organizer took an attendee's answer back: they have to answer again, or to hear of it.

    Who declined may have no copy any more.
    """
    had = parts(before, kind)
    for key, part in parts(after, kind).items():
        was = parties.partstat(parties.attendee(had[key], who)) if key in had else parties.NEEDS_ACTION
        now = parties.partstat(parties.attendee(part, who))
        if now != was and (now == parties.NEEDS_ACTION or was == "DECLINED"):
            return True
    return False


def _is_forced(new: Component | None, kind: str, who: frozenset[str]) -> bool:
    """Whether SCHEDULE-FORCE-SEND demands a message (RFC 6638 §3.2.7)."""
    return new is not None and any(
        parties.forced(line, "REQUEST")
        for part in new.children(kind)
        for line in part.all("ATTENDEE")
        if parties.address(line) in who
    )


def _run(post: Post, by: str, errand: _Errand, new: Component | None) -> str | None:
    """Say it; returns SCHEDULE-STATUS, None where nothing was sent."""
    if errand.action == "nothing":
        return None
    if errand.person is not None and post.holds_another(errand.person, by):
        return NOT_ALLOWED
    if errand.action == "cancel":
        return _cancel(post, by, errand, new)
    if errand.action == "request":
        return _request(post, by, errand, new)
    if errand.action == "quiet" and errand.person is not None and not errand.is_room:
        assert errand.after is not None, "quiet about nothing"
        post.book(errand.person, errand.after.copy(), news=False, before=errand.before)
    return None


def _cancel(post: Post, by: str, errand: _Errand, new: Component | None) -> str:
    """Take somebody out of all of it."""
    before, person = errand.before, errand.person
    assert before is not None, "a CANCEL of nothing"
    if person is None and (status := post.refused(errand.who)) is not None:
        return status
    off = not _takes_place(new, post.kind, parts(before, post.kind))
    message = messages.cancel(before, post.kind, errand.addresses, post.caller.now, off=off)
    if person is None:
        return post.mail(by, errand.who, message)
    if person.answers_itself:
        post.unbook(person)
        return DELIVERED
    status = post.deposit(person, message)
    post.cancel(person, [None], _sequence(message, post.kind))
    return status


def _takes_place(whole: Component | None, kind: str, keys: Iterable[Key]) -> bool:
    """Whether any of some instances is still to be, with whomever."""
    found, spans = parts(whole, kind), ranges(whole, kind)
    for key in keys:
        part = found.get(key)
        if part is None and whole is not None and key is not None:
            part = made(whole, kind, key, spans=spans)
        if part is not None and not changes.cancelled(part):
            return True
    return False


def _request(post: Post, by: str, errand: _Errand, new: Component | None) -> str:
    """Tell somebody what they are invited to now."""
    after, person = errand.after, errand.person
    assert after is not None, "a REQUEST for nothing"
    if person is None and (refused := post.refused(errand.who)) is not None:
        return refused
    found = parts(after, post.kind)
    taken = (
        None
        if None in found
        else _lost(post, errand, parts(errand.before, post.kind).keys() - found.keys(), new)
    )
    off = None in found and changes.cancelled(found[None])
    message = (
        messages.cancel(after, post.kind, errand.addresses, post.caller.now, step=0)
        if off
        else messages.request(after, post.kind, post.caller.now)
    )
    if person is None:
        if taken is not None:
            post.mail(by, errand.who, taken)
        return post.mail(by, errand.who, message)
    if post.booked(person) is None and not off:
        if not post.may_ask(person, message):
            return NOT_ALLOWED
        if post.is_full(person):
            return FULL
    if person.answers_itself:
        assert new is not None, "an invitation to nothing"
        return _ask_room(post, person, after, new)
    if taken is not None:
        post.deposit(person, taken)
    status = post.deposit(person, message)
    post.book(person, after.copy(), news=True, before=errand.before)
    return status


def _lost(post: Post, errand: _Errand, lost: AbstractSet[Key], new: Component | None) -> Component | None:
    """The CANCEL of the instances that somebody loses who keeps others; None when they lose none.

    Who is not invited to the series any more loses all of it: a REQUEST for what is left follows.
    """
    if not lost or errand.before is None:
        return None
    off = not _takes_place(new, post.kind, lost)
    keys = () if None in lost else lost
    return messages.cancel(errand.before, post.kind, errand.addresses, post.caller.now, keys=keys, off=off)


def _sequence(message: Component, kind: str) -> int:
    return max((parties.sequence(part) for part in message.children(kind)), default=0)


def _ask_room(post: Post, room: Person, after: Component, new: Component) -> str:
    """Let a room answer, and write its answers into the organizer's object."""
    said = rooms.answer(post, room, after)
    found = parts(new, post.kind)
    for key, answer in said.items():
        line = parties.attendee(found[key], room.addresses)
        if line is not None and not changes.cancelled(found[key]):
            parties.set_param(found[key], line, "PARTSTAT", answer)
    return DONE


def remind(post: Post, by: str, who: str, view: Component) -> None:
    """Send somebody once more what they are invited to, because they asked (RFC 5546 §3.2.6).

    Args:
        post: delivers.
        by: the organizer's address.
        who: the attendee's address.
        view: what they are invited to.
    """
    person = post.people.at(who)
    if person is not None:
        post.hold([person])
    _request(post, by, _Errand(who, frozenset((who,)), person, None, view, "request"), view)
