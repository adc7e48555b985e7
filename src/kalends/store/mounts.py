"""What others share with somebody: which calendars name them, and what they keep of their own about each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, cast

from kalends.store.base import Row, Tx


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


_SELECT = "select principal_id, calendar_id, slug, props, hidden from mount where principal_id = ?"


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
