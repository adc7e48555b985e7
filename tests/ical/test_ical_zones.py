"""Time zones: names, local times and instants, VTIMEZONEs (RFC 5545 §3.2.19, §3.3.5, §3.6.5; A-66)."""

from __future__ import annotations

import datetime as dt
import io
import pkgutil
from functools import cache
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kalends.ical.errors import ICalError
from kalends.ical.gregorian import month_of, month_start, year_start
from kalends.ical.moment import DAY, UNIX_ORDINAL, Duration, parse_moment, utc_moment
from kalends.ical.tree import Component, parse
from kalends.ical.tzfile import iana_names, load_zone, parse_footer, parse_tzfile
from kalends.ical.vtimezone import read_vtimezone, write_vtimezone
from kalends.ical.windows_zones import WINDOWS_ZONES
from kalends.ical.zones import Zones, iana_name, match_iana

NAMES = sorted(iana_names().values())
EPOCH = dt.datetime(1970, 1, 1)
LO, HI = year_start(1970) * DAY, year_start(2038) * DAY
names = st.sampled_from(NAMES)


def at_year(year: int) -> int:
    return year_start(year) * DAY


@cache
def oracle(name: str) -> ZoneInfo:
    """The same data through the standard library, whatever the machine has installed."""
    data = pkgutil.get_data("tzdata", f"zoneinfo/{name}")
    assert data is not None
    return ZoneInfo.from_file(io.BytesIO(data), key=name)


def expected_epoch(name: str, wall: int) -> int:
    local = (EPOCH + dt.timedelta(0, wall)).replace(tzinfo=oracle(name))
    return int(local.timestamp())


def expected_wall(name: str, epoch: int) -> int:
    utc = (EPOCH + dt.timedelta(0, epoch)).replace(tzinfo=dt.UTC)
    return (utc.astimezone(oracle(name)).replace(tzinfo=None) - EPOCH) // dt.timedelta(0, 1)


@settings(max_examples=400)
@given(names, st.integers(-3_000_000_000, 12_000_000_000))
def test_times_agree_with_zoneinfo(name: str, seconds: int) -> None:
    zone = load_zone(name)
    assert zone.epoch(seconds) == expected_epoch(name, seconds)
    assert zone.wall(seconds) == expected_wall(name, seconds)


@settings(max_examples=60)
@given(names, st.integers(at_year(2400), at_year(9990)))
def test_the_far_future_agrees_with_zoneinfo(name: str, seconds: int) -> None:
    zone = load_zone(name)
    assert zone.epochs([seconds]) == [zone.epoch(seconds)] == [expected_epoch(name, seconds)]
    assert zone.wall(seconds) == expected_wall(name, seconds)


@settings(max_examples=60)
@given(names)
def test_gaps_and_folds_agree_with_zoneinfo(name: str) -> None:
    """RFC 5545 §3.3.5: the offset before a gap, the first of two equal times; Python's fold=0 says the same."""
    zone = load_zone(name)
    for instant, _ in zone.transitions(LO, HI):
        before = zone.offset(instant - 1)
        for near in (-7201, -3600, -1, 0, 1, 1800, 3599, 3600, 7200):
            wall = instant + before + near
            assert zone.epoch(wall) == expected_epoch(name, wall)
            assert zone.is_gap(wall) == (expected_wall(name, expected_epoch(name, wall)) != wall)


@given(names, st.lists(st.integers(-2_000_000_000, 9_000_000_000), max_size=40).map(sorted))
def test_many_times_at_once_are_the_same(name: str, walls: list[int]) -> None:
    zone = load_zone(name)
    assert zone.epochs(walls) == [zone.epoch(wall) for wall in walls]


def test_printed_gap_and_fold() -> None:
    """RFC 5545 §3.3.5's examples."""
    zones = Zones()
    fold = parse_moment("20071104T013000", "America/New_York")
    gap = parse_moment("20070311T023000", "America/New_York")
    assert str(utc_moment(zones.to_epoch(fold))) == "20071104T053000Z"
    assert str(utc_moment(zones.to_epoch(gap))) == "20070311T073000Z"
    assert str(zones.local(zones.to_epoch(gap), "America/New_York")) == "20070311T033000"


def test_days_are_nominal_and_hours_exact() -> None:
    """RFC 5545 §3.3.6: a day after 12:00 is 12:00, 24 hours after may not be."""
    zones = Zones()
    noon = parse_moment("20260328T120000", "Europe/Berlin")
    begin = zones.to_epoch(noon)
    assert zones.shift(noon, Duration(1)) == begin + 23 * 3600
    assert zones.shift(noon, Duration(0, DAY)) == begin + DAY
    assert zones.shift(parse_moment("20260328"), Duration(1)) == parse_moment("20260329").wall


