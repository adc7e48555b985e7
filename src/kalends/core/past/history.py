"""The past of a calendar, for people: who changed what, when, and by which way."""

from __future__ import annotations

from dataclasses import dataclass

from kalends.core import containers
from kalends.core.access import rights
from kalends.core.errors import DeniedError
from kalends.core.model import Caller, Target, Via
from kalends.core.past.counting import began, counting, is_note, key
from kalends.core.past.differences import Difference, differences, title_in
from kalends.store import calendars, history, objects, principals
from kalends.store.base import Tx
from kalends.store.changes import Op
from kalends.store.history import LoggedRow, Past
from kalends.store.objects import ObjectRow

OWN = frozenset(("VAGENDA", "VCALSTORE", "VCAR"))
"""Kinds of objects that are the calendar's own: their past is for owners only."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One change, for people.

    Attributes:
        tick: its number in the calendar. at: seconds UTC.
        who: UPN of who did it; '' for the store itself, an administrator at it, or somebody who is gone.
        via: by which face. op: what the log calls it.
        kind, uid: of the object. title: its SUMMARY or NAME, or ''.
        action: created, changed, removed, marked, restored, moved to CALID, moved from CALID, undid TICK;
            `marked or restored` where nothing is kept any more that tells which.
        differences: what became different, when both texts are kept.
        undoes: the tick it took back, or None. undone: whether it was taken back itself.
        behind: UPN of who had logged in, when they acted as `who`; else ''.
    """

    tick: int
    at: int
    who: str
    via: Via
    op: Op
    kind: str
    uid: str
    title: str
    action: str
    differences: tuple[Difference, ...]
    undoes: int | None
    undone: bool
    behind: str = ""


def entries(
    tx: Tx, caller: Caller, target: Target, *, uid: str | None = None, limit: int = 100
) -> list[Entry]:
    """The changes of a calendar, newest first.

    Args:
        tx: a transaction.
        caller: who asks; they must be allowed to change the calendar and to see all of it.
        target: the calendar.
        uid: only what concerned that UID.
        limit: how many at most.

    Raises:
        NotFoundError, DeniedError: the caller may not.
    """
    owner = admit(tx, caller, target)
    rows = history.log(tx, target.calendar_id, uid=uid, limit=limit)
    standing = {key(row) for row in counting(rows)}
    names = Names(tx)
    return [
        _entry(tx, row, names, undone=row.undoes is None and key(row) not in standing and not is_note(row))
        for row in rows
        if owner or row.change.kind not in OWN
    ]


def admit(tx: Tx, caller: Caller, target: Target) -> bool:
    """Go on only for who may change the calendar and see all of it.

    Returns:
        Whether they own it.

    Raises:
        NotFoundError, DeniedError: the caller may not.
    """
    rights.require_all(tx, caller, target, "MODIFY")
    if not rights.sight(tx, caller, target.calendar_id).whole:
        raise DeniedError("the past of a calendar is for those who may see all of it")
    return caller.identity.admin or rights.owns(tx, caller, containers.calendar_of(tx, target))


class Names:
    """Names of principals and calendars by id, looked up once."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx
        self._upns: dict[int, str] = {}
        self._calids: dict[int, str] = {}

    def upn(self, actor: int | None) -> str:
        """The UPN of a principal; '' for nobody, and for somebody who is gone."""
        if actor is None:
            return ""
        if actor not in self._upns:
            found = principals.by_id(self._tx, actor)
            self._upns[actor] = "" if found is None else found.upn
        return self._upns[actor]

    def calid(self, calendar_id: int) -> str:
        """The CALID of a calendar, or words for one that is gone."""
        if calendar_id not in self._calids:
            found = calendars.by_id(self._tx, calendar_id)
            self._calids[calendar_id] = "a calendar that is gone" if found is None else found.calid
        return self._calids[calendar_id]


def _entry(tx: Tx, row: LoggedRow, names: Names, *, undone: bool) -> Entry:
    change = row.change
    was, then = history.before(tx, change), _afterwards(tx, row)
    told = () if was is None or then is None else tuple(differences(was.ics, then.ics, then.kind))
    shown = then or was
    return Entry(
        change.tick, change.at, names.upn(change.actor), change.via, change.op, change.kind, change.uid,
        "" if shown is None else title_in(shown.ics, shown.kind),
        _action(row, was, then, names), told, row.undoes, undone, names.upn(change.behind),
    )  # fmt: skip


def _afterwards(tx: Tx, row: LoggedRow) -> Past | ObjectRow | None:
    """The object as a change left it; None when it was gone then, or what it was is not kept."""
    change = row.change
    if change.op in ("remove", "move-out"):
        return None
    found = history.after(tx, change)
    if found is not None:
        return found
    held = objects.get(tx, change.object_id)
    return held if held is not None and held.tick == change.tick else None


def _action(row: LoggedRow, was: Past | None, then: Past | ObjectRow | None, names: Names) -> str:
    if row.undoes is not None:
        return f"undid {row.undoes}"
    op = row.change.op
    if row.other_id is not None:
        return f"moved {'to' if row.was_here else 'from'} {names.calid(row.other_id)}"
    if began(row):
        return "created"
    if op in ("remove", "move-out", "move-in"):
        return {"remove": "removed", "move-out": "moved away", "move-in": "moved here"}[op]
    if was is not None and then is not None and was.state != then.state:
        return "marked" if then.state == "DELETED" else "restored"
    if op == "rights" and then is None:
        return "removed"
    if op == "state" and was is None:  # what it was before is not kept any more
        return "marked or restored" if then is None else "marked" if then.state == "DELETED" else "restored"
    return "changed"
