"""PUT: a calendar object is made or replaced (RFC 4791 §5.3.2)."""

from __future__ import annotations

from kalends.core import agendas, errors, ledger, outside
from kalends.dav import conditions, incoming, paths, xmlwrite
from kalends.dav.context import Context
from kalends.dav.errors import NEED, DavError, InsteadError, lacking, not_found, of_refusal
from kalends.dav.finding import calendar_at, find
from kalends.dav.messages import Plan, Response
from kalends.dav.methods.base import Method, not_allowed, register
from kalends.dav.methods.get import validators
from kalends.dav.properties.rfc4918 import content_type, last_change
from kalends.dav.resources import Calendar, CalendarObject, Resource
from kalends.dav.xmlwrite import CALDAV
from kalends.ical.alarms import keep_cap
from kalends.ical.tree import Component, parse
from kalends.store import calendars, objects
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
        name = address.member
        if name is None or address.slash or address.calendar in paths.RESERVED:
            return Plan("read", lambda tx: refuse_place(tx, context))
        tree = incoming.calendar_object(context)

        def work(tx: Tx) -> Response:
            return store_object(tx, context, calendar_at(tx, context, address), name, tree)

        return Plan("write", work)


def refuse_place(tx: Tx, context: Context) -> Response:
    """Say why nothing can be put where a path leads to.

    Raises:
        DavError: always: 405 where something is, 409 where something would have to be above.
    """
    found = find(tx, context, context.address)
    if found is None:
        raise DavError(
            409, f"{CALDAV}calendar-collection-location-ok", "Calendar objects are put into a calendar."
        )
    raise not_allowed(found)


def store_object(tx: Tx, context: Context, calendar: Calendar, name: str, tree: Component) -> Response:
    """Make or replace an object, and answer."""
    before: list[ObjectRow | None] = []

    def check(row: ObjectRow | None) -> None:
        seen = None if row is None else calendar.object(tx, context, row)
        before.append(None if seen is None else row)
        check_conditions(tx, context, calendar, row, new=True)
        if row is None or seen is None:
            check_kind(tx, calendar, incoming.kind_of(tree), None)
            check_hidden(tx, context, calendar, row, tree)
            return
        if incoming.uid_of(tree) != row.uid:
            raise uid_conflict(calendar, row, "The UID of a calendar object cannot be changed.")
        check_kind(tx, calendar, incoming.kind_of(tree), row.kind)
        if row.etag.endswith(outside.MARK):
            keep_cap(parse(row.ics), tree)

    try:
        row = ledger.put_object(tx, context.caller, calendar.target, name, tree, check=check)
    except errors.DeniedError as error:
        refused = of_refusal(error)
        if refused.precondition == NEED and before[-1:] == [None]:
            refused = lacking(calendar.path, "D:bind", refused.sentence)
        raise refused from error
    except errors.KalendsError as error:
        raise put_refusal(tx, context, calendar, incoming.uid_of(tree), error) from error
    return _answer(tx, context, CalendarObject(calendar, row), row, made=before[-1] is None)


def _answer(tx: Tx, context: Context, found: CalendarObject, row: ObjectRow, *, made: bool) -> Response:
    """The answer to a PUT that was carried out."""
    headers: tuple[tuple[str, str], ...] = ()
    if made:
        headers = (("Location", context.request.origin + found.path),)
    if context.representation:
        shown = (("Content-Type", content_type(row.kind)), ("Content-Location", found.path))
        applied = ("Preference-Applied", "return=representation")
        return Response(201 if made else 200, (*validators(found), *headers, *shown, applied), found.ics(tx))
    if found.ics(tx) == context.request.body:  # a strong ETag only for the octets sent (RFC 4791 §5.3.4)
        headers = (*validators(found), *headers)
    elif row.schedule_tag is not None:  # RFC 6638 §3.2.10
        headers = (("Schedule-Tag", f'"{row.schedule_tag}"'), *headers)
    return Response(201 if made else 204, headers)


