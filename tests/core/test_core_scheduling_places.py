"""Where an invitation goes, and whose business it is (RFC 6638 §4.3, RFC 4324 §2.2)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from core_world import NOW, POLICY, component, selection
from scheduling_world import Village, wrapped

from kalends.core import ledger, scheduling
from kalends.core.errors import AttendeeChangeError, DefaultCalendarError, SchedulingTwinError
from kalends.core.model import Caller, Identity, Target
from kalends.core.people import identity
from kalends.ical.tree import parse
from kalends.store import calendars, objects
from kalends.store.base import Store
from kalends.store.objects import ObjectRow


def invitation(kind: str, *more: str, uid: str = "x", guest: str = "mary") -> str:
    extra = "\n".join(more)
    return wrapped(
        f"BEGIN:{kind}\nUID:{uid}\nDTSTART:20260310T090000Z\nSUMMARY:x\nORGANIZER:mailto:bill@example.com\n"
        f"ATTENDEE:mailto:{guest}@example.com\n{extra}\nEND:{kind}"
    )


def everywhere(village: Village, uid: str = "x") -> dict[str, ObjectRow]:
    """The booked objects of a UID, by the CALID they are in."""

    def find(tx: object) -> dict[str, ObjectRow]:
        rows = objects.by_uid_anywhere(tx, uid, "BOOKED")  # type: ignore[arg-type]
        homes = calendars.many(tx, [row.calendar_id for row in rows])  # type: ignore[arg-type]
        return {homes[row.calendar_id].calid: row for row in rows}

    return village.store.read(find)


def test_43_a_task_goes_to_the_calendar_that_is_meant_for_tasks(store: Store) -> None:
    village = Village(store)
    village.put("bill", "x", invitation("VTODO"))
    assert set(everywhere(village)) == {"bill/calendar", "mary/tasks"}
    assert [row.method for row in village.inbox("mary")] == ["REQUEST"]


def test_an_invitation_that_was_moved_to_another_calendar_is_found_there(store: Store) -> None:
    village = Village(store)
    village.put("bill", "x", invitation("VEVENT"))
    mary = village.caller("mary")
    tasks = village.target("mary/tasks", mary)
    moved = replace(selection("SELECT * FROM VEVENT WHERE STATE() = 'BOOKED'"), container="mary/calendar")
    store.write(lambda tx: ledger.move(tx, mary, tasks, [moved]))
    village.put("bill", "x", invitation("VEVENT").replace("SUMMARY:x", "SUMMARY:new"))
    found = everywhere(village)
    assert set(found) == {"bill/calendar", "mary/tasks"}
    assert b"SUMMARY:new" in found["mary/tasks"].ics


def test_3241_one_invitation_is_in_one_calendar(store: Store) -> None:
    village = Village(store)
    village.put("bill", "x", invitation("VEVENT"))
    mary = village.who("mary")
    tasks = village.target("mary/tasks", mary)
    text = parse(village.text("mary", "x"))
    with pytest.raises(SchedulingTwinError):
        store.write(lambda tx: ledger.put_object(tx, mary, tasks, "again.ics", text))


def test_22_where_processing_is_the_clients_business_messages_wait(store: Store) -> None:
    village = Village(store)
    mary = village.caller("mary")
    place = Target("mary/calendar", village.place("mary").calendar_id, "mary/calendar")
    chosen = selection("SELECT * FROM VAGENDA")
    nothing = component("VAGENDA", "")
    off = component("VAGENDA", "X-KALENDS-AUTO-PROCESS:FALSE")
    store.write(lambda tx: ledger.modify(tx, mary, [place], chosen, nothing, off))
    village.put("bill", "x", invitation("VEVENT"))
    assert set(everywhere(village)) == {"bill/calendar"}
    assert [row.method for row in village.inbox("mary")] == ["REQUEST"]
    village.put("bill", "x", invitation("VEVENT").replace("SUMMARY:x", "SUMMARY:y"))
    assert [row.method for row in village.inbox("mary")] == ["REQUEST", "REQUEST"]  # OBM-11: both are kept
    village.put("mary", "own", invitation("VEVENT", uid="own").replace("bill@", "mary@"))
    assert village.inbox("bill") == []
    store.write(lambda tx: ledger.modify(tx, mary, [place], chosen, off, nothing))
    village.put("bill", "x", invitation("VEVENT").replace("SUMMARY:x", "SUMMARY:z"))
    assert set(everywhere(village)) == {"bill/calendar", "mary/calendar"}
    assert [row.method for row in village.inbox("mary")] == ["REQUEST"]


def test_4311_the_default_calendar_is_needed(store: Store) -> None:
    Village(store)

    def refuse(calid: str) -> None:
        def work(tx: object) -> None:
            row = calendars.by_calid(tx, calid)  # type: ignore[arg-type]
            assert row is not None
            scheduling.refuse_removal(tx, row)  # type: ignore[arg-type]

        store.read(work)

    refuse("mary/tasks")
    with pytest.raises(DefaultCalendarError):
        refuse("mary/calendar")


def test_a_calendar_without_conflicts_keeps_the_message_and_not_the_event(store: Store) -> None:
    village = Village(store)
    mary = village.caller("mary")
    place = village.place("mary")
    village.put("mary", "busy", invitation("VEVENT", "DURATION:PT1H", uid="busy").replace("ORGANIZER", "X-O"))
    old, new = component("VAGENDA", "ALLOW-CONFLICT:TRUE"), component("VAGENDA", "ALLOW-CONFLICT:FALSE")
    store.write(lambda tx: ledger.modify(tx, mary, [place], selection("SELECT * FROM VAGENDA"), old, new))
    village.put("bill", "x", invitation("VEVENT", "DURATION:PT1H"))
    assert set(everywhere(village)) == {"bill/calendar"}
    assert [row.method for row in village.inbox("mary")] == ["REQUEST"]


def test_a_group_is_not_invited_by_its_name(store: Store) -> None:
    village = Village(store)
    store.write(lambda tx: identity.add_user(tx, village.policy, "staff", now=NOW, kind="group"))
    village.put("bill", "x", invitation("VEVENT", guest="staff"))
    assert "SCHEDULE-STATUS=5.3" in village.text("bill", "x")


def test_what_is_imported_was_told_long_ago(store: Store) -> None:
    village = Village(store)
    bill = village.caller("bill")
    file = parse(invitation("VEVENT"))
    store.write(lambda tx: ledger.import_objects(tx, bill, village.place("bill"), file))
    assert set(everywhere(village)) == {"bill/calendar"}


def test_OBM14_global_alarms_travel_and_local_ones_do_not(store: Store) -> None:
    village = Village(store)
    alarm = "BEGIN:VALARM\nSEQUENCE{}:{}\nACTION:DISPLAY\nDESCRIPTION:x\nTRIGGER:-PT{}M\nEND:VALARM"
    village.put("bill", "x", invitation("VEVENT", alarm.format(";LOCAL=TRUE", 1, 5), alarm.format("", 2, 10)))
    held = village.text("mary", "x")
    assert "TRIGGER:-PT10M" in held
    assert "TRIGGER:-PT5M" not in held


def test_3232_removing_a_calendar_calls_off_what_is_to_come(store: Store) -> None:
    village = Village(store)
    village.put("bill", "x", invitation("VEVENT"))
    village.put("bill", "over", invitation("VEVENT", uid="over").replace("20260310", "20250310"))
    village.put("lisa", "l", invitation("VEVENT", uid="l", guest="bill").replace("bill@", "lisa@", 1))
    assert "PARTSTAT" not in village.text("lisa", "l")
    bill = village.caller("bill")
    place = village.place("bill")
    store.write(lambda tx: ledger.remove_calendar(tx, bill, place))
    assert "STATUS:CANCELLED" in village.text("mary", "x")
    assert "STATUS:CANCELLED" not in village.text("mary", "over")
    assert "PARTSTAT=DECLINED" in village.text("lisa", "l")


def test_ACL08_who_may_change_their_answer_in_the_organizers_calendar_does_so_everywhere(
    store: Store,
) -> None:
    village = Village(store)
    village.put("bill", "x", invitation("VEVENT", "ATTENDEE:mailto:cyrus@example.com"))
    place = village.place("bill")
    old = component("VEVENT", "ATTENDEE:mailto:mary@example.com")
    new = component("VEVENT", "ATTENDEE;PARTSTAT=ACCEPTED:mailto:mary@example.com")
    chosen = selection("SELECT * FROM VEVENT WHERE UID = 'x'")
    mary = village.caller("mary")
    store.write(lambda tx: ledger.modify(tx, mary, [place], chosen, old, new))
    for name in ("bill", "mary", "cyrus"):
        assert "PARTSTAT=ACCEPTED" in village.text(name, "x"), name
    assert village.inbox("cyrus")[-1].method == "REQUEST"
    assert len(village.inbox("cyrus")) == 1  # no message for an answer


def test_ACL07_whoever_may_only_ask_can_ask_a_room_over_cap(store: Store) -> None:
    village = Village(store)
    lisa = village.caller("lisa")
    room = village.place("room")
    asked = invitation("VEVENT", "DURATION:PT1H", "SEQUENCE:0", guest="room").replace("bill@", "lisa@")
    message = parse(asked.replace("BEGIN:VEVENT", "METHOD:REQUEST\r\nBEGIN:VEVENT", 1))
    (receipt,) = store.write(lambda tx: ledger.create(tx, lisa, room, message))
    assert receipt.error is None
    assert "PARTSTAT=ACCEPTED" in village.text("room", "x")
    (reply,) = village.inbox("lisa")
    assert (reply.method, b"PARTSTAT=ACCEPTED" in reply.ics) == ("REPLY", True)
    # in somebody else's name, nothing is booked
    forged = parse(
        message.to_ics().replace("UID:x", "UID:y").replace("lisa@", "mary@").replace("10T09", "11T09")
    )
    store.write(lambda tx: ledger.create(tx, lisa, room, forged))
    assert village.text("room", "y") == ""


def test_22_a_cua_books_what_an_organizer_elsewhere_says_and_no_more(store: Store) -> None:
    village = Village(store)
    theirs = invitation("VEVENT", uid="theirs").replace("bill@example.com", "jane@example.org")
    village.put("mary", "theirs", theirs)
    village.put("bill", "ours", invitation("VEVENT", uid="ours"))
    mary, place = village.caller("mary"), village.place("mary")

    def retitle(uid: str) -> None:
        chosen = selection(f"SELECT * FROM VEVENT WHERE UID = '{uid}' AND STATE() = 'BOOKED'")
        old, new = component("VEVENT", "SUMMARY:x"), component("VEVENT", "SUMMARY:new")
        store.write(lambda tx: ledger.modify(tx, mary, [place], chosen, old, new))

    retitle("theirs")
    assert "SUMMARY:new" in village.text("mary", "theirs")
    with pytest.raises(AttendeeChangeError):
        retitle("ours")
    with pytest.raises(AttendeeChangeError):
        village.put("mary", "theirs", theirs.replace("SUMMARY:x", "SUMMARY:y"))


def test_rfc6047_what_comes_by_mail_is_acted_upon_when_the_sender_is_proven(store: Store) -> None:
    village = Village(store)
    village.put("bill", "x", invitation("VEVENT").replace("mary@example.com", "jane@example.org"))
    place = village.place("bill")

    def arrives(text: str, method: str, sender: str) -> None:
        who = Identity("@", None, admin=True, addresses=frozenset((sender,)))
        caller = Caller(who, "imip", NOW + 60, village.policy)
        message = parse(text.replace("BEGIN:VEVENT", f"METHOD:{method}\r\nBEGIN:VEVENT", 1))
        for receipt in store.write(lambda tx: ledger.create(tx, caller, place, message)):
            assert receipt.error is None

    reply = wrapped(
        "BEGIN:VEVENT\nUID:x\nSEQUENCE:0\nORGANIZER:mailto:bill@example.com\n"
        "ATTENDEE;PARTSTAT=ACCEPTED:mailto:jane@example.org\nEND:VEVENT"
    )
    arrives(reply, "REPLY", "mailto:mallory@example.org")
    assert "PARTSTAT" not in village.text("bill", "x")
    arrives(reply, "REPLY", "mailto:jane@example.org")
    assert "PARTSTAT=ACCEPTED;SCHEDULE-STATUS=2.0:mailto:jane@example.org" in village.text("bill", "x")
    theirs = invitation("VEVENT", "SEQUENCE:0", uid="theirs", guest="bill")
    theirs = theirs.replace("ORGANIZER:mailto:bill@example.com", "ORGANIZER:mailto:jane@example.org")
    arrives(theirs, "REQUEST", "mailto:jane@example.org")
    assert "SUMMARY:x" in village.text("bill", "theirs")
    later = theirs.replace("SEQUENCE:0", "SEQUENCE:1").replace("T090000Z", "T110000Z")
    arrives(later, "REQUEST", "mailto:jane@example.org")
    assert "DTSTART:20260310T110000Z" in village.text("bill", "theirs")


def test_329_a_calendar_that_is_full_takes_no_invitation_and_what_was_taken_still_follows(
    store: Store,
) -> None:
    village = Village(store, replace(POLICY, quota=3))
    village.put("bill", "x", invitation("VEVENT"))
    village.put("bill", "y", invitation("VEVENT", uid="y"))  # a copy and a message each
    village.put("bill", "z", invitation("VEVENT", uid="z"))
    assert "SCHEDULE-STATUS=5.1:mailto:mary" in village.text("bill", "z")
    assert village.text("mary", "z") == ""
    village.put("bill", "z", invitation("VEVENT", uid="z").replace("SUMMARY:x", "SUMMARY:again"))
    assert village.text("mary", "z") == ""
    village.put("bill", "y", invitation("VEVENT", uid="y").replace("SUMMARY:x", "SUMMARY:new"))
    assert "SUMMARY:new" in village.text("mary", "y")
    village.empty_inbox("mary")  # later it fits
    village.put("bill", "z", invitation("VEVENT", uid="z").replace("SUMMARY:x", "SUMMARY:fits"))
    assert "SUMMARY:fits" in village.text("mary", "z")
    assert "SCHEDULE-STATUS=1.2:mailto:mary" in village.text("bill", "z")
