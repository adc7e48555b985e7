"""Time zones by reference (RFC 7809 §5)."""

from __future__ import annotations

from kalends.core import agendas
from kalends.dav import xmlwrite
from kalends.dav.context import Context
from kalends.dav.drafts import Draft
from kalends.dav.errors import DavError
from kalends.dav.properties.base import Property, register
from kalends.dav.properties.rfc4791 import set_zone
from kalends.dav.resources import Calendar, Resource
from kalends.dav.tzdist import CONTEXT
from kalends.dav.xmlread import Element
from kalends.dav.xmlwrite import CALDAV
from kalends.ical.zones import iana_name
from kalends.store.base import Tx


@register
class CalendarTimezoneId(Property):
    """The zone of a calendar by its name (RFC 7809 §5.2)."""

    name = f"{CALDAV}calendar-timezone-id"
    on = ("calendar",)
    protected = False

    def get(self, tx: Tx, context: Context, resource: Resource) -> str | None:
        """The first of DEFAULT-TZID."""
        names = agendas.time_zones(resource.seen(tx, context)) if isinstance(resource, Calendar) else []
        return xmlwrite.text(names[0]) if names else None

    def set(self, context: Context, draft: Draft, element: Element | None) -> None:
        """Choose a zone of the IANA database."""
        if element is None:
            set_zone(draft, context.caller.policy.default_tz)
            return
        name = iana_name(element.text.strip())
        if name is None:
            raise DavError(403, f"{CALDAV}valid-timezone", "A zone of the IANA time zone database is needed.")
        set_zone(draft, name)


@register
class TimezoneServiceSet(Property):
    """Where clients can fetch time zones (RFC 7809 §5.1): the service of this very server."""

    name = f"{CALDAV}timezone-service-set"
    on = ("home",)

    def get(self, tx: Tx, context: Context, resource: Resource) -> str | None:
        """The context path of the service, absolute as RFC 7809's own example has it."""
        return xmlwrite.href(f"{context.request.origin}{context.prefix}/{CONTEXT}")
