"""CREATE: what is taken in, what is refused, and that a client's octets are kept (RFC 4324 §10.4)."""

from __future__ import annotations

import pytest
from core_world import NOW, STORE, World, calendar, errors, event, lines, todo

from kalends.core import ledger
from kalends.core.errors import InvalidError, KalendsError, NotFoundError
from kalends.core.model import Policy
from kalends.ical.tree import parse
from kalends.store import calendars, changes, maintenance, objects
from kalends.store.base import Store, Tx

BERLIN = "DTSTART;TZID=Europe/Berlin:20260310T090000"


def stored(world: World, uid: str) -> str:
    (row,) = world.store.read(lambda tx: objects.by_uid(tx, world.calendar.calendar_id, uid))
    return row.ics.decode()


def test_OBM07_without_METHOD_booked_with_METHOD_unprocessed(world: World) -> None:
    request = event("r", "ORGANIZER:mailto:o@x.org", "ATTENDEE:mailto:bill@example.com")
    assert errors(world.create(calendar(event("b")))) == [""]
    (receipt,) = world.create(calendar(request, method="REQUEST"))
    assert (receipt.error, receipt.method) == (None, "REQUEST")
    assert world.uids("SELECT * FROM VEVENT WHERE STATE() = 'BOOKED'") == ["b"]
    assert world.uids("SELECT * FROM VEVENT WHERE STATE() = 'UNPROCESSED'") == ["r"]
    assert world.uids("SELECT * FROM VEVENT") == ["b", "r"]


def test_OBM09_CRE12_a_uid_is_booked_once(world: World) -> None:
    assert errors(world.create(calendar(event("a")))) == [""]
    assert errors(world.create(calendar(event("a"), event("b")))) == ["DuplicateError", ""]
    assert errors(world.create(calendar(todo("a")))) == ["DuplicateError"]  # whatever type
    assert maintenance.check(world.store) == []


def test_OBM11_several_unprocessed_objects_share_a_uid(world: World) -> None:
    request = event("r", "ORGANIZER:mailto:o@x.org", "ATTENDEE:mailto:bill@example.com")
    world.create(calendar(request, method="REQUEST"))
    assert errors(world.create(calendar(request, method="REQUEST"))) == [""]
    assert world.uids("SELECT * FROM VEVENT") == ["r", "r"]


def test_22_a_duplicate_of_a_message_that_was_marked_for_delete_is_dropped(world: World) -> None:
    request = event("r", "ORGANIZER:mailto:o@x.org", "ATTENDEE:mailto:bill@example.com")
    world.create(calendar(request, method="REQUEST"))
    world.delete("SELECT * FROM VEVENT WHERE STATE() = 'UNPROCESSED'", mark=True)
    assert errors(world.create(calendar(request, method="REQUEST"))) == [""]
    assert world.uids("SELECT * FROM VEVENT") == []
    other = request.replace("20260310T090000Z", "20260310T100000Z")
    assert errors(world.create(calendar(other, method="REQUEST"))) == [""]
    assert world.uids("SELECT * FROM VEVENT") == ["r"]
    world.store.write(
        lambda tx: calendars.set_flags(tx, world.calendar.calendar_id, auto_process=False)
    )  # then it is the CUA's business
    assert errors(world.create(calendar(request, method="REQUEST"))) == [""]
    assert world.uids("SELECT * FROM VEVENT") == ["r", "r"]


def test_a_refused_object_leaves_the_others_created_and_receipts_keep_the_order(world: World) -> None:
    text = calendar(
        event("a"),
        event("bad", start="DTSTART:20260231T000000Z"),
        "BEGIN:VEVENT\nDTSTART:20260101T000000Z\nEND:VEVENT",
        event("b"),
        event("a", "RECURRENCE-ID:20260310T090000Z"),
    )
    receipts = world.create(text)
    assert errors(receipts) == ["", "InvalidError", "InvalidError", "", ""]
    assert [one.id_value for one in receipts] == ["a", "bad", "", "b", "a"]
    assert receipts[4].recurrence is not None
    assert world.uids("SELECT * FROM VEVENT") == ["a", "a", "b"]
    refused = receipts[1].error
    assert isinstance(refused, InvalidError)
    assert text.splitlines()[refused.line - 1] == "DTSTART:20260231T000000Z"


