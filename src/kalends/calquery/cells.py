"""What a query sees of a component: one cell per property value and per parameter value.

The store keeps these rows in its `cell` table and `match` reads them in memory, so both evaluators look
at the very same facts. RFC 4324's special cases become ordinary cells with an `origin`: a parameter that
has a default (§6.1.1.3), DTEND where only DURATION was written and the reverse (§6.1.1.8), the instant at
which a relative alarm fires.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final, NamedTuple

from kalends.calquery.instants import Instants
from kalends.ical.errors import ICalError
from kalends.ical.moment import (
    DAY,
    Duration,
    Moment,
    format_duration,
    format_moment,
    parse_duration,
    parse_moment,
    parse_utc_offset,
    utc_moment,
)
from kalends.ical.properties import PROPERTIES, UNKNOWN, Property, param_defaults
from kalends.ical.tree import Component, Line
from kalends.ical.values import split_values, unescape_text
from kalends.ical.zones import Zones

WRITTEN: Final = 0
DEFAULT: Final = 1
DERIVED: Final = 2
BINARY_KEPT: Final = 16_384
"""Characters kept of a BINARY value: more than any literal may have, so no comparison can tell."""
INTEGER_DIGITS: Final = 18
"""Longest integer that surely fits the 63 bits of the num column."""


class Cell(NamedTuple):
    """One value a query can compare.

    Attributes:
        name: `ATTENDEE` for the property, `ATTENDEE;PARTSTAT` for a parameter of it.
        pos: which property of that name in the component, from 0.
        k: which value of that property or parameter, from 0.
        value: the value without escapes and quotes; dates as iCalendar writes them.
        folded: the value in folded case where that differs, else None.
        num: integers themselves, booleans 0 and 1, durations and offsets in seconds, dates in seconds since
            1970 UTC (a DATE: the start of that day in UTC); None for everything else.
        origin: 0 written, 1 a parameter's default, 2 derived.
    """

    name: str
    pos: int
    k: int
    value: str
    folded: str | None = None
    num: int | None = None
    origin: int = WRITTEN


def fold_case(text: str) -> str:
    """Text without its case, character for character, so that LIKE's `_` stays one character.

    Args:
        text: any text.

    Returns:
        Text of the same length, after Unicode's simple case folding.

    Source: RFC 4324 §6.1.1.9.
    """
    if text.isascii():
        return text.lower()
    folded = text.casefold()
    if len(folded) == len(text):
        return folded
    return "".join([_fold_one(char) for char in text])


def _fold_one(char: str) -> str:
    folded = char.casefold()
    if len(folded) == 1:
        return folded
    lower = char.lower()
    return lower if len(lower) == 1 else char


def cells(
    component: Component,
    *,
    zones: Zones | None = None,
    default_tz: str | None = None,
    parent: Component | None = None,
) -> list[Cell]:
    """The cells of a component's own properties; contained components have their own.

    Args:
        component: any component.
        zones: where TZIDs are looked up.
        default_tz: zone of floating times; None counts them as UTC, which is what the store's index holds:
            its searches compare them with the literal's wall time instead (A-34). Dates are days in UTC.
        parent: the component a VALARM stands in: relative triggers get their instant from it.

    Returns:
        The cells; (name, pos, k) is unique. Values that do not fit their type have text only.

    Source: RFC 4324 §6.1.1.3, §6.1.1.7 to §6.1.1.11.
    """
    instants = Instants(zones, default_tz)
    out: list[Cell] = []
    counts: dict[str, int] = {}
    moments: dict[str, Moment] = {}
    for line in component.items:
        if not isinstance(line, Line):
            continue
        name = line.name
        pos = counts.get(name, 0)
        counts[name] = pos + 1
        params = line.params
        rule = PROPERTIES.get(name, UNKNOWN)
        kind = rule.type
        if params:
            kind = (line.param("VALUE") or kind).upper()
            _params(out, name, pos, line)
        if rule.defaults:
            _defaults(out, name, pos, line)
        read = _READERS.get(kind)
        if read is None:
            value = line.value
            low = fold_case(value)
            out.append(Cell(name, pos, 0, value, low if low != value else None))
        else:
            read(_Place(out, name, pos, line, rule, instants, moments))
    derive = _DERIVED.get(component.name)
    if derive is not None:
        derive(out, component, parent, moments, instants)
    return out


def span(made: list[Cell]) -> tuple[int | None, int | None]:
    """When a component's own DTSTART and DTEND (or DUE) are, derived ones included.

    Args:
        made: the component's cells.

    Returns:
        Seconds since 1970 UTC; None for what it has not, or not just once. The store keeps both beside the
        component, so that a range of dates needs no look at the cells of every component.
    """
    starts = [cell.num for cell in made if cell.name == "DTSTART"]
    ends = [cell.num for cell in made if cell.name in ("DTEND", "DUE")]
    return starts[0] if len(starts) == 1 else None, ends[0] if len(ends) == 1 else None


class _Place(NamedTuple):
    """What a reader needs to add a property's cells."""

    out: list[Cell]
    name: str
    pos: int
    line: Line
    rule: Property
    instants: Instants
    moments: dict[str, Moment]


