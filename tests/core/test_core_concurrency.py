"""Several writers at once: the rules of a container hold all the same (OBM-09, MOV-05)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from core_world import World, calendar, errors, event

from kalends.core.errors import StaleError
from kalends.store import maintenance

WRITERS = 6


def test_OBM09_of_twins_created_at_once_exactly_one_is_booked(world: World) -> None:
    text = calendar(event("twin"))
    with ThreadPoolExecutor(WRITERS) as pool:
        said = [errors(receipts)[0] for receipts in pool.map(lambda _: world.create(text), range(WRITERS))]
    assert sorted(said) == ["", *["DuplicateError"] * (WRITERS - 1)]
    assert world.uids("SELECT * FROM VEVENT") == ["twin"]
    assert maintenance.check(world.store) == []


def test_MDF03_of_two_who_saw_the_same_values_one_wins(world: World) -> None:
    world.create(calendar(event("a", "LOCATION:old")))

    def swap(number: int) -> bool:
        try:
            world.modify("SELECT * FROM VEVENT", "LOCATION:old", f"LOCATION:new {number}")
        except StaleError:
            return False
        return True

    with ThreadPoolExecutor(WRITERS) as pool:
        assert sorted(pool.map(swap, range(WRITERS))) == [*[False] * (WRITERS - 1), True]


def test_MOV05_an_object_moved_from_both_ends_is_somewhere_exactly_once(world: World) -> None:
    world.create(calendar(event("a")))

    def push(number: int) -> None:
        source, to = ("bill/calendar", "mary/calendar") if number % 2 else ("mary/calendar", "bill/calendar")
        world.move("SELECT * FROM VEVENT", to, source, world.root)

    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(push, range(WRITERS)))
    here = world.uids("SELECT * FROM VEVENT") + world.uids("SELECT * FROM VEVENT", world.marys, world.mary)
    assert here == ["a"]
    assert maintenance.check(world.store) == []
