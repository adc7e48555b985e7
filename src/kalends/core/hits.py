"""What a query found in an object."""

from __future__ import annotations

from dataclasses import dataclass

from kalends.ical.tree import Component
from kalends.store.objects import ObjectRow

PAGE = 200
"""Objects fetched and parsed at once: their texts are in memory together."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A component that a query found.

    Attributes:
        row: the object it is in.
        whole: the object's text, parsed; to be changed freely, and shared by all hits of one object.
        component: the component found, a node of `whole`.
        parent: what it stands in.
        at: for an instance that the master's rule makes, when the rule puts it, in seconds UTC (wall seconds
            when it floats); None for what is written in the text itself.
        shown: that instance as a component of its own; None when it is as written, and where only `cut` is
            needed: for a reading command of somebody who sees parts.
        cut: what the caller may see of it, or, for a writing command, go by; None for all of it.
    """

    row: ObjectRow
    whole: Component
    component: Component
    parent: Component
    at: int | None = None
    shown: Component | None = None
    cut: Component | None = None

    @property
    def seen(self) -> Component:
        """What the query found, whole."""
        return self.component if self.shown is None else self.shown

    @property
    def view(self) -> Component:
        """What the query found, as the caller sees it."""
        return self.seen if self.cut is None else self.cut


def nodes_of(whole: Component) -> list[tuple[Component, Component]]:
    """Each component with what it stands in, by its place in a depth-first walk."""
    nodes = [(whole, whole)]

    def visit(parent: Component) -> None:
        for child in parent.components:
            nodes.append((child, parent))
            visit(child)

    visit(whole)
    return nodes
