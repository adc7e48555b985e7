"""Whole containers: `SELECT *.*` and export, object after object in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator

from kalends.core import agendas, rights
from kalends.core.defaults import PRODID
from kalends.core.errors import TooComplexError
from kalends.core.model import Caller, Target
from kalends.core.texts import UID_KINDS
from kalends.ical.tree import Component, parse
from kalends.store import objects
from kalends.store.base import Tx
from kalends.store.calendars import VCALSTORE, CalendarRow
from kalends.store.objects import ObjectRow

PAGE = 500
"""Objects fetched at once."""
_PROPERTIES = frozenset(("VAGENDA", "VCALSTORE"))


def filled(tx: Tx, caller: Caller, calendar: CalendarRow, seen: Component, room: int) -> Component:
    """A VAGENDA or VCALSTORE with all it contains, as far as the caller may see it.

    BOOKED components stand in it directly, each VTIMEZONE once; iTIP objects keep a VCALENDAR of their own,
    for their METHOD is its property. DELETED ones are not among them (OBM-08).

    Args:
        tx: a transaction.
        caller: who asks.
        calendar: the container's row.
        seen: its properties as the caller sees them.
        room: components at most.

    Returns:
        A new component.

    Raises:
        TooComplexError: more components than an answer may have.

    Source: RFC 4324 §6.1.1, §9.1, §9.2; QRY-08, QRY-35, A-25.
    """
    made = seen.copy()
    sight = rights.sight(tx, caller, calendar.id)
    for row in _rows(tx, calendar.id):
        if row.state == "DELETED" or row.kind in _PROPERTIES:
            continue
        whole = parse(row.ics)
        parts = [one for part in whole.children(row.kind) if (one := sight.of(part)) is not None]
        if not parts:
            continue
        room -= len(parts)
        if room < 0:
            raise TooComplexError("the container holds more than one answer may; ask for less")
        if row.method is None:
            made.items.extend(parts)
        else:
            made.items.append(whole)
    if calendar.id == VCALSTORE:
        for child in rights.visible_calendars(tx, caller):
            agenda = agendas.live(tx, caller, child, agendas.properties(tx, child))
            inside = filled(tx, caller, child, agenda, room)
            made.items.append(inside)
            room -= 1 + len(inside.components)
    return made


def _rows(tx: Tx, calendar_id: int) -> Iterator[ObjectRow]:
    after = -1
    while page := objects.page(tx, after, PAGE, calendar_id):
        yield from page
        after = page[-1].id


def export_calendar(tx: Tx, caller: Caller, target: Target) -> Iterator[str]:
    """The booked objects of a calendar as one VCALENDAR, piece by piece.

    Each VTIMEZONE stands once, before the first component that needs it.

    Args:
        tx: a read transaction, open until the iterator is done.
        caller: who exports.
        target: a calendar.

    Yields:
        Text, CRLF line ends.

    Raises:
        NotFoundError: not there or not visible.

    Source: RFC 5545 §3.4.
    """
    rights.require(tx, caller, target, "SEARCH")
    sight = rights.sight(tx, caller, target.calendar_id)
    yield f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:{PRODID}\r\n"
    defined: set[str] = set()
    for row in _rows(tx, target.calendar_id):
        if row.state != "BOOKED" or not (row.kind in UID_KINDS or row.kind.startswith("X-")):
            continue
        whole = parse(row.ics)
        for zone in whole.children("VTIMEZONE"):
            tzid = zone.value("TZID") or ""
            if tzid not in defined:
                defined.add(tzid)
                yield zone.to_ics()
        for part in whole.children(row.kind):
            shown = sight.of(part)
            if shown is not None:
                yield shown.to_ics()
    yield "END:VCALENDAR\r\n"
