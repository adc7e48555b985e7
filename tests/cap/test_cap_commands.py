"""Verbs whose answers the RFC has no example for: dates out of range, point reads, stored queries, VQUERY forms."""

from __future__ import annotations

import pytest
from cap_harness import POLICY, UTC, Pair, command, event, query

from kalends.calquery.parse import parse
from kalends.cap.actions import Execute
from kalends.cap.messages import read_message
from kalends.cap.selections import MAX_QUERIES, is_point_read, selections_of
from kalends.cap.status import RefusalError
from kalends.core import containers
from kalends.core.access import decreeing
from kalends.core.model import Policy, Selection
from kalends.ical.tree import Component
from kalends.ical.tree import parse as parse_ics
from kalends.store.base import Store, Tx


@pytest.mark.parametrize(
    ("start", "code"), [("20400101T000000Z", "8.3"), ("19600101T000000Z", "8.4"), ("20260105T100000Z", "2.0")]
)
def test_dates_outside_of_the_stores_range(calendars: Store, start: str, code: str) -> None:
    """CRE-11: after MAXDATE 8.3, before MINDATE 8.4, and nothing is stored."""
    policy = Policy(csid=POLICY.csid, realm=POLICY.realm, min_date=0, max_date=2_000_000_000)
    pair = Pair(calendars, policy=policy)
    lines = ("BEGIN:VEVENT", "UID:far", "DTSTAMP:20260101T000000Z", f"DTSTART:{start}", "END:VEVENT")
    answer = pair.ask(command("CMD:CREATE", *lines, targets=("relcalz1",)))
    assert f"REQUEST-STATUS:{code}" in answer.text
    found = pair.ask(command("CMD:SEARCH", *query("SELECT UID FROM VEVENT"), targets=("relcalz1",)))
    assert ("UID:far" in found.text) == (code == "2.0")


@pytest.mark.parametrize(
    ("text", "expand", "point"),
    [
        ("SELECT * FROM VEVENT WHERE UID = 'x'", False, True),
        ("SELECT SUMMARY FROM VTODO WHERE UID = 'x' AND STATE() = 'BOOKED'", False, True),
        ("SELECT * FROM VEVENT WHERE UID = 'x'", True, False),
        ("SELECT * FROM VEVENT WHERE UID = 'x' OR SUMMARY = 'y'", False, False),
        ("SELECT * FROM VEVENT WHERE UID != 'x'", False, False),
        ("SELECT * FROM VEVENT", False, False),
        ("SELECT * FROM VFREEBUSY WHERE UID = 'x'", False, False),
    ],
)
def test_point_reads_are_known(text: str, expand: bool, point: bool) -> None:
    """Only what an index answers with one object may run in the loop."""
    assert is_point_read(Selection((parse(text),), expand=expand)) == point


def test_point_read_is_marked_for_the_shell(calendars: Store) -> None:
    pair = Pair(calendars, lazy=True)
    one = query("SELECT * FROM VEVENT WHERE UID = 'x'")
    pair.send(command("CMD:SEARCH", *one, targets=("relcalz1",)))
    pair.send(command("CMD:SEARCH", *one, targets=("relcalz1", "relcalz2")))
    pair.run()
    assert [action.quick for action in pair.actions if isinstance(action, Execute)] == [True, False]


def vqueries(*lines: str) -> Component:
    (request,) = read_message(command("CMD:SEARCH", *lines).replace("\n", "\r\n").encode())
    return request.vcalendar


def test_vquery_forms() -> None:
    """RFC 4324 §9.6: QUERYID and TARGET of a stored query, EXPAND, several QUERYs."""
    lines = ("BEGIN:VQUERY", "QUERYID:a\\, b", "TARGET:cal2", "EXPAND:true", "END:VQUERY")
    first, second = selections_of(vqueries(*lines, *query("SELECT * FROM VEVENT", "SELECT * FROM VTODO")))
    assert (first.query_id, first.container, first.expand, first.queries) == ("a, b", "cal2", True, ())
    assert [found.source for found in second.queries] == ["VEVENT", "VTODO"]


