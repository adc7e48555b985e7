"""CalDAV's filters against a reading that knows nothing of the tree: loops and dateutil (RFC 4791 §9.7, §9.9)."""

from __future__ import annotations

import datetime as dt
import unicodedata
from collections.abc import Iterator

from dateutil.rrule import rrulestr
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from calquery.filter_strategies import crowd, filters
from kalends.calquery.match import Subject
from kalends.calquery.plan import plan
from kalends.calquery.tree import (
    And,
    Carries,
    Condition,
    Contains,
    During,
    HasParam,
    Inside,
    Occurs,
    State,
)
from kalends.ical.tree import Component, Line
from kalends.ical.values import split_values, unescape_text

FOREVER = dt.datetime(2003, 1, 1, tzinfo=dt.UTC)
NEW_YORK = dt.timedelta(hours=-5)
Span = tuple[dt.datetime, dt.datetime]


def moment(line: Line) -> dt.datetime:
    """In January New York is five hours behind; what floats is in UTC here."""
    text = line.value
    if len(text) == 8:
        return dt.datetime.strptime(text, "%Y%m%d").replace(tzinfo=dt.UTC)
    found = dt.datetime.strptime(text.rstrip("Z"), "%Y%m%dT%H%M%S").replace(tzinfo=dt.UTC)
    return found - NEW_YORK if line.param("TZID") else found


def length(text: str) -> dt.timedelta:
    sign, text = (-1, text[1:]) if text.startswith("-") else (1, text)
    number = int(text.strip("PTDHMS"))
    return sign * {"D": dt.timedelta(days=number), "H": dt.timedelta(hours=number), "M": dt.timedelta(minutes=number),
                   "S": dt.timedelta(seconds=number)}[text[-1]]  # fmt: skip


def written(component: Component, name: str) -> Line | None:
    return next((line for line in component.lines if line.name == name), None)


def first_span(component: Component) -> Span | None:
    start, due = written(component, "DTSTART"), written(component, "DUE")
    if start is None:
        return None if due is None or component.name != "VTODO" else (moment(due), moment(due))
    begin, whole_day = moment(start), dt.timedelta(days=len(start.value) == 8)
    ending = due if component.name == "VTODO" else written(component, "DTEND")
    lasting = written(component, "DURATION")
    if ending is not None and component.name != "VJOURNAL":
        end = moment(ending)
        return begin, end if end > begin else begin + whole_day
    if lasting is not None and length(lasting.value):
        return begin, begin + length(lasting.value)
    return begin, begin + whole_day


def spans(whole: Component, component: Component) -> Iterator[Span]:
    span = first_span(component)
    if span is None:
        return
    rule = written(component, "RRULE")
    if rule is None:
        yield span
        return
    override = next((c for c in whole.components if written(c, "RECURRENCE-ID")), None)
    gone = None if override is None else moment(written(override, "RECURRENCE-ID"))
    for start in rrulestr(rule.value, dtstart=span[0]).between(span[0], FOREVER, inc=True):
        if start != gone:
            yield start, start + (span[1] - span[0])


