"""C:free-busy-query: when calendars are busy, without saying with what (RFC 4791 §7.10)."""

from __future__ import annotations

from kalends.core import freebusy
from kalends.core.access import rights
from kalends.core.defaults import PRODID
from kalends.core.errors import InvalidError
from kalends.core.people import availability
from kalends.core.scheduling import unavailable
from kalends.dav.context import Context
from kalends.dav.errors import DavError, not_found
from kalends.dav.filters import required_range
from kalends.dav.finding import find
from kalends.dav.messages import Response
from kalends.dav.reports.asking import too_many
from kalends.dav.reports.base import Report, register
from kalends.dav.resources import Calendar, CalendarObject, Home, Resource, calendar_resource
from kalends.dav.xmlread import Element
from kalends.dav.xmlwrite import CALDAV
from kalends.ical.moment import DAY
from kalends.ical.tree import Component
from kalends.store import calendars
from kalends.store.base import Tx


@register
class FreeBusyQuery(Report):
    """Busy times of a calendar, or of all calendars of a home.

    The Depth is not looked at: a calendar's busy times are those of its members, and an empty answer to a
    request without a Depth header would let somebody book twice.
    """

    name = f"{CALDAV}free-busy-query"
    on = ("calendar", "home", "object")

    def parse(self, element: Element, context: Context) -> None:
        """Read the range."""
        found = element.all(f"{CALDAV}time-range")
        if len(found) != 1:
            raise DavError(400, None, "A C:free-busy-query holds one C:time-range.")
        self.low, self.high = required_range(found[0], context.caller.policy)
        if self.high - self.low > freebusy.MAX_DAYS * DAY:
            raise too_many(f"Free/busy is told for at most {freebusy.MAX_DAYS} days at once.")

    def resolve(self, tx: Tx, context: Context) -> Resource:
        """Also a calendar of which the caller may know nothing but when it is busy (RFC 4791 §7.10)."""
        address = context.address
        found = find(tx, context, address)
        if found is None and address.area == "calendars" and address.calendar and not address.member:
            home = find(tx, context, address.parent)
            row = calendars.by_slug(tx, home.row.id, address.calendar) if isinstance(home, Home) else None
            if isinstance(home, Home) and row is not None:
                found = calendar_resource(context, home, row)
        if found is None:
            raise not_found()
        return found

    def run(self, tx: Tx, context: Context, resource: Resource) -> Response:
        """Merge what the calendars say."""
        if isinstance(resource, CalendarObject):
            raise DavError(403, None, "Free/busy is asked of a collection.")
        caller = context.caller
        busy: list[freebusy.Span] = []
        tentative: list[freebusy.Span] = []
        told = self._calendars(tx, context, resource)
        for calendar in told:
            try:
                sure, perhaps = freebusy.busy_spans(tx, caller, calendar.target, self.low, self.high)
            except InvalidError as error:
                raise too_many(error.reason) from error
            busy += sure
            tentative += perhaps
        held = availability.in_calendars(tx, [one.row.id for one in told])  # RFC 7953 §7.2.3
        away = unavailable(held, self.low, self.high, caller.default_tz or caller.policy.default_tz)
        busy = freebusy.merged([*busy, *away["BUSY"]], self.low, self.high)
        out = freebusy.without(freebusy.merged(away["BUSY-UNAVAILABLE"], self.low, self.high), busy)
        maybe = freebusy.merged([*tentative, *away["BUSY-TENTATIVE"]], self.low, self.high)
        tentative = freebusy.without(maybe, freebusy.merged([*busy, *out], self.low, self.high))
        whole = Component("VCALENDAR")
        whole.add("VERSION", "2.0")
        whole.add("PRODID", PRODID)
        whole.items.append(freebusy.component(caller, self.low, self.high, busy, tentative, out))
        return Response(200, (("Content-Type", "text/calendar; charset=utf-8"),), whole.to_bytes())

    def _calendars(self, tx: Tx, context: Context, resource: Resource) -> list[Calendar]:
        """Those of which the caller may know when they are busy; 404 where that is none (RFC 4791 §7.10)."""
        if isinstance(resource, Home):
            rows = calendars.every(tx, resource.row.id)
            found = [calendar_resource(context, resource, row) for row in rows]
        else:
            assert isinstance(resource, Calendar)
            found = [resource]
        told = [one for one in found if _is_told(tx, context, one)]
        if not told:
            raise not_found()
        return told


def _is_told(tx: Tx, context: Context, calendar: Calendar) -> bool:
    """By the right to its VFREEBUSY alone: seeing some events tells nothing of the times of others."""
    return rights.privileges(tx, context.caller, calendar.row.id).free_busy
