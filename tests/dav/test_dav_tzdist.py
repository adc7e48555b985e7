"""The time zone service (RFC 7808), and time zones by reference (RFC 7809)."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import pytest
from core_world import NOW, POLICY
from dav_harness import ORIGIN, Answer, Client, DavWorld, ics
from hypothesis import given
from hypothesis import strategies as st

from kalends.core.model import Caller, Identity
from kalends.dav import app
from kalends.dav.messages import Request
from kalends.ical.tree import parse
from kalends.ical.vtimezone import read_vtimezone

NEW_YORK = "/tz/zones/America%2FNew_York"


def get(path: str, query: str = "", method: str = "GET", prefix: str = "", **headers: str) -> Answer:
    """Ask without a login; there is no store to ask."""
    named = {key.lower().replace("_", "-"): value for key, value in headers.items()}
    request = Request(method, path, query, named, b"", prefix, ORIGIN)
    plan = app.plan(request, Caller(Identity("@"), "dav", NOW, POLICY))
    assert plan.kind == "none"
    assert plan.answer is not None
    body = plan.answer.body
    assert isinstance(body, bytes)
    return Answer(plan.answer.status, {k.lower(): v for k, v in plan.answer.headers}, body)


def told(path: str, query: str = "") -> Any:
    answer = get(path, query)
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    return json.loads(answer.body)


def refused(answer: Answer) -> str:
    assert answer.headers["content-type"] == "application/problem+json"
    problem = json.loads(answer.body)
    assert problem["status"] == answer.status
    assert problem["title"]
    return str(problem["type"]).removeprefix("urn:ietf:params:tzdist:error:")


def test_RFC7808_4213_it_is_found_from_the_bare_origin() -> None:
    found = get("/.well-known/timezone", prefix="/cal")
    assert (found.status, found.headers["location"]) == (301, "/cal/tz")


def test_RFC7808_511_it_tells_what_it_can_do() -> None:
    answer = json.loads(get("/tz/capabilities", prefix="/cal").body)
    assert answer["version"] == 1
    assert answer["info"]["formats"] == ["text/calendar"]
    actions = {one["name"]: one for one in answer["actions"]}
    assert sorted(actions) == ["capabilities", "expand", "find", "get", "leapseconds", "list"]
    assert actions["expand"]["uri-template"] == "/cal/tz/zones{/tzid}/observances{?start,end}"
    assert actions["expand"]["parameters"][0] == {"name": "start", "required": True, "multi": False}


def test_RFC7808_521_it_lists_all_zones_with_their_aliases() -> None:
    answer = told("/tz/zones")
    zones = {one["tzid"]: one for one in answer["timezones"]}
    assert "US/Eastern" in zones["America/New_York"]["aliases"]
    named = {*zones, *(alias for one in zones.values() for alias in one["aliases"])}
    assert named >= available_timezones() - {"localtime", "build/etc/localtime"}
    assert all(one["version"] and one["publisher"] and one["etag"] for one in zones.values())


def test_RFC7808_414_only_what_changed_is_listed_again() -> None:
    token = told("/tz/zones")["synctoken"]
    assert told("/tz/zones", f"changedsince={token}")["timezones"] == []
    assert len(told("/tz/zones", "changedsince=2009a")["timezones"]) > 300
    assert refused(get("/tz/zones", "changedsince=a&changedsince=b")) == "invalid-changedsince"


def test_RFC7808_531_a_zone_comes_as_text_calendar() -> None:
    answer = get(NEW_YORK)
    assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
    (zone,) = parse(answer.body).children("VTIMEZONE")
    assert zone.value("TZID") == "America/New_York"
    assert get("/tz/zones/America/New_York").body == answer.body
    listed = next(one for one in told("/tz/zones")["timezones"] if one["tzid"] == "America/New_York")
    assert answer.headers["etag"] == f'"{listed["etag"]}"'


def test_RFC7808_532_a_zone_that_did_not_change_is_not_sent_again() -> None:
    tag = get(NEW_YORK).headers["etag"]
    again = get(NEW_YORK, if_none_match=tag)
    assert (again.status, again.body) == (304, b"")


def test_RFC7808_533_an_alias_says_of_what() -> None:
    (zone,) = parse(get("/tz/zones/US%2FEastern").body).children("VTIMEZONE")
    assert (zone.value("TZID"), zone.value("TZID-ALIAS-OF")) == ("US/Eastern", "America/New_York")


def test_RFC7808_534_a_zone_is_cut_at_both_ends() -> None:
    answer = get(NEW_YORK, "start=2010-01-01T00:00:00Z&end=2020-01-01T00:00:00Z")
    (zone,) = parse(answer.body).children("VTIMEZONE")
    assert zone.value("TZUNTIL") == "20200101T000000Z"
    first = zone.children("STANDARD")[0]
    assert [first.value(name) for name in ("DTSTART", "TZOFFSETFROM", "TZOFFSETTO", "TZNAME")] == [
        "20091231T190000", "-0500", "-0500", "EST",
    ]  # fmt: skip
    assert "RRULE" not in answer.text
    assert answer.headers["etag"] != get(NEW_YORK).headers["etag"]


def test_RFC7808_535_a_zone_that_is_not_there() -> None:
    answer = get("/tz/zones/America%2FPittsburgh")
    assert (answer.status, refused(answer)) == (404, "tzid-not-found")
    assert answer.headers["content-language"] == "en"


def test_RFC7808_541_the_example_of_expansion() -> None:
    answer = told(f"{NEW_YORK}/observances", "start=2008-01-01T00:00:00Z&end=2009-01-01T00:00:00Z")
    assert answer == {
        "tzid": "America/New_York",
        "observances": [
            {
                "name": "Standard", "onset": "2008-01-01T00:00:00Z",
                "utc-offset-from": -18000, "utc-offset-to": -18000,
            },
            {
                "name": "Daylight", "onset": "2008-03-09T07:00:00Z",
                "utc-offset-from": -18000, "utc-offset-to": -14400,
            },
            {
                "name": "Standard", "onset": "2008-11-02T06:00:00Z",
                "utc-offset-from": -14400, "utc-offset-to": -18000,
            },
        ],
    }  # fmt: skip


def test_RFC7808_54_what_holds_at_the_start_is_told_first() -> None:
    answer = told(f"{NEW_YORK}/observances", "start=2008-07-01T00:00:00Z&end=2008-08-01T00:00:00Z")
    (one,) = answer["observances"]
    assert (one["name"], one["onset"], one["utc-offset-to"]) == ("Daylight", "2008-07-01T00:00:00Z", -14400)
    far = told(f"{NEW_YORK}/observances", "start=2490-01-01T00:00:00Z&end=9000-01-01T00:00:00Z")
    assert far["end"] == "2500-01-01T00:00:00Z"
    assert len(far["observances"]) == 21


@pytest.mark.parametrize(
    ("pattern", "found", "missing"),
    [
        ("US/Eastern", "America/New_York", "America/Detroit"),
        ("*new%20york*", "America/New_York", "Europe/Berlin"),
        ("*New_York", "America/New_York", "Europe/Berlin"),
        ("europe/b*", "Europe/Berlin", "Europe/Paris"),
    ],
)
def test_RFC7808_551_zones_are_found_by_a_pattern(pattern: str, found: str, missing: str) -> None:
    names = {one["tzid"] for one in told("/tz/zones", f"pattern={pattern}")["timezones"]}
    assert found in names
    assert missing not in names


def test_RFC7808_56_leap_seconds() -> None:
    answer = told("/tz/leapseconds")
    onsets = {one["onset"]: one["utc-offset"] for one in answer["leapseconds"]}
    assert (onsets["1972-01-01"], onsets["1972-07-01"], onsets["2015-07-01"]) == (10, 11, 36)
    assert onsets["2017-01-01"] == 37
    assert answer["expires"] > "2026"


@pytest.mark.parametrize(
    ("path", "query", "status", "error"),
    [
        ("/tz/what", "", 404, "invalid-action"),
        ("/tz/zones/", "pattern=a*b", 400, "invalid-pattern"),
        ("/tz/zones", "pattern=a%5Cb", 400, "invalid-pattern"),
        ("/tz/zones", "pattern=", 400, "invalid-pattern"),
        ("/tz/zones", "pattern=a&pattern=b", 400, "invalid-pattern"),
        ("/tz/zones", f"pattern={'x' * 201}", 400, "invalid-pattern"),
        ("/tz/zones", "&".join("a=1" for _ in range(30)), 400, "invalid-action"),
        (NEW_YORK, "start=2010", 400, "invalid-start"),
        (NEW_YORK, "start=2010-13-01T00:00:00Z", 400, "invalid-start"),
        (NEW_YORK, "start=2600-01-01T00:00:00Z", 400, "invalid-start"),
        (NEW_YORK, "start=2010-01-01T00:00:00Z&start=2010-01-01T00:00:00Z", 400, "invalid-start"),
        (NEW_YORK, "end=2010-01-01", 400, "invalid-end"),
        (NEW_YORK, "start=2010-01-01T00:00:00Z&end=2010-01-01T00:00:00Z", 400, "invalid-end"),
        (f"{NEW_YORK}/observances", "", 400, "invalid-start"),
        (f"{NEW_YORK}/observances", "start=2010-01-01T00:00:00Z", 400, "invalid-end"),
        ("/tz/zones/..%2F..%2Fetc%2Fpasswd", "", 404, "tzid-not-found"),
        ("/tz/zones/%00", "", 404, "tzid-not-found"),
        (f"/tz/zones/{'x' * 5000}", "", 404, "tzid-not-found"),
        ("/tz/zones/nowhere/observances", "", 404, "tzid-not-found"),
    ],
)
def test_RFC7808_417_what_cannot_be_is_told_as_a_problem(
    path: str, query: str, status: int, error: str
) -> None:
    answer = get(path, query)
    assert (answer.status, refused(answer)) == (status, error)


def test_other_formats_and_methods_are_refused() -> None:
    assert refused(get(NEW_YORK, accept="application/calendar+json")) == "invalid-format"
    answer = get(NEW_YORK, method="PUT")
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")
    head = get(NEW_YORK, method="HEAD")
    assert (head.status, head.body, head.headers["etag"]) == (200, b"", get(NEW_YORK).headers["etag"])


NAMES = ["Africa/Casablanca", "America/New_York", "America/Sao_Paulo", "Asia/Kolkata", "Australia/Lord_Howe",
         "Europe/Dublin", "Europe/Lisbon", "Pacific/Apia", "UTC"]  # fmt: skip
YEARS = st.integers(1900, 2100)


@given(st.sampled_from(NAMES), YEARS, st.integers(1, 30), st.integers(0, 10**6))
def test_RFC7808_39_a_cut_zone_says_in_its_range_what_the_database_does(
    name: str, year: int, years: int, part: int
) -> None:
    lo, hi = datetime(year, 1, 1, tzinfo=UTC), datetime(year + years, 1, 1, tzinfo=UTC)
    at = lo + timedelta(seconds=int((hi - lo).total_seconds() * part / 10**6) // 900 * 900)
    query = f"start={lo:%Y}-01-01T00:00:00Z&end={hi:%Y}-01-01T00:00:00Z"
    (zone,) = parse(get(f"/tz/zones/{name}", query).body).children("VTIMEZONE")
    if at < hi:
        with files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as file:
            expected = at.astimezone(ZoneInfo.from_file(file)).utcoffset()
        assert expected is not None
        assert read_vtimezone(zone).offset(int(at.timestamp())) == expected.total_seconds()


# --- RFC 7809 ---

HOME = "/dav/calendars/bill/"
ZONED = "BEGIN:VEVENT\nUID:{0}\nDTSTAMP:20260101T000000Z\nDTSTART;TZID={0}:20260310T090000\nEND:VEVENT"
DEFINED = (
    "BEGIN:VTIMEZONE\nTZID:{0}\nBEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETFROM:+0100\n"
    "TZOFFSETTO:+0100\nEND:STANDARD\nEND:VTIMEZONE"
)


def test_RFC7809_51_the_service_is_told_where_calendars_are(world: DavWorld) -> None:
    client = world.client(prefix="/cal")
    at = client.propfind(HOME, "C:timezone-service-set").props()["C:timezone-service-set"]
    assert at[0].text == f"{ORIGIN}/cal/tz"
    assert "C:timezone-service-set" not in client.propfind(HOME).props()
    assert "calendar-no-timezone" in client("OPTIONS", HOME).headers["dav"].split(", ")


@pytest.mark.parametrize(
    ("tzid", "sent", "header", "came"),
    [
        ("Europe/Berlin", True, "F", False),
        ("Europe/Berlin", False, "F", False),
        ("Europe/Berlin", False, "T", True),
        ("Europe/Berlin", True, "T", True),
        ("Europe/Berlin", True, "", True),
        ("Europe/Berlin", False, "", False),
        ("W. Europe Standard Time", True, "F", True),  # the service has no zone of that name
        ("Home", True, "F", True),
    ],
)
def test_RFC7809_313_zones_come_as_the_client_wants_them(
    bill: Client, tzid: str, sent: bool, header: str, came: bool
) -> None:
    parts = [DEFINED.format(tzid)] if sent else []
    assert bill.put(f"{HOME}calendar/x.ics", ics(*parts, ZONED.format(tzid))).status == 201
    headers = {"caldav_timezones": header} if header else {}
    got = bill("GET", f"{HOME}calendar/x.ics", **headers)
    assert ("BEGIN:VTIMEZONE" in got.text) is came
    head = bill("HEAD", f"{HOME}calendar/x.ics", **headers)
    assert head.headers["content-length"] == str(len(got.body))


def test_RFC7809_71_another_value_is_refused(bill: Client) -> None:
    bill.put(f"{HOME}calendar/x.ics", ics(ZONED.format("Europe/Berlin")))
    assert bill("GET", f"{HOME}calendar/x.ics", caldav_timezones="maybe").status == 400


def test_RFC7809_315_the_two_properties_follow_each_other(bill: Client) -> None:
    path = f"{HOME}calendar/"
    text = (
        '<D:propertyupdate xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:set><D:prop>'
        "<C:calendar-timezone-id>{}</C:calendar-timezone-id></D:prop></D:set></D:propertyupdate>"
    )
    assert bill("PROPPATCH", path, text.format("America/New_York")).props()
    shown = bill.propfind(path, "C:calendar-timezone", "C:calendar-timezone-id")
    assert shown.prop("C:calendar-timezone-id") == "America/New_York"
    assert "TZID:America/New_York" in shown.prop("C:calendar-timezone")
    refused = bill("PROPPATCH", path, text.format("Mars/Olympus"))
    assert "valid-timezone" in refused.text
