"""Rules that are reckoned by another calendar, or skip days (RFC 7529)."""

from __future__ import annotations

import pytest
from dav_harness import DECLARED, Client, ics

HOME = "/dav/calendars/bill/calendar/"


def yearly(rule: str) -> str:
    return ics(
        f"BEGIN:VEVENT\nUID:a\nDTSTAMP:20120101T000000Z\nDTSTART;VALUE=DATE:20120229\nRRULE:{rule}\n"
        "SUMMARY:Anniversary\nEND:VEVENT"
    )


def test_RFC7529_101_the_calendars_are_told(bill: Client) -> None:
    (one,) = bill.propfind(HOME, "C:supported-rscale-set").props()["C:supported-rscale-set"]
    assert (one.tag, one.text) == ("{urn:ietf:params:xml:ns:caldav}supported-rscale", "GREGORIAN")
    assert "C:supported-rscale-set" not in bill.propfind(HOME).props()


@pytest.mark.parametrize("scale", ["CHINESE", "hebrew", "ETHIOPIC", ""])
def test_RFC7529_10_another_calendar_is_refused(bill: Client, scale: str) -> None:
    answer = bill.put(f"{HOME}a.ics", yearly(f"RSCALE={scale};FREQ=YEARLY;BYMONTH=5L;SKIP=FORWARD"))
    assert (answer.status, answer.precondition) == (403, "C:supported-rscale")
    assert "GREGORIAN" in answer.text


def test_RFC7529_434_a_skipped_day_is_found_where_it_is(bill: Client) -> None:
    text = yearly("RSCALE=GREGORIAN;FREQ=YEARLY;SKIP=FORWARD")
    assert bill.put(f"{HOME}a.ics", text).status == 201
    assert bill("GET", f"{HOME}a.ics").body == text.encode()

    def found(day: str, after: str) -> bool:
        body = (
            f"<C:calendar-query{DECLARED}><D:prop><D:getetag/></D:prop><C:filter>"
            '<C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT">'
            f'<C:time-range start="{day}T000000Z" end="{after}T000000Z"/>'
            "</C:comp-filter></C:comp-filter></C:filter></C:calendar-query>"
        )
        return bool(bill("REPORT", HOME, body, depth="1").hrefs())

    assert found("20270302", "20270303") is False
    assert found("20270301", "20270302") is True
    assert found("20280229", "20280301") is True
    assert found("20330301", "20330302") is True  # behind the index's horizon
    assert found("20330227", "20330228") is False
