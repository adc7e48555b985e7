"""What this store can do: the values of GET-CAPABILITY, taken from the constants that rule the code."""

from __future__ import annotations

from kalends.core.languages import OFFERED
from kalends.core.model import Policy
from kalends.ical.moment import utc_moment

CAP_VERSIONS = ("4324",)
"""RFC numbers of CAP (RFC 4324 §8.5; A-07)."""
ITIP_VERSIONS = ("2446", "5546")
"""RFC numbers of iTIP (RFC 4324 §8.18; A-69)."""
COMPONENTS = (
    "VCALSTORE", "VCALENDAR", "VTIMEZONE", "VREPLY", "VAGENDA", "STANDARD", "DAYLIGHT",
    "VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY", "VALARM", "VCAR", "VRIGHT", "VQUERY",
    "VAVAILABILITY",
)  # fmt: skip
"""In the order of RFC 4324 §8.8's ABNF (A-10); those registered later behind them (iana-comp)."""
MULTIPART = ("mixed", "related", "alternative", "digest", "parallel")
"""MIME multipart subtypes that are taken apart on arrival (RFC 4324 §8.22)."""
CHARSETS = ("UTF-8",)
"""Charsets of the store (RFC 4324 §8.11)."""
LOCALES = ("POSIX", *OFFERED[1:])
"""Locales of the store; the first is the default of new calendars (RFC 4324 §8.12)."""
CALSCALES = ("GREGORIAN",)
"""Calendar scales of the store (RFC 4324 §9.2)."""

Capability = tuple[str, tuple[str, ...]]
"""A property of the reply: its name and its values, unescaped."""


def capabilities(policy: Policy) -> list[Capability]:
    """The thirteen properties of a GET-CAPABILITY reply, in the order of RFC 4324 §10.7.

    Args:
        policy: the store's limits; the reply tells these very numbers.

    Returns:
        Names with their values; several values are a comma-separated list on the wire.

    Source: RFC 4324 §10.7; CAP-01 to CAP-11.
    """
    return [
        ("CAP-VERSION", CAP_VERSIONS),
        ("CAR-LEVEL", ("CAR-FULL-1",)),
        ("COMPONENTS", COMPONENTS),
        ("STORES-EXPANDED", ("FALSE",)),
        ("MAXDATE", (str(utc_moment(policy.max_date)),)),
        ("MINDATE", (str(utc_moment(policy.min_date)),)),
        ("ITIP-VERSION", ITIP_VERSIONS),
        ("MAX-COMP-SIZE", (str(policy.max_object),)),
        ("MULTIPART", MULTIPART),
        ("QUERY-LEVEL", ("CAL-QL-1",)),
        ("RECUR-ACCEPTED", ("TRUE",)),
        ("RECUR-EXPAND", ("TRUE",)),
        ("RECUR-LIMIT", (str(policy.recur_limit),)),
    ]
