"""A whole calendar with one GET: as a file, or as a page for a browser."""

from __future__ import annotations

import pytest
from core_world import event
from dav_harness import Client, DavWorld, ics
from icalendar import Calendar as Oracle

from kalends.core.access import sharing
from kalends.dav.whole import disposition

HOME = "/dav/calendars/bill/calendar/"
BERLIN = """BEGIN:VTIMEZONE
TZID:Europe/Berlin
BEGIN:STANDARD
DTSTART:19701025T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:19700329T020000
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU
END:DAYLIGHT
END:VTIMEZONE"""
HTML = "text/html,application/xhtml+xml,*/*;q=0.8"


def zoned(uid: str) -> str:
    return (
        f"BEGIN:VEVENT\nUID:{uid}\nDTSTAMP:20260101T000000Z\n"
        "DTSTART;TZID=Europe/Berlin:20260310T090000\nEND:VEVENT"
    )


def fill(bill: Client) -> None:
    for uid in ("a", "b"):
        bill.put(f"{HOME}{uid}.ics", ics(BERLIN, zoned(uid)))
    bill.put(f"{HOME}c.ics", ics(event("c", "SUMMARY:secret", "CLASS:PRIVATE")))


def test_a_calendar_comes_as_one_file_with_each_time_zone_once(bill: Client) -> None:
    fill(bill)
    got = bill("GET", HOME)
    assert got.status == 200
    assert got.headers["content-type"] == "text/calendar; charset=utf-8"
    assert got.headers["content-disposition"].startswith('attachment; filename="')
    whole = Oracle.from_ical(got.body)
    assert sorted(str(one["UID"]) for one in whole.walk("VEVENT")) == ["a", "b", "c"]
    assert len(whole.walk("VTIMEZONE")) == 1


def test_it_says_when_nothing_changed(bill: Client) -> None:
    fill(bill)
    tag = bill("GET", HOME).headers["etag"]
    assert tag.startswith("W/")
    again = bill("GET", HOME, if_none_match=tag)
    assert (again.status, again.body) == (304, b"")
    bill("DELETE", f"{HOME}a.ics")
    assert bill("GET", HOME, if_none_match=tag).status == 200


def test_HEAD_tells_the_same_without_the_text(bill: Client) -> None:
    fill(bill)
    head = bill("HEAD", HOME)
    assert (head.status, head.body) == (200, b"")
    assert head.headers["content-length"] == str(len(bill("GET", HOME).body))
    assert head.headers["etag"] == bill("GET", HOME).headers["etag"]


def test_a_browser_is_shown_a_page_with_the_way_to_the_file(bill: Client) -> None:
    fill(bill)
    shown = bill("GET", HOME, accept=HTML)
    assert shown.headers["content-type"] == "text/html; charset=utf-8"
    assert f'href="{HOME}?export"' in shown.text
    assert "default-src 'none'" in shown.headers["content-security-policy"]
    assert bill("GET", HOME, query="export", accept=HTML).text.startswith("BEGIN:VCALENDAR")
    assert bill("GET", HOME, accept=f"text/calendar, {HTML}").text.startswith("BEGIN:VCALENDAR")


def test_a_name_on_the_page_is_never_markup(bill: Client) -> None:
    name = "&lt;script&gt;alert(1)&lt;/script&gt;"
    bill(
        "PROPPATCH",
        HOME,
        f'<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop><D:displayname>{name}</D:displayname></D:prop></D:set>'
        "</D:propertyupdate>",
    )
    assert "<script>" not in bill("GET", HOME, accept=HTML).text


def test_one_gets_what_one_may_see_and_no_more(world: DavWorld, bill: Client, mary: Client) -> None:
    fill(bill)
    assert mary("GET", HOME).status == 404
    world.store.write(lambda tx: sharing.share(tx, world.bill, world.calendar, "mary@example.com", "read"))
    got = mary("GET", HOME)
    assert "UID:a" in got.text
    assert "secret" not in got.text
    assert "etag" not in got.headers


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("x.ics", 'attachment; filename="x.ics"'),
        (
            'a"\r\nSet-Cookie: x',
            "attachment; filename=\"a___Set-Cookie: x\"; filename*=UTF-8''a%22__Set-Cookie%3A%20x",
        ),
        ("../../etc/passwd", 'attachment; filename="_.._etc_passwd"'),
        ("Grüße.pdf", "attachment; filename=\"Gr__e.pdf\"; filename*=UTF-8''Gr%C3%BC%C3%9Fe.pdf"),
        ("", 'attachment; filename="file"'),
    ],
)
def test_RFC6266_43_no_name_breaks_out_of_the_header(name: str, said: str) -> None:
    assert disposition(name) == said


@pytest.mark.parametrize("path", [f"{HOME}nothing.ics", "/dav/calendars/bill/"])
def test_HEAD_of_what_cannot_be_read_is_as_long_as_its_GET(bill: Client, path: str) -> None:  # RFC 9110 §8.6
    head, got = bill("HEAD", path), bill("GET", path)
    assert (head.status, head.body) == (got.status, b"")
    assert head.headers["content-length"] == str(len(got.body))