def test_target_in_a_vquery_is_the_place_of_a_stored_query() -> None:
    """QRY-30, A-55: beside a QUERY only MOVE knows it, as the source; a DELETE would hit another calendar."""
    lines = ("BEGIN:VQUERY", "TARGET:cal2", "QUERY:SELECT * FROM VEVENT", "END:VQUERY")
    for more in ((), ("QUERYID:x",)):
        with pytest.raises(RefusalError, match="needs a QUERYID"):
            selections_of(vqueries(lines[0], *more, *lines[1:]))
    (selection,) = selections_of(vqueries(*lines), moves=True)
    assert selection.container == "cal2"
    with pytest.raises(RefusalError, match="needs a QUERYID"):
        selections_of(vqueries(*lines), moves=True, strict=True)


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        ((), "6.3"),
        (("BEGIN:VQUERY", "END:VQUERY"), "6.3"),
        (("BEGIN:VQUERY", "EXPAND:MAYBE", "QUERY:SELECT * FROM VEVENT", "END:VQUERY"), "6.3"),
        (("BEGIN:VQUERY", "EXPAND:TRUE", "EXPAND:TRUE", "QUERY:SELECT * FROM VEVENT", "END:VQUERY"), "6.3"),
        (("BEGIN:VQUERY", "QUERY:SELECT", "END:VQUERY"), "6.3"),
        (query(*["SELECT * FROM VEVENT"] * (MAX_QUERIES + 1)), "8.1"),
        (query(*["SELECT * FROM VEVENT"] * 60) * 2, "8.1"),
        (query("SELECT * FROM VEVENT WHERE " + " AND ".join(["UID = 'x'"] * 20_000)), "8.1"),
    ],
)
def test_vquery_that_cannot_be_used(lines: tuple[str, ...], code: str) -> None:
    with pytest.raises(RefusalError) as caught:
        selections_of(vqueries(*lines))
    assert caught.value.status.code == code


def test_folds_that_glue_words_are_spaces_unless_strict() -> None:
    """A-30."""
    lines = ("BEGIN:VQUERY", "QUERY:SELECT UID", " FROM VEVENT", " WHERE UID = 'x'", "END:VQUERY")
    (selection,) = selections_of(vqueries(*lines))
    assert selection.queries[0].source == "VEVENT"
    with pytest.raises(RefusalError):
        selections_of(vqueries(*lines), strict=True)


def test_stored_query_is_searched_by_its_name(calendars: Store) -> None:
    """SEA, OBM-24: a VQUERY made by CREATE, named by QUERYID."""
    pair = Pair(calendars)
    stored = ("BEGIN:VQUERY", "QUERYID:mine", "QUERY:SELECT UID FROM VEVENT", "END:VQUERY")
    assert "QUERYID:mine" in pair.ask(command("CMD:CREATE", *stored, targets=("relcalz1",))).text
    pair.ask(command("CMD:CREATE", *event("here"), targets=("relcalz1",)))
    named = ("BEGIN:VQUERY", "QUERYID:mine", "END:VQUERY")
    assert "UID:here" in pair.ask(command("CMD:SEARCH", *named, targets=("relcalz1",))).text
    other = ("BEGIN:VQUERY", "QUERYID:unknown", "END:VQUERY")
    assert "REQUEST-STATUS:6." in pair.ask(command("CMD:SEARCH", *other, targets=("relcalz1",))).text


def test_delete_can_mark(pair: Pair) -> None:
    """DEL-02, OBM-08."""
    pair.ask(command("CMD:CREATE", *event("m"), targets=("relcalz1",)))
    one = query("SELECT * FROM VEVENT WHERE UID = 'm'")
    assert "UID:m" in pair.ask(command("CMD;OPTIONS=MARK:DELETE", *one, targets=("relcalz1",))).text
    seen = pair.ask(command("CMD:SEARCH", *query("SELECT UID FROM VEVENT"), targets=("relcalz1",))).text
    assert "UID:m" not in seen
    marked = query("SELECT UID FROM VEVENT WHERE STATE() = 'DELETED'")
    assert "UID:m" in pair.ask(command("CMD:SEARCH", *marked, targets=("relcalz1",))).text


def test_bare_contents_have_their_status_beside_them(pair: Pair) -> None:
    """A-22, RFC 4324 §6.1.1: `VALARM.*` comes without BEGIN and END."""
    alarm = ("BEGIN:VALARM", "ACTION:DISPLAY", "DESCRIPTION:x", "TRIGGER:-PT5M", "SEQUENCE:1", "END:VALARM")
    pair.ask(command("CMD:CREATE", *event("a", *alarm), targets=("relcalz1",)))
    bare = query("SELECT VALARM.* FROM VEVENT WHERE UID = 'a'")
    text = pair.ask(command("CMD:SEARCH", *bare, targets=("relcalz1",))).text
    assert "BEGIN:VALARM" not in text
    assert "TRIGGER:-PT5M\r\n" in text
    assert text.index("TRIGGER") < text.index("REQUEST-STATUS:2.0\r\n")


