"""Random events and series against brute force: what is let in never overlaps, and nothing is refused in vain."""

from __future__ import annotations

from itertools import pairwise
from unittest import mock

import pytest
from core_world import World, calendar
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kalends.core import containers
from kalends.core.conflicts import clashes
from kalends.core.conflicts.courses import course_of, may_meet
from kalends.core.errors import ConflictError, TooComplexError
from kalends.ical.occurrences import occurrences
from kalends.ical.tree import Component, parse
from kalends.ical.zones import Zones
from kalends.store.base import Tx

YEARS = 12 * 366 * 86_400
"""Brute force looks so far ahead; all rules below meet within that time if they ever do."""
ZONE = Zones().zone("Europe/Berlin")
_FORMS = ("DTSTART:{}Z", "DTSTART:{}", "DTSTART;TZID=Europe/Berlin:{}", "DTSTART;TZID=America/New_York:{}")


@st.composite
def bodies(draw: st.DrawFn) -> str:
    """An event: single, weekly, daily, monthly; with an end, an exception, or neither."""
    day, hour = draw(st.integers(1, 14)), draw(st.sampled_from((0, 1, 2, 3, 9, 10, 22, 23)))
    form = draw(st.sampled_from(_FORMS))
    start = form.format(f"202603{day:02}T{hour:02}{draw(st.sampled_from(('00', '30')))}00")
    rule = draw(
        st.sampled_from(
            ("", "FREQ=WEEKLY", "FREQ=WEEKLY;INTERVAL=2", "FREQ=WEEKLY;BYDAY=TU,SU", "FREQ=DAILY;INTERVAL=3",
             "FREQ=MONTHLY;BYDAY=1MO", "FREQ=MONTHLY", "FREQ=WEEKLY;COUNT=5")
        )
    )  # fmt: skip
    lines = [start, f"DURATION:{draw(st.sampled_from(('PT30M', 'PT1H', 'PT8H', 'P1D')))}"]
    if rule:
        lines.append(f"RRULE:{rule}")
        if draw(st.booleans()):
            lines.append(start.replace("DTSTART", "EXDATE"))
    return "\n".join(lines)


def text(uid: str, body: str) -> str:
    return f"BEGIN:VEVENT\nUID:{uid}\nDTSTAMP:20260101T000000Z\n{body}\nEND:VEVENT"


def tree(body: str) -> Component:
    return parse(calendar(text("x", body)))


def spans(body: str, lo: int, hi: int) -> list[tuple[int, int]]:
    """All instances, in instants."""
    found = []
    for one in occurrences(tree(body), lo, hi):
        start, end = one.start, one.end
        if one.floating and ZONE is not None:
            start, end = ZONE.epoch(start), ZONE.epoch(end)
        if end > start:
            found.append((start, end))
    return sorted(found)


def overlapping(one: list[tuple[int, int]], other: list[tuple[int, int]]) -> bool:
    """By brute force: is there a moment in both?"""
    events = sorted(
        [
            (at, step, side)
            for side, them in enumerate((one, other))
            for start, end in them
            for at, step in ((start, 1), (end, -1))
        ]
    )
    inside = [0, 0]
    for _, step, side in events:
        inside[side] += step
        if all(inside):
            return True
    return False


def itself(one: list[tuple[int, int]]) -> bool:
    return any(before[1] > after[0] for before, after in pairwise(one))


class UndoneError(Exception):
    """Ends a transaction without its effects."""


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(bodies(), min_size=2, max_size=4), st.booleans())
def test_what_is_let_in_equals_brute_force(one_world: World, wanted: list[str], swept: bool) -> None:
    """CON-01, CON-06, A-15; whether what is around is scanned for each instance, or once for all."""
    lo = one_world.bill.now - 86_400
    kept: list[list[tuple[int, int]]] = []

    def work(tx: Tx) -> None:
        from kalends.core import ledger

        room = containers.create_calendar(tx, one_world.root, "bill/room", "bill", allow_conflict=False)
        for number, body in enumerate(wanted):
            (receipt,) = ledger.create(tx, one_world.bill, room, parse(calendar(text(f"u{number}", body))))
            mine = spans(body, lo, lo + YEARS)
            taken = itself(mine) or any(overlapping(mine, other) for other in kept)
            assert not isinstance(receipt.error, TooComplexError)
            assert isinstance(receipt.error, ConflictError) == taken, (body, receipt.error)
            if not taken:
                kept.append(mine)
        raise UndoneError

    dense = mock.patch.object(clashes, "_is_dense", lambda _place, mine: swept and len(mine) > 0)
    with pytest.raises(UndoneError), dense:
        one_world.store.write(work)


@settings(max_examples=200, deadline=None)
@given(bodies(), bodies())
def test_never_is_a_proof(one: str, other: str) -> None:
    """What arithmetic calls impossible does not happen in the years that brute force can see."""
    lo = 1_772_000_000
    first, second = course_of(tree(one)), course_of(tree(other))
    if not may_meet(first, second, lambda _a, _b: True, ZONE, lo):
        assert not overlapping(spans(one, lo, lo + YEARS), spans(other, lo, lo + YEARS))
