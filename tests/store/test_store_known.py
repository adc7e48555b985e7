"""What transactions remember for later ones holds only as long as counters prove it."""

from __future__ import annotations

import pytest

from kalends.store import calendars, principals
from kalends.store.base import Store, Tx
from kalends.store.known import MOST, Known


@pytest.fixture
def peopled(store: Store) -> Store:
    def fill(tx: Tx) -> None:
        principals.add(tx, id=1, upn="bill@example.net", now=5, name="Bill")
        calendars.add(tx, id=1, calid="bill/calendar", home_id=1, slug="calendar")
        calendars.add(tx, id=2, calid="bill/tasks", home_id=1, slug="tasks")

    store.write(fill)
    return store


def name_of(tx: Tx) -> str | None:
    found = principals.by_upn(tx, "bill@example.net")
    return None if found is None else found.name


def test_store_known_things_are_asked_for_once(peopled: Store) -> None:
    peopled.read(name_of)

    def again(tx: Tx) -> object:
        since = principals.generation(tx)
        tx.known.put(("mark", since), "kept")
        return principals.by_upn(tx, "bill@example.net") is principals.by_upn(tx, "bill@example.net")

    assert peopled.read(again)
    assert peopled.read(lambda tx: tx.known.get(("mark", principals.generation(tx)))) == "kept"


def test_store_known_principals_follow_a_change_in_the_same_and_the_next_transaction(peopled: Store) -> None:
    def change(tx: Tx) -> list[str | None]:
        before = name_of(tx)
        principals.set_name(tx, 1, "William")
        return [before, name_of(tx)]

    assert peopled.write(change) == ["Bill", "William"]
    assert peopled.read(name_of) == "William"


def test_store_known_addresses_and_absences_follow_a_change(peopled: Store) -> None:
    def look(tx: Tx) -> tuple[list[str], bool]:
        uri = "mailto:will@example.net"
        return principals.addresses(tx, 1), principals.by_address(tx, uri) is not None

    assert peopled.read(look) == ([], False)
    peopled.write(lambda tx: principals.add_address(tx, 1, "mailto:will@example.net"))
    assert peopled.read(look) == (["mailto:will@example.net"], True)
    peopled.write(lambda tx: principals.remove_address(tx, "mailto:will@example.net"))
    assert peopled.read(look) == ([], False)


def test_store_known_what_is_rolled_back_is_remembered_by_nobody(peopled: Store) -> None:
    def fail(tx: Tx) -> None:
        principals.set_name(tx, 1, "Wrong")
        assert name_of(tx) == "Wrong"
        raise LookupError("undone")

    with pytest.raises(LookupError, match="undone"):
        peopled.write(fail)
    peopled.write(lambda tx: principals.set_name(tx, 1, "Right"))
    assert peopled.read(name_of) == "Right"


def test_store_known_a_savepoint_takes_back_what_was_learnt_in_it(peopled: Store) -> None:
    def work(tx: Tx) -> str | None:
        def inside() -> None:
            with tx.savepoint():
                principals.set_name(tx, 1, "Wrong")
                assert name_of(tx) == "Wrong"
                raise LookupError

        with pytest.raises(LookupError):
            inside()
        principals.set_name(tx, 1, "Right")
        return name_of(tx)

    assert peopled.write(work) == "Right"
    assert peopled.read(name_of) == "Right"


def test_store_known_a_removed_calendar_is_nobodys_default_any_more(peopled: Store) -> None:
    def default(tx: Tx) -> int | None:
        found = principals.by_id(tx, 1)
        assert found is not None
        return found.default_calendar

    peopled.write(lambda tx: principals.set_default_calendar(tx, 1, 2))
    assert peopled.read(default) == 2
    peopled.write(lambda tx: calendars.remove(tx, 2))
    assert peopled.read(default) is None


def test_store_known_rights_ticks_of_the_store_reach_rows_already_read(peopled: Store) -> None:
    def change(tx: Tx) -> tuple[int, int]:
        before, _ = calendars.by_id(tx, 1), calendars.by_id(tx, 0)
        tick = calendars.bump(tx, [0])[0]
        calendars.set_rights_tick(tx, 0, tick)
        after = calendars.by_id(tx, 1)
        assert before is not None
        assert after is not None
        return after.store_rights_tick - before.store_rights_tick, tick

    moved, tick = peopled.write(change)
    assert moved == tick > 0


def test_store_known_is_bounded() -> None:
    shared: dict[tuple[object, ...], object] = {}
    for number in range(MOST + 10):
        known = Known(shared)  # type: ignore[arg-type]  # keys are hashable here
        known.put(("x", number), number)
        known.keep()
    assert len(shared) <= MOST
    assert shared["x", MOST + 9] == MOST + 9
