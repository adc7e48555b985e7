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
from kalends.calquery.match import Subject
from kalends.calquery.tree import AllProperties, Condition, Query
from kalends.ical.tree import Component
from kalends.store.base import Store, Tx
from store.compile_shelf import CALENDAR, Shelf, in_transaction


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

    @settings(max_examples=30, **UNHURRIED)
    @given(wanted=st.lists(conditions(functions=True), min_size=10, max_size=20), seed=st.integers(0, 3))
    def test_many_events_on_sqlite(self, crowds: Crowds, wanted: list[Condition], seed: int) -> None:
        crowds.run("sqlite", seed, wanted)

    @settings(max_examples=12, **UNHURRIED)
    @given(wanted=st.lists(conditions(functions=True), min_size=10, max_size=20))
    def test_many_events_on_postgres(self, crowds: Crowds, wanted: list[Condition]) -> None:
        crowds.run("postgres", 0, wanted)

    @settings(max_examples=30, **UNHURRIED)
    @given(wanted=st.lists(conditions(functions=True), min_size=4, max_size=8), found=objects())
    def test_odd_events_on_sqlite(
        self, sqlite_store: Store, wanted: list[Condition], found: Component
    ) -> None:
        def work(shelf: Shelf) -> None:
            shelf.add(found)
            for condition in wanted:
                agree_on(shelf, condition)

        in_transaction(sqlite_store, work)
