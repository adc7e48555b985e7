"""Access control as properties (RFC 3744 §4, §5): who owns a resource and what one may do with it."""

from __future__ import annotations

from kalends.core import rights
from kalends.core.rights import Privileges
from kalends.dav import paths, xmlwrite
from kalends.dav.context import Context
from kalends.dav.properties.base import EVERYWHERE, Property, register
from kalends.dav.resources import (
    Calendar,
    CalendarObject,
    Home,
    Inbox,
    Outbox,
    Principal,
    Resource,
    principal_path,
)
from kalends.dav.xmlwrite import DAV
from kalends.store import groups, principals
from kalends.store.base import Tx

_READ = ("D:read", "D:read-current-user-privilege-set")
_OWN = ("D:all", "D:read", "D:read-acl", "D:read-current-user-privilege-set", "D:write", "D:write-properties")
_MAKES = (*_OWN, "D:bind", "D:unbind", "D:write-content")
"""Of a home: calendars are made and removed in it."""
_INBOX = (*_OWN, "D:unbind", "C:schedule-deliver", "C:schedule-deliver-invite", "C:schedule-deliver-reply",
    "C:schedule-query-freebusy")  # fmt: skip
_OUTBOX = (*_OWN, "C:schedule-send", "C:schedule-send-invite", "C:schedule-send-reply",
    "C:schedule-send-freebusy")  # fmt: skip


def of_calendar(may: Privileges) -> list[str]:
    """The privileges on a calendar and its contents, out of what its VCARs grant (RFC 3744 §3, §5.4)."""
    grants = (
        (may.owns, "D:all"),
        (may.search, "D:read"),
        (may.search or may.free_busy, "C:read-free-busy"),
        (may.create and may.modify and may.delete and may.write_properties, "D:write"),
        (may.modify, "D:write-content"),
        (may.write_properties, "D:write-properties"),
        (may.create, "D:bind"),
        (may.delete, "D:unbind"),
        (may.read_rights, "D:read-acl"),
        (may.write_rights, "D:write-acl"),
        (True, "D:read-current-user-privilege-set"),
    )
    return [name for granted, name in grants if granted]


def privileges_on(tx: Tx, context: Context, resource: Resource) -> list[str]:
    """The names, with prefixes, of what the caller may do with a resource."""
    who = context.caller.identity
    match resource:
        case Calendar():
            return of_calendar(rights.privileges(tx, context.caller, resource.row.id))
        case CalendarObject():
            return of_calendar(rights.privileges(tx, context.caller, resource.calendar.row.id))
        case Home() if resource.is_own(context):
            return list(_MAKES)
        case Principal() if who.admin or who.principal_id == resource.row.id:
            return list(_OWN)
        case Inbox():
            return list(_INBOX)
        case Outbox():
            return list(_OUTBOX)
        case _:
            return list(_READ)


@register
class CurrentUserPrivilegeSet(Property):
    """What who asks may do here (RFC 3744 §5.5)."""

    name = f"{DAV}current-user-privilege-set"
    on = EVERYWHERE

    def get(self, tx: Tx, context: Context, resource: Resource) -> str | None:
        """One D:privilege each."""
        return "".join(
            f"<D:privilege><{name}/></D:privilege>" for name in privileges_on(tx, context, resource)
        )


@register
class Owner(Property):
    """Whose it is (RFC 3744 §5.1)."""

    name = f"{DAV}owner"
    on = ("principal", "home", "inbox", "outbox", "calendar", "object", "message")

    def get(self, tx: Tx, context: Context, resource: Resource) -> str | None:
        """The principal in whose home it lies."""
        match resource:
            case Principal() | Home():
                owner = resource.row.id
            case Inbox() | Outbox() | Calendar():
                owner = resource.home.row.id
            case CalendarObject():
                owner = resource.calendar.home.row.id
            case _:
                return None
        return xmlwrite.href(principal_path(tx, context, owner))


@register
class PrincipalCollectionSet(Property):
    """Where principals are found (RFC 3744 §5.8)."""

    name = f"{DAV}principal-collection-set"
    on = EVERYWHERE

    def get(self, tx: Tx, context: Context, resource: Resource) -> str | None:
        """The one collection."""
        return xmlwrite.href(context.prefix + paths.PRINCIPALS)


@register
class PrincipalUrl(Property):
    """The path of a principal (RFC 3744 §4.2)."""

    name = f"{DAV}principal-URL"
    on = ("principal",)

    def get(self, tx: Tx, context: Context, resource: Resource) -> str | None:
        """Itself."""
        return xmlwrite.href(resource.path)


@register
class AlternateUriSet(Property):
    """Other URIs of a principal (RFC 3744 §4.1)."""

    name = f"{DAV}alternate-URI-set"
    on = ("principal",)

    def get(self, tx: Tx, context: Context, resource: Resource) -> str | None:
        """Its addresses."""
        return xmlwrite.hrefs(resource.row.addresses) if isinstance(resource, Principal) else None


@register
class GroupMemberSet(Property):
    """The members of a group (RFC 3744 §4.3)."""

    name = f"{DAV}group-member-set"
    on = ("principal",)

    def get(self, tx: Tx, context: Context, resource: Resource) -> str | None:
        """Direct members; empty for who is no group."""
        if not isinstance(resource, Principal):
            return None
        members = groups.members(tx, resource.row.id) if resource.row.kind == "group" else []
        found = (principals.by_upn(tx, upn) for upn in members)
        return xmlwrite.hrefs(principal_path(tx, context, row.id) for row in found if row is not None)


@register
class GroupMembership(Property):
    """The groups a principal is in (RFC 3744 §4.4)."""

    name = f"{DAV}group-membership"
    on = ("principal",)

    def get(self, tx: Tx, context: Context, resource: Resource) -> str | None:
        """The groups it is in, directly or through other groups."""
        if not isinstance(resource, Principal):
            return None
        return xmlwrite.hrefs(
            principal_path(tx, context, one) for one in groups.groups_of(tx, resource.row.id)
        )


@register
class SupportedPrivilegeSet(Property):
    """The privileges there are, and which contains which (RFC 3744 §5.3)."""

    name = f"{DAV}supported-privilege-set"
    on = EVERYWHERE

    def get(self, tx: Tx, context: Context, resource: Resource) -> str | None:
        """The same tree everywhere."""
        return _SUPPORTED


def _privilege(name: str, words: str, *inner: str) -> str:
    return (
        f"<D:supported-privilege><D:privilege><{name}/></D:privilege>"
        f'<D:description xml:lang="en">{words}</D:description>{"".join(inner)}</D:supported-privilege>'
    )


_SUPPORTED = _privilege(
    "D:all", "Anything",
    _privilege(
        "D:read", "See what is in it",
        _privilege("C:read-free-busy", "See when it is busy"),
        _privilege("D:read-current-user-privilege-set", "See what one may do"),
    ),
    _privilege("D:read-acl", "See who may do what"),
    _privilege(
        "D:write", "Change it",
        _privilege("D:write-properties", "Change its properties"),
        _privilege("D:write-content", "Change what is in it"),
        _privilege("D:bind", "Put something into it"),
        _privilege("D:unbind", "Take something out of it"),
    ),
    _privilege("D:write-acl", "Say who may do what"),
)  # fmt: skip
