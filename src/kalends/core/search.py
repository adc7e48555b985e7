"""Reading: SEARCH over a container, computed free/busy, expansion."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kalends.calquery.tree import Query
from kalends.core import rights, selecting
from kalends.core.errors import NotFoundError
from kalends.core.model import Answer, Caller, Found, Selection, Target
from kalends.store.base import Tx


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
    found = selecting.agendas_matching(tx, caller, target, query)
    return Answer(query, [Found((component,)) for _, component in found])


def _store(tx: Tx, caller: Caller, target: Target, query: Query, expand: bool) -> Answer:
    found = selecting.store_matching(tx, caller, target, query)
    return Answer(query, [Found((component,)) for _, component in found])


_SOURCES: dict[str, Callable[[Tx, Caller, Target, Query, bool], Answer]] = {
    "VAGENDA": _agendas,
    "VCALSTORE": _store,
}
"""How each FROM is answered; components of objects otherwise."""
