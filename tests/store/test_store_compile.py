"""A query as SQL and a query in memory say the same, on both databases (ARCHITECTURE §0.2, §5)."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from calquery.component_strategies import objects
from calquery.query_strategies import conditions
from kalends.calquery.bind import Bindings, bind
from kalends.calquery.cells import cells, span
from kalends.calquery.match import Subject
from kalends.calquery.tree import AllProperties, Condition, Query
from kalends.ical.tree import Component
from kalends.store.base import Store, Tx
from kalends.store.compile import compile_query

CALENDAR = 7
STATES = ("BOOKED", "UNPROCESSED", "DELETED")
_STATIC_OBJECT = (
    "insert into object (id, calendar_id, name, uid, kind, state, method, ics, etag, size, tick, created_at, changed_at)"
    " values (?, ?, ?, ?, ?, ?, ?, ?, 'x', 0, 0, 0, 0)"
)


class Shelf:
    """Objects in a store, each with the rows its index would have."""

    def __init__(self, tx: Tx) -> None:
        self.tx = tx
        self.next_id = 1000
        self.subjects: dict[int, Subject] = {}
        self.objects = 0
        if tx.row("select 1 from calendar where id = ?", (CALENDAR,)) is None:
            tx.run("insert into calendar (id, calid) values (?, 'c')", (CALENDAR,))

    def clear(self) -> None:
        for table in ("cell", "component", "object"):
            self.tx.run(f"delete from {table}")
        self.subjects.clear()

    def new_id(self) -> int:
        self.next_id += 1
        return self.next_id

    def add(self, component: Component, state: str = "BOOKED", method: str | None = None) -> int:
        """Store one top-level component as an object of its own; returns the component's id."""
        object_id = self.new_id()
        uid = component.value("UID") or f"none-{object_id}"
        self.tx.run(
            _STATIC_OBJECT,
            (object_id, CALENDAR, str(object_id), uid, component.name, state, method, b""),
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
            (own, object_id, CALENDAR, parent_id, component.name, 0, *span(made)),
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

    def found(self, query: Query) -> set[int]:
        compiled = compile_query(query, [CALENDAR], self.tx.dialect)
        ids = [row[1] for row in self.tx.rows(compiled.sql, compiled.params)]
        assert len(ids) == len(set(ids)), "a component is returned once"
        return {one for one in ids if isinstance(one, int)}

    def matched(self, query: Query) -> set[int]:
        return {own for own, subject in self.subjects.items() if subject.matches(query)}


class Undo(Exception):  # noqa: N818 - no error, the way out of a transaction that shall leave nothing behind
    """Leaves a transaction without a trace."""


def in_transaction(store: Store, work: object) -> None:
    def run(tx: Tx) -> None:
        work(Shelf(tx))  # type: ignore[operator]
        raise Undo

    with pytest.raises(Undo):
        store.write(run)


class TestAgreement:
    """The proof: random queries over random objects."""

    @settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        conditions=st.lists(conditions(functions=True), min_size=4, max_size=8),
        found=st.lists(st.tuples(objects(), st.sampled_from(STATES)), min_size=1, max_size=6),
    )
    def test_sqlite(
        self, sqlite_store: Store, conditions: list[Condition], found: list[tuple[Component, str]]
    ) -> None:
        agree(sqlite_store, conditions, found)

    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        conditions=st.lists(conditions(functions=True), min_size=6, max_size=12),
        found=st.lists(st.tuples(objects(), st.sampled_from(STATES)), min_size=1, max_size=6),
    )
    def test_postgres(
        self, postgres_store: Store, conditions: list[Condition], found: list[tuple[Component, str]]
    ) -> None:
        agree(postgres_store, conditions, found)


BINDINGS = Bindings(self_upn="x", target="c", owners=lambda calid: ("X",) if calid is None else ("business",))


def agree(store: Store, wanted: list[Condition], found: list[tuple[Component, str]]) -> None:
    def work(shelf: Shelf) -> None:
        booked: set[str] = set()  # a calendar holds one booked object of a UID
        for component, state in found:
            uid = component.value("UID")
            if uid is not None and state == "BOOKED" and (uid in booked or booked.add(uid)):
                continue
            shelf.add(component, state, "REQUEST" if state == "UNPROCESSED" else None)
        for condition in wanted:
            query = bind(Query((AllProperties(),), "VEVENT", condition), BINDINGS)
            assert shelf.found(query) == shelf.matched(query), query

    in_transaction(store, work)
