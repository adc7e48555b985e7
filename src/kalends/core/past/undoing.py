"""Taking changes back, all or nothing: each undo is a change that names the one it takes back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from kalends.core import agendas, containers, deleting, scheduling
from kalends.core.access import rights
from kalends.core.access.decrees import is_decreed
from kalends.core.conflicts import strictness
from kalends.core.errors import DeniedError, InvalidError, StaleError
from kalends.core.model import Caller, Target
from kalends.core.past.counting import began, refuse_buried, to_take_back
from kalends.core.past.history import OWN, admit
from kalends.core.writer import Writer
from kalends.ical.tree import parse
from kalends.store import calendars, history, objects
from kalends.store.base import Tx
from kalends.store.calendars import VCALSTORE
from kalends.store.history import LoggedRow, Past
from kalends.store.objects import ObjectRow


@dataclass(frozen=True, slots=True)
class Undone:
    """What an undo did to one object.

    Attributes:
        kind, uid: of the object. tick: the change that was taken back.
        action: removed, brought back, changed back, moved back; restored or put back into the trash for what
            had been marked or restored.
    """

    kind: str
    uid: str
    tick: int
    action: str


def undo(
    tx: Tx, caller: Caller, target: Target, *, uid: str | None = None, tick: int | None = None
) -> list[Undone]:
    """Take a change back, all or nothing; that is a change itself, and can be taken back by its tick.

    Args:
        tx: a write transaction; it must fail when this raises.
        caller: who acts; they must be allowed to change the calendar and to see all of it.
        target: the calendar.
        uid: the last change of what has that UID that counts; None for the last one of the calendar.
        tick: the change with that number instead; with `uid` only what it did to that UID.

    Returns:
        What was done to each object.

    Raises:
        StaleError: something newer touched the object, or there is nothing (left) to take back.
        ConflictError, TooComplexError: the time was taken meanwhile, or may be.
        DuplicateError: the identifier was taken meanwhile.
        DeniedError, InvalidError, NotFoundError: it may not be taken back this way, or not by this caller.
        AttendeeChangeError: it is the organizer's to take back.
    """
    return scheduling.in_order(tx, caller, lambda who: _undo(tx, who, target, uid, tick))


def _undo(tx: Tx, caller: Caller, target: Target, uid: str | None, tick: int | None) -> list[Undone]:
    owner = admit(tx, caller, target)
    place = target.calendar_id
    chosen = to_take_back(tx, place, uid, tick)
    writer = Writer(tx, caller, {place, *_others(tx, chosen)})
    # Once more, now that nobody else may change it.
    if chosen != (chosen := to_take_back(tx, place, uid, tick)):
        raise StaleError("the calendar was changed at the same moment; try again")
    if not owner and any(row.change.kind in OWN for row in chosen):
        raise DeniedError("rights and properties of a calendar are for its owners")
    chosen.sort(key=_turn)
    return [_Step(writer, target, row).take() for row in chosen]


def _turn(row: LoggedRow) -> tuple[int, bool, bool]:
    """When a change is taken back, beside others of the same moment.

    Removals first and arrivals last: what one change swapped must not stand in its own way. Time zones the
    other way round: the properties of a calendar name them all the while.
    """
    arrives = row.change.op in ("remove", "move-out")
    zone = row.change.kind == "VTIMEZONE"
    return (1 if not zone else 0 if arrives else 2), row.was_here, arrives


def _others(tx: Tx, rows: Iterable[LoggedRow]) -> set[int]:
    others = {row.other_id for row in rows if row.other_id is not None}
    if len(calendars.many(tx, others)) != len(others):
        raise StaleError("the other calendar of this move is gone")
    return others


class _Step:
    """Taking back what one change did to one object.

    Args:
        writer: has locked the calendars.
        target: the calendar.
        row: the change.
    """

    def __init__(self, writer: Writer, target: Target, row: LoggedRow) -> None:
        self.writer, self.target, self.row = writer, target, row
        self.tx, self.caller = writer.tx, writer.caller
        self.held = objects.get(self.tx, row.change.object_id)

    def take(self) -> Undone:
        """Do it. Raises: see `undo`."""
        change = self.row.change
        self.writer.undoes = {change.calendar_id: change.tick}
        was = history.before(self.tx, change)
        self._refuse(was)
        if self.row.other_id is not None:
            action = self._move_back(self.row.other_id)
        elif was is None:
            action = self._remove()
        elif self.held is None:
            action = self._bring_back(was)
        else:
            action = self._change_back(self.held, was)
        return Undone(change.kind, change.uid, change.tick, action)

    def _refuse(self, was: Past | None) -> None:
        change = self.row.change
        if change.kind == "VCALSTORE" or (change.kind == "VAGENDA" and change.calendar_id == VCALSTORE):
            raise InvalidError("changes of the store's own properties, and of which calendars it has, stay")
        if not began(self.row) and (not self.row.kept or (self.row.was_here and was is None)):
            raise StaleError(f"what {change.uid[:80]} was before change {change.tick} is not kept any more")
        if change.kind == "VAGENDA" and (was is None or self.held is None or was.uid != self.held.uid):
            raise InvalidError("a calendar is removed and renamed by name, not by taking back")
        texts = [one.ics for one in (was, self.held) if one is not None] if change.kind == "VCAR" else []
        if any(is_decreed(vcar) for text in texts for vcar in parse(text).children("VCAR")):
            raise DeniedError(rights.DENIED)

    def _here(self) -> ObjectRow:
        """The object, which must be where the log says."""
        if self.held is None or self.held.calendar_id != self.target.calendar_id:
            raise StaleError(f"{self.row.change.uid[:80]} is not in this calendar any more")
        return self.held

    def _remove(self) -> str:
        held = self._here()
        rights.require_all(self.tx, self.caller, self.target, "DELETE")
        deleting.keep_promises(self.writer, held)
        scheduling.remove(self.writer, held)
        self.writer.remove(held)
        return "removed"

    def _bring_back(self, was: Past) -> str:
        rights.require_all(self.tx, self.caller, self.target, "CREATE")
        place, key = self.target.calendar_id, self.row.change.object_id
        free = was.state == "DELETED" or objects.by_name(self.tx, place, was.name, was.state) is None
        whole, tag = parse(was.ics), None
        if was.state == "BOOKED":
            whole, tag = scheduling.bring_back(
                self.writer, place, whole, kind=was.kind, uid=was.uid, tag=was.schedule_tag
            )
        self.writer.insert(
            place, whole, kind=was.kind, uid=was.uid, state=was.state, method=was.method,
            name=was.name if free else None, known=key, schedule_tag=tag,
        )  # fmt: skip
        return "brought back"

    def _change_back(self, held: ObjectRow, was: Past) -> str:
        self._here()
        if held.kind == "VAGENDA":
            _properties_back(self.writer, held, was)
            return "changed back"
        whole, tag = self._told(held, was)
        if held.ics != whole.to_bytes() or held.state == was.state:  # a change of nothing is logged, too
            uid = was.uid if was.uid != held.uid else None
            kind = was.kind if was.kind != held.kind else None
            held = self.writer.update(held, whole, kind=kind, uid=uid, schedule_tag=tag)
        if held.state == was.state:
            return "changed back"
        self.writer.set_state(held, was.state)
        return "put back into the trash" if was.state == "DELETED" else "restored"

    def _told(self, held: ObjectRow, was: Past) -> scheduling.Written:
        """What is to be stored, after those whom it concerns were told that something is as it was."""
        writer, place, whole = self.writer, held.calendar_id, parse(was.ics)
        if was.state == "BOOKED" == held.state:
            return scheduling.change_back(writer, place, held, whole, kind=was.kind, uid=was.uid)
        if was.state == "BOOKED":
            return scheduling.bring_back(
                writer, place, whole, kind=was.kind, uid=was.uid, tag=was.schedule_tag
            )
        scheduling.remove(writer, held)
        return scheduling.Written(whole, None)

    def _move_back(self, other_id: int) -> str:
        """Put an object back into the calendar it was moved from, whichever of the two is asked."""
        here, change = self.target.calendar_id, self.row.change
        source, goal = (other_id, here) if self.row.was_here else (here, other_id)
        pairs = history.log(self.tx, other_id, object_id=change.object_id, tick=self.row.other_tick)
        if self.held is None or self.held.calendar_id != source or not pairs:
            raise StaleError(f"{change.uid[:80]} is not any more where it was moved to")
        pair = pairs[0]
        try:
            refuse_buried(self.tx, pair)
        except StaleError as error:
            raise StaleError(f"in the other calendar of the move: {error.reason}") from error
        asked: tuple[tuple[int, rights.Permission], ...] = ((source, "MOVE"), (goal, "CREATE"))
        for calendar_id, permission in asked:
            where = calendars.by_id(self.tx, calendar_id)
            assert where is not None, "a locked calendar"
            rights.require_all(self.tx, self.caller, Target(where.calid, where.id, where.calid), permission)
        self.writer.undoes = {here: change.tick, other_id: pair.change.tick}
        self.writer.move(self.held, goal)
        return "moved back"


def _properties_back(writer: Writer, held: ObjectRow, was: Past) -> None:
    """Give a calendar the properties it had, with all that follows from them."""
    tx = writer.tx
    calendar = calendars.by_id(tx, held.calendar_id)
    assert calendar is not None, "a locked calendar"
    now_is = agendas.parsed(held).children("VAGENDA")[0]
    whole = parse(was.ics)
    then = whole.children("VAGENDA")[0]
    agendas.check(then)
    containers.respect_store(tx, then)
    if not writer.caller.identity.admin and agendas.home_of(tx, then) is None:
        raise InvalidError("a calendar needs an OWNER who is known here")
    writer.update(held, whole)
    redefined = containers.provide_zones(writer, calendar.id, then, {})
    containers.settle(tx, calendar, then)
    strictness.follow(writer, calendar, now_is, then, redefined=redefined)