def test_the_lines_of_the_client_are_kept_octet_for_octet(one_world: World) -> None:
    odd = (
        'begin:vevent\r\nuid:odd\r\nX-NOTE;x-p="a;b":keep  this\r\n   folded\r\n'
        "dtstart;tzid=Europe/Berlin:20260310T090000\r\nSUMMARY:Grüße \\, ja\r\nend:vevent\r\n"
    )
    one_world.create(
        f"BEGIN:VCALENDAR\r\nPRODID:-//me\r\nVERSION:2.0\r\nCMD:CREATE\r\nX-WR:1\r\n{odd}END:VCALENDAR\r\n"
    )
    text = stored(one_world, "odd")
    assert odd in text
    assert text.startswith("BEGIN:VCALENDAR\r\nPRODID:-//me\r\nVERSION:2.0\r\nX-WR:1\r\nBEGIN:VTIMEZONE\r\n")
    assert "CMD" not in text
    assert parse(text).children("VTIMEZONE")[0].value("TZID") == "Europe/Berlin"


def test_a_clients_own_zone_definition_stays_with_the_object(one_world: World) -> None:
    zone = (
        "BEGIN:VTIMEZONE\nTZID:Home\nBEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETFROM:+0300\n"
        "TZOFFSETTO:+0300\nEND:STANDARD\nEND:VTIMEZONE"
    )
    receipts = one_world.create(calendar(zone, event("a", start="DTSTART;TZID=Home:20260310T090000")))
    assert [(one.kind, one.id_name, one.id_value, one.error) for one in receipts] == [
        ("VTIMEZONE", "TZID", "Home", None),
        ("VEVENT", "UID", "a", None),
    ]
    assert lines(zone) in stored(one_world, "a")
    assert one_world.uids("SELECT * FROM VEVENT WHERE DTSTART = '20260310T060000Z'") == ["a"]
    # the same definition again is no twin, for it only comes along; and later it need not be sent
    again = one_world.create(calendar(zone, event("b", start="DTSTART;TZID=Home:20260310T090000")))
    assert errors(again) == ["", ""]
    assert errors(one_world.create(calendar(event("c", start="DTSTART;TZID=Home:20260310T090000")))) == [""]
    assert lines(zone) in stored(one_world, "c")
    assert errors(one_world.create(calendar(zone))) == ["DuplicateError"]
    assert len(one_world.find("SELECT * FROM VTIMEZONE WHERE TZID = 'Home'")) == 1


def test_a_zone_that_nobody_knows_is_refused(one_world: World) -> None:
    assert errors(one_world.create(calendar(event("a", start="DTSTART;TZID=Mars/X:20260310T090000")))) == [
        "InvalidError"
    ]


def test_overrides_join_their_series_and_a_series_its_overrides(world: World) -> None:
    weekly = event("s", "RRULE:FREQ=WEEKLY;COUNT=4")
    moved = event("s", "RECURRENCE-ID:20260317T090000Z", start="DTSTART:20260318T120000Z")
    world.create(calendar(weekly))
    assert errors(world.create(calendar(moved))) == [""]
    assert errors(world.create(calendar(moved))) == ["DuplicateError"]
    assert errors(world.create(calendar(weekly))) == ["DuplicateError"]
    starts = [one.value("DTSTART") for one in world.find("SELECT * FROM VEVENT", expand=True)]
    assert sorted(map(str, starts)) == [
        "20260310T090000Z", "20260318T120000Z", "20260324T090000Z", "20260331T090000Z",
    ]  # fmt: skip
    other = world.marys
    assert errors(world.create(calendar(moved), other, world.mary)) == [""]
    assert errors(world.create(calendar(weekly), other, world.mary)) == [""]
    assert len(world.find("SELECT * FROM VEVENT", other, world.mary, expand=True)) == 4
    assert maintenance.check(world.store) == []


