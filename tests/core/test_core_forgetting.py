"""Removing somebody takes what rights granted them, on both databases (RFC 4324 §4.2: denied unless granted)."""

from __future__ import annotations

from core_world import NOW, POLICY, World

from kalends.core.access import sharing
from kalends.core.people import identity

BEN = "ben@example.com"
TITLES = "SELECT SUMMARY FROM VEVENT"
EVENT = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y//EN\r\nBEGIN:VEVENT\r\nUID:1@x\r\nDTSTAMP:20260101T000000Z\r\n"
    "DTSTART:20260102T100000Z\r\nSUMMARY:Dentist\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)


def add(world: World) -> None:
    world.store.write(lambda tx: identity.add_user(tx, POLICY, BEN, now=NOW))


def share(world: World, whom: str) -> None:
    world.store.write(lambda tx: sharing.share(tx, world.bill, world.calendar, whom, "titles"))


def test_a_new_user_of_an_old_name_inherits_no_rights(world: World) -> None:
    world.create(EVENT)
    add(world)
    share(world, BEN)
    share(world, "mary")
    assert len(world.find(TITLES, caller=world.caller("ben"))) == 1
    world.store.write(lambda tx: identity.remove_user(tx, BEN, now=NOW, with_calendars=True, policy=POLICY))
    add(world)
    assert world.find(TITLES, caller=world.caller("ben")) == []
    assert len(world.find(TITLES, caller=world.mary)) == 1
    left = world.store.read(lambda tx: sharing.shares(tx, world.calendar.calendar_id))
    assert [one.upn for one in left] == ["mary@example.com"]


def test_a_denial_outlives_whom_it_denies(world: World) -> None:
    world.create(EVENT)
    add(world)
    share(world, "*")
    world.create(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y//EN\r\nBEGIN:VCAR\r\nCARID:not-ben\r\nBEGIN:VRIGHT\r\n"
        f"DENY:{BEN}\r\nPERMISSION:SEARCH\r\nSCOPE:SELECT * FROM VEVENT\r\nEND:VRIGHT\r\n"
        f"BEGIN:VRIGHT\r\nGRANT:{BEN}\r\nPERMISSION:SEARCH\r\nSCOPE:SELECT * FROM VTODO\r\nEND:VRIGHT\r\n"
        "END:VCAR\r\nEND:VCALENDAR\r\n"
    )
    world.store.write(lambda tx: identity.remove_user(tx, BEN, now=NOW, with_calendars=True, policy=POLICY))
    vcar = world.text("SELECT * FROM VCAR WHERE CARID = 'not-ben'")
    assert f"DENY:{BEN}" in vcar
    assert "GRANT" not in vcar
