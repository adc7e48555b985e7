"""Parsing and expanding beside the `icalendar` and `python-dateutil` packages."""

from __future__ import annotations

import datetime as dt

import icalendar
from dateutil.rrule import rrulestr

from bench.measure import Line, Report, micros
from kalends.ical import tree
from kalends.ical.moment import from_datetime
from kalends.ical.recur import Rule

EVENT_LINES = (
    "BEGIN:VCALENDAR",
    "VERSION:2.0",
    "PRODID:-//Example Corp.//CalDAV Client//EN",
    "BEGIN:VEVENT",
    "UID:20260105T090000Z-1234567@example.com",
    "DTSTAMP:20260101T000000Z",
    "CREATED:20251224T101500Z",
    "LAST-MODIFIED:20260101T000000Z",
    "DTSTART;TZID=Europe/Berlin:20260105T090000",
    "DTEND;TZID=Europe/Berlin:20260105T100000",
    "SUMMARY:Weekly planning",
    "LOCATION:Room Ada\\, second floor",
    "DESCRIPTION:What was done\\, what is next\\, who needs help. Bring the figu",
    " res of last week\\; coffee is there.",
    "ORGANIZER;CN=Amira Haddad:mailto:amira@example.com",
    'ATTENDEE;CN="Keller, Bruno";PARTSTAT=ACCEPTED:mailto:bruno@example.com',
    "CATEGORIES:WORK,PLANNING",
    "END:VEVENT",
    "END:VCALENDAR",
)
EVENT = "".join(line + "\r\n" for line in EVENT_LINES).encode()

RULES = (
    ("daily", "FREQ=DAILY", 50.0),
    ("weekly on two days", "FREQ=WEEKLY;BYDAY=TU,TH", None),
    ("second Tuesday of the month", "FREQ=MONTHLY;BYDAY=2TU", None),
    ("last workday of the month", "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", None),
    ("yearly", "FREQ=YEARLY", None),
)


def run(report: Report) -> None:
    """Measure."""
    report.heading(f"iCalendar: a VCALENDAR of {len(EVENT)} octets with one event (CPU)")
    ours = micros(lambda: tree.parse(EVENT).to_bytes())
    theirs = micros(lambda: icalendar.Calendar.from_ical(EVENT).to_ical())
    report.add(Line("parse and serialise, lossless", ours, theirs, "µs", "icalendar", aim=15))

    report.heading("Recurrence: a rule from 2020 expanded over the year 2026 (CPU)")
    start = dt.datetime(2020, 1, 1, 9)
    low, high = dt.datetime(2026, 1, 1), dt.datetime(2026, 12, 31, 23, 59)
    first, begin, end = (from_datetime(moment).wall for moment in (start, low, high))
    for name, text, aim in RULES:
        rule = Rule.parse(text)
        theirs_rule = rrulestr(text, dtstart=start)
        mine = list(rule.starts(start, low, high))
        other = theirs_rule.between(low, high, inc=True)
        if mine != other:
            report.note(f"{name}: the two disagree ({len(mine)} and {len(other)} instances)")
        ours = micros(lambda rule=rule: list(rule.starts(start, low, high)))  # type: ignore[misc]
        theirs = micros(lambda text=text: rrulestr(text, dtstart=start).between(low, high, inc=True))  # type: ignore[misc]
        what = f"{name} ({len(mine)} instances)"
        bare = micros(lambda rule=rule: [*rule.walls(first, begin, end + 1)])  # type: ignore[misc]
        report.add(Line(f"{what}, as the store keeps it", bare, theirs, "µs", "python-dateutil", aim=aim))
        report.add(Line(f"{what}, datetimes", ours, theirs, "µs", "python-dateutil"))
