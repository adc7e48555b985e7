"""Floating times in searches: where the asker is, not in UTC (RFC 4324 §6.1.1.7; QRY-17, A-34)."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kalends.calquery.bind import Bindings, bind
from kalends.calquery.match import Subject
from kalends.calquery.parse import parse
from kalends.ical.tree import Component
from kalends.ical.tree import parse as parse_ical
from kalends.ical.zones import Zones
from kalends.store.base import Store
from kalends.store.compiling.query import compile_query
from store.compile_shelf import CALENDAR, Shelf, in_transaction

ZONES = ("Europe/Berlin", "America/New_York", "Asia/Tokyo")
STARTS = (
    "DTSTART:20000101T003000", "DTSTART:20000101T120000", "DTSTART:20000101T233000",
    "DTSTART:20000101T120000Z", "DTSTART;VALUE=DATE:20000101",
    "DTSTART;TZID=Europe/Berlin:20000101T120000", "DTSTART;TZID=Asia/Tokyo:20000102T003000",
)  # fmt: skip
ENDS = ("", "DURATION:PT1H", "DURATION:P1D")
TRIGGERS = ("", "TRIGGER:-PT15M", "TRIGGER:PT0S", "TRIGGER;VALUE=DATE-TIME:20000101T110000Z")
LITERALS = (
    "20000101", "19991231", "20000102", "20000101T000000Z", "20000101T030000Z", "20000101T033000Z",
    "20000101T104500Z", "20000101T110000Z", "20000101T120000Z", "20000101T170000Z", "20000102T043000Z",
)  # fmt: skip
COLUMNS = ("DTSTART", "DTEND", "VALARM.TRIGGER")


def event(start: str, end: str = "", trigger: str = "") -> Component:
    alarm = ("BEGIN:VALARM", trigger, "END:VALARM") if trigger else ()
    lines = ["BEGIN:VEVENT", start, *((end,) if end else ()), *alarm, "END:VEVENT", ""]
    return parse_ical("\r\n".join(lines))


EVENTS = [event(start, end, trigger) for start in STARTS for end in ENDS for trigger in TRIGGERS]

conditions = st.builds(
    "{} {} '{}'".format,
    st.sampled_from(COLUMNS),
    st.sampled_from(("=", "!=", "<", "<=", ">", ">=")),
    st.sampled_from(LITERALS),
)


def agree(shelf: Shelf, subjects: dict[int, Component], where: str, zone: str) -> None:
    found = Zones().zone(zone)
    assert found is not None
    query = bind(parse(f"SELECT * FROM VEVENT WHERE {where}"), Bindings())
    compiled = compile_query(query, [CALENDAR], wall=found.wall)
    rows = {row[1] for row in shelf.tx.rows(compiled.sql, compiled.params)}
    assert rows == {own for own, one in subjects.items() if Subject(one, default_tz=zone).matches(query)}, (
        where,
        zone,
    )


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    wanted=st.lists(
        st.tuples(conditions, conditions, st.sampled_from(("AND", "OR"))), min_size=5, max_size=10
    ),
    zone=st.sampled_from(ZONES),
)
def test_sql_and_memory_agree_on_floating_times(
    sqlite_store: Store, wanted: list[tuple[str, str, str]], zone: str
) -> None:
    def work(shelf: Shelf) -> None:
        subjects = {shelf.add(one): one for one in EVENTS}
        for one, other, word in wanted:
            agree(shelf, subjects, one, zone)
            agree(shelf, subjects, f"{one} {word} {other}", zone)

    in_transaction(sqlite_store, work)


def test_sql_and_memory_agree_on_both_databases(store: Store) -> None:
    def work(shelf: Shelf) -> None:
        subjects = {shelf.add(one): one for one in EVENTS}
        for column in COLUMNS:
            for literal in LITERALS:
                agree(
                    shelf,
                    subjects,
                    f"{column} >= '{literal}' AND {column} < '20000103T000000Z'",
                    "Asia/Tokyo",
                )

    in_transaction(store, work)


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("DTSTART = '20000101T110000Z'", {"floating", "berlin", "day"}),
        ("DTSTART = '20000101T120000Z'", {"utc", "day"}),
        ("'20000101T110000Z' IN DTSTART", {"floating", "berlin", "day"}),
        ("DTSTART = '20000101'", {"floating", "berlin", "utc", "day"}),
    ],
)
def test_a_floating_time_is_in_the_default_zone(store: Store, where: str, found: set[str]) -> None:
    """Neither times in UTC, nor those with a TZID, nor days (which equal any time in them) are moved."""
    starts = {
        "floating": "DTSTART:20000101T120000",
        "utc": "DTSTART:20000101T120000Z",
        "berlin": "DTSTART;TZID=Europe/Berlin:20000101T120000",
        "day": "DTSTART;VALUE=DATE:20000101",
    }

    def work(shelf: Shelf) -> None:
        names = {shelf.add(event(start)): name for name, start in starts.items()}
        zone = Zones().zone("Europe/Berlin")
        assert zone is not None
        query = bind(parse(f"SELECT * FROM VEVENT WHERE {where}"), Bindings())
        compiled = compile_query(query, [CALENDAR], wall=zone.wall)
        rows = shelf.tx.rows(compiled.sql, compiled.params)
        assert {names[int(row[1])] for row in rows} == found  # type: ignore[arg-type]

    in_transaction(store, work)