def _params(out: list[Cell], name: str, pos: int, line: Line) -> None:
    counts: dict[str, int] = {}
    for param, values in line.params:
        full = f"{name};{param}"
        k = counts.get(full, 0)
        for value in values:
            low = fold_case(value)
            out.append(Cell(full, pos, k, value, low if low != value else None))
            k += 1
        counts[full] = k


def _defaults(out: list[Cell], name: str, pos: int, line: Line) -> None:
    written = [param for param, _ in line.params]
    for param, full, value, low in _DEFAULTS[name]:
        if param not in written:
            out.append(Cell(full, pos, 0, value, low, None, DEFAULT))


def _default_rows(name: str) -> tuple[tuple[str, str, str, str], ...]:
    return tuple(
        (param, f"{name};{param}", text, text.lower()) for param, text in param_defaults(name).items()
    )


_DEFAULTS: Mapping[str, tuple[tuple[str, str, str, str], ...]] = {
    name: _default_rows(name) for name, rule in PROPERTIES.items() if rule.defaults
}


def _text(at: _Place) -> None:
    value = at.line.value
    if at.rule.separator == ",":
        for k, piece in enumerate(split_values(value)):
            text = unescape_text(piece)
            low = fold_case(text)
            at.out.append(Cell(at.name, at.pos, k, text, low if low != text else None))
        return
    if "\\" in value:
        value = unescape_text(value)
    low = fold_case(value)
    at.out.append(Cell(at.name, at.pos, 0, value, low if low != value else None))


def _moment(at: _Place) -> None:
    value = at.line.value
    tzid = at.line.param("TZID") if at.line.params else None
    pieces = (value,) if at.rule.separator != "," else value.split(",")
    for k, piece in enumerate(pieces):
        num = None
        try:
            moment = parse_moment(piece, tzid)
            num = at.instants.epoch(moment)
        except ICalError:
            text = piece
        else:
            text = piece.strip().upper()
            if at.name in _SPAN:
                at.moments[at.name] = moment
        low = text.lower()
        at.out.append(Cell(at.name, at.pos, k, text, low if low != text else None, num))


def _period(at: _Place) -> None:
    tzid = at.line.param("TZID") if at.line.params else None
    for k, piece in enumerate(at.line.value.split(",")):
        num = None
        with suppress(ICalError):  # not a period: text only
            num = at.instants.epoch(parse_moment(piece.partition("/")[0], tzid))
        low = piece.lower()
        at.out.append(Cell(at.name, at.pos, k, piece, low if low != piece else None, num))


def _number(read: Callable[[str], int]) -> Callable[[_Place], None]:
    def reader(at: _Place) -> None:
        value = at.line.value
        try:
            num: int | None = read(value)
        except ICalError:
            num = None
        low = value.lower()
        at.out.append(Cell(at.name, at.pos, 0, value, low if low != value else None, num))

    return reader


def read_integer(text: str) -> int:
    """Read an INTEGER; raises ICalError.

    Source: RFC 5545 §3.3.8.
    """
    digits = text.strip().lstrip("+-")
    if not (digits.isascii() and digits.isdigit()) or len(digits) > INTEGER_DIGITS:
        raise ICalError(f"no integer: {text[:40]!r}")
    return -int(digits) if text.strip().startswith("-") else int(digits)


def read_boolean(text: str) -> int:
    """Read a BOOLEAN as 0 or 1; raises ICalError.

    Source: RFC 5545 §3.3.2.
    """
    upper = text.strip().upper()
    if upper not in ("TRUE", "FALSE"):
        raise ICalError(f"neither TRUE nor FALSE: {text[:40]!r}")
    return int(upper == "TRUE")


def read_duration(text: str) -> int:
    """Read a DURATION as seconds, days of 24 hours; raises ICalError.

    Source: RFC 5545 §3.3.6.
    """
    return parse_duration(text).total


def _binary(at: _Place) -> None:
    at.out.append(Cell(at.name, at.pos, 0, at.line.value[:BINARY_KEPT]))


_READERS: Mapping[str, Callable[[_Place], None]] = {
    "TEXT": _text,
    "DATE": _moment,
    "DATE-TIME": _moment,
    "PERIOD": _period,
    "INTEGER": _number(read_integer),
    "BOOLEAN": _number(read_boolean),
    "DURATION": _number(read_duration),
    "UTC-OFFSET": _number(parse_utc_offset),
    "BINARY": _binary,
}
"""How values of a type become cells; types not listed are one text. A new type is one more entry."""

