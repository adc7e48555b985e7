"""Calendars: one row per VAGENDA, and row 0, the VCALSTORE itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

from kalends.store import principals
from kalends.store.base import Row, SqlValue, Tx
from kalends.store.sqltext import chunks, with_list

VCALSTORE = 0
"""Row of the VCALSTORE: the store's own VCARs, VQUERYs and properties are the objects of calendar 0."""


@dataclass(frozen=True, slots=True)
class CalendarRow:
    """A calendar.

    Attributes:
        id: key; 0 is the VCALSTORE.
        calid: relative CALID; '' for the VCALSTORE.
        home_id: the principal in whose home it lies; None for the VCALSTORE and ownerless ones.
        slug: last path segment under the home, for CalDAV; None without a home.
        tick: counts the transactions that changed it.
        floor_tick: oldest tick a sync token may name.
        rights_tick: tick of the last change of a VCAR.
        longest: no instance is longer, in seconds.
        allow_conflict: ALLOW-CONFLICT.
        auto_process: whether iTIP messages are processed by the server (RFC 6638).
        exclusive: whether something in it may say TRANSP:…-NOCONFLICT; False is certain.
        store_rights_tick: the rights_tick of the VCALSTORE, whose VCARs count everywhere.
    """

    id: int
    calid: str
    home_id: int | None
    slug: str | None
    tick: int
    floor_tick: int
    rights_tick: int
    longest: int
    allow_conflict: bool
    auto_process: bool
    exclusive: bool
    store_rights_tick: int


_SELECT = (
    "select id, calid, home_id, slug, tick, floor_tick, rights_tick, longest, allow_conflict, auto_process,"
    " exclusive, (select rights_tick from calendar where id = 0) from calendar where id = ?"
)
_TICKS = "select id, tick from calendar where id in (??)"
_BY_CALID = _SELECT.replace("id = ?", "calid = ?")
_BY_SLUG = _SELECT.replace("id = ?", "home_id = ? and slug = ?")
_BUMP = (
    _SELECT.replace("select", "update calendar set tick = tick + 1 where id = ? returning", 1)
    .removesuffix(" from calendar where id = ?")
)  # fmt: skip
_MANY = _SELECT.replace("id = ?", "id in (??)")
_OF_HOME = _SELECT.replace("id = ?", "home_id = ? order by calid")
_ALL = _SELECT.replace("id = ?", "id <> 0 order by calid")


def _row(row: Row) -> CalendarRow:
    values = (*row[:8], bool(row[8]), bool(row[9]), bool(row[10]), row[11])
    return CalendarRow(*values)  # type: ignore[arg-type]  # the columns' types are the schema's


_MEMO = "calendar"


def _keep(tx: Tx, row: Row) -> CalendarRow:
    found = tx.memo[_MEMO, cast("int", row[0])] = _row(row)
    return found


def forget(tx: Tx, calendar_id: int) -> None:
    """Have a calendar's row read anew: for everybody who changes it by a statement of their own."""
    tx.memo.pop((_MEMO, calendar_id), None)


def by_id(tx: Tx, calendar_id: int) -> CalendarRow | None:
    """The calendar with that id, or None; as this transaction read or left it."""
    known: CalendarRow | None = tx.memo.get((_MEMO, calendar_id))
    if known is not None:
        return known
    row = tx.row(_SELECT, (calendar_id,))
    return None if row is None else _keep(tx, row)


def by_calid(tx: Tx, calid: str) -> CalendarRow | None:
    """The calendar with that relative CALID, or None."""
    row = tx.row(_BY_CALID, (calid,))
    return None if row is None else _keep(tx, row)


def expect(tx: Tx, calid: str) -> None:
    """Say that a calendar will be asked for by its relative CALID: see `Tx.expect`."""
    tx.expect(_BY_CALID, (calid,))


def by_slug(tx: Tx, home_id: int, slug: str) -> CalendarRow | None:
    """The calendar under a principal's home with that last path segment, or None."""
    row = tx.row(_BY_SLUG, (home_id, slug))
    return None if row is None else _keep(tx, row)


def many(tx: Tx, ids: Iterable[int]) -> dict[int, CalendarRow]:
    """The calendars with those ids that exist, by id."""
    wanted = sorted(set(ids))
    return {
        calendar.id: calendar
        for part in chunks(wanted)
        for calendar in map(_row, tx.rows(with_list(_MANY, len(part)), part))
    }


def ticks(tx: Tx, ids: Iterable[int] | None) -> dict[int, int]:
    """The counters of calendars, by id.

    Args:
        tx: a transaction.
        ids: which; None for all.
    """
    if ids is None:
        return dict(cast("list[tuple[int, int]]", tx.rows("select id, tick from calendar")))
    return {
        row[0]: row[1]
        for part in chunks(sorted(set(ids)))
        for row in cast("list[tuple[int, int]]", tx.rows(with_list(_TICKS, len(part)), part))
    }


def every(tx: Tx, home_id: int | None = None) -> list[CalendarRow]:
    """All calendars in order of CALID, without the VCALSTORE.

    Args:
        tx: a transaction.
        home_id: only those in this principal's home; None for all.
    """
    rows = tx.rows(_ALL) if home_id is None else tx.rows(_OF_HOME, (home_id,))
    return [_row(row) for row in rows]


