"""Writing a calendar out as one iCalendar file, object after object, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from kalends.ical.tree import Component, Line, parse

if TYPE_CHECKING:
    from kalends.cli.offline import Office

PAGE = 500
"""Objects read at once."""
_NOT_CONTENTS = frozenset(("VAGENDA", "VCAR", "VTIMEZONE", "VQUERY", "VCALSTORE"))


def calendar_octets(at: Office, calid: str) -> Iterator[bytes]:
    """The booked objects of a calendar as one VCALENDAR.

    Args:
        at: the opened store.
        calid: the calendar.

    Yields:
        Octets in order: the head, each time zone before its first use, each component as it was stored.

    Raises:
        NotFoundError: there is no such calendar.
    """
    from kalends.core.containers import resolve
    from kalends.store import objects
    from kalends.store.base import Tx

    target = at.read(lambda tx: resolve(tx, at.caller, calid))
    yield b"BEGIN:VCALENDAR\r\n"
    yield (Line.make("VERSION", "2.0").raw + Line.make("PRODID", "-//Kalends//export//EN").raw).encode()
    zones: set[str | None] = set()
    last = -1

    def page(tx: Tx) -> list[objects.ObjectRow]:
        return objects.page(tx, last, PAGE, target.calendar_id)

    while rows := at.read(page):
        last = rows[-1].id
        for row in rows:
            if row.state == "BOOKED" and row.kind not in _NOT_CONTENTS:
                yield b"".join(_components(parse(row.ics), zones))
    yield b"END:VCALENDAR\r\n"


def _components(whole: Component, zones: set[str | None]) -> Iterator[bytes]:
    for component in whole.components:
        if component.name == "VTIMEZONE":
            tzid = component.value("TZID")
            if tzid in zones:
                continue
            zones.add(tzid)
        octets = component.to_bytes()
        yield octets if octets.endswith(b"\n") else octets + b"\r\n"
