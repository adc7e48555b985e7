"""When somebody is there at all, told by a property of the inbox (RFC 7953 §7.2)."""

from __future__ import annotations

import pytest
from dav_harness import DECLARED, Client, ics

INBOX = "/dav/calendars/mary/inbox/"
EXAMPLE = """BEGIN:VCALENDAR
CALSCALE:GREGORIAN
PRODID:-//example.com//iCalendar 2.0//EN
VERSION:2.0
BEGIN:VAVAILABILITY
UID:9BADC1F6-0FC4-44BF-AC3D-993BEC8C962A
DTSTAMP:20111005T133225Z
DTSTART;TZID=America/Montreal:20111002T000000
BEGIN:AVAILABLE
UID:6C9F69C3-BDA8-424E-B2CB-7012E796DDF7
SUMMARY:Monday to Friday from 9:00 to 18:00
DTSTART;TZID=America/Montreal:20111002T090000
DTEND;TZID=America/Montreal:20111002T180000
RRULE:FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR
END:AVAILABLE
END:VAVAILABILITY
END:VCALENDAR
"""
ASKING = ics(
    "BEGIN:VFREEBUSY\nUID:q\nDTSTAMP:20260101T000000Z\nDTSTART:20260310T000000Z\nDTEND:20260311T000000Z\n"
    "ORGANIZER:mailto:bill@example.com\nATTENDEE:mailto:mary@example.com\nEND:VFREEBUSY",
    head="METHOD:REQUEST\n",
)


def setting(text: str, name: str = "C:calendar-availability", verb: str = "set") -> str:
    value = f"<{name}>{text}</{name}>" if verb == "set" else f"<{name}/>"
    return f"<D:propertyupdate{DECLARED}><D:{verb}><D:prop>{value}</D:prop></D:{verb}></D:propertyupdate>"


def busy(client: Client) -> list[str]:
    answer = client("POST", "/dav/calendars/bill/outbox/", ASKING, content_type="text/calendar")
    text = answer.xml.findtext(".//{urn:ietf:params:xml:ns:caldav}calendar-data") or ""
    return [line for line in text.replace("\r\n ", "").splitlines() if line.startswith("FREEBUSY")]


def test_RFC7953_724_the_example_is_kept_and_counts_in_free_busy(bill: Client, mary: Client) -> None:
    assert busy(bill) == []
    assert mary("PROPPATCH", INBOX, setting(EXAMPLE)).props().keys() == {"C:calendar-availability"}
    assert mary.propfind(INBOX, "C:calendar-availability").prop("C:calendar-availability").split() == (
        EXAMPLE.split()
    )
    assert busy(bill) == [
        "FREEBUSY;FBTYPE=BUSY-UNAVAILABLE:20260310T000000Z/20260310T130000Z,20260310T220000Z/20260311T000000Z",
    ]  # Montreal is at UTC-4 since two days
    assert mary("PROPPATCH", INBOX, setting("", verb="remove")).status == 207
    assert busy(bill) == []
    assert "C:calendar-availability" in mary.propfind(INBOX, "C:calendar-availability").props(status=404)


def test_RFC7953_724_allprop_does_not_bring_it(mary: Client) -> None:
    mary("PROPPATCH", INBOX, setting(EXAMPLE))
    assert "C:calendar-availability" not in mary.propfind(INBOX).props()


def test_the_name_before_the_standard_means_the_same(mary: Client) -> None:
    mary("PROPPATCH", INBOX, setting(EXAMPLE, "CS:calendar-availability"))
    assert "VAVAILABILITY" in mary.propfind(INBOX, "C:calendar-availability").prop("C:calendar-availability")


def test_RFC7953_721_options_says_so(mary: Client) -> None:
    assert "calendar-availability" in mary("OPTIONS", INBOX).headers["dav"].split(", ")


@pytest.mark.parametrize(
    ("bad", "element"),
    [
        ("", "valid-calendar-data"),
        ("nothing", "valid-calendar-data"),
        (EXAMPLE.replace("VAVAILABILITY", "VEVENT"), "valid-calendar-data"),
        (EXAMPLE.replace("VERSION:2.0", "VERSION:2.0\nMETHOD:PUBLISH"), "valid-calendar-data"),
        (EXAMPLE.replace("UID:6C9F69C3-BDA8-424E-B2CB-7012E796DDF7\n", ""), "valid-calendar-data"),
        (EXAMPLE.replace("20111002T180000", "20111001T180000"), "valid-calendar-data"),
        (
            EXAMPLE.replace("DTSTART;TZID=America/Montreal:20111002T09", "DTSTART;VALUE=DATE:20111002\nX-T:"),
            "valid-calendar-data",
        ),
        (
            EXAMPLE.replace("DTSTART;TZID=America/Montreal:20111002T000000", "DURATION:P1D"),
            "valid-calendar-data",
        ),
        (EXAMPLE.replace("RRULE:FREQ=WEEKLY", "RRULE:FREQ=NEVER"), "valid-calendar-data"),
        (EXAMPLE.replace("SUMMARY:", "SUMMARY:" + "x" * 100_000), "max-resource-size"),
    ],
)
def test_RFC7953_31_what_is_no_availability_is_refused(mary: Client, bad: str, element: str) -> None:
    answer = mary("PROPPATCH", INBOX, setting(bad))
    assert "C:calendar-availability" in answer.props(status=403)
    assert element in answer.text
    assert "responsedescription" in answer.text
    assert "C:calendar-availability" in mary.propfind(INBOX, "C:calendar-availability").props(status=404)


