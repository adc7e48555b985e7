"""Rights in words: what a calendar's VCARs say, and which of them decides about somebody."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from kalends.calquery.tree import Query
from kalends.core.access.circumstances import Standing
from kalends.core.access.judges import PERMISSIONS, Authority, authority_in
from kalends.core.access.sharing import Share, shares
from kalends.core.access.upns import Form, UpnFilter, parse_filter
from kalends.core.access.vrights import Rule, rules_in
from kalends.core.errors import InvalidError, NotFoundError
from kalends.core.model import Caller, Identity, Target
from kalends.core.names import ANONYMOUS, complete_upn
from kalends.core.people import identity
from kalends.ical.tree import Component, parse
from kalends.ical.values import normal_address
from kalends.ical.zones import Zones
from kalends.store import objects
from kalends.store.base import Tx

_WHO: dict[Form, str] = {
    "all": "everybody",
    "nobody's": "the anonymous",
    "any realm's nobody": "those without a name, of any realm",
    "realm's nobody": "those without a name, of {}",
    "anybody": "everybody who has a name",
    "realm's anybody": "everybody of {}",
    "one": "{}",
    "owners": "owners",
    "others": "everybody but owners",
}
DO = {"SEARCH": "see", "CREATE": "create", "DELETE": "delete", "MODIFY": "change", "MOVE": "move"}
KINDS = {
    "VEVENT": "events",
    "VTODO": "to-dos",
    "VJOURNAL": "journals",
    "VFREEBUSY": "when it is busy",
    "VAGENDA": "the calendar's properties",
    "VCAR": "its rights",
}
"""Kinds of components in words."""
_PLAIN = {
    "SELECT * FROM VAGENDA": "everything",
    "SELECT * FROM VFREEBUSY": "when it is busy",
    "SELECT * FROM VFREEBUSY WHERE STATE() = 'BOOKED'": "when it is busy",
    "SELECT * FROM VEVENT": "events",
    "SELECT * FROM VTODO": "to-dos",
    "SELECT * FROM VJOURNAL": "journals",
    "SELECT * FROM VCAR": "its rights",
    "SELECT VEVENT FROM VAGENDA WHERE METHOD = 'REQUEST'": "invitations",
    "SELECT VTODO FROM VAGENDA WHERE METHOD = 'REQUEST'": "requested to-dos",
    "SELECT VJOURNAL FROM VAGENDA WHERE METHOD = 'REQUEST'": "requested journals",
    "SELECT ATTENDEE FROM VEVENT WHERE ATTENDEE = SELF() AND ORGANIZER = CURRENT-TARGET()"
    " AND STATE() = 'BOOKED'": "how they take part in events",
    "SELECT * FROM VEVENT WHERE ATTENDEE = SELF()": "events they attend",
}
"""Queries that everybody's rights hold, in words; others are shown as they are written."""
ASKED = ("VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY", "VAGENDA", "VCAR")
"""Kinds of components that `explain` tells about."""


@dataclass(frozen=True, slots=True)
class Told:
    """One rule in words.

    Attributes:
        who: whom it is about. may: what they may, or may not, do. what: to what.
        only: what the result must be like; '' for anything. denies: whether it is a DENY.
        carid, number: which VRIGHT says so. place: calendar or store. decreed: no client can change it.
    """

    who: str
    may: str
    what: str
    only: str
    denies: bool
    carid: str
    number: int
    place: str
    decreed: bool


def told(tx: Tx, calendar_id: int) -> tuple[list[Share], list[Told]]:
    """The rights of a calendar: how it is shared, and every rule besides that holds there.

    Args:
        tx: a transaction.
        calendar_id: the calendar.
    """
    shared = shares(tx, calendar_id)
    known = {one.carid for one in shared if one.preset}
    return shared, [_told(rule) for rule in rules_in(tx, calendar_id) if rule.carid not in known]


def _told(rule: Rule) -> Told:
    doing = "do everything" if "*" in rule.permissions else _joined(
        DO.get(one, one.lower()) for one in sorted(rule.permissions, key=_order)
    )  # fmt: skip
    return Told(
        who=_joined(who_in_words(one) for one in rule.who),
        may=f"may not {doing}" if not rule.grant else f"may {doing}",
        what=_queries(rule.scopes) or "everything",
        only=_queries(rule.restrictions),
        denies=not rule.grant,
        carid=rule.carid,
        number=rule.number,
        place=rule.place,
        decreed=rule.decreed,
    )


