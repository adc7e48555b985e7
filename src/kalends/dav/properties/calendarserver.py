"""Calendars that are subscribed to: kept for clients, which fetch them by themselves (CalendarServer)."""

from __future__ import annotations

import re

from kalends.core.agendas import SOURCE
from kalends.dav import xmlwrite
from kalends.dav.context import Context
from kalends.dav.drafts import Draft
from kalends.dav.errors import DavError
from kalends.dav.properties.base import Property, register
from kalends.dav.resources import Calendar, Resource
from kalends.dav.xmlread import Element
from kalends.dav.xmlwrite import CALENDARSERVER
from kalends.ical.values import unescape_text
from kalends.store.base import Tx

MAX_SOURCE = 4_000
"""Characters of an address."""
_ADDRESS = re.compile(r"(?:https?|webcals?)://[^\s<>\"\x00-\x1f]+\Z", re.IGNORECASE)


@register
class Source(Property):
    """Where a subscribed calendar comes from. The server never fetches it."""

    name = f"{CALENDARSERVER}source"
    on = ("calendar",)
    protected = False

    def get(self, tx: Tx, context: Context, resource: Resource) -> str | None:
        """A D:href."""
        value = resource.seen(tx, context).value(SOURCE) if isinstance(resource, Calendar) else None
        return None if value is None else xmlwrite.href(unescape_text(value))

    def set(self, context: Context, draft: Draft, element: Element | None) -> None:
        """Keep an address; only a calendar that was made with one has one."""
        if not draft.made and draft.agenda.first(SOURCE) is None:
            raise DavError(403, None, "A calendar is subscribed to from its beginning, or not at all.")
        if element is None:
            raise DavError(403, None, "A subscribed calendar needs a source.")
        link = element.child("{DAV:}href")
        address = (element.text if link is None else link.text).strip()
        if len(address) > MAX_SOURCE or _ADDRESS.match(address) is None:
            raise DavError(
                409, None, f"A source is an http or webcal address of at most {MAX_SOURCE} characters."
            )
        draft.text(SOURCE, address)
