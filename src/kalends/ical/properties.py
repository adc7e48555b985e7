"""One table of the registered properties: types, separators, where allowed, how often, parameter defaults.

Everything that must know a property asks this table: `values` for its type, `validate` for where it may stand
and how often, CAL-QUERY for the parameters that count as present although nobody wrote them.
To register a property is to add a row.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

_NONE: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Property:
    """What is registered about one property.

    Attributes:
        name: upper-case name.
        type: value type read when no VALUE parameter says otherwise.
        where: upper-case names of the components that may hold it; empty means any.
        also: the other value types that VALUE may name.
        separator: what stands between several values: "," a list, ";" a structure, "" one value.
        many: may occur several times in one component (see `many_in` and `once_in` for the exceptions).
        many_in: components where it may occur several times although `many` is False.
        once_in: components where it may occur only once although `many` is True.
        defaults: parameters that count as present, with this value, when they are not written.
        declared: the type is no default: a written VALUE parameter is required (RFC 7986 §4).
        source: where it is registered.
    """

    name: str
    type: str
    where: frozenset[str]
    also: frozenset[str] = frozenset()
    separator: str = ""
    many: bool = False
    many_in: frozenset[str] = frozenset()
    once_in: frozenset[str] = frozenset()
    defaults: Mapping[str, str] = field(default_factory=dict)
    declared: bool = False
    source: str = ""

    def allows_many(self, component: str) -> bool:
        """Whether a component of that (upper-case) name may hold this property more than once."""
        return component in self.many_in or (self.many and component not in self.once_in)


_TIMED = "VEVENT VTODO VJOURNAL"
_ALL_TIMED = "VEVENT VTODO VJOURNAL VFREEBUSY"
_AVAILABILITY = "VAVAILABILITY AVAILABLE"
_OBSERVANCE = "STANDARD DAYLIGHT"
_PLACES = "PARTICIPANT VLOCATION VRESOURCE"
_CONTAINERS = "VAGENDA VCALSTORE"
_CAPABILITY = "VREPLY"
_ATTENDEE = {
    "CUTYPE": "INDIVIDUAL",
    "ROLE": "REQ-PARTICIPANT",
    "PARTSTAT": "NEEDS-ACTION",
    "RSVP": "FALSE",
    "SCHEDULE-AGENT": "SERVER",
}
_BINARY = {"ENCODING": "8BIT"}


def _row(
    name: str,
    kind: str,
    where: str,
    source: str,
    *,
    also: str = "",
    separator: str = "",
    many: bool = False,
    many_in: str = "",
    once_in: str = "",
    defaults: Mapping[str, str] = _NONE,
    declared: bool = False,
) -> Property:
    return Property(
        name,
        kind,
        frozenset(where.split()),
        frozenset(also.split()),
        separator,
        many,
        frozenset(many_in.split()),
        frozenset(once_in.split()),
        defaults,
        declared,
        source,
    )


def _icalendar() -> Iterator[Property]:
    """RFC 5545 §3.7 and §3.8, with the places later documents opened."""
    p, rfc = _row, "RFC 5545 §3."
    yield p("CALSCALE", "TEXT", f"VCALENDAR {_CONTAINERS}", rfc + "7.1", separator=",")
    yield p("METHOD", "TEXT", "VCALENDAR", rfc + "7.2")
    yield p("PRODID", "TEXT", "VCALENDAR", rfc + "7.3")
    yield p("VERSION", "TEXT", "VCALENDAR", rfc + "7.4")
    yield p(
        "ATTACH",
        "URI",
        f"{_TIMED} VALARM PARTICIPANT",
        rfc + "8.1.1",
        also="BINARY",
        many=True,
        defaults=_BINARY,
    )
    yield p(
        "CATEGORIES",
        "TEXT",
        f"{_TIMED} VCALENDAR {_AVAILABILITY} PARTICIPANT",
        rfc + "8.1.2",
        separator=",",
        many=True,
    )
    yield p("CLASS", "TEXT", f"{_TIMED} VAVAILABILITY", rfc + "8.1.3")
    yield p(
        "COMMENT",
        "TEXT",
        f"{_ALL_TIMED} {_OBSERVANCE} {_AVAILABILITY} {_PLACES} {_CAPABILITY}",
        rfc + "8.1.4",
        many=True,
    )
    yield p(
        "DESCRIPTION",
        "TEXT",
        f"{_TIMED} VALARM VCALENDAR {_AVAILABILITY} {_PLACES}",
        rfc + "8.1.5",
        many_in="VJOURNAL VCALENDAR",
    )
    yield p("GEO", "FLOAT", "VEVENT VTODO PARTICIPANT VLOCATION VRESOURCE", rfc + "8.1.6", separator=";")
    yield p(
        "LOCATION",
        "TEXT",
        f"VEVENT VTODO {_AVAILABILITY} PARTICIPANT",
        rfc + "8.1.7",
        many_in="PARTICIPANT",
    )
    yield p("PERCENT-COMPLETE", "INTEGER", "VTODO", rfc + "8.1.8")
    yield p("PRIORITY", "INTEGER", "VEVENT VTODO VAVAILABILITY PARTICIPANT", rfc + "8.1.9")
    yield p("RESOURCES", "TEXT", "VEVENT VTODO PARTICIPANT", rfc + "8.1.10", separator=",", many=True)
    yield p("STATUS", "TEXT", f"{_TIMED} PARTICIPANT", rfc + "8.1.11")
    yield p("SUMMARY", "TEXT", f"{_TIMED} VALARM {_AVAILABILITY} PARTICIPANT", rfc + "8.1.12")
    yield p("COMPLETED", "DATE-TIME", "VTODO", rfc + "8.2.1")
    yield p("DTEND", "DATE-TIME", f"VEVENT VFREEBUSY {_AVAILABILITY}", rfc + "8.2.2", also="DATE")
    yield p("DUE", "DATE-TIME", "VTODO", rfc + "8.2.3", also="DATE")
    yield p("DTSTART", "DATE-TIME", f"{_ALL_TIMED} {_OBSERVANCE} {_AVAILABILITY}", rfc + "8.2.4", also="DATE")
    yield p("DURATION", "DURATION", f"VEVENT VTODO VALARM VFREEBUSY {_AVAILABILITY}", rfc + "8.2.5")
    yield p(
        "FREEBUSY",
        "PERIOD",
        "VFREEBUSY",
        rfc + "8.2.6",
        separator=",",
        many=True,
        defaults={"FBTYPE": "BUSY"},
    )
    yield p("TRANSP", "TEXT", "VEVENT", rfc + "8.2.7, RFC 4324 §8.36")
    yield p("TZID", "TEXT", "VTIMEZONE", rfc + "8.3.1")
    yield p("TZNAME", "TEXT", _OBSERVANCE, rfc + "8.3.2", many=True)
    yield p("TZOFFSETFROM", "UTC-OFFSET", _OBSERVANCE, rfc + "8.3.3")
    yield p("TZOFFSETTO", "UTC-OFFSET", _OBSERVANCE, rfc + "8.3.4")
    yield p("TZURL", "URI", "VTIMEZONE", rfc + "8.3.5")
    yield p("ATTENDEE", "CAL-ADDRESS", f"{_ALL_TIMED} VALARM", rfc + "8.4.1", many=True, defaults=_ATTENDEE)
    yield p("CONTACT", "TEXT", f"{_ALL_TIMED} {_AVAILABILITY} PARTICIPANT", rfc + "8.4.2", many=True)
    yield p(
        "ORGANIZER",
        "CAL-ADDRESS",
        f"{_ALL_TIMED} VAVAILABILITY",
        rfc + "8.4.3",
        defaults={"SCHEDULE-AGENT": "SERVER"},
    )
    yield p("RECURRENCE-ID", "DATE-TIME", f"{_TIMED} AVAILABLE", rfc + "8.4.4", also="DATE")
    yield p(
        "RELATED-TO",
        "TEXT",
        "",
        rfc + "8.4.5, RFC 9253 §9.1",
        also="UID URI",
        many=True,
        defaults={"RELTYPE": "PARENT"},
    )
    yield p(
        "URL",
        "URI",
        f"{_ALL_TIMED} VCALENDAR VAVAILABILITY PARTICIPANT VLOCATION",
        rfc + "8.4.6",
    )
    yield p(
        "UID",
        "TEXT",
        f"{_ALL_TIMED} VCALENDAR VALARM {_AVAILABILITY} {_PLACES}",
        rfc + "8.4.7, RFC 7986 §5.3, RFC 9074 §4",
    )
    yield p(
        "EXDATE",
        "DATE-TIME",
        f"{_TIMED} AVAILABLE {_OBSERVANCE}",
        rfc + "8.5.1",
        also="DATE",
        separator=",",
        many=True,
    )
    yield p(
        "RDATE",
        "DATE-TIME",
        f"{_TIMED} {_OBSERVANCE} AVAILABLE",
        rfc + "8.5.2",
        also="DATE PERIOD",
        separator=",",
        many=True,
    )
    yield p("RRULE", "RECUR", f"{_TIMED} {_OBSERVANCE} AVAILABLE", rfc + "8.5.3", many=True)
    yield p("ACTION", "TEXT", "VALARM", rfc + "8.6.1")
    yield p("REPEAT", "INTEGER", "VALARM", rfc + "8.6.2")
    yield p(
        "TRIGGER",
        "DURATION",
        "VALARM",
        rfc + "8.6.3, RFC 4324 §7.2",
        also="DATE-TIME",
        defaults={"RELATED": "START", "ENABLE": "TRUE"},
    )
    yield p("CREATED", "DATE-TIME", f"{_TIMED} {_AVAILABILITY} {_PLACES} {_CONTAINERS}", rfc + "8.7.1")
    yield p("DTSTAMP", "DATE-TIME", f"{_ALL_TIMED} {_AVAILABILITY} PARTICIPANT", rfc + "8.7.2")
    yield p(
        "LAST-MODIFIED",
        "DATE-TIME",
        f"{_TIMED} VCALENDAR VTIMEZONE {_AVAILABILITY} {_PLACES} {_CONTAINERS}",
        rfc + "8.7.3",
    )
    yield p(
        "SEQUENCE",
        "INTEGER",
        f"{_TIMED} VAVAILABILITY VALARM PARTICIPANT",
        rfc + "8.7.4, RFC 4324 §7.5",
        defaults={"LOCAL": "FALSE"},
    )
    yield p("REQUEST-STATUS", "TEXT", "", rfc + "8.8.3", separator=";", many=True)


def _rfc2445() -> Iterator[Property]:
    """Properties RFC 5545 dropped and old peers still write; CAP was written against RFC 2445."""
    yield _row("EXRULE", "RECUR", f"{_TIMED} {_OBSERVANCE}", "RFC 2445 §4.8.5.2", many=True)


def _later() -> Iterator[Property]:
    """RFC 7986, 7953, 7808, 9073, 9074 and 9253."""
    p = _row
    yield p("NAME", "TEXT", "", "RFC 7986 §5.1, RFC 4324 §8.23", many=True)
    yield p("REFRESH-INTERVAL", "DURATION", "VCALENDAR", "RFC 7986 §5.7", declared=True)
    yield p("SOURCE", "URI", "VCALENDAR", "RFC 7986 §5.8", declared=True)
    yield p("COLOR", "TEXT", f"VCALENDAR {_TIMED}", "RFC 7986 §5.9")
    yield p(
        "IMAGE",
        "URI",
        f"VCALENDAR {_TIMED}",
        "RFC 7986 §5.10",
        also="BINARY",
        many=True,
        defaults={"DISPLAY": "BADGE", **_BINARY},
        declared=True,
    )
    yield p("CONFERENCE", "URI", "VEVENT VTODO", "RFC 7986 §5.11", many=True, declared=True)
    yield p("BUSYTYPE", "TEXT", "VAVAILABILITY", "RFC 7953 §3.2")
    yield p("TZUNTIL", "DATE-TIME", "VTIMEZONE", "RFC 7808 §7.1")
    yield p("TZID-ALIAS-OF", "TEXT", "VTIMEZONE", "RFC 7808 §7.2", many=True)
    yield p("LOCATION-TYPE", "TEXT", "VLOCATION", "RFC 9073 §6.1", separator=",")
    yield p("PARTICIPANT-TYPE", "TEXT", "PARTICIPANT", "RFC 9073 §6.2")
    yield p("RESOURCE-TYPE", "TEXT", "VRESOURCE", "RFC 9073 §6.3")
    yield p("CALENDAR-ADDRESS", "CAL-ADDRESS", "PARTICIPANT", "RFC 9073 §6.4")
    yield p(
        "STYLED-DESCRIPTION",
        "TEXT",
        "",
        "RFC 9073 §6.5",
        also="URI",
        many=True,
        defaults={"DERIVED": "FALSE"},
        declared=True,
    )
    yield p(
        "STRUCTURED-DATA",
        "TEXT",
        "",
        "RFC 9073 §6.6",
        also="BINARY URI",
        many=True,
        defaults=_BINARY,
        declared=True,
    )
    yield p("ACKNOWLEDGED", "DATE-TIME", "VALARM", "RFC 9074 §6.1")
    yield p("PROXIMITY", "TEXT", "VALARM", "RFC 9074 §8.1")
    yield p("CONCEPT", "URI", "", "RFC 9253 §8.1", many=True, declared=True)
    yield p("LINK", "URI", "", "RFC 9253 §8.2", also="UID XML-REFERENCE", many=True, declared=True)
    yield p("REFID", "TEXT", "", "RFC 9253 §8.3", many=True)


def _cap() -> Iterator[Property]:
    """RFC 4324 §8 and §10.1. Sizes are registered there as TEXT but defined as digits: read as INTEGER."""
    p, rfc = _row, "RFC 4324 §8."
    yield p("CMD", "TEXT", "", "RFC 4324 §10.1", defaults={"LATENCY": "0"})
    yield p("ALLOW-CONFLICT", "BOOLEAN", _CONTAINERS, rfc + "1")
    yield p("ATT-COUNTER", "CAL-ADDRESS", "VCALENDAR " + _TIMED, rfc + "2")
    yield p("CALID", "URI", "VAGENDA", rfc + "3")
    yield p("CALMASTER", "URI", "VCALSTORE", rfc + "4")
    yield p("CAP-VERSION", "TEXT", _CAPABILITY, rfc + "5", separator=",")
    yield p("CARID", "TEXT", "VCAR", rfc + "6")
    yield p("CAR-LEVEL", "TEXT", _CAPABILITY, rfc + "7")
    yield p("COMPONENTS", "TEXT", _CAPABILITY, rfc + "8", separator=",")
    yield p("CSID", "URI", "VCALSTORE", rfc + "9")
    yield p("DECREED", "BOOLEAN", "VCAR", rfc + "10")
    yield p("DEFAULT-CHARSET", "TEXT", _CONTAINERS, rfc + "11", separator=",")
    yield p("DEFAULT-LOCALE", "TEXT", _CONTAINERS, rfc + "12", separator=",")
    yield p("DEFAULT-TZID", "TEXT", _CONTAINERS, rfc + "13", separator=",")
    yield p("DEFAULT-VCARS", "TEXT", "VCALSTORE", rfc + "14", separator=",")
    yield p("DENY", "UPN-FILTER", "VRIGHT", rfc + "15", many=True)
    yield p("EXPAND", "BOOLEAN", "VQUERY", rfc + "16")
    yield p("GRANT", "UPN-FILTER", "VRIGHT", rfc + "17", many=True)
    yield p("ITIP-VERSION", "TEXT", _CAPABILITY, rfc + "18", separator=",")
    yield p("MAX-COMP-SIZE", "INTEGER", _CAPABILITY, rfc + "19")
    yield p("MAXDATE", "DATE-TIME", f"VCALSTORE {_CAPABILITY}", rfc + "20")
    yield p("MINDATE", "DATE-TIME", f"VCALSTORE {_CAPABILITY}", rfc + "21")
    yield p("MULTIPART", "TEXT", _CAPABILITY, rfc + "22", separator=",")
    yield p("OWNER", "UPN", "", rfc + "24", many=True)
    yield p("PERMISSION", "TEXT", "VRIGHT", rfc + "25", many=True)
    yield p("QUERY", "CAL-QUERY", "VQUERY", rfc + "26", many=True)
    yield p("QUERYID", "TEXT", "VQUERY", rfc + "27")
    yield p("QUERY-LEVEL", "TEXT", _CAPABILITY, rfc + "28")
    yield p("RECUR-ACCEPTED", "BOOLEAN", _CAPABILITY, rfc + "29")
    yield p("RECUR-LIMIT", "INTEGER", _CAPABILITY, rfc + "30")
    yield p("RECUR-EXPAND", "BOOLEAN", _CAPABILITY, rfc + "31")
    yield p("RESTRICTION", "CAL-QUERY", "VRIGHT", rfc + "32", many=True)
    yield p("SCOPE", "CAL-QUERY", "VRIGHT", rfc + "33", many=True)
    yield p("STORES-EXPANDED", "BOOLEAN", _CAPABILITY, rfc + "34")
    yield p("TARGET", "URI", "", rfc + "35", many=True)


PROPERTIES: Mapping[str, Property] = {
    row.name: row for table in (_icalendar(), _rfc2445(), _later(), _cap()) for row in table
}
"""All registered properties by upper-case name."""

UNKNOWN = _row("", "TEXT", "", "RFC 5545 §3.8.8", many=True)
"""What holds for every property that is not registered: one TEXT value, anywhere, any number of times."""


def find(name: str) -> Property:
    """The row of a property; `UNKNOWN` for a name that is not registered.

    Args:
        name: upper-case property name.
    """
    return PROPERTIES.get(name, UNKNOWN)


def param_default(prop: str, param: str) -> str | None:
    """The value a parameter has when it is not written.

    Args:
        prop: upper-case property name.
        param: upper-case parameter name.

    Returns:
        The default, or None when the parameter has none on this property.

    Source: RFC 5545 §3.2; RFC 4324 §6.1.1.3, §7.
    """
    rule = PROPERTIES.get(prop, UNKNOWN)
    if param == "VALUE":
        return None if rule.declared or rule is UNKNOWN else rule.type
    return rule.defaults.get(param)


def param_defaults(prop: str) -> Mapping[str, str]:
    """All parameters with a default on that (upper-case) property; VALUE left out, it is about form only."""
    return PROPERTIES.get(prop, UNKNOWN).defaults
