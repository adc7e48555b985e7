"""The list of somebody's calendars begins at whom the calendars name (RFC 4324 §4.2, §6.1.3, §9.3)."""

from __future__ import annotations

import re
from itertools import product

import pytest
from core_world import World, preset_text

from kalends.core import containers
from kalends.core.access import rights
from kalends.core.access.upns import filters_of, parse_filter
from kalends.core.errors import InvalidError
from kalends.core.model import Caller
from kalends.core.names import ANONYMOUS
from kalends.store import schema
from kalends.store.base import Tx
from kalends.store.maintenance import check, reindex

FILTERS = ("*", "@", "@*", "@example.com", "*@*", "*@example.com", "mary@example.com", "staff@example.com")
FROM_NOW = 2**33


def listed(world: World, caller: Caller) -> list[str]:
    return [row.calid for row in world.store.read(lambda tx: rights.visible_calendars(tx, caller))]


def reach(world: World, who: str) -> int:
    def count(tx: Tx) -> int:
        return len(tx.rows("select object_id from reach where who = ?", (who,)))

    return world.store.read(count)


def codes(world: World) -> set[str]:
    return {finding.code for finding in check(world.store)}


@pytest.mark.parametrize(
    "upn", [ANONYMOUS, "@example.com", "@example.org", "mary@example.com", "m@example.org"]
)
@pytest.mark.parametrize("groups", [(), ("staff@example.com",)])
def test_filters_are_found_from_who_they_speak_of(upn: str, groups: tuple[str, ...]) -> None:
    """UPN-07: the same table, asked from both sides."""
    speaking = {one for one in FILTERS if parse_filter(one).matches(upn, groups)}
    assert speaking == set(filters_of(upn, groups)).intersection(FILTERS)
    for text in ("NOT CAL-OWNERS()", " non  cal-owners() ", "CAL-OWNERS()"):
        plain = re.sub(r"\s", "", text).lower()
        assert (plain in filters_of(upn, groups)) is parse_filter(text).matches(upn, groups)


def test_filters_name_nobody_else() -> None:
    for user, realm in product(("", "*", "ann"), ("", "*", "example.com")):
        text = f"{user}@{realm}"
        try:
            matches = parse_filter(text).matches("ann@example.com")
        except InvalidError:
            continue
        assert matches is (text in filters_of("ann@example.com"))


def test_calendars_as_they_are_born_are_listed_for_their_owners_alone(world: World) -> None:
    """And the rights that every calendar has lead nobody else to look at it."""
    assert "bill/calendar" in listed(world, world.bill)
    assert not [calid for calid in listed(world, world.mary) if calid.startswith("bill/")]
    assert [reach(world, who) for who in filters_of(ANONYMOUS)] == [0] * len(filters_of(ANONYMOUS))


def test_a_shared_calendar_is_listed_until_it_is_not_shared(world: World) -> None:
    world.create(preset_text("read", "mary@example.com"))
    assert "bill/calendar" in listed(world, world.mary)
    world.delete("SELECT * FROM VCAR WHERE CARID = 'share-mary@example.com'")
    assert "bill/calendar" not in listed(world, world.mary)


def test_a_calendar_shared_with_a_realm_is_listed_until_its_end(world: World) -> None:
    world.create(preset_text("titles", "*@example.com"))
    assert "bill/calendar" in listed(world, world.mary)
    world.store.write(lambda tx: containers.remove_calendar(tx, world.bill, world.calendar))
    assert "bill/calendar" not in listed(world, world.mary)
    assert codes(world) == set()


@pytest.mark.parametrize("damage", ["delete from reach", "update reach set who = 'eve@example.com'"])
def test_whom_a_calendar_is_listed_for_is_checked_and_made_anew(world: World, damage: str) -> None:
    world.create(preset_text("read", "mary@example.com"))
    before = listed(world, world.mary)
    world.store.write(lambda tx: tx.run(damage))
    assert codes(world) == {"reach-differs"}
    reindex(world.store, horizon=FROM_NOW)
    assert codes(world) == set()
    assert listed(world, world.mary) == before


def test_an_older_store_learns_whom_its_calendars_name(world: World) -> None:
    """The migration and the program derive the same."""
    world.create(preset_text("read", "mary@example.com"))
    before = listed(world, world.mary)
    _, _, filling = schema.migrations()[10].partition("insert into reach")

    def anew(tx: Tx) -> None:
        tx.run("delete from reach")
        tx.run("insert into reach" + filling.rstrip().removesuffix(";"))

    world.store.write(anew)
    assert codes(world) == set()
    assert listed(world, world.mary) == before
