"""Whose address it is, and in which calendar an invitation belongs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from kalends.core import agendas
from kalends.core.errors import DefaultCalendarError
from kalends.ical.values import normal_address
from kalends.store import calendars, objects, principals
from kalends.store.base import Tx
from kalends.store.calendars import CalendarRow
from kalends.store.objects import ObjectRow
from kalends.store.principals import PrincipalRow

_ANSWERING = frozenset(("room", "resource"))


@dataclass(frozen=True, slots=True)
class Person:
    """A user, room or resource of this store.

    Attributes:
        row: the principal.
        addresses: all calendar user addresses, normalised.
    """

    row: PrincipalRow
    addresses: frozenset[str]

    @property
    def answers_itself(self) -> bool:
        """Whether this is a room or a resource, for which the store answers."""
        return self.row.kind in _ANSWERING


class People:
    """Looks people up, each once a transaction."""

    def __init__(self, tx: Tx) -> None:
        self.tx = tx
        self._found: dict[str, Person | None] = {}

    def at(self, uri: str) -> Person | None:
        """Whoever has a (normalised) address here; None for people elsewhere, and for groups."""
        if uri not in self._found:
            row = principals.by_address(self.tx, uri)
            if row is None and uri.startswith("mailto:"):
                row = principals.by_upn(self.tx, uri.removeprefix("mailto:"))
            self._found[uri] = None if row is None or row.kind == "group" else self._person(row)
        return self._found[uri]

    def is_group(self, uri: str) -> bool:
        """Whether a (normalised) address is a group's."""
        row = principals.by_address(self.tx, uri)
        return row is not None and row.kind == "group"

    def living_at(self, calendar: CalendarRow) -> Person | None:
        """In whose home a calendar lies."""
        row = None if calendar.home_id is None else principals.by_id(self.tx, calendar.home_id)
        return None if row is None else self._person(row)

    def _person(self, row: PrincipalRow) -> Person:
        addresses = principals.addresses(self.tx, row.id)
        return Person(row, frozenset((*addresses, normal_address(f"mailto:{row.upn}"))))


def default_calendar(tx: Tx, person: Person) -> int | None:
    """The calendar that invitations go to: the chosen one, else the first in the home; None without any.

    Source: RFC 6638 §4.3.
    """
    if person.row.default_calendar is not None:
        return person.row.default_calendar
    homes = calendars.every(tx, person.row.id)
    return homes[0].id if homes else None


def calendar_for(tx: Tx, person: Person, kind: str) -> int | None:
    """The calendar in which an invitation is booked: the default one, unless it is not meant for that kind.

    Source: RFC 6638 §4.3; RFC 4791 §5.2.3.
    """
    chosen = default_calendar(tx, person)
    homes = calendars.every(tx, person.row.id)
    for calendar in sorted(homes, key=lambda one: one.id != chosen):
        meant = agendas.meant_for(agendas.properties(tx, calendar))
        if not meant or kind in meant:
            return calendar.id
    return chosen


def refuse_removal(tx: Tx, calendar: CalendarRow) -> None:
    """Refuse to remove the calendar that its owner's invitations go to, for faces that must (CalDAV).

    Raises:
        DefaultCalendarError: another calendar has to be chosen first (RFC 6638 §4.3.1.1).
    """
    owner = None if calendar.home_id is None else principals.by_id(tx, calendar.home_id)
    if owner is not None and owner.default_calendar == calendar.id:
        raise DefaultCalendarError("invitations go to this calendar; choose another one for them first")


def booked_by_home(tx: Tx, uid: str, kind: str) -> dict[int, ObjectRow]:
    """Everybody's booked object of a UID, by the principal in whose home it lies; the oldest of several."""
    rows = [row for row in objects.by_uid_anywhere(tx, uid, "BOOKED") if row.kind == kind]
    homes = calendars.many(tx, {row.calendar_id for row in rows})
    found: dict[int, ObjectRow] = {}
    for row in sorted(rows, key=lambda one: (one.created_at, one.id)):
        home = homes[row.calendar_id].home_id if row.calendar_id in homes else None
        if home is not None:
            found.setdefault(home, row)
    return found


def all_addresses(people: Iterable[Person]) -> frozenset[str]:
    """The addresses of several people."""
    return frozenset(address for person in people for address in person.addresses)
