"""Privileges and the VCARs that say them; delegates; calendars of others at home."""

from __future__ import annotations

from itertools import combinations

import pytest
from core_world import World

from kalends.core.access import delegates, grants, mounting, presets, sharing
from kalends.core.access.sights import Sight
from kalends.core.access.upns import UpnFilter
from kalends.core.errors import DeniedError, InvalidError, NotFoundError, QuotaError
from kalends.core.model import Target
from kalends.ical.tree import Component, parse
from kalends.store.base import Store

ATOMS = tuple(presets.ATOMS)
SUBSETS = [
    frozenset(found) for size in range(1, len(ATOMS) + 1) for found in combinations(ATOMS, size)
] + [grants.ALL]  # fmt: skip
MARY = "mary@example.com"


@pytest.fixture
def world(store: Store) -> World:
    return World(store)


def test_every_set_of_privileges_is_read_back_as_it_was_written() -> None:
    for one in SUBSETS:
        vcar = parse(
            f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{grants.grant_text(one, MARY).to_ics()}END:VCALENDAR\r\n"
        )
        found = grants.privileges_in(vcar.children("VCAR")[0], MARY)
        assert found is not None
        assert grants.compose(found) == grants.compose(one)
        assert found - {"busy"} == one - {"busy"}


@pytest.mark.parametrize(
    ("privileges", "preset"),
    [({"busy"}, "busy"), ({"read"}, "read"), (grants.READ_WRITE, "secretary"), (grants.ALL, "owner")],
)
def test_presets_are_privileges(world: World, privileges: set[grants.Privilege], preset: str) -> None:
    world.store.write(lambda tx: grants.grant(tx, world.bill, world.calendar, MARY, frozenset(privileges)))
    (one,) = world.store.read(lambda tx: sharing.shares(tx, world.calendar.calendar_id))
    assert one.preset == preset


@pytest.mark.parametrize(
    "text",
    [
        "BEGIN:VRIGHT\nGRANT:mary@example.com\nGRANT:root@example.com\nPERMISSION:*\nSCOPE:SELECT * FROM VAGENDA\nEND:VRIGHT",
        "BEGIN:VRIGHT\nGRANT:root@example.com\nPERMISSION:*\nSCOPE:SELECT * FROM VAGENDA\nEND:VRIGHT",
        "BEGIN:VRIGHT\nDENY:mary@example.com\nPERMISSION:*\nSCOPE:SELECT * FROM VAGENDA\nEND:VRIGHT",
        "BEGIN:VRIGHT\nGRANT:mary@example.com\nPERMISSION:SEARCH\nSCOPE:SELECT * FROM VTODO\nEND:VRIGHT",
        "",
    ],
)
def test_what_says_more_or_less_is_not_written_in_privileges(text: str) -> None:
    whole = f"BEGIN:VCALENDAR\nVERSION:2.0\nBEGIN:VCAR\nCARID:share-mary@example.com\n{text}\nEND:VCAR\nEND:VCALENDAR\n"
    vcar = parse(whole.replace("\n\n", "\n").replace("\n", "\r\n")).children("VCAR")[0]
    assert grants.privileges_in(vcar, MARY) is None


def test_nothing_is_not_granted() -> None:
    with pytest.raises(InvalidError):
        grants.grant_text(frozenset(), MARY)


def test_rights_that_are_read_are_told_and_others_not(world: World) -> None:
    def told(sight: Sight) -> list[grants.Grant]:
        return world.store.read(lambda tx: grants.grants_in(tx, world.calendar.calendar_id, sight))

    assert {one.carid for one in told(Sight(None, whole=True))} == {"DEFAULTOWNER", "READBUSYTIMEINFO"}
    assert told(Sight(None, whole=False)) == []


