"""Scheduling as CalDAV shows it: tags, boxes, free-busy (RFC 6638)."""

from __future__ import annotations

import pytest
from core_world import calendar, event
from dav_harness import Answer, Client, DavWorld, ics

BILLS = "/dav/calendars/bill/"
MARYS = "/dav/calendars/mary/"
MEETING = (
    "ORGANIZER:mailto:bill@example.com",
    "ATTENDEE:mailto:bill@example.com",
    "ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:mary@example.com",
)


def copy_of(client: Client, home: str) -> str:
    """The path of the one event in somebody's calendar."""
    (path,) = client.propfind(f"{home}calendar/", "D:getetag", depth="1", prefer="depth-noroot").hrefs()
    return path


def test_an_invitation_put_by_one_lies_in_the_calendar_of_the_other(bill: Client, mary: Client) -> None:
    made = bill.put(f"{BILLS}calendar/m.ics", ics(event("m", *MEETING)))
    assert made.status == 201
    assert made.headers["schedule-tag"]
    path = copy_of(mary, MARYS)
    got = mary("GET", path)
    assert "PARTSTAT=NEEDS-ACTION" in got.text
    assert got.headers["schedule-tag"]
    assert len(mary.propfind(f"{MARYS}inbox/", "D:getetag", depth="1").hrefs()) == 2


def test_the_answer_of_an_attendee_comes_back(bill: Client, mary: Client) -> None:
    bill.put(f"{BILLS}calendar/m.ics", ics(event("m", *MEETING)))
    path = copy_of(mary, MARYS)
    got = mary("GET", path)
    accepted = got.text.replace("PARTSTAT=NEEDS-ACTION", "PARTSTAT=ACCEPTED")
    answered = mary.put(path, accepted, if_schedule_tag_match=got.headers["schedule-tag"])
    assert answered.status == 204
    assert "PARTSTAT=ACCEPTED" in bill("GET", f"{BILLS}calendar/m.ics").text
    assert mary.put(path, accepted, if_schedule_tag_match='"other"').status == 412


def test_an_attendee_changes_nothing_of_the_organizers(
    bill: Client, mary: Client
) -> None:  # RFC 6638 §3.2.4.4
    bill.put(f"{BILLS}calendar/m.ics", ics(event("m", *MEETING)))
    path = copy_of(mary, MARYS)
    moved = mary("GET", path).text.replace("T090000Z", "T100000Z")
    answer = mary.put(path, moved)
    assert (answer.status, answer.precondition) == (403, "C:allowed-attendee-scheduling-object-change")


def test_schedule_reply_f_declines_silently(bill: Client, mary: Client) -> None:  # RFC 6638 §8.1
    bill.put(f"{BILLS}calendar/m.ics", ics(event("m", *MEETING)))
    assert mary("DELETE", copy_of(mary, MARYS), schedule_reply="F").status == 204
    assert "DECLINED" not in bill("GET", f"{BILLS}calendar/m.ics").text


def test_the_default_calendar_stays(bill: Client) -> None:  # RFC 6638 §4.3.1.1
    answer = bill("DELETE", f"{BILLS}calendar/")
    assert (answer.status, answer.precondition) == (403, "C:default-calendar-needed")


def busy(*more: str, method: str = "REQUEST") -> str:
    lines = "\n".join(more)
    part = f"BEGIN:VFREEBUSY\nUID:q\nDTSTAMP:20260101T000000Z\n{lines}\nEND:VFREEBUSY"
    return ics(part, head=f"METHOD:{method}\n")


DAY = ("DTSTART:20260310T000000Z", "DTEND:20260311T000000Z")
ASKING = ("ORGANIZER:mailto:bill@example.com", "ATTENDEE:mailto:mary@example.com", "ATTENDEE:mailto:x@y.org")


def test_the_outbox_tells_who_is_busy(bill: Client, mary: Client) -> None:  # RFC 6638 §5
    mary.put(f"{MARYS}calendar/e.ics", ics(event("e", "SUMMARY:secret")))
    answer = bill("POST", f"{BILLS}outbox/", busy(*DAY, *ASKING), content_type="text/calendar")
    assert answer.status == 200
    first, second = answer.xml
    assert first[0][0].text == "mailto:mary@example.com"
    assert first[1].text.startswith("2.0") or first[1].text.startswith("3.8")
    assert second[1].text.startswith("3.7")
    assert "secret" not in answer.text


