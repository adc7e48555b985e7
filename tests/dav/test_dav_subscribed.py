"""Calendars that come from elsewhere: kept, not fetched."""

from __future__ import annotations

import pytest
from dav_harness import DECLARED, Client

PATH = "/dav/calendars/bill/holidays/"
ADDRESS = "https://example.org/holidays.ics?a=1&amp;b=2"


def making(types: str, source: str = f"<CS:source><D:href>{ADDRESS}</D:href></CS:source>") -> str:
    return (
        f"<D:mkcol{DECLARED}><D:set><D:prop><D:resourcetype>{types}</D:resourcetype>"
        f"<D:displayname>Holidays</D:displayname>{source}</D:prop></D:set></D:mkcol>"
    )


SUBSCRIBED = "<D:collection/><CS:subscribed/>"


@pytest.mark.parametrize("types", [SUBSCRIBED, "<D:collection/><C:calendar/><CS:subscribed/>"])
def test_a_subscription_is_kept_with_its_source(bill: Client, types: str) -> None:
    assert bill("MKCOL", PATH, making(types)).status == 201
    told = bill.propfind(PATH, "D:resourcetype", "CS:source", "D:displayname").props()
    assert [one.tag for one in told["D:resourcetype"]] == [
        "{DAV:}collection", "{http://calendarserver.org/ns/}subscribed",
    ]  # fmt: skip
    assert told["CS:source"][0].text == "https://example.org/holidays.ics?a=1&b=2"
    moved = f"<D:propertyupdate{DECLARED}><D:set><D:prop><CS:source><D:href>webcal://x.org/</D:href></CS:source></D:prop></D:set></D:propertyupdate>"
    assert bill("PROPPATCH", PATH, moved).props()
    assert bill.propfind(PATH, "CS:source").props()["CS:source"][0].text == "webcal://x.org/"
    assert bill("DELETE", PATH).status == 204


@pytest.mark.parametrize(
    "body",
    [
        making(SUBSCRIBED, ""),
        making("<CS:subscribed/>"),
        making("<D:collection/><CS:subscribed/><D:principal/>"),
        making("<D:collection/>"),
    ],
)
def test_RFC5689_33_what_is_no_calendar_is_refused(bill: Client, body: str) -> None:
    answer = bill("MKCOL", PATH, body)
    assert (answer.status, "valid-resourcetype" in answer.text) == (403, True)
    assert bill("PROPFIND", PATH, depth="0").status == 404


@pytest.mark.parametrize(
    "address", ["", "file:///etc/passwd", "javascript:alert(1)", "https://x y", "https://" + "x" * 5000]
)
def test_what_is_no_address_is_refused(bill: Client, address: str) -> None:
    answer = bill("MKCOL", PATH, making(SUBSCRIBED, f"<CS:source><D:href>{address}</D:href></CS:source>"))
    assert answer.status == 409
    assert bill("PROPFIND", PATH, depth="0").status == 404


def test_a_calendar_of_ones_own_does_not_become_a_subscription(bill: Client) -> None:
    for change in (
        f"<D:set><D:prop><CS:source><D:href>{ADDRESS}</D:href></CS:source></D:prop></D:set>",
        "<D:remove><D:prop><CS:source/></D:prop></D:remove>",
    ):
        answer = bill(
            "PROPPATCH",
            "/dav/calendars/bill/calendar/",
            f"<D:propertyupdate{DECLARED}>{change}</D:propertyupdate>",
        )
        assert "CS:source" in answer.props(status=403)