def test_CRE11_dates_outside_the_stores_range(sqlite_store: Store) -> None:
    policy = Policy(csid="c", realm="example.com", min_date=0, max_date=4_102_444_800)
    world = World(sqlite_store, policy)
    for start, said in (
        ("DTSTART:21010101T000000Z", "TooFarFutureError"),
        ("DTSTART:120260101T000000Z", "TooFarFutureError"),
        ("DTSTART:19691231T235959Z", "TooFarPastError"),
        ("DTSTART;VALUE=DATE:19690101", "TooFarPastError"),
        ("DTSTART:00000101T000000Z", "TooFarPastError"),
        ("DTSTART:19700101T000000Z", ""),
        ("DTSTART:21000101T000000Z", ""),
    ):
        assert errors(world.create(calendar(event(start, start=start)))) == [said], start
    forgotten = event("g", "CREATED:00001231T000000Z")  # Google's, of events that it lost the date of
    assert errors(world.create(calendar(forgotten))) == [""]


def test_CRE11_an_object_over_the_size_limit(sqlite_store: Store) -> None:
    world = World(sqlite_store, Policy(csid="c", realm="example.com", max_object=5_000))
    big = "DESCRIPTION:" + "x" * 6_000
    assert errors(world.create(calendar(event("big", big), event("small")))) == ["TooLargeError", ""]


def test_CRE13_a_full_calendar(sqlite_store: Store) -> None:
    world = World(sqlite_store, Policy(csid="c", realm="example.com", quota=2))
    receipts = world.create(calendar(event("a"), event("b"), event("c")))
    assert errors(receipts) == ["", "", "QuotaError"]
    assert world.uids("SELECT * FROM VEVENT") == ["a", "b"]


def test_CRE14_a_free_busy_is_accepted_and_not_kept(one_world: World) -> None:
    sent = "BEGIN:VFREEBUSY\nUID:f\nDTSTAMP:20260101T000000Z\nFREEBUSY:20260310T090000Z/PT1H\nEND:VFREEBUSY"
    (receipt,) = one_world.create(calendar(sent))
    assert (receipt.error, receipt.id_value) == (None, "f")
    assert one_world.store.read(lambda tx: objects.by_uid_anywhere(tx, "f")) == []


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("BEGIN:VCALSTORE\nCSID:cap://x\nEND:VCALSTORE", "InvalidError"),
        ("BEGIN:VALARM\nSEQUENCE:1\nTRIGGER:-PT5M\nACTION:AUDIO\nEND:VALARM", "InvalidError"),
        ("BEGIN:VAGENDA\nCALID:x\nEND:VAGENDA", "InvalidError"),
        ("BEGIN:VPOLL\nUID:x\nEND:VPOLL", "UnsupportedError"),
        ("BEGIN:VCAR\nCARID:x\nEND:VCAR", "InvalidError"),
        ("BEGIN:VCAR\nCARID:x\nBEGIN:VRIGHT\nGRANT:*\nEND:VRIGHT\nEND:VCAR", "InvalidError"),
        ("BEGIN:VCAR\nCARID:x\nBEGIN:VRIGHT\nPERMISSION:*\nEND:VRIGHT\nEND:VCAR", "InvalidError"),
        ("BEGIN:VCAR\nCARID:x\nBEGIN:VRIGHT\nGRANT:bob@\nPERMISSION:*\nEND:VRIGHT\nEND:VCAR", "InvalidError"),
        (
            "BEGIN:VCAR\nCARID:x\nBEGIN:VRIGHT\nGRANT:bob@*\nPERMISSION:*\nEND:VRIGHT\nEND:VCAR",
            "InvalidError",
        ),
        (
            "BEGIN:VCAR\nCARID:x\nBEGIN:VRIGHT\nGRANT:*\nPERMISSION:SEARCH\nRESTRICTION:SELECT * FROM X-A\nEND:VRIGHT\nEND:VCAR",
            "InvalidError",
        ),
        (
            "BEGIN:VCAR\nCARID:x\nBEGIN:VRIGHT\nGRANT:*\nPERMISSION:SEARCH\nSCOPE:nonsense\nEND:VRIGHT\nEND:VCAR",
            "InvalidError",
        ),
        (
            "BEGIN:VCAR\nCARID:x\nDECREED:TRUE\nBEGIN:VRIGHT\nGRANT:*\nPERMISSION:*\nEND:VRIGHT\nEND:VCAR",
            "DeniedError",
        ),
        (
            "BEGIN:VCAR\nCARID:x\nDECREED:TRUE\nDECREED:FALSE\nBEGIN:VRIGHT\nGRANT:*\nPERMISSION:*\nEND:VRIGHT\nEND:VCAR",
            "InvalidError",
        ),
        ("BEGIN:VQUERY\nQUERYID:q\nEND:VQUERY", "InvalidError"),
        ("BEGIN:VQUERY\nQUERY:SELECT * FROM VEVENT\nEND:VQUERY", "InvalidError"),
        ("BEGIN:VQUERY\nQUERYID:q\nQUERY:SELECT\nEND:VQUERY", "InvalidError"),
        ("BEGIN:VQUERY\nQUERYID:q\nTARGET:x\nQUERY:SELECT * FROM VEVENT\nEND:VQUERY", "InvalidError"),
        (
            "BEGIN:VQUERY\nQUERYID:q\nEXPAND:TRUE\nEXPAND:TRUE\nQUERY:SELECT * FROM VEVENT\nEND:VQUERY",
            "InvalidError",
        ),
        ("BEGIN:VTIMEZONE\nTZID:Z\nEND:VTIMEZONE", "InvalidError"),
        ("BEGIN:VEVENT\nUID:e\nDTSTART:20260310T090000Z\nDTEND:20260309T090000Z\nEND:VEVENT", "InvalidError"),
        ("BEGIN:VEVENT\nUID:e\nDTSTART:20260310T090000Z\nRRULE:FREQ=SOMETIMES\nEND:VEVENT", "InvalidError"),
    ],
)
def test_what_breaks_a_rule_is_refused_with_its_class(one_world: World, body: str, said: str) -> None:
    before = one_world.store.read(lambda tx: objects.counts(tx, one_world.calendar.calendar_id))
    assert errors(one_world.create(calendar(body))) == [said]
    assert one_world.store.read(lambda tx: objects.counts(tx, one_world.calendar.calendar_id)) == before


