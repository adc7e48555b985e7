"""Rules reckoned in other calendars (RFC 7529), against a walk day by day with other people's calendars."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from functools import lru_cache
from itertools import islice, pairwise

import pytest
from borax.calendars.lunardate import LunarDate
from hypothesis import given
from hypothesis import strategies as st
from pyluach.dates import GregorianDate
from pyluach.hebrewcal import Year as HebrewYear

from kalends.ical.errors import ICalError, StepBudgetError
from kalends.ical.recur import Rule, _parse, bind
from kalends.ical.rscale import reckoning, scales

LEAP = 0.5
"""Added to a month's number by the oracles: they sort as the year goes."""


def dates(rule: str, start: date, count: int) -> list[str]:
    return [f"{day:%Y%m%d}" for day in islice(Rule.parse(rule).starts(start), count)]


@pytest.mark.parametrize(
    ("rule", "start", "expected"),
    [
        ("RSCALE=CHINESE;FREQ=YEARLY", date(2013, 2, 10), "20130210 20140131 20150219 20160208 20170128"),
        (
            "RSCALE=ETHIOPIC;FREQ=MONTHLY;BYMONTH=13", date(2013, 9, 6),
            "20130906 20140906 20150906 20160906 20170906",
        ),
        (
            "RSCALE=HEBREW;FREQ=YEARLY;BYMONTH=5L;BYMONTHDAY=8;SKIP=FORWARD", date(2014, 2, 8),
            "20140208 20150227 20160217 20170306 20180223",
        ),
    ],
)  # fmt: skip
def test_RFC7529_43_its_own_examples(rule: str, start: date, expected: str) -> None:
    assert dates(rule, start, 5) == expected.split()
    again = Rule.parse(str(Rule.parse(rule)))
    assert again == Rule.parse(rule)


@pytest.mark.parametrize(
    ("rule", "start", "expected"),
    [
        # the leap month is DTSTART's own (§4.1, case 2)
        ("RSCALE=HEBREW;FREQ=YEARLY;SKIP=BACKWARD", date(2014, 2, 8), "20140208 20150128 20160217"),
        ("RSCALE=HEBREW;FREQ=YEARLY", date(2014, 2, 8), "20140208 20160217 20190213"),
        # 30 Adar I becomes 1 Nisan, for Adar has 29 days: first the month, then the day
        ("RSCALE=HEBREW;FREQ=YEARLY;SKIP=FORWARD", date(2014, 3, 2), "20140302 20150321 20160310"),
        # every second month, leap months counted
        ("RSCALE=CHINESE;FREQ=MONTHLY;INTERVAL=2;COUNT=4", date(2023, 1, 22), "20230122 20230322 20230519 20230718"),
        ("RSCALE=HEBREW;FREQ=YEARLY;BYMONTH=1;BYDAY=1SA", date(2023, 9, 16), "20230916 20241005 20250927"),
        ("RSCALE=HEBREW;FREQ=MONTHLY;BYMONTHDAY=-1,1;BYSETPOS=1", date(2024, 10, 3), "20241003 20241102 20241202"),
        ("RSCALE=islamicc;FREQ=YEARLY;UNTIL=20260801", date(2024, 7, 8), "20240708 20250627 20260617"),
        ("RSCALE=INDIAN;FREQ=YEARLY;INTERVAL=2", date(2023, 3, 22), "20230322 20250322 20270322"),
        ("RSCALE=COPTIC;FREQ=YEARLY;BYMONTH=13;BYMONTHDAY=6;SKIP=BACKWARD", date(2023, 9, 11), "20230911 20240910 20250910"),
        ("RSCALE=HEBREW;FREQ=DAILY;BYMONTH=5L;BYMONTHDAY=1,30", date(2014, 2, 1), "20140201 20140302 20160210"),
        ("RSCALE=HEBREW;FREQ=WEEKLY;BYDAY=SA;BYMONTH=1", date(2023, 9, 16), "20230916 20230923 20230930"),
        ("RSCALE=HEBREW;FREQ=WEEKLY;INTERVAL=2", date(2023, 9, 16), "20230916 20230930 20231014"),
        ("RSCALE=GREGORY;FREQ=YEARLY;SKIP=FORWARD", date(2012, 2, 29), "20120229 20130301"),
    ],
)  # fmt: skip
def test_RFC7529_4_rules_of_other_calendars(rule: str, start: date, expected: str) -> None:
    assert dates(rule, start, len(expected.split())) == expected.split()


@pytest.mark.parametrize(
    ("scale", "new_years"),  # as published for their years
    [
        ("ISLAMIC-CIVIL", "20230719 20240708 20250627"),
        ("ETHIOPIC", "20210911 20220911 20230912 20240911"),
        ("INDIAN", "20230322 20240321 20250322"),
        ("HEBREW", "20220926 20230916 20241003 20250923"),
    ],
)
def test_new_years(scale: str, new_years: str) -> None:
    first, *_ = new_years.split()
    expected = new_years.split()
    rule = f"RSCALE={scale};FREQ=YEARLY;BYMONTH=1;BYMONTHDAY=1"
    assert dates(rule, datetime.strptime(first, "%Y%m%d").date(), len(expected)) == expected


