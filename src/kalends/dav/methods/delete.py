"""DELETE: of an object, which goes to the trash, and of a calendar (RFC 4918 §9.6)."""

from __future__ import annotations

from kalends.core import containers, ledger
from kalends.dav import conditions
from kalends.dav.context import Context
from kalends.dav.errors import DavError
from kalends.dav.messages import Plan, Response
from kalends.dav.methods.base import Method, not_allowed, register
from kalends.dav.methods.put import etag_at
from kalends.dav.resources import Calendar, CalendarObject, not_found, resolve
from kalends.store.base import Tx
from kalends.store.objects import ObjectRow


@register
class Delete(Method):
    """Gone for DAV; CAP and the history still know it."""

    name = "DELETE"
    on = ("object", "calendar")

    def plan(self, context: Context) -> Plan:
        """Write."""
        address = context.address

        def work(tx: Tx) -> Response:
            found = resolve(tx, context, address)
            if isinstance(found, CalendarObject):
                return _delete_object(tx, context, found)
            if isinstance(found, Calendar):
                return _delete_calendar(tx, context, found)
            raise not_allowed(found)

        return Plan("write", work)


def _delete_object(tx: Tx, context: Context, found: CalendarObject) -> Response:
    def check(row: ObjectRow | None) -> None:
        if row is None:
            raise not_found()
        etag = f'"{row.etag}"'
        conditions.check_write(context, etag)
        conditions.check_unmodified(context, row.changed_at)
        conditions.check_if(context, lambda path: etag_at(tx, context, path, etag))

    ledger.delete_object(tx, context.caller, found.calendar.target, found.row.name, check=check)
    return Response(204)


def _delete_calendar(tx: Tx, context: Context, found: Calendar) -> Response:
    if context.depth("infinity") != "infinity":
        raise DavError(400, None, "A collection is deleted with Depth infinity (RFC 4918 §9.6.1).")
    conditions.check_if(context, lambda path: etag_at(tx, context, path, None))
    containers.remove_calendar(tx, context.caller, found.target)
    return Response(204)
