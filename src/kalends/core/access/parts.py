"""What parts of a component, granted and denied, leave to be seen, and let be changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kalends.core.access.scopes import Params, Part
from kalends.ical.tree import Component, Line


def inner_of(parts: Sequence[Part], name: str) -> list[Part]:
    """What parts of a component mean of those contained in it that have a name."""
    return [inner for part in parts if (inner := part.inside(name)) is not None]


def cut_line(line: Line, granted: Sequence[Part], denied: Sequence[Part]) -> Line | None:
    """What may be seen of a line; the line itself when all of it may."""
    allowed = _allowed(line, granted)
    if allowed is NOTHING:
        return None
    hidden: set[str] = set()
    for part in denied:
        if part.means(line):
            params = part.params(line)
            if params is None:
                return None
            hidden |= params
    if not line.params:
        return line
    kept = tuple(
        one for one in line.params if (allowed is None or one[0] in allowed) and one[0] not in hidden
    )
    return line if len(kept) == len(line.params) else line.with_params(kept)


def shows(name: str, granted: Sequence[Part], denied: Sequence[Part]) -> bool:
    """Whether a property of that name would be seen, at least some of its lines, if it is there."""
    return any(part.whole or name in part.columns for part in granted) and not any(
        part.whole or (name in part.columns and part.columns[name] is None and name not in part.only)
        for part in denied
    )


@dataclass(frozen=True, slots=True)
class Names:
    """Parts that mean whole properties only: then a name is all there is to look at.

    Attributes:
        whole: everything is granted. open: names that are. closed: names that are denied.
    """

    whole: bool
    open: frozenset[str]
    closed: frozenset[str]

    def shows(self, name: str) -> bool:
        """Whether lines of that name are seen."""
        return (self.whole or name in self.open) and name not in self.closed


def names_of(granted: Sequence[Part], denied: Sequence[Part]) -> Names | None:
    """Parts as names; None where single lines or parameters are meant."""
    for part in (*granted, *denied):
        if part.only or any(params is not None for params in part.columns.values()):
            return None
    return Names(
        any(part.whole for part in granted),
        frozenset().union(*(part.columns for part in granted)),
        frozenset().union(*(part.columns for part in denied)),
    )


NOTHING: frozenset[str] = frozenset(("\0",))
"""Stands for: not even the value."""


def _allowed(line: Line, granted: Sequence[Part]) -> Params:
    """The parameters that are granted of a line, None for all; `NOTHING` when the line itself is not."""
    found: frozenset[str] | None = None
    for part in granted:
        if part.means(line):
            params = part.params(line)
            if params is None:
                return None
            found = params if found is None else found | params
    return NOTHING if found is None else found


def may_change(old: Component, new: Component, granted: Sequence[Part], denied: Sequence[Part]) -> bool:
    """Whether all that differs may be changed; where nothing is granted, not even nothing may."""
    if not granted or any(part.whole for part in denied):
        return False
    if any(part.whole for part in granted) and not denied:
        return True
    return _children_may(old, new, granted, denied) and _lines_may(old, new, granted, denied)


def changed_children(old: Component, new: Component) -> list[Component]:
    """The contained components that only one of the two has."""
    before = Counter(child.to_ics() for child in old.components)
    after = Counter(child.to_ics() for child in new.components)
    return [
        child for child in (*old.components, *new.components) if before[text := child.to_ics()] != after[text]
    ]


def _children_may(old: Component, new: Component, granted: Sequence[Part], denied: Sequence[Part]) -> bool:
    """Contained components are changed, added and removed as a whole."""
    return all(
        any(part.whole for part in inner_of(granted, name)) and not inner_of(denied, name)
        for name in {child.name for child in changed_children(old, new)}
    )


def _lines_may(old: Component, new: Component, granted: Sequence[Part], denied: Sequence[Part]) -> bool:
    gone, come = _differing(old.lines, new.lines), _differing(new.lines, old.lines)
    left = list(come)
    for line in gone:
        twin = next((one for one in left if one.name == line.name and one.value == line.value), None)
        if twin is not None and _params_may(line, twin, granted, denied):
            left.remove(twin)
        elif not _free(line, granted, denied):
            return False
    return all(_free(line, granted, denied) for line in left)


def _differing(lines: Iterable[Line], others: Iterable[Line]) -> list[Line]:
    """Lines that have no equal among the others, each equal counted once."""
    counted = Counter(_key(line) for line in others)
    found: list[Line] = []
    for line in lines:
        key = _key(line)
        if counted[key]:
            counted[key] -= 1
        else:
            found.append(line)
    return found


def _key(line: Line) -> tuple[object, ...]:
    return (line.name, line.params, line.value)


def _free(line: Line, granted: Sequence[Part], denied: Sequence[Part]) -> bool:
    """Whether a line may be put in, or taken out."""
    return any(part.free(line) for part in granted) and not any(part.means(line) for part in denied)


def _params_may(old: Line, new: Line, granted: Sequence[Part], denied: Sequence[Part]) -> bool:
    """Whether the parameters that differ may be changed, the value being the same."""
    allowed = _allowed(old, granted)
    if allowed is NOTHING:
        return False
    names = {name for name, _ in (*old.params, *new.params)}
    changed = {name for name in names if old.param_values(name) != new.param_values(name)}
    if allowed is not None and not changed <= allowed:
        return False
    return not any(_denies(part, old, changed) or _denies(part, new, changed) for part in denied)


def _denies(part: Part, line: Line, changed: Iterable[str]) -> bool:
    if not part.means(line):
        return False
    params = part.params(line)
    return params is None or not params.isdisjoint(changed)
