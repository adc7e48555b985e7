"""Judges of calendars in a store: which VCARs hold where, and from when on (RFC 4324 §4.2, §8.14)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from core_world import STORE, World, preset_text

from kalends.core.access.circumstances import Standing
from kalends.core.access.judges import PERMISSIONS, authority_in
from kalends.core.access.vcar import Judge
from kalends.core.containers import housekeeper
from kalends.core.errors import NotFoundError
from kalends.core.model import Caller, Identity, Target
from kalends.core.names import ANONYMOUS
from kalends.core.writer import Writer
from kalends.ical.tree import Component, parse
from kalends.store import objects
from kalends.store.base import Tx

EVENT = parse(
    "BEGIN:VEVENT\r\nUID:1\r\nDTSTART:20260101T100000Z\r\nSUMMARY:Dentist\r\n"
    "ORGANIZER:mailto:bill@example.com\r\nATTENDEE:mailto:mary@example.com\r\nEND:VEVENT\r\n"
)
REQUEST = Standing("UNPROCESSED", "REQUEST")


def judge(world: World, caller: Caller, target: Target | None = None) -> Judge:
    """A judge whose rules are bound while the transaction lasts."""

    def work(tx: Tx) -> Judge:
        made = authority_in(tx, caller, target or world.calendar).judge
        for permission in PERMISSIONS:
            made.may(permission)
        return made

    return world.store.read(work)


def vcar(*lines: str, carid: str = "test") -> Component:
    body = "\r\n".join((f"CARID:{carid}", *lines))
    return parse(f"BEGIN:VCAR\r\n{body}\r\nEND:VCAR\r\n")


def vright(*lines: str) -> str:
    return "\r\n".join(("BEGIN:VRIGHT", *lines, "END:VRIGHT"))


def decree(world: World, component: Component, calendar_id: int = 0) -> None:
    """Put a VCAR where no client may."""

    def work(tx: Tx) -> None:
        whole = Component("VCALENDAR", [component])
        writer = Writer(tx, housekeeper(world.policy, 0), (calendar_id,))
        writer.insert(calendar_id, whole, kind="VCAR", uid=component.value("CARID") or "")

    world.store.write(work)


def test_a_new_calendar_has_the_four_predefined_rights_acl_05_to_acl_09(world: World) -> None:
    """ACL-05 to ACL-09, on each database: owner, attendee, anybody."""
    owner, mary = judge(world, world.bill), judge(world, world.mary)
    assert owner.may("DELETE", EVENT)
    assert owner.visible(EVENT) is EVENT
    assert mary.visible(EVENT) is None
    assert mary.may("CREATE", EVENT, REQUEST)
    assert not mary.may("CREATE", EVENT)
    accepted = parse(EVENT.to_ics().replace("ATTENDEE:", "ATTENDEE;PARTSTAT=ACCEPTED:"))
    assert mary.may_modify(EVENT, accepted)
    assert not mary.may_modify(EVENT, parse(EVENT.to_ics().replace("Dentist", "Zoo")))


def test_a_right_holds_from_its_commit_on_and_no_longer_than_it_stands(world: World) -> None:
    """Granted, changed and taken back between the commands of one open session: nothing old is remembered."""
    assert judge(world, world.mary).visible(EVENT) is None
    world.create(preset_text("read", "mary@example.com"))
    assert judge(world, world.mary).visible(EVENT) is EVENT
    world.modify(
        "SELECT * FROM VCAR WHERE CARID = 'share-mary@example.com'",
        "NAME:Shared with mary@example.com as read\nCARID:share-mary@example.com",
        "NAME:Away\nCARID:away",
        kind="VCAR",
    )
    verdict = judge(world, world.mary).explain("SEARCH", EVENT)
    assert [rule.carid for rule in verdict.rules] == ["away"]
    world.delete("SELECT * FROM VCAR WHERE CARID = 'away'")
    assert judge(world, world.mary).visible(EVENT) is None


def test_grants_of_the_store_are_patterns(one_world: World) -> None:
    """RFC 4324 §8.14: an owner who removes the copy of a default right has taken the right away."""
    busy = Component("VFREEBUSY")
    busy.add("UID", "1")
    assert judge(one_world, one_world.mary).visible(busy) is busy
    one_world.create(f"BEGIN:VCALENDAR\r\n{vcar(vright('DENY:@', 'PERMISSION:*')).to_ics()}END:VCALENDAR\r\n")
    one_world.store.write(lambda tx: _remove(tx, one_world, "READBUSYTIMEINFO"))
    assert judge(one_world, one_world.mary).visible(busy) is None


def _remove(tx: Tx, world: World, carid: str) -> None:

    (row,) = objects.by_uid(tx, world.calendar.calendar_id, carid, "BOOKED", "VCAR")
    Writer(tx, world.bill, (world.calendar.calendar_id,)).remove(row)


@pytest.mark.parametrize(("more", "grants"), [((), False), (("DECREED:TRUE",), True)])
def test_decrees_and_denials_of_the_store_hold_everywhere_acl_10(
    one_world: World, more: tuple[str, ...], grants: bool
) -> None:
    """ACL-10, RFC 4324 §4.2.3."""
    right = vright("GRANT:mary@example.com", "PERMISSION:SEARCH", "SCOPE:SELECT * FROM VEVENT")
    denial = vright("DENY:bill@example.com", "PERMISSION:DELETE", "SCOPE:SELECT * FROM VEVENT")
    decree(one_world, vcar(*more, right, denial))
    assert (judge(one_world, one_world.mary).visible(EVENT) is EVENT) is grants
    assert not judge(one_world, one_world.bill).may("DELETE", EVENT)
    assert judge(one_world, one_world.bill).may("MOVE", EVENT)


def test_groups_own_and_are_granted_upn_07(one_world: World) -> None:
    """UPN-07: membership counts in CAL-OWNERS() and in filters."""
    bills = replace(one_world.mary.identity, groups=frozenset(("bill@example.com",)))
    assert judge(one_world, replace(one_world.mary, identity=bills)).may("DELETE", EVENT)
    one_world.create(preset_text("read", "staff@example.com"))
    staff = replace(one_world.mary.identity, groups=frozenset(("staff@example.com",)))
    assert judge(one_world, replace(one_world.mary, identity=staff)).visible(EVENT) is EVENT
    assert judge(one_world, one_world.mary).visible(EVENT) is None


def test_the_anonymous_own_nothing(one_world: World) -> None:
    nobody = replace(one_world.bill, identity=Identity(ANONYMOUS))
    for target in (one_world.calendar, STORE):
        one = judge(one_world, nobody, target)
        assert not any(one.may(name, EVENT) for name in ("SEARCH", "CREATE", "MODIFY", "DELETE", "MOVE"))


def test_what_is_gone_has_no_judge(one_world: World) -> None:
    with pytest.raises(NotFoundError):
        judge(one_world, one_world.bill, Target("x", 12345, "x"))


def test_what_a_calendar_says_of_itself_counts_at_once_where_a_right_depends_on_it(world: World) -> None:
    """A right WHERE NAME = … comes and goes with the name, in sessions that are open: no VCAR is touched."""
    right = vright(
        "GRANT:mary@example.com", "PERMISSION:SEARCH", "SCOPE:SELECT * FROM VAGENDA WHERE NAME = 'Open'"
    )
    world.create(f"BEGIN:VCALENDAR\r\n{vcar(right).to_ics()}END:VCALENDAR\r\n")
    assert judge(world, world.mary).visible(EVENT) is None
    world.modify("SELECT * FROM VAGENDA", "", "NAME:Open", kind="VAGENDA")
    assert judge(world, world.mary).visible(EVENT) is EVENT
    world.modify("SELECT * FROM VAGENDA", "NAME:Open", "NAME:Closed", kind="VAGENDA")
    assert judge(world, world.mary).visible(EVENT) is None


def test_a_new_owner_owns_at_once_and_one_that_is_gone_no_longer(world: World) -> None:
    """RFC 4324 §6.1.1.1: CAL-OWNERS() is what the VAGENDA says now."""
    assert not judge(world, world.mary).may("DELETE", EVENT)
    world.modify("SELECT * FROM VAGENDA", "", "OWNER:mary@example.com", kind="VAGENDA")
    assert judge(world, world.mary).may("DELETE", EVENT)
    world.modify("SELECT * FROM VAGENDA", "OWNER:mary@example.com", "", kind="VAGENDA")
    assert not judge(world, world.mary).may("DELETE", EVENT)


def test_the_owners_of_another_calendar_that_a_right_names_are_those_of_now(world: World) -> None:
    """RFC 4324 §6.1.1.1: CAL-OWNERS(calid) follows that calendar, though nothing changes in this one."""
    scope = "SCOPE:SELECT * FROM VEVENT WHERE ORGANIZER = CAL-OWNERS(team)"
    right = vright("GRANT:mary@example.com", "PERMISSION:SEARCH", scope)
    world.create(f"BEGIN:VCALENDAR\r\n{vcar(right).to_ics()}END:VCALENDAR\r\n")
    team = "BEGIN:VCALENDAR\r\nBEGIN:VAGENDA\r\nCALID:team\r\nOWNER:root@example.com\r\nEND:VAGENDA\r\nEND:VCALENDAR\r\n"
    world.create(team, STORE, world.root)
    assert judge(world, world.mary).visible(EVENT) is None
    place = world.target("team", world.root)
    world.modify(
        "SELECT * FROM VAGENDA", "", "OWNER:bill@example.com", place, kind="VAGENDA", caller=world.root
    )
    assert judge(world, world.mary).visible(EVENT) is EVENT
