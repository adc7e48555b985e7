"""Properties of WebDAV itself (RFC 4918 §15)."""

from __future__ import annotations

from kalends.core import agendas
from kalends.dav import drafts, xmlwrite
from kalends.dav.context import Context
from kalends.dav.dates import http_date, iso_date
from kalends.dav.drafts import Draft
from kalends.dav.errors import DavError
from kalends.dav.principals import Principal, Proxy
from kalends.dav.properties.base import COLLECTIONS, Property, register
from kalends.dav.resources import Calendar, CalendarObject, Home, Resource
from kalends.dav.xmlread import Element
from kalends.dav.xmlwrite import DAV
from kalends.ical.errors import ICalError
from kalends.ical.moment import parse_moment
from kalends.ical.tree import Component, Line
from kalends.ical.values import escape_text, unescape_text
from kalends.ical.zones import Zones
from kalends.store.base import Tx

MAX_NAME = 1_000
"""Characters of a name for people: longer ones are a mistake."""
_TITLES = {
    "root": "Kalends",
    "principals": "Principals",
    "homes": "Calendars",
    "inbox": "Inbox",
    "outbox": "Outbox",
}


def named(held: Component) -> Line | None:
    """The NAME a DAV client sees: the one without a LANGUAGE, else the first."""
    found = held.all("NAME")
    return next((line for line in found if not line.params), found[0] if found else None)


@register
class ResourceType(Property):
    """What kind of thing it is (RFC 4918 §15.9)."""

    name = f"{DAV}resourcetype"
    allprop = True

    def get(self, tx: Tx, context: Context, resource: Resource) -> str | None:
        """The types of its class; CS:subscribed for a calendar that comes from elsewhere."""
        if isinstance(resource, Calendar) and resource.held(tx).first(agendas.SOURCE) is not None:
            return "<D:collection/><CS:subscribed/>"
        return resource.types_in(tx)


@register
class DisplayName(Property):
    """The name for people (RFC 4918 §15.2): NAME of a VAGENDA."""

    name = f"{DAV}displayname"
    on = COLLECTIONS
    allprop = True
    protected = False
    spoken = True

    def get(self, tx: Tx, context: Context, resource: Resource) -> str | None:
        """NAME, or what stands for it."""
        if isinstance(resource, Calendar):
            line = named(resource.seen(tx, context))
            return xmlwrite.text(unescape_text(line.value) if line is not None else resource.row.slug or "")
        if isinstance(resource, Principal | Home):
            return xmlwrite.text(resource.row.name)
        if isinstance(resource, Proxy):
            return xmlwrite.text(f"{'Write' if resource.write else 'Read'} delegates of {resource.row.name}")
        return _TITLES.get(resource.kind)

    def language(self, tx: Tx, context: Context, resource: Resource) -> str | None:
        """LANGUAGE of the NAME."""
        line = named(resource.seen(tx, context)) if isinstance(resource, Calendar) else None
        return None if line is None else drafts.language_of(line)

    def set(self, context: Context, draft: Draft, element: Element | None) -> None:
        """Set NAME; names in other languages stay as they are.

        Raises:
            DavError: 409 for one that is too long.
        """
        if draft.held is None:
            super().set(context, draft, element)
        elif element is None:
            draft.wire("NAME", None)
        elif len(element.text) > MAX_NAME:
            raise DavError(409, None, f"A name has at most {MAX_NAME} characters.")
        else:
            _rename(draft.held, element)


def _rename(held: Component, element: Element) -> None:
    """Put a new NAME in the first place, so that it is the one that is shown."""
    shown, names = named(held), held.all("NAME")
    params = drafts.language_params(element)
    if not params and shown is not None and len(names) > 1:  # each needs its own (RFC 4324 §8.23)
        params = tuple(shown.params)
    made = drafts.line_of("NAME", escape_text(element.text), params)
    language = (drafts.language_of(made) or "").lower()
    gone = [line for line in names if line is shown or (drafts.language_of(line) or "").lower() == language]
    at = held.items.index(names[0]) if names else drafts.after_lines(held)
    for line in gone:
        held.remove(line)
    held.items.insert(at, made)


@register
class CreationDate(Property):
    """When it was made (RFC 4918 §15.1)."""

    name = f"{DAV}creationdate"
    on = ("calendar", "object", "message")
    allprop = True

    def get(self, tx: Tx, context: Context, resource: Resource) -> str | None:
        """Of the row; of a calendar its CREATED."""
        if isinstance(resource, CalendarObject):
            return None if resource.created_at is None else iso_date(resource.created_at)
        if isinstance(resource, Calendar):
            return _stamp(resource.seen(tx, context).value("CREATED"))
        return None


def _stamp(value: str | None) -> str | None:
    try:
        return None if value is None else iso_date(Zones().to_epoch(parse_moment(value)))
    except ICalError:
        return None


@register
class GetLastModified(Property):
    """When it was last changed (RFC 4918 §15.7)."""

    name = f"{DAV}getlastmodified"
    on = ("calendar", "object", "message")
    allprop = True

    def get(self, tx: Tx, context: Context, resource: Resource) -> str | None:
        """Of the row; of a calendar the last change of anything in it, for who may see LAST-MODIFIED."""
        if isinstance(resource, CalendarObject):
            return None if resource.changed_at is None else http_date(resource.changed_at)
        at = last_change(tx, context, resource) if isinstance(resource, Calendar) else None
        return None if at is None else http_date(at)


def last_change(tx: Tx, context: Context, calendar: Calendar) -> int | None:
    """When anything in a calendar was last changed, seconds UTC; None for who may not see LAST-MODIFIED."""
    if calendar.seen(tx, context).first("LAST-MODIFIED") is None:
        return None
    value = agendas.changed_at(tx, calendar.row.id, calendar.held(tx))
    return Zones().to_epoch(parse_moment(value)) if value else None


@register
class GetETag(Property):
    """The entity tag, strong: it stands for the octets (RFC 4918 §15.6)."""

    name = f"{DAV}getetag"
    on = ("object", "message")
    allprop = True

    def get(self, tx: Tx, context: Context, resource: Resource) -> str | None:
        """The ETag of the row, in quotes."""
        return resource.etag if isinstance(resource, CalendarObject) else None


@register
class GetContentType(Property):
    """The media type a GET answers with (RFC 4918 §15.5)."""

    name = f"{DAV}getcontenttype"
    on = ("object", "message")
    allprop = True

    def get(self, tx: Tx, context: Context, resource: Resource) -> str | None:
        """With the component, so that a client need not look inside (RFC 5545 §8.1)."""
        return content_type(resource.row.kind) if isinstance(resource, CalendarObject) else None


def content_type(kind: str) -> str:
    """The Content-Type of an object of one kind."""
    return f"text/calendar; charset=utf-8; component={kind}"


@register
class GetContentLength(Property):
    """Octets of what a GET answers with (RFC 4918 §15.4)."""

    name = f"{DAV}getcontentlength"
    on = ("object", "message")
    allprop = True

    def get(self, tx: Tx, context: Context, resource: Resource) -> str | None:
        """The size of the text."""
        return str(resource.octets(tx)) if isinstance(resource, CalendarObject) else None
