"""No double bookings (RFC 4324 §4.2.1, §8.1, §8.36, §10.15; CON-01 to CON-06, A-12 to A-15)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from core_world import POLICY, World, calendar, errors, event, lines, todo

from kalends.core import containers, ledger
from kalends.core.conflicts import clashes, conflict
from kalends.core.conflicts.proof import Walk
from kalends.core.errors import ConflictError, InvalidError
from kalends.core.languages import translated
from kalends.core.model import Receipt, Target
from kalends.ical.recur_plan import Budget
from kalends.ical.tree import parse
from kalends.store import calendars
from kalends.store.base import Deadline, Tx
from kalends.store.errors import DeadlineError

BERLIN = "DTSTART;TZID=Europe/Berlin:"


@pytest.fixture
def room(world: World) -> Target:
    """A calendar of Bill's in which nothing may overlap."""
    return strict_calendar(world, "bill/room")


@pytest.fixture
def one_room(one_world: World) -> Target:
    return strict_calendar(one_world, "bill/room")


def strict_calendar(world: World, calid: str) -> Target:
    return world.store.write(
        lambda tx: containers.create_calendar(tx, world.root, calid, "bill", allow_conflict=False)
    )


def utc(clock: str, day: int = 10) -> str:
    return f"DTSTART:202603{day:02}T{clock}00Z"


def book(world: World, target: Target | None, *bodies: str) -> list[str]:
    return errors(world.create(calendar(*bodies), target))


def reason(receipts: list[Receipt]) -> str:
    assert isinstance(receipts[0].error, ConflictError)
    return receipts[0].error.reason


# --- ALLOW-CONFLICT:FALSE ---


def test_con_01_ends_are_exclusive(world: World, room: Target) -> None:
    """10-11, then 10:30-11:30 is refused and 11-12 and 9-10 are not (CON-01)."""
    assert book(world, room, event("a", start=utc("1000"))) == [""]
    assert book(world, room, event("b", start=utc("1030"))) == ["ConflictError"]
    assert book(world, room, event("c", start=utc("1100"))) == [""]
    assert book(world, room, event("d", start=utc("0900"))) == [""]
    assert world.uids("SELECT UID FROM VEVENT", room) == ["a", "c", "d"]


def test_con_01_other_calendars_allow_what_overlaps(world: World) -> None:
    assert book(world, None, event("a", start=utc("1000"))) == [""]
    assert book(world, None, event("b", start=utc("1000"))) == [""]


def test_con_03_rights_do_not_outrank_it(world: World, room: Target) -> None:
    """§4.2.1: not even an administrator may."""
    assert book(world, room, event("a", start=utc("1000"))) == [""]
    made = world.create(calendar(event("b", start=utc("1000"))), room, world.root)
    assert errors(made) == ["ConflictError"]


def test_a_refusal_says_when_and_what(world: World, room: Target) -> None:
    book(world, room, event("a", "SUMMARY:Board\\, all", start=utc("1000")))
    refused = world.create(calendar(event("b", start=utc("1030"))), room)
    assert "2026-03-10 11:00 to 12:00 Europe/Berlin “Board, all”" in reason(refused)


def test_a_refusal_names_three_and_counts_the_rest(one_world: World, one_room: Target) -> None:
    for hour in range(5):
        book(one_world, one_room, event(f"e{hour}", f"SUMMARY:No{hour}", start=utc(f"{10 + hour}00")))
    long = (
        "BEGIN:VEVENT\nUID:long\nDTSTAMP:20260101T000000Z\nDTSTART:20260310T000000Z\nDURATION:P1D\nEND:VEVENT"
    )
    words = reason(one_world.create(calendar(long), one_room))
    assert "No0" in words
    assert "No2" in words
    assert "No3" not in words
    assert "and 2 more" in words


@pytest.mark.parametrize(
    ("tag", "taken"),
    [("de", "die Zeit ist belegt: "), ("es", "la hora está ocupada: "), ("fr", "l'heure est prise: "),
     ("ja", "その時間は埋まっています: ")],
)  # fmt: skip
def test_that_the_time_is_taken_is_told_in_the_callers_language(
    one_world: World, one_room: Target, tag: str, taken: str
) -> None:
    """RFC 4324 §7.6: a refusal is told in the language that was asked for."""
    book(one_world, one_room, event("a", "SUMMARY:Board", start=utc("1000")))
    words = reason(one_world.create(calendar(event("b", start=utc("1000"))), one_room))
    said, language = translated(words, tag)
    assert (said.startswith(taken), "“Board”" in said, language) == (True, True, tag)


