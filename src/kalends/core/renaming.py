"""Calendars under another name: their CALID, or their last segment in a path."""

from __future__ import annotations

from kalends.core import agendas
from kalends.core.access import rights
from kalends.core.access.vrights import rules_in, tied_to_place
from kalends.core.containers import allow_whole, calendar_of, slug_of
from kalends.core.errors import DeniedError, DuplicateError
from kalends.core.model import Caller, Target
from kalends.core.names import check_calid
from kalends.core.writer import Writer
from kalends.store import calendars
from kalends.store import errors as store
from kalends.store.base import Tx
from kalends.store.calendars import VCALSTORE


def move_slug(tx: Tx, caller: Caller, target: Target, slug: str) -> None:
    """Give a calendar another last segment in its path; its CALID and all it contains stay.

    Args:
        tx: a write transaction.
        caller: who moves it.
        target: the calendar.
        slug: the new segment.

    Raises:
        DuplicateError: the segment is taken in that home.
        NotFoundError: not there or not visible.
    """
    allow_whole(tx, caller, target, "MOVE")
    writer = Writer(tx, caller, (VCALSTORE, target.calendar_id))
    calendar = calendar_of(tx, target)
    try:
        calendars.set_name(tx, calendar.id, calid=calendar.calid, home_id=calendar.home_id, slug=slug)
    except store.DuplicateError as error:
        raise DuplicateError("there is a calendar at that path") from error
    writer.log(agendas.row_of(tx, calendar), VCALSTORE, "props")


def rename_calendar(tx: Tx, caller: Caller, target: Target, calid: str) -> None:
    """Give a calendar another CALID; what it contains and who may do what stay as they are.

    Args:
        tx: a write transaction.
        caller: who renames it.
        target: the calendar.
        calid: the new relative CALID.

    Raises:
        DuplicateError: the CALID is taken.
        InvalidError: not a CALID.
        NotFoundError: not there or not visible.
        DeniedError: no right to, or a VCAR names the calendar by its CALID and might protect it no more.

    Source: RFC 4324 §10.10 (Nellis becomes Area-51); A-55, A-56, MOV-03.
    """
    allow_whole(tx, caller, target, "MOVE")
    if not caller.identity.admin and tied_to_place(rules_in(tx, target.calendar_id)):
        raise DeniedError(rights.DENIED)
    check_calid(calid)
    if calendars.by_calid(tx, calid) is not None:
        raise DuplicateError(f"the CALID {calid} is taken")
    writer = Writer(tx, caller, (VCALSTORE, target.calendar_id))
    calendar = calendar_of(tx, target)
    row = agendas.row_of(tx, calendar)
    whole = agendas.parsed(row).copy()
    held = whole.children("VAGENDA")[0]
    line = held.first("CALID")
    assert line is not None, "a VAGENDA without its CALID"
    held.replace(line, line.with_value(calid))
    try:
        calendars.set_name(
            tx, calendar.id, calid=calid, home_id=calendar.home_id, slug=slug_of(tx, calid, calendar.home_id)
        )
    except store.DuplicateError as error:
        raise DuplicateError(f"the CALID {calid} is taken") from error
    row = writer.update(row, whole, uid=calid)
    writer.log(row, VCALSTORE, "props")
