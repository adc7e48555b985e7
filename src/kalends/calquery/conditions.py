"""The WHERE of a query: conditions joined by AND and OR, one method a grammar level (RFC 4324 §6.1.1)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, cast

from kalends.calquery import columns
from kalends.calquery.cursor import Names
from kalends.calquery.errors import QueryError, TooComplexError, harmless
from kalends.calquery.lex import Token
from kalends.calquery.literals import read_literal, read_pattern, well_escaped
from kalends.calquery.lower import lower
from kalends.calquery.tree import (
    And,
    Column,
    Compare,
    Condition,
    CurrentTarget,
    In,
    Like,
    Literal,
    Null,
    Operator,
    Or,
    Owners,
    OwnerTest,
    SelfUpn,
    State,
    Value,
)

MAX_DEPTH: Final = 32
"""Nested parentheses: nobody reads more, and each costs stack."""

_STATES: Final = ("BOOKED", "UNPROCESSED", "DELETED")
_OPERATORS = frozenset(("=", "!=", "<>", "<", ">", "<=", ">="))


class Conditions(Names):
    """Reads conditions; methods named after the grammar's productions consume what they read.

    Args:
        text: the query.
        strict: accept only what RFC 4324's grammar and prose allow.
        max_terms: conditions at most.
    """

    def __init__(self, text: str, *, strict: bool, max_terms: int) -> None:
        super().__init__(text, strict=strict)
        self._max_terms = max_terms
        self._terms = 0
        self._depth = 0

    def disjunction(self) -> Condition:
        """Conditions joined by OR, each of conditions joined by AND."""
        terms = [self._conjunction()]
        while self.is_word("OR"):
            self.advance()
            terms.append(self._conjunction())
        return terms[0] if len(terms) == 1 else Or(tuple(terms))

    def _conjunction(self) -> Condition:
        terms = [self._factor()]
        while self.is_word("AND"):
            self.advance()
            terms.append(self._factor())
        return terms[0] if len(terms) == 1 else And(tuple(terms))

    def _factor(self) -> Condition:
        if not self.is_mark("("):
            return self._term()
        opened = self.advance()
        self._depth += 1
        if self._depth > MAX_DEPTH:
            reason = f"parentheses nested deeper than {MAX_DEPTH}"
            raise TooComplexError(reason, opened.start + 1, "", self.text)
        inner = self.disjunction()
        if not self.is_mark(")"):
            raise self.unexpected("AND, OR or )")
        self.advance()
        self._depth -= 1
        return inner

    def _term(self) -> Condition:
        self._terms += 1
        if self._terms > self._max_terms:
            reason = f"more than {self._max_terms} conditions"
            raise TooComplexError(reason, self.token.start + 1, "", self.text)
        token = self.token
        if token.kind == "text":
            self.advance()
            return self._inclusion(token, None)
        if token.kind == "call":
            return self._call_term()
        if token.kind == "word" and token.text in ("NOT", "NON"):
            return self._negated_owner_test()
        return self._column_term(self._column())

    def _call_term(self) -> Condition:
        token = self.advance()
        if token.text == "STATE":
            return self._state()
        if token.text == "PARAM":
            return self._column_term(self.param(token))
        if token.text == "CAL-OWNERS" and not (self.is_word("IN") or self.is_word("NOT")):
            return OwnerTest(token.argument or None)
        return self._inclusion(token, self._function(token))

    def _negated_owner_test(self) -> Condition:
        if not (self.strict and self.token.text == "NON"):
            self.advance()
        token = self.token
        if token.kind != "call" or token.text != "CAL-OWNERS":
            raise self.unexpected("CAL-OWNERS()")
        self.advance()
        return OwnerTest(token.argument or None, negated=True)

    def _function(self, token: Token) -> Value:
        if token.text == "SELF" and not token.argument:
            return SelfUpn()
        if token.text == "CURRENT-TARGET" and not token.argument:
            return CurrentTarget()
        if token.text == "CAL-OWNERS":
            return Owners(token.argument or None)
        raise self.fail(
            f"{token.text}({harmless(token.argument)}) is no value", "a quoted value or SELF()", token
        )

    def _state(self) -> Condition:
        token = self.token
        if token.kind != "operator" or token.text != "=":
            raise self.unexpected("= (STATE() knows no other comparison)")
        self.advance()
        token = self.token
        if token.kind not in ("text", "word"):
            raise self.unexpected("'BOOKED', 'UNPROCESSED' or 'DELETED'")
        self.advance()
        name = (self._literal(token).text if token.kind == "text" else token.text).upper()
        if name not in _STATES and not name.startswith("X-"):
            raise self.fail("there is no such state", "'BOOKED', 'UNPROCESSED' or 'DELETED'", token)
        return State(name)

    def _column(self) -> Column:
        token = self.name("a column, a quoted value or STATE()")
        if not self.is_mark("."):
            component = token.text if self.strict else columns.ALIASES.get(token.text, token.text)
            if component in columns.COMPONENTS:
                return self._whole_component(component, token)
            return self.resolve(Column(token.text))
        component = self.component(token)
        self.advance()
        name = self.name("a property")
        self.no_second_dot()
        return self.resolve(Column(name.text, component), token)

    def _whole_component(self, component: str, token: Token) -> Column:
        """`VALARM IS NULL`: a contained component as a column."""
        column = self.resolve(Column("", component), token)
        if column.component is None or not self.is_word("IS"):
            raise self.unexpected(f"{component}.property, or {component} IS NULL")
        return column

    def _column_term(self, column: Column) -> Condition:
        token = self.token
        if token.kind == "operator":
            self.advance()
            return self._comparison(column, token)
        if self.is_word("LIKE"):
            self.advance()
            return Like(column, self._value(read_pattern))
        if self.is_word("IS"):
            self.advance()
            negated = self.is_word("NOT")
            if negated:
                self.advance()
            self.keyword("NULL")
            return Null(column, negated)
        if self.is_word("NOT"):
            self.advance()
            self.keyword("LIKE")
            return Like(column, self._value(read_pattern), negated=True)
        raise self.unexpected("=, !=, <, >, <=, >=, LIKE, NOT LIKE, IS NULL or IS NOT NULL")

    def _comparison(self, column: Column, token: Token) -> Condition:
        if token.text not in _OPERATORS or (self.strict and token.text == "<>"):
            raise self.fail("no such comparison", "=, !=, <, >, <= or >=", token)
        operator = cast("Operator", "!=" if token.text == "<>" else token.text)
        at = self.token
        value = self._value(read_literal)
        self._check_type(column, operator, value, at)
        return Compare(column, operator, value)

    def _check_type(self, column: Column, operator: Operator, value: Value, token: Token) -> None:
        if isinstance(value, Literal):
            try:
                lower(column, operator, value)
            except QueryError as error:
                raise self.fail(error.reason, _wanted(column), token) from None

    def _inclusion(self, token: Token, value: Value | None) -> Condition:
        """`value IN column`."""
        negated = self.is_word("NOT")
        if negated:
            self.advance()
        if not self.is_word("IN"):
            raise self.unexpected("IN" if negated else "IN or NOT IN")
        self.advance()
        if self.token.kind == "call" and self.token.text == "PARAM":
            column = self.param(self.advance())
        else:
            column = self._column()
        if value is None:
            value = self._literal(token)
        self._check_type(column, "=", value, token)
        return In(value, column, negated)

    def _value(self, read: Callable[[str], str]) -> Value:
        token = self.token
        if token.kind == "text":
            self.advance()
            return self._literal(token, read)
        if token.kind == "call" and token.text not in ("STATE", "PARAM"):
            self.advance()
            return self._function(token)
        raise self.unexpected("a value in single quotes, SELF(), CAL-OWNERS() or CURRENT-TARGET()")

    def _literal(self, token: Token, read: Callable[[str], str] = read_literal) -> Literal:
        if self.strict:
            if token.argument == '"':
                raise self.fail("values stand in single quotes", "'", token)
            if not well_escaped(token.text):
                raise self.fail("a backslash escapes only quotes, commas, semicolons, n, % and _", "", token)
        return Literal(read(token.text))


def _wanted(column: Column) -> str:
    return {
        "moment": "'20000701T000000Z' or '20000701'",
        "trigger": "'20000701T000000Z' or '-PT15M'",
        "duration": "'PT1H'",
        "integer": "a whole number",
        "boolean": "'TRUE' or 'FALSE'",
    }.get(columns.comparison(column), "")
