"""Objects put into a store row by row, so that the compiler is tested without the index that feeds it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kalends.calquery.cells import cells, span
from kalends.calquery.match import Subject
from kalends.calquery.tree import Query
from kalends.ical.tree import Component
from kalends.store.base import Store, Tx
from kalends.store.compiling.query import compile_query

CALENDAR = 7
STATES = ("BOOKED", "UNPROCESSED", "DELETED")
_STATIC_OBJECT = (
    "insert into object (id, calendar_id, name, uid, kind, state, method, ics, etag, size, tick, created_at, changed_at)"
    " values (?, ?, ?, ?, ?, ?, ?, ?, 'x', 0, 0, 0, 0)"
)


class Shelf:
    """Objects in a store, each with the rows its index would have."""

    def __init__(self, tx: Tx, calendar: int = CALENDAR) -> None:
        self.tx = tx
        self.calendar = calendar
        self.next_id = 1_000_000 * calendar
        self.subjects: dict[int, Subject] = {}
        if tx.row("select 1 from calendar where id = ?", (calendar,)) is None:
            tx.run("insert into calendar (id, calid) values (?, ?)", (calendar, f"c{calendar}"))

    def new_id(self) -> int:
        self.next_id += 1
        return self.next_id

    def add(self, component: Component, state: str = "BOOKED", method: str | None = None) -> int:
        """Store one top-level component as an object of its own; returns the component's id."""
        object_id = self.new_id()
        uid = component.value("UID") or f"none-{object_id}"
        self.tx.run(
            _STATIC_OBJECT,
            (object_id, self.calendar, str(object_id), uid, component.name, state, method, b""),
        )
        return self.add_component(
            object_id, component, None, None, Subject(component, state=state, method=method)
        )

    def add_component(
        self,
        object_id: int,
        component: Component,
        parent_id: int | None,
        parent: Component | None,
        subject: Subject,
    ) -> int:
        own = self.new_id()
        made = cells(component, parent=parent)
        self.tx.run(
            "insert into component (id, object_id, calendar_id, parent_id, kind, pos, start_at, end_at)"
            " values (?, ?, ?, ?, ?, ?, ?, ?)",
            (own, object_id, self.calendar, parent_id, component.name, 0, *span(made)),
        )
        self.tx.many(
            "insert into cell (component_id, name, pos, k, value, folded, num, origin) values (?, ?, ?, ?, ?, ?, ?, ?)",
            [(own, *cell) for cell in made],
        )
        self.subjects[own] = subject
        for inner in component.components:
            child = Subject(inner, parent=component, state=subject.state, method=subject.method)
            self.add_component(object_id, inner, own, component, child)
        return own

    def instance(
        self, component_id: int, start: int, end: int, recurrence: int, *, busy: str = "BUSY"
    ) -> None:
        """One occurrence of a stored component."""
        self.tx.run(
            "insert into instance (calendar_id, start_at, component_id, recurrence_at, end_at, floating, busy)"
            " values (?, ?, ?, ?, ?, 0, ?)",
            (self.calendar, start, component_id, recurrence, end, busy),
        )

    def found(self, query: Query) -> set[int]:
        compiled = compile_query(query, [self.calendar], self.tx.dialect)
        ids = [row[1] for row in self.tx.rows(compiled.sql, compiled.params)]
        assert len(ids) == len(set(ids)), "a component is returned once"
        return {one for one in ids if isinstance(one, int)}

    def matched(self, query: Query) -> set[int]:
        return {own for own, subject in self.subjects.items() if subject.matches(query)}


class Undo(Exception):  # noqa: N818 - no error, the way out of a transaction that shall leave nothing behind
    """Leaves a transaction without a trace."""


def in_transaction(store: Store, work: Callable[[Shelf], None]) -> None:
    def run(tx: Tx) -> None:
        work(Shelf(tx))
        raise Undo

    with pytest.raises(Undo):
        store.write(run)