@pytest.mark.parametrize("kind", ["VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY"])
def test_OBM17_the_store_holds_no_events(one_world: World, kind: str) -> None:
    text = calendar(event("a", kind=kind).replace("DURATION:PT1H\n", ""))
    assert errors(one_world.create(text, STORE, one_world.root)) == ["InvalidError"]
    assert errors(one_world.create(text, caller=one_world.root)) == [""]


@pytest.mark.parametrize(
    ("kind", "name", "body"),
    [
        ("VCAR", "CARID", "BEGIN:VRIGHT\nGRANT:*@example.com\nPERMISSION:SEARCH\nEND:VRIGHT"),
        ("VQUERY", "QUERYID", "QUERY:SELECT * FROM VEVENT"),
        (
            "VTIMEZONE",
            "TZID",
            "BEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETFROM:+0000\nTZOFFSETTO:+0000\nEND:STANDARD",
        ),
        ("X-THING", "X-ID", "X-VALUE:1"),
        ("X-THING", "X-THING-ID", "X-VALUE:1"),
        ("X-THING", "UID", "X-VALUE:1"),
    ],
)
def test_OBM23_OBM24_things_with_ids_of_their_own(one_world: World, kind: str, name: str, body: str) -> None:
    text = calendar(f"BEGIN:{kind}\n{name}:one\\, two\n{body}\nEND:{kind}")
    (receipt,) = one_world.create(text)
    assert (receipt.error, receipt.id_name, receipt.id_value) == (None, name, "one\\, two")
    assert errors(one_world.create(text)) == ["DuplicateError"]
    assert len(one_world.find(f"SELECT * FROM {kind} WHERE {name} = 'one, two'")) == 1
    if kind != "X-THING":
        assert errors(one_world.create(text, STORE, one_world.root)) == [""]
    assert maintenance.check(one_world.store) == []


