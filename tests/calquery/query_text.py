"""A query tree back to CAL-QUERY text, as RFC 4324's grammar has it (§6.1.1)."""

from __future__ import annotations

import re

from kalends.calquery.literals import write_literal
from kalends.calquery.tree import (
    AllProperties,
    And,
    AnyOf,
    Carries,
    Column,
    Compare,
    Condition,
    Constant,
    Contained,
    CurrentTarget,
    Everything,
    In,
    Inside,
    Like,
    Literal,
    Null,
    Occurs,
    Or,
    Owners,
    OwnersColumn,
    OwnerTest,
    Query,
    Selected,
    SelfUpn,
    State,
    Value,
)


def to_text(query: Query) -> str:
    """Write a query that `parse` reads back as the same tree.

    Args:
        query: a tree that is not bound: bound values have no spelling of their own.

    Returns:
        One line, no folds.

    Raises:
        ValueError: a bound value (AnyOf, Constant), or what only CalDAV's filters say.

    Source: RFC 4324 §6.1.1.
    """
    select = ",".join([_selected(item) for item in query.select])
    words = ["SELECT", select, "FROM", query.source]
    if query.where is not None:
        words += ["WHERE", _condition(query.where)]
    return " ".join(words)


def _selected(item: Selected) -> str:
    match item:
        case Column():
            return _column(item)
        case AllProperties():
            return "*"
        case Everything():
            return "*.*"
        case Contained(component, bare):
            return f"{component}.*" if bare else component
        case OwnersColumn(calid):
            return f"CAL-OWNERS({calid or ''})"


def _column(column: Column) -> str:
    name = column.name
    if column.component is not None:
        name = f"{column.component}.{name}" if name else column.component
    return name if column.param is None else f"PARAM({name},{column.param})"


def _value(value: Value) -> str:
    match value:
        case Literal(text):
            return write_literal(text)
        case SelfUpn():
            return "SELF()"
        case Owners(calid):
            return f"CAL-OWNERS({calid or ''})"
        case CurrentTarget():
            return "CURRENT-TARGET()"
        case AnyOf():
            raise ValueError("a bound value has no spelling in CAL-QUERY")


def _condition(condition: Condition) -> str:
    match condition:
        case And(terms):
            return " AND ".join([_inside(term, (And, Or)) for term in terms])
        case Or(terms):
            return " OR ".join([_inside(term, (Or,)) for term in terms])
        case Compare(column, operator, value):
            return f"{_column(column)} {operator} {_value(value)}"
        case Like(column, pattern, negated):
            text = _write_pattern(pattern.text) if isinstance(pattern, Literal) else _value(pattern)
            return f"{_column(column)} {'NOT ' if negated else ''}LIKE {text}"
        case Null(column, negated):
            return f"{_column(column)} IS {'NOT ' if negated else ''}NULL"
        case In(value, column, negated):
            return f"{_value(value)} {'NOT ' if negated else ''}IN {_column(column)}"
        case State(state):
            return f"STATE() = '{state}'"
        case OwnerTest(calid, negated):
            return f"{'NOT ' if negated else ''}CAL-OWNERS({calid or ''})"
        case Constant():
            raise ValueError("a bound condition has no spelling in CAL-QUERY")
        case Carries() | Occurs() | Inside():
            raise ValueError("a CalDAV filter has no spelling in CAL-QUERY")


def _inside(term: Condition, wrapped: tuple[type, ...]) -> str:
    text = _condition(term)
    return f"({text})" if isinstance(term, wrapped) else text


def _write_pattern(pattern: str) -> str:
    """A LIKE pattern (its own escapes kept) as a quoted literal."""
    inner = re.sub(r"[',;]", r"\\\g<0>", pattern).replace("\n", "\\n")
    return f"'{inner}'"
