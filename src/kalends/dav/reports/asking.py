"""What the reports about calendar objects share: what is asked of each object, and the answer's rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from kalends.core import outside
from kalends.dav import xmlwrite
from kalends.dav.answers import Ask, ask_of
from kalends.dav.calendar_data import NAME, CalendarData, wanted_of
from kalends.dav.context import Context
from kalends.dav.errors import DavError
from kalends.dav.messages import XML, Response
from kalends.dav.xmlread import Element
from kalends.dav.xmlwrite import CALDAV, DAV
from kalends.ical.tzfile import Zone

_MODES = (f"{DAV}prop", f"{DAV}allprop", f"{DAV}propname")
_GETETAG = f"{DAV}getetag"
_QUICK = frozenset((_GETETAG, NAME))
_WITHIN_LIMITS = f"{DAV}number-of-matches-within-limits"


def ask_of_objects(element: Element, context: Context) -> tuple[Ask, CalendarData | None]:
    """Read what a report wants of each object.

    Args:
        element: the report's element, with at most one of D:prop, D:allprop and D:propname.
        context: the request.

    Returns:
        The question, and the part of it that is about C:calendar-data.

    Raises:
        DavError: the question is none, or asks for data in a form that is not offered.

    Source: RFC 4791 §7.8, §9.6.
    """
    if not any(child.tag in _MODES for child in element.children):
        return Ask("prop", minimal=context.minimal), None
    ask = ask_of(element, context)
    prop = element.child(f"{DAV}prop") or element.child(f"{DAV}include")
    found = None if prop is None else prop.child(NAME)
    if found is None:
        return ask, None
    data = CalendarData(wanted_of(found, context), context.caller.policy)
    return replace(ask, bound=(*ask.bound, (NAME, data))), data


class Quick:
    """Writes rows of which nothing is asked but ETags and calendar data: no resource, no table of properties.

    Args:
        data: what is wanted of each text; None for ETags alone.
        etag: whether ETags are wanted.
    """

    def __init__(self, data: CalendarData | None, *, etag: bool) -> None:
        self.data = data
        self.etag = etag

    @classmethod
    def of(cls, ask: Ask, data: CalendarData | None) -> Quick | None:
        """The writer for a question, or None for one that asks for more."""
        if ask.mode != "prop" or not _QUICK.issuperset(ask.names):
            return None
        return cls(data, etag=_GETETAG in ask.names)

    def row(self, path: str, etag: str, ics: bytes) -> str:
        """The D:response of one object: `path` as it stands in XML, `etag` without quotes."""
        tag = f'<D:getetag>"{etag}"</D:getetag>' if self.etag else ""
        data = ""
        if self.data is not None:
            data = f"<C:calendar-data>{self.data.text(outside.text(etag, ics))}</C:calendar-data>"
        return (
            f"<D:response><D:href>{path}</D:href><D:propstat><D:prop>{tag}{data}</D:prop>"
            f"{xmlwrite.OK}</D:propstat></D:response>\n"
        )


def placed(data: CalendarData | None, zone: Zone | None) -> CalendarData | None:
    """The same wish with the zone of floating times."""
    return None if data is None else CalendarData(data.wanted, data.policy, zone)


def zoned(ask: Ask, data: CalendarData | None, zone: Zone | None) -> Ask:
    """The same question with the zone of floating times."""
    made = placed(data, zone)
    if made is None:
        return ask
    return replace(ask, bound=(*(pair for pair in ask.bound if pair[0] != NAME), (NAME, made)))


def multistatus(context: Context, rows: Iterator[str], tail: str = "") -> Response:
    """The response that holds them."""
    headers = [("Content-Type", XML)]
    if context.minimal:
        headers.append(("Preference-Applied", "return=minimal"))
    return Response(207, tuple(headers), xmlwrite.multistatus(rows, tail))


def cut_short(path: str) -> str:
    """The row that says that there is more: of the collection, with 507 (RFC 6578 §3.6)."""
    return xmlwrite.status_response(path, 507, f"<D:error>{xmlwrite.element(_WITHIN_LIMITS)}</D:error>")


def too_many(sentence: str) -> DavError:
    """507 for the whole request (RFC 4791 §7.8, postconditions)."""
    return DavError(507, _WITHIN_LIMITS, sentence)


def limit_of(element: Element) -> int | None:
    """The client's own limit of rows: D:limit with D:nresults, or None.

    Raises:
        DavError: 400 when it is no number above 0.

    Source: RFC 5323 §5.17; RFC 6578 §3.7.
    """
    found = element.child(f"{DAV}limit") or element.child(f"{CALDAV}limit")
    if found is None:
        return None
    number = found.child(f"{DAV}nresults") or found.child(f"{CALDAV}nresults")
    text = "" if number is None else number.text.strip()
    if not (text.isascii() and text.isdigit()) or len(text) > 18 or int(text) == 0:
        raise DavError(400, None, "D:limit holds a D:nresults with a number above 0.")
    return int(text)
