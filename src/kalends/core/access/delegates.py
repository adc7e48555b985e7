"""Delegates: who reads, or writes, all calendars of somebody (calendar-proxy), as VCARs say.

Each calendar in somebody's home has one VCAR for each of their delegates, of a CARID that nothing else uses;
a new calendar gets those of the one that invitations go to (`containers`). They are presets: read or
secretary.
"""

from __future__ import annotations

from collections.abc import Iterable

from kalends.core import agendas
from kalends.core.access import sharing
from kalends.core.access.judges import DENIED
from kalends.core.access.presets import DELEGATED, PRESETS, vcar_of
from kalends.core.errors import DeniedError, InvalidError
from kalends.core.model import Caller, Target
from kalends.ical.tree import Component, parse
from kalends.store import calendars, groups, mounts, objects, principals
from kalends.store.base import Tx
from kalends.store.calendars import CalendarRow
from kalends.store.objects import ObjectRow

MAX_DELEGATES = 100
"""Delegates of one person, of both kinds: groups serve larger circles."""
_PRESET = {False: "read", True: "secretary"}


def of(tx: Tx, principal_id: int, *, write: bool) -> list[str]:
    """The delegates of somebody who may only read, or who may write, too: UPNs of users and groups, in order.

    Args:
        tx: a transaction.
        principal_id: whose.
        write: which of the two.
    """
    home = calendars.every(tx, principal_id)
    return sorted({upn for calendar in home for upn, may, _ in _in(tx, calendar) if may is write})


def _in(tx: Tx, calendar: CalendarRow) -> list[tuple[str, bool, ObjectRow]]:
    rows = objects.every(tx, calendar.id, kind="VCAR", state="BOOKED")
    held = [row for row in rows if row.uid.startswith(DELEGATED)]
    return [(row.uid[len(DELEGATED) :], _writes(agendas.parsed(row)), row) for row in held]


def _writes(whole: Component) -> bool:
    vcars = whole.children("VCAR")
    return any(line.value == "MODIFY" for one in vcars for vright in one.children("VRIGHT")
               for line in vright.all("PERMISSION"))  # fmt: skip


def acting_for(tx: Tx, upn: str, *, write: bool) -> list[int]:
    """Whose delegate somebody is, themselves or through a group: rows of principals, in order.

    Args:
        tx: a transaction.
        upn: a user or group.
        write: whether as one who may write.
    """
    row = principals.by_upn(tx, upn)
    names = [upn] if row is None else [upn, *groups.groups_of(tx, row.id).values()]
    found: set[int] = set()
    for name in names:
        held = mounts.holding(tx, f"{DELEGATED}{name}")
        rows = calendars.many(tx, [key for key, _ in held])
        found.update(
            home
            for key, ics in held
            if (home := rows[key].home_id) is not None and _writes(parse(ics)) is write
        )
    return sorted(found)


def settle(tx: Tx, caller: Caller, principal_id: int, wanted: Iterable[str], *, write: bool) -> None:
    """Say who somebody's delegates of one kind are; the others of that kind are none any more.

    Who is named becomes a delegate of this kind and of no other.

    Args:
        tx: a write transaction; it must fail when this raises.
        caller: who says it: the person, or an administrator.
        principal_id: whose delegates.
        wanted: UPNs of users and groups.
        write: whether they may write.

    Raises:
        DeniedError: neither. InvalidError: oneself, or too many.
    """
    who = caller.identity
    if not who.admin and who.principal_id != principal_id:
        raise DeniedError(DENIED)
    row = principals.by_id(tx, principal_id)
    names = sorted(set(wanted))
    if row is not None and row.upn in names:
        raise InvalidError("nobody is a delegate of their own")
    if len(names) + len(of(tx, principal_id, write=not write)) > MAX_DELEGATES:
        raise InvalidError(f"somebody has {MAX_DELEGATES} delegates at most; name a group")
    for calendar in calendars.every(tx, principal_id):
        target = Target(calendar.calid, calendar.id, calendar.calid)
        held = {upn: may for upn, may, _ in _in(tx, calendar)}
        for upn, may in held.items():
            if may is write and upn not in names:
                sharing.take(tx, caller, target, f"{DELEGATED}{upn}")
        for upn in names:
            if held.get(upn) is not write:
                sharing.give(tx, caller, target, _vcar(upn, write=write))


def _vcar(upn: str, *, write: bool) -> Component:
    how = _PRESET[write]
    return vcar_of(PRESETS[how], upn, f"{DELEGATED}{upn}", f"Delegate: {upn} as {how}")
