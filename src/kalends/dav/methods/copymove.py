"""COPY and MOVE: of objects between calendars and names, of calendars in their home (RFC 4918 §9.8, §9.9)."""

from __future__ import annotations

from typing import ClassVar

from kalends.core import errors, ledger, renaming
from kalends.dav import conditions
from kalends.dav.context import Context
from kalends.dav.errors import NEED, DavError, lacking, not_found
from kalends.dav.finding import calendar_at, find, resolve
from kalends.dav.messages import Plan, Response
from kalends.dav.methods.base import Method, not_allowed, register
from kalends.dav.methods.get import validators
from kalends.dav.methods.put import (
    check_collection,
    check_conditions,
    check_hidden,
    check_kind,
    etag_at,
    put_refusal,
    uid_conflict,
)
from kalends.dav.paths import RESERVED, Address
from kalends.dav.resources import Calendar, CalendarObject, Home, Message
from kalends.dav.xmlwrite import CALDAV
from kalends.ical.tree import parse
from kalends.store import objects
from kalends.store import properties as dead_store
from kalends.store.base import Tx
from kalends.store.objects import ObjectRow


class _ToDestination(Method):
    """What both methods do."""

    on: ClassVar[tuple[str, ...]] = ("object",)

    def plan(self, context: Context) -> Plan:
        """Read the headers; write."""
        address, to = context.address, context.destination()
        _ = context.overwrite  # one that says nothing is refused whatever stands at the Destination

        def work(tx: Tx) -> Response:
            found = resolve(tx, context, address)
            if isinstance(found, CalendarObject) and not isinstance(found, Message):
                if to.member is None or to.slash or to.calendar in RESERVED:
                    raise DavError(409, None, "The Destination of a calendar object is a name in a calendar.")
                calendar = calendar_at(tx, context, to)
                if calendar.row.id == found.calendar.row.id and to.member == found.row.name:
                    raise DavError(403, None, "Source and Destination are the same.")
                replaced = self.object(tx, context, found, calendar, to.member)
                return _answer(tx, context, calendar, to.member, replaced)
            if isinstance(found, Calendar):
                return self.calendar(tx, context, found, to)
            raise not_allowed(found)

        return Plan("write", work)

    def object(self, tx: Tx, context: Context, found: CalendarObject, calendar: Calendar, name: str) -> bool:
        """Copy or move an object. Returns whether something was replaced."""
        raise NotImplementedError

    def calendar(self, tx: Tx, context: Context, found: Calendar, to: Address) -> Response:
        """Copy or move a calendar."""
        raise NotImplementedError


def _answer(tx: Tx, context: Context, calendar: Calendar, name: str, replaced: bool) -> Response:
    """201 or 204, with the tags of what is at the Destination now (RFC 6638 §3.2.10)."""
    made = calendar.member(tx, context, name)
    headers = () if made is None else validators(made)
    if replaced:
        return Response(204, headers)
    target = CalendarObject.path_in(calendar, name)
    return Response(201, (("Location", context.request.origin + target), *headers))


def _check_destination(
    tx: Tx, context: Context, calendar: Calendar, there: ObjectRow | None, source: CalendarObject
) -> None:
    """Refuse what must not be replaced.

    Raises:
        DavError: 412 with Overwrite F; 403 for an object of another UID (no-uid-conflict), and for one that
            the caller may not see.
        DeniedError: they may put nothing there, whether the name is free or not.

    Source: RFC 4918 §10.6; RFC 4791 §5.3.2.1.
    """
    if there is None:
        return
    check_hidden(tx, context, calendar, there, parse(source.held(tx)))
    if not context.overwrite:
        raise conditions.failed("Overwrite: there is a resource at the Destination.")
    if there.uid != source.row.uid:
        raise uid_conflict(calendar, there, "An object of another UID is at the Destination.")


