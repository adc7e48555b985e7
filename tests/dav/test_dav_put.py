"""PUT and its preconditions (RFC 4791 §5.3.2), conditions (RFC 9110 §13, RFC 4918 §10.4), Prefer (RFC 8144 §3)."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from core_world import POLICY, event, todo
from dav_harness import Client, DavWorld, ics

from kalends.core import containers
from kalends.store.base import Store

CALENDAR = "/dav/calendars/bill/calendar/"
EVENT = CALENDAR + "a.ics"


@pytest.mark.parametrize(
    ("text", "precondition"),
    [
        ("no calendar at all", "C:valid-calendar-data"),
        ("", "C:valid-calendar-data"),
        (ics(event("a")).replace("END:VEVENT\r\n", ""), "C:valid-calendar-data"),
        (event("a").replace("\n", "\r\n"), "C:valid-calendar-data"),
        (ics(event("a")).replace("DTSTART:20260310T090000Z", "DTSTART:yesterday"), "C:valid-calendar-data"),
        (ics(event("a"), head="METHOD:REQUEST\n"), "C:valid-calendar-object-resource"),
        (ics(event("a"), event("b")), "C:valid-calendar-object-resource"),
        (ics(event("a"), todo("a")), "C:valid-calendar-object-resource"),
        (ics(event("a").replace("UID:a\n", "")), "C:valid-calendar-object-resource"),
        (ics(), "C:valid-calendar-object-resource"),
        (ics(todo("a")), "C:supported-calendar-component"),
        (ics("BEGIN:VFREEBUSY\nUID:f\nDTSTAMP:20260101T000000Z\nEND:VFREEBUSY"), "C:supported-calendar-component"),
        (ics(event("a", *(f"ATTENDEE:mailto:a{n}@x.org" for n in range(1001)))), "C:max-attendees-per-instance"),
    ],
)  # fmt: skip
def test_what_is_no_calendar_object_is_refused_with_its_precondition(
    bill: Client, text: str, precondition: str
) -> None:  # RFC 4791 §4.1, §5.3.2.1
    answer = bill.put(EVENT, text)
    assert (answer.status, answer.precondition) == (403, precondition)
    assert answer.xml.find("{DAV:}responsedescription").text
    assert bill("GET", EVENT).status == 404


def test_dates_out_of_range_are_refused(store: Store) -> None:  # RFC 4791 §5.2.6, §5.2.7
    world = DavWorld(store, replace(POLICY, min_date=0, max_date=1_900_000_000))
    bill = world.client()
    late = bill.put(EVENT, ics(event("a", start="DTSTART:20400101T000000Z")))
    early = bill.put(EVENT, ics(event("a", start="DTSTART:19600101T000000Z")))
    assert (late.status, late.precondition) == (403, "C:max-date-time")
    assert (early.status, early.precondition) == (403, "C:min-date-time")


def test_too_large_an_object_is_refused(store: Store) -> None:  # RFC 4791 §5.2.5
    bill = DavWorld(store, replace(POLICY, max_object=500)).client()
    answer = bill.put(EVENT, ics(event("a", "DESCRIPTION:" + "x" * 500)))
    assert (answer.status, answer.precondition) == (403, "C:max-resource-size")


@pytest.mark.parametrize("media", ["application/json", "text/plain", "text/calendar; charset=latin-1"])
def test_another_media_type_is_refused(bill: Client, media: str) -> None:
    answer = bill.put(EVENT, ics(event("a")), content_type=media)
    assert (answer.status, answer.precondition) == (415, "C:supported-calendar-data")
    assert bill.put(EVENT, ics(event("a")), content_encoding="gzip").status == 415
    assert bill.put(EVENT, ics(event("a")), content_range="bytes 0-1/2").status == 400


def test_a_uid_is_in_a_calendar_once_and_never_changes(bill: Client) -> None:  # RFC 4791 §5.3.2.1
    bill.put(EVENT, ics(event("a")))
    second = bill.put(CALENDAR + "b.ics", ics(event("a")))
    assert (second.status, second.precondition) == (403, "C:no-uid-conflict")
    assert second.xml[0][0].text == EVENT
    changed = bill.put(EVENT, ics(event("b")))
    assert (changed.status, changed.precondition) == (403, "C:no-uid-conflict")
    assert changed.xml[0][0].text == EVENT


def test_the_time_taken_is_told_as_a_precondition(world: DavWorld, bill: Client) -> None:  # CON-08
    world.store.write(
        lambda tx: containers.create_calendar(tx, world.bill, "bill/room", "bill", allow_conflict=False)
    )
    room = "/dav/calendars/bill/room/"
    assert bill.put(room + "a.ics", ics(event("a", "SUMMARY:Board"))).status == 201
    answer = bill.put(room + "b.ics", ics(event("b")))
    assert (answer.status, answer.precondition) == (403, "K:no-time-conflict")
    assert "Board" in answer.text
    assert bill("GET", room + "b.ics").status == 404


def test_octets_are_kept_and_only_then_is_the_etag_strong(bill: Client) -> None:  # RFC 4791 §5.3.4
    odd = ics(event("a", "X-ODD;X-P=1:a\n b", "SUMMARY:ä€😀")).replace("X-ODD", "x-odd").encode()
    answer = bill.put(EVENT, odd)
    assert answer.headers["etag"].startswith('"')
    assert bill("GET", EVENT).body == odd
    marked = bill.put(EVENT, b"\xef\xbb\xbf" + odd)
    assert "etag" not in marked.headers  # the byte order mark is not kept
    assert bill("GET", EVENT).body == odd


def test_representation_comes_back_when_it_is_preferred(bill: Client) -> None:  # RFC 8144 §3
    made = bill.put(EVENT, ics(event("a")), prefer="return=representation")
    assert (made.status, made.body) == (201, ics(event("a")).encode())
    assert made.headers["preference-applied"] == "return=representation"
    assert made.headers["content-location"] == EVENT
    stale = bill.put(EVENT, ics(event("a", "SUMMARY:x")), if_match='"old"', prefer="return=representation")
    assert (stale.status, stale.body) == (412, ics(event("a")).encode())
    assert stale.headers["etag"] == made.headers["etag"]


def test_conditions_of_http(bill: Client) -> None:  # RFC 9110 §13
    assert bill.put(EVENT, ics(event("a")), if_match="*").status == 412
    etag = bill.put(EVENT, ics(event("a")), if_none_match="*").headers["etag"]
    assert bill.put(EVENT, ics(event("a")), if_none_match="*").status == 412
    assert bill.put(EVENT, ics(event("a")), if_match=f'"x", {etag}').status == 204
    assert bill.put(EVENT, ics(event("a")), if_match=etag.strip('"')).status == 204
    assert bill("GET", EVENT, if_none_match=etag).status == 304
    assert bill("GET", EVENT, if_none_match='"x"').status == 200
    modified = bill("GET", EVENT).headers["last-modified"]
    assert bill("GET", EVENT, if_modified_since=modified).status == 304
    assert bill("GET", EVENT, if_modified_since="Thu, 01 Jan 1970 00:00:00 GMT").status == 200
    assert bill("GET", EVENT, if_modified_since="nonsense").status == 200
    assert bill("GET", EVENT, if_match='"x"').status == 412
    assert bill("DELETE", EVENT, if_unmodified_since="Thu, 01 Jan 1970 00:00:00 GMT").status == 412
    head = bill("HEAD", EVENT)
    assert (head.status, head.body) == (200, b"")
    assert head.headers["content-length"] == str(len(ics(event("a"))))


def test_the_if_header(bill: Client) -> None:  # RFC 4918 §10.4
    etag = bill.put(EVENT, ics(event("a"))).headers["etag"]
    put = lambda value: bill.put(EVENT, ics(event("a")), **{"if": value}).status  # noqa: E731
    assert put(f"([{etag}])") == 204
    assert put('(["x"])') == 412
    assert put(f'(["x"]) ([{etag}])') == 204
    assert put(f'(Not ["x"] [{etag}])') == 204
    assert put("(<urn:uuid:181d4fae-7d8c-11d0-a765-00a0c91e6bf2>)") == 412  # no locks, no tokens
    assert put("(Not <DAV:no-lock>)") == 204
    assert put(f"<{EVENT}> ([{etag}])") == 204
    assert put(f"<https://cal.example.com{EVENT}> ([{etag}])") == 204
    assert put(f"<{CALENDAR}other.ics> ([{etag}])") == 412
    for malformed in ("", "x", "(", "()", "(Not)", f"([{etag}]", "<a> <b>", f"([{etag}]) <x> ([{etag}])"):
        assert put(malformed) == 400


@pytest.mark.parametrize("method", ["GET", "HEAD", "PROPFIND"])
def test_the_if_header_counts_for_reading_too(bill: Client, method: str) -> None:  # RFC 4918 §10.4
    tag = bill.put(EVENT, ics(event("a"))).headers["etag"]

    def status(header: str, path: str = EVENT) -> int:
        return bill(method, path, depth="0", **{"if": header}).status

    done = 207 if method == "PROPFIND" else 200
    assert status(f"([{tag}])") == done
    assert status('(["old"])') == 412
    assert status("(<urn:lock>)") == 412
    assert status("nonsense") == 400
    assert status('(["old"])', EVENT + "x") == 404
    token = bill.propfind(CALENDAR, "D:sync-token").prop("D:sync-token")
    assert status(f"<{CALENDAR}> (<{token}>)") == done
    bill.put(EVENT, ics(event("a", "SUMMARY:new")))
    assert status(f"<{CALENDAR}> (<{token}>)") == 412


def test_only_one_of_many_writers_with_one_etag_wins(world: DavWorld) -> None:
    etag = world.client().put(EVENT, ics(event("a"))).headers["etag"]
    statuses: list[int] = []

    def write(number: int) -> None:
        client = world.client()
        statuses.append(client.put(EVENT, ics(event("a", f"SUMMARY:{number}")), if_match=etag).status)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [204] + [412] * 7


@pytest.mark.parametrize(
    "path",
    ["/", "/dav/", "/dav/calendars/bill/", CALENDAR, "/dav/calendars/bill/inbox/", "/dav/principals/bill/"],
)
def test_nothing_is_put_in_place_of_a_collection(bill: Client, path: str) -> None:
    answer = bill.put(path, ics(event("a")))
    assert answer.status == 405
    assert "PUT" not in answer.headers["allow"]


@pytest.mark.parametrize(
    "path",
    ["/a.ics", "/dav/calendars/bill/none/a.ics", "/dav/calendars/none/calendar/a.ics", "/dav/principals/x"],
)
def test_a_member_needs_its_calendar_first(bill: Client, path: str) -> None:  # RFC 4918 §9.7.1
    assert bill.put(path, ics(event("a"))).status == 409


def test_post_adds_a_member(bill: Client) -> None:  # RFC 5995
    answer = bill("POST", CALENDAR, ics(event("a")), content_type="text/calendar")
    assert answer.status == 201
    assert answer.headers["location"].startswith("https://cal.example.com" + CALENDAR)
    path = answer.headers["location"].removeprefix("https://cal.example.com")
    assert bill("GET", path).body == ics(event("a")).encode()
    again = bill("POST", CALENDAR, ics(event("a")), content_type="text/calendar")
    assert (again.status, again.precondition) == (403, "C:no-uid-conflict")
    assert bill("POST", "/dav/calendars/bill/", ics(event("a"))).status == 405


def test_unknown_methods_and_locks_are_told_what_is_allowed(bill: Client) -> None:
    for method in ("LOCK", "UNLOCK", "PATCH", "TRACE", "BREW"):
        answer = bill(method, CALENDAR)
        assert answer.status == 405
        assert "PROPFIND" in answer.headers["allow"]
    at_home = bill("GET", "/dav/calendars/bill/")
    assert at_home.status == 405
    assert at_home.headers["allow"].split(", ").count("PROPFIND") == 1
