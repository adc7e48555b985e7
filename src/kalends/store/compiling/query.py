"""A query tree to SQL: the same conditions `calquery.match` tests, as one statement for both databases.

Every value travels as a parameter; the text of the statement depends only on the shape of the query. What a
literal means is decided in `calquery.lower`, which contained component a term is about in `calquery.plan`;
here that becomes EXISTS over `cell` and `component`. Where the condition names a UID or a range of dates the
search begins at those, never at all components of a calendar.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from kalends.calquery.cells import DERIVED
from kalends.calquery.columns import CONTAINERS, TICK, comparison
from kalends.calquery.like import Pattern, pattern
from kalends.calquery.lower import NumberTest, lower
from kalends.calquery.plan import FALSE, TRUE, All, Any, Inner, Plan, Some, plan
from kalends.calquery.ranges import Range, bounds
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
    Query,
    State,
    Value,
)
from kalends.store.base import Dialect, SqlValue
from kalends.store.compiling import filters
from kalends.store.compiling.conditions import instance_test, instance_time, write_test
from kalends.store.compiling.sources import begin
from kalends.store.compiling.statement import Statement

JOINABLE: Final = 8
"""Conditions a planner may turn into joins; with more, PostgreSQL would weigh their orders for minutes."""


_ENVELOPED: Final = "exists (select 1 from (select "
_ENVELOPE: Final = {
    "METHOD": "o.method as value, lower(o.method) as folded, cast(null as bigint) as num",
    TICK: "cast(o.tick as text) as value, cast(null as text) as folded, o.tick as num",
}
"""Columns that are kept beside the object: what a cell of theirs would hold."""
_CONTAINED: Final = "select 1 from component"
_CELLS: Final = "select 1 from cell x where"
_SERIES: Final = "select 1 from cell s where"
_RULES: Final = frozenset(("RRULE", "RDATE", "EXRULE", "EXDATE"))


Wall = Callable[[int], int]
"""What the clocks of a zone show at an instant, both in seconds since 1970 as if in UTC."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """A statement ready to run.

    Attributes:
        sql: with `?` for each parameter. Its rows are (object id, component id), when expanded also start_at,
            end_at, recurrence_at and floating of one instance, NULL for what has no time. Ordered by
            object, place in the text, start.
        params: the parameters in order.
        window: the dates the query limits itself to, in seconds UTC: objects expanded no further than
            `window.high` need a look in memory.
    """

    sql: str
    params: tuple[SqlValue, ...]
    window: Range


def compile_query(
    query: Query,
    calendar_ids: Sequence[int],
    dialect: Dialect = "sqlite",
    *,
    expand: bool = False,
    limit: int | None = None,
    wall: Wall | None = None,
) -> Compiled:
    """Write a bound query as SQL.

    Args:
        query: a query without functions of the session (`calquery.bind`).
        calendar_ids: rows of `calendar` to search; 0 is the store itself.
        dialect: the database; the text is the same for both today.
        expand: one row an instance: DTSTART, DTEND, DUE, RECURRENCE-ID and the TRIGGER of alarms are those of
            the instance (RFC 4324 §8.16, §6.1.1.15).
        limit: rows at most.
        wall: what the clocks of the zone of floating times show at an instant, both in seconds since 1970 as
            if in UTC; None for UTC. The index holds floating times by their wall clock.

    Returns:
        The statement.

    Raises:
        QueryError: a literal that does not fit its column.
        TooComplexError: too many contained kinds.

    Source: RFC 4324 §6.1.1, §6.1.1.7.
    """
    prepared = plan(query.where)
    writer = Writer(query.source, expand=expand, joinable=size(prepared) <= JOINABLE, wall=wall)
    limits = bounds(prepared) if wall is None else bounds(prepared).widened(wall)
    begin(writer, prepared, limits, sorted(set(calendar_ids)))
    writer.condition(prepared)
    writer.add(" order by c.object_id, c.pos, c.id")
    if expand:
        writer.add(", i.start_at, i.recurrence_at")
    if limit is not None:
        writer.add(" limit ?", limit)
    return Compiled("".join(writer.parts), tuple(writer.params), limits.window())


class Writer(Statement):
    """Writes the conditions; one method for each kind, found in `_WRITERS`."""

    def condition(self, prepared: Plan) -> None:
        """Write a plan; what it is about is `here`."""
        _WRITERS[type(prepared)](self, prepared)

    def joined(self, parts: Sequence[Plan], word: str) -> None:
        """Parts joined as a balanced tree: SQLite limits how deep an expression nests, not how long it is."""
        if len(parts) == 1:
            self.condition(parts[0])
            return
        half = len(parts) // 2
        self.add("(")
        self.joined(parts[:half], word)
        self.add(f" {word} ")
        self.joined(parts[half:], word)
        self.add(")")

    def all(self, prepared: All) -> None:
        """All parts."""
        self.joined(prepared.parts, "and")

    def any(self, prepared: Any) -> None:
        """Any part."""
        self.joined(prepared.parts, "or")

    def constant(self, prepared: Constant) -> None:
        """True or false."""
        self.add("1 = 1" if prepared.value else "1 = 0")

    def state(self, prepared: State) -> None:
        """STATE()."""
        self.add("o.state = ?", prepared.state)

    def some(self, prepared: Some) -> None:
        """There is a contained component …; or there is none at all, and that is right too."""
        alias = self.new_alias()
        if prepared.nothing != FALSE:
            self.add("(")
        self.add(self.opening + _CONTAINED)
        self.contained(alias, prepared.component)
        if prepared.inside != TRUE:
            self.add(" and ")
            self.aliases[prepared.component] = alias
            self.condition(prepared.inside)
            del self.aliases[prepared.component]
        self.add(self.closing)
        if prepared.nothing != FALSE:
            self.add(" or (not " + self.opening + _CONTAINED)
            self.contained(alias, prepared.component)
            self.add(self.closing)
            if prepared.nothing != TRUE:
                self.add(" and ")
                self.condition(prepared.nothing)
            self.add("))")

    def contained(self, alias: str, component: str) -> None:
        """FROM and WHERE of a contained component."""
        if component == "VAGENDA" and self.source != "VCALSTORE":
            place = f"{alias}.calendar_id = c.calendar_id"  # the calendar that holds the component
        elif self.source in CONTAINERS:
            place = f"{alias}.calendar_id = c.calendar_id and {alias}.parent_id is null"
        else:
            place = f"{alias}.parent_id = {self.here}.id"
        self.add(f" {alias} where {place} and {alias}.kind = ?", component)

    def compare(self, prepared: Compare) -> None:
        """`column op value`."""
        test = lower(prepared.column, prepared.operator, prepared.value)
        when = instance_time(self, prepared.column)
        if when is not None and isinstance(test, NumberTest) and test.shape != "duration":
            instance_test(self, when, prepared.column, test)
        else:
            self.exists(prepared.column, lambda: write_test(self, test, prepared.column))

    def included(self, prepared: In) -> None:
        """`value IN column`."""
        test = lower(prepared.column, "=", prepared.value)
        self.negation(prepared.negated)
        self.exists(prepared.column, lambda: write_test(self, test, prepared.column))

    def like(self, prepared: Like) -> None:
        """`column LIKE pattern`."""
        wanted = _patterns(prepared.pattern)
        dates = comparison(prepared.column) in ("moment", "trigger")
        self.negation(prepared.negated)
        self.exists(
            prepared.column, lambda: self.like_any("coalesce(x.folded, x.value)", wanted, dates=dates)
        )

    def null(self, prepared: Null) -> None:
        """`column IS NULL`."""
        self.negation(not prepared.negated)
        column = prepared.column
        if self.expand and column.component is None and column.name == "RECURRENCE-ID":
            self.add("(i.start_at is not null and ")  # an instance that a rule makes is told with one
            self.series()
            self.add(" or ")
            self.exists(column, lambda: self.add("x.origin <> ?", DERIVED))
            self.add(")")
            return
        self.exists(column, lambda: self.add("x.origin <> ?", DERIVED))

    def series(self) -> None:
        """The component recurs."""
        self.add(f"exists ({_SERIES} s.component_id = {self.here}.id and s.name in ('RRULE', 'RDATE'))")

    def exists(self, column: Column, inside: Callable[[], None]) -> None:
        """There is a cell of a column for which `inside` (about alias x) holds."""
        envelope = _ENVELOPE.get(column.name) if column.param is None else None
        if envelope is not None:
            self.envelope(column, envelope, inside)
            return
        alias = self.here if column.component is None else self.aliases[column.component]
        ruled = self.expand and column.component is None and column.name in _RULES
        if ruled:
            self.add("((i.start_at is null or not ")  # instances are told without the rule that makes them
            self.series()
            self.add(") and ")
        name = column.name if column.param is None else f"{column.name};{column.param}"
        self.add(f"{self.opening}{_CELLS} x.component_id = {alias}.id and x.name = ? and ", name)
        inside()
        self.add(self.closing)
        if ruled:
            self.add(")")

    def envelope(self, column: Column, cell: str, inside: Callable[[], None]) -> None:
        """What is the envelope's: kept beside the object, not in cells."""
        if column.component == "VAGENDA":
            self.add("1 = 0")
            return
        self.add(_ENVELOPED)
        self.add(cell)
        self.add(", 0 as origin) x where x.value is not null and ")
        inside()
        self.add(")")


_WRITERS: Final[dict[type, Callable[..., None]]] = {
    All: Writer.all,
    Any: Writer.any,
    Some: Writer.some,
    Compare: Writer.compare,
    In: Writer.included,
    Like: Writer.like,
    Null: Writer.null,
    State: Writer.state,
    Constant: Writer.constant,
    Inner: filters.inner,
    Carries: filters.carries,
    Occurs: filters.occurs,
}


def size(prepared: Plan) -> int:
    """Conditions in a plan."""
    match prepared:
        case All(parts) | Any(parts):
            return sum(map(size, parts))
        case Some(_, inside, nothing):
            return 1 + size(inside) + size(nothing)
        case Inner(_, inside):
            return 1 + size(inside)
        case Carries(_, tests):
            return 1 + len(tests)
        case _:
            return 1


def _patterns(value: Value) -> list[Pattern]:
    assert isinstance(value, Literal | AnyOf)
    return [pattern(text) for text in ((value.text,) if isinstance(value, Literal) else value.texts)]
