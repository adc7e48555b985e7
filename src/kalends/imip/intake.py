"""A mail that came in, from its octets to the door of the store (RFC 6047 §2.2.1, §3; RFC 5546 §1.4).

Nothing is done with a message whose sender is not who it speaks for: the ORGANIZER of an invitation, the
ATTENDEE of an answer. All messages of a mail are taken, or none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kalends.core import ledger
from kalends.core.model import Caller, Identity, Policy, Target
from kalends.core.names import ANONYMOUS
from kalends.core.scheduling import People, Person, default_calendar, parties
from kalends.ical import itip
from kalends.ical.errors import ICalError
from kalends.ical.tree import Component, parse
from kalends.ical.values import normal_address
from kalends.imip import proof, reading
from kalends.imip.errors import BadMailError, NobodyError, UnprovenError
from kalends.imip.letter import KINDS
from kalends.imip.reading import Calendar, Received
from kalends.store import calendars, objects
from kalends.store.base import Tx

FROM_ORGANIZER = frozenset(("REQUEST", "CANCEL", "ADD", "DECLINECOUNTER"))
FROM_ATTENDEE = frozenset(("REPLY", "REFRESH", "COUNTER"))
_LINE_END = re.compile(r"\r?\n")
ANYBODY = "off"
"""In place of an authserv-id: the mail server lets in only what is proven already."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message that may be delivered.

    Attributes:
        whole: the VCALENDAR. method: METHOD. sender: the normalised address that is proven.
        organizer: the one address of its ORGANIZER. attendees: those of its ATTENDEEs.
    """

    whole: Component
    method: str
    sender: str
    organizer: str
    attendees: frozenset[str]


def read(data: bytes, trusted: str) -> list[Message]:
    """Read a mail, and ask whether its sender may say what it says.

    Args:
        data: the mail.
        trusted: authserv-id of the mail server whose Authentication-Results count; ANYBODY to ask for none.

    Returns:
        The messages in it; none for an automatic answer without a calendar.

    Raises:
        BadMailError, UnprovenError.
    """
    mail = reading.read(data)
    if mail is None:
        return []
    if trusted.lower() != ANYBODY:
        proof.require(mail.sender, mail.results, trusted)
    found = [_message(mail, one) for one in mail.calendars]
    known = [(one.method, part.name, part.value("UID")) for one in found for part in _firsts(one.whole)]
    if len(known) != len(set(known)):
        raise BadMailError("the mail holds two different messages about one object")
    return found


def _firsts(whole: Component) -> list[Component]:
    """One component for each UID."""
    return list(
        {(part.name, part.value("UID")): part for part in whole.components if part.name in KINDS}.values()
    )


def _message(mail: Received, calendar: Calendar) -> Message:
    try:
        whole = parse(_LINE_END.sub("\r\n", calendar.text))  # mail servers hand out what ends in LF
    except ICalError as error:
        raise BadMailError(f"the calendar cannot be read: {error}") from None
    method = (whole.value("METHOD") or "").strip().upper()
    if whole.name != "VCALENDAR" or method not in itip.METHODS:
        raise BadMailError("the calendar is no scheduling message: it has no METHOD")
    if calendar.method is not None and calendar.method != method:
        raise BadMailError("Content-Type and METHOD say different methods")
    if method not in FROM_ORGANIZER | FROM_ATTENDEE:
        raise BadMailError(f"a {method} is not taken by mail")
    parts = [part for part in whole.components if part.name != "VTIMEZONE"]
    if not parts or any(part.name not in KINDS for part in parts):
        raise BadMailError("only events and tasks are taken by mail")
    sender = normal_address(f"mailto:{mail.sender}")
    organizers = {parties.address(line) for part in parts for line in part.all("ORGANIZER")}
    if len(organizers) != 1:
        raise BadMailError("the message has to name one ORGANIZER")
    (organizer,) = organizers
    lines = [{parties.address(line) for line in part.all("ATTENDEE")} for part in parts]
    if method in FROM_ORGANIZER and sender != organizer:
        raise UnprovenError(f"{mail.sender} is not the ORGANIZER of this {method}")
    if method in FROM_ATTENDEE and not all(_speaks(sender, method, named) for named in lines):
        raise UnprovenError(f"{mail.sender} is not the ATTENDEE of this {method}")
    if method == "COUNTER":
        _name_counterer(parts, sender)
    return Message(whole, method, sender, organizer, frozenset().union(*lines))


def _speaks(sender: str, method: str, named: set[str]) -> bool:
    """Whether it is the sender that an answer is of: a COUNTER may name others, too (RFC 5546 §3.2.7)."""
    return sender in named if method == "COUNTER" else named == {sender}


def _name_counterer(parts: Sequence[Component], sender: str) -> None:
    """Say who proposes, as the store keeps it (RFC 4324 §8.2); what a sender says of it does not count."""
    for part in parts:
        for line in part.all("ATT-COUNTER"):
            part.remove(line)
        part.add("ATT-COUNTER", sender)


def deliver(
    tx: Tx, policy: Policy, now: int, messages: Sequence[Message], recipients: Sequence[str] = ()
) -> list[str]:
    """Put messages where they belong, and let the store act upon them.

    Args:
        tx: a write transaction; when this raises it has to fail.
        policy: the store's.
        now: seconds UTC.
        messages: as `read` gave them.
        recipients: mailboxes that the mail came to. Somebody here gets what invites them; any other mailbox
            (the calendar's own, an alias) is everybody's here whom a message is for.

    Returns:
        UPNs of whom something was new for.

    Raises:
        NobodyError: it is for nobody here. UnprovenError: the sender has a calendar here.
        KalendsError: the store refuses it.
    """
    people = People(tx)
    reached: list[str] = []
    for one in messages:
        if people.at(one.sender) is not None:
            raise UnprovenError(f"{one.sender} has a calendar here, and answers and invites in it")
        identity = Identity(ANONYMOUS, addresses=frozenset((one.sender,)))
        caller = Caller(identity, "imip", now, policy)
        meant = sorted(_meant(people, one, recipients), key=lambda person: default_calendar(tx, person) or 0)
        reached += [person.row.upn for person in meant if _deposit(tx, caller, person, one)]
    return list(dict.fromkeys(reached))


def _meant(people: People, one: Message, recipients: Sequence[str]) -> list[Person]:
    if one.method in FROM_ATTENDEE:
        found = people.at(one.organizer)
        if found is None:
            raise NobodyError(f"{one.organizer} is not here")
        return [found]
    named = [people.at(normal_address(f"mailto:{box}")) for box in recipients]
    known = [person for person in named if person is not None]
    invited = _distinct(people.at(address) for address in sorted(one.attendees))
    if known and len(known) == len(named):
        mine = {person.row.id for person in known}
        invited = [person for person in invited if person.row.id in mine]
    if not invited:
        raise NobodyError("it invites nobody here whom the mail is for")
    return invited


def _distinct(people: Iterable[Person | None]) -> list[Person]:
    found: dict[int, Person] = {}
    for person in people:
        if person is not None:
            found.setdefault(person.row.id, person)
    return list(found.values())


def _deposit(tx: Tx, caller: Caller, person: Person, one: Message) -> bool:
    """Give somebody a message; False when it lies there already, for a mail may come twice."""
    place = default_calendar(tx, person)
    calendar = None if place is None else calendars.by_id(tx, place)
    if calendar is None:
        raise NobodyError(f"{person.row.upn} has no calendar")
    if all(_lies_there(tx, calendar.id, one, part) for part in _firsts(one.whole)):
        return False
    target = Target(calendar.calid, calendar.id, calendar.calid)
    for receipt in ledger.create(tx, caller, target, one.whole.copy()):
        if receipt.error is not None:
            raise receipt.error
    return True


def _lies_there(tx: Tx, calendar_id: int, one: Message, part: Component) -> bool:
    uid, said = part.value("UID") or "", sorted(map(str, _facts(one.whole, part)))
    return any(
        row.method == one.method and sorted(map(str, _facts(parse(row.ics), part))) == said
        for row in objects.by_uid(tx, calendar_id, uid, "UNPROCESSED", part.name)
    )


def _facts(whole: Component, like: Component) -> list[str]:
    same = [part for part in whole.children(like.name) if part.value("UID") == like.value("UID")]
    return [part.to_ics() for part in same]
