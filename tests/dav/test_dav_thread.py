"""The thin thread through the room: discover, put, list, get, change, delete."""

from __future__ import annotations

from dataclasses import replace

from core_world import event
from dav_harness import Client, DavWorld, ics

from kalends.core.model import Identity
from kalends.dav import app
from kalends.dav.messages import Request

HOME = "/dav/calendars/bill/"
CALENDAR = "/dav/calendars/bill/calendar/"
EVENT = CALENDAR + "lunch.ics"


def test_options_says_what_is_true(bill: Client) -> None:  # RFC 4918 §10.1, §18
    answer = bill("OPTIONS", CALENDAR)
    assert answer.status == 200
    assert {"1", "3", "calendar-access"} <= set(answer.headers["dav"].split(", "))
    assert "2" not in answer.headers["dav"].split(", ")  # no locks
    assert "PROPFIND" in answer.headers["allow"]


def test_the_way_from_the_origin_to_the_calendars(bill: Client) -> None:  # RFC 6764 §5, §6
    redirect = bill("PROPFIND", "/.well-known/caldav", depth="0")
    assert redirect.status == 301
    assert redirect.headers["location"] == "/dav/"
    principal = bill.propfind("/", "D:current-user-principal").props()["D:current-user-principal"]
    assert principal[0].text == "/dav/principals/bill/"


def test_a_prefix_stands_before_every_path(world: DavWorld) -> None:
    client = world.client(prefix="/cal")
    assert client("GET", "/.well-known/caldav").headers["location"] == "/cal/dav/"
    assert client.propfind(CALENDAR, "D:displayname").hrefs() == ["/cal" + CALENDAR]


def test_an_event_is_put_listed_got_changed_and_deleted(bill: Client) -> None:  # RFC 4791 §5.3.2
    text = ics(event("lunch@bill", "SUMMARY:Lunch"))
    made = bill.put(EVENT, text, if_none_match="*")
    assert made.status == 201
    etag = made.headers["etag"]
    got = bill("GET", EVENT)
    assert (got.status, got.text, got.headers["etag"]) == (200, text, etag)
    assert got.headers["content-type"] == "text/calendar; charset=utf-8; component=VEVENT"
    listed = bill.propfind(CALENDAR, "D:getetag", "D:resourcetype", depth="1")
    assert listed.hrefs() == [CALENDAR, EVENT]
    assert listed.prop("D:getetag", EVENT) == etag
    changed = bill.put(EVENT, text.replace("Lunch", "Dinner"), if_match=etag)
    assert changed.status == 204
    assert changed.headers["etag"] != etag
    assert bill.put(EVENT, text, if_match=etag).status == 412
    assert bill("DELETE", EVENT, if_match=etag).status == 412
    assert bill("DELETE", EVENT).status == 204
    assert bill("GET", EVENT).status == 404
    assert bill("DELETE", EVENT).status == 404


def test_what_is_put_is_at_once_seen_over_cap(world: DavWorld, bill: Client) -> None:
    bill.put(EVENT, ics(event("lunch@bill", "SUMMARY:Lunch")))
    assert world.uids("SELECT * FROM VEVENT WHERE STATE() = 'BOOKED'") == ["lunch@bill"]
    bill("DELETE", EVENT)
    assert world.uids("SELECT * FROM VEVENT WHERE STATE() = 'BOOKED'") == []
    assert world.uids("SELECT * FROM VEVENT WHERE STATE() = 'DELETED'") == ["lunch@bill"]


def test_a_calendar_of_somebody_else_is_not_there(bill: Client, mary: Client) -> None:
    bill.put(EVENT, ics(event("lunch@bill")))
    for method, path in (("PROPFIND", CALENDAR), ("GET", EVENT), ("DELETE", EVENT)):
        assert mary(method, path, depth="0").status == 404
    assert mary.put(EVENT, ics(event("other"))).status == 409


def test_nobody_is_asked_who_they_are(world: DavWorld) -> None:
    unknown = Client(world.store, replace(world.bill, identity=Identity("@")))
    assert unknown("PROPFIND", CALENDAR, depth="0").status == 401
    assert unknown("OPTIONS", CALENDAR).status == 200


def test_the_limit_of_a_body_is_known_before_it_is_read() -> None:
    assert app.limit_of("PUT", EVENT, {}) == 10_000_000
    assert app.limit_of("PROPFIND", EVENT, {}) < app.limit_of("PUT", EVENT, {})
    assert app.too_large("PUT", 5).status == 413


def test_a_bug_is_no_refusal() -> None:
    assert app.refusal(Request("GET", "/", "", {}, b""), RuntimeError()) is None
