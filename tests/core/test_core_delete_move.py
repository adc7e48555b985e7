"""DELETE and MOVE: objects, instances of series, alarms, calendars (RFC 4324 §10.5, §10.10)."""

from __future__ import annotations

import pytest
from core_world import STORE, World, calendar, errors, event

from kalends.core.errors import DeniedError, InvalidError, NotFoundError
from kalends.ical.tree import parse
from kalends.store import changes, maintenance, objects

SERIES = event(
    "s", "SUMMARY:series", "RRULE:FREQ=WEEKLY;COUNT=4", start="DTSTART;TZID=Europe/Berlin:20260310T090000"
)
ALARMED = event(
    "a",
    "BEGIN:VALARM\nSEQUENCE:1\nACTION:AUDIO\nTRIGGER:-PT5M\nEND:VALARM",
    "BEGIN:VALARM\nSEQUENCE:2\nACTION:AUDIO\nTRIGGER:-PT9M\nEND:VALARM",
)


def starts(world: World) -> list[str]:
    found = world.find("SELECT * FROM VEVENT WHERE UID = 's'", expand=True)
    return sorted(one.value("DTSTART") or "" for one in found)


def test_DEL03_DEL04_one_receipt_for_each_object_and_none_for_nothing(world: World) -> None:
    world.create(calendar(ALARMED, event("b")))
    receipts = world.delete("SELECT VEVENT FROM VAGENDA WHERE UID = 'a'")
    assert [(one.kind, one.id_name, one.id_value, one.error) for one in receipts] == [
        ("VEVENT", "UID", "a", None)
    ]
    assert world.delete("SELECT VEVENT FROM VAGENDA WHERE UID = 'a'") == []
    assert world.uids("SELECT * FROM VEVENT") == ["b"]
    assert maintenance.check(world.store) == []


def test_DEL02_OBM08_marked_objects_are_shown_on_request_only(world: World) -> None:
    world.create(calendar(event("a")))
    assert errors(world.delete("SELECT * FROM VEVENT WHERE UID = 'a'", mark=True)) == [""]
    assert world.uids("SELECT * FROM VEVENT") == []
    assert world.uids("SELECT * FROM VEVENT WHERE STATE() = 'DELETED'") == ["a"]
    assert errors(world.create(calendar(event("a")))) == [""]  # its UID is free again
    assert world.uids("SELECT * FROM VEVENT WHERE STATE() = 'DELETED'") == ["a"]
    with pytest.raises(InvalidError):
        world.find("SELECT * FROM VEVENT WHERE STATE() = 'DELETED' OR STATE() = 'BOOKED'")
    assert errors(world.delete("SELECT * FROM VEVENT WHERE STATE() = 'DELETED'")) == [""]
    assert world.uids("SELECT * FROM VEVENT WHERE STATE() = 'DELETED'") == []
    assert world.uids("SELECT * FROM VEVENT") == ["a"]
    assert maintenance.check(world.store) == []


def test_DEL05_objects_of_another_METHOD_are_told_apart(one_world: World) -> None:
    request = event("a", "ORGANIZER:mailto:o@x.org", "ATTENDEE:mailto:bill@example.com")
    one_world.create(calendar(event("a")))
    one_world.create(calendar(request, method="REQUEST"))
    receipts = one_world.delete("SELECT VEVENT FROM VAGENDA WHERE UID = 'a'")
    assert sorted(str(one.method) for one in receipts) == ["None", "REQUEST"]


def test_DEL04_one_instance_of_a_series(world: World) -> None:
    world.create(calendar(SERIES))
    query = "SELECT * FROM VEVENT WHERE UID = 's' AND RECURRENCE-ID = '20260317T080000Z'"
    (receipt,) = world.delete(query, expand=True)
    assert receipt.recurrence is not None
    assert receipt.recurrence.raw == "RECURRENCE-ID;TZID=Europe/Berlin:20260317T090000\r\n"
    assert starts(world) == ["20260310T090000", "20260324T090000", "20260331T090000"]
    assert "EXDATE;TZID=Europe/Berlin:20260317T090000\r\n" in world.text("SELECT * FROM VEVENT")
    assert world.delete(query, expand=True) == []
    assert maintenance.check(world.store) == []


def test_DEL02_a_marked_instance_becomes_an_object_of_its_own(world: World) -> None:
    world.create(calendar(SERIES))
    world.delete("SELECT * FROM VEVENT WHERE RECURRENCE-ID = '20260317T080000Z'", expand=True, mark=True)
    (marked,) = world.find("SELECT * FROM VEVENT WHERE STATE() = 'DELETED'")
    assert (marked.value("UID"), marked.value("DTSTART"), marked.value("RECURRENCE-ID")) == (
        "s",
        "20260317T090000",
        "20260317T090000",
    )
    assert len(starts(world)) == 3
    assert maintenance.check(world.store) == []


