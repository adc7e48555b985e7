"""CalDAV's clients get alarms as iCalendar has them, and take nothing away that is CAP's (RFC 4324 §2; OBM-15)."""

from __future__ import annotations

import pytest
from core_world import event
from dav_harness import Client, DavWorld, ics

from kalends.store import objects

CALENDAR = "/dav/calendars/bill/calendar/"
EVENT = CALENDAR + "a.ics"


def alarm(*lines: str) -> str:
    return "\n".join(("BEGIN:VALARM", *lines, "ACTION:DISPLAY", "DESCRIPTION:x", "END:VALARM"))


ON = alarm("SEQUENCE;LOCAL=TRUE:1", "TRIGGER;ENABLE=TRUE:-PT10M")
OFF = alarm("SEQUENCE:2", "TRIGGER;ENABLE=FALSE:-PT5M")
OWN = alarm("TRIGGER:-PT1M")
QUERY = (
    '<C:calendar-query xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:D="DAV:"><D:prop>{}<C:calendar-data/></D:prop>'
    '<C:filter><C:comp-filter name="VCALENDAR"/></C:filter></C:calendar-query>'
)
MULTIGET = (
    '<C:calendar-multiget xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:D="DAV:"><D:prop>{}<C:calendar-data/>'
    "</D:prop><D:href>" + EVENT + "</D:href></C:calendar-multiget>"
)


def held(world: DavWorld) -> str:
    """The text as it is kept."""
    rows = world.store.read(lambda tx: objects.page(tx, -1, 100))
    return next(row for row in rows if row.name == "a.ics").ics.decode()


def is_plain(text: str) -> bool:
    return (
        not any(word in text for word in ("SEQUENCE", "LOCAL", "ENABLE", "-PT5M"))
        and "TRIGGER:-PT10M" in text
    )


@pytest.mark.parametrize("more", ["", "<D:displayname/>"])  # the short way, and the long one
@pytest.mark.parametrize("report", [QUERY, MULTIGET])
def test_OBM15_reports_tell_plain_alarms(bill: Client, report: str, more: str) -> None:
    bill.put(EVENT, ics(event("a", ON, OFF)))
    told = bill("REPORT", CALENDAR, report.format(more), depth="1")
    assert told.status == 207
    assert is_plain(told.text)


def test_OBM15_a_get_tells_plain_alarms_and_how_long_they_are(world: DavWorld, bill: Client) -> None:
    made = bill.put(EVENT, ics(event("a", ON, OFF)))
    assert "etag" not in made.headers, "what one gets is not what one sent (RFC 4791 §5.3.4)"
    got = bill("GET", EVENT)
    assert is_plain(got.text)
    assert bill("HEAD", EVENT).headers["content-length"] == str(len(got.body))
    size = '<D:propfind xmlns:D="DAV:"><D:prop><D:getcontentlength/></D:prop></D:propfind>'
    assert bill("PROPFIND", EVENT, size, depth="0").prop("D:getcontentlength") == str(len(got.body))
    whole = bill("GET", CALENDAR, accept="text/calendar").text
    assert is_plain(whole)
    assert "ENABLE=FALSE" in held(world)
    shown = bill.put(EVENT, ics(event("a", ON, OFF)), prefer="return=representation")
    assert is_plain(shown.text)


def test_OBM15_what_has_nothing_of_cap_stays_octet_for_octet(bill: Client) -> None:
    text = ics(event("a", "SEQUENCE:3", OWN))
    made = bill.put(EVENT, text)
    assert made.headers["etag"].endswith('"')
    assert "cap" not in made.headers["etag"]
    assert bill("GET", EVENT).body == text.encode()


def test_an_edit_over_caldav_takes_nothing_away_that_it_never_saw(world: DavWorld, bill: Client) -> None:
    bill.put(EVENT, ics(event("a", ON, OFF)))
    got = bill("GET", EVENT)
    edited = got.text.replace("END:VEVENT", "LOCATION:here\r\nEND:VEVENT")
    for _ in range(2):
        put = bill.put(EVENT, edited, if_match=bill("GET", EVENT).headers["etag"])
        assert put.status == 204
        assert put.headers["etag"], "a GET answers with what was put"
        assert bill("GET", EVENT).text == edited
        kept = held(world)
        assert kept.count("BEGIN:VALARM") == 2
        assert "SEQUENCE;LOCAL=TRUE:1" in kept
        assert "ENABLE=FALSE:-PT5M" in kept
        assert "LOCATION:here" in kept
    bill.put(EVENT, ics(event("a", OWN)))  # it rings no longer by the client's wish
    assert "SEQUENCE;LOCAL=TRUE:1" not in held(world)
    assert "ENABLE=FALSE:-PT5M" in held(world)


def test_a_copy_keeps_what_is_caps(world: DavWorld, bill: Client) -> None:
    bill.put(CALENDAR + "b.ics", ics(event("a", ON, OFF)))
    moved = bill("MOVE", CALENDAR + "b.ics", destination=EVENT)
    assert moved.status == 201
    assert "ENABLE=FALSE:-PT5M" in held(world)
