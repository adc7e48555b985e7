"""Properties of calendars and of calendar homes (RFC 4791 §5.2, §6.2, §7.5.1)."""

from __future__ import annotations

from kalends.core import agendas
from kalends.core.timezones import definition
from kalends.dav import drafts, incoming, paths, xmlwrite
from kalends.dav.context import Context
from kalends.dav.drafts import Draft
from kalends.dav.errors import DavError
from kalends.dav.principals import Principal
from kalends.dav.properties.base import EVERYWHERE, Property, register
from kalends.dav.reports.base import REPORTS
from kalends.dav.resources import Calendar, Resource
from kalends.dav.xmlread import Element
from kalends.dav.xmlwrite import CALDAV, DAV
from kalends.ical.errors import ICalError
from kalends.ical.moment import utc_moment
from kalends.ical.rscale import scales
from kalends.ical.tree import Component, parse
from kalends.ical.values import escape_text, unescape_text
from kalends.store import objects
from kalends.store.base import Tx

MAX_DESCRIPTION = 10_000
"""Characters of a calendar's description."""
COLLATIONS = ("i;ascii-casemap", "i;octet", "i;unicode-casemap")
"""Ways of comparing texts in filters (RFC 4790; RFC 5051)."""


@register
class CalendarHomeSet(Property):
    """Where a principal's calendars lie (RFC 4791 §6.2.1)."""

    name = f"{CALDAV}calendar-home-set"
    on = ("principal",)

    def get(self, tx: Tx, context: Context, resource: Resource) -> str | None:
        """Its home."""
        if not isinstance(resource, Principal):
            return None
        return xmlwrite.href(paths.home(context.prefix, resource.row.path))


@register
class CalendarDescription(Property):
    """What a calendar is about (RFC 4791 §5.2.1): DESCRIPTION of a VAGENDA."""

    name = f"{CALDAV}calendar-description"
    on = ("calendar",)
    protected = False
    spoken = True

    def language(self, tx: Tx, context: Context, resource: Resource) -> str | None:
        """LANGUAGE of the DESCRIPTION."""
        line = resource.seen(tx, context).first("DESCRIPTION") if isinstance(resource, Calendar) else None
        return None if line is None else drafts.language_of(line)

    def get(self, tx: Tx, context: Context, resource: Resource) -> str | None:
        """DESCRIPTION."""
        value = resource.seen(tx, context).value("DESCRIPTION") if isinstance(resource, Calendar) else None
        return None if value is None else xmlwrite.text(unescape_text(value))

    def set(self, context: Context, draft: Draft, element: Element | None) -> None:
        """Set DESCRIPTION."""
        if element is not None and len(element.text) > MAX_DESCRIPTION:
            raise DavError(409, None, f"A description has at most {MAX_DESCRIPTION} characters.")
        params = () if element is None else drafts.language_params(element)
        draft.text("DESCRIPTION", None if element is None else element.text, *params)


@register
class CalendarTimezone(Property):
    """The zone in which floating times are read (RFC 4791 §5.2.2): DEFAULT-TZID of a VAGENDA."""

    name = f"{CALDAV}calendar-timezone"
    on = ("calendar",)
    protected = False

    def get(self, tx: Tx, context: Context, resource: Resource) -> str | None:
        """A VCALENDAR with its VTIMEZONE."""
        if not isinstance(resource, Calendar):
            return None
        names = agendas.time_zones(resource.seen(tx, context))
        held = objects.by_uid(tx, resource.row.id, names[0], "BOOKED", "VTIMEZONE") if names else []
        zone = agendas.parsed(held[0]).children("VTIMEZONE")[0] if held else None
        if zone is None and names:
            zone = definition(names[0])
        return None if zone is None else xmlwrite.text(agendas.wrap(zone).to_ics())

    def set(self, context: Context, draft: Draft, element: Element | None) -> None:
        """Set DEFAULT-TZID, and keep a VTIMEZONE that nobody else defines."""
        if element is None:
            set_zone(draft, context.caller.policy.default_tz)
            return
        zone = _zone_in(element.text)
        tzid = unescape_text(zone.value("TZID") or "").strip()
        draft.zones[tzid] = zone
        set_zone(draft, tzid)


def set_zone(draft: Draft, tzid: str) -> None:
    """Make a zone the first of DEFAULT-TZID."""
    others = [name for name in agendas.time_zones(draft.agenda)[1:] if name != tzid]
    draft.wire("DEFAULT-TZID", ",".join(map(escape_text, [tzid, *others])))


def _zone_in(text: str) -> Component:
    """The one VTIMEZONE of a calendar-timezone.

    Raises:
        DavError: 403 with CALDAV:valid-calendar-data (RFC 4791 §5.3.1).
    """
    try:
        tree = parse("".join(f"{line}\r\n" for line in text.strip().splitlines()))  # XML made CRLF LF
    except ICalError as error:
        raise DavError(403, f"{CALDAV}valid-calendar-data", f"{error}.") from error
    zones = tree.children("VTIMEZONE")
    if tree.name != "VCALENDAR" or len(zones) != 1 or len(tree.components) != 1 or not zones[0].value("TZID"):
        raise DavError(
            403, f"{CALDAV}valid-calendar-data", "A calendar-timezone is a VCALENDAR with one VTIMEZONE."
        )
    return zones[0]


