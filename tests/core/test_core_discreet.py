"""What somebody finds who sees only parts: as if all they see were taken out first, and then asked (no leak)."""

from __future__ import annotations

import pytest
from core_world import NOW, World, calendar, component
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kalends.calquery.bind import bind
from kalends.calquery.match import Subject
from kalends.calquery.parse import parse as parse_query
from kalends.calquery.plan import plan
from kalends.core import expansion, floating, selecting
from kalends.core.access import rights
from kalends.core.writer import Writer
from kalends.ical.tree import Component, parse
from kalends.ical.zones import Zones
from kalends.store import objects
from kalends.store.base import Tx

MARY = "mary@example.com"
BODIES = (
    ("a", "SUMMARY:tea", "CLASS:PUBLIC", "DTSTART:20260310T090000Z", "DTEND:20260310T100000Z"),
    ("b", "SUMMARY:tea", "CLASS:PRIVATE", "DTSTART:20260311T090000Z", "DURATION:PT2H", "LOCATION:Ritz"),
    ("c", "SUMMARY:walk", "DTSTART;TZID=Europe/Berlin:20260310T090000", "RRULE:FREQ=DAILY;COUNT=5"),
    ("d", "DTSTART;VALUE=DATE:20260312", "ATTENDEE;CN=Mary:mailto:mary@example.com", "CLASS:PRIVATE"),
    ("e", "SUMMARY:float", "DTSTART:20260310T233000", "DTEND:20260311T003000", "RRULE:FREQ=WEEKLY"),
    ("f", "SUMMARY:once", "LOCATION:Pub", "DTSTART:20260312T100000Z"),
    ("g", "SUMMARY:far", "DTSTART:20260310T090000Z", "RRULE:FREQ=MONTHLY", "CLASS:PUBLIC"),
)
ALARM = "BEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:-PT15M\nDESCRIPTION:go\nEND:VALARM"
TIMES = "UID,DTSTART,DTEND,DUE,DURATION,RECURRENCE-ID"
WHAT = (
    "*", "UID,SUMMARY", TIMES, f"{TIMES},RRULE", "DTSTART", "UID,DTSTART,RRULE,SUMMARY", "LOCATION", "ATTENDEE",
    "PARAM(ATTENDEE,CN)", "UID,VALARM", "CLASS", "RRULE",
)  # fmt: skip
WHERE = (
    "", "", " WHERE CLASS = 'PUBLIC'", " WHERE CLASS IS NULL", " WHERE SUMMARY = 'tea'", " WHERE ATTENDEE = SELF()",
    " WHERE DTSTART >= '20260311T000000Z'", " WHERE RRULE IS NOT NULL",
)  # fmt: skip
TERMS = (
    "SUMMARY = 'tea'", "SUMMARY != 'tea'", "SUMMARY IS NULL", "LOCATION LIKE '%i%'", "LOCATION NOT LIKE 'R%'",
    "DTSTART >= '20260311T000000Z'", "DTSTART < '20260311T000000Z'", "DTEND > '20260312T080000Z'",
    "DTEND <= '20260310T100000Z'", "DURATION > 'PT1H'", "ATTENDEE = SELF()", "PARAM(ATTENDEE,CN) = 'Mary'",
    "UID = 'b'", "UID IS NULL", "RRULE IS NULL", "VALARM.TRIGGER = '-PT15M'", "CLASS = 'PRIVATE'",
    "SELF() NOT IN ATTENDEE", "RECURRENCE-ID IS NULL", "STATE() = 'BOOKED'",
)  # fmt: skip

scopes = st.builds(
    lambda what, where: f"SELECT {what} FROM VEVENT{where}", st.sampled_from(WHAT), st.sampled_from(WHERE)
)
grants = st.lists(
    st.tuples(st.sampled_from(("GRANT", "GRANT", "GRANT", "DENY")), scopes), min_size=1, max_size=4
)
conditions = st.recursive(
    st.sampled_from(TERMS),
    lambda inner: st.builds(lambda a, op, b: f"({a} {op} {b})", inner, st.sampled_from(("AND", "OR")), inner),
    max_leaves=4,
)


@pytest.fixture
def furnished(world: World) -> World:
    """One world for all examples of a test, on each database."""
    made = [
        f"BEGIN:VEVENT\nUID:{uid}\nDTSTAMP:20260101T000000Z\n" + "\n".join(more) + f"\n{ALARM}\nEND:VEVENT"
        for uid, *more in BODIES
    ]
    override = (
        "BEGIN:VEVENT\nUID:c\nDTSTAMP:20260101T000000Z\nRECURRENCE-ID;TZID=Europe/Berlin:20260312T090000\n"
        "DTSTART;TZID=Europe/Berlin:20260312T150000\nSUMMARY:tea\nCLASS:PUBLIC\nEND:VEVENT"
    )
    assert {one.error for one in world.create(calendar(*made, override))} == {None}
    return world


