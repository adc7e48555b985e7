"""What a new store and a new calendar are born with (RFC 4324 §4.2.2, §8.11 to §8.14, §9.2)."""

from __future__ import annotations

from kalends.core.capability import CALSCALES, CHARSETS, LOCALES
from kalends.core.model import Policy
from kalends.core.names import qualified
from kalends.ical.moment import utc_moment
from kalends.ical.tree import Component, parse_all
from kalends.ical.values import escape_text

PRODID = "-//Kalends//Kalends calendar store//EN"
"""PRODID of every text that this store writes by itself."""

_VCARS = """\
BEGIN:VCAR
CARID:READBUSYTIMEINFO
NAME:Everybody may see when this calendar is busy
BEGIN:VRIGHT
GRANT:*
PERMISSION:SEARCH
SCOPE:SELECT * FROM VFREEBUSY WHERE STATE() = 'BOOKED'
END:VRIGHT
END:VCAR
BEGIN:VCAR
CARID:REQUESTONLY
NAME:Everybody else may send requests
BEGIN:VRIGHT
GRANT:NOT CAL-OWNERS()
PERMISSION:CREATE
RESTRICTION:SELECT VEVENT FROM VAGENDA WHERE METHOD = 'REQUEST'
RESTRICTION:SELECT VTODO FROM VAGENDA WHERE METHOD = 'REQUEST'
RESTRICTION:SELECT VJOURNAL FROM VAGENDA WHERE METHOD = 'REQUEST'
END:VRIGHT
END:VCAR
BEGIN:VCAR
CARID:UPDATEPARTSTATUS
NAME:Attendees may change their own participation
BEGIN:VRIGHT
GRANT:*
PERMISSION:MODIFY
SCOPE:SELECT ATTENDEE FROM VEVENT WHERE ATTENDEE = SELF() AND ORGANIZER =
  CURRENT-TARGET() AND STATE() = 'BOOKED'
RESTRICTION:SELECT * FROM VEVENT WHERE ATTENDEE = SELF()
END:VRIGHT
END:VCAR
BEGIN:VCAR
CARID:DEFAULTOWNER
NAME:Owners may do everything
BEGIN:VRIGHT
GRANT:CAL-OWNERS()
PERMISSION:*
SCOPE:SELECT * FROM VAGENDA
END:VRIGHT
END:VCAR
"""

_STORE_VCARS = """\
BEGIN:VCAR
CARID:READSTORE
NAME:Whoever has a name here may read what belongs to the store itself
BEGIN:VRIGHT
GRANT:*@*
PERMISSION:SEARCH
SCOPE:SELECT * FROM VCALSTORE
END:VRIGHT
END:VCAR
"""

_UTC = """\
BEGIN:VTIMEZONE
TZID:UTC
BEGIN:STANDARD
DTSTART:19700101T000000
TZOFFSETFROM:+0000
TZOFFSETTO:+0000
TZNAME:UTC
END:STANDARD
END:VTIMEZONE
"""

DEFAULT_VCARS = ("READBUSYTIMEINFO", "REQUESTONLY", "UPDATEPARTSTATUS", "DEFAULTOWNER")
"""CARIDs that every store has and copies into new calendars (RFC 4324 §4.2.2, §8.14; ACL-04, ACL-05)."""


def vcars() -> list[Component]:
    """The four predefined VCARs, fresh."""
    return parse_all(_VCARS.replace("\n", "\r\n"))


def store_vcars() -> list[Component]:
    """VCARs of a new store that speak of the store alone, fresh."""
    return parse_all(_STORE_VCARS.replace("\n", "\r\n"))


def vtimezone_utc() -> Component:
    """A VTIMEZONE that says UTC, which the DEFAULT-TZID of a store must name (RFC 4324 §8.13; A-66)."""
    return parse_all(_UTC.replace("\n", "\r\n"))[0]


def vcalstore(policy: Policy, now: int) -> Component:
    """The properties of a new store, each exactly once.

    Args:
        policy: names and limits.
        now: seconds since 1970 UTC.

    Source: RFC 4324 §9.2; STO-01, STO-03, STO-04.
    """
    zones = dict.fromkeys((policy.default_tz, "UTC"))
    made = Component("VCALSTORE")
    made.add("CSID", qualified("", policy))
    made.add("CALMASTER", policy.calmaster or f"mailto:calmaster@{policy.realm}")
    made.add("ALLOW-CONFLICT", "TRUE")
    made.add("CALSCALE", ",".join(CALSCALES))
    made.add("DEFAULT-CHARSET", ",".join(CHARSETS))
    made.add("DEFAULT-LOCALE", ",".join(LOCALES))
    made.add("DEFAULT-TZID", ",".join(escape_text(zone) for zone in zones))
    made.add("DEFAULT-VCARS", ",".join(DEFAULT_VCARS))
    made.add("MAXDATE", str(utc_moment(policy.max_date)))
    made.add("MINDATE", str(utc_moment(policy.min_date)))
    made.add("CREATED", str(utc_moment(now)))
    made.add("LAST-MODIFIED", str(utc_moment(now)))
    return made
