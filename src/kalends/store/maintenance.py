"""Rebuilding the index, and checking that nothing contradicts anything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kalends.store.base import Store

Progress = Callable[[int, int], None]
"""Called with (objects done, objects in all)."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        code: a word for programs, e.g. `index-differs`.
        where: calendar, object or file.
        text: a sentence for people.
    """

    code: str
    where: str
    text: str


def reindex(
    store: Store, *, horizon: int, recur_limit: int = 10_000, progress: Progress | None = None
) -> int:
    """Derive the index anew from the texts. Returns how many objects there are."""
    raise NotImplementedError


def check(store: Store, *, progress: Progress | None = None) -> list[Finding]:
    """Compare everything derived with its source. An empty list is a clean store."""
    raise NotImplementedError
