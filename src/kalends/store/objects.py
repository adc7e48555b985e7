"""Objects: the self-contained VCALENDAR texts, which are the truth; every other row is derived from them.

Listings without texts, and many members by name at once, are in `listings`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, cast

from kalends.store import calendars
from kalends.store.base import Row, SqlValue, Tx
from kalends.store.sqltext import chunks, with_list

State = Literal["BOOKED", "UNPROCESSED", "DELETED"]


@dataclass(frozen=True, slots=True)
class ObjectRow:
    """An object.

    Attributes:
        id: key.
        calendar_id: the calendar it is in.
        name: last path segment in DAV.
        uid: UID, CARID, QUERYID, TZID or CALID.
        kind: upper-case name of its (first) component that is no VTIMEZONE, or VTIMEZONE.
        state: BOOKED, UNPROCESSED or DELETED.
        method: METHOD of an UNPROCESSED object, upper case; else None.
        ics: its octets, UTF-8, as stored.
        etag: without quotes.
        schedule_tag: RFC 6638, or None.
        size: octets of `ics`.
        first_at: start of its first occurrence, seconds UTC; None when it has no time.
        last_at: end of its last occurrence; None when it has no end, or no time.
        expanded_to: instance rows are complete before here; None when all of them are there.
        tick: the calendar's tick at its last change.
        created_at: seconds UTC.
        changed_at: seconds UTC.
        changed_by: the principal who changed it last.
    """

    id: int
    calendar_id: int
    name: str
    uid: str
    kind: str
    state: State
    method: str | None
    ics: bytes
    etag: str
    schedule_tag: str | None
    size: int
    first_at: int | None
    last_at: int | None
    expanded_to: int | None
    tick: int
    created_at: int
    changed_at: int
    changed_by: int | None


_SELECT = (
    "select id, calendar_id, name, uid, kind, state, method, ics, etag, schedule_tag, size, first_at,"
    " last_at, expanded_to, tick, created_at, changed_at, changed_by from object where id = ?"
)
# `state <> 'DELETED'` is the condition of the index over names: without it SQLite reads the whole calendar.
_BY_NAME = _SELECT.replace("id = ?", "calendar_id = ? and name = ? and state = ? and state <> 'DELETED'")
_MANY = _SELECT.replace("id = ?", "id in (??)")


def _row(row: Row) -> ObjectRow:
    return ObjectRow(*row)  # type: ignore[arg-type]  # the columns' types are the schema's


def _where(conditions: dict[str, SqlValue], order: str = "") -> tuple[str, list[SqlValue]]:
    given = {column: value for column, value in conditions.items() if value is not None}
    condition = " and ".join(f"{column} = ?" for column in given)
    if "state" in given:
        condition = in_state(condition, cast("State", given.pop("state")))
    return _SELECT.replace("id = ?", condition + order), list(given.values())


def in_state(sql: str, state: State) -> str:
    """Write a state into a statement in place of its parameter `state = ?`.

    Where a column that a partial index names is compared with a parameter, SQLite prepares the statement anew
    each time it runs: that takes ten times as long as a look into the index.
    """
    assert state in ("BOOKED", "UNPROCESSED", "DELETED"), "a state, and nothing from outside"
    return sql.replace("state = ?", f"state = '{state}'")


def _age(row: ObjectRow) -> tuple[int, int]:
    return row.created_at, row.id


def get(tx: Tx, object_id: int) -> ObjectRow | None:
    """The object with that id, or None."""
    row = tx.row(_SELECT, (object_id,))
    return None if row is None else _row(row)


def of_kind(tx: Tx, calendar_ids: Sequence[int], kind: str) -> list[ObjectRow]:
    """The booked objects of a kind in some calendars, in order of their ids."""
    found: set[int] = set()
    for part in chunks(sorted(set(calendar_ids))):
        sql = with_list("select object_id from component where calendar_id in (??) and kind = ?", len(part))
        found.update(cast("int", row[0]) for row in tx.rows(sql, (*part, kind)))
    return [row for _, row in sorted(get_many(tx, found).items()) if row.state == "BOOKED"]


def get_many(tx: Tx, ids: Iterable[int]) -> dict[int, ObjectRow]:
    """The objects with those ids that exist, by id."""
    wanted = sorted(set(ids))
    return {
        found.id: found
        for part in chunks(wanted)
        for found in map(_row, tx.rows(with_list(_MANY, len(part)), part))
    }


def by_uid(
    tx: Tx, calendar_id: int, uid: str, state: State | None = None, kind: str | None = None
) -> list[ObjectRow]:
    """The objects with that UID in a calendar, oldest first; several when not BOOKED, or of several kinds."""
    sql, values = _where({"calendar_id": calendar_id, "uid": uid, "state": state, "kind": kind})
    return sorted(map(_row, tx.rows(sql, values)), key=_age)  # there are few; SQLite's sorter costs 25 µs


def expect(
    tx: Tx,
    calendar_id: int,
    uid: str,
    *,
    name: str | None = None,
    container: str | None = None,
    everywhere: bool = False,
) -> None:
    """Say what will be asked before an object is written: see `Tx.expect`.

    Args:
        tx: a write transaction.
        calendar_id: where it will be written.
        uid: its UID: `by_uid` will be asked for what is booked.
        name: its name: `by_name` will be asked.
        container: the calendar's CALID: `container` will be asked.
        everywhere: `by_uid_anywhere` will be asked for what is booked.
    """
    where: dict[str, SqlValue] = {"calendar_id": calendar_id, "uid": uid, "state": "BOOKED"}
    if name is not None:
        tx.expect(in_state(_BY_NAME, "BOOKED"), (calendar_id, name))
    if container is not None and (_CONTAINER, calendar_id) not in tx.memo:
        tx.expect(*_where(where | {"uid": container, "kind": _CONTAINERS[0]}))
    tx.expect(*_where(where))
    if everywhere:
        tx.expect(*_where({"uid": uid, "state": "BOOKED"}))


_CONTAINER = "container"
_CONTAINERS = ("VAGENDA", "VCALSTORE")


def container(tx: Tx, calendar_id: int, uid: str, kind: str) -> ObjectRow | None:
    """The object with a calendar's (the store's) own properties, as this transaction read or left it."""
    known: ObjectRow | None = tx.memo.get((_CONTAINER, calendar_id))
    if known is not None:
        return known
    found = by_uid(tx, calendar_id, uid, "BOOKED", kind)
    if not found:
        return None
    tx.memo[_CONTAINER, calendar_id] = found[0]
    return found[0]


def forget_containers(tx: Tx) -> None:
    """Have containers' own properties read anew: for every statement that may have changed them."""
    for key in [key for key in tx.memo if key[0] == _CONTAINER]:
        del tx.memo[key]


