"""Writes of what was read before others answered: Schedule-Tag and If-Schedule-Tag-Match (RFC 6638 §3.2.10)."""

from __future__ import annotations

import pytest
from core_world import event
from dav_harness import Answer, Client, DavWorld, ics

BILLS = "/dav/calendars/bill/calendar/m.ics"
MARYS = "/dav/calendars/mary/calendar/"
MEETING = (
    "RRULE:FREQ=DAILY;COUNT=5",
    "ORGANIZER:mailto:bill@example.com",
    "ATTENDEE;PARTSTAT=ACCEPTED:mailto:bill@example.com",
    "ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:mary@example.com",
    "ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:root@example.com",
)


def copy_of(client: Client, home: str) -> str:
    (path,) = client.propfind(home, "D:getetag", depth="1", prefer="depth-noroot").hrefs()
    return path


def says(text: str, who: str) -> list[str]:
    """What somebody answers in each component, in order."""
    lines = text.replace("\r\n ", "").splitlines()
    return [
        line.partition("PARTSTAT=")[2].partition(":")[0].partition(";")[0]
        for line in lines
        if line.startswith("ATTENDEE") and f"mailto:{who}@e" in line
    ]


def decline_once(client: Client, home: str, who: str) -> None:
    """Decline the second day of the series."""
    path = copy_of(client, home)
    got = client("GET", path)
    lines = got.text.replace("\r\n ", "").split("\r\n")
    first, last = lines.index("BEGIN:VEVENT"), lines.index("END:VEVENT")
    one = [
        line.replace("20260310T", "20260311T") if line.startswith("DTSTART") else line
        for line in lines[first:last]
        if not line.startswith("RRULE")
    ]
    one.insert(1, "RECURRENCE-ID:20260311T090000Z")
    at = next(i for i, line in enumerate(one) if line.endswith(f"mailto:{who}@example.com"))
    one[at] = f"ATTENDEE;PARTSTAT=DECLINED:mailto:{who}@example.com"
    whole = [*lines[: last + 1], *one, "END:VEVENT", *lines[last + 1 :]]
    answer = client.put(path, "\r\n".join(whole))
    assert answer.status == 204, answer.text


@pytest.fixture
def root(world: DavWorld) -> Client:
    return world.client("root")


@pytest.fixture
def read(bill: Client) -> Answer:
    """What Bill's client knows of the meeting."""
    bill.put(BILLS, ics(event("m", *MEETING)))
    return bill("GET", BILLS)


def test_an_answer_leaves_the_organizers_tag_and_changes_the_etag(
    bill: Client, mary: Client, read: Answer
) -> None:
    path = copy_of(mary, MARYS)
    mary.put(
        path,
        mary("GET", path).text.replace("PARTSTAT=NEEDS-ACTION:mailto:mary", "PARTSTAT=ACCEPTED:mailto:mary"),
    )
    now = bill("GET", BILLS)
    assert says(now.text, "mary") == ["ACCEPTED"]
    assert now.headers["schedule-tag"] == read.headers["schedule-tag"]
    assert now.headers["etag"] != read.headers["etag"]


def test_an_organizer_who_did_not_see_an_answer_keeps_it(bill: Client, mary: Client, read: Answer) -> None:
    path = copy_of(mary, MARYS)
    mary.put(
        path,
        mary("GET", path).text.replace("PARTSTAT=NEEDS-ACTION:mailto:mary", "PARTSTAT=ACCEPTED:mailto:mary"),
    )
    stale = read.text.replace("END:VEVENT", "SUMMARY:Tea\r\nEND:VEVENT")
    assert bill.put(BILLS, stale, if_match=read.headers["etag"]).status == 412
    put = bill.put(BILLS, stale, if_schedule_tag_match=read.headers["schedule-tag"])
    assert put.status == 204
    now = bill("GET", BILLS)
    assert says(now.text, "mary") == ["ACCEPTED"]
    assert "SUMMARY:Tea" in now.text
    assert put.headers["schedule-tag"] == now.headers["schedule-tag"] != read.headers["schedule-tag"]
    assert "etag" not in put.headers  # what is stored is not what was sent


