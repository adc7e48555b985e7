"""C:free-busy-query (RFC 4791 §7.10)."""

from __future__ import annotations

import pytest
from core_world import event
from dav_harness import DECLARED, Answer, Client, DavWorld, ics
from reports_world import WORK, bernard, shelve

from kalends.ical.tree import parse

DAY = ("20260310T000000Z", "20260311T000000Z")


def ask(client: Client, start: str = DAY[0], end: str = DAY[1], path: str = WORK, depth: str = "1") -> Answer:
    body = f'<C:free-busy-query{DECLARED}><C:time-range start="{start}" end="{end}"/></C:free-busy-query>'
    return client("REPORT", path, body, depth=depth)


def busy(answer: Answer) -> list[tuple[str, str]]:
    """FBTYPE and periods."""
    assert answer.status == 200, answer.text
    assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
    (found,) = parse(answer.body).children("VFREEBUSY")
    return [(line.param("FBTYPE") or "BUSY", line.value) for line in found.all("FREEBUSY")]


def test_the_rfcs_example(world: DavWorld, bill: Client) -> None:
    """RFC 4791 §7.10.1 over Appendix B; the series and the stored free-busy periods count, too."""
    bernard(world)
    told = dict(busy(ask(bill, "20060104T140000Z", "20060105T220000Z")))
    assert told["BUSY-TENTATIVE"] == "20060104T150000Z/20060104T160000Z"
    assert "20060104T190000Z/20060104T200000Z" in told["BUSY"].split(",")


def test_what_takes_no_time_is_not_told_and_neighbours_are_one(world: DavWorld, bill: Client) -> None:
    for name, start, more in (
        ("a", "20260310T090000Z", ""), ("b", "20260310T100000Z", ""), ("c", "20260310T093000Z", ""),
        ("d", "20260310T120000Z", "TRANSP:TRANSPARENT"), ("e", "20260310T140000Z", "STATUS:CANCELLED"),
        ("f", "20260310T103000Z", "STATUS:TENTATIVE"),
    ):  # fmt: skip
        lines = (more,) if more else ()
        shelve(world, f"{name}.ics", ics(event(name, *lines, start=f"DTSTART:{start}")))
    assert busy(ask(bill)) == [
        ("BUSY", "20260310T090000Z/20260310T110000Z"),
        ("BUSY-TENTATIVE", "20260310T110000Z/20260310T113000Z"),
    ]


def test_floating_times_are_the_calendars(world: DavWorld, bill: Client) -> None:
    """RFC 4791 §7.3: Bill's calendar is in Berlin."""
    shelve(world, "a.ics", ics(event("a", start="DTSTART:20260310T090000")))
    assert busy(ask(bill)) == [("BUSY", "20260310T080000Z/20260310T090000Z")]


def test_nothing_is_told_of_words(world: DavWorld, bill: Client) -> None:
    shelve(world, "a.ics", ics(event("a", "SUMMARY:Secret", "LOCATION:Here")))
    told = ask(bill).text
    assert "Secret" not in told
    assert "UID" not in told


def test_a_home_answers_for_its_calendars(world: DavWorld, bill: Client) -> None:
    shelve(world, "a.ics", ics(event("a")))
    assert busy(ask(bill, path="/dav/calendars/bill/")) == [("BUSY", "20260310T090000Z/20260310T100000Z")]
    assert busy(ask(bill, depth="0")) == [("BUSY", "20260310T090000Z/20260310T100000Z")]


def test_everybody_may_know_when_unless_the_right_is_taken_away(
    world: DavWorld, bill: Client, mary: Client
) -> None:
    """RFC 4791 §7.10: 404 without the right; with it alone, the calendar is found for this report only."""
    shelve(world, "a.ics", ics(event("a", "SUMMARY:Secret")))
    for path in (WORK, "/dav/calendars/bill/"):
        assert busy(ask(mary, path=path)) == [("BUSY", "20260310T090000Z/20260310T100000Z")]
    assert mary.propfind(WORK, "D:displayname").status == 404
    for place in (world.calendar, world.target("bill/tasks")):
        world.delete("SELECT * FROM VCAR WHERE CARID IS NOT NULL", place)
    for path in (WORK, "/dav/calendars/bill/", "/dav/calendars/bill/none/", "/dav/calendars/nobody/x/"):
        assert ask(mary, path=path).status == 404


def test_an_object_has_no_free_busy(world: DavWorld, bill: Client) -> None:
    shelve(world, "a.ics", ics(event("a")))
    assert ask(bill, path=WORK + "a.ics").status == 403


@pytest.mark.parametrize(
    ("start", "end", "status", "precondition"),
    [
        ("20260311T000000Z", "20260310T000000Z", 403, "C:valid-filter"),
        ("20260311", "20260312", 403, "C:valid-filter"),
        ("20260101T000000Z", "20990101T000000Z", 507, "D:number-of-matches-within-limits"),
    ],
)
def test_a_range_that_is_none(bill: Client, start: str, end: str, status: int, precondition: str) -> None:
    answer = ask(bill, start, end)
    assert (answer.status, answer.precondition) == (status, precondition)


def test_a_question_without_a_range(bill: Client) -> None:
    assert bill("REPORT", WORK, f"<C:free-busy-query{DECLARED}/>").status == 400
