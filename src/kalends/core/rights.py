"""Who may do what. VCARs will answer these questions; until then owners and administrators may do all.

Every question has one function here, and nobody else in the house decides about rights. `core.vcar` can judge
by VCARs already; it is not asked yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from kalends.core import agendas
from kalends.core.errors import DeniedError, NotFoundError
from kalends.core.model import Caller, Target
from kalends.core.sights import Shown, Sight
from kalends.store import calendars
from kalends.store.base import Tx
from kalends.store.calendars import VCALSTORE, CalendarRow
from kalends.store.objects import ObjectRow

__all__ = [
    "Permission", "Privileges", "Shown", "Sight", "may", "may_own", "owns", "privileges", "require", "shown",
    "sight", "visible", "visible_calendars",
]  # fmt: skip

Permission = Literal["SEARCH", "CREATE", "DELETE", "MODIFY", "MOVE"]


def may(tx: Tx, caller: Caller, calendar_id: int, permission: Permission) -> bool:
    """Whether the caller has a permission in a calendar, or in the store (id 0).

    The store's own properties, time zones and rights may be read by everyone who has a name here.

    Source: RFC 4324 §4.2 (all rights are denied unless granted).
    """
    who = caller.identity
    if who.admin:
        return True
    if who.principal_id is None:
        return False
    if calendar_id == VCALSTORE:
        return permission == "SEARCH"
    calendar = calendars.by_id(tx, calendar_id)
    return calendar is not None and owns(tx, caller, calendar)


def owns(tx: Tx, caller: Caller, calendar: CalendarRow) -> bool:
    """Whether the caller is an OWNER of the calendar (CAL-OWNERS(), RFC 4324 §6.1.1.1)."""
    who = caller.identity
    if who.principal_id is None:
        return False
    if calendar.home_id == who.principal_id:  # the home's principal always is an owner: see agendas.home_of
        return True
    owners = agendas.owners(tx, calendar)
    return who.upn in owners or not who.groups.isdisjoint(owners)


def visible(tx: Tx, caller: Caller, calendar: CalendarRow) -> bool:
    """Whether the caller may know that the calendar exists."""
    return caller.identity.admin or owns(tx, caller, calendar)


def visible_calendars(tx: Tx, caller: Caller) -> list[CalendarRow]:
    """The calendars the caller may know of, ordered by CALID."""
    who = caller.identity
    if who.admin:
        return calendars.every(tx)
    if who.principal_id is None:
        return []
    return agendas.owned_by(tx, (who.upn, *sorted(who.groups)))


def require(tx: Tx, caller: Caller, target: Target, permission: Permission) -> None:
    """Go on only with a permission.

    Raises:
        NotFoundError: the calendar is not visible to the caller, which looks like one that does not exist.
        DeniedError: the store, which everyone can see, but not change.
    """
    if may(tx, caller, target.calendar_id, permission):
        return
    if target.is_store:
        raise DeniedError("this is not allowed in the calendar store")
    raise NotFoundError("no such calendar or store")


def may_own(tx: Tx, caller: Caller, owners: Sequence[str]) -> bool:
    """Whether the caller may make a calendar with these owners: administrators any, others their own."""
    who = caller.identity
    return who.admin or (who.principal_id is not None and who.upn in owners)


def sight(tx: Tx, caller: Caller, calendar_id: int) -> Sight:
    """What the caller may see in a calendar; ask once and use it for all that is found there."""
    return Sight(None, whole=may(tx, caller, calendar_id, "SEARCH"))


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


def privileges(tx: Tx, caller: Caller, calendar_id: int) -> Privileges:
    """What the caller may do in a calendar, in outline."""
    every = may(tx, caller, calendar_id, "MODIFY")
    return Privileges(*[every] * 12)
