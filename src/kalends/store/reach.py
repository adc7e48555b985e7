"""Whom calendars show themselves to: where the list of somebody's calendars begins.

A row names a UPN-FILTER of a VCAR that may show a calendar's own properties, or an OWNER. It is derived from
cells, by one statement, so that it can be compared and made anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import cast

from kalends.store.base import Tx
from kalends.store.objects import ObjectRow
from kalends.store.sqltext import chunks, with_list

_KINDS = frozenset(("VAGENDA", "VCAR"))
# Blanks do not count in a filter; longer than any UPN, it means nobody and would not fit into an index. The
# statement is that of migrations/0010.sql.
_WHO = "replace(coalesce(g.folded, g.value), ' ', '')"
_SCOPE = "select 1 from cell s where s.component_id = k.id and s.name = 'SCOPE'"
_DERIVED = (
    f"select distinct {_WHO} as who, o.id as object_id"  # noqa: S608 - constants
    " from object o join component k on k.object_id = o.id join cell g on g.component_id = k.id"
    f" where length({_WHO}) <= 256 and ((o.kind = 'VAGENDA' and k.kind = 'VAGENDA' and g.name = 'OWNER')"
    " or (o.kind = 'VCAR' and k.kind = 'VRIGHT' and g.name = 'GRANT'"
    f" and {_WHO} <> 'cal-owners()'"
    " and exists (select 1 from cell p where p.component_id = k.id and p.name = 'PERMISSION'"
    " and coalesce(p.folded, p.value) in ('*', 'search'))"
    f" and (not exists ({_SCOPE}) or exists ({_SCOPE}"
    " and replace(coalesce(s.folded, s.value), 'vagenda', '') <> coalesce(s.folded, s.value)))))"
)
_OF_OBJECT = f"insert into reach (who, object_id) {_DERIVED} and o.id = ?"
_STORED = "select who, object_id from reach"
_DIFFERING = (
    f"select object_id from (select * from ({_DERIVED}) a except {_STORED}) x"  # noqa: S608 - constants
    f" union select object_id from (select * from ({_STORED}) b except {_DERIVED}) y"
)
_NAMED_AT_ALL = (
    "select distinct o.calendar_id from reach r join object o on o.id = r.object_id"
    " where o.state = 'BOOKED' and o.calendar_id <> 0 and r.who in (??)"
)
_NAMED = f"{_NAMED_AT_ALL} and o.kind = ?"


def put(tx: Tx, row: ObjectRow, *, fresh: bool) -> None:
    """Derive an object's rows anew from its cells, which are there.

    Args:
        tx: the write transaction that wrote the cells.
        row: the object.
        fresh: the object was inserted just now: there are no old rows to remove.
    """
    if row.kind not in _KINDS:
        return
    if not fresh:
        tx.later("delete from reach where object_id = ?", (row.id,))
    tx.flush()  # statements left for later do not see each other's rows
    tx.later(_OF_OBJECT, (row.id,))


def differing(tx: Tx) -> list[int]:
    """The ids of objects whose rows are not those that follow from their cells."""
    return sorted(cast("int", row[0]) for row in tx.rows(_DIFFERING))


def owned_by(tx: Tx, upns: Sequence[str]) -> list[int]:
    """The ids of the calendars that one of these UPNs owns.

    Args:
        tx: a transaction.
        upns: as OWNER holds them, in lower case.
    """
    return _calendars(tx, "VAGENDA", upns)


def shown_to(tx: Tx, filters: Iterable[str]) -> list[int]:
    """The ids of the calendars that may show their properties to somebody.

    Args:
        tx: a transaction.
        filters: the UPN-FILTERs that match them, without blanks and in lower case.
    """
    return _calendars(tx, "VCAR", list(filters))


def naming(tx: Tx, upns: Sequence[str], *, besides: str) -> list[int]:
    """The ids of the calendars that name one of these as OWNER, or as who may see their properties.

    Args:
        tx: a transaction.
        upns: in lower case.
        besides: the beginning of the CARIDs that do not count.
    """
    sql = f"{_NAMED_AT_ALL} and substr(o.uid, 1, {len(besides)}) <> ?"
    found: set[int] = set()
    for part in chunks(list(upns)):
        found.update(cast("int", row[0]) for row in tx.rows(with_list(sql, len(part)), (*part, besides)))
    return sorted(found)


def _calendars(tx: Tx, kind: str, who: Sequence[str]) -> list[int]:
    found = {
        cast("int", row[0])
        for part in chunks(list(who))
        for row in tx.rows(with_list(_NAMED, len(part)), (*part, kind))
    }
    return sorted(found)
