"""ACL: who may do what with a calendar, said in privileges (RFC 3744 §8.1)."""

from __future__ import annotations

from kalends.core.access import grants, rights
from kalends.core.errors import InvalidError
from kalends.dav import acl
from kalends.dav.context import Context
from kalends.dav.errors import DavError, lacking
from kalends.dav.finding import resolve
from kalends.dav.messages import Plan, Response
from kalends.dav.methods.base import Method, register
from kalends.dav.methods.put import check_collection
from kalends.dav.properties.base import EVERYWHERE
from kalends.dav.resources import Calendar
from kalends.dav.xmlwrite import DAV
from kalends.store.base import Tx


@register
class Acl(Method):
    """Replaces what is neither protected nor inherited: VCARs that say what privileges say."""

    name = "ACL"
    on = EVERYWHERE

    def plan(self, context: Context) -> Plan:
        """Read the list; write."""
        element = context.xml(root=f"{DAV}acl")
        if element is None:
            raise DavError(400, None, "An ACL request needs a D:acl.")
        aces = acl.read(element, context)
        address = context.address

        def work(tx: Tx) -> Response:
            found = resolve(tx, context, address)
            if not isinstance(found, Calendar):
                raise acl.refuse_elsewhere(found)
            if not rights.privileges(tx, context.caller, found.row.id).write_rights:
                raise lacking(found.path, "D:write-acl", "You may not say who may do what here.")
            check_collection(tx, context, found)
            wanted = acl.wanted_of(tx, context, found, aces)
            try:
                grants.settle(tx, context.caller, found.target, wanted)
            except InvalidError as error:
                raise DavError(403, f"{DAV}no-protected-ace-conflict", f"{error.reason}.") from error
            return Response(200)

        return Plan("write", work)