def at(second: int | None, otherwise: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(otherwise if second is None else second, dt.UTC)


def occurs(whole: Component, component: Component, parent: Component | None, when: Occurs) -> bool:
    low, high = at(when.low, -(10**9)), at(when.high, 3 * 10**9)
    names = {line.name for line in component.lines}
    if component.name == "VALARM":
        return any(low <= ring < high for ring in ringings(whole, component, parent))
    if component.name == "VFREEBUSY":
        if {"DTSTART", "DTEND"} <= names:
            return low <= moment(written(component, "DTEND")) and high > moment(written(component, "DTSTART"))
        return any(low < end and high > start for start, end in periods(component))
    if component.name == "VTODO" and not names & {"DTSTART", "DUE"}:
        done, made = (
            None if (line := written(component, name)) is None else moment(line)
            for name in ("COMPLETED", "CREATED")
        )
        if done is None:
            return made is None or when.high is None or high > made
        both = [done] if made is None else [done, made]
        return any(low <= one for one in both) and any(high >= one for one in both)
    for start, end in spans(whole, component):
        if component.name == "VTODO" and "DTSTART" not in names:
            hit = low < start and high >= start
        elif component.name == "VTODO" and "DUE" in names:
            hit = (low < end or low <= start) and (high > start or high >= end)
        elif component.name == "VTODO" and "DURATION" in names:
            hit = low <= end and (high > start or high >= end)
        else:
            hit = low < end and high > start if end > start else low <= start < high
        if hit:
            return True
    return False


def periods(component: Component) -> Iterator[Span]:
    for line in component.lines:
        if line.name == "FREEBUSY":
            start, _, end = line.value.partition("/")
            begin = moment(Line.make("X", start))
            yield begin, begin + length(end) if end.startswith("P") else moment(Line.make("X", end))


def ringings(whole: Component, alarm: Component, parent: Component | None) -> Iterator[dt.datetime]:
    trigger, lasting = written(alarm, "TRIGGER").value, written(alarm, "DURATION")
    again = [dt.timedelta()] if lasting is None else [length(lasting.value) * n for n in range(3)]
    bases = (
        [moment(written(alarm, "TRIGGER"))]
        if trigger[0].isdigit()
        else [s + length(trigger) for s, _ in spans(whole, parent)]
    )
    for base in bases:
        yield from (base + more for more in again)


def casemap(text: str, collation: str) -> str:
    if collation == "i;octet":
        return text
    if collation == "i;ascii-casemap":
        return "".join(c.upper() if c.isascii() else c for c in text)
    titled = [c.title() if len(c.title()) == 1 else c for c in text]
    return "".join(unicodedata.normalize("NFKD", c) for c in titled)


def holds(test: Contains, values: list[str]) -> bool:
    text = casemap(test.text, test.collation)
    compare = {"contains": lambda v: text in v, "equals": lambda v: v == text, "starts-with": lambda v: v.startswith(text),
               "ends-with": lambda v: v.endswith(text)}[test.kind]  # fmt: skip
    found = any(compare(casemap(value, test.collation)) for value in values)
    return bool(values) and found is not test.negated


def passes(whole: Component, component: Component, line: Line | None, name: str, test: object) -> bool:
    params = {} if line is None else {key: list(values) for key, values in line.params}
    match test:
        case HasParam(param, negated):
            return (param not in params) is negated
        case Contains(param=None):
            if line is None:
                return False
            pieces = split_values(line.value) if name == "CATEGORIES" else [line.value]
            text = name in ("CATEGORIES", "SUMMARY", "UID", "STATUS", "X-FOO")
            return holds(test, [unescape_text(one) if text else one for one in pieces])
        case Contains(param=param):
            return holds(test, params.get(param, []))
        case During(low, high):
            lo, hi = at(low, -(10**9)), at(high, 3 * 10**9)
            if name in ("DTSTART", "DTEND", "DUE") and component.name != "VFREEBUSY":
                which = name != "DTSTART"
                return any(lo <= span[which] < hi for span in spans(whole, component))
            return line is not None and lo <= moment(line) < hi
    raise AssertionError(test)


def naive(condition: Condition | None, whole: Component, here: Component, parent: Component | None) -> bool:
    match condition:
        case None:
            return True
        case And(terms):
            return all(naive(term, whole, here, parent) for term in terms)
        case Inside(name, where, negated):
            inside = [one for one in here.components if one.name == name]
            return not inside if negated else any(naive(where, whole, one, here) for one in inside)
        case Occurs():
            return occurs(whole, here, parent, condition)
        case Carries(name, tests, negated):
            lines: list[Line | None] = [line for line in here.lines if line.name == name]
            if negated:
                return not lines
            effective = {"DTEND": "VEVENT", "DUE": "VTODO"}.get(name) == here.name
            if not lines and effective and written(here, "DTSTART") and written(here, "DURATION"):
                lines = [None]
            return any(all(passes(whole, here, line, name, test) for test in tests) for line in lines)
    raise AssertionError(condition)


CROWD = [whole for seed in range(3) for whole in crowd(seed, 60)]


@settings(max_examples=120, phases=[Phase.generate], deadline=None)
@given(condition=filters(), number=st.integers(0, len(CROWD) - 1))
def test_a_filter_means_what_a_naive_reading_says(condition: Condition, number: int) -> None:
    prepared = plan(And((State("BOOKED"), condition)))
    for whole in (CROWD[number], *CROWD[number % 30 :: 30]):
        assert Subject(whole).satisfies(prepared) is naive(condition, whole, whole, None), whole.to_ics()
