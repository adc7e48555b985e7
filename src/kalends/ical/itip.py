"""What a scheduling message must and must not hold, by method (RFC 5546 §3.2 to §3.5), as one table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from kalends.ical.problem import Finding, Problem, locate
from kalends.ical.tree import Component

METHODS = frozenset(("PUBLISH", "REQUEST", "REPLY", "ADD", "CANCEL", "REFRESH", "COUNTER", "DECLINECOUNTER"))
"""All methods (RFC 5546 §1.4)."""


@dataclass(frozen=True, slots=True)
class Restriction:
    """One restriction table of RFC 5546.

    Attributes:
        once: properties that must stand exactly once.
        some: properties that must stand at least once.
        never: properties and nested components that must not stand.
        single: only one component of the kind may stand in the message.
        section: of RFC 5546.
    """

    once: frozenset[str]
    some: frozenset[str]
    never: frozenset[str]
    single: bool
    section: str


FORGIVEN_MISSING = frozenset(("SUMMARY", "PRIORITY", "DESCRIPTION", "SEQUENCE", "DTSTAMP"))
"""Demanded by the tables, but left out by peers in daily use, and missing them misleads nobody: SUMMARY "can
be null", PRIORITY and SEQUENCE have the default 0. Refused in strict mode only."""
FORGIVEN_PRESENT = frozenset(("ATTENDEE", "VALARM", "REQUEST-STATUS", "SEQUENCE"))
"""Forbidden by some tables, but harmless: published events carry their guests, cancellations their alarms."""

_BASE = "DTSTAMP ORGANIZER UID"
_NO_SERIES = "EXDATE RECURRENCE-ID REQUEST-STATUS RDATE RRULE"
_DETAILS = (
    "ATTACH CATEGORIES CLASS CONTACT CREATED DESCRIPTION DTSTART DURATION EXDATE GEO LAST-MODIFIED LOCATION "
    "PRIORITY RDATE RELATED-TO REQUEST-STATUS RESOURCES RRULE SEQUENCE STATUS URL VALARM"
)


def _table(section: str, once: str, some: str = "", never: str = "", *, single: bool = False) -> Restriction:
    return Restriction(
        frozenset(once.split()), frozenset(some.split()), frozenset(never.split()), single, section
    )


