"""Who owns which calendar, as the OWNER properties of the VAGENDAs say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from kalends.store.base import Tx
from kalends.store.sqltext import chunks, with_list

_OWNED = (
    "select distinct c.id from calendar c"
    " join object o on o.calendar_id = c.id and o.kind = 'VAGENDA' and o.uid = c.calid and o.state = 'BOOKED'"
    " join component k on k.object_id = o.id and k.kind = 'VAGENDA'"
    " join cell v on v.component_id = k.id and v.name = 'OWNER'"
    " where c.id <> 0 and v.value in (??)"
)


def calendars_of(tx: Tx, upns: Sequence[str]) -> list[int]:
    """The ids of the calendars that one of these UPNs owns.

    Args:
        tx: a transaction.
        upns: as OWNER holds them, in lower case.
    """
    return sorted(
        {
            cast("int", row[0])
            for part in chunks(list(upns))
            for row in tx.rows(with_list(_OWNED, len(part)), part)
        }
    )
