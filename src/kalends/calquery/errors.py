"""What can be wrong with a query, and how to show it."""

from __future__ import annotations

import unicodedata
from typing import Final

WINDOW: Final = 72
"""Characters of a query shown around a mistake: fits an 80-column terminal."""


class QueryError(ValueError):
    """A query that is not CAL-QUERY, or that asks for something that cannot be.

    Attributes:
        reason: what is wrong, for a person; may quote a little of the query, made harmless.
        column: where, in characters from 1; 0 when the query has no text.
        expected: what would have been right there; empty when that is hard to say.
        text: the query.
    """

    def __init__(self, reason: str, column: int = 0, expected: str = "", text: str = "") -> None:
        self.reason = reason
        self.column = column
        self.expected = expected
        self.text = text
        super().__init__(reason)

    def __str__(self) -> str:
        """One line: place, reason, what was expected."""
        place = f"column {self.column}: " if self.column else ""
        wanted = f" (expected {self.expected})" if self.expected else ""
        return f"{place}{self.reason}{wanted}"

    def caret(self) -> str:
        """The query with a caret under the mistake, safe and narrow enough for a terminal.

        Returns:
            Two or three lines: the part of the query around the mistake, a caret, what was expected.
        """
        if not self.column:
            return str(self)
        at = self.column - 1
        start = max(0, min(at - WINDOW // 2, len(self.text) - WINDOW))
        shown = harmless(self.text[start : start + WINDOW])
        lead = "…" if start else ""
        tail = "…" if start + WINDOW < len(self.text) else ""
        pad = " " * (len(lead) + _width(shown[: at - start]))
        wanted = f", expected {self.expected}" if self.expected else ""
        return f"{lead}{shown}{tail}\n{pad}^ {self.reason}{wanted}"


class TooComplexError(QueryError):
    """A query longer, deeper or with more terms than the store works on (RFC 4324 §10.15: 8.1)."""


def harmless(text: str) -> str:
    """Text whose control and formatting characters are replaced by a dot, character for character.

    Args:
        text: untrusted text.

    Returns:
        Text of the same length that can do nothing to a terminal.
    """
    return "".join([char if char.isprintable() else "·" for char in text])


def _width(text: str) -> int:
    """Terminal cells a text takes: wide characters two, combining ones none."""
    return sum(
        0 if unicodedata.combining(char) else 1 + (unicodedata.east_asian_width(char) in "WF")
        for char in text
    )
