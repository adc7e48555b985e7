"""When somebody is there at all, as a property of their inbox (RFC 7953 §7.2.4)."""

from __future__ import annotations

from kalends.core.errors import InvalidError, TooLargeError
from kalends.core.people import availability
from kalends.dav import paths, xmlwrite
from kalends.dav.context import Context
from kalends.dav.drafts import Draft
from kalends.dav.errors import DavError
from kalends.dav.finding import resolve
from kalends.dav.properties.base import Property, register
from kalends.dav.resources import Inbox, Resource
from kalends.dav.xmlread import Element
from kalends.dav.xmlwrite import CALDAV, CALENDARSERVER
from kalends.store.base import Tx


@register
class CalendarAvailability(Property):
    """A VCALENDAR with VAVAILABILITY, which every answer about free time counts in."""

    name = f"{CALDAV}calendar-availability"
    on = ("inbox",)
    protected = False

    def get(self, tx: Tx, context: Context, resource: Resource) -> str | None:
        """The text as it was written."""
        held = availability.of(tx, resource.home.row.id) if isinstance(resource, Inbox) else None
        return None if held is None else xmlwrite.text(held.decode())

    def set(self, context: Context, draft: Draft, element: Element | None) -> None:
        """Keep it once the rest of the instructions is accepted, too."""
        try:
            whole = None if element is None else availability.read(element.text.strip().encode())
        except TooLargeError as error:
            raise DavError(403, f"{CALDAV}max-resource-size", f"{error.reason}.") from error
        except InvalidError as error:
            at = f"line {error.line}: " if error.line else ""
            raise DavError(403, f"{CALDAV}valid-calendar-data", f"{at}{error.reason}.") from error
        address = paths.read(context.request.path)

        def keep(tx: Tx) -> None:
            inbox = resolve(tx, context, address)
            assert isinstance(inbox, Inbox), "the property stands on an inbox"
            availability.keep(tx, context.caller, inbox.home.row.id, whole)

        draft.after.append(keep)


@register
class OlderCalendarAvailability(CalendarAvailability):
    """The name it had before it was a standard, which Apple's calendar still asks for."""

    name = f"{CALENDARSERVER}calendar-availability"