def test_what_the_store_denies_holds_in_every_calendar(world: World) -> None:
    world.create(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VCAR\r\nCARID:no\r\nBEGIN:VRIGHT\r\nDENY:@\r\n"
        "PERMISSION:*\r\nSCOPE:SELECT * FROM VAGENDA\r\nEND:VRIGHT\r\nEND:VCAR\r\nEND:VCALENDAR\r\n",
        Target("cap://cal.example.com", 0, ""),
        world.root,
    )
    held = world.store.read(
        lambda tx: grants.grants_in(tx, world.calendar.calendar_id, Sight(None, whole=True))
    )
    assert [one for one in held if one.denies] == [
        grants.Grant(UpnFilter("nobody's"), grants.ALL, "no", denies=True)
    ]


class TestDelegates:
    def test_only_oneself_and_administrators_name_them(self, world: World) -> None:
        bill = world.bill.identity.principal_id
        assert bill is not None
        with pytest.raises(DeniedError):
            world.store.write(lambda tx: delegates.settle(tx, world.mary, bill, [MARY], write=True))
        with pytest.raises(InvalidError):
            world.store.write(
                lambda tx: delegates.settle(tx, world.bill, bill, ["bill@example.com"], write=True)
            )
        many = [f"u{number}@example.com" for number in range(delegates.MAX_DELEGATES + 1)]
        with pytest.raises(InvalidError):
            world.store.write(lambda tx: delegates.settle(tx, world.bill, bill, many, write=True))
        assert world.store.read(lambda tx: delegates.of(tx, bill, write=True)) == []

    def test_they_read_or_write_and_nothing_else(self, world: World) -> None:
        bill = world.bill.identity.principal_id
        assert bill is not None
        world.store.write(lambda tx: delegates.settle(tx, world.bill, bill, [MARY], write=False))
        text = world.text("SELECT * FROM VCAR WHERE CARID = 'proxy-mary@example.com'")
        assert "MODIFY" not in text
        assert world.store.read(lambda tx: delegates.acting_for(tx, MARY, write=False)) == [bill]
        assert world.store.read(lambda tx: delegates.acting_for(tx, MARY, write=True)) == []
        assert world.store.read(lambda tx: mounting.mounted(tx, world.mary)) == []


class TestMounts:
    def test_who_has_no_name_has_no_home(self, world: World) -> None:
        nobody = world.caller("mary", identity=type(world.mary.identity)("@"))
        assert world.store.read(lambda tx: mounting.mounted(tx, nobody)) == []
        assert world.store.read(lambda tx: mounting.at(tx, nobody, "bill~calendar")) is None

    def test_a_renamed_calendar_keeps_the_segment_that_one_made_ones_own(self, world: World) -> None:
        world.store.write(lambda tx: sharing.share(tx, world.bill, world.calendar, "mary", "read"))

        def mount() -> mounting.Mount:
            (found,) = world.store.read(lambda tx: mounting.mounted(tx, world.mary))
            return found

        mine = Component("VAGENDA")
        mine.add("NAME", "Mine")
        world.store.write(lambda tx: mounting.personalise(tx, world.mary, mount(), mine))
        before = mount()
        world.store.write(lambda tx: tx.run("update calendar set slug = 'x' where slug = 'calendar'"))
        assert mount().slug == before.slug == "bill~calendar"
        assert mounting.own(mount()).value("NAME") == "Mine"
        found = world.store.read(lambda tx: mounting.at(tx, world.mary, "bill~calendar"))
        assert found is not None
        assert world.store.read(lambda tx: mounting.at(tx, world.mary, "bill~x")) is None

    def test_what_one_keeps_is_bounded(self, world: World) -> None:
        world.store.write(lambda tx: sharing.share(tx, world.bill, world.calendar, "mary", "read"))
        (mount,) = world.store.read(lambda tx: mounting.mounted(tx, world.mary))
        held = Component("VAGENDA")
        held.add("X-KALENDS-PROPERTY", "y" * mounting.MAX_LENGTH)
        with pytest.raises(QuotaError):
            world.store.write(lambda tx: mounting.personalise(tx, world.mary, mount, held))


def test_sharing_with_nobody_is_refused(world: World) -> None:
    with pytest.raises(NotFoundError):
        world.store.write(
            lambda tx: grants.settle(tx, world.bill, world.calendar, {"who@example.com": grants.ALL})
        )
