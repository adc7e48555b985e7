"""The rules of single components, one function each; `CHECKS` says which component they hold for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from kalends.ical.errors import ICalError
from kalends.ical.folds import unfold
from kalends.ical.moment import DAY, Moment, parse_duration, parse_moment
from kalends.ical.problem import Finding
from kalends.ical.recur import Rule, bind
from kalends.ical.tree import Component, Line
from kalends.ical.values import values
from kalends.ical.vtimezone import read_vtimezone
from kalends.ical.zones import Zones, iana_name

WIDEST_ZONES = 26 * 3600
"""Seconds between the same wall time in the easternmost and the westernmost zone (UTC+14, UTC-12)."""
MAX_PROBLEMS = 100
"""Problems noted of one object: nobody reads more, and looking for them costs time."""
_IDENTIFIED = frozenset(("VEVENT", "VTODO", "VJOURNAL"))
_OBJECTS = _IDENTIFIED | {"VFREEBUSY", "VAVAILABILITY"}


@dataclass(frozen=True, slots=True)
class Scope:
    """What a check knows besides its component.

    Attributes:
        root: the root component.
        strict: hold to the letter.
        need_uid: UID is needed.
        zones: what TZIDs mean.
        findings: where problems are put.
        clean: the whole text is known to hold no control character.
    """

    root: Component
    strict: bool
    need_uid: bool
    zones: Zones
    findings: list[Finding]
    clean: bool = False

    def report(self, component: Component, line: Line | None, reason: str) -> None:
        """Note a problem, up to `MAX_PROBLEMS`; without a line it points at the component's BEGIN."""
        if not self.full:
            self.findings.append(Finding(component, line, reason))

    @property
    def full(self) -> bool:
        """Whether enough was found to stop looking."""
        return len(self.findings) >= MAX_PROBLEMS

    @staticmethod
    def unfolded(line: Line) -> str:
        """The content line without folds."""
        return unfold(line.raw)


Counts = dict[str, int]
Check = Callable[[Component, Counts, Scope], None]


def _moment(line: Line | None) -> Moment | None:
    """The time of a line; None when there is none or it cannot be read, which is reported elsewhere."""
    if line is None:
        return None
    try:
        return parse_moment(line.value, line.param("TZID"), line.param("VALUE"))
    except ICalError:
        return None


def _gap(start: Moment, end: Moment, zones: Zones) -> int:
    """Seconds from start to end; 0 when different zones leave the order open."""
    gap = end.wall - start.wall
    if (start.tzid, start.utc) == (end.tzid, end.utc):
        return gap
    if not zones.is_floating(start) and not zones.is_floating(end):
        return zones.to_epoch(end) - zones.to_epoch(start)
    return gap if abs(gap) > WIDEST_ZONES else 0


def identified(component: Component, counts: Counts, scope: Scope) -> None:
    """UID is there and not empty (RFC 5545 §3.8.4.7)."""
    if "UID" in counts:
        line = component.first("UID")
        if line is not None and not line.value.strip():
            scope.report(component, line, "UID is empty")
    elif scope.need_uid:
        scope.report(component, None, f"{component.name} needs UID (RFC 5545 §3.8.4.7)")


def starts(component: Component, counts: Counts, scope: Scope) -> None:
    """DTSTART is there where something depends on it (RFC 5545 §3.6.1, §3.8.5.3)."""
    if "DTSTART" in counts:
        return
    if component.name == "VEVENT" and scope.root.first("METHOD") is None and scope.root.first("CMD") is None:
        scope.report(component, None, "VEVENT needs DTSTART when there is no METHOD (RFC 5545 §3.6.1)")
    if "RRULE" in counts or "RDATE" in counts:
        line = component.first("RRULE") or component.first("RDATE")
        scope.report(component, line, "a recurrence needs DTSTART (RFC 5545 §3.8.5.3)")


