"""Random events that random queries like to meet."""

from __future__ import annotations

import random

from hypothesis import strategies as st

from calquery.query_strategies import DATES, DURATIONS, TEXTS
from kalends.ical.tree import Component, Line
from kalends.ical.values import escape_text

TEXT_PROPERTIES = ("SUMMARY", "CLASS", "UID", "X-FOO", "COMMENT")
LOCAL = ("20000101T003000", "19991231T230000", "20000102T000000", "20000101T120000")
PARAM_VALUES = ("ACCEPTED", "accepted", "REQ-PARTICIPANT", "x", "a,b", "", "ß", "business")


def text_lines() -> st.SearchStrategy[Line]:
    return st.builds(
        lambda name, text: Line.make(name, escape_text(text)),
        st.sampled_from(TEXT_PROPERTIES),
        st.sampled_from(TEXTS),
    )


def category_lines() -> st.SearchStrategy[Line]:
    values = st.lists(st.sampled_from(TEXTS), min_size=1, max_size=3)
    return values.map(lambda texts: Line.make("CATEGORIES", ",".join(escape_text(text) for text in texts)))


def attendee_lines() -> st.SearchStrategy[Line]:
    params = st.lists(
        st.tuples(
            st.sampled_from(("PARTSTAT", "ROLE", "CN", "X-P", "MEMBER")),
            st.lists(st.sampled_from(PARAM_VALUES), min_size=1, max_size=2).map(tuple),
        ),
        max_size=2,
    )
    return st.builds(
        lambda name, value, given: Line.make(name, value, tuple(given)),
        st.sampled_from(("ATTENDEE", "X-FOO")),
        st.sampled_from(("mailto:x@example.com", "x", "X", "mailto:BUSINESS")),
        params,
    )


def date_lines() -> st.SearchStrategy[Line]:
    zoned = st.sampled_from(("20000101T003000", "19991231T230000", "20000102T000000"))
    berlin = (("TZID", ("Europe/Berlin",)),)
    return st.one_of(
        st.builds(Line.make, st.sampled_from(("DTSTART", "DTEND", "RECURRENCE-ID")), st.sampled_from(DATES)),
        st.builds(Line.make, st.sampled_from(("DTSTART", "DTEND")), zoned),
        st.builds(lambda value: Line.make("DTSTART", value, berlin), zoned),
        st.builds(Line.make, st.just("DTSTAMP"), st.sampled_from((*DATES, "", "never"))),
        st.builds(Line.make, st.just("DURATION"), st.sampled_from((*DURATIONS, "soon"))),
    )


def number_lines() -> st.SearchStrategy[Line]:
    return st.builds(
        Line.make,
        st.sampled_from(("PRIORITY", "SEQUENCE")),
        st.sampled_from(("0", "1", "5", "+5", "-1", "", "x")),
    )


def alarms() -> st.SearchStrategy[Component]:
    lines = st.one_of(
        st.builds(
            Line.make, st.just("TRIGGER"), st.sampled_from((*DURATIONS, "20000101T120000Z", "20000101"))
        ),
        st.builds(Line.make, st.just("REPEAT"), st.sampled_from("0123")),
        st.builds(Line.make, st.just("ACTION"), st.sampled_from(("x", "BUSINESS", "AUDIO"))),
        st.builds(lambda t: Line.make("DESCRIPTION", escape_text(t)), st.sampled_from(TEXTS)),
        st.just(Line.make("TRIGGER", "PT1H", (("RELATED", ("END",)),))),
    )
    return st.lists(lines, max_size=4).map(lambda found: Component("VALARM", list(found)))


def objects() -> st.SearchStrategy[Component]:
    lines = st.one_of(text_lines(), category_lines(), attendee_lines(), date_lines(), number_lines())
    return st.builds(
        lambda own, inner: Component("VEVENT", [*own, *inner]),
        st.lists(lines, max_size=8),
        st.lists(alarms(), max_size=3),
    )


def crowd(seed: int, size: int) -> list[Component]:
    """Many events, rich in properties, the same for the same seed: to try many queries on."""
    pick = random.Random(seed)
    return [_event(pick, number) for number in range(size)]


def _event(pick: random.Random, number: int) -> Component:
    event = Component("VEVENT")
    event.add("UID", escape_text(f"u{number}" if number % 3 else pick.choice(TEXTS) + str(number)))
    for name in ("SUMMARY", "CLASS", "X-FOO", "COMMENT", "COMMENT"):
        if pick.random() < 0.5:
            event.add(name, escape_text(pick.choice(TEXTS)))
    if pick.random() < 0.6:
        event.add("CATEGORIES", ",".join(escape_text(pick.choice(TEXTS)) for _ in range(pick.randint(1, 3))))
    for _ in range(pick.choice((0, 0, 1, 2))):
        params = [
            (p, (pick.choice(PARAM_VALUES),)) for p in ("PARTSTAT", "ROLE", "CN") if pick.random() < 0.4
        ]
        event.add("ATTENDEE", pick.choice(("mailto:x@example.com", "x", "X", "mailto:BUSINESS")), *params)
    if pick.random() < 0.8:
        zone = ("TZID", (pick.choice(("Europe/Berlin", "America/New_York")),))
        event.items.append(
            pick.choice(
                (Line.make("DTSTART", pick.choice(DATES)), Line.make("DTSTART", pick.choice(LOCAL), (zone,)))
            )
        )
    end = pick.choice(("", "DTEND", "DURATION"))
    if end:
        event.add(end, pick.choice(DURATIONS if end == "DURATION" else DATES + LOCAL))
    for name in ("DTSTAMP", "RECURRENCE-ID"):
        if pick.random() < 0.3:
            event.add(name, pick.choice((*DATES, "", "never")))
    for name in ("PRIORITY", "SEQUENCE"):
        if pick.random() < 0.6:
            event.add(name, pick.choice(("0", "1", "5", "+5", "-1", "", "x")))
    event.items += [_alarm(pick) for _ in range(pick.choice((0, 1, 1, 2)))]
    return event


def _alarm(pick: random.Random) -> Component:
    alarm = Component("VALARM")
    if pick.random() < 0.8:
        related = ("RELATED", (pick.choice(("START", "END")),))
        alarm.add("TRIGGER", pick.choice((*DURATIONS, "20000101T120000Z", "20000101")), related)
    if pick.random() < 0.5:
        alarm.add("REPEAT", pick.choice("0123"))
    if pick.random() < 0.6:
        alarm.add("ACTION", pick.choice(("x", "BUSINESS", "AUDIO")))
    if pick.random() < 0.5:
        alarm.add("DESCRIPTION", escape_text(pick.choice(TEXTS)))
    return alarm
