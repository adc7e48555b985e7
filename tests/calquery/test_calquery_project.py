"""What SELECT returns (QRY-04, QRY-05, QRY-11, QRY-19, QRY-35; A-22)."""

from __future__ import annotations

import pytest

from kalends.calquery.parse import parse
from kalends.calquery.project import Projection
from kalends.ical.tree import Component
from kalends.ical.tree import parse as parse_ical

EVENT = (
    "BEGIN:VEVENT\r\nUID:123\r\nDTSTART;TZID=Europe/Berlin:20200101T100000\r\nDURATION:PT1H\r\n"
    "SUMMARY:A title that is so long that it had to be folded by whoever wrote it in\r\n\t the first place\r\n"
    "ATTENDEE;CN=Joe:mailto:joe@example.com\r\nATTENDEE:mailto:sue@example.com\r\n"
    "BEGIN:VALARM\r\nTRIGGER;RELATED=END:PT5M\r\nREPEAT:4\r\nEND:VALARM\r\n"
    "BEGIN:VALARM\r\nTRIGGER;RELATED=START:PT5M\r\nDURATION:PT10M\r\nEND:VALARM\r\nEND:VEVENT\r\n"
)
ALARMS = EVENT[EVENT.index("BEGIN:VALARM") : EVENT.index("END:VEVENT")]


def answer(select: str, source: str = "VEVENT", text: str = EVENT) -> str:
    query = parse(f"SELECT {select} FROM {source}")
    found = Projection(query, owners=lambda calid: ["joe@example.com"]).of(parse_ical(text))
    return "".join(item.to_ics() if isinstance(item, Component) else item.raw for item in found)


def wrapped(*names: str) -> str:
    event = parse_ical(EVENT)
    inner = "".join(line.raw for line in event.lines if line.name in names)
    return f"BEGIN:VEVENT\r\n{inner}END:VEVENT\r\n"


@pytest.mark.parametrize(
    ("select", "expected"),
    [
        ("*", EVENT),
        ("VALARM", ALARMS),
        ("VALARM.*", ALARMS.replace("BEGIN:VALARM\r\n", "").replace("END:VALARM\r\n", "")),
        ("VALARM.TRIGGER", "TRIGGER;RELATED=END:PT5M\r\nTRIGGER;RELATED=START:PT5M\r\n"),
        ("UID,SUMMARY", wrapped("UID", "SUMMARY")),
        ("SUMMARY,UID", wrapped("UID", "SUMMARY")),
        ("LOCATION", ""),
        ("PARAM(ATTENDEE,ROLE)", wrapped("ATTENDEE")),
        ("PARAM(ATTENDEE,ROLE),PARAM(ATTENDEE,RSVP),ATTENDEE", wrapped("ATTENDEE")),
        ("VALARM.TRIGGER,VALARM.TRIGGER", "TRIGGER;RELATED=END:PT5M\r\nTRIGGER;RELATED=START:PT5M\r\n"),
        ("UID,VALARM", wrapped("UID").replace("END:VEVENT\r\n", ALARMS + "END:VEVENT\r\n")),
    ],
)
def test_shapes(select: str, expected: str) -> None:
    assert answer(select) == expected


def test_a_parameter_without_default_selects_those_that_have_it() -> None:
    assert answer("PARAM(ATTENDEE,CN)").count("ATTENDEE") == 1


def test_an_end_that_only_the_duration_says() -> None:
    """QRY-19: SELECT sees DTEND where DURATION was written."""
    assert "DTEND;TZID=Europe/Berlin:20200101T110000\r\n" in answer("DTEND")
    assert "DURATION:PT1H\r\n" in answer("DTSTART,DURATION")
    assert "DTEND" not in answer("DTSTART,DURATION")


AGENDA = "BEGIN:VAGENDA\r\nCALID:joe\r\nOWNER:joe@example.com\r\nBEGIN:VEVENT\r\nUID:1\r\nEND:VEVENT\r\nEND:VAGENDA\r\n"


def test_a_containers_star_is_its_properties() -> None:
    """QRY-35."""
    assert (
        answer("*", "VAGENDA", AGENDA)
        == "BEGIN:VAGENDA\r\nCALID:joe\r\nOWNER:joe@example.com\r\nEND:VAGENDA\r\n"
    )
    assert answer("*.*", "VAGENDA", AGENDA) == AGENDA


def test_owners_are_selected_by_their_function() -> None:
    """QRY-09."""
    assert answer("CALID,CAL-OWNERS()", "VAGENDA", AGENDA) == (
        "BEGIN:VAGENDA\r\nCALID:joe\r\nOWNER:joe@example.com\r\nEND:VAGENDA\r\n"
    )


def test_nothing_of_the_component_is_changed() -> None:
    event = parse_ical(EVENT)
    Projection(parse("SELECT UID,DTEND,VALARM FROM VEVENT")).of(event)
    assert event.to_ics() == EVENT
