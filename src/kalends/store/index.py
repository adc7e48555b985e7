"""The index: what is derived from an object's text, in the same transaction that writes the text."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from itertools import repeat

from kalends.calquery.cells import Cell, cells, span
from kalends.ical.recurrence_set import TIMED
from kalends.ical.tree import Component
from kalends.ical.zones import Zones
from kalends.store import calendars, ids, reach
from kalends.store.base import Row, Tx
from kalends.store.objects import ObjectRow
from kalends.store.spans import Node, Occurrence, Span, expand
from kalends.store.unchanged import FEW, Standing, standing

_INSERT_COMPONENT = (
    "insert into component"
    " (id, object_id, calendar_id, parent_id, kind, pos, recurrence_at, start_at, end_at)"
    " values (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_INSERT_CELL = (
    "insert into cell (component_id, name, pos, k, value, folded, num, origin)"
    " values (?, ?, ?, ?, ?, ?, ?, ?)"
)
_INSERT_INSTANCE = (
    "insert into instance (calendar_id, start_at, component_id, recurrence_at, end_at, floating, busy)"
    " values (?, ?, ?, ?, ?, ?, ?)"
    " on conflict (calendar_id, start_at, component_id, recurrence_at) do nothing"
)


SHORTEST_LONGEST = 86_400
"""Where calendar.longest starts; shorter instances need not be told to it."""


@dataclass(slots=True)
class Derived:
    """Everything that follows from one text, keyed by the index of a node instead of by ids.

    Attributes:
        nodes: the components, in the order of the text.
        cells: the index of a node, and a cell of it.
        occurrences: in time, alarms included.
        span: the outer span of all of it.
        recurrence: RECURRENCE-ID of the nodes that have one, seconds.
        times: each node's own DTSTART and DTEND or DUE, seconds.
    """

    nodes: list[Node]
    cells: list[tuple[int, Cell]]
    occurrences: list[Occurrence]
    span: Span
    recurrence: dict[int, int] = field(default_factory=dict)
    times: list[tuple[int | None, int | None]] = field(default_factory=list)


def derive(
    vcalendar: Component, kind: str, *, horizon: int, recur_limit: int, default_tz: str | None = None
) -> Derived:
    """Derive from a text all that the index holds, without a database.

    VTIMEZONEs that only serve the object's own times are left out: a query FROM VTIMEZONE means stored ones.

    Args:
        vcalendar: the object's text, parsed.
        kind: the object's kind.
        horizon: occurrences are listed up to here, seconds UTC.
        recur_limit: at most so many occurrences.
        default_tz: TZID for floating times; None leaves them floating.
    """
    nodes = _nodes(vcalendar, with_zones=kind == "VTIMEZONE")
    zones = Zones(vcalendar)
    rows: list[tuple[int, Cell]] = []
    times: list[tuple[int | None, int | None]] = []
    for at, node in enumerate(nodes):
        found = cells(node.component, zones=zones, default_tz=default_tz, parent=node.parent)
        rows.extend(zip(repeat(at), found))
        times.append(span(found))
    expansion = expand(vcalendar, nodes, zones, horizon=horizon, recur_limit=recur_limit)
    return Derived(nodes, rows, expansion.occurrences, expansion.span, expansion.recurrence, times)


def _nodes(vcalendar: Component, *, with_zones: bool) -> list[Node]:
    nodes: list[Node] = []
    pos = 0

    def visit(component: Component, parent: Component | None, up: int, *, kept: bool) -> None:
        nonlocal pos
        for item in component.items:
            if not isinstance(item, Component):
                continue
            pos += 1
            keep = kept and (with_zones or item.name != "VTIMEZONE")
            mine = len(nodes)
            if keep:
                nodes.append(Node(item, parent, pos, up))
            visit(item, item, mine, kept=keep)

    visit(vcalendar, None, -1, kept=True)
    return nodes


def index_object(
    tx: Tx,
    row: ObjectRow,
    vcalendar: Component,
    *,
    horizon: int,
    recur_limit: int = 10_000,
    default_tz: str | None = None,
    fresh: bool = False,
) -> None:
    """Derive an object's component, cell and instance rows anew.

    Sets object.first_at, last_at and expanded_to and raises what the calendar says of all its objects.
    component.start_at and end_at are what `calquery.cells.span` says of the component's cells: a search for a
    range of dates begins there.

    Args:
        tx: the write transaction that inserted or changed the object.
        row: the object.
        vcalendar: its text, parsed.
        horizon: instances are written up to here, seconds UTC.
        recur_limit: at most so many instances.
        default_tz: TZID for floating times; None leaves them floating.
        fresh: the object was inserted just now: there are no old rows to remove.
    """
    derived = derive(vcalendar, row.kind, horizon=horizon, recur_limit=recur_limit, default_tz=default_tz)
    put_rows(tx, row, derived, fresh=fresh)
    span = derived.span
    if span != (row.first_at, row.last_at, row.expanded_to):
        tx.run("update object set first_at = ?, last_at = ?, expanded_to = ? where id = ?", (*span, row.id))


def put_rows(tx: Tx, row: ObjectRow, derived: Derived, *, fresh: bool = False) -> None:
    """Put what was derived from an object's text in the place of its derived rows; its row has the span.

    Args:
        tx: the write transaction that inserted or changed the object.
        row: the object.
        derived: what `derive` made of its text.
        fresh: the object was inserted just now: there are no old rows to remove.
    """
    now = time.time()
    calendar_id = row.calendar_id
    nodes = derived.nodes
    there: Standing | None = None
    if not fresh and len(derived.occurrences) > FEW:
        there = standing(tx, row, nodes, derived.recurrence, derived.times)
    kept = {} if there is None else there.keys
    keys = [kept.get(at) or ids.new_id(now) for at in range(len(nodes))]
    occurrences: list[Row] = [
        (calendar_id, start_at, keys[node], recurrence_at, end_at, int(floating), busy)
        for node, start_at, end_at, recurrence_at, floating, busy in derived.occurrences
    ]
    if there is not None:
        occurrences = there.write(tx, occurrences)
    elif not fresh:
        tx.later("delete from component where object_id = ?", (row.id,))
    tx.many(
        _INSERT_COMPONENT,
        [
            (
                keys[at], row.id, calendar_id, keys[node.up] if node.up >= 0 else None,
                node.component.name, node.pos, derived.recurrence.get(at), *derived.times[at],
            )
            for at, node in enumerate(nodes)
            if at not in kept
        ],
    )  # fmt: skip
    tx.many(_INSERT_CELL, [(keys[at], *cell) for at, cell in derived.cells])
    reach.put(tx, row, fresh=fresh)
    if occurrences:
        tx.many(_INSERT_INSTANCE, occurrences)
    if derived.occurrences:
        longest = max([one.end_at - one.start_at for one in derived.occurrences])
        if longest > SHORTEST_LONGEST:
            calendars.raise_longest(tx, calendar_id, longest)
    if any(node.component.name in TIMED and _excludes(node.component) for node in derived.nodes):
        calendars.raise_exclusive(tx, calendar_id)


def _excludes(component: Component) -> bool:
    transp = component.value("TRANSP")
    return transp is not None and "NOCONFLICT" in transp.upper()
