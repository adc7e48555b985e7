"""C:calendar-data: which parts of a calendar object a report returns, and in what form (RFC 4791 §9.6)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Final

from kalends.calquery.occasions import Occasions
from kalends.core import texts, timezones
from kalends.core.errors import InvalidError, TooComplexError
from kalends.core.model import Policy
from kalends.dav import xmlwrite
from kalends.dav.context import Context
from kalends.dav.errors import DavError
from kalends.dav.filters import invalid, required_range
from kalends.dav.properties.base import Property
from kalends.dav.resources import CalendarObject, Resource
from kalends.dav.xmlread import Element
from kalends.dav.xmlwrite import CALDAV
from kalends.ical.component_times import line_moment, period_length, read_times
from kalends.ical.errors import ICalError, StepBudgetError
from kalends.ical.mending import mend_cut_folds
from kalends.ical.moment import DAY, parse_period, utc_moment
from kalends.ical.occurrences import expand_component, occurrences
from kalends.ical.recurrence_set import TIMED
from kalends.ical.tree import Component, Line, parse
from kalends.ical.tzfile import Zone
from kalends.ical.zones import Zones, iana_name
from kalends.store.base import Tx

NAME: Final = f"{CALDAV}calendar-data"
TYPES: Final = {"text/calendar": "2.0"}
"""Media types a report can answer in, with their versions (RFC 4791 §5.2.4)."""
MAX_COMP: Final = 8
"""C:comp inside each other."""
_COMP, _PROP, _ALLPROP, _ALLCOMP = (f"{CALDAV}{name}" for name in ("comp", "prop", "allprop", "allcomp"))
_EXPAND, _LIMIT, _LIMIT_FREEBUSY = (
    f"{CALDAV}{name}" for name in ("expand", "limit-recurrence-set", "limit-freebusy-set")
)
_BAD: Final = bytes((*range(9), 11, 12, *range(14, 32), 38, 60, 62))
"""Octets that character data cannot hold as they are: controls, '&', '<' and '>'."""

Range = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Part:
    """What is returned of a component.

    Attributes:
        props: upper-case names of properties, each with whether its value is left out; None for all.
        parts: what is returned of components inside, by upper-case name; None for all, whole.
    """

    props: dict[str, bool] | None
    parts: dict[str, Part] | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a report asks of each object's text; by default all of it, as it is stored.

    Attributes:
        part: of VCALENDAR; None for all.
        expand: return the instances in this range in place of their rule.
        limit: leave out overrides that have nothing to do with this range.
        limit_freebusy: leave out FREEBUSY periods that do not touch this range.
        zones: False: leave out VTIMEZONEs that everybody knows; True: have all that are referred to;
            None: add what is missing, leave what is there (RFC 7809 §3.1.1).
    """

    part: Part | None = None
    expand: Range | None = None
    limit: Range | None = None
    limit_freebusy: Range | None = None
    zones: bool | None = None

    @property
    def plain(self) -> bool:
        """Whether the stored octets will do, but for their time zones."""
        return not (self.part or self.expand or self.limit or self.limit_freebusy)


class CalendarData(Property):
    """The text of an object, as one request wants it: no property of PROPFIND (RFC 4791 §9.6).

    Args:
        wanted: what of it.
        policy: limits.
        zone: of floating times.
    """

    name: ClassVar[str] = NAME
    on: ClassVar[tuple[str, ...]] = ("object", "message")

    def __init__(self, wanted: Wanted, policy: Policy, zone: Zone | None = None) -> None:
        self.wanted = wanted
        self.policy = policy
        self.zone = zone

    def get(self, tx: Tx, context: Context, resource: Resource) -> str | None:
        """The text, escaped."""
        assert isinstance(resource, CalendarObject)
        return self.text(resource.ics(tx))

    def text(self, ics: bytes) -> str:
        """The text of an object, escaped."""
        wanted = self.wanted
        if wanted.plain:
            if b"BEGIN:VTIMEZONE" in ics:
                return escaped(texts.without_known_zones(ics)[0] if wanted.zones is False else ics)
            if wanted.zones is False or b"TZID=" not in ics:
                return escaped(ics)
        made = shaped(parse(ics), wanted, self.policy, self.zone)
        return escaped(made.to_bytes())


def escaped(ics: bytes) -> str:
    """Octets of a calendar object as character data.

    CR stays as it is: whoever reads the XML sees line feeds alone, which RFC 4791 §9.6 allows.
    """
    try:
        text = ics.decode()
    except UnicodeDecodeError:  # a fold cuts a sequence in two, which XML cannot say
        whole = parse(ics)
        mend_cut_folds(whole)
        text = whole.to_bytes().decode("utf-8", "replace")
    if len(ics.translate(None, _BAD)) == len(ics) and b"\xef\xbf" not in ics:
        return text
    return xmlwrite.text(text).replace("&#13;", "\r")


# --- reading what is asked ---