@pytest.mark.parametrize("line", ["STATUS:CANCELLED", "TRANSP:TRANSPARENT", "transp:transparent"])
def test_what_does_not_occupy_time_does_not_count(one_world: World, one_room: Target, line: str) -> None:
    """Decision 2: neither CANCELLED nor TRANSPARENT objects, in either order."""
    assert book(one_world, one_room, event("a", line, start=utc("1000"))) == [""]
    assert book(one_world, one_room, event("b", start=utc("1000"))) == [""]
    assert book(one_world, one_room, event("c", line, start=utc("1000"))) == [""]


def test_tentative_counts(one_world: World, one_room: Target) -> None:
    assert book(one_world, one_room, event("a", "STATUS:TENTATIVE", start=utc("1000"))) == [""]
    assert book(one_world, one_room, event("b", start=utc("1000"))) == ["ConflictError"]


def test_a_todo_counts_with_start_and_due(one_world: World, one_room: Target) -> None:
    """A-14."""
    assert book(one_world, one_room, todo("a", "DUE:20260310T120000Z")) == [""]
    assert book(one_world, one_room, todo("b", utc("1000"), "DUE:20260310T120000Z")) == [""]
    assert book(one_world, one_room, event("c", start=utc("1100"))) == ["ConflictError"]


def test_what_takes_no_time_overlaps_nothing(one_world: World, one_room: Target) -> None:
    moment = "BEGIN:VEVENT\nUID:m\nDTSTAMP:20260101T000000Z\nDTSTART:20260310T103000Z\nEND:VEVENT"
    assert book(one_world, one_room, event("a", start=utc("1000"))) == [""]
    assert book(one_world, one_room, moment) == [""]
    assert book(one_world, one_room, event("c", start=utc("1100"))) == [""]


def test_unprocessed_objects_never_block(world: World, room: Target) -> None:
    """A-14: nor are they refused."""
    for uid in ("a", "c"):
        offered = event(
            uid, "ORGANIZER:mailto:mary@example.com", "SUMMARY:x", "SEQUENCE:0", start=utc("1000")
        )
        assert errors(world.create(calendar(offered, method="PUBLISH"), room)) == [""]
        assert book(world, room, event(f"b{uid}", start=utc("1000"))) == [
            "" if uid == "a" else "ConflictError"
        ]


def test_deleted_objects_free_their_slot(world: World, room: Target) -> None:
    for mark in (True, False):
        assert book(world, room, event("a", start=utc("1000"))) == [""]
        world.delete("SELECT * FROM VEVENT WHERE UID = 'a'", room, mark=mark)
    assert book(world, room, event("a", start=utc("1000"))) == [""]


def test_in_one_command_the_first_wins(world: World, room: Target) -> None:
    made = book(world, room, event("a", start=utc("1000")), event("b", start=utc("1030")), event("c"))
    assert made == ["", "ConflictError", ""]


def test_import_refuses_the_second(world: World, room: Target) -> None:
    tree = parse(calendar(event("a", start=utc("1000")), event("b", start=utc("1030"))))
    made = world.store.write(lambda tx: ledger.import_objects(tx, world.bill, room, tree))
    assert errors(made) == ["", "ConflictError"]


def test_put_is_refused_too(world: World, room: Target) -> None:
    """CON-08's ground: the door that CalDAV goes through."""
    book(world, room, event("a", start=utc("1000")))
    tree = parse(
        lines("BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\n" + event("b", start=utc("1030")) + "\nEND:VCALENDAR")
    )
    with pytest.raises(ConflictError):
        world.store.write(lambda tx: ledger.put_object(tx, world.bill, room, "b.ics", tree))
    assert world.uids("SELECT UID FROM VEVENT", room) == ["a"]


def test_con_05_modify_into_a_taken_slot(world: World, room: Target) -> None:
    """Refused, and the object is unchanged; its own old slot does not stand in its way."""
    book(world, room, event("a", start=utc("1000")), event("b", start=utc("1100")))
    before = world.text("SELECT * FROM VEVENT WHERE UID = 'b'", room)
    with pytest.raises(ConflictError):
        world.modify("SELECT UID FROM VEVENT WHERE UID = 'b'", utc("1100"), utc("1030"), room)
    assert world.text("SELECT * FROM VEVENT WHERE UID = 'b'", room) == before
    assert errors(world.modify("SELECT UID FROM VEVENT WHERE UID = 'b'", utc("1100"), utc("1130"), room)) == [
        ""
    ]


