"""Recurrence rules (RFC 5545 §3.3.10) against python-dateutil, in windows, and under attack."""

from __future__ import annotations

import datetime as dt

import pytest
from dateutil.rrule import rrulestr
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from kalends.ical.budget import Budget
from kalends.ical.errors import ICalError, StepBudgetError
from kalends.ical.moment import FIRST_WALL, LAST_WALL, from_datetime, parse_moment
from kalends.ical.recur import FREQUENCIES, WEEKDAYS, Rule

HORIZON = {
    # how far dateutil is asked to walk
    "YEARLY": dt.timedelta(days=366 * 9),
    "MONTHLY": dt.timedelta(days=366 * 3),
    "WEEKLY": dt.timedelta(days=366 * 2),
    "DAILY": dt.timedelta(days=500),
    "HOURLY": dt.timedelta(days=15),
    "MINUTELY": dt.timedelta(days=1),
    "SECONDLY": dt.timedelta(hours=1),
}

starts = st.datetimes(dt.datetime(1990, 1, 1), dt.datetime(2040, 1, 1)).map(
    lambda d: d.replace(microsecond=0)
)


def numbers(low: int, high: int, size: int = 4) -> st.SearchStrategy[str]:
    values = st.integers(low, high).filter(lambda n: n != 0 or low == 0)
    return st.lists(values, min_size=1, max_size=size, unique=True).map(lambda v: ",".join(map(str, v)))


def by_parts(freq: str) -> dict[str, st.SearchStrategy[str]]:
    parts = {
        "BYMONTH": numbers(1, 12),
        "BYHOUR": numbers(0, 23),
        "BYMINUTE": numbers(0, 59),
        "BYSECOND": numbers(0, 59),
        "BYDAY": weekdays(ordinals=freq in {"MONTHLY", "YEARLY"}, high=5 if freq == "MONTHLY" else 53),
    }
    if freq != "WEEKLY":
        parts["BYMONTHDAY"] = numbers(-31, 31)
    if freq not in {"DAILY", "WEEKLY", "MONTHLY"}:
        parts["BYYEARDAY"] = numbers(-366, 366)
    return parts


def weekdays(*, ordinals: bool, high: int = 5) -> st.SearchStrategy[str]:
    """All with an ordinal or none: dateutil reads a mixture as "both" (see the test of such a mixture)."""
    plain = st.sampled_from(WEEKDAYS)
    lists = st.lists(plain, min_size=1, max_size=4, unique=True)
    if ordinals:
        counted = st.tuples(st.integers(-high, high).filter(bool), plain).map(lambda p: f"{p[0]}{p[1]}")
        lists = st.one_of(lists, st.lists(counted, min_size=1, max_size=4, unique=True))
    return lists.map(",".join)


@st.composite
def rules(draw: st.DrawFn, freqs: tuple[str, ...] = FREQUENCIES) -> str:
    freq = draw(st.sampled_from(freqs))
    available = by_parts(freq)
    names = draw(st.lists(st.sampled_from(sorted(available)), max_size=3, unique=True))
    parts = [f"FREQ={freq}", *(f"{name}={draw(available[name])}" for name in names)]
    interval = draw(st.one_of(st.just(1), st.integers(2, 40)))
    if interval > 1:
        parts.append(f"INTERVAL={interval}")
    if draw(st.booleans()):
        parts.append(f"WKST={draw(st.sampled_from(WEEKDAYS))}")
    if names and draw(st.booleans()):
        parts.append(f"BYSETPOS={draw(numbers(-4, 4, 2))}")
    return ";".join(parts)


def by_dateutil(text: str, start: dt.datetime, end: dt.datetime) -> list[dt.datetime]:
    """What dateutil makes of it. It never returns when nothing lies after UNTIL: ask only for live rules."""
    return list(rrulestr(f"{text};UNTIL={end:%Y%m%dT%H%M%S}", dtstart=start))


