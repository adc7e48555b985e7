"""Values read by their types, the table of properties behind them, and the parameters that stand unwritten."""

from __future__ import annotations

import contextlib

import icalendar
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalends.ical import properties, values
from kalends.ical.errors import ICalError
from kalends.ical.properties import PROPERTIES, find, param_default
from kalends.ical.tree import Line, parse
from kalends.ical.values import TypedValue, escape_text, normal_address, split_values, unescape_text
from kalends.ical.zones import Zones


def line(text: str) -> Line:
    return parse(f"BEGIN:VEVENT\r\n{text}\r\nEND:VEVENT\r\n").lines[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SUMMARY:a\\, b\\; c\\\\n\\nd\\N", [("TEXT", "a, b; c\\n\nd\n", None)]),
        ("SUMMARY:a,b", [("TEXT", "a,b", None)]),
        ("CATEGORIES:a,b\\,c,,d", [("TEXT", x, None) for x in ("a", "b,c", "", "d")]),
        ("CATEGORIES:", [("TEXT", "", None)]),
        ("RESOURCES:a\\\\,b", [("TEXT", "a\\", None), ("TEXT", "b", None)]),
        ("X-LIST:a,b", [("TEXT", "a,b", None)]),
        ("X-N;VALUE=INTEGER:7", [("INTEGER", "7", 7)]),
        ("X-N;VALUE=X-THING:a,b", [("X-THING", "a,b", None)]),
        ("REQUEST-STATUS:2.0;Success\\; yes;x", [("TEXT", "2.0;Success; yes;x", None)]),
        ("PRIORITY:5", [("INTEGER", "5", 5)]),
        ("SEQUENCE:-2147483648", [("INTEGER", "-2147483648", -2147483648)]),
        ("RECUR-LIMIT:1000", [("INTEGER", "1000", 1000)]),
        ("ALLOW-CONFLICT:true", [("BOOLEAN", "TRUE", 1)]),
        ("DECREED:FALSE", [("BOOLEAN", "FALSE", 0)]),
        ("GEO:37.386013;-122.082932", [("FLOAT", "37.386013;-122.082932", None)]),
        ("DURATION:-P1DT1H", [("DURATION", "-P1DT1H", -90000)]),
        ("TRIGGER:-PT15M", [("DURATION", "-PT15M", -900)]),
        ("TRIGGER;VALUE=DATE-TIME:19700101T000010Z", [("DATE-TIME", "19700101T000010Z", 10)]),
        ("TZOFFSETTO:-0130", [("UTC-OFFSET", "-0130", -5400)]),
        ("X-T;VALUE=TIME:010203", [("TIME", "010203", 3723)]),
        ("DTSTART:19700102T000000Z", [("DATE-TIME", "19700102T000000Z", 86400)]),
        ("DTSTART:19700102T000000", [("DATE-TIME", "19700102T000000", 86400)]),
        ("DTSTART;VALUE=DATE:19700102", [("DATE", "19700102", 86400)]),
        ("DTSTART:19700102", [("DATE", "19700102", 86400)]),
        (
            "EXDATE:19700101T000001Z,19700101T000002Z",
            [("DATE-TIME", f"19700101T00000{n}Z", n) for n in (1, 2)],
        ),
        ("RDATE;VALUE=PERIOD:19700101T000000Z/PT1H", [("PERIOD", "19700101T000000Z/PT1H", 0)]),
        ("RRULE:FREQ=DAILY;BYDAY=MO,TU", [("RECUR", "FREQ=DAILY;BYDAY=MO,TU", None)]),
        ("QUERY:SELECT UID,DTSTART FROM VEVENT", [("CAL-QUERY", "SELECT UID,DTSTART FROM VEVENT", None)]),
        ("GRANT:*@example.com", [("UPN-FILTER", "*@example.com", None)]),
        ("OWNER:bill@example.com", [("UPN", "bill@example.com", None)]),
        ("ATTENDEE:mailto:A@example.com", [("CAL-ADDRESS", "mailto:A@example.com", None)]),
        ("URL:http://example.com/a,b;c", [("URI", "http://example.com/a,b;c", None)]),
        ("ATTACH;VALUE=BINARY;ENCODING=BASE64:aGk=", [("BINARY", "aGk=", None)]),
        ("COMPONENTS:VCALSTORE,VEVENT", [("TEXT", "VCALSTORE", None), ("TEXT", "VEVENT", None)]),
    ],
)
def test_each_value_is_read_by_its_type(text: str, expected: list[tuple[str, str, int | None]]) -> None:
    """RFC 5545 §3.3; RFC 4324 §6.1.1.9, §6.1.1.11."""
    assert values.values(line(text)) == [TypedValue(*one) for one in expected]


