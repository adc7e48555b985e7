"""The right to answer, and to follow up: without a VCAR, by what an object itself says (RFC 4324 §14).

Whom an object invites may deposit answers to it; whose invitation somebody has may change it and call it off.

RFC 4324 advises to make VCARs for ATTENDEEs by the way. They would say nothing that the object does not say,
and outlive it; so the object itself is asked. A DENY holds against it like against every GRANT.
"""

from __future__ import annotations

from collections.abc import Sequence

from kalends.core.access.circumstances import Standing
from kalends.core.access.judges import Authority
from kalends.core.model import Policy
from kalends.core.names import relative
from kalends.ical.tree import Component, parse
from kalends.ical.values import normal_address
from kalends.store import objects

ANSWERS = frozenset(("REPLY", "REFRESH", "COUNTER"))
"""METHODs by which an attendee turns to the organizer (RFC 5546 §1.4)."""
FOLLOWS = frozenset(("REQUEST", "CANCEL", "ADD", "DECLINECOUNTER"))
"""METHODs by which an organizer goes on about what somebody has from them."""
_OWN = frozenset(("REPLY", "REFRESH"))
"""Those that hold the sender as their only ATTENDEE."""


def may_answer(authority: Authority, component: Component, uid: str, method: str | None) -> bool:
    """Whether a component answers an object of the calendar that the caller is invited to, or has sent.

    Args:
        authority: of the caller in the calendar of whom it is for.
        component: what is to be deposited.
        uid: its UID.
        method: METHOD of what is to be deposited.

    Source: RFC 4324 §14; ACL-26; RFC 6638 §6.1.
    """
    mine = authority.caller.identity.addresses
    if method is None or method not in ANSWERS | FOLLOWS or not mine:
        return False
    if method in _OWN and not _attendees(component) <= mine:
        return False
    if authority.calendar.id and any(
        not rule.grant
        for rule in authority.judge.touching("CREATE", component, Standing("UNPROCESSED", method))
    ):
        return False
    held = objects.by_uid(authority.tx, authority.calendar.id, uid, "BOOKED", component.name)
    whose = _organizers if method in FOLLOWS else _attendees
    return any(not mine.isdisjoint(whose(part)) for row in held for part in parse(row.ics).children(row.kind))


def _attendees(component: Component) -> set[str]:
    return {normal_address(line.value) for line in component.all("ATTENDEE")}


def _organizers(component: Component) -> set[str]:
    return {normal_address(line.value) for line in component.all("ORGANIZER")}


def unreachable(components: Sequence[Component], policy: Policy) -> tuple[str, ...]:
    """Those invited by a cap: address that lies elsewhere: they have no UPN here to answer with.

    Args:
        components: what was booked.
        policy: the store's CSID.

    Source: RFC 4324 §14; ACL-26.
    """
    found = [
        line.value
        for component in components
        for line in component.all("ATTENDEE")
        if line.value[:4].lower() == "cap:" and relative(line.value, policy) is None
    ]
    return tuple(dict.fromkeys(found))
