"""MODIFY by somebody who may see or change only parts: it is never a way to find out (RFC 4324 §9.4)."""

from __future__ import annotations

from collections.abc import Sequence

from kalends.core import patch
from kalends.core.access.circumstances import Standing
from kalends.core.access.judges import DENIED, Authority
from kalends.core.access.parts import cut_line, inner_of
from kalends.core.access.scopes import Part
from kalends.core.errors import DeniedError
from kalends.core.hits import Hit
from kalends.ical.tree import Component
from kalends.ical.zones import Zones


def may_compare(authority: Authority, hit: Hit, old: Component) -> bool:
    """Whether the caller would see all of the old values if they were there.

    Where not, the answer must be the same whether they are there or not: MODIFY is no way to ask.

    Args:
        authority: the caller's.
        hit: a component that does not hold the old values, as far as the caller sees.
        old: the old values.
    """
    top = _top(hit)
    granted, denied = authority.judge.parts(top, _standing(hit), also=("MODIFY",))
    if top is not hit.component:
        granted, denied = inner_of(granted, hit.component.name), inner_of(denied, hit.component.name)
    return _would_see(old, granted, denied)


def may_compare_properties(authority: Authority, old: Component) -> bool:
    """The same for the properties of a calendar or store."""
    if authority.free("SEARCH"):
        return True
    container = authority.judge.context.container
    assert container is not None, "a judge of a stored calendar has one"
    return _would_see(old, *authority.judge.parts(container))


def _would_see(old: Component, granted: Sequence[Part], denied: Sequence[Part]) -> bool:
    if any(cut_line(line, granted, denied) is not line for line in old.lines):
        return False
    return all(
        any(part.whole for part in inner_of(granted, child.name)) and not inner_of(denied, child.name)
        for child in old.components
    )


def amend(authority: Authority, hit: Hit, old: Component, new: Component) -> None:
    """Change a component that was found, and that holds the old values.

    Args:
        authority: the caller's.
        hit: where it is; its object's text is changed.
        old: the old values.
        new: the new values.

    Raises:
        DeniedError: it may not be changed so.
        InvalidError: a read-only property would change.
    """
    free = authority.free("MODIFY")
    top = _top(hit)
    standing = _standing(hit)
    component = hit.component
    if hit.at is not None:  # an instance of a series gets an override of its own
        component = hit.seen
        hit.whole.items.append(component)
    before = None if free else (top.copy() if hit.at is None else component.copy())
    patch.apply(component, old, new)
    if before is None:
        return
    if hit.at is not None:
        authority.allow_change(top, top, standing)  # rights are about what is written: the series
    if top is not hit.component and hit.cut is not None:
        raise DeniedError(DENIED)
    wished = None
    if hit.cut is not None:
        after = hit.cut.copy()
        patch.apply(after, old, new)
        wished = (hit.cut, after)
    authority.allow_change(before, top if hit.at is None else component, standing, wished=wished)


def _top(hit: Hit) -> Component:
    """The component of the object that what was found is, or stands in."""
    for one in hit.whole.components:
        if any(part is hit.component for part in one.walk()):
            return one
    return hit.component


def _standing(hit: Hit) -> Standing:
    return Standing(hit.row.state, hit.row.method, Zones(hit.whole))
