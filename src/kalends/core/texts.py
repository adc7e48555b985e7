"""From a command's VCALENDAR to self-contained object texts, and back to their components."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from kalends.core.defaults import PRODID
from kalends.core.errors import InvalidError
from kalends.ical.errors import ICalError
from kalends.ical.moment import parse_moment
from kalends.ical.tree import Component, Line, parse
from kalends.ical.values import unescape_text
from kalends.ical.zones import Zones, iana_name
from kalends.store.objects import ObjectRow

ID_OF = {
    "VAGENDA": "CALID",
    "VALARM": "SEQUENCE",
    "VAVAILABILITY": "UID",
    "VCAR": "CARID",
    "VEVENT": "UID",
    "VFREEBUSY": "UID",
    "VJOURNAL": "UID",
    "VQUERY": "QUERYID",
    "VTIMEZONE": "TZID",
    "VTODO": "UID",
}
"""The property that names a component of each kind in a reply (RFC 4324 §10.4)."""
UID_KINDS = ("VEVENT", "VTODO", "VJOURNAL", "VAVAILABILITY")
"""Kinds that share one space of UIDs in a calendar (RFC 4324 §2.2; A-64)."""
_OF_COMMAND = frozenset(("CMD", "TARGET"))


@dataclass(slots=True)
class Draft:
    """One object in the making: all components of one identifier.

    Attributes:
        kind: component name.
        uid: the identifier, unescaped.
        id_name: the property that holds it.
        id_value: the identifier as it stands on the wire.
        components: master and overrides, in their written order.
        instances: their RECURRENCE-IDs as written; '' for the master.
    """

    kind: str
    uid: str
    id_name: str
    id_value: str
    components: list[Component] = field(default_factory=list)
    instances: set[str] = field(default_factory=set)


def identifier(component: Component) -> tuple[str, str]:
    """The name and wire value of the property that identifies a component.

    An x-component is named by its UID, or else by the first property that calls itself an id.

    Returns:
        Name and value; the value is '' when the component has none.

    Source: RFC 4324 §10.4 (created-id, x-id).
    """
    name = ID_OF.get(component.name)
    if name is not None:
        return name, component.value(name) or ""
    uid = component.first("UID")
    if uid is not None:
        return "UID", uid.value
    for line in component.lines:
        if line.name.endswith("-ID") and line.name != "RECURRENCE-ID" and line.value.strip():
            return line.name, line.value
    return "X-ID", ""


def drafts(vcalendar: Component) -> list[Draft]:
    """Group the components of a VCALENDAR into objects.

    Args:
        vcalendar: a command's VCALENDAR.

    Returns:
        One draft per object, in order of their first components; one without identifier has uid '', but an
        x-component, for which its CUA may not know that it needs one, gets an X-ID of the store's making.

    Source: RFC 4324 §2.2, §10.4.
    """
    drafts: list[Draft] = []
    found: dict[tuple[str, str], Draft] = {}
    for component in vcalendar.items:
        if isinstance(component, Line):
            continue
        name, wire = identifier(component)
        uid = unescape_text(wire).strip()
        if not uid:
            if component.name in ID_OF:
                drafts.append(Draft(component.name, "", name, wire, [component]))
                continue
            uid = str(uuid.uuid4())
            wire = uid if component.name.startswith("X-") else ""  # others are not made, and have no name
        instance = component.value("RECURRENCE-ID") or ""
        key = (component.name, uid)
        draft = found.get(key)
        if (
            draft is None or instance in draft.instances
        ):  # a twin is an object of its own, to be refused alone
            draft = found[key] = Draft(component.name, uid, name, wire)
            drafts.append(draft)
        draft.instances.add(instance)
        draft.components.append(component)
    return drafts


def header(vcalendar: Component) -> list[Line]:
    """The lines that a command's VCALENDAR shares with each object made of it: all but CMD and TARGET."""
    return [line for line in vcalendar.lines if line.name not in _OF_COMMAND]


def assemble(head: list[Line], zones: list[Component], components: list[Component]) -> Component:
    """Build an object's text.

    Args:
        head: the client's lines of its VCALENDAR; VERSION and PRODID are added when they are missing.
        zones: the VTIMEZONEs the components refer to.
        components: what the object is.

    Returns:
        A VCALENDAR whose lines are the client's own, octet for octet.
    """
    whole = Component("VCALENDAR", [*head, *zones, *components])
    names = {line.name for line in head}
    if "PRODID" not in names:
        whole.items.insert(0, Line.make("PRODID", PRODID))
    if "VERSION" not in names:
        whole.items.insert(0, Line.make("VERSION", "2.0"))
    return whole


def zones_named(components: list[Component]) -> Iterator[str]:
    """The TZIDs that components refer to, each once."""
    seen: set[str] = set()
    for component in components:
        for part in component.walk():
            for line in part.items:
                if isinstance(line, Line) and line.params:
                    tzid = line.param("TZID")
                    if tzid and tzid not in seen:
                        seen.add(tzid)
                        yield tzid


def recurrence_key(component: Component, zones: Zones | None = None) -> int | None:
    """The instant of a component's RECURRENCE-ID; None for a master.

    Args:
        component: a VEVENT, VTODO or VJOURNAL.
        zones: the zones of its object; None for those everybody knows.

    Raises:
        InvalidError: the RECURRENCE-ID is no date.
    """
    line = component.first("RECURRENCE-ID")
    if line is None:
        return None
    try:
        return (zones or Zones()).to_epoch(parse_moment(line.value, line.param("TZID")))
    except ICalError as error:
        raise InvalidError(f"RECURRENCE-ID: {error.reason}") from error


def read(row: ObjectRow, *, light: bool = False) -> tuple[Component, int]:
    """Parse an object's text.

    Args:
        row: the object.
        light: leave out the VTIMEZONEs at its head that everybody knows by their names: half of the lines of
            a common object, and nobody looks at them when reading.

    Returns:
        The VCALENDAR, and how many components were left out before the first that was not.
    """
    if not light or row.kind == "VTIMEZONE":
        return parse(row.ics), 0
    data, skipped = without_known_zones(row.ics)
    return parse(data), skipped


def without_known_zones(data: bytes) -> tuple[bytes, int]:
    """An object's octets without the VTIMEZONEs at its head that everybody knows by their names.

    Returns:
        The octets, and how many components were left out.
    """
    skipped = 0
    while (start := data.find(b"\nBEGIN:")) >= 0 and data.startswith(_ZONE, start):
        end = data.find(_ZONE_END, start)
        named = data.find(_TZID, start, end)
        stop = data.find(b"\r\n", named + 1)
        if end < 0 or named < 0 or not _known(data[named + len(_TZID) : stop]) or data[stop + 2] in b" \t":
            break
        skipped += data.count(b"\nBEGIN:", start, end)
        data = data[:start] + data[end + len(_ZONE_END) - 1 :]
    return data, skipped


_ZONE = b"\nBEGIN:VTIMEZONE\r\n"
_ZONE_END = b"\nEND:VTIMEZONE\r\n"
_TZID = b"\nTZID:"


@lru_cache(maxsize=1024)
def _known(tzid: bytes) -> bool:
    """Whether a TZID means an IANA zone, which then beats what a text defines (A-66)."""
    return tzid.isascii() and iana_name(tzid.decode()) is not None