def test_con_05_modify_transp_of_an_overlapping_event(world: World, room: Target) -> None:
    book(world, room, event("a", start=utc("1000")), event("b", "TRANSP:TRANSPARENT", start=utc("1000")))
    with pytest.raises(ConflictError):
        world.modify("SELECT UID FROM VEVENT WHERE UID = 'b'", "TRANSP:TRANSPARENT", "TRANSP:OPAQUE", room)


def test_con_05_move_into_a_taken_slot(world: World, room: Target) -> None:
    book(world, room, event("a", start=utc("1000")))
    book(world, None, event("b", start=utc("1030")), event("c", start=utc("1100")))
    moved = world.move("SELECT * FROM VEVENT WHERE UID = 'b' OR UID = 'c'", "bill/room", "bill/calendar")
    assert sorted(errors(moved)) == ["", "ConflictError"]
    assert world.uids("SELECT UID FROM VEVENT", room) == ["a", "c"]
    assert world.uids("SELECT UID FROM VEVENT") == ["b"]


# --- TRANSP:*-NOCONFLICT ---


@pytest.mark.parametrize(
    ("first", "second", "refused"),
    [
        ("OPAQUE-NOCONFLICT", "OPAQUE", True),
        ("OPAQUE-NOCONFLICT", "OPAQUE-NOCONFLICT", True),
        ("OPAQUE-NOCONFLICT", "TRANSPARENT", False),
        ("OPAQUE-NOCONFLICT", "TRANSPARENT-NOCONFLICT", True),
        ("TRANSPARENT-NOCONFLICT", "OPAQUE", True),
        ("TRANSPARENT-NOCONFLICT", "TRANSPARENT", False),
        ("TRANSPARENT-NOCONFLICT", "TRANSPARENT-NOCONFLICT", False),
        ("OPAQUE", "OPAQUE", False),
        ("OPAQUE", "TRANSPARENT", False),
    ],
)
def test_con_04_noconflict_is_symmetric(one_world: World, first: str, second: str, refused: bool) -> None:
    """§8.36, in any calendar and in either order."""
    for hour, pair in (("10", (first, second)), ("15", (second, first))):
        made = [
            book(one_world, None, event(f"{hour}{n}", f"TRANSP:{transp}", start=utc(f"{hour}00")))
            for n, transp in enumerate(pair)
        ]
        assert made == [[""], ["ConflictError" if refused else ""]]


def test_con_04_both_databases(world: World) -> None:
    assert book(world, None, event("a", "TRANSP:OPAQUE-NOCONFLICT", start=utc("1000"))) == [""]
    assert book(world, None, event("b", start=utc("1059"))) == ["ConflictError"]
    assert book(world, None, event("c", start=utc("1100"))) == [""]


def test_transparent_noconflict_counts_in_a_strict_calendar(one_world: World, one_room: Target) -> None:
    """Decision 2."""
    assert book(one_world, one_room, event("a", "TRANSP:TRANSPARENT-NOCONFLICT", start=utc("1000"))) == [""]
    assert book(one_world, one_room, event("b", "TRANSP:TRANSPARENT-NOCONFLICT", start=utc("1000"))) == [
        "ConflictError"
    ]


def test_the_literal_reading(one_world: World, one_room: Target) -> None:
    """A-14: a setting lets everything count."""
    policy = replace(POLICY, conflict_counts_everything=True)
    literal = replace(one_world.bill, policy=policy)
    assert book(one_world, one_room, event("a", "TRANSP:TRANSPARENT", start=utc("1000"))) == [""]
    made = one_world.create(calendar(event("b", "STATUS:CANCELLED", start=utc("1000"))), one_room, literal)
    assert errors(made) == ["ConflictError"]


# --- series ---


def weekly(uid: str, start: str, *more: str) -> str:
    return event(uid, "RRULE:FREQ=WEEKLY", *more, start=start)


def test_con_06_any_instance_counts(world: World, room: Target) -> None:
    assert book(world, room, weekly("s", utc("1000"))) == [""]
    assert book(world, room, event("a", start=utc("1030", 24))) == ["ConflictError"]
    assert book(world, room, event("b", start=utc("1030", 25))) == [""]
    assert book(world, room, weekly("t", "DTSTART:20260211T103000Z")) == ["ConflictError"]  # b is a Wednesday
    assert book(world, room, weekly("u", "DTSTART:20260203T103000Z")) == ["ConflictError"]
    assert book(world, room, weekly("v", "DTSTART:20260203T110000Z")) == [""]


