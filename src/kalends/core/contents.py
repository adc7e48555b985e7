"""Whole containers: `SELECT *.*` and export, object after object in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

from kalends.core import agendas
from kalends.core.access import decrees, rights
from kalends.core.access.sights import Sight
from kalends.core.defaults import PRODID
from kalends.core.errors import TooComplexError
from kalends.core.model import Caller
from kalends.core.texts import UID_KINDS
from kalends.ical.alarms import without_cap
from kalends.ical.tree import Component, Line
from kalends.ical.zones import iana_name
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
    decreed = decrees.decreed_in(tx, VCALSTORE) if calendar.id != VCALSTORE else ()
    for row in chain(_rows(tx, calendar.id), decreed):
        if row.state == "DELETED" or row.kind in _PROPERTIES:
            continue
        shown = sight.object(row)
        if shown is None:
            continue
        whole = shown.vcalendar()
        parts = whole.children(row.kind)
        room -= len(parts)
        if room < 0:
            raise TooComplexError("the container holds more than one answer may; ask for less")
        if row.method is None:
            made.items.extend(parts)
        else:
            made.items.append(whole)
    if calendar.id == VCALSTORE:
        for child in rights.visible_calendars(tx, caller):
            inner = rights.sight(tx, caller, child.id)
            agenda = inner.of(agendas.live(tx, caller, child, agendas.properties(tx, child)))
            if agenda is None:
                continue
            inside = filled(tx, caller, child, agenda, room)
            made.items.append(inside)
            room -= 1 + len(inside.components)
    return made


def _rows(tx: Tx, calendar_id: int) -> Iterator[ObjectRow]:
    after = -1
    while page := objects.page(tx, after, PAGE, calendar_id):
        yield from page
        after = page[-1].id


def one_text(
    tx: Tx, calendar_id: int, sight: Sight, head: Sequence[Line] = (), *, cap: bool = True
) -> Iterator[str]:
    """What is seen of the booked objects of a calendar as one VCALENDAR, piece by piece.

    Each VTIMEZONE stands once, before the first component that needs it. Where two objects define one name
    differently, the second definition and the times that mean it get a name of their own.

    Args:
        tx: a read transaction, open until the iterator is done.
        calendar_id: the calendar.
        sight: what of it is told.
        head: more lines of the VCALENDAR, such as its NAME.
        cap: whether alarms keep what only CAP knows (OBM-15).

    Yields:
        Text, CRLF line ends.

    Source: RFC 5545 §3.4.
    """
    yield f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:{PRODID}\r\n" + "".join(line.raw for line in head)
    defined: dict[str, str] = {}
    for row in _rows(tx, calendar_id):
        if row.state != "BOOKED" or not (row.kind in UID_KINDS or row.kind.startswith("X-")):
            continue
        shown = sight.object(row)
        if shown is None:
            continue
        whole = shown.vcalendar() if cap else without_cap(shown.vcalendar())
        names: dict[str, str] = {}
        for zone in whole.children("VTIMEZONE"):
            tzid = zone.value("TZID") or ""
            names[tzid], text = _define(defined, tzid, zone)
            yield text
        renamed = {tzid: name for tzid, name in names.items() if name != tzid}
        for part in whole.children(row.kind):
            yield (_rename(part, renamed) if renamed else part).to_ics()
    yield "END:VCALENDAR\r\n"


def _define(defined: dict[str, str], tzid: str, zone: Component) -> tuple[str, str]:
    """Find the name under which a definition stands in an export, adding it where it is new.

    Args:
        defined: name -> text of the definitions so far; added to.
        tzid: the name the object uses.
        zone: its VTIMEZONE.

    Returns:
        The name, and the text to write: '' when it stands there already. Names of the tz database mean the
        same whoever defines them (A-66).
    """
    text, name, number = zone.to_ics(), tzid, 1
    if not tzid:  # nobody can mean it
        return tzid, text
    while name in defined and defined[name] != text and iana_name(tzid) is None:
        number += 1
        name = f"{tzid} ({number})"
    if name in defined:
        return name, ""
    defined[name] = text
    if name == tzid:
        return name, text
    twin = zone.copy()
    line = twin.first("TZID")
    assert line is not None
    twin.replace(line, line.with_value(name))
    return name, twin.to_ics()


def _rename(component: Component, names: dict[str, str]) -> Component:
    """A copy whose TZID parameters say other names."""
    twin = component.copy()
    for one in twin.walk():
        for line in one.lines:
            tzid = line.param("TZID") if "TZID" in line.raw.upper() else None
            if tzid in names:
                changed = tuple((key, (names[tzid],) if key == "TZID" else had) for key, had in line.params)
                one.replace(line, line.with_params(changed))
    return twin
