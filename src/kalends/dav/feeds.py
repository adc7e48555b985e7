"""What lies outside of the WebDAV tree: calendars behind secret links, and free-busy addresses.

A link's address is /ics/SECRET.ics; /freebusy/SECRET tells when that calendar is busy, /freebusy/NAME when a
person is, to those who are logged in and may know it.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qsl

from kalends.core import freebusy, scheduling
from kalends.core.access import links
from kalends.core.access.links import Opened
from kalends.core.defaults import PRODID
from kalends.core.freebusy import MAX_DAYS
from kalends.core.people import identity
from kalends.dav import conditions, paths
from kalends.dav.context import Context
from kalends.dav.errors import DavError, not_found
from kalends.dav.messages import Plan, Response
from kalends.dav.whole import ICALENDAR, streamed
from kalends.ical.errors import ICalError
from kalends.ical.moment import DAY, parse_duration, parse_moment
from kalends.ical.tree import Component
from kalends.store.base import Tx

ICS, FREEBUSY = "ics", "freebusy"
DEFAULT_DAYS = 42
"""Days from today that are told when nobody says how many (P42D in the free-busy URL draft)."""
PRIVATE = (
    ("Cache-Control", "private, no-store"),
    ("X-Robots-Tag", "noindex, nofollow, noarchive"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
)
"""What is behind a secret address is kept by nobody and found by no search engine."""
_RFC3339 = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?:T(\d\d):(\d\d):(\d\d)(?:\.\d+)?(Z|[+-]\d\d:\d\d)?)?\Z")


def plan(context: Context) -> Plan:
    """What is to be done with a request for an address of these.

    Raises:
        DavError: 405 for another method than GET and HEAD, 404 for another path.
    """
    if context.request.method not in ("GET", "HEAD"):
        raise DavError(405, None, "This can only be read.", headers=(("Allow", "GET, HEAD"),))
    place, *rest = context.request.path.strip("/").split("/")
    if len(rest) != 1:
        raise not_found()
    name = paths.decode(rest[0])
    if place == ICS:
        return Plan("read", lambda tx: _calendar(tx, context, name))
    lo, hi = _range(context)
    return Plan("read", lambda tx: _freebusy(tx, context, name, lo, hi))


def _opened(tx: Tx, context: Context, secret: str) -> Opened | None:
    return links.opened(tx, secret, context.caller.policy, context.caller.now)


def _calendar(tx: Tx, context: Context, name: str) -> Response:
    """The calendar behind a link."""
    link = _opened(tx, context, name.removesuffix(".ics"))
    if link is None:
        raise not_found()
    tag = f'"{links.etag(tx, link)}"'
    headers: tuple[tuple[str, str], ...] = (*PRIVATE, ("ETag", f"W/{tag}"))
    if tag in conditions.etags(context.header("if-none-match") or ""):
        return Response(304, headers)
    return streamed(context, (("Content-Type", ICALENDAR), *headers), links.text(tx, link))


def _freebusy(tx: Tx, context: Context, name: str, lo: int, hi: int) -> Response:
    """When a calendar, or a person, is busy."""
    link = _opened(tx, context, name.removesuffix(".ics").removesuffix(".ifb"))
    if link is not None:
        found = freebusy.component(context.caller, lo, hi, *links.busy(tx, link, lo, hi))
    else:
        found = _of_person(tx, context, name, lo, hi)
    found.add("UID", f"freebusy-{lo}-{hi}")
    whole = Component("VCALENDAR")
    whole.add("VERSION", "2.0")
    whole.add("PRODID", PRODID)
    whole.add("METHOD", "PUBLISH")
    whole.items.append(found)
    headers = (("Content-Type", f"{ICALENDAR}; component=VFREEBUSY; method=PUBLISH"), *PRIVATE)
    body = whole.to_bytes()
    if context.request.method == "HEAD":
        return Response(200, (*headers, ("Content-Length", str(len(body)))))
    return Response(200, headers, body)


def _of_person(tx: Tx, context: Context, name: str, lo: int, hi: int) -> Component:
    """A person's free-busy over all of their calendars.

    Raises:
        DavError: 401 for who did not log in, whoever is asked for; 404 for nobody, and for who may not know.
    """
    if context.caller.identity.principal_id is None and not context.caller.identity.admin:
        raise DavError(401, None, "Say who you are.")
    row = identity.by_path(tx, name)
    found = None if row is None else scheduling.free_busy_of(tx, context.caller, row.upn, lo, hi)
    if found is None:
        raise not_found()
    return found


def _range(context: Context) -> tuple[int, int]:
    """The range that `start`, `end` and `period` name: from today for 42 days unless they say otherwise.

    Raises:
        DavError: 400 for what cannot be read, an end that is not after the start, or too long a range.
    """
    try:
        asked = dict(parse_qsl(context.request.query, max_num_fields=20))
    except ValueError as error:
        raise DavError(400, None, "The query of this address cannot be read.") from error
    if "end" in asked and "period" in asked:
        raise DavError(400, None, "Either end or period says how long the range is.")
    if "text/calendar" not in asked.get("format", "text/calendar"):
        raise DavError(406, None, "Free/busy is told as text/calendar.")
    now = context.caller.now
    lo = _instant(asked["start"]) if "start" in asked else now - now % DAY
    try:
        if "end" in asked:
            hi = _instant(asked["end"])
        else:
            hi = lo + (parse_duration(asked["period"]).total if "period" in asked else DEFAULT_DAYS * DAY)
    except ICalError as error:
        raise DavError(400, None, "period is a duration such as P7D.") from error
    if not lo < hi or hi - lo > MAX_DAYS * DAY:
        raise DavError(400, None, f"The range ends after it starts, and within {MAX_DAYS} days.")
    return lo, hi


def _instant(text: str) -> int:
    """A date or time as RFC 3339 or RFC 5545 write it; without an offset it is UTC.

    Raises:
        DavError: 400.
    """
    found = _RFC3339.match(text.replace(" ", "+").upper())
    plain, offset = text, 0
    if found is not None:
        year, month, day, hour, minute, second, zone = found.groups()
        plain = f"{year}{month}{day}T{hour or '00'}{minute or '00'}{second or '00'}"
        if zone and zone != "Z":
            offset = (int(zone[1:3]) * 60 + int(zone[4:])) * (-60 if zone[0] == "-" else 60)
    try:
        return parse_moment(plain).wall - offset
    except ICalError as error:
        raise DavError(400, None, "start and end are times such as 2026-03-10T00:00:00Z.") from error
