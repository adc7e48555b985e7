"""Whether a component carries a property that passes tests (RFC 4791 §9.7.2, §9.7.3), in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kalends.calquery.cells import WRITTEN, Cell
from kalends.calquery.collations import matcher
from kalends.calquery.lower import DATE_LENGTH
from kalends.calquery.occasions import EFFECTIVE, Occasions
from kalends.calquery.tree import Carries, Contains, During, HasParam, PropertyTest
from kalends.ical.tree import Component

_LOCAL_LENGTH = 15
"""Characters of a DATE-TIME without Z."""

CellsOf = Callable[[str], list[Cell]]


def carries(wanted: Carries, component: Component, cells: CellsOf, occasions: Occasions) -> bool:
    """Whether a component has a property that passes all tests.

    Args:
        wanted: the condition.
        component: the component.
        cells: its cells of a name; floating times in them are as if in UTC.
        occasions: when it happens.
    """
    places: dict[int, list[Cell]] = {}
    for cell in cells(wanted.name):
        if cell.origin == WRITTEN:
            places.setdefault(cell.pos, []).append(cell)
    if wanted.negated:
        return not places
    if not places and wanted.name in EFFECTIVE and occasions.has_end(component, wanted.name):
        places[-1] = []  # DTSTART and DURATION make an end, which has no parameters (§9.9)
    return any(
        all(_passes(test, wanted.name, pos, values, component, cells, occasions) for test in wanted.tests)
        for pos, values in places.items()
    )


def _passes(
    test: PropertyTest,
    name: str,
    pos: int,
    values: Sequence[Cell],
    component: Component,
    cells: CellsOf,
    occasions: Occasions,
) -> bool:
    match test:
        case HasParam(param, negated):
            return bool(_param(cells, name, param, pos)) is not negated
        case Contains(param=None):
            return bool(values) and _contains(test, values)
        case Contains(param=param):
            given = _param(cells, name, param or "", pos)
            return bool(given) and _contains(test, given)
        case During(low, high):
            dated = occasions.dated(component, name, low, high)
            if dated is not None:
                return dated
            return any(_during(cell, pos, name, test, cells, occasions) for cell in values)


def _param(cells: CellsOf, name: str, param: str, pos: int) -> list[Cell]:
    return [cell for cell in cells(f"{name};{param}") if cell.pos == pos and cell.origin == WRITTEN]


def _contains(test: Contains, values: Sequence[Cell]) -> bool:
    matches = matcher(test)
    return any(matches(cell.value) for cell in values) is not test.negated


def _during(cell: Cell, pos: int, name: str, test: During, cells: CellsOf, occasions: Occasions) -> bool:
    if cell.num is None:
        return False
    size = len(cell.value)
    floats = size == DATE_LENGTH or (size == _LOCAL_LENGTH and not _param(cells, name, "TZID", pos))
    low, high = occasions.window(test.low, test.high, floats=floats)
    return (low is None or low <= cell.num) and (high is None or cell.num < high)
