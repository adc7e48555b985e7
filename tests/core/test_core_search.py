"""SEARCH: states, stored queries, expansion, free/busy (RFC 4324 §6.1.1, §10.12)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from core_world import STORE, World, calendar, event, lines, todo
from hypothesis import given, settings
from hypothesis import strategies as st

from kalends.calquery.parse import parse as parse_query
from kalends.core import expansion, freebusy, search
from kalends.core.errors import InvalidError, NotFoundError, TooComplexError
from kalends.core.model import Policy, Selection, Target
from kalends.ical.tree import Line
from kalends.store import maintenance
from kalends.store.base import Deadline, Store
from kalends.store.errors import DeadlineError

REQUEST = ("ORGANIZER:mailto:o@x.org", "ATTENDEE:mailto:bill@example.com")


def stored(world: World, query_id: str, target: Target | None = None, place: str | None = None) -> list[str]:
    chosen = Selection((), query_id=query_id, container=place)
    (answer,) = world.store.read(lambda tx: search.search(tx, world.bill, target or world.calendar, [chosen]))
    return sorted(
        item.value("UID") for found in answer.found for item in found.items if not isinstance(item, Line)
    )


def test_QRY03_SEA02_one_answer_for_each_query(one_world: World) -> None:
    one_world.create(calendar(event("a"), todo("t")))
    chosen = Selection(
        (one_world.answer("SELECT UID FROM VTODO").query, one_world.answer("SELECT UID FROM VEVENT").query)
    )
    answers = one_world.store.read(
        lambda tx: search.search(tx, one_world.bill, one_world.calendar, [chosen, chosen])
    )
    assert [[item.value("UID") for one in answer.found for item in one.items] for answer in answers] == [
        ["t"],
        ["a"],
        ["t"],
        ["a"],
    ]


def test_SEA03_only_what_is_selected(one_world: World) -> None:
    one_world.create(calendar(event("a", "SUMMARY:s")))
    assert one_world.text("SELECT SUMMARY,UID FROM VEVENT") == lines(
        "BEGIN:VEVENT\nUID:a\nSUMMARY:s\nEND:VEVENT"
    )
    assert one_world.answer("SELECT LOCATION FROM VEVENT").found == []


def test_QRY04_alarms_wrapped_and_bare(one_world: World) -> None:
    one_world.create(calendar(event("a", "BEGIN:VALARM\nACTION:AUDIO\nTRIGGER:-PT5M\nEND:VALARM")))
    (wrapped,) = one_world.find("SELECT VALARM FROM VEVENT")
    assert wrapped.name == "VALARM"
    (found,) = one_world.answer("SELECT VALARM.* FROM VEVENT").found
    assert [item.raw for item in found.items if isinstance(item, Line)] == [
        "ACTION:AUDIO\r\n",
        "TRIGGER:-PT5M\r\n",
    ]


def test_QRY14_each_METHOD_is_told(one_world: World) -> None:
    one_world.create(calendar(event("a")))
    one_world.create(calendar(event("b", *REQUEST), method="REQUEST"))
    found = one_world.answer("SELECT * FROM VEVENT").found
    assert sorted(str(one.method) for one in found) == ["None", "REQUEST"]
    assert one_world.uids("SELECT * FROM VEVENT WHERE METHOD = 'REQUEST'") == ["b"]


def test_A23_contained_components_from_a_calendar(one_world: World) -> None:
    one_world.create(calendar(event("a"), event("b")))
    assert one_world.uids("SELECT VEVENT FROM VAGENDA WHERE UID = 'a'") == ["a"]


def test_QRY31_a_stored_query_is_fetched_by_its_id(one_world: World) -> None:
    one_world.create(calendar(event("a"), event("b", "PRIORITY:1")))
    vquery = "BEGIN:VQUERY\nQUERYID:first\nQUERY:SELECT * FROM VEVENT WHERE PRIORITY = '1'\nEND:VQUERY"
    one_world.create(calendar(vquery))
    assert stored(one_world, "first") == ["b"]
    assert stored(one_world, "first", place="cap://cal.example.com/bill/calendar") == ["b"]
    one_world.create(calendar(vquery.replace("first", "shared")), STORE, one_world.root)
    assert stored(one_world, "shared", place="cap://cal.example.com") == ["b"]
    for query_id, place in (("none", None), ("first", "mary/calendar"), ("first", "cap://cal.example.com")):
        with pytest.raises(NotFoundError):
            stored(one_world, query_id, place=place)


def test_a_stored_query_may_expand(one_world: World) -> None:
    one_world.create(calendar(event("s", "RRULE:FREQ=DAILY;COUNT=3")))
    one_world.create(calendar("BEGIN:VQUERY\nQUERYID:q\nEXPAND:TRUE\nQUERY:SELECT * FROM VEVENT\nEND:VQUERY"))
    assert stored(one_world, "q") == ["s", "s", "s"]


def test_OBM08_states_are_not_mixed_in_one_vquery(one_world: World) -> None:
    deleted = one_world.answer("SELECT * FROM VEVENT WHERE STATE() = 'DELETED'").query
    booked = one_world.answer("SELECT * FROM VEVENT").query
    with pytest.raises(InvalidError):
        one_world.store.read(
            lambda tx: search.search(tx, one_world.bill, one_world.calendar, [Selection((deleted, booked))])
        )


def test_QRY09_QRY10_QRY13_functions_of_the_session(one_world: World) -> None:
    one_world.create(calendar(event("a", *REQUEST), event("b")))
    assert one_world.uids("SELECT * FROM VEVENT WHERE ATTENDEE = SELF()") == ["a"]
    assert one_world.uids("SELECT * FROM VEVENT WHERE CAL-OWNERS()") == ["a", "b"]
    assert one_world.uids("SELECT * FROM VEVENT WHERE CAL-OWNERS()", caller=one_world.root) == []
    assert len(one_world.find("SELECT * FROM VAGENDA WHERE CALID = CURRENT-TARGET()")) == 1
    assert len(one_world.find("SELECT * FROM VAGENDA WHERE OWNER = SELF()", STORE, one_world.root)) == 2


def test_the_store_shows_the_calendars_that_may_be_seen(one_world: World) -> None:
    def calids(caller: object) -> list[str]:
        return [one.value("CALID") for one in one_world.find("SELECT CALID FROM VAGENDA", STORE, caller)]

    pair = [f"cap://cal.example.com/{{}}/{name}" for name in ("calendar", "tasks")]
    assert calids(one_world.root) == [one.format(n) for n in ("bill", "mary", "root") for one in pair]
    assert calids(one_world.bill) == [one.format("bill") for one in pair]
    for calid in ("bill/calendar", "cap://cal.example.com/bill/calendar"):
        assert (
            len(one_world.find(f"SELECT * FROM VAGENDA WHERE CALID = '{calid}'", STORE, one_world.root)) == 1
        )


def test_QRY35_properties_without_contents(one_world: World) -> None:
    one_world.create(calendar(event("a")))
    assert one_world.find("SELECT * FROM VAGENDA")[0].components == []
    (vagenda,) = one_world.find("SELECT CAL-OWNERS() FROM VAGENDA")
    assert vagenda.value("OWNER") == "bill@example.com"


def test_containers_are_found_where_they_are(one_world: World) -> None:
    assert one_world.find("SELECT * FROM VCALSTORE") == []
    assert one_world.find("SELECT * FROM VEVENT", STORE, one_world.root) == []
    assert len(one_world.find("SELECT * FROM VCALSTORE WHERE CSID = 'cap://cal.example.com'", STORE)) == 1


def test_QRY27_QRY28_instances_in_a_range(world: World) -> None:
    world.create(
        calendar(
            event("weekly", "RRULE:FREQ=WEEKLY", start="DTSTART;TZID=Europe/Berlin:20260105T090000"),
            event("single", start="DTSTART:20260316T000000Z"),
            event("outside", start="DTSTART:20260401T000000Z"),
            event("day", start="DTSTART;VALUE=DATE:20260317").replace("DURATION:PT1H\n", ""),
        )
    )
    query = (
        "SELECT * FROM VEVENT WHERE RECURRENCE-ID >= '20260310T000000Z' AND RECURRENCE-ID <= '20260331T235959Z'"
        " AND STATE() = 'BOOKED'"
    )
    found = world.find(query, expand=True)
    assert sorted((one.value("UID"), one.value("DTSTART")) for one in found) == [
        ("day", "20260317"),
        ("single", "20260316T000000Z"),
        ("weekly", "20260316T090000"),
        ("weekly", "20260323T090000"),
        ("weekly", "20260330T090000"),
    ]
    ids = [one.value("RECURRENCE-ID") for one in found if one.value("UID") == "weekly"]
    assert ids == ["20260316T090000", "20260323T090000", "20260330T090000"]
    assert all(one.first("RRULE") is None for one in found)


def test_instances_behind_the_horizon_come_from_the_rule(world: World) -> None:
    world.create(
        calendar(
            event("inf", "RRULE:FREQ=YEARLY", "SUMMARY:x"),
            event("fin", "RRULE:FREQ=YEARLY;COUNT=3"),
            event("other", "RRULE:FREQ=YEARLY", "SUMMARY:y"),
        )
    )
    far = (
        "SELECT * FROM VEVENT WHERE DTSTART >= '20500101T000000Z' AND DTSTART < '20530101T000000Z'"
        " AND SUMMARY = 'x'"
    )
    assert [one.value("DTSTART")[:4] for one in world.find(far, expand=True)] == ["2050", "2051", "2052"]
    across = "SELECT * FROM VEVENT WHERE DTSTART < '20310101T000000Z' AND UID = 'inf'"
    assert [one.value("DTSTART")[:4] for one in world.find(across, expand=True)] == [
        "2026", "2027", "2028", "2029", "2030",
    ]  # fmt: skip


def test_QRY29_no_more_than_RECUR_LIMIT_instances(sqlite_store: Store) -> None:
    world = World(sqlite_store, Policy(csid="c", realm="example.com", recur_limit=10))
    world.create(calendar(event("s", "RRULE:FREQ=DAILY"), event("t", "RRULE:FREQ=DAILY;COUNT=10")))
    answer = world.answer("SELECT * FROM VEVENT WHERE UID = 's'", expand=True)
    assert (len(answer.found), answer.truncated) == (10, True)
    answer = world.answer("SELECT * FROM VEVENT WHERE UID = 't'", expand=True)
    assert (len(answer.found), answer.truncated) == (10, False)


def test_QRY25_alarms_of_instances_in_a_range(world: World) -> None:
    alarm = "BEGIN:VALARM\nACTION:AUDIO\nTRIGGER:-PT1H\nEND:VALARM"
    world.create(calendar(event("s", "RRULE:FREQ=DAILY;COUNT=5", alarm), event("t")))
    query = (
        "SELECT UID,DTSTART FROM VEVENT WHERE VALARM.TRIGGER >= '20260312T000000Z'"
        " AND VALARM.TRIGGER <= '20260312T235959Z' AND STATE() = 'BOOKED'"
    )
    assert [one.value("DTSTART") for one in world.find(query, expand=True)] == ["20260312T090000Z"]


def test_QRY34_too_much_is_too_complex(sqlite_store: Store) -> None:
    world = World(sqlite_store, Policy(csid="c", realm="example.com", max_results=3))
    world.create(calendar(*(event(f"e{n}") for n in range(4))))
    with pytest.raises(TooComplexError):
        world.find("SELECT * FROM VEVENT")
    with pytest.raises(TooComplexError):
        world.find("SELECT *.* FROM VAGENDA")
    assert len(world.find("SELECT * FROM VEVENT WHERE UID != 'e0'")) == 3


# --- free/busy ---


def periods(world: World, query: str, caller: object = None) -> dict[str, list[str]]:
    (found,) = world.find(query, caller=caller)
    return {line.param("FBTYPE"): line.value.split(",") for line in found.all("FREEBUSY")}


@pytest.mark.parametrize("asker", ["bill", "mary"])
def test_expanding_behind_the_horizon_stops_with_its_deadline(
    one_world: World, monkeypatch: pytest.MonkeyPatch, asker: str
) -> None:
    """RFC 4324 §10.1.1: also where nothing matches; the owner's search, and that of who sees a part."""
    lines = ("BEGIN:VCAR", "CARID:m", "BEGIN:VRIGHT", "GRANT:mary@example.com", "PERMISSION:SEARCH",
             "SCOPE:SELECT UID,DTSTART,RRULE FROM VEVENT", "END:VRIGHT", "END:VCAR")  # fmt: skip
    one_world.create(calendar("".join(f"{line}\r\n" for line in lines)))
    one_world.create(calendar(event("daily", "RRULE:FREQ=DAILY")))
    range_ = "DTSTART >= '20400101T000000Z' AND DTSTART < '20420101T000000Z'"
    query = f"SELECT UID FROM VEVENT WHERE {range_} AND DTSTART LIKE '%T000001%'"
    deadline, expand = Deadline(), expansion.occurrences

    def over(*args: Any, **more: Any) -> Iterator[Any]:
        for number, one in enumerate(expand(*args, **more)):
            if number == 3:
                deadline.cancel()
            assert number <= 3
            yield one

    monkeypatch.setattr(expansion, "occurrences", over)
    chosen, caller = Selection((parse_query(query),), expand=True), getattr(one_world, asker)
    with pytest.raises(DeadlineError):
        one_world.store.read(lambda tx: search.search(tx, caller, one_world.calendar, [chosen]), deadline)


