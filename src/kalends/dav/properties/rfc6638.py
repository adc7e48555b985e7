"""Scheduling as properties (RFC 6638 §2.4, §9)."""

from __future__ import annotations

from kalends.core.agendas import TRANSP
from kalends.dav import paths, xmlwrite
from kalends.dav.context import Context
from kalends.dav.drafts import Draft
from kalends.dav.errors import DavError
from kalends.dav.finding import find
from kalends.dav.principals import Principal
from kalends.dav.properties.base import Property, register
from kalends.dav.resources import Calendar, CalendarObject, Inbox, Resource
from kalends.dav.xmlread import Element
from kalends.dav.xmlwrite import CALDAV, CALENDARSERVER
from kalends.store import principals
from kalends.store.base import Tx

_TYPES = {"user": "INDIVIDUAL", "group": "GROUP", "room": "ROOM", "resource": "RESOURCE"}


@register
class CalendarUserAddressSet(Property):
    """By what addresses others invite a principal (RFC 6638 §2.4.1)."""

    name = f"{CALDAV}calendar-user-address-set"
    on = ("principal",)

    def get(self, tx: Tx, context: Context, resource: Resource) -> str | None:
        """mailto: and the like, then the path of the principal itself."""
        if not isinstance(resource, Principal):
            return None
        return xmlwrite.hrefs((*resource.row.addresses, resource.path))


@register
class CalendarUserType(Property):
    """What kind of attendee it is (RFC 6638 §2.4.2)."""

    name = f"{CALDAV}calendar-user-type"
    on = ("principal",)

    def get(self, tx: Tx, context: Context, resource: Resource) -> str | None:
        """CUTYPE."""
        return _TYPES[resource.row.kind] if isinstance(resource, Principal) else None


@register
class EmailAddressSet(Property):
    """E-mail addresses (CalendarServer)."""

    name = f"{CALENDARSERVER}email-address-set"
    on = ("principal",)

    def get(self, tx: Tx, context: Context, resource: Resource) -> str | None:
        """Those of the addresses that are mailboxes."""
        if not isinstance(resource, Principal):
            return None
        mails = [uri[len("mailto:") :] for uri in resource.row.addresses if uri.startswith("mailto:")]
        return "".join(f"<CS:email-address>{xmlwrite.text(mail)}</CS:email-address>" for mail in mails)


class _BoxUrl(Property):
    """The path of an inbox or outbox; for their owner only, like these themselves."""

    on = ("principal",)
    segment = ""

    def get(self, tx: Tx, context: Context, resource: Resource) -> str | None:
        """A href."""
        if not isinstance(resource, Principal) or resource.row.kind == "group":
            return None
        return xmlwrite.href(paths.calendar(context.prefix, resource.row.path, self.segment))


@register
class ScheduleInboxUrl(_BoxUrl):
    """Where messages arrive (RFC 6638 §2.2.1)."""

    name = f"{CALDAV}schedule-inbox-URL"
    segment = paths.INBOX


@register
class ScheduleOutboxUrl(_BoxUrl):
    """Where free-busy is asked (RFC 6638 §2.1.1)."""

    name = f"{CALDAV}schedule-outbox-URL"
    segment = paths.OUTBOX


@register
class ScheduleDefaultCalendarUrl(Property):
    """Where new invitations go (RFC 6638 §9.2)."""

    name = f"{CALDAV}schedule-default-calendar-URL"
    on = ("inbox",)
    protected = False

    def get(self, tx: Tx, context: Context, resource: Resource) -> str | None:
        """The default calendar."""
        calendar = resource.calendar(tx, context) if isinstance(resource, Inbox) else None
        return None if calendar is None else xmlwrite.href(calendar.path)

    def set(self, context: Context, draft: Draft, element: Element | None) -> None:
        """Choose another one of the same home."""
        link = None if element is None else element.child("{DAV:}href")
        if link is None:
            raise _invalid_default()
        path = context.local_path(link.text)
        if path is None:
            raise _invalid_default()
        address = paths.read(path)

        def choose(tx: Tx) -> None:
            found = find(tx, context, address)
            inbox = find(tx, context, context.address)
            if not isinstance(found, Calendar) or not isinstance(inbox, Inbox):
                raise _invalid_default()
            if found.home.row.id != inbox.home.row.id:
                raise _invalid_default()
            principals.set_default_calendar(tx, inbox.home.row.id, found.row.id)

        draft.after.append(choose)


def _invalid_default() -> DavError:
    return DavError(
        403, f"{CALDAV}valid-schedule-default-calendar-URL", "It has to be one calendar of the same home."
    )


@register
class ScheduleCalendarTransp(Property):
    """Whether a calendar's events make its owner busy (RFC 6638 §9.1)."""

    name = f"{CALDAV}schedule-calendar-transp"
    on = ("calendar",)
    protected = False

    def get(self, tx: Tx, context: Context, resource: Resource) -> str | None:
        """C:opaque or C:transparent."""
        if not isinstance(resource, Calendar):
            return None
        value = (resource.seen(tx, context).value(TRANSP) or "").upper()
        return "<C:transparent/>" if value == "TRANSPARENT" else "<C:opaque/>"

    def set(self, context: Context, draft: Draft, element: Element | None) -> None:
        """Choose."""
        clear = element is not None and element.child(f"{CALDAV}transparent") is not None
        if element is not None and not clear and element.child(f"{CALDAV}opaque") is None:
            raise DavError(409, None, "Either C:opaque or C:transparent is needed.")
        draft.wire(TRANSP, "TRANSPARENT" if clear else None)


@register
class ScheduleTag(Property):
    """A tag that changes when an attendee has to look again (RFC 6638 §9.3)."""

    name = f"{CALDAV}schedule-tag"
    on = ("object",)

    def get(self, tx: Tx, context: Context, resource: Resource) -> str | None:
        """The tag of the row, in quotes."""
        tag = resource.schedule_tag if isinstance(resource, CalendarObject) else None
        return None if tag is None else f'"{tag}"'
