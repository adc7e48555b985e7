"""Does a component match? The query tree run in memory (RFC 4324 §6.1.1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from kalends.calquery.carries import carries
from kalends.calquery.cells import DERIVED, Cell, cells, fold_case
from kalends.calquery.columns import TICK, comparison
from kalends.calquery.like import pattern
from kalends.calquery.lower import DATE_LENGTH, NumberTest, Test, TextTest, is_duration, lower
from kalends.calquery.occasions import Occasions
from kalends.calquery.plan import All, Any, Inner, Plan, Some, plan
from kalends.calquery.tree import (
    AnyOf,
    Carries,
    Column,
    Compare,
    Constant,
    In,
    Like,
    Literal,
    Null,
    Occurs,
    Operator,
    Query,
    State,
    Value,
)
from kalends.ical.tree import Component
from kalends.ical.zones import Zones

T = TypeVar("T", int, str)

_NO_CELLS: list[Cell] = []

ENVELOPE_FREE = frozenset(("VAGENDA", "VCALSTORE", "VCAR", "VRIGHT", "VQUERY"))
"""Components that are no iCalendar objects: FROM VCALENDAR does not mean them."""


class Subject:
    """A component as queries see it; its cells are made once, for any number of queries.

    Args:
        component: what is asked about.
        parent: the component it stands in (a VALARM's VEVENT).
        state: BOOKED, UNPROCESSED or DELETED.
        method: METHOD of the iCalendar object it came in.
        zones: where TZIDs are looked up.
        default_tz: zone of floating times.
        container: the calendar's VAGENDA component, for `VAGENDA.CALID` and the like.
        expanded: the component is one instance of an expansion: its RECURRENCE-ID is its DTSTART when it has
            none, so that a range of RECURRENCE-ID finds single events too (RFC 4324 §6.1.1.15).
        occasions: when the components of the object happen, for conditions that ask for it; made of the
            component itself when it is not given.
        tick: the calendar's counter at its last change; None where nobody counts.
    """

    __slots__ = (
        "_cells",
        "_contained",
        "_occasions",
        "component",
        "container",
        "default_tz",
        "expanded",
        "method",
        "parent",
        "state",
        "tick",
        "zones",
    )

    def __init__(
        self,
        component: Component,
        *,
        parent: Component | None = None,
        state: str = "BOOKED",
        method: str | None = None,
        zones: Zones | None = None,
        default_tz: str | None = None,
        container: Component | None = None,
        expanded: bool = False,
        occasions: Occasions | None = None,
        tick: int | None = None,
    ) -> None:
        self.component = component
        self.parent = parent
        self.state = state
        self.method = method
        self.zones = zones
        self.default_tz = default_tz
        self.container = container
        self.expanded = expanded
        self._occasions = occasions
        self.tick = tick
        self._cells: dict[str, list[Cell]] | None = None
        self._contained: dict[str, list[Subject]] = {}

    def cells(self, name: str) -> list[Cell]:
        """The cells of one name: a property, or `PROPERTY;PARAMETER`."""
        if self._cells is None:
            self._cells = self._index()
        return self._cells.get(name, _NO_CELLS)

    def _index(self) -> dict[str, list[Cell]]:
        index: dict[str, list[Cell]] = {}
        made = cells(self.component, zones=self.zones, default_tz=self.default_tz, parent=self.parent)
        for cell in made:
            index.setdefault(cell.name, []).append(cell)
        if self.component.name != "VCALENDAR":
            index.pop("METHOD", None)
        if self.method is not None and "METHOD" not in index:
            index["METHOD"] = [Cell("METHOD", 0, 0, self.method, fold_case(self.method))]
        if self.tick is not None:
            index[TICK] = [Cell(TICK, 0, 0, str(self.tick), None, self.tick)]
        if self.expanded and "RECURRENCE-ID" not in index:
            index["RECURRENCE-ID"] = [cell._replace(origin=DERIVED) for cell in index.get("DTSTART", ())]
        return index

    def contained(self, name: str) -> list[Subject]:
        """The contained components of one name; the calendar itself for VAGENDA."""
        found = self._contained.get(name)
        if found is None:
            if name == "VAGENDA" and self.component.name != "VCALSTORE":
                inside = [self.container] if self.container is not None else []
            else:
                inside = self.component.children(name)
            found = [self._inside(child) for child in inside]
            self._contained[name] = found
        return found

    def _inside(self, child: Component) -> Subject:
        return Subject(
            child,
            parent=self.component,
            state=self.state,
            method=None if child is self.container else self.method,
            zones=self.zones,
            default_tz=self.default_tz,
            occasions=self.occasions,
            tick=None if child is self.container else self.tick,
        )

    @property
    def occasions(self) -> Occasions:
        """When the components of the object happen; made when first asked for."""
        if self._occasions is None:
            self._occasions = Occasions(self.component, self.zones)
        return self._occasions

    def matches(self, query: Query) -> bool:
        """Whether a bound query selects this component."""
        return self.is_from(query.source) and self.satisfies(plan(query.where))

    def is_from(self, source: str) -> bool:
        """Whether the component belongs to FROM's table; VCALENDAR means any iCalendar component."""
        name = self.component.name
        return name == source or (source == "VCALENDAR" and name not in ENVELOPE_FREE)

    def satisfies(self, prepared: Plan) -> bool:
        """Whether a prepared condition holds: `plan.plan(query.where)`, made once for many components."""
        return _holds(prepared, self, {})


def matches(
    query: Query,
    component: Component,
    *,
    state: str = "BOOKED",
    zones: Zones | None = None,
    default_tz: str | None = None,
) -> bool:
    """Whether a query selects a component; `Subject` takes more circumstances and serves many queries.

    Args:
        query: a bound query.
        component: the component; its name must be the query's FROM.
        state: BOOKED, UNPROCESSED or DELETED.
        zones: where TZIDs are looked up.
        default_tz: zone of floating times.

    Raises:
        QueryError: a literal that does not fit its column (only in trees that no parser made).

    Source: RFC 4324 §6.1.1.
    """
    return Subject(component, state=state, zones=zones, default_tz=default_tz).matches(query)


Bound = Mapping[str, Subject]


def _holds(prepared: Plan, subject: Subject, bound: Bound) -> bool:
    match prepared:
        case All(parts):
            return all(_holds(part, subject, bound) for part in parts)
        case Any(parts):
            return any(_holds(part, subject, bound) for part in parts)
        case Some(component, inside, nothing):
            found = subject.contained(component)
            if not found:
                return _holds(nothing, subject, bound)
            return any(_holds(inside, subject, {**bound, component: one}) for one in found)
        case Inner(component, inside, negated):
            found = subject.contained(component)
            return not found if negated else any(_holds(inside, one, {}) for one in found)
        case Carries():
            return carries(prepared, subject.component, subject.cells, subject.occasions)
        case Occurs(low, high):
            return subject.occasions.touch(subject.component, low, high)
        case State(state):
            return subject.state == state
        case Constant(value):
            return value
        case Compare(column, operator, value):
            return _any(lower(column, operator, value), _column(column, subject, bound))
        case In(value, column, negated):
            return _any(lower(column, "=", value), _column(column, subject, bound)) is not negated
        case Like(column, value, negated):
            return _like(column, value, _column(column, subject, bound)) is not negated
        case Null(column, negated):
            present = any(cell.origin != DERIVED for cell in _column(column, subject, bound))
            return present is negated


def _column(column: Column, subject: Subject, bound: Bound) -> list[Cell]:
    one = subject if column.component is None else bound[column.component]
    return one.cells(column.name if column.param is None else f"{column.name};{column.param}")


def _any(test: Test, found: list[Cell]) -> bool:
    if isinstance(test, TextTest):
        return any(_text_holds(test, cell) for cell in found)
    return any(_number_holds(test, cell) for cell in found)


def _text_holds(test: TextTest, cell: Cell) -> bool:
    value = cell.folded if test.folded and cell.folded is not None else cell.value
    if test.operator == "=":
        return value in test.texts
    if test.operator == "!=":
        return value not in test.texts
    return any(_ordered(value, test.operator, text, text) for text in test.texts)


def _number_holds(test: NumberTest, cell: Cell) -> bool:
    number = cell.num
    if number is None or (test.shape != "any" and (test.shape == "duration") is not is_duration(cell.value)):
        return False
    if test.day is not None and len(cell.value) == DATE_LENGTH:
        return _ordered(number, test.operator, test.day, test.day)
    return _ordered(number, test.operator, test.low, test.high)


def _ordered(value: T, operator: Operator, low: T, high: T) -> bool:
    """A value against a range of equals."""
    if operator == "=":
        return low <= value <= high
    if operator == "!=":
        return not low <= value <= high
    if operator == "<":
        return value < low
    if operator == "<=":
        return value <= high
    return value > high if operator == ">" else value >= low


def _like(column: Column, value: Value, found: list[Cell]) -> bool:
    assert isinstance(value, Literal | AnyOf)
    texts = (value.text,) if isinstance(value, Literal) else value.texts
    wanted = [pattern(text) for text in texts]
    dates = comparison(column) in ("moment", "trigger")
    for cell in found:
        text = cell.value if cell.folded is None else cell.folded
        if any(one.matches(text) for one in wanted):
            return True
        # §6.1.1.7: '%T000000' is anything at midnight, also when the value ends in Z
        if dates and text.endswith("z") and any(one.matches(text.rstrip("z")) for one in wanted):
            return True
    return False