def ends(component: Component, counts: Counts, scope: Scope) -> None:
    """DTEND (DUE) and DURATION exclude each other, and no end lies before DTSTART (RFC 5545 §3.8.2)."""
    name = "DUE" if component.name == "VTODO" else "DTEND"
    end_line = component.first(name)
    if "DURATION" in counts and component.name != "VFREEBUSY":
        _check_duration(component, counts, scope, name)
    start, end = _moment(component.first("DTSTART")), _moment(end_line)
    if start is None or end is None:
        return
    if start.is_date != end.is_date and (name == "DTEND" or scope.strict):
        kind = "DATE" if start.is_date else "DATE-TIME"
        scope.report(component, end_line, f"{name} must be a {kind} as DTSTART is (RFC 5545 §3.8.2)")
        return
    gap = _gap(start, end, scope.zones)
    if gap < 0:
        scope.report(component, end_line, f"{name} lies before DTSTART (RFC 5545 §3.8.2)")
    elif scope.strict and end_line is not None and end.wall == start.wall and end.tzid == start.tzid:
        scope.report(component, end_line, f"{name} must be later than DTSTART (RFC 5545 §3.8.2)")


def _check_duration(component: Component, counts: Counts, scope: Scope, end_name: str) -> None:
    line = component.first("DURATION")
    assert line is not None
    if end_name in counts:
        scope.report(component, line, f"DURATION and {end_name} exclude each other (RFC 5545 §3.6)")
    try:
        duration = parse_duration(line.value)
    except ICalError:
        return
    if duration.total < 0:
        scope.report(component, line, "DURATION is negative (RFC 5545 §3.8.2.5)")
    if component.name == "VTODO" and "DTSTART" not in counts and scope.strict:
        scope.report(component, line, "DURATION needs DTSTART (RFC 5545 §3.6.2)")
    start = _moment(component.first("DTSTART"))
    if scope.strict and start is not None and start.is_date and duration.seconds % DAY:
        scope.report(component, line, "DURATION of whole days is needed where DTSTART is a DATE (§3.8.2.5)")


def recurs(component: Component, counts: Counts, scope: Scope) -> None:
    """UNTIL is of DTSTART's form (RFC 5545 §3.3.10), and RSCALE knows DTSTART's year (RFC 7529)."""
    if "RRULE" not in counts:
        return
    for line in component.all("RRULE"):
        if not scope.strict and "RSCALE" not in line.value.upper():
            continue
        start = _moment(component.first("DTSTART"))
        try:
            rule = Rule.parse(line.value)
        except ICalError:
            continue
        try:
            if rule.scale and start is not None:
                bind(rule, start.wall, start.is_date)
        except ICalError as error:
            scope.report(component, line, error.reason)
        until = rule.until if scope.strict else None
        if start is not None and until is not None and not _goes_with(until, start):
            scope.report(component, line, "UNTIL must be of the form DTSTART has (RFC 5545 §3.3.10)")


def _goes_with(until: Moment, start: Moment) -> bool:
    """Whether UNTIL is of the form that DTSTART asks for: a date, a local time where it floats, else UTC."""
    return until.is_date == start.is_date and (until.is_date or until.utc != start.floating)


def numbers(component: Component, counts: Counts, scope: Scope) -> None:
    """PRIORITY 0 to 9, PERCENT-COMPLETE 0 to 100, SEQUENCE not negative (RFC 5545 §3.8.1.8, §3.8.1.9)."""
    for name, highest in (("PRIORITY", 9), ("PERCENT-COMPLETE", 100), ("SEQUENCE", None)):
        line = component.first(name) if name in counts else None
        if line is None or not (scope.strict or name == "SEQUENCE"):
            continue
        number = values(line, lenient=True)[0].number
        if number is not None and (number < 0 or (highest is not None and number > highest)):
            scope.report(component, line, f"{name} is out of range: {number}")


STATUSES: Mapping[str, frozenset[str]] = {
    "VEVENT": frozenset(("TENTATIVE", "CONFIRMED", "CANCELLED")),
    "VTODO": frozenset(("NEEDS-ACTION", "COMPLETED", "IN-PROCESS", "CANCELLED")),
    "VJOURNAL": frozenset(("DRAFT", "FINAL", "CANCELLED")),
}
TRANSPARENCIES = frozenset(("OPAQUE", "TRANSPARENT", "TRANSPARENT-NOCONFLICT", "OPAQUE-NOCONFLICT"))


def words(component: Component, counts: Counts, scope: Scope) -> None:
    """STATUS and TRANSP are of the closed sets (RFC 5545 §3.8.1.11; RFC 4324 §8.36)."""
    if not scope.strict:
        return
    for name, allowed in (("STATUS", STATUSES[component.name]), ("TRANSP", TRANSPARENCIES)):
        line = component.first(name) if name in counts else None
        if line is not None and line.value.upper() not in allowed:
            scope.report(component, line, f"{name} is none of {', '.join(sorted(allowed))}")


