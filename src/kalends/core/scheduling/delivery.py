"""Messages on their way: into an inbox and a calendar here, or to the mail for people elsewhere."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence

from kalends.core import admission, agendas, languages
from kalends.core.access.circumstances import Standing
from kalends.core.access.judges import Authority
from kalends.core.errors import ConflictError, DuplicateError, TooComplexError
from kalends.core.model import Caller
from kalends.core.outside import etag_of
from kalends.core.scheduling import copies, locks, parties
from kalends.core.scheduling.instances import Key, parts
from kalends.core.scheduling.people import People, Person, booked_by_home, calendar_for, default_calendar
from kalends.core.writer import Writer
from kalends.ical.alarms import without_cap
from kalends.ical.tree import Component, parse
from kalends.store import calendars, ids, jobs, objects
from kalends.store.objects import ObjectRow

PENDING, DELIVERED, UNKNOWN, FULL, NO_WAY, NOT_ALLOWED = "1.0", "1.2", "3.7", "5.1", "5.2", "5.3"
"""SCHEDULE-STATUS (RFC 6638 §3.2.9)."""
MAIL = "imip"
"""The kind of the jobs that are mails."""
_FROM_ORGANIZER = frozenset(("REQUEST", "CANCEL"))


class Post:
    """Delivers what one change of one object has to say.

    Args:
        writer: the hand that writes.
        kind: the object's kind.
        uid: its UID.

    Attributes:
        people: who is known here.
    """

    def __init__(self, writer: Writer, kind: str, uid: str) -> None:
        self.writer, self.kind, self.uid = writer, kind, uid
        self.tx = writer.tx
        self.people = People(self.tx)
        self._booked: dict[int, ObjectRow] | None = None
        self._mailed: set[str] = set()
        self._languages: dict[str, str] = {}

    @property
    def caller(self) -> Caller:
        """Who acts."""
        return self.writer.caller

    def booked(self, person: Person) -> ObjectRow | None:
        """The person's own object of this UID, in whichever of their calendars it lies."""
        if self._booked is None:
            self._booked = booked_by_home(self.tx, self.uid, self.kind)
        return self._booked.get(person.row.id)

    def holds_another(self, person: Person, by: str) -> bool:
        """Whether what a person has booked under this UID is not that organizer's: nobody else changes it.

        A UID is known to everybody who was invited, so that knowing it proves nothing.

        Source: RFC 6638 §11 (an organizer's message may not replace what another organizer sent).
        """
        row = self.booked(person)
        if row is None:
            return False
        had = parties.organizer(parse(row.ics), self.kind)
        if had == by:
            return False
        mine, theirs = self.people.at(had), self.people.at(by)
        return mine is None or theirs is None or mine.row.id != theirs.row.id

    def forget(self) -> None:
        """Read anew what is booked."""
        self._booked = None

    def places(self, person: Person) -> set[int]:
        """The calendars that a message to a person may change."""
        found = {default_calendar(self.tx, person), self.place(person)}
        return {place for place in found if place is not None}

    def place(self, person: Person) -> int | None:
        """The calendar in which a person has this object, or is to have it."""
        row = self.booked(person)
        return calendar_for(self.tx, person, self.kind) if row is None else row.calendar_id

    def hold(self, everybody: list[Person]) -> None:
        """Lock all that messages to these people may change, and read it anew if need be."""
        if locks.hold(self.writer, {place for person in everybody for place in self.places(person)}):
            self.forget()

    # --- here ---

    def may_ask(self, person: Person, message: Component) -> bool:
        """Whether a person's rights let the caller send them this invitation, of which they have nothing yet.

        What follows a first invitation needs no right: they answer it, it is changed and called off.

        Source: RFC 4324 §4.2.2 (REQUESTONLY), ACL-07; RFC 6638 §6.1 (schedule-deliver-invite).
        """
        place = default_calendar(self.tx, person)
        calendar = None if place is None else calendars.by_id(self.tx, place)
        if calendar is None:
            return False
        authority = Authority(self.tx, self.caller, calendar)
        standing = Standing("UNPROCESSED", message.value("METHOD"))
        return authority.free("CREATE") or all(
            authority.judge.may("CREATE", part, standing) for part in message.children(self.kind)
        )

    def is_full(self, person: Person) -> bool:
        """Whether a calendar that an invitation would go to holds all that it may hold.

        Only a first invitation asks: who took one has what follows it too.

        Source: RFC 6638 §4 (the preconditions of the calendars count), §3.2.9 (5.1: later it may fit).
        """
        return any(admission.is_full(self.tx, self.caller, place, self.kind) for place in self.places(person))

    def deposit(self, person: Person, message: Component) -> str:
        """Put a message into a person's inbox; what it makes obsolete goes.

        Returns:
            SCHEDULE-STATUS.

        Source: RFC 6638 §4.1, §4.2.
        """
        inbox = default_calendar(self.tx, person)
        if inbox is None:
            return NOT_ALLOWED
        if person.answers_itself:
            return DELIVERED  # nobody reads there
        locks.touch(self.writer, inbox)
        method = message.value("METHOD") or ""
        calendar = calendars.by_id(self.tx, inbox)
        if calendar is not None and calendar.auto_process:
            self.clear(inbox, message)
        self.writer.insert(inbox, message, kind=self.kind, uid=self.uid, state="UNPROCESSED", method=method)
        return DELIVERED

    def clear(self, inbox: int, message: Component, *, but: ObjectRow | None = None) -> None:
        """Take messages away that say nothing any more beside a newer one of the same sender.

        Args:
            inbox: the calendar they lie in, which is locked.
            message: the newer one.
            but: where it lies already, for it came from elsewhere and may have come late; None as long as it
                does not.
        """
        method = (message.value("METHOD") or "").strip().upper()
        for old in objects.by_uid(self.tx, inbox, self.uid, "UNPROCESSED", self.kind):
            if but is not None and (old.id == but.id or _age(parse(old.ics)) > _age(message)):
                continue
            if _supersedes(message, method, old, self.kind):
                self.writer.remove(old)

    def overtaken(self, inbox: int, reply: Component, row: ObjectRow) -> set[Key]:
        """The instances of which a newer reply of the same sender tells: this one came late.

        Known are those that still lie in the inbox; mails overtake one another by minutes, not by days.

        Args:
            inbox: the calendar they lie in.
            reply: a REPLY.
            row: where it lies.

        Source: RFC 5546 §2.1.5 (the reply with the latest DTSTAMP overrides all others).
        """
        found: set[Key] = set()
        for other in objects.by_uid(self.tx, inbox, self.uid, "UNPROCESSED", self.kind):
            if other.id == row.id or other.method != row.method:
                continue
            held = parse(other.ics)
            if _age(held) > _age(reply) and _senders(held, self.kind) == _senders(reply, self.kind):
                found |= parts(held, self.kind).keys()
        return found

    def book(self, person: Person, view: Component, *, news: bool, before: Component | None = None) -> bool:
        """Let a person's copy follow the organizer's object.

        Args:
            person: an attendee.
            view: what they are to have.
            news: whether this is more than what others answered: then the Schedule-Tag changes, and a copy
                is made where there is none.
            before: what they had to have until now; None when that is not known.

        Returns:
            Whether the copy is as it should be; not where the calendar's owner processes messages
            themselves, or has no room for it (ALLOW-CONFLICT).
        """
        row = self.booked(person)
        place = self.place(person)
        calendar = None if place is None else calendars.by_id(self.tx, place)
        if calendar is None or not calendar.auto_process or (row is None and not news):
            return False
        if row is None and _declined(view, self.kind, person.addresses):
            return False  # they took it away; it comes back when they are asked anew
        copy = None if row is None else parse(row.ics)
        whole = copies.follow(copy, view, self.kind, person.addresses, before=before)
        if not whole.children(self.kind):
            self.unbook(person)  # they took out all that is left
            return True
        return self.put(person, calendar.id, whole, news=news)

    def cancel(
        self, person: Person, keys: Sequence[Key], sequence: int, *, future: Collection[Key] = ()
    ) -> None:
        """Let a person's copy say that it, or some instances of it, does not take place: `copies.cancel`."""
        row = self.booked(person)
        calendar = None if row is None else calendars.by_id(self.tx, row.calendar_id)
        if row is None or calendar is None or not calendar.auto_process:
            return
        whole = copies.cancel(parse(row.ics), self.kind, keys, sequence, future=future)
        if whole is None:
            self.unbook(person)
        else:
            self.put(person, row.calendar_id, whole, news=True)

    def put(self, person: Person, calendar_id: int, whole: Component, *, news: bool) -> bool:
        """Write a person's copy; False when their calendar refuses it."""
        row = self.booked(person)
        data = whole.to_bytes()
        if row is not None and row.ics == data:
            return True
        tag = etag_of(data, whole) if news else None
        locks.touch(self.writer, calendar_id)
        try:
            with self.writer.attempt():
                if row is None:
                    row = self.writer.insert(
                        calendar_id, whole, kind=self.kind, uid=self.uid, schedule_tag=tag
                    )
                else:
                    row = self.writer.update(row, whole, schedule_tag=tag)
        except (ConflictError, TooComplexError, DuplicateError):
            return False
        if self._booked is not None:
            self._booked[person.row.id] = row
        return True

    def unbook(self, person: Person) -> None:
        """Take a person's copy away."""
        row = self.booked(person)
        if row is not None:
            locks.touch(self.writer, row.calendar_id)
            self.writer.remove(row)
            if self._booked is not None:
                del self._booked[person.row.id]

    # --- elsewhere ---

    def refused(self, to: str) -> str | None:
        """SCHEDULE-STATUS of a message that cannot be mailed, known before it is written; None if it can."""
        if self.people.is_group(to):
            return NOT_ALLOWED  # its members are invited by their names
        scheme, _, mailbox = to.partition(":")
        if scheme != "mailto" or mailbox.rpartition("@")[2] == self.caller.policy.realm.lower():
            return UNKNOWN
        if not self.caller.policy.imip:
            return NO_WAY
        full = len(self._mailed) >= self.caller.policy.mail_recipients
        return NOT_ALLOWED if full and to not in self._mailed else None

    def mail(self, sender: str, to: str, message: Component) -> str:
        """Hand a message to the mail, where this store has one.

        The job's payload is JSON: `from`, `to` (addresses), `method` and `ics` (the iTIP text), `by` (UPN of
        whose mail it is), `at` (seconds UTC), `language` (a tag; '' if the sender's calendar says none).

        Returns:
            SCHEDULE-STATUS: pending; unknown here, although the address is one of ours; a group; no way
            there; or too many of them.
        """
        status = self.refused(to)
        if status is not None:
            return status
        self._mailed.add(to)
        message = without_cap(message)
        data = message.to_bytes()
        person = self.people.at(sender)
        payload = {
            "from": sender,
            "to": to,
            "method": message.value("METHOD") or "",
            "ics": data.decode("utf-8", "replace"),
            "by": sender if person is None else person.row.upn,
            "at": self.caller.now,
            "language": "" if person is None else self._language(person),
        }
        new = ids.new_id(self.caller.now)
        key = f"imip {to} {etag_of(data, message)} {new:x}"
        jobs.add(self.tx, id=new, key=key, kind=MAIL, due_at=self.caller.now, payload=json.dumps(payload))
        return PENDING

    def _language(self, person: Person) -> str:
        """The language of the calendar in which somebody has this object (RFC 4324 §8.12)."""
        upn = person.row.upn
        if upn not in self._languages:
            place = self.place(person)
            calendar = None if place is None else calendars.by_id(self.tx, place)
            held = None if calendar is None else agendas.properties(self.tx, calendar)
            named = [] if held is None else agendas.listed(held, "DEFAULT-LOCALE")
            self._languages[upn] = languages.tag_of(named[0]) if named else ""
        return self._languages[upn]