def wanted_of(element: Element, context: Context) -> Wanted:
    """Read C:calendar-data of a request.

    Args:
        element: C:calendar-data inside of D:prop.
        context: the request: its CalDAV-Timezones header counts, too.

    Raises:
        DavError: 403 with supported-calendar-data, or 400 for what is malformed.

    Source: RFC 4791 §9.6; RFC 7809 §3.1.1.
    """
    media = element.attributes.get("content-type", "text/calendar").strip().lower()
    version = element.attributes.get("version", "2.0").strip()
    if TYPES.get(media) != version:
        raise DavError(
            403,
            f"{CALDAV}supported-calendar-data",
            f"Calendar data is returned as {' or '.join(TYPES)}, version 2.0.",
        )
    policy = context.caller.policy
    ranges: dict[str, Range] = {}
    for tag in (_EXPAND, _LIMIT, _LIMIT_FREEBUSY):
        found = element.child(tag)
        if found is not None:
            ranges[tag] = required_range(found, policy)
    if _EXPAND in ranges and _LIMIT in ranges:
        raise invalid("C:expand and C:limit-recurrence-set exclude each other.")
    comps = element.all(_COMP)
    if len(comps) > 1 or (comps and _name(comps[0]) != "VCALENDAR"):
        raise _malformed("C:calendar-data holds one C:comp, for VCALENDAR.")
    return Wanted(
        _part(comps[0], 1) if comps else None,
        ranges.get(_EXPAND),
        ranges.get(_LIMIT),
        ranges.get(_LIMIT_FREEBUSY),
        zones_wanted(context),
    )


def zones_wanted(context: Context) -> bool | None:
    """The CalDAV-Timezones header (RFC 7809 §3.1.1): T, F, or not there.

    Raises:
        DavError: 400 for anything else.
    """
    given = context.header("caldav-timezones")
    if given is None:
        return None
    if given.upper() not in ("T", "F"):
        raise DavError(400, None, "CalDAV-Timezones is T or F.")
    return given.upper() == "T"


def _part(element: Element, depth: int) -> Part:
    if depth > MAX_COMP:
        raise _malformed(f"C:comp nests at most {MAX_COMP} deep.")
    if not element.children:  # as for VTIMEZONE in §7.8.1
        return Part(None, None)
    props: dict[str, bool] | None = {}
    parts: dict[str, Part] | None = {}
    for child in element.children:
        if child.tag == _ALLPROP:
            props = None
        elif child.tag == _ALLCOMP:
            parts = None
        elif child.tag == _PROP and props is not None:
            novalue = child.attributes.get("novalue", "no")
            if novalue not in ("yes", "no"):
                raise _malformed("novalue is yes or no.")
            props[_name(child)] = novalue == "yes"
        elif child.tag == _COMP and parts is not None:
            parts[_name(child)] = _part(child, depth + 1)
    return Part(props, parts)


def _name(element: Element) -> str:
    name = element.attributes.get("name", "")
    if not name:
        raise _malformed("C:comp and C:prop have a name.")
    return name.upper()


def _malformed(sentence: str) -> DavError:
    return DavError(400, None, sentence)


# --- shaping ---


def shaped(whole: Component, wanted: Wanted, policy: Policy, zone: Zone | None) -> Component:
    """An object as a report wants it.

    Args:
        whole: its text, parsed; it may be changed.
        wanted: what of it.
        policy: limits.
        zone: of floating times.

    Raises:
        TooComplexError: an expansion of more instances than anybody may ask for.
        InvalidError: rules or dates that cannot be read.
    """
    try:
        if wanted.expand is not None:
            whole = _expanded(whole, wanted.expand, policy, zone)
        elif wanted.limit is not None:
            whole = _limited(whole, wanted.limit, zone)
    except StepBudgetError as error:
        raise TooComplexError("a rule needs too many steps to be expanded") from error
    except ICalError as error:
        raise InvalidError(f"a stored rule cannot be read: {error.reason}") from error
    if wanted.limit_freebusy is not None:
        whole = _periods_in(whole, wanted.limit_freebusy)
    if wanted.expand is None:
        whole = zoned(whole, wanted.zones)
    return whole if wanted.part is None else _cut(whole, wanted.part)


def _cut(component: Component, part: Part) -> Component:
    items: list[Line | Component] = []
    for item in component.items:
        if isinstance(item, Component):
            if part.parts is None:
                items.append(item)
            elif item.name in part.parts:
                items.append(_cut(item, part.parts[item.name]))
        elif part.props is None:
            items.append(item)
        elif item.name in part.props:
            items.append(item.with_value("") if part.props[item.name] else item)
    return _like(component, items)


def _like(component: Component, items: list[Line | Component]) -> Component:
    made = Component(component.name, items)
    made.begin, made.end = component.begin, component.end
    return made


