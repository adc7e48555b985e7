"""What is written over CAP is there over CalDAV at once, and the reverse (issue 4)."""

from __future__ import annotations

import pytest
from core_world import calendar, errors, event
from dav_harness import Client, DavWorld, ics

from kalends.core import containers
from kalends.core.conflicts import conflict
from kalends.core.creating import import_objects
from kalends.core.errors import StaleError
from kalends.core.past import history, trash, undoing
from kalends.ical.tree import parse
from kalends.store.maintenance import check

HOME = "/dav/calendars/bill/"
AT = f"{HOME}calendar/"
MARYS = "/dav/calendars/mary/"
MEETING = (
    "ORGANIZER:mailto:bill@example.com",
    "ATTENDEE;PARTSTAT=ACCEPTED:mailto:bill@example.com",
    "ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:mary@example.com",
)
ROOM = (*MEETING[:2], "ATTENDEE;CUTYPE=ROOM:mailto:hall@example.com")
SYNC = (
    '<D:sync-collection xmlns:D="DAV:"><D:sync-token>{}</D:sync-token><D:sync-level>1</D:sync-level>'
    "<D:prop><D:getetag/></D:prop></D:sync-collection>"
)


@pytest.fixture(autouse=True)
def consistent(world: DavWorld) -> object:
    """Whatever a test did, `kalends check` finds nothing."""
    yield
    assert check(world.store) + conflict.findings(world.store, world.policy) == []


def members(client: Client, at: str = AT) -> dict[str, str]:
    """ETags by path."""
    answer = client.propfind(at, "D:getetag", depth="1", prefer="depth-noroot")
    return {path: answer.prop("D:getetag", path) for path in answer.hrefs()}


def token(client: Client, at: str = AT) -> str:
    return client.propfind(at, "D:sync-token").prop("D:sync-token")


def changes(client: Client, since: str, at: str = AT) -> list[tuple[str, bool]]:
    """What changed since a token: the path, and whether it is there."""
    answer = client("REPORT", at, SYNC.format(since))
    assert answer.status == 207, answer.text
    gone = answer.xml.xpath(
        "/*/*[local-name()='response'][*[local-name()='status']]/*[local-name()='href']/text()"
    )
    return [(path, path not in gone) for path in answer.hrefs()]


def cap_text(world: DavWorld, uid: str, name: str = "bill/calendar", who: str = "bill") -> str:
    caller = world.caller(who)
    query = f"SELECT * FROM VEVENT WHERE UID = '{uid}' AND STATE() = 'BOOKED'"
    return world.text(query, world.target(name, caller), caller)


# --- create ---


def test_what_cap_creates_dav_reads_and_syncs(world: DavWorld, bill: Client) -> None:
    before = token(bill)
    assert errors(world.create(calendar(event("a", "SUMMARY:Tea", "X-ODD:1")))) == [""]
    ((path, etag),) = members(bill).items()
    got = bill("GET", path)
    assert (got.status, got.headers["etag"]) == (200, etag)
    assert "SUMMARY:Tea\r\nX-ODD:1" in got.text
    assert "CMD" not in got.text
    assert "TARGET" not in got.text
    assert changes(bill, before) == [(path, True)]


def test_what_dav_puts_cap_finds(world: DavWorld, bill: Client) -> None:
    assert (
        bill.put(f"{AT}any name.ics".replace(" ", "%20"), ics(event("a", "SUMMARY:Tea", "X-ODD:1"))).status
        == 201
    )
    found = cap_text(world, "a")
    assert "SUMMARY:Tea\r\nX-ODD:1" in found
    assert errors(world.create(calendar(event("a")))) == ["DuplicateError"]


def test_a_calendar_made_on_one_face_is_there_on_the_other(world: DavWorld, bill: Client) -> None:
    world.store.write(lambda tx: containers.create_calendar(tx, world.bill, "bill/by-cap", "bill"))
    assert bill("MKCALENDAR", f"{HOME}by-dav/").status == 201
    listed = bill.propfind(HOME, "D:displayname", depth="1").hrefs()
    assert {f"{HOME}by-cap/", f"{HOME}by-dav/"} <= set(listed)
    assert bill.put(f"{HOME}by-cap/a.ics", ics(event("a"))).status == 201
    assert errors(world.create(calendar(event("b")), world.target("bill/by-dav"))) == [""]
    assert len(members(bill, f"{HOME}by-dav/")) == 1


# --- change ---


