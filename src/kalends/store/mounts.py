"""What others share with somebody: which calendars name them, and what they keep of their own about each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, cast

from kalends.store.base import Row, Tx
from kalends.store.sqltext import chunks, with_list


class MountRow(NamedTuple):
    """What somebody keeps about a calendar that is another's.

    Attributes:
        principal_id: whose it is.
        calendar_id: about which calendar.
        slug: the segment under their home.
        props: their own properties of it: the text of a VAGENDA; '' for none.
        hidden: whether they have left it.
    """

    principal_id: int
    calendar_id: int
    slug: str
    props: str
    hidden: bool


_NAMING = (
    "select distinct o.calendar_id from grantee g join object o on o.id = g.object_id"
    " where o.state = 'BOOKED' and o.kind in ('VCAR', 'VAGENDA') and g.upn in (??)"
)
_SELECT = "select principal_id, calendar_id, slug, props, hidden from mount where principal_id = ?"


def set_named(tx: Tx, object_id: int, upns: Iterable[str], *, fresh: bool) -> None:
    """Say whom a VCAR or VAGENDA names.

    Args:
        tx: a write transaction.
        object_id: the object.
        upns: in lower case.
        fresh: whether it is new, so that nothing is known of it.
    """
    wanted = set(upns)
    held: set[str] = set()
    if not fresh:
        held = {str(row[0]) for row in tx.rows("select upn from grantee where object_id = ?", (object_id,))}
    for upn in sorted(held - wanted):
        tx.later("delete from grantee where upn = ? and object_id = ?", (upn, object_id))
    for upn in sorted(wanted - held):
        tx.later("insert into grantee (upn, object_id) values (?, ?)", (upn, object_id))


def naming(tx: Tx, upns: Sequence[str], *, besides: str) -> list[int]:
    """The ids of calendars with a right, or an owner, of one of these names.

    Args:
        tx: a transaction.
        upns: in lower case.
        besides: the beginning of identifiers of objects that do not count.
    """
    sql = f"{_NAMING} and substr(o.uid, 1, {len(besides)}) <> ?"
    found: set[int] = set()
    for part in chunks(list(upns)):
        found.update(cast("int", row[0]) for row in tx.rows(with_list(sql, len(part)), (*part, besides)))
    return sorted(found)


def holding(tx: Tx, uid: str) -> list[tuple[int, bytes]]:
    """Every calendar with a VCAR of that identifier, and its octets, in order."""
    rows = tx.rows(
        "select calendar_id, ics from object where uid = ? and kind = 'VCAR' and state = 'BOOKED'"
        " order by calendar_id",
        (uid,),
    )
    return cast("list[tuple[int, bytes]]", rows)


def of(tx: Tx, principal_id: int) -> dict[int, MountRow]:
    """What somebody keeps about others' calendars, by calendar."""
    return {row.calendar_id: row for row in map(_row, tx.rows(_SELECT, (principal_id,)))}


def by_slug(tx: Tx, principal_id: int, slug: str) -> MountRow | None:
    """The one at that segment under their home, or None."""
    row = tx.row(f"{_SELECT} and slug = ?", (principal_id, slug))
    return None if row is None else _row(row)


def by_calendar(tx: Tx, principal_id: int, calendar_id: int) -> MountRow | None:
    """The one about that calendar, or None."""
    row = tx.row(f"{_SELECT} and calendar_id = ?", (principal_id, calendar_id))
    return None if row is None else _row(row)


def put(tx: Tx, row: MountRow) -> None:
    """Keep it.

    Raises:
        DuplicateError: the segment is taken.
    """
    tx.run(
        "insert into mount (principal_id, calendar_id, slug, props, hidden) values (?, ?, ?, ?, ?)"
        " on conflict (principal_id, calendar_id) do update"
        " set slug = excluded.slug, props = excluded.props, hidden = excluded.hidden",
        (row.principal_id, row.calendar_id, row.slug, row.props, int(row.hidden)),
    )


def left(tx: Tx, calendar_id: int) -> set[int]:
    """Who has left a calendar that is shared with them."""
    rows = tx.rows("select principal_id from mount where calendar_id = ? and hidden = 1", (calendar_id,))
    return {cast("int", row[0]) for row in rows}


def show(tx: Tx, principal_ids: Iterable[int], calendar_id: int) -> None:
    """Let those who had left a calendar see it again."""
    for principal_id in sorted(set(principal_ids)):
        tx.run(
            "update mount set hidden = 0 where principal_id = ? and calendar_id = ?",
            (principal_id, calendar_id),
        )


def _row(row: Row) -> MountRow:
    principal_id, calendar_id, slug, props, hidden = row
    return MountRow(
        cast("int", principal_id), cast("int", calendar_id), str(slug), str(props), bool(hidden)
    )  # fmt: skip
