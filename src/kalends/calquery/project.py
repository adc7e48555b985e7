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
_DERIVABLE = frozenset(("DTEND", "DUE", "DURATION"))
"""Properties that say the same together with DTSTART."""


def _nobody(calid: str | None) -> Collection[str]:
    return ()


class Projection:
    """A SELECT made ready for many components.

    `SELECT a,b FROM VEVENT` and `SELECT *` give the component wrapped in its BEGIN and END (A-22);
    `SELECT VALARM` gives wrapped alarms, `SELECT VALARM.*` and `SELECT VALARM.TRIGGER` bare contents. Where a
    query selects both kinds, the bare ones stand inside the wrapped component. FROM VAGENDA and VCALSTORE,
    `*` means properties only, `*.*` the contents too (QRY-35).

    Args:
        query: the query.
        owners: for CAL-OWNERS() in SELECT: UPNs by CALID, None for the target.
        default_tz: zone of floating times.

    Source: RFC 4324 §6.1.1, §6.1.1.1, §6.1.1.3.1, §6.1.1.8.
    """

    def __init__(self, query: Query, *, owners: Owners = _nobody, default_tz: str | None = None) -> None:
        self._owners, self._default_tz = owners, default_tz
        self._own = [item for item in query.select if not _is_inner(item)]
        self._inner = [item for item in query.select if _is_inner(item)]
        self._whole = any(_is_whole(item, query) for item in self._own)
        self._everything = any(isinstance(item, AllProperties) for item in self._own)
        self._columns = [item for item in self._own if isinstance(item, Column)]
        self._named = frozenset(column.name for column in self._columns)
        self._derivable = [
            column.name for column in self._columns if column.name in _DERIVABLE and column.param is None
        ]
        self._by_name = not self._inner and all(
            isinstance(item, Column) and item.param is None for item in self._own
        )

    def of(self, component: Component, zones: Zones | None = None) -> list[Item]:
        """What is returned of one component that the query matched.

        Args:
            component: what may not be seen is already taken out.
            zones: where TZIDs are looked up, for a DTEND made from DURATION and the reverse.

        Returns:
            Components and lines in their written order, each once; lines are those of `component`, not
            copies, but for a DTEND, DUE or DURATION that only its counterpart says (QRY-19). Empty when
            nothing selected is there.
        """
        if self._by_name:
            out: list[Item] = [item for item in component.items if item.name in self._named]
            if self._derivable:
                out += self._derived(component, zones)
            return [_shell(component, out)] if out else []
        bare = _inside(component, self._inner) if self._inner else []
        if not self._own:
            return bare
        if self._whole:
            return [component]
        chosen = self._chosen(component, bare, zones)
        return [_shell(component, chosen)] if chosen else []

    def _chosen(self, component: Component, bare: Sequence[Item], zones: Zones | None) -> list[Item]:
        """The selected properties in written order, then what is not written there."""
        out: list[Item] = [
            item
            for item in component.items
            if (self._everything and isinstance(item, Line))
            or (item.name in self._named and any(_is_column(item, column) for column in self._columns))
        ]
        out += self._derived(component, zones)
        out += [item for item in bare if not any(item is one for one in out)]
        for item in self._own:
            if isinstance(item, OwnersColumn):
                for owner in sorted(self._owners(item.calid)):
                    name = (
                        "CALMASTER" if ":" in owner else "OWNER"
                    )  # the store's is a URI, no UPN has a colon
                    out += [] if _has(out, name, owner) else [Line.make(name, owner)]
        return out

    def _derived(self, component: Component, zones: Zones | None) -> list[Item]:
        """A selected DTEND, DUE or DURATION that is not written but follows from the other (QRY-19)."""
        wanted = [name for name in self._derivable if component.first(name) is None]
        start = component.first("DTSTART") if wanted else None
        if start is None:
            return []
        out: list[Item] = []
        for cell in cells(component, zones=zones, default_tz=self._default_tz):
            if cell.origin == DERIVED and cell.name in wanted:
                params = () if cell.name == "DURATION" or cell.value.endswith("Z") else start.params
                out.append(Line.make(cell.name, cell.value, params))
        return out


def _is_inner(item: Selected) -> bool:
    """Whether an item is about a contained component."""
    return isinstance(item, Contained) or (isinstance(item, Column) and item.component is not None)


def _is_whole(item: Selected, query: Query) -> bool:
    """Whether an item means the component with all it contains."""
    if isinstance(item, AllProperties):
        return query.source not in CONTAINERS
    return isinstance(item, Everything)


def _shell(component: Component, items: list[Item]) -> Component:
    """The same BEGIN and END around other contents."""
    shell = Component(component.name, items)
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
