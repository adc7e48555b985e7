"""The right to answer: whom an object invites may deposit answers to it, without a VCAR (RFC 4324 §14).

RFC 4324 advises to make VCARs for ATTENDEEs by the way. They would say nothing that the object does not say,
and outlive it; so the object itself is asked. A DENY holds against it like against every GRANT.
"""

from __future__ import annotations

from collections.abc import Sequence

from kalends.core.circumstances import Standing
from kalends.core.judges import Authority
from kalends.core.model import Policy
from kalends.core.names import relative
from kalends.ical.tree import Component, parse
from kalends.ical.values import normal_address
from kalends.store import objects

ANSWERS = frozenset(("REPLY", "REFRESH", "COUNTER"))
"""METHODs by which an attendee turns to the organizer (RFC 5546 §1.4)."""
_OWN = frozenset(("REPLY", "REFRESH"))
"""Those that hold the sender as their only ATTENDEE."""


def may_answer(authority: Authority, component: Component, uid: str, method: str | None) -> bool:
    """Whether a component answers an object of the calendar that the caller is invited to.

    Args:
        authority: of the caller in the organizer's calendar.
        component: what is to be deposited.
        uid: its UID.
        method: METHOD of what is to be deposited.

    Source: RFC 4324 §14; ACL-26.
    """
    mine = authority.caller.identity.addresses
    if method not in ANSWERS or not mine:
        return False
    if method in _OWN and not _attendees(component) <= mine:
        return False
    if authority.calendar.id and any(
        not rule.grant
        for rule in authority.judge.touching("CREATE", component, Standing("UNPROCESSED", method))
    ):
        return False
    held = objects.by_uid(authority.tx, authority.calendar.id, uid, "BOOKED", component.name)
    return any(
        not mine.isdisjoint(_attendees(part)) for row in held for part in parse(row.ics).children(row.kind)
    )


def _attendees(component: Component) -> set[str]:
    return {normal_address(line.value) for line in component.all("ATTENDEE")}


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
