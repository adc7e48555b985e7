"""The parts of an object, each under the instance it stands for."""

from __future__ import annotations

from collections.abc import Sequence

from kalends.core import series, texts
from kalends.ical.component_times import ComponentTimes, read_times
from kalends.ical.errors import ICalError
from kalends.ical.moment import DAY, parse_moment
from kalends.ical.occurrences import expand_component, occurrences
from kalends.ical.tree import Component
from kalends.ical.zones import Zones

Key = int | None
"""The instant of a RECURRENCE-ID (wall seconds when it floats); None for the master."""


def parts(whole: Component | None, kind: str) -> dict[Key, Component]:
    """The components of an object by instance, master first."""
    if whole is None:
        return {}
    zones = Zones(whole)
    found = {texts.recurrence_key(part, zones): part for part in whole.children(kind)}
    return dict(sorted(found.items(), key=lambda one: (one[0] is not None, one[0] or 0)))


def excluded(master: Component | None, whole: Component) -> set[int]:
    """The instants that a master's EXDATEs take out."""
    found: set[int] = set()
    if master is None:
        return found
    zones = Zones(whole)
    times = _start_of(master, zones)
    for line in master.all("EXDATE"):
        for text in line.value.split(","):
            try:
                moment = parse_moment(text, line.param("TZID"))
            except ICalError:
                continue  # it excludes nothing
            found.add(zones.to_epoch(moment) if times is None else times.like_start(moment, zones))
    return found


def _start_of(master: Component, zones: Zones) -> ComponentTimes | None:
    """When a series begins: an EXDATE in another form than its start is read in that of the start."""
    lines = [item for item in master.items if item.name in ("DTSTART", "DUE")]
    try:
        return read_times(Component(master.name, lines), zones)
    except ICalError:
        return None


def ranges(whole: Component | None, kind: str) -> list[Component]:
    """The overrides of an object that stand for all that follow, too: few, if any."""
    return [] if whole is None else [part for part in whole.children(kind) if series.is_range(part)]


def made(
    whole: Component, kind: str, key: int, *, spans: Sequence[Component] | None = None
) -> Component | None:
    """The instance that the master's rule puts at an instant, as a component of its own.

    From where an override stands for all that follow, it is made of that one (RANGE=THISANDFUTURE).

    Args:
        whole: the object.
        kind: its kind.
        key: the instant.
        spans: its `ranges`, where they are known because many instances are made.

    Returns:
        A new component with RECURRENCE-ID; None when the rule has no such instance.
    """
    master = series.master_of(whole, kind)
    if master is None or not series.recurs(master):
        return None
    alone = Component("VCALENDAR", [*whole.children("VTIMEZONE"), master])
    zones = Zones(alone)
    known = ranges(whole, kind) if spans is None else spans
    alone.items += [part for part in known if texts.recurrence_key(part, zones) != key]
    try:
        for one in occurrences(alone, key - DAY, key + DAY, zones=zones):
            if one.recurrence == key:
                return expand_component(alone, one, zones=zones)
    except ICalError:
        return None  # a rule that cannot be followed has no instances
    return None


def add(whole: Component, component: Component) -> None:
    """Put one more component behind the others of an object, in place."""
    whole.items.append(component)
