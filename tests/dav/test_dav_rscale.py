"""Rules that are reckoned by another calendar, or skip days (RFC 7529)."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator

import pytest
from dav_harness import DECLARED, Client, ics

from kalends.ical.recur import _parse
from kalends.ical.rscale import scales

HOME = "/dav/calendars/bill/calendar/"


def yearly(rule: str) -> str:
    return ics(
        f"BEGIN:VEVENT\nUID:a\nDTSTAMP:20120101T000000Z\nDTSTART;VALUE=DATE:20120229\nRRULE:{rule}\n"
        "SUMMARY:Anniversary\nEND:VEVENT"
    )


ALWAYS = ["COPTIC", "ETHIOPIC", "HEBREW", "INDIAN", "ISLAMIC-CIVIL"]


@pytest.fixture
def no_library(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(sys.modules, "borax", None)
    scales.cache_clear()
    _parse.cache_clear()
    yield
    scales.cache_clear()


def told(bill: Client) -> list[str | None]:
    return [
        one.text for one in bill.propfind(HOME, "C:supported-rscale-set").props()["C:supported-rscale-set"]
    ]


def test_RFC7529_101_the_calendars_are_told(bill: Client) -> None:
    (one, *_) = bill.propfind(HOME, "C:supported-rscale-set").props()["C:supported-rscale-set"]
    assert one.tag == "{urn:ietf:params:xml:ns:caldav}supported-rscale"
    assert told(bill) == ["GREGORIAN", "CHINESE", *ALWAYS]
    assert "C:supported-rscale-set" not in bill.propfind(HOME).props()


def test_RFC7529_101_only_the_calendars_that_are_there_are_told(bill: Client, no_library: None) -> None:
    assert told(bill) == ["GREGORIAN", *ALWAYS]


@pytest.mark.parametrize("scale", ["PERSIAN", "islamic", "X-MINE", ""])
def test_RFC7529_10_another_calendar_is_refused(bill: Client, scale: str) -> None:
    answer = bill.put(f"{HOME}a.ics", yearly(f"RSCALE={scale};FREQ=YEARLY;BYMONTH=5L;SKIP=FORWARD"))
    assert (answer.status, answer.precondition) == (403, "C:supported-rscale")
    assert "GREGORIAN" in answer.text


def test_RFC7529_10_without_its_library_a_calendar_is_refused(bill: Client, no_library: None) -> None:
    answer = bill.put(f"{HOME}a.ics", yearly("RSCALE=CHINESE;FREQ=YEARLY"))
    assert (answer.status, answer.precondition) == (403, "C:supported-rscale")
    assert "CHINESE" not in answer.text


@pytest.mark.parametrize(
    ("rule", "start", "said"),
    [
        ("RSCALE=HEBREW;FREQ=YEARLY;BYMONTH=4L", "20120229", "leap months"),
        ("RSCALE=HEBREW;FREQ=YEARLY;BYYEARDAY=366", "20120229", "BYYEARDAY beside RSCALE=HEBREW"),
        ("RSCALE=CHINESE;FREQ=YEARLY", "18000101", "known from 1901 to 2100 only"),
    ],
)
def test_what_cannot_be_reckoned_is_refused_in_words(bill: Client, rule: str, start: str, said: str) -> None:
    answer = bill.put(f"{HOME}a.ics", yearly(rule).replace("20120229", start))
    assert answer.status == 403
    assert said in answer.text


def found(bill: Client, day: str, after: str) -> bool:
    body = (
        f"<C:calendar-query{DECLARED}><D:prop><D:getetag/></D:prop><C:filter>"
        '<C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT">'
        f'<C:time-range start="{day}T000000Z" end="{after}T000000Z"/>'
        "</C:comp-filter></C:comp-filter></C:filter></C:calendar-query>"
    )
    return bool(bill("REPORT", HOME, body, depth="1").hrefs())


def test_RFC7529_433_a_leap_months_day_is_found_where_it_is(bill: Client) -> None:
    rule = "RSCALE=HEBREW;FREQ=YEARLY;BYMONTH=5L;BYMONTHDAY=8;SKIP=FORWARD"
    text = yearly(rule).replace("20120229", "20140208")
    assert bill.put(f"{HOME}a.ics", text).status == 201
    assert bill("GET", f"{HOME}a.ics").body == text.encode()
    assert found(bill, "20180223", "20180224") is True
    assert found(bill, "20180221", "20180222") is False
    assert found(bill, "20410209", "20410210") is True  # 8 Adar I 5801, behind the index's horizon
    assert found(bill, "20410212", "20410213") is False


def test_RFC7529_431_expand_gives_the_chinese_new_years(bill: Client) -> None:
    text = yearly("RSCALE=CHINESE;FREQ=YEARLY").replace("20120229", "20130210")
    assert bill.put(f"{HOME}a.ics", text).status == 201
    body = (
        f"<C:calendar-query{DECLARED}><D:prop><C:calendar-data>"
        '<C:expand start="20140101T000000Z" end="20180101T000000Z"/></C:calendar-data></D:prop><C:filter>'
        '<C:comp-filter name="VCALENDAR"/></C:filter></C:calendar-query>'
    )
    answer = bill("REPORT", HOME, body, depth="1").text
    days = re.findall(r"DTSTART;VALUE=DATE:(\d+)", answer)
    assert days == ["20140131", "20150219", "20160208", "20170128"]


def test_RFC7529_434_a_skipped_day_is_found_where_it_is(bill: Client) -> None:
    text = yearly("RSCALE=GREGORIAN;FREQ=YEARLY;SKIP=FORWARD")
    assert bill.put(f"{HOME}a.ics", text).status == 201
    assert bill("GET", f"{HOME}a.ics").body == text.encode()
    assert found(bill, "20270302", "20270303") is False
    assert found(bill, "20270301", "20270302") is True
    assert found(bill, "20280229", "20280301") is True
    assert found(bill, "20330301", "20330302") is True  # behind the index's horizon
    assert found(bill, "20330227", "20330228") is False
