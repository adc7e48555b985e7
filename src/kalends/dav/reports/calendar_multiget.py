"""C:calendar-multiget: calendar objects by their paths (RFC 4791 §7.9)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from kalends.dav import paths, xmlwrite
from kalends.dav.answers import Answers
from kalends.dav.context import Context
from kalends.dav.errors import DavError
from kalends.dav.messages import Response
from kalends.dav.paths import Address
from kalends.dav.reports.asking import ask_of_objects, multistatus, too_many, zoned
from kalends.dav.reports.base import Report, register
from kalends.dav.reports.calendar_query import floating_zone
from kalends.dav.resources import Calendar, CalendarObject, Home, Resource, find
from kalends.dav.xmlread import Element
from kalends.dav.xmlwrite import CALDAV, DAV
from kalends.store import listings
from kalends.store.base import Tx
from kalends.store.objects import ObjectRow
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
    on = ("calendar", "home", "object")

    def parse(self, element: Element, context: Context) -> None:
        """Read the paths and what is wanted of each object; the Depth does not matter."""
        self.ask, self.data = ask_of_objects(element, context)
        written = list(dict.fromkeys(one.text.strip() for one in element.all(f"{DAV}href")))
        if not written:
            raise DavError(400, None, "A C:calendar-multiget names at least one D:href.")
        if len(written) > MAX_HREFS:
            raise too_many(f"A C:calendar-multiget names at most {MAX_HREFS} paths.")
        self.named = [_read(href, context) for href in written]

    def run(self, tx: Tx, context: Context, resource: Resource) -> Response:
        """Look the objects up, a page with one statement."""
        if isinstance(resource, CalendarObject) and len(self.named) != 1:
            raise DavError(400, None, "On a calendar object, its own path is the one that can be asked for.")
        return multistatus(context, self._rows(tx, context, resource))

    def _rows(self, tx: Tx, context: Context, resource: Resource) -> Iterator[str]:
        places: dict[tuple[str, str], _Place | None] = {}
        for page in chunks(self.named, PAGE):
            groups: dict[tuple[str, str], list[str]] = {}
            for one in page:
                if one.member:
                    groups.setdefault((one.home, one.calendar), []).append(one.member)
            found: dict[tuple[str, str], dict[str, ObjectRow]] = {}
            for key, names in groups.items():
                if key not in places:
                    places[key] = self._place(tx, context, resource, key)
                place = places[key]
                if place is not None:
                    found[key] = listings.by_names(tx, place.calendar.row.id, names)
            for one in page:
                place = places.get((one.home, one.calendar))
                row = None if place is None else found[one.home, one.calendar].get(one.member)
                yield self._row(tx, context, one.path, place, row)

    def _row(self, tx: Tx, context: Context, path: str, place: _Place | None, row: ObjectRow | None) -> str:
        seen = None if place is None or row is None else place.calendar.object(tx, context, row)
        if place is None or seen is None:
            return xmlwrite.status_response(path, 404)
        seen.path = path
        return place.answers.row(seen)

    def _place(self, tx: Tx, context: Context, resource: Resource, key: tuple[str, str]) -> _Place | None:
        """The calendar a path lies in, when it is the one asked or lies below; None else."""
        found = find(tx, context, Address("calendars", *key, None, True))
        if not isinstance(found, Calendar) or not _is_below(found, resource):
            return None
        ask = self.ask
        if self.data is not None and not self.data.wanted.plain:
            ask = zoned(ask, self.data, floating_zone(tx, context, found))
        return _Place(found, Answers(tx, context, ask))


class _Place(NamedTuple):
    calendar: Calendar
    answers: Answers


def _is_below(calendar: Calendar, resource: Resource) -> bool:
    if isinstance(resource, CalendarObject):
        return resource.calendar.row.id == calendar.row.id
    if isinstance(resource, Calendar):
        return resource.row.id == calendar.row.id
    return isinstance(resource, Home) and resource.row.id == calendar.home.row.id


def _read(href: str, context: Context) -> _Named:
    """A path of the request, in any encoding, absolute or with scheme and host (RFC 4918 §8.3)."""
    try:
        path = context.local_path(href)
        if path is None:
            return _Named(href)
        address = paths.read(path)
    except DavError:
        return _Named(href)
    written = f"{context.prefix}{path}"
    if address.area != "calendars" or not (address.principal and address.calendar and address.member):
        return _Named(written)
    return _Named(written, address.principal, address.calendar, address.member)
