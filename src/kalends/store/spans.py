"""When an object happens: its occurrences up to the horizon, its alarms, its outer span."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from kalends.ical.tree import Component
from kalends.ical.zones import Zones

if TYPE_CHECKING:
    from kalends.store.index import Node


class Occurrence(NamedTuple):
    """One row of `instance`, with a node's index in place of a component's id."""

    node: int
    start_at: int
    end_at: int
    recurrence_at: int
    floating: bool
    busy: str


class Span(NamedTuple):
    """The outer span of an object: what its row says of it (see `objects.ObjectRow`)."""

    first_at: int | None
    last_at: int | None
    expanded_to: int | None


NEVER = Span(None, None, None)
"""The span of what has no time."""


@dataclass(slots=True)
class Expansion:
    """What `expand` found.

    Attributes:
        occurrences: alarms included.
        span: of all of them.
        recurrence: RECURRENCE-ID in seconds, by node.
    """

    occurrences: list[Occurrence] = field(default_factory=list)
    span: Span = NEVER
    recurrence: dict[int, int] = field(default_factory=dict)


def expand(
    vcalendar: Component,
    nodes: Sequence[Node],
    zones: Zones,
    *,
    horizon: int,
    recur_limit: int,
    default_tz: str | None,
) -> Expansion:
    """Find when the components of a text happen."""
    return Expansion()