def test_what_cap_modifies_dav_sees_under_the_same_name_with_another_etag(
    world: DavWorld, bill: Client
) -> None:
    bill.put(f"{AT}mine.ics", ics(event("a", "SUMMARY:Tea", "X-ODD;X-P=q:kept")))
    before, since = members(bill), token(bill)
    query = "SELECT * FROM VEVENT WHERE UID = 'a'"
    assert errors(world.modify(query, "SUMMARY:Tea", "SUMMARY:Coffee")) == [""]
    after = members(bill)
    assert list(after) == list(before) == [f"{AT}mine.ics"]
    assert after != before
    assert changes(bill, since) == [(f"{AT}mine.ics", True)]
    text = bill("GET", f"{AT}mine.ics").text
    assert "SUMMARY:Coffee" in text
    assert "X-ODD;X-P=q:kept" in text
    stale = bill.put(f"{AT}mine.ics", ics(event("a", "SUMMARY:Milk")), if_match=before[f"{AT}mine.ics"])
    assert stale.status == 412


def test_what_dav_changes_cap_sees_and_its_old_value_does_not_match_any_more(
    world: DavWorld, bill: Client
) -> None:
    world.create(calendar(event("a", "SUMMARY:Tea")))
    (path,) = members(bill)
    assert bill.put(path, bill("GET", path).text.replace("Tea", "Coffee")).status == 204
    assert "SUMMARY:Coffee" in cap_text(world, "a")
    with pytest.raises(StaleError):
        world.modify("SELECT * FROM VEVENT WHERE UID = 'a'", "SUMMARY:Tea", "SUMMARY:Milk")
    assert "SUMMARY:Coffee" in bill("GET", path).text


def test_an_instance_changed_over_cap_is_an_override_over_dav(world: DavWorld, bill: Client) -> None:
    bill.put(f"{AT}s.ics", ics(event("s", "SUMMARY:Tea", "RRULE:FREQ=DAILY;COUNT=3")))
    query = "SELECT * FROM VEVENT WHERE DTSTART = '20260311T090000Z'"
    assert errors(world.modify(query, "SUMMARY:Tea", "SUMMARY:Once", expand=True)) == [""]
    text = bill("GET", f"{AT}s.ics").text
    assert "RECURRENCE-ID:20260311T090000Z" in text
    assert "SUMMARY:Once" in text


# --- move ---


def test_what_cap_moves_is_gone_here_and_new_there_over_dav(world: DavWorld, bill: Client) -> None:
    bill("MKCALENDAR", f"{HOME}work/")
    bill.put(f"{AT}a.ics", ics(event("a")))
    here, there = token(bill), token(bill, f"{HOME}work/")
    etag = members(bill)[f"{AT}a.ics"]
    moved = world.move("SELECT * FROM VEVENT WHERE UID = 'a'", "bill/work", "bill/calendar")
    assert errors(moved) == [""]
    assert changes(bill, here) == [(f"{AT}a.ics", False)]
    assert changes(bill, there, f"{HOME}work/") == [(f"{HOME}work/a.ics", True)]
    assert bill("GET", f"{HOME}work/a.ics").headers["etag"] == etag


def test_what_dav_moves_cap_finds_in_the_other_calendar(world: DavWorld, bill: Client) -> None:
    bill("MKCALENDAR", f"{HOME}work/")
    world.create(calendar(event("a")))
    (path,) = members(bill)
    assert bill("MOVE", path, destination=f"{HOME}work/new%20name.ics").status == 201
    assert world.uids("SELECT UID FROM VEVENT") == []
    assert "UID:a" in cap_text(world, "a", "bill/work")


# --- delete, history, undo ---


@pytest.mark.parametrize("mark", [True, False])
def test_what_cap_deletes_is_gone_over_dav_and_comes_back_with_undo(
    world: DavWorld, bill: Client, mark: bool
) -> None:
    body = ics(event("a", "SUMMARY:Tea"))
    bill.put(f"{AT}a.ics", body)
    since = token(bill)
    assert errors(world.delete("SELECT * FROM VEVENT WHERE UID = 'a'", mark=mark)) == [""]
    assert bill("GET", f"{AT}a.ics").status == 404
    assert changes(bill, since) == [(f"{AT}a.ics", False)]
    world.store.write(lambda tx: undoing.undo(tx, world.bill, world.calendar, uid="a"))
    assert bill("GET", f"{AT}a.ics").text == body
    assert changes(bill, since) == [(f"{AT}a.ics", True)]


