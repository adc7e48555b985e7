"""The iCalendar text of a PUT or POST: read and judged before any transaction (RFC 4791 §4.1, §5.3.2.1)."""

from __future__ import annotations

import re

from kalends.dav.context import Context
from kalends.dav.errors import DavError
from kalends.dav.xmlwrite import CALDAV
from kalends.ical.errors import ICalError
from kalends.ical.rscale import known, scales
from kalends.ical.tree import Component, parse
from kalends.ical.values import unescape_text

KINDS = ("VEVENT", "VTODO", "VJOURNAL", "VAVAILABILITY")
"""What a calendar object is made of."""
MEDIA_TYPES = ("text/calendar",)
"""The media types a calendar object comes as (RFC 4791 §4.1, CALDAV:supported-calendar-data)."""
_SCALE = re.compile(r"(?:\A|;)RSCALE=([^;]*)", re.IGNORECASE)
MAX_INSTANCES = 10_000
"""Overriding components of one object (CALDAV:max-instances is about the same number)."""
MAX_ATTENDEES = 1_000
"""ATTENDEEs of one component (CALDAV:max-attendees-per-instance)."""


def calendar_object(context: Context) -> Component:
    """The body as one calendar object.

    Args:
        context: the request.

    Returns:
        Its VCALENDAR; octets of untouched lines are as they came.

    Raises:
        DavError: 415 for another media type; 403 with the precondition of RFC 4791 §5.3.2.1 that is broken.
    """
    check_media_type(context)
    if "content-range" in context.request.headers:
        raise DavError(400, None, "A PUT of a part of an object is not possible (RFC 9110 §14.4).")
    if len(context.request.body) > context.caller.policy.max_object:
        limit = context.caller.policy.max_object
        raise DavError(403, f"{CALDAV}max-resource-size", f"A calendar object has at most {limit} octets.")
    try:
        tree = parse(context.request.body)
    except ICalError as error:
        raise DavError(403, f"{CALDAV}valid-calendar-data", f"{error}.") from error
    check_object(tree)
    return tree


def check_media_type(context: Context) -> None:
    """Refuse what says that it is no iCalendar; a request that says nothing is read as one.

    Raises:
        DavError: 415 with CALDAV:supported-calendar-data.
    """
    given = context.header("content-type")
    if given is None:
        return
    media, *params = [part.strip().lower() for part in given.split(";")]
    charsets = [part.partition("=")[2].strip('"') for part in params if part.startswith("charset=")]
    if media not in MEDIA_TYPES or any(name not in ("utf-8", "utf8", "us-ascii") for name in charsets):
        raise DavError(
            415, f"{CALDAV}supported-calendar-data", "A calendar object comes as text/calendar in UTF-8."
        )
    if (context.header("content-encoding") or "identity").lower() != "identity":
        raise DavError(415, None, "A calendar object comes without a Content-Encoding.")


def check_object(tree: Component) -> None:
    """Check what makes a calendar object resource: one UID, one kind, no METHOD.

    Raises:
        DavError: 403 with CALDAV:valid-calendar-data or CALDAV:valid-calendar-object-resource.

    Source: RFC 4791 §4.1.
    """
    if tree.name != "VCALENDAR":
        raise DavError(403, f"{CALDAV}valid-calendar-data", f"A VCALENDAR is needed, not a {tree.name[:40]}.")
    if tree.first("METHOD") is not None:
        raise _no_resource("A calendar object has no METHOD; messages go through the outbox.")
    mains = [part for part in tree.components if part.name != "VTIMEZONE"]
    kinds = {part.name for part in mains}
    if len(kinds) != 1:
        raise _no_resource(f"A calendar object holds one kind of component, not {len(kinds)}.")
    uids = {unescape_text(part.value("UID") or "").strip() for part in mains}
    if len(uids) != 1:
        raise _no_resource(f"A calendar object holds one UID, not {len(uids)}.")
    if "" in uids:
        raise _no_resource(f"The {mains[0].name[:40]} needs a UID.")
    if mains[0].name not in KINDS and not mains[0].name.startswith("X-"):
        raise DavError(
            403,
            f"{CALDAV}supported-calendar-component",
            f"A {mains[0].name[:40]} is no calendar object here.",
        )
    for line in (line for part in mains for line in part.all("RRULE")):
        scale = _SCALE.search(line.value)
        if scale is not None and known(scale[1]) is None:  # RFC 7529 §10
            sentence = f"Rules are reckoned by {', '.join(scales())} here."
            raise DavError(403, f"{CALDAV}supported-rscale", sentence)
    if len(mains) > MAX_INSTANCES:
        raise DavError(403, f"{CALDAV}max-instances", f"At most {MAX_INSTANCES} components of one UID.")
    if any(len(part.all("ATTENDEE")) > MAX_ATTENDEES for part in mains):
        raise DavError(403, f"{CALDAV}max-attendees-per-instance", f"At most {MAX_ATTENDEES} attendees.")


def _no_resource(sentence: str) -> DavError:
    return DavError(403, f"{CALDAV}valid-calendar-object-resource", sentence)


def uid_of(tree: Component) -> str:
    """The UID of a calendar object that was checked."""
    return next(
        unescape_text(part.value("UID") or "").strip() for part in tree.components if part.name != "VTIMEZONE"
    )


def kind_of(tree: Component) -> str:
    """The component of a calendar object that was checked."""
    return next(part.name for part in tree.components if part.name != "VTIMEZONE")
