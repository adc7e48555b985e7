"""Managed attachments: their octets, each once, and what is known of them (RFC 8607)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

from kalends.store.base import Tx


@dataclass(frozen=True, slots=True)
class AttachmentRow:
    """A managed attachment, without its octets.

    Attributes:
        managed_id: the key.
        hash: of its octets: SHA-256, lower-case hex.
        filename: for people; '' for none.
        media: media type.
        created_at: seconds UTC.
        created_by: a principal; None for who works on the store itself.
        size: octets.
    """

    managed_id: str
    hash: str
    filename: str
    media: str
    created_at: int
    created_by: int | None
    size: int


_SELECT = (
    "select a.managed_id, a.hash, a.filename, a.media, a.created_at, a.created_by, c.size"
    " from attachment a join content c on c.hash = a.hash where "
)
_UNUSED = (
    "update attachment set unused_since = ? where unused_since is null and not exists"
    " (select 1 from cell v where v.name = 'ATTACH;MANAGED-ID' and v.value = attachment.managed_id)"
)
_USED = (
    "update attachment set unused_since = null where unused_since is not null and exists"
    " (select 1 from cell v where v.name = 'ATTACH;MANAGED-ID' and v.value = attachment.managed_id)"
)


def get(tx: Tx, managed_id: str) -> AttachmentRow | None:
    """The attachment of that id, or None."""
    row = tx.row(_SELECT + "a.managed_id = ?", (managed_id,))
    return None if row is None else AttachmentRow(*row)  # type: ignore[arg-type]  # the columns' types are the schema's


def octets(tx: Tx, hash: str) -> bytes | None:  # noqa: A002 - the column's name
    """The octets with that hash, or None."""
    row = tx.row("select octets from content where hash = ?", (hash,))
    return None if row is None else cast("bytes", row[0])


def add(tx: Tx, row: AttachmentRow, data: bytes) -> None:
    """Add an attachment; octets that are there already are not kept twice."""
    tx.run(
        "insert into content (hash, size, octets) values (?, ?, ?) on conflict (hash) do nothing",
        (row.hash, row.size, data),
    )
    tx.run(
        "insert into attachment (managed_id, hash, filename, media, created_at, created_by)"
        " values (?, ?, ?, ?, ?, ?)",
        (row.managed_id, row.hash, row.filename, row.media, row.created_at, row.created_by),
    )


def held_by(tx: Tx, principal_id: int) -> int:
    """Octets of all attachments that a principal added, equal ones counted as often as they were added."""
    row = tx.row(
        "select coalesce(sum(c.size), 0) from attachment a join content c on c.hash = a.hash"
        " where a.created_by = ?",
        (principal_id,),
    )
    assert row is not None
    return int(cast("int", row[0]))


def referring(tx: Tx, managed_id: str) -> list[int]:
    """The objects whose texts refer to an attachment, the trash included, in order of their ids."""
    rows = tx.rows(
        "select distinct p.object_id from cell v join component p on p.id = v.component_id"
        " where v.name = 'ATTACH;MANAGED-ID' and v.value = ? order by 1",
        (managed_id,),
    )
    return [cast("int", row[0]) for row in rows]


def note_use(tx: Tx, now: int) -> None:
    """Note which attachments nothing refers to any more, and which something does again."""
    tx.run(_UNUSED, (now,))
    tx.run(_USED)


def remove_unused(tx: Tx, until: int) -> int:
    """Remove attachments that nothing referred to since before some time, and octets that are nobody's.

    Returns:
        How many attachments.
    """
    gone = tx.run("delete from attachment where unused_since is not null and unused_since < ?", (until,))
    tx.run("delete from content where not exists (select 1 from attachment a where a.hash = content.hash)")
    return gone


def hashes(tx: Tx) -> Iterator[tuple[str, int]]:
    """The hash of all octets kept, and their size as it is noted."""
    for row in tx.rows("select hash, size from content order by hash"):
        yield cast("str", row[0]), cast("int", row[1])


def orphans(tx: Tx) -> tuple[int, int]:
    """How many attachments have no octets, and how many octets are nobody's."""
    lost = tx.row(
        "select count(*) from attachment a where not exists (select 1 from content c where c.hash = a.hash)"
    )
    idle = tx.row(
        "select count(*) from content c where not exists (select 1 from attachment a where a.hash = c.hash)"
    )
    assert lost is not None
    assert idle is not None
    return cast("int", lost[0]), cast("int", idle[0])
