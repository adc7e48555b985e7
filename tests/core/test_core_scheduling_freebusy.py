"""Free/busy of several people, and when they are there at all (RFC 6638 §5, RFC 7953)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from core_world import NOW, POLICY, calendar, component, selection
from scheduling_world import Village, wrapped

from kalends.core import ledger, scheduling
from kalends.core.errors import InvalidError, OrganizerError
from kalends.core.model import Caller, Identity
from kalends.core.scheduling import FreeBusyAnswer
from kalends.core.scheduling.freebusy import unavailable
from kalends.ical.moment import parse_moment
from kalends.ical.tree import Component, parse
from kalends.ical.zones import Zones
from kalends.store import principals
from kalends.store.base import Store


def at(text: str, zone: str | None = None) -> int:
    return Zones().to_epoch(parse_moment(text, zone))


def root(village: Village) -> Caller:
    return replace(village.caller("root", now=NOW), default_tz="UTC")


def ask(village: Village, *who: str, day: str = "20260310") -> list[FreeBusyAnswer]:
    lo = at(f"{day}T000000Z")
    return village.store.read(
        lambda tx: scheduling.schedule_freebusy(
            tx, root(village), "mailto:root@example.com", who, lo, lo + 86_400, uid="question"
        )
    )


def told(answer: FreeBusyAnswer) -> list[str]:
    assert answer.message is not None
    (part,) = answer.message.children("VFREEBUSY")
    return [f"{line.param('FBTYPE')} {line.value}" for line in part.all("FREEBUSY")]


def meeting(uid: str, start: str, *more: str) -> str:
    extra = "\n".join(more)
    return wrapped(f"BEGIN:VEVENT\nUID:{uid}\nDTSTART:{start}\nDURATION:PT1H\n{extra}\nEND:VEVENT")


def test_each_recipient_answers_for_all_their_calendars(store: Store) -> None:
    village = Village(store)
    village.put("mary", "a", meeting("a", "20260310T090000Z"))
    village.put("mary", "b", meeting("b", "20260310T093000Z", "STATUS:TENTATIVE"))
    found = ask(village, "mailto:Mary@example.com", "mailto:nobody@example.com", "mailto:cyrus@example.com")
    assert [one.recipient for one in found] == [
        "mailto:Mary@example.com", "mailto:nobody@example.com", "mailto:cyrus@example.com",
    ]  # fmt: skip
    assert [one.status[:3] for one in found] == ["2.0", "3.7", "2.0"]
    assert told(found[0]) == [
        "BUSY 20260310T090000Z/20260310T100000Z", "BUSY-TENTATIVE 20260310T100000Z/20260310T103000Z",
    ]  # fmt: skip
    assert found[1].message is None
    assert told(found[2]) == []
    assert found[0].message is not None
    (part,) = found[0].message.children("VFREEBUSY")
    assert found[0].message.value("METHOD") == "REPLY"
    assert part.value("UID") == "question"
    assert part.value("ATTENDEE") == "mailto:Mary@example.com"


@pytest.mark.parametrize(("lo", "hi", "count"), [(10, 10, 1), (0, 6 * 366 * 86_400, 1), (0, 10, 1_001)])
def test_a_request_must_have_a_range_and_is_bounded(
    sqlite_store: Store, lo: int, hi: int, count: int
) -> None:
    caller = Caller(Identity("root@example.com", 1, admin=True), "dav", NOW, POLICY)
    who = ["mailto:y@z"] * count
    with pytest.raises(InvalidError):
        sqlite_store.read(lambda tx: scheduling.schedule_freebusy(tx, caller, "mailto:x@y", who, lo, hi))


def test_valid_organizer(store: Store) -> None:
    village = Village(store)
    mary = village.caller("mary")
    scheduling.refuse_foreign_organizer(mary, "MAILTO:Mary@Example.com")
    with pytest.raises(OrganizerError):
        scheduling.refuse_foreign_organizer(mary, "mailto:bill@example.com")


BASE = """
BEGIN:VAVAILABILITY
UID:627A87FA-E5F1-43C0-B3B1-567DA10F2A83
DTSTAMP:20111005T133225Z
DTSTART;TZID=America/Montreal:20111002T000000
BEGIN:AVAILABLE
UID:A833E850-892B-43F6-98B6-C15A6BFC5D27
SUMMARY:Monday to Friday from 8:00 to 18:00
DTSTART;TZID=America/Montreal:20111002T080000
DTEND;TZID=America/Montreal:20111002T180000
RRULE:FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR
END:AVAILABLE
END:VAVAILABILITY
"""
DENVER = """
BEGIN:VAVAILABILITY
UID:F01411E3-38B8-4490-8A1F-0CCEC57A0943
DTSTAMP:20111005T133225Z
DTSTART;TZID=America/Denver:20111023T000000
DTEND;TZID=America/Denver:20111030T000000
PRIORITY:1
BEGIN:AVAILABLE
UID:A35AA091-3846-48ED-96F6-881E8A0D0A93
DTSTART;TZID=America/Denver:20111023T080000
DTEND;TZID=America/Denver:20111023T180000
RRULE:FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR
END:AVAILABLE
END:VAVAILABILITY
"""


def away(text: str, day: str, kind: str = "BUSY-UNAVAILABLE") -> list[tuple[int, int]]:
    """The hours of a day in Montreal in which somebody is not there."""
    lo = at(f"{day}T000000", "America/Montreal")
    found = unavailable(parse(wrapped(text)), lo, lo + 86_400, "UTC")
    return [((start - lo) // 3600, (end - lo) // 3600) for start, end in found[kind]]


def test_RFC7953_511_a_working_day() -> None:
    assert away(BASE, "20111107") == [(0, 8), (18, 24)]
    assert away(BASE, "20111105") == [(0, 24)]  # a Saturday
    assert away(BASE, "20110901") == []  # before it begins


def test_RFC7953_512_the_higher_priority_overrides() -> None:
    for text in (BASE + DENVER, DENVER + BASE):
        assert away(text, "20111024") == [(0, 10), (20, 24)]
        assert away(text, "20111107") == [(0, 8), (18, 24)]


def test_RFC7953_4_of_equals_the_stronger_type_counts() -> None:
    one = BASE.replace("BEGIN:AVAILABLE", "BUSYTYPE:BUSY-TENTATIVE\nBEGIN:AVAILABLE", 1)
    two = BASE.replace("BEGIN:AVAILABLE", "BUSYTYPE:BUSY\nBEGIN:AVAILABLE", 1)
    for text in (one + two, two + one):
        assert away(text, "20111107", "BUSY") == [(0, 8), (18, 24)]
        assert away(text, "20111107", "BUSY-TENTATIVE") == []


def test_RFC7953_725_free_busy_counts_availability(store: Store) -> None:
    village = Village(store)
    village.put("mary", "a", meeting("a", "20260310T070000Z"))
    text = BASE.replace("America/Montreal", "Europe/Berlin")
    village.store.write(lambda tx: _set(tx, village, text))
    (found,) = ask(village, "mailto:mary@example.com")
    assert told(found) == [
        "BUSY 20260310T070000Z/20260310T080000Z",
        "BUSY-UNAVAILABLE 20260310T000000Z/20260310T070000Z,20260310T170000Z/20260311T000000Z",
    ]


def _set(tx: object, village: Village, text: str) -> None:
    row = principals.by_upn(tx, "mary@example.com")  # type: ignore[arg-type]
    assert row is not None
    principals.set_availability(tx, row.id, wrapped(text).encode())  # type: ignore[arg-type]


def test_what_cannot_be_read_says_nothing() -> None:
    assert unavailable(None, 0, 10, "UTC")["BUSY"] == []
    broken = Component("VCALENDAR", [parse("BEGIN:VAVAILABILITY\r\nDTSTART:x\r\nEND:VAVAILABILITY\r\n")])
    assert unavailable(broken, 0, 10, "UTC") == {"BUSY-TENTATIVE": [], "BUSY-UNAVAILABLE": [], "BUSY": []}


def test_who_may_see_when_somebody_is_busy_may_ask_and_others_may_not(store: Store) -> None:
    village = Village(store)
    village.put("mary", "a", meeting("a", "20260310T090000Z", "SUMMARY:secret"))
    lo = at("20260310T000000Z")

    def ask_as(name: str) -> FreeBusyAnswer:
        caller = replace(village.caller(name), default_tz="UTC")
        (found,) = store.read(
            lambda tx: scheduling.schedule_freebusy(
                tx, caller, f"mailto:{name}@example.com", ["mailto:mary@example.com"], lo, lo + 86_400
            )
        )
        return found

    found = ask_as("cyrus")  # READBUSYTIMEINFO, which every calendar begins with
    assert told(found) == ["BUSY 20260310T090000Z/20260310T100000Z"]
    assert found.message is not None
    assert "secret" not in found.message.to_ics()
    deny = (
        "BEGIN:VCAR\nCARID:no\nBEGIN:VRIGHT\nDENY:cyrus@example.com\nPERMISSION:*\n"
        "SCOPE:SELECT * FROM VFREEBUSY\nEND:VRIGHT\nEND:VCAR"
    )
    mary = village.caller("mary")
    for calid in ("mary/calendar", "mary/tasks"):
        village.create(calendar(deny), village.target(calid, mary), mary)
    assert (ask_as("cyrus").status, ask_as("cyrus").message) == ("3.8;No authority", None)
    assert ask_as("lisa").status == "2.0;Success"


def test_91_a_transparent_calendar_does_not_count(store: Store) -> None:
    village = Village(store)
    village.put("mary", "a", meeting("a", "20260310T090000Z"))
    place, mary = village.place("mary"), village.caller("mary")
    old, new = component("VAGENDA", ""), component("VAGENDA", "X-KALENDS-TRANSP:TRANSPARENT")
    store.write(lambda tx: ledger.modify(tx, mary, [place], selection("SELECT * FROM VAGENDA"), old, new))
    (found,) = ask(village, "mailto:mary@example.com")
    assert told(found) == []