def test_what_dav_deletes_is_marked_over_cap_and_comes_back_with_its_properties(
    world: DavWorld, bill: Client
) -> None:
    body = ics(event("a", "SUMMARY:Tea"))
    bill.put(f"{AT}a.ics", body)
    patch = '<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop><x xmlns="urn:x">kept</x></D:prop></D:set></D:propertyupdate>'
    before = token(bill)
    assert bill("PROPPATCH", f"{AT}a.ics", patch).status == 207
    assert token(bill) == before, "the text is the same (RFC 6578 §3.5.1)"
    assert bill("DELETE", f"{AT}a.ics").status == 204
    assert world.uids("SELECT * FROM VEVENT WHERE STATE() = 'DELETED'") == ["a"]
    assert world.uids("SELECT * FROM VEVENT WHERE STATE() = 'BOOKED'") == []
    world.store.write(lambda tx: trash.restore(tx, world.bill, world.calendar, "a"))
    assert bill("GET", f"{AT}a.ics").text == body
    asked = '<D:propfind xmlns:D="DAV:"><D:prop><x xmlns="urn:x"/></D:prop></D:propfind>'
    assert "kept" in bill("PROPFIND", f"{AT}a.ics", asked, depth="0").text


def test_the_history_tells_which_face_each_change_came_through(world: DavWorld, bill: Client) -> None:
    bill.put(f"{AT}a.ics", ics(event("a", "SUMMARY:Tea")))
    world.modify("SELECT * FROM VEVENT WHERE UID = 'a'", "SUMMARY:Tea", "SUMMARY:Coffee")
    bill.put(f"{AT}a.ics", ics(event("a", "SUMMARY:Milk")))
    told = world.store.read(lambda tx: history.entries(tx, world.bill, world.calendar, uid="a"))
    assert [one.via for one in told] == ["dav", "cap", "dav"]
    world.store.write(lambda tx: undoing.undo(tx, world.bill, world.calendar, uid="a"))
    assert "SUMMARY:Coffee" in bill("GET", f"{AT}a.ics").text


# --- conflict control ---


def test_no_two_faces_book_one_time_twice(world: DavWorld, bill: Client) -> None:
    world.store.write(
        lambda tx: containers.create_calendar(tx, world.bill, "bill/boat", "bill", allow_conflict=False)
    )
    boat = world.target("bill/boat")
    assert bill.put(f"{HOME}boat/a.ics", ics(event("a", "SUMMARY:Trip"))).status == 201
    assert errors(world.create(calendar(event("b")), boat)) == ["ConflictError"]
    free = event("c", "SUMMARY:Fishing", start="DTSTART:20260310T100000Z")
    assert errors(world.create(calendar(free), boat)) == [""]
    answer = bill.put(f"{HOME}boat/d.ics", ics(event("d", start="DTSTART:20260310T103000Z")))
    assert (answer.status, answer.precondition) == (403, "K:no-time-conflict")
    assert "Fishing" in answer.text
    later = bill.put(f"{HOME}boat/a.ics", ics(event("a", start="DTSTART:20260310T103000Z")))
    assert later.precondition == "K:no-time-conflict"
    bill.put(f"{AT}e.ics", ics(event("e")))
    assert bill("MOVE", f"{AT}e.ics", destination=f"{HOME}boat/e.ics").precondition == "K:no-time-conflict"
    assert bill("COPY", f"{AT}e.ics", destination=f"{HOME}boat/e.ics").precondition == "K:no-time-conflict"
    assert bill("POST", f"{HOME}boat/", ics(event("f")), content_type="text/calendar").status == 403
    file = parse(ics(event("g", start="DTSTART:20260310T093000Z")))
    imported = world.store.write(lambda tx: import_objects(tx, world.bill, boat, file))
    assert errors(imported) == ["ConflictError"]
    assert len(members(bill, f"{HOME}boat/")) == 2


# --- invite ---


def test_an_invitation_over_cap_is_answered_over_dav_and_the_answer_seen_over_cap(
    world: DavWorld, mary: Client
) -> None:
    assert errors(world.create(calendar(event("m", "SUMMARY:Tea", *MEETING)))) == [""]
    (path,) = members(mary, f"{MARYS}calendar/")
    got = mary("GET", path)
    assert "SUMMARY:Tea" in got.text
    (message,) = members(mary, f"{MARYS}inbox/")
    assert "METHOD:REQUEST" in mary("GET", message).text
    accepted = got.text.replace("PARTSTAT=NEEDS-ACTION", "PARTSTAT=ACCEPTED")
    assert mary.put(path, accepted, if_schedule_tag_match=got.headers["schedule-tag"]).status == 204
    assert cap_text(world, "m").count("PARTSTAT=ACCEPTED") == 2