@register
class SupportedCalendarComponentSet(Property):
    """What a calendar is meant for (RFC 4791 §5.2.3); set when it is made only."""

    name = f"{CALDAV}supported-calendar-component-set"
    on = ("calendar", "inbox", "outbox")

    def get(self, tx: Tx, context: Context, resource: Resource) -> str | None:
        """One C:comp each."""
        meant = agendas.meant_for(resource.held(tx)) if isinstance(resource, Calendar) else ()
        return "".join(f'<C:comp name="{xmlwrite.attribute(name)}"/>' for name in meant or incoming.KINDS)

    def set(self, context: Context, draft: Draft, element: Element | None) -> None:
        """Say what a calendar being made is meant for."""
        if not draft.made or element is None:
            super().set(context, draft, element)
            return
        names = [comp.attributes.get("name", "").strip().upper() for comp in element.all(f"{CALDAV}comp")]
        wanted = list(dict.fromkeys(name for name in names if name != "VTIMEZONE"))
        if not wanted or not set(wanted) <= set(incoming.KINDS):
            raise DavError(
                403, f"{CALDAV}supported-calendar-component", f"Possible are {', '.join(incoming.KINDS)}."
            )
        draft.wire(agendas.COMPONENTS, None if set(wanted) == set(incoming.KINDS) else ",".join(wanted))


class _Constant(Property):
    """A property that says the same of every calendar."""

    on = ("calendar",)


@register
class SupportedCalendarData(_Constant):
    """Media types of calendar objects (RFC 4791 §5.2.4)."""

    name = f"{CALDAV}supported-calendar-data"

    def get(self, tx: Tx, context: Context, resource: Resource) -> str | None:
        """ICalendar."""
        return '<C:calendar-data content-type="text/calendar" version="2.0"/>'


@register
class MaxResourceSize(_Constant):
    """Octets of one calendar object (RFC 4791 §5.2.5)."""

    name = f"{CALDAV}max-resource-size"

    def get(self, tx: Tx, context: Context, resource: Resource) -> str | None:
        """MAX-COMP-SIZE."""
        return str(context.caller.policy.max_object)


@register
class MinDateTime(_Constant):
    """The earliest date (RFC 4791 §5.2.6)."""

    name = f"{CALDAV}min-date-time"

    def get(self, tx: Tx, context: Context, resource: Resource) -> str | None:
        """MINDATE."""
        return str(utc_moment(context.caller.policy.min_date))


@register
class MaxDateTime(_Constant):
    """The latest date (RFC 4791 §5.2.7)."""

    name = f"{CALDAV}max-date-time"

    def get(self, tx: Tx, context: Context, resource: Resource) -> str | None:
        """MAXDATE."""
        return str(utc_moment(context.caller.policy.max_date))


@register
class MaxInstances(_Constant):
    """Components of one object (RFC 4791 §5.2.8). How often a rule recurs is not limited."""

    name = f"{CALDAV}max-instances"

    def get(self, tx: Tx, context: Context, resource: Resource) -> str | None:
        """The limit."""
        return str(incoming.MAX_INSTANCES)


@register
class MaxAttendeesPerInstance(_Constant):
    """ATTENDEEs of one component (RFC 4791 §5.2.9)."""

    name = f"{CALDAV}max-attendees-per-instance"

    def get(self, tx: Tx, context: Context, resource: Resource) -> str | None:
        """The limit."""
        return str(incoming.MAX_ATTENDEES)


@register
class SupportedCollationSet(_Constant):
    """How texts may be compared (RFC 4791 §7.5.1)."""

    name = f"{CALDAV}supported-collation-set"

    def get(self, tx: Tx, context: Context, resource: Resource) -> str | None:
        """One element each."""
        return "".join(f"<C:supported-collation>{one}</C:supported-collation>" for one in COLLATIONS)


@register
class SupportedRscaleSet(_Constant):
    """By what calendars rules may be reckoned (RFC 7529 §10.1)."""

    name = f"{CALDAV}supported-rscale-set"

    def get(self, tx: Tx, context: Context, resource: Resource) -> str | None:
        """One element each."""
        return "".join(f"<C:supported-rscale>{one}</C:supported-rscale>" for one in scales())


@register
class SupportedReportSet(Property):
    """The reports that a resource answers (RFC 3253 §3.1.5)."""

    name = f"{DAV}supported-report-set"
    on = EVERYWHERE

    def get(self, tx: Tx, context: Context, resource: Resource) -> str | None:
        """One D:supported-report each."""
        names = [name for name, report in REPORTS.items() if resource.kind in report.on]
        return "".join(
            f"<D:supported-report><D:report>{xmlwrite.element(name)}</D:report></D:supported-report>"
            for name in names
        )