@pytest.mark.parametrize(
    "text",
    [
        "BEGIN:VCALENDAR\nVERSION:2.0\nCMD:CREATE\nEND:VCALENDAR",
        "BEGIN:VCALENDAR\nVERSION:2.0\nVERSION:2.0\n" + event("a") + "\nEND:VCALENDAR",
        "BEGIN:VCALENDAR\nMETHOD:FROB\n" + event("a") + "\nEND:VCALENDAR",
        "BEGIN:VCALENDAR\nMETHOD:ADD\nMETHOD:ADD\n" + event("a") + "\nEND:VCALENDAR",
        event("a"),
    ],
)
def test_OBM01_CRE04_a_broken_envelope_refuses_the_command(one_world: World, text: str) -> None:
    with pytest.raises(InvalidError):
        one_world.create(lines(text))
    assert one_world.uids("SELECT * FROM VEVENT") == []


def test_CRE05_a_request_without_organizer_is_no_request(one_world: World) -> None:
    assert errors(one_world.create(calendar(event("a"), method="REQUEST"))) == ["InvalidError"]


def test_CRE05_a_message_is_checked_as_a_whole_before_it_is_taken_apart(one_world: World) -> None:
    """RFC 5546 §3.2.2: one kind; one UID to the letter, while RFC 4324 §10.4 has an example with two."""
    request = ("ORGANIZER:mailto:o@x.org", "ATTENDEE:mailto:bill@example.com", "SUMMARY:s", "PRIORITY:1")
    two = calendar(event("a", *request), event("b", *request), method="REQUEST")
    mixed = calendar(event("a", *request), event("b", *request).replace("VEVENT", "VTODO"), method="REQUEST")
    for text, caller in ((mixed, one_world.bill), (two, one_world.caller("bill", strict=True))):
        with pytest.raises(InvalidError, match=r"one UID only|different kinds"):
            one_world.create(text, caller=caller)
        assert one_world.uids("SELECT * FROM VEVENT") == []
    assert errors(one_world.create(two)) == ["", ""]


def test_OBM18_a_counter_names_its_sender(one_world: World) -> None:
    counter = event(
        "c", "ORGANIZER:mailto:o@x.org", "SEQUENCE:0", "SUMMARY:s", "ATTENDEE:mailto:bill@example.com"
    )
    text = calendar(counter, method="COUNTER")
    assert errors(one_world.create(text, caller=one_world.caller("bill", strict=True))) == ["InvalidError"]
    assert errors(one_world.create(text)) == [""]
    assert "ATT-COUNTER:mailto:bill@example.com\r\n" in one_world.text("SELECT * FROM VEVENT")


def test_ACL01_strangers_change_nothing(one_world: World) -> None:
    assert errors(one_world.create(calendar(event("a")), one_world.calendar, one_world.mary)) == [
        "DeniedError"
    ]
    one_world.lock_out(one_world.calendar, one_world.bill)
    with pytest.raises(NotFoundError):
        one_world.create(calendar(event("a")), one_world.calendar, one_world.mary)
    assert errors(one_world.create(calendar(event("a")), one_world.calendar, one_world.root)) == [""]


def test_every_write_is_one_tick_with_its_change(one_world: World) -> None:
    def log(tx: Tx) -> list[tuple[str, str, str]]:
        return [
            (one.op, one.kind, one.uid)
            for one in changes.history(tx, one_world.calendar.calendar_id, limit=3)
        ]

    one_world.create(calendar(event("a"), event("b")))
    first = one_world.store.read(lambda tx: changes.history(tx, one_world.calendar.calendar_id, limit=2))
    assert {one.tick for one in first} == {first[0].tick}
    assert {(one.op, one.uid, one.via, one.at) for one in first} == {
        ("put", "a", "cap", NOW),
        ("put", "b", "cap", NOW),
    }
    one_world.delete("SELECT * FROM VEVENT WHERE UID = 'a'", mark=True)
    assert one_world.store.read(log)[0] == ("state", "VEVENT", "a")
    one_world.delete("SELECT * FROM VEVENT WHERE UID = 'b'")
    assert one_world.store.read(log)[0] == ("remove", "VEVENT", "b")


def test_a_failing_transaction_changes_nothing(world: World) -> None:
    def work(tx: Tx) -> None:
        ledger.create(tx, world.bill, world.calendar, parse(calendar(event("a"))))
        raise KalendsError("no")

    with pytest.raises(KalendsError):
        world.store.write(work)
    assert world.uids("SELECT * FROM VEVENT") == []
    assert maintenance.check(world.store) == []


