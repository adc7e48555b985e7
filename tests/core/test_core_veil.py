"""What the database may be asked for somebody who sees only parts (RFC 4324 §10.12; no leak through WHERE)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from judging import selects

from kalends.calquery.bind import Bindings, bind
from kalends.calquery.match import Subject
from kalends.calquery.parse import parse as parse_query
from kalends.calquery.plan import plan
from kalends.calquery.tree import Query
from kalends.core.access.circumstances import Context, Standing
from kalends.core.access.vcar import Judge
from kalends.core.access.veil import askable
from kalends.core.access.vrights import rules_of
from kalends.core.model import Identity
from kalends.ical.tree import Component

ME = "bob@example.com"
BINDINGS = Bindings(ME, (f"mailto:{ME}",))
ALL_TIMES = "DTSTART,DTEND,DUE,DURATION,RECURRENCE-ID"


def judge(*rights: tuple[str, str]) -> Judge:
    """A judge by VRIGHTs, each GRANT or DENY and a SCOPE."""
    vcar = Component("VCAR")
    vcar.add("CARID", "x")
    for label, scope in rights:
        vright = Component("VRIGHT")
        vright.add(label, "*")
        vright.add("PERMISSION", "SEARCH")
        vright.add("SCOPE", scope)
        vcar.items.append(vright)
    return Judge(rules_of(vcar), Identity(ME), Context(bindings=BINDINGS))


def bound(where: str) -> Query:
    return bind(parse_query(f"SELECT * FROM VEVENT WHERE {where}"), BINDINGS)


def event(*lines: tuple[str, str]) -> Component:
    made = Component("VEVENT")
    for name, value in lines:
        made.add(name, value)
    return made


def asks(seer: Judge, where: str, component: Component) -> bool:
    """Whether the database would be told to find a component."""
    return Subject(component).satisfies(plan(askable(seer, bound(where)).where))


@pytest.mark.parametrize(
    ("select", "where"),
    [
        ("UID", "SUMMARY IS NULL"),
        ("UID", "SUMMARY NOT LIKE 'D%'"),
        ("UID,DTSTART", "DTEND <= '20260101T100000Z'"),
        ("UID,PARAM(SUMMARY,LANGUAGE)", "SUMMARY = 'Zoo'"),
        ("UID,ATTENDEE", "PARAM(ATTENDEE,ROLE) = 'CHAIR'"),
    ],
)
def test_the_database_is_not_asked_what_tells_of_hidden_things(select: str, where: str) -> None:
    """The whole event does not match; what is seen of it may."""
    whole = event(
        ("UID", "1"), ("DTSTART", "20260101T100000Z"), ("DTEND", "20260101T110000Z"), ("SUMMARY", "Dentist")
    )
    assert not Subject(whole).satisfies(plan(bound(where).where))
    assert asks(judge(("GRANT", f"SELECT {select} FROM VEVENT")), where, whole)


def test_times_are_asked_where_they_are_seen_together() -> None:
    """So that sharing times costs no walk through the whole calendar."""
    whole = event(("UID", "1"), ("DTSTART", "20260101T100000Z"), ("DTEND", "20260101T110000Z"))
    where = "DTSTART >= '20270101T000000Z'"
    together = judge(("GRANT", f"SELECT {ALL_TIMES} FROM VEVENT"), ("GRANT", "SELECT UID FROM VEVENT"))
    assert not asks(together, where, whole)
    assert asks(judge(("GRANT", "SELECT DTSTART FROM VEVENT")), where, whole)
    hidden = judge(("GRANT", "SELECT * FROM VEVENT"), ("DENY", "SELECT DTEND FROM VEVENT"))
    assert asks(hidden, where, whole)


scopes = st.builds(
    lambda what, where: f"SELECT {what} FROM {where}",
    st.sampled_from(
        ("*", "UID,SUMMARY", "DTSTART", "DTEND", ALL_TIMES, "ATTENDEE", "PARAM(ATTENDEE,CN)", "CLASS")
    ),
    st.sampled_from(("VEVENT", "VEVENT WHERE CLASS = 'PUBLIC'", "VEVENT WHERE SUMMARY = 'a'")),
)
rights = st.lists(st.tuples(st.sampled_from(("GRANT", "GRANT", "DENY")), scopes), min_size=1, max_size=4)
terms = st.sampled_from(
    (
        "SUMMARY = 'a'", "SUMMARY != 'a'", "SUMMARY IS NULL", "SUMMARY IS NOT NULL", "SUMMARY NOT LIKE 'a%'",
        "CLASS = 'PUBLIC'", "CLASS IS NULL", "DTEND > '20260101T103000Z'", "DTEND <= '20260101T103000Z'",
        "DURATION IS NULL", "DURATION < 'PT2H'", "DTSTART < '20260101T120000Z'", "ATTENDEE = SELF()",
        "PARAM(ATTENDEE,ROLE) = 'REQ-PARTICIPANT'", "PARAM(ATTENDEE,CN) = 'a'", "STATE() = 'BOOKED'",
        "SELF() NOT IN ATTENDEE", "RECURRENCE-ID IS NULL",
    )
)  # fmt: skip
wheres = st.recursive(
    terms,
    lambda inner: st.builds(lambda a, op, b: f"({a} {op} {b})", inner, st.sampled_from(("AND", "OR")), inner),
    max_leaves=4,
)
lines = st.lists(
    st.sampled_from(
        (
            ("SUMMARY", "a", ()), ("SUMMARY", "b", ()), ("CLASS", "PUBLIC", ()), ("CLASS", "PRIVATE", ()),
            ("DTSTART", "20260101T100000Z", ()), ("DTSTART", "20260101", (("VALUE", ("DATE",)),)),
            ("DTEND", "20260101T110000Z", ()), ("DURATION", "PT3H", ()),
            ("ATTENDEE", f"mailto:{ME}", (("CN", ("a",)),)), ("ATTENDEE", "mailto:x@y", (("ROLE", ("CHAIR",)),)),
        )
    ),
    max_size=6,
)  # fmt: skip


@given(rights, wheres, lines, st.sampled_from(("BOOKED", "UNPROCESSED", "DELETED")))
@settings(max_examples=400, deadline=None)
def test_asking_the_database_first_changes_no_answer(rules, where, written, state) -> None:  # type: ignore[no-untyped-def]
    """Nothing is lost, and nothing leaks: the answer is that of the filtered component alone."""
    seer = judge(*rules)
    component = Component("VEVENT")
    component.add("UID", "1")
    for name, value, params in written:
        component.add(name, value, *params)
    query = bound(where)
    if selects(seer, plan(query.where), component, Standing(state)) is not None:
        assert Subject(component, state=state).satisfies(plan(askable(seer, query).where))
