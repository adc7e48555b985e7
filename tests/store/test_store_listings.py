"""What a collection shows of itself: members, changes, what happens in a window; the same on both databases."""

from __future__ import annotations

from typing import Any

import pytest

from kalends.ical.tree import parse
from kalends.store import calendars, changes, index, listings, objects
from kalends.store.base import Store, Tx
from kalends.store.changes import ChangeRow, Op
from kalends.store.listings import LatestRow, ListedRow

DAY = 86_400
NOON = 1_767_268_800
"""2026-01-01T12:00Z"""
HORIZON = NOON + 400 * DAY


class Shelf:
    """A calendar to put objects into, logged as the writer logs."""

    def __init__(self, store: Store, calendar_id: int = 1) -> None:
        self.store, self.calendar_id = store, calendar_id
        store.write(lambda tx: calendars.add(tx, id=calendar_id, calid=f"c{calendar_id}"))

    def put(self, number: int, name: str | None = None, **given: Any) -> int:
        """Add or change an object; returns the tick."""
        name = name or f"{number}.ics"

        def work(tx: Tx) -> int:
            tick = calendars.bump(tx, [self.calendar_id])[self.calendar_id]
            known = objects.get(tx, number)
            if known is None:
                made: dict[str, Any] = {"kind": "VEVENT", "state": "BOOKED", "ics": b"x", "etag": f"e{tick}"}
                objects.insert(
                    tx, id=number, calendar_id=self.calendar_id, name=name, uid=f"u{number}", tick=tick,
                    now=100, **(made | given),
                )  # fmt: skip
            else:
                objects.update_text(tx, known, ics=b"xy", etag=f"e{tick}", tick=tick, now=200)
            self.log(tx, tick, number, name, "put", given.get("kind", "VEVENT"))
            return tick

        return self.store.write(work)

    def log(self, tx: Tx, tick: int, number: int, name: str, op: Op, kind: str = "VEVENT") -> None:
        row = ChangeRow(self.calendar_id, tick, number, name, f"u{number}", kind, op, None, "dav", 100)
        changes.append(tx, row)

    def change(self, *numbers: int, op: Op = "remove", name: str | None = None, calendar_id: int = 0) -> int:
        """Remove objects, mark them DELETED ('state'), or move them, in one transaction."""

        def work(tx: Tx) -> int:
            tick = calendars.bump(tx, [self.calendar_id])[self.calendar_id]
            for number in numbers:
                row = objects.get(tx, number)
                assert row is not None
                if op == "remove":
                    objects.remove(tx, number)
                elif op == "state":
                    objects.set_state(tx, number, "DELETED", tick=tick, now=1)
                else:
                    place = calendar_id or self.calendar_id
                    objects.move(tx, number, place, name=name or row.name, tick=tick, now=1)
                self.log(tx, tick, number, row.name, op)
            return tick

        return self.store.write(work)

    def latest(self, tick: int, limit: int | None = None, **given: Any) -> listings.Latest:
        return self.store.read(lambda tx: listings.latest_since(tx, self.calendar_id, tick, limit, **given))


@pytest.fixture
def shelf(store: Store) -> Shelf:
    return Shelf(store)


def names(latest: listings.Latest) -> list[tuple[str, bool]]:
    return [(row.name, row.row is not None) for row in latest.rows]


def test_store_listing_tells_members_by_name_in_pages_without_texts(shelf: Shelf) -> None:
    for number in range(7):
        shelf.put(number + 1, f"{9 - number}.ics", schedule_tag="s")
    shelf.put(20, "0.ics", state="UNPROCESSED", method="REQUEST")
    for number, kind in enumerate(listings.NOT_RESOURCES):
        shelf.put(30 + number, f"4{number}.ics", kind=kind)
    shelf.change(7, op="state")
    rows = shelf.store.read(lambda tx: list(listings.listing(tx, 1, page=3)))
    assert [row.name for row in rows] == [f"{number}.ics" for number in range(4, 10)]
    assert rows[-1] == ListedRow("9.ics", "e1", 1, 100, "VEVENT", "u1", "s", rows[-1].id, rows[-1].created_at)
    inbox = shelf.store.read(lambda tx: list(listings.listing(tx, 1, "UNPROCESSED")))
    assert [row.uid for row in inbox] == ["u20"]
    assert shelf.store.read(lambda tx: list(listings.listing(tx, 2))) == []


