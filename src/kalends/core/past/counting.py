"""Which changes of a log count, and which of them an undo takes back.

A change that takes another one back is a change like any other, and says which one it takes back. So what
counts of a log, read from its end, is what nothing behind it takes back; an undo that was taken back itself
does not count either, and what it took back counts again. What the store notes by itself, such as what became
of a mail, does not count: nobody did it, and nobody wants it back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kalends.core.errors import StaleError
from kalends.store import history, objects
from kalends.store.base import Tx
from kalends.store.history import LoggedRow

PAGE = 500
"""Changes read at once."""
LOOKED_BACK = 100_000
"""Changes looked at in search of one that can be taken back: a second."""
EVERY = 2**31 - 1
"""A limit that is none."""


def key(row: LoggedRow) -> tuple[int, int]:
    """The object and the tick of a change: what tells it from all others of its calendar."""
    return row.change.object_id, row.change.tick


def began(row: LoggedRow) -> bool:
    """Whether a change is the beginning of an object's life."""
    return row.first and not row.kept and row.change.op in ("put", "props", "rights")


def is_note(row: LoggedRow) -> bool:
    """Whether the store changed something by itself that it has not made."""
    return row.change.via == "job" and row.undoes is None and not began(row)


def counting(rows: Iterable[LoggedRow]) -> Iterator[LoggedRow]:
    """Of changes from the newest on, those that none takes back, that take none back and are no notes."""
    undone: set[tuple[int, int]] = set()
    for row in rows:
        if key(row) in undone or is_note(row):
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
            rows += history.log(tx, calendar_id, object_id=object_id, tick=before, limit=EVERY)
            yield from rows
            seen += len(rows)
        else:
            yield from rows
            return
    raise StaleError("nothing can be taken back; the changes before are too many to be looked through")


def latest(tx: Tx, calendar_id: int, object_id: int | None = None) -> LoggedRow | None:
    """The newest change of a calendar or an object that counts; None when none does.

    Raises:
        StaleError: too many that do not count lie before it.
    """
    return next(counting(_back(tx, calendar_id, object_id)), None)


def to_take_back(tx: Tx, place: int, uid: str | None, tick: int | None) -> list[LoggedRow]:
    """The changes to take back: several for one tick that touched several objects.

    A UID means what is booked, or was; the messages about it only when there is nothing else.

    Raises:
        StaleError: there is none, or one that cannot be.
    """
    if tick is not None:
        rows = history.log(tx, place, tick=tick, uid=uid, limit=EVERY)
        if not rows:
            raise StaleError(f"there is no change {tick} of that")
        for row in rows:
            refuse_buried(tx, row)
        return rows
    if uid is not None:
        ids = dict.fromkeys(row.change.object_id for row in history.log(tx, place, uid=uid, limit=PAGE))
        tops = [row for row in (latest(tx, place, object_id) for object_id in ids) if row is not None]
        if not tops:
            raise StaleError(f"there is nothing to take back of {uid[:80]}")
        meant = [row for row in tops if not _of_a_message(tx, row)] or tops
        newest_tick = max(row.change.tick for row in meant)
        return [row for row in meant if row.change.tick == newest_tick]
    found = latest(tx, place)
    if found is None:
        raise StaleError("there is nothing to take back")
    same = history.log(tx, place, tick=found.change.tick, limit=EVERY)
    newest = (latest(tx, place, row.change.object_id) for row in same)
    counts = {key(top) for top in newest if top is not None}
    return [row for row in same if key(row) in counts]


def _of_a_message(tx: Tx, row: LoggedRow) -> bool:
    """Whether a change is of an iTIP message, which has the UID of what it is about."""
    change = row.change
    known = history.before(tx, change) or history.after(tx, change) or objects.get(tx, change.object_id)
    return known is not None and known.method is not None


def refuse_buried(tx: Tx, row: LoggedRow) -> None:
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
        if undone.pop(tick, None) is not None or is_note(newer):
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
