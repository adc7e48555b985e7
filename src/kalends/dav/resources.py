"""What a path can be: one small class a kind of resource, and the way from a path to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from kalends.core import agendas, rights
from kalends.core.model import Target
from kalends.dav import paths
from kalends.dav.context import Context
from kalends.dav.errors import DavError
from kalends.dav.paths import Address
from kalends.ical.tree import Component
from kalends.store import calendars, objects, principals
from kalends.store.base import Tx
from kalends.store.calendars import CalendarRow
from kalends.store.objects import ObjectRow
from kalends.store.principals import PrincipalRow

NOT_OBJECTS = frozenset(("VAGENDA", "VCALSTORE", "VCAR", "VQUERY", "VTIMEZONE"))
"""Kinds that lie in a calendar for CAP's sake; CalDAV sees them as properties, or not at all."""


class Resource:
    """Anything that has a path.

    Attributes:
        kind: the word by which properties say where they stand.
        collection: whether it has members.
        types: what stands in D:resourcetype: a fragment.
        path: its raw path, prefix included.
    """

    __slots__ = ("path",)
    kind: ClassVar[str] = ""
    collection: ClassVar[bool] = True
    types: ClassVar[str] = "<D:collection/>"

    def __init__(self, path: str) -> None:
        self.path = path

    def members(self, tx: Tx, context: Context) -> Iterator[Resource]:
        """The members that the caller may see; none unless a class says otherwise."""
        yield from ()


class Root(Resource):
    """The top: where a client that knows nothing but the origin asks who it is (RFC 6764 §6)."""

    __slots__ = ()
    kind = "root"

    def members(self, tx: Tx, context: Context) -> Iterator[Resource]:
        """The two trees below."""
        yield PrincipalCollection(f"{context.prefix}{paths.PRINCIPALS}")
        yield HomeCollection(f"{context.prefix}{paths.CALENDARS}")


class PrincipalCollection(Resource):
    """All principals (RFC 3744 §5.8)."""

    __slots__ = ()
    kind = "principals"

    def members(self, tx: Tx, context: Context) -> Iterator[Resource]:
        """Everybody: who has a name here may know who else has one, as for invitations."""
        for row in principals.every(tx):
            yield principal_resource(context, row)


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


class Principal(Resource):
    """A user, group, room or resource (RFC 3744 §4)."""

    __slots__ = ("name", "row")
    kind = "principal"
    types = "<D:collection/><D:principal/>"

    def __init__(self, path: str, row: PrincipalRow, name: str) -> None:
        super().__init__(path)
        self.row = row
        self.name = name


class Home(Resource):
    """Where a principal's calendars lie (RFC 4791 §6.2.1)."""

    __slots__ = ("name", "row")
    kind = "home"

    def __init__(self, path: str, row: PrincipalRow, name: str) -> None:
        super().__init__(path)
        self.row = row
        self.name = name

    def members(self, tx: Tx, context: Context) -> Iterator[Resource]:
        """Its calendars, then inbox and outbox where they are the caller's own."""
        for calendar in calendars.every(tx, self.row.id):
            if calendar.slug is not None and rights.visible(tx, context.caller, calendar):
                yield calendar_resource(context, self, calendar)
        if self.is_own(context):
            yield Inbox(paths.calendar(context.prefix, self.name, paths.INBOX), self)
            yield Outbox(paths.calendar(context.prefix, self.name, paths.OUTBOX), self)

    def is_own(self, context: Context) -> bool:
        """Whether it is the caller's, or the caller is an administrator."""
        who = context.caller.identity
        return who.admin or who.principal_id == self.row.id


class Inbox(Resource):
    """A scheduling inbox (RFC 6638 §2.2)."""

    __slots__ = ("home",)
    kind = "inbox"
    types = "<D:collection/><C:schedule-inbox/>"

    def __init__(self, path: str, home: Home) -> None:
        super().__init__(path)
        self.home = home


