"""PARAM(property,VALUE) where no VALUE is written: the property's own type counts (RFC 4324 §6.1.1.3.1).

Other defaults of parameters are cells. This one would be a cell of every date and every text, for a question
that hardly anybody asks; so the question is made to ask for what is not written, too.
"""

from __future__ import annotations

from kalends.calquery.like import pattern
from kalends.calquery.tree import And, Column, Compare, Condition, Like, Literal, Null, Or
from kalends.ical.properties import PROPERTIES

_OPERATORS = {
    "=": lambda one, other: one == other,
    "!=": lambda one, other: one != other,
    "<": lambda one, other: one < other,
    ">": lambda one, other: one > other,
    "<=": lambda one, other: one <= other,
    ">=": lambda one, other: one >= other,
}


def with_value_defaults(condition: Condition) -> Condition:
    """A condition that says of the default of VALUE what it says of a written one.

    Args:
        condition: a bound condition.

    Source: RFC 4324 §6.1.1.3.1; QRY-11.
    """
    match condition:
        case And(terms):
            return And(tuple([with_value_defaults(term) for term in terms]))
        case Or(terms):
            return Or(tuple([with_value_defaults(term) for term in terms]))
        case Compare(column, operator, Literal(text)) if (default := _default(column)) is not None:
            if _OPERATORS[operator](default.lower(), text.lower()):
                return Or((condition, _unwritten(column)))
        case Like(column, Literal(text), negated) if (default := _default(column)) is not None:
            if pattern(text).matches(default.lower()):
                return (
                    And((condition, _not_unwritten(column)))
                    if negated
                    else Or((condition, _unwritten(column)))
                )
        case Null(column, negated) if _default(column) is not None:
            return Null(_property(column), negated)
    return condition


def _default(column: Column) -> str | None:
    if column.param != "VALUE" or column.name not in PROPERTIES:
        return None
    return PROPERTIES[column.name].type


def _property(column: Column) -> Column:
    return Column(column.name, column.component)


def _unwritten(column: Column) -> Condition:
    """The property stands there, and says nothing of its type."""
    return And((Null(_property(column), negated=True), Null(column)))


def _not_unwritten(column: Column) -> Condition:
    return Or((Null(_property(column)), Null(column, negated=True)))
