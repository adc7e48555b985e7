"""A query as SQL and a query in memory say the same, on both databases (ARCHITECTURE §0.2, §5)."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from calquery.component_strategies import crowd, objects
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

    def found(self, query: Query) -> set[int]:
        compiled = compile_query(query, [self.calendar], self.tx.dialect)
        ids = [row[1] for row in self.tx.rows(compiled.sql, compiled.params)]
        assert len(ids) == len(set(ids)), "a component is returned once"
        return {one for one in ids if isinstance(one, int)}

    def matched(self, query: Query) -> set[int]:
        return {own for own, subject in self.subjects.items() if subject.matches(query)}


class Crowds:
    """Stores filled once for many queries."""

    def __init__(self, stores: dict[str, Callable[[], Store]]) -> None:
        self.stores = stores
        self.open: dict[str, Store] = {}
        self.subjects: dict[tuple[str, int], dict[int, Subject]] = {}

    def run(self, name: str, seed: int, wanted: list[Condition]) -> None:
        store = self.open.setdefault(name, self.stores[name]()) if name not in self.open else self.open[name]
        calendar = CALENDAR + seed
        if (name, seed) not in self.subjects:

            def fill(tx: Tx) -> dict[int, Subject]:
                shelf = Shelf(tx, calendar)
                crowded(shelf, seed)
                return shelf.subjects

            self.subjects[name, seed] = store.write(fill)

        def ask(tx: Tx) -> None:
            shelf = Shelf(tx, calendar)
            shelf.subjects = self.subjects[name, seed]
            for condition in wanted:
                agree_on(shelf, condition)

        store.read(ask)


@pytest.fixture
def crowds(request: pytest.FixtureRequest) -> Crowds:
    return Crowds(
        {name: partial(request.getfixturevalue, f"{name}_store") for name in ("sqlite", "postgres")}
    )


class Undo(Exception):  # noqa: N818 - no error, the way out of a transaction that shall leave nothing behind
    """Leaves a transaction without a trace."""


def in_transaction(store: Store, work: object) -> None:
    def run(tx: Tx) -> None:
        work(Shelf(tx))  # type: ignore[operator]
        raise Undo

    with pytest.raises(Undo):
        store.write(run)


BINDINGS = Bindings(self_upn="x", target="c", owners=lambda calid: ("X",) if calid is None else ("business",))
CROWD = 120
UNHURRIED = {"deadline": None, "suppress_health_check": [HealthCheck.function_scoped_fixture]}


def bound(condition: Condition) -> Query:
    return bind(Query((AllProperties(),), "VEVENT", condition), BINDINGS)


def crowded(shelf: Shelf, seed: int) -> None:
    pick = random.Random(seed)
    for component in crowd(seed, CROWD):
        state = pick.choice(("BOOKED", "BOOKED", "BOOKED", "UNPROCESSED", "DELETED"))
        shelf.add(component, state, "REQUEST" if state == "UNPROCESSED" else None)


def agree_on(shelf: Shelf, condition: Condition) -> None:
    query = bound(condition)
    assert shelf.found(query) == shelf.matched(query), query


class TestAgreement:
    """The proof: random queries over random objects."""

    @settings(max_examples=60, **UNHURRIED)
    @given(wanted=st.lists(conditions(functions=True), min_size=10, max_size=20), seed=st.integers(0, 3))
    def test_many_events_on_sqlite(self, crowds: Crowds, wanted: list[Condition], seed: int) -> None:
        crowds.run("sqlite", seed, wanted)

    @settings(max_examples=25, **UNHURRIED)
    @given(wanted=st.lists(conditions(functions=True), min_size=10, max_size=20))
    def test_many_events_on_postgres(self, crowds: Crowds, wanted: list[Condition]) -> None:
        crowds.run("postgres", 0, wanted)

    @settings(max_examples=60, **UNHURRIED)
    @given(wanted=st.lists(conditions(functions=True), min_size=4, max_size=8), found=objects())
    def test_odd_events_on_sqlite(
        self, sqlite_store: Store, wanted: list[Condition], found: Component
    ) -> None:
        def work(shelf: Shelf) -> None:
            shelf.add(found)
            for condition in wanted:
                agree_on(shelf, condition)

        in_transaction(sqlite_store, work)
