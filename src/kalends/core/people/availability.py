"""When somebody is there at all, as they say it themselves: kept at a principal (RFC 7953)."""

from __future__ import annotations

from collections.abc import Sequence

from kalends.core.errors import DeniedError, InvalidError, NotFoundError, TooLargeError
from kalends.core.model import Caller
from kalends.ical.errors import ICalError
from kalends.ical.moment import parse_moment
from kalends.ical.tree import Component, parse
from kalends.ical.validate import problems
from kalends.store import objects, principals
from kalends.store.base import Tx

KIND = "VAVAILABILITY"
MAX_OCTETS = 100_000
"""Octets of one principal's availability: it is read with every free/busy question (RFC 7953 §8)."""
MAX_PARTS = 500
"""VAVAILABILITY and AVAILABLE components of one availability."""


def read(text: bytes) -> Component:
    """Read and judge an availability.

    Args:
        text: a VCALENDAR with VAVAILABILITY components and the VTIMEZONEs they need.

    Returns:
        The VCALENDAR; octets of its lines are as they came.

    Raises:
        TooLargeError: too long, or of too many parts.
        InvalidError: it is no such VCALENDAR, or breaks a rule of RFC 7953.

    Source: RFC 7953 §3.1, §7.2.4.
    """
    if len(text) > MAX_OCTETS:
        raise TooLargeError(f"an availability has at most {MAX_OCTETS} octets")
    try:
        whole = parse(text)
    except ICalError as error:
        raise InvalidError(error.reason, error.line) from error
    if whole.name != "VCALENDAR" or whole.first("METHOD") is not None:
        raise InvalidError("an availability is a VCALENDAR without METHOD")
    check(whole)
    return whole


def check(whole: Component) -> None:
    """Check that a VCALENDAR holds availability and nothing else.

    Raises:
        TooLargeError: too many parts.
        InvalidError: the rule that is broken, with its line.

    Source: RFC 7953 §3.1.
    """
    held = whole.children("VAVAILABILITY")
    others = {part.name for part in whole.components} - {"VAVAILABILITY", "VTIMEZONE"}
    if not held or others:
        raise InvalidError("an availability holds VAVAILABILITY components and their VTIMEZONEs only")
    parts = [part for one in held for part in (one, *one.children("AVAILABLE"))]
    if len(parts) > MAX_PARTS:
        raise TooLargeError(f"an availability has at most {MAX_PARTS} parts")
    found = problems(whole)
    if found:
        raise InvalidError(found[0].reason, found[0].line)
    for part in parts:
        if not (part.value("UID") or "").strip():
            raise InvalidError(f"{part.name} needs a UID (RFC 7953 §3.1)", part.line_number)
        for name in ("DTSTART", "DTEND"):
            line = part.first(name)
            if line is not None and parse_moment(line.value, line.param("TZID"), line.param("VALUE")).is_date:
                raise InvalidError(f"{name} of {part.name} is a DATE-TIME (RFC 7953 §3.1)", part.line_number)
        if part.first("DURATION") is not None and part.first("DTSTART") is None:
            raise InvalidError(f"DURATION of {part.name} needs DTSTART (RFC 7953 §3.1)", part.line_number)


def of(tx: Tx, principal_id: int) -> bytes | None:
    """The availability of a principal as it was written; None for somebody who is always there."""
    return principals.availability(tx, principal_id)


def in_calendars(tx: Tx, calendar_ids: Sequence[int]) -> Component | None:
    """The availability that stands in calendars, as one VCALENDAR; None where there is none.

    Args:
        tx: a transaction.
        calendar_ids: the calendars.

    Source: RFC 7953 §7.2.3, §7.2.5.
    """
    made = Component("VCALENDAR")
    for row in objects.of_kind(tx, calendar_ids, KIND)[:MAX_PARTS]:
        join(made, parse(row.ics))
    return made if made.items else None


def join(made: Component, whole: Component) -> None:
    """Add the availability, and the time zones, of one VCALENDAR to another."""
    made.items += [part for part in whole.components if part.name in (KIND, "VTIMEZONE")]


def keep(tx: Tx, caller: Caller, principal_id: int, whole: Component | None) -> None:
    """Keep a principal's availability.

    Args:
        tx: a write transaction.
        caller: who says so: the principal themselves or an administrator.
        principal_id: whose.
        whole: what `read` gave; None: always there.

    Raises:
        DeniedError: somebody else's.
        NotFoundError: there is no such principal.

    Source: RFC 7953 §7.2.4, §8.
    """
    who = caller.identity
    if not who.admin and who.principal_id != principal_id:
        raise DeniedError("only they themselves say when somebody is there")
    if principals.by_id(tx, principal_id) is None:
        raise NotFoundError("there is no such principal")
    principals.set_availability(tx, principal_id, None if whole is None else whole.to_bytes())
