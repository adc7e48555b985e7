"""C:calendar-query: the calendar objects that a filter selects (RFC 4791 §7.8)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, cast

from kalends.calquery.tree import Condition
from kalends.core import floating
from kalends.core import resources as found_resources
from kalends.dav.answers import Answers
from kalends.dav.context import Context
from kalends.dav.errors import DavError
from kalends.dav.filters import invalid, read_filter
from kalends.dav.messages import Response
from kalends.dav.paths import encode
from kalends.dav.reports.asking import (
    Quick,
    ask_of_objects,
    cut_short,
    limit_of,
    multistatus,
    placed,
    zoned,
)
from kalends.dav.reports.base import Report, register
from kalends.dav.resources import Calendar, CalendarObject, Home, Inbox, Resource
from kalends.dav.xmlread import Element
from kalends.dav.xmlwrite import CALDAV
from kalends.ical.errors import ICalError
from kalends.ical.tree import parse
from kalends.ical.tzfile import Zone
from kalends.ical.zones import Zones
from kalends.store import listings
from kalends.store.base import Tx
from kalends.store.objects import ObjectRow

MAX_ZONE: Final = 100_000
"""Characters of the time zone a request may bring along."""
_UTC: Final = frozenset(("UTC", "Etc/UTC", "Z", "GMT"))


@register
class CalendarQuery(Report):
    """Finds objects by a filter; the search is the store's, not a walk through the collection."""

    name = f"{CALDAV}calendar-query"
    on = ("calendar", "home", "object", "inbox")

    def parse(self, element: Element, context: Context) -> None:
        """Read the filter, the time zone and what is wanted of each object."""
        self.depth = context.depth("0")
        self.ask, self.data = ask_of_objects(element, context)
        self.limit = limit_of(element)
        given = element.all(f"{CALDAV}filter")
        if len(given) != 1:
            raise invalid("A C:calendar-query holds one C:filter.")
        self.condition: Condition | None = read_filter(given[0], context.caller.policy)
        self.zoned, self.zone = zone_of(element)

    def run(self, tx: Tx, context: Context, resource: Resource) -> Response:
        """Search first, so that a refusal comes before the first row; then write row after row."""
        if isinstance(resource, Inbox):
            return self._messages(tx, context, resource)
        room = min(self.limit or context.caller.policy.max_results, context.caller.policy.max_results)
        found: list[tuple[Calendar, list[int], Zone | None]] = []
        cut = False
        for calendar in self._calendars(tx, context, resource):
            zone = self.zone if self.zoned else floating_zone(tx, context, calendar)
            ids = found_resources.matching(tx, context.caller, calendar.row.id, self.condition, zone=zone)
            if isinstance(resource, CalendarObject):
                ids = [one for one in ids if one == resource.row.id]
            cut = cut or len(ids) > room
            found.append((calendar, ids[:room], zone))
            room -= len(ids[:room])
        rows = self._rows(tx, context, found)
        return multistatus(context, _and(rows, cut_short(resource.path)) if cut else rows)

    def _messages(self, tx: Tx, context: Context, inbox: Inbox) -> Response:
        """The messages of an inbox; there are few (RFC 6638 §2.3)."""
        there = inbox.messages(tx, context) if self.depth != "0" else []
        default = inbox.calendar(tx, context)
        zone = self.zone
        if not self.zoned:
            zone = None if default is None else floating_zone(tx, context, default)
        rows = [cast("ObjectRow", one.row) for one in there]
        chosen = {row.id for row in found_resources.among(rows, self.condition, zone=zone)}
        found = [one for one in there if one.row.id in chosen]
        answers = Answers(tx, context, zoned(self.ask, self.data, zone))
        told = answers.rows(found[: self.limit])
        cut = self.limit is not None and len(found) > self.limit
        return multistatus(context, _and(told, cut_short(inbox.path)) if cut else told)

    def _calendars(self, tx: Tx, context: Context, resource: Resource) -> list[Calendar]:
        """Where to look, by Depth: the objects are the members of calendars."""
        if isinstance(resource, CalendarObject):
            return [resource.calendar]
        if isinstance(resource, Calendar):
            return [resource] if self.depth != "0" else []
        if isinstance(resource, Home) and self.depth == "infinity":
            return [one for one in resource.members(tx, context) if isinstance(one, Calendar)]
        return []

    def _rows(
        self, tx: Tx, context: Context, found: list[tuple[Calendar, list[int], Zone | None]]
    ) -> Iterator[str]:
        for calendar, ids, zone in found:
            quick = Quick.of(self.ask, placed(self.data, zone))
            if quick is not None and calendar.sight(tx, context).whole:
                texts = listings.texts(tx, ids, with_text=self.data is not None)
                yield from (quick.row(calendar.path + encode(name), tag, ics) for name, tag, ics in texts)
                continue
            answers = Answers(tx, context, zoned(self.ask, self.data, zone))
            rows = found_resources.rows(tx, ids)
            seen = (calendar.object(tx, context, row) for row in rows)
            yield from answers.rows(one for one in seen if one is not None)


def _and(rows: Iterator[str], last: str) -> Iterator[str]:
    yield from rows
    yield last


def floating_zone(tx: Tx, context: Context, calendar: Calendar) -> Zone | None:
    """The zone of floating times in a calendar: its own, else the store's; None for UTC (RFC 4791 §7.3)."""
    return floating.zone_of(tx, context.caller, calendar.row.id)


def named_zone(name: str) -> Zone | None:
    """A zone by its name; None for UTC and for what nobody knows."""
    return None if name in _UTC else Zones().zone(name)


def zone_of(element: Element) -> tuple[bool, Zone | None]:
    """The time zone that a request brings along, by definition or by name.

    Returns:
        Whether there is one, and the zone; None for UTC.

    Raises:
        DavError: 403 with valid-calendar-data or valid-timezone.

    Source: RFC 4791 §7.8, §9.8; RFC 7809 §6.1, §6.2.
    """
    defined, named = element.child(f"{CALDAV}timezone"), element.child(f"{CALDAV}timezone-id")
    if defined is not None and named is not None:
        raise DavError(400, None, "C:timezone and C:timezone-id exclude each other.")
    if named is not None:
        name = named.text.strip()
        zone = named_zone(name)
        if zone is None and name not in _UTC:
            raise DavError(403, f"{CALDAV}valid-timezone", "C:timezone-id is a name of the IANA database.")
        return True, zone
    return (False, None) if defined is None else (True, _defined(defined.text))


def _defined(text: str) -> Zone | None:
    sentence = "C:timezone is a calendar object with one VTIMEZONE."
    broken = DavError(403, f"{CALDAV}valid-calendar-data", sentence)
    if len(text) > MAX_ZONE:
        raise broken
    try:
        whole = parse(text.strip().replace("\r\n", "\n").replace("\n", "\r\n") + "\r\n")
        found = whole.components
        if whole.name != "VCALENDAR" or len(found) != 1 or found[0].name != "VTIMEZONE":
            raise broken
        name = found[0].value("TZID") or ""
        zone = Zones(whole).zone(name)
    except ICalError as error:
        raise broken from error
    if zone is None and name not in _UTC:
        raise broken
    return zone
