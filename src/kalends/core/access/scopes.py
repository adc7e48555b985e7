"""SCOPE: which components, properties and parameters a VRIGHT speaks of (RFC 4324 §8.33).

A SCOPE is a CAL-QUERY: FROM and WHERE say which components, SELECT says which part of them. Doubt goes
against the caller: what of a GRANT cannot be understood covers nothing, what of a DENY cannot covers all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from kalends.calquery.bind import Bindings, bind, is_plain
from kalends.calquery.columns import CONTAINERS
from kalends.calquery.errors import QueryError
from kalends.calquery.match import Subject
from kalends.calquery.plan import FALSE, TRUE, Plan, kinds, mentions_state, plan
from kalends.calquery.tree import (
    AllProperties,
    And,
    Column,
    Compare,
    Condition,
    Contained,
    Everything,
    In,
    Like,
    Null,
    Or,
    OwnersColumn,
    Query,
    Selected,
)
from kalends.ical.tree import Component, Line

Params = frozenset[str] | None
"""Names of parameters; None for all of them."""

OF_TIME = frozenset(
    ("DTSTART", "DTEND", "DUE", "DURATION", "RECURRENCE-ID", "TRIGGER", "RDATE", "EXDATE", "FREEBUSY")
)
"""Properties whose values are compared with the help of others: a DTEND may follow from a DURATION."""
_ONE_MEANING: Mapping[str, tuple[str, ...]] = {
    "DTEND": ("DTEND", "DURATION"),
    "DUE": ("DUE", "DURATION"),
    "DURATION": ("DURATION", "DTEND", "DUE"),
}
"""Properties that say the same together with DTSTART (RFC 4324 §6.1.1.8): who denies one denies all."""


@dataclass(frozen=True, slots=True)
class Part:
    """Which part of a component is meant.

    Attributes:
        whole: all of it, with all it contains.
        columns: its properties by name, with the parameters that are meant; None for the property whole.
        kinds: names of contained components that are meant whole.
        inner: parts of other contained components, by their name.
        only: conditions on single lines, by property: `SELECT ATTENDEE … WHERE ATTENDEE = SELF()` means one's
            own ATTENDEE lines, and not those of others that stand beside them.
    """

    whole: bool = False
    columns: Mapping[str, Params] = field(default_factory=dict)
    kinds: frozenset[str] = frozenset()
    inner: Mapping[str, Part] = field(default_factory=dict)
    only: Mapping[str, tuple[Plan, ...]] = field(default_factory=dict)

    def inside(self, name: str) -> Part | None:
        """What is meant of a contained component; None for nothing."""
        if self.whole or name in self.kinds:
            return WHOLE
        return self.inner.get(name)

    def means(self, line: Line) -> bool:
        """Whether a property, or some parameter of it, is meant."""
        if self.whole:
            return True
        if line.name not in self.columns:
            return False
        tests = self.only.get(line.name)
        return tests is None or all(_alone(line).satisfies(test) for test in tests)

    def params(self, line: Line) -> Params:
        """The parameters that are meant of a line that is."""
        return None if self.whole else self.columns[line.name]

    def free(self, line: Line) -> bool:
        """Whether the line's value is meant as much as its parameters: it may be given another one."""
        if self.whole:
            return True
        return line.name not in self.only and self.columns.get(line.name, frozenset()) is None


WHOLE = Part(whole=True)


def _alone(line: Line) -> Subject:
    return Subject(Component("VEVENT", [line]))


@dataclass(frozen=True, slots=True)
class Scope:
    """A SCOPE made ready for one caller.

    Attributes:
        source: FROM.
        prepared: WHERE, bound and planned.
        part: SELECT.
        grant: whether it stands in a GRANT, so that doubt means no.
        says_state: whether WHERE names a STATE(); a DENY that does not holds in every state.
        looks_at: the only properties that WHERE looks at; None when it needs the whole component.
        always: whether there is no WHERE.
    """

    source: str
    prepared: Plan
    part: Part
    grant: bool
    says_state: bool = False
    looks_at: frozenset[str] | None = None
    always: bool = False

    def holds(self, component: Component, subject: Subject) -> bool:
        """Whether WHERE holds for a component.

        Args:
            component: what is looked at.
            subject: the same with its circumstances.
        """
        state = subject.state if self.grant or self.says_state else "BOOKED"
        if self.looks_at is not None:  # reading what nobody asks about is most of the work
            looked_at = Component(
                component.name, [item for item in component.items if item.name in self.looks_at]
            )
            subject = Subject(
                looked_at,
                state=state,
                method=subject.method,
                zones=subject.zones,
                default_tz=subject.default_tz,
            )
        elif state != subject.state:
            subject = Subject(
                component,
                parent=subject.parent,
                state=state,
                method=subject.method,
                zones=subject.zones,
                default_tz=subject.default_tz,
                container=subject.container,
            )
        try:
            return subject.satisfies(self.prepared)
        except QueryError:
            return not self.grant


