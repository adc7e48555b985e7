"""CalDAV's filters as conditions of the query tree (RFC 4791 §9.7, §9.9).

What is wrong with a filter is told with the precondition that names it: valid-filter for one that means
nothing, supported-filter for one that is not answered here, supported-collation for an unknown collation.
"""

from __future__ import annotations

import re
from typing import Final, cast

from kalends.calquery.collations import COLLATIONS
from kalends.calquery.columns import comparison, is_component
from kalends.calquery.occasions import TIMELY
from kalends.calquery.tree import (
    And,
    Carries,
    Collation,
    Column,
    Condition,
    Contains,
    During,
    HasParam,
    Inside,
    MatchType,
    Occurs,
    PropertyTest,
)
from kalends.core.model import Policy
from kalends.dav import xmlwrite
from kalends.dav.errors import DavError
from kalends.dav.xmlread import Element
from kalends.dav.xmlwrite import CALDAV
from kalends.ical.errors import ICalError
from kalends.ical.moment import parse_moment

MAX_NESTED: Final = 5
"""Components inside each other: VCALENDAR, VEVENT, VALARM, VLOCATION are four."""
MAX_TEXT: Final = 1_000
"""Characters of a text to look for."""
_UTC = re.compile(r"\d{8}T\d{6}Z\Z")
_NAME = re.compile(r"[A-Za-z0-9-]{1,64}\Z")
_INSIDE: Final = {
    "VCALENDAR": frozenset(("VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY", "VTIMEZONE", "VAVAILABILITY")),
    "VEVENT": frozenset(("VALARM", "PARTICIPANT", "VLOCATION", "VRESOURCE")),
    "VTODO": frozenset(("VALARM", "PARTICIPANT", "VLOCATION", "VRESOURCE")),
    "VJOURNAL": frozenset(("PARTICIPANT", "VLOCATION", "VRESOURCE")),
    "VFREEBUSY": frozenset(("PARTICIPANT", "VLOCATION", "VRESOURCE")),
    "VTIMEZONE": frozenset(("STANDARD", "DAYLIGHT")),
    "VAVAILABILITY": frozenset(("AVAILABLE",)),
    "VALARM": frozenset(("VLOCATION",)),
    "PARTICIPANT": frozenset(("VLOCATION", "VRESOURCE")),
}
"""What may stand in what (RFC 5545 §3.6, RFC 7953 §3.1, RFC 9073 §7); x-components may stand anywhere."""
_COMP, _PROP, _PARAM = (f"{CALDAV}{name}-filter" for name in ("comp", "prop", "param"))
_TEXT, _RANGE, _ABSENT = (f"{CALDAV}{name}" for name in ("text-match", "time-range", "is-not-defined"))
_TYPES: Final = frozenset(("contains", "equals", "starts-with", "ends-with"))


def read_filter(element: Element, policy: Policy) -> Condition | None:
    """Read a C:filter.

    Args:
        element: C:filter.
        policy: limits: terms of one query, and dates.

    Returns:
        The condition about whole objects; None when every object satisfies it.

    Raises:
        DavError: 403 with valid-filter, supported-filter, supported-collation, min-date-time,
            max-date-time, or a limit.

    Source: RFC 4791 §9.7.
    """
    reader = _Reader(policy)
    found = _known(element, (_COMP,))
    if len(found) != 1:
        raise invalid("A C:filter holds one C:comp-filter, for VCALENDAR.")
    if _name_of(found[0]) != "VCALENDAR":
        raise invalid("The outermost C:comp-filter is for VCALENDAR.")
    return reader.root(found[0])


