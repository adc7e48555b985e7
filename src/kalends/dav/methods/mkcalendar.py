"""MKCALENDAR and extended MKCOL: a calendar is made (RFC 4791 §5.3.1, RFC 5689)."""

from __future__ import annotations

from kalends.core import containers
from kalends.dav import patching, paths, xmlwrite
from kalends.dav.context import Context
from kalends.dav.drafts import Draft
from kalends.dav.errors import DavError
from kalends.dav.finding import find
from kalends.dav.messages import XML, Plan, Response
from kalends.dav.methods.base import Method, allowed_on, register
from kalends.dav.methods.put import check_collection
from kalends.dav.patching import Instruction
from kalends.dav.paths import Address
from kalends.dav.resources import Home, Resource
from kalends.dav.xmlwrite import CALDAV, CALENDARSERVER, DAV
from kalends.ical.tree import Component
from kalends.store.base import Tx

_NO_CACHE = ("Cache-Control", "no-cache")
_CALENDAR = frozenset((f"{DAV}collection", f"{CALDAV}calendar"))
_SUBSCRIBED = f"{CALENDARSERVER}subscribed"
_SUBSCRIPTION = _CALENDAR | {_SUBSCRIBED}
_SOURCE = f"{CALENDARSERVER}source"


class _Making(Method):
    """What both methods do."""

    on = ("nothing",)
    root = ""
    response = ""
    failure = 207

    def plan(self, context: Context) -> Plan:
        """Read the instructions; write."""
        element = context.xml(root=self.root)
        given = [] if element is None else patching.instructions(element, remove=False)
        address = context.address

        def work(tx: Tx) -> Response:
            home = _home_for(tx, context, address)  # first: what is there already is 405 whatever is asked
            wanted = self.checked(given)
            check_collection(tx, context, None)
            agenda = Component("VAGENDA")
            slug = address.calendar or ""
            agenda.add("CALID", containers.unused_calid(tx, home.row.slug, slug))
            agenda.add("OWNER", home.row.upn)
            draft = Draft("calendar", agenda, made=True)
            outcomes = patching.apply(context, draft, wanted)
            at = paths.calendar(context.prefix, home.row.slug, slug)
            if patching.failed(outcomes):
                return self.refused(at, outcomes)
            containers.found_calendar(tx, context.caller, agenda, draft.zones, slug=slug)
            for follow in draft.after:
                follow(tx)
            headers = (("Location", context.request.origin + at), _NO_CACHE)
            if context.minimal:
                return Response(201, (*headers, ("Preference-Applied", "return=minimal")))
            if not outcomes:
                return Response(201, headers)
            body = xmlwrite.document(self.response, patching.propstats(outcomes))
            return Response(201, (*headers, ("Content-Type", XML)), body)

        return Plan("write", work)

    def checked(self, wanted: list[Instruction]) -> list[Instruction]:
        """The instructions without D:resourcetype, which was looked at."""
        return wanted

    def refused(self, path: str, outcomes: list[patching.Outcome]) -> Response:
        """Say which properties were refused; nothing was made."""
        raise NotImplementedError


@register
class MkCalendar(_Making):
    """MKCALENDAR (RFC 4791 §5.3.1)."""

    name = "MKCALENDAR"
    root = f"{CALDAV}mkcalendar"
    response = f"{CALDAV}mkcalendar-response"

    def checked(self, wanted: list[Instruction]) -> list[Instruction]:
        """A D:resourcetype says nothing new."""
        return [one for one in wanted if one.name != f"{DAV}resourcetype"]

    def refused(self, path: str, outcomes: list[patching.Outcome]) -> Response:
        """207 (RFC 4791 §5.3.1.1)."""
        row = xmlwrite.response(path, patching.propstats(outcomes))
        return Response(207, (("Content-Type", XML), _NO_CACHE), xmlwrite.multistatus([row]))


@register
class MkCol(_Making):
    """Extended MKCOL (RFC 5689 §3); only calendars can be made."""

    name = "MKCOL"
    root = f"{DAV}mkcol"
    response = f"{DAV}mkcol-response"

    def checked(self, wanted: list[Instruction]) -> list[Instruction]:
        """D:resourcetype says that it is a calendar, or one that is subscribed to: then with its source.

        Raises:
            DavError: 403 with valid-resourcetype (RFC 5689 §3.3).
        """
        types = next((one.element for one in wanted if one.name == f"{DAV}resourcetype"), None)
        named = {child.tag for child in types.children} if types is not None else set()
        subscribed = _SUBSCRIBED in named
        if named != _CALENDAR and not (subscribed and named <= _SUBSCRIPTION and f"{DAV}collection" in named):
            raise DavError(
                403, f"{DAV}valid-resourcetype", "Only calendars can be made: D:collection and C:calendar."
            )
        if subscribed and not any(one.name == _SOURCE for one in wanted):
            raise DavError(403, f"{DAV}valid-resourcetype", "A subscribed calendar needs a CS:source.")
        return [one for one in wanted if one.name != f"{DAV}resourcetype"]

    def refused(self, path: str, outcomes: list[patching.Outcome]) -> Response:
        """The status of the first refusal, with a D:mkcol-response (RFC 5689 §3)."""
        status = next(error.status for _, error in outcomes if error is not None)
        body = xmlwrite.document(self.response, patching.propstats(outcomes))
        return Response(status, (("Content-Type", XML), _NO_CACHE), body)


def _home_for(tx: Tx, context: Context, address: Address) -> Home:
    """The home in which a calendar can be made at an address.

    Raises:
        DavError: 403 with calendar-collection-location-ok, 405 where something is, 409 without a home.
    """
    there = find(tx, context, address)
    if there is not None:
        raise _taken(there)
    if address.area != "calendars" or address.calendar is None or address.member is not None:
        raise DavError(
            403, f"{CALDAV}calendar-collection-location-ok", "A calendar is made right under a calendar home."
        )
    if address.calendar in paths.RESERVED:
        raise DavError(403, f"{CALDAV}calendar-collection-location-ok", "This name is reserved.")
    home = find(tx, context, address.parent)
    if not isinstance(home, Home):
        raise DavError(409, None, "There is no calendar home above this path.")
    return home


def _taken(there: Resource) -> DavError:
    allow = ("Allow", allowed_on(there.kind))
    return DavError(405, f"{DAV}resource-must-be-null", "There is a resource at this path.", headers=(allow,))