def test_con_06_exdate_frees_a_slot(world: World, room: Target) -> None:
    assert book(world, room, weekly("s", utc("1000"), "EXDATE:20260317T100000Z")) == [""]
    assert book(world, room, event("a", start=utc("1000", 17))) == [""]
    assert book(world, room, event("b", start=utc("1000", 24))) == ["ConflictError"]


def test_con_06_an_override_moves_its_instance(world: World, room: Target) -> None:
    """It frees where it was, takes where it is, and does not hit its own series."""
    moved = event("s", "RECURRENCE-ID:20260317T100000Z", start=utc("1030", 17))
    assert book(world, room, weekly("s", utc("1000")), moved) == ["", ""]
    assert book(world, room, event("a", "X-N:1", start=utc("0930", 17))) == [""]
    assert book(world, room, event("b", start=utc("1100", 17))) == ["ConflictError"]


def test_con_06_an_override_onto_its_own_series(world: World, room: Target) -> None:
    moved = event("s", "RECURRENCE-ID:20260317T100000Z", start=utc("1030", 24))
    assert book(world, room, weekly("s", utc("1000")), moved) == ["ConflictError", "ConflictError"]


def test_con_06_this_and_future(one_world: World, one_room: Target) -> None:
    moved = event("s", "RECURRENCE-ID;RANGE=THISANDFUTURE:20260317T100000Z", start=utc("1300", 17))
    assert book(one_world, one_room, weekly("s", utc("1000")), moved) == ["", ""]
    assert book(one_world, one_room, weekly("a", utc("1000", 17))) == [""]
    assert book(one_world, one_room, weekly("b", utc("1330", 17))) == ["ConflictError"]


def test_a_series_that_overlaps_itself(one_world: World, one_room: Target) -> None:
    long = weekly("s", utc("1000")).replace("PT1H", "P8D")
    assert "overlaps itself" in reason(one_world.create(calendar(long), one_room))
    assert book(one_world, None, long.replace("PT1H", "P8D")) == [""]


