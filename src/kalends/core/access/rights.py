"""Who may do what: VCARs decide. Every question has one function here, and nobody else decides about rights.

What VCARs do not speak of: administrators of the store may do everything, and whoever has a name here may
make calendars of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from kalends.core import agendas
from kalends.core.access.decreed import contradicts
from kalends.core.access.decrees import is_decreed
from kalends.core.access.footing import owns
from kalends.core.access.judges import DENIED, NOWHERE, Authority, authority_in
from kalends.core.access.sights import Shown, Sight
from kalends.core.access.upns import filters_of
from kalends.core.access.vrights import Place, Rule, rules_in, rules_of
from kalends.core.errors import DeniedError
from kalends.core.model import Caller, Target
from kalends.ical.tree import Component
from kalends.store import calendars, reach
from kalends.store.base import Tx
from kalends.store.calendars import VCALSTORE, CalendarRow
from kalends.store.objects import ObjectRow

__all__ = [
    "DENIED", "NOWHERE", "Authority", "Permission", "Privileges", "Shown", "Sight", "authority",
    "authority_in", "listed", "may", "may_own", "owns", "privileges", "privileges_of", "require",
    "require_all", "respect_decrees", "shown", "sight", "visible", "visible_calendars",
]  # fmt: skip

Permission = Literal["SEARCH", "CREATE", "DELETE", "MODIFY", "MOVE"]


def authority(tx: Tx, caller: Caller, calendar_id: int, given: str = "") -> Authority:
    """What the caller may do in a calendar; ask once and use it for all that a command does there.

    Raises:
        NotFoundError: it is gone.
    """
    return authority_in(tx, caller, Target(given, calendar_id, given))


def may(tx: Tx, caller: Caller, calendar_id: int, permission: Permission) -> bool:
    """Whether there is anything in a calendar, or in the store (id 0), that the caller may do this to.

    Source: RFC 4324 §4.2 (all rights are denied unless granted).
    """
    calendar = calendars.by_id(tx, calendar_id)
    return calendar is not None and Authority(tx, caller, calendar).anything(permission)


def visible(tx: Tx, caller: Caller, calendar: CalendarRow) -> bool:
    """Whether the caller may know that the calendar exists: owners, and who may do anything in it."""
    return caller.identity.admin or Authority(tx, caller, calendar).known()


def listed(tx: Tx, caller: Caller, calendar: CalendarRow) -> bool:
    """Whether the caller may see properties of the calendar, so that it stands in lists; owners in any case.

    Being allowed to ask for somebody's free/busy, as everybody is, does not list their calendar.
    """
    if caller.identity.admin:
        return True
    one = Authority(tx, caller, calendar)
    return one.owner or one.sight().of(agendas.properties(tx, calendar)) is not None


def visible_calendars(tx: Tx, caller: Caller) -> list[CalendarRow]:
    """The calendars that are `listed` for the caller, ordered by CALID."""
    who = caller.identity
    if who.admin:
        return calendars.every(tx)
    found: dict[int, CalendarRow] = {}
    if who.principal_id is not None:
        found = {row.id: row for row in agendas.owned_by(tx, (who.upn, *sorted(who.groups)))}
    if any(_shows_properties(rule, caller) for rule in rules_in(tx, VCALSTORE) if rule.decreed):
        candidates = {row.id for row in calendars.every(tx)}
    else:
        candidates = set(reach.shown_to(tx, filters_of(who.upn, who.groups)))
    candidates.difference_update(found)
    for key, row in calendars.many(tx, candidates).items():
        if listed(tx, caller, row):
            found[key] = row
    return sorted(found.values(), key=lambda row: row.calid)


def _shows_properties(rule: Rule, caller: Caller) -> bool:
    """Whether a rule may let somebody who is no owner see a calendar's own properties."""
    return (
        rule.speaks_of(caller.identity, owner=False)
        and rule.grant
        and rule.is_about("SEARCH")
        and (rule.scopes is None or any(query.source == "VAGENDA" for query in rule.scopes))
    )


def require(tx: Tx, caller: Caller, target: Target, permission: Permission) -> None:
    """Go on only where there is anything that the caller may do this to.

    Raises:
        NotFoundError: the caller may not know of the calendar, which looks like one that does not exist.
        DeniedError: they may know of it, but have no such right.
    """
    authority_in(tx, caller, target).require(permission)