@pytest.mark.parametrize(
    "text",
    [
        "PRIORITY:high",
        "PRIORITY:",
        "SEQUENCE:2147483648",
        "SEQUENCE:\u0665",
        "ALLOW-CONFLICT:YES",
        "GEO:1.0",
        "GEO:1;x",
        "DTSTART:yesterday",
        "DTSTART;VALUE=DATE-TIME:20250101",
        "EXDATE:20250101T000000Z,",
        "RDATE;VALUE=PERIOD:20250101T000000Z",
        "DURATION:1H",
        "TZOFFSETTO:0100",
        "X-T;VALUE=TIME:250000",
        "X-F;VALUE=FLOAT:1;2",
        "RRULE:BYDAY=MO",
        "ATTACH;VALUE=BINARY;ENCODING=BASE64:a",
        "ATTACH;VALUE=BINARY;ENCODING=BASE64:\u00e4",
    ],
)
def test_a_broken_value_is_refused_by_name_and_given_raw_to_an_index(text: str) -> None:
    one = line(text)
    with pytest.raises(ICalError, match=one.name):
        values.values(one)
    assert values.values(one, lenient=True) == [TypedValue(values.value_type(one), one.value)]


def test_local_times_have_a_number_only_with_zones() -> None:
    one = line("DTSTART;TZID=Europe/Rome:19700101T010000")
    assert values.values(one) == [TypedValue("DATE-TIME", "19700101T010000")]
    assert values.values(one, Zones()) == [TypedValue("DATE-TIME", "19700101T010000", 0)]
    period = line("RDATE;TZID=Europe/Rome;VALUE=PERIOD:19700101T010000/PT1H")
    assert values.values(period, Zones())[0].number == 0


def test_binary_values_are_decoded() -> None:
    assert values.binary(line("ATTACH;VALUE=BINARY;ENCODING=BASE64:aGVs\r\n bG8=")) == b"hello"


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("MAILTO:Jane@Example.COM", "mailto:jane@example.com"),
        (" mailto: jane@example.com ", "mailto:jane@example.com"),
        ("Jane@Example.com", "mailto:jane@example.com"),
        ("CAP://example.com/Jane", "cap://example.com/Jane"),
        ("urn:UUID:A", "urn:UUID:A"),
        ("jane", "jane"),
    ],
)
def test_addresses_are_compared_in_one_spelling(written: str, normal: str) -> None:
    assert normal_address(written) == normal


TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from('\n\t,;\\:"nN'), max_size=80)


@given(TEXT)
def test_unescape_undoes_escape(text: str) -> None:
    """RFC 5545 §3.3.11; the icalendar package agrees."""
    escaped = escape_text(text)
    assert unescape_text(escaped) == text
    event = icalendar.Event.from_ical(
        Line.make("SUMMARY", escaped).raw.join(("BEGIN:VEVENT\r\n", "END:VEVENT"))
    )
    assert event["SUMMARY"] == text


@given(st.lists(TEXT, min_size=1, max_size=5), st.sampled_from(",;"))
def test_split_undoes_join(texts: list[str], separator: str) -> None:
    joined = separator.join(escape_text(text) for text in texts)
    assert [unescape_text(piece) for piece in split_values(joined, separator)] == texts


@given(st.text(st.sampled_from(",;\\na"), max_size=12))
def test_split_loses_nothing(value: str) -> None:
    for separator in ",;":
        assert separator.join(split_values(value, separator)) == value


def test_escaped_text_holds_no_control_characters() -> None:
    assert escape_text("a\r\nb\rc\x00\x07d\te\x7f") == "a\\nb\\ncd\te"