RESTRICTIONS: Mapping[tuple[str, str], Restriction] = {
    ("VEVENT", "PUBLISH"): _table("3.2.1", f"{_BASE} DTSTART SUMMARY", "", "ATTENDEE REQUEST-STATUS"),
    ("VEVENT", "REQUEST"): _table("3.2.2", f"{_BASE} DTSTART SUMMARY", "ATTENDEE", "REQUEST-STATUS"),
    ("VEVENT", "REPLY"): _table("3.2.3", f"{_BASE} ATTENDEE", "", "VALARM"),
    ("VEVENT", "ADD"): _table("3.2.4", f"{_BASE} DTSTART SEQUENCE SUMMARY", "", _NO_SERIES, single=True),
    ("VEVENT", "CANCEL"): _table("3.2.5", f"{_BASE} SEQUENCE", "", "REQUEST-STATUS VALARM"),
    ("VEVENT", "REFRESH"): _table(
        "3.2.6", f"{_BASE} ATTENDEE", "", f"{_DETAILS} DTEND SUMMARY TRANSP", single=True
    ),
    ("VEVENT", "COUNTER"): _table("3.2.7", f"{_BASE} DTSTART SEQUENCE SUMMARY", single=True),
    ("VEVENT", "DECLINECOUNTER"): _table("3.2.8", f"{_BASE} SEQUENCE", "ATTENDEE", "VALARM"),
    ("VFREEBUSY", "PUBLISH"): _table(
        "3.3.1", f"{_BASE} DTSTART DTEND", "", "ATTENDEE DURATION REQUEST-STATUS VALARM"
    ),
    ("VFREEBUSY", "REQUEST"): _table(
        "3.3.2",
        f"{_BASE} DTSTART DTEND",
        "ATTENDEE",
        "FREEBUSY DURATION REQUEST-STATUS URL VALARM",
        single=True,
    ),
    ("VFREEBUSY", "REPLY"): _table(
        "3.3.3", f"{_BASE} ATTENDEE DTSTART DTEND", "", "DURATION SEQUENCE VALARM", single=True
    ),
    ("VTODO", "PUBLISH"): _table("3.4.1", f"{_BASE} DTSTART PRIORITY SUMMARY", "", "ATTENDEE REQUEST-STATUS"),
    ("VTODO", "REQUEST"): _table("3.4.2", f"{_BASE} DTSTART PRIORITY SUMMARY", "ATTENDEE", "REQUEST-STATUS"),
    ("VTODO", "REPLY"): _table("3.4.3", f"{_BASE} ATTENDEE", "", "VALARM"),
    ("VTODO", "ADD"): _table("3.4.4", f"{_BASE} PRIORITY SEQUENCE SUMMARY", "", _NO_SERIES, single=True),
    ("VTODO", "CANCEL"): _table("3.4.5", f"{_BASE} SEQUENCE", "", "REQUEST-STATUS VALARM"),
    ("VTODO", "REFRESH"): _table(
        "3.4.6",
        "DTSTAMP UID ATTENDEE",
        "",
        f"{_DETAILS} COMMENT COMPLETED DUE ORGANIZER PERCENT-COMPLETE",
        single=True,
    ),
    ("VTODO", "COUNTER"): _table("3.4.7", f"{_BASE} PRIORITY SUMMARY", "ATTENDEE", single=True),
    ("VTODO", "DECLINECOUNTER"): _table("3.4.8", f"{_BASE} SEQUENCE", "ATTENDEE", "VALARM", single=True),
    ("VJOURNAL", "PUBLISH"): _table("3.5.1", f"{_BASE} DTSTART DESCRIPTION", "", "ATTENDEE REQUEST-STATUS"),
    ("VJOURNAL", "ADD"): _table(
        "3.5.2", f"{_BASE} DTSTART DESCRIPTION SEQUENCE", "", f"ATTENDEE {_NO_SERIES}", single=True
    ),
    ("VJOURNAL", "CANCEL"): _table("3.5.3", f"{_BASE} SEQUENCE", "", "ATTENDEE REQUEST-STATUS VALARM"),
}
"""By component and method; a pair that is missing does not exist."""

_KINDS = frozenset(kind for kind, _ in RESTRICTIONS)
_OF_ONE_UID = METHODS - {"PUBLISH"}
"""Methods that are about one object: a PUBLISH may hold many."""
_NOT_CANCELLED = frozenset(
    (kind, method) for kind in ("VEVENT", "VTODO") for method in ("REQUEST", "ADD", "DECLINECOUNTER")
)
"""Messages whose STATUS cannot be CANCELLED."""


def message_problems(vcalendar: Component, *, strict: bool = False) -> list[Problem]:
    """Check what holds over the components of a message: one kind, one UID, how many there may be.

    Args:
        vcalendar: the whole message; one without METHOD has nothing to check.
        strict: hold to the tables to the letter. Otherwise there may be objects of several UIDs, as in the
            example of RFC 4324 §10.4: each is a message of its own.

    Returns:
        What is wrong, in written order.

    Source: RFC 5546 §3.2 to §3.5 (`All components MUST have the same UID`; `VTODO | 0` and its like).
    """
    written = vcalendar.value("METHOD")
    if written is None:
        return []
    method = written.strip().upper()
    if method not in METHODS:
        return [*locate(vcalendar, [Finding(vcalendar, None, f"no such METHOD: {written[:40]}")])]
    return locate(vcalendar, list(_over_components(vcalendar, method, strict=strict)))