def _declined(view: Component, kind: str, me: frozenset[str]) -> bool:
    """Whether somebody declined all of what invites them."""
    lines = [parties.attendee(part, me) for part in view.children(kind)]
    return all(parties.partstat(line) == "DECLINED" for line in lines)


def _supersedes(message: Component, method: str, old: ObjectRow, kind: str) -> bool:
    """Whether a message says all that an older one said: a REQUEST of ours tells the whole view."""
    if method in _FROM_ORGANIZER:
        whole = method == "REQUEST" or any(
            part.first("RECURRENCE-ID") is None for part in message.children(kind)
        )
        return (
            whole
            and old.method in _FROM_ORGANIZER
            and parties.organizer(parse(old.ics), kind) == parties.organizer(message, kind)
        )
    if method != old.method:
        return False
    held = parse(old.ics)
    return (
        _senders(held, kind) == _senders(message, kind)
        and parts(held, kind).keys() <= parts(message, kind).keys()
    )


def _age(message: Component) -> tuple[int, str]:
    """What grows with each message about an object (RFC 5546 §2.1.5)."""
    parts = [part for part in message.components if part.name in parties.SCHEDULED]
    stamps = [(part.value("DTSTAMP") or "").strip() for part in parts]
    return max(map(parties.sequence, parts), default=0), max(stamps, default="")


def _senders(whole: Component, kind: str) -> set[str]:
    return {parties.address(line) for part in whole.children(kind) for line in part.all("ATTENDEE")[:1]}
