"""Running a query: which components of which objects it selects, and the instances when it expands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from kalends.calquery.ranges import Range
from kalends.calquery.tree import Query
from kalends.store.base import Tx
from kalends.store.compile import compile_query
from kalends.store.sqltext import chunks, with_list

_PLACES = "select id, pos from component where id in (??)"


@dataclass(frozen=True, slots=True)
class FoundRow:
    """A component that a query selects, or one instance of it.

    Attributes:
        object_id: the object it is in.
        pos: its place in a depth-first walk of the object's text; the VCALENDAR is 0.
        start_at: of the instance, seconds UTC (as if UTC when floating); None without expansion or time.
        recurrence_at: the start that the rule gives this instance; None like `start_at`.
    """

    object_id: int
    pos: int
    start_at: int | None = None
    recurrence_at: int | None = None


def find(
    tx: Tx, query: Query, calendar_ids: Sequence[int], *, expand: bool = False, limit: int | None = None
) -> tuple[list[FoundRow], Range]:
    """Run a bound query.

    Args:
        tx: a transaction.
        query: without functions of the session.
        calendar_ids: where to look.
        expand: one row an instance.
        limit: rows at most.

    Returns:
        The rows, by object, place in the text and start; and the window that the query limits itself to:
        objects whose instance rows end before its end need a look in memory when expanding.

    Raises:
        QueryError, TooComplexError: of `kalends.calquery`.
    """
    compiled = compile_query(query, calendar_ids, tx.dialect, expand=expand, limit=limit)
    rows = tx.rows(compiled.sql, compiled.params)
    components = sorted({cast("int", row[1]) for row in rows})
    places: dict[int, int] = {}
    for part in chunks(components):
        places.update(cast("list[tuple[int, int]]", tx.rows(with_list(_PLACES, len(part)), part)))
    found = [
        FoundRow(
            cast("int", row[0]),
            places[cast("int", row[1])],
            cast("int | None", row[2]) if expand else None,
            cast("int | None", row[4]) if expand else None,
        )
        for row in rows
    ]
    found.sort(key=lambda one: (one.object_id, one.pos))
    return found, compiled.window