def check_conditions(
    tx: Tx, context: Context, calendar: Calendar, row: ObjectRow | None, *, new: bool = False
) -> None:
    """Check what a request that changes an object demands, against what the caller sees of it.

    Args:
        tx: the write transaction, with the calendar locked.
        context: the request.
        calendar: where the object lies.
        row: what has the name; None for nothing.
        new: something may be made here, so that what is hidden is no reason to say that nothing is there.

    Raises:
        DavError: 412, with the object itself where Prefer asks for it (RFC 8144 §3.2); 403 for who sees only
            a part of it, 404 for who sees nothing of it.
    """
    seen = None if row is None else calendar.object(tx, context, row)
    etag = None if seen is None else seen.etag
    try:
        conditions.check_write(context, etag)
        if seen is None or seen.changed_at is not None:
            conditions.check_unmodified(context, None if seen is None else seen.changed_at)
        conditions.check_schedule_tag(context, None if seen is None else seen.schedule_tag)
        conditions.check_if(context, lambda path: etag_at(tx, context, path, etag))
    except DavError as error:
        if error.status == 412 and seen is not None and context.representation:
            kind = ("Content-Type", content_type(seen.row.kind))
            applied = ("Preference-Applied", "return=representation")
            headers = (*validators(seen), kind, ("Content-Location", seen.path), applied)
            raise InsteadError(Response(412, headers, seen.ics(tx))) from error
        raise
    if row is not None and seen is None and not new:
        raise not_found()
    if seen is not None and seen.cut:
        raise DavError(403, NEED, "You see only a part of this object.")


def check_collection(tx: Tx, context: Context, found: Resource | None) -> None:
    """Check what a request that changes or makes a collection demands.

    Collections have no ETag that a write could name: `If-Match` holds for `*` alone.

    Args:
        tx: a write transaction; a calendar is locked here.
        context: the request.
        found: the collection; None for one that is being made.

    Raises:
        DavError: 412.

    Source: RFC 9110 §13.1; RFC 4918 §10.4.
    """
    conditions.check_write(context, None if found is None else "")
    if isinstance(found, Calendar) and context.header("if-unmodified-since") is not None:
        calendars.lock(tx, (found.row.id,))
        conditions.check_unmodified(context, last_change(tx, context, found))
    conditions.check_if(context, lambda path: etag_at(tx, context, path, None))


def check_hidden(
    tx: Tx, context: Context, calendar: Calendar, there: ObjectRow | None, tree: Component
) -> None:
    """Refuse a name that something has of which the caller sees nothing.

    Whoever may put nothing here is told that, as if the name were free: only who may make objects hears that
    it is taken, for no name can be used twice.

    Args:
        tx: the write transaction.
        context: the request.
        calendar: where the name is.
        there: what has it; None for nothing.
        tree: the VCALENDAR that is to be put there.

    Raises:
        DeniedError: they may not put this here. DavError: they may; 403.
    """
    if there is None or calendar.object(tx, context, there) is not None:
        return
    authority = calendar.authority(tx, context)
    authority.require("CREATE")
    for part in tree.components:
        if part.name != "VTIMEZONE":
            authority.allow("CREATE", part)
    raise DavError(403, None, "Something that you may not see has this name; choose another one.")


def etag_at(tx: Tx, context: Context, path: str, own: str | None) -> str | None:
    """The ETag of what an If header names; `own` for the request's resource."""
    if path in ("", context.request.path):
        return own
    found = find(tx, context, paths.read(path))
    return found.etag if isinstance(found, CalendarObject) else None


def check_kind(tx: Tx, calendar: Calendar, kind: str, before: str | None) -> None:
    """Refuse a component that the calendar is not meant for; what is in it already may stay.

    Raises:
        DavError: 403 with CALDAV:supported-calendar-component (RFC 4791 §5.2.3).
    """
    meant = agendas.meant_for(calendar.held(tx))
    if meant and kind not in meant and kind != before:
        raise DavError(
            403, f"{CALDAV}supported-calendar-component", f"This calendar is for {' and '.join(meant)}."
        )


def uid_conflict(calendar: Calendar, row: ObjectRow | None, sentence: str) -> DavError:
    """403 with CALDAV:no-uid-conflict, and where the other object is (RFC 4791 §5.3.2.1)."""
    inner = "" if row is None else xmlwrite.href(CalendarObject(calendar, row).path)
    return DavError(403, f"{CALDAV}no-uid-conflict", sentence, inner=inner)


def put_refusal(
    tx: Tx, context: Context, calendar: Calendar, uid: str, error: errors.KalendsError
) -> DavError:
    """A refusal of core in the words of RFC 4791 §5.3.2.1; it names no object that may not be seen."""
    refused = of_refusal(error)
    if type(error) is errors.InvalidError:
        return DavError(403, f"{CALDAV}valid-calendar-data", refused.sentence)
    if type(error) is errors.DuplicateError:
        held = objects.by_uid(tx, calendar.row.id, uid, "BOOKED")
        taken = next((row for row in held if row.kind in incoming.KINDS), None)
        if taken is not None and calendar.object(tx, context, taken) is None:
            taken = None
        return uid_conflict(calendar, taken, refused.sentence)
    return refused
