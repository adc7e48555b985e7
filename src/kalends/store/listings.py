"""Calendars as collections (CalDAV): their members, what changed, what happens when.

Everything here leaves out what a calendar keeps besides (RFC 4791 §4.1): its properties, rights, stored
queries and time zones.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Literal, NamedTuple, cast

from kalends.store import calendars
from kalends.store.base import Row, SqlValue, Tx
from kalends.store.found import COLUMNS
from kalends.store.instances import ALARM
from kalends.store.objects import ObjectRow, in_state
from kalends.store.sqltext import chunks, padded, with_list

Place = Literal["BOOKED", "UNPROCESSED"]
"""A calendar itself, or its inbox."""

NOT_RESOURCES = ("VAGENDA", "VCALSTORE", "VCAR", "VQUERY", "VTIMEZONE")
"""Kinds of objects that a calendar holds and that are no calendar object resources."""
PAGE = 1_000
"""Rows fetched at once: a few hundred kilobytes."""

_RESOURCES = "kind not in ('VAGENDA', 'VCALSTORE', 'VCAR', 'VQUERY', 'VTIMEZONE')"


class ListedRow(NamedTuple):
    """A member of a collection, without its text.

    Attributes:
        name: last path segment.
        etag: without quotes.
        size: octets.
        changed_at: seconds UTC.
        kind: VEVENT, VTODO, VJOURNAL, ….
        uid: its UID.
        schedule_tag: RFC 6638, or None.
        id: key.
        created_at: seconds UTC.
    """

    name: str
    etag: str
    size: int
    changed_at: int
    kind: str
    uid: str
    schedule_tag: str | None
    id: int
    created_at: int


class LatestRow(NamedTuple):
    """What became of one name.

    Attributes:
        name: last path segment.
        tick: of the object's last change.
        row: the member as it is now; None when there is none of that name any more.
    """

    name: str
    tick: int
    row: ListedRow | None


class Latest(NamedTuple):
    """What changed since a tick.

    Attributes:
        rows: in order of their ticks.
        tick: what the asker knows now: where to go on.
        complete: nothing was left out; otherwise there is more behind `tick`.
    """

    rows: list[LatestRow]
    tick: int
    complete: bool


# `state <> 'DELETED'` is the condition of the index over names: without it SQLite reads the whole calendar.
_LISTING = (
    "select name, etag, size, changed_at, kind, uid, schedule_tag, id, created_at from object"  # noqa: S608 - constants
    " where calendar_id = ? and state = ? and state <> 'DELETED' and name > ?"
    f" and {_RESOURCES} order by name limit ?"
)
_BY_NAMES = (
    f"select {COLUMNS} from object o where o.calendar_id = ? and o.state = ? and o.state <> 'DELETED'"  # noqa: S608 - constants
    f" and o.name in (??) and o.{_RESOURCES}"
)


def listing(tx: Tx, calendar_id: int, state: Place = "BOOKED", *, page: int = PAGE) -> Iterator[ListedRow]:
    """The members of a collection in order of their names, without their texts, page by page.

    Args:
        tx: a transaction, open until the iterator is done.
        calendar_id: the calendar.
        state: BOOKED, or UNPROCESSED for its inbox.
        page: rows in memory at once.

    Source: RFC 4918 §9.1 (Depth: 1); RFC 4791 §5.3.4.
    """
    after = ""
    while rows := tx.rows(in_state(_LISTING, state), (calendar_id, after, page)):
        yield from map(
            ListedRow._make, cast("list[tuple[str, str, int, int, str, str, str | None, int, int]]", rows)
        )
        if len(rows) < page:
            return
        after = cast("str", rows[-1][0])


def by_names(tx: Tx, calendar_id: int, names: Iterable[str], state: Place = "BOOKED") -> dict[str, ObjectRow]:
    """The members of those names with their texts, by name: one statement for up to 500.

    Args:
        tx: a transaction.
        calendar_id: the calendar.
        names: last path segments; what is not there is not in the answer.
        state: BOOKED, or UNPROCESSED for its inbox.

    Source: RFC 4791 §7.9 (calendar-multiget).
    """
    found: dict[str, ObjectRow] = {}
    for part in chunks(sorted(set(names))):
        asked = padded(part)
        for row in tx.rows(with_list(in_state(_BY_NAMES, state), len(asked)), (calendar_id, *asked)):
            one = ObjectRow(*row)  # type: ignore[arg-type]  # the columns' types are the schema's
            found[one.name] = one
    return found


Text = tuple[str, str, bytes]
"""Name, ETag and text of a member: what most reports want, without the rest of its row."""

_TEXTS_BY_IDS = "select id, name, etag, ics from object where id in (??)"
_NAMES_BY_IDS = "select id, name, etag from object where id in (??)"
_TEXTS_BY_NAMES = _BY_NAMES.replace(COLUMNS, "o.name, o.etag, o.ics")


def texts(tx: Tx, ids: Sequence[int], *, page: int = 500, with_text: bool = True) -> Iterator[Text]:
    """Names, ETags and texts of objects, in the order of `ids`, page by page; what is gone is left out.

    Args:
        tx: a transaction, open until the iterator is done.
        ids: objects.
        page: texts in memory at once.
        with_text: otherwise the texts are left empty, and nothing of them is read.
    """
    sql = _TEXTS_BY_IDS if with_text else _NAMES_BY_IDS
    for part in chunks(ids, page):
        asked = padded(part)
        found = {row[0]: row for row in tx.rows(with_list(sql, len(asked)), asked)}
        for one in part:
            row = cast("tuple[int, str, str, bytes] | None", found.get(one))
            if row is not None:
                yield row[1], row[2], row[3] if with_text else b""


def texts_by_names(
    tx: Tx, calendar_id: int, names: Iterable[str], state: Place = "BOOKED"
) -> dict[str, Text]:
    """Like `by_names`, without what most reports do not want."""
    found: dict[str, Text] = {}
    for part in chunks(sorted(set(names))):
        asked = padded(part)
        for row in tx.rows(with_list(_TEXTS_BY_NAMES, len(asked)), (calendar_id, state, *asked)):
            found[cast("str", row[0])] = cast("Text", row)
    return found


# --- what changed ---

# Each object once, where its last change stands; `known` is the name under which it was known before,
# `was` whether it can have been a member. The plus and the maximum keep SQLite to the index over objects.
_LATEST = (
    "select c.tick, c.object_id, c.name,"  # noqa: S608 - constants
    " (select p.name from change p where p.calendar_id = c.calendar_id and p.object_id = c.object_id"
    "   and p.tick = (select max(q.tick) from change q where q.calendar_id = c.calendar_id"
    "     and q.object_id = c.object_id and q.tick <= ?)),"
    " case when c.op <> 'put' then 1 when o.id is null then"
    "   (select max(case when p.op = 'put' then 0 else 1 end) from change p"
    "     where p.calendar_id = c.calendar_id and p.object_id = c.object_id and +p.tick > ?) end,"
    " o.name, o.etag, o.size, o.changed_at, o.kind, o.uid, o.schedule_tag, o.id, o.created_at"
    " from change c"
    " left join object o on o.id = c.object_id and o.calendar_id = c.calendar_id and o.state = ?"
    f" where c.calendar_id = ? and c.tick <tick> and c.{_RESOURCES}"
    " and not exists (select 1 from change l where l.calendar_id = c.calendar_id"
    "   and l.object_id = c.object_id and l.tick > c.tick)"
    " order by c.tick, c.object_id limit ?"
)
_SINCE = _LATEST.replace("<tick>", "> ?")
_AT = _LATEST.replace("<tick>", "= ?")
_TAKEN = "select name from object where calendar_id = ? and state = ? and state <> 'DELETED' and name in (??)"
_NO_LIMIT = 2**62


def latest_since(
    tx: Tx, calendar_id: int, tick: int, limit: int | None = None, state: Place = "BOOKED"
) -> Latest:
    """What changed in a collection since a tick: each name once, as it is now or gone.

    The cost follows the number of changes, not that of members. A name that was taken again is told as it is
    now only, and with tick 0 nothing is told that is gone: the asker knows nothing yet.

    Args:
        tx: a transaction.
        calendar_id: the calendar.
        tick: what the asker knows already; 0 for nothing.
        limit: rows at most. The changes of one transaction are never torn apart: an answer that is cut ends
            with a whole tick. Only when the first transaction alone changed more are there more rows.
        state: BOOKED, or UNPROCESSED for the inbox.

    Source: RFC 6578 §3.5, §3.6.
    """
    calendar = calendars.by_id(tx, calendar_id)
    if calendar is not None and calendar.tick == tick:
        return Latest([], tick, True)
    most = _NO_LIMIT if limit is None else limit
    found = tx.rows(
        in_state(_SINCE, state), (tick, tick, calendar_id, tick, most if limit is None else most + 1)
    )
    cut = len(found) > most
    if cut:
        last = found[-1][0]
        whole = [row for row in found if row[0] != last]
        found = whole or tx.rows(in_state(_AT, state), (tick, tick, calendar_id, last, _NO_LIMIT))
    rows: list[LatestRow] = []
    until = cast("int", found[-1][0]) if found else tick
    for _, group in groupby(_told(tx, calendar_id, tick, state, found), key=lambda row: row.tick):
        told = list(group)
        if rows and len(rows) + len(told) > most:  # names that objects had before come on top
            until, cut = rows[-1].tick, True
            break
        rows += told
    if cut:
        return Latest(rows, until, False)
    return Latest(rows, tick if calendar is None else calendar.tick, True)


def _told(tx: Tx, calendar_id: int, tick: int, state: Place, found: Sequence[Row]) -> list[LatestRow]:
    """One row a name: members, and names that are gone and that nothing else has."""
    rows: list[LatestRow] = []
    gone: dict[str, int] = {}
    for at, _, name, known, was, *member in cast("list[tuple[int, int, str, str | None, int, str]]", found):
        here = member[0] is not None
        if here:
            rows.append(LatestRow(member[0], at, ListedRow(*member)))  # type: ignore[arg-type]  # the schema's
        if tick and (here or was):
            gone |= {old: at for old in (known, name) if old is not None and old != member[0]}
    for part in chunks(sorted(gone)):
        asked = padded(part)
        for (taken,) in tx.rows(with_list(in_state(_TAKEN, state), len(asked)), (calendar_id, *asked)):
            del gone[cast("str", taken)]
    rows += [LatestRow(name, at, None) for name, at in gone.items()]
    rows.sort(key=lambda row: row.tick)
    return rows


# --- what happens when ---

_IN_WINDOW = (
    f"select {COLUMNS} from object o where o.state = ? and o.id in ("  # noqa: S608 - constants
    "select c.object_id from instance i join component c on c.id = i.component_id"
    " where i.calendar_id = ? and i.start_at < ? and i.start_at >= ? and c.kind in (??)"
    f" and i.busy <> '{ALARM}'"
    " and ((i.floating = 0 and i.start_at < ? and (i.end_at > ? or i.start_at >= ?))"
    "  or (i.floating = 1 and i.start_at < ? and (i.end_at > ? or i.start_at >= ?)))"
    " union select id from object where calendar_id = ? and expanded_to < ?) order by o.id"
)


def in_window(
    tx: Tx,
    calendar_id: int,
    kinds: Sequence[str],
    lo: int,
    hi: int,
    *,
    floating_lo: int | None = None,
    floating_hi: int | None = None,
    state: Place = "BOOKED",
) -> list[ObjectRow]:
    """The members, with their texts, of which an instance touches the half-open window [lo, hi).

    They are found with one statement. An object whose instance rows end before the window does
    (`expanded_to` < `hi`) comes in any case: whether it touches the window has to be found out from its text.
    For all others of these kinds the answer is exact for components that happen in time; what has no time
    (a VTODO without dates) is not found here.

    Args:
        tx: a transaction.
        calendar_id: the calendar.
        kinds: component names, VALARM excepted.
        lo: start of the window, seconds UTC.
        hi: its end.
        floating_lo: its start for floating times and dates, seconds as if UTC; None: the same as `lo`.
        floating_hi: its end for these.
        state: BOOKED, or UNPROCESSED for the inbox.

    Source: RFC 4791 §9.9.
    """
    calendar = calendars.by_id(tx, calendar_id)
    if calendar is None or not kinds:
        return []
    f_lo = lo if floating_lo is None else floating_lo
    f_hi = hi if floating_hi is None else floating_hi
    most = max(hi, f_hi)
    values: list[SqlValue] = [
        calendar_id, most, min(lo, f_lo) - calendar.longest, *kinds,
        hi, lo, lo, f_hi, f_lo, f_lo, calendar_id, most,
    ]  # fmt: skip
    sql = with_list(in_state(_IN_WINDOW, state), len(kinds))
    return [ObjectRow(*row) for row in tx.rows(sql, values)]  # type: ignore[arg-type]  # the schema's types
