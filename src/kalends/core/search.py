"""Reading: SEARCH over a container, computed free/busy, expansion."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kalends.calquery.tree import Everything, Query
from kalends.core import contents, freebusy, rights, selecting
from kalends.core.errors import NotFoundError
from kalends.core.model import Answer, Caller, Found, Selection, Target
from kalends.ical.tree import Component
from kalends.store.base import Tx
from kalends.store.calendars import CalendarRow


def search(tx: Tx, caller: Caller, target: Target, selections: Sequence[Selection]) -> list[Answer]:
    """Answer every QUERY of every selection on one container.

    Returns:
        One answer per QUERY, in order.

    Raises:
        TooComplexError, InvalidError, NotFoundError (an unknown stored query).

    Source: RFC 4324 §10.12, §10.12.1 (VFREEBUSY is computed).
    """
    asked = [pair for selection in selections for pair in selecting.queries_of(tx, caller, target, selection)]
    if not rights.may(tx, caller, target.calendar_id, "SEARCH"):
        if not target.is_store:
            raise NotFoundError("no such calendar or store")
        return [Answer(query) for query, _ in asked]
    return [_answer(tx, caller, target, query, expand) for query, expand in asked]


def _answer(tx: Tx, caller: Caller, target: Target, query: Query, expand: bool) -> Answer:
    how = _SOURCES.get(query.source, _objects)
    answer = how(tx, caller, target, query, expand)
    selecting.limited(answer.found, caller)
    return answer


def _objects(tx: Tx, caller: Caller, target: Target, query: Query, expand: bool) -> Answer:
    hits, truncated = selecting.find(tx, caller, target, query, expand=expand)
    answer = Answer(query, truncated=truncated)
    for hit in hits:
        answer.found.append(Found((hit.seen,), hit.row.method))
    return answer


def _agendas(tx: Tx, caller: Caller, target: Target, query: Query, expand: bool) -> Answer:
    return _containers(tx, caller, query, selecting.agendas_matching(tx, caller, target, query))


def _containers(
    tx: Tx, caller: Caller, query: Query, matching: Sequence[tuple[CalendarRow, Component]]
) -> Answer:
    """Containers with their properties; for `*.*` with all they contain."""
    found = list(matching)
    if any(isinstance(one, Everything) for one in query.select):
        room = caller.policy.max_results
        found = [(row, contents.filled(tx, caller, row, seen, room)) for row, seen in found]
    return Answer(query, [Found((component,)) for _, component in found])


def _store(tx: Tx, caller: Caller, target: Target, query: Query, expand: bool) -> Answer:
    return _containers(tx, caller, query, selecting.store_matching(tx, caller, target, query))


def _free_busy(tx: Tx, caller: Caller, target: Target, query: Query, expand: bool) -> Answer:
    made = freebusy.free_busy(tx, caller, target, query)
    return Answer(query, [] if made is None else [Found((made,))])


_SOURCES: dict[str, Callable[[Tx, Caller, Target, Query, bool], Answer]] = {
    "VAGENDA": _agendas,
    "VCALSTORE": _store,
    "VFREEBUSY": _free_busy,
}
"""How each FROM is answered; components of objects otherwise."""
