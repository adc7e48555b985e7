"""The conditions that only CalDAV's filters have, as SQL (RFC 4791 §9.7, §9.9).

What SQL cannot say exactly is written wider than it is meant, and `is_exact` says so: what was found then has
to be matched again in memory (`calquery.match`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from kalends.calquery.cells import WRITTEN
from kalends.calquery.collations import COLLATIONS
from kalends.calquery.plan import TRUE, All, Any, Inner, Plan, Some
from kalends.calquery.tree import Carries, Contains, During, HasParam, MatchType, Occurs

if TYPE_CHECKING:
    from kalends.store.compiling.query import Writer

ROOT: Final = "VCALENDAR object"
"""The kind of the place that holds an object's own components: its lines are in no cell."""
EXACT_KINDS: Final = frozenset(("VEVENT", "VJOURNAL"))
"""Kinds of which the index of instances says exactly what touches a range."""
_UNLISTED: Final = frozenset(("VTIMEZONE", "STANDARD", "DAYLIGHT"))
"""Components that the index leaves out where they only serve an object's own times."""
_ENDS: Final = frozenset(("DTSTART", "DTEND", "DUE"))

_COMPONENT: Final = "select 1 from component"
_CELL: Final = "select 1 from cell"
_INSTANCE: Final = "select 1 from instance"

Bound = int | None


def is_exact(plan: Plan, kind: str = ROOT) -> bool:
    """Whether the SQL of a plan selects just what the plan means.

    Args:
        plan: a prepared condition.
        kind: what it is about.
    """
    match plan:
        case All(parts) | Any(parts):
            return all(is_exact(part, kind) for part in parts)
        case Some():
            return True
        case Inner(component, inside):
            return component not in _UNLISTED and is_exact(inside, component)
        case Occurs():
            return kind in EXACT_KINDS
        case Carries(_, tests):
            return kind != ROOT and not any(_is_vague(test) for test in tests)
        case _:
            return True


def _is_vague(test: Contains | HasParam | During) -> bool:
    return isinstance(test, During) or (isinstance(test, Contains) and test.collation == "i;unicode-casemap")


# --- components ---


def inner(writer: Writer, prepared: Inner) -> None:
    """There is a component directly inside …; or there is none."""
    component, inside, negated = prepared.component, prepared.inside, prepared.negated
    if component in _UNLISTED:
        writer.add("1 = 1")
        return
    alias = writer.new_alias()
    writer.negation(negated)
    writer.add(f"{writer.opening}{_COMPONENT} {alias} where ")
    if writer.kind_here == ROOT:
        writer.add(f"{alias}.object_id = o.id and {alias}.parent_id is null")
    else:
        writer.add(f"{alias}.parent_id = {writer.here}.id")
    writer.add(f" and {alias}.kind = ?", component)
    if inside != TRUE:
        writer.add(" and ")
        within(writer, alias, component, inside)
    writer.add(writer.closing)


def within(writer: Writer, alias: str, kind: str, inside: Plan) -> None:
    """Write a condition about another component."""
    outer = writer.here, writer.kind_here
    writer.here, writer.kind_here = alias, kind
    writer.condition(inside)
    writer.here, writer.kind_here = outer


# --- times ---


def occurs(writer: Writer, prepared: Occurs) -> None:
    """An instance touches the range."""
    kind, low, high = writer.kind_here, prepared.low, prepared.high
    if kind not in _TOUCHING:
        writer.add("1 = 1")
        return
    _TOUCHING[kind](writer, low, high)


def _by_instances(writer: Writer, low: Bound, high: Bound, *, closed: bool = False) -> None:
    alias = writer.new_alias()
    writer.add(f"{writer.opening}{_INSTANCE} {alias} where {alias}.component_id = {writer.here}.id and ")
    touching(writer, alias, low, high, closed=closed)
    writer.add(writer.closing)


def _todo(writer: Writer, low: Bound, high: Bound) -> None:
    """Both ends count, and what has no dates is looked at closer."""
    here = writer.here
    writer.add(f"(({here}.start_at is null and {here}.end_at is null) or ")
    _by_instances(writer, low, high, closed=True)
    writer.add(")")


def _free_busy(writer: Writer, low: Bound, high: Bound) -> None:
    """Its own range, or its periods where it has none."""
    here = writer.here
    writer.add(f"(({here}.start_at is not null and {here}.end_at is not null")
    if high is not None:
        writer.add(f" and {here}.start_at < ?", high + _WIDE)
    if low is not None:
        writer.add(f" and {here}.end_at >= ?", low - _WIDE)
    writer.add(") or ")
    _by_instances(writer, low, high, closed=True)
    writer.add(")")


_WIDE: Final = 86_400
"""Seconds by which a range grows where floating times are not told apart."""
_TOUCHING: Final[Mapping[str, Callable[..., None]]] = {
    "VEVENT": _by_instances,
    "VJOURNAL": _by_instances,
    "VALARM": _by_instances,
    "VTODO": _todo,
    "VFREEBUSY": _free_busy,
}


def touching(writer: Writer, alias: str, low: Bound, high: Bound, *, closed: bool = False) -> None:
    """A row of `instance` touches a range; floating rows are compared with what the clocks show."""
    wall = writer.wall
    if wall is None:
        _touching(writer, alias, low, high, closed=closed)
        return
    writer.add(f"case when {alias}.floating = 1 then ")
    _touching(
        writer, alias, None if low is None else wall(low), None if high is None else wall(high), closed=closed
    )
    writer.add(" else ")
    _touching(writer, alias, low, high, closed=closed)
    writer.add(" end")


