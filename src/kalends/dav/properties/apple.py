"""Properties that Apple's calendar made common: colour and order."""

from __future__ import annotations

from kalends.dav import xmlwrite
from kalends.dav.context import Context
from kalends.dav.drafts import Draft
from kalends.dav.errors import DavError
from kalends.dav.properties.base import Property, register
from kalends.dav.resources import Calendar, Resource
from kalends.dav.xmlread import Element
from kalends.dav.xmlwrite import APPLE
from kalends.ical.values import unescape_text
from kalends.store.base import Tx

MAX_LENGTH = 100
"""Characters of a colour or an order."""


class _Kept(Property):
    """A short text kept in one property of the VAGENDA."""

    on = ("calendar",)
    protected = False
    line = ""

    def get(self, tx: Tx, context: Context, resource: Resource) -> str | None:
        """The text."""
        value = resource.seen(tx, context).value(self.line) if isinstance(resource, Calendar) else None
        return None if value is None else xmlwrite.text(unescape_text(value))

    def set(self, context: Context, draft: Draft, element: Element | None) -> None:
        """Keep the text."""
        if element is not None and len(element.text) > MAX_LENGTH:
            raise DavError(409, None, f"At most {MAX_LENGTH} characters.")
        draft.text(self.line, None if element is None else element.text.strip())


@register
class CalendarColor(_Kept):
    """Such as #FF2968FF."""

    name = f"{APPLE}calendar-color"
    line = "X-APPLE-CALENDAR-COLOR"


@register
class CalendarOrder(_Kept):
    """A number; the smallest comes first."""

    name = f"{APPLE}calendar-order"
    line = "X-KALENDS-ORDER"
