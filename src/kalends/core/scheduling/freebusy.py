"""When several people are free: the answer to a free/busy request (RFC 6638 §5, RFC 5546 §3.3, RFC 7953)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kalends.core import agendas, freebusy
from kalends.core.access import rights
from kalends.core.defaults import PRODID
from kalends.core.errors import InvalidError
from kalends.core.freebusy import MAX_DAYS, Span, merged, without
from kalends.core.model import Caller, Target
from kalends.core.people import availability
from kalends.core.scheduling.people import People, Person
from kalends.ical.component_times import line_moment
from kalends.ical.errors import ICalError
from kalends.ical.moment import DAY, parse_duration
from kalends.ical.occurrences import occurrences
from kalends.ical.tree import Component, Line, parse
from kalends.ical.values import normal_address
from kalends.ical.zones import Zones
from kalends.store import calendars, principals
from kalends.store.base import Tx

SUCCESS = "2.0;Success"
UNKNOWN = "3.7;Invalid calendar user"
NO_AUTHORITY = "3.8;No authority"
MAX_ASKED = 1_000
"""Recipients of one free/busy request."""
MAX_AVAILABLE = 10_000
"""Stretches of availability that are looked at."""
_TYPES = ("BUSY-TENTATIVE", "BUSY-UNAVAILABLE", "BUSY")
"""BUSYTYPEs, weakest first (RFC 7953 §4)."""


@dataclass(frozen=True, slots=True)
class FreeBusyAnswer:
    """What one recipient of a free/busy request answers.

    Attributes:
        recipient: their address, as it was asked for.
        status: a REQUEST-STATUS in iTIP's words: 2.0, 3.7 or 3.8.
        message: a VCALENDAR with METHOD:REPLY and the VFREEBUSY; None without success.
    """

    recipient: str
    status: str
    message: Component | None


def schedule_freebusy(
    tx: Tx,
    caller: Caller,
    organizer: str,
    attendees: Sequence[str],
    lo: int,
    hi: int,
    *,
    uid: str = "",
) -> list[FreeBusyAnswer]:
    """Ask when people are busy.

    Args:
        tx: a transaction.
        caller: who asks; what they may see of each calendar's times decides.
        organizer: the ORGANIZER of the request.
        attendees: the addresses asked for.
        lo: start of the range, seconds UTC.
        hi: its end, not included.
        uid: the request's UID, which the answers repeat.

    Returns:
        One answer per recipient, in order.

    Raises:
        InvalidError: no range, one of more than five years, or too many recipients.

    Source: RFC 6638 §5; RFC 5546 §3.3.2, §3.3.3; RFC 7953 §5, §7.2.5.
    """
    if not lo < hi:
        raise InvalidError("a free/busy request needs a range with an end after its start")
    if hi - lo > MAX_DAYS * DAY:
        raise InvalidError(f"free/busy is told for at most {MAX_DAYS} days at once")
    if len(attendees) > MAX_ASKED:
        raise InvalidError(f"a free/busy request has at most {MAX_ASKED} recipients")
    people = People(tx)
    answers: list[FreeBusyAnswer] = []
    for who in attendees:
        person = people.at(normal_address(who))
        if person is None:
            answers.append(FreeBusyAnswer(who, UNKNOWN, None))
            continue
        found = _of(tx, caller, person, lo, hi)
        if found is None:
            answers.append(FreeBusyAnswer(who, NO_AUTHORITY, None))
            continue
        answers.append(FreeBusyAnswer(who, SUCCESS, _reply(found, organizer, who, uid)))
    return answers


def free_busy_of(tx: Tx, caller: Caller, upn: str, lo: int, hi: int) -> Component | None:
    """When one person is busy, over all of their calendars that the caller may ask about.

    Args:
        tx: a transaction.
        caller: who asks.
        upn: whom about.
        lo: start of the range, seconds UTC.
        hi: its end, not included; at most `MAX_DAYS` later.

    Returns:
        A VFREEBUSY; None for nobody, and for somebody whose times the caller may not know.
    """
    person = People(tx).at(f"mailto:{upn}")
    return None if person is None else _of(tx, caller, person, lo, hi)


def _reply(found: Component, organizer: str, who: str, uid: str) -> Component:
    found.items[:0] = [
        Line.make("UID", uid or f"freebusy-{normal_address(who)}"),
        Line.make("ORGANIZER", organizer),
        Line.make("ATTENDEE", who),
    ]
    made = Component("VCALENDAR")
    made.add("VERSION", "2.0")
    made.add("PRODID", PRODID)
    made.add("METHOD", "REPLY")
    made.items.append(found)
    return made


def _of(tx: Tx, caller: Caller, person: Person, lo: int, hi: int) -> Component | None:
    """One person's VFREEBUSY over all calendars whose times the caller may see; None when there is none."""
    busy: list[Span] = []
    tentative: list[Span] = []
    seen = False
    asked: list[int] = []
    for calendar in calendars.every(tx, person.row.id):
        if rights.privileges(tx, caller, calendar.id).free_busy:
            seen = True
            if not agendas.makes_busy(agendas.properties(tx, calendar)):
                continue
            asked.append(calendar.id)
            place = Target(calendar.calid, calendar.id, calendar.calid)
            some, maybe = freebusy.busy_spans(tx, caller, place, lo, hi)
            busy += some
            tentative += maybe
    if not seen:
        return None
    held = availability.in_calendars(tx, asked)
    own = availability_of(tx, person)
    if held is not None and own is not None:
        availability.join(held, own)
    away = unavailable(held or own, lo, hi, caller.default_tz or caller.policy.default_tz)
    busy = merged([*busy, *away["BUSY"]], lo, hi)
    out = without(merged(away["BUSY-UNAVAILABLE"], lo, hi), busy)
    tentative = without(merged([*tentative, *away["BUSY-TENTATIVE"]], lo, hi), merged([*busy, *out], lo, hi))
    return freebusy.component(caller, lo, hi, busy, tentative, out)


