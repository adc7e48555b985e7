"""VQUERY components to selections: the queries of SEARCH, DELETE, MOVE and MODIFY, parsed."""

from __future__ import annotations

import re

from kalends.calquery.errors import QueryError, TooComplexError
from kalends.calquery.parse import parse
from kalends.calquery.tree import And, Column, Compare, Literal, Query
from kalends.cap.status import BAD_ARGS, TOO_COMPLEX, RefusalError
from kalends.core.model import Selection
from kalends.ical.folds import unfold
from kalends.ical.tree import Component, Line
from kalends.ical.values import unescape_text

MAX_QUERIES = 100
"""QUERY properties of one command: a screen of a calendar program needs about ten."""

_UID = Column("UID")
_BY_UID = frozenset({"VEVENT", "VTODO", "VJOURNAL"})
_FOLD = re.compile(r"\r?\n[ \t]")
_BOOLEANS = {"TRUE": True, "FALSE": False}


def selections_of(
    vcalendar: Component, *, strict: bool = False, moves: bool = False
) -> tuple[Selection, ...]:
    """Parse every VQUERY of a command.

    Args:
        vcalendar: the command's object.
        strict: read CAL-QUERY as strictly as the RFC's grammar.
        moves: the command is MOVE, whose VQUERY may say by TARGET where the objects are now (A-55).

    Returns:
        One selection per VQUERY, in order.

    Raises:
        RefusalError: 6.3 with the column and what was expected there, or 8.1 for a query that is too complex.

    Source: RFC 4324 §9.6, §6.1.1.
    """
    found = tuple(
        _selection(vquery, strict=strict, moves=moves and not strict)
        for vquery in vcalendar.children("VQUERY")
    )
    if not found:
        raise RefusalError(BAD_ARGS, "The command needs a VQUERY that says what it is about.")
    if sum(len(selection.queries) for selection in found) > MAX_QUERIES:
        raise RefusalError(TOO_COMPLEX, f"The command has more than {MAX_QUERIES} queries.")
    return found


def is_point_read(selection: Selection) -> bool:
    """Whether a selection names one object by its UID: an index look-up, whatever the calendar's size."""
    return len(selection.queries) == 1 and not selection.expand and _names_uid(selection.queries[0])


def _names_uid(query: Query) -> bool:
    where = query.where
    terms = where.terms if isinstance(where, And) else (where,)
    return query.source in _BY_UID and any(
        isinstance(term, Compare)
        and term.operator == "="
        and term.column == _UID
        and isinstance(term.value, Literal)
        for term in terms
    )


def _selection(vquery: Component, *, strict: bool, moves: bool) -> Selection:
    for name in ("QUERYID", "EXPAND", "TARGET"):
        if len(vquery.all(name)) > 1:
            raise RefusalError(BAD_ARGS, f"{name} occurs more than once in a VQUERY.")
    query_id, container = vquery.value("QUERYID"), vquery.value("TARGET")
    lines = vquery.all("QUERY")
    if not lines and query_id is None:
        raise RefusalError(BAD_ARGS, "A VQUERY needs a QUERY, or the QUERYID of a stored one.")
    if container is not None and (query_id is None or lines) and not moves:
        raise RefusalError(BAD_ARGS, "TARGET in a VQUERY needs a QUERYID beside it, and no QUERY.")
    if len(lines) > MAX_QUERIES:
        raise RefusalError(TOO_COMPLEX, f"The command has more than {MAX_QUERIES} queries.")
    return Selection(
        queries=tuple(_query(line, strict=strict) for line in lines),
        expand=_expand(vquery),
        query_id=None if query_id is None else unescape_text(query_id),
        container=None if container is None else container.strip(),
    )


def _expand(vquery: Component) -> bool:
    value = vquery.value("EXPAND")
    if value is None:
        return False
    expand = _BOOLEANS.get(value.strip().upper())
    if expand is None:
        raise RefusalError(BAD_ARGS, "EXPAND is TRUE or FALSE.")
    return expand


def _query(line: Line, *, strict: bool) -> Query:
    """Parse one QUERY; where unfolding glued two words, each fold is one space (A-30)."""
    try:
        return parse(line.value, strict=strict)
    except QueryError as error:
        spaced = unfold(_FOLD.sub(" ", line.raw)).partition(":")[2]
        if strict or spaced == line.value or isinstance(error, TooComplexError):
            raise _refusal(error) from None
        try:
            return parse(spaced, strict=False)
        except QueryError as second:  # the reading that got further is the one that was meant
            raise _refusal(max(error, second, key=_reached)) from None


def _reached(error: QueryError) -> tuple[bool, int]:
    return isinstance(error, TooComplexError), error.column


def _refusal(error: QueryError) -> RefusalError:
    if isinstance(error, TooComplexError):
        return RefusalError(TOO_COMPLEX, f"QUERY is too complex: {error}.")
    return RefusalError(BAD_ARGS, f"QUERY: {error}.")