@settings(max_examples=150, deadline=None)
@given(rules(("DAILY", "WEEKLY", "MONTHLY", "YEARLY")), starts)
def test_instances_agree_with_dateutil(text: str, start: dt.datetime) -> None:
    rule = Rule.parse(text)
    end = start + HORIZON[rule.freq]
    found = list(rule.starts(start, None, end + dt.timedelta(seconds=1)))
    assume(next(rule.starts(start, end + dt.timedelta(seconds=1), end + HORIZON[rule.freq]), None))
    expected = by_dateutil(text, start, end)
    if rule.freq == "WEEKLY" and rule.setpos:
        # The set of the first week begins with the week (RFC 5545 §3.3.10), dateutil begins it at DTSTART.
        found = [when for when in found if when >= start + dt.timedelta(days=7)]
        expected = [when for when in expected if when >= start + dt.timedelta(days=7)]
    assert found == expected


def fits_day(rule: Rule, day: dt.datetime) -> bool:
    """The limits of RFC 5545 §3.3.10, spelled out for one day (no ordinals)."""
    year_end = dt.datetime(day.year, 12, 31)
    month_end = (day.replace(day=1) + dt.timedelta(days=31)).replace(day=1) - dt.timedelta(days=1)
    yearday, last = day.timetuple().tm_yday, year_end.timetuple().tm_yday
    return (
        (not rule.months or day.month in rule.months)
        and (not rule.yeardays or yearday in rule.yeardays or yearday - last - 1 in rule.yeardays)
        and (not rule.monthdays or day.day in rule.monthdays or day.day - month_end.day - 1 in rule.monthdays)
        and (not rule.weekdays or day.weekday() in {weekday for _, weekday in rule.weekdays})
    )


def by_trying_all(rule: Rule, start: dt.datetime, end: dt.datetime) -> list[dt.datetime]:
    """Every second, minute, hour or day of the interval, tried one by one (no ordinals, no BYSETPOS)."""
    step = {"SECONDLY": 1, "MINUTELY": 60, "HOURLY": 3600, "DAILY": 86400}[rule.freq]
    hours = rule.hours if rule.freq == "DAILY" else ()
    minutes = rule.minutes if step >= 3600 else ()
    seconds = rule.seconds if step >= 60 else ()
    at = start.replace(second=0) if step >= 60 else start
    at = at.replace(minute=0) if step >= 3600 else at
    at = at.replace(hour=0) if step >= 86400 else at
    found = set()
    while at <= end:
        limits = (
            (step >= 86400 or not rule.hours or at.hour in rule.hours)
            and (step >= 3600 or not rule.minutes or at.minute in rule.minutes)
            and (step >= 60 or not rule.seconds or at.second in rule.seconds)
        )
        if limits and fits_day(rule, at):
            for hour in hours or (start.hour if step >= 86400 else at.hour,):
                for minute in minutes or (start.minute if step >= 3600 else at.minute,):
                    for second in seconds or (start.second if step >= 60 else at.second,):
                        found.add(at.replace(hour=hour, minute=minute, second=second))
        at += dt.timedelta(seconds=step * rule.interval)
    return sorted(when for when in found if start <= when <= end)


@settings(max_examples=100, deadline=None)
@given(rules(("SECONDLY", "MINUTELY", "HOURLY", "DAILY")), starts)
def test_instances_agree_with_trying_all(text: str, start: dt.datetime) -> None:
    rule = Rule.parse(text.partition(";BYSETPOS")[0])
    end = start + HORIZON[rule.freq]
    assert list(rule.starts(start, None, end + dt.timedelta(seconds=1))) == by_trying_all(rule, start, end)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["HOURLY", "MINUTELY"]), numbers(0, 59), numbers(-4, 4, 2), starts)
def test_bysetpos_picks_within_one_hour_or_minute(
    freq: str, values: str, at: str, start: dt.datetime
) -> None:
    part = "BYMINUTE" if freq == "HOURLY" else "BYSECOND"
    text = f"FREQ={freq};{part}={values};BYSETPOS={at}"
    end = start + dt.timedelta(hours=9 if freq == "HOURLY" else 1)
    rule = Rule.parse(text)
    assume(rule.fits(from_datetime(start).wall) or next(rule.starts(start, None, end), None))
    assert list(rule.starts(start, None, end + dt.timedelta(seconds=1))) == by_dateutil(text, start, end)