def test_a_dense_series_is_compared_in_one_scan(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """One for each instance would read all the others each time: a minute in which nobody else can write."""
    alone = "TRANSP:OPAQUE-NOCONFLICT"
    day = event("day", start="DTSTART:20260301T000000Z").replace("PT1H", "P1D")
    assert book(world, None, day, event("taken", start=utc("1000"))) == ["", ""]

    def dense(uid: str, clock: str) -> str:
        return event(uid, "RRULE:FREQ=SECONDLY;COUNT=3000", alone, start=utc(clock)).replace("PT1H", "PT5S")

    def never(*_: object, **__: object) -> None:
        raise AssertionError("one scan for each")

    with monkeypatch.context() as patch:
        patch.setattr(clashes.instances, "near", never)
        assert book(world, None, dense("b", "0930")) == ["ConflictError"]
        assert book(world, None, dense("c", "1100")) == [""]
    assert book(world, None, event("d", start=utc("1100"))) == ["ConflictError"]


def test_a_dense_series_that_overlaps_itself_is_refused_at_once(
    one_world: World, one_room: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(clashes.instances, "near")
    assert book(one_world, one_room, event("a", "RRULE:FREQ=SECONDLY", start=utc("0930"))) == [
        "ConflictError"
    ]


def test_the_walk_through_two_rules_stops_with_its_deadline(one_world: World) -> None:
    """RFC 4324 §10.1.1: a proof asks the database nothing, and may take seconds."""
    deadline = Deadline()
    whole = parse(calendar(event("a", "RRULE:FREQ=DAILY", start=utc("0930"))))

    def work(tx: Tx) -> None:
        walk = Walk(whole, None, tx)
        assert len(walk.between(1_800_000_000, 1_801_000_000, Budget(1_000))) > 10
        deadline.cancel()
        walk.between(1_800_000_000, 1_801_000_000, Budget(1_000))

    with pytest.raises(DeadlineError):
        one_world.store.read(work, deadline)


def test_changing_the_summary_of_a_series_is_no_new_booking(one_world: World, one_room: Target) -> None:
    book(one_world, one_room, weekly("s", utc("1000"), "SUMMARY:a"))
    assert errors(
        one_world.modify("SELECT UID FROM VEVENT WHERE UID = 's'", "SUMMARY:a", "SUMMARY:b", one_room)
    ) == [""]


# --- behind the horizon ---


def test_far_events_and_open_series(world: World, room: Target) -> None:
    """A-15: two years ahead the index ends; the proof does not."""
    assert book(world, room, weekly("s", f"{BERLIN}20260310T100000")) == [""]
    assert book(world, room, event("a", start=f"{BERLIN}20400306T103000")) == ["ConflictError"]  # a Tuesday
    assert book(world, room, event("b", start=f"{BERLIN}20400307T103000")) == [""]
    assert book(world, room, weekly("t", f"{BERLIN}20260311T103000")) == ["ConflictError"]
    assert book(world, room, weekly("u", f"{BERLIN}20260311T113000")) == [""]


def test_open_series_that_first_meet_far_away(world: World, room: Target) -> None:
    """Every year on 29 February, and a Tuesday: 2028 is a Tuesday, so is 2056."""
    leap = "RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29"
    assert book(world, room, event("s", leap, start="DTSTART:20320229T100000Z")) == [""]
    assert book(world, room, weekly("t", "DTSTART:20260310T103000Z")) == ["ConflictError"]  # 2056
    assert book(world, room, event("u", "RRULE:FREQ=WEEKLY;UNTIL=20551231T000000Z", start=utc("1030"))) == [
        ""
    ]


def test_alternating_weeks_never_meet(one_world: World, one_room: Target) -> None:
    for uid, day in (("even", 10), ("odd", 17)):
        rule = "RRULE:FREQ=WEEKLY;INTERVAL=2"
        assert book(one_world, one_room, event(uid, rule, start=f"{BERLIN}202603{day}T100000")) == [""]
    third = event("third", "RRULE:FREQ=WEEKLY;INTERVAL=3", start=f"{BERLIN}20290313T100000")
    assert book(one_world, one_room, third) == ["ConflictError"]


def test_first_and_third_monday(one_world: World, one_room: Target) -> None:
    for n, day in (("1", "02"), ("3", "16")):
        rule = f"RRULE:FREQ=MONTHLY;BYDAY={n}MO"
        assert book(one_world, one_room, event(f"m{n}", rule, start=f"{BERLIN}202603{day}T180000")) == [""]


def test_zones_whose_difference_changes(one_world: World, one_room: Target) -> None:
    """Berlin and New York are five hours apart for some weeks of the year, else six."""
    assert book(one_world, one_room, weekly("b", f"{BERLIN}20260210T150000")) == [""]
    york = "DTSTART;TZID=America/New_York:20300205T{}00"
    assert book(one_world, one_room, weekly("n", york.format("1000"))) == ["ConflictError"]
    assert book(one_world, one_room, weekly("o", york.format("1100"))) == [""]


def test_a_night_that_is_longer_once_a_year(one_world: World, one_room: Target) -> None:
    """DTEND fixes eight hours; after the night in which clocks go forward they end an hour later."""
    night = event("n", "RRULE:FREQ=WEEKLY", start=f"{BERLIN}20260307T220000").replace("PT1H", "PT8H")
    assert book(one_world, one_room, night) == [""]
    assert book(one_world, one_room, weekly("m", f"{BERLIN}20260308T060000")) == ["ConflictError"]
    assert book(one_world, one_room, weekly("o", f"{BERLIN}20260308T070000")) == [""]


def test_floating_times_and_dates_are_read_in_the_calendars_zone(world: World, room: Target) -> None:
    assert book(world, room, event("f", start="DTSTART:20260310T100000")) == [""]
    assert book(world, room, event("a", start="DTSTART:20260310T093000Z")) == ["ConflictError"]
    assert book(world, room, event("b", start="DTSTART:20260310T100000Z")) == [""]
    day = "BEGIN:VEVENT\nUID:d\nDTSTAMP:20260101T000000Z\nDTSTART;VALUE=DATE:20260311\nEND:VEVENT"
    assert book(world, room, day) == [""]
    assert book(world, room, event("c", start="DTSTART:20260310T223000Z")) == ["ConflictError"]
    assert book(world, room, event("e", start="DTSTART:20260310T220000Z")) == [""]


def test_rules_that_cannot_be_compared_are_refused(one_world: World, one_room: Target) -> None:
    """No proof, no booking."""
    dense = event("d", "RRULE:FREQ=MINUTELY;INTERVAL=7;BYDAY=MO,TU", start=utc("1000")).replace(
        "PT1H", "PT1M"
    )
    assert book(one_world, one_room, dense) == ["TooComplexError"]
    assert one_world.uids("SELECT UID FROM VEVENT", one_room) == []


# --- switching ---


def test_con_02_a_calendar_follows_its_property(world: World) -> None:
    """MODIFY of ALLOW-CONFLICT takes effect, both ways."""

    def switch(old: str, new: str) -> None:
        world.modify(
            "SELECT CALID FROM VAGENDA WHERE CALID = 'bill/calendar'",
            f"ALLOW-CONFLICT:{old}",
            f"ALLOW-CONFLICT:{new}",
            kind="VAGENDA",
        )
        row = world.store.read(lambda tx: calendars.by_calid(tx, "bill/calendar"))
        assert row is not None
        assert row.allow_conflict == (new == "TRUE")

    book(world, None, event("a", start=utc("1000")))
    switch("TRUE", "FALSE")
    assert book(world, None, event("b", start=utc("1000"))) == ["ConflictError"]
    switch("FALSE", "TRUE")
    assert book(world, None, event("b", start=utc("1000"))) == [""]
    with pytest.raises(ConflictError, match=r"bill/calendar overlap: 2026-03-10 11:00 to 12:00"):
        switch("TRUE", "FALSE")


def test_con_02_the_store_rules_all_calendars(world: World) -> None:
    store = world.target("cap://cal.example.com", world.root)

    def switch_store() -> None:
        world.modify(
            "SELECT CSID FROM VCALSTORE", "ALLOW-CONFLICT:TRUE", "ALLOW-CONFLICT:FALSE", store, world.root,
            kind="VCALSTORE",
        )  # fmt: skip

    book(world, None, event("a", start=utc("1000")), event("b", start=utc("1000")))
    with pytest.raises(ConflictError, match="bill/calendar"):
        switch_store()
    world.delete("SELECT * FROM VEVENT WHERE UID = 'b'")
    switch_store()
    agenda = world.text("SELECT * FROM VAGENDA WHERE CALID = 'bill/calendar'")
    assert "ALLOW-CONFLICT:FALSE" in agenda
    assert book(world, None, event("b", start=utc("1000"))) == ["ConflictError"]
    with pytest.raises(InvalidError, match="store"):
        world.modify(
            "SELECT CALID FROM VAGENDA WHERE CALID = 'bill/calendar'", "ALLOW-CONFLICT:FALSE",
            "ALLOW-CONFLICT:TRUE", kind="VAGENDA",
        )  # fmt: skip


def test_kalends_check_finds_overlaps(world: World, room: Target) -> None:
    """A-15: what got in by another way is found and named."""
    book(world, None, event("a", start=utc("1000")), event("b", start=utc("1030")))
    assert conflict.findings(world.store, POLICY) == []
    world.store.write(lambda tx: calendars.set_flags(tx, world.calendar.calendar_id, allow_conflict=False))
    (found,) = conflict.findings(world.store, POLICY)
    assert found.code == "overlap"
    assert found.where == "calendar bill/calendar"
    assert "2026-03-10" in found.text


def test_kalends_check_needs_no_proof_where_nothing_excludes_anything(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many series without end there are: which of them overlap is not asked."""
    monkeypatch.setattr(clashes, "MAX_OPEN_PAIRS", 0)
    daily = "RRULE:FREQ=DAILY"
    book(world, None, event("a", daily, start=utc("1000")), event("b", daily, start=utc("1030")))
    assert conflict.findings(world.store, POLICY) == []
    assert book(world, None, event("c", daily, "TRANSP:OPAQUE-NOCONFLICT", start=utc("1400"))) == [""]
    (found,) = conflict.findings(world.store, POLICY)
    assert found.code == "overlap-unknown"


def test_kalends_check_places_what_floats_among_the_rest(world: World, room: Target) -> None:
    """10:00 where the calendar is, is 9:00 UTC: the index has it behind what comes after it."""
    world.store.write(lambda tx: calendars.set_flags(tx, room.calendar_id, allow_conflict=True))
    short = event("a", start=utc("0900")).replace("DURATION:PT1H", "DURATION:PT15M")
    floats = event("b", start="DTSTART:20260310T100000")
    assert book(world, room, short, floats, event("c", start=utc("0945"))) == ["", "", ""]
    world.store.write(lambda tx: calendars.set_flags(tx, room.calendar_id, allow_conflict=False))
    found = " ".join(one.text for one in conflict.findings(world.store, POLICY))
    assert (found.count("(a)"), found.count("(b)"), found.count("(c)")) == (1, 2, 1)
