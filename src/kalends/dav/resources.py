"""Homes and what lies in them, as resources: one small class a kind."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from itertools import islice
from typing import ClassVar

from kalends.core import agendas, outside, scheduling
from kalends.core.access import grants, mounting, rights
from kalends.core.access.sights import Shown, Sight
from kalends.core.model import Target
from kalends.dav import paths
from kalends.dav.context import Context
from kalends.ical.tree import Component
from kalends.store import calendars, listings, objects
from kalends.store.base import Tx
from kalends.store.calendars import CalendarRow
from kalends.store.listings import ListedRow
from kalends.store.objects import ObjectRow
from kalends.store.principals import PrincipalRow


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

    def types_in(self, tx: Tx) -> str:
        """D:resourcetype, where the class alone does not say it."""
        return self.types

    def members(self, tx: Tx, context: Context) -> Iterator[Resource]:
        """The members that the caller may see; none unless a class says otherwise."""
        yield from ()


class Home(Resource):
    """Where a principal's calendars lie (RFC 4791 §6.2.1)."""

    __slots__ = ("row",)
    kind = "home"

    def __init__(self, path: str, row: PrincipalRow) -> None:
        super().__init__(path)
        self.row = row

    def members(self, tx: Tx, context: Context) -> Iterator[Resource]:
        """Its calendars, those that others share, inbox and outbox; all but the first in the caller's own."""
        taken: set[str] = set()
        for calendar in calendars.every(tx, self.row.id):
            if calendar.slug is not None and rights.listed(tx, context.caller, calendar):
                taken.add(calendar.slug)
                yield calendar_resource(context, self, calendar)
        if context.caller.identity.principal_id == self.row.id:
            for mount in mounting.mounted(tx, context.caller):
                if mount.slug not in taken:
                    yield mounted_resource(context, self, mount)
        if self.is_own(context):
            yield Inbox(paths.calendar(context.prefix, self.row.slug, paths.INBOX), self)
            yield Outbox(paths.calendar(context.prefix, self.row.slug, paths.OUTBOX), self)

    def is_own(self, context: Context) -> bool:
        """Whether it is the caller's, or the caller is an administrator."""
        who = context.caller.identity
        return who.admin or who.principal_id == self.row.id


class Inbox(Resource):
    """A scheduling inbox (RFC 6638 §2.2): messages that nobody has processed yet."""

    __slots__ = ("home",)
    kind = "inbox"
    types = "<D:collection/><C:schedule-inbox/>"

    def __init__(self, path: str, home: Home) -> None:
        super().__init__(path)
        self.home = home

    def calendar(self, tx: Tx, context: Context) -> Calendar | None:
        """The calendar that new invitations go to, or None."""
        default = self.home.row.default_calendar
        row = None if default is None else calendars.by_id(tx, default)
        return None if row is None else calendar_resource(context, self.home, row)

    def members(self, tx: Tx, context: Context) -> Iterator[Resource]:
        """The messages in all calendars of the home."""
        yield from self.messages(tx, context)

    def messages(self, tx: Tx, context: Context) -> list[Message]:
        """The messages in all calendars of the home, oldest first."""
        found: list[Message] = []
        held: dict[int, Calendar] = {}
        for row in scheduling.inbox(tx, self.home.row.id):
            if row.calendar_id not in held:
                calendar = calendars.by_id(tx, row.calendar_id)
                assert calendar is not None, "an object without its calendar"
                held[row.calendar_id] = calendar_resource(context, self.home, calendar)
            found.append(Message(self.path, held[row.calendar_id], row))
        return found

    def member(self, tx: Tx, context: Context, name: str) -> Message | None:
        """The message of that name, or None."""
        for calendar in calendars.every(tx, self.home.row.id):
            row = objects.by_name(tx, calendar.id, name, "UNPROCESSED")
            if row is not None:
                return Message(self.path, calendar_resource(context, self.home, calendar), row)
        return None


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

    __slots__ = ("_authority", "_held", "_sight", "home", "row")
    kind = "calendar"
    types = "<D:collection/><C:calendar/>"

    def __init__(self, path: str, row: CalendarRow, home: Home) -> None:
        super().__init__(path)
        self.row = row
        self.home = home
        self._held: Component | None = None
        self._sight: Sight | None = None
        self._authority: rights.Authority | None = None

    @property
    def target(self) -> Target:
        """What core calls it."""
        return Target(self.row.calid, self.row.id, self.row.calid)

    def held(self, tx: Tx) -> Component:
        """Its VAGENDA. It may be shared: copy it before changing it."""
        if self._held is None:
            self._held = agendas.properties(tx, self.row)
        return self._held

    def seen(self, tx: Tx, context: Context) -> Component:
        """Its VAGENDA as far as the caller may see it; empty when nothing of it may be seen."""
        return self.sight(tx, context).of(self.held(tx)) or Component("VAGENDA")

    def sight(self, tx: Tx, context: Context) -> Sight:
        """What the caller may see in it."""
        if self._sight is None:
            self._sight = self.authority(tx, context).sight()
        return self._sight

    def authority(self, tx: Tx, context: Context) -> rights.Authority:
        """What the caller may do in it, as it was when first asked."""
        if self._authority is None:
            self._authority = rights.Authority(tx, context.caller, self.row)
        return self._authority

    def members(self, tx: Tx, context: Context) -> Iterator[Resource]:
        """Its calendar objects, in order of their names, as far as the caller may see them."""
        rows = listings.listing(tx, self.row.id)
        if self.sight(tx, context).whole:
            for row in rows:
                yield CalendarObject(self, row)
            return
        while names := [row.name for row in islice(rows, listings.PAGE)]:
            for whole in listings.by_names(tx, self.row.id, names).values():
                seen = self.object(tx, context, whole)
                if seen is not None:
                    yield seen

    def types_in(self, tx: Tx) -> str:
        """With CS:shared-owner where it is shared with somebody."""
        # the first tick brought the rights that everybody's calendars are born with
        if self.row.rights_tick > 1 and grants.shared_with(tx, self.row.id):
            return f"{self.types}<CS:shared-owner/>"
        return self.types

    def member(self, tx: Tx, context: Context, name: str) -> CalendarObject | None:
        """The object of that name as the caller sees it, or None."""
        row = objects.by_name(tx, self.row.id, name)
        return None if row is None else self.object(tx, context, row)

    def object(self, tx: Tx, context: Context, row: ObjectRow) -> CalendarObject | None:
        """A row of this calendar as the caller sees it; None for what is no calendar object, or hidden."""
        if row.kind in listings.NOT_RESOURCES:
            return None
        sight = self.sight(tx, context)
        if sight.whole:
            return CalendarObject(self, row)
        shown = sight.object(row)
        return None if shown is None else CalendarObject(self, row, shown)


