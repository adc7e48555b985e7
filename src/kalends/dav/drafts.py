"""What PROPPATCH and MKCALENDAR write on: a copy of what is stored, kept only when every instruction fits."""

from __future__ import annotations

from dataclasses import dataclass, field

from kalends.ical.errors import ICalError
from kalends.ical.tree import Component, Line, Param
from kalends.ical.values import escape_text, unescape_text

DEAD = "X-KALENDS-PROPERTY"
"""The line of a VAGENDA that keeps a dead property: TEXT, the element as XML; X-NAME is its name."""
DEAD_NAME = "X-NAME"


@dataclass(slots=True)
class Draft:
    """A resource's properties being changed.

    Attributes:
        kind: the resource's kind.
        held: of a calendar, a copy of its VAGENDA; else None.
        zones: VTIMEZONEs that came along, by TZID.
        dead: dead properties to be set, or removed where None, of a resource without VAGENDA.
    """

    kind: str
    held: Component | None = None
    zones: dict[str, Component] = field(default_factory=dict)
    dead: dict[str, str | None] = field(default_factory=dict)

    @property
    def agenda(self) -> Component:
        """The VAGENDA of a calendar's draft."""
        assert self.held is not None, f"a {self.kind} has no VAGENDA"
        return self.held

    def text(self, name: str, value: str | None, *params: Param) -> None:
        """Set a TEXT property of the VAGENDA, or remove it with None."""
        self.wire(name, None if value is None else escape_text(value), *params)

    def wire(self, name: str, value: str | None, *params: Param) -> None:
        """Set a property of the VAGENDA as it stands on the wire, or remove it with None."""
        held = self.agenda
        found = held.all(name)
        for line in found[1:] if value is not None else found:
            held.remove(line)
        if value is None:
            return
        if found:
            held.replace(found[0], Line.make(name, value, params))
        else:
            place = max((i for i, item in enumerate(held.items) if isinstance(item, Line)), default=-1)
            held.items.insert(place + 1, Line.make(name, value, params))

    def set_dead(self, name: str, xml: str | None) -> None:
        """Set or remove a dead property.

        Raises:
            ICalError: it holds what no content line can.
        """
        if self.held is None:
            self.dead[name] = xml
            return
        for line in self.held.all(DEAD):
            if line.param(DEAD_NAME) == name:
                self.held.remove(line)
        if xml is not None:
            if "\x00" in xml:
                raise ICalError(f"{name}: a value cannot hold NUL")
            place = max((i for i, item in enumerate(self.held.items) if isinstance(item, Line)), default=-1)
            self.held.items.insert(place + 1, Line.make(DEAD, escape_text(xml), ((DEAD_NAME, (name,)),)))


def dead_in(held: Component) -> dict[str, str]:
    """The dead properties that a VAGENDA keeps: XML by name."""
    return {line.param(DEAD_NAME) or "": unescape_text(line.value) for line in held.all(DEAD)}