def prepare(query: Query, bindings: Bindings, *, grant: bool) -> Scope:
    """Make a SCOPE or RESTRICTION ready for one caller.

    Args:
        query: as parsed.
        bindings: what SELF(), CAL-OWNERS() and CURRENT-TARGET() stand for.
        grant: whether it widens what somebody may do.
    """
    if query.where is None or is_plain(query.where):
        return _plain(query, grant=grant)
    return _prepare(query, bindings, grant=grant)


@lru_cache(maxsize=1_024)
def _plain(query: Query, *, grant: bool) -> Scope:
    """What means the same for everybody: most of what VCARs say, and every command asks."""
    return _prepare(query, Bindings(), grant=grant)


def _prepare(query: Query, bindings: Bindings, *, grant: bool) -> Scope:
    try:
        bound = bind(query, bindings)
        prepared = plan(bound.where)
        part = _part(bound, narrow=grant)
    except QueryError:
        return Scope(query.source, FALSE if grant else TRUE, WHOLE, grant)
    says_state = bound.where is not None and mentions_state(bound.where)
    looks_at, always = _looks_at(bound.where), bound.where is None
    return Scope(query.source, prepared, part, grant, says_state, looks_at, always)


def _looks_at(condition: Condition | None) -> frozenset[str] | None:
    """The properties of the component itself that a condition looks at; None when times or others matter."""
    if condition is not None and kinds(condition):
        return None
    names = _names(condition)
    return names if names.isdisjoint(OF_TIME) else None


def _names(condition: Condition | None) -> frozenset[str]:
    match condition:
        case And(terms) | Or(terms):
            return frozenset().union(*[_names(term) for term in terms])
        case Compare(column) | Like(column) | Null(column) | In(_, column):
            return frozenset((column.name,))
        case _:
            return frozenset()


def _part(query: Query, *, narrow: bool) -> Part:
    """SELECT as a part; in containers `*` covers the contents, too (A-50)."""
    if any(_is_whole(item, query.source) for item in query.select):
        return WHOLE
    own = [item for item in query.select if isinstance(item, Column) and item.component is None]
    if any(isinstance(item, OwnersColumn) for item in query.select):
        own += [Column("OWNER"), Column("CALMASTER")]
    columns = _columns(own, narrow=narrow)
    inner: dict[str, list[Column]] = {}
    for item in query.select:
        if isinstance(item, Column) and item.component is not None:
            inner.setdefault(item.component, []).append(item)
    kinds = frozenset(item.component for item in query.select if isinstance(item, Contained))
    parts = {name: Part(columns=_columns(found, narrow=narrow)) for name, found in inner.items()}
    return Part(
        columns=columns,
        kinds=kinds,
        inner=parts,
        only=_only(query.where, columns) if narrow else {},
    )


def _is_whole(item: Selected, source: str) -> bool:
    """Whether an item means all of FROM; `SELECT VEVENT.* FROM VAGENDA` has become one on VEVENT itself."""
    return isinstance(item, AllProperties | Everything) or (
        isinstance(item, Contained) and item.component == source
    )


def _columns(selected: Iterable[Column], *, narrow: bool) -> dict[str, Params]:
    """Selected properties with their parameters; in a DENY also what says the same in other words."""
    found: dict[str, Params] = {}
    for column in selected:
        names = (column.name,) if narrow or column.param else _ONE_MEANING.get(column.name, (column.name,))
        for name in names:
            before = found.get(name, frozenset())
            found[name] = None if column.param is None or before is None else before | {column.param}
    return found


def _only(condition: Condition | None, columns: Mapping[str, Params]) -> dict[str, tuple[Plan, ...]]:
    """The conditions that all lines of a selected property have to meet, each for itself."""
    found: dict[str, tuple[Plan, ...]] = {}
    match condition:
        case And(terms):
            for term in terms:
                for name, tests in _only(term, columns).items():
                    found[name] = (*found.get(name, ()), *tests)
        case Compare(column, "=") | In(_, column, False) if column.component is None:
            if column.name in columns:
                found[column.name] = (plan(condition),)
        case _:
            pass
    return found


def is_container(source: str) -> bool:
    """Whether FROM means a container, whose contents a SCOPE covers with it (A-50)."""
    return source in CONTAINERS