def by_uid_anywhere(tx: Tx, uid: str, state: State | None = None) -> list[ObjectRow]:
    """The objects with that UID in the whole store."""
    sql, values = _where({"uid": uid, "state": state})
    found = map(_row, tx.rows(sql, values))
    return sorted(found, key=lambda row: (row.calendar_id, *_age(row)))


def by_name(tx: Tx, calendar_id: int, name: str, state: State = "BOOKED") -> ObjectRow | None:
    """The object with that DAV name in a calendar (BOOKED) or its inbox (UNPROCESSED), or None.

    Names of DELETED objects are free for others, so that nothing is found by them.
    """
    row = tx.row(in_state(_BY_NAME, state), (calendar_id, name))
    return None if row is None else _row(row)


def every(
    tx: Tx, calendar_id: int, *, kind: str | None = None, state: State | None = None
) -> list[ObjectRow]:
    """The objects of a calendar, of one kind and state when given, in order of id."""
    sql, values = _where({"calendar_id": calendar_id, "kind": kind, "state": state}, " order by id")
    return [_row(row) for row in tx.rows(sql, values)]


def page(tx: Tx, after: int = -1, limit: int = 500, calendar_id: int | None = None) -> list[ObjectRow]:
    """The next objects in order of id, for work that walks through all of them in bounded memory.

    Args:
        tx: a transaction.
        after: the last id seen.
        limit: how many at most.
        calendar_id: only this calendar's; None for all.
    """
    where = "id > ?" if calendar_id is None else "id > ? and calendar_id = ?"
    sql = _SELECT.replace("id = ?", f"{where} order by id limit ?")
    values = (after, limit) if calendar_id is None else (after, calendar_id, limit)
    return [_row(row) for row in tx.rows(sql, values)]


