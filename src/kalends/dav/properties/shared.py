"""Sharing and delegation as Apple's calendar server made them common, and the draft that came after it.

Source: caldav-sharing.txt and caldav-proxy.txt of CalendarServer; draft-pot-webdav-resource-sharing-04.
"""

from __future__ import annotations

from kalends.core.access import delegates, rights
from kalends.core.people import identity
from kalends.dav import acl, invitations, privileges, xmlwrite
from kalends.dav.context import Context
from kalends.dav.errors import lacking
from kalends.dav.invitations import Sharee
from kalends.dav.principals import Principal, principal_path
from kalends.dav.properties.base import Property, register
from kalends.dav.resources import Calendar, Mounted, Resource
from kalends.dav.xmlwrite import CALENDARSERVER, DAV
from kalends.store.base import Tx


class _OfCalendar(Property):
    """A property of calendars."""

    on = ("calendar",)

    def get(self, tx: Tx, context: Context, resource: Resource) -> str | None:
        """What `told` says."""
        assert isinstance(resource, Calendar), resource.kind
        return self.told(tx, context, resource)

    def told(self, tx: Tx, context: Context, calendar: Calendar) -> str | None:
        """The value, as a fragment; None where there is none."""
        raise NotImplementedError


@register
class Invite(_OfCalendar):
    """Who is invited (caldav-sharing §5.2.2): all of them for who may see rights, else oneself."""

    name = f"{CALENDARSERVER}invite"

    def told(self, tx: Tx, context: Context, calendar: Calendar) -> str | None:
        """The owner, then the others."""
        owner = None if calendar.row.home_id is None else identity.by_id(tx, calendar.row.home_id)
        if owner is None:
            return None
        name = f"<CS:common-name>{xmlwrite.text(owner.name)}</CS:common-name>"
        path = xmlwrite.href(principal_path(tx, context, owner.id))
        users = "".join(map(_user, invitations.visible_sharees(tx, context, calendar)))
        return f"<CS:organizer>{path}{name}</CS:organizer>{users}"


def _user(one: Sharee) -> str:
    return (
        f"<CS:user>{invitations.mailto(one.principal)}"
        f"<CS:common-name>{xmlwrite.text(one.principal.name)}</CS:common-name>"
        f"<CS:access><CS:{_access(one)}/></CS:access>"
        f"<CS:invite-{'declined' if one.left else 'accepted'}/></CS:user>"
    )


def _access(one: Sharee) -> str:
    return "read-write" if one.write else "read"


@register
class AllowedSharingModes(_OfCalendar):
    """Whether the caller may share it (caldav-sharing §5.2.3)."""

    name = f"{CALENDARSERVER}allowed-sharing-modes"

    def told(self, tx: Tx, context: Context, calendar: Calendar) -> str | None:
        """CS:can-be-shared, or nothing."""
        may = rights.privileges(tx, context.caller, calendar.row.id)
        return "<CS:can-be-shared/>" if may.write_rights else ""


@register
class SharedUrl(_OfCalendar):
    """Where a shared calendar lies in its owner's home (caldav-sharing §5.2.1)."""

    name = f"{CALENDARSERVER}shared-url"

    def told(self, tx: Tx, context: Context, calendar: Calendar) -> str | None:
        """Its path there."""
        return xmlwrite.href(calendar.shared_path) if isinstance(calendar, Mounted) else None


@register
class ShareAccess(_OfCalendar):
    """What one is to a shared calendar (resource-sharing §4.4.1)."""

    name = f"{DAV}share-access"

    def told(self, tx: Tx, context: Context, calendar: Calendar) -> str | None:
        """D:shared-owner, D:read, D:read-write or D:not-shared."""
        if isinstance(calendar, Mounted):
            may = privileges.privileges_on(tx, context, calendar)
            return "<D:read-write/>" if "D:write-content" in may else "<D:read/>"
        shared = calendar.row.rights_tick > 1 and invitations.sharees(tx, calendar)
        return "<D:shared-owner/>" if shared else "<D:not-shared/>"


@register
class ShareResourceUri(_OfCalendar):
    """What is the same for all who share a calendar (resource-sharing §4.4.3)."""

    name = f"{DAV}share-resource-uri"

    def told(self, tx: Tx, context: Context, calendar: Calendar) -> str | None:
        """The calendar's path in its owner's home."""
        return xmlwrite.href(acl.owned(calendar))


@register
class DavInvite(_OfCalendar):
    """Who is invited (resource-sharing §4.4.2)."""

    name = f"{DAV}invite"

    def told(self, tx: Tx, context: Context, calendar: Calendar) -> str | None:
        """A D:sharee each."""
        return "".join(
            f"<D:sharee>{invitations.mailto(one.principal)}"
            f"<D:prop><D:displayname>{xmlwrite.text(one.principal.name)}</D:displayname></D:prop>"
            f"<D:share-access><D:{_access(one)}/></D:share-access>"
            f"<D:invite-{'declined' if one.left else 'accepted'}/></D:sharee>"
            for one in invitations.visible_sharees(tx, context, calendar)
        )


class _ProxyFor(Property):
    """Whose delegate one is (caldav-proxy §5.3); told to nobody else."""

    on = ("principal",)
    write = False

    def get(self, tx: Tx, context: Context, resource: Resource) -> str | None:
        """Their principals."""
        assert isinstance(resource, Principal), resource.kind
        if not privileges.owns_principal(context, resource):
            raise lacking(resource.path, "D:read", "Whose delegates others are is not told.")
        found = delegates.acting_for(tx, resource.row.upn, write=self.write)
        return xmlwrite.hrefs(principal_path(tx, context, one) for one in found)


@register
class CalendarProxyReadFor(_ProxyFor):
    """Whose calendars one may read."""

    name = f"{CALENDARSERVER}calendar-proxy-read-for"


@register
class CalendarProxyWriteFor(_ProxyFor):
    """Whose calendars one may write."""

    name = f"{CALENDARSERVER}calendar-proxy-write-for"
    write = True
