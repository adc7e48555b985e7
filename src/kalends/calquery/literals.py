r"""Quoted values: escapes in, escapes out (RFC 4324 §6.1.1.6, §6.1.1.9).

A literal is escaped like iCalendar TEXT, and its single quotes too: ``\' \\ \, \; \n``. A LIKE pattern keeps
three of these escapes for itself: ``\% \_ \\``.
"""

from __future__ import annotations

import re

_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_SPECIAL = re.compile(r"[\\',;\n]")
_WILD = re.compile(r"[\\%_]")
_STRICT = re.compile(r"(?:[^\\]|\\[\\',;nN%_\"])*\Z", re.DOTALL)


def well_escaped(raw: str) -> bool:
    """Whether only escapes that RFC 4324 and RFC 5545 name are used."""
    return _STRICT.match(raw) is not None


def read_literal(raw: str) -> str:
    """Resolve the escapes of a value that is not a pattern."""
    return _ESCAPE.sub(_plain, raw) if "\\" in raw else raw


def read_pattern(raw: str) -> str:
    r"""Resolve the escapes of a LIKE pattern, but keep ``\% \_ \\``."""
    return _ESCAPE.sub(_kept, raw) if "\\" in raw else raw


def write_literal(text: str) -> str:
    """A value as a quoted literal; `read_literal` of its inside gives the value back."""
    return f"'{_SPECIAL.sub(_escaped, text)}'"


def as_pattern(text: str) -> str:
    """The LIKE pattern that matches just this text."""
    return _WILD.sub(r"\\\g<0>", text)


def _plain(match: re.Match[str]) -> str:
    return "\n" if match[1] in "nN" else match[1]


def _kept(match: re.Match[str]) -> str:
    if match[1] in "%_\\":
        return match[0]
    return _plain(match)


def _escaped(match: re.Match[str]) -> str:
    return "\\n" if match[0] == "\n" else f"\\{match[0]}"
