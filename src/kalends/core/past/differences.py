"""What is different between two texts of an object, property by property, for people."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kalends.ical.errors import ICalError
from kalends.ical.tree import Component, Line, parse
from kalends.ical.values import unescape_text

_LAST = ("SEQUENCE", "CREATED", "LAST-MODIFIED", "DTSTAMP")
"""What every change changes: told after all that people meant to change."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One property (or contained component) that is not as it was.

    Attributes:
        name: DTSTART, or VALARM/TRIGGER for what stands inside of a component.
        old, new: its values as text, without escapes; None when it is not there. For components that came
            or went, how many there are.
        instance: RECURRENCE-ID of the instance it is about; '' for the object itself.
    """

    name: str
    old: str | None
    new: str | None
    instance: str = ""


def differences(old: bytes, new: bytes, kind: str) -> list[Difference]:
    """Compare two texts of one object.

    Args:
        old: the text before.
        new: the text after.
        kind: the object's kind; time zones beside it are not compared.

    Returns:
        What differs, what people meant first; empty for equal texts and for texts that cannot be read.
    """
    if old == new:
        return []
    try:
        before, after = _parts(old, kind), _parts(new, kind)
    except ICalError:
        return []
    found: list[Difference] = []
    for instance in dict.fromkeys((*before, *after)):
        mine, theirs = before.get(instance), after.get(instance)
        if mine is None or theirs is None:
            there = mine or theirs
            assert there is not None, "an instance of one of the two"
            title = title_of(there) or kind
            was, now_is = (None, title) if mine is None else (title, None)
            found.append(Difference(kind, was, now_is, instance))
        else:
            found += [
                Difference(name, was, now_is, instance) for name, was, now_is in _compared(mine, theirs)
            ]
    return sorted(found, key=lambda one: one.name.rpartition("/")[2] in _LAST)


def _parts(text: bytes, kind: str) -> dict[str, Component]:
    """The components of the kind, by RECURRENCE-ID."""
    return {part.value("RECURRENCE-ID") or "": part for part in parse(text).children(kind)}


def _compared(old: Component, new: Component) -> Iterator[tuple[str, str | None, str | None]]:
    for name in dict.fromkeys(item.name for item in (*old.items, *new.items)):
        before, after = old.all(name), new.all(name)
        if [line.raw for line in before] != [line.raw for line in after]:
            was, now_is = _told(before, after)
            yield name, was, now_is
    for name in dict.fromkeys(part.name for part in (*old.components, *new.components)):
        mine, theirs = old.children(name), new.children(name)
        if len(mine) != len(theirs):
            yield name, str(len(mine)), str(len(theirs))
            continue
        for one, other in zip(mine, theirs, strict=True):
            yield from ((f"{name}/{inner}", was, now_is) for inner, was, now_is in _compared(one, other))


def _told(old: list[Line], new: list[Line]) -> tuple[str | None, str | None]:
    """Values; with their parameters when only these differ."""
    mine, theirs = _values(old), _values(new)
    if mine == theirs:
        mine, theirs = _written(old), _written(new)
    return mine, theirs


def _values(lines: list[Line]) -> str | None:
    return ", ".join(unescape_text(line.value) for line in lines) if lines else None


def _written(lines: list[Line]) -> str | None:
    return ", ".join(f"{_params(line)}{unescape_text(line.value)}" for line in lines) if lines else None


def _params(line: Line) -> str:
    return "".join(f"{name}={','.join(given)}:" for name, given in line.params)


def title_of(component: Component) -> str:
    """What people call a component: its SUMMARY or NAME; '' when it has neither."""
    return unescape_text(component.value("SUMMARY") or component.value("NAME") or "").strip()


def title_in(text: bytes, kind: str) -> str:
    """What people call an object; '' when it has no title, or cannot be read."""
    try:
        mains = parse(text).children(kind)
    except ICalError:
        return ""
    return title_of(mains[0]) if mains else ""