def test_an_organizer_who_did_not_see_that_one_instance_was_declined_keeps_it(
    bill: Client, mary: Client, read: Answer
) -> None:
    decline_once(mary, MARYS, "mary")
    assert says(bill("GET", BILLS).text, "mary") == ["NEEDS-ACTION", "DECLINED"]
    stale = read.text.replace("END:VEVENT", "SUMMARY:Tea\r\nEND:VEVENT")
    assert bill.put(BILLS, stale, if_schedule_tag_match=read.headers["schedule-tag"]).status == 204
    now = bill("GET", BILLS).text
    assert says(now, "mary") == ["NEEDS-ACTION", "DECLINED"]
    assert now.count("SUMMARY:Tea") == 2
    assert says(mary("GET", copy_of(mary, MARYS)).text, "mary") == ["NEEDS-ACTION", "DECLINED"]


def test_an_instance_that_the_organizer_takes_out_is_not_put_back(
    bill: Client, mary: Client, read: Answer
) -> None:
    decline_once(mary, MARYS, "mary")
    stale = read.text.replace("END:VEVENT", "EXDATE:20260311T090000Z\r\nEND:VEVENT")
    assert bill.put(BILLS, stale, if_schedule_tag_match=read.headers["schedule-tag"]).status == 204
    assert "RECURRENCE-ID" not in bill("GET", BILLS).text


def test_what_somebody_elsewhere_answered_is_kept_too(bill: Client, world: DavWorld) -> None:
    away = event("w", MEETING[1], MEETING[2], "ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:x@elsewhere.org")
    bill.put(BILLS, ics(away))
    read = bill("GET", BILLS)
    by_phone = read.text.replace("PARTSTAT=NEEDS-ACTION", "PARTSTAT=ACCEPTED")
    assert bill.put(BILLS, by_phone, if_match=read.headers["etag"]).status == 204  # they cannot write here
    tag = bill("GET", BILLS).headers["schedule-tag"]
    assert bill.put(BILLS, read.text, if_schedule_tag_match=tag).status == 204
    assert says(bill("GET", BILLS).text, "x") == ["ACCEPTED"]


def test_an_attendee_who_did_not_see_what_others_answered_keeps_it(
    bill: Client, mary: Client, root: Client, read: Answer
) -> None:
    path = copy_of(mary, MARYS)
    mine = mary("GET", path)
    decline_once(root, "/dav/calendars/root/calendar/", "root")
    assert says(mary("GET", path).text, "root") == ["NEEDS-ACTION", "DECLINED"]
    stale = mine.text.replace("PARTSTAT=NEEDS-ACTION:mailto:mary", "PARTSTAT=ACCEPTED:mailto:mary")
    put = mary.put(path, stale, if_schedule_tag_match=mine.headers["schedule-tag"])
    assert put.status == 204, put.text
    assert says(mary("GET", path).text, "root") == ["NEEDS-ACTION", "DECLINED"]
    assert says(bill("GET", BILLS).text, "root") == ["NEEDS-ACTION", "DECLINED"]
    assert says(bill("GET", BILLS).text, "mary")[0] == "ACCEPTED"


def test_moving_and_copying_mind_the_tag_of_the_source_and_change_it(bill: Client, read: Answer) -> None:
    tag = read.headers["schedule-tag"]
    bill("MKCALENDAR", "/dav/calendars/bill/work/")
    for to in ("/dav/calendars/bill/work/m.ics", "/dav/calendars/bill/calendar/n.ics"):
        assert bill("MOVE", BILLS, destination=to, if_schedule_tag_match='"x"').status == 412
        assert bill("COPY", BILLS, destination=to, if_schedule_tag_match='"x"').status == 412
        moved = bill("MOVE", BILLS, destination=to, if_schedule_tag_match=tag)
        assert moved.status == 201
        assert moved.headers["schedule-tag"] == bill("GET", to).headers["schedule-tag"] != tag
        assert moved.headers["etag"] == read.headers["etag"], "the octets are the same"
        back = bill("MOVE", to, destination=BILLS)
        assert back.headers["schedule-tag"] not in (tag, moved.headers["schedule-tag"])
        tag = back.headers["schedule-tag"]