def _expanded(whole: Component, when: Range, policy: Policy, zone: Zone | None) -> Component:
    """Instances that touch the range, in UTC, without rules and time zones (RFC 4791 §9.6.5)."""
    zones = Zones(whole)
    occasions = Occasions(whole, zones, zone)
    items: list[Line | Component] = list(whole.lines)
    dated = {id(one) for one in whole.components if one.name in TIMED and _has_times(one)}
    items += [one for one in whole.components if one.name != "VTIMEZONE" and id(one) not in dated]
    number = 0
    for one in occurrences(whole, when[0] - DAY, when[1] + DAY, zones=zones):
        if one.component.name not in TIMED:
            continue
        if not occasions.touches(one.component, one.start, one.end, when[0], when[1], floats=one.floating):
            continue
        number += 1
        if number > policy.recur_limit:
            raise TooComplexError(f"an object has more than {policy.recur_limit} instances in the range")
        items.append(_in_utc(expand_component(whole, one, utc=True, zones=zones), zones))
    return _like(whole, items)


def _has_times(component: Component) -> bool:
    return component.first("DTSTART") is not None or component.first("DUE") is not None


def _in_utc(component: Component, zones: Zones) -> Component:
    """What still names a time zone, written in UTC."""
    for item in list(component.items):
        if isinstance(item, Component):
            _in_utc(item, zones)
        elif item.params and item.param("TZID") is not None:
            kept = tuple(param for param in item.params if param[0] != "TZID")
            try:
                value = str(utc_moment(zones.to_epoch(line_moment(item))))
            except ICalError:
                value = item.value
            component.replace(item, Line.make(item.name, value, kept))
    return component


def _limited(whole: Component, when: Range, zone: Zone | None) -> Component:
    """Without overrides that neither happen in the range nor would have (RFC 4791 §9.6.6)."""
    zones = Zones(whole)
    occasions = Occasions(whole, zones, zone)
    return _like(
        whole,
        [
            item
            for item in whole.items
            if not isinstance(item, Component)
            or item.first("RECURRENCE-ID") is None
            or _matters(whole, item, occasions, when)
        ],
    )


def _matters(whole: Component, override: Component, occasions: Occasions, when: Range) -> bool:
    line = override.first("RECURRENCE-ID")
    assert line is not None
    if (line.param("RANGE") or "").upper() == "THISANDFUTURE" or occasions.touch(override, *when):
        return True
    zones = occasions.zones
    master = next(
        (one for one in whole.children(override.name) if one.first("RECURRENCE-ID") is None), override
    )
    times = read_times(master, zones)
    if times is None:
        return True
    start = times.like_start(line_moment(line), zones)
    end = times.end(start, times.wall(start), times.length)
    return occasions.touches(master, start, end, when[0], when[1], floats=times.zone is None)


def _periods_in(whole: Component, when: Range) -> Component:
    """Without FREEBUSY periods that do not touch the range (RFC 4791 §9.6.7)."""
    zones = Zones(whole)
    low, high = when
    items: list[Line | Component] = []
    for item in whole.items:
        if isinstance(item, Component) and item.name == "VFREEBUSY":
            kept = [
                _line_in(line, zones, low, high) if line.name == "FREEBUSY" else line for line in item.lines
            ]
            items.append(_like(item, [*(line for line in kept if line is not None), *item.components]))
        else:
            items.append(item)
    return _like(whole, items)


def _line_in(line: Line, zones: Zones, low: int, high: int) -> Line | None:
    kept = []
    pieces = line.value.split(",")
    for text in pieces:
        try:
            period = parse_period(text, line.param("TZID"))
        except ICalError:
            continue
        start = zones.to_epoch(period.start)
        if start < high and zones.shift(period.start, period_length(period, zones)) > low:
            kept.append(text)
    if len(kept) == len(pieces):
        return line
    return line.with_value(",".join(kept)) if kept else None


def zoned(whole: Component, wanted: bool | None) -> Component:
    """With or without VTIMEZONEs that everybody knows (RFC 7809 §3.1.1)."""
    if wanted is False:
        return _like(whole, [item for item in whole.items if not _is_known_zone(item)])
    there = {one.value("TZID") for one in whole.children("VTIMEZONE")}
    rest: Iterable[Component] = [one for one in whole.components if one.name != "VTIMEZONE"]
    missing = [name for name in texts.zones_named(list(rest)) if name not in there]
    added = [made for name in missing if (made := timezones.definition(name)) is not None]
    if not added:
        return whole
    at = next((n for n, item in enumerate(whole.items) if isinstance(item, Component)), len(whole.items))
    return _like(whole, [*whole.items[:at], *added, *whole.items[at:]])


def _is_known_zone(item: Line | Component) -> bool:
    """Whether it defines what the time zone service knows by that very name (RFC 7809 §3.1.3)."""
    if not isinstance(item, Component) or item.name != "VTIMEZONE":
        return False
    tzid = item.value("TZID") or ""
    return iana_name(tzid) == tzid
