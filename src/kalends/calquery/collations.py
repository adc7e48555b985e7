"""How CalDAV's text matches compare: three collations, substring only (RFC 4790 §9.2, §9.3; RFC 5051)."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final

from kalends.calquery.tree import Collation, Contains, MatchType

_UPPER = str.maketrans("abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ")


def ascii_casemap(text: str) -> str:
    """Text with its ASCII letters in upper case, all else as it is.

    Source: RFC 4790 §9.2.
    """
    return text.upper() if text.isascii() else text.translate(_UPPER)


def octets(text: str) -> str:
    """Text as it is: UTF-8 keeps which texts are in which.

    Source: RFC 4790 §9.3.
    """
    return text


def unicode_casemap(text: str) -> str:
    """Text in title case, character for character, then decomposed.

    Source: RFC 5051 §2.
    """
    if text.isascii():
        return text.upper()
    return "".join([_decomposed(char) for char in text])


@lru_cache(maxsize=4096)
def _decomposed(char: str) -> str:
    titled = char.title()
    # `title` is Unicode's full mapping; where that is several characters there is no simple one
    return unicodedata.normalize("NFKD", titled if len(titled) == 1 else char)


COLLATIONS: Final[Mapping[Collation, Callable[[str], str]]] = {
    "i;ascii-casemap": ascii_casemap,
    "i;octet": octets,
    "i;unicode-casemap": unicode_casemap,
}
"""What each collation makes of both texts before they are compared octet for octet."""

_MATCH: Final[Mapping[MatchType, Callable[[str, str], bool]]] = {
    "contains": lambda value, text: text in value,
    "equals": lambda value, text: value == text,
    "starts-with": str.startswith,
    "ends-with": str.endswith,
}


def matcher(test: Contains) -> Callable[[str], bool]:
    """A function that says whether a value matches; negation is the caller's business."""
    mapped = COLLATIONS[test.collation]
    text = mapped(test.text)
    compare = _MATCH[test.kind]
    return lambda value: compare(mapped(value), text)
