"""Small tools for SQL text that is written once for both databases."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import count
from typing import TypeVar

T = TypeVar("T")

MAX_IN_LIST = 500
"""Values in one IN (…): far below SQLite's 32,766 parameters, and few distinct statements to cache."""

# A quoted string, a quoted name, a comment, or a parameter.
_SPECIAL = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*|/\*.*?\*/|\?", re.DOTALL)


@lru_cache(maxsize=1024)
def numbered(sql: str) -> str:
    """Turn `?` parameters into PostgreSQL's own `$1`, `$2`, leaving quoted text and comments alone.

    Args:
        sql: a statement with `?` for each parameter.
    """
    numbers = count(1)

    def replace(match: re.Match[str]) -> str:
        found = match[0]
        return f"${next(numbers)}" if found == "?" else found

    return _SPECIAL.sub(replace, sql)


@lru_cache(maxsize=256)
def with_list(sql: str, count: int) -> str:
    """Put `count` parameters where `(??)` stands, for `x in (??)`."""
    return sql.replace("(??)", f"({', '.join('?' * count)})")


def padded(values: Sequence[T]) -> list[T]:
    """Repeat the last value up to a power of two of them: lists of all lengths then share few statements."""
    missing = (1 << (len(values) - 1).bit_length()) - len(values) if values else 0
    return [*values, *[values[-1]] * missing]


def chunks(values: Sequence[T], size: int = MAX_IN_LIST) -> Iterator[Sequence[T]]:
    """Cut a sequence into pieces that fit one IN (…)."""
    for start in range(0, len(values), size):
        yield values[start : start + size]