@given(st.sampled_from(sorted(PROPERTIES)), st.text(max_size=40), st.sampled_from(sorted(values.READERS)))
def test_any_value_is_read_or_refused(name: str, text: str, kind: str) -> None:
    text = "".join(char for char in text if char not in "\r\n\0" and not "\ud800" <= char <= "\udfff")
    for one in (line(f"{name}:{text}"), line(f"{name};VALUE={kind}:{text}")):
        assert values.values(one, Zones(), lenient=True)
        with contextlib.suppress(ICalError):
            assert values.values(one, Zones())


# --- the tables


@pytest.mark.parametrize(
    ("prop", "param", "default"),
    [
        ("ATTENDEE", "CUTYPE", "INDIVIDUAL"),
        ("ATTENDEE", "ROLE", "REQ-PARTICIPANT"),
        ("ATTENDEE", "PARTSTAT", "NEEDS-ACTION"),
        ("ATTENDEE", "RSVP", "FALSE"),
        ("ATTENDEE", "CN", None),
        ("RELATED-TO", "RELTYPE", "PARENT"),
        ("FREEBUSY", "FBTYPE", "BUSY"),
        ("TRIGGER", "RELATED", "START"),
        ("TRIGGER", "ENABLE", "TRUE"),
        ("SEQUENCE", "LOCAL", "FALSE"),
        ("ATTACH", "ENCODING", "8BIT"),
        ("IMAGE", "DISPLAY", "BADGE"),
        ("CMD", "LATENCY", "0"),
        ("DTSTART", "VALUE", "DATE-TIME"),
        ("SOURCE", "VALUE", None),
        ("X-UNKNOWN", "VALUE", None),
        ("X-UNKNOWN", "ROLE", None),
    ],
)
def test_parameters_have_the_defaults_of_their_rfcs(prop: str, param: str, default: str | None) -> None:
    """RFC 5545 §3.2; RFC 4324 §7; RFC 7986 §6.1."""
    assert param_default(prop, param) == default


def test_every_row_is_sound() -> None:
    for name, row in PROPERTIES.items():
        assert row.name == name == name.upper()
        assert {row.type, *row.also} <= {*values.READERS, "XML-REFERENCE"}, name
        assert row.separator in {"", ",", ";"}
        assert row.source.startswith("RFC ")


LISTED = """
ALLOW-CONFLICT ATT-COUNTER CALID CALMASTER CAP-VERSION CARID CAR-LEVEL COMPONENTS CSID DECREED
DEFAULT-CHARSET DEFAULT-LOCALE DEFAULT-TZID DEFAULT-VCARS DENY EXPAND GRANT ITIP-VERSION MAX-COMP-SIZE
MAXDATE MINDATE MULTIPART NAME OWNER PERMISSION QUERY QUERYID QUERY-LEVEL RECUR-ACCEPTED RECUR-LIMIT
RECUR-EXPAND RESTRICTION SCOPE STORES-EXPANDED TARGET TRANSP CMD
"""


def test_the_table_knows_every_property_of_rfc_4324() -> None:
    """RFC 4324 §8 and §10.1."""
    listed = set(LISTED.split())
    assert listed <= set(PROPERTIES)


def test_the_icalendar_package_has_the_same_default_types() -> None:
    factory = icalendar.prop.TypesFactory()
    types = {
        "vDDDTypes": {"DATE-TIME", "DURATION", "PERIOD"},
        "vDDDLists": {"DATE-TIME"},
        "vText": {"TEXT"},
        "vCategory": {"TEXT"},
        "vCalAddress": {"CAL-ADDRESS"},
        "vUri": {"URI"},
        "vInt": {"INTEGER"},
        "vGeo": {"FLOAT"},
        "vRecur": {"RECUR"},
        "vUTCOffset": {"UTC-OFFSET"},
        "vPeriod": {"PERIOD"},
        "vDuration": {"DURATION"},
    }
    compared = 0
    for name, row in PROPERTIES.items():
        if name.lower() in factory.types_map and "4324" not in row.source:
            expected = types.get(factory.for_property(name).__name__)
            if expected is not None:
                assert row.type in expected, name
                compared += 1
    assert compared > 30


def test_how_often_a_property_may_stand() -> None:
    assert find("ATTENDEE").allows_many("VEVENT")
    assert not find("DESCRIPTION").allows_many("VEVENT")
    assert find("DESCRIPTION").allows_many("VJOURNAL")
    assert find("X-ANYTHING").allows_many("VEVENT")
    assert properties.find("X-ANYTHING") is properties.UNKNOWN
