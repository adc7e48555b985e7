"""PROPPATCH: properties are set and removed, all or none (RFC 4918 §9.2)."""

from __future__ import annotations

from kalends.dav import patching, xmlwrite
from kalends.dav.context import Context
from kalends.dav.errors import DavError
from kalends.dav.finding import resolve
from kalends.dav.messages import XML, Plan, Response
from kalends.dav.methods.base import Method, register
from kalends.dav.methods.put import check_collection, check_conditions
from kalends.dav.properties.base import EVERYWHERE
from kalends.dav.resources import CalendarObject
from kalends.dav.xmlwrite import DAV
from kalends.store import objects
from kalends.store.base import Tx


@register
class PropPatch(Method):
    """Live properties go where they belong, others are kept as they came."""

    name = "PROPPATCH"
    on = EVERYWHERE

    def plan(self, context: Context) -> Plan:
        """Read the instructions; write."""
        element = context.xml(root=f"{DAV}propertyupdate")
        if element is None:
            raise DavError(400, None, "A PROPPATCH needs a D:propertyupdate.")
        wanted = patching.instructions(element, remove=True)
        if not wanted:
            raise DavError(400, None, "No property is to be set or removed.")
        address = context.address

        def work(tx: Tx) -> Response:
            found = resolve(tx, context, address)
            patching.check_rights(tx, context, found)
            if isinstance(found, CalendarObject):
                check_conditions(tx, context, found.calendar, objects.get(tx, found.row.id))
            else:
                check_collection(tx, context, found)
            draft = patching.draft_of(tx, context, found)
            outcomes = patching.apply(context, draft, wanted)
            if patching.failed(outcomes):
                return _told(found.path, outcomes)
            patching.keep(tx, context, found, draft, wanted)
            if context.minimal:
                return Response(204, (("Preference-Applied", "return=minimal"),))
            return _told(found.path, outcomes)

        return Plan("write", work)


def _told(path: str, outcomes: list[patching.Outcome]) -> Response:
    row = xmlwrite.response(path, patching.propstats(outcomes))
    return Response(207, (("Content-Type", XML),), xmlwrite.multistatus([row]))
