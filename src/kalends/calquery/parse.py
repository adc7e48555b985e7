"""CAL-QUERY text to a query tree: recursive descent, one method a grammar level (RFC 4324 §6.1.1).

Liberal unless told to be strict: the grammar in the RFC, its examples and its prose disagree, so what one
of them shows is accepted (keywords in lower case, double quotes, `FROM VAGEND`, `NON CAL-OWNERS()`, free
white space). AND binds tighter than OR, as in SQL-92 (A-29).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, cast

from kalends.calquery import columns
from kalends.calquery.errors import QueryError, TooComplexError, harmless
from kalends.calquery.lex import Token, tokens
from kalends.calquery.literals import read_literal, read_pattern, well_escaped
from kalends.calquery.lower import lower
from kalends.calquery.tree import (
    AllProperties,
    And,
    Column,
    Compare,
    Condition,
    Contained,
    CurrentTarget,
    Everything,
    In,
    Like,
    Literal,
    Null,
    Operator,
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
from kalends.ical.tree import Line

MAX_TERMS: Final = 1_000
"""Terms in one WHERE: a list of a thousand UIDs is a long one; each costs the database a subquery."""
MAX_DEPTH: Final = 32
"""Nested parentheses: nobody reads more, and each costs stack."""
MAX_SELECTED: Final = 256
"""Columns in one SELECT: RFC 5545, 4324, 7986 and 9073 register fewer."""

STATES: Final = ("BOOKED", "UNPROCESSED", "DELETED")

_PARAM = re.compile(
    r"([A-Z][A-Z0-9-]*)(?:\s*\.\s*([A-Z][A-Z0-9-]*))?\s*,\s*([A-Z][A-Z0-9-]*)\Z", re.IGNORECASE | re.ASCII
)
_FOLD = re.compile(r"\r?\n[ \t]")
_OPERATORS = frozenset(("=", "!=", "<>", "<", ">", "<=", ">="))
_KEYWORDS = frozenset(("SELECT", "FROM", "WHERE", "AND", "OR", "NOT", "NON", "LIKE", "IN", "IS", "NULL"))


def parse(text: str, *, strict: bool = False, max_terms: int = MAX_TERMS) -> Query:
    """Read a query.

    `SELECT VEVENT FROM VAGENDA WHERE …` becomes the same query FROM VEVENT (A-23).

    Args:
        text: the query; folded lines are accepted and unfolded, at need with a blank for each fold (A-30).
        strict: accept only what RFC 4324's grammar and prose allow.
        max_terms: limit for the conditions in WHERE.

    Returns:
        The tree, not yet bound.

    Raises:
        QueryError: with the column and what was expected there.
        TooComplexError: too long, too deep or too many terms.

    Source: RFC 4324 §6.1.1.
    """
    if "\n" not in text:
        return _Parser(text, strict, max_terms).query()
    try:
        return _Parser(_FOLD.sub("", text).strip(), strict, max_terms).query()
    except TooComplexError:
        raise
    except QueryError:
        if strict:
            raise
        return _Parser(_FOLD.sub(" ", text).strip(), strict, max_terms).query()


def parse_line(line: Line, *, strict: bool = False, max_terms: int = MAX_TERMS) -> Query:
    """Read the query in a QUERY, SCOPE or RESTRICTION property.

    Args:
        line: the content line; where its folds swallowed the blank between two words, that is mended (A-30).
        strict: as in `parse`.
        max_terms: as in `parse`.

    Raises:
        QueryError, TooComplexError: as in `parse`; columns count from the value's first character.
    """
    value = line.value
    try:
        return _Parser(value, strict, max_terms).query()
    except TooComplexError:
        raise
    except QueryError:
        raw = line.raw.rstrip("\r\n")
        if strict or "\n" not in raw:
            raise
        mended = _FOLD.sub(" ", raw).partition(":")[2]
        try:
            return _Parser(mended, strict, max_terms).query()
        except QueryError:
            pass
        raise


class _Parser:
    """A cursor over tokens. Methods named after the grammar's productions consume what they read."""

    def __init__(self, text: str, strict: bool, max_terms: int) -> None:
        self.text = text
        self.strict = strict
        self.max_terms = max_terms
        self.tokens = tokens(text)
        self.at = 0
        self.token = self.tokens[0]
        self.terms = 0
        self.depth = 0
        self.source = ""
        self.outer = ""

    # cursor

    def advance(self) -> Token:
        token = self.token
        self.at += 1
        self.token = self.tokens[self.at] if self.at < len(self.tokens) else token
        return token

    def fail(self, reason: str, expected: str = "", token: Token | None = None) -> QueryError:
        start = (token or self.token).start
        return QueryError(reason, start + 1, expected, self.text)

    def unexpected(self, expected: str) -> QueryError:
        token = self.token
        if token.kind == "end":
            return self.fail("the query ends here", expected)
        found = harmless(self.text[token.start : token.stop][:40])
        return self.fail(f"{found} does not belong here", expected)

    def is_word(self, word: str) -> bool:
        """Whether the current token is that keyword; strict mode wants it in upper case."""
        token = self.token
        if token.kind != "word" or token.text != word:
            return False
        if self.strict and self.text[token.start : token.stop] != word:
            raise self.fail("keywords are written in upper case", word)
        return True

    def at_end(self) -> bool:
        return self.token.kind == "end"

    def keyword(self, word: str) -> Token:
        if not self.is_word(word):
            raise self.unexpected(word)
        return self.advance()

    def is_mark(self, mark: str) -> bool:
        return self.token.kind == "mark" and self.token.text == mark

    def name(self, expected: str) -> Token:
        if self.token.kind != "word" or self.token.text in _KEYWORDS:
            raise self.unexpected(expected)
        return self.advance()

    # cal-query

    def query(self) -> Query:
        self.keyword("SELECT")
        places = self.skip_selected()
        self.keyword("FROM")
        self.read_source()
        rest = self.at
        self.at, self.token = places, self.tokens[places]
        select = self.selected()
        self.at, self.token = rest, self.tokens[rest]
        self.rewrite(select)
        where: Condition | None = None
        if not self.at_end():
            self.keyword("WHERE")
            where = self.disjunction()
            if not self.at_end():
                raise self.unexpected("AND, OR or the end of the query")
        if self.outer:
            select = [self.moved(item) for item in select]
        return Query(tuple(select), self.source, where, self.text)

    def skip_selected(self) -> int:
        """Step over the SELECT list, whose meaning depends on FROM; returns where it begins."""
        begin = self.at
        if self.is_word("FROM"):
            raise self.unexpected("a column")
        complete = False  # a column ended just now, so that only a comma, a dot or FROM can follow
        while not self.at_end() and not self.is_word("FROM"):
            if self.is_word("WHERE"):
                raise self.unexpected("FROM")
            if complete and self.token.kind in ("word", "call"):
                raise self.unexpected("a comma or FROM")
            complete = self.token.kind in ("word", "call") or self.is_mark("*")
            self.advance()
        return begin

    def read_source(self) -> None:
        token = self.name("a component such as VEVENT")
        self.source = self.component(token)
        if self.is_mark("."):
            raise self.fail("FROM names one component", "WHERE or the end of the query")
        if self.is_mark(","):
            raise self.fail(
                "a query is about one component; there are no joins", "WHERE or the end of the query"
            )

    def component(self, token: Token) -> str:
        """A component's name, aliases resolved."""
        name = token.text
        if not columns.is_component(name):
            alias = columns.ALIASES.get(name)
            if alias is None or self.strict:
                raise self.fail(
                    f"there is no component {name}", "VEVENT, VTODO, VAGENDA or another component", token
                )
            return alias
        return name

    # SELECT

    def selected(self) -> list[Selected]:
        out = [self.item()]
        while self.is_mark(","):
            comma = self.advance()
            if self.strict and not (self.tokens[self.at - 2].stop == comma.start == self.token.start - 1):
                raise self.fail("no blanks around the comma", "", comma)
            out.append(self.item())
            if len(out) > MAX_SELECTED:
                raise TooComplexError(
                    f"more than {MAX_SELECTED} columns", self.token.start + 1, "", self.text
                )
        if not self.is_word("FROM"):
            raise self.unexpected("a comma or FROM")
        return out

    def item(self) -> Selected:
        token = self.token
        if self.is_mark("*"):
            self.advance()
            return self.everything(token) if self.is_mark(".") else AllProperties()
        if token.kind == "call":
            return self.function_column()
        self.name("a column")
        if self.is_mark("."):
            return self.dotted_item(token)
        alias = token.text if self.strict else columns.ALIASES.get(token.text, token.text)
        if alias not in columns.COMPONENTS:
            return Column(token.text)
        if alias == self.source and not self.strict:
            return AllProperties()
        self.check_contained(alias, token)
        return Contained(alias)

    def everything(self, star: Token) -> Everything:
        self.advance()
        if not self.is_mark("*"):
            raise self.unexpected("*.*")
        self.advance()
        if self.source not in columns.CONTAINERS and self.source != "VCALENDAR":
            raise self.fail("*.* is for VAGENDA and VCALSTORE", "*", star)
        return Everything()

    def function_column(self) -> Selected:
        token = self.advance()
        if token.text == "PARAM":
            return self.param(token)
        if token.text == "CAL-OWNERS":
            return OwnersColumn(token.argument or None)
        raise self.fail(f"{token.text}() cannot be selected", "a column", token)

    def dotted_item(self, token: Token) -> Selected:
        component = self.component(token)
        self.advance()
        own = component == self.source and not self.strict
        if not own:
            self.check_contained(component, token)
        if self.is_mark("*"):
            self.advance()
            return Contained(component, bare=True)
        name = self.name("a property or *")
        self.no_second_dot()
        return Column(name.text, None if own else component)

    def no_second_dot(self) -> None:
        if self.is_mark("."):
            raise self.fail("a column has one dot at most", "component.property")

    def check_contained(self, component: str, token: Token) -> None:
        if not columns.may_contain(self.source, component):
            raise self.fail(f"{self.source} contains no {component}", f"a column of {self.source}", token)

    def param(self, token: Token) -> Column:
        match = _PARAM.match(token.argument)
        if match is None:
            raise self.fail("PARAM names a property and a parameter", "PARAM(ATTENDEE,ROLE)", token)
        first, second, param = match[1].upper(), match[2], match[3].upper()
        if second is None:
            return self.resolve(Column(first, None, param))
        component = self.component(token._replace(text=first))
        return self.resolve(Column(second.upper(), component, param), token)

    # FROM VAGENDA that means its contents

    def rewrite(self, select: list[Selected]) -> None:
        """Turn `SELECT VEVENT … FROM VAGENDA` into a query FROM VEVENT."""
        if self.source not in columns.CONTAINERS:
            return
        inside = {_component_of(item) for item in select}
        if len(inside) == 1 and (component := inside.pop()) is not None:
            self.outer, self.source = self.source, component

    def moved(self, item: Selected) -> Selected:
        """A selected item as seen from the new source."""
        if isinstance(item, Contained):
            return item if item.bare else AllProperties()
        if isinstance(item, Column):
            return Column(item.name, None, item.param)
        return item

    def resolve(self, column: Column, token: Token | None = None) -> Column:
        """Check a column against FROM and give it its place: own, contained or the container's."""
        component = column.component
        if component is None:
            if self.outer == "VAGENDA" and column.name in columns.CONTAINER_COLUMNS:
                return Column(column.name, self.outer, column.param)
            return column
        if component == self.source:
            if self.strict and not self.outer:
                raise self.fail("the FROM component's own columns have no dot", column.name, token)
            return Column(column.name, None, column.param)
        if component == "VAGENDA" and self.source != "VCALSTORE" and not self.strict:
            return column
        if not columns.may_contain(self.source, component):
            raise self.fail(f"{self.source} contains no {component}", f"a column of {self.source}", token)
        return column

    # WHERE

    def disjunction(self) -> Condition:
        terms = [self.conjunction()]
        while self.is_word("OR"):
            self.advance()
            terms.append(self.conjunction())
        return terms[0] if len(terms) == 1 else Or(tuple(terms))

    def conjunction(self) -> Condition:
        terms = [self.factor()]
        while self.is_word("AND"):
            self.advance()
            terms.append(self.factor())
        return terms[0] if len(terms) == 1 else And(tuple(terms))

    def factor(self) -> Condition:
        if not self.is_mark("("):
            return self.term()
        opened = self.advance()
        self.depth += 1
        if self.depth > MAX_DEPTH:
            reason = f"parentheses nested deeper than {MAX_DEPTH}"
            raise TooComplexError(reason, opened.start + 1, "", self.text)
        inner = self.disjunction()
        if not self.is_mark(")"):
            raise self.unexpected("AND, OR or )")
        self.advance()
        self.depth -= 1
        return inner

    def term(self) -> Condition:
        self.terms += 1
        if self.terms > self.max_terms:
            reason = f"more than {self.max_terms} conditions"
            raise TooComplexError(reason, self.token.start + 1, "", self.text)
        token = self.token
        if token.kind == "text":
            self.advance()
            return self.inclusion(token, None)
        if token.kind == "call":
            return self.call_term()
        if token.kind == "word" and token.text in ("NOT", "NON"):
            return self.negated_owner_test()
        return self.column_term(self.column())

    def call_term(self) -> Condition:
        token = self.advance()
        if token.text == "STATE":
            return self.state()
        if token.text == "PARAM":
            return self.column_term(self.param(token))
        if token.text == "CAL-OWNERS" and not (self.is_word("IN") or self.is_word("NOT")):
            return OwnerTest(token.argument or None)
        return self.inclusion(token, self.function(token))

    def negated_owner_test(self) -> Condition:
        if not (self.strict and self.token.text == "NON"):
            self.advance()
        token = self.token
        if token.kind != "call" or token.text != "CAL-OWNERS":
            raise self.unexpected("CAL-OWNERS()")
        self.advance()
        return OwnerTest(token.argument or None, negated=True)

    def function(self, token: Token) -> Value:
        if token.text == "SELF" and not token.argument:
            return SelfUpn()
        if token.text == "CURRENT-TARGET" and not token.argument:
            return CurrentTarget()
        if token.text == "CAL-OWNERS":
            return Owners(token.argument or None)
        raise self.fail(
            f"{token.text}({harmless(token.argument)}) is no value", "a quoted value or SELF()", token
        )

    def state(self) -> Condition:
        token = self.token
        if token.kind != "operator" or token.text != "=":
            raise self.unexpected("= (STATE() knows no other comparison)")
        self.advance()
        token = self.token
        if token.kind not in ("text", "word"):
            raise self.unexpected("'BOOKED', 'UNPROCESSED' or 'DELETED'")
        self.advance()
        name = (self.literal(token).text if token.kind == "text" else token.text).upper()
        if name not in STATES and not name.startswith("X-"):
            raise self.fail("there is no such state", "'BOOKED', 'UNPROCESSED' or 'DELETED'", token)
        return State(name)

    def column(self) -> Column:
        token = self.name("a column, a quoted value or STATE()")
        if not self.is_mark("."):
            component = token.text if self.strict else columns.ALIASES.get(token.text, token.text)
            if component in columns.COMPONENTS:
                return self.whole_component(component, token)
            return self.resolve(Column(token.text))
        component = self.component(token)
        self.advance()
        name = self.name("a property")
        self.no_second_dot()
        return self.resolve(Column(name.text, component), token)

    def whole_component(self, component: str, token: Token) -> Column:
        """`VALARM IS NULL`: a contained component as a column."""
        column = self.resolve(Column("", component), token)
        if column.component is None or not self.is_word("IS"):
            raise self.unexpected(f"{component}.property, or {component} IS NULL")
        return column

    def column_term(self, column: Column) -> Condition:
        token = self.token
        if token.kind == "operator":
            self.advance()
            return self.comparison(column, token)
        if self.is_word("LIKE"):
            self.advance()
            return Like(column, self.value(read_pattern))
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
            return Like(column, self.value(read_pattern), negated=True)
        raise self.unexpected("=, !=, <, >, <=, >=, LIKE, NOT LIKE, IS NULL or IS NOT NULL")

    def comparison(self, column: Column, token: Token) -> Condition:
        if token.text not in _OPERATORS or (self.strict and token.text == "<>"):
            raise self.fail("no such comparison", "=, !=, <, >, <= or >=", token)
        operator = cast("Operator", "!=" if token.text == "<>" else token.text)
        at = self.token
        value = self.value(read_literal)
        self.check_type(column, operator, value, at)
        return Compare(column, operator, value)

    def check_type(self, column: Column, operator: Operator, value: Value, token: Token) -> None:
        if isinstance(value, Literal):
            try:
                lower(column, operator, value)
            except QueryError as error:
                raise self.fail(error.reason, _wanted(column), token) from None

    def inclusion(self, token: Token, value: Value | None) -> Condition:
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
            column = self.column()
        if value is None:
            value = self.literal(token)
        self.check_type(column, "=", value, token)
        return In(value, column, negated)

    def value(self, read: Callable[[str], str]) -> Value:
        token = self.token
        if token.kind == "text":
            self.advance()
            return self.literal(token, read)
        if token.kind == "call" and token.text not in ("STATE", "PARAM"):
            self.advance()
            return self.function(token)
        raise self.unexpected("a value in single quotes, SELF(), CAL-OWNERS() or CURRENT-TARGET()")

    def literal(self, token: Token, read: Callable[[str], str] = read_literal) -> Literal:
        if self.strict:
            if token.argument == '"':
                raise self.fail("values stand in single quotes", "'", token)
            if not well_escaped(token.text):
                raise self.fail("a backslash escapes only quotes, commas, semicolons, n, % and _", "", token)
        return Literal(read(token.text))


def _component_of(item: Selected) -> str | None:
    if isinstance(item, Contained):
        return item.component
    return item.component if isinstance(item, Column) else None


def _wanted(column: Column) -> str:
    return {
        "moment": "'20000701T000000Z' or '20000701'",
        "trigger": "'20000701T000000Z' or '-PT15M'",
        "duration": "'PT1H'",
        "integer": "a whole number",
        "boolean": "'TRUE' or 'FALSE'",
    }.get(columns.comparison(column), "")
