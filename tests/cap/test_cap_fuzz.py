"""Any sequence of valid and broken commands is answered, breaks nothing, and leaves the store free of contradictions."""

from __future__ import annotations

import pytest
from cap_harness import POLICY, Pair, command, furnish, query
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kalends.core import conflict
from kalends.store.base import Store
from kalends.store.maintenance import check
from kalends.store.open import open_store

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


@st.composite
def queries(draw: st.DrawFn) -> tuple[str, ...]:
    kind, where = draw(st.sampled_from(KINDS)), draw(st.sampled_from(WHERES))
    select = draw(st.sampled_from(("*", "UID", "*.*", "DTSTART,SUMMARY", "VALARM")))
    text = f"SELECT {select} FROM {kind}" + (f" WHERE {where}" if where else "")
    lines = query(text, expand=draw(st.booleans()))
    if draw(st.integers(0, 5)) == 0:
        lines = (lines[0], f"TARGET:{draw(st.sampled_from(CALENDARS))}", *lines[1:])
    return lines


@st.composite
def components(draw: st.DrawFn) -> tuple[str, ...]:
    kind = draw(
        st.sampled_from(("VEVENT", "VEVENT", "VEVENT", "VTODO", "VJOURNAL", "VAGENDA", "VCAR", "VQUERY"))
    )
    uid = draw(st.sampled_from(UIDS))
    if kind == "VAGENDA":
        return ("BEGIN:VAGENDA", *draw(st.lists(st.sampled_from(AGENDA), max_size=5)), "END:VAGENDA")
    if kind == "VQUERY":
        return ("BEGIN:VQUERY", f"QUERYID:{uid}", "QUERY:SELECT * FROM VEVENT", "END:VQUERY")
    if kind == "VCAR":
        right = (
            "BEGIN:VRIGHT",
            "GRANT:mary@example.com",
            "PERMISSION:SEARCH",
            "SCOPE:SELECT * FROM VEVENT",
            "END:VRIGHT",
        )
        return ("BEGIN:VCAR", f"CARID:{uid}", *right, "END:VCAR")
    lines = draw(st.lists(st.sampled_from(LINES), max_size=5))
    return (f"BEGIN:{kind}", f"UID:{uid}", f"DTSTART:{draw(st.sampled_from(TIMES))}", *lines, f"END:{kind}")


@st.composite
def commands(draw: st.DrawFn) -> str:
    verb = draw(
        st.sampled_from(
            ("CREATE", "CREATE", "CREATE", "SEARCH", "MODIFY", "DELETE", "MOVE", "IDENTIFY", "SET-LOCALE",
             "GENERATE-UID", "GET-CAPABILITY", "ABORT", "CONTINUE", "REPLY", "FLY")
        )
    )  # fmt: skip
    options = {
        "DELETE": ("", "", "MARK", "BURN"),
        "IDENTIFY": ("", "mary@example.com", "root@example.com", "@"),
        "SET-LOCALE": ("", "de_DE.UTF-8", "ja", "th_TH.X", "..", "POSIX"),
        "GENERATE-UID": ("1", "0", "x"),
    }.get(verb, ("", "MARK"))
    option = draw(st.sampled_from(options))
    language = draw(st.sampled_from(("", "", "", ";LOCALIZE=fr", ";LOCALIZE=xx")))
    cmd = (
        f"CMD;ID={draw(st.integers(0, 9))}{language}" + (f";OPTIONS={option}" if option else "") + f":{verb}"
    )
    body: tuple[str, ...] = ()
    if verb == "CREATE":
        method = draw(
            st.sampled_from(("", "", "METHOD:REQUEST", "METHOD:PUBLISH", "METHOD:CANCEL", "METHOD:X"))
        )
        body = ((method,) if method else ()) + sum(draw(st.lists(components(), min_size=1, max_size=2)), ())
    elif verb in ("SEARCH", "DELETE", "MOVE"):
        body = draw(queries())
    elif verb == "MODIFY":
        old, new = draw(components()), draw(components())
        body = (*draw(queries()), *(old if draw(st.booleans()) else (old[0], "SUMMARY:Tea", old[-1])), *new)
    targets = tuple(draw(st.lists(st.sampled_from(CALENDARS), max_size=2)))
    return damaged(draw, command(cmd, *body, targets=targets))


def damaged(draw: st.DrawFn, text: str) -> str:
    """Now and then a piece is missing, doubled, or something else."""
    if draw(st.integers(0, 7)):
        return text
    at = draw(st.integers(0, len(text)))
    size = draw(st.integers(0, 30))
    way = draw(st.sampled_from(("cut", "double", "noise")))
    piece = {"cut": "", "double": text[at : at + size] * 2, "noise": draw(st.text(max_size=10))}[way]
    return text[:at] + piece + text[at + size :]


def play(store: Store, sequence: list[tuple[str, bool]]) -> None:
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


SEQUENCES = st.lists(st.tuples(commands(), st.booleans()), min_size=1, max_size=12)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
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
