"""Date and time values (RFC 5545 §3.3.4-3.3.6, §3.3.9, §3.3.12, §3.3.14)."""

from __future__ import annotations

import datetime as dt
from contextlib import suppress

import icalendar
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalends.ical.errors import ICalError
from kalends.ical.moment import (
    Duration,
    Moment,
    format_duration,
    format_utc_offset,
    from_datetime,
    parse_duration,
    parse_moment,
    parse_period,
    parse_time,
    parse_utc_offset,
    to_datetime,
    utc_moment,
)

naive = st.datetimes(min_value=dt.datetime(1, 1, 1), max_value=dt.datetime(9999, 12, 31)).map(
    lambda d: d.replace(microsecond=0)
)


@given(naive)
def test_date_time_agrees_with_icalendar_and_comes_back(when: dt.datetime) -> None:
    text = icalendar.vDatetime(when).to_ical().decode()
    moment = parse_moment(text, "Europe/Berlin")
    assert moment.datetime == icalendar.vDDDTypes.from_ical(text) == when
    assert str(moment) == text
    assert from_datetime(when, "Europe/Berlin") == moment
    assert parse_moment(text + "Z", "Europe/Berlin") == utc_moment(moment.wall)
    assert str(utc_moment(moment.wall)) == text + "Z"


@given(st.dates())
def test_date_agrees_with_icalendar_and_comes_back(day: dt.date) -> None:
    text = icalendar.vDate(day).to_ical().decode()
    moment = parse_moment(text, None, "DATE")
    assert (moment.is_date, moment.floating, moment.date, str(moment)) == (True, True, day, text)
    assert from_datetime(day) == moment


@given(st.integers(-100_000, 100_000), st.integers(0, 86_399))
def test_duration_agrees_with_icalendar_and_comes_back(days: int, seconds: int) -> None:
    duration = -Duration(-days, seconds) if days < 0 else Duration(days, seconds)
    text = format_duration(duration)
    assert parse_duration(text) == duration
    assert icalendar.vDuration.from_ical(text) == dt.timedelta(duration.days, duration.seconds)


@pytest.mark.parametrize(
    ("text", "days", "seconds"),
    [
        ("P15DT5H0M20S", 15, 18_020),
        ("P7W", 49, 0),
        ("-PT15M", 0, -900),
        ("+P1W2DT1S", 9, 1),
        ("PT0S", 0, 0),
        ("-P0DT0H10M0S", 0, -600),
    ],
)
def test_printed_durations(text: str, days: int, seconds: int) -> None:
    assert parse_duration(text) == Duration(days, seconds)


def test_mixed_signs_have_one_wire_form() -> None:
    assert format_duration(Duration(1, -3600)) == "PT23H"
    assert format_duration(Duration(0, 3605)) == "PT1H0M5S"


@pytest.mark.parametrize("text", ["P", "PT", "P1", "1D", "P-1D", "PT1H30", "P9999999999D", "", "P1.5D"])
def test_broken_durations_are_refused(text: str) -> None:
    with pytest.raises(ICalError):
        parse_duration(text)


@pytest.mark.parametrize(
    "text",
    [
        "19970714T25",
        "19971301",
        "19970230T000000",
        "19970714T240000",
        "19970714T006000",
        "1997071 T120000",
        "+9970714T120000",
        "19970714 120000",
        "19970714T120000+0100",
        "19970714T1200",
        "00000101T000000",
        "",
        "x",
        "２０２６０１０１",
        "20260101T１２００００",
    ],
)
def test_broken_moments_are_refused(text: str) -> None:
    with pytest.raises(ICalError):
        parse_moment(text)


def test_liberal_moments() -> None:
    assert parse_moment(" 19970714t120000z ") == parse_moment("19970714T120000Z")
    assert parse_moment("20131210Z") == parse_moment("20131210")
    assert parse_moment("20161231T235960Z") == parse_moment("20161231T235959Z")
    assert parse_moment("20260101T100000", None, "DATE").is_date is False
    with pytest.raises(ICalError, match="DATE-TIME"):
        parse_moment("20260101", None, "DATE-TIME")


@given(st.text(max_size=24))
def test_any_text_is_read_or_refused(text: str) -> None:
    for parser in (parse_moment, parse_duration, parse_period, parse_time, parse_utc_offset):
        with suppress(ICalError):
            assert str(parser(text))


def test_periods_keep_their_form() -> None:
    explicit = parse_period("19970101T180000Z/19970102T070000Z")
    assert (explicit.duration, str(explicit)) == (None, "19970101T180000Z/19970102T070000Z")
    lasting = parse_period("19970101T180000/PT5H30M", "Europe/Paris")
    assert (lasting.end, lasting.duration) == (None, Duration(0, 19_800))
    assert lasting.start.tzid == "Europe/Paris"
    assert str(lasting) == "19970101T180000/PT5H30M"
    for text in ("19970101T180000Z", "19970102T180000Z/19970101T070000Z", "19970101T180000Z/-PT1H"):
        with pytest.raises(ICalError):
            parse_period(text)


def test_times_and_offsets() -> None:
    assert str(parse_time("083000")) == "083000"
    assert parse_time("133000Z", "America/New_York") == parse_time("133000z")
    assert (parse_utc_offset("-0500"), parse_utc_offset("+013045"), parse_utc_offset("+01:00")) == (
        -18_000,
        5_445,
        3_600,
    )
    assert (format_utc_offset(-18_000), format_utc_offset(5_445)) == ("-0500", "+013045")
    for text in ("0100", "+2400", "+0160", "+1"):
        with pytest.raises(ICalError):
            parse_utc_offset(text)


def test_moved_keeps_the_form_and_range_is_guarded() -> None:
    day = parse_moment("20260101")
    assert str(day.moved(day.wall + 90_000)) == "20260102"
    assert str(Moment(0, "Europe/Berlin").moved(60)) == "19700101T000100"
    with pytest.raises(ICalError):
        to_datetime(10**12)
    with pytest.raises(ICalError):
        str(Moment(10**12))