def insert(
    tx: Tx,
    *,
    id: int,  # noqa: A002 - the column's name
    calendar_id: int,
    name: str,
    uid: str,
    kind: str,
    state: State,
    ics: bytes,
    etag: str,
    tick: int,
    now: int,
    method: str | None = None,
    schedule_tag: str | None = None,
    changed_by: int | None = None,
    span: tuple[int | None, int | None, int | None] = (None, None, None),
) -> ObjectRow:
    """Add an object, at the next `flush`; `index.put_rows` then adds its derived rows.

    Args:
        tx: a write transaction that has bumped the calendar.
        id: a new id (`ids.new_id`).
        calendar_id: the calendar.
        name: last path segment in DAV.
        uid: UID, CARID, QUERYID, TZID or CALID.
        kind: upper-case component name.
        state: BOOKED, UNPROCESSED or DELETED.
        ics: the octets to keep.
        etag: without quotes.
        tick: the calendar's new tick.
        now: seconds since 1970 UTC.
        method: METHOD when UNPROCESSED.
        schedule_tag: RFC 6638.
        changed_by: the acting principal.
        span: first_at, last_at and expanded_to, when they are known already.

    Raises:
        DuplicateUidError: a BOOKED object of that kind and UID is there; on PostgreSQL by the flush.
        DuplicateNameError: the name is taken in that state; on PostgreSQL by the flush.
    """
    row = ObjectRow(
        id, calendar_id, name, uid, kind, state, method, ics, etag, schedule_tag, len(ics),
        *span, tick, now, now, changed_by,
    )  # fmt: skip
    if kind in _CONTAINERS:
        forget_containers(tx)
    tx.later(
        "insert into object (id, calendar_id, name, uid, kind, state, method, ics, etag, schedule_tag, size,"
        " first_at, last_at, expanded_to, tick, created_at, changed_at, changed_by)"
        " values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            id, calendar_id, name, uid, kind, state, method, ics, etag, schedule_tag, len(ics),
            *span, tick, now, now, changed_by,
        ),
    )  # fmt: skip
    return row


