"""Where a client may POST a new member to (RFC 5995 §3.2), and which live properties there are (RFC 3253)."""

from __future__ import annotations

from kalends.dav import xmlwrite
from kalends.dav.context import Context
from kalends.dav.properties.base import EVERYWHERE, PROPERTIES, Property, register
from kalends.dav.resources import Resource
from kalends.dav.xmlwrite import DAV
from kalends.store.base import Tx


@register
class AddMember(Property):
    """The URI that takes new members (RFC 5995 §3.2.1)."""

    name = f"{DAV}add-member"
    on = ("calendar",)

    def get(self, tx: Tx, context: Context, resource: Resource) -> str | None:
        """The calendar itself."""
        return xmlwrite.href(resource.path)


@register
class SupportedLivePropertySet(Property):
    """The live properties of a resource (RFC 3253 §3.1.4)."""

    name = f"{DAV}supported-live-property-set"
    on = EVERYWHERE

    def get(self, tx: Tx, context: Context, resource: Resource) -> str | None:
        """One D:supported-live-property each."""
        return "".join(
            "<D:supported-live-property><D:prop>"
            f"{xmlwrite.element(name)}</D:prop></D:supported-live-property>"
            for name, known in PROPERTIES.items()
            if resource.kind in known.on
        )
