"""MODIFY: compare-and-swap by values, untouched octets kept, all or nothing (RFC 4324 §10.9)."""

from __future__ import annotations

import pytest
from core_world import (
    NOW,
    STORE,
    World,
    calendar,
    component,
    errors,
    event,
    lines,
    raw_lines,
    selection,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from kalends.core import ledger, patch
from kalends.core.errors import (
    DeniedError,
    InvalidError,
    KalendsError,
    NotFoundError,
    SeveralError,
    StaleError,
    TooFarFutureError,
    TooLargeError,
)
from kalends.core.model import Policy
from kalends.ical.tree import Component, Line, parse
from kalends.store import maintenance, objects
from kalends.store.base import Store

BY_UID = "SELECT * FROM VEVENT WHERE UID = 'unique-58'"
OLD = """
    LOCATION:building 3
    LAST-MODIFIED:20020101T123456Z
    X-LOCAL:some private stuff
    BEGIN:VALARM
    SEQUENCE:3
    TRIGGER;RELATED=END:PT5M
    END:VALARM
"""
NEW = """
    LOCATION:building 4
    LAST-MODIFIED:20020202T010203Z
    COMMENT:Ignore global trigger.
    BEGIN:VALARM
    SEQUENCE:3
    TRIGGER;ENABLE=FALSE;RELATED=END:PT5M
    END:VALARM
"""
MEETING = event(
    "unique-58",
    "SUMMARY:Gr\u00fc\u00dfe",
    "LOCATION:building 3",
    "LAST-MODIFIED:20020101T123456Z",
    "X-LOCAL:some private stuff",
    "BEGIN:VALARM\nSEQUENCE:2\nACTION:AUDIO\nTRIGGER;RELATED=END:PT5M\nEND:VALARM",
    "BEGIN:VALARM\nACTION:AUDIO\nSEQUENCE:3\nTRIGGER;RELATED=END:PT5M\nEND:VALARM",
)


def test_MDF04_MDF05_the_example_of_the_rfc(world: World) -> None:
    world.create(calendar(MEETING))
    (receipt,) = world.modify(BY_UID, OLD, NEW)
    assert (receipt.kind, receipt.id_name, receipt.id_value, receipt.error) == (
        "VEVENT",
        "UID",
        "unique-58",
        None,
    )
    assert world.text(BY_UID) == lines(
        """
        BEGIN:VEVENT
        UID:unique-58
        DTSTAMP:20260101T000000Z
        DTSTART:20260310T090000Z
        DURATION:PT1H
        SUMMARY:Gr\u00fc\u00dfe
        LOCATION:building 4
        LAST-MODIFIED:20020202T010203Z
        COMMENT:Ignore global trigger.
        BEGIN:VALARM
        SEQUENCE:2
        ACTION:AUDIO
        TRIGGER;RELATED=END:PT5M
        END:VALARM
        BEGIN:VALARM
        ACTION:AUDIO
        SEQUENCE:3
        TRIGGER;ENABLE=FALSE;RELATED=END:PT5M
        END:VALARM
        END:VEVENT
        """
    )
    assert world.uids("SELECT * FROM VEVENT WHERE LOCATION = 'building 4'") == ["unique-58"]
    assert maintenance.check(world.store) == []


def test_MDF03_stale_old_values_change_nothing(world: World) -> None:
    world.create(calendar(MEETING))
    before = world.text(BY_UID)
    world.modify(BY_UID, "LOCATION:building 3", "LOCATION:building 9")
    with pytest.raises(StaleError):
        world.modify(BY_UID, OLD, NEW)
    with pytest.raises(StaleError):
        world.modify("SELECT * FROM VEVENT WHERE UID = 'nobody'", "", "LOCATION:x")
    assert world.text(BY_UID) == before.replace("building 3", "building 9")


def test_MDF08_all_contained_components_that_match_change(one_world: World) -> None:
    one_world.create(calendar(MEETING))
    old = "BEGIN:VALARM\nTRIGGER;RELATED=END:PT5M\nEND:VALARM"
    one_world.modify(BY_UID, old, old.replace("TRIGGER", "TRIGGER;ENABLE=FALSE"))
    assert one_world.text(BY_UID).count("TRIGGER;ENABLE=FALSE;RELATED=END:PT5M") == 2


def test_contained_components_come_and_go(one_world: World) -> None:
    one_world.create(calendar(event("a")))
    alarm = "BEGIN:VALARM\nSEQUENCE:1\nACTION:AUDIO\nTRIGGER:-PT5M\nEND:VALARM"
    where = "SELECT * FROM VEVENT WHERE UID = 'a'"
    one_world.modify(where, "", alarm)
    assert one_world.uids("SELECT * FROM VEVENT WHERE VALARM.ACTION = 'AUDIO'") == ["a"]
    one_world.modify(where, "BEGIN:VALARM\nSEQUENCE:1\nEND:VALARM", "")
    assert "VALARM" not in one_world.text(where)
    assert maintenance.check(one_world.store) == []


def test_MDF06_MDF12_an_attachment_is_found_by_its_first_octets_and_removed_everywhere(world: World) -> None:
    attach = "ATTACH;FMTTYPE=image/basic;ENCODING=BASE64;VALUE=BINARY:QUJDREVGR0hJSktM"
    world.create(calendar(event("a", attach), event("b"), event("c", attach)))
    receipts = world.modify("SELECT ATTACH FROM VEVENT", "ATTACH;ENCODING=BASE64;VALUE=BINARY:QUI=", "")
    assert sorted(one.id_value for one in receipts) == ["a", "c"]  # octets are compared, and not letters
    assert world.find("SELECT * FROM VEVENT WHERE ATTACH IS NOT NULL") == []
    with pytest.raises(InvalidError):
        world.modify("SELECT ATTACH FROM VEVENT", "ATTACH;ENCODING=BASE64;VALUE=BINARY:***", "")


def test_MDF07_the_uid_stays(one_world: World) -> None:
    one_world.create(calendar(event("a")))
    for old, new in (("UID:a", "UID:b"), ("", "UID:b"), ("UID:a", "")):
        with pytest.raises(InvalidError):
            one_world.modify("SELECT * FROM VEVENT", old, new)
    assert errors(one_world.modify("SELECT * FROM VEVENT", "UID:a", "UID:a\nSUMMARY:x")) == [""]


@pytest.mark.parametrize(
    ("new", "said"),
    [
        ("DTEND:20260101T000000Z", InvalidError),
        ("RRULE:FREQ=NEVER", InvalidError),
        ("DTSTART:20300101T000000Z", InvalidError),
        ("RECURRENCE-ID;TZID=Mars/X:20260310T090000", InvalidError),
        ("COMMENT:" + "x" * 4000, TooLargeError),
        ("RDATE:20990101T000000Z", TooFarFutureError),
    ],
)
def test_MDF09_the_result_is_checked_like_a_new_object(
    sqlite_store: Store, new: str, said: type[KalendsError]
) -> None:
    world = World(
        sqlite_store, Policy(csid="c", realm="example.com", max_object=3000, max_date=4_000_000_000)
    )
    world.create(calendar(event("a")))
    before = world.text("SELECT * FROM VEVENT")
    with pytest.raises(said):
        world.modify("SELECT * FROM VEVENT", "", new)
    assert world.text("SELECT * FROM VEVENT") == before


def test_MDF10_one_failure_of_many_changes_nothing(world: World) -> None:
    world.create(calendar(*(event(f"u{n}") for n in range(9)), event("u9", "SEQUENCE:1")))
    with pytest.raises(InvalidError):  # u9 would have two SEQUENCEs
        world.modify("SELECT * FROM VEVENT", "DURATION:PT1H", "DURATION:PT1H\nSEQUENCE:2")
    assert len(world.find("SELECT * FROM VEVENT WHERE DURATION = 'PT1H'")) == 10
    receipts = world.modify("SELECT * FROM VEVENT", "DURATION:PT1H", "DURATION:PT2H")
    assert sorted(one.id_value for one in receipts) == [f"u{n}" for n in range(10)]  # MDF-11
    assert maintenance.check(world.store) == []


def test_MDF10_every_reason_is_told(world: World) -> None:
    world.create(calendar(*(event(f"u{n}", f"SEQUENCE:{n}") for n in range(3)), event("fine")))
    with pytest.raises(SeveralError) as caught:
        world.modify("SELECT * FROM VEVENT", "DURATION:PT1H", "DURATION:PT1H\nSEQUENCE:9")
    told = [
        (given, receipt.id_value, type(receipt.error).__name__) for given, receipt in caught.value.refusals
    ]
    assert sorted(told) == [("bill/calendar", f"u{n}", "InvalidError") for n in range(3)]
    assert world.find("SELECT * FROM VEVENT WHERE SEQUENCE = '9'") == []
    assert maintenance.check(world.store) == []


def test_MDF10_reasons_of_the_database_and_after_it(world: World) -> None:
    world.create(
        calendar(
            "BEGIN:VTIMEZONE\nTZID:A\nBEGIN:STANDARD\nDTSTART:19700101T000000\n"
            "TZOFFSETFROM:+0000\nTZOFFSETTO:+0000\nEND:STANDARD\nEND:VTIMEZONE"
        )
    )
    old, new = component("VAGENDA", "ALLOW-CONFLICT:TRUE"), component("VAGENDA", "ALLOW-CONFLICT:FALSE")
    chosen = selection("SELECT * FROM VAGENDA")
    world.store.write(lambda tx: ledger.modify(tx, world.bill, [world.calendar], chosen, old, new))
    world.create(
        calendar(
            event("a"),
            event("b", start="DTSTART:20260310T120000Z"),
            event("c", start="DTSTART:20260310T140000Z"),
        )
    )
    with pytest.raises(SeveralError) as caught:
        world.modify(
            "SELECT * FROM VEVENT WHERE UID != 'a'", "DURATION:PT1H", "DURATION:PT1H\nRDATE:20260310T093000Z"
        )
    assert [type(receipt.error).__name__ for _, receipt in caught.value.refusals] == ["ConflictError"] * 2
    assert maintenance.check(world.store) == []


def test_A62_several_targets_are_one_transaction(world: World) -> None:
    world.create(calendar("BEGIN:VAGENDA\nCALID:two\nEND:VAGENDA"), STORE)
    two = world.target("two")
    world.create(calendar(event("a")))
    world.create(calendar(event("a", "LOCATION:elsewhere")), two)
    old, new = component("VEVENT", "LOCATION:elsewhere"), component("VEVENT", "LOCATION:here")
    chosen = selection("SELECT * FROM VEVENT")
    with pytest.raises(StaleError):
        world.store.write(lambda tx: ledger.modify(tx, world.bill, [two, world.calendar], chosen, old, new))
    assert world.uids("SELECT * FROM VEVENT WHERE LOCATION = 'elsewhere'", two) == ["a"]
    done = world.store.write(
        lambda tx: ledger.modify(
            tx,
            world.bill,
            [two, world.calendar],
            chosen,
            component("VEVENT", ""),
            component("VEVENT", "PRIORITY:1"),
        )
    )
    assert [len(receipts) for receipts in done] == [1, 1]


def test_an_instance_of_a_series_gets_an_override(world: World) -> None:
    world.create(calendar(event("s", "SUMMARY:old", "RRULE:FREQ=WEEKLY;COUNT=4")))
    (receipt,) = world.modify(
        "SELECT * FROM VEVENT WHERE RECURRENCE-ID = '20260317T090000Z'",
        "SUMMARY:old",
        "SUMMARY:new",
        expand=True,
    )
    assert receipt.recurrence is not None
    assert receipt.recurrence.value == "20260317T090000Z"
    shown = {
        one.value("DTSTART"): one.value("SUMMARY") for one in world.find("SELECT * FROM VEVENT", expand=True)
    }
    assert shown == {
        "20260310T090000Z": "old",
        "20260317T090000Z": "new",
        "20260324T090000Z": "old",
        "20260331T090000Z": "old",
    }
    assert maintenance.check(world.store) == []


def test_a_parameter_alone_can_change(one_world: World) -> None:
    one_world.create(calendar(event("a", "ATTENDEE;CN=Bill;PARTSTAT=NEEDS-ACTION:MAILTO:bill@example.com")))
    one_world.modify(
        "SELECT * FROM VEVENT",
        "ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:bill@example.com",
        "ATTENDEE;PARTSTAT=ACCEPTED:mailto:bill@example.com",
    )
    assert "ATTENDEE;CN=Bill;PARTSTAT=ACCEPTED:mailto:bill@example.com\r\n" in one_world.text(
        "SELECT * FROM VEVENT"
    )


def test_a_new_zone_is_defined_in_the_text(one_world: World) -> None:
    one_world.create(calendar(event("a")))
    one_world.modify(
        "SELECT * FROM VEVENT", "DTSTART:20260310T090000Z", "DTSTART;TZID=Asia/Tokyo:20260310T180000"
    )
    (row,) = one_world.store.read(lambda tx: objects.by_uid(tx, one_world.calendar.calendar_id, "a"))
    assert parse(row.ics).children("VTIMEZONE")[0].value("TZID") == "Asia/Tokyo"
    assert one_world.uids("SELECT * FROM VEVENT WHERE DTSTART = '20260310T090000Z'") == ["a"]


def test_rights_queries_and_zones_are_modified_like_everything(one_world: World) -> None:
    one_world.create(calendar("BEGIN:VQUERY\nQUERYID:q\nQUERY:SELECT * FROM VEVENT\nEND:VQUERY"))
    where = "SELECT * FROM VQUERY WHERE QUERYID = 'q'"
    one_world.modify(where, "QUERYID:q", "QUERYID:r", kind="VQUERY")
    assert len(one_world.find("SELECT * FROM VQUERY WHERE QUERYID = 'r'")) == 1
    with pytest.raises(InvalidError):
        one_world.modify("SELECT * FROM VQUERY", "QUERY:SELECT * FROM VEVENT", "QUERY:SELECT", kind="VQUERY")
    with pytest.raises(DeniedError):
        one_world.modify("SELECT * FROM VCAR WHERE CARID = 'DEFAULTOWNER'", "", "DECREED:TRUE", kind="VCAR")
    with pytest.raises(InvalidError):
        one_world.modify(
            "SELECT * FROM VTIMEZONE WHERE TZID = 'UTC'", "TZID:UTC", "TZID:GMT", kind="VTIMEZONE"
        )
    assert maintenance.check(one_world.store) == []


def test_strangers_modify_nothing(one_world: World) -> None:
    one_world.create(calendar(event("a")))
    with pytest.raises(StaleError):
        one_world.modify("SELECT * FROM VEVENT", "", "SUMMARY:mine", one_world.calendar, one_world.mary)
    with pytest.raises(DeniedError):
        one_world.modify("SELECT * FROM VCAR", "", "NAME:x", one_world.calendar, one_world.mary, kind="VCAR")
    one_world.lock_out(one_world.calendar, one_world.bill)
    with pytest.raises(NotFoundError):
        one_world.modify("SELECT * FROM VEVENT", "", "SUMMARY:mine", one_world.calendar, one_world.mary)
    with pytest.raises(InvalidError):
        one_world.modify("SELECT * FROM VEVENT", "", "SUMMARY:mine", kind="VTODO")


def test_the_change_is_stamped(one_world: World) -> None:
    one_world.create(calendar(event("a")))
    later = one_world.caller("bill", now=NOW + 7)
    one_world.modify("SELECT * FROM VEVENT", "", "SUMMARY:x", caller=later)
    (row,) = one_world.store.read(lambda tx: objects.by_uid(tx, one_world.calendar.calendar_id, "a"))
    assert (row.created_at, row.changed_at) == (NOW, NOW + 7)


NAMES = st.sampled_from(["SUMMARY", "COMMENT", "X-A", "LOCATION", "CATEGORIES"])
VALUES = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=90)
LINES = st.lists(st.builds(Line.make, NAMES, VALUES), max_size=12)


@given(held=LINES, more=LINES, data=st.data())
@settings(max_examples=60)
def test_what_is_not_named_keeps_its_octets(held: list[Line], more: list[Line], data: st.DataObject) -> None:
    """MDF-04: old and not new goes, new and not old comes, and nothing else moves."""
    target = Component("VEVENT", [*held])
    old = data.draw(st.lists(st.sampled_from(held), unique_by=id)) if held else []
    before = raw_lines(target)
    values = Component("VEVENT", [Line(line.raw, line.name) for line in old])
    assert patch.holds(target, values)
    patch.apply(target, values, Component("VEVENT", [*more]))
    after = raw_lines(target)
    kept = list(before)
    for line in old:
        kept.remove(line.raw)
    rest = iter(after)
    assert all(raw in rest for raw in kept)  # still there, in their order
    assert {line.raw for line in more} <= set(after)


@given(held=LINES)
@settings(max_examples=50)
def test_equal_old_and_new_values_change_nothing(held: list[Line]) -> None:
    target = Component("VEVENT", [*held])
    same = Component("VEVENT", [Line(line.raw, line.name) for line in held])
    patch.apply(target, same, same)
    assert [line.raw for line in target.lines] == [line.raw for line in held]