class Outbox(Resource):
    """A scheduling outbox (RFC 6638 §2.1): free-busy is asked here."""

    __slots__ = ("home",)
    kind = "outbox"
    types = "<D:collection/><C:schedule-outbox/>"

    def __init__(self, path: str, home: Home) -> None:
        super().__init__(path)
        self.home = home


class Calendar(Resource):
    """A calendar collection (RFC 4791 §4.2): a VAGENDA, seen from the other side.

    Attributes:
        row: the calendar.
        home: the home it is seen under.
    """

    __slots__ = ("_held", "home", "row")
    kind = "calendar"
    types = "<D:collection/><C:calendar/>"

    def __init__(self, path: str, row: CalendarRow, home: Home) -> None:
        super().__init__(path)
        self.row = row
        self.home = home
        self._held: Component | None = None

    @property
    def target(self) -> Target:
        """What core calls it."""
        return Target(self.row.calid, self.row.id, self.row.calid)

    def held(self, tx: Tx) -> Component:
        """Its VAGENDA. It may be shared: copy it before changing it."""
        if self._held is None:
            self._held = agendas.properties(tx, self.row)
        return self._held

    def members(self, tx: Tx, context: Context) -> Iterator[Resource]:
        """Its calendar objects."""
        for row in objects.every(tx, self.row.id, state="BOOKED"):
            if row.kind not in NOT_OBJECTS:
                yield CalendarObject(self, row)

    def member(self, tx: Tx, name: str) -> CalendarObject | None:
        """The object of that name that the caller may see, or None."""
        row = objects.by_name(tx, self.row.id, name)
        return None if row is None or row.kind in NOT_OBJECTS else CalendarObject(self, row)


class CalendarObject(Resource):
    """A calendar object resource (RFC 4791 §4.1)."""

    __slots__ = ("calendar", "row")
    kind = "object"
    collection = False
    types = ""

    def __init__(self, calendar: Calendar, row: ObjectRow) -> None:
        self.path = calendar.path + paths.encode(row.name)
        self.calendar = calendar
        self.row = row

    @property
    def etag(self) -> str:
        """Its ETag with quotes."""
        return f'"{self.row.etag}"'


def principal_resource(context: Context, row: PrincipalRow) -> Principal:
    """The resource of a principal."""
    name = paths.principal_name(row.upn, context.caller.policy)
    return Principal(paths.principal(context.prefix, name), row, name)


def home_resource(context: Context, row: PrincipalRow) -> Home:
    """The home of a principal."""
    name = paths.principal_name(row.upn, context.caller.policy)
    return Home(paths.home(context.prefix, name), row, name)


def calendar_resource(context: Context, home: Home, row: CalendarRow) -> Calendar:
    """A calendar under a home."""
    return Calendar(paths.calendar(context.prefix, home.name, row.slug or ""), row, home)


def not_found() -> DavError:
    """404, also for what may not be seen."""
    return DavError(404, None, "There is nothing at this path.")


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
    row = principal_named(tx, context, address.principal)
    if row is None:
        return None
    if address.area == "principals":
        return principal_resource(context, row)
    home = home_resource(context, row)
    if address.calendar is None:
        return home
    collection = under_home(tx, context, home, address.calendar)
    if collection is None or address.member is None:
        return collection
    return collection.member(tx, address.member) if isinstance(collection, Calendar) else None


def principal_named(tx: Tx, context: Context, name: str) -> PrincipalRow | None:
    """The principal that a segment of a path names: by the local part, or by the whole UPN."""
    upn = name if "@" in name else f"{name}@{context.caller.policy.realm}"
    return principals.by_upn(tx, upn.lower())


def under_home(tx: Tx, context: Context, home: Home, segment: str) -> Calendar | Inbox | Outbox | None:
    """The collection with that segment under a home, or None when it may not be seen."""
    if segment in paths.RESERVED:
        if not home.is_own(context):
            return None
        kind = Inbox if segment == paths.INBOX else Outbox
        return kind(paths.calendar(context.prefix, home.name, segment), home)
    row = calendars.by_slug(tx, home.row.id, segment)
    if row is None or not rights.visible(tx, context.caller, row):
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
