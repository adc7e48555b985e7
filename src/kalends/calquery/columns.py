"""What a query may name: components, what they contain, and how each column is compared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from kalends.calquery.tree import Column
from kalends.ical.properties import PROPERTIES

Comparison = Literal["moment", "duration", "trigger", "integer", "boolean", "folded", "text"]
"""How values of a column compare: `trigger` is a duration or an instant, `folded` text without its case."""

TICK: Final = "X-KALENDS-TICK"
"""Our extension: the calendar's counter at the last change of what is asked about (docs/watch.md)."""
CHANGE: Final = "X-KALENDS-CHANGE"
"""Our extension: a FROM that means the log of changes instead of what is stored."""

CONTAINERS: Final = frozenset(("VAGENDA", "VCALSTORE"))
"""Sources whose contents are only selected by `*.*`."""

_IN_CALENDAR = frozenset(
    ("VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY", "VTIMEZONE", "VAVAILABILITY", "VCAR", "VQUERY", "VALARM")
)
_IN_EVENT = frozenset(("VALARM", "PARTICIPANT", "VLOCATION", "VRESOURCE"))
_NOTHING: frozenset[str] = frozenset()

COMPONENTS: Final[Mapping[str, frozenset[str]]] = {
    "VEVENT": _IN_EVENT,
    "VTODO": _IN_EVENT,
    "VJOURNAL": _IN_EVENT - {"VALARM"},
    "VFREEBUSY": _IN_EVENT - {"VALARM"},
    "VALARM": frozenset(("VLOCATION",)),
    "VTIMEZONE": frozenset(("STANDARD", "DAYLIGHT")),
    "STANDARD": _NOTHING,
    "DAYLIGHT": _NOTHING,
    "VAVAILABILITY": frozenset(("AVAILABLE",)),
    "AVAILABLE": _NOTHING,
    "PARTICIPANT": frozenset(("VLOCATION", "VRESOURCE")),
    "VLOCATION": _NOTHING,
    "VRESOURCE": _NOTHING,
    "VCAR": frozenset(("VRIGHT",)),
    "VRIGHT": _NOTHING,
    "VQUERY": _NOTHING,
    "VCALENDAR": _IN_CALENDAR,
    "VAGENDA": _IN_CALENDAR,
    "VCALSTORE": _IN_CALENDAR | {"VAGENDA"},
}
"""The components a query can name and what each may contain (RFC 4324 §6.1.1, RFC 7953, RFC 9073)."""

ALIASES: Final[Mapping[str, str]] = {"ALARM": "VALARM", "VAGEND": "VAGENDA"}
"""Table names that RFC 4324's own examples misspell (A-24, A-31)."""

CONTAINER_COLUMNS: Final = frozenset(
    (
        "ALLOW-CONFLICT",
        "CALID",
        "CALSCALE",
        "CREATED",
        "DEFAULT-CHARSET",
        "DEFAULT-LOCALE",
        "DEFAULT-TZID",
        "LAST-MODIFIED",
        "NAME",
        "OWNER",
        "RELATED-TO",
    )
)
"""The properties of a VAGENDA (RFC 4324 §9.1), which `SELECT VEVENT FROM VAGENDA WHERE …` asks about."""

_TYPES: Final[Mapping[str, Comparison]] = {
    "DATE-TIME": "moment",
    "DATE": "moment",
    "PERIOD": "moment",
    "DURATION": "duration",
    "INTEGER": "integer",
    "BOOLEAN": "boolean",
    "CAL-ADDRESS": "folded",
    "UPN": "folded",
    "UPN-FILTER": "folded",
}
_FOLDED_PROPERTIES = frozenset(
    (
        "ACTION",
        "BUSYTYPE",
        "CALID",
        "CALMASTER",
        "CALSCALE",
        "CAR-LEVEL",
        "CLASS",
        "COMPONENTS",
        "CSID",
        "DEFAULT-CHARSET",
        "DEFAULT-LOCALE",
        "METHOD",
        "PARTICIPANT-TYPE",
        "PERMISSION",
        "PROXIMITY",
        "QUERY-LEVEL",
        "STATUS",
        "TARGET",
        "TRANSP",
    )
)
"""Enumerated values and CALIDs, which compare without regard to case (A-36)."""
_FOLDED_PARAMS = frozenset(
    (
        "CUTYPE",
        "DELEGATED-FROM",
        "DELEGATED-TO",
        "DISPLAY",
        "EMAIL",
        "ENABLE",
        "ENCODING",
        "FBTYPE",
        "FEATURE",
        "FMTTYPE",
        "LANGUAGE",
        "LOCAL",
        "MEMBER",
        "PARTSTAT",
        "RANGE",
        "RELATED",
        "RELTYPE",
        "ROLE",
        "RSVP",
        "SCHEDULE-AGENT",
        "SCHEDULE-FORCE-SEND",
        "SENT-BY",
        "VALUE",
    )
)


def is_component(name: str) -> bool:
    """Whether an upper-case name is a component a query can be FROM."""
    return name in COMPONENTS or name.startswith("X-")


def may_contain(source: str, component: str) -> bool:
    """Whether a component may stand in a FROM component; experimental ones may stand anywhere."""
    if component.startswith("X-"):
        return True
    inside = COMPONENTS.get(source)
    return component in COMPONENTS if inside is None else component in inside


def comparison(column: Column) -> Comparison:
    """How a column's values are compared.

    Args:
        column: a property or a parameter.

    Returns:
        The kind of comparison; unregistered names are text.

    Source: RFC 4324 §6.1.1 (literal-data), A-36.
    """
    if column.param is not None:
        return "folded" if column.param in _FOLDED_PARAMS else "text"
    if column.name == TICK:
        return "integer"
    if column.name == "TRIGGER":
        return "trigger"
    if column.name in _FOLDED_PROPERTIES:
        return "folded"
    rule = PROPERTIES.get(column.name)
    return "text" if rule is None else _TYPES.get(rule.type, "text")
