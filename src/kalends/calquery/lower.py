"""From a condition's literal to the test it stands for: the one place where values are compared.

`match` runs these tests on cells and the store's compiler writes them as SQL. Whatever a literal means
(a day, an instant, a duration, text in either case) is decided here, once for both.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from typing import Literal as OneOf

from kalends.calquery.cells import fold_case, read_boolean, read_duration, read_integer
from kalends.calquery.columns import Comparison, comparison
from kalends.calquery.errors import QueryError
from kalends.calquery.tree import AnyOf, Column, Literal, Operator, Value
from kalends.ical.errors import ICalError
from kalends.ical.moment import DAY, parse_moment

DATE_LENGTH: Final = 8
"""Characters of a DATE as iCalendar writes it: how a cell with a day is told from one with a time."""

Shape = OneOf["any", "moment", "duration"]
"""Which cells of a column a test looks at: TRIGGER holds instants and durations side by side."""

_LOCAL_TIME = re.compile(r"\d{8}T\d{6}\Z")


@dataclass(frozen=True, slots=True)
class TextTest:
    """A value's text against one or more texts.

    Attributes:
        operator: with several texts, `=` holds for any, `!=` for none, the others for any.
        texts: what to compare with, in folded case when `folded`.
        folded: compare the value in folded case.
    """

    operator: Operator
    texts: tuple[str, ...]
    folded: bool


@dataclass(frozen=True, slots=True)
class NumberTest:
    """A value's number against a range of numbers that are one to the comparison.

    A DATE is a whole day: `<` means before its first second, `>` after its last (A-33). Two values of
    which one is a DATE are compared by their days in UTC (RFC 4324 §6.1.1.7).

    Attributes:
        operator: the comparison.
        low, high: first and last number equal to the literal.
        day: what a cell holding a DATE is compared with instead; None where that makes no difference.
        shape: which cells count.
    """

    operator: Operator
    low: int
    high: int
    day: int | None = None
    shape: Shape = "any"


Test = TextTest | NumberTest


def lower(column: Column, operator: Operator, value: Value) -> Test:
    """What a comparison tests.

    Args:
        column: what is compared.
        operator: how.
        value: a bound value: Literal or AnyOf.

    Returns:
        The test to run on each cell of the column.

    Raises:
        QueryError: the literal does not fit the column's type, or a time without Z.

    Source: RFC 4324 §6.1.1 (literal-data), §6.1.1.7, §6.1.1.12.
    """
    kind = comparison(column)
    if isinstance(value, AnyOf):
        return TextTest(operator, tuple([fold_case(text) for text in value.texts]), folded=True)
    if not isinstance(value, Literal):
        raise QueryError("a function of the session that nobody bound")
    text = value.text
    if kind == "text":
        return TextTest(operator, (text,), folded=False)
    if kind == "folded":
        return TextTest(operator, (fold_case(text),), folded=True)
    if not text:
        return TextTest(operator, ("",), folded=False)
    try:
        return _number(kind, operator, text)
    except ICalError as error:
        raise QueryError(f"{_spelled(column)} cannot be compared with this: {error.reason}") from None


def _number(kind: Comparison, operator: Operator, text: str) -> NumberTest:
    if kind == "integer":
        number = read_integer(text)
    elif kind == "boolean":
        number = read_boolean(text)
    elif kind == "duration":
        number = read_duration(text)
    elif kind == "trigger" and text[:1] in "Pp+-":
        number = read_duration(text)
        return NumberTest(operator, number, number, None, "duration")
    else:
        return _moment(kind, operator, text)
    return NumberTest(operator, number, number)


def _moment(kind: Comparison, operator: Operator, text: str) -> NumberTest:
    if _LOCAL_TIME.match(text):
        raise ICalError("a time in a query must be in UTC and end in Z")
    moment = parse_moment(text)
    shape: Shape = "moment" if kind == "trigger" else "any"
    start = moment.wall - moment.wall % DAY
    if moment.is_date:
        return NumberTest(operator, start, start + DAY - 1, None, shape)
    return NumberTest(operator, moment.wall, moment.wall, start, shape)


def _spelled(column: Column) -> str:
    return column.name if column.component is None else f"{column.component}.{column.name}"


def is_duration(text: str) -> bool:
    """Whether a TRIGGER cell holds a duration rather than an instant."""
    return text[:1] in ("P", "p", "+", "-")
