"""CalDAV's filters for somebody who sees only parts: as if each object had been cut first, and then asked (no leak)."""

from __future__ import annotations

import pytest
from core_world import World, component
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from calquery.filter_strategies import crowd, filters
from kalends.calquery.match import Subject
from kalends.calquery.occasions import Occasions
from kalends.calquery.plan import plan
from kalends.calquery.tree import And, Condition, State
from kalends.core import resources
from kalends.core.access import rights
from kalends.core.writer import Writer
from kalends.ical.tree import Component, parse
from kalends.ical.zones import Zones
from kalends.store import listings, objects
from kalends.store.base import Tx

MARY = "mary@example.com"
TIMES = "DTSTART,DTEND,DUE,DURATION,RECURRENCE-ID"
WHAT = (
    "*", "*", "UID,SUMMARY", TIMES, f"UID,{TIMES},RRULE,RDATE,EXDATE,EXRULE", "DTSTART", "DTSTART,DUE,COMPLETED",
    "RRULE", "CATEGORIES,ATTENDEE", "PARAM(ATTENDEE,CN)", "PARAM(DTSTART,TZID)", "UID,VALARM", "STATUS,X-FOO",
    "FREEBUSY", f"{TIMES},FREEBUSY,CREATED,DTSTAMP",
)  # fmt: skip
WHERE = (
    "", "", "", " WHERE SUMMARY IS NOT NULL", " WHERE SUMMARY LIKE '%x%'", " WHERE DTSTART >= '20000103T000000Z'",
    " WHERE RRULE IS NOT NULL", " WHERE CATEGORIES IS NULL",
)  # fmt: skip

scopes = st.builds(
    lambda what, kind, where: f"SELECT {what} FROM {kind}{where}",
    st.sampled_from(WHAT),
    st.sampled_from(("VEVENT", "VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY")),
    st.sampled_from(WHERE),
)
grants = st.lists(
    st.tuples(st.sampled_from(("GRANT", "GRANT", "GRANT", "DENY")), scopes), min_size=1, max_size=5
)


@pytest.fixture
def crowded(world: World) -> World:
    """Bill's calendar with all kinds of objects, each under a UID of its own."""
    place = world.calendar.calendar_id

    def work(tx: Tx) -> None:
        writer = Writer(tx, world.root, (place,))
        for number, whole in enumerate(crowd(7, 60)):
            kind = whole.components[0].name
            writer.insert(place, whole, kind=kind, uid=f"u{number}", name=f"{number}.ics")

    world.store.write(work)
    return world


def grant(world: World, given_rights: list[tuple[str, str]]) -> None:
    """Put one VCAR where it was, without asking anybody; what everybody may see of others is taken away."""
    vcar = component("VCAR", "CARID:test")
    for label, scope in given_rights:
        vcar.items.append(component("VRIGHT", f"{label}:{MARY}\nPERMISSION:SEARCH\nSCOPE:{scope}"))
    place = world.calendar.calendar_id

    def work(tx: Tx) -> None:
        writer = Writer(tx, world.root, (place,))
        for carid in ("test", "READBUSYTIMEINFO"):
            for row in objects.by_uid(tx, place, carid, "BOOKED", "VCAR"):
                writer.forget(row)
        writer.insert(place, Component("VCALENDAR", [vcar]), kind="VCAR", uid="test")

    world.store.write(work)


def by_hand(tx: Tx, world: World, condition: Condition | None, zone: str) -> list[int]:
    """Every object is cut first; what is left is asked, in memory and without an index."""
    place = world.calendar.calendar_id
    prepared = plan(State("BOOKED") if condition is None else And((State("BOOKED"), condition)))
    sight = rights.sight(tx, world.mary, place)
    found: list[int] = []
    for row in objects.every(tx, place, state="BOOKED"):
        if row.kind in listings.NOT_RESOURCES:
            continue
        whole = parse(row.ics)
        tops = [one for one in whole.components if one.name != "VTIMEZONE"]
        seen = [sight.of(one, zones=Zones(whole)) for one in tops]
        kept = [one for one in seen if one is not None]
        if not kept:
            continue
        left = Component("VCALENDAR", [*whole.lines, *whole.children("VTIMEZONE"), *kept])
        zones = Zones(left)
        occasions = Occasions(left, zones, Zones().zone(zone))
        if Subject(left, state="BOOKED", zones=zones, occasions=occasions).satisfies(prepared):
            found.append(row.id)
    return sorted(found)


@given(grants, st.none() | filters(), st.sampled_from(("America/New_York", "Asia/Tokyo")))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_filter_is_asked_of_what_is_seen(
    crowded: World, given_rights: list[tuple[str, str]], condition: Condition | None, zone: str
) -> None:
    """RFC 4791 §7.8 for a partial viewer: the answer is that over the components as they are cut."""
    grant(crowded, given_rights)

    def asked(tx: Tx) -> list[int]:
        place = crowded.calendar.calendar_id
        return resources.matching(tx, crowded.mary, place, condition, zone=Zones().zone(zone))

    found = crowded.store.read(asked)
    assert found == crowded.store.read(lambda tx: by_hand(tx, crowded, condition, zone))
