"""One table of the registered components: where they stand and what they must hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ComponentRule:
    """What is registered about one component.

    Attributes:
        name: upper-case name.
        parents: the components it may stand in; empty means it may stand anywhere, or alone.
        needed: properties without which a store can do nothing with it.
        demanded: further properties that its definition demands, and that peers leave out.
        holds: components of which at least one must stand in it.
        source: where it is registered.
    """

    name: str
    parents: frozenset[str]
    needed: tuple[str, ...]
    demanded: tuple[str, ...]
    holds: frozenset[str]
    source: str


def _row(
    name: str, parents: str, source: str, *, needed: str = "", demanded: str = "", holds: str = ""
) -> ComponentRule:
    return ComponentRule(
        name,
        frozenset(parents.split()),
        tuple(needed.split()),
        tuple(demanded.split()),
        frozenset(holds.split()),
        source,
    )


_CALENDARS = "VCALENDAR VAGENDA VREPLY"


def _rows() -> Iterator[ComponentRule]:
    yield _row("VCALENDAR", "", "RFC 5545 §3.6", demanded="PRODID VERSION")
    yield _row("VEVENT", _CALENDARS, "RFC 5545 §3.6.1", demanded="DTSTAMP")
    yield _row("VTODO", _CALENDARS, "RFC 5545 §3.6.2", demanded="DTSTAMP")
    yield _row("VJOURNAL", _CALENDARS, "RFC 5545 §3.6.3", demanded="DTSTAMP")
    yield _row("VFREEBUSY", _CALENDARS, "RFC 5545 §3.6.4", demanded="DTSTAMP UID")
    zones = f"{_CALENDARS} VCALSTORE"
    yield _row("VTIMEZONE", zones, "RFC 5545 §3.6.5", needed="TZID", holds="STANDARD DAYLIGHT")
    observance = "DTSTART TZOFFSETFROM TZOFFSETTO"
    yield _row("STANDARD", "VTIMEZONE", "RFC 5545 §3.6.5", needed=observance)
    yield _row("DAYLIGHT", "VTIMEZONE", "RFC 5545 §3.6.5", needed=observance)
    yield _row("VALARM", "VEVENT VTODO VREPLY", "RFC 5545 §3.6.6", needed="TRIGGER", demanded="ACTION")
    yield _row("VAVAILABILITY", _CALENDARS, "RFC 7953 §3.1", demanded="DTSTAMP UID")
    yield _row("AVAILABLE", "VAVAILABILITY VREPLY", "RFC 7953 §3.1", needed="DTSTART", demanded="DTSTAMP UID")
    yield _row("PARTICIPANT", "VEVENT VTODO VJOURNAL VFREEBUSY VREPLY", "RFC 9073 §7.1", demanded="UID")
    places = "VEVENT VTODO VJOURNAL VFREEBUSY PARTICIPANT VALARM VREPLY"
    yield _row("VLOCATION", places, "RFC 9073 §7.2, RFC 9074 §8", demanded="UID")
    yield _row("VRESOURCE", places, "RFC 9073 §7.3", demanded="UID")
    agenda = "ALLOW-CONFLICT CALID CALSCALE DEFAULT-CHARSET DEFAULT-LOCALE DEFAULT-TZID OWNER"
    yield _row("VAGENDA", "VCALENDAR VCALSTORE VREPLY", "RFC 4324 §9.1", demanded=agenda)
    store = (
        "ALLOW-CONFLICT CALSCALE CALMASTER CREATED CSID DEFAULT-CHARSET DEFAULT-LOCALE DEFAULT-VCARS "
        "DEFAULT-TZID LAST-MODIFIED MAXDATE MINDATE"
    )
    yield _row("VCALSTORE", "VCALENDAR VREPLY", "RFC 4324 §9.2", demanded=store)
    containers = "VCALENDAR VAGENDA VCALSTORE VREPLY"
    yield _row("VCAR", containers, "RFC 4324 §9.3", needed="CARID", holds="VRIGHT")
    yield _row("VRIGHT", "VCAR VREPLY", "RFC 4324 §9.4", needed="PERMISSION")
    yield _row("VREPLY", "VCALENDAR", "RFC 4324 §9.5")
    yield _row("VQUERY", containers, "RFC 4324 §9.6")


COMPONENTS: Mapping[str, ComponentRule] = {row.name: row for row in _rows()}
"""All registered components by upper-case name."""
