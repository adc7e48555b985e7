"""What may come in: envelopes, sizes, dates, iTIP rules, the definitions of iCalendar and CAP."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from kalends.calquery.errors import QueryError
from kalends.calquery.errors import TooComplexError as QueryTooComplexError
from kalends.calquery.parse import parse_line
from kalends.core.access.judges import DENIED
from kalends.core.access.upns import parse_filter
from kalends.core.access.vrights import is_permission
from kalends.core.errors import (
    DeniedError,
    InvalidError,
    QuotaError,
    TooComplexError,
    TooFarFutureError,
    TooFarPastError,
    TooLargeError,
)
from kalends.core.model import Caller
from kalends.core.texts import UID_KINDS
from kalends.ical import itip, validate
from kalends.ical.component_times import MAX_DATES, is_forgotten
from kalends.ical.line_numbers import numbered
from kalends.ical.moment import utc_moment
from kalends.ical.problem import Problem
from kalends.ical.properties import PROPERTIES
from kalends.ical.tree import Component, Line
from kalends.store import objects
from kalends.store.base import Tx

_DATED = frozenset(
    name for name, rule in PROPERTIES.items() if rule.type in ("DATE", "DATE-TIME", "PERIOD")
) | {"TRIGGER"}
"""Properties whose values are dates, so that they can be too far away."""
_DATE = re.compile(r"(?<![0-9A-Za-z])([0-9]{8,12})(T[0-9]{6}Z?)?(?![0-9])")
_DATE_AHEAD = re.compile(r"[0-9]{8}(?![0-9])").match
_ONE_DATE = 16
"""Characters of a date and time: a second date does not fit in."""
_UNTIL = re.compile(r"UNTIL=([0-9]{8,12})(T[0-9]{6}Z?)?", re.IGNORECASE)
_RESTRICTABLE = frozenset(("CREATE", "MODIFY", "*"))
_NO_MESSAGE = frozenset(("VAGENDA", "VCAR", "VQUERY"))
"""Components that no table of iTIP knows (RFC 5546 §3.2 to §3.5)."""

MAX_LINES = 50_000
"""Lines of one object: a series with 400 changed instances has a fifth; these are a second of work."""
MAX_ALARMS = 1_000
"""Alarms of one object, those of all its instances together."""


class Sent:
    """A command's text, to say where in it something is wrong. Lines are counted only then."""

    def __init__(self, root: Component) -> None:
        self.root = root
        self._numbers: dict[int, int] | None = None

    def number(self, item: Component | Line | None) -> int:
        """The physical line of a component or content line in what was sent; 0 when it is not from there."""
        if self._numbers is None:
            self._numbers = {id(line or component): number for number, component, line in numbered(self.root)}
        return self._numbers.get(id(item), 0)

    def refuse(self, whole: Component, problems: Sequence[Problem]) -> None:
        """Refuse an object that was assembled from the command's lines.

        Raises:
            InvalidError: with the first problem and its line in what was sent; when there is one.
        """
        if not problems:
            return
        first = problems[0]
        found = next(
            (line or component for number, component, line in numbered(whole) if number == first.line), None
        )
        raise InvalidError(f"{first.component}: {first.reason}", self.number(found))


def envelope(vcalendar: Component, caller: Caller) -> str | None:
    """Check a command's VCALENDAR as such.

    Args:
        vcalendar: the VCALENDAR of a CREATE.
        caller: strict or not.

    Returns:
        The METHOD in upper case; None for objects to be booked.

    Raises:
        InvalidError: a property stands too often, nothing stands in it, or no such METHOD.

    Source: RFC 4324 §2, §10.4; OBM-01, OBM-02, OBM-12, CRE-04.
    """
    if vcalendar.name != "VCALENDAR":
        raise InvalidError(f"a VCALENDAR is needed, not a {vcalendar.name}", 1)
    for name in ("VERSION", "PRODID", "CALSCALE", "METHOD", "CMD"):
        count = len(vcalendar.all(name))
        if count > 1 or (caller.strict and not count and name in ("VERSION", "PRODID")):
            raise InvalidError(f"{name} stands {count} times in the VCALENDAR")
    if not vcalendar.components:
        raise InvalidError("there is no component in the VCALENDAR")
    written = vcalendar.value("METHOD")
    if written is None:
        return None
    method = written.strip().upper()
    if method not in itip.METHODS:
        raise InvalidError(f"no such METHOD: {written[:40]}")
    return method