def add(
    tx: Tx,
    *,
    id: int,  # noqa: A002 - the column's name
    calid: str,
    home_id: int | None = None,
    slug: str | None = None,
    allow_conflict: bool = True,
    auto_process: bool = True,
) -> CalendarRow:
    """Add a calendar.

    Args:
        tx: a write transaction.
        id: a new id (`ids.new_id`).
        calid: relative CALID.
        home_id: the principal in whose home it lies.
        slug: last path segment under that home.
        allow_conflict: ALLOW-CONFLICT.
        auto_process: whether the server processes iTIP messages by itself.

    Raises:
        DuplicateError: the CALID, or the slug in that home, is taken.
    """
    tx.run(
        "insert into calendar (id, calid, home_id, slug, allow_conflict, auto_process)"
        " values (?, ?, ?, ?, ?, ?)",
        (id, calid, home_id, slug, int(allow_conflict), int(auto_process)),
    )
    added = by_id(tx, id)
    assert added is not None
    return added


def bump(tx: Tx, ids: Iterable[int]) -> dict[int, int]:
    """Count a change of calendars, which locks them until the transaction ends.

    It is the first statement of every write: in ascending id, so that two writers never wait for each other.

    Returns:
        The new tick of each calendar that exists.
    """
    ticks: dict[int, int] = {}
    for calendar_id in sorted(set(ids)):
        row = tx.row(_BUMP, (calendar_id,))
        if row is not None:
            ticks[calendar_id] = _keep(tx, row).tick
    return ticks


def lock(tx: Tx, ids: Iterable[int]) -> None:
    """Lock calendars until the transaction ends, without counting a change."""
    for calendar_id in sorted(set(ids)):
        _change(tx, "update calendar set tick = tick where id = ?", calendar_id)


def set_flags(
    tx: Tx, calendar_id: int, *, allow_conflict: bool | None = None, auto_process: bool | None = None
) -> None:
    """Set the switches that are given."""
    if allow_conflict is not None:
        _change(tx, "update calendar set allow_conflict = ? where id = ?", calendar_id, int(allow_conflict))
    if auto_process is not None:
        _change(tx, "update calendar set auto_process = ? where id = ?", calendar_id, int(auto_process))


def set_name(tx: Tx, calendar_id: int, *, calid: str, home_id: int | None, slug: str | None) -> None:
    """Give a calendar another CALID, home and slug.

    Raises:
        DuplicateError: one of them is taken.
    """
    _change(
        tx, "update calendar set calid = ?, home_id = ?, slug = ? where id = ?",
        calendar_id, calid, home_id, slug,
    )  # fmt: skip


def set_rights_tick(tx: Tx, calendar_id: int, tick: int) -> None:
    """Remember that a VCAR changed at `tick`, so that parsed rights are read anew."""
    if calendar_id == VCALSTORE:  # each calendar's row tells it
        for key in [key for key in tx.memo if key[0] == _MEMO]:
            del tx.memo[key]
    tx.known.forget()
    _change(tx, "update calendar set rights_tick = ? where id = ?", calendar_id, tick)


def set_floor_tick(tx: Tx, calendar_id: int, tick: int) -> None:
    """Sync tokens older than `tick` are no longer answered."""
    _change(tx, "update calendar set floor_tick = ? where id = ?", calendar_id, tick)


def raise_longest(tx: Tx, calendar_id: int, seconds: int) -> None:
    """Make sure that `longest` covers an instance of that length. It never shrinks, except by a reindex."""
    forget(tx, calendar_id)
    tx.later("update calendar set longest = ? where id = ? and longest < ?", (seconds, calendar_id, seconds))


def _change(tx: Tx, sql: str, calendar_id: int, *values: SqlValue) -> None:
    forget(tx, calendar_id)
    tx.run(sql, (*values, calendar_id))


_EXCLUSIVE = (
    " exists (select 1 from component c join cell v on v.component_id = c.id"
    " where v.name = 'TRANSP' and coalesce(v.folded, v.value) like '%-noconflict'"
)


def raise_exclusive(tx: Tx, calendar_id: int, object_id: int | None = None) -> None:
    """Remember that something in a calendar says TRANSP:…-NOCONFLICT.

    Args:
        tx: a write transaction.
        calendar_id: the calendar.
        object_id: only if that object does, as the index has it.
    """
    forget(tx, calendar_id)
    sql = "update calendar set exclusive = 1 where id = ? and exclusive = 0"
    if object_id is None:
        tx.later(sql, (calendar_id,))
    else:
        tx.run(f"{sql} and {_EXCLUSIVE} and c.object_id = ?)", (calendar_id, object_id))


def holds_exclusive(tx: Tx, calendar_id: int) -> bool:
    """Whether something in a calendar says TRANSP:…-NOCONFLICT, as the index has it: a look at all of it."""
    row = tx.row(f"select 1 where {_EXCLUSIVE} and c.calendar_id = ?)", (calendar_id,))
    return row is not None


def remove(tx: Tx, calendar_id: int) -> bool:
    """Remove a calendar with its objects, its log, its past, its mounts and its links.

    Returns:
        Whether it was there. The VCALSTORE is never removed.
    """
    if calendar_id == VCALSTORE:
        return False
    tx.memo.clear()
    tx.run("delete from history where calendar_id = ?", (calendar_id,))
    tx.run("delete from change where calendar_id = ?", (calendar_id,))
    tx.run(
        "delete from property where holder in (select id from object where calendar_id = ?)", (calendar_id,)
    )
    tx.run("delete from object where calendar_id = ?", (calendar_id,))
    tx.run("delete from mount where calendar_id = ?", (calendar_id,))
    tx.run("delete from link where calendar_id = ?", (calendar_id,))
    principals.forget_default(tx, calendar_id)
    return tx.run("delete from calendar where id = ?", (calendar_id,)) == 1
