"""SKIP: what becomes of days that their month does not have (RFC 7529)."""

from __future__ import annotations

import calendar
from datetime import date, timedelta
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalends.ical.errors import ICalError
from kalends.ical.recur import Rule


def dates(rule: str, start: date, count: int = 6, lo: date | None = None) -> list[str]:
    found = islice(Rule.parse(rule).starts(start, lo), count)
    return [f"{day:%Y%m%d}" for day in found]


@pytest.mark.parametrize(
    ("rule", "start", "expected"),
    [
        (  # §4.3.4, the RFC's own table
            "RSCALE=GREGORIAN;FREQ=YEARLY;SKIP=FORWARD", date(2012, 2, 29),
            ["20120229", "20130301", "20140301", "20150301", "20160229", "20170301"],
        ),
        (
            "RSCALE=GREGORIAN;FREQ=YEARLY;SKIP=BACKWARD", date(2012, 2, 29),
            ["20120229", "20130228", "20140228", "20150228", "20160229", "20170228"],
        ),
        ("RSCALE=GREGORIAN;FREQ=YEARLY", date(2012, 2, 29), ["20120229", "20160229", "20200229"]),
        ("RSCALE=GREGORIAN;FREQ=YEARLY;SKIP=OMIT", date(2012, 2, 29), ["20120229", "20160229", "20200229"]),
        (  # §4.1: the 31st of every month
            "RSCALE=GREGORIAN;FREQ=MONTHLY;SKIP=FORWARD;COUNT=4", date(2014, 1, 31),
            ["20140131", "20140301", "20140331", "20140501"],
        ),
        (
            "RSCALE=GREGORIAN;FREQ=MONTHLY;SKIP=BACKWARD;COUNT=4", date(2014, 1, 31),
            ["20140131", "20140228", "20140331", "20140430"],
        ),
        (  # both days fall on one: it is one
            "RSCALE=GREGORIAN;FREQ=MONTHLY;BYMONTHDAY=1,31;SKIP=FORWARD", date(2014, 1, 31),
            ["20140131", "20140201", "20140301", "20140331", "20140401", "20140501"],
        ),
        (
            "RSCALE=GREGORIAN;FREQ=MONTHLY;BYMONTHDAY=28,29,30;SKIP=BACKWARD", date(2014, 2, 1),
            ["20140228", "20140328", "20140329", "20140330", "20140428", "20140429"],
        ),
        (
            "RSCALE=GREGORIAN;FREQ=MONTHLY;BYMONTHDAY=-31;SKIP=BACKWARD", date(2014, 1, 1),
            ["20140101", "20140131", "20140301", "20140331", "20140501", "20140531"],
        ),
        (
            "RSCALE=GREGORIAN;FREQ=YEARLY;BYMONTH=2,3;BYMONTHDAY=1,30;SKIP=FORWARD", date(2014, 1, 1),
            ["20140201", "20140301", "20140330", "20150201", "20150301", "20150330"],
        ),
        (
            "RSCALE=GREGORIAN;FREQ=MONTHLY;INTERVAL=2;SKIP=FORWARD", date(2014, 12, 31),
            ["20141231", "20150301", "20150501", "20150701", "20150831", "20151031"],
        ),
        (  # other frequencies are limited by BYMONTHDAY, not made by it
            "RSCALE=GREGORIAN;FREQ=DAILY;BYMONTHDAY=31;SKIP=FORWARD", date(2014, 1, 1),
            ["20140131", "20140331", "20140531"],
        ),
    ],
)  # fmt: skip
def test_RFC7529_41_days_that_are_not_there(rule: str, start: date, expected: list[str]) -> None:
    assert dates(rule, start, len(expected)) == expected


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("RSCALE=KLINGON;FREQ=YEARLY", "RSCALE=KLINGON"),
        ("FREQ=YEARLY;SKIP=FORWARD", "SKIP needs RSCALE"),
        ("RSCALE=GREGORIAN;FREQ=YEARLY;SKIP=SIDEWAYS", "SKIP=SIDEWAYS"),
        ("RSCALE=GREGORIAN;FREQ=YEARLY;BYYEARDAY=366;SKIP=FORWARD", "BYYEARDAY"),
        ("RSCALE=GREGORIAN;RSCALE=GREGORIAN;FREQ=YEARLY", "stands twice"),
        ("RSCALE=GREGORIAN;FREQ=YEARLY;SKIP=FORWARD;SKIP=FORWARD", "stands twice"),
    ],
)
def test_RFC7529_41_what_is_not_understood_is_refused_in_words(rule: str, said: str) -> None:
    with pytest.raises(ICalError, match=said):
        Rule.parse(rule)


def test_a_rule_is_written_as_it_was_read() -> None:
    rule = Rule.parse("RSCALE=GREGORIAN;FREQ=MONTHLY;SKIP=FORWARD")
    assert Rule.parse(str(rule)) == rule
    assert "RSCALE=GREGORIAN;SKIP=FORWARD" in str(rule)
    assert "RSCALE" not in str(Rule.parse("FREQ=MONTHLY"))


def simple(start: date, days: list[int], interval: int, skip: str, end: date) -> list[date]:
    """Month after month, day after day: what §4.1 says, without any cleverness."""
    found: set[date] = set()
    month = start.year * 12 + start.month - 1
    while month // 12 <= end.year:
        year, number = month // 12, month % 12 + 1
        length = calendar.monthrange(year, number)[1]
        first = date(year, number, 1)
        for day in days:
            at = day if day > 0 else length + day + 1
            if not 1 <= at <= length:
                over = at > length
                if skip == "OMIT":
                    continue
                at = (length + 1 if over else 1) if skip == "FORWARD" else (length if over else 0)
            found.add(first + timedelta(days=at - 1))
        month += interval
    return sorted(day for day in found if start <= day < end)


MONTHDAYS = st.lists(st.integers(-31, 31).filter(bool), min_size=1, max_size=5, unique=True)


@given(
    st.dates(date(1990, 1, 1), date(2020, 12, 31)), MONTHDAYS, st.integers(1, 7),
    st.sampled_from(["OMIT", "FORWARD", "BACKWARD"]), st.integers(0, 1500), st.integers(1, 1500),
)  # fmt: skip
def test_RFC7529_41_any_window_gives_what_a_plain_walk_gives(
    start: date, days: list[int], interval: int, skip: str, after: int, length: int
) -> None:
    lo = start + timedelta(days=after)
    hi = lo + timedelta(days=length)
    rule = Rule.parse(
        f"RSCALE=GREGORIAN;FREQ=MONTHLY;INTERVAL={interval};SKIP={skip};BYMONTHDAY={','.join(map(str, days))}"
    )
    expected = [day for day in simple(start, days, interval, skip, hi) if day >= lo]
    got = list(rule.starts(start, lo, hi))
    early = {start.replace(day=1)} if skip != "OMIT" else set()  # from the month before DTSTART's
    assert [day for day in got if day not in early - set(expected)] == expected
