"""What rules leave of a component: what is granted, less what is denied (RFC 4324 §8.33)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from kalends.calquery.match import Subject
from kalends.core.access.bound import BoundRule, deciding, within
from kalends.core.access.circumstances import Context, Standing
from kalends.core.access.parts import Names, cut_line, inner_of, names_of
from kalends.core.access.scopes import Part
from kalends.ical.tree import Component, Line

Trace = dict[int, Component]
"""What is seen of components, by their identity; those of which nothing is seen are missing."""

_REMEMBERED: Final = 256
"""Answers remembered at once."""
_SHORT: Final = 256
"""Characters of properties by which an answer is remembered; for longer ones it is worked out each time."""

_Key = tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Meaning:
    """Which parts of a component the rules are about.

    Attributes:
        granted, denied: the parts.
        whole: all of it is granted, if nothing denies it.
        names: the same as names of properties; None where single lines or parameters are meant.
    """

    granted: list[Part]
    denied: list[Part]
    whole: bool
    names: Names | None

    @classmethod
    def of(cls, granted: list[Part], denied: list[Part]) -> Meaning:
        """A meaning of parts."""
        return cls(granted, denied, any(part.whole for part in granted), names_of(granted, denied))


class Sides:
    """The rules about a permission that speak of one caller: those that grant, and those that deny.

    It may be asked by several threads at once: what it remembers would come out the same again.

    Args:
        grants: rules that grant.
        denies: rules that deny.
        context: the circumstances.
    """

    __slots__ = ("_context", "_deciding", "_meanings", "_names", "denies", "grants")

    def __init__(self, grants: Sequence[BoundRule], denies: Sequence[BoundRule], context: Context) -> None:
        self.grants = grants
        self.denies = denies
        self._context = context
        self._deciding: dict[str, frozenset[str] | None] = {}
        self._meanings: dict[_Key, Meaning] = {}
        self._names: dict[tuple[int, ...], Names | None] = {}

    def meaning(self, component: Component, standing: Standing) -> Meaning:
        """Which parts of a top component the rules are about.

        Most rules look at a property or two, so that most components of a calendar are all the same to them.
        """
        key = self._key(component, standing)
        found = None if key is None else self._meanings.get(key)
        if found is None:
            subject = self._context.subject(component, standing)
            granted = [part for one in self.grants for part in one.parts(component, subject)]
            found = Meaning.of(
                granted, [part for one in self.denies for part in one.parts(component, subject)]
            )
            if key is not None:
                if len(self._meanings) >= _REMEMBERED:
                    self._meanings = {}
                self._meanings[key] = found
        return found

    def _key(self, component: Component, standing: Standing) -> _Key | None:
        """All that decides what the rules mean of a component; None where that is too much to keep."""
        kind = component.name
        if kind not in self._deciding:
            if len(self._deciding) >= _REMEMBERED:
                self._deciding = {}
            self._deciding[kind] = deciding((*self.grants, *self.denies), kind)
        names = self._deciding.get(kind)
        if names is None:
            return None
        lines = [item for item in component.items if item.name in names]
        raws = [line.raw for line in lines if isinstance(line, Line) and not _is_zoned(line)]
        if len(raws) != len(lines) or sum(map(len, raws)) > _SHORT:
            return None
        return kind, standing.state, standing.method, *raws

    def cut(self, component: Component, standing: Standing, trace: Trace | None = None) -> Component | None:
        """What is left of a top component.

        Args:
            component: the component.
            standing: of the component.
            trace: takes what becomes of the contained components, too; empty when all is left.

        Returns:
            The very component when that is all of it; None for nothing.
        """
        meaning = self.meaning(component, standing)
        if meaning.whole and not self.denies:
            return component
        return self._filter(component, meaning, standing, None, trace)

    def _filter(
        self,
        component: Component,
        meaning: Meaning,
        standing: Standing,
        subject: Subject | None,
        trace: Trace | None,
    ) -> Component | None:
        """A component without what is not granted or is denied; itself when that is nothing."""
        granted, denied, names = meaning.granted, meaning.denied, meaning.names
        if any(part.whole for part in denied):
            return None
        kept: list[Line | Component] = []
        same = True
        for item in component.items:
            seen: Line | Component | None
            if isinstance(item, Line):
                if names is None:
                    seen = cut_line(item, granted, denied)
                else:
                    seen = item if names.shows(item.name) else None
            else:
                if subject is None:
                    subject = self._context.subject(component, standing)
                inside = within(item, component, subject)
                seen = self._filter(item, self._inner(item, inside, meaning), standing, inside, trace)
                if trace is not None and seen is not None:
                    trace[id(item)] = seen
            same = same and seen is item
            if seen is not None:
                kept.append(seen)
        if same:
            return component if kept or meaning.whole else None
        if not kept:
            return None
        shell = Component(component.name, kept)
        shell.begin, shell.end = component.begin, component.end
        return shell

    def _inner(self, component: Component, subject: Subject, around: Meaning) -> Meaning:
        """Which parts of a contained component the rules are about."""
        granted = inner_of(around.granted, component.name)
        granted += [part for one in self.grants for part in one.deeper(component, subject)]
        denied = inner_of(around.denied, component.name)
        denied += [part for one in self.denies for part in one.deeper(component, subject)]
        whole = any(part.whole for part in granted)
        return Meaning(granted, denied, whole, self._named(granted, denied))

    def _named(self, granted: Sequence[Part], denied: Sequence[Part]) -> Names | None:
        """Parts as names. They are those of these rules' scopes, so that they are known by their identity."""
        key = (*map(id, granted), 0, *map(id, denied))
        if key in (known := self._names):
            return known[key]
        if len(known) >= _REMEMBERED:
            self._names = {}
        found = self._names[key] = names_of(granted, denied)
        return found


def _is_zoned(line: Line) -> bool:
    """Whether what a line means depends on the zones of its object."""
    return line.param("TZID") is not None
