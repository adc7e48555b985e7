"""A calendar's own time zone, under a name that only its VTIMEZONE explains (RFC 4791 §5.2.2, §5.3.1.2)."""

from __future__ import annotations

import pytest
from dav_harness import DECLARED, Client, DavWorld
from reports_world import WORK, found, shelve

from kalends.core.past.undoing import undo
from kalends.store import calendars

EASTERN = (
    "BEGIN:STANDARD\nDTSTART:19671029T020000\nRRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10\n"
    "TZOFFSETFROM:-0400\nTZOFFSETTO:-0500\nTZNAME:Eastern Standard Time (US &amp; Canada)\nEND:STANDARD\n"
    "BEGIN:DAYLIGHT\nDTSTART:19870405T020000\nRRULE:FREQ=YEARLY;BYDAY=1SU;BYMONTH=4\n"
    "TZOFFSETFROM:-0500\nTZOFFSETTO:-0400\nTZNAME:Eastern Daylight Time (US &amp; Canada)\nEND:DAYLIGHT"
)  # of RFC 4791 §5.2.2
FIVE = "BEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETFROM:-0500\nTZOFFSETTO:-0500\nEND:STANDARD"
NOON = (
    "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//x//\nBEGIN:VEVENT\nUID:noon\nDTSTAMP:20260101T000000Z\n"
    "DTSTART:20260112T120000\nDTEND:20260112T130000\nEND:VEVENT\nEND:VCALENDAR\n"
)


def patched(client: Client, observances: str, tzid: str = "US-Eastern") -> None:
    zone = (
        "BEGIN:VCALENDAR\nPRODID:-//Example Corp.//CalDAV Client//EN\nVERSION:2.0\nBEGIN:VTIMEZONE\n"
        f"TZID:{tzid}\nLAST-MODIFIED:19870101T000000Z\n{observances}\nEND:VTIMEZONE\nEND:VCALENDAR\n"
    )
    body = (
        f"<D:propertyupdate{DECLARED}><D:set><D:prop><C:calendar-timezone>{zone}</C:calendar-timezone>"
        "</D:prop></D:set></D:propertyupdate>"
    )
    answer = client("PROPPATCH", WORK, body)
    assert answer.status == 207, answer.text
    assert "C:calendar-timezone" in answer.props(), answer.text


def between(start: str, end: str) -> str:
    return f'<C:comp-filter name="VEVENT"><C:time-range start="{start}" end="{end}"/></C:comp-filter>'


@pytest.mark.parametrize("observances", [EASTERN, FIVE])
def test_floating_times_are_read_in_it(world: DavWorld, bill: Client, observances: str) -> None:
    shelve(world, "noon.ics", NOON)
    patched(bill, observances)
    assert found(bill, between("20260112T170000Z", "20260112T173000Z")) == ["noon.ics"]
    assert found(bill, between("20260112T110000Z", "20260112T130000Z")) == []


@pytest.mark.parametrize("observances", [EASTERN, FIVE])
def test_floating_times_are_busy_in_it(bill: Client, observances: str) -> None:  # RFC 4791 §5.2.2, §7.10
    assert bill.put(f"{WORK}noon.ics", NOON).status == 201
    patched(bill, observances)
    body = (
        f'<C:free-busy-query{DECLARED}><C:time-range start="20260112T000000Z" end="20260113T000000Z"/>'
        "</C:free-busy-query>"
    )
    assert "20260112T170000Z/20260112T180000Z" in bill("REPORT", WORK, body, depth="1").text


def test_another_definition_takes_the_place_of_the_one_before(world: DavWorld, bill: Client) -> None:
    shelve(world, "noon.ics", NOON)
    patched(bill, FIVE)
    patched(bill, FIVE.replace("-0500", "-0700"))
    assert "TZOFFSETTO:-0700" in bill.propfind(WORK, "C:calendar-timezone").prop("C:calendar-timezone")
    assert found(bill, between("20260112T190000Z", "20260112T193000Z")) == ["noon.ics"]


def test_another_zone_is_taken_back_and_set_again(world: DavWorld, bill: Client) -> None:
    def shown() -> str:
        return bill.propfind(WORK, "C:calendar-timezone-id").prop("C:calendar-timezone-id")

    patched(bill, FIVE)
    for expected in ("Europe/Berlin", "US-Eastern"):
        world.store.write(lambda tx: undo(tx, world.bill, world.calendar, tick=last(world)))
        assert shown() == expected
    assert "TZOFFSETTO:-0500" in bill.propfind(WORK, "C:calendar-timezone").prop("C:calendar-timezone")


def last(world: DavWorld) -> int:
    row = world.store.read(lambda tx: calendars.by_id(tx, world.calendar.calendar_id))
    assert row is not None
    return row.tick