def grant(world: World, given_rights: list[tuple[str, str]]) -> None:
    """Put one VCAR where it was, without asking anybody."""
    vcar = component("VCAR", "CARID:test")
    for label, scope in given_rights:
        vcar.items.append(component("VRIGHT", f"{label}:{MARY}\nPERMISSION:SEARCH\nSCOPE:{scope}"))
    whole = Component("VCALENDAR", [vcar])

    def work(tx: Tx) -> None:
        writer = Writer(tx, world.root, (world.calendar.calendar_id,))
        for row in objects.by_uid(tx, world.calendar.calendar_id, "test", "BOOKED", "VCAR"):
            writer.forget(row)
        writer.insert(world.calendar.calendar_id, whole, kind="VCAR", uid="test")

    world.store.write(work)


def by_hand(tx: Tx, world: World, query: str, *, expand: bool) -> list[str]:
    """Every object is cut first; what is left is expanded and asked, in memory and without an index."""
    caller, place = world.mary, world.calendar
    bound = bind(parse_query(query), selecting.bindings(tx, caller, place))
    prepared = plan(bound.where)
    sight = rights.sight(tx, caller, place.calendar_id)
    zone = floating.name_of(tx, caller, place.calendar_id)
    found: list[str] = []
    for row in objects.every(tx, place.calendar_id, kind="VEVENT", state="BOOKED"):
        whole = parse(row.ics)
        zones = Zones(whole)
        left = Component("VCALENDAR", [*whole.children("VTIMEZONE")])
        for part in whole.children("VEVENT"):
            seen = sight.of(part, zones=zones)
            if seen is not None:
                left.items.append(seen)
        subject = Subject(left, state=row.state, default_tz=zone)
        if expand:
            hi = NOW + 500 * 86_400
            some = [
                one.shown or one.component
                for one in expansion.beyond(tx, left, bound, None, hi, limit=1000, subject=subject)
                if one is not None
            ]
            found += [one.to_ics() for one in some]
            timeless = [one for one in left.children("VEVENT") if one.first("DTSTART") is None]
        else:
            timeless = left.children("VEVENT")
        for one in timeless:
            if Subject(one, default_tz=zone, zones=zones).satisfies(prepared):
                found.append(one.to_ics())
    return sorted(found)


FEW = settings(
    max_examples=60, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip


@given(grants, conditions)
@FEW
def test_a_search_is_asked_of_what_is_seen(
    furnished: World, given_rights: list[tuple[str, str]], where: str
) -> None:
    """RFC 4324 §10.12: filtering by VCAR comes before matching."""
    grant(furnished, given_rights)
    query = f"SELECT * FROM VEVENT WHERE {where}"
    found = sorted(one.to_ics() for one in furnished.find(query, furnished.calendar, furnished.mary))
    assert found == furnished.store.read(lambda tx: by_hand(tx, furnished, query, expand=False))


@given(grants, conditions)
@FEW
def test_instances_are_those_of_what_is_seen(
    furnished: World, given_rights: list[tuple[str, str]], where: str
) -> None:
    """QRY-27: nobody learns a rule that is hidden from the instances it makes."""
    grant(furnished, given_rights)
    query = f"SELECT * FROM VEVENT WHERE DTSTART < '20270501T000000Z' AND {where}"
    found = sorted(
        one.to_ics() for one in furnished.find(query, furnished.calendar, furnished.mary, expand=True)
    )
    assert found == furnished.store.read(lambda tx: by_hand(tx, furnished, query, expand=True))


@given(conditions, st.booleans())
@FEW
def test_who_is_granted_everything_finds_what_the_owner_finds(
    furnished: World, where: str, expand: bool
) -> None:
    grant(furnished, [("GRANT", "SELECT * FROM VEVENT")])
    query = (
        f"SELECT * FROM VEVENT WHERE DTSTART < '20270501T000000Z' AND {where.replace('SELF()', repr(MARY))}"
    )
    query = query.replace(f"'{MARY}' NOT IN", f"'mailto:{MARY}' NOT IN").replace(
        f"= '{MARY}'", f"= 'mailto:{MARY}'"
    )
    hers = furnished.find(query, furnished.calendar, furnished.mary, expand=expand)
    his = furnished.find(query, furnished.calendar, furnished.bill, expand=expand)
    assert sorted(one.to_ics() for one in hers) == sorted(one.to_ics() for one in his)
