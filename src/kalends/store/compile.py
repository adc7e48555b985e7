"""A query tree to SQL: the same conditions `calquery.match` tests, as one statement for both databases.

Every value travels as a parameter; the text of the statement depends only on the shape of the query. What a
literal means is decided in `calquery.lower`, which contained component a term is about in `calquery.plan`;
here that becomes EXISTS over `cell` and `component`. Where the condition names a UID or a range of dates the
search begins at those, never at all components of a calendar.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from kalends.calquery.cells import DERIVED
from kalends.calquery.columns import CONTAINERS, TICK, comparison
from kalends.calquery.like import Pattern, pattern
from kalends.calquery.lower import DATE_LENGTH, NumberTest, Test, TextTest, lower
from kalends.calquery.match import ENVELOPE_FREE
from kalends.calquery.plan import FALSE, TRUE, All, Any, Inner, Plan, Some, plan
from kalends.calquery.ranges import EVER, UNBOUNDED, Bounds, Range, bounds, ticks_from
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
from kalends.store import compile_filters
from kalends.store.base import Dialect, SqlValue

JOINABLE: Final = 8
"""Conditions a planner may turn into joins; with more, PostgreSQL would weigh their orders for minutes."""

UID_SOURCES: Final = {
    "VEVENT": "UID",
    "VTODO": "UID",
    "VJOURNAL": "UID",
    "VFREEBUSY": "UID",
    "VAVAILABILITY": "UID",
    "VCAR": "CARID",
    "VQUERY": "QUERYID",
}
"""The property that `object.uid` repeats, by source."""

_ENVELOPED: Final = "exists (select 1 from (select "
_ENVELOPE: Final = {
    "METHOD": "o.method as value, lower(o.method) as folded, cast(null as bigint) as num",
    TICK: "cast(o.tick as text) as value, cast(null as text) as folded, o.tick as num",
}
"""Columns that are kept beside the object: what a cell of theirs would hold."""
_DATED: Final = frozenset(("VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY", "VAVAILABILITY"))
_DURATION_STARTS: Final = "('P', 'p', '+', '-')"
_CONTAINED: Final = "select 1 from component"
_CELLS: Final = "select 1 from cell x where"
_ALARMS: Final = "select 1 from instance y where"
_SERIES: Final = "select 1 from cell s where"
_RULES: Final = frozenset(("RRULE", "RDATE", "EXRULE", "EXDATE"))
_FLOATS: Final = (
    " when length(x.value) = 15 and not exists (select 1 from cell t where t.component_id = x.component_id"
    " and t.name = case when x.origin = ? then 'DTSTART;TZID' else ? end"
    " and (x.origin = ? or t.pos = x.pos)) then "
)
"""A time without Z and without TZID. What is derived has its TZID from DTSTART."""
Wall = Callable[[int], int]
_COMPONENTS: Final = "select id, object_id, calendar_id, pos, start_at from component where "


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
    writer.open(prepared, limits, sorted(set(calendar_ids)))
    writer.condition(prepared)
    writer.add(" order by c.object_id, c.pos, c.id")
    if expand:
        writer.add(", i.start_at, i.recurrence_at")
    if limit is not None:
        writer.add(" limit ?", limit)
    return Compiled("".join(writer.parts), tuple(writer.params), limits.window())


class Writer:
    """Writes one statement; one method for each kind of condition, found in `_WRITERS`."""

    def __init__(self, source: str, *, expand: bool, joinable: bool, wall: Wall | None = None) -> None:
        self.source = source
        self.wall = wall
        self.opening, self.closing = ("exists (", ")") if joinable else ("((exists (", ")) is true)")
        self.expand = expand
        self.parts: list[str] = []
        self.params: list[SqlValue] = []
        self.aliases: dict[str, str] = {}
        self.here, self.kind_here = "c", source
        self.made = 0

    def add(self, text: str, *values: SqlValue) -> None:
        """Add text with the values of its parameters."""
        self.parts.append(text)
        self.params += values

    # FROM: where the search begins

    def open(self, prepared: Plan, limits: Bounds, calendar_ids: Sequence[int]) -> None:
        """Write SELECT … FROM … WHERE and how its tables belong together."""
        self.add("select c.object_id, c.id")
        if self.expand:
            self.add(", i.start_at, i.end_at, i.recurrence_at, i.floating")
        uids = _uids(prepared, self.source)
        since = ticks_from(prepared) if uids is None else None
        # CROSS JOIN keeps SQLite from choosing another table to begin with
        if uids is not None:
            self.add(" from object o cross join component c")
            self.left_join_instances()
            self.add(" where c.object_id = o.id")
            self.kind("c.")
            self.add(" and ")
            self.among("o.uid", sorted(uids))
            self.add(" and ")
            self.among("+o.calendar_id", calendar_ids)  # the plus: SQLite shall search by the UID
        elif since is not None:
            self.add(" from object o cross join component c")
            self.left_join_instances()
            self.add(" where c.object_id = o.id")
            self.kind("c.")
            self.add(" and ")
            self.among("o.calendar_id", calendar_ids)
            self.add(" and o.tick >= ?", since)
        elif self.expand and limits != UNBOUNDED:
            self.add(" from (")
            self.instances(limits, calendar_ids)
            self.add(") i cross join component c cross join object o")
            self.add(" where c.id = i.component_id and o.id = c.object_id")
            self.kind("c.")
        else:
            self.add(" from (")
            self.components(limits, calendar_ids)
            self.add(") c cross join object o")
            self.left_join_instances()
            self.add(" where o.id = c.object_id")
        self.add(" and ")

    def left_join_instances(self) -> None:
        """One row an instance, when expanding."""
        if self.expand:
            self.add(" left join instance i on i.component_id = c.id")

    def among(self, column: str, values: Sequence[SqlValue]) -> None:
        """`column` is one of some values."""
        if len(values) == 1:
            self.add(f"{column} = ?", values[0])
        elif values:
            self.add(f"{column} in ({', '.join('?' * len(values))})", *values)
        else:
            self.add("1 = 0")

    def kind(self, alias: str) -> None:
        """The component is of FROM's table."""
        if self.source == "VCALENDAR":
            marks = ", ".join("?" * len(ENVELOPE_FREE))
            self.add(
                f" and {alias}parent_id is null and {alias}kind not in ({marks})", *sorted(ENVELOPE_FREE)
            )
        else:
            self.add(f" and {alias}kind = ?", self.source)

    def components(self, limits: Bounds, calendar_ids: Sequence[int]) -> None:
        """Components of FROM's kind whose own dates may lie in the range."""
        dated = self.source in _DATED
        start, end = (limits.start, limits.end) if dated else (EVER, EVER)
        self.add(_COMPONENTS)
        self.among("calendar_id", calendar_ids)
        self.kind("")
        self.within("start_at", start)
        self.within_or_null("end_at", end)
        if start != EVER:  # what has no start that the index knows
            self.add(" union all ")
            self.add(_COMPONENTS)
            self.among("calendar_id", calendar_ids)
            self.kind("")
            self.add(" and start_at is null")
            self.within_or_null("end_at", end)

    def instances(self, limits: Bounds, calendar_ids: Sequence[int]) -> None:
        """Instances in the range; for a range of RECURRENCE-ID also those that were moved out of it."""
        start, end, recurrence = limits.start, limits.end, limits.recurrence
        self.add("select * from instance where ")
        self.among("calendar_id", calendar_ids)
        self.within("start_at", start.both(recurrence))
        self.within("end_at", end)
        if end.low is not None:
            self.add(" and start_at >= ? - (select max(longest) from calendar where ", end.low)
            self.among("id", calendar_ids)
            self.add(")")
        if recurrence != EVER:
            self.add(
                " union select n.* from component m cross join instance n where n.component_id = m.id and "
            )
            self.among("m.calendar_id", calendar_ids)
            self.within("m.recurrence_at", recurrence)

    def within(self, column: str, limits: Range) -> None:
        """`column` lies in a range."""
        if limits.low is not None:
            self.add(f" and {column} >= ?", limits.low)
        if limits.high is not None:
            self.add(f" and {column} <= ?", limits.high)

    def within_or_null(self, column: str, limits: Range) -> None:
        """`column` lies in a range, or is not known."""
        if limits == EVER:
            return
        self.add(f" and ({column} is null or (1 = 1")
        self.within(column, limits)
        self.add("))")

    # WHERE

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

    def new_alias(self) -> str:
        """A name that no table of the statement has yet."""
        self.made += 1
        return f"a{self.made}"

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
        when = self.instance_time(prepared.column)
        if when is not None and isinstance(test, NumberTest) and test.shape != "duration":
            self.instance_test(when, prepared.column, test)
        else:
            self.exists(prepared.column, lambda: self.test(test, prepared.column))

    def included(self, prepared: In) -> None:
        """`value IN column`."""
        test = lower(prepared.column, "=", prepared.value)
        self.negation(prepared.negated)
        self.exists(prepared.column, lambda: self.test(test, prepared.column))

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

    def negation(self, negated: bool) -> None:
        """NOT, or nothing."""
        if negated:
            self.add("not ")

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

    # tests on a cell

    def test(self, test: Test, column: Column) -> None:
        """A test on the cell x of a column."""
        if isinstance(test, TextTest):
            self.text_test("coalesce(x.folded, x.value)" if test.folded else "x.value", test)
        else:
            self.number_test(test, column)

    def text_test(self, value: str, test: TextTest) -> None:
        """A text compared with texts."""
        if test.operator in ("=", "!="):
            self.negation(test.operator == "!=")
            self.add("(")
            self.among(value, test.texts)
            self.add(")")
            return
        self.add("(1 = 0")
        for text in test.texts:
            self.add(f" or {value} {test.operator} ?", text)
        self.add(")")

    def number_test(self, test: NumberTest, column: Column) -> None:
        """A number compared with a range of equals, by days or wall clocks where that is meant."""
        if test.shape != "any":
            word = "in" if test.shape == "duration" else "not in"
            self.add(f"substr(x.value, 1, 1) {word} {_DURATION_STARTS} and ")
        wall = self.wall if comparison(column) == "moment" or test.shape == "moment" else None
        if test.day is None and wall is None:
            self.ordered("x.num", test.operator, test.low, test.high)
            return
        self.add("case")
        if test.day is not None:
            self.add(f" when length(x.value) = {DATE_LENGTH} then ")
            self.ordered("x.num", test.operator, test.day, test.day)
        if wall is not None:
            self.add(_FLOATS, DERIVED, f"{column.name};TZID", DERIVED)
            self.ordered("x.num", test.operator, wall(test.low), wall(test.high))
        self.add(" else ")
        self.ordered("x.num", test.operator, test.low, test.high)
        self.add(" end")

    def ordered(self, number: str, operator: Operator, low: int, high: int) -> None:
        """A number against a range of equals."""
        if operator == "=":
            self.add(f"{number} between ? and ?", low, high)
        elif operator == "!=":
            self.add(f"{number} not between ? and ?", low, high)
        else:
            self.add(f"{number} {operator} ?", high if operator in ("<=", ">") else low)

    def like_any(self, text: str, wanted: Iterable[Pattern], *, dates: bool) -> None:
        """A text is like one of some patterns."""
        self.add("(1 = 0")
        for one in wanted:
            self.add(" or ")
            self.like_one(text, one)
            if dates:  # §6.1.1.7: '%T000000' is anything at midnight, also when the value ends in Z
                self.add(" or ")
                self.like_one(f"rtrim({text}, 'z')", one)
        self.add(")")

    def like_one(self, text: str, one: Pattern) -> None:
        """A text is like a pattern."""
        if one.plain is not None:
            self.add(f"{text} = ?", one.plain)
        else:
            self.add(f"{text} like ? escape '\\'", one.sql)

    # dates of an instance

    def instance_time(self, column: Column) -> str | None:
        """The column of `instance` that stands for a date when expanding."""
        if not self.expand or column.param is not None:
            return None
        if column.component is None:
            return {
                "DTSTART": "i.start_at",
                "DTEND": "i.end_at",
                "DUE": "i.end_at",
                "RECURRENCE-ID": "i.recurrence_at",
            }.get(column.name)
        return "y.start_at" if (column.component, column.name) == ("VALARM", "TRIGGER") else None

    def instance_test(self, when: str, column: Column, test: NumberTest) -> None:
        """A time of an instance compared with a range of equals."""
        if column.component is not None:
            alias = self.aliases[column.component]
            self.add(
                f"exists ({_ALARMS} y.component_id = {alias}.id and y.recurrence_at = i.recurrence_at and "
            )
            self.at_instance(when, "y", test, None)
            self.add(")")
            return
        day = test.low if test.day is None else test.day
        days = (day, test.high if test.day is None else day)
        self.at_instance(when, "i", test, None if test.day is None and self.wall is None else days)

    def at_instance(self, when: str, alias: str, test: NumberTest, days: tuple[int, int] | None) -> None:
        """An instance's time against a range; `days` is the range for instances that are whole days."""
        if days is None and self.wall is None:
            self.ordered(when, test.operator, test.low, test.high)
            return
        self.add("case")
        if days is not None:
            self.add(" when i.floating = 1 and i.start_at % 86400 = 0 and i.end_at % 86400 = 0 then ")
            self.ordered(when, test.operator, *days)
        if self.wall is not None:
            self.add(f" when {alias}.floating = 1 then ")
            self.ordered(when, test.operator, self.wall(test.low), self.wall(test.high))
        self.add(" else ")
        self.ordered(when, test.operator, test.low, test.high)
        self.add(" end")


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
    Inner: compile_filters.inner,
    Carries: compile_filters.carries,
    Occurs: compile_filters.occurs,
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


def _uids(prepared: Plan, source: str) -> frozenset[str] | None:
    """The UIDs a plan limits itself to, where `object.uid` can find them; None when it does not."""
    name = UID_SOURCES.get(source)
    if name is None:
        return None
    match prepared:
        case Compare(Column(column, None, None), "=", Literal(text)) if column == name:
            return frozenset((text,))
        case In(Literal(text), Column(column, None, None), False) if column == name:
            return frozenset((text,))
        case All(parts):
            found = [uids for part in parts if (uids := _uids(part, source)) is not None]
            return frozenset.intersection(*found) if found else None
        case Any(parts):
            each = [_uids(part, source) for part in parts]
            known = [uids for uids in each if uids is not None]
            return frozenset().union(*known) if len(known) == len(each) else None
        case _:
            return None
