"""Who one is (RFC 5397)."""

from __future__ import annotations

from kalends.dav import xmlwrite
from kalends.dav.context import Context
from kalends.dav.principals import principal_path
from kalends.dav.properties.base import Property, register
from kalends.dav.resources import Resource
from kalends.dav.xmlwrite import DAV
from kalends.store.base import Tx


@register
class CurrentUserPrincipal(Property):
    """The principal of who asks (RFC 5397 §3)."""

    name = f"{DAV}current-user-principal"

    def get(self, tx: Tx, context: Context, resource: Resource) -> str | None:
        """A href, or that nobody is known."""
        who = context.caller.identity
        if who.principal_id is None:
            return "<D:unauthenticated/>"
        return xmlwrite.href(principal_path(tx, context, who.principal_id))
