"""Random commands against a store and against a dictionary: both must come to the same end."""

from __future__ import annotations

from collections.abc import Callable

from core_world import World, calendar, errors, event
from hypothesis import given, settings
from hypothesis import strategies as st

from kalends.core.errors import KalendsError
from kalends.store import maintenance
from kalends.store.base import Store
from kalends.store.open import open_store

UIDS = ("a", "b", "c")
PLACES = ("one", "two")
Key = tuple[str, str]
"""Calendar and UID of a booked object."""


class Model:
    """What a store should hold: the summary of each booked object, and how many marked ones there are."""

    def __init__(self) -> None:
        self.booked: dict[Key, str] = {}
        self.marked: dict[Key, int] = {}

    def create(self, place: str, uid: str, text: str) -> str:
        if (place, uid) in self.booked:
            return "DuplicateError"
        self.booked[place, uid] = text
        return ""

    def delete(self, place: str, uid: str, mark: bool) -> bool:
        if self.booked.pop((place, uid), None) is None:
            return False
        if mark:
            self.marked[place, uid] = self.marked.get((place, uid), 0) + 1
        return True

    def modify(self, place: str, uid: str, old: str, new: str) -> bool:
        if self.booked.get((place, uid)) != old:
            return False
        self.booked[place, uid] = new
        return True

    def move(self, place: str, uid: str) -> str | None:
        to = PLACES[1 - PLACES.index(place)]
        if (place, uid) not in self.booked:
            return None
        if (to, uid) in self.booked:
            return "DuplicateError"
        self.booked[to, uid] = self.booked.pop((place, uid))
        return ""


TEXTS = st.sampled_from(("red", "green", "blue"))
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("create"), st.sampled_from(PLACES), st.sampled_from(UIDS), TEXTS),
        st.tuples(st.just("delete"), st.sampled_from(PLACES), st.sampled_from(UIDS), st.booleans()),
        st.tuples(st.just("modify"), st.sampled_from(PLACES), st.sampled_from(UIDS), TEXTS, TEXTS),
        st.tuples(st.just("move"), st.sampled_from(PLACES), st.sampled_from(UIDS)),
    ),
    max_size=14,
)


def by_uid(uid: str) -> str:
    return f"SELECT * FROM VEVENT WHERE UID = '{uid}' AND STATE() = 'BOOKED'"


class Real:
    """The same steps on a store."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.places = {"one": world.calendar, "two": world.marys}

    def create(self, place: str, uid: str, text: str) -> str:
        made = event(uid, f"SUMMARY:{text}", "RRULE:FREQ=WEEKLY;COUNT=3")
        return errors(self.world.create(calendar(made), self.places[place], self.world.root))[0]

    def delete(self, place: str, uid: str, mark: bool) -> bool:
        receipts = self.world.delete(by_uid(uid), self.places[place], self.world.root, mark=mark)
        return errors(receipts) == [""]

    def modify(self, place: str, uid: str, old: str, new: str) -> bool:
        try:
            receipts = self.world.modify(
                by_uid(uid), f"SUMMARY:{old}", f"SUMMARY:{new}", self.places[place], self.world.root
            )
        except KalendsError:
            return False
        return errors(receipts) == [""]

    def move(self, place: str, uid: str) -> str | None:
        to = self.places[PLACES[1 - PLACES.index(place)]]
        receipts = self.world.move(by_uid(uid), to.given, self.places[place].given, self.world.root)
        return errors(receipts)[0] if receipts else None

    def booked(self) -> dict[Key, str]:
        return {
            (place, found.value("UID") or ""): found.value("SUMMARY") or ""
            for place, target in self.places.items()
            for found in self.world.find("SELECT * FROM VEVENT", target, self.world.root)
        }

    def marked(self) -> dict[Key, int]:
        counts: dict[Key, int] = {}
        for place, target in self.places.items():
            query = "SELECT UID FROM VEVENT WHERE STATE() = 'DELETED'"
            for found in self.world.find(query, target, self.world.root):
                key = (place, found.value("UID") or "")
                counts[key] = counts.get(key, 0) + 1
        return counts


def play(store: Store, steps: list[tuple[str, ...]]) -> None:
    model, real = Model(), Real(World(store))
    for verb, *arguments in steps:
        wanted: Callable[..., object] = getattr(model, verb)
        got: Callable[..., object] = getattr(real, verb)
        assert got(*arguments) == wanted(*arguments), (verb, arguments)
    assert real.booked() == model.booked
    assert real.marked() == model.marked
    assert maintenance.check(store) == []


@given(steps=STEPS)
@settings(max_examples=40, deadline=None)
def test_random_commands_come_to_the_same_end_as_a_model(steps: list[tuple[str, ...]]) -> None:
    store = open_store("sqlite:///:memory:")
    try:
        play(store, steps)
    finally:
        store.close()


def test_a_long_story_on_postgresql(postgres_store: Store) -> None:
    play(
        postgres_store,
        [
            ("create", "one", "a", "red"),
            ("create", "one", "a", "blue"),
            ("create", "two", "a", "green"),
            ("move", "one", "a"),
            ("delete", "two", "a", True),
            ("move", "one", "a"),
            ("modify", "two", "a", "red", "blue"),
            ("modify", "two", "a", "red", "green"),
            ("create", "one", "b", "red"),
            ("delete", "one", "b", True),
            ("create", "one", "b", "green"),
            ("delete", "one", "b", False),
            ("delete", "one", "b", False),
        ],
    )