def test_what_is_taken_out_of_found_components_stops_with_the_deadline(
    one_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    one_world.create(calendar(event("series", "RRULE:FREQ=DAILY;COUNT=10")))
    deadline, add = Deadline(), search._Projector.add
    added: list[bool] = []

    def over(*args: Any) -> bool:
        deadline.cancel()
        added.append(add(*args))
        return added[-1]

    monkeypatch.setattr(search._Projector, "add", over)
    chosen = Selection((parse_query("SELECT UID FROM VEVENT"),), expand=True)
    with pytest.raises(DeadlineError):
        one_world.store.read(
            lambda tx: search.search(tx, one_world.bill, one_world.calendar, [chosen]), deadline
        )
    assert added == [True]


def test_free_busy_behind_the_horizon_stops_with_its_deadline(
    one_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 4324 §10.1.1: expanding rules asks the database nothing, and is stopped all the same."""
    one_world.create(calendar(event("daily", "RRULE:FREQ=DAILY")))
    query = "SELECT * FROM VFREEBUSY WHERE DTSTART >= '20400101T000000Z' AND DTEND <= '20420101T000000Z'"
    deadline, expand = Deadline(), freebusy.occurrences

    def over(*args: Any) -> Iterator[Any]:
        for number, one in enumerate(expand(*args)):
            if number == 3:
                deadline.cancel()
            assert number <= 3
            yield one

    monkeypatch.setattr(freebusy, "occurrences", over)
    chosen = Selection((parse_query(query),))
    with pytest.raises(DeadlineError):
        one_world.store.read(
            lambda tx: search.search(tx, one_world.bill, one_world.calendar, [chosen]), deadline
        )


RANGE = "SELECT * FROM VFREEBUSY WHERE DTSTART >= '20260310T000000Z' AND DTEND <= '20260312T000000Z'"


def test_FBY01_free_busy_follows_the_calendar(world: World) -> None:
    world.create(
        calendar(
            event("daily", "RRULE:FREQ=DAILY;COUNT=9", start="DTSTART:20260308T090000Z"),
            event("touching", start="DTSTART:20260310T100000Z"),
            event("over", start="DTSTART:20260310T103000Z"),
            event("maybe", "STATUS:TENTATIVE", start="DTSTART:20260311T093000Z"),
            event("free", "TRANSP:TRANSPARENT", start="DTSTART:20260310T150000Z"),
            event("off", "STATUS:CANCELLED", start="DTSTART:20260310T160000Z"),
            event("across", start="DTSTART:20260309T233000Z"),
        )
    )
    world.create(calendar(event("asked", *REQUEST, start="DTSTART:20260310T200000Z"), method="REQUEST"))
    assert periods(world, RANGE) == {
        "BUSY": [
            "20260310T000000Z/20260310T003000Z",
            "20260310T090000Z/20260310T113000Z",
            "20260311T090000Z/20260311T100000Z",
        ],
        "BUSY-TENTATIVE": ["20260311T100000Z/20260311T103000Z"],
    }
    (found,) = world.find(RANGE)
    assert (found.value("DTSTART"), found.value("DTEND")) == ("20260310T000000Z", "20260312T000000Z")
    assert found.first("SUMMARY") is None  # no leaks
    world.delete("SELECT * FROM VEVENT WHERE UID = 'over'")
    assert "20260310T090000Z/20260310T110000Z" in periods(world, RANGE)["BUSY"]


def test_FBY02_FBY03_states_of_free_busy(one_world: World) -> None:
    one_world.create(calendar(event("a")))
    assert one_world.answer(f"{RANGE} AND STATE() = 'UNPROCESSED'").found == []
    assert one_world.answer(f"{RANGE} AND STATE() = 'DELETED'").found == []
    assert one_world.text(f"{RANGE} AND STATE() = 'BOOKED'") == one_world.text(RANGE)
    assert one_world.answer(f"{RANGE} AND UID = 'x'").found == []


def test_A68_ranges_of_free_busy(one_world: World) -> None:
    (found,) = one_world.find("SELECT * FROM VFREEBUSY")
    assert (found.value("DTSTART"), found.value("DTEND")) == ("20260101T000000Z", "20260304T000000Z")
    touching = "SELECT * FROM VFREEBUSY WHERE DTEND > '20260310T000000Z' AND DTSTART < '20260312T000000Z'"
    (found,) = one_world.find(touching)
    assert found.first("FREEBUSY") is None
    with pytest.raises(InvalidError):
        one_world.find(
            "SELECT * FROM VFREEBUSY WHERE DTSTART >= '20260310T000000Z' AND DTEND <= '20990312T000000Z'"
        )
    assert one_world.answer("SELECT * FROM VFREEBUSY", STORE).found == []


def test_QRY17_FBY01_behind_the_horizon_free_busy_says_the_same_as_before_it(one_world: World) -> None:
    one_world.create(calendar(event("f", "RRULE:FREQ=YEARLY;COUNT=9", start="DTSTART:20260715T090000")))
    todo = "BEGIN:VTODO\nUID:t\nDTSTAMP:20260101T000000Z\nDUE:20260716T090000Z\nRRULE:FREQ=YEARLY\nEND:VTODO"
    one_world.create(calendar(todo))
    caller = one_world.caller("bill", default_tz="Asia/Tokyo")
    for year in (2026, 2027, 2031):
        asked = (
            f"SELECT * FROM VFREEBUSY WHERE DTSTART >= '{year}0714T000000Z' AND DTEND <= '{year}0717T000000Z'"
        )
        assert periods(one_world, asked, caller) == {"BUSY": [f"{year}0715T000000Z/{year}0715T010000Z"]}, year


def test_QRY17_floating_times_are_busy_where_the_asker_is(one_world: World) -> None:
    one_world.create(calendar(event("local", start="DTSTART:20260310T120000")))
    assert periods(one_world, RANGE)["BUSY"] == ["20260310T110000Z/20260310T120000Z"]  # the calendar's zone
    tokyo = replace(one_world.bill, default_tz="Asia/Tokyo")
    assert periods(one_world, RANGE, tokyo)["BUSY"] == ["20260310T030000Z/20260310T040000Z"]


def test_QRY17_floating_times_are_found_where_the_asker_is(world: World) -> None:
    """A-34: in the client's zone, else in the calendar's; with and without EXPAND."""
    alarm = "BEGIN:VALARM\nACTION:AUDIO\nTRIGGER:-PT1H\nEND:VALARM"
    world.create(calendar(event("local", alarm, start="DTSTART:20260310T120000"), event("utc")))
    world.create(calendar(event("daily", "RRULE:FREQ=DAILY;COUNT=3", start="DTSTART:20260309T120000")))
    tokyo = replace(world.bill, default_tz="Asia/Tokyo")
    for caller, hour in ((world.bill, 11), (tokyo, 3)):
        for expand in (False, True):
            at = "202603{:02}T{:02}0000Z"
            found = world.find(
                f"SELECT UID FROM VEVENT WHERE DTSTART = '{at.format(10, hour)}'",
                caller=caller,
                expand=expand,
            )
            wanted = ["daily", "local"] if expand else ["local"]
            assert sorted(one.value("UID") or "" for one in found) == wanted
            found = world.find(
                f"SELECT UID FROM VEVENT WHERE DTEND > '{at.format(10, hour)}'"
                f" AND DTSTART < '{at.format(10, hour + 1)}' AND UID != 'daily'",
                caller=caller,
                expand=expand,
            )
            assert [one.value("UID") for one in found] == ["local"]
            found = world.find(
                f"SELECT UID FROM VEVENT WHERE VALARM.TRIGGER = '{at.format(10, hour - 1)}'",
                caller=caller,
                expand=expand,
            )
            assert [one.value("UID") for one in found] == ["local"]
    assert world.uids("SELECT UID FROM VEVENT WHERE DTSTART = '20260310T090000Z'") == ["utc"]
    assert maintenance.check(world.store) == []


def test_free_busy_behind_the_horizon(world: World) -> None:
    world.create(calendar(event("y", "RRULE:FREQ=YEARLY")))
    query = "SELECT * FROM VFREEBUSY WHERE DTSTART >= '20400101T000000Z' AND DTEND <= '20420101T000000Z'"
    assert periods(world, query) == {
        "BUSY": ["20400310T090000Z/20400310T100000Z", "20410310T090000Z/20410310T100000Z"]
    }


SPANS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=12)


@given(spans=SPANS, taken=SPANS)
@settings(max_examples=200)
def test_merging_spans_is_the_union_of_their_seconds(
    spans: list[tuple[int, int]], taken: list[tuple[int, int]]
) -> None:
    def seconds(of: list[tuple[int, int]]) -> set[int]:
        return {second for start, end in of for second in range(max(start, 5), min(end, 35))}

    merged, busy = freebusy.merged(spans, 5, 35), freebusy.merged(taken, 5, 35)
    assert seconds(merged) == seconds(spans)
    assert all(end < begin for (_, end), (begin, _) in itertools.pairwise(merged))
    assert seconds(freebusy.without(merged, busy)) == seconds(spans) - seconds(taken)


def test_QRY11_the_default_of_VALUE_counts_in_WHERE(world: World) -> None:
    world.create(
        calendar(event("timed"), event("dated", start="DTSTART;VALUE=DATE:20260310").replace("PT1H", "P1D"))
    )
    asked = "SELECT * FROM VEVENT WHERE PARAM(DTSTART,VALUE)"
    assert world.uids(f"{asked} = 'DATE-TIME'") == ["timed"]
    assert world.uids(f"{asked} = 'DATE'") == ["dated"]
    assert world.uids(f"{asked} NOT LIKE 'DATE-%'") == ["dated"]
