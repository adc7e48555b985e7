"""GET and HEAD: the text of a calendar object, as it was stored; a calendar as one file (RFC 9110 §9.3)."""

from __future__ import annotations

from kalends.dav import calendar_data, conditions, whole
from kalends.dav.context import Context
from kalends.dav.dates import http_date
from kalends.dav.finding import resolve
from kalends.dav.messages import Plan, Response
from kalends.dav.methods.base import Method, not_allowed, register
from kalends.dav.properties.rfc4918 import content_type
from kalends.dav.resources import Calendar, CalendarObject
from kalends.ical.tree import parse
from kalends.store.base import Tx


def validators(found: CalendarObject) -> tuple[tuple[str, str], ...]:
    """ETag, Last-Modified and, where it has one, Schedule-Tag of an object; of a part the ETag alone."""
    told = [("ETag", found.etag)]
    if found.changed_at is not None:
        told.append(("Last-Modified", http_date(found.changed_at)))
    if found.schedule_tag is not None:
        told.append(("Schedule-Tag", f'"{found.schedule_tag}"'))
    return tuple(told)


@register
class Get(Method):
    """The octets of an object, or of all objects of a calendar."""

    name = "GET"
    on = ("object", "message", "calendar")

    def plan(self, context: Context) -> Plan:
        """Look in a read transaction."""
        address = context.address

        def work(tx: Tx) -> Response:
            found = resolve(tx, context, address)
            if isinstance(found, Calendar):
                return whole.answer(tx, context, found)
            if not isinstance(found, CalendarObject):
                raise not_allowed(found)
            return self.answer(tx, context, found)

        return Plan("read", work)

    def answer(self, tx: Tx, context: Context, found: CalendarObject) -> Response:
        """The response for an object that is there."""
        if conditions.not_modified(context, found.etag, found.changed_at):
            return Response(304, validators(found))
        headers = (("Content-Type", content_type(found.row.kind)), *validators(found))
        zones = calendar_data.zones_wanted(context)
        if zones is None:
            return Response(200, headers, found.ics(tx))
        shaped = calendar_data.zoned(parse(found.ics(tx)), zones)  # RFC 7809 §3.1.3
        return Response(200, (*headers, ("Vary", "CalDAV-Timezones")), shaped.to_bytes())


@register
class Head(Get):
    """The same without the octets."""

    name = "HEAD"

    def answer(self, tx: Tx, context: Context, found: CalendarObject) -> Response:
        """The headers of GET, Content-Length among them."""
        full = super().answer(tx, context, found)
        if full.status != 200:
            return full
        body = full.body
        size = len(body) if isinstance(body, bytes) else found.octets(tx)
        return Response(200, (*full.headers, ("Content-Length", str(size))))
