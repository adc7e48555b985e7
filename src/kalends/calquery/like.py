"""LIKE patterns: read once, matched in linear time, written again for a database (RFC 4324 §6.1.1.9)."""

from __future__ import annotations

import re
from functools import lru_cache

from kalends.calquery.cells import fold_case

_ANY_RUN, _ANY_ONE = object(), object()


class Pattern:
    r"""A LIKE pattern in folded case; it always covers the whole text.

    Args:
        text: the pattern; `%` any run of characters, `_` one character, a backslash makes the next one plain.

    Attributes:
        sql: the same pattern for a database's LIKE … ESCAPE '\' over folded text: no dangling escape.
        plain: the only text it matches, when it has no wildcards; else None.
    """

    __slots__ = ("_first", "_last", "_middle", "plain", "sql")

    def __init__(self, text: str) -> None:
        parts = _read(fold_case(text))
        self.sql = "".join([_write(part) for part in parts])
        wild = any(not isinstance(part, str) for part in parts)
        self.plain = None if wild else "".join([part for part in parts if isinstance(part, str)])
        runs: list[list[object]] = [[]]
        for part in parts:
            if part is _ANY_RUN:
                runs.append([])
            else:
                runs[-1].append(part)
        self._first = _piece(runs[0])
        self._last = (_piece(runs[-1]), len(runs[-1])) if len(runs) > 1 else None
        self._middle = [_piece(run) for run in runs[1:-1] if run]

    def matches(self, text: str) -> bool:
        """Whether the pattern covers the text.

        Args:
            text: text in folded case.
        """
        if self.plain is not None:
            return text == self.plain
        found = self._first.match(text)
        if found is None:
            return False
        at = found.end()
        if self._last is None:
            return at == len(text)
        for piece in self._middle:
            found = piece.search(text, at)
            if found is None:
                return False
            at = found.end()
        last, size = self._last
        return len(text) - size >= at and last.match(text, len(text) - size) is not None


@lru_cache(maxsize=256)
def pattern(text: str) -> Pattern:
    """The compiled form of a LIKE pattern, remembered for the next component it is tried on."""
    return Pattern(text)


def _read(text: str) -> list[object]:
    parts: list[object] = []
    at = 0
    while at < len(text):
        char = text[at]
        if char == "\\" and at + 1 < len(text):
            at += 1
            parts.append(text[at])
        else:
            parts.append(_ANY_RUN if char == "%" else _ANY_ONE if char == "_" else char)
        at += 1
    return parts


def _write(part: object) -> str:
    if part is _ANY_RUN:
        return "%"
    if part is _ANY_ONE:
        return "_"
    return f"\\{part}" if part in ("%", "_", "\\") else str(part)


def _piece(run: list[object]) -> re.Pattern[str]:
    """A run without %: a fixed number of characters, so searching it never backtracks far."""
    return re.compile("".join(["." if part is _ANY_ONE else re.escape(str(part)) for part in run]), re.DOTALL)