@given(st.dates())
def test_months_are_found_by_day_number(day: dt.date) -> None:
    number = day.toordinal() - UNIX_ORDINAL
    assert month_of(number) == day.year * 12 + day.month - 1
    assert month_start(month_of(number)) == day.replace(day=1).toordinal() - UNIX_ORDINAL


@pytest.mark.parametrize(
    ("tzid", "name"),
    [
        ("Europe/Berlin", "Europe/Berlin"),
        ("europe/BERLIN", "Europe/Berlin"),
        ("America/New York", "America/New_York"),
        ('"Asia/Tokyo"', "Asia/Tokyo"),
        ("US/Eastern", "US/Eastern"),
        ("/mozilla.org/20050126_1/Europe/Berlin", "Europe/Berlin"),
        ("/freeassociation.sourceforge.net/Tzfile/America/Argentina/Buenos_Aires", "America/Argentina/Buenos_Aires"),
        ("/freeassociation.sourceforge.net/UTC", "UTC"),
        ("W. Europe Standard Time", "Europe/Berlin"),
        ("eastern standard time", "America/New_York"),
        ("tzone://Microsoft/Utc", "UTC"),
        ("GMT", "UTC"),
        ("Customized Time Zone", None),
        ("../../etc/passwd", None),
        ("", None),
        ("x" * 10_000, None),
    ],
)  # fmt: skip
def test_names(tzid: str, name: str | None) -> None:
    assert iana_name(tzid) == name


def test_every_windows_name_leads_to_a_zone() -> None:
    assert len(WINDOWS_ZONES) >= 140
    for windows, name in WINDOWS_ZONES.items():
        assert Zones().find(windows) is load_zone(name)


def test_unknown_names_are_floating_or_the_default() -> None:
    moment = parse_moment("20260101T120000", "Nowhere")
    assert Zones().is_floating(moment)
    assert Zones().to_epoch(moment) == moment.wall
    assert Zones(default="Europe/Berlin").to_epoch(moment) == moment.wall - 3600
    named = parse_moment("20260101T120000", "(UTC+05:30) Chennai, Kolkata")
    assert Zones().to_epoch(named) == named.wall - 19_800


@settings(max_examples=80, deadline=None)
@given(names)
def test_a_written_vtimezone_reads_back_as_the_zone(name: str) -> None:
    """1970 to 2037, for any zone of the tz database."""
    zone, again = load_zone(name), read_vtimezone(write_vtimezone(name))
    assert again.name == name
    assert again.transitions(LO, HI) == zone.transitions(LO, HI)
    assert again.offset(LO) == zone.offset(LO)


@settings(max_examples=40, deadline=None)
@given(names, st.integers(1980, 2035))
def test_a_vtimezone_from_a_year_on_is_right_from_then_on(name: str, year: int) -> None:
    zone, again = load_zone(name), read_vtimezone(write_vtimezone(name, "Mine", year))
    lo = year_start(year) * DAY
    assert again.transitions(lo, HI) == zone.transitions(lo, HI)
    assert again.offset(lo) == zone.offset(lo)


@pytest.mark.parametrize(
    "name", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Europe/Dublin"]
)
def test_ruled_zones_are_written_with_rules(name: str) -> None:
    written = write_vtimezone(name, None, 2020)
    text = parse(written.to_ics()).to_ics()
    assert (text.count("RRULE:FREQ=YEARLY"), text.count("RDATE")) == (2, 0)
    assert len(text) < 700
    # and so it is right for ever
    lo, hi = year_start(2020) * DAY, year_start(2400) * DAY
    assert read_vtimezone(written).transitions(lo, hi) == load_zone(name).transitions(lo, hi)


def custom(tzid: str, *lines: str) -> Component:
    return parse("\r\n".join(["BEGIN:VTIMEZONE", f"TZID:{tzid}", *lines, "END:VTIMEZONE", ""]))


def observance(kind: str, start: str, before: str, after: str, *more: str) -> list[str]:
    parts = [f"BEGIN:{kind}", f"DTSTART:{start}", f"TZOFFSETFROM:{before}", f"TZOFFSETTO:{after}"]
    return [*parts, *more, f"END:{kind}"]


OUTLOOK = custom(
    "Customized Time Zone",
    *observance("STANDARD", "16011028T030000", "+0200", "+0100", "RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10"),
    *observance("DAYLIGHT", "16010325T020000", "+0100", "+0200", "RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3"),
)
ODD = custom(
    "Odd",
    *observance("STANDARD", "20200101T000000", "+0300", "+0317", "RDATE:20250101T000000,20300101T000000"),
    *observance("DAYLIGHT", "20240601T000000", "+0317", "+0433"),
)