@pytest.mark.parametrize(
    ("text", "precondition"),
    [
        ("nonsense", "C:valid-calendar-data"),
        (busy(*DAY, *ASKING, method="REPLY"), "C:valid-scheduling-message"),
        (busy(*DAY, ASKING[0]), "C:valid-scheduling-message"),
        (busy(DAY[0], *ASKING), "C:valid-scheduling-message"),
        (busy("DTSTART:x", DAY[1], *ASKING), "C:valid-scheduling-message"),
        (busy(*DAY, "ORGANIZER:mailto:mary@example.com", ASKING[1]), "C:valid-organizer"),
    ],
)
def test_a_malformed_question_is_refused(bill: Client, text: str, precondition: str) -> None:  # RFC 6638 §5.1
    answer = bill("POST", f"{BILLS}outbox/", text, content_type="text/calendar")
    assert (answer.status, answer.precondition) == (403, precondition)


def test_nobody_asks_through_the_outbox_of_another(mary: Client, world: DavWorld) -> None:
    question = busy(*DAY, *ASKING)
    assert mary("POST", f"{BILLS}outbox/", question, content_type="text/calendar").status == 404


def test_a_moved_invitation_tells_its_tag(bill: Client) -> None:  # RFC 6638 §3.2.10
    bill("MKCALENDAR", f"{BILLS}work/")
    bill.put(f"{BILLS}calendar/m.ics", ics(event("m", *MEETING)))
    moved = bill("MOVE", f"{BILLS}calendar/m.ics", destination=f"{BILLS}work/m.ics")
    assert moved.status == 201
    assert moved.headers["schedule-tag"] == bill("GET", f"{BILLS}work/m.ics").headers["schedule-tag"]


def ask_inbox(client: Client, report: str, inner: str, depth: str = "1") -> Answer:
    body = (
        f'<C:{report} xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:prop><D:getetag/><C:calendar-data/>'
        f"</D:prop>{inner}</C:{report}>"
    )
    return client("REPORT", f"{MARYS}inbox/", body, depth=depth)


def between(start: str, end: str) -> str:
    return (
        '<C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT">'
        f'<C:time-range start="{start}" end="{end}"/></C:comp-filter></C:comp-filter></C:filter>'
    )


def test_reports_find_messages_in_the_inbox(bill: Client, mary: Client) -> None:  # RFC 6638 §2.3
    bill.put(f"{BILLS}calendar/m.ics", ics(event("m", *MEETING)))
    (path,) = mary.propfind(f"{MARYS}inbox/", "D:getetag", depth="1", prefer="depth-noroot").hrefs()
    found = ask_inbox(mary, "calendar-query", between("20260310T000000Z", "20260311T000000Z"))
    assert (found.status, found.hrefs()) == (207, [path])
    assert "METHOD:REQUEST" in found.prop("C:calendar-data", path)
    assert ask_inbox(mary, "calendar-query", between("20260311T000000Z", "20260312T000000Z")).hrefs() == []
    assert (
        ask_inbox(mary, "calendar-query", between("20260310T000000Z", "20260311T000000Z"), "0").hrefs() == []
    )
    hrefs = f"<D:href>{path}</D:href><D:href>{MARYS}inbox/none.ics</D:href><D:href>{MARYS}calendar/x</D:href>"
    got = ask_inbox(mary, "calendar-multiget", hrefs)
    assert got.hrefs() == [path, f"{MARYS}inbox/none.ics", f"{MARYS}calendar/x"]
    assert "METHOD:REQUEST" in got.prop("C:calendar-data", path)
    assert got.text.count("404") == 2
    supported = mary.propfind(f"{MARYS}inbox/", "D:supported-report-set").text
    assert "<C:calendar-query/>" in supported
    assert "<C:free-busy-query/>" not in supported
    assert ask_inbox(bill, "calendar-multiget", hrefs).status == 404


def test_an_event_without_a_start_is_in_every_range_in_the_inbox(mary: Client, world: DavWorld) -> None:
    reply = "BEGIN:VEVENT\nUID:r\nDTSTAMP:20260101T000000Z\nORGANIZER:mailto:mary@example.com\n"
    reply += "ATTENDEE;PARTSTAT=ACCEPTED:mailto:x@y.org\nEND:VEVENT"
    world.create(calendar(reply, method="REPLY"), world.marys, world.mary)
    assert (
        len(ask_inbox(mary, "calendar-query", between("20300101T000000Z", "20300102T000000Z")).hrefs()) == 1
    )
