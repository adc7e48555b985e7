"""Any sequence of valid and broken commands is answered, breaks nothing, and leaves the store free of contradictions."""

from __future__ import annotations

import os

import pytest
from cap_harness import POLICY, UTC, Pair, command, furnish, query
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kalends.core import containers, ledger
from kalends.core.conflicts import conflict
from kalends.core.errors import NotFoundError
from kalends.ical.tree import parse
from kalends.store.base import Store, Tx
from kalends.store.maintenance import check
from kalends.store.open import open_store

TIMES_MORE = max(1, int(os.environ.get("KALENDS_FUZZ", "1")) // 60)
CALENDARS = (
    "relcalz1",
    "relcalz2",
    "bob/calendar",
    "mary/calendar",
    "fresh",
    "nowhere",
    "cap://cal.example.com",
    "",
)
UIDS = ("a", "b", "c", "ä,;\\\\")
KINDS = ("VEVENT", "VTODO", "VJOURNAL", "VAGENDA", "VCAR", "VQUERY", "VCALENDAR", "X-KALENDS-CHANGE")
TIMES = (
    "20260105T100000Z", "20260105T100000", "20260105", "20260329T023000", "99991231T235959Z", "00010101",
    "20260230", "soon",
)  # fmt: skip
LINES = (
    "RRULE:FREQ=DAILY", "RRULE:FREQ=WEEKLY;COUNT=3", "RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29", "RRULE:FREQ=NEVER",
    "EXDATE:20260106T100000Z", "RDATE:20260201T100000Z", "RECURRENCE-ID:20260106T100000Z", "SUMMARY:Tea",
    "SUMMARY;LANGUAGE=de:Tee", "TRANSP:TRANSPARENT-NOCONFLICT", "TRANSP:OPAQUE-NOCONFLICT", "STATUS:CANCELLED",
    "DTEND:20260105T110000Z", "DTEND:20260104T110000Z", "DURATION:PT1H", "DURATION:P1000000W", "CLASS:PRIVATE",
    "ORGANIZER:mailto:bob@example.com", "ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:mary@example.com", "SEQUENCE:1",
    "SEQUENCE:-1", "DTSTAMP:20260101T000000Z", "GEO:1;2", "GEO:x", "BEGIN:VALARM", "END:VALARM", "TRIGGER:-PT5M",
    "ACTION:DISPLAY", "X-A:1", "X-KALENDS-TICK:5", "no line at all", ":", "ATTACH;ENCODING=BASE64;VALUE=BINARY:!",
    "DTSTART;TZID=Europe/Berlin:20260105T100000", "DTSTART;TZID=Nowhere:20260105T100000", "ALLOW-CONFLICT:FALSE",
)  # fmt: skip
AGENDA = (
    "CALID:fresh", "CALID:relcalz1", "CALID:../x", "OWNER:bob@example.com", "OWNER:nobody@example.com",
    "DEFAULT-TZID:UTC", "DEFAULT-TZID:Nowhere", "NAME:Mine", "NAME;LANGUAGE=de:Meins", "CALSCALE:GREGORIAN",
    "ALLOW-CONFLICT:FALSE", "ALLOW-CONFLICT:TRUE",
)  # fmt: skip
WHERES = (
    "UID = 'a'", "UID = 'b'", "UID IS NOT NULL", "DTSTART >= '20260101T000000Z' AND DTSTART < '20270101T000000Z'",
    "SUMMARY LIKE '%e%'", "STATE() = 'DELETED'", "STATE() = 'UNPROCESSED'", "STATE() = 'BOOKED'", "CALID = 'relcalz1'",
    "X-KALENDS-TICK > '3'", "CAL-OWNERS()", "CARID = 'READBUSYTIMEINFO'", "DTSTART > 'soon'", "(UID = 'a'", "",
)  # fmt: skip


GOOD_LINES = (
    "RRULE:FREQ=DAILY", "RRULE:FREQ=WEEKLY;COUNT=3", "EXDATE:20260106T100000Z", "RDATE:20260201T100000Z",
    "SUMMARY:Tea", "TRANSP:TRANSPARENT-NOCONFLICT", "TRANSP:OPAQUE-NOCONFLICT", "STATUS:CANCELLED", "DURATION:PT1H",
    "CLASS:PRIVATE", "SEQUENCE:1", "GEO:1;2", "LOCATION:Kitchen", "X-A:1",
)  # fmt: skip
PROPERTIES = ("SUMMARY", "SUMMARY", "DTSTART", "LOCATION", "RRULE", "TRANSP", "CLASS", "DURATION")
VALUES = {
    "SUMMARY": ("Tea", "Coffee"), "DTSTART": TIMES[:3], "LOCATION": ("Kitchen", "Hall"),
    "RRULE": ("FREQ=DAILY", "FREQ=WEEKLY;COUNT=3"), "TRANSP": ("OPAQUE-NOCONFLICT", "TRANSPARENT"),
    "CLASS": ("PUBLIC", "PRIVATE"), "DURATION": ("PT1H", "P1D"),
}  # fmt: skip


def mostly(good: st.SearchStrategy[str], bad: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Four good ones to a bad one."""
    return st.one_of(good, good, good, good, bad)


TARGETS = mostly(st.sampled_from(CALENDARS[:3]), st.sampled_from(CALENDARS))
BY_UID = st.sampled_from([f"UID = '{uid}'" for uid in UIDS[:3]])


@st.composite
def queries(draw: st.DrawFn, *, source: bool = False) -> tuple[str, ...]:
    kind = draw(mostly(st.just("VEVENT"), st.sampled_from(KINDS)))
    where = draw(mostly(BY_UID, st.sampled_from(WHERES)))
    select = draw(mostly(st.just("*"), st.sampled_from(("UID", "*.*", "DTSTART,SUMMARY", "VALARM"))))
    text = f"SELECT {select} FROM {kind}" + (f" WHERE {where}" if where else "")
    lines = query(text, expand=draw(st.integers(0, 5)) == 0)
    if source or draw(st.integers(0, 9)) == 0:
        lines = (lines[0], f"TARGET:{draw(TARGETS)}", *lines[1:])
    return lines


@st.composite
def components(draw: st.DrawFn) -> tuple[str, ...]:
    kind = draw(
        mostly(st.just("VEVENT"), st.sampled_from(("VTODO", "VJOURNAL", "VAGENDA", "VCAR", "VQUERY")))
    )
    uid = draw(st.sampled_from(UIDS))
    if kind == "VAGENDA":
        return ("BEGIN:VAGENDA", *draw(st.lists(st.sampled_from(AGENDA), max_size=5)), "END:VAGENDA")
    if kind == "VQUERY":
        return ("BEGIN:VQUERY", f"QUERYID:{uid}", "QUERY:SELECT * FROM VEVENT", "END:VQUERY")
    if kind == "VCAR":
        lines = ("GRANT:mary@example.com", "PERMISSION:*", "SCOPE:SELECT * FROM VEVENT")
        return ("BEGIN:VCAR", f"CARID:{uid}", "BEGIN:VRIGHT", *lines, "END:VRIGHT", "END:VCAR")
    fine = draw(st.integers(0, 4)) > 0
    lines = tuple(draw(st.lists(st.sampled_from(GOOD_LINES if fine else LINES), max_size=4, unique=True)))
    start = draw(st.sampled_from(TIMES[:3] if fine else TIMES))
    value = ";VALUE=DATE" if len(start) == 8 else ""
    return (
        f"BEGIN:{kind}", f"UID:{uid}", "DTSTAMP:20260101T000000Z", f"DTSTART{value}:{start}", *lines, f"END:{kind}",
    )  # fmt: skip


@st.composite
def changes(draw: st.DrawFn) -> tuple[str, ...]:
    """Old and new values of a MODIFY."""
    if draw(st.integers(0, 5)) == 0:
        return (*draw(components()), *draw(components()))
    names = draw(st.lists(st.sampled_from(PROPERTIES), min_size=1, max_size=2, unique=True))
    old = [f"{name}:{VALUES[name][0]}" for name in names if draw(st.integers(0, 3))]
    new = [f"{name}:{draw(st.sampled_from(VALUES[name]))}" for name in names if draw(st.integers(0, 5))]
    sides = ["BEGIN:VEVENT", *old, "END:VEVENT", "BEGIN:VEVENT", *new, "END:VEVENT"]
    return tuple(sides)


VERBS = (
    *(("CREATE",) * 6), *(("MODIFY",) * 4), *(("DELETE",) * 2), *(("MOVE",) * 3), "SEARCH", "SEARCH", "IDENTIFY",
    "SET-LOCALE", "GENERATE-UID", "GET-CAPABILITY", "ABORT", "CONTINUE", "REPLY", "FLY",
)  # fmt: skip
OPTIONS = {
    "DELETE": ("", "", "MARK", "BURN"),
    "IDENTIFY": ("", "", "mary@example.com", "root@example.com", "@"),
    "SET-LOCALE": ("", "de_DE.UTF-8", "ja", "th_TH.X", "..", "POSIX"),
    "GENERATE-UID": ("1", "0", "x"),
    "FLY": ("MARK",),
}
METHODS = mostly(
    st.just(""), st.sampled_from(("METHOD:REQUEST", "METHOD:PUBLISH", "METHOD:CANCEL", "METHOD:X"))
)


@st.composite
def commands(draw: st.DrawFn) -> str:
    verb = draw(st.sampled_from(VERBS))
    option = draw(st.sampled_from(OPTIONS.get(verb, ("",))))
    language = draw(st.sampled_from(("", "", "", ";LOCALIZE=fr", ";LOCALIZE=xx")))
    cmd = (
        f"CMD;ID={draw(st.integers(0, 9))}{language}" + (f";OPTIONS={option}" if option else "") + f":{verb}"
    )
    body: tuple[str, ...] = ()
    if verb == "CREATE":
        method = draw(METHODS)
        body = (method,) if method else ()
        for one in draw(st.lists(components(), min_size=1, max_size=2)):
            body += one
    elif verb in ("SEARCH", "DELETE", "MOVE"):
        body = draw(queries(source=verb == "MOVE"))
    elif verb == "MODIFY":
        body = (*draw(queries()), *draw(changes()))
    several = 1 if verb == "MOVE" or draw(st.integers(0, 4)) else 2
    targets = tuple(draw(st.lists(TARGETS, min_size=1, max_size=several)))
    return damaged(draw, command(cmd, *body, targets=targets))


def damaged(draw: st.DrawFn, text: str) -> str:
    """Now and then a piece is missing, doubled, or something else."""
    if draw(st.integers(0, 11)):
        return text
    at = draw(st.integers(0, len(text)))
    size = draw(st.integers(0, 30))
    way = draw(st.sampled_from(("cut", "double", "noise")))
    piece = {"cut": "", "double": text[at : at + size] * 2, "noise": draw(st.text(max_size=10))}[way]
    return text[:at] + piece + text[at + size :]


SEEDS = (("relcalz1", "a"), ("bob/calendar", "b"), ("relcalz2", "c"))
"""Where there is what at the beginning, so that commands find something."""


def _seed(tx: Tx, target: str, uid: str) -> None:
    keeper = containers.housekeeper(POLICY, UTC)
    lines = ("DTSTART:20260105T100000Z", "DURATION:PT1H", "SUMMARY:Tea", "LOCATION:Kitchen", "CLASS:PUBLIC")
    body = "".join(
        f"{line}\r\n"
        for line in ("BEGIN:VEVENT", f"UID:{uid}", "DTSTAMP:20260101T000000Z", *lines, "END:VEVENT")
    )
    whole = parse(f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{body}END:VCALENDAR\r\n")
    try:
        found = containers.resolve(tx, keeper, target)
    except NotFoundError:  # an earlier example may have removed the calendar
        return
    ledger.create(tx, keeper, found, whole)


def play(store: Store, sequence: list[tuple[str, bool]]) -> None:
    for target, uid in SEEDS:
        store.write(lambda tx, target=target, uid=uid: _seed(tx, target, uid))
    sessions = {False: Pair(store, "bob@example.com"), True: Pair(store, "mary@example.com")}
    for text, other in sequence:
        pair = sessions[other]
        if pair.wire.terminated or pair.channel not in pair.wire.channels:  # too many refused identities
            continue
        answer = pair.ask(text)
        assert answer.bodies
        for body in answer.bodies:
            assert body.startswith("BEGIN:VCALENDAR\r\n")
            assert body.endswith("END:VCALENDAR\r\n")
            assert "The server failed to execute this" not in body, f"a defect: {text}"
        assert not pair.cap.busy
    assert check(store) + conflict.findings(store, POLICY) == []


SEQUENCES = st.lists(
    st.tuples(commands(), st.sampled_from((False, False, False, True))), min_size=3, max_size=14
)


@settings(max_examples=60 * TIMES_MORE, deadline=None, suppress_health_check=list(HealthCheck))
@given(SEQUENCES)
def test_any_commands_leave_a_clean_store_on_sqlite(sequence: list[tuple[str, bool]]) -> None:
    store = open_store("sqlite:///:memory:")
    try:
        furnish(store)
        play(store, sequence)
    finally:
        store.close()


@pytest.fixture
def kept(postgres_store: Store) -> Store:
    """One store for all examples: making one takes longer than playing."""
    furnish(postgres_store)
    return postgres_store


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(sequence=SEQUENCES)
def test_any_commands_leave_a_clean_store_on_postgres(kept: Store, sequence: list[tuple[str, bool]]) -> None:
    play(kept, sequence)