@settings(max_examples=50, deadline=None)
@given(numbers(2, 51), weekdays(ordinals=False), st.sampled_from(WEEKDAYS), starts)
def test_week_numbers_agree_with_dateutil(weeks: str, days: str, wkst: str, start: dt.datetime) -> None:
    """With BYDAY and away from the turn of the year: there dateutil misses days (1 January 2011 is in week 52)."""
    text = f"FREQ=YEARLY;BYWEEKNO={weeks};BYDAY={days};WKST={wkst}"
    end = start + dt.timedelta(days=366 * 12)
    found = list(Rule.parse(text).starts(start, None, end + dt.timedelta(seconds=1)))
    assert found == by_dateutil(text, start, end)


@settings(max_examples=60, deadline=None)
@given(numbers(-53, 53), weekdays(ordinals=False), starts)
def test_week_numbers_agree_with_iso_weeks(weeks: str, days: str, start: dt.datetime) -> None:
    rule = Rule.parse(f"FREQ=YEARLY;BYWEEKNO={weeks};BYDAY={days}")
    wanted = {WEEKDAYS.index(day) for day in days.split(",")}
    expected = []
    for n in range(366 * 8):
        day = start + dt.timedelta(days=n)
        iso = day.isocalendar()
        last = dt.date(iso.year, 12, 28).isocalendar().week
        if {iso.week, iso.week - last - 1} & set(rule.weeknos) and day.weekday() in wanted:
            expected.append(day)
    assert list(rule.starts(start, None, start + dt.timedelta(days=366 * 8))) == expected


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 53), starts)
def test_a_week_without_byday_means_the_weekday_of_dtstart(week: int, start: dt.datetime) -> None:
    """RFC 5545 §3.3.10: what the rule leaves open is taken from DTSTART. ISO weeks as Python counts them."""
    rule = Rule.parse(f"FREQ=YEARLY;BYWEEKNO={week}")
    end = start + dt.timedelta(days=366 * 8)
    days = ((start + dt.timedelta(days=n)) for n in range((end - start).days))
    expected = [
        day for day in days if day.isocalendar().week == week and day.isoweekday() == start.isoweekday()
    ]
    assert list(rule.starts(start, None, end)) == expected


