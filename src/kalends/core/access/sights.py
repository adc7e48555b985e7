"""What somebody sees of what a calendar holds: the one place where things that were found are cut."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from kalends.core.access.circumstances import BOOKED, Standing
from kalends.core.access.sides import Trace
from kalends.core.access.vcar import Judge
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
        if self.judge is None:
            return None
        seen = Seen(self.judge, row, parse(row.ics) if vcalendar is None else vcalendar)
        if seen.whole:
            return Shown(row, row.ics, whole=True)
        left = seen.vcalendar()
        return None if left is None else Shown(row, left.to_bytes(), whole=False)


_ENVELOPE = frozenset(("VERSION", "PRODID", "CALSCALE", "METHOD"))
"""Properties of a VCALENDAR that are nobody's secret (RFC 5545 §3.7)."""
_IDENTITY: Mapping[str, frozenset[str]] = {
    "VCAR": frozenset(("CARID",)),
    "VQUERY": frozenset(("QUERYID",)),
    "VTIMEZONE": frozenset(("TZID",)),
}
_UID = frozenset(("UID", "RECURRENCE-ID"))


class Seen:
    """What somebody sees of one object's components.

    Args:
        judge: who decides.
        row: the object.
        whole: its text, parsed.
        permission: for SEARCH what may be read. For a writing command also that by which it finds what it
            may be done to: MODIFY what may be changed, all of them the identifiers (UID, CARID …).

    Attributes:
        whole: nothing is hidden.
    """

    def __init__(self, judge: Judge, row: ObjectRow, whole: Component, permission: str = "SEARCH") -> None:
        self.row, self.text = row, whole
        self.standing = Standing(row.state, row.method, Zones(whole))
        self._trace: Trace = {}
        self._tops: list[tuple[Component, Component | None]] = []
        for top in whole.components:
            if top.name == "VTIMEZONE" and row.kind != "VTIMEZONE":
                continue
            self._tops.append((top, self._seen(judge, top, permission)))
        self.whole = all(seen is top for top, seen in self._tops)

    def _seen(self, judge: Judge, top: Component, permission: str) -> Component | None:
        trace: Trace = {}
        if permission == "SEARCH":
            seen = judge.visible(top, self.standing, trace=trace)
        else:
            seen = _found(judge, top, self.standing, permission, trace)
        if seen is None:
            return None
        self._trace[id(top)] = seen
        if seen is not top:
            self._trace.update(trace)
        elif top.components:
            self._trace.update((id(part), part) for part in top.walk())
        return seen

    def of(self, component: Component) -> Component | None:
        """What is seen of a component anywhere in the object; None for nothing."""
        if component.name == "VTIMEZONE" and self.row.kind != "VTIMEZONE":
            left = self.vcalendar()
            return component if left is not None and any(one is component for one in left.items) else None
        return self._trace.get(id(component))

    def vcalendar(self) -> Component | None:
        """The VCALENDAR with what is seen, and those VTIMEZONEs that this refers to; None for nothing.

        Others would tell where something hidden happens, and X-WR-CALNAME what it is. Its components
        are the very ones that `of` gives.
        """
        kept = {id(top): seen for top, seen in self._tops if seen is not None}
        if not kept:
            return None
        named = _zones_in(kept.values()) if len(self.text.components) > len(self._tops) else frozenset()
        items: list[Line | Component] = []
        for item in self.text.items:
            if isinstance(item, Line):
                if self.whole or item.name in _ENVELOPE:
                    items.append(item)
            elif id(item) in kept:
                items.append(kept[id(item)])
            elif item.name == "VTIMEZONE" and unescape_text(item.value("TZID") or "") in named:
                items.append(item)
        made = Component(self.text.name, items)
        made.begin, made.end = self.text.begin, self.text.end
        return made


def _zones_in(tops: Iterable[Component]) -> frozenset[str | None]:
    """The TZIDs that components refer to."""
    return frozenset(
        [line.param("TZID") for top in tops for part in top.walk() for line in part.lines if line.params]
    )


def _found(
    judge: Judge, top: Component, standing: Standing, permission: str, trace: Trace
) -> Component | None:
    """What a writing command may go by when it looks for what it may be done to.

    Who may change a value may compare it, for MODIFY asks for the old one; who may delete or move something
    that they must not read, finds it by its identifier alone.
    """
    also = (permission,) if permission == "MODIFY" else ()
    seen = judge.visible(top, standing, also=also, trace=trace)
    if seen is top or not judge.reaches(permission, top, standing):
        return seen
    identity = _IDENTITY.get(top.name, _UID)
    held: Sequence[Line | Component] = () if seen is None else seen.items
    present = {item.name for item in held}
    missing = [item for item in top.lines if item.name in identity and item.name not in present]
    if not missing:
        return seen
    made = Component(top.name, [*missing, *held])
    made.begin, made.end = top.begin, top.end
    return made