def calendar(*zones: Component) -> Component:
    return Component("VCALENDAR", list(zones))


def test_a_custom_definition_is_matched_by_its_offsets() -> None:
    assert match_iana(read_vtimezone(OUTLOOK)) == "Europe/Berlin"
    assert Zones(calendar(OUTLOOK)).find("Customized Time Zone") is load_zone("Europe/Berlin")


def test_a_custom_definition_like_no_zone_is_used_as_it_is() -> None:
    zones = Zones(calendar(OUTLOOK, ODD))
    for text, offset in [
        ("20190101T000000", 10_800),
        ("20200102T000000", 11_820),
        ("20240701T000000", 16_380),
        ("20250201T000000", 11_820),
        ("20990201T000000", 11_820),
    ]:
        moment = parse_moment(text, "Odd")
        assert moment.wall - zones.to_epoch(moment) == offset


def test_a_comma_in_a_tzid_is_escaped_in_the_property_only() -> None:
    """LOC-09; RFC 4324 §8.13: TZID is TEXT in a VTIMEZONE, and a plain value in the parameter."""
    text = (
        "BEGIN:VCALENDAR\r\nBEGIN:VTIMEZONE\r\nTZID:Here\\, there\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\n"
        "TZOFFSETFROM:+0300\r\nTZOFFSETTO:+0300\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\nEND:VCALENDAR\r\n"
    )
    zones = Zones(parse(text))
    for tzid in ("Here, there", "Here\\, there"):
        zone = zones.find(tzid)
        assert zone is not None
        assert zone.offset(0) == 3 * 3600


def test_a_known_name_beats_a_definition_under_that_name() -> None:
    """A-66."""
    liar = ODD.copy()
    liar.replace(liar.items[0], custom("Europe/Berlin").items[0])
    assert Zones(calendar(liar)).find("Europe/Berlin") is load_zone("Europe/Berlin")


def test_until_in_utc_ends_an_observance() -> None:
    """RFC 5545 §3.6.5: UNTIL of an observance is UTC; this is New York as printed there, 1987 to 2006."""
    old = custom(
        "Old",
        *observance("STANDARD", "19671029T020000", "-0400", "-0500", "RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10;UNTIL=20061029T060000Z"),
        *observance("STANDARD", "20071104T020000", "-0400", "-0500", "RRULE:FREQ=YEARLY;BYDAY=1SU;BYMONTH=11"),
        *observance("DAYLIGHT", "19870405T020000", "-0500", "-0400", "RRULE:FREQ=YEARLY;BYDAY=1SU;BYMONTH=4;UNTIL=20060402T070000Z"),
        *observance("DAYLIGHT", "20070311T020000", "-0500", "-0400", "RRULE:FREQ=YEARLY;BYDAY=2SU;BYMONTH=3"),
    )  # fmt: skip
    lo = year_start(1987) * DAY
    assert read_vtimezone(old).transitions(lo, HI) == load_zone("America/New_York").transitions(lo, HI)


@pytest.mark.parametrize(
    "broken",
    [
        custom("Mine"),
        custom("Mine", "BEGIN:STANDARD", "DTSTART:20200101T000000", "TZOFFSETFROM:+0100", "END:STANDARD"),
        custom("Mine", "BEGIN:STANDARD", "TZOFFSETTO:+0100", "TZOFFSETFROM:+0100", "END:STANDARD"),
        custom("Mine", *observance("STANDARD", "20200101T000000", "+2500", "+0100")),
        custom("Mine", *observance("STANDARD", "20200101T000000", "+0200", "+0100", "RRULE:FREQ=SECONDLY")),
        custom(
            "Mine", *observance("STANDARD", "20200101T000000", "+0200", "+0100", "COMMENT:" + "x" * 300_000)
        ),
    ],
)
def test_broken_definitions_are_refused_and_define_nothing(broken: Component) -> None:
    with pytest.raises(ICalError):
        read_vtimezone(broken)
    assert Zones(calendar(broken)).find("Mine") is None


def test_broken_zone_data_is_refused() -> None:
    for data in (b"", b"TZif2", b"x" * 200):
        with pytest.raises(ICalError):
            parse_tzfile(data)
    with pytest.raises(ICalError):
        parse_footer("nonsense")
    with pytest.raises(KeyError):
        load_zone("Europe/Nowhere")


def test_julian_and_day_of_year_rules() -> None:
    footer = parse_footer("AAA3BBB2,J60/0,300/-1")
    assert footer.start is not None
    assert footer.end is not None
    assert [footer.start.wall(year) // DAY - year_start(year) for year in (2023, 2024)] == [59, 60]
    assert (footer.end.wall(2024) - year_start(2024) * DAY) == 300 * DAY - 3600
