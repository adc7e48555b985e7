"""CAL-QUERY text to tokens (RFC 4324 §6.1.1)."""

from __future__ import annotations

import re
from typing import Final, Literal, NamedTuple

from kalends.calquery.errors import QueryError, TooComplexError, harmless

MAX_LENGTH: Final = 65_536
"""Characters of one query: ten times a hand-written one with a thousand UIDs would still be less."""
MAX_LITERAL: Final = 8_192
"""Characters of one literal: as a LIKE pattern it stays below SQLite's limit of 50,000 octets."""

TokenKind = Literal["word", "call", "text", "operator", "mark", "end"]


class Token(NamedTuple):
    """One token.

    Attributes:
        kind: word, call (a function with its argument), text (a quoted literal), operator, mark (one of
            `. , ( ) *`), end.
        text: the word in upper case; the function's name in upper case; the literal with its escapes,
            without its quotes; the operator or mark.
        start: where it begins, in characters from 0. stop: where it ends.
        argument: what stands in the parentheses of a call; the quote used for a text.
    """

    kind: TokenKind
    text: str
    start: int
    stop: int
    argument: str = ""


_TOKEN = re.compile(
    r"""[ \t\r\n]*(?:
    (?P<call>PARAM|CAL-OWNERS|SELF|CURRENT-TARGET|STATE)[ \t\r\n]*\((?P<argument>[^()'"]*)\)
  | (?P<word>[A-Z][A-Z0-9-]*)
  | '(?P<single>(?:[^'\\]+|\\.)*)'
  | (?P<operator><=|>=|!=|<>|[=<>])
  | (?P<mark>[.,()*])
  | "(?P<double>(?:[^"\\]+|\\.)*)"
  | (?P<end>\Z)
    )""",
    re.VERBOSE | re.IGNORECASE | re.DOTALL | re.ASCII,
)


def tokens(text: str) -> list[Token]:
    """Cut a query into tokens.

    Args:
        text: the query, unfolded or not: a fold is white space here.

    Returns:
        The tokens; the last one has kind "end".

    Raises:
        QueryError: at a character that cannot begin a token, or a quote that is never closed.
        TooComplexError: a text or a literal beyond the limits.
    """
    if len(text) > MAX_LENGTH:
        raise TooComplexError(f"the query has more than {MAX_LENGTH} characters")
    out: list[Token] = []
    match = _TOKEN.match
    at = 0
    while True:
        found = match(text, at)
        if found is None:
            raise _refusal(text, at)
        group = found.lastgroup
        at = found.end()
        if group == "word":
            out.append(Token("word", found["word"].upper(), found.start("word"), at))
        elif group == "mark":
            out.append(Token("mark", found["mark"], at - 1, at))
        elif group == "operator":
            out.append(Token("operator", found["operator"], found.start("operator"), at))
        elif group in ("single", "double"):
            out.append(_literal(found, group, text))
        elif group == "argument":
            out.append(
                Token("call", found["call"].upper(), found.start("call"), at, found["argument"].strip())
            )
        else:
            out.append(Token("end", "", at, at))
            return out


def _literal(found: re.Match[str], group: str, text: str) -> Token:
    start = found.start(group) - 1
    inner = found[group]
    if len(inner) > MAX_LITERAL:
        raise TooComplexError(f"a literal of more than {MAX_LITERAL} characters", start + 1, "", text)
    return Token("text", inner, start, found.end(), "'" if group == "single" else '"')


def _refusal(text: str, at: int) -> QueryError:
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    char = text[at]
    if char in "'\"":
        return QueryError(f"the quote {char} is never closed", at + 1, f"a closing {char}", text)
    return QueryError(
        f"no query has {harmless(char)} here", at + 1, "a name, a quoted value or an operator", text
    )