def test_an_override_is_deleted_with_its_instance(world: World) -> None:
    world.create(calendar(SERIES))
    moved = event(
        "s",
        "SUMMARY:moved",
        "RECURRENCE-ID;TZID=Europe/Berlin:20260317T090000",
        start="DTSTART:20260318T120000Z",
    )
    world.create(calendar(moved))
    (receipt,) = world.delete("SELECT * FROM VEVENT WHERE SUMMARY = 'moved'")
    assert receipt.recurrence is not None
    assert starts(world) == ["20260310T090000", "20260324T090000", "20260331T090000"]
    (receipt,) = world.delete("SELECT * FROM VEVENT WHERE UID = 's'")
    assert receipt.recurrence is None
    assert world.uids("SELECT * FROM VEVENT") == []
    assert maintenance.check(world.store) == []


def test_all_day_series_are_cut_by_dates(one_world: World) -> None:
    text = event("s", "RRULE:FREQ=DAILY;COUNT=3", start="DTSTART;VALUE=DATE:20260310").replace(
        "DURATION:PT1H\n", ""
    )
    one_world.create(calendar(text))
    one_world.delete("SELECT * FROM VEVENT WHERE DTSTART = '20260311'", expand=True)
    assert "EXDATE;VALUE=DATE:20260311\r\n" in one_world.text("SELECT * FROM VEVENT")
    assert starts(one_world) == ["20260310", "20260312"]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT VALARM FROM VEVENT WHERE VALARM.SEQUENCE = '2'",
        "SELECT * FROM VALARM WHERE SEQUENCE = '2'",
    ],
)
def test_alarms_are_deleted_without_their_event(world: World, query: str) -> None:
    world.create(calendar(ALARMED))
    receipts = world.delete(query)
    assert {(one.kind, one.id_name) for one in receipts} == {("VALARM", "SEQUENCE")}
    assert world.uids("SELECT * FROM VEVENT") == ["a"]
    assert world.find("SELECT * FROM VEVENT WHERE VALARM.SEQUENCE = '2'") == []
    assert errors(world.delete("SELECT VALARM FROM VEVENT", mark=True)) in (["InvalidError"], [])
    assert maintenance.check(world.store) == []


def test_what_the_container_promises_stays(one_world: World) -> None:
    assert errors(one_world.delete("SELECT * FROM VTIMEZONE WHERE TZID = 'UTC'")) == ["InvalidError"]
    assert errors(
        one_world.delete("SELECT * FROM VCAR WHERE CARID = 'DEFAULTOWNER'", STORE, one_world.root)
    ) == ["InvalidError"]
    assert errors(one_world.delete("SELECT * FROM VCAR WHERE CARID = 'REQUESTONLY'")) == [""]
    with pytest.raises(InvalidError):
        one_world.delete("SELECT * FROM VCALSTORE", STORE, one_world.root)
    with pytest.raises(InvalidError):
        one_world.delete("SELECT * FROM VAGENDA", mark=True)


def test_strangers_delete_nothing(one_world: World) -> None:
    one_world.create(calendar(event("a")))
    with pytest.raises(DeniedError):
        one_world.delete("SELECT * FROM VEVENT", one_world.calendar, one_world.mary)
    assert (
        one_world.delete("SELECT * FROM VAGENDA WHERE CALID = 'bill/calendar'", STORE, one_world.mary) == []
    )
    assert one_world.uids("SELECT * FROM VEVENT") == ["a"]


@pytest.fixture
def two(world: World) -> World:
    """Bill has a second calendar."""
    world.create(calendar("BEGIN:VAGENDA\nCALID:two\nEND:VAGENDA"), STORE)
    return world


@pytest.mark.parametrize(
    ("query", "source"),
    [
        ("SELECT * FROM VEVENT WHERE UID = 'a'", "bill/calendar"),
        ("SELECT * FROM VEVENT WHERE CALID = 'bill/calendar' AND UID = 'a'", None),
        (
            "SELECT VEVENT FROM VAGENDA WHERE CALID = 'cap://cal.example.com/bill/calendar' AND UID = 'a'",
            None,
        ),
    ],
)
def test_MOV02_MOV04_A55_an_object_goes_from_the_query_to_the_target(
    two: World, query: str, source: str | None
) -> None:
    two.create(calendar(ALARMED, event("b")))
    receipts = two.move(query, "two", source)
    assert [(one.id_name, one.id_value, one.error) for one in receipts] == [("UID", "a", None)]
    assert two.uids("SELECT * FROM VEVENT") == ["b"]
    assert two.uids("SELECT * FROM VEVENT WHERE VALARM.SEQUENCE = '2'", two.target("two")) == ["a"]
    assert [
        two.store.read(lambda tx, place=target.calendar_id: changes.history(tx, place, limit=1))[0].op
        for target in (two.calendar, two.target("two"))
    ] == ["move-out", "move-in"]
    assert maintenance.check(two.store) == []


