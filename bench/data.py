"""Events to measure with: of one shape and size, and calendars of constant density."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

DAY = 86_400
PER_DAY = 10
PLACES = (
    "Room Ada",
    "Room Grace",
    "Office 2.14",
    "Canteen",
    "Lab",
    "Phone",
    "Library",
    "Hall",
    "Garden",
    "Roof",
)
DATES = "%Y%m%dT%H%M%SZ"


def event(uid: str, start: int, *, rule: str = "", place: str = "Room Ada, second floor") -> str:
    """A VEVENT of about 560 octets, one hour long.

    Args:
        uid: its UID.
        start: seconds UTC.
        rule: an RRULE; none if empty.
        place: LOCATION.
    """
    begin = dt.datetime.fromtimestamp(start, dt.UTC)
    lines = [
        "BEGIN:VEVENT",
        f"UID:{uid}",
        "DTSTAMP:20260101T000000Z",
        "CREATED:20251224T101500Z",
        f"DTSTART:{begin.strftime(DATES)}",
        f"DTEND:{(begin + dt.timedelta(hours=1)).strftime(DATES)}",
        "SUMMARY:Planning of the week",
        "LOCATION:" + place.replace(",", "\\,"),
        "DESCRIPTION:What was done\\, what is next\\, who needs help. Bring figures.",
        "ORGANIZER;CN=Amira Haddad:mailto:amira@example.com",
        'ATTENDEE;CN="Keller, Bruno";PARTSTAT=ACCEPTED:mailto:bruno@example.com',
        "ATTENDEE;CN=Chiara Conti;PARTSTAT=NEEDS-ACTION:mailto:chiara@example.com",
        "CATEGORIES:WORK,PLANNING",
    ]
    if rule:
        lines.append(f"RRULE:{rule}")
    return "\r\n".join([*lines, "END:VEVENT", ""])


def plain(uid: str, start: int) -> str:
    """A VEVENT of the same size that nobody is invited to: nothing is sent when it is put."""
    kept = [
        line for line in event(uid, start).split("\r\n") if not line.startswith(("ORGANIZER", "ATTENDEE"))
    ]
    more = [
        "LAST-MODIFIED:20251224T101500Z",
        "SEQUENCE:0",
        "STATUS:CONFIRMED",
        f"URL:https://example.com/plans/{uid}",
        f"X-NOTE:{'n' * 60}",
    ]
    return "\r\n".join([*kept[:-2], *more, *kept[-2:]])


def spread(count: int, end: int, name: str) -> Iterator[str]:
    """The events of a calendar in which every day has the same number of them, however many there are.

    So a question about one month has the same answer in a small and in a large calendar, and what it costs
    shows whether the size of the calendar matters. Five series that never end come on top.

    Args:
        count: how many events.
        end: midnight after the last day, seconds UTC.
        name: makes the UIDs of this calendar distinct.
    """
    for number in range(5):
        start = end - (count // PER_DAY) * DAY + number * 3600
        yield event(f"series-{number}-{name}@bench", start, rule="FREQ=WEEKLY")
    for number in range(count - 5):
        day, slot = divmod(number, PER_DAY)
        start = end - (day + 1) * DAY + 8 * 3600 + slot * 3600
        yield event(f"event-{number}-{name}@bench", start, place=PLACES[number * 7 % 100 % PER_DAY])


def vcalendar(events: Iterator[str] | list[str], *lines: str) -> bytes:
    """A VCALENDAR around events, with further lines of its own."""
    head = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Example Corp.//Bench//EN", *lines, ""]
    return ("\r\n".join(head) + "".join(events) + "END:VCALENDAR\r\n").encode()
