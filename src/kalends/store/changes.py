"""The change log: append-only, in order of ticks; sync tokens, pushes and audit all read it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast

from kalends.store.base import Row, SqlValue, Tx
from kalends.store.sqltext import chunks, with_list

Op = Literal["put", "state", "move-in", "move-out", "remove", "props", "rights"]
Via = Literal["cap", "dav", "imip", "web", "cli", "job"]


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """One change of one object.

    Attributes:
        calendar_id: where. tick: the calendar's tick of that transaction. object_id: what.
        name: the object's DAV name then. uid: its UID. kind: its component.
        op: what happened. actor: the principal who did it, or None.
        via: by which face. at: seconds UTC. behind: the one who had logged in, if another.
    """

    calendar_id: int
    tick: int
    object_id: int
    name: str
    uid: str
    kind: str
    op: Op
    actor: int | None
    via: Via
    at: int
    behind: int | None = None


_SELECT = (
    "select calendar_id, tick, object_id, name, uid, kind, op, actor, via, at, behind"
    " from change as c where <which>"
)
_SINCE = _SELECT.replace(
    "<which>",
    "calendar_id = ? and tick > ? and not exists (select 1 from change as later"
    " where later.calendar_id = c.calendar_id and later.object_id = c.object_id and later.tick > c.tick)"
    " order by tick, object_id limit ?",
)
_SINCE_AT = _SINCE.replace("tick > ? and", "tick = ? and")
_FIRST = (
    "select object_id from change where calendar_id = ? and object_id in (??)"
    " group by object_id having min(tick) > ?"
)
_RETURNED = (
    "select c.object_id from change c where c.calendar_id = ? and c.op = 'remove' and c.object_id in (??)"
    " and ((c.tick <= ? and not exists (select 1 from change l where l.calendar_id = c.calendar_id"
    " and l.object_id = c.object_id and l.tick > c.tick and l.tick <= ?))"
    " or (select count(*) from change l where l.calendar_id = c.calendar_id"
    " and l.object_id = c.object_id and l.tick > c.tick) = 1)"
)
_NO_LIMIT = 2**62


def _row(row: Row) -> ChangeRow:
    return ChangeRow(*row)  # type: ignore[arg-type]  # the columns' types are the schema's


def append(tx: Tx, change: ChangeRow) -> None:
    """Log a change. A second one of the same object in the same transaction takes the first one's place."""
    tx.later(
        "insert into change (calendar_id, tick, object_id, name, uid, kind, op, actor, via, at, behind)"
        " values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " on conflict (calendar_id, tick, object_id) do update set name = excluded.name, uid = excluded.uid,"
        " kind = excluded.kind, op = excluded.op, actor = excluded.actor, via = excluded.via,"
        " at = excluded.at, behind = excluded.behind",
        (
            change.calendar_id, change.tick, change.object_id, change.name, change.uid, change.kind,
            change.op, change.actor, change.via, change.at, change.behind,
        ),
    )  # fmt: skip


def since(tx: Tx, calendar_id: int, tick: int, limit: int | None = None) -> list[ChangeRow]:
    """The last change of each object that changed after `tick`, in order of ticks.

    What a collection's members became is told by `listings.latest_since`.

    Args:
        tx: a transaction.
        calendar_id: the calendar.
        tick: what the asker knows already; 0 for everything.
        limit: how many at most, but the changes of one transaction are never torn apart: the answer ends with
            a whole tick, from which the asker can go on. None for no limit.
    """
    rows = tx.rows(_SINCE, (calendar_id, tick, _NO_LIMIT if limit is None else limit))
    if limit is not None and len(rows) == limit:
        last = rows[-1][1]
        rows = [row for row in rows if row[1] != last] + tx.rows(_SINCE_AT, (calendar_id, last, _NO_LIMIT))
    return [_row(row) for row in rows]


def newcomers(tx: Tx, calendar_id: int, tick: int, object_ids: Sequence[int]) -> set[int]:
    """Which of these objects the log of a calendar does not know from before.

    Args:
        tx: a transaction.
        calendar_id: the calendar.
        tick: what counts as before: changes up to this one.
        object_ids: objects that changed after it.
    """
    found: set[int] = set()
    for part in chunks(object_ids):
        rows = tx.rows(with_list(_FIRST, len(part)), (calendar_id, *part, tick))
        found.update(cast("int", row[0]) for row in rows)
    return found


def returned(tx: Tx, calendar_id: int, tick: int, object_ids: Sequence[int]) -> set[int]:
    """Which of these objects are there again: had been removed by `tick`, or until their last change.

    Args:
        tx: a transaction.
        calendar_id: the calendar.
        tick: what the asker knows.
        object_ids: objects that are there and changed after it.
    """
    found: set[int] = set()
    for part in chunks(object_ids):
        rows = tx.rows(with_list(_RETURNED, len(part)), (calendar_id, *part, tick, tick))
        found.update(cast("int", row[0]) for row in rows)
    return found


def history(
    tx: Tx,
    calendar_id: int,
    *,
    uid: str | None = None,
    object_id: int | None = None,
    before: int | None = None,
    limit: int = 100,
) -> list[ChangeRow]:
    """The changes of a calendar, newest first.

    Args:
        tx: a transaction.
        calendar_id: the calendar.
        uid: only objects with that UID.
        object_id: only that object.
        before: only ticks below, to page on.
        limit: how many at most.
    """
    conditions: dict[str, SqlValue] = {
        "calendar_id = ?": calendar_id, "uid = ?": uid, "object_id = ?": object_id, "tick < ?": before,
    }  # fmt: skip
    given = {sql: value for sql, value in conditions.items() if value is not None}
    sql = _SELECT.replace("<which>", " and ".join(given) + " order by tick desc, object_id limit ?")
    return [_row(row) for row in tx.rows(sql, (*given.values(), limit))]