def require_all(tx: Tx, caller: Caller, target: Target, permission: Permission) -> None:
    """Go on only where the caller may do this to everything in the calendar.

    Raises:
        NotFoundError, DeniedError: as `require`.
    """
    one = authority_in(tx, caller, target)
    one.require(permission)
    if not one.free(permission):
        raise DeniedError(DENIED)


def respect_decrees(tx: Tx, calendar_id: int, vcar: Component, owners: Sequence[str] = ()) -> None:
    """Refuse a VCAR that says it is DECREED, or that contradicts one that is.

    Args:
        tx: a transaction.
        calendar_id: where it is to stand.
        vcar: the component.
        owners: OWNERs there.

    Raises:
        DeniedError: in the words of every other refusal.

    Source: RFC 4324 §4.2, §4.2.3, §8.10; ACL-03, ACL-10, ACL-11, ACL-13.
    """
    if is_decreed(vcar):
        raise DeniedError(DENIED)
    place: Place = "store" if calendar_id == VCALSTORE else "calendar"
    decrees = [rule for rule in rules_in(tx, calendar_id) if rule.decreed]
    if decrees and contradicts(rules_of(vcar, place), decrees, owners) is not None:
        raise DeniedError(DENIED)


def may_own(tx: Tx, caller: Caller, owners: Sequence[str]) -> bool:
    """Whether the caller may make a calendar with these owners: administrators any, others their own."""
    who = caller.identity
    return who.admin or (who.principal_id is not None and who.upn in owners)


def sight(tx: Tx, caller: Caller, calendar_id: int) -> Sight:
    """What the caller may see in a calendar; ask once and use it for all that is found there."""
    calendar = calendars.by_id(tx, calendar_id)
    return Sight(None, whole=False) if calendar is None else Authority(tx, caller, calendar).sight()


def shown(tx: Tx, caller: Caller, row: ObjectRow) -> Shown | None:
    """One object as the caller sees it; for many of one calendar take `sight` once, and its `object`.

    Args:
        tx: a transaction.
        caller: who looks.
        row: the object.

    Returns:
        What may be seen, flagged when it is the very octets stored; None when nothing may.
    """
    return sight(tx, caller, row.calendar_id).object(row)


@dataclass(frozen=True, slots=True)
class Privileges:
    """What somebody may do in a calendar, in outline: each means that there is something they may do it to.

    Attributes:
        search, create, delete, modify, move: the five permissions, about calendar objects.
        free_busy: they may see when the calendar is busy.
        whole: they may see everything in it.
        read_properties, write_properties: about the calendar's own properties.
        read_rights, write_rights: about its VCARs; to write means to create and to change.
        owns: they are an OWNER, or administrator.
    """

    search: bool = False
    create: bool = False
    delete: bool = False
    modify: bool = False
    move: bool = False
    free_busy: bool = False
    whole: bool = False
    read_properties: bool = False
    write_properties: bool = False
    read_rights: bool = False
    write_rights: bool = False
    owns: bool = False


_OBJECTS = ("VEVENT", "VTODO", "VJOURNAL")


def privileges(tx: Tx, caller: Caller, calendar_id: int) -> Privileges:
    """What the caller may do in a calendar, in outline; nothing in one that is gone."""
    calendar = calendars.by_id(tx, calendar_id)
    return Privileges() if calendar is None else privileges_of(Authority(tx, caller, calendar))


def privileges_of(one: Authority) -> Privileges:
    """What an authority says in outline."""
    held = agendas.properties(one.tx, one.calendar)
    busy, car = Component("VFREEBUSY"), Component("VCAR")
    busy.add("FREEBUSY", "19700101T000000Z/PT1H")
    car.add("CARID", "x")
    seen = one.sight()

    def objects(permission: str) -> bool:
        return any(one.anything(permission, kind) for kind in _OBJECTS)

    return Privileges(
        search=objects("SEARCH"),
        create=objects("CREATE"),
        delete=objects("DELETE"),
        modify=objects("MODIFY"),
        move=objects("MOVE"),
        free_busy=seen.of(busy) is not None,
        whole=seen.whole,
        read_properties=seen.of(held) is not None,
        write_properties=one.anything("MODIFY", held.name),
        read_rights=seen.of(car) is not None,
        write_rights=all(one.anything(permission, "VCAR") for permission in ("CREATE", "MODIFY")),
        owns=one.owner or one.caller.identity.admin,
    )
