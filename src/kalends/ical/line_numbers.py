"""Where the lines of a component stand in the text they came from."""

from __future__ import annotations

from collections.abc import Iterator

from kalends.ical.tree import Component, Line


def numbered(root: Component) -> Iterator[tuple[int, Component, Line | None]]:
    """Every line of a component with its number in the text it came from.

    Args:
        root: a root component as parsed and not changed since.

    Yields:
        Physical line number from 1, the component, and the line; None in place of the line for BEGIN.
    """
    yield from _numbered(root, max(root.line_number, 1))


def _numbered(component: Component, number: int) -> Iterator[tuple[int, Component, Line | None]]:
    blank = len(component.begin) - len(component.begin.lstrip("\r\n"))
    yield number + component.begin.count("\n", 0, blank), component, None
    number += component.begin.count("\n")
    for item in component.items:
        if isinstance(item, Line):
            yield number, component, item
            number += item.raw.count("\n")
        else:
            yield from _numbered(item, number)
            number += item.to_ics().count("\n")
