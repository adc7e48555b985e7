"""The trash of a calendar: what lies in it, and taking something out again."""

from __future__ import annotations

from dataclasses import dataclass, replace

from kalends.core import scheduling
from kalends.core.errors import DeniedError, NotFoundError, StaleError
from kalends.core.model import Caller, Target
from kalends.core.past.counting import EVERY, began, latest
from kalends.core.past.differences import title_in
from kalends.core.past.history import OWN, Names, admit
from kalends.core.past.undoing import Undone, undo
from kalends.core.writer import Writer
from kalends.ical.tree import parse
from kalends.store import history, objects
from kalends.store.base import Tx


@dataclass(frozen=True, slots=True)
class Trashed:
    """An object in state DELETED.

    Attributes:
        kind, uid, title: what it is. at: when it was marked, seconds UTC. who: UPN of who did, or ''.
    """

    kind: str
    uid: str
    title: str
    at: int
    who: str


def lying(tx: Tx, caller: Caller, target: Target) -> list[Trashed]:
    """The objects in state DELETED, those marked first first.

    Args:
        tx: a transaction.
        caller: who asks; they must be allowed to change the calendar and to see all of it.
        target: the calendar.

    Raises:
        NotFoundError, DeniedError: the caller may not.
    """
    owner = admit(tx, caller, target)
    names = Names(tx)
    held = objects.get_many(tx, ids := history.marked(tx, target.calendar_id, limit=EVERY))
    return [
        Trashed(row.kind, row.uid, title_in(row.ics, row.kind), row.changed_at, names.upn(row.changed_by))
        for row in (held[key] for key in ids)
        if owner or row.kind not in OWN
    ]


def restore(tx: Tx, caller: Caller, target: Target, uid: str) -> list[Undone]:
    """Take an object out of the trash: into the state it had when it was marked.

    Of several with that UID it is the one marked last.

    Args:
        tx: a write transaction; it must fail when this raises.
        caller: who acts; they must be allowed to change the calendar and to see all of it.
        target: the calendar.
        uid: its identifier.

    Returns:
        What was restored: of an instance, which goes back into its series, the series.

    Raises:
        NotFoundError: nothing with that UID is in the trash. Others: as `undo`.
    """
    return scheduling.in_order(tx, caller, lambda who: _restore(tx, who, target, uid))


def _restore(tx: Tx, caller: Caller, target: Target, uid: str) -> list[Undone]:
    owner = admit(tx, caller, target)
    place = target.calendar_id
    ids = history.marked(tx, place, uid=uid, limit=EVERY)
    if not ids:
        raise NotFoundError(f"nothing with the UID {uid[:80]} is in the trash")
    last = latest(tx, place, ids[-1])
    if last is not None:
        was = history.before(tx, last.change)
        if began(last) or (was is not None and was.state != "DELETED"):
            done = undo(tx, caller, target, uid=last.change.uid, tick=last.change.tick)
            # Of an instance its series is told, not the object it was in the trash, which is no more.
            return [replace(one, action="restored") for one in done if one.action != "removed"] or done
    writer = Writer(tx, caller, (place,))
    held = objects.get(tx, ids[-1])
    if held is None or held.state != "DELETED":
        raise StaleError("the calendar was changed at the same moment; try again")
    if held.kind in OWN and not owner:
        raise DeniedError("rights and properties of a calendar are for its owners")
    if held.method is None:
        whole, tag = scheduling.bring_back(
            writer, place, parse(held.ics), kind=held.kind, uid=held.uid, tag=held.schedule_tag
        )
        if held.ics != whole.to_bytes():
            held = writer.update(held, whole, schedule_tag=tag)
    writer.set_state(held, "BOOKED" if held.method is None else "UNPROCESSED")
    return [Undone(held.kind, held.uid, held.tick, "restored")]
