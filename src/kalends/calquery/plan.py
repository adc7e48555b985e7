"""A condition made ready to run: which contained component each part is about.

WHERE speaks of one component and, for each contained kind it names, of one component of that kind: "there
is an alarm such that all of this holds". Where there is none, its columns are NULL, as in SQL's outer join.
`plan` pushes that "there is" as far down as it may go without splitting terms that must hold for the same
alarm (ARCHITECTURE: all ANDed VALARM terms); both evaluators run the result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from kalends.calquery.errors import TooComplexError
from kalends.calquery.tree import (
    And,
    Carries,
    Compare,
    Condition,
    Constant,
    In,
    Inside,
    Like,
    Null,
    Occurs,
    Or,
    OwnerTest,
    State,
)
from kalends.calquery.value_defaults import with_value_defaults

MAX_CONTAINED: Final = 4
"""Contained kinds in one WHERE: events hold four kinds; every one more can double the plan."""

DEFAULT_STATES: Final = ("BOOKED", "UNPROCESSED")
"""The states a query without STATE() sees (RFC 4324 §6.1.1.5)."""

TRUE: Final = Constant(True)
FALSE: Final = Constant(False)


@dataclass(frozen=True, slots=True)
class Some:
    """There is a contained component for which `inside` holds; where there is none, `nothing` decides."""

    component: str
    inside: Plan
    nothing: Plan


@dataclass(frozen=True, slots=True)
class All:
    """All parts hold."""

    parts: tuple[Plan, ...]


@dataclass(frozen=True, slots=True)
class Any:
    """At least one part holds."""

    parts: tuple[Plan, ...]


@dataclass(frozen=True, slots=True)
class Inner:
    """There is a component of a kind directly inside for which `inside` holds; negated: there is none."""

    component: str
    inside: Plan
    negated: bool = False


Leaf = Compare | Like | Null | In | State | Constant | Carries | Occurs
Plan = Some | All | Any | Inner | Leaf


def plan(condition: Condition | None) -> Plan:
    """Prepare a bound condition.

    Args:
        condition: WHERE; None for none.

    Returns:
        A plan without constants inside, unless it is nothing but a constant. A condition without STATE() is
        limited to the default states.

    Raises:
        TooComplexError: too many contained kinds.
        TypeError: a condition that is not bound.
    """
    if condition is None:
        return _default_states()
    if len(kinds(condition)) > MAX_CONTAINED:
        raise TooComplexError(f"conditions on more than {MAX_CONTAINED} kinds of contained components")
    planned = _plan(_simple(with_value_defaults(condition)), frozenset())
    return planned if mentions_state(condition) else conjunction([_default_states(), planned])


def _default_states() -> Plan:
    return Any(tuple([State(state) for state in DEFAULT_STATES]))


def kinds(condition: Condition) -> frozenset[str]:
    """The contained components a condition is about."""
    match condition:
        case And(terms) | Or(terms):
            return frozenset().union(*[kinds(term) for term in terms])
        case Compare(column) | Like(column) | Null(column) | In(_, column):
            return frozenset() if column.component is None else frozenset((column.component,))
        case _:
            return frozenset()


def mentions_state(condition: Condition) -> bool:
    """Whether STATE() occurs: then the query says itself which states it wants."""
    match condition:
        case And(terms) | Or(terms):
            return any(mentions_state(term) for term in terms)
        case State():
            return True
        case _:
            return False


def conjunction(parts: Sequence[Plan]) -> Plan:
    """All parts, without constants and nested lists."""
    flat: list[Plan] = []
    for part in parts:
        if part == FALSE:
            return FALSE
        if isinstance(part, All):
            flat += part.parts
        elif part != TRUE:
            flat.append(part)
    return flat[0] if len(flat) == 1 else All(tuple(flat)) if flat else TRUE


def disjunction(parts: list[Plan]) -> Plan:
    """Any part, without constants and nested lists."""
    flat: list[Plan] = []
    for part in parts:
        if part == TRUE:
            return TRUE
        if isinstance(part, Any):
            flat += part.parts
        elif part != FALSE:
            flat.append(part)
    return flat[0] if len(flat) == 1 else Any(tuple(flat)) if flat else FALSE


def _simple(condition: Condition) -> Condition:
    """Without constants inside, nested ANDs and ORs of one kind joined."""
    if not isinstance(condition, And | Or):
        return condition
    joined = type(condition)
    decides = joined is Or
    terms: list[Condition] = []
    for term in map(_simple, condition.terms):
        if isinstance(term, Constant):
            if term.value is decides:
                return term
        elif isinstance(term, joined):
            terms += term.terms
        else:
            terms.append(term)
    if len(terms) == 1:
        return terms[0]
    return joined(tuple(terms)) if terms else Constant(not decides)


def _plan(condition: Condition, bound: frozenset[str]) -> Plan:
    match condition:
        case Or(terms):
            return disjunction([_plan(term, bound) for term in terms])
        case And(terms):
            return conjunction([_plan_group(group, bound) for group in _groups(terms, bound)])
        case _:
            return _plan_group((condition,), bound)


def _plan_group(terms: tuple[Condition, ...], bound: frozenset[str]) -> Plan:
    """Terms that must hold together because they are about the same contained components."""
    body = terms[0] if len(terms) == 1 else And(terms)
    free = kinds(body) - bound
    if isinstance(body, OwnerTest):
        raise TypeError("CAL-OWNERS() is not bound")
    if isinstance(body, Inside):
        where = TRUE if body.where is None else _plan(_simple(body.where), frozenset())
        return Inner(body.component, where, body.negated)
    if not free:
        return _plan_bound(body, bound) if isinstance(body, And | Or) else body
    if len(terms) == 1 and isinstance(body, And | Or):
        return _plan(body, bound)
    kind = min(free)
    inside = _plan(_simple(_present(body, kind)), bound | {kind})
    nothing = _plan(_simple(_absent(body, kind)), bound)
    return Some(kind, inside, nothing)


def _plan_bound(body: And | Or, bound: frozenset[str]) -> Plan:
    parts = [_plan(term, bound) for term in body.terms]
    return conjunction(parts) if isinstance(body, And) else disjunction(parts)


def _groups(terms: tuple[Condition, ...], bound: frozenset[str]) -> list[tuple[Condition, ...]]:
    """ANDed terms, put together where they share an unbound contained kind."""
    groups: list[tuple[frozenset[str], tuple[Condition, ...]]] = []
    for term in terms:
        about = kinds(term) - bound
        members: tuple[Condition, ...] = (term,)
        apart = []
        for known, others in groups:
            if known.isdisjoint(about):
                apart.append((known, others))
            else:
                about, members = about | known, others + members
        groups = [*apart, (about, members)]
    return [members for _, members in groups]


def _present(condition: Condition, kind: str) -> Condition:
    """The condition where there is such a component: `VALARM IS NULL` is false."""
    match condition:
        case And(terms):
            return And(tuple([_present(term, kind) for term in terms]))
        case Or(terms):
            return Or(tuple([_present(term, kind) for term in terms]))
        case Null(column, negated) if column.component == kind and not column.name:
            return Constant(negated)
        case _:
            return condition


def _absent(condition: Condition, kind: str) -> Condition:
    """The condition where there is no such component: all its columns are NULL."""
    match condition:
        case And(terms):
            return And(tuple([_absent(term, kind) for term in terms]))
        case Or(terms):
            return Or(tuple([_absent(term, kind) for term in terms]))
        case Compare(column) if column.component == kind:
            return FALSE
        case Like(column, _, negated) | In(_, column, negated) if column.component == kind:
            return Constant(negated)
        case Null(column, negated) if column.component == kind:
            return Constant(not negated)
        case _:
            return condition
