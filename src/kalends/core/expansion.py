"""Instances for EXPAND:TRUE: out of the index up to the horizon, out of the rules beyond it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from kalends.calquery.match import Subject
from kalends.calquery.plan import plan
from kalends.calquery.tree import (
    And,
    Compare,
    Condition,
    Constant,
    In,
    Like,
    Null,
    Occurs,
    Or,
    Query,
)
from kalends.core.errors import InvalidError
from kalends.ical.errors import ICalError, StepBudgetError
from kalends.ical.occurrences import expand_component, occurrences
from kalends.ical.recurrence_set import Occurrence
from kalends.ical.tree import Component
from kalends.ical.zones import Zones
from kalends.store.base import Tx, paced
from kalends.store.found import FoundRow

EXPANDING = frozenset(("VEVENT", "VTODO", "VJOURNAL"))
"""Kinds of which a query can ask for instances (RFC 4324 §6.1.1.15)."""
_OF_TIME = frozenset(
    ("DTSTART", "DTEND", "DUE", "DURATION", "RECURRENCE-ID", "TRIGGER", "RRULE", "RDATE", "EXDATE")
)
_RECURRING = frozenset(("RRULE", "RDATE", "EXRULE", "EXDATE", "RECURRENCE-ID"))


@dataclass(frozen=True, slots=True)
class Instance:
    """One instance of an object.

    Attributes:
        component: the node of the text that describes it: master or override.
        at: when the rule puts it, if the master's rule makes it; None for what is written in the text.
        shown: it as a component of its own; None for what is written in the text.
        start: seconds UTC, to sort by.
    """

    component: Component
    at: int | None
    shown: Component | None
    start: int


def of_rows(whole: Component, rows: Sequence[tuple[int, FoundRow]]) -> list[Instance]:
    """The instances that rows of the index stand for.

    Args:
        whole: the object's text.
        rows: found in this object, each with its place in a depth-first walk of `whole`.

    Returns:
        Instances in order of start; what has no time comes as written.
    """
    if len(rows) == 1 and (start := rows[0][1].start_at) is not None:
        only = only_instance(whole)
        if only is not None:
            return [Instance(only, None, None, start)]
    nodes = list(whole.walk())
    found = [Instance(nodes[pos], None, None, 0) for pos, row in rows if row.start_at is None]
    starts = [row.start_at for _, row in rows if row.start_at is not None]
    if not starts:
        return found
    wanted = {(id(nodes[pos]), row.recurrence_at) for pos, row in rows if row.start_at is not None}
    zones = Zones(whole)
    for occurrence in occurrences(whole, min(starts), max(starts) + 1, zones=zones):
        if (id(occurrence.component), occurrence.recurrence) in wanted:
            found.append(_instance(whole, occurrence, zones))  # noqa: PERF401 - the condition is long enough
    return found


def only_instance(whole: Component) -> Component | None:
    """The one component that an object is, if it does not recur: then there is no rule to ask."""
    mains = [item for item in whole.items if item.name in EXPANDING and isinstance(item, Component)]
    return mains[0] if len(mains) == 1 and happens_once(mains[0]) else None


def happens_once(component: Component) -> bool:
    """Whether a component has nothing that makes it recur, nor is an instance of what does."""
    return _RECURRING.isdisjoint([item.name for item in component.items])


def beyond(
    tx: Tx, whole: Component, query: Query, lo: int | None, hi: int | None, *, limit: int, subject: Subject
) -> Iterator[Instance | None]:
    """The instances of an object in a window that match a query, out of its rules.

    Args:
        tx: the transaction this is done in: its deadline counts.
        whole: the object's text.
        query: bound.
        lo: epoch seconds; None for no bound.
        hi: epoch seconds, not included; None for no bound.
        limit: instances looked at; a None at the end says that there are more.
        subject: the object's circumstances (state, method, default zone).

    Raises:
        InvalidError: a rule that takes too many steps.
    """
    zones = Zones(whole)
    prepared = plan(query.where)
    seen = 0
    try:
        for occurrence in paced(tx, occurrences(whole, lo, hi, zones=zones, limit=limit + 1)):
            if lo is not None and occurrence.start < lo:
                continue
            if seen == limit:
                yield None
                return
            seen += 1
            if occurrence.component.name != query.source:
                continue
            found = _instance(whole, occurrence, zones)
            one = Subject(
                found.shown or found.component, state=subject.state, method=subject.method, zones=zones,
                default_tz=subject.default_tz, container=subject.container, expanded=True, tick=subject.tick,
            )  # fmt: skip
            if one.satisfies(prepared):
                yield found
    except StepBudgetError:
        yield None
    except ICalError as error:
        raise InvalidError(f"a stored rule cannot be read: {error.reason}") from error


def _instance(whole: Component, occurrence: Occurrence, zones: Zones) -> Instance:
    if not occurrence.identified or occurrence.component.first("RECURRENCE-ID") is not None:
        return Instance(occurrence.component, None, None, occurrence.start)
    shown = expand_component(whole, occurrence, zones=zones)
    return Instance(occurrence.component, occurrence.recurrence, shown, occurrence.start)


def timeless(query: Query) -> Query:
    """A query that selects at least all components of which an instance could match: times left open.

    Args:
        query: bound.
    """
    return query if query.where is None else replace(query, where=_timeless(query.where))


def _timeless(condition: Condition) -> Condition:
    match condition:
        case And(terms):
            return And(tuple(_timeless(term) for term in terms))
        case Or(terms):
            return Or(tuple(_timeless(term) for term in terms))
        case Compare(column) | Like(column) | Null(column) | In(_, column) if column.name in _OF_TIME:
            return Constant(True)
        case Occurs():
            return Constant(True)
        case _:
            return condition