def test_MDF10_a_modify_that_fails_tells_every_reason(pair: Pair) -> None:
    for uid in ("p", "q"):
        pair.ask(command("CMD:CREATE", *event(uid, "SEQUENCE:1"), targets=("relcalz1",)))
    parts = (
        *query("SELECT * FROM VEVENT"),
        *("BEGIN:VEVENT", "SEQUENCE:1", "END:VEVENT"),
        *("BEGIN:VEVENT", "SEQUENCE:1", "SEQUENCE:2", "END:VEVENT"),
    )
    said = pair.ask(command("CMD:MODIFY", *parts, targets=("relcalz1",))).text
    assert said.count("REQUEST-STATUS:6.3;") == 2
    assert "UID:p" in said
    assert "UID:q" in said


def test_modify_over_two_targets_is_all_or_nothing(pair: Pair) -> None:
    """A-62, MDF-10: one of the two does not hold the old values."""
    pair.ask(command("CMD:CREATE", *event("t", "LOCATION:a"), targets=("relcalz1",)))
    parts = (
        *query("SELECT * FROM VEVENT WHERE UID = 't'"),
        *("BEGIN:VEVENT", "LOCATION:a", "END:VEVENT"),
        *("BEGIN:VEVENT", "LOCATION:b", "END:VEVENT"),
    )
    nobody = pair.ask(command("CMD:MODIFY", *parts, targets=("relcalz1", "nowhere")))
    assert nobody.kind == "ANS"
    assert all("REQUEST-STATUS:6.1;" in body for body in nobody.bodies)
    look = command("CMD:SEARCH", *query("SELECT LOCATION FROM VEVENT"), targets=("relcalz1",))
    assert "LOCATION:a" in pair.ask(look).text
    assert "REQUEST-STATUS:2.0" in pair.ask(command("CMD:MODIFY", *parts, targets=("relcalz1",))).text
    assert "LOCATION:b" in pair.ask(look).text


def test_ACL26_who_is_invited_from_elsewhere_and_cannot_answer_is_told(pair: Pair) -> None:
    """RFC 4324 §14: the booking is done, and its reply warns of cap: addresses without a UPN here."""
    people = (
        "cap://elsewhere.example.org/ann",
        "cap://cal.example.com/mary/calendar",
        "mailto:x@example.org",
    )
    made = event("far", *(f"ATTENDEE:{one}" for one in people))
    said = pair.ask(command("CMD:CREATE", *made, targets=("relcalz1",))).text
    (status,) = (
        line for line in said.replace("\r\n ", "").split("\r\n") if line.startswith("REQUEST-STATUS")
    )
    assert status == (
        "REQUEST-STATUS:2.0;done\\, but may be unable to answer from elsewhere: cap://elsewhere.example.org/ann"
    )
    spoken = command(
        "CMD;LOCALIZE=de:CREATE", *event("deutsch", f"ATTENDEE:{people[0]}"), targets=("relcalz1",)
    )
    assert "REQUEST-STATUS;LANGUAGE=de:2.0;erledigt" in pair.ask(spoken).text


@pytest.mark.parametrize("verb", ["CREATE", "SEARCH", "MODIFY", "DELETE", "MOVE"])
def test_ACL22_what_may_not_be_seen_is_answered_as_what_is_not_there(
    calendars: Store, pair: Pair, verb: str
) -> None:
    """RFC 4324 §10.12: octet for octet."""
    for carid in ("READBUSYTIMEINFO", "REQUESTONLY", "UPDATEPARTSTATUS"):
        gone = query(f"SELECT * FROM VCAR WHERE CARID = '{carid}'")
        assert "REQUEST-STATUS:2.0" in pair.ask(command("CMD:DELETE", *gone, targets=("relcalz1",))).text
    mary = Pair(calendars, "mary@example.com")
    bodies = {
        "CREATE": event("x"),
        "MOVE": query("SELECT * FROM VEVENT WHERE UID = 'x' AND CALID = 'mary/calendar'"),
        "MODIFY": (
            *query("SELECT * FROM VEVENT WHERE UID = 'x'"),
            *("BEGIN:VEVENT", "LOCATION:a", "END:VEVENT", "BEGIN:VEVENT", "LOCATION:b", "END:VEVENT"),
        ),
    }
    body = bodies.get(verb, query("SELECT * FROM VEVENT WHERE UID = 'x'"))
    told = {}
    for target in ("relcalz1", "relcalz9"):
        answer = mary.ask(command(f"CMD:{verb}", *body, targets=(target,)))
        told[target] = (answer.kind, answer.text.replace(target, "?"))
    assert told["relcalz1"] == told["relcalz9"]
    assert "REQUEST-STATUS:6.1" in told["relcalz1"][1]


