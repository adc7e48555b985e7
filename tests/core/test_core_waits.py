"""How often a write waits for a database that is far away."""

from __future__ import annotations

import pytest
from core_world import World, calendar, event

from kalends.core import ledger
from kalends.ical.tree import parse
from kalends.store.base import Store
from kalends.store.postgres.wire import Wire


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The statements of each round trip."""
    trips: list[int] = []
    run = Wire.run
    monkeypatch.setattr(Wire, "run", lambda wire, all_: (trips.append(len(all_)), run(wire, all_))[1])
    return trips


def put(world: World, name: str, text: str) -> None:
    world.store.write(
        lambda tx: ledger.put_object(
            tx, world.bill, world.calendar, name, parse(text), check=lambda _row: None
        )
    )


def whole(uid: str, *more: str) -> str:
    return calendar(event(uid, *more)).replace("CMD:CREATE\r\nTARGET:x\r\n", "")


def test_a_write_waits_for_the_lock_the_rows_and_the_commit(postgres_store: Store, waits: list[int]) -> None:
    """What is asked before an object is written comes along with the lock, whoever writes."""
    world = World(postgres_store)
    put(world, "a.ics", whole("a"))
    waits.clear()
    put(world, "b.ics", whole("b"))
    assert len(waits) == 3
    waits.clear()
    put(world, "b.ics", whole("b", "SUMMARY:Again"))
    assert len(waits) == 3
    waits.clear()
    world.create(calendar(event("c")))
    assert len(waits) == 4, "the first one asks for the calendar"
    guests = "ORGANIZER:mailto:bill@example.net\nATTENDEE:mailto:somebody@elsewhere.example"
    put(world, "d.ics", whole("d", guests))  # from now on it is known who they are
    waits.clear()
    put(world, "e.ics", whole("e", guests))
    assert len(waits) == 4, "one of them asks whether that still holds"
