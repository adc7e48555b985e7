"""A cursor over the tokens of a query, and what names in it mean: components, columns, parameters."""

from __future__ import annotations

import re

from kalends.calquery import columns
from kalends.calquery.errors import QueryError, harmless
from kalends.calquery.lex import Token, tokens
from kalends.calquery.tree import Column

_PARAM = re.compile(
    r"([A-Z][A-Z0-9-]*)(?:\s*\.\s*([A-Z][A-Z0-9-]*))?\s*,\s*([A-Z][A-Z0-9-]*)\Z", re.IGNORECASE | re.ASCII
)
_KEYWORDS = frozenset(("SELECT", "FROM", "WHERE", "AND", "OR", "NOT", "NON", "LIKE", "IN", "IS", "NULL"))


class Cursor:
    """Stands at one token.

    Args:
        text: the query.
        strict: accept only what RFC 4324's grammar and prose allow.

    Attributes:
        token: the current token; at the end of the text that of kind `end`.
        at: its place in `tokens`.
    """

    def __init__(self, text: str, *, strict: bool) -> None:
        self.text = text
        self.strict = strict
        self.tokens = tokens(text)
        self.at = 0
        self.token = self.tokens[0]

    def advance(self) -> Token:
        """Take the current token, and go to the next one."""
        token = self.token
        self.at += 1
        self.token = self.tokens[self.at] if self.at < len(self.tokens) else token
        return token

    def fail(self, reason: str, expected: str = "", token: Token | None = None) -> QueryError:
        """A refusal that points at a token, else at the current one."""
        start = (token or self.token).start
        return QueryError(reason, start + 1, expected, self.text)

    def unexpected(self, expected: str) -> QueryError:
        """The refusal of the current token."""
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
        """Whether nothing is left."""
        return self.token.kind == "end"

    def keyword(self, word: str) -> Token:
        """Take that keyword; raises QueryError for anything else."""
        if not self.is_word(word):
            raise self.unexpected(word)
        return self.advance()

    def is_mark(self, mark: str) -> bool:
        """Whether the current token is that punctuation."""
        return self.token.kind == "mark" and self.token.text == mark

    def name(self, expected: str) -> Token:
        """Take a name; raises QueryError for anything else."""
        if self.token.kind != "word" or self.token.text in _KEYWORDS:
            raise self.unexpected(expected)
        return self.advance()


class Names(Cursor):
    """What names mean in a query about one component.

    Attributes:
        source: the component FROM names.
        outer: the container that FROM named, where the query turned out to be about its contents; else ''.
    """

    def __init__(self, text: str, *, strict: bool) -> None:
        super().__init__(text, strict=strict)
        self.source = ""
        self.outer = ""

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

    def no_second_dot(self) -> None:
        """Refuse a second dot in a column."""
        if self.is_mark("."):
            raise self.fail("a column has one dot at most", "component.property")

    def check_contained(self, component: str, token: Token) -> None:
        """Refuse a component that FROM's does not contain."""
        if not columns.may_contain(self.source, component):
            raise self.fail(f"{self.source} contains no {component}", f"a column of {self.source}", token)

    def param(self, token: Token) -> Column:
        """The column of PARAM(property,parameter)."""
        match = _PARAM.match(token.argument)
        if match is None:
            raise self.fail("PARAM names a property and a parameter", "PARAM(ATTENDEE,ROLE)", token)
        first, second, param = match[1].upper(), match[2], match[3].upper()
        if second is None:
            return self.resolve(Column(first, None, param))
        component = self.component(token._replace(text=first))
        return self.resolve(Column(second.upper(), component, param), token)

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