def test_ACL11_a_decree_refuses_in_the_octets_of_every_other_refusal(calendars: Store, pair: Pair) -> None:
    """RFC 4324 §4.2.3: nobody learns from a refusal whether a right is missing, denied, or decreed away."""
    sees = (
        "BEGIN:VCAR", "CARID:sees", "BEGIN:VRIGHT", "GRANT:mary@example.com", "PERMISSION:SEARCH",
        "SCOPE:SELECT * FROM VEVENT", "END:VRIGHT", "END:VCAR",
    )  # fmt: skip
    law = (
        "BEGIN:VCAR", "CARID:LAW", "BEGIN:VRIGHT", "DENY:mary@example.com", "PERMISSION:CREATE",
        "PERMISSION:MODIFY", "PERMISSION:DELETE", "END:VRIGHT", "END:VCAR",
    )  # fmt: skip
    for target in ("relcalz1", "relcalz2"):
        assert "REQUEST-STATUS:2.0" in pair.ask(command("CMD:CREATE", *sees, targets=(target,))).text
        assert "REQUEST-STATUS:2.0" in pair.ask(command("CMD:CREATE", *event("x"), targets=(target,))).text
    assert "REQUEST-STATUS:2.0" in pair.ask(command("CMD:CREATE", *law, targets=("relcalz2",))).text
    keeper = containers.housekeeper(POLICY, UTC)
    decreed = parse_ics("\r\n".join(law) + "\r\n")

    def decree(tx: Tx) -> None:
        decreeing.decree(tx, keeper, containers.resolve(tx, keeper, "relcalz1"), decreed)

    calendars.write(decree)
    mary = Pair(calendars, "mary@example.com")
    selected = query("SELECT * FROM VEVENT WHERE UID = 'x'")
    change = ("BEGIN:VEVENT", "END:VEVENT", "BEGIN:VEVENT", "LOCATION:b", "END:VEVENT")
    for verb, body in (("CREATE", event("y")), ("MODIFY", (*selected, *change)), ("DELETE", selected)):
        told = {}
        for target in ("relcalz1", "relcalz2"):
            answer = mary.ask(command(f"CMD:{verb}", *body, targets=(target,)))
            told[target] = (answer.kind, answer.text.replace(target, "?"))
        assert told["relcalz1"] == told["relcalz2"]
        assert "REQUEST-STATUS:6.4" in told["relcalz1"][1]


def test_who_holds_the_slot_is_told_to_who_may_see_it(calendars: Store, pair: Pair) -> None:
    """RFC 4324 §10.15: 6.2 says when the time is taken, and by what only where that may be seen."""
    forbid = (
        *query("SELECT * FROM VAGENDA"),
        *("BEGIN:VAGENDA", "ALLOW-CONFLICT:TRUE", "END:VAGENDA"),
        *("BEGIN:VAGENDA", "ALLOW-CONFLICT:FALSE", "END:VAGENDA"),
    )
    assert "REQUEST-STATUS:2.0" in pair.ask(command("CMD:MODIFY", *forbid, targets=("relcalz1",))).text
    right = (
        "BEGIN:VCAR", "CARID:books", "BEGIN:VRIGHT", "GRANT:mary@example.com", "PERMISSION:CREATE",
        "SCOPE:SELECT * FROM VEVENT", "END:VRIGHT", "END:VCAR",
    )  # fmt: skip
    assert "REQUEST-STATUS:2.0" in pair.ask(command("CMD:CREATE", *right, targets=("relcalz1",))).text
    pair.ask(command("CMD:CREATE", *event("board", "SUMMARY:Board"), targets=("relcalz1",)))
    mary = Pair(calendars, "mary@example.com")
    told = {}
    for who, one in (("bob", pair), ("mary", mary)):
        answer = one.ask(command("CMD:CREATE", *event(f"of-{who}"), targets=("relcalz1",)))
        told[who] = answer.text.replace("\r\n ", "")
        assert "REQUEST-STATUS:6.2;the time is taken: 2026-01-05 " in told[who]
    assert "Board" in told["bob"]
    assert "board" not in told["mary"].lower()