def test_store_multiget_finds_members_by_names(shelf: Shelf) -> None:
    for number in range(1, 12):
        shelf.put(number)
    shelf.put(12, "1.ics", state="UNPROCESSED", method="REQUEST")
    shelf.put(13, "vcar.ics", kind="VCAR")
    asked = [f"{number}.ics" for number in (1, 2, 3, 10, 11, 99)] + ["vcar.ics", "1.ics"]
    found = shelf.store.read(lambda tx: listings.by_names(tx, 1, asked))
    assert {name: row.id for name, row in found.items()} == {
        "1.ics": 1, "2.ics": 2, "3.ics": 3, "10.ics": 10, "11.ics": 11,
    }  # fmt: skip
    assert found["2.ics"].ics == b"x"
    inbox = shelf.store.read(lambda tx: listings.by_names(tx, 1, asked, "UNPROCESSED"))
    assert [row.id for row in inbox.values()] == [12]
    assert shelf.store.read(lambda tx: listings.by_names(tx, 1, [])) == {}


def test_store_changes_since_a_tick_tell_each_name_once(shelf: Shelf) -> None:
    for number in (1, 2, 3, 4):
        shelf.put(number)
    known = shelf.latest(0)
    assert names(known) == [("1.ics", True), ("2.ics", True), ("3.ics", True), ("4.ics", True)]
    assert (known.tick, known.complete) == (4, True)
    shelf.put(2)
    shelf.change(3)
    shelf.change(4, op="state")
    tick = shelf.put(2)
    assert shelf.latest(4) == listings.Latest(
        [
            LatestRow("3.ics", 6, None),
            LatestRow("4.ics", 7, None),
            LatestRow("2.ics", 8, ListedRow("2.ics", "e8", 2, 200, "VEVENT", "u2", None, 2, 100)),
        ],
        tick,
        True,
    )
    assert shelf.latest(tick) == listings.Latest([], tick, True)


def test_store_changes_for_who_knows_nothing_tell_of_nothing_gone(shelf: Shelf) -> None:
    shelf.put(1)
    shelf.put(2)
    shelf.change(1)
    assert names(shelf.latest(0)) == [("2.ics", True)]


def test_store_a_name_taken_again_is_not_told_as_gone(shelf: Shelf) -> None:
    tick = shelf.put(1, "a.ics")
    shelf.change(1)
    shelf.put(2, "a.ics")
    assert names(shelf.latest(tick)) == [("a.ics", True)]
    shelf.change(2, op="state")
    shelf.put(3, "a.ics")
    shelf.change(3)
    assert names(shelf.latest(tick)) == [("a.ics", False)]


def test_store_a_name_that_an_object_had_before_is_gone(shelf: Shelf) -> None:
    tick = shelf.put(1, "old.ics")
    shelf.change(1, op="move-in", name="new.ics")
    assert names(shelf.latest(tick)) == [("new.ics", True), ("old.ics", False)]


def test_store_what_moved_to_another_calendar_is_gone_here_and_new_there(shelf: Shelf) -> None:
    there = Shelf(shelf.store, 2)
    tick = shelf.put(1)
    shelf.change(1, op="move-out", calendar_id=2)
    shelf.store.write(lambda tx: there.log(tx, calendars.bump(tx, [2])[2], 1, "1.ics", "move-in"))
    assert names(shelf.latest(tick)) == [("1.ics", False)]
    assert names(there.latest(0)) == [("1.ics", True)]


def test_store_what_waits_in_the_inbox_is_no_change_of_the_calendar(shelf: Shelf) -> None:
    tick = shelf.put(1)
    shelf.put(2, state="UNPROCESSED", method="REQUEST")
    shelf.put(3, "vcar.ics", kind="VCAR")
    latest = shelf.latest(tick)
    assert (latest.rows, latest.tick) == ([], tick + 2)
    inbox = shelf.latest(tick, state="UNPROCESSED")
    assert names(inbox) == [("2.ics", True)]
    shelf.change(2)
    assert names(shelf.latest(inbox.tick, state="UNPROCESSED")) == [("2.ics", False)]


def test_store_a_cut_answer_ends_with_a_whole_tick_and_goes_on_from_there(shelf: Shelf) -> None:
    for number in (1, 2, 3, 4, 5):
        shelf.put(number)
    tick = shelf.put(6)
    shelf.change(1, 2, 3)
    shelf.put(4)
    last = shelf.put(5)
    first = shelf.latest(tick, 2)  # what one transaction changed is never torn apart
    assert (names(first), first.tick, first.complete) == (
        [("1.ics", False), ("2.ics", False), ("3.ics", False)], tick + 1, False,
    )  # fmt: skip
    assert names(shelf.latest(first.tick, 2)) == [("4.ics", True), ("5.ics", True)]
    cut = shelf.latest(first.tick, 1)
    assert (names(cut), cut.tick, cut.complete) == ([("4.ics", True)], last - 1, False)
    assert shelf.latest(tick, 4)[1:] == (last - 1, False)
    assert shelf.latest(tick, 5)[1:] == (last, True)