def test_RFC7953_8_nobody_says_it_for_others(bill: Client) -> None:
    assert bill("PROPPATCH", INBOX, setting(EXAMPLE)).status == 404


def test_it_is_kept_with_other_properties_or_not_at_all(mary: Client) -> None:
    both = setting(EXAMPLE).replace("</D:prop>", "<D:getetag>x</D:getetag></D:prop>")
    assert "C:calendar-availability" in mary("PROPPATCH", INBOX, both).props(status=424)
    assert "C:calendar-availability" in mary.propfind(INBOX, "C:calendar-availability").props(status=404)


WEEK = "/dav/calendars/mary/week/"
RANGE = '<C:time-range start="20260310T000000Z" end="20260311T000000Z"/>'


def made(mary: Client) -> None:
    assert mary("MKCALENDAR", WEEK).status == 201
    answer = mary.put(f"{WEEK}a.ics", EXAMPLE)
    assert answer.status == 201, answer.text


def test_RFC7953_71_it_can_stand_in_a_calendar(mary: Client) -> None:
    made(mary)
    kinds = mary.propfind(WEEK, "C:supported-calendar-component-set").props()
    assert "VAVAILABILITY" in [one.get("name") for one in kinds["C:supported-calendar-component-set"]]
    assert mary("GET", f"{WEEK}a.ics").text == EXAMPLE
    assert "VAVAILABILITY" in mary("GET", WEEK).text


def test_RFC7953_723_free_busy_query_counts_it(mary: Client) -> None:
    made(mary)
    body = f"<C:free-busy-query{DECLARED}>{RANGE}</C:free-busy-query>"
    told = mary("REPORT", WEEK, body, depth="1").text.replace("\r\n ", "")
    assert "FBTYPE=BUSY-UNAVAILABLE:20260310T000000Z/20260310T130000Z" in told


def test_RFC7953_725_those_who_ask_hear_of_it_too(bill: Client, mary: Client) -> None:
    made(mary)
    assert busy(bill) == [
        "FREEBUSY;FBTYPE=BUSY-UNAVAILABLE:20260310T000000Z/20260310T130000Z,20260310T220000Z/20260311T000000Z",
    ]
    mary.put("/dav/calendars/mary/calendar/e.ics", ics("BEGIN:VEVENT\nUID:e\nDTSTAMP:20260101T000000Z\n"
             "DTSTART:20260310T140000Z\nDURATION:PT1H\nEND:VEVENT"))  # fmt: skip
    assert busy(bill)[0] == "FREEBUSY;FBTYPE=BUSY:20260310T140000Z/20260310T150000Z"


@pytest.mark.parametrize(
    ("times", "range_", "found"),
    [  # the table of RFC 7953 §7.2.2
        ("DTSTART:20260310T000000Z\nDTEND:20260311T000000Z", ("20260310T120000Z", "20260310T130000Z"), True),
        ("DTSTART:20260310T000000Z\nDTEND:20260311T000000Z", ("20260311T000000Z", "20260312T000000Z"), False),
        ("DTSTART:20260310T000000Z\nDTEND:20260311T000000Z", ("20260309T000000Z", "20260310T000000Z"), False),
        ("DTSTART:20260310T000000Z\nDURATION:P1D", ("20260310T120000Z", "20260310T130000Z"), True),
        ("DTSTART:20260310T000000Z\nDURATION:P1D", ("20260311T000000Z", "20260312T000000Z"), False),
        ("DTSTART:20260310T000000Z", ("20360310T120000Z", "20360310T130000Z"), True),
        ("DTSTART:20260310T000000Z", ("20260309T000000Z", "20260310T000000Z"), False),
        ("DTEND:20260310T000000Z", ("20160309T000000Z", "20160310T000000Z"), True),
        ("DTEND:20260310T000000Z", ("20260310T000000Z", "20260311T000000Z"), False),
        ("SUMMARY:always", ("20260310T000000Z", "20260311T000000Z"), True),
    ],
)
def test_RFC7953_722_a_time_range_finds_it(
    mary: Client, times: str, range_: tuple[str, str], found: bool
) -> None:
    mary("MKCALENDAR", WEEK)
    part = f"BEGIN:VAVAILABILITY\nUID:a\nDTSTAMP:20260101T000000Z\n{times}\nEND:VAVAILABILITY"
    assert mary.put(f"{WEEK}a.ics", ics(part)).status == 201
    body = (
        f"<C:calendar-query{DECLARED}><D:prop><D:getetag/></D:prop><C:filter>"
        '<C:comp-filter name="VCALENDAR"><C:comp-filter name="VAVAILABILITY">'
        f'<C:time-range start="{range_[0]}" end="{range_[1]}"/>'
        "</C:comp-filter></C:comp-filter></C:filter></C:calendar-query>"
    )
    assert bool(mary("REPORT", WEEK, body, depth="1").hrefs()) is found


def test_RFC7953_31_what_breaks_a_rule_is_no_calendar_object(mary: Client) -> None:
    mary("MKCALENDAR", WEEK)
    answer = mary.put(f"{WEEK}a.ics", EXAMPLE.replace("UID:6C9F69C3-BDA8-424E-B2CB-7012E796DDF7\n", ""))
    assert (answer.status, answer.precondition) == (403, "C:valid-calendar-data")
    assert mary("GET", f"{WEEK}a.ics").status == 404
