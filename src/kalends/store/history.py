"""The past: what objects were before each change of the log."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

from kalends.store.base import Row, SqlValue, Tx
from kalends.store.changes import ChangeRow
from kalends.store.objects import ObjectRow, State


@dataclass(frozen=True, slots=True)
class Past:
    """An object as it was.

    Attributes:
        name, uid, kind, state, method, schedule_tag, ics: as in `ObjectRow`.
    """

    name: str
    uid: str
    kind: str
    state: State
    method: str | None
    schedule_tag: str | None
    ics: bytes


@dataclass(frozen=True, slots=True)
class LoggedRow:
    """A change with what is kept of the time before it, the text excepted.

    Attributes:
        change: its row in the log.
        first: nothing of this object was logged in this calendar before.
        kept: whether something is kept; False for a beginning, and for what was purged.
        was_here: whether the object was in the calendar before.
        undoes: tick of the change that this one took back, or None.
        other_id: the calendar it came from or went to, or None. other_tick: that one's tick of the move.
    """

    change: ChangeRow
    first: bool
    kept: bool
    was_here: bool
    undoes: int | None
    other_id: int | None
    other_tick: int | None


_LOG = (
    "select c.calendar_id, c.tick, c.object_id, c.name, c.uid, c.kind, c.op, c.actor, c.via, c.at, c.behind,"
    " case when exists (select 1 from change as e where e.calendar_id = c.calendar_id"
    " and e.object_id = c.object_id and e.tick < c.tick) then 0 else 1 end,"
    " case when h.tick is null then 0 else 1 end, case when h.state is null then 0 else 1 end,"
    " h.undoes, h.other_id, h.other_tick from change as c left join history as h"
    " on h.calendar_id = c.calendar_id and h.object_id = c.object_id and h.tick = c.tick where <which>"
    " order by c.tick desc, c.object_id limit ?"
)


def keep(
    tx: Tx,
    was: ObjectRow,
    *,
    tick: int,
    now: int,
    calendar_id: int | None = None,
    undoes: int | None = None,
    other: tuple[int, int] | None = None,
) -> None:
    """Keep an object as it was before its change; only the first time in a transaction.

    Args:
        tx: a write transaction that logs the change.
        was: the object.
        tick: the tick of the change.
        now: seconds since 1970 UTC.
        calendar_id: the calendar it was in, if that is not the row's own.
        undoes: tick of the change that this one takes back.
        other: the calendar it goes to, and the tick of that.
    """
    place = was.calendar_id if calendar_id is None else calendar_id
    tx.later(
        "insert into history (calendar_id, object_id, tick, at, undoes, other_id, other_tick, name, uid,"
        " kind, state, method, schedule_tag, ics) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " on conflict (calendar_id, object_id, tick) do nothing",
        (
            place, was.id, tick, now, undoes, *(other or (None, None)), was.name, was.uid, was.kind,
            was.state, was.method, was.schedule_tag, was.ics,
        ),
    )  # fmt: skip


def keep_arrival(
    tx: Tx,
    calendar_id: int,
    object_id: int,
    *,
    tick: int,
    now: int,
    undoes: int | None = None,
    other: tuple[int, int] | None = None,
) -> None:
    """Note that an object came into a calendar, from where, or because what took it away was undone."""
    tx.run(
        "insert into history (calendar_id, object_id, tick, at, undoes, other_id, other_tick)"
        " values (?, ?, ?, ?, ?, ?, ?)"
        " on conflict (calendar_id, object_id, tick) do nothing",
        (calendar_id, object_id, tick, now, undoes, *(other or (None, None))),
    )


def log(
    tx: Tx,
    calendar_id: int,
    *,
    uid: str | None = None,
    object_id: int | None = None,
    tick: int | None = None,
    before: int | None = None,
    limit: int = 100,
) -> list[LoggedRow]:
    """The changes of a calendar with what is kept of before, newest first.

    Args:
        tx: a transaction.
        calendar_id: the calendar.
        uid: only objects with that UID then.
        object_id: only that object.
        tick: only that tick.
        before: only ticks below, to page on.
        limit: how many at most.
    """
    conditions: dict[str, SqlValue] = {
        "c.calendar_id = ?": calendar_id, "c.uid = ?": uid, "c.object_id = ?": object_id,
        "c.tick = ?": tick, "c.tick < ?": before,
    }  # fmt: skip
    given = {sql: value for sql, value in conditions.items() if value is not None}
    sql = _LOG.replace("<which>", " and ".join(given))
    return [_logged(row) for row in tx.rows(sql, (*given.values(), limit))]


def _logged(row: Row) -> LoggedRow:
    flags = (bool(row[11]), bool(row[12]), bool(row[13]))
    return LoggedRow(ChangeRow(*row[:11]), *flags, *row[14:])  # type: ignore[arg-type]  # the schema's types


_PAST = "select name, uid, kind, state, method, schedule_tag, ics from history where <which>"
_AT = _PAST.replace("<which>", "calendar_id = ? and object_id = ? and tick = ? and state is not null")
_AFTER = _PAST.replace(
    "<which>",
    "calendar_id = ? and object_id = ? and tick > ? and state is not null order by tick limit 1",
)


def before(tx: Tx, change: ChangeRow) -> Past | None:
    """The object as it was before a change; None when it was not there, or nothing is kept."""
    row = tx.row(_AT, (change.calendar_id, change.object_id, change.tick))
    return None if row is None else Past(*row)  # type: ignore[arg-type]  # the columns' types are the schema's


_MEMBER = "not in ('VAGENDA', 'VCALSTORE', 'VCAR', 'VQUERY', 'VTIMEZONE')"
# Is there an object with a life before a tick whose first change since left nothing behind? What goes out of
# the trash for good does so, too: there, marking it is the last that the log knows.
_FORGOTTEN = (
    "select 1 from change as c where c.calendar_id = ? and c.tick > ? and c.tick <= ?"  # noqa: S608 - constants
    f" and c.kind {_MEMBER}"
    " and not exists (select 1 from history as h where h.calendar_id = c.calendar_id"
    "   and h.object_id = c.object_id and h.tick = c.tick)"
    " and not exists (select 1 from change as e where e.calendar_id = c.calendar_id"
    "   and e.object_id = c.object_id and e.tick > ? and e.tick < c.tick)"
    " and coalesce((select case when c.op = 'remove' and p.op = 'state' then 0 else 1 end from change as p"
    "   where p.calendar_id = c.calendar_id and p.object_id = c.object_id and p.tick <= ?"
    "   order by p.tick desc limit 1), 0) = 1 limit 1"
)
_MEMBERS = (
    "select distinct h.name, h.object_id from history as h where h.calendar_id = ? and h.state = 'BOOKED'"  # noqa: S608 - constants
    f" and h.kind {_MEMBER} and h.object_id in (select c.object_id from change as c"
    "  where c.calendar_id = ? and c.tick > ? and c.tick <= ?) order by h.name, h.object_id"
)
_VERSION = _PAST.replace(
    "<which>",
    "calendar_id = ? and object_id = ? and tick < ? and name = ? and state = 'BOOKED'"
    " order by tick desc limit 1",
).replace("select ", "select tick, ")


def is_complete(tx: Tx, calendar_id: int, since: int, until: int) -> bool:
    """Whether it is kept what the objects that changed between two ticks were at the first of them.

    Args:
        tx: a transaction.
        calendar_id: the calendar.
        since: the first tick.
        until: the last one that is looked at.
    """
    return tx.row(_FORGOTTEN, (calendar_id, since, until, since, since)) is None


def former_members(tx: Tx, calendar_id: int, since: int, until: int) -> list[tuple[str, int]]:
    """Names under which objects that changed between two ticks were members of a calendar, with their ids.

    Args:
        tx: a transaction.
        calendar_id: the calendar.
        since: changes after this tick are looked at.
        until: and up to this one.
    """
    return cast("list[tuple[str, int]]", tx.rows(_MEMBERS, (calendar_id, calendar_id, since, until)))


def versions(tx: Tx, calendar_id: int, object_id: int, name: str) -> Iterator[Past]:
    """What is kept of an object from when it was a member of that name, newest first, one at a time."""
    tick = 2**62
    while row := tx.row(_VERSION, (calendar_id, object_id, tick, name)):
        tick = cast("int", row[0])
        yield Past(*row[1:])  # type: ignore[arg-type]  # the columns' types are the schema's


def after(tx: Tx, change: ChangeRow) -> Past | None:
    """The object as it was after a change, if it changed once more since; None when it did not."""
    row = tx.row(_AFTER, (change.calendar_id, change.object_id, change.tick))
    return None if row is None else Past(*row)  # type: ignore[arg-type]  # the columns' types are the schema's


def purge(tx: Tx, older_than: int, limit: int = 500) -> int:
    """Forget the oldest of what is kept.

    Args:
        tx: a write transaction.
        older_than: seconds since 1970 UTC; what is kept of changes before that goes.
        limit: how many at most.

    Returns:
        How many were forgotten; fewer than `limit` means that there are no more.
    """
    return tx.run(
        "delete from history where (calendar_id, object_id, tick) in"
        " (select calendar_id, object_id, tick from history where at < ? order by at, tick limit ?)",
        (older_than, limit),
    )


def marked(
    tx: Tx, calendar_id: int, *, before: int | None = None, uid: str | None = None, limit: int = 500
) -> list[int]:
    """Ids of the objects in state DELETED, those marked first first.

    Args:
        tx: a transaction.
        calendar_id: the calendar.
        before: only those marked before, seconds since 1970 UTC.
        uid: only those with that UID.
        limit: how many at most.
    """
    conditions: dict[str, SqlValue] = {
        "calendar_id = ?": calendar_id,
        "changed_at < ?": before,
        "uid = ?": uid,
    }
    given = {sql: value for sql, value in conditions.items() if value is not None}
    where = " and ".join(given)
    rows = tx.rows(
        f"select id from object where state = 'DELETED' and {where}"  # noqa: S608 - fixed conditions
        " order by changed_at, tick, id limit ?",
        (*given.values(), limit),
    )
    return [int(row[0]) for row in rows]  # type: ignore[arg-type]  # the key's type is the schema's
