"""What PROPPATCH and MKCALENDAR write on: a copy of what is stored, kept only when every instruction fits."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from kalends.dav import xmlread
from kalends.dav.errors import DavError
from kalends.ical.errors import ICalError
from kalends.ical.param_text import Param
from kalends.ical.tree import Component, Line
from kalends.ical.values import escape_text, unescape_text
from kalends.store.base import Tx

DEAD = "X-KALENDS-PROPERTY"
"""The line of a VAGENDA that keeps a dead property: TEXT, the element as XML; X-NAME is its name."""
DEAD_NAME = "X-NAME"
LANG = "{http://www.w3.org/XML/1998/namespace}lang"
"""The attribute xml:lang."""
_LANGUAGE = re.compile(r"[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8}){0,8}\Z")
MAX_DEAD = 100
"""Dead properties of one resource."""
MAX_VALUE = 100_000
"""Characters of one dead property, markup included."""


@dataclass(slots=True)
class Draft:
    """A resource's properties being changed.

    Attributes:
        kind: the resource's kind.
        held: of a calendar, a copy of its VAGENDA; else None.
        zones: VTIMEZONEs that came along, by TZID.
        dead: the dead properties of a resource without VAGENDA: XML by name.
        after: what is to be done besides, in the transaction that keeps the draft.
        made: whether the resource is being made: then more may be set than later.
    """

    kind: str
    held: Component | None = None
    zones: dict[str, Component] = field(default_factory=dict)
    dead: dict[str, str] = field(default_factory=dict)
    after: list[Callable[[Tx], None]] = field(default_factory=list)
    made: bool = False

    @property
    def agenda(self) -> Component:
        """The VAGENDA of a calendar's draft."""
        assert self.held is not None, f"a {self.kind} has no VAGENDA"
        return self.held

    def text(self, name: str, value: str | None, *params: Param) -> None:
        """Set a TEXT property of the VAGENDA, or remove it with None."""
        self.wire(name, None if value is None else escape_text(value), *params)

    def wire(self, name: str, value: str | None, *params: Param) -> None:
        """Set a property of the VAGENDA as it stands on the wire, or remove it with None.

        Raises:
            DavError: 409; no content line can hold it.
        """
        held = self.agenda
        found = held.all(name)
        if value is None:
            for line in found:
                held.remove(line)
            return
        made = line_of(name, value, params)
        for line in found[1:]:
            held.remove(line)
        if found:
            held.replace(found[0], made)
        else:
            held.items.insert(after_lines(held), made)

    def set_dead(self, name: str, xml: str | None) -> None:
        """Set a dead property, or remove it with None.

        Raises:
            DavError: 507 for too many or too long ones; 409 for what cannot be kept.
        """
        if xml is not None and (len(xml) > MAX_VALUE or len(name) > xmlread.MAX_NAME):
            raise DavError(507, None, f"A property has at most {MAX_VALUE} characters.")
        held = self.dead if self.held is None else dead_in(self.held)
        if xml is not None and name not in held and len(held) >= MAX_DEAD:
            raise DavError(507, None, f"A resource has at most {MAX_DEAD} properties of its own.")
        if self.held is None:
            self.dead.pop(name, None)
            if xml is not None:
                self.dead[name] = xml
            return
        made = None if xml is None else line_of(DEAD, escape_text(xml), ((DEAD_NAME, (name,)),))
        for line in self.held.all(DEAD):
            if line.param(DEAD_NAME) == name:
                self.held.remove(line)
        if made is not None:
            self.held.items.insert(after_lines(self.held), made)


def line_of(name: str, value: str, params: tuple[Param, ...]) -> Line:
    """A line of a VAGENDA as it stands on the wire.

    Raises:
        DavError: 409; no content line can hold it.
    """
    try:
        return Line.make(name, value, params)
    except ICalError as error:
        raise DavError(409, None, f"{error}.") from error


def language_params(element: xmlread.Element) -> tuple[Param, ...]:
    """The LANGUAGE that an element's xml:lang says; nothing where it says none.

    Raises:
        DavError: 409 for what is no language tag.

    Source: RFC 4918 §4.3; RFC 5545 §3.2.10.
    """
    given = (element.attributes.get(LANG) or "").strip()
    if not given:
        return ()
    if not _LANGUAGE.match(given):
        raise DavError(409, None, "xml:lang is a language tag such as fr-CA.")
    return (("LANGUAGE", (given,)),)


def language_of(line: Line) -> str | None:
    """The language tag that a line's LANGUAGE says, for xml:lang; None where it says none."""
    given = (line.param("LANGUAGE") or "").replace("_", "-")  # RFC 4324 writes en_US
    return given if _LANGUAGE.match(given) else None


def after_lines(held: Component) -> int:
    """The place behind the last line of a component."""
    return max((i for i, item in enumerate(held.items) if isinstance(item, Line)), default=-1) + 1


def dead_in(held: Component) -> dict[str, str]:
    """The dead properties that a VAGENDA keeps: XML by name."""
    return {line.param(DEAD_NAME) or "": unescape_text(line.value) for line in held.all(DEAD)}