def alarm(component: Component, counts: Counts, scope: Scope) -> None:
    """DURATION and REPEAT come together, ACTIONs have their needs, ENABLE and LOCAL are of two words.

    Source: RFC 5545 §3.6.6; RFC 4324 §7.2, §7.5.
    """
    for name, param in (("TRIGGER", "ENABLE"), ("SEQUENCE", "LOCAL")):
        line = component.first(name) if name in counts else None
        said = None if line is None else line.param(param)
        if said is not None and said.strip().upper() not in ("TRUE", "FALSE"):
            scope.report(component, line, f"{param} of {name} is TRUE or FALSE (RFC 4324 §7)")
    if not scope.strict:
        return
    if ("DURATION" in counts) != ("REPEAT" in counts):
        scope.report(component, None, "DURATION and REPEAT of an alarm come together (RFC 5545 §3.6.6)")
    needs = {"DISPLAY": ("DESCRIPTION",), "EMAIL": ("DESCRIPTION", "SUMMARY", "ATTENDEE")}
    for name in needs.get((component.value("ACTION") or "").upper(), ()):
        if name not in counts:
            scope.report(component, None, f"an alarm of this ACTION needs {name} (RFC 5545 §3.6.6)")


def alarms(component: Component, counts: Counts, scope: Scope) -> None:
    """SEQUENCE tells the alarms of a component apart (RFC 4324 §2)."""
    if not scope.strict:
        return
    seen: set[str] = set()
    for one in component.children("VALARM"):
        line = one.first("SEQUENCE")
        if line is not None and line.value.strip() in seen:
            scope.report(one, line, "two alarms of one SEQUENCE (RFC 4324 §2)")
        if line is not None:
            seen.add(line.value.strip())


def free_busy(component: Component, counts: Counts, scope: Scope) -> None:
    """The times of a VFREEBUSY are UTC (RFC 5545 §3.6.4)."""
    for line in component.lines if scope.strict else ():
        if line.name in ("DTSTART", "DTEND", "FREEBUSY") and not line.value.split("/")[0].endswith("Z"):
            scope.report(component, line, f"{line.name} of VFREEBUSY must be UTC (RFC 5545 §3.6.4)")


def calendar(component: Component, counts: Counts, scope: Scope) -> None:
    """The version and the calendar scale are ones we read (RFC 5545 §3.7.1, §3.7.4)."""
    version = component.first("VERSION")
    if (
        version is not None
        and version.value.strip() not in ("2.0", "")
        and "2.0" not in version.value.split(";")
    ):
        scope.report(component, version, f"VERSION {version.value[:40]} is not 2.0")
    scale = component.first("CALSCALE")
    if scale is not None and scale.value.strip().upper() != "GREGORIAN":
        scope.report(component, scale, f"the calendar scale {scale.value[:40]} is not known")
    if scope.strict and not component.components and "CMD" not in counts:
        scope.report(component, None, "VCALENDAR needs a component (RFC 5545 §3.6)")


def zone_names(component: Component, counts: Counts, scope: Scope) -> None:
    """Every TZID has its VTIMEZONE or is known without (RFC 5545 §3.2.19).

    The liberal let it pass: real files name zones that nothing defines, and their times then are floating.
    """
    if not scope.strict:
        return
    for line in component.lines:
        tzid = line.param("TZID") if line.params else None
        if tzid and scope.zones.find(tzid) is None:
            scope.report(component, line, f"the time zone {tzid[:60]!r} is neither defined here nor known")


def zone_definition(component: Component, counts: Counts, scope: Scope) -> None:
    """A VTIMEZONE that defines what no name tells can be read (RFC 5545 §3.6.5)."""
    if "TZID" not in counts or iana_name(component.value("TZID") or "") is not None:
        return
    try:
        read_vtimezone(component)
    except ICalError as error:
        scope.report(component, None, f"VTIMEZONE: {error.reason}")


def names(component: Component, counts: Counts, scope: Scope) -> None:
    """Several NAMEs have different languages (RFC 4324 §8.23)."""
    if counts.get("NAME", 0) < 2:
        return
    seen: set[str] = set()
    for line in component.all("NAME"):
        language = (line.param("LANGUAGE") or line.param("LANG") or "").lower().replace("_", "-")
        if language in seen:
            scope.report(component, line, "two NAMEs of one language (RFC 4324 §8.23)")
        seen.add(language)