def _refused(
    tx: Tx, context: Context, error: errors.KalendsError, found: CalendarObject, to: Calendar, *, moved: bool
) -> DavError:
    """A refusal in the words of RFC 4791; a right that is missing is named where it is missing."""
    refused = put_refusal(tx, context, to, found.row.uid, error)
    if not isinstance(error, errors.DeniedError) or refused.precondition != NEED:
        return refused
    if moved and not _may_leave(tx, context, found):
        return lacking(found.calendar.path, "D:unbind", refused.sentence)
    return lacking(to.path, "D:bind", refused.sentence)


def _may_leave(tx: Tx, context: Context, source: CalendarObject) -> bool:
    row = objects.get(tx, source.row.id)
    try:
        if row is not None:
            source.calendar.authority(tx, context).allow_object("MOVE", row)
    except errors.DeniedError:
        return False
    return True


@register
class Move(_ToDestination):
    """MOVE: the object keeps its past; a calendar keeps all and gets another path."""

    name = "MOVE"
    on = ("object", "calendar")

    def object(self, tx: Tx, context: Context, found: CalendarObject, calendar: Calendar, name: str) -> bool:
        """Move an object."""
        check_kind(
            tx, calendar, found.row.kind, None if calendar.row.id != found.calendar.row.id else found.row.kind
        )

        def check(row: ObjectRow | None, there: ObjectRow | None) -> None:
            if row is None:
                raise not_found()
            check_conditions(tx, context, found.calendar, row)
            if there is not None and calendar.object(tx, context, there) is None:
                found.calendar.authority(tx, context).allow_object("MOVE", row)
            _check_destination(tx, context, calendar, there, found)

        try:
            return ledger.move_object(
                tx, context.caller, found.calendar.target, found.row.name, calendar.target, name, check=check
            )
        except errors.KalendsError as error:
            raise _refused(tx, context, error, found, calendar, moved=True) from error

    def calendar(self, tx: Tx, context: Context, found: Calendar, to: Address) -> Response:
        """Give a calendar another name under its home."""
        home = find(tx, context, to.parent) if to.calendar is not None and to.member is None else None
        if not isinstance(home, Home) or home.row.id != found.home.row.id or to.calendar in (None, *RESERVED):
            raise DavError(
                403,
                f"{CALDAV}calendar-collection-location-ok",
                "A calendar can be moved within its home only.",
            )
        if find(tx, context, to) is not None:  # what is there is never thrown away, whatever Overwrite says
            status = 403 if context.overwrite else 412
            raise DavError(status, None, "There is a calendar at the Destination; delete it first.")
        check_collection(tx, context, found)
        renaming.move_slug(tx, context.caller, found.target, to.calendar or "")
        return Response(201)


@register
class Copy(_ToDestination):
    """COPY: of an object into another calendar; a calendar holds a UID only once."""

    name = "COPY"

    def object(self, tx: Tx, context: Context, found: CalendarObject, calendar: Calendar, name: str) -> bool:
        """Copy an object, as far as the caller sees it, with its properties."""
        check_kind(tx, calendar, found.row.kind, None)
        replaced: list[bool] = []

        def check(there: ObjectRow | None) -> None:
            check_conditions_of_source(tx, context, found)
            _check_destination(tx, context, calendar, there, found)
            replaced.append(there is not None)

        try:
            row = ledger.put_object(
                tx, context.caller, calendar.target, name, parse(found.held(tx)), check=check
            )
        except errors.KalendsError as error:
            raise _refused(tx, context, error, found, calendar, moved=False) from error
        dead_store.remove_all(tx, row.id)
        if not found.cut:
            dead_store.copy(tx, found.row.id, row.id)
        return replaced[-1]

    def calendar(self, tx: Tx, context: Context, found: Calendar, to: Address) -> Response:
        """Refused: two calendars with the same UIDs are nobody's wish."""
        raise DavError(
            403, None, "A calendar is not copied as a whole: make another one and COPY objects into it."
        )


def check_conditions_of_source(tx: Tx, context: Context, found: CalendarObject) -> None:
    """The conditions of a COPY are about its source."""
    conditions.check_write(context, found.etag)
    if found.changed_at is not None:
        conditions.check_unmodified(context, found.changed_at)
    conditions.check_schedule_tag(context, found.schedule_tag)
    conditions.check_if(context, lambda path: etag_at(tx, context, path, found.etag))
