"""What of a WHERE the database may be asked for somebody who sees only parts of what it holds.

A condition is about what the caller sees. So whatever the database answers has to be asked again of the
filtered components (`discreet`), and the database may be asked only what a filtered component can never
answer with yes where the whole one says no: else what it leaves out tells something about what is hidden.
Left over are conditions that something is there, for properties whose values depend on nothing else.
"""

from __future__ import annotations

from dataclasses import replace

from kalends.calquery.columns import CONTAINERS
from kalends.calquery.tree import (
    And,
    Column,
    Compare,
    Condition,
    Constant,
    In,
    Like,
    Null,
    Or,
    Query,
    State,
)
from kalends.core.access.scopes import OF_TIME, Params, Part
from kalends.core.access.vcar import Judge

_TIMES = frozenset(("DTSTART", "DTEND", "DUE", "DURATION", "RECURRENCE-ID"))
"""Properties that follow from each other: all of them are to be seen, or none, to be asked about."""
SERIES = frozenset(("RRULE", "RDATE", "EXDATE", "EXRULE"))
"""What else instances follow from."""


_FOUND_BY: dict[str, Params] = {"UID": None, "RECURRENCE-ID": None}
"""What a writing command may find things by, whatever may be read."""


def askable(judge: Judge, query: Query, permission: str = "SEARCH") -> Query:
    """A query that selects at least all that the caller's own query selects of what they see.

    Args:
        judge: the caller's.
        query: bound.
        permission: of the command; for a writing one, what it may go by is seen, too (`sights.Seen`).

    Returns:
        The query, with what must not be asked of whole components left open.
    """
    if query.where is None:
        return query
    granted, denied = _possible(judge, query, permission)
    if any(_cuts_parameters(part) for part in (*granted, *denied)):
        names: frozenset[str] | None = None
    else:
        names = _TIMES if _together(granted, denied, _TIMES) else frozenset()
    return replace(query, where=_askable(query.where, names))


def series_seen(judge: Judge, query: Query, permission: str = "SEARCH") -> bool:
    """Whether everybody who sees when something happens sees how it recurs, too.

    Then the instances that the database knows are those of what is seen.
    """
    granted, denied = _possible(judge, query, permission)
    if any(_cuts_parameters(part) for part in (*granted, *denied)):
        return False
    return _together(granted, denied, _TIMES | SERIES)


def tells_times(judge: Judge, kind: str) -> bool:
    """Whether the times of components of a kind are to be seen of all that is seen of them.

    Args:
        judge: the caller's.
        kind: upper-case component name.
    """
    granted, denied = judge.possible("SEARCH", kind)
    if any(_cuts_parameters(part) for part in (*granted, *denied)):
        return False
    return _together(granted, denied, _TIMES)


def _possible(judge: Judge, query: Query, permission: str) -> tuple[list[Part], list[Part]]:
    granted, denied = judge.possible("SEARCH", query.source)
    if permission != "SEARCH":
        more, _ = judge.possible(permission, query.source)
        granted = [*granted, *more, Part(columns=_FOUND_BY)]
    return granted, denied


def _cuts_parameters(part: Part) -> bool:
    """Whether parameters are hidden, which may change what a value means."""
    if any(params is not None for params in part.columns.values()):
        return True
    return any(_cuts_parameters(inner) for inner in part.inner.values())


def _together(granted: list[Part], denied: list[Part], times: frozenset[str]) -> bool:
    for part in granted:
        if not part.whole and 0 < len(times.intersection(part.columns)) < len(times):
            return False
        if not times.isdisjoint(part.only):
            return False
    return not any(times.intersection(part.columns) for part in denied)


def _askable(condition: Condition, times: frozenset[str] | None) -> Condition:
    """The condition without what must not be asked.

    Args:
        condition: bound.
        times: properties of time that may be asked about; None when only the state may be.
    """
    match condition:
        case And(terms):
            return And(tuple(_askable(term, times) for term in terms))
        case Or(terms):
            return Or(tuple(_askable(term, times) for term in terms))
        case State() | Constant():
            return condition
        case Compare(column) | In(_, column, False) | Like(column, _, False) | Null(column, True):
            return condition if times is not None and _is_plain(column, times) else Constant(True)
        case _:
            return Constant(True)


def _is_plain(column: Column, times: frozenset[str]) -> bool:
    if column.param is not None or column.component in CONTAINERS:
        return False
    return column.name not in OF_TIME or (column.component is None and column.name in times)