def test_an_invitation_over_dav_is_answered_over_cap_and_the_answer_seen_over_dav(
    world: DavWorld, bill: Client
) -> None:
    assert bill.put(f"{AT}m.ics", ics(event("m", "SUMMARY:Tea", *MEETING))).status == 201
    tag = bill("GET", f"{AT}m.ics").headers["schedule-tag"]
    line = next(one for one in cap_text(world, "m", "mary/calendar", "mary").split("\r\n") if "mary@" in one)
    answered = world.modify(
        "SELECT * FROM VEVENT WHERE UID = 'm' AND STATE() = 'BOOKED'",
        line,
        line.replace("NEEDS-ACTION", "TENTATIVE"),
        world.marys,
        world.mary,
    )
    assert errors(answered) == [""]
    got = bill("GET", f"{AT}m.ics")
    assert "PARTSTAT=TENTATIVE" in got.text
    assert got.headers["schedule-tag"] == tag
    assert bill("DELETE", f"{AT}m.ics").status == 204
    assert "STATUS:CANCELLED" in cap_text(world, "m", "mary/calendar", "mary")


def test_a_room_answers_what_dav_puts_and_cap_creates_first_come_first_served(
    world: DavWorld, bill: Client
) -> None:
    series = ("RRULE:FREQ=WEEKLY", *ROOM)
    put = bill.put(f"{AT}a.ics", ics(event("a", *series)))
    assert put.status == 201
    assert "etag" not in put.headers, "the room's answer is in what is stored"
    assert cap_text(world, "a").count("PARTSTAT=ACCEPTED") == 2
    assert errors(world.create(calendar(event("b", *ROOM, start="DTSTART:20270309T093000Z")))) == [""]
    assert "PARTSTAT=DECLINED" in cap_text(world, "b")
    second = next(path for path in members(bill) if path != f"{AT}a.ics")
    assert "PARTSTAT=DECLINED" in bill("GET", second).text
    assert bill("DELETE", f"{AT}a.ics").status == 204
    moved = bill("GET", second).text.replace("20270309T093000Z", "20270309T090000Z")
    assert bill.put(second, moved).status == 204
    assert cap_text(world, "b").count("PARTSTAT=ACCEPTED") == 2


# --- octets ---


FORMS = {
    "odd folds": (ics(event("a", "SUMMARY:Te\n a for two", "X-LONG:" + "x" * 200)), True),
    "a fold inside of a letter": (ics(event("a", "SUMMARY:x")).encode().replace(b"SUMMARY:x", b"SUMMARY:\xc3\r\n \xa4"), True),
    "lower case": (ics(event("a", "summary:Tea", "x-ODD;x-p=q:1")), True),
    "unknown properties and components": (ics(event("a", "X-A;X-B=\"c;d\":e", "BEGIN:X-IN\nX-C:1\nEND:X-IN")), True),
    "line ends of Unix": (ics(event("a")).replace("\r\n", "\n"), True),
    "no line end at the end": (ics(event("a"))[:-2], True),
    "blank lines": (ics(event("a")).replace("BEGIN:VEVENT", "\r\nBEGIN:VEVENT"), None),
    "a byte order mark": ("\ufeff" + ics(event("a")), None),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_a_strong_etag_is_told_only_for_the_octets_that_were_sent(
    world: DavWorld, bill: Client, form: str
) -> None:
    text, same = FORMS[form]
    body = text if isinstance(text, bytes) else text.encode()
    put = bill.put(f"{AT}a.ics", body)
    assert put.status == 201, put.text
    got = bill("GET", f"{AT}a.ics")
    assert ("etag" in put.headers) == (got.body == body)
    if same is not None:
        assert got.body == body
    if "etag" in put.headers:
        assert put.headers["etag"] == got.headers["etag"]
    assert world.uids("SELECT UID FROM VEVENT") == ["a"]
    again = bill.put(f"{AT}a.ics", got.body, if_match=got.headers["etag"])
    assert (again.status, again.headers["etag"]) == (204, got.headers["etag"])
