"""The past of a calendar: what changed, taking changes back, what lies in the trash, forgetting.

A change that takes another one back is a change like any other, and says which one it takes back. So what
counts of a log, read from its end, is what nothing behind it takes back; an undo that was taken back itself
does not count either, and what it took back counts again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from kalends.core import agendas, attachments, containers, deleting, rights, strictness
from kalends.core.decrees import is_decreed
from kalends.core.differences import Difference, differences, title_in
from kalends.core.errors import DeniedError, InvalidError, NotFoundError, StaleError
from kalends.core.model import Caller, Policy, Target, Via
from kalends.core.writer import Writer
from kalends.ical.moment import DAY
from kalends.ical.tree import parse
from kalends.store import calendars, history, objects, principals
from kalends.store.base import Store, Tx
from kalends.store.calendars import VCALSTORE
from kalends.store.changes import Op
from kalends.store.history import LoggedRow, Past
from kalends.store.objects import ObjectRow

PAGE = 500
"""Changes read, and things forgotten, at once: others wait a few hundredths of a second, not longer."""
LOOKED_BACK = 100_000
"""Changes looked at in search of one that can be taken back: a second."""
_EVERY = 2**31 - 1
_OWN = frozenset(("VAGENDA", "VCALSTORE", "VCAR"))
"""Kinds of objects that are the calendar's own: their past is for owners only."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One change, for people.

    Attributes:
        tick: its number in the calendar. at: seconds UTC.
        who: UPN of who did it; '' for the store itself, an administrator at it, or somebody who is gone.
        via: by which face. op: what the log calls it.
        kind, uid: of the object. title: its SUMMARY or NAME, or ''.
        action: created, changed, removed, marked, restored, moved to CALID, moved from CALID, undid TICK.
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


@dataclass(frozen=True, slots=True)
class Undone:
    """What an undo did to one object.

    Attributes:
        kind, uid: of the object. tick: the change that was taken back.
        action: removed, brought back, changed back, moved back.
    """

    kind: str
    uid: str
    tick: int
    action: str


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


# --- reading ---


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
    owner = _allowed(tx, caller, target)
    rows = history.log(tx, target.calendar_id, uid=uid, limit=limit)
    counting = {_key(row) for row in _counting(rows)}
    names = _Names(tx)
    return [
        _entry(tx, row, names, undone=row.undoes is None and _key(row) not in counting)
        for row in rows
        if owner or row.change.kind not in _OWN
    ]


def _allowed(tx: Tx, caller: Caller, target: Target) -> bool:
    """Go on only for who may change the calendar and see all of it. Returns whether they own it."""
    rights.require_all(tx, caller, target, "MODIFY")
    if not rights.sight(tx, caller, target.calendar_id).whole:
        raise DeniedError("the past of a calendar is for those who may see all of it")
    return caller.identity.admin or rights.owns(tx, caller, containers.calendar_of(tx, target))


class _Names:
    """Names of principals and calendars by id, looked up once."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx
        self._upns: dict[int, str] = {}
        self._calids: dict[int, str] = {}

    def upn(self, actor: int | None) -> str:
        if actor is None:
            return ""
        if actor not in self._upns:
            found = principals.by_id(self._tx, actor)
            self._upns[actor] = "" if found is None else found.upn
        return self._upns[actor]

    def calid(self, calendar_id: int) -> str:
        if calendar_id not in self._calids:
            found = calendars.by_id(self._tx, calendar_id)
            self._calids[calendar_id] = "a calendar that is gone" if found is None else found.calid
        return self._calids[calendar_id]


def _entry(tx: Tx, row: LoggedRow, names: _Names, *, undone: bool) -> Entry:
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


def _action(row: LoggedRow, was: Past | None, then: Past | ObjectRow | None, names: _Names) -> str:
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
    return "marked" if op == "state" and was is None else "changed"


def began(row: LoggedRow) -> bool:
    """Whether a change is the beginning of an object's life."""
    return row.first and not row.kept and row.change.op in ("put", "props", "rights")


def trash(tx: Tx, caller: Caller, target: Target) -> list[Trashed]:
    """The objects in state DELETED, those marked first first.

    Args:
        tx: a transaction.
        caller: who asks; they must be allowed to change the calendar and to see all of it.
        target: the calendar.

    Raises:
        NotFoundError, DeniedError: the caller may not.
    """
    owner = _allowed(tx, caller, target)
    names = _Names(tx)
    held = objects.get_many(tx, ids := history.marked(tx, target.calendar_id, limit=_EVERY))
    return [
        Trashed(row.kind, row.uid, title_in(row.ics, row.kind), row.changed_at, names.upn(row.changed_by))
        for row in (held[key] for key in ids)
        if owner or row.kind not in _OWN
    ]


