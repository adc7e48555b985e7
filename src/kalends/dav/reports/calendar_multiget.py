"""C:calendar-multiget: calendar objects by their paths (RFC 4791 §7.9)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from kalends.dav import paths, xmlwrite
from kalends.dav.answers import Answers
from kalends.dav.context import Context
from kalends.dav.errors import DavError
from kalends.dav.finding import find
from kalends.dav.messages import Response
from kalends.dav.paths import Address
from kalends.dav.reports.asking import (
    Quick,
    ask_of_objects,
    multistatus,
    placed,
    too_many,
    zoned,
)
from kalends.dav.reports.base import Report, register
from kalends.dav.reports.calendar_query import floating_zone
from kalends.dav.resources import Calendar, CalendarObject, Home, Inbox, Resource
from kalends.dav.xmlread import Element
from kalends.dav.xmlwrite import CALDAV, DAV
from kalends.store import listings
from kalends.store.base import Tx
from kalends.store.sqltext import chunks

MAX_HREFS: Final = 50_000
"""Paths in one request."""
PAGE: Final = 500
"""Objects fetched with one statement: their texts are in memory together."""


class _Named(NamedTuple):
    """A path of the request.

    Attributes:
        path: as the client wrote it, without scheme and host: so it knows it again.
        home, calendar, member: what it names; '' for what is no path of an object here.
    """

    path: str
    home: str = ""
    calendar: str = ""
    member: str = ""


@register
class CalendarMultiget(Report):
    """Answers with the objects that are there and with 404 for those that are not, in the order asked."""

    name = f"{CALDAV}calendar-multiget"
    on = ("calendar", "home", "object", "inbox")

    def parse(self, element: Element, context: Context) -> None:
        """Read the paths and what is wanted of each object; the Depth does not matter."""
        self.ask, self.data = ask_of_objects(element, context)
        written = list(dict.fromkeys(one.text.strip() for one in element.all(f"{DAV}href")))
        if not written:
            raise DavError(400, None, "A C:calendar-multiget names at least one D:href.")
        if len(written) > MAX_HREFS:
            raise too_many(f"A C:calendar-multiget names at most {MAX_HREFS} paths.")
        read = _Reader(context)
        self.named = [read(href) for href in written]

    def run(self, tx: Tx, context: Context, resource: Resource) -> Response:
        """Look the objects up, a page with one statement."""
        if isinstance(resource, CalendarObject) and len(self.named) != 1:
            raise DavError(400, None, "On a calendar object, its own path is the one that can be asked for.")
        if isinstance(resource, Inbox):
            return multistatus(context, self._messages(tx, context, resource))
        return multistatus(context, self._rows(tx, context, resource))

    def _messages(self, tx: Tx, context: Context, inbox: Inbox) -> Iterator[str]:
        """Messages of an inbox (RFC 6638 §2.3)."""
        there = {one.row.name: one for one in inbox.messages(tx, context)}
        answers = Answers(tx, context, self.ask)
        for one in self.named:
            here = one.calendar == paths.INBOX and one.home == context.address.principal
            found = there.get(one.member) if here else None
            if found is None:
                yield xmlwrite.status_response(one.path, 404)
            else:
                found.path = one.path
                yield answers.row(found)

    def _rows(self, tx: Tx, context: Context, resource: Resource) -> Iterator[str]:
        places: dict[tuple[str, str], _Place | None] = {}
        for page in chunks(self.named, PAGE):
            groups: dict[tuple[str, str], list[_Named]] = {}
            for one in page:
                groups.setdefault((one.home, one.calendar), []).append(one)
            told: dict[str, str] = {}
            for key, named in groups.items():
                if key not in places:
                    places[key] = self._place(tx, context, resource, key)
                place = places[key]
                if place is not None:
                    told |= place.rows(tx, context, named)
            for one in page:
                yield told.get(one.path) or xmlwrite.status_response(one.path, 404)

    def _place(self, tx: Tx, context: Context, resource: Resource, key: tuple[str, str]) -> _Place | None:
        """The calendar a path lies in, when it is the one asked or lies below; None else."""
        if not key[1]:
            return None
        address = context.address
        if isinstance(resource, Calendar) and key == (address.principal, address.calendar):
            found: Resource | None = resource
        else:
            found = find(tx, context, Address("calendars", *key, None, True))
        if not isinstance(found, Calendar) or not _is_below(found, resource):
            return None
        zone = None
        if self.data is not None and not self.data.wanted.plain:
            zone = floating_zone(tx, context, found)
        quick = Quick.of(self.ask, placed(self.data, zone)) if found.sight(tx, context).whole else None
        return _Place(found, Answers(tx, context, zoned(self.ask, self.data, zone)), quick)


class _Place(NamedTuple):
    """A calendar, and how its objects are answered."""

    calendar: Calendar
    answers: Answers
    quick: Quick | None

    def rows(self, tx: Tx, context: Context, named: list[_Named]) -> dict[str, str]:
        """The rows of what is there and may be seen, by path."""
        calendar, quick = self.calendar, self.quick
        names = [one.member for one in named]
        told: dict[str, str] = {}
        if quick is not None:
            texts = listings.texts_by_names(tx, calendar.row.id, names)
            for one in named:
                if one.member in texts:
                    told[one.path] = quick.row(xmlwrite.text(one.path), *texts[one.member][1:])
            return told
        found = listings.by_names(tx, calendar.row.id, names)
        for one in named:
            seen = calendar.object(tx, context, found[one.member]) if one.member in found else None
            if seen is not None:
                seen.path = one.path
                told[one.path] = self.answers.row(seen)
        return told


def _is_below(calendar: Calendar, resource: Resource) -> bool:
    if isinstance(resource, CalendarObject):
        return resource.calendar.row.id == calendar.row.id
    if isinstance(resource, Calendar):
        return resource.row.id == calendar.row.id
    return isinstance(resource, Home) and resource.row.id == calendar.home.row.id


class _Reader:
    """Reads paths in any encoding, absolute or with scheme and host (RFC 4918 §8.3)."""

    def __init__(self, context: Context) -> None:
        self.context = context
        address = context.address
        self.home, self.calendar = address.principal or "", address.calendar or ""
        inside = address.area == "calendars" and address.calendar is not None and address.member is None
        self.base = f"{context.prefix}{context.request.path.rstrip('/')}/" if inside else ""

    def __call__(self, href: str) -> _Named:
        """What a path names."""
        if self.base and href.startswith(self.base):  # as nearly all do
            segment = href[len(self.base) :]
            if paths.is_plain(segment):
                return _Named(href, self.home, self.calendar, segment)
        try:
            path = self.context.local_path(href)
            if path is None:
                return _Named(href)
            address = paths.read(path)
        except DavError:
            return _Named(href)
        written = f"{self.context.prefix}{path}"
        if address.area != "calendars" or not (address.principal and address.calendar and address.member):
            return _Named(written)
        return _Named(written, address.principal, address.calendar, address.member)