def check_message(vcalendar: Component, caller: Caller, sent: Sent) -> None:
    """Check what holds over all components of a message, before they are taken apart.

    Raises:
        InvalidError: components of different kinds, or UIDs, or too many of them, or of a kind that is never
            sent to anybody: a calendar, rights or a query would be booked by what says that it is a message.

    Source: RFC 5546 §3.2 to §3.5; RFC 4324 §2.2, §10.4; CRE-05, OBM-07.
    """
    for part in vcalendar.components:
        if part.name in _NO_MESSAGE:
            raise InvalidError(f"a {part.name} cannot stand in a message with METHOD", sent.number(part))
    sent.refuse(vcalendar, itip.message_problems(vcalendar, strict=caller.strict))


def check_size(octets: int, caller: Caller) -> None:
    """Refuse an object over the size limit.

    Raises:
        TooLargeError: over MAX-COMP-SIZE (RFC 4324 §8.19; code 8.2).
    """
    if octets > caller.policy.max_object:
        raise TooLargeError(f"an object of {octets} octets; the limit is {caller.policy.max_object}")


def check_quota(tx: Tx, caller: Caller, calendar_id: int, kind: str) -> None:
    """Refuse one more object in a calendar that is full.

    Args:
        tx: a write transaction that has locked the calendar.
        caller: whose store this is.
        calendar_id: where the object is to be.
        kind: of the object; rights, queries and time zones do not count.

    Raises:
        QuotaError: the calendar is full (RFC 4324 §10.15: 10.4; CRE-13).
    """
    if is_full(tx, caller, calendar_id, kind):
        raise QuotaError(f"the calendar holds {caller.policy.quota} objects, which is its limit")


def is_full(tx: Tx, caller: Caller, calendar_id: int, kind: str) -> bool:
    """Whether there is no room for one more object of a kind; arguments as for `check_quota`."""
    quota = caller.policy.quota
    if not quota or not _counts(kind):
        return False
    held = objects.counts(tx, calendar_id)
    return sum(count for (one, _), count in held.items() if _counts(one)) >= quota


def _counts(kind: str) -> bool:
    return kind in UID_KINDS or kind.startswith("X-")


def check_dates(components: Sequence[Component], caller: Caller) -> None:
    """Refuse dates outside of MINDATE and MAXDATE.

    The check reads digits, so that years no calendar has (0000, 12026) are told apart, too.

    Raises:
        TooFarFutureError, TooFarPastError: codes 8.3 and 8.4 of RFC 4324 §10.15.

    Source: RFC 4324 §8.20, §8.21; CRE-11.
    """
    low, high = _bounds(caller.policy.min_date, caller.policy.max_date)
    for component in components:
        for part in component.walk():
            for item in part.items:
                if item.name in _DATED and isinstance(item, Line) and not is_forgotten(item):
                    _check_range(item, _DATE, low, high)
                elif item.name == "RRULE" and isinstance(item, Line):
                    _check_range(item, _UNTIL, low, high)


@lru_cache(8)
def _bounds(low: int, high: int) -> tuple[str, str]:
    return str(utc_moment(low)), str(utc_moment(high))


def _check_range(line: Line, pattern: re.Pattern[str], low: str, high: str) -> None:
    value = line.value
    if len(value) <= _ONE_DATE and low[:8] < value[:8] < high[:8] and _DATE_AHEAD(value):
        return  # one date, on a day between: no need to take it apart
    for day, time in pattern.findall(value):
        whole = day + (time or "")
        if len(day) > 8 or whole > high[: len(whole)]:
            raise TooFarFutureError(f"{line.name} {whole} is after {high}")
        if whole < low[: len(whole)]:
            raise TooFarPastError(f"{line.name} {whole} is before {low}")


def check_object(whole: Component, caller: Caller, sent: Sent) -> None:
    """Check an object's text against the definitions, and against iTIP when it has a METHOD.

    Args:
        whole: the assembled VCALENDAR.
        caller: strict or not.
        sent: where its lines came from.

    Raises:
        InvalidError: with the first thing that is wrong.

    Source: RFC 5545 §3.6, §3.8; RFC 5546 §3; RFC 4324 §9, §10.4; CRE-05, MDF-09.
    """
    _check_counts(whole)
    sent.refuse(whole, validate.problems(whole, strict=caller.strict))
    for part in whole.components:
        lines = (*part.all("RDATE"), *part.all("EXDATE"))
        if sum(line.value.count(",") + 1 for line in lines) > MAX_DATES:  # nobody could read it afterwards
            raise InvalidError(f"more than {MAX_DATES} RDATE and EXDATE values", sent.number(part))
    if whole.first("METHOD") is not None:
        sent.refuse(whole, itip.problems(whole, strict=caller.strict))


