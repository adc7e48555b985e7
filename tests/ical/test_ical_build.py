"""What the program builds reads back as what was meant."""

from __future__ import annotations

import icalendar
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalends.ical import validate
from kalends.ical.build import Value, prop, stamp
from kalends.ical.errors import ICalError
from kalends.ical.moment import Duration, Moment, Period, utc_moment
from kalends.ical.tree import Component, Line, parse
from kalends.ical.values import binary, values


def vcalendar(*lines: Line) -> Component:
    """A VCALENDAR with one VEVENT of these lines."""
    head = [prop("VERSION", "2.0"), prop("PRODID", "-//Test//EN")]
    return Component("VCALENDAR", [*head, Component("VEVENT", list(lines))])


@pytest.mark.parametrize(
    ("name", "value", "raw"),
    [
        ("summary", "a, b; c\\\nd", "summary:a\\, b\\; c\\\\\\nd"),
        ("CATEGORIES", ["a,b", "c"], "CATEGORIES:a\\,b,c"),
        ("REQUEST-STATUS", ["2.0", "So; so"], "REQUEST-STATUS:2.0;So\\; so"),
        ("GEO", [37.386013, -122.0], "GEO:37.386013;-122"),
        ("PRIORITY", 5, "PRIORITY:5"),
        ("ALLOW-CONFLICT", False, "ALLOW-CONFLICT:FALSE"),
        ("TZOFFSETTO", -5400, "TZOFFSETTO:-0130"),
        ("RRULE", "FREQ=DAILY;BYDAY=MO,TU", "RRULE:FREQ=DAILY;BYDAY=MO,TU"),
        ("QUERY", "SELECT A,B FROM VEVENT", "QUERY:SELECT A,B FROM VEVENT"),
        ("ATTENDEE", "mailto:a,b@example.com", "ATTENDEE:mailto:a,b@example.com"),
        ("DTSTART", utc_moment(86400), "DTSTART:19700102T000000Z"),
        ("DTSTART", Moment(0, "Europe/Rome"), "DTSTART;TZID=Europe/Rome:19700101T000000"),
        ("DTSTART", Moment(0, None, False, True), "DTSTART;VALUE=DATE:19700101"),
        (
            "EXDATE",
            [Moment(0, "A:B"), Moment(86400, "A:B")],
            'EXDATE;TZID="A:B":19700101T000000,19700102T000000',
        ),
        ("RDATE", [Period(utc_moment(0), None, Duration(0, 60))], "RDATE;VALUE=PERIOD:19700101T000000Z/PT1M"),
        ("FREEBUSY", Period(utc_moment(0), utc_moment(60)), "FREEBUSY:19700101T000000Z/19700101T000100Z"),
        ("TRIGGER", Duration(0, -900), "TRIGGER:-PT15M"),
        ("TRIGGER", utc_moment(0), "TRIGGER;VALUE=DATE-TIME:19700101T000000Z"),
        ("X-ANY", "a,b", "X-ANY:a\\,b"),
    ],
)
def test_a_property_is_written_as_its_type_wants(name: str, value: Value, raw: str) -> None:
    """RFC 5545 §3.3."""
    assert prop(name, value).raw == raw + "\r\n"


def test_binary_reads_back() -> None:
    line = prop("ATTACH", b"\x00\xff" * 60, ("FMTTYPE", ("image/png",)))
    assert binary(line) == b"\x00\xff" * 60
    assert [key for key, _ in line.params] == ["VALUE", "ENCODING", "FMTTYPE"]


def test_written_parameters_win() -> None:
    assert prop("X-DAY", "a,b", ("VALUE", ("URI",))).raw == "X-DAY;VALUE=URI:a,b\r\n"
    assert (
        prop("DTSTART", Moment(0, None, False, True), ("VALUE", ("DATE",))).raw
        == "DTSTART;VALUE=DATE:19700101\r\n"
    )


def test_what_cannot_be_written_is_refused() -> None:
    with pytest.raises(ICalError, match="takes one value"):
        prop("SUMMARY", ["a", "b"])
    with pytest.raises(ICalError, match="different forms"):
        prop("EXDATE", [Moment(0), Moment(0, None, False, True)])
    with pytest.raises(ICalError, match="raw line break"):
        prop("ATTENDEE", "mailto:a\r\nX:1")


@given(
    st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.just("\n"), max_size=200),
    st.text(max_size=20),
)
def test_any_text_reads_back_here_and_elsewhere(text: str, name: str) -> None:
    printable = "".join(char for char in name if char.isprintable() and not "\ud800" <= char <= "\udfff")
    root = vcalendar(prop("SUMMARY", text, ("X-P", (printable,))))
    line = parse(root.to_bytes()).components[0].lines[0]
    assert values(line)[0].text == text
    assert line.param("X-P") == printable
    bare = vcalendar(prop("SUMMARY", text))  # they trip over P=\\: above
    assert icalendar.Calendar.from_ical(bare.to_bytes()).events[0]["SUMMARY"] == text


def test_a_built_calendar_is_sound() -> None:
    root = vcalendar(
        prop("UID", "1"),
        stamp("DTSTAMP", 1.9),
        prop("DTSTART", utc_moment(0)),
        prop("DURATION", Duration(0, 3600)),
    )
    assert root.components[0].value("DTSTAMP") == "19700101T000001Z"
    assert validate.problems(root, strict=True) == []
