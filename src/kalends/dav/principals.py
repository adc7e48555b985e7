"""Principals as resources, and the groups of their delegates (RFC 3744 §4)."""

from __future__ import annotations

from collections.abc import Iterator

from kalends.core.people import identity
from kalends.dav import paths
from kalends.dav.context import Context
from kalends.dav.resources import Resource
from kalends.store.base import Tx


class PrincipalCollection(Resource):
    """All principals (RFC 3744 §5.8)."""

    __slots__ = ()
    kind = "principals"

    def members(self, tx: Tx, context: Context) -> Iterator[Resource]:
        """Everybody: who has a name here may know who else has one, as for invitations."""
        for row in identity.everybody(tx):
            yield principal_resource(context, row)


class Proxy(Resource):
    """The delegates of somebody, as a group: those who may read, or those who may write (calendar-proxy).

    Attributes:
        row: whose delegates.
        write: which of the two.
    """

    __slots__ = ("row", "write")
    kind = "proxy"

    def __init__(self, path: str, row: identity.Principal, *, write: bool) -> None:
        super().__init__(path)
        self.row = row
        self.write = write

    def types_in(self, tx: Tx) -> str:
        """A principal of one of two kinds."""
        return f"<D:principal/><D:collection/><CS:calendar-proxy-{'write' if self.write else 'read'}/>"


class Principal(Resource):
    """A user, group, room or resource (RFC 3744 §4)."""

    __slots__ = ("row",)
    kind = "principal"
    types = "<D:collection/><D:principal/>"

    def __init__(self, path: str, row: identity.Principal) -> None:
        super().__init__(path)
        self.row = row

    def members(self, tx: Tx, context: Context) -> Iterator[Resource]:
        """Its two groups of delegates; none for groups, which have no calendars to begin with."""
        if self.row.kind != "group":
            for write in (False, True):
                yield proxy_resource(context, self.row, write=write)


def principal_path(tx: Tx, context: Context, principal_id: int) -> str:
    """The raw path of a principal, looked up once in a request; that of all principals for who is gone."""
    found = context.principals.get(principal_id)
    if found is None:
        row = identity.by_id(tx, principal_id)
        at = context.prefix + paths.PRINCIPALS
        found = at if row is None else paths.principal(context.prefix, row.path)
        context.principals[principal_id] = found
    return found


def principal_resource(context: Context, row: identity.Principal) -> Principal:
    """The resource of a principal."""
    return Principal(paths.principal(context.prefix, row.path), row)


def proxy_resource(context: Context, row: identity.Principal, *, write: bool) -> Proxy:
    """A group of somebody's delegates."""
    return Proxy(paths.proxy(context.prefix, row.path, write=write), row, write=write)
