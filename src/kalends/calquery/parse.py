"""CAL-QUERY text to a query tree: recursive descent, one method a grammar level (RFC 4324 §6.1.1).

Liberal unless told to be strict: the grammar in the RFC, its examples and its prose disagree, so what one
of them shows is accepted (keywords in lower case, double quotes, `FROM VAGEND`, `NON CAL-OWNERS()`, free
white space). AND binds tighter than OR, as in SQL-92 (A-29).
"""

from __future__ import annotations

import re
from typing import Final

from kalends.calquery import columns
from kalends.calquery.conditions import Conditions
from kalends.calquery.errors import QueryError, TooComplexError
from kalends.calquery.lex import Token
from kalends.calquery.tree import (
    AllProperties,
    Column,
    Condition,
    Contained,
    Everything,
    OwnersColumn,
    Query,
    Selected,
)
from kalends.ical.tree import Line

MAX_TERMS: Final = 1_000
"""Terms in one WHERE: a list of a thousand UIDs is a long one; each costs the database a subquery."""
MAX_SELECTED: Final = 256
"""Columns in one SELECT: RFC 5545, 4324, 7986 and 9073 register fewer."""

_FOLD = re.compile(r"\r?\n[ \t]")


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
        return _Parser(text, strict=strict, max_terms=max_terms).query()
    try:
        return _Parser(_FOLD.sub("", text).strip(), strict=strict, max_terms=max_terms).query()
    except TooComplexError:
        raise
    except QueryError:
        if strict:
            raise
        return _Parser(_FOLD.sub(" ", text).strip(), strict=strict, max_terms=max_terms).query()


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
        return _Parser(value, strict=strict, max_terms=max_terms).query()
    except TooComplexError:
        raise
    except QueryError:
        raw = line.raw.rstrip("\r\n")
        if strict or "\n" not in raw:
            raise
        mended = _FOLD.sub(" ", raw).partition(":")[2]
        try:
            return _Parser(mended, strict=strict, max_terms=max_terms).query()
        except QueryError:
            pass
        raise


class _Parser(Conditions):
    """Reads a query; methods named after the grammar's productions consume what they read."""

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


def _component_of(item: Selected) -> str | None:
    if isinstance(item, Contained):
        return item.component
    return item.component if isinstance(item, Column) else None