def hebrew(day: date) -> tuple[int, float, int]:
    found = GregorianDate(day.year, day.month, day.day).to_heb()
    leap = HebrewYear(found.year).leap
    month = (found.month - 7) % 13 + 1 if leap and found.month >= 7 else found.month - 6
    if found.month < 7:
        month = found.month + 6
    elif leap and found.month == 12:
        return found.year, 5 + LEAP, found.day
    elif leap and found.month == 13:
        month = 6
    return found.year, float(month), found.day


def chinese(day: date) -> tuple[int, float, int]:
    found = LunarDate.from_solar(day)
    return found.year, found.month + (LEAP if found.leap else 0), found.day


ORACLES: dict[str, Callable[[date], tuple[int, float, int]]] = {"HEBREW": hebrew, "CHINESE": chinese}
BEGIN, END = date(1999, 1, 1), date(2034, 6, 1)


@lru_cache
def all_days(scale: str) -> list[tuple[date, tuple[int, float, int]]]:
    read = ORACLES[scale]
    return [(day := BEGIN + timedelta(days=n), read(day)) for n in range((END - BEGIN).days)]


def naive(
    scale: str, freq: str, start: date, interval: int, months: list[float], monthdays: list[int], skip: str
) -> set[date]:
    """Every day is looked at; what SKIP moves is found by looking at the days around."""
    days = all_days(scale)
    whole: list[tuple[int, float, list[date]]] = []  # the months as they follow each other
    for day, (year, month, _) in days:
        if not whole or whole[-1][:2] != (year, month):
            whole.append((year, month, []))
        whole[-1][2].append(day)
    home = next(i for i, one in enumerate(whole) if start in one[2])
    found: set[date] = set()
    chosen: list[int] = []
    if freq == "MONTHLY":
        chosen = [i for i in range(home, len(whole), interval) if not months or whole[i][1] in months]
    else:
        for year in range(whole[home][0], whole[-1][0], interval):
            here = {one[1]: i for i, one in enumerate(whole) if one[0] == year}
            for month in months or here:
                if month in here:
                    chosen.append(here[month])
                elif skip != "OMIT":
                    chosen.append(here[month - LEAP] + (skip == "FORWARD"))
    for i in chosen:
        month_days = whole[i][2]
        for n in monthdays:
            at = n - 1 if n > 0 else len(month_days) + n
            if 0 <= at < len(month_days):
                found.add(month_days[at])
            elif skip == "FORWARD":
                found.add(month_days[0] if at < 0 else month_days[-1] + timedelta(days=1))
            elif skip == "BACKWARD":
                found.add(month_days[0] - timedelta(days=1) if at < 0 else month_days[-1])
    return found


NUMBERS = {
    "HEBREW": [1.0, 2.0, 3.0, 5.0, 5.5, 6.0, 12.0],
    "CHINESE": [1.0, 2.0, 2.5, 4.0, 4.5, 6.5, 11.5, 12.0, 12.5],
}


@given(st.data())
def test_RFC7529_4_any_window_gives_what_a_day_by_day_walk_gives(data: st.DataObject) -> None:
    draw = data.draw
    scale, freq = draw(st.sampled_from(sorted(ORACLES))), draw(st.sampled_from(["YEARLY", "MONTHLY"]))
    start = draw(st.dates(date(2001, 1, 1), date(2006, 12, 31)))
    interval, skip = draw(st.integers(1, 4)), draw(st.sampled_from(["OMIT", "FORWARD", "BACKWARD"]))
    months = draw(st.lists(st.sampled_from(NUMBERS[scale]), max_size=3, unique=True))
    monthdays = draw(st.lists(st.integers(-30, 30).filter(bool), min_size=1, max_size=3, unique=True))
    lo = start + timedelta(days=draw(st.integers(0, 5000)))
    hi = lo + timedelta(days=draw(st.integers(1, 3000)))
    by_month = ",".join(f"{int(one)}{'L' if one % 1 else ''}" for one in months)
    text = f"RSCALE={scale};FREQ={freq};INTERVAL={interval};SKIP={skip};BYMONTHDAY={','.join(map(str, monthdays))}"
    rule = Rule.parse(f"{text};BYMONTH={by_month}" if months else text)
    expected = naive(scale, freq, start, interval, months, monthdays, skip)
    got = list(rule.starts(start, lo, hi))
    assert got == sorted(day for day in expected if lo <= day < hi)
    assert all(a < b for a, b in pairwise(got))


@pytest.mark.parametrize("scale", sorted(ORACLES))
def test_DAILY_and_WEEKLY_look_at_each_day(scale: str) -> None:
    start = date(2001, 1, 1)
    rule = Rule.parse(f"RSCALE={scale};FREQ=DAILY;BYMONTH=2,4;BYMONTHDAY=-1,3;BYDAY=MO,SA")
    expected = [
        day
        for (day, (_, month, number)), (_, (_, after, _)) in pairwise(all_days(scale))
        if day >= start and month in {2, 4} and (number == 3 or month != after) and day.weekday() in {0, 5}
    ]
    assert list(rule.starts(start, None, END - timedelta(days=1))) == expected


