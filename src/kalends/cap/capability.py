"""GET-CAPABILITY: what this server tells of itself, and what it learns of a client (RFC 4324 §10.7)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from kalends.core.capability import capabilities
from kalends.core.model import Policy
from kalends.ical.folds import fold
from kalends.ical.tree import Component

_NUMBER = re.compile(r"[0-9]{1,18}\Z")


def own_capability(policy: Policy) -> str:
    """The properties of our reply, folded: all thirteen that RFC 4324 §10.7 demands.

    Source: RFC 4324 §10.7; CAP-02.
    """
    return "".join(fold(f"{name}:{','.join(values)}") for name, values in capabilities(policy))


@dataclass(frozen=True, slots=True)
class PeerCapability:
    """What matters to us of a client's answer; a missing property has its default (A-09, CAP-09).

    Attributes:
        max_size: octets of the largest message it accepts; 0 for no limit.
        multipart: it understands multipart/mixed.
        default_tz: its zone for floating times (A-34).
    """

    max_size: int = 0
    multipart: bool = False
    default_tz: str | None = None


UNKNOWN = PeerCapability()
"""A client that has not answered (yet)."""


def read_capability(vcalendar: Component) -> PeerCapability:
    """Read a client's reply to our GET-CAPABILITY; what cannot be understood counts as not said."""
    vreply = next(iter(vcalendar.children("VREPLY")), vcalendar)
    size = (vreply.value("MAX-COMP-SIZE") or vreply.value("MAX-COMPONENT-SIZE") or "0").strip()
    kinds = (vreply.value("MULTIPART") or "").lower().split(",")
    zone = (vreply.value("DEFAULT-TZID") or "").partition(",")[0].strip()
    return PeerCapability(
        max_size=int(size) if _NUMBER.match(size) else 0,
        multipart="mixed" in (kind.strip() for kind in kinds),
        default_tz=zone or None,
    )
