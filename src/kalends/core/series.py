"""One instance of a series: naming it, taking it out, giving it a text of its own (RFC 5545 §3.8.4.4)."""

from __future__ import annotations

from dataclasses import replace

from kalends.core import texts
from kalends.core.errors import InvalidError
from kalends.ical.component_times import line_dates, read_times
from kalends.ical.errors import ICalError
from kalends.ical.moment import DAY, Moment, parse_moment, utc_moment
from kalends.ical.param_text import Param
from kalends.ical.recur import Rule
from kalends.ical.tree import Component, Line
from kalends.ical.zones import Zones

RECURRING = frozenset(("RRULE", "RDATE"))


def master_of(whole: Component, kind: str) -> Component | None:
    """The component of an object that is no override."""
    return next((part for part in whole.children(kind) if part.first("RECURRENCE-ID") is None), None)


def override_at(whole: Component, kind: str, epoch: int) -> Component | None:
    """The override of the instance that the rule puts at an instant (wall seconds when it floats)."""
    zones = Zones(whole)
    for part in whole.children(kind):
        if texts.recurrence_key(part, zones) == epoch:
            return part
    return None


def recurs(component: Component) -> bool:
    """Whether a component says by itself that it happens more than once."""
    return any(item.name in RECURRING and isinstance(item, Line) for item in component.items)


def in_form_of(start: Line, epoch: int, zones: Zones) -> tuple[str, tuple[Param, ...]]:
    """Write an instant the way a DTSTART is written: in its zone, in UTC, floating, or as a DATE.

    Args:
        start: the master's DTSTART.
        epoch: seconds UTC; wall seconds when the DTSTART floats or is a DATE.
        zones: the zones of the object.

    Returns:
        The wire value and its parameters.
    """
    moment = _moment(start)
    if moment.is_date:
        return str(moment.moved(epoch)), (("VALUE", ("DATE",)),)
    if moment.utc:
        return str(utc_moment(epoch)), ()
    if moment.tzid is None:
        return str(moment.moved(epoch)), ()
    zone = zones.of(moment)
    wall = epoch if zone is None else zone.wall(epoch)
    return str(Moment(wall)), (("TZID", (moment.tzid,)),)


def _moment(line: Line) -> Moment:
    try:
        return parse_moment(line.value, line.param("TZID"))
    except ICalError as error:
        raise InvalidError(f"{line.name}: {error.reason}") from error


def exclude(whole: Component, kind: str, epoch: int) -> None:
    """Take an instance out of a series: an EXDATE in the master, and no override any more.

    Args:
        whole: the object's text; it is changed.
        kind: its component name.
        epoch: when the rule puts the instance, seconds UTC (wall seconds when it floats).

    Source: RFC 5545 §3.8.5.1.
    """
    override = override_at(whole, kind, epoch)
    if override is not None:
        whole.remove(override)
    master = master_of(whole, kind)
    start = None if master is None else master.first("DTSTART")
    if master is None or start is None or not recurs(master):
        return
    value, params = in_form_of(start, epoch, Zones(whole))
    line = Line.make("EXDATE", value, params)
    last = max(i for i, item in enumerate(master.items) if isinstance(item, Line))
    same = [i for i, item in enumerate(master.items) if item.name == "EXDATE" and isinstance(item, Line)]
    master.items.insert((same[-1] if same else last) + 1, line)


def end_before(whole: Component, kind: str, epoch: int) -> None:
    """Let a series end before an instant, in place; its overrides stay as they are.

    Args:
        whole: the object's text.
        kind: its component name.
        epoch: the first instant that is no more, seconds UTC (wall seconds when it floats).

    Raises:
        InvalidError: its dates or rules cannot be read.

    Source: RFC 5545 §3.3.10 (UNTIL is in UTC unless DTSTART is a DATE or floats).
    """
    master = master_of(whole, kind)
    zones = Zones(whole)
    try:
        times = None if master is None else read_times(master, zones)
        if master is None or times is None:
            return
        start = times.start
        last = start.moved(epoch - DAY) if start.is_date else start.moved(epoch - 1)
        until = utc_moment(epoch - 1) if times.zone is not None else last
        for line in master.all("RRULE"):
            rule = Rule.parse(line.value)
            end = rule.last(start.wall, is_date=start.is_date, zone=times.zone)
            if end is None or times.epoch(end) >= epoch:
                master.replace(line, line.with_value(str(replace(rule, count=None, until=until))))
        for line in master.all("RDATE"):
            texts_ = [text for text in line.value.split(",") if text.strip()]
            dates = line_dates(line, zones)
            kept = [
                text
                for text, (moment, _) in zip(texts_, dates, strict=True)
                if times.like_start(moment, zones) < epoch
            ]
            if not kept:
                master.remove(line)
            elif len(kept) < len(texts_):
                master.replace(line, line.with_value(",".join(kept)))
    except ICalError as error:
        reason = error.reason
        raise InvalidError(f"this series cannot be ended: {reason}") from error


def is_range(component: Component) -> bool:
    """Whether an override stands for its instance and all that follow it (RFC 5545 §3.2.13)."""
    line = component.first("RECURRENCE-ID")
    return line is not None and (line.param("RANGE") or "").strip().upper() == "THISANDFUTURE"


def alone(whole: Component, component: Component) -> Component:
    """A text of its own for one component of an object, with the time zones it refers to.

    Args:
        whole: the object's text.
        component: an override, or an instance made of the master.

    Returns:
        A new VCALENDAR.
    """
    wanted = set(texts.zones_named([component]))
    zones = [zone for zone in whole.children("VTIMEZONE") if (zone.value("TZID") or "") in wanted]
    head = [line for line in whole.lines if line.name != "METHOD"]
    return texts.assemble(head, zones, [component])