def event(lines: str) -> bytes:
    text = (
        f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\nBEGIN:VEVENT\nUID:u\n{lines}\nEND:VEVENT\nEND:VCALENDAR\n"
    )
    return text.replace("\n", "\r\n").encode()


def test_store_members_in_a_window_come_with_their_texts(shelf: Shelf) -> None:
    texts = {
        1: "DTSTART:20260101T120000Z\nDTEND:20260101T130000Z",  # inside
        2: "DTSTART:20260101T100000Z\nDTEND:20260101T120000Z",  # ends where the window begins
        3: "DTSTART:20260101T110000Z\nDTEND:20260101T120001Z",  # reaches into it
        4: "DTSTART:20260101T140000Z\nDTEND:20260101T150000Z",  # begins where it ends
        5: "DTSTART:20260101T120000Z",  # takes no time
        6: "DTSTART:20250101T120000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=800",  # one of many
        7: "DTSTART:20200101T080000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY",  # none in it, rows end before
        8: "DTSTART:20200101T080000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=10",
        9: "DTSTART:20260101T123000",  # floats: in the window of floating times only
        10: "DTSTART:20251201T120000Z\nDTEND:20260201T120000Z",  # longer than the window
        11: "DTSTART:20260102T120000Z\nBEGIN:VALARM\nACTION:AUDIO\nTRIGGER:-PT24H\nEND:VALARM",  # rings in it
    }

    def index_all(tx: Tx) -> None:
        for number, text in texts.items():
            known = objects.get(tx, number)
            assert known is not None
            row = objects.update_text(tx, known, ics=event(text), etag="e", tick=1, now=1)
            index.index_object(tx, row, parse(row.ics), horizon=HORIZON)

    for number in texts:
        shelf.put(number)
    shelf.store.write(index_all)

    def found(lo: int, hi: int, **given: Any) -> list[int]:
        return [
            row.id
            for row in shelf.store.read(lambda tx: listings.in_window(tx, 1, ["VEVENT"], lo, hi, **given))
        ]

    assert found(NOON, NOON + 7200) == [1, 3, 5, 6, 9, 10]
    assert found(NOON, NOON + 7200, floating_lo=NOON - DAY, floating_hi=NOON - DAY + 1) == [1, 3, 5, 6, 10]
    assert found(HORIZON - DAY, HORIZON + DAY) == [6, 7]  # whether 7 is in it, its text has to say
    assert found(NOON, NOON + 7200, state="UNPROCESSED") == []
    assert shelf.store.read(lambda tx: listings.in_window(tx, 1, ["VTODO"], NOON, NOON + 1)) == []
    (row,) = shelf.store.read(lambda tx: listings.in_window(tx, 1, ["VEVENT"], NOON + 12000, NOON + 12001))
    assert row.id == 10
    assert row.ics == event(texts[10])


def test_store_finding_an_object_by_name_reads_the_index_over_names(sqlite_store: Store) -> None:
    """SQLite uses a partial index only where the statement repeats its condition."""
    texts = (objects._BY_NAME, listings._LISTING, listings._BY_NAMES, listings._TAKEN)
    for text in texts:
        sql = objects.in_state(text.replace("??", "?"), "BOOKED")
        count = sql.count("?")
        plan = sqlite_store.read(
            lambda tx, sql=sql, count=count: tx.rows(f"explain query plan {sql}", ("x",) * count)  # type: ignore[misc]
        )
        assert "object_name (calendar_id=? AND state=? AND name" in str(plan[0][3]), sql


def test_store_nothing_is_looked_for_when_nothing_has_changed(shelf: Shelf) -> None:
    """RFC 6578 §3.2: the counter in the calendar's row says so."""

    def look(tx: Tx) -> tuple[listings.Latest, int]:
        row = calendars.by_id(tx, shelf.calendar_id)
        assert row is not None

        def none(*_: object) -> list[object]:
            raise AssertionError("asked the database")

        tx.rows = none  # type: ignore[method-assign,assignment]
        return listings.latest_since(tx, shelf.calendar_id, row.tick), row.tick

    latest, tick = shelf.store.read(look)
    assert latest == listings.Latest([], tick, True)
