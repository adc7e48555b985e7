"""What became of messages that were mailed, written where their senders look for it (RFC 6638 §7.3)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from kalends.core.model import Caller
from kalends.core.scheduling import locks, parties
from kalends.core.scheduling.delivery import PENDING, Post
from kalends.core.writer import Writer
from kalends.ical.tree import parse
from kalends.store.base import Tx

SENT, NOT_DELIVERED = "1.1", "5.1"
"""SCHEDULE-STATUS: handed to the mail, which tells nothing of its arrival; given up after many attempts."""
_OF_MAIL = frozenset((PENDING, SENT, "3.7", NOT_DELIVERED, "5.2", "5.3"))
"""What a mail's status may replace: that somebody answered says more."""
_FROM_ATTENDEE = frozenset(("REPLY", "REFRESH", "COUNTER"))


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of one mail.

    Attributes:
        sender, to: normalised addresses. method: METHOD of its message.
        kind, uid: of the object it is about. status: SCHEDULE-STATUS.
    """

    sender: str
    to: str
    method: str
    kind: str
    uid: str
    status: str

    @property
    def about(self) -> tuple[str, str, str]:
        """Where the sender has the object."""
        return self.sender, self.kind, self.uid

    @property
    def prop(self) -> str:
        """Who it went to."""
        return "ORGANIZER" if self.method in _FROM_ATTENDEE else "ATTENDEE"


def note(tx: Tx, caller: Caller, deliveries: Iterable[Delivery]) -> None:
    """Write what became of mails into their senders' objects. Nobody is told, and no SEQUENCE is raised.

    An object that is gone, or names the recipient no more, has no place for it.

    Args:
        tx: a write transaction.
        caller: the store itself, as the log of changes will name it.
        deliveries: of any objects; those of one object make one change of it.
    """
    by_object: dict[tuple[str, str, str], list[Delivery]] = {}
    for one in deliveries:
        by_object.setdefault(one.about, []).append(one)
    if by_object:
        locks.in_order(tx, caller, lambda who: _note(tx, who, by_object))


def _note(tx: Tx, caller: Caller, by_object: dict[tuple[str, str, str], list[Delivery]]) -> None:
    writer = Writer(tx, caller, ())
    for (sender, kind, uid), found in by_object.items():
        post = Post(writer, kind, uid)
        person = post.people.at(sender)
        if person is None:
            continue
        post.hold([person])
        row = post.booked(person)
        if row is None:
            continue
        whole = parse(row.ics)
        for prop in ("ATTENDEE", "ORGANIZER"):
            said = {one.to: one.status for one in found if one.prop == prop}
            lines = [line for part in whole.children(kind) for line in part.all(prop)]
            told = {parties.address(line): line.param("SCHEDULE-STATUS") or PENDING for line in lines}
            open_ones = {who: status for who, status in said.items() if told.get(who) in _OF_MAIL}
            parties.set_statuses(whole, kind, prop, open_ones)
        post.put(person, row.calendar_id, whole, news=False)