def _over_components(vcalendar: Component, method: str, *, strict: bool) -> Iterable[Finding]:
    found = [part for part in vcalendar.components if part.name in _KINDS]
    for part in found[1:]:
        if part.name != found[0].name:
            yield Finding(part, None, f"METHOD:{method} over components of different kinds")
        elif strict and method in _OF_ONE_UID and part.value("UID") != found[0].value("UID"):
            yield Finding(part, part.first("UID"), f"METHOD:{method} is about one UID only")
    table = RESTRICTIONS.get((found[0].name, method)) if found else None
    same = [part for part in found if strict or part.value("UID") == found[0].value("UID")]
    if table is not None and table.single and len(same) > 1:
        yield Finding(same[1], None, f"METHOD:{method} allows one {found[0].name} only")
    if strict and found and found[0].name == "VFREEBUSY" and vcalendar.children("VTIMEZONE"):
        yield Finding(
            vcalendar.children("VTIMEZONE")[0], None, "no VTIMEZONE stands beside a VFREEBUSY with METHOD"
        )


def problems(vcalendar: Component, *, strict: bool = False) -> list[Problem]:
    """Check a VCALENDAR with METHOD against the restriction tables.

    Args:
        vcalendar: the message; one without METHOD has nothing to check.
        strict: hold to the tables to the letter; otherwise what peers commonly leave out or add without
            harm is forgiven (`FORGIVEN_MISSING`, `FORGIVEN_PRESENT`).

    Returns:
        What is wrong, in written order; empty when the message may be processed.

    Source: RFC 5546 §3.2 to §3.5; RFC 4324 §10.4.
    """
    written = vcalendar.value("METHOD")
    if written is None:
        return []
    method = written.strip().upper()
    if method not in METHODS:
        return [*locate(vcalendar, [Finding(vcalendar, None, f"no such METHOD: {written[:40]}")])]
    parts = [part for part in vcalendar.components if part.name in _KINDS]
    findings = list(_over_components(vcalendar, method, strict=strict))
    if not parts:
        findings.append(Finding(vcalendar, None, f"METHOD:{method} without a component to act on"))
    for part in parts:
        restriction = RESTRICTIONS.get((part.name, method))
        if restriction is None:
            findings.append(Finding(part, None, f"no METHOD:{method} exists for {part.name}"))
            continue
        findings.extend(_against(part, restriction, strict=strict))
        findings.extend(_values(part, method, strict=strict))
    return locate(vcalendar, findings)


def _values(part: Component, method: str, *, strict: bool) -> Iterable[Finding]:
    """What the tables say of values: SEQUENCE of what is added, STATUS of what is asked and called off."""
    sequence = part.first("SEQUENCE")
    if method == "ADD" and (sequence is None or sequence.value.strip().strip("0+") == ""):
        yield Finding(part, sequence, "SEQUENCE of METHOD:ADD must be greater than 0 (RFC 5546 §3.2.4)")
    status = part.first("STATUS")
    said = "" if status is None or not strict else status.value.strip().upper()
    if said == "CANCELLED" and (part.name, method) in _NOT_CANCELLED:
        yield Finding(part, status, f"STATUS cannot be CANCELLED in METHOD:{method}")
    elif said and said != "CANCELLED" and method == "CANCEL":
        yield Finding(part, status, "STATUS can only be CANCELLED in METHOD:CANCEL")


def _against(part: Component, table: Restriction, *, strict: bool) -> Iterable[Finding]:
    rule = f"(RFC 5546 §{table.section})"
    counts: dict[str, int] = {}
    for item in part.items:
        counts[item.name] = counts.get(item.name, 0) + 1
    for name in sorted(table.once):
        count = counts.get(name, 0)
        if count > 1 or (count == 0 and (strict or name not in FORGIVEN_MISSING)):
            yield Finding(part, part.first(name), f"{name} must stand exactly once, not {count} times {rule}")
    for name in sorted(table.some):
        if name not in counts:
            yield Finding(part, None, f"{name} is missing {rule}")
    for name in sorted(table.never):
        if name in counts and (strict or name not in FORGIVEN_PRESENT):
            yield Finding(part, part.first(name), f"{name} must not stand here {rule}")
