"""Running a query: which components of which objects it selects, and the instances when it expands."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import cast

from kalends.calquery.plan import Plan
from kalends.calquery.ranges import Range
from kalends.calquery.tree import Query
from kalends.store.base import Tx, paced
from kalends.store.compiling.objects import CompiledObjects, compile_objects
from kalends.store.compiling.query import Wall, compile_query
from kalends.store.objects import ObjectRow
from kalends.store.sqltext import chunks, with_list

COLUMNS = ", ".join(f"o.{field.name}" for field in fields(ObjectRow))
_TEXTS = (
    f"select c.id, c.pos, {COLUMNS} from component c join object o on o.id = c.object_id"  # noqa: S608 - constants
    " where c.id in (??)"
)


@dataclass(frozen=True, slots=True)
class FoundRow:
    """A component that a query selects, or one instance of it.

    Attributes:
        object_id: the object it is in.
        component_id: the component.
        start_at: of the instance, seconds UTC (as if UTC when floating); None without expansion or time.
        recurrence_at: the start that the rule gives this instance; None like `start_at`.
    """

    object_id: int
    component_id: int
    start_at: int | None = None
    recurrence_at: int | None = None


def find(
    tx: Tx,
    query: Query,
    calendar_ids: Sequence[int],
    *,
    expand: bool = False,
    limit: int | None = None,
    wall: Wall | None = None,
) -> tuple[list[FoundRow], Range]:
    """Run a bound query.

    Args:
        tx: a transaction.
        query: without functions of the session.
        calendar_ids: where to look.
        expand: one row an instance.
        limit: rows at most.
        wall: what the clocks show at an instant in the zone of floating times; None for UTC.

    Returns:
        The rows, by object, place in the text and start; and the window that the query limits itself to:
        objects whose instance rows end before its end need a look in memory when expanding.

    Raises:
        QueryError, TooComplexError: of `kalends.calquery`.
    """
    compiled = compile_query(query, calendar_ids, tx.dialect, expand=expand, limit=limit, wall=wall)
    rows = cast("list[tuple[int, ...]]", tx.rows(compiled.sql, compiled.params))
    if expand:
        return [FoundRow(row[0], row[1], row[2], row[4]) for row in paced(tx, rows)], compiled.window
    return [FoundRow(row[0], row[1]) for row in paced(tx, rows)], compiled.window


def find_objects(
    tx: Tx, prepared: Plan, calendar_ids: Sequence[int], *, wall: Wall | None = None
) -> tuple[CompiledObjects, list[int]]:
    """Run a condition about whole objects.

    Args:
        tx: a transaction.
        prepared: a planned condition.
        calendar_ids: where to look.
        wall: what the clocks show at an instant in the zone of floating times; None for UTC.

    Returns:
        What was asked, which says whether the answer is exact; and the ids of the objects, in no order.
    """
    compiled = compile_objects(prepared, calendar_ids, tx.dialect, wall=wall)
    return compiled, [cast("int", row[0]) for row in tx.rows(compiled.sql, compiled.params)]


def places(tx: Tx, component_ids: Iterable[int]) -> dict[int, tuple[int, ObjectRow]]:
    """Where components stand: their places in depth-first walks of their objects' texts, and the objects.

    Args:
        tx: a transaction.
        component_ids: components.

    Returns:
        By component; the VCALENDAR of a text has place 0. Components of one object share its row.
    """
    found: dict[int, tuple[int, ObjectRow]] = {}
    seen: dict[int, ObjectRow] = {}
    for part in chunks(sorted(set(component_ids))):
        for component_id, pos, *columns in tx.rows(with_list(_TEXTS, len(part)), part):
            row = ObjectRow(*columns)  # type: ignore[arg-type]  # the columns' types are the schema's
            found[cast("int", component_id)] = (cast("int", pos), seen.setdefault(row.id, row))
    return found
