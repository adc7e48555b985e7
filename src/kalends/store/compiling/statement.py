"""A statement that is being written: its text, its parameters, and the phrases it is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from kalends.calquery.like import Pattern
from kalends.calquery.ranges import EVER, Range
from kalends.calquery.tree import Operator
from kalends.store.base import SqlValue


class Statement:
    """Text and parameters of a query over components.

    Args:
        source: the kind of component that FROM names.
        expand: one row an instance.
        joinable: its conditions are so few that the planner may turn them into joins.
        wall: what the clocks of the zone of floating times show at an instant, both in seconds since 1970
            as if in UTC; None for UTC.

    Attributes:
        parts, params: what was written.
        opening, closing: what stands around a subquery of a condition.
        aliases: by kind of contained component, the table that stands for it in the present condition.
        here, kind_here: the table that a condition is about, and the kind of its components.
    """

    def __init__(
        self, source: str, *, expand: bool, joinable: bool, wall: Callable[[int], int] | None = None
    ) -> None:
        self.source = source
        self.wall = wall
        self.opening, self.closing = ("exists (", ")") if joinable else ("((exists (", ")) is true)")
        self.expand = expand
        self.parts: list[str] = []
        self.params: list[SqlValue] = []
        self.aliases: dict[str, str] = {}
        self.here, self.kind_here = "c", source
        self._made = 0

    def add(self, text: str, *values: SqlValue) -> None:
        """Add text with the values of its parameters."""
        self.parts.append(text)
        self.params += values

    def new_alias(self) -> str:
        """A name that no table of the statement has yet."""
        self._made += 1
        return f"a{self._made}"

    def negation(self, negated: bool) -> None:
        """NOT, or nothing."""
        if negated:
            self.add("not ")

    def among(self, column: str, values: Sequence[SqlValue]) -> None:
        """`column` is one of some values."""
        if len(values) == 1:
            self.add(f"{column} = ?", values[0])
        elif values:
            self.add(f"{column} in ({', '.join('?' * len(values))})", *values)
        else:
            self.add("1 = 0")

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
            self._like_one(text, one)
            if dates:  # §6.1.1.7: '%T000000' is anything at midnight, also when the value ends in Z
                self.add(" or ")
                self._like_one(f"rtrim({text}, 'z')", one)
        self.add(")")

    def _like_one(self, text: str, one: Pattern) -> None:
        """A text is like a pattern."""
        if one.plain is not None:
            self.add(f"{text} = ?", one.plain)
        else:
            self.add(f"{text} like ? escape '\\'", one.sql)
