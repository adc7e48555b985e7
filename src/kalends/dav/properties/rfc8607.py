"""What managed attachments may be, and where they are (RFC 8607 §6)."""

from __future__ import annotations

from kalends.core.attachments import MAX_PER_OBJECT
from kalends.dav.context import Context
from kalends.dav.properties.base import Property, register
from kalends.dav.resources import Resource
from kalends.dav.xmlwrite import CALDAV
from kalends.store.base import Tx


@register
class ManagedAttachmentsServerUrl(Property):
    """Empty: attachments are on the server that the calendars are on, by whatever name it is reached."""

    name = f"{CALDAV}managed-attachments-server-URL"
    on = ("home",)

    def get(self, tx: Tx, context: Context, resource: Resource) -> str | None:
        """Nothing in it (RFC 8607 §6.1)."""
        return ""


@register
class MaxAttachmentSize(Property):
    """Octets of one attachment (RFC 8607 §6.2)."""

    name = f"{CALDAV}max-attachment-size"
    on = ("calendar",)

    def get(self, tx: Tx, context: Context, resource: Resource) -> str | None:
        """As of an object."""
        return str(context.caller.policy.max_object)


@register
class MaxAttachmentsPerResource(Property):
    """Attachments of one object (RFC 8607 §6.3)."""

    name = f"{CALDAV}max-attachments-per-resource"
    on = ("calendar",)

    def get(self, tx: Tx, context: Context, resource: Resource) -> str | None:
        """The limit."""
        return str(MAX_PER_OBJECT)
