"""What somebody sees of what a calendar holds: the one place where things that were found are cut."""

from __future__ import annotations

from dataclasses import dataclass

from kalends.core.vcar import BOOKED, Judge, Standing
from kalends.ical.tree import Component, Line, parse
from kalends.ical.values import unescape_text
from kalends.ical.zones import Zones
from kalends.store.objects import ObjectRow


@dataclass(frozen=True, slots=True)
class Shown:
    """One object as somebody sees it.

    Attributes:
        row: the object; its text is not for everybody's eyes.
        ics: what they may see of it, as octets of a whole VCALENDAR.
        whole: `ics` are the very octets stored, so that `row.etag` is a strong ETag of them.
    """

    row: ObjectRow
    ics: bytes
    whole: bool

    def vcalendar(self) -> Component:
        """What may be seen, parsed; to be changed freely."""
        return parse(self.ics)


class Sight:
    """What a caller may see in one calendar.

    Args:
        judge: who decides; None where nothing is hidden.
        whole: nothing is hidden; without a judge, False means that all is.

    Attributes:
        whole: every component is seen whole, so that the store's own answer to a WHERE can be trusted;
            otherwise a WHERE has to be matched again over what `of` leaves (no leak through conditions).
    """

    __slots__ = ("judge", "whole")

    def __init__(self, judge: Judge | None, *, whole: bool) -> None:
        self.judge = judge
        self.whole = whole

    def of(
        self,
        component: Component,
        *,
        state: str = "BOOKED",
        method: str | None = None,
        zones: Zones | None = None,
    ) -> Component | None:
        """What the caller may see of a component that stands at the top of its object.

        Args:
            component: a VEVENT, VAGENDA, VCAR …
            state: STATE() of its object.
            method: METHOD of its object.
            zones: where its TZIDs are looked up.

        Returns:
            The very component when all of it may be seen; None when nothing may.

        Source: RFC 4324 §8.33, §10.12.
        """
        if self.whole:
            return component
        if self.judge is None:
            return None
        plain = state == "BOOKED" and method is None and zones is None
        standing = BOOKED if plain else Standing(state, method, zones)
        return self.judge.visible(component, standing)

    def object(self, row: ObjectRow, vcalendar: Component | None = None) -> Shown | None:
        """One object as the caller sees it.

        Args:
            row: the object.
            vcalendar: its text, when it is parsed already.

        Returns:
            The stored octets when all of it may be seen. Else what is left of its components with the
            VTIMEZONEs that this still refers to; None when nothing is left.
        """
        if self.whole:
            return Shown(row, row.ics, whole=True)
        whole = parse(row.ics) if vcalendar is None else vcalendar
        zones = Zones(whole)
        kept: list[Line | Component] = []
        seen = cut = False
        for item in whole.items:
            if isinstance(item, Component) and (item.name != "VTIMEZONE" or row.kind == "VTIMEZONE"):
                left = self.of(item, state=row.state, method=row.method, zones=zones)
                cut = cut or left is not item
                seen = seen or left is not None
                if left is not None:
                    kept.append(left)
            else:
                kept.append(item)
        if not seen:
            return None
        if not cut:
            return Shown(row, row.ics, whole=True)
        return Shown(row, _without_idle_zones(whole, kept, row.kind).to_bytes(), whole=False)


def _without_idle_zones(whole: Component, kept: list[Line | Component], kind: str) -> Component:
    """A VCALENDAR whose VTIMEZONEs are those that the rest refers to: others would tell where it happens."""
    named = {
        line.param("TZID")
        for item in kept
        if isinstance(item, Component) and item.name != "VTIMEZONE"
        for part in item.walk()
        for line in part.lines
        if line.params
    }
    items = [
        item
        for item in kept
        if kind == "VTIMEZONE"
        or not (isinstance(item, Component) and item.name == "VTIMEZONE")
        or unescape_text(item.value("TZID") or "") in named
    ]
    made = Component(whole.name, items)
    made.begin, made.end = whole.begin, whole.end
    return made