def availability_of(tx: Tx, person: Person) -> Component | None:
    """The VCALENDAR with a person's VAVAILABILITY components (CALDAV:calendar-availability), or None."""
    held = principals.availability(tx, person.row.id)
    return None if held is None else parse(held)


def unavailable(whole: Component | None, lo: int, hi: int, zone_name: str) -> dict[str, list[Span]]:
    """When somebody is not there, by BUSYTYPE.

    Args:
        whole: a VCALENDAR with VAVAILABILITY components; None for somebody who is always there.
        lo: start of the range, seconds UTC.
        hi: its end.
        zone_name: the zone of floating times.

    Returns:
        Merged spans for each of BUSY-TENTATIVE, BUSY-UNAVAILABLE and BUSY; none overlaps another.

    Source: RFC 7953 §4, §5.
    """
    found: dict[str, list[Span]] = {name: [] for name in _TYPES}
    if whole is None:
        return found
    zones = Zones(whole)
    for part in sorted(whole.children("VAVAILABILITY"), key=_rank):
        covered = _range(part, zones, lo, hi)
        if covered is None:
            continue
        free = merged(_available(whole, part, covered, zones, zone_name), *covered)
        away = without([covered], free)
        for name in _TYPES:
            found[name] = without(found[name], [covered])
        name = _busy_type(part)
        found[name] = merged([*found[name], *away], lo, hi)
    return found


def _busy_type(part: Component) -> str:
    name = (part.value("BUSYTYPE") or "").strip().upper()
    return name if name in _TYPES else "BUSY-UNAVAILABLE"


def _rank(part: Component) -> tuple[int, int]:
    """Lowest priority first (0, then 9 down to 1), and the weaker busy type first."""
    text = (part.value("PRIORITY") or "0").strip()
    priority = int(text) if text.isascii() and text.isdigit() and len(text) < 3 else 0
    return 0 if priority == 0 else 10 - min(priority, 9), _TYPES.index(_busy_type(part))


def _range(part: Component, zones: Zones, lo: int, hi: int) -> Span | None:
    """What of the asked range a VAVAILABILITY is about; None for nothing."""
    try:
        start, end, length = part.first("DTSTART"), part.first("DTEND"), part.value("DURATION")
        begin = lo if start is None else zones.to_epoch(line_moment(start))
        stop = hi if end is None else zones.to_epoch(line_moment(end))
        if start is not None and end is None and length:
            stop = begin + parse_duration(length).total
    except ICalError:
        return None  # its dates cannot be read: it is about nothing
    begin, stop = max(lo, begin), min(hi, stop)
    return (begin, stop) if begin < stop else None


def _available(
    whole: Component, part: Component, covered: Span, zones: Zones, zone_name: str
) -> Iterable[Span]:
    """The stretches in which AVAILABLE components say that somebody is there: they recur as events do."""
    likened = Component("VCALENDAR", [*whole.children("VTIMEZONE")])
    likened.items += [Component("VEVENT", list(one.items)) for one in part.children("AVAILABLE")]
    zone = zones.zone(zone_name)
    lo, hi = covered
    try:
        for one in occurrences(likened, lo - DAY, hi + DAY, limit=MAX_AVAILABLE):
            if one.floating and zone is not None:
                yield zone.epoch(one.start), zone.epoch(one.end)
            else:
                yield one.start, one.end
    except ICalError:
        return  # what cannot be read is no time in which somebody is there