_SPAN = frozenset(("DTSTART", "DTEND", "DUE"))


class _Span(NamedTuple):
    """When a component happens: instants, and how the end would be written."""

    start: Moment
    start_at: int
    end: Moment
    end_at: int
    end_written: bool
    duration_written: bool


def _span(
    component: Component, end_name: str, moments: Mapping[str, Moment], instants: Instants
) -> _Span | None:
    start = moments.get("DTSTART")
    if start is None:
        return None
    start_at = instants.epoch(start)
    end = moments.get(end_name)
    written = component.value("DURATION")
    if end is not None:
        end = _beside(start, end)
        return _Span(start, start_at, end, instants.epoch(end), True, written is not None)
    if component.first(end_name) is not None:
        return None  # an end that cannot be read: nothing is known of how long it takes
    if written is not None:
        duration = parse_duration(written)
        end, end_at = instants.add(start, duration)
        return _Span(start, start_at, end, end_at, False, True)
    if end_name == "DUE":
        return None
    if start.is_date:
        return _Span(start, start_at, start.moved(start.wall + DAY), start_at + DAY, False, False)
    return _Span(start, start_at, start, start_at, False, False)


def _beside(start: Moment, end: Moment) -> Moment:
    """An end where one of the two floats: both hang in one zone, as `ical.component_times` reads them."""
    return end if start.floating == end.floating else Moment(end.wall, start.tzid, start.utc)


def _derive_span(end_name: str) -> Callable[..., None]:
    """Cells for the one of end and duration that was not written (A-35: a bare DATE lasts one day)."""

    def derive(
        out: list[Cell],
        component: Component,
        parent: Component | None,
        moments: Mapping[str, Moment],
        instants: Instants,
    ) -> None:
        try:
            span = _span(component, end_name, moments, instants)
            if span is None:
                return
            if not span.end_written:
                text = format_moment(span.end)
                out.append(Cell(end_name, 0, 0, text, _lower(text), span.end_at, DERIVED))
            if not span.duration_written:
                seconds = span.end_at - span.start_at
                text = format_duration(_nominal(seconds))
                out.append(Cell("DURATION", 0, 0, text, text.lower(), seconds, DERIVED))
        except ICalError:
            return  # a DURATION that is none, or an end beyond all calendars: nothing can be derived

    return derive


def _nominal(seconds: int) -> Duration:
    days, rest = divmod(abs(seconds), DAY)
    return Duration(days, rest) if seconds >= 0 else Duration(-days, -rest)


def _lower(text: str) -> str | None:
    low = text.lower()
    return low if low != text else None


def _derive_trigger(
    out: list[Cell],
    component: Component,
    parent: Component | None,
    moments: Mapping[str, Moment],
    instants: Instants,
) -> None:
    """The instant of each relative trigger, from the component the alarm stands in (first instance)."""
    if parent is None:
        return
    span: tuple[Moment | None, Moment | None] | None = None
    for pos, line in enumerate(component.all("TRIGGER")):
        try:
            offset = parse_duration(line.value)
            if span is None:
                span = _ends(parent, instants)
            anchor = span[(line.param("RELATED") or "START").upper() == "END"]
            if anchor is None:
                continue
            moment, epoch = instants.add(anchor, offset)
            floats = moment.floating and not moment.is_date  # written without Z: it fires by the wall clock
            text = format_moment(moment if floats else utc_moment(epoch))
        except ICalError:
            continue  # an absolute trigger, or nothing to count from
        out.append(Cell("TRIGGER", pos, 1, text, text.lower(), epoch, DERIVED))


def _ends(parent: Component, instants: Instants) -> tuple[Moment | None, Moment | None]:
    """Start and end of what an alarm stands in; a to-do may have only a DUE (RFC 5545 §3.8.6.3)."""
    moments: dict[str, Moment] = {}
    for name in _SPAN:
        line = parent.first(name)
        if line is not None:
            moments[name] = parse_moment(line.value, line.param("TZID"))
    end_name = "DUE" if parent.name == "VTODO" else "DTEND"
    span = _span(parent, end_name, moments, instants)
    if span is None:
        return moments.get("DTSTART"), moments.get(end_name)
    return span.start, span.end


_DERIVED: Mapping[str, Callable[..., None]] = {
    "VEVENT": _derive_span("DTEND"),
    "VAVAILABILITY": _derive_span("DTEND"),
    "AVAILABLE": _derive_span("DTEND"),
    "VTODO": _derive_span("DUE"),
    "VALARM": _derive_trigger,
}