def test_times_of_day_and_BYSETPOS_work_as_everywhere() -> None:
    rule = Rule.parse("RSCALE=HEBREW;FREQ=YEARLY;BYMONTH=1;BYMONTHDAY=1,2;BYHOUR=9,18;BYSETPOS=-1;COUNT=2")
    found = list(rule.starts(datetime(2023, 9, 16, 9)))
    assert found == [datetime(2023, 9, 17, 18), datetime(2024, 10, 4, 18)]


def test_a_rule_ends_where_its_calendar_is_known_no_more() -> None:
    found = list(Rule.parse("RSCALE=CHINESE;FREQ=YEARLY").starts(date(2095, 2, 5)))
    assert [day.year for day in found] == [2095, 2096, 2097, 2098, 2099, 2100]
    with pytest.raises(ICalError, match="known from 1901 to 2100 only"):
        list(Rule.parse("RSCALE=CHINESE;FREQ=YEARLY").starts(date(1850, 1, 1)))


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("RSCALE=HEBREW;FREQ=YEARLY;BYMONTH=4L", "leap months need a calendar"),
        ("RSCALE=HEBREW;FREQ=YEARLY;BYMONTH=13", "from 1 to 12"),
        ("RSCALE=COPTIC;FREQ=YEARLY;BYMONTH=14", "from 1 to 13"),
        ("RSCALE=GREGORIAN;FREQ=YEARLY;BYMONTH=5L", "leap months need a calendar"),
        ("FREQ=YEARLY;BYMONTH=13", "from 1 to 12"),
        ("RSCALE=HEBREW;FREQ=YEARLY;BYYEARDAY=366", "BYYEARDAY beside RSCALE=HEBREW is not supported"),
        ("RSCALE=HEBREW;FREQ=YEARLY;BYWEEKNO=1", "BYWEEKNO beside RSCALE=HEBREW is not supported"),
        ("RSCALE=HEBREW;FREQ=HOURLY", "FREQ=HOURLY beside RSCALE=HEBREW is not supported"),
    ],
)
def test_RFC7529_4_what_is_not_understood_is_refused_in_words(rule: str, said: str) -> None:
    with pytest.raises(ICalError, match=said):
        Rule.parse(rule)


@pytest.fixture
def no_library(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(sys.modules, "borax", None)
    for kept in (scales, _parse, bind):
        kept.cache_clear()
    yield
    scales.cache_clear()


def test_RFC7529_6_a_calendar_without_its_library_is_refused(no_library: None) -> None:
    with pytest.raises(
        ICalError, match=r"RSCALE=CHINESE .RFC 7529. is not supported, only RSCALE=GREGORIAN,COPTIC"
    ):
        Rule.parse("RSCALE=CHINESE;FREQ=YEARLY")
    assert dates("RSCALE=HEBREW;FREQ=YEARLY", date(2024, 10, 3), 2) == ["20241003", "20250923"]


@pytest.mark.parametrize(
    "rule",
    [
        "RSCALE=HEBREW;FREQ=YEARLY;BYMONTH=4;BYMONTHDAY=30",
        "RSCALE=HEBREW;FREQ=MONTHLY;BYMONTH=4;BYMONTHDAY=30;INTERVAL=999999999",
        "RSCALE=ETHIOPIC;FREQ=MONTHLY;BYMONTH=13;BYMONTHDAY=7",
        "RSCALE=COPTIC;FREQ=DAILY;BYMONTH=13;BYMONTHDAY=30",
        "RSCALE=ISLAMIC-CIVIL;FREQ=WEEKLY;BYMONTH=2;BYMONTHDAY=30",
        "RSCALE=CHINESE;FREQ=YEARLY;BYMONTH=12L;INTERVAL=7",
        "RSCALE=HEBREW;FREQ=YEARLY;BYDAY=53MO;BYSETPOS=300",
    ],
)
def test_a_rule_that_never_comes_is_given_up_in_bounded_time(rule: str) -> None:
    began = time.process_time()
    try:
        assert list(Rule.parse(rule).starts(date(2014, 2, 8))) == []
    except StepBudgetError:
        assert "DAILY" in rule or "WEEKLY" in rule
    assert time.process_time() - began < 10  # ten times what a slow machine needs


def test_Hebrew_years_are_pyluachs_for_all_time() -> None:
    calendar = reckoning("HEBREW")
    for year in range(3762, 9999, 7):
        found = HebrewYear(year)
        lengths = [len(list(month.iterdates())) for month in found.itermonths()]
        mine = calendar.year(year)
        assert [b - a for a, b in pairwise(mine.starts)] == lengths
        assert calendar.before(year + 1) - calendar.before(year) == len(lengths)