class Mounted(Calendar):
    """A calendar of somebody else in one's own home.

    Attributes:
        home: its owner's.
        mount: what one keeps of one's own about it.
        shared_path: its raw path in its owner's home.
    """

    __slots__ = ("_seen", "mount", "shared_path")
    types = "<D:collection/><C:calendar/><CS:shared/>"

    def __init__(self, path: str, mount: mounting.Mount, home: Home, shared_path: str) -> None:
        super().__init__(path, mount.calendar, home)
        self.mount = mount
        self.shared_path = shared_path
        self._seen: Component | None = None
        self._authority = mount.authority

    def seen(self, tx: Tx, context: Context) -> Component:
        """Its VAGENDA as far as the caller may see it, with their own name, colour and order."""
        if self._seen is None:
            self._seen = mounting.overlaid(super().seen(tx, context), self.mount, self.home.row.name)
        return self._seen

    def types_in(self, tx: Tx) -> str:
        """Always the same."""
        return self.types


class CalendarObject(Resource):
    """A calendar object resource (RFC 4791 §4.1).

    Args:
        calendar: where it lies.
        row: the object, or what a listing says of it.
        shown: what the caller sees of it; None for all.

    Attributes:
        etag: its ETag in quotes; of a text that is cut for the caller, one that no write will ever match.
        size: octets of the text as it is kept.
        cut: whether the caller sees a part only.
    """

    __slots__ = ("calendar", "cut", "etag", "row", "shown", "size")
    kind = "object"
    collection = False
    types = ""

    def __init__(self, calendar: Calendar, row: ObjectRow | ListedRow, shown: Shown | None = None) -> None:
        self.path = calendar.path + paths.encode(row.name)
        self.calendar = calendar
        self.row = row
        self.shown = shown
        self.cut = shown is not None and not shown.whole
        if self.cut:
            assert shown is not None
            self.etag, self.size = cut_etag(shown.ics), len(shown.ics)
        else:
            self.etag, self.size = f'"{row.etag}"', row.size

    @property
    def changed_at(self) -> int | None:
        """When it was last changed; None for who sees a part: what they do not see may have changed."""
        return None if self.cut else self.row.changed_at

    @property
    def created_at(self) -> int | None:
        """When it was made; None for who sees a part."""
        return None if self.cut else self.row.created_at

    @property
    def schedule_tag(self) -> str | None:
        """Its Schedule-Tag without quotes; None for who sees a part."""
        return None if self.cut else self.row.schedule_tag

    @staticmethod
    def path_in(calendar: Calendar, name: str) -> str:
        """The raw path of a name in a calendar."""
        return calendar.path + paths.encode(name)

    def octets(self, tx: Tx) -> int:
        """The size of what `ics` gives."""
        return len(self.ics(tx)) if self.row.etag.endswith(outside.MARK) else self.size

    def ics(self, tx: Tx) -> bytes:
        """The text as the caller may see it, without what only CAP knows (OBM-15)."""
        return outside.text(self.row.etag, self.held(tx))

    def held(self, tx: Tx) -> bytes:
        """The text as the caller may see it and as it is kept."""
        if self.shown is not None:
            return self.shown.ics
        if isinstance(self.row, ObjectRow):
            return self.row.ics
        found = objects.get(tx, self.row.id)
        assert found is not None, "listed in this transaction"
        return found.ics


def cut_etag(ics: bytes) -> str:
    """The ETag of a text that was cut for somebody: distinct from that of any stored text."""
    return f'"cut-{hashlib.blake2b(ics, digest_size=16).hexdigest()}"'


class Message(CalendarObject):
    """A scheduling message in an inbox."""

    __slots__ = ()
    kind = "message"

    def __init__(self, inbox: str, calendar: Calendar, row: ObjectRow | ListedRow) -> None:
        super().__init__(calendar, row)
        self.path = inbox + paths.encode(row.name)


def home_resource(context: Context, row: PrincipalRow) -> Home:
    """The home of a principal."""
    return Home(paths.home(context.prefix, row.slug), row)


def calendar_resource(context: Context, home: Home, row: CalendarRow) -> Calendar:
    """A calendar under a home."""
    return Calendar(paths.calendar(context.prefix, home.row.slug, row.slug or ""), row, home)


def mounted_resource(context: Context, home: Home, mount: mounting.Mount) -> Mounted:
    """A calendar of somebody else under the caller's own home."""
    at = paths.calendar(context.prefix, home.row.slug, mount.slug)
    owned = paths.calendar(context.prefix, mount.owner.slug, mount.calendar.slug or "")
    return Mounted(at, mount, home_resource(context, mount.owner), owned)
