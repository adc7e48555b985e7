"""Secret links: what they open, found by a hash of the secret."""

from __future__ import annotations

from dataclasses import dataclass, field

from kalends.store.base import Tx


@dataclass(frozen=True, slots=True)
class LinkRow:
    """A link.

    Attributes:
        id: the key.
        calendar_id: what it opens.
        hash: of the secret. Not in the repr.
        preset: how much is shown.
        label: what it is called.
        created_at: seconds UTC.
        created_by: a principal; None for who works on the store itself.
    """

    id: int
    calendar_id: int
    hash: str = field(repr=False)
    preset: str
    label: str
    created_at: int
    created_by: int | None


_SELECT = "select id, calendar_id, hash, preset, label, created_at, created_by from link where "


def by_hash(tx: Tx, hash: str) -> LinkRow | None:  # noqa: A002 - the column's name
    """The link with that hash, or None."""
    row = tx.row(_SELECT + "hash = ?", (hash,))
    return None if row is None else LinkRow(*row)  # type: ignore[arg-type]  # the columns' types are the schema's


def of_calendar(tx: Tx, calendar_id: int) -> list[LinkRow]:
    """The links to a calendar, the oldest first."""
    rows = tx.rows(_SELECT + "calendar_id = ? order by id", (calendar_id,))
    return [LinkRow(*row) for row in rows]  # type: ignore[arg-type]  # the columns' types are the schema's


def add(tx: Tx, link: LinkRow) -> None:
    """Add a link."""
    tx.run(
        "insert into link (id, calendar_id, hash, preset, label, created_at, created_by)"
        " values (?, ?, ?, ?, ?, ?, ?)",
        (
            link.id, link.calendar_id, link.hash, link.preset, link.label, link.created_at, link.created_by,
        ),
    )  # fmt: skip


def remove(tx: Tx, link_id: int) -> bool:
    """Remove a link. Returns whether it was there."""
    return tx.run("delete from link where id = ?", (link_id,)) == 1
