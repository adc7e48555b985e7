"""Replacing a whole object, as CalDAV's PUT does, by somebody who may see or change only parts of it."""

from __future__ import annotations

from kalends.core import patch, texts
from kalends.core.access.circumstances import Standing
from kalends.core.access.judges import DENIED, Authority
from kalends.core.access.sights import Seen
from kalends.core.errors import DeniedError
from kalends.ical.tree import Component, parse
from kalends.ical.zones import Zones
from kalends.store.objects import ObjectRow


def merged(authority: Authority, row: ObjectRow, given: Component) -> Component:
    """What an object becomes when somebody replaces what they see of it.

    What they do not see stays as it is. Each component is compared with the one it replaces: changing one
    needs MODIFY, leaving one out DELETE, adding one CREATE.

    Args:
        authority: what they may do there.
        row: the object as it is.
        given: its new text, as they want to see it.

    Returns:
        The new text: `given` itself for those who see everything.

    Raises:
        DeniedError: they may not change it so.

    Source: RFC 4324 §9.4; RFC 4791 §5.3.2.
    """
    if authority.free("SEARCH") and all(authority.free(one) for one in ("CREATE", "MODIFY", "DELETE")):
        return given
    whole = parse(row.ics)
    standing = Standing(row.state, row.method, Zones(whole))
    seen = None if authority.free("SEARCH") else Seen(authority.judge, row, whole)
    had = {texts.recurrence_key(one, standing.zones): one for one in whole.children(row.kind)}
    come = {texts.recurrence_key(one, Zones(given)): one for one in given.children(row.kind)}
    result: list[Component] = []
    for key, new in come.items():
        old = had.get(key)
        if old is None:
            authority.allow("CREATE", new, standing)
            result.append(new)
            continue
        view = old if seen is None else seen.of(old)
        if view is None:
            raise DeniedError(DENIED)
        after = new if view is old else _patched(old, view, new)
        authority.allow_change(old, after, standing, wished=None if view is old else (view, new))
        result.append(after)
    for key, old in had.items():
        if key in come:
            continue
        if seen is not None and seen.of(old) is None:
            result.append(old)
        else:
            authority.allow("DELETE", old, standing)
    if seen is None or seen.whole:
        return given
    return _assembled(whole, given, row.kind, result)


def _patched(old: Component, view: Component, new: Component) -> Component:
    """The component with what is seen of it replaced."""
    after = old.copy()
    patch.apply(after, view, new)
    return after


def _assembled(whole: Component, given: Component, kind: str, parts: list[Component]) -> Component:
    """The object's own envelope around its new components, with the time zones of both texts."""
    head = [line for line in whole.lines if line.name != "METHOD"]
    zones = {zone.value("TZID"): zone for one in (whole, given) for zone in one.children("VTIMEZONE")}
    wanted = set(texts.zones_named(parts))
    method = [line for line in whole.lines if line.name == "METHOD"]
    needed = [zone for tzid, zone in zones.items() if tzid in wanted or kind == "VTIMEZONE"]
    return texts.assemble([*head, *method], needed, parts)