# --- taking back ---


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
    """
    owner = _allowed(tx, caller, target)
    place = target.calendar_id
    chosen = _chosen(tx, place, uid, tick)
    writer = Writer(tx, caller, {place, *_others(tx, chosen)})
    if chosen != (chosen := _chosen(tx, place, uid, tick)):  # as it is now that nobody else may change it
        raise StaleError("the calendar was changed at the same moment; try again")
    if not owner and any(row.change.kind in _OWN for row in chosen):
        raise DeniedError("rights and properties of a calendar are for its owners")
    # Removals first and arrivals last: what one change swapped must not stand in its own way.
    chosen.sort(key=lambda row: (row.was_here, row.change.op in ("remove", "move-out")))
    return [_Step(writer, target, row).take() for row in chosen]


def _others(tx: Tx, rows: Iterable[LoggedRow]) -> set[int]:
    others = {row.other_id for row in rows if row.other_id is not None}
    if len(calendars.many(tx, others)) != len(others):
        raise StaleError("the other calendar of this move is gone")
    return others


def _key(row: LoggedRow) -> tuple[int, int]:
    return row.change.object_id, row.change.tick


def _counting(rows: Iterable[LoggedRow]) -> Iterator[LoggedRow]:
    """Of changes from the newest on, those that no other one takes back and that take back none."""
    undone: set[tuple[int, int]] = set()
    for row in rows:
        if _key(row) in undone:
            continue
        if row.undoes is None:
            yield row
        else:
            undone.add((row.change.object_id, row.undoes))


def _back(tx: Tx, calendar_id: int, object_id: int | None = None) -> Iterator[LoggedRow]:
    """The changes of a calendar or an object from the newest on; those of one tick are never torn apart."""
    before: int | None = None
    seen = 0
    while seen < LOOKED_BACK:
        rows = history.log(tx, calendar_id, object_id=object_id, before=before, limit=PAGE)
        if len(rows) == PAGE:
            before = rows[-1].change.tick
            rows = [row for row in rows if row.change.tick != before]
            rows += history.log(tx, calendar_id, object_id=object_id, tick=before, limit=_EVERY)
            yield from rows
            seen += len(rows)
        else:
            yield from rows
            return
    raise StaleError("nothing can be taken back; the changes before are too many to be looked through")


def _chosen(tx: Tx, place: int, uid: str | None, tick: int | None) -> list[LoggedRow]:
    """The changes to take back: several for one tick that touched several objects.

    Raises:
        StaleError: there is none, or one that cannot be.
    """
    if tick is not None:
        rows = history.log(tx, place, tick=tick, uid=uid, limit=_EVERY)
        if not rows:
            raise StaleError(f"there is no change {tick} of that")
        for row in rows:
            _refuse_buried(tx, row)
        return rows
    if uid is not None:
        ids = dict.fromkeys(row.change.object_id for row in history.log(tx, place, uid=uid, limit=PAGE))
        last = [row for key in ids for row in _first(_counting(_back(tx, place, key)))]
        if not last:
            raise StaleError(f"there is nothing to take back of {uid[:80]}")
        return [max(last, key=lambda row: row.change.tick)]
    found = next(_counting(_back(tx, place)), None)
    if found is None:
        raise StaleError("there is nothing to take back")
    same = history.log(tx, place, tick=found.change.tick, limit=_EVERY)
    return [row for row in same for top in _first(_counting(_back(tx, place, row.change.object_id)))
            if _key(top) == _key(row)]  # fmt: skip


def _first(rows: Iterable[LoggedRow]) -> Iterator[LoggedRow]:
    for row in rows:
        yield row
        return


def _refuse_buried(tx: Tx, row: LoggedRow) -> None:
    """Refuse a change that is not the last one of its object that counts.

    Raises:
        StaleError: naming the change that is in the way.
    """
    change = row.change
    undone: dict[int, int] = {}  # what the newer undos take back, and which of them does
    for newer in _back(tx, change.calendar_id, change.object_id):
        tick = newer.change.tick
        if tick == change.tick:
            break
        if undone.pop(tick, None) is not None:
            continue
        if newer.undoes is None:
            undone = {0: tick}
            break
        undone[newer.undoes] = tick
    if change.tick in undone:
        raise StaleError(f"change {change.tick} of {change.uid[:80]} was taken back already")
    if undone:
        raise StaleError(
            f"{change.uid[:80]} was changed again by change {max(undone.values())}; take that back first"
        )


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
        self.writer.remove(held)
        return "removed"

    def _bring_back(self, was: Past) -> str:
        rights.require_all(self.tx, self.caller, self.target, "CREATE")
        place, key = self.target.calendar_id, self.row.change.object_id
        free = was.state == "DELETED" or objects.by_name(self.tx, place, was.name, was.state) is None
        self.writer.insert(
            place, parse(was.ics), kind=was.kind, uid=was.uid, state=was.state, method=was.method,
            name=was.name if free else None, known=key,
        )  # fmt: skip
        return "brought back"

    def _change_back(self, held: ObjectRow, was: Past) -> str:
        self._here()
        if held.kind == "VAGENDA":
            _properties_back(self.writer, held, was)
            return "changed back"
        if held.ics != was.ics or held.state == was.state:  # that of a change of nothing is logged, too
            uid = was.uid if was.uid != held.uid else None
            kind = was.kind if was.kind != held.kind else None
            held = self.writer.update(held, parse(was.ics), kind=kind, uid=uid)
        if held.state != was.state:
            self.writer.set_state(held, was.state)
        return "changed back"

    def _move_back(self, other_id: int) -> str:
        """Put an object back into the calendar it was moved from, whichever of the two is asked."""
        here, change = self.target.calendar_id, self.row.change
        source, goal = (other_id, here) if self.row.was_here else (here, other_id)
        pairs = history.log(self.tx, other_id, object_id=change.object_id, tick=self.row.other_tick)
        if self.held is None or self.held.calendar_id != source or not pairs:
            raise StaleError(f"{change.uid[:80]} is not any more where it was moved to")
        pair = pairs[0]
        try:
            _refuse_buried(self.tx, pair)
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
    containers.provide_zones(writer, calendar.id, then, {})
    containers.settle(tx, calendar, then)
    strictness.follow(writer, calendar, now_is, then)


def restore(tx: Tx, caller: Caller, target: Target, uid: str) -> list[Undone]:
    """Take an object out of the trash: into the state it had when it was marked.

    Of several with that UID it is the one marked last.

    Args:
        tx: a write transaction; it must fail when this raises.
        caller: who acts; they must be allowed to change the calendar and to see all of it.
        target: the calendar.
        uid: its identifier.

    Returns:
        What was done to each object: an instance of a series goes back into the series.

    Raises:
        NotFoundError: nothing with that UID is in the trash. Others: as `undo`.
    """
    owner = _allowed(tx, caller, target)
    place = target.calendar_id
    ids = history.marked(tx, place, uid=uid, limit=_EVERY)
    if not ids:
        raise NotFoundError(f"nothing with the UID {uid[:80]} is in the trash")
    last = next(_counting(_back(tx, place, ids[-1])), None)
    if last is not None:
        was = history.before(tx, last.change)
        if began(last) or (was is not None and was.state != "DELETED"):
            return undo(tx, caller, target, uid=last.change.uid, tick=last.change.tick)
    writer = Writer(tx, caller, (place,))
    held = objects.get(tx, ids[-1])
    if held is None or held.state != "DELETED":
        raise StaleError("the calendar was changed at the same moment; try again")
    if held.kind in _OWN and not owner:
        raise DeniedError("rights and properties of a calendar are for its owners")
    writer.set_state(held, "BOOKED" if held.method is None else "UNPROCESSED")
    return [Undone(held.kind, held.uid, held.tick, "restored")]


# --- forgetting ---


def purge(
    store: Store, policy: Policy, now: int, days: int, *, enough: Callable[[], bool] = lambda: False
) -> tuple[int, int]:
    """Forget what is older than some days: what is kept of before changes, and the trash.

    It works in small transactions, so that others hardly wait; it may be stopped and begun again.

    Args:
        store: the store.
        policy: its limits.
        now: seconds since 1970 UTC.
        days: what changed or was marked longer ago goes.
        enough: asked before each transaction whether to stop here.

    Returns:
        How many former states were forgotten, and how many objects in state DELETED removed.
    """
    until = now - days * DAY + (days == 0)  # 0 days: everything, also of this second
    past = gone = 0
    while not enough() and (count := store.write(lambda tx: history.purge(tx, until, PAGE))):
        past += count
    caller = containers.housekeeper(policy, now)
    for key in store.read(lambda tx: [VCALSTORE, *(row.id for row in calendars.every(tx))]):
        while not enough() and (count := store.write(lambda tx, key=key: _empty(tx, caller, key, until))):  # type: ignore[misc]
            gone += count
    if not enough():
        attachments.collect(store, now, until)
    return past, gone


def _empty(tx: Tx, caller: Caller, calendar_id: int, until: int) -> int:
    if not history.marked(tx, calendar_id, before=until, limit=1):
        return 0
    calendars.lock(tx, (calendar_id,))
    ids: Sequence[int] = history.marked(tx, calendar_id, before=until, limit=PAGE)
    if ids:
        writer = Writer(tx, caller, (calendar_id,))
        for row in objects.get_many(tx, ids).values():
            writer.forget(row)
    return len(ids)
