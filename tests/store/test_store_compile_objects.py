"""CalDAV's filters as SQL and in memory say the same, on both databases (RFC 4791 §9.7, §9.9)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from calquery.filter_strategies import DAY0, crowd, filters
from kalends.calquery.match import Subject
from kalends.calquery.occasions import Occasions
from kalends.calquery.plan import plan
from kalends.calquery.tree import And, Condition, State
from kalends.ical.tree import Component
from kalends.ical.zones import Zones
from kalends.store import calendars, found, ids, index, instances, objects
from kalends.store.base import Store, Tx

HORIZON = DAY0 + 60 * 86_400
CROWD = 150
UNHURRIED = {"deadline": None, "suppress_health_check": [HealthCheck.function_scoped_fixture]}
BERLIN = Zones().zone("Pacific/Auckland")


class Shelf:
    """A calendar with a crowd of objects, indexed as the store does it."""

    def __init__(self, store: Store, seed: int) -> None:
        self.store = store
        self.calendar = 100 + seed
        self.subjects: dict[int, Component] = {}
        store.write(lambda tx: self.fill(tx, seed))

    def fill(self, tx: Tx, seed: int) -> None:
        calendars.add(tx, id=self.calendar, calid=f"c{seed}")
        self.subjects = {}
        for number, whole in enumerate(crowd(seed, CROWD)):
            self.put(tx, whole, f"{seed}-{number}")

    def put(self, tx: Tx, whole: Component, name: str) -> int:
        kind = whole.components[0].name
        row = objects.insert(
            tx, id=ids.new_id(0), calendar_id=self.calendar, name=name, uid=name, kind=kind, state="BOOKED",
            ics=whole.to_bytes(), etag=name, tick=1, now=0,
        )  # fmt: skip
        index.index_object(tx, row, whole, horizon=HORIZON, fresh=True)
        self.subjects[row.id] = whole
        return row.id

    def matched(self, condition: Condition, zone: object) -> set[int]:
        prepared = plan(And((State("BOOKED"), condition)))
        out = set()
        for own, whole in self.subjects.items():
            zones = Zones(whole)
            if Subject(whole, zones=zones, occasions=Occasions(whole, zones, zone)).satisfies(prepared):
                out.add(own)
        return out

    def agree(self, tx: Tx, condition: Condition, zone: object) -> None:
        prepared = plan(And((State("BOOKED"), condition)))
        wall = None if zone is None else zone.wall
        compiled, rows = found.find_objects(tx, prepared, [self.calendar], wall=wall)
        assert len(rows) == len(set(rows)), "an object is found once"
        later = set()
        if compiled.until is not None:
            later = set(instances.open_objects(tx, [self.calendar], compiled.until)) - set(rows)
        expected = self.matched(condition, zone)
        if compiled.exact:
            assert set(rows) | (later & expected) == expected, condition
        else:
            assert set(rows) | later >= expected, condition


class Shelves:
    def __init__(self, stores: dict[str, Callable[[], Store]]) -> None:
        self.stores = stores
        self.made: dict[tuple[str, int], Shelf] = {}

    def agree(self, name: str, seed: int, wanted: list[Condition], zone: object) -> None:
        if (name, seed) not in self.made:
            self.made[name, seed] = Shelf(self.stores[name](), seed)
        shelf = self.made[name, seed]

        def ask(tx: Tx) -> None:
            for condition in wanted:
                shelf.agree(tx, condition, zone)

        shelf.store.read(ask)


@pytest.fixture
def shelves(request: pytest.FixtureRequest) -> Shelves:
    return Shelves(
        {name: partial(request.getfixturevalue, f"{name}_store") for name in ("sqlite", "postgres")}
    )


ZONES = st.sampled_from((None, BERLIN))


class TestAgreement:
    @settings(max_examples=40, **UNHURRIED)
    @given(wanted=st.lists(filters(), min_size=8, max_size=16), seed=st.integers(0, 3), zone=ZONES)
    def test_both_evaluators_agree_on_sqlite(
        self, shelves: Shelves, wanted: list[Condition], seed: int, zone: object
    ) -> None:
        shelves.agree("sqlite", seed, wanted, zone)

    @settings(max_examples=12, **UNHURRIED)
    @given(wanted=st.lists(filters(), min_size=8, max_size=16), zone=ZONES)
    def test_both_evaluators_agree_on_postgres(
        self, shelves: Shelves, wanted: list[Condition], zone: object
    ) -> None:
        shelves.agree("postgres", 0, wanted, zone)
