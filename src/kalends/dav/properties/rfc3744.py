"""Access control as properties (RFC 3744 §4, §5): who owns a resource and what one may do with it."""

from __future__ import annotations

from kalends.core.access import delegates
from kalends.core.people import groups as core_groups
from kalends.core.people import identity
from kalends.dav import acl, paths, privileges, xmlwrite
from kalends.dav.context import Context
from kalends.dav.drafts import Draft
from kalends.dav.errors import DavError, lacking
from kalends.dav.finding import resolve
from kalends.dav.principals import Principal, Proxy, principal_path
from kalends.dav.properties.base import EVERYWHERE, Property, register
from kalends.dav.resources import Calendar, CalendarObject, Home, Inbox, Outbox, Resource
from kalends.dav.xmlread import Element
from kalends.dav.xmlwrite import DAV
from kalends.store import groups, principals
from kalends.store.base import Tx


@register
class CurrentUserPrivilegeSet(Property):
    """What who asks may do here (RFC 3744 §5.5)."""

    name = f"{DAV}current-user-privilege-set"
    on = EVERYWHERE

    def get(self, tx: Tx, context: Context, resource: Resource) -> str | None:
        """One D:privilege each."""
        return privileges.written(privileges.privileges_on(tx, context, resource))


@register
class Owner(Property):
    """Whose it is (RFC 3744 §5.1)."""

    name = f"{DAV}owner"
    on = ("principal", "proxy", "home", "inbox", "outbox", "calendar", "object", "message")

    def get(self, tx: Tx, context: Context, resource: Resource) -> str | None:
        """The principal in whose home it lies."""
        match resource:
            case Principal() | Proxy() | Home():
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
    on = ("principal", "proxy")

    def get(self, tx: Tx, context: Context, resource: Resource) -> str | None:
        """Itself."""
        return xmlwrite.href(resource.path)


@register
class AlternateUriSet(Property):
    """Other URIs of a principal (RFC 3744 §4.1)."""

    name = f"{DAV}alternate-URI-set"
    on = ("principal", "proxy")

    def get(self, tx: Tx, context: Context, resource: Resource) -> str | None:
        """Its addresses."""
        return xmlwrite.hrefs(resource.row.addresses) if isinstance(resource, Principal) else ""


@register
class GroupMemberSet(Property):
    """The members of a group, and somebody's delegates (RFC 3744 §4.3; calendar-proxy)."""

    name = f"{DAV}group-member-set"
    on = ("principal", "proxy")
    protected = False

    def get(self, tx: Tx, context: Context, resource: Resource) -> str | None:
        """Direct members; empty for who is no group."""
        if isinstance(resource, Proxy):
            if not (privileges.owns_principal(context, resource) or _is_delegate(tx, context, resource)):
                raise lacking(resource.path, "D:read", "Somebody else's delegates are not told.")
            members = delegates.of(tx, resource.row.id, write=resource.write)
        else:
            assert isinstance(resource, Principal), resource.kind
            members = groups.members(tx, resource.row.id) if resource.row.kind == "group" else []
        found = (principals.by_upn(tx, upn) for upn in members)
        return xmlwrite.hrefs(principal_path(tx, context, row.id) for row in found if row is not None)

    def set(self, context: Context, draft: Draft, element: Element | None) -> None:
        """Say who is in the group; removing the property empties it."""
        links = [] if element is None else element.all(f"{DAV}href")
        if element is not None and len(links) != len(element.children):
            raise DavError(409, None, "D:group-member-set holds D:href elements.")
        if len(links) > MAX_MEMBERS:
            raise DavError(507, None, f"At most {MAX_MEMBERS} members can be named at once.")
        local = [context.local_path(link.text) for link in links]

        def follow(tx: Tx) -> None:
            found = resolve(tx, context, context.address)
            members = [acl.principal_at(tx, context, path or "/").upn for path in local]
            if isinstance(found, Proxy):
                delegates.settle(tx, context.caller, found.row.id, members, write=found.write)
                return
            assert isinstance(found, Principal), found.kind
            if found.row.kind != "group":
                raise DavError(403, f"{DAV}cannot-modify-protected-property", "Only groups have members.")
            if not context.caller.identity.admin:
                raise lacking(found.path, "D:write-properties", "Administrators say who is in a group.")
            core_groups.settle(tx, found.row.upn, members)

        draft.after.append(follow)


MAX_MEMBERS = 1_000
"""Members of a group in one request."""


def _is_delegate(tx: Tx, context: Context, resource: Proxy) -> bool:
    who = context.caller.identity
    return not {who.upn, *who.groups}.isdisjoint(delegates.of(tx, resource.row.id, write=resource.write))


@register
class GroupMembership(Property):
    """The groups a principal is in (RFC 3744 §4.4)."""

    name = f"{DAV}group-membership"
    on = ("principal", "proxy")

    def get(self, tx: Tx, context: Context, resource: Resource) -> str | None:
        """The groups it is in, directly or through other groups; one's own tells whose delegate one is."""
        if not isinstance(resource, Principal):
            return ""
        around = [principal_path(tx, context, one) for one in groups.groups_of(tx, resource.row.id)]
        if privileges.owns_principal(context, resource):
            for write in (False, True):
                for one in delegates.acting_for(tx, resource.row.upn, write=write):
                    row = identity.by_id(tx, one)
                    if row is not None:
                        around.append(paths.proxy(context.prefix, row.path, write=write))
        return xmlwrite.hrefs(around)


@register
class SupportedPrivilegeSet(Property):
    """The privileges there are, and which contains which (RFC 3744 §5.3)."""

    name = f"{DAV}supported-privilege-set"
    on = EVERYWHERE

    def get(self, tx: Tx, context: Context, resource: Resource) -> str | None:
        """The tree of its kind."""
        return privileges.supported_on(resource.kind)


@register
class Acl(Property):
    """Who may do what (RFC 3744 §5.5): VCARs, as near as privileges come."""

    name = f"{DAV}acl"
    on = EVERYWHERE

    def get(self, tx: Tx, context: Context, resource: Resource) -> str | None:
        """The ACEs."""
        if not privileges.may_read_acl(tx, context, resource):
            raise lacking(resource.path, "D:read-acl", "Who may do what here is not told.")
        return acl.aces_of(tx, context, resource)


@register
class AclRestrictions(Property):
    """What an ACL request cannot say (RFC 3744 §5.6)."""

    name = f"{DAV}acl-restrictions"
    on = EVERYWHERE

    def get(self, tx: Tx, context: Context, resource: Resource) -> str | None:
        """The same everywhere."""
        return "<D:grant-only/><D:no-invert/>"


@register
class InheritedAclSet(Property):
    """Other resources whose lists have to grant the same (RFC 3744 §5.7)."""

    name = f"{DAV}inherited-acl-set"
    on = EVERYWHERE

    def get(self, tx: Tx, context: Context, resource: Resource) -> str | None:
        """None: the list of an object is that of its calendar."""
        return ""