@settings(max_examples=100, deadline=None)
@given(rules(), starts, st.data())
def test_a_window_holds_what_a_filter_would_leave(text: str, start: dt.datetime, data: st.DataObject) -> None:
    rule = Rule.parse(text)
    span = int(HORIZON[rule.freq].total_seconds())
    lo, hi = sorted(data.draw(st.tuples(st.integers(-span // 4, span), st.integers(-span // 4, span))))
    begin = from_datetime(start).wall
    everything = list(rule.walls(begin, FIRST_WALL, begin + span))
    assert everything == sorted(set(everything))
    assert list(rule.walls(begin, begin + lo, begin + hi)) == [
        wall for wall in everything if begin + lo <= wall < begin + hi
    ]


@settings(max_examples=100, deadline=None)
@given(rules(), starts, st.integers(1, 60))
def test_count_takes_the_first_ones(text: str, start: dt.datetime, count: int) -> None:
    endless = Rule.parse(text)
    begin = from_datetime(start).wall
    hi = begin + int(HORIZON[endless.freq].total_seconds())
    expected = list(endless.walls(begin, FIRST_WALL, hi))
    assume(len(expected) >= count)
    counted = Rule.parse(f"{text};COUNT={count}")
    assert list(counted.walls(begin, FIRST_WALL, LAST_WALL)) == expected[:count]
    assert counted.last(begin) == expected[count - 1]
    middle = expected[count // 2]
    assert list(counted.walls(begin, middle, LAST_WALL)) == expected[count // 2 : count]


@given(rules(), st.sampled_from(["", ";COUNT=7", ";UNTIL=20300101", ";UNTIL=20300101T120000Z", ";X-Y=1"]))
def test_a_rule_is_written_as_it_was_meant(text: str, tail: str) -> None:
    rule = Rule.parse(text + tail)
    assert Rule.parse(str(rule)) == rule
    assert Rule.parse(str(rule).lower()).freq == rule.freq


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "NAME=VALUE"),
        ("COUNT=3", "without FREQ"),
        ("FREQ=FORTNIGHTLY", "one of"),
        ("FREQ=DAILY;INTERVAL=0", "1 to"),
        ("FREQ=DAILY;COUNT=-1", "1 to"),
        ("FREQ=DAILY;COUNT=0", "1 to"),
        ("FREQ=DAILY;BYHOUR=24", "0 to 23"),
        ("FREQ=MONTHLY;BYMONTHDAY=0", "-31 to 31"),
        ("FREQ=MONTHLY;BYDAY=XX", "no weekday"),
        ("FREQ=MONTHLY;BYDAY=0MO", "-53 to 53"),
        ("FREQ=DAILY;FREQ=DAILY", "twice"),
        ("FREQ=DAILY;BYEASTER=1", "unknown"),
        ("FREQ=DAILY;UNTIL=tomorrow", "no date"),
        ("FREQ=DAILY;WKST=1", "weekday"),
        ("RSCALE=KLINGON;FREQ=YEARLY", "RFC 7529"),
        ("FREQ=YEARLY;BYMONTH=5L", "leap months"),
        ("FREQ=MONTHLY;SKIP=FORWARD", "RFC 7529"),
        ("FREQ=DAILY;BYHOUR=" + ",".join(["1"] * 9000), "characters"),
        ("FREQ=DAILY;COUNT=٣", "1 to"),
    ],
)
def test_rules_are_refused_with_a_reason(text: str, words: str) -> None:
    with pytest.raises(ICalError, match=words):
        Rule.parse(text)


def test_what_is_accepted_beyond_the_letter() -> None:
    rule = Rule.parse(" freq=weekly; byday=mo,+2tu ;wkst=su;RSCALE=GREGORIAN;SKIP=OMIT;X-MINE=a;")
    assert str(rule) == "FREQ=WEEKLY;BYDAY=MO,2TU;WKST=SU;X-MINE=a"
    start = dt.datetime(2026, 1, 5)
    assert list(rule.starts(start, None, dt.datetime(2026, 1, 13))) == [
        dt.datetime(2026, 1, 5),
        dt.datetime(2026, 1, 6),
        dt.datetime(2026, 1, 12),
    ]
    leap = Rule.parse("FREQ=MINUTELY;BYSECOND=60;COUNT=1")
    assert list(leap.starts(start)) == [dt.datetime(2026, 1, 5, 0, 0, 59)]


@pytest.mark.parametrize(
    ("until", "last"),
    [("20260104T090000", 4), ("20260104T085959", 3), ("20260104", 4), ("20260104T090000Z", 4)],
)
def test_until_in_every_form_is_included(until: str, last: int) -> None:
    rule = Rule.parse(f"FREQ=DAILY;UNTIL={until}")
    assert [d.day for d in rule.starts(dt.datetime(2026, 1, 1, 9))] == list(range(1, last + 1))
    days = list(rule.starts(dt.date(2026, 1, 1)))
    assert days == [dt.date(2026, 1, day) for day in range(1, 5)]


def test_weekdays_with_and_without_ordinal_add_up() -> None:
    rule = Rule.parse("FREQ=MONTHLY;BYDAY=MO,-1FR")
    days = [d.day for d in rule.starts(dt.date(2026, 1, 1), None, dt.date(2026, 2, 1))]
    assert days == [5, 12, 19, 26, 30]


def test_dates_know_no_hours() -> None:
    """RFC 5545 §3.3.10: BYHOUR and its like are ignored for DATE; sub-daily frequencies go by whole days."""
    day = dt.date(2026, 1, 1)
    assert list(Rule.parse("FREQ=DAILY;COUNT=2;BYHOUR=9,10").starts(day)) == [day, dt.date(2026, 1, 2)]
    assert list(Rule.parse("FREQ=HOURLY;INTERVAL=36;COUNT=2").starts(day)) == [day, dt.date(2026, 1, 3)]


ALL_TIMES = "BYHOUR={};BYMINUTE={};BYSECOND={}".format(
    ",".join(map(str, range(24))), ",".join(map(str, range(60))), ",".join(map(str, range(61)))
)


@pytest.mark.parametrize(
    "text",
    [
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=HOURLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=YEARLY;INTERVAL=2;BYMONTH=2;BYMONTHDAY=29;BYWEEKNO=20",
        "FREQ=MONTHLY;BYMONTHDAY=1;BYSETPOS=5",
        "FREQ=WEEKLY;BYDAY=MO;BYSETPOS=2",
        "FREQ=SECONDLY;BYSETPOS=2",
        "FREQ=YEARLY;INTERVAL=999999999;BYMONTH=2;BYMONTHDAY=30",
    ],
)
def test_impossible_rules_end_without_an_instance(text: str) -> None:
    start = parse_moment("19700101T000000").wall
    assert list(Rule.parse(text).walls(start, FIRST_WALL, LAST_WALL)) == []


@pytest.mark.parametrize(
    "text",
    [
        "FREQ=MINUTELY;INTERVAL=2;BYMINUTE=1,3,5",
        "FREQ=SECONDLY;BYHOUR=1;BYMINUTE=1;BYSECOND=1",
        "FREQ=HOURLY;INTERVAL=2;BYHOUR=1,3;BYDAY=MO",
        "FREQ=WEEKLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=SECONDLY;COUNT=999999999;BYHOUR=1",
        "FREQ=SECONDLY",
        f"FREQ=YEARLY;BYDAY=MO,TU,WE,TH,FR,SA,SU;{ALL_TIMES}",
        f"FREQ=DAILY;{ALL_TIMES}",
        f"FREQ=WEEKLY;BYDAY=MO,TU;BYMONTH=1;{ALL_TIMES}",
    ],
)
def test_hostile_rules_end_within_their_budget(text: str) -> None:
    rule, start = Rule.parse(text), parse_moment("19700101T000000").wall
    budget = Budget(20_000)
    with pytest.raises(StepBudgetError, match="20000 steps"):
        for _ in rule.walls(start, FIRST_WALL, LAST_WALL, budget=budget):
            pass


@pytest.mark.parametrize(
    "text",
    [
        "FREQ=SECONDLY",
        "FREQ=SECONDLY;COUNT=999999999",
        "FREQ=MINUTELY;INTERVAL=7",
        "FREQ=SECONDLY;INTERVAL=3;BYDAY=MO;BYHOUR=9",
        "FREQ=DAILY;COUNT=100000",
        f"FREQ=YEARLY;BYSETPOS=-1;BYDAY=MO,TU;{ALL_TIMES}",
    ],
)
def test_a_small_window_far_from_dtstart_is_cheap(text: str) -> None:
    start = parse_moment("20000101T000000").wall
    lo = parse_moment("20260105T090000").wall
    budget = Budget(2_000)
    found = list(Rule.parse(text).walls(start, lo, lo + 60, budget=budget))
    assert all(lo <= wall < lo + 60 for wall in found)
    assert budget.left >= 0


def test_no_instance_before_dtstart_or_after_the_last_year() -> None:
    rule = Rule.parse("FREQ=YEARLY;BYMONTH=1,12;BYMONTHDAY=1")
    found = list(rule.starts(dt.datetime(9998, 6, 1)))
    assert found == [dt.datetime(9998, 12, 1), dt.datetime(9999, 1, 1), dt.datetime(9999, 12, 1)]
    assert list(Rule.parse("FREQ=DAILY;COUNT=9").starts(dt.date(9999, 12, 31))) == [dt.date(9999, 12, 31)]
