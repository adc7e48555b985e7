"""What collection synchronisation needs (RFC 6578 §4), and its elder, the CTag."""

from __future__ import annotations

from kalends.dav import sync_tokens
from kalends.dav.context import Context
from kalends.dav.properties.base import Property, register
from kalends.dav.resources import Calendar, Resource
from kalends.dav.xmlwrite import CALENDARSERVER, DAV
from kalends.store.base import Tx


@register
class SyncToken(Property):
    """The token of a calendar as it is now (RFC 6578 §4)."""

    name = f"{DAV}sync-token"
    on = ("calendar",)

    def get(self, tx: Tx, context: Context, resource: Resource) -> str | None:
        """The token."""
        return sync_tokens.write(resource.row) if isinstance(resource, Calendar) else None


@register
class GetCTag(Property):
    """A tag that changes with anything in the calendar (CalendarServer's caldav-ctag)."""

    name = f"{CALENDARSERVER}getctag"
    on = ("calendar",)

    def get(self, tx: Tx, context: Context, resource: Resource) -> str | None:
        """The sync token says the same."""
        return sync_tokens.write(resource.row) if isinstance(resource, Calendar) else None
