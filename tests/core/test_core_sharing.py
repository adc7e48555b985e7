"""Sharing, decrees, and rights in words (RFC 4324 §4.2.3, §9.3)."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from core_world import STORE, World, calendar, component, errors, event

from kalends.core import ledger
from kalends.core.access import decreeing, rights, sharing, telling
from kalends.core.access.presets import PRESETS
from kalends.core.errors import DeniedError, InvalidError, KalendsError, NotFoundError, StaleError
from kalends.core.model import Caller
from kalends.ical.tree import Component, parse
from kalends.store.base import Tx

MARY = "mary@example.com"


def share(world: World, upn: str, how: str, caller: Caller | None = None) -> sharing.Share:
    return world.store.write(lambda tx: sharing.share(tx, caller or world.bill, world.calendar, upn, how))


def vcar(carid: str, *lines: str) -> Component:
    made = component("VCAR", f"CARID:{carid}")
    made.items.append(component("VRIGHT", "\n".join(lines)))
    return made


def decree(world: World, made: Component) -> None:
    world.store.write(lambda tx: decreeing.decree(tx, world.root, STORE, made))


def refusal(work: Callable[[], object]) -> KalendsError:
    with pytest.raises(KalendsError) as refused:
        work()
    return refused.value


def test_each_way_of_sharing_replaces_the_one_before(world: World) -> None:
    """One VCAR for each of them, read back as what it is."""
    for how in (*PRESETS, *PRESETS):
        assert share(world, "Mary", how) == sharing.Share(MARY, how, f"share-{MARY}")
        assert world.store.read(lambda tx: sharing.shares(tx, world.calendar.calendar_id)) == [
            sharing.Share(MARY, how, f"share-{MARY}")
        ]
    assert world.store.write(lambda tx: sharing.unshare(tx, world.bill, world.calendar, "mary"))
    assert not world.store.write(lambda tx: sharing.unshare(tx, world.bill, world.calendar, MARY))
    assert world.store.read(lambda tx: sharing.shares(tx, world.calendar.calendar_id)) == []


def test_what_was_changed_by_hand_is_no_preset_any_more(one_world: World) -> None:
    world = one_world
    share(world, "*", "busy")
    world.modify(
        "SELECT * FROM VCAR WHERE CARID = 'share-*'",
        "BEGIN:VRIGHT\nPERMISSION:SEARCH\nEND:VRIGHT",
        "BEGIN:VRIGHT\nPERMISSION:*\nEND:VRIGHT",
        kind="VCAR",
    )
    assert [
        one.preset for one in world.store.read(lambda tx: sharing.shares(tx, world.calendar.calendar_id))
    ] == [""]


def test_only_who_may_write_rights_may_share(one_world: World) -> None:
    world = one_world
    share(world, MARY, "secretary")
    assert isinstance(refusal(lambda: share(world, "root", "read", world.mary)), DeniedError)
    assert isinstance(refusal(lambda: share(world, MARY, "owner", world.mary)), DeniedError)
    with pytest.raises(DeniedError):
        world.store.write(lambda tx: sharing.unshare(tx, world.mary, world.calendar, MARY))
    share(world, MARY, "owner")
    share(world, "root", "read", world.mary)
    for given, said in (
        ("nobody", NotFoundError),
        ("nobody@example.com", NotFoundError),
        ("x@*", InvalidError),
    ):
        assert isinstance(refusal(lambda given=given: share(world, given, "read")), said)
    assert share(world, "eve@elsewhere.example.com", "read").upn == "eve@elsewhere.example.com"


def test_a_decree_is_read_by_owners_and_changed_by_nobody_acl_10_acl_12(world: World) -> None:
    """ACL-10, ACL-12: in every calendar, as a VCAR like others."""
    decree(world, vcar("LAW", "DENY:mary@example.com", "PERMISSION:SEARCH", "SCOPE:SELECT * FROM VEVENT"))
    by_name = "SELECT * FROM VCAR WHERE CARID = 'LAW'"
    (law,) = world.find(by_name)
    assert law.value("DECREED") == "TRUE"
    assert len(world.find("SELECT * FROM VCAR")) == 5
    assert world.find(by_name, world.calendar, world.mary) == []
    for old, new in (("DECREED:TRUE", "DECREED:FALSE"), ("", "NAME:x"), ("CARID:LAW", "CARID:x")):
        assert isinstance(
            refusal(lambda old=old, new=new: world.modify(by_name, old, new, kind="VCAR")), DeniedError
        )
    assert errors(world.delete(by_name)) == ["DeniedError"]
    assert errors(world.move(by_name, "mary/calendar", "bill/calendar", caller=world.root)) == ["DeniedError"]
    world.modify("SELECT * FROM VCAR", "CARID:REQUESTONLY", "X-NOTE:x\nCARID:REQUESTONLY", kind="VCAR")
    world.create(calendar(event("a")))
    assert isinstance(refusal(lambda: share(world, MARY, "read")), DeniedError)
    world.store.write(lambda tx: decreeing.repeal(tx, world.root, STORE, "LAW"))
    share(world, MARY, "read")
    decree(world, vcar("LAW", "DENY:mary@example.com", "PERMISSION:SEARCH", "SCOPE:SELECT * FROM VEVENT"))
    assert world.find("SELECT * FROM VEVENT", world.calendar, world.mary) == []
    world.store.write(lambda tx: decreeing.repeal(tx, world.root, STORE, "LAW"))
    assert world.uids("SELECT * FROM VEVENT", world.calendar, world.mary) == ["a"]


def test_a_contradiction_is_refused_like_anything_acl_03_acl_11(world: World) -> None:
    """ACL-03, ACL-11: the same class and the same words as a right that is missing."""
    decree(world, vcar("OPEN", "GRANT:CAL-OWNERS()", "PERMISSION:*"))
    bad = vcar("x", "DENY:*", "PERMISSION:DELETE", "SCOPE:SELECT * FROM VEVENT")
    text = calendar("BEGIN:VCAR\nCARID:x\nBEGIN:VRIGHT\nDENY:*\nPERMISSION:DELETE\nEND:VRIGHT\nEND:VCAR")
    (receipt,) = world.create(text)
    plain = refusal(lambda: world.create(calendar(bad.to_ics()), world.calendar, world.mary))
    assert isinstance(receipt.error, DeniedError)
    assert (type(receipt.error), receipt.error.reason) == (type(plain), plain.reason)
    changed = refusal(
        lambda: world.modify(
            "SELECT * FROM VCAR WHERE CARID = 'DEFAULTOWNER'",
            "BEGIN:VRIGHT\nGRANT:CAL-OWNERS()\nEND:VRIGHT",
            "BEGIN:VRIGHT\nDENY:CAL-OWNERS()\nEND:VRIGHT",
            kind="VCAR",
        )
    )
    assert (type(changed), changed.reason) == (type(plain), plain.reason)
    assert errors(world.create(calendar("BEGIN:VCAR\nCARID:y\nDECREED:TRUE\nBEGIN:VRIGHT\nGRANT:*\nPERMISSION:SEARCH\nEND:VRIGHT\nEND:VCAR"))) == ["DeniedError"]  # fmt: skip


def test_only_administrators_decree(one_world: World) -> None:
    made = vcar("x", "GRANT:*", "PERMISSION:*")
    with pytest.raises(DeniedError):
        one_world.store.write(lambda tx: decreeing.decree(tx, one_world.bill, STORE, made))
    with pytest.raises(NotFoundError):
        one_world.store.write(lambda tx: decreeing.repeal(tx, one_world.root, STORE, "DEFAULTOWNER"))
    with pytest.raises(InvalidError):
        decree(one_world, component("VEVENT", "UID:x"))


def test_who_decides_is_told(one_world: World) -> None:
    """The explanation and the decision are one: nothing is explained that is not so."""
    world = one_world
    world.create(calendar(event("a", "CLASS:PRIVATE")))
    share(world, MARY, "read")
    world.create(calendar(
        "BEGIN:VCAR\nCARID:no\nBEGIN:VRIGHT\nDENY:*@*\nPERMISSION:CREATE\nEND:VRIGHT\nEND:VCAR"
    ))  # fmt: skip

    def reasons(tx: Tx, who: str) -> dict[tuple[str, str], tuple[str, list[str]]]:
        somebody = telling.somebody(tx, world.root, who)
        return {
            (one.permission, one.kind): (one.amount, sorted({rule.carid for rule in one.rules}))
            for one in telling.explain(tx, somebody, world.calendar)
        }

    marys = world.store.read(lambda tx: reasons(tx, "mary"))
    assert marys["SEARCH", "VEVENT"] == ("some", [f"share-{MARY}"])
    assert marys["SEARCH", "VFREEBUSY"] == ("all", ["READBUSYTIMEINFO", f"share-{MARY}"])
    assert marys["CREATE", "VEVENT"] == ("none", ["no"])
    assert marys["DELETE", "VEVENT"] == ("none", [])
    bills = world.store.read(lambda tx: reasons(tx, "bill"))
    assert bills["DELETE", "VCAR"] == ("all", ["DEFAULTOWNER"])
    nobodys = world.store.read(lambda tx: reasons(tx, "@"))
    assert nobodys["CREATE", "VEVENT"] == ("some", ["REQUESTONLY"])
    one = world.store.read(
        lambda tx: telling.explain_object(tx, telling.somebody(tx, world.root, "mary"), world.calendar, "a")
    )
    assert [(r.permission, r.amount) for r in one] == [
        ("SEARCH", "none"), ("CREATE", "none"), ("DELETE", "none"), ("MODIFY", "none"), ("MOVE", "none")
    ]  # fmt: skip


def test_privileges_in_outline(one_world: World) -> None:
    """What DAV tells as current-user-privilege-set."""
    world = one_world

    def held(caller: Caller) -> rights.Privileges:
        return world.store.read(lambda tx: rights.privileges(tx, caller, world.calendar.calendar_id))

    assert held(world.bill) == rights.Privileges(*[True] * 12)
    fresh = held(world.mary)
    assert (fresh.free_busy, fresh.create, fresh.search, fresh.owns, fresh.read_rights) == (
        True,
        True,
        False,
        False,
        False,
    )
    share(world, MARY, "secretary")
    helper = held(world.mary)
    assert (helper.search, helper.modify, helper.whole, helper.write_rights, helper.write_properties) == (
        True,
        True,
        False,
        False,
        False,
    )


def test_an_object_is_shown_as_it_is_seen(one_world: World) -> None:
    """The seam for CalDAV: the very octets, or what is left with the zones it needs, or nothing."""
    world = one_world
    world.create(calendar(
        event("a", "SUMMARY:Tea", "DESCRIPTION:secret", start="DTSTART;TZID=Europe/Berlin:20260310T090000")
    ))  # fmt: skip
    world.create(calendar(event("p", "CLASS:PRIVATE")))

    def shown(tx: Tx, caller: Caller, uid: str) -> rights.Shown | None:
        (row,) = rights_rows(tx, world, uid)
        return rights.shown(tx, caller, row)

    whole = world.store.read(lambda tx: shown(tx, world.bill, "a"))
    assert whole is not None
    assert whole.whole
    assert whole.ics == whole.row.ics
    assert world.store.read(lambda tx: shown(tx, world.mary, "a")) is None
    share(world, MARY, "titles")
    cut = world.store.read(lambda tx: shown(tx, world.mary, "a"))
    assert cut is not None
    assert not cut.whole
    assert [one.name for one in cut.vcalendar().components] == ["VTIMEZONE", "VEVENT"]
    assert b"Tea" in cut.ics
    assert b"secret" not in cut.ics
    assert world.store.read(lambda tx: shown(tx, world.mary, "p")) is None


def test_what_a_program_says_around_an_event_is_not_told_to_who_sees_a_part_of_it(one_world: World) -> None:
    """RFC 5545 §3.7: X-WR-CALNAME and the like may name what is hidden; the envelope itself stays."""
    world = one_world
    text = calendar(event("a", "SUMMARY:Tea", "DESCRIPTION:secret")).replace(
        "VERSION:2.0\r\n", "VERSION:2.0\r\nX-WR-CALNAME:Divorce lawyer\r\n"
    )
    world.store.write(lambda tx: ledger.put_object(tx, world.bill, world.calendar, "a.ics", parse(text)))
    share(world, MARY, "titles")

    def shown(tx: Tx, caller: Caller) -> rights.Shown | None:
        return rights.shown(tx, caller, rights_rows(tx, world, "a")[0])

    cut = world.store.read(lambda tx: shown(tx, world.mary))
    assert cut is not None
    assert b"lawyer" not in cut.ics
    assert b"VERSION:2.0" in cut.ics
    share(world, MARY, "secretary")
    all_of_it = world.store.read(lambda tx: shown(tx, world.mary))
    assert all_of_it is not None
    assert b"lawyer" in all_of_it.ics


def rights_rows(tx: Tx, world: World, uid: str) -> list[rights.ObjectRow]:
    from kalends.store import objects

    return objects.by_uid(tx, world.calendar.calendar_id, uid)


def test_the_attendee_who_may_not_look_may_still_not_ask(one_world: World) -> None:
    """MODIFY is no oracle for what a titles-sharer must not see."""
    world = one_world
    world.create(calendar(event("a", "SUMMARY:Tea", "LOCATION:Ritz")))
    share(world, MARY, "titles")
    for old in ("LOCATION:Ritz", "LOCATION:Pub", "DESCRIPTION:none"):
        said = refusal(
            lambda old=old: world.modify("SELECT * FROM VEVENT", old, "", world.calendar, world.mary)
        )
        assert isinstance(said, DeniedError)
    with pytest.raises((StaleError, DeniedError)):
        world.modify("SELECT * FROM VEVENT", "SUMMARY:Coffee", "", world.calendar, world.mary)


@pytest.mark.parametrize(
    ("where", "moves"),
    [("CALID = 'bill/calendar'", False), ("OWNER = SELF()", True)],
)
def test_a_renamed_calendar_is_as_secure_as_before_mov_03_a_56(
    one_world: World, where: str, moves: bool
) -> None:
    """MOV-03, A-56: its VCARs go along; what names it by its CALID would not mean it any more."""
    world = one_world
    decree(
        world, vcar("LAW", f"DENY:{MARY}", "PERMISSION:SEARCH", f"SCOPE:SELECT * FROM VAGENDA WHERE {where}")
    )
    rename = "SELECT * FROM VAGENDA WHERE CALID = 'bill/calendar'"
    if moves:
        assert errors(world.move(rename, "Area-51")) == [""]
    else:
        assert isinstance(refusal(lambda: world.move(rename, "Area-51")), DeniedError)