def update_text(
    tx: Tx,
    was: ObjectRow,
    *,
    ics: bytes,
    etag: str,
    tick: int,
    now: int,
    changed_by: int | None = None,
    schedule_tag: str | None = None,
    kind: str | None = None,
    uid: str | None = None,
    span: tuple[int | None, int | None, int | None] | None = None,
) -> ObjectRow:
    """Replace an object's text, at the next `flush`; its derived rows have to follow (`index`).

    Args:
        tx: a write transaction that has bumped the calendar.
        was: the object as it is.
        ics: the new octets.
        etag: the new ETag, without quotes.
        tick: the calendar's new tick.
        now: seconds since 1970 UTC.
        changed_by: the acting principal.
        schedule_tag: the new Schedule-Tag; None leaves it.
        kind: the new kind, when it changed.
        uid: the new UID, when it changed.
        span: the new first_at, last_at and expanded_to, when they are known already.

    Returns:
        The row as it is to be.

    Raises:
        DuplicateUidError: the new UID is taken; on PostgreSQL by the flush.
    """
    first_at, last_at, expanded_to = span or (was.first_at, was.last_at, was.expanded_to)
    row = replace(
        was, ics=ics, size=len(ics), etag=etag, tick=tick, changed_at=now, changed_by=changed_by,
        schedule_tag=schedule_tag or was.schedule_tag, kind=kind or was.kind, uid=uid or was.uid,
        first_at=first_at, last_at=last_at, expanded_to=expanded_to,
    )  # fmt: skip
    if was.kind in _CONTAINERS:
        forget_containers(tx)
    tx.later(
        "update object set ics = ?, size = ?, etag = ?, tick = ?, changed_at = ?, changed_by = ?,"
        " schedule_tag = ?, kind = ?, uid = ?, first_at = ?, last_at = ?, expanded_to = ? where id = ?",
        (
            ics, len(ics), etag, tick, now, changed_by, row.schedule_tag, row.kind, row.uid,
            first_at, last_at, expanded_to, was.id,
        ),
    )  # fmt: skip
    return row


def set_state(
    tx: Tx,
    object_id: int,
    state: State,
    *,
    tick: int,
    now: int,
    method: str | None = None,
    changed_by: int | None = None,
) -> None:
    """Give an object another state; its derived rows stay as they are.

    Raises:
        DuplicateUidError: it would be the second BOOKED one of its UID.
    """
    forget_containers(tx)
    tx.run(
        "update object set state = ?, method = ?, tick = ?, changed_at = ?, changed_by = ? where id = ?",
        (state, method, tick, now, changed_by, object_id),
    )


def move(
    tx: Tx,
    object_id: int,
    calendar_id: int,
    *,
    name: str,
    tick: int,
    now: int,
    changed_by: int | None = None,
    schedule_tag: str | None = None,
) -> None:
    """Put an object with its derived rows into another calendar.

    Args:
        tx: a write transaction that has bumped both calendars.
        object_id: the object.
        calendar_id: where it goes.
        name: its DAV name there.
        tick: the new tick of the calendar it goes to.
        now: seconds since 1970 UTC.
        changed_by: the acting principal.
        schedule_tag: its new Schedule-Tag.

    Raises:
        DuplicateUidError: a BOOKED object of its UID is there.
        DuplicateNameError: the name is taken there.
    """
    forget_containers(tx)
    tx.run(
        "update object set calendar_id = ?, name = ?, tick = ?, changed_at = ?, changed_by = ?,"
        " schedule_tag = ? where id = ?",
        (calendar_id, name, tick, now, changed_by, schedule_tag, object_id),
    )
    tx.run(
        "update instance set calendar_id = ?"
        " where component_id in (select id from component where object_id = ?)",
        (calendar_id, object_id),
    )
    tx.run("update component set calendar_id = ? where object_id = ?", (calendar_id, object_id))
    longest = tx.row(
        "select max(i.end_at - i.start_at) from instance i join component c on c.id = i.component_id"
        " where c.object_id = ?",
        (object_id,),
    )
    if longest is not None and longest[0] is not None:
        calendars.raise_longest(tx, calendar_id, cast("int", longest[0]))
    calendars.raise_exclusive(tx, calendar_id, object_id)


def remove(tx: Tx, object_id: int) -> bool:
    """Remove an object with its derived rows and its dead properties. Returns whether it was there."""
    forget_containers(tx)
    tx.run("delete from property where holder = ?", (object_id,))
    return tx.run("delete from object where id = ?", (object_id,)) == 1


def counts(tx: Tx, calendar_id: int) -> dict[tuple[str, str], int]:
    """How many objects a calendar holds, by (kind, state)."""
    rows = tx.rows(
        "select kind, state, count(*) from object where calendar_id = ? group by kind, state", (calendar_id,)
    )
    return {(str(kind), str(state)): cast("int", count) for kind, state, count in rows}
