"""DELETE: of an object, which goes to the trash, and of a calendar (RFC 4918 §9.6)."""

from __future__ import annotations

from kalends.core import ledger, scheduling
from kalends.core.access import mounting
from kalends.core.model import State
from kalends.dav.context import Context
from kalends.dav.errors import DavError, not_found
from kalends.dav.finding import resolve
from kalends.dav.messages import Plan, Response
from kalends.dav.methods.base import Method, not_allowed, register
from kalends.dav.methods.put import check_collection, check_conditions
from kalends.dav.resources import Calendar, CalendarObject, Message, Mounted
from kalends.store.base import Tx
from kalends.store.objects import ObjectRow


@register
class Delete(Method):
    """Gone for DAV; CAP and the history still know it."""

    name = "DELETE"
    on = ("object", "message", "calendar")

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
    calendar = found.calendar

    def check(row: ObjectRow | None) -> None:
        if row is None:
            raise not_found()
        check_conditions(tx, context, calendar, row)

    state: State = "UNPROCESSED" if isinstance(found, Message) else "BOOKED"
    ledger.delete_object(tx, context.caller, calendar.target, found.row.name, check=check, state=state)
    return Response(204)


def _delete_calendar(tx: Tx, context: Context, found: Calendar) -> Response:
    if context.depth("infinity") != "infinity":
        raise DavError(400, None, "A collection is deleted with Depth infinity (RFC 4918 §9.6.1).")
    check_collection(tx, context, found)
    if isinstance(found, Mounted):  # one leaves it; it stays its owner's
        mounting.leave(tx, context.caller, found.mount)
        return Response(204)
    scheduling.refuse_removal(tx, found.row)
    ledger.remove_calendar(tx, context.caller, found.target)
    return Response(204)
