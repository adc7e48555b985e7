"""Whatever somebody may see, no SEARCH answers a word of what they may not (RFC 4324 §4.2, §10.12)."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from core_world import STORE, World, calendar, component
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kalends.core.access import rights
from kalends.core.errors import KalendsError
from kalends.core.writer import Writer
from kalends.ical.tree import Component, parse
from kalends.ical.zones import Zones
from kalends.store import objects
from kalends.store.base import Tx

MARY = "mary@example.com"
SECRET = re.compile(r"secret[a-z]+")
WHAT = {
    "VEVENT": (
        "*", "UID,SUMMARY", "DTSTART,DTEND,DURATION", "UID,DTSTART,DTEND,DURATION,RECURRENCE-ID,RRULE", "LOCATION",
        "ATTENDEE", "PARAM(ATTENDEE,CN)", "VALARM", "UID,VALARM.DESCRIPTION", "X-FOO,COMMENT",
    ),
    "VTODO": ("*", "SUMMARY", "UID"),
    "VAGENDA": ("*", "NAME", "CALID,NAME", "OWNER", "VTODO"),
    "VQUERY": ("*", "QUERYID"),
    "VCAR": ("*", "CARID", "NAME"),
    "VALARM": ("*", "DESCRIPTION"),
}  # fmt: skip
WHERE = ("", "", "", " WHERE CLASS = 'PUBLIC'", " WHERE CLASS IS NULL", " WHERE STATE() = 'DELETED'")
scopes = st.sampled_from(sorted(WHAT)).flatmap(
    lambda kind: st.builds(
        lambda what, where: f"SELECT {what} FROM {kind}{where if kind in ('VEVENT', 'VTODO') else ''}",
        st.sampled_from(WHAT[kind]),
        st.sampled_from(WHERE),
    )
)
grants = st.lists(st.tuples(st.sampled_from(("GRANT", "GRANT", "DENY")), scopes), min_size=1, max_size=5)


def written(number: int) -> str:
    """An event or to-do in which every text is a word that stands nowhere else."""
    word = chr(ord("a") + number)
    kind = "VTODO" if number % 4 == 3 else "VEVENT"
    return "\n".join((
        f"BEGIN:{kind}", f"UID:secretuid{word}", "DTSTAMP:20260101T000000Z", f"DTSTART:202603{10 + number}T090000Z",
        "DURATION:PT1H", f"SUMMARY:secretsummary{word}", f"LOCATION;X-P=secretparam{word}:secretlocation{word}",
        f"X-FOO:secretfoo{word}", f"COMMENT:secretcomment{word}", f"ATTENDEE;CN=secretcn{word}:mailto:{MARY}",
        *["CLASS:PUBLIC"] * (number % 3 == 0), *["CLASS:PRIVATE"] * (number % 3 == 1),
        *["RRULE:FREQ=DAILY;COUNT=3"] * (number % 2),
        "BEGIN:VALARM", "ACTION:DISPLAY", "TRIGGER:-PT15M", f"DESCRIPTION:secretalarm{word}", "END:VALARM",
        f"END:{kind}",
    ))  # fmt: skip


@pytest.fixture
def shelf(world: World) -> World:
    """Events, to-dos, one of them in the trash, a stored query and a name."""
    query = "BEGIN:VQUERY\nQUERYID:secretquery\nNAME:secretqname\nQUERY:SELECT * FROM VEVENT WHERE SUMMARY = 'secrettext'\nEND:VQUERY"
    made = world.create(calendar(*map(written, range(8)), query))
    assert [one.error for one in made] == [None] * 9
    world.delete("SELECT * FROM VEVENT WHERE UID = 'secretuidg'", mark=True)
    world.modify("SELECT * FROM VAGENDA", "", "NAME:secretname", kind="VAGENDA")
    return world


def grant(world: World, given_rights: list[tuple[str, str]]) -> None:
    """Put one VCAR where it was, without asking anybody."""
    vcar = component("VCAR", "CARID:test\nNAME:secretcar")
    for label, scope in given_rights:
        vcar.items.append(component("VRIGHT", f"{label}:{MARY}\nPERMISSION:SEARCH\nSCOPE:{scope}"))

    def work(tx: Tx) -> None:
        writer = Writer(tx, world.root, (world.calendar.calendar_id,))
        for row in objects.by_uid(tx, world.calendar.calendar_id, "test", "BOOKED", "VCAR"):
            writer.forget(row)
        writer.insert(world.calendar.calendar_id, Component("VCALENDAR", [vcar]), kind="VCAR", uid="test")

    world.store.write(work)


def seen(world: World) -> set[str]:
    """The words in what is left of each component."""

    def work(tx: Tx) -> set[str]:
        sight = rights.sight(tx, world.mary, world.calendar.calendar_id)
        words: set[str] = set()
        for row in objects.every(tx, world.calendar.calendar_id):
            whole = parse(row.ics)
            for part in whole.components:
                left = sight.of(part, state=row.state, method=row.method, zones=Zones(whole))
                words.update(SECRET.findall("" if left is None else left.to_ics().replace("\r\n ", "")))
        return words

    return world.store.read(work)


QUERIES = (
    *(f"SELECT {what} FROM {kind}" for kind in ("VEVENT", "VTODO", "VCALENDAR", "VALARM", "VQUERY", "VCAR") for what in ("*",)),
    "SELECT UID,SUMMARY,LOCATION,VALARM FROM VEVENT", "SELECT PARAM(ATTENDEE,CN) FROM VEVENT",
    "SELECT * FROM VEVENT WHERE STATE() = 'DELETED'", "SELECT * FROM VAGENDA", "SELECT *.* FROM VAGENDA",
    "SELECT VEVENT FROM VAGENDA", "SELECT VEVENT.SUMMARY FROM VAGENDA", "SELECT * FROM X-KALENDS-CHANGE",
    "SELECT * FROM VEVENT WHERE SUMMARY LIKE '%secret%'", "SELECT * FROM VEVENT WHERE VALARM.DESCRIPTION LIKE '%secret%'",
    "SELECT UID FROM VEVENT WHERE LOCATION IS NULL", "SELECT * FROM VFREEBUSY", "SELECT * FROM VTIMEZONE",
)  # fmt: skip


def answers(world: World) -> Iterator[str]:
    """All that can be found in the calendar, and in the store that holds it."""
    for target in (world.calendar, STORE):
        for query in QUERIES:
            for expand in (False, True):
                try:
                    found = world.answer(query, target, world.mary, expand=expand).found
                except KalendsError as error:
                    yield str(error)
                    continue
                for one in found:
                    yield "".join(
                        item.to_ics() if isinstance(item, Component) else item.raw for item in one.items
                    )


@given(grants)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_answer_holds_a_word_of_what_is_hidden(shelf: World, given_rights: list[tuple[str, str]]) -> None:
    grant(shelf, given_rights)
    words = seen(shelf)
    told: set[str] = set()
    for text in answers(shelf):
        told.update(SECRET.findall(text.replace("\r\n ", "")))
        assert told <= words, text
    assert words <= told