def agenda(component: Component, counts: Counts, scope: Scope) -> None:
    """What a calendar says of itself is not empty (RFC 4324 §8.24, §9.1)."""
    for name in ("OWNER", "CALID"):
        for line in component.all(name) if name in counts else ():
            if not line.value.strip():
                scope.report(component, line, f"{name} is empty (RFC 4324 §9.1)")


def rights(component: Component, counts: Counts, scope: Scope) -> None:
    """A VRIGHT grants or denies something to somebody (RFC 4324 §9.4, §8.32)."""
    if "GRANT" not in counts and "DENY" not in counts:
        scope.report(component, None, "VRIGHT needs GRANT or DENY (RFC 4324 §9.4)")
    for line in component.lines:
        if line.name in ("GRANT", "DENY", "PERMISSION", "SCOPE", "RESTRICTION") and not line.value.strip():
            scope.report(component, line, f"{line.name} is empty (RFC 4324 §9.4)")
    if scope.strict and "RESTRICTION" in counts:
        granted = {line.value.strip().upper() for line in component.all("PERMISSION")}
        if not granted & {"CREATE", "MODIFY", "MOVE", "*"}:
            limited = component.first("RESTRICTION")
            scope.report(
                component, limited, "RESTRICTION needs PERMISSION CREATE, MODIFY or * (RFC 4324 §8.32)"
            )


def access(component: Component, counts: Counts, scope: Scope) -> None:
    """CARID is not empty (RFC 4324 §8.6)."""
    line = component.first("CARID")
    if line is not None and not line.value.strip():
        scope.report(component, line, "CARID is empty (RFC 4324 §8.6)")


def query(component: Component, counts: Counts, scope: Scope) -> None:
    """A VQUERY has a QUERY or names one; TARGET comes with QUERYID (RFC 4324 §9.6)."""
    if "QUERYID" not in counts:
        if "QUERY" not in counts:
            scope.report(component, None, "VQUERY needs QUERY or QUERYID (RFC 4324 §9.6)")
        if "TARGET" in counts:
            line = component.first("TARGET")
            scope.report(component, line, "TARGET in a VQUERY needs QUERYID (RFC 4324 §9.6)")


CHECKS: Mapping[str, tuple[Check, ...]] = {
    "VCALENDAR": (calendar,),
    "VEVENT": (identified, starts, ends, recurs, numbers, words, alarms, zone_names, names),
    "VTODO": (identified, starts, ends, recurs, numbers, words, alarms, zone_names, names),
    "VJOURNAL": (identified, starts, recurs, numbers, words, zone_names, names),
    "VFREEBUSY": (ends, free_busy, zone_names, names),
    "VAVAILABILITY": (ends, zone_names, names),
    "AVAILABLE": (starts, ends, recurs, zone_names, names),
    "VTIMEZONE": (zone_definition,),
    "VALARM": (alarm, zone_names, names),
    "VAGENDA": (names, agenda),
    "VCALSTORE": (names,),
    "VCAR": (names, access),
    "VRIGHT": (rights,),
    "VQUERY": (names, query),
}
"""The checks of each component."""


def check_resource(scope: Scope, *, one_object: bool) -> None:
    """What holds over components: identities stand once; optionally one kind and one UID in the whole text.

    Source: RFC 5545 §3.8.4.4; RFC 4791 §4.1.
    """
    seen: set[tuple[str, str, str]] = set()
    objects = [part for part in scope.root.components if part.name in _OBJECTS]
    for part in objects:
        uid = part.value("UID")
        if uid is None:
            continue
        recurrence = part.first("RECURRENCE-ID")
        key = (part.name, uid, recurrence.value.strip() if recurrence is not None else "")
        if key in seen:
            if key[2]:
                scope.report(
                    part, recurrence, f"a second {part.name} of UID {uid[:80]} with RECURRENCE-ID {key[2]}"
                )
            else:
                scope.report(part, None, f"a second {part.name} of UID {uid[:80]} without RECURRENCE-ID")
        seen.add(key)
    if not one_object or not objects:
        return
    first = objects[0]
    for part in objects[1:]:
        if part.name != first.name:
            scope.report(part, None, f"{part.name} beside {first.name}: one kind only (RFC 4791 §4.1)")
        elif part.value("UID") != first.value("UID"):
            scope.report(part, part.first("UID"), "a second UID: one calendar object only (RFC 4791 §4.1)")