def _check_counts(whole: Component) -> None:
    """Refuse what would keep the one writer busy for seconds: work grows with lines, and with alarms."""
    lines = alarms = 0
    for part in whole.walk():
        lines += len(part.items)
        alarms += part.name == "VALARM"
    if lines > MAX_LINES:
        raise TooLargeError(f"an object of {lines} lines; the limit is {MAX_LINES}")
    if alarms > MAX_ALARMS:
        raise TooLargeError(f"an object with {alarms} alarms; the limit is {MAX_ALARMS}")


def check_query(vquery: Component, caller: Caller, sent: Sent) -> None:
    """Check a VQUERY that is to be stored.

    Raises:
        InvalidError: a property stands too often or is missing, or a QUERY cannot be read.
        TooComplexError: a QUERY with too many terms.

    Source: RFC 4324 §9.6; QRY-30, QRY-32.
    """
    if vquery.first("TARGET") is not None:
        raise InvalidError(
            "no TARGET in a VQUERY that is created; the command's TARGET says where",
            sent.number(vquery.first("TARGET")),
        )
    for name in ("QUERYID", "EXPAND"):
        if len(vquery.all(name)) > 1:
            raise InvalidError(f"{name} stands more than once in the VQUERY", sent.number(vquery))
    queries = vquery.all("QUERY")
    if not queries:
        raise InvalidError("a VQUERY that is stored needs a QUERY", sent.number(vquery))
    for line in queries:
        _check_cal_query(line, caller, sent)


def _check_cal_query(line: Line, caller: Caller, sent: Sent) -> None:
    try:
        parse_line(line, strict=caller.strict, max_terms=caller.policy.max_terms)
    except QueryTooComplexError as error:
        raise TooComplexError(f"{line.name}: {error}") from error
    except QueryError as error:
        raise InvalidError(f"{line.name}: {error}", sent.number(line)) from error


def check_rights(vcar: Component, caller: Caller, sent: Sent) -> None:
    """Check a VCAR that is to be stored.

    Raises:
        InvalidError: a rule of RFC 4324 §9.3 or §9.4 is broken.
        DeniedError: DECREED:TRUE, which no client can write.

    A permission that nobody knows would deny nothing in a DENY, without a word.

    Source: RFC 4324 §6.1.3, §8.10, §8.25, §8.32, §9.3, §9.4; ACL-13, ACL-16 to ACL-20, UPN-04, UPN-09.
    """
    decreed = vcar.all("DECREED")
    if len(decreed) > 1:
        raise InvalidError("DECREED stands more than once in the VCAR", sent.number(vcar))
    if decreed and decreed[0].value.strip().upper() == "TRUE":
        raise DeniedError(DENIED)
    for vright in vcar.children("VRIGHT"):
        for name in ("GRANT", "DENY"):
            for line in vright.all(name):
                check_upn_filter(line, sent)
        permissions = {line.value.strip().upper() for line in vright.all("PERMISSION")}
        if not all(is_permission(name) for name in permissions):
            raise InvalidError(
                "PERMISSION is one of SEARCH, CREATE, DELETE, MODIFY, MOVE and *, or begins with X-; "
                "each stands on a line of its own",
                sent.number(vright),
            )
        if vright.all("RESTRICTION") and not permissions <= _RESTRICTABLE:
            raise InvalidError(
                "RESTRICTION stands only with PERMISSION CREATE, MODIFY or *", sent.number(vright)
            )
        for line in (*vright.all("SCOPE"), *vright.all("RESTRICTION")):
            _check_cal_query(line, caller, sent)


def check_upn_filter(line: Line, sent: Sent) -> None:
    """Check a UPN-FILTER.

    Raises:
        InvalidError: user@* and user@ above all (RFC 4324 §6.1.3; A-26, A-47).
    """
    try:
        parse_filter(line.value)
    except InvalidError as error:
        raise InvalidError(f"{line.name}: {error.reason}", sent.number(line)) from error
