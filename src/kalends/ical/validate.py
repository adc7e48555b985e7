"""What is wrong with an iCalendar object before a store takes it in (RFC 5545 §3.6; RFC 4324 §9).

Liberal checks refuse only what a store cannot answer for: times that cannot be read or contradict one
another, identities that are missing or doubled, access rights that say nothing. Strict checks hold to the
letter of the definitions. Each check is one function in the tables of `checks`; this module walks.
"""

from __future__ import annotations

import re

from kalends.ical.checks import CHECKS, Scope, check_resource
from kalends.ical.component_times import is_forgotten
from kalends.ical.components import COMPONENTS
from kalends.ical.errors import ICalError
from kalends.ical.moment import parse_moment
from kalends.ical.problem import Finding, Problem, locate
from kalends.ical.properties import PROPERTIES, Property
from kalends.ical.tree import Component, Line
from kalends.ical.values import READERS, values
from kalends.ical.zones import Zones

__all__ = ["Problem", "problems"]

_CONTROL = re.compile("[\x01-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?![\r\n]|\\Z)")
_WELL_FORMED = re.compile(
    r'[A-Za-z0-9-]++(?:;[A-Za-z0-9-]++=(?:"[^"]*+"|[^",;:]*+)(?:,(?:"[^"]*+"|[^",;:]*+))*+)*+:'
)
_ALWAYS_READ = frozenset(
    ("DATE", "DATE-TIME", "DURATION", "PERIOD", "RECUR", "UTC-OFFSET", "INTEGER", "BOOLEAN")
)
"""Types whose values the store computes with: one that cannot be read is refused even by the liberal."""
_ONCE_ALWAYS = frozenset(
    [
        "UID",
        "DTSTART",
        "DTEND",
        "DUE",
        "DURATION",
        "RECURRENCE-ID",
        "ORGANIZER",
        "SEQUENCE",
        "STATUS",
        "TRANSP",
        "TZID",
        "TRIGGER",
        "METHOD",
        "VERSION",
        "CALSCALE",
        "CARID",
        "DECREED",
        "QUERYID",
        "EXPAND",
        "CALID",
        "ALLOW-CONFLICT",
        "DEFAULT-CHARSET",
        "DEFAULT-LOCALE",
        "DEFAULT-TZID",
        "DEFAULT-VCARS",
        "CSID",
        "CMD",
        "TZOFFSETFROM",
        "TZOFFSETTO",
    ]
)
"""Properties of which a second one would leave open which of them holds."""
_MAY_BE_EMPTY = frozenset(("RDATE", "EXDATE", "FREEBUSY"))
"""Lists that some programs write although they have nothing to list."""


def problems(
    vcalendar: Component,
    *,
    strict: bool = False,
    need_uid: bool = True,
    one_object: bool = False,
    zones: Zones | None = None,
) -> list[Problem]:
    """Everything that forbids storing an object.

    Args:
        vcalendar: a VCALENDAR, or any other root component.
        strict: hold to the letter of the RFCs.
        need_uid: a VEVENT, VTODO or VJOURNAL without UID is a problem.
        one_object: the text must be one calendar object: one kind of component, one UID (RFC 4791 §4.1).
        zones: what TZIDs mean; None: the VTIMEZONEs of the object itself and the tz database.

    Returns:
        The problems in the order of the text, `checks.MAX_PROBLEMS` at most; empty when there are none.

    Source: RFC 5545 §3.6, §3.8; RFC 4324 §8, §9; RFC 7953; RFC 9073.
    """
    findings: list[Finding] = []
    clean = _CONTROL.search(vcalendar.to_ics()) is None  # once for all lines
    scope = Scope(vcalendar, strict, need_uid, zones or Zones(vcalendar), findings, clean)
    _check(vcalendar, None, scope)
    check_resource(scope, one_object=one_object)
    return locate(vcalendar, findings)


def _check(component: Component, parent: Component | None, scope: Scope) -> None:
    counts: dict[str, int] = {}
    strict, text_is_fine = scope.strict, scope.clean and not scope.strict
    for item in component.items:
        if scope.findings and scope.full:
            return
        if isinstance(item, Component):
            _check(item, component, scope)
            continue
        name = item.name
        counts[name] = counts.get(name, 0) + 1
        if not text_is_fine:
            _check_text(component, item, scope)
        rule = PROPERTIES.get(name)
        if rule is None:
            continue
        if strict or rule.type in _ALWAYS_READ or not item.raw.startswith(":", len(name)):
            _check_value(component, item, rule, scope)
        if counts[name] == 2 and (strict or name in _ONCE_ALWAYS) and not rule.allows_many(component.name):
            scope.report(component, item, f"{name} stands more than once")
        if strict and rule.where and component.name in COMPONENTS and component.name not in rule.where:
            scope.report(component, item, f"{name} does not belong in {component.name} ({rule.source})")
    _check_structure(component, parent, counts, scope)
    for check in CHECKS.get(component.name, ()):
        check(component, counts, scope)


def _check_text(component: Component, line: Line, scope: Scope) -> None:
    raw = line.raw
    if _CONTROL.search(raw):
        scope.report(component, line, f"{line.name} holds a control character")
    if scope.strict and not _WELL_FORMED.match(raw if raw.count("\n") < 2 else scope.unfolded(line)):
        scope.report(component, line, f"{line.name}: the name or a parameter is malformed")


def _check_value(component: Component, line: Line, rule: Property, scope: Scope) -> None:
    written = (line.param("VALUE") or "").upper() if line.params else ""
    kind = written or rule.type
    if kind != rule.type and kind not in rule.also and (scope.strict or rule.type in _ALWAYS_READ):
        scope.report(component, line, f"{line.name} cannot have VALUE={kind[:40]}")
        return
    if scope.strict and rule.declared and not written:
        scope.report(component, line, f"{line.name} needs a VALUE parameter ({rule.source})")
    if kind not in _ALWAYS_READ and not (scope.strict and kind in READERS):
        return
    if not scope.strict and (is_forgotten(line) or (not line.value and line.name in _MAY_BE_EMPTY)):
        return
    if kind == "DATE-TIME" and not scope.strict and not line.params and rule.separator != ",":
        try:  # the most frequent value: nothing but whether it can be read is of interest
            parse_moment(line.value)
        except ICalError as error:
            scope.report(component, line, f"{line.name}: {error.reason}")
        return
    try:
        read = values(line)
    except ICalError as error:
        scope.report(component, line, error.reason)
        return
    if scope.strict and not written and any(value.type == "DATE" != rule.type for value in read):
        scope.report(component, line, f"{line.name} is a DATE without VALUE=DATE")


def _check_structure(
    component: Component, parent: Component | None, counts: dict[str, int], scope: Scope
) -> None:
    rule = COMPONENTS.get(component.name)
    if rule is None:
        return
    for name in rule.needed + (rule.demanded if scope.strict else ()):
        if name not in counts:
            scope.report(component, None, f"{component.name} needs {name} ({rule.source})")
    if rule.holds and not any(child.name in rule.holds for child in component.components):
        scope.report(
            component, None, f"{component.name} needs {' or '.join(sorted(rule.holds))} ({rule.source})"
        )
    if parent is not None and rule.parents and parent.name in COMPONENTS and parent.name not in rule.parents:
        scope.report(component, None, f"{component.name} cannot stand in {parent.name} ({rule.source})")
