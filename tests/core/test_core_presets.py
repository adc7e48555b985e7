"""Six named ways to share a calendar."""

from __future__ import annotations

import pytest
from core_world import World, preset_text

from kalends.calquery.bind import Bindings
from kalends.core import ledger
from kalends.core.access import vrights
from kalends.core.access.circumstances import Context, Standing
from kalends.core.access.presets import PRESETS, preset
from kalends.core.access.vcar import Judge
from kalends.core.access.vrights import rules_of
from kalends.core.errors import InvalidError
from kalends.core.model import Identity
from kalends.ical.tree import Component, parse
from kalends.store.base import Tx

MARY = "mary@example.com"
AGENDA = Component("VAGENDA")
AGENDA.add("CALID", "cap://cal.example.com/bill")
AGENDA.add("OWNER", "bill@example.com")
RIGHT = Component("VCAR")
RIGHT.add("CARID", "x")


def event(access: str) -> Component:
    made = Component("VEVENT")
    made.add("UID", "1")
    made.add("DTSTART", "20260101T100000Z")
    made.add("SUMMARY", "Dentist")
    made.add("CLASS", access)
    made.add("ATTENDEE", "mailto:mary@example.com")
    return made


def judge(name: str) -> Judge:
    return Judge(rules_of(preset(name, MARY)), Identity(MARY), Context(False, Bindings(MARY), AGENDA))


def names(component: Component | None) -> list[str]:
    return [] if component is None else [item.name for item in component.items]


@pytest.mark.parametrize(
    ("name", "public", "private"),
    [
        ("busy", [], []),
        ("titles", ["UID", "DTSTART", "SUMMARY", "CLASS"], []),
        ("read", ["UID", "DTSTART", "SUMMARY", "CLASS", "ATTENDEE"], []),
        ("colleague", ["UID", "DTSTART", "SUMMARY", "CLASS", "ATTENDEE"], ["UID", "DTSTART", "CLASS"]),
        ("secretary", names(event("PUBLIC")), names(event("PRIVATE"))),
        ("owner", names(event("PUBLIC")), names(event("PRIVATE"))),
    ],
)
def test_what_each_shows(name: str, public: list[str], private: list[str]) -> None:
    one = judge(name)
    assert names(one.visible(event("PUBLIC"))) == public
    assert names(one.visible(event("PRIVATE"))) == private
    assert one.visible(Component("VFREEBUSY", event("PUBLIC").items)) is not None
    assert ("CALID" in names(one.visible(AGENDA))) is (name != "busy")


@pytest.mark.parametrize("name", PRESETS)
def test_what_each_lets_do(name: str) -> None:
    one = judge(name)
    writes = name in ("secretary", "owner")
    assert one.may("CREATE", event("PUBLIC")) is writes
    assert one.may("CREATE", event("PUBLIC"), Standing("UNPROCESSED", "REQUEST")) is (
        writes or name == "colleague"
    )
    for permission in ("DELETE", "MOVE"):
        assert one.may(permission, event("PRIVATE")) is writes
    assert one.may_modify(event("PUBLIC"), event("PRIVATE")) is writes
    for permission in ("CREATE", "MODIFY", "DELETE", "SEARCH"):
        assert one.may(permission, RIGHT) is (name == "owner")
    assert one.may_modify(AGENDA, Component("VAGENDA")) is (name == "owner")


@pytest.mark.parametrize("name", PRESETS)
def test_each_can_be_created_and_is_found_again(one_world: World, name: str) -> None:
    """A preset passes every check, and holds from its creation on, until it is removed."""
    world = one_world
    before = world.store.read(lambda tx: vrights.rules_in(tx, world.calendar.calendar_id))
    (receipt,) = world.create(preset_text(name, MARY))
    assert receipt.error is None
    after = world.store.read(lambda tx: vrights.rules_in(tx, world.calendar.calendar_id))
    assert {rule.carid for rule in after} - {rule.carid for rule in before} == {f"share-{MARY}"}
    world.delete(f"SELECT * FROM VCAR WHERE CARID = 'share-{MARY}'")
    assert world.store.read(lambda tx: vrights.rules_in(tx, world.calendar.calendar_id)) == before


def test_rules_that_are_undone_are_forgotten(one_world: World) -> None:
    """What a transaction that failed wrote, decides nothing afterwards."""
    world = one_world
    seen: list[int] = []

    def work(tx: Tx) -> None:
        ledger.create(tx, world.bill, world.calendar, parse(preset_text("owner", MARY)))
        seen.append(len(vrights.rules_in(tx, world.calendar.calendar_id)))
        raise InvalidError("undone")

    with pytest.raises(InvalidError):
        world.store.write(work)
    left = world.store.read(lambda tx: vrights.rules_in(tx, world.calendar.calendar_id))
    assert {rule.carid for rule in left} == {
        "READBUSYTIMEINFO", "REQUESTONLY", "UPDATEPARTSTATUS", "DEFAULTOWNER"
    }  # fmt: skip
    assert seen == [len(left) + 1]


def test_what_is_no_preset_or_nobody_is_refused() -> None:
    with pytest.raises(InvalidError, match="busy, titles, read, colleague, secretary, owner"):
        preset("boss", MARY)
    with pytest.raises(InvalidError):
        preset("read", "mary@*")
