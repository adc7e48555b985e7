"""What a DECREED VCAR forbids to write: VCARs that contradict it (RFC 4324 §4.2, §4.2.3)."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from kalends.calquery.columns import CONTAINERS
from kalends.calquery.tree import Query
from kalends.core.access.upns import UpnFilter
from kalends.core.access.vrights import Rule

_UNNAMED = ("nobody's", "any realm's nobody", "realm's nobody")
"""Forms that match only those without a name."""


def contradicts(
    written: Iterable[Rule], decreed: Iterable[Rule], owners: Collection[str] = ()
) -> Rule | None:
    """The first decreed rule that one of the written rules would contradict.

    Two rules contradict each other when one grants what the other denies to somebody: their people, their
    permissions and their SCOPEs may overlap. WHERE and SELECT are not looked into: a VCAR that might
    contradict is refused, so that nobody finds the gap between two queries.

    Args:
        written: of a VCAR that is to be stored.
        decreed: the decreed ones that hold there.
        owners: the calendar's OWNERs, in lower case.

    Returns:
        The decreed rule, or None.

    Source: RFC 4324 §4.2; ACL-03, ACL-10.
    """
    against = [rule for rule in decreed if rule.decreed]
    for one in written:
        for rule in against:
            if (
                one.grant is not rule.grant
                and _permissions_meet(one, rule)
                and any(may_meet(a, b, owners) for a in one.who for b in rule.who)
                and _scopes_meet(one.scopes, rule.scopes)
            ):
                return rule
    return None


def _permissions_meet(one: Rule, other: Rule) -> bool:
    everything = "*" in one.permissions or "*" in other.permissions
    return everything or not one.permissions.isdisjoint(other.permissions)


def _scopes_meet(some: tuple[Query, ...] | None, others: tuple[Query, ...] | None) -> bool:
    if some is None or others is None:
        return True
    return any(
        a.source == b.source or not {a.source, b.source}.isdisjoint((*CONTAINERS, "VCALENDAR"))
        for a in some
        for b in others
    )


def may_meet(one: UpnFilter, other: UpnFilter, owners: Collection[str] = ()) -> bool:
    """Whether two filters can match the same person; members of groups are not looked up.

    Args:
        one: a filter.
        other: a filter.
        owners: the calendar's OWNERs, in lower case.
    """
    if one.form == "all" or other.form == "all":
        return True
    for a, b in ((one, other), (other, one)):
        if a.form == "one":
            return b.matches(a.name, owner=a.name in owners)
    for a, b in ((one, other), (other, one)):
        if a.form == "owners":
            return b.form != "others" and b.form not in _UNNAMED
    if "others" in (one.form, other.form):
        return True
    if (one.form in _UNNAMED) is not (other.form in _UNNAMED):
        return False
    if "nobody's" in (one.form, other.form):
        return one.form == other.form
    return one.name == other.name or not one.name or not other.name
