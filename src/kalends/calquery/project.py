"""SELECT: what of a matching component goes into the answer (RFC 4324 §6.1.1, §6.1.1.3.1).

Lines are never rebuilt: what was selected is handed on as the very objects that were parsed, folds and all.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from kalends.calquery.cells import DERIVED, cells
from kalends.calquery.columns import CONTAINERS
from kalends.calquery.tree import (
    AllProperties,
    Column,
    Contained,
    Everything,
    OwnersColumn,
    Query,
    Selected,
)
from kalends.ical.properties import param_default
from kalends.ical.tree import Component, Line
from kalends.ical.zones import Zones

Item = Line | Component
Owners = Callable[[str | None], Collection[str]]


def _nobody(calid: str | None) -> Collection[str]:
    return ()


def project(
    query: Query,
    component: Component,
    *,
    owners: Owners = _nobody,
    zones: Zones | None = None,
    default_tz: str | None = None,
) -> list[Item]:
    """What a query returns of one component it matched.

    `SELECT a,b FROM VEVENT` and `SELECT *` give the component wrapped in its BEGIN and END (A-22);
    `SELECT VALARM` gives wrapped alarms, `SELECT VALARM.*` and `SELECT VALARM.TRIGGER` bare contents. Where a
    query selects both kinds, the bare ones stand inside the wrapped component. FROM VAGENDA and VCALSTORE,
    `*` means properties only, `*.*` the contents too (QRY-35).

    Args:
        query: the query.
        component: a component that matches it; what may not be seen is already taken out.
        owners: for CAL-OWNERS() in SELECT: UPNs by CALID, None for the target.
        zones: where TZIDs are looked up, for a DTEND made from DURATION and the reverse.
        default_tz: zone of floating times.

    Returns:
        Components and lines in their written order, each once; lines are those of `component`, not copies,
        but for a DTEND, DUE or DURATION that only its counterpart says (QRY-19). Empty when nothing selected
        is there.

    Source: RFC 4324 §6.1.1, §6.1.1.1, §6.1.1.3.1, §6.1.1.8.
    """
    own = [item for item in query.select if not _is_inner(item, query)]
    inner = [item for item in query.select if _is_inner(item, query)]
    bare = _inside(component, inner)
    if not own:
        return bare
    if any(_is_whole(item, query) for item in own):
        return [_whole(component)]
    wrapped = _shell(component, _chosen(component, own, bare, owners, zones, default_tz))
    return [wrapped] if wrapped.items else []


def _is_inner(item: Selected, query: Query) -> bool:
    """Whether an item is about a contained component."""
    return isinstance(item, Contained) or (isinstance(item, Column) and item.component is not None)


def _is_whole(item: Selected, query: Query) -> bool:
    """Whether an item means the component with all it contains."""
    if isinstance(item, AllProperties):
        return query.source not in CONTAINERS
    return isinstance(item, Everything)


def _whole(component: Component) -> Component:
    return component


def _shell(component: Component, items: Sequence[Item]) -> Component:
    """The same BEGIN and END around other contents."""
    shell = Component(component.name, list(items))
    shell.begin, shell.end = component.begin, component.end
    return shell


def _inside(component: Component, selected: Sequence[Selected]) -> list[Item]:
    """What is selected of contained components, in their order, each thing once."""
    out: list[Item] = []
    seen: set[int] = set()
    for item in selected:
        if isinstance(item, Contained) and item.component == component.name:
            _add(out, seen, component.items)  # VEVENT.* FROM VAGENDA: the contents of the component itself
    for child in component.components:
        for item in selected:
            if isinstance(item, Contained) and item.component == child.name:
                _add(out, seen, child.items if item.bare else (child,))
            elif isinstance(item, Column) and item.component == child.name:
                _add(out, seen, [line for line in child.lines if _is_column(line, item)])
    return out


def _add(out: list[Item], seen: set[int], items: Sequence[Item]) -> None:
    for item in items:
        if id(item) not in seen:
            seen.add(id(item))
            out.append(item)


def _chosen(
    component: Component,
    own: Sequence[Selected],
    bare: Sequence[Item],
    owners: Owners,
    zones: Zones | None,
    default_tz: str | None,
) -> list[Item]:
    """The selected properties in written order, then what is not written there."""
    columns = [item for item in own if isinstance(item, Column)]
    named = frozenset(column.name for column in columns)
    everything = any(isinstance(item, AllProperties) for item in own)
    out: list[Item] = [
        item
        for item in component.items
        if (everything and isinstance(item, Line))
        or (item.name in named and any(_is_column(item, column) for column in columns))
    ]
    out += _derived(component, columns, zones, default_tz)
    out += [item for item in bare if not any(item is one for one in out)]
    for item in own:
        if isinstance(item, OwnersColumn):
            name = "CALMASTER" if component.name == "VCALSTORE" else "OWNER"
            out += [Line.make(name, upn) for upn in sorted(owners(item.calid)) if not _has(out, name, upn)]
    return out


def _has(items: Sequence[Item], name: str, value: str) -> bool:
    return any(isinstance(item, Line) and item.name == name and item.value == value for item in items)


def _is_column(item: Item, column: Column) -> bool:
    """Whether a line (or an experimental component, which no grammar tells from a property) is selected."""
    if item.name != column.name:
        return False
    if isinstance(item, Component):
        return column.param is None
    if column.param is None:
        return True
    return item.param(column.param) is not None or param_default(item.name, column.param) is not None


def _derived(
    component: Component, columns: Sequence[Column], zones: Zones | None, default_tz: str | None
) -> list[Item]:
    """A selected DTEND, DUE or DURATION that is not written but follows from the other (QRY-19)."""
    wanted = [
        column.name
        for column in columns
        if column.name in ("DTEND", "DUE", "DURATION") and column.param is None
    ]
    wanted = [name for name in wanted if component.first(name) is None]
    if not wanted:
        return []
    start = component.first("DTSTART")
    out: list[Item] = []
    for cell in cells(component, zones=zones, default_tz=default_tz):
        if cell.origin == DERIVED and cell.name in wanted and start is not None:
            params = () if cell.name == "DURATION" or cell.value.endswith("Z") else start.params
            out.append(Line.make(cell.name, cell.value, params))
    return out
