"""Untrusted text made fit for a terminal or a page: process arguments, banners, a user's own words."""

from __future__ import annotations

import unicodedata

_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
"""Control, format (bidi overrides among them), surrogate, private, unassigned, line and paragraph ends."""


def clean(text: str, width: int = 200) -> str:
    """One line without control or format characters, cut to a width.

    Args:
        text: anything.
        width: the most characters that come back; a cut is shown by an ellipsis.
    """
    if not (text.isascii() and text.isprintable()):
        text = "".join(
            " " if c in "\t\r\n" else "" if unicodedata.category(c) in _HIDDEN else c for c in text
        )
    text = " ".join(text.split())
    return text if len(text) <= width else text[: width - 1] + "…"
