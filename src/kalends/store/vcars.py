"""Which VCARs stand where: what every command asks first, so only keys and hashes are read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, cast

from kalends.store.base import Row, Tx
from kalends.store.sqltext import chunks, with_list


class VcarRow(NamedTuple):
    """A VCAR without its text.

    Attributes:
        calendar_id: where it stands; 0 for the store.
        id: key of the object.
        etag: hash of its octets: equal ones say the same.
        size: octets.
    """

    calendar_id: int
    id: int
    etag: str
    size: int


# The state is written out, so that the partial index over BOOKED objects serves.
_HELD = (
    "select calendar_id, id, etag, size from object"
    " where calendar_id in (?, 0) and kind = 'VCAR' and state = 'BOOKED'"
)
_GRANTING = (
    "select distinct o.id from calendar c"
    " join object o on o.calendar_id = c.id and o.kind = 'VCAR' and o.state = 'BOOKED'"
    " join component k on k.object_id = o.id and k.kind = 'VRIGHT'"
    " join cell g on g.component_id = k.id and g.name = 'GRANT'"
    " where c.id <> 0 and c.rights_tick > 1 and replace(coalesce(g.folded, g.value), ' ', '') = ?"
    " order by o.id"
)
_TEXTS = "select id, ics from object where id in (??)"


def held(tx: Tx, calendar_id: int) -> list[VcarRow]:
    """The VCARs of a calendar and of the store, in no order."""
    return [_row(row) for row in tx.rows(_HELD, (calendar_id,))]


def granting(tx: Tx, upn: str) -> list[int]:
    """The ids of VCARs of calendars that grant a name something, in order.

    Only calendars are looked at whose rights are others than those they were born with.

    Args:
        tx: a transaction.
        upn: in lower case.
    """
    return [cast("int", row[0]) for row in tx.rows(_GRANTING, (upn,))]


def texts(tx: Tx, ids: Iterable[int]) -> dict[int, bytes]:
    """The octets of VCARs, by key."""
    return {
        cast("int", key): cast("bytes", ics)
        for part in chunks(sorted(set(ids)))
        for key, ics in tx.rows(with_list(_TEXTS, len(part)), part)
    }


def _row(row: Row) -> VcarRow:
    return VcarRow(*row)  # type: ignore[arg-type]  # the columns' types are the schema's
