"""Instances: occurrences in time, for free/busy, conflicts and expansion."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

from kalends.store.base import Row, SqlValue, Tx
from kalends.store.objects import State
from kalends.store.sqltext import chunks, padded, with_list

BUSY = "BUSY"
BUSY_TENTATIVE = "BUSY-TENTATIVE"
FREE = "FREE"
BUSY_UNAVAILABLE = "BUSY-UNAVAILABLE"
BUSY_NOCONFLICT = "BUSY-NOCONFLICT"
FREE_NOCONFLICT = "FREE-NOCONFLICT"
ALARM = "ALARM"


@dataclass(frozen=True, slots=True)
class InstanceRow:
    """One occurrence.

    Attributes:
        object_id: the object. component_id: the component (an override's own). calendar_id: the calendar.
        kind: VEVENT, VTODO, …, VALARM. uid: the object's UID. state: the object's state.
        start_at: seconds UTC (as if UTC when floating). end_at: the same; not before start_at.
        recurrence_at: the start this occurrence has by the rule.
        floating: whether it floats: local times and DATEs.
        busy: BUSY, BUSY-TENTATIVE, BUSY-UNAVAILABLE, FREE, BUSY-NOCONFLICT, FREE-NOCONFLICT or ALARM.
    """

    object_id: int
    component_id: int
    calendar_id: int
    kind: str
    uid: str
    state: State
    start_at: int
    end_at: int
    recurrence_at: int
    floating: bool
    busy: str


_OVERLAPPING = (
    "select c.object_id, i.component_id, i.calendar_id, c.kind, o.uid, o.state, i.start_at, i.end_at,"
    " i.recurrence_at, i.floating, i.busy"
    " from instance i"
    " join component c on c.id = i.component_id"
    " join object o on o.id = c.object_id"
    " where i.calendar_id in <calendars> and i.start_at < ? and i.start_at >= ?"
    " and o.state in <states> and i.busy <busy>"
    " and ((i.floating = 0 and i.start_at < ? and (i.end_at > ? or i.start_at >= ?))"
    "  or (i.floating = 1 and i.start_at < ? and (i.end_at > ? or i.start_at >= ?)))"
    " order by i.start_at, i.component_id, i.recurrence_at limit ?"
)
_LONGEST = "select id, longest from calendar where id in (??)"
_NO_LIMIT = 2**62
_WEEK = 7 * 86_400
_MONTH = 31 * 86_400


@lru_cache(maxsize=64)
def _overlapping_sql(calendars: int, states: int, busy: int) -> str:
    sql = with_list(_OVERLAPPING.replace("<calendars>", "(??)"), calendars)
    sql = with_list(sql.replace("<states>", "(??)"), states)
    return (
        with_list(sql.replace("<busy>", "in (??)"), busy) if busy else sql.replace("<busy>", f"<> '{ALARM}'")
    )


def _scans(tx: Tx, ids: Sequence[int]) -> list[tuple[list[int], int]]:
    """Which calendars to scan together, and from how long before the window.

    `longest` bounds the scan: what started earlier than that has ended before the window. It is a number in
    the query and not a join, for planners do not see that a join could bound the range. One calendar with a
    holiday of a year must not make the scan of all others long.
    """
    short: list[int] = []
    long: list[int] = []
    most = 0
    for calendar_id, longest in cast("list[tuple[int, int]]", tx.rows(with_list(_LONGEST, len(ids)), ids)):
        (short if longest <= _WEEK else long).append(calendar_id)
        most = max(most, longest)
    return [(calendars, reach) for calendars, reach in ((short, min(most, _WEEK)), (long, most)) if calendars]


def overlapping(
    tx: Tx,
    calendar_ids: Iterable[int],
    lo: int,
    hi: int,
    *,
    floating_lo: int | None = None,
    floating_hi: int | None = None,
    states: Sequence[State] = ("BOOKED",),
    busy: Sequence[str] = (),
    limit: int | None = None,
) -> list[InstanceRow]:
    """The instances that touch the half-open window [lo, hi), in order of start.

    One without duration touches when it starts in the window.

    Args:
        tx: a transaction.
        calendar_ids: where to look.
        lo: start of the window, seconds UTC.
        hi: end of the window, seconds UTC.
        floating_lo: start of the window for floating times, seconds as if UTC; None: the same as `lo`.
        floating_hi: its end.
        states: only objects in these states.
        busy: only these busy types; empty for all but ALARM.
        limit: how many at most.
    """
    f_lo = lo if floating_lo is None else floating_lo
    f_hi = hi if floating_hi is None else floating_hi
    most = _NO_LIMIT if limit is None else limit
    found: list[InstanceRow] = []
    for part in chunks(sorted(set(calendar_ids))):
        for ids, reach in _scans(tx, part):
            sql = _overlapping_sql(len(ids), len(states), len(busy))
            scan = (max(hi, f_hi), min(lo, f_lo) - reach)
            window = (hi, lo, lo, f_hi, f_lo, f_lo, most)
            values: list[SqlValue] = [*ids, *scan, *states, *busy, *window]
            found += [_row(row) for row in tx.rows(sql, values)]
    found.sort(key=lambda one: (one.start_at, one.component_id, one.recurrence_at))  # of several pieces
    return found[:most]


def _row(row: Row) -> InstanceRow:
    values = (*row[:9], bool(row[9]), row[10])
    return InstanceRow(*values)  # type: ignore[arg-type]  # the columns' types are the schema's


def open_objects(tx: Tx, calendar_ids: Iterable[int], until: int) -> list[int]:
    """The ids of objects whose instance rows end before `until`: a search expands these in memory.

    Args:
        tx: a transaction.
        calendar_ids: where to look.
        until: end of the window asked for, seconds UTC.
    """
    found: list[int] = []
    for part in chunks(sorted(set(calendar_ids))):
        values: list[SqlValue] = [*part, until]
        sql = "select id from object where calendar_id in (??) and expanded_to < ? order by id"
        found += [row[0] for row in tx.rows(with_list(sql, len(part)), values) if isinstance(row[0], int)]
    return found


# --- what may not overlap ---


@dataclass(frozen=True, slots=True)
class SlotRow:
    """One occurrence, as a check for double bookings needs it.

    Attributes:
        object_id: whose it is. start_at, end_at, floating, busy: as for InstanceRow.
    """

    object_id: int
    start_at: int
    end_at: int
    floating: bool
    busy: str


@dataclass(frozen=True, slots=True)
class OpenRow:
    """An object whose rows end before it does.

    Attributes:
        id: the object. etag: changes with its text. first_at, last_at, expanded_to: as for ObjectRow.
    """

    id: int
    etag: str
    first_at: int | None
    last_at: int | None
    expanded_to: int


_OF_OBJECT = (
    "select c.object_id, i.start_at, i.end_at, i.floating, i.busy from component c"
    " cross join instance i where c.object_id = ? and i.component_id = c.id and i.busy in (??)"
    " and i.end_at > i.start_at"
)
# `cross join` keeps SQLite to this order: the object's own rows, then for each a range of the calendar's.
_NEAR = (
    "select ob.id, o.start_at, o.end_at, o.floating, o.busy, m.start_at, m.end_at, m.floating, m.busy"
    " from component mc cross join instance m cross join instance o cross join component oc"
    " cross join object ob"
    " where mc.object_id = ? and m.component_id = mc.id and m.end_at > m.start_at and m.busy in (<mine>)"
    " and o.calendar_id = ? and o.start_at < m.end_at + ? and o.start_at > m.start_at - ?"
    " and o.end_at > o.start_at and o.busy in (<theirs>)"
    " and ((o.floating = m.floating and o.start_at < m.end_at and o.end_at > m.start_at)"
    "  or (o.floating <> m.floating and o.end_at > m.start_at - ?))"
    " and oc.id = o.component_id and oc.object_id <> ? and ob.id = oc.object_id and ob.state = 'BOOKED'"
    " limit ?"
)
# The limit is none at all. It keeps PostgreSQL to this order, too: without statistics it would else walk
# through the calendar's instances once for each component.
_LATER = (
    "select c.object_id, i.start_at, i.end_at, i.floating, i.busy from"
    " (select * from instance where calendar_id = ? and start_at > ? and end_at > ? and end_at > start_at"
    " and busy in (??) limit 9223372036854775807) i"
    " join component c on c.id = i.component_id join object o on o.id = c.object_id where o.state = 'BOOKED'"
)
_FIRST = "select min(start_at) from instance where calendar_id = ? and start_at >= ?"
_WINDOW = (
    "select component_id, start_at, end_at, floating, busy from instance"
    " where calendar_id = ? and start_at >= ? and start_at < ? and end_at > start_at and busy in (??)"
    " order by start_at, component_id, recurrence_at"
)
_BOOKED = (
    "select c.id, c.object_id from component c join object o on o.id = c.object_id"
    " where c.id in (??) and o.state = 'BOOKED'"
)
_OPEN = (
    "select o.id, o.etag, o.first_at, o.last_at, o.expanded_to from object o"
    " where o.calendar_id = ? and o.expanded_to < ? and o.state = 'BOOKED'"
)
_EXCLUSIVE = (
    " and exists (select 1 from component c join cell v on v.component_id = c.id"
    " where c.object_id = o.id and v.name = 'TRANSP' and coalesce(v.folded, v.value) like '%-noconflict')"
)


def _slot(row: Row) -> SlotRow:
    object_id, start_at, end_at, floating, busy = row
    return SlotRow(object_id, start_at, end_at, bool(floating), busy)  # type: ignore[arg-type]  # the schema's


def of_object(tx: Tx, object_id: int, busy: Sequence[str]) -> list[SlotRow]:
    """The occurrences of one object that take time in one of these ways."""
    return [_slot(row) for row in tx.rows(with_list(_OF_OBJECT, len(busy)), (object_id, *busy))]


def near(
    tx: Tx,
    object_id: int,
    calendar_id: int,
    mine: Sequence[str],
    theirs: Sequence[str],
    *,
    longest: int,
    slack: int,
    limit: int,
) -> list[tuple[SlotRow, SlotRow]]:
    """Pairs of an object's occurrence and one of another BOOKED object that overlap.

    Args:
        tx: a transaction.
        object_id: the object.
        calendar_id: its calendar.
        mine: busy types looked at in the object.
        theirs: busy types looked at in the others.
        longest: of the calendar, seconds.
        slack: where only one of two floats they are compared with this tolerance, in seconds.
        limit: how many at most.
    """
    sql = with_list(_NEAR.replace("(<mine>)", "(??)"), len(mine))
    sql = with_list(sql.replace("(<theirs>)", "(??)"), len(theirs))
    scan = (calendar_id, slack, longest + slack)
    values: list[SqlValue] = [object_id, *mine, *scan, *theirs, slack, object_id, limit]
    return [(_slot((object_id, *row[5:])), _slot(row[:5])) for row in tx.rows(sql, values)]


def between(tx: Tx, calendar_id: int, busy: Sequence[str], lo: int, hi: int) -> list[SlotRow]:
    """The occurrences of BOOKED objects that take time in one of these ways and start in a range, in order.

    Args:
        tx: a transaction.
        calendar_id: where.
        busy: in which ways.
        lo: seconds UTC.
        hi: the same, not included.
    """
    rows = tx.rows(with_list(_WINDOW, len(busy)), (calendar_id, lo, hi, *busy))
    owners = _owners(tx, {cast("int", row[0]) for row in rows})
    return [_slot((owners[row[0]], *row[1:])) for row in rows if row[0] in owners]


def slots_after(tx: Tx, calendar_id: int, busy: Sequence[str], after: int, *, longest: int) -> list[SlotRow]:
    """The late occurrences of BOOKED objects of a calendar that take time in one of these ways, in no order.

    Args:
        tx: a transaction.
        calendar_id: where.
        busy: in which ways.
        after: only what ends after this, seconds UTC.
        longest: of the calendar, seconds.
    """
    values: list[SqlValue] = [calendar_id, after - longest - 1, after, *busy]
    return [_slot(row) for row in tx.rows(with_list(_LATER, len(busy)), values)]


def walk(tx: Tx, calendar_id: int, busy: Sequence[str]) -> Iterator[SlotRow]:
    """All occurrences of BOOKED objects of a calendar that take time in one of these ways, in order of start.

    They are read month by month, and never all of them at once.

    Args:
        tx: a transaction.
        calendar_id: where.
        busy: in which ways.
    """
    lo = -_NO_LIMIT
    while True:
        first = tx.row(_FIRST, (calendar_id, lo))
        if first is None or not isinstance(first[0], int):
            return
        lo = first[0] + _MONTH
        yield from between(tx, calendar_id, busy, first[0], lo)


def _owners(tx: Tx, component_ids: set[int]) -> dict[SqlValue, SqlValue]:
    """The BOOKED objects that components are of, by component."""
    found: dict[SqlValue, SqlValue] = {}
    for part in chunks(sorted(component_ids)):
        values = padded(part)
        found.update(cast("list[tuple[int, int]]", tx.rows(with_list(_BOOKED, len(values)), values)))
    return found


def open_rows(tx: Tx, calendar_id: int, until: int, *, exclusive: bool = False) -> list[OpenRow]:
    """The BOOKED objects of a calendar whose rows end before `until`.

    Args:
        tx: a transaction.
        calendar_id: where.
        until: seconds UTC.
        exclusive: only those that say TRANSP:*-NOCONFLICT.
    """
    sql = _OPEN + _EXCLUSIVE if exclusive else _OPEN
    rows = tx.rows(sql, (calendar_id, until))
    return sorted((OpenRow(*row) for row in rows), key=lambda row: row.id)  # type: ignore[arg-type]  # the schema's