class _Reader:
    """Reads one filter and counts its terms."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.terms = 0

    def count(self) -> None:
        self.terms += 1
        if self.terms > self.policy.max_terms:
            raise DavError(
                403,
                f"{xmlwrite.KALENDS}within-effort",
                f"A filter has at most {self.policy.max_terms} conditions.",
            )

    def root(self, element: Element) -> Condition | None:
        if element.child(_ABSENT) is not None:
            raise invalid("Every calendar object is a VCALENDAR.")
        if element.child(_RANGE) is not None:
            raise invalid("A C:time-range is about a component inside of VCALENDAR.")
        return self.body(element, "VCALENDAR", 1)

    def component(self, element: Element, outer: str, depth: int) -> Condition:
        self.count()
        name = _name_of(element)
        inside = _INSIDE.get(outer)
        if not is_component(name) and not name.startswith("X-"):
            raise unsupported(element, f"Components named {name} are not searched.")
        if inside is not None and not name.startswith("X-") and name not in inside:
            raise invalid(f"A {name} does not stand in a {outer}.")
        if depth > MAX_NESTED:
            raise invalid(f"C:comp-filter nests at most {MAX_NESTED} deep.")
        if _absent(element):
            return Inside(name, None, True)
        return Inside(name, self.body(element, name, depth))

    def body(self, element: Element, name: str, depth: int) -> Condition | None:
        terms: list[Condition] = []
        for child in _known(element, (_RANGE, _PROP, _COMP)):
            if child.tag == _COMP:
                terms.append(self.component(child, name, depth + 1))
            elif child.tag == _PROP:
                terms.append(self.property(child))
            elif name not in TIMELY:
                raise invalid(f"A {name} has no time that a C:time-range could be about.")
            elif any(isinstance(term, Occurs) for term in terms):
                raise invalid("A C:comp-filter holds at most one C:time-range.")
            else:
                self.count()
                terms.append(Occurs(*time_range(child, self.policy)))
        return And(tuple(terms)) if len(terms) > 1 else terms[0] if terms else None

    def property(self, element: Element) -> Condition:
        self.count()
        name = _name_of(element)
        if _absent(element):
            return Carries(name, (), True)
        tests: list[PropertyTest] = []
        for child in _known(element, (_RANGE, _TEXT, _PARAM)):
            self.count()
            if child.tag == _PARAM:
                tests.append(self.parameter(child))
            elif any(
                isinstance(test, During) or (isinstance(test, Contains) and not test.param) for test in tests
            ):
                raise invalid("A C:prop-filter holds at most one of C:time-range and C:text-match.")
            elif child.tag == _TEXT:
                tests.append(self.text(child, None))
            elif comparison(Column(name)) != "moment":
                raise invalid(f"{name} has no time that a C:time-range could be about.")
            else:
                tests.append(During(*time_range(child, self.policy)))
        return Carries(name, tuple(tests))

    def parameter(self, element: Element) -> PropertyTest:
        name = _name_of(element)
        if _absent(element):
            return HasParam(name, True)
        found = _known(element, (_TEXT,))
        if len(found) > 1:
            raise invalid("A C:param-filter holds at most one C:text-match.")
        return self.text(found[0], name) if found else HasParam(name)

    def text(self, element: Element, param: str | None) -> Contains:
        collation = element.attributes.get("collation", "default")
        if collation == "default":
            collation = "i;ascii-casemap"
        if collation not in COLLATIONS:
            raise DavError(
                403, f"{CALDAV}supported-collation", f"The collations here are {', '.join(COLLATIONS)}."
            )
        negate = element.attributes.get("negate-condition", "no")
        kind = element.attributes.get("match-type", "contains")
        if negate not in ("yes", "no") or kind not in _TYPES:
            raise invalid(
                "negate-condition is yes or no; match-type one of " + ", ".join(sorted(_TYPES)) + "."
            )
        text = element.text
        if len(text) > MAX_TEXT:
            raise invalid(f"A C:text-match has at most {MAX_TEXT} characters.")
        if "\x00" in text:
            raise invalid("A C:text-match holds no NUL.")
        return Contains(text, cast("Collation", collation), negate == "yes", param, cast("MatchType", kind))


def time_range(element: Element, policy: Policy, *, both: bool = False) -> tuple[int | None, int | None]:
    """The bounds of a C:time-range, C:expand, C:limit-recurrence-set or C:limit-freebusy-set.

    Args:
        element: with the attributes `start` and `end`.
        policy: the first and last date.
        both: neither may be missing.

    Returns:
        Seconds UTC; None for no bound.

    Raises:
        DavError: valid-filter for what is no range; min-date-time and max-date-time for one too far away.

    Source: RFC 4791 §9.9, §9.6.5, §7.8 (preconditions).
    """
    start, end = (_bound(element, name, policy) for name in ("start", "end"))
    if both and (start is None or end is None):
        raise invalid("Both start and end have to be given.")
    if start is None and end is None:
        raise invalid("A C:time-range has a start or an end, or both.")
    if start is not None and end is not None and end <= start:
        raise invalid("The end of a range lies after its start.")
    return start, end


def required_range(element: Element, policy: Policy) -> tuple[int, int]:
    """Like `time_range`, with both bounds."""
    start, end = time_range(element, policy, both=True)
    assert start is not None
    assert end is not None
    return start, end


def _bound(element: Element, name: str, policy: Policy) -> int | None:
    text = element.attributes.get(name)
    if text is None:
        return None
    try:
        wall = parse_moment(text).wall if _UTC.match(text) else None
    except ICalError:
        wall = None
    if wall is None:
        raise invalid(f"{name} is a UTC time such as 20260101T000000Z.")
    if wall < policy.min_date:
        raise DavError(403, f"{CALDAV}min-date-time", f"{name} lies before the first date of this store.")
    if wall > policy.max_date:
        raise DavError(403, f"{CALDAV}max-date-time", f"{name} lies behind the last date of this store.")
    return wall


def _known(element: Element, tags: tuple[str, ...]) -> list[Element]:
    """The children that mean something here; others may stand there unless they are CalDAV's own."""
    found = element.children
    wrong = next((child for child in found if child.tag.startswith(CALDAV) and child.tag not in tags), None)
    if wrong is not None:
        raise invalid(f"{wrong.tag.removeprefix(CALDAV)[:64]} does not stand here.")
    return [child for child in found if child.tag in tags]


def _absent(element: Element) -> bool:
    if element.child(_ABSENT) is None:
        return False
    if len(element.children) > 1:
        raise invalid("Beside C:is-not-defined there is no other condition.")
    return True


def _name_of(element: Element) -> str:
    name = element.attributes.get("name", "")
    if not _NAME.match(name):
        raise invalid("Every filter has a name of letters, digits and hyphens.")
    return name.upper()


def invalid(sentence: str) -> DavError:
    """403 with valid-filter (RFC 4791 §7.8)."""
    return DavError(403, f"{CALDAV}valid-filter", sentence)


def unsupported(element: Element, sentence: str) -> DavError:
    """403 with supported-filter, naming the filter that is not answered (RFC 4791 §7.8)."""
    local = element.tag.removeprefix(CALDAV)
    inner = f'<C:{local} name="{xmlwrite.attribute(element.attributes.get("name", ""))}"/>'
    return DavError(403, f"{CALDAV}supported-filter", sentence, inner=inner)