def _touching(writer: Writer, alias: str, low: Bound, high: Bound, *, closed: bool) -> None:
    writer.add("(1 = 1")
    if high is not None:
        writer.add(f" and {alias}.start_at {'<=' if closed else '<'} ?", high)
    if low is not None and closed:
        writer.add(f" and {alias}.end_at >= ?", low)
    elif low is not None:
        writer.add(f" and ({alias}.end_at > ? or {alias}.start_at >= ?)", low, low)
    writer.add(")")


# --- properties ---


def carries(writer: Writer, prepared: Carries) -> None:
    """There is a property of a name that passes all tests; or there is none."""
    if writer.kind_here == ROOT:
        writer.add("1 = 1")
        return
    name, tests = prepared.name, prepared.tests
    times = [test for test in tests if isinstance(test, During)]
    if times and name in _ENDS:
        _times(writer, name, times[0])
        return
    writer.negation(prepared.negated)
    alias = writer.new_alias()
    writer.add(
        f"{writer.opening}{_CELL} {alias} where {alias}.component_id = {writer.here}.id"
        f" and {alias}.name = ? and {alias}.origin = ?",
        name,
        WRITTEN,
    )
    for test in tests:
        writer.add(" and ")
        _TESTS[type(test)](writer, alias, name, test)
    writer.add(writer.closing)


def _times(writer: Writer, name: str, test: During) -> None:
    """DTSTART, DTEND or DUE of some instance: wide, for who matches again asks each instance."""
    alias = writer.new_alias()
    column = "start_at" if name == "DTSTART" else "end_at"
    writer.add(f"({writer.here}.recurrence_at is not null or {writer.here}.start_at is null or ")
    writer.add(f"{writer.opening}{_INSTANCE} {alias} where {alias}.component_id = {writer.here}.id")
    _wide(writer, f"{alias}.{column}", test)
    writer.add(writer.closing + ")")


def _wide(writer: Writer, number: str, test: During) -> None:
    if test.low is not None:
        writer.add(f" and {number} >= ?", test.low - _WIDE)
    if test.high is not None:
        writer.add(f" and {number} < ?", test.high + _WIDE)


def _during(writer: Writer, alias: str, name: str, test: During) -> None:
    writer.add(f"({alias}.num is not null")
    _wide(writer, f"{alias}.num", test)
    writer.add(")")


def _has_param(writer: Writer, alias: str, name: str, test: HasParam) -> None:
    writer.negation(test.negated)
    _cell(writer, alias, f"{name};{test.param}")
    writer.add(writer.closing)


def _cell(writer: Writer, alias: str, name: str) -> str:
    """Begin: the same property has a written cell of that name, for which … Returns its alias."""
    own = writer.new_alias()
    writer.add(
        f"{writer.opening}{_CELL} {own} where {own}.component_id = {alias}.component_id"
        f" and {own}.name = ? and {own}.pos = {alias}.pos and {own}.origin = ?",
        name,
        WRITTEN,
    )
    return own


def _contains(writer: Writer, alias: str, name: str, test: Contains) -> None:
    """Some value of the property or parameter matches; negated: it is there, and none does."""
    if test.param is None and not test.negated:
        _value(writer, f"{alias}.value", test)
        return
    column = name if test.param is None else f"{name};{test.param}"
    if test.negated and test.param is not None:
        _cell(writer, alias, column)
        writer.add(f"{writer.closing} and ")
    writer.negation(test.negated)
    own = _cell(writer, alias, column)
    writer.add(" and ")
    if test.negated and _is_vague(test):
        writer.add("1 = 0")  # which value it is cannot be told: any may be one that does not match
    else:
        _value(writer, f"{own}.value", test)
    writer.add(writer.closing)


def _value(writer: Writer, value: str, test: Contains) -> None:
    if _is_vague(test):
        writer.add("1 = 1")
        return
    if test.collation == "i;ascii-casemap":
        value = f"upper({value})"  # of ASCII only: SQLite knows no other, PostgreSQL's column is "C"
    _MATCH[test.kind](writer, value, COLLATIONS[test.collation](test.text))


def _holds(writer: Writer, value: str, text: str) -> None:
    """`replace` changes what holds the text, on both databases and without patterns."""
    if text:
        writer.add(f"replace({value}, ?, '') <> {value}", text)
    else:
        writer.add("1 = 1")


def _equals(writer: Writer, value: str, text: str) -> None:
    writer.add(f"{value} = ?", text)


def _starts(writer: Writer, value: str, text: str) -> None:
    writer.add(f"substr({value}, 1, {len(text)}) = ?", text)


def _ends(writer: Writer, value: str, text: str) -> None:
    size = len(text)
    writer.add(f"(length({value}) >= {size} and substr({value}, length({value}) - {size} + 1) = ?)", text)


_MATCH: Final[Mapping[MatchType, Callable[[Writer, str, str], None]]] = {
    "contains": _holds,
    "equals": _equals,
    "starts-with": _starts,
    "ends-with": _ends,
}
_TESTS: Final[Mapping[type, Callable[..., None]]] = {
    Contains: _contains,
    HasParam: _has_param,
    During: _during,
}
