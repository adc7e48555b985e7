"""Which exit code and which sentence belong to which error. Nothing is imported for asking."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import click

from kalends.cli.text import clean, harmless

DONE, REFUSED, USAGE, UNREACHABLE = 0, 1, 2, 3
"""Exit codes: done; refused or not found; wrong usage; could not connect or authenticate."""
NARROW = 80
"""Columns of a terminal that everybody has."""
INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""

_TABLE: tuple[tuple[str, str, int], ...] = (
    ("kalends.serve.config", "ConfigError", USAGE),
    ("kalends.calquery.errors", "QueryError", USAGE),
    ("kalends.client.errors", "RefusedError", REFUSED),
    ("kalends.client.errors", "ReplyError", REFUSED),
    ("kalends.client.errors", "AddressError", USAGE),
    ("kalends.client.errors", "ClientError", UNREACHABLE),
    ("kalends.core.errors", "KalendsError", REFUSED),
    ("kalends.store.errors", "StoreError", REFUSED),
    ("kalends.ical.errors", "ICalError", REFUSED),
)
"""Module, error class, exit code; the first line that fits holds."""


@dataclass(frozen=True, slots=True)
class Failure:
    """What to say and how to end."""

    code: int
    lines: tuple[str, ...]


class RefusalError(Exception):
    """The command could not be done (exit 1); the text is one sentence."""


class UsageError(click.UsageError):
    """Wrong words, found after parsing (exit 2)."""


def judge(error: Exception) -> Failure:
    """Find the exit code and the words for an error.

    Args:
        error: anything that was raised.

    Returns:
        What to print on stderr, fit for a terminal, and the exit code.
    """
    if isinstance(error, click.ClickException):
        return _usage(error)
    if isinstance(error, RefusalError):
        return Failure(REFUSED, _said(str(error)))
    for module, name, code in _TABLE:
        kind = getattr(sys.modules.get(module), name, None)
        if kind is not None and isinstance(error, kind):
            caret = getattr(error, "caret", None)
            if caret is not None:
                return Failure(code, ("kalends: the query is not CAL-QUERY", *_pointed(caret())))
            return Failure(code, _said(str(error)))
    if isinstance(error, OSError):
        name = f"{error.filename}: " if isinstance(error.filename, str) else ""
        return Failure(REFUSED, _said(f"{name}{(error.strerror or str(error)).lower()}"))
    if isinstance(error, ValueError):
        return Failure(USAGE, _said(str(error)))
    what = f"{type(error).__name__}: {error}"
    return Failure(REFUSED, (*_said(f"internal error: {what}"), "kalends: -vv shows where"))


def _pointed(caret: str) -> list[str]:
    """A query with a caret under the mistake; words that do not fit beside the caret stand below."""
    *shown, pointing = caret.splitlines()
    if len(pointing) <= NARROW:
        return [*shown, pointing]
    pad, _, words = pointing.partition("^ ")
    reason, _, expected = words.partition(", expected ")
    below = [f"expected {expected}"] if expected else []
    if len(pad) + 2 + len(reason) <= NARROW:
        return [*shown, f"{pad}^ {reason}", *below]
    return [*shown, f"{pad}^", reason, *below]


def _said(text: str) -> tuple[str, ...]:
    first, *rest = text.splitlines() or [""]
    return (f"kalends: {clean(first, 500)}", *(harmless(line) for line in rest))


def _usage(error: click.ClickException) -> Failure:
    lines = _said(" ".join(error.format_message().split()))  # click lists choices one below the other
    ctx = getattr(error, "ctx", None)
    if isinstance(error, click.UsageError) and ctx is not None:
        lines += (f"Try '{ctx.command_path} --help'.",)
    return Failure(USAGE, lines)
