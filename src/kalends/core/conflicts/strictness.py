"""ALLOW-CONFLICT being switched: of a calendar, or of the store, which rules them all (RFC 4324 §8.1)."""

from __future__ import annotations

from kalends.core import agendas, containers
from kalends.core.conflicts import conflict
from kalends.core.writer import Writer
from kalends.ical.tree import Component
from kalends.store import calendars
from kalends.store.calendars import VCALSTORE, CalendarRow


def follow(
    writer: Writer, calendar: CalendarRow, before: Component, after: Component, *, redefined: bool
) -> None:
    """Let a change of a container's properties have its effect on overlaps, or refuse it.

    Args:
        writer: has locked the container, and stored its new properties.
        calendar: its row as it was.
        before: its properties as they were.
        after: as they are now.
        redefined: whether a name of a time zone means something else than before.

    Raises:
        ConflictError: something overlaps already that may not any more; the words say what.
        TooComplexError: it could not be proven that nothing does.

    Source: RFC 4324 §8.1; CON-02.
    """
    forbids = agendas.allows_conflict(before) and not agendas.allows_conflict(after)
    if calendar.id == VCALSTORE:
        if forbids:
            _forbid_everywhere(writer)
        return
    other_zone = redefined or agendas.time_zones(before)[:1] != agendas.time_zones(after)[:1]
    if forbids or other_zone:  # a zone moves what floats
        fresh = calendars.by_id(writer.tx, calendar.id)
        assert fresh is not None, "a locked calendar"
        conflict.check_calendar(writer.tx, writer.caller, fresh)


def _forbid_everywhere(writer: Writer) -> None:
    """Set every calendar to FALSE, in ascending id, as all writers lock."""
    tx = writer.tx
    for calendar in sorted(calendars.every(tx), key=lambda one: one.id):
        if calendar.id not in writer.ticks:
            writer.lock(calendar.id)
        row = agendas.row_of(tx, calendar)
        whole = agendas.parsed(row).copy()
        held = whole.children("VAGENDA")[0]
        line = held.first("ALLOW-CONFLICT")
        if line is None or not agendas.allows_conflict(held):
            continue
        held.replace(line, line.with_value("FALSE"))
        writer.update(row, whole)
        containers.settle(tx, calendar, held)
        fresh = calendars.by_id(tx, calendar.id)
        assert fresh is not None, "a locked calendar"
        conflict.check_calendar(tx, writer.caller, fresh)
