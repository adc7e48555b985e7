"""PUT: a calendar object is made or replaced (RFC 4791 §5.3.2)."""

from __future__ import annotations

from kalends.core import errors, ledger
from kalends.dav import conditions, incoming, paths, xmlwrite
from kalends.dav.context import Context
from kalends.dav.errors import DavError, of_refusal
from kalends.dav.messages import Plan, Response
from kalends.dav.methods.base import Method, not_allowed, register
from kalends.dav.methods.get import validators
from kalends.dav.properties.rfc4918 import content_type
from kalends.dav.resources import Calendar, CalendarObject, calendar_at, find
from kalends.dav.xmlwrite import CALDAV
from kalends.ical.tree import Component
from kalends.store import objects
from kalends.store.base import Tx
from kalends.store.objects import ObjectRow


@register
class Put(Method):
    """One calendar object under the name that the client chose."""

    name = "PUT"
    on = ("object", "nothing")

    def plan(self, context: Context) -> Plan:
        """Read the text first, then write."""
        address = context.address
        if address.member is None or address.slash:
            return Plan("read", lambda tx: _refuse(tx, context))
        tree = incoming.calendar_object(context)
        name = address.member

        def work(tx: Tx) -> Response:
            return store_object(tx, context, calendar_at(tx, context, address), name, tree)

        return Plan("write", work)


def _refuse(tx: Tx, context: Context) -> Response:
    found = find(tx, context, context.address)
    if found is None and context.address.area != "calendars":
        raise DavError(409, None, "Calendar objects are put into a calendar.")
    raise not_allowed(found)


def store_object(tx: Tx, context: Context, calendar: Calendar, name: str, tree: Component) -> Response:
    """Make or replace an object, and answer."""
    before: list[ObjectRow | None] = []

    def check(row: ObjectRow | None) -> None:
        before.append(row)
        etag = None if row is None else f'"{row.etag}"'
        conditions.check_write(context, etag)
        conditions.check_unmodified(context, None if row is None else row.changed_at)
        conditions.check_if(context, lambda path: etag_at(tx, context, path, etag))

    try:
        row = ledger.put_object(tx, context.caller, calendar.target, name, tree, check=check)
    except errors.KalendsError as error:
        raise put_refusal(tx, calendar, tree, error) from error
    made = before[-1] is None
    headers: tuple[tuple[str, str], ...] = ()
    found = CalendarObject(calendar, row)
    if row.ics == context.request.body:  # a strong ETag only for the octets that were sent (RFC 4791 §5.3.4)
        headers = validators(found)
    if made:
        headers = (*headers, ("Location", context.request.origin + found.path))
    if context.representation:
        shown = ("Content-Type", content_type(row.kind)), ("Content-Location", found.path)
        applied = ("Preference-Applied", "return=representation")
        return Response(201 if made else 200, (*validators(found), *headers[2:], *shown, applied), row.ics)
    return Response(201 if made else 204, headers)


def etag_at(tx: Tx, context: Context, path: str, own: str | None) -> str | None:
    """The ETag of what an If header names; `own` for the request's resource."""
    if path in ("", context.request.path):
        return own
    found = find(tx, context, paths.read(path))
    return found.etag if isinstance(found, CalendarObject) else None


def put_refusal(tx: Tx, calendar: Calendar, tree: Component, error: errors.KalendsError) -> DavError:
    """A refusal of core in the words of RFC 4791 §5.3.2.1."""
    refused = of_refusal(error)
    if isinstance(error, errors.InvalidError):
        return DavError(403, f"{CALDAV}valid-calendar-data", refused.sentence)
    if isinstance(error, errors.DuplicateError):
        uid = incoming.uid_of(tree)
        taken = [
            row for row in objects.by_uid(tx, calendar.row.id, uid, "BOOKED") if row.kind in incoming.KINDS
        ]
        inner = "".join(xmlwrite.href(CalendarObject(calendar, row).path) for row in taken[:1])
        return DavError(403, f"{CALDAV}no-uid-conflict", refused.sentence, inner=inner)
    return refused
