"""POST of XML to a calendar: people are invited to share it, or no longer."""

from __future__ import annotations

from kalends.core.access import rights
from kalends.dav import invitations
from kalends.dav.context import Context
from kalends.dav.errors import DavError, lacking
from kalends.dav.finding import resolve
from kalends.dav.messages import Plan, Response
from kalends.dav.methods.base import not_allowed
from kalends.dav.resources import Calendar
from kalends.store.base import Tx


def plan(context: Context) -> Plan:
    """Read an invitation, and say what is to be done.

    Raises:
        DavError: 422 for XML that is none; 400, 413.
    """
    element = context.xml()
    if element is None or element.tag not in invitations.ROOTS:
        raise DavError(422, None, "XML that is POSTed to a calendar is CS:share or D:share-resource.")
    changes = invitations.read(element)
    address = context.address

    def work(tx: Tx) -> Response:
        found = resolve(tx, context, address)
        if not isinstance(found, Calendar):
            raise not_allowed(found)
        if not rights.privileges(tx, context.caller, found.row.id).write_rights:
            raise lacking(found.path, "D:write-acl", "You may not share this calendar.")
        for one in changes:
            invitations.change(tx, context, found, one)
        return Response(200)

    return Plan("write", work)
