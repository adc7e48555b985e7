"""What the index holds of a text, and that it can be found by time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kalends.ical import occurrences as ical
from kalends.ical.errors import ICalError
from kalends.ical.tree import Component, parse
from kalends.ical.zones import Zones
from kalends.store import calendars, changes, instances, objects
from kalends.store.base import Store, Tx
from kalends.store.changes import ChangeRow
from kalends.store.index import derive, index_object
from kalends.store.maintenance import Finding, check, reindex
from kalends.store.spans import ALARMS, UNEXPANDED


def at(text: str) -> int:
    return int(dt.datetime.strptime(text + "+0000", "%Y%m%dT%H%M%S%z").timestamp())


HORIZON = at("20280101T000000")


def ics(*lines: str, kind: str = "VEVENT") -> bytes:
    body = [f"BEGIN:{kind}", "UID:u", *lines, f"END:{kind}"]
    return ("\r\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", *body, "END:VCALENDAR"]) + "\r\n").encode()


def put(
    tx: Tx, number: int, text: bytes, *, kind: str = "VEVENT", calendar_id: int = 1, horizon: int = HORIZON,
    recur_limit: int = 1000, state: objects.State = "BOOKED",
) -> None:  # fmt: skip
    tick = calendars.bump(tx, [calendar_id])[calendar_id]
    row = objects.insert(
        tx, id=number, calendar_id=calendar_id, name=f"{number}.ics", uid=f"u{number}", kind=kind, state=state,
        ics=text, etag="e", tick=tick, now=1,
    )  # fmt: skip
    index_object(tx, row, parse(text), horizon=horizon, recur_limit=recur_limit, fresh=True)
    changes.append(tx, ChangeRow(calendar_id, tick, number, row.name, row.uid, kind, "put", None, "cap", 1))


def row_of(store: Store, number: int) -> objects.ObjectRow:
    row = store.read(lambda tx: objects.get(tx, number))
    assert row is not None
    return row


@pytest.fixture
def filled(store: Store) -> Iterator[Store]:
    store.write(lambda tx: [calendars.add(tx, id=n, calid=f"c{n}") for n in (1, 2)])
    yield store
    assert check(store) == []


DAILY = ics("DTSTART:20261201T100000Z", "DTEND:20261201T110000Z", "RRULE:FREQ=DAILY")


def test_store_a_component_is_found_again_in_the_text_by_its_place(filled: Store) -> None:
    text = ics(
        "DTSTART:20261201T100000Z",
        "BEGIN:VALARM", "TRIGGER:-PT5M", "END:VALARM", "BEGIN:X-NOTE", "BEGIN:X-DEEP", "END:X-DEEP", "END:X-NOTE",
    ).replace(b"BEGIN:VEVENT", b"BEGIN:VTIMEZONE\r\nTZID:X\r\nBEGIN:STANDARD\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\nBEGIN:VEVENT")  # fmt: skip
    filled.write(lambda tx: put(tx, 10, text))
    rows = filled.read(
        lambda tx: tx.rows(
            "select c.pos, c.kind, p.kind, c.start_at from component c left join component p on p.id = c.parent_id"
            " where c.object_id = 10 order by c.pos"
        )
    )
    assert rows == [
        (3, "VEVENT", None, at("20261201T100000")),
        (4, "VALARM", "VEVENT", None),
        (5, "X-NOTE", "VEVENT", None),
        (6, "X-DEEP", "X-NOTE", None),
    ]
    names = [component.name for component in parse(text).walk()]
    assert [names[int(str(pos))] for pos, *_ in rows] == [kind for _, kind, *_ in rows]


def test_store_a_stored_timezone_is_indexed_whole(filled: Store) -> None:
    text = ics("TZID:X", "BEGIN:STANDARD", "TZOFFSETTO:+0100", "END:STANDARD", kind="VTIMEZONE")
    filled.write(lambda tx: put(tx, 10, text, kind="VTIMEZONE"))
    kinds = filled.read(lambda tx: tx.rows("select kind from component order by pos"))
    assert kinds == [("VTIMEZONE",), ("STANDARD",)]
    assert row_of(filled, 10).first_at is None


def test_store_cells_hold_values_parameters_defaults_and_derived(filled: Store) -> None:
    text = ics(
        "DTSTART:20261201T100000Z",
        "DURATION:PT1H",
        "SUMMARY:\u00c4rger\\, gro\u00dfer",
        "ATTENDEE;CN=Jo:mailto:jo@x",
    )
    filled.write(lambda tx: put(tx, 10, text))
    rows = filled.read(lambda tx: tx.rows("select name, value, folded, num, origin from cell"))
    assert ("SUMMARY", "\u00c4rger, gro\u00dfer", "\u00e4rger, gro\u00dfer", None, 0) in rows
    assert ("ATTENDEE;CN", "Jo", "jo", None, 0) in rows
    assert ("ATTENDEE;ROLE", "REQ-PARTICIPANT", "req-participant", None, 1) in rows
    assert ("DTEND", "20261201T110000Z", "20261201t110000z", at("20261201T110000"), 2) in rows


def test_store_a_single_event_is_listed_wherever_it_lies(filled: Store) -> None:
    filled.write(lambda tx: put(tx, 10, ics("DTSTART:20991201T100000Z", "DTEND:20991201T110000Z")))
    row = row_of(filled, 10)
    start, end = at("20991201T100000"), at("20991201T110000")
    assert (row.first_at, row.last_at, row.expanded_to) == (start, end, None)
    found = filled.read(lambda tx: instances.overlapping(tx, [1], start, start + 1))
    assert [
        (one.object_id, one.start_at, one.end_at, one.kind, one.uid, one.state, one.busy) for one in found
    ] == [(10, start, end, "VEVENT", "u10", "BOOKED", "BUSY")]


def test_store_windows_are_half_open(filled: Store) -> None:
    filled.write(lambda tx: put(tx, 10, ics("DTSTART:20261201T100000Z", "DTEND:20261201T110000Z")))
    filled.write(lambda tx: put(tx, 11, ics("DTSTART:20261201T100000Z")))  # takes no time
    start, end = at("20261201T100000"), at("20261201T110000")

    def ids(lo: int, hi: int) -> list[int]:
        return [one.object_id for one in filled.read(lambda tx: instances.overlapping(tx, [1], lo, hi))]

    assert ids(start, start + 1) == [10, 11]
    assert ids(start - 5, start) == []
    assert ids(start + 1, start + 2) == [10]
    assert ids(end - 1, end) == [10]
    assert ids(end, end + 5) == []


def test_store_long_instances_are_found_and_found_again_after_a_move(filled: Store) -> None:
    filled.write(lambda tx: put(tx, 10, ics("DTSTART;VALUE=DATE:20260101", "DTEND;VALUE=DATE:20270101")))
    day = at("20261115T000000")

    def ids(calendar_id: int) -> list[int]:
        return [
            one.object_id
            for one in filled.read(lambda tx: instances.overlapping(tx, [calendar_id], day, day + 1))
        ]

    assert (ids(1), ids(2)) == ([10], [])
    moved = filled.write(lambda tx: calendars.bump(tx, [1, 2])[2])
    filled.write(lambda tx: objects.move(tx, 10, 2, name="m", tick=moved, now=2))
    filled.write(
        lambda tx: changes.append(
            tx, ChangeRow(2, moved, 10, "m", "u10", "VEVENT", "move-in", None, "cap", 2)
        )
    )
    assert (ids(1), ids(2)) == ([], [10])


def test_store_floating_times_have_a_window_of_their_own(filled: Store) -> None:
    filled.write(lambda tx: put(tx, 10, ics("DTSTART:20261201T100000", "DTEND:20261201T110000")))
    filled.write(lambda tx: put(tx, 11, ics("DTSTART:20261201T100000Z", "DTEND:20261201T110000Z")))
    lo, hi = at("20261201T150000"), at("20261201T160000")
    found = filled.read(
        lambda tx: instances.overlapping(tx, [1], lo, hi, floating_lo=lo - 18000, floating_hi=hi - 18000)
    )
    assert [(one.object_id, one.floating) for one in found] == [(10, True)]


def test_store_recurrence_is_listed_up_to_the_horizon_and_the_rest_is_open(filled: Store) -> None:
    filled.write(lambda tx: put(tx, 10, DAILY))
    filled.write(lambda tx: put(tx, 11, DAILY.replace(b"DAILY", b"DAILY;COUNT=3")))
    row, counted = row_of(filled, 10), row_of(filled, 11)
    assert (row.first_at, row.last_at, row.expanded_to) == (at("20261201T100000"), None, HORIZON)
    assert counted.expanded_to is None
    assert counted.last_at == at("20261203T110000")
    found = filled.read(lambda tx: instances.overlapping(tx, [1], HORIZON - 86400, HORIZON + 86400))
    assert [one.start_at for one in found] == [at("20271231T100000")]
    assert filled.read(lambda tx: instances.open_objects(tx, [1, 2], HORIZON)) == []
    assert filled.read(lambda tx: instances.open_objects(tx, [1, 2], HORIZON + 1)) == [10]
    assert filled.read(lambda tx: instances.open_objects(tx, [2], HORIZON + 1)) == []


def test_store_recurrence_is_cut_at_the_limit_and_says_so(filled: Store) -> None:
    filled.write(lambda tx: put(tx, 10, DAILY, recur_limit=5))
    assert row_of(filled, 10).expanded_to == at("20261206T100000")
    found = filled.read(lambda tx: instances.overlapping(tx, [1], 0, HORIZON))
    assert len(found) == 5


def test_store_rules_that_need_too_many_steps_are_left_to_searches(filled: Store) -> None:
    hostile = DAILY.replace(b"FREQ=DAILY", b"FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30")
    filled.write(lambda tx: put(tx, 10, hostile))
    assert row_of(filled, 10).expanded_to in (UNEXPANDED, None, HORIZON)
    found = filled.read(lambda tx: instances.overlapping(tx, [1], 0, HORIZON))
    assert len(found) <= 1


def test_store_dates_that_can_not_be_read_are_no_dates(filled: Store) -> None:
    filled.write(lambda tx: put(tx, 10, ics("DTSTART:tomorrow")))
    assert row_of(filled, 10).first_at is None


def test_store_overrides_and_their_recurrence_ids(filled: Store) -> None:
    master = ("DTSTART:20261201T100000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=3", "END:VEVENT")
    override = (
        "BEGIN:VEVENT",
        "UID:u",
        "RECURRENCE-ID:20261202T100000Z",
        "DTSTART:20261202T150000Z",
        "TRANSP:TRANSPARENT",
    )
    filled.write(lambda tx: put(tx, 10, ics(*master, *override)))
    found = filled.read(lambda tx: instances.overlapping(tx, [1], 0, HORIZON))
    assert [(one.start_at, one.recurrence_at, one.busy) for one in found] == [
        (at("20261201T100000"), at("20261201T100000"), "BUSY"),
        (at("20261202T150000"), at("20261202T100000"), "FREE"),
        (at("20261203T100000"), at("20261203T100000"), "BUSY"),
    ]
    rows = filled.read(lambda tx: tx.rows("select recurrence_at from component order by pos"))
    assert rows == [(None,), (at("20261202T100000"),)]


def test_store_alarms_are_instances_of_their_own_kind(filled: Store) -> None:
    alarm = ("BEGIN:VALARM", "TRIGGER:-PT15M", "REPEAT:1", "DURATION:PT5M", "END:VALARM")
    filled.write(lambda tx: put(tx, 10, ics("DTSTART:20261201T100000Z", "RRULE:FREQ=DAILY;COUNT=2", *alarm)))
    assert len(filled.read(lambda tx: instances.overlapping(tx, [1], 0, HORIZON))) == 2
    rings = filled.read(lambda tx: instances.overlapping(tx, [1], 0, HORIZON, busy=["ALARM"]))
    assert [(one.kind, one.start_at) for one in rings] == [
        ("VALARM", at(f"2026120{day}T{time}00")) for day in (1, 2) for time in ("0945", "0950")
    ]


def test_store_alarms_of_one_object_are_bounded(filled: Store) -> None:
    alarms = ("BEGIN:VALARM", "TRIGGER:-PT15M", "REPEAT:9", "DURATION:PT5M", "END:VALARM") * 3
    filled.write(lambda tx: put(tx, 10, ics("DTSTART:20261201T100000Z", "RRULE:FREQ=DAILY", *alarms)))
    rings = filled.read(lambda tx: instances.overlapping(tx, [1], 0, HORIZON, busy=["ALARM"]))
    assert 0 < len(rings) <= ALARMS


@pytest.mark.parametrize(
    ("lines", "busy"),
    [
        ((), "BUSY"),
        (("TRANSP:OPAQUE",), "BUSY"),
        (("STATUS:TENTATIVE",), "BUSY-TENTATIVE"),
        (("STATUS:CANCELLED",), "FREE"),
        (("TRANSP:TRANSPARENT",), "FREE"),
        (("TRANSP:TRANSPARENT-NOCONFLICT",), "FREE-NOCONFLICT"),
        (("TRANSP:opaque-noconflict",), "BUSY-NOCONFLICT"),
        (("TRANSP:OPAQUE-NOCONFLICT", "STATUS:CANCELLED"), "FREE"),
        (("TRANSP:X-ODD",), "BUSY"),
    ],
)
def test_store_busy_follows_transp_and_status(lines: tuple[str, ...], busy: str) -> None:
    """RFC 4324 §8.36, RFC 5545 §3.8.1.11, §3.8.2.7."""
    text = ics("DTSTART:20261201T100000Z", *lines)
    found = derive(parse(text), "VEVENT", horizon=HORIZON, recur_limit=10)
    assert [one.busy for one in found.occurrences] == [busy]


@pytest.mark.parametrize(
    ("lines", "busy"),
    [
        (("DTSTART:20261201T100000Z", "DUE:20261201T110000Z"), "BUSY"),
        (("DTSTART:20261201T100000Z", "DUE:20261201T110000Z", "STATUS:COMPLETED"), "FREE"),
        (("DUE:20261201T110000Z",), "FREE"),
    ],
)
def test_store_todos_with_start_and_due_are_busy(lines: tuple[str, ...], busy: str) -> None:
    found = derive(parse(ics(*lines, kind="VTODO")), "VTODO", horizon=HORIZON, recur_limit=10)
    assert [one.busy for one in found.occurrences] == [busy]


def test_store_freebusy_periods_have_their_own_kinds() -> None:
    text = ics(
        "FREEBUSY:20261201T100000Z/PT1H",
        "FREEBUSY;FBTYPE=BUSY-UNAVAILABLE:20261201T120000Z/PT1H,20261201T140000Z/20261201T150000Z",
        "FREEBUSY;FBTYPE=FREE:20261201T160000Z/PT1H",
        kind="VFREEBUSY",
    )
    found = derive(parse(text), "VFREEBUSY", horizon=HORIZON, recur_limit=10)
    assert [one.busy for one in found.occurrences] == ["BUSY", "BUSY-UNAVAILABLE", "BUSY-UNAVAILABLE", "FREE"]


def test_store_overlapping_chooses_calendars_states_and_kinds(filled: Store) -> None:
    text = ics("DTSTART:20261201T100000Z", "DTEND:20261201T110000Z")

    def fill(tx: Tx) -> None:
        put(tx, 10, text)
        put(tx, 11, text, calendar_id=2)
        put(tx, 12, text, state="UNPROCESSED")
        put(tx, 13, text.replace(b"UID:u\r\n", b"UID:u\r\nTRANSP:TRANSPARENT\r\n"))

    filled.write(fill)

    def look(tx: Tx) -> None:
        def ids(calendar_ids: list[int], **given: object) -> list[int]:
            found = instances.overlapping(tx, calendar_ids, 0, HORIZON, **given)  # type: ignore[arg-type]
            return sorted(one.object_id for one in found)

        assert ids([1, 2]) == [10, 11, 13]
        assert ids([2]) == [11]
        assert ids([]) == []
        assert ids([1], states=["UNPROCESSED"]) == [12]
        assert ids([1, 2], busy=["BUSY"]) == [10, 11]
        assert len(ids([1, 2], limit=2)) == 2
        assert ids(list(range(2, 1500))) == [11]

    filled.read(look)


def test_store_indexing_anew_replaces_what_was_there(filled: Store) -> None:
    filled.write(lambda tx: put(tx, 10, DAILY))

    def change(tx: Tx) -> None:
        tick = calendars.bump(tx, [1])[1]
        text = ics("DTSTART:20261201T100000Z", "SUMMARY:once")
        known = objects.get(tx, 10)
        assert known is not None
        row = objects.update_text(tx, known, ics=text, etag="f", tick=tick, now=2)
        index_object(tx, row, parse(text), horizon=HORIZON, recur_limit=10)
        changes.append(tx, ChangeRow(1, tick, 10, row.name, row.uid, row.kind, "put", None, "cap", 2))

    filled.write(change)
    assert len(filled.read(lambda tx: tx.rows("select 1 from instance"))) == 1
    assert row_of(filled, 10).expanded_to is None


SERIES = ("DTSTART:20261201T100000Z", "DTEND:20261201T110000Z", "RRULE:FREQ=DAILY")
REMINDER = ("BEGIN:VALARM", "TRIGGER:-PT15M", "END:VALARM")
OVERRIDE = (
    "END:VEVENT", "BEGIN:VEVENT", "UID:u", "RECURRENCE-ID:20261203T100000Z", "DTSTART:20261203T120000Z",
    "DTEND:20261203T130000Z",
)  # fmt: skip
STEPS = {
    "another summary": (*SERIES, "SUMMARY:Supper"),
    "one left out": (*SERIES, "EXDATE:20261202T100000Z"),
    "one moved": (*SERIES, *OVERRIDE),
    "its alarm": (*SERIES, *REMINDER, *OVERRIDE),
    "all an hour longer": (SERIES[0], "DTEND:20261201T120000Z", SERIES[2], *REMINDER),
    "all an hour later": ("DTSTART:20261201T110000Z", "DTEND:20261201T120000Z", SERIES[2]),
    "free": (*SERIES, "TRANSP:TRANSPARENT"),
    "weekly": (*SERIES[:2], "RRULE:FREQ=WEEKLY"),
    "once": SERIES[:2],
}


@pytest.mark.parametrize("first", STEPS)
def test_store_rows_that_a_long_series_has_already_stay(filled: Store, first: str) -> None:
    """Whatever it becomes, from whatever it was, the index is what its text says."""

    def rewrite(tx: Tx, lines: tuple[str, ...]) -> None:
        row = objects.get(tx, 10)
        assert row is not None
        text = ics(*lines)
        tick = calendars.bump(tx, [1])[1]
        row = objects.update_text(tx, row, ics=text, etag="e", tick=tick, now=2)
        index_object(tx, row, parse(text), horizon=HORIZON)
        changes.append(tx, ChangeRow(1, tick, 10, row.name, row.uid, row.kind, "put", None, "cap", 2))

    filled.write(lambda tx: put(tx, 10, ics(*STEPS[first])))
    for step, then in STEPS.items():
        for lines in (then, STEPS[first]):
            filled.write(lambda tx, lines=lines: rewrite(tx, lines))  # type: ignore[misc]
            assert check(filled) == [], (first, step)


def test_store_another_summary_leaves_the_instances_of_a_series_alone(filled: Store) -> None:
    def keys(tx: Tx) -> list[Any]:
        return tx.rows("select id from component where object_id = 10")

    filled.write(lambda tx: put(tx, 10, ics(*SERIES, "SUMMARY:Lunch")))
    before = filled.read(keys)
    row = row_of(filled, 10)
    text = ics(*SERIES, "SUMMARY:Supper")

    def rewrite(tx: Tx) -> None:
        changed = objects.update_text(tx, row, ics=text, etag="e", tick=row.tick, now=2)
        index_object(tx, changed, parse(text), horizon=HORIZON)

    filled.write(rewrite)
    assert filled.read(keys) == before


def test_store_removing_an_object_removes_its_index(filled: Store) -> None:
    filled.write(lambda tx: put(tx, 10, DAILY))
    filled.write(lambda tx: objects.remove(tx, 10))
    for table in ("component", "cell", "instance"):
        assert filled.read(lambda tx, table=table: tx.rows(f"select 1 from {table}")) == []  # type: ignore[misc]


def test_store_a_calendar_is_walked_through_in_order_of_time(filled: Store) -> None:
    """Over gaps of years, by the objects that count, and without what lies in other calendars."""

    def fill(tx: Tx) -> None:
        put(tx, 10, DAILY)
        put(tx, 11, ics("DTSTART:19970101T100000Z", "DTEND:19970101T110000Z"))
        put(tx, 12, ics("DTSTART:20261203T093000", "DTEND:20261203T103000"))
        put(tx, 13, ics("DTSTART:20991203T093000Z", "DTEND:20991203T103000Z", "TRANSP:TRANSPARENT"))
        put(tx, 14, ics("DTSTART:20261203T093000Z", "DTEND:20261203T103000Z"), state="DELETED")
        put(tx, 15, DAILY, calendar_id=2)
        put(tx, 16, ics("DTSTART:20991203T093000Z"))

    filled.write(fill)
    asked = (at("19000101T000000"), at("22000101T000000"))
    for busy in ((instances.BUSY,), (instances.BUSY, instances.FREE)):
        walked = filled.read(lambda tx, busy=busy: list(instances.walk(tx, 1, busy)))  # type: ignore[misc]
        listed = filled.read(lambda tx, busy=busy: instances.overlapping(tx, [1], *asked, busy=busy))  # type: ignore[misc]
        assert walked == [
            instances.SlotRow(one.object_id, one.start_at, one.end_at, one.floating, one.busy)
            for one in listed
            if one.end_at > one.start_at
        ]
        assert len(walked) == 396 + 2 + len(busy) - 1


# -- check and reindex ----------------------------------------------------------------------------------------

DAMAGES = {
    "delete from cell where name = 'SUMMARY'": "index-differs",
    "delete from component where kind = 'VALARM'": "index-differs",
    "update component set pos = 7 where kind = 'VALARM'": "index-differs",
    "update component set parent_id = 1 where kind = 'VALARM'": "index-differs",
    "update component set parent_id = id where kind = 'VALARM'": "index-differs",
    "update instance set end_at = end_at + 1 where busy = 'BUSY'": "index-differs",
    "delete from instance where busy = 'ALARM'": "index-differs",
    "update object set last_at = 5": "index-differs",
    "update object set size = 3": "size-differs",
    "update object set kind = 'VTODO'": "kind-differs",
    "update object set tick = 99": "tick-differs",
    "update object set tick = 2; update calendar set tick = 2 where id = 1": "tick-differs",
    "update instance set start_at = start_at - 1000000 where busy = 'BUSY'": "longest-differs",
    "update object set ics = {junk}": "text-broken",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_store_check_finds_damage(store: Store, damage: str) -> None:
    alarm = ("BEGIN:VALARM", "TRIGGER:-PT15M", "END:VALARM")
    text = ics("DTSTART:20261201T100000Z", "DTEND:20261201T110000Z", "SUMMARY:Lunch", *alarm)
    store.write(lambda tx: (calendars.add(tx, id=1, calid="c1"), put(tx, 10, text)))
    assert check(store) == []

    def break_it(tx: Tx) -> None:
        for sql in damage.split("; "):
            junk = {
                "sqlite": "x'" + b"j".hex() * len(text) + "'",
                "postgres": f"repeat('j', {len(text)})::bytea",
            }
            tx.run(sql.replace("{junk}", junk[tx.dialect]))

    store.write(break_it)
    codes = {finding.code for finding in check(store)}
    assert DAMAGES[damage] in codes
    if codes <= {"index-differs", "longest-differs"}:
        assert reindex(store, horizon=HORIZON) == 1
        assert check(store) == []


def test_store_check_finds_orphans(sqlite_store: Store) -> None:
    def orphan(tx: Tx) -> None:
        tx.run("pragma defer_foreign_keys = on")
        tx.run("insert into component (id, object_id, calendar_id, kind, pos) values (5, 77, 0, 'VEVENT', 1)")

    with pytest.raises(Exception, match="FOREIGN KEY"):
        sqlite_store.write(orphan)
    assert check(sqlite_store) == []


def test_store_check_and_reindex_tell_their_progress(filled: Store) -> None:
    def fill(tx: Tx) -> None:
        for number in range(250):
            put(tx, 10 + number, ics("DTSTART:20261201T100000Z"))

    filled.write(fill)
    seen: list[tuple[int, int]] = []
    assert check(filled, progress=lambda done, total: seen.append((done, total))) == []
    assert reindex(filled, horizon=HORIZON, progress=lambda done, total: seen.append((done, total))) == 250
    assert seen == [(100, 250), (200, 250), (250, 250)] * 2


def test_store_reindex_moves_the_horizon(filled: Store) -> None:
    filled.write(lambda tx: put(tx, 10, DAILY))
    later = HORIZON + 86400 * 10
    reindex(filled, horizon=later)
    assert row_of(filled, 10).expanded_to == later
    assert len(filled.read(lambda tx: instances.overlapping(tx, [1], HORIZON, later))) == 10


def test_store_reindex_goes_on_past_a_text_that_can_not_be_read(store: Store) -> None:
    store.write(lambda tx: calendars.add(tx, id=1, calid="c1"))
    store.write(lambda tx: [put(tx, n, DAILY) for n in (10, 11)])
    store.write(lambda tx: tx.run("update object set ics = ?, size = 4 where id = 10", (b"junk",)))
    assert reindex(store, horizon=HORIZON) == 2
    assert [finding.code for finding in check(store)] == ["text-broken"]
    assert check(store)[0] == Finding("text-broken", "object c1/10.ics", check(store)[0].text)


# -- properties -----------------------------------------------------------------------------------------------

CORPUS = sorted((Path(__file__).parent.parent / "ical" / "corpus").rglob("*.ics"))


def test_store_index_takes_whatever_the_parser_takes(sqlite_store: Store) -> None:
    taken = 0
    sqlite_store.write(lambda tx: calendars.add(tx, id=1, calid="c1"))
    for number, path in enumerate(CORPUS):
        data = path.read_bytes()
        if len(data) > 200_000:
            continue
        try:
            tree = parse(data)
        except ICalError:
            continue
        kinds = [child.name for child in tree.components if child.name != "VTIMEZONE"]
        if not kinds:
            continue
        sqlite_store.write(lambda tx: put(tx, number + 1, data, kind=kinds[0], recur_limit=50))  # noqa: B023 - runs now
        taken += 1
    assert taken > 10
    assert check(sqlite_store) == []


RULES = st.sampled_from(
    [
        "FREQ=DAILY",
        "FREQ=WEEKLY;BYDAY=MO,FR;COUNT=9",
        "FREQ=MONTHLY;BYMONTHDAY=-1;UNTIL=20270301T000000Z",
        "FREQ=YEARLY",
    ]
)


@settings(max_examples=40, deadline=None)
@given(
    starts=st.lists(st.integers(at("20260101T000000"), at("20280601T000000")), min_size=1, max_size=4),
    length=st.integers(0, 200_000),
    rule=st.none() | RULES,
    lo=st.integers(at("20260101T000000"), at("20270901T000000")),
    width=st.integers(1, 10_000_000),
)
def test_store_overlapping_agrees_with_expansion_in_memory(
    starts: list[int], length: int, rule: str | None, lo: int, width: int
) -> None:
    from kalends.store.open import open_store

    store = open_store("sqlite:///:memory:")
    store.write(lambda tx: calendars.add(tx, id=1, calid="c1"))
    trees: list[Component] = []
    for number, start in enumerate(starts):
        begin = dt.datetime.fromtimestamp(start, dt.UTC)
        lines = [
            f"DTSTART:{begin:%Y%m%dT%H%M%SZ}",
            f"DURATION:PT{length}S",
            *([f"RRULE:{rule}"] if rule else []),
        ]
        trees.append(parse(ics(*lines)))
        store.write(lambda tx: put(tx, number + 1, trees[-1].to_bytes()))  # noqa: B023 - runs now
    hi = min(lo + width, HORIZON)
    expected = sorted(
        (number + 1, one.start, one.end)
        for number, tree in enumerate(trees)
        for one in ical.occurrences(tree, lo, hi, zones=Zones(tree))
    )
    found = store.read(lambda tx: instances.overlapping(tx, [1], lo, hi))
    assert sorted((one.object_id, one.start_at, one.end_at) for one in found) == expected
    store.close()


# --- what excludes others from its time (RFC 4324 §8.36) ---


def exclusive(store: Store, number: int = 1) -> bool:
    row = store.read(lambda tx: calendars.by_id(tx, number))
    assert row is not None
    return row.exclusive


@pytest.mark.parametrize("value", ["OPAQUE-NOCONFLICT", "Transparent-NoConflict"])
def test_store_a_calendar_knows_that_something_in_it_excludes_others(filled: Store, value: str) -> None:
    filled.write(lambda tx: put(tx, 10, ics("DTSTART:20260102T100000Z", "TRANSP:OPAQUE")))
    assert not exclusive(filled)
    filled.write(lambda tx: put(tx, 11, ics("DTSTART:20260102T100000Z", f"TRANSP:{value}")))
    assert exclusive(filled)
    assert not exclusive(filled, 2)


def test_store_what_excludes_others_takes_that_along_when_it_moves(filled: Store) -> None:
    filled.write(lambda tx: put(tx, 10, ics("DTSTART:20260102T100000Z")))
    filled.write(lambda tx: put(tx, 11, ics("DTSTART:20260102T100000Z", "TRANSP:OPAQUE-NOCONFLICT")))

    def move(tx: Tx, number: int) -> None:
        tick = calendars.bump(tx, [1, 2])[2]
        objects.move(tx, number, 2, name=f"{number}.ics", tick=tick, now=2)
        changes.append(tx, ChangeRow(2, tick, number, "x", "u", "VEVENT", "move-in", None, "cap", 2))

    filled.write(lambda tx: move(tx, 10))
    assert not exclusive(filled, 2)
    filled.write(lambda tx: move(tx, 11))
    assert exclusive(filled, 2)
    reindex(filled, horizon=HORIZON)
    assert (exclusive(filled, 1), exclusive(filled, 2)) == (False, True)


def test_store_check_tells_a_calendar_that_does_not_know_what_excludes_others(filled: Store) -> None:
    filled.write(lambda tx: put(tx, 10, ics("DTSTART:20260102T100000Z", "TRANSP:OPAQUE-NOCONFLICT")))
    filled.write(lambda tx: tx.run("update calendar set exclusive = 0 where id = 1"))
    assert [finding.code for finding in check(filled)] == ["exclusive-differs"]
    reindex(filled, horizon=HORIZON)
    assert exclusive(filled)