def _queries(queries: tuple[Query, ...] | None) -> str:
    return "; ".join(_PLAIN.get(one.text, one.text) for one in queries or ())


def _order(permission: str) -> int:
    return PERMISSIONS.index(permission) if permission in PERMISSIONS else len(PERMISSIONS)


def _joined(words: Iterable[str]) -> str:
    return ", ".join(words)


def who_in_words(one: UpnFilter) -> str:
    """Whom a UPN-FILTER means."""
    return _WHO[one.form].format(one.name)


def in_words(text: str) -> str:
    """Whom a UPN-FILTER means, given as it is written."""
    try:
        return who_in_words(parse_filter(text))
    except InvalidError:
        return text


@dataclass(frozen=True, slots=True)
class Reason:
    """Whether somebody may do something to a kind of components, and which VRIGHTs say so.

    Attributes:
        permission: SEARCH and so on. kind: component name. amount: all, some or none.
        rules: those that decide; empty when nothing grants it. For `some` those that grant anything.
    """

    permission: str
    kind: str
    amount: str
    rules: tuple[Rule, ...]


def somebody(tx: Tx, caller: Caller, given: str) -> Caller:
    """The circumstances of a command that somebody else would give.

    Args:
        tx: a transaction.
        caller: who asks about them.
        given: a UPN, `@` for the anonymous, or a name of the store's realm; it need not be known here.

    Raises:
        InvalidError: no UPN.
    """
    upn = ANONYMOUS if given.strip() == ANONYMOUS else complete_upn(given, caller.policy)
    who = identity.identify(tx, upn)
    if who is None:
        who = Identity(upn, None, addresses=frozenset((normal_address(f"mailto:{upn}"),)))
    return replace(caller, identity=who)


def explain(tx: Tx, caller: Caller, target: Target) -> list[Reason]:
    """What a caller may do in a calendar, kind by kind, and which VRIGHTs decide.

    Args:
        tx: a transaction.
        caller: whose rights; see `somebody`. Of an administrator it says only what VCARs say.
        target: the calendar.
    """
    authority = authority_in(tx, replace(caller, identity=replace(caller.identity, admin=False)), target)
    return [_reason(authority, permission, kind) for permission in PERMISSIONS for kind in ASKED]


def _reason(authority: Authority, permission: str, kind: str) -> Reason:
    about = authority.judge.about(permission, kind)
    grants = tuple(rule for rule in about if rule.grant)
    denies = tuple(rule for rule in about if not rule.grant)
    if not authority.anything(permission, kind):
        return Reason(permission, kind, "none", denies if grants else ())
    wide = tuple(rule for rule in grants if rule.is_total("VAGENDA") or rule.is_total(kind))
    whole = (wide or kind == "VFREEBUSY") and not denies  # which is computed, and BOOKED
    return Reason(permission, kind, "all" if whole else "some", denies + (wide or grants))


def explain_object(tx: Tx, caller: Caller, target: Target, uid: str) -> list[Reason]:
    """What a caller may do to one object, and which VRIGHTs decide.

    Raises:
        NotFoundError: there is no such object.
    """
    held = objects.by_uid(tx, target.calendar_id, uid)
    if not held:
        raise NotFoundError(f"there is nothing with the UID {uid[:80]} in this calendar")
    authority = authority_in(tx, replace(caller, identity=replace(caller.identity, admin=False)), target)
    whole = parse(held[-1].ics)
    standing = Standing(held[-1].state, held[-1].method, Zones(whole))
    return [
        _object_reason(authority, permission, one, standing)
        for one in whole.children(held[-1].kind)[:1]
        for permission in PERMISSIONS
    ]


def _object_reason(authority: Authority, permission: str, one: Component, standing: Standing) -> Reason:
    judge = authority.judge
    about = judge.touching(permission, one, standing)
    if permission == "SEARCH":
        seen = judge.visible(one, standing)
        amount = "none" if seen is None else "all" if seen is one else "some"
    elif judge.may(permission, one, standing):
        amount = "all"
    else:
        amount = "some" if permission == "MODIFY" and judge.reaches(permission, one, standing) else "none"
    if amount == "none":  # a GRANT that did not do says nothing
        return Reason(permission, one.name, amount, tuple(rule for rule in about if not rule.grant))
    return Reason(permission, one.name, amount, tuple(about))
