"""Free-busy asked of several people at once: a POST to the outbox (RFC 6638 §5)."""

from __future__ import annotations

from dataclasses import dataclass

from kalends.core import scheduling
from kalends.core.scheduling import FreeBusyAnswer
from kalends.dav import incoming, xmlwrite
from kalends.dav.context import Context
from kalends.dav.errors import DavError
from kalends.dav.messages import XML, Response
from kalends.dav.xmlwrite import CALDAV
from kalends.ical.component_times import line_moment
from kalends.ical.errors import ICalError
from kalends.ical.moment import parse_duration
from kalends.ical.tree import Component, parse
from kalends.ical.values import unescape_text
from kalends.ical.zones import Zones
from kalends.store.base import Tx


@dataclass(frozen=True, slots=True)
class Question:
    """A free-busy request.

    Attributes:
        organizer: who asks: the value of ORGANIZER.
        attendees: who is asked, as written.
        lo: start of the range, seconds UTC.
        hi: its end, not included.
        uid: UID, unescaped; '' without one.
    """

    organizer: str
    attendees: tuple[str, ...]
    lo: int
    hi: int
    uid: str


def read_question(context: Context) -> Question:
    """Read the body of a POST to an outbox.

    Raises:
        DavError: 415 for another media type; 403 with the precondition of RFC 6638 §5.1 that is broken.
    """
    incoming.check_media_type(context)
    try:
        tree = parse(context.request.body)
    except ICalError as error:
        raise DavError(403, f"{CALDAV}valid-calendar-data", f"{error}.") from error
    parts = [part for part in tree.components if part.name != "VTIMEZONE"]
    method = (tree.value("METHOD") or "").strip().upper()
    if tree.name != "VCALENDAR" or method != "REQUEST" or [part.name for part in parts] != ["VFREEBUSY"]:
        raise _invalid("One VFREEBUSY with METHOD:REQUEST is needed.")
    asked = parts[0]
    organizer = asked.value("ORGANIZER")
    attendees = tuple(dict.fromkeys(line.value.strip() for line in asked.all("ATTENDEE")))
    if organizer is None or not attendees:
        raise _invalid("The VFREEBUSY needs an ORGANIZER and an ATTENDEE.")
    lo, hi = _range(tree, asked)
    return Question(organizer, attendees, lo, hi, unescape_text(asked.value("UID") or ""))


def _range(tree: Component, asked: Component) -> tuple[int, int]:
    start, end, length = asked.first("DTSTART"), asked.first("DTEND"), asked.first("DURATION")
    if start is None or (end is None and length is None):
        raise _invalid("The VFREEBUSY needs DTSTART and DTEND.")
    zones = Zones(tree)
    try:
        lo = zones.to_epoch(line_moment(start))
        if end is not None:
            return lo, zones.to_epoch(line_moment(end))
        assert length is not None
        lasts = parse_duration(length.value)
        return lo, lo + lasts.days * 86_400 + lasts.seconds
    except ICalError as error:
        raise _invalid(f"{error.reason}.") from error


def _invalid(sentence: str) -> DavError:
    return DavError(403, f"{CALDAV}valid-scheduling-message", sentence)


def answer(tx: Tx, context: Context, question: Question) -> Response:
    """Ask, and write the C:schedule-response (RFC 6638 §5.2, §10)."""
    scheduling.refuse_foreign_organizer(context.caller, question.organizer)
    found = scheduling.schedule_freebusy(
        tx, context.caller, question.organizer, question.attendees, question.lo, question.hi, uid=question.uid
    )
    body = xmlwrite.document(f"{CALDAV}schedule-response", "".join(map(_told, found)))
    return Response(200, (("Content-Type", XML),), body)


def _told(one: FreeBusyAnswer) -> str:
    data = "" if one.message is None else xmlwrite.text(one.message.to_ics())
    return (
        f"<C:response><C:recipient>{xmlwrite.href(one.recipient)}</C:recipient>"
        f"<C:request-status>{xmlwrite.text(one.status)}</C:request-status>"
        + (f"<C:calendar-data>{data}</C:calendar-data>" if data else "")
        + "</C:response>"
    )
