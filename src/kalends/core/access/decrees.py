"""Decreed VCARs as they are found in a calendar: its own, and those of the store, which hold there, too."""

from __future__ import annotations

from collections.abc import Iterator

from kalends.calquery.match import Subject
from kalends.calquery.plan import plan
from kalends.calquery.tree import Query
from kalends.core import agendas
from kalends.core.access.judges import DENIED, Authority
from kalends.core.access.sights import Seen
from kalends.core.errors import DeniedError
from kalends.core.hits import Hit, nodes_of
from kalends.ical.tree import Component, parse
from kalends.store import objects
from kalends.store.base import Tx
from kalends.store.calendars import VCALSTORE
from kalends.store.objects import ObjectRow

_FROM = frozenset(("VCAR", "VRIGHT"))


def is_decreed(vcar: Component) -> bool:
    """Whether a VCAR is one that no client can change (RFC 4324 §8.10)."""
    return (vcar.value("DECREED") or "").strip().upper() == "TRUE"


def decreed_in(tx: Tx, calendar_id: int) -> Iterator[ObjectRow]:
    """The decreed VCARs that stand in a calendar, or in the store."""
    for row in objects.every(tx, calendar_id, kind="VCAR", state="BOOKED"):
        if any(is_decreed(one) for one in agendas.parsed(row).children("VCAR")):
            yield row


def refuse(row: ObjectRow) -> None:
    """Refuse to change, remove or move a decreed VCAR.

    Raises:
        DeniedError: in the words of every other refusal.

    Source: RFC 4324 §4.2.3; ACL-10, ACL-11.
    """
    if row.kind == "VCAR" and any(is_decreed(one) for one in parse(row.ics).children("VCAR")):
        raise DeniedError(DENIED)


def hits(tx: Tx, authority: Authority, query: Query, permission: str) -> Iterator[Hit]:
    """The decreed VCARs of the store that a query selects in a calendar, as far as the caller may see them.

    Args:
        tx: a transaction.
        authority: of the caller in the calendar; in the store they are found like everything.
        query: bound.
        permission: what the command needs.

    Source: RFC 4324 §4.2.3; ACL-12.
    """
    if query.source not in _FROM or authority.calendar.id == VCALSTORE:
        return
    prepared = plan(query.where)
    for row in decreed_in(tx, VCALSTORE):
        whole = parse(row.ics)
        seen = None if authority.free("SEARCH") else Seen(authority.judge, row, whole, permission)
        for node, parent in nodes_of(whole):
            view = node if seen is None else seen.of(node)
            if node.name == query.source and view is not None and Subject(view).satisfies(prepared):
                yield Hit(row, whole, node, parent, cut=None if view is node else view)
