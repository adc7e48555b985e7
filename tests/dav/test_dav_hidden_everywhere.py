"""Whatever somebody may see, no answer of CalDAV's holds a word of what they may not (RFC 4324 §4.2, §10.12)."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from core_world import World, component
from dav_harness import DECLARED, Answer, Client, DavWorld, ics
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reports_world import WORK
from test_dav_free_busy import ask as ask_busy
from test_dav_hidden import NOTE
from test_dav_multiget import multiget
from test_dav_sync import sync, token_of

from kalends.core.access import rights
from kalends.core.writer import Writer
from kalends.ical.tree import Component, parse
from kalends.ical.zones import Zones
from kalends.store import objects
from kalends.store.base import Tx

MARY = "mary@example.com"
SECRET = re.compile(r"secret[a-z]+")
WHAT = (
    "*", "UID,SUMMARY", "DTSTART,DTEND", "UID,DTSTART,DTEND,DURATION,RECURRENCE-ID,RRULE", "LOCATION", "ATTENDEE",
    "PARAM(ATTENDEE,CN)", "VALARM", "UID,VALARM.DESCRIPTION", "CLASS", "X-FOO,COMMENT",
)  # fmt: skip
WHERE = (
    "",
    "",
    " WHERE CLASS = 'PUBLIC'",
    " WHERE CLASS IS NULL",
    " WHERE RRULE IS NOT NULL",
    " WHERE ATTENDEE = SELF()",
)
scopes = st.builds(
    lambda what, where: f"SELECT {what} FROM VEVENT{where}", st.sampled_from(WHAT), st.sampled_from(WHERE)
)
grants = st.lists(st.tuples(st.sampled_from(("GRANT", "GRANT", "DENY")), scopes), min_size=1, max_size=4)


def letters(number: int) -> str:
    return "".join(chr(ord("a") + int(digit)) for digit in f"{number:03}")


def written(number: int) -> str:
    """An event in which every text is a word that stands nowhere else."""
    word = letters(number)
    lines = [
        "BEGIN:VEVENT", f"UID:secretuid{word}", "DTSTAMP:20260101T000000Z",
        f"DTSTART:202603{10 + number:02}T090000Z", "DURATION:PT1H", f"SUMMARY:secretsummary{word}",
        f"LOCATION;X-P=secretparam{word}:secretlocation{word}", f"X-FOO:secretfoo{word}", f"COMMENT:secretcomment{word}",
        f"ATTENDEE;CN=secretcn{word}:mailto:{MARY}", f"ATTENDEE;CN=secretguest{word}:mailto:secretmail{word}@example.org",
    ]  # fmt: skip
    lines += ["CLASS:PUBLIC"] * (number % 3 == 0) + ["CLASS:PRIVATE"] * (number % 3 == 1)
    lines += ["RRULE:FREQ=DAILY;COUNT=3"] * (number % 2)
    lines += [
        "BEGIN:VALARM", "ACTION:DISPLAY", "TRIGGER:-PT15M", f"DESCRIPTION:secretalarm{word}", "END:VALARM",
        "END:VEVENT",
    ]  # fmt: skip
    return "\n".join(lines)


COUNT = 6


@pytest.fixture
def shelf(world: DavWorld) -> DavWorld:
    bill = world.client()
    for number in range(COUNT):
        assert bill.put(f"{WORK}{number}.ics", ics(written(number))).status == 201
        assert (
            bill(
                "PROPPATCH", f"{WORK}{number}.ics", NOTE.replace("lawyer", f"secretnote{letters(number)}")
            ).status
            == 207
        )
    return world


def grant(world: World, given_rights: list[tuple[str, str]]) -> None:
    """Put one VCAR where it was, with a list of calendars that shows this one."""
    vcar = component("VCAR", "CARID:test")
    for label, scope in [("GRANT", "SELECT CALID,NAME FROM VAGENDA"), *given_rights]:
        vcar.items.append(component("VRIGHT", f"{label}:{MARY}\nPERMISSION:SEARCH\nSCOPE:{scope}"))

    def work(tx: Tx) -> None:
        writer = Writer(tx, world.root, (world.calendar.calendar_id,))
        for row in objects.by_uid(tx, world.calendar.calendar_id, "test", "BOOKED", "VCAR"):
            writer.forget(row)
        writer.insert(world.calendar.calendar_id, Component("VCALENDAR", [vcar]), kind="VCAR", uid="test")

    world.store.write(work)


def seen(world: World) -> set[str]:
    """The words in what is left of each component, and the notes of what is left whole."""

    def work(tx: Tx) -> set[str]:
        sight = rights.sight(tx, world.mary, world.calendar.calendar_id)
        words: set[str] = set()
        for row in objects.every(tx, world.calendar.calendar_id, kind="VEVENT", state="BOOKED"):
            whole = parse(row.ics)
            for part in whole.children("VEVENT"):
                left = sight.of(part, zones=Zones(whole))
                words.update(SECRET.findall("" if left is None else left.to_ics().replace("\r\n ", "")))
                if left is part:
                    words.add(f"secretnote{letters(int(row.name[0]))}")
        return words

    return world.store.read(work)


def answers(mary: Client, token: str) -> Iterator[Answer]:
    """Everything that can be asked."""
    data = "<D:getetag/><C:calendar-data/>"
    expand = '<C:calendar-data><C:expand start="20260301T000000Z" end="20260401T000000Z"/></C:calendar-data>'
    match = '<C:text-match collation="i;ascii-casemap">secret</C:text-match>'
    conditions = [
        "", '<C:comp-filter name="VEVENT"/>',
        '<C:comp-filter name="VEVENT"><C:time-range start="20260301T000000Z" end="20260401T000000Z"/></C:comp-filter>',
        *(
            f'<C:comp-filter name="VEVENT"><C:prop-filter name="{name}">{match}</C:prop-filter></C:comp-filter>'
            for name in ("SUMMARY", "LOCATION", "X-FOO", "ATTENDEE")
        ),
        '<C:comp-filter name="VEVENT"><C:comp-filter name="VALARM"/></C:comp-filter>',
    ]  # fmt: skip
    for condition in conditions:
        for prop in (data, expand):
            body = (
                f'<C:calendar-query{DECLARED}><D:prop>{prop}</D:prop><C:filter><C:comp-filter name="VCALENDAR">'
                f"{condition}</C:comp-filter></C:filter></C:calendar-query>"
            )
            yield mary("REPORT", WORK, body, depth="1")
    members = [f"{WORK}{number}.ics" for number in range(COUNT)]
    yield multiget(mary, *members)
    yield sync(mary, prop=data)
    yield sync(mary, token, prop=data)
    yield mary.propfind(WORK, depth="1")
    yield mary("PROPFIND", WORK, f"<D:propfind{DECLARED}><D:propname/></D:propfind>", depth="1")
    yield mary("GET", WORK, query="export")
    yield ask_busy(mary)
    for member in members:
        yield mary("GET", member)
        yield mary("GET", member, if_match='"x"')
        yield mary.put(member, ics(written(9)), prefer="return=representation", if_match='"x"')
        yield mary("DELETE", member)
        yield mary("COPY", member, destination=f"{WORK}0.ics", overwrite="F")


@given(grants)
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_answer_holds_a_word_of_what_is_hidden(
    shelf: DavWorld, given_rights: list[tuple[str, str]]
) -> None:
    grant(shelf, given_rights)
    mary = shelf.client("mary")
    words = seen(shelf)
    own = set(SECRET.findall(written(9)))
    told: set[str] = set()
    for answer in answers(mary, token_of(sync(mary))):
        text = answer.text.replace("\r\n ", "").replace("\n ", "")
        told.update(SECRET.findall(text))
        assert set(SECRET.findall(f"{text} {answer.headers}")) - own <= words
    assert {word for word in words if not word.startswith("secretnote")} <= told
