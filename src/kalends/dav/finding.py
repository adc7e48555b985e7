"""The way from a path to what it names."""

from __future__ import annotations

from collections.abc import Iterator

from kalends.core.access import mounting, rights
from kalends.core.people import identity
from kalends.dav import paths
from kalends.dav.context import Context
from kalends.dav.errors import DavError, not_found
from kalends.dav.paths import Address
from kalends.dav.principals import PrincipalCollection, principal_resource, proxy_resource
from kalends.dav.resources import (
    Calendar,
    Home,
    Inbox,
    Outbox,
    Resource,
    calendar_resource,
    home_resource,
    mounted_resource,
)
from kalends.store import calendars, principals
from kalends.store.base import Tx


class Root(Resource):
    """The top: where a client that knows nothing but the origin asks who it is (RFC 6764 §6)."""

    __slots__ = ()
    kind = "root"

    def members(self, tx: Tx, context: Context) -> Iterator[Resource]:
        """The two trees below."""
        yield PrincipalCollection(f"{context.prefix}{paths.PRINCIPALS}")
        yield HomeCollection(f"{context.prefix}{paths.CALENDARS}")


class HomeCollection(Resource):
    """All calendar homes; the caller's own is the one it lists."""

    __slots__ = ()
    kind = "homes"

    def members(self, tx: Tx, context: Context) -> Iterator[Resource]:
        """The caller's home."""
        own = context.caller.identity.principal_id
        row = None if own is None else principals.by_id(tx, own)
        if row is not None:
            yield home_resource(context, row)


def resolve(tx: Tx, context: Context, address: Address) -> Resource:
    """Find what a path names.

    Args:
        tx: a transaction.
        context: who asks.
        address: the path, read.

    Raises:
        DavError: 404, also for what the caller may not see.
    """
    found = find(tx, context, address)
    if found is None:
        raise not_found()
    return found


def find(tx: Tx, context: Context, address: Address) -> Resource | None:
    """What a path names, or None; see `resolve`."""
    if address.area == "other":
        return None
    if address.area == "root":
        return Root(context.prefix + (paths.ROOT if context.request.path.startswith("/dav") else "/"))
    if address.principal is None:
        at = paths.PRINCIPALS if address.area == "principals" else paths.CALENDARS
        kind = PrincipalCollection if address.area == "principals" else HomeCollection
        return kind(context.prefix + at)
    if address.area == "principals":
        found = identity.by_path(tx, address.principal)
        return None if found is None else _under_principals(context, found, address.calendar)
    row = principals.by_slug(tx, address.principal.lower())
    if row is None:
        return None
    home = home_resource(context, row)
    if address.calendar is None:
        return home
    collection = under_home(tx, context, home, address.calendar)
    if collection is None or address.member is None:
        return collection
    return (
        None
        if isinstance(collection, Outbox) or address.slash
        else collection.member(tx, context, address.member)
    )


def _under_principals(context: Context, row: identity.Principal, segment: str | None) -> Resource | None:
    if segment is None:
        return principal_resource(context, row)
    if segment not in paths.PROXIES or row.kind == "group":
        return None
    return proxy_resource(context, row, write=paths.PROXIES[segment])


def under_home(tx: Tx, context: Context, home: Home, segment: str) -> Calendar | Inbox | Outbox | None:
    """The collection with that segment under a home, or None when it may not be seen."""
    if segment in paths.RESERVED:
        if not home.is_own(context):
            return None
        kind = Inbox if segment == paths.INBOX else Outbox
        return kind(paths.calendar(context.prefix, home.row.slug, segment), home)
    row = calendars.by_slug(tx, home.row.id, segment)
    if row is None and context.caller.identity.principal_id == home.row.id:
        mount = mounting.at(tx, context.caller, segment)
        return None if mount is None else mounted_resource(context, home, mount)
    if row is None or not rights.listed(tx, context.caller, row):
        return None
    return calendar_resource(context, home, row)


def calendar_at(tx: Tx, context: Context, address: Address) -> Calendar:
    """The calendar a path lies in or names.

    Raises:
        DavError: 409 when there is none: a member needs its collection first (RFC 4918 §9.7.1).
    """
    home_of = address.parent if address.member is not None else address
    found = find(tx, context, home_of)
    if not isinstance(found, Calendar):
        raise DavError(409, None, "There is no calendar at this path; make one with MKCALENDAR first.")
    return found