def test_MOV05_a_taken_uid_is_not_moved(two: World) -> None:
    two.create(calendar(event("a"), event("b")))
    two.create(calendar(event("a", kind="VEVENT")), two.target("two"))
    receipts = two.move("SELECT * FROM VEVENT", "two", "bill/calendar")
    assert sorted(zip([one.id_value for one in receipts], errors(receipts), strict=True)) == [
        ("a", "DuplicateError"),
        ("b", ""),
    ]
    assert two.uids("SELECT * FROM VEVENT") == ["a"]
    assert two.uids("SELECT * FROM VEVENT", two.target("two")) == ["a", "b"]
    assert maintenance.check(two.store) == []


def test_MOV04_an_instance_moves_alone(two: World) -> None:
    two.create(calendar(SERIES))
    query = "SELECT * FROM VEVENT WHERE RECURRENCE-ID = '20260324T080000Z'"
    (receipt,) = two.move(query, "two", "bill/calendar", expand=True)
    assert receipt.recurrence is not None
    assert starts(two) == ["20260310T090000", "20260317T090000", "20260331T090000"]
    (there,) = two.find("SELECT * FROM VEVENT", two.target("two"))
    assert there.value("DTSTART") == "20260324T090000"
    (row,) = two.store.read(lambda tx: objects.by_uid(tx, two.target("two").calendar_id, "s"))
    assert len(parse(row.ics).children("VTIMEZONE")) == 1
    again = "SELECT * FROM VEVENT WHERE RECURRENCE-ID = '20260331T070000Z'"
    assert errors(two.move(again, "two", "bill/calendar", expand=True)) == [""]
    assert len(two.find("SELECT * FROM VEVENT", two.target("two"))) == 2
    assert maintenance.check(two.store) == []


def test_marked_and_unprocessed_objects_move_in_their_state(two: World) -> None:
    two.create(calendar(event("a")))
    two.delete("SELECT * FROM VEVENT", mark=True)
    two.move("SELECT * FROM VEVENT WHERE STATE() = 'DELETED'", "two", "bill/calendar")
    assert two.uids("SELECT * FROM VEVENT WHERE STATE() = 'DELETED'", two.target("two")) == ["a"]


def test_moves_that_make_no_sense(two: World) -> None:
    two.create(calendar(event("a")))
    for query, to, source, said in (
        ("SELECT * FROM VEVENT", "two", None, InvalidError),
        ("SELECT * FROM VEVENT", "bill/calendar", "bill/calendar", InvalidError),
        ("SELECT * FROM VEVENT", "nowhere", "bill/calendar", NotFoundError),
        ("SELECT * FROM VEVENT", "two", "mary/calendar", DeniedError),
        ("SELECT * FROM VCALSTORE", "two", "bill/calendar", InvalidError),
    ):
        with pytest.raises(said):
            two.move(query, to, source)
    assert errors(two.move("SELECT * FROM VEVENT", "mary/calendar", "bill/calendar")) == ["DeniedError"]
    two.lock_out(two.marys, two.mary)
    for to, source in (("two", "mary/calendar"), ("mary/calendar", "bill/calendar")):
        with pytest.raises(NotFoundError):
            two.move("SELECT * FROM VEVENT", to, source)
    assert two.move("SELECT * FROM VAGENDA WHERE CALID = 'nothing'", "new") == []
    assert two.uids("SELECT * FROM VEVENT") == ["a"]


def test_vcars_and_queries_move_too(two: World) -> None:
    two.create(calendar("BEGIN:VQUERY\nQUERYID:q\nQUERY:SELECT * FROM VEVENT\nEND:VQUERY"))
    assert errors(two.move("SELECT * FROM VQUERY", "two", "bill/calendar")) == [""]
    assert len(two.find("SELECT * FROM VQUERY", two.target("two"))) == 1


def test_MOV03_A56_a_renamed_calendar_is_protected_as_before(world: World) -> None:
    deny = "BEGIN:VCAR\nCARID:NOMARY\nBEGIN:VRIGHT\nDENY:mary@example.com\nPERMISSION:*\n{}\nEND:VRIGHT\nEND:VCAR"
    grant = deny.replace("NOMARY", "CYRUS").replace("DENY:mary", "GRANT:mary")
    world.create(calendar(event("a", "SUMMARY:secret", "LOCATION:here")))
    world.create(calendar(grant.format("SCOPE:SELECT LOCATION FROM VEVENT")))
    world.create(calendar(deny.format("SCOPE:SELECT SUMMARY FROM VEVENT")))

    def protection(calid: str) -> tuple[list[str], str, list[str]]:
        seen = world.find("SELECT * FROM VEVENT", world.target(calid, world.mary), world.mary)
        rights = [one.to_ics() for one in world.find("SELECT * FROM VCAR", world.target(calid))]
        told = "".join(one.to_ics() for one in seen)
        return (
            sorted(rights),
            told,
            errors(world.create(calendar(event("x")), world.target(calid), world.mary)),
        )

    before = protection("bill/calendar")
    world.move("SELECT * FROM VAGENDA WHERE CALID = 'bill/calendar'", "moved")
    assert protection("moved") == before
    assert "LOCATION:here" in before[1]
    assert "secret" not in before[1]
    assert before[2] == ["DeniedError"]