def test_import_takes_a_whole_file_and_says_what_it_refused(world: World) -> None:
    many = [event(f"u{number}", start=BERLIN) for number in range(60)]
    text = calendar(*many, event("u3"), event("bad", start="DTSTART:nonsense"), method="PUBLISH")
    receipts = world.store.write(
        lambda tx: ledger.import_objects(tx, world.bill, world.calendar, parse(text))
    )
    assert errors(receipts).count("DuplicateError") == 1  # the first u3 is there
    assert errors(receipts).count("InvalidError") == 1
    assert len(world.uids("SELECT * FROM VEVENT WHERE STATE() = 'BOOKED'")) == 60
    exported = world.export()
    assert exported.count("BEGIN:VTIMEZONE") == 1
    assert exported.count("BEGIN:VEVENT") == 60
    assert "METHOD" not in exported
    again = world.store.write(lambda tx: ledger.import_objects(tx, world.mary, world.marys, parse(exported)))
    assert set(errors(again)) == {""}
    assert maintenance.check(world.store) == []


def test_two_definitions_of_one_zone_name_both_survive_an_export(world: World) -> None:
    def here(offset: str) -> str:
        return (
            "BEGIN:VTIMEZONE\nTZID:Here\nBEGIN:STANDARD\nDTSTART:19700101T000000\n"
            f"TZOFFSETFROM:{offset}\nTZOFFSETTO:{offset}\nEND:STANDARD\nEND:VTIMEZONE"
        )

    at = "DTSTART;TZID=Here:20260310T120000"
    for uid, offset in (("east", "+0300"), ("west", "-0300"), ("east2", "+0300")):
        world.create(calendar(here(offset), event(uid, "EXDATE;TZID=Here:20260311T120000", start=at)))
    exported = world.export()
    assert exported.count("BEGIN:VTIMEZONE") == 2
    receipts = world.store.write(
        lambda tx: ledger.import_objects(tx, world.mary, world.marys, parse(exported))
    )
    assert set(errors(receipts)) == {""}
    for target in (world.calendar, world.marys):
        for hour, uids in ((9, ["east", "east2"]), (15, ["west"])):
            query = f"SELECT UID FROM VEVENT WHERE DTSTART = '20260310T{hour:02}0000Z'"
            found = world.find(query, target=target, caller=world.root)
            assert sorted(one.value("UID") or "" for one in found) == uids


def test_put_object_keeps_the_octets_and_the_name(world: World) -> None:
    tree = parse(calendar(event("a")))
    row = world.store.write(lambda tx: ledger.put_object(tx, world.bill, world.calendar, "mine.ics", tree))
    assert (row.name, row.ics, row.uid) == ("mine.ics", tree.to_bytes(), "a")
    changed = parse(calendar(event("a", "SUMMARY:new")))
    after = world.store.write(
        lambda tx: ledger.put_object(tx, world.bill, world.calendar, "mine.ics", changed, replaced=row)
    )
    assert after.etag != row.etag
    assert world.uids("SELECT * FROM VEVENT WHERE SUMMARY = 'new'") == ["a"]
    for name, text in (
        ("mine.ics", event("b")),
        ("other.ics", event("a")),
        ("x.ics", event("x") + "\n" + event("y")),
    ):
        with pytest.raises(KalendsError):
            world.store.write(
                lambda tx, name=name, text=text: ledger.put_object(
                    tx, world.bill, world.calendar, name, parse(calendar(text))
                )
            )
    assert maintenance.check(world.store) == []


@pytest.mark.parametrize(
    ("extra", "limit"),
    [
        (["COMMENT:x"] * 50_001, "50000"),
        (["BEGIN:VALARM\r\nACTION:AUDIO\r\nTRIGGER:-PT1M\r\nEND:VALARM"] * 1_001, "1000"),
    ],
    ids=["lines", "alarms"],
)
def test_CRE05_an_object_that_would_keep_the_writer_busy_is_refused(
    world: World, extra: list[str], limit: str
) -> None:
    (receipt,) = world.create(calendar(event("big", *extra)))
    assert type(receipt.error).__name__ == "TooLargeError"
    assert f"the limit is {limit}" in str(receipt.error)
    assert world.uids("SELECT * FROM VEVENT") == []
