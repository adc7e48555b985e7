"""Groups of users, rooms and other groups: each is named like a user (RFC 4324 §4.1.3)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from kalends.core.errors import InvalidError, NotFoundError
from kalends.core.model import Policy
from kalends.core.people import identity
from kalends.store import groups, principals
from kalends.store.base import Tx
from kalends.store.principals import PrincipalRow

MAX_MEMBERS = 100_000
"""Direct members of one group: beyond every organisation that keeps one list."""


@dataclass(frozen=True, slots=True)
class Group:
    """A group.

    Attributes:
        upn: its name, as a GRANT or an OWNER holds it.
        name: what people call it.
        members: UPNs of its direct members, groups among them, in order.
    """

    upn: str
    name: str
    members: tuple[str, ...]


def add(tx: Tx, policy: Policy, upn: str, *, now: int, name: str | None = None) -> Group:
    """Add an empty group.

    Args:
        tx: a write transaction.
        policy: the store's names and limits.
        upn: group@realm, or group for the store's realm.
        now: seconds since 1970 UTC.
        name: what people call it.

    Raises:
        DuplicateError, InvalidError.
    """
    made = identity.add_user(tx, policy, upn, now=now, name=name, kind="group")
    return Group(made.upn, made.name, ())


def remove(tx: Tx, policy: Policy, upn: str, *, now: int, with_calendars: bool = False) -> int:
    """Remove a group; its members stay. Returns how many calendars went with it.

    Raises:
        NotFoundError; InvalidError: calendars would be left without an owner.
    """
    row = _group(tx, upn)
    return identity.remove_user(tx, row.upn, now=now, with_calendars=with_calendars, policy=policy)


def every(tx: Tx) -> list[Group]:
    """All groups, ordered by UPN."""
    rows = [row for row in principals.every(tx) if row.kind == "group"]
    return [Group(row.upn, row.name, tuple(groups.members(tx, row.id))) for row in rows]


def show(tx: Tx, upn: str) -> Group:
    """A group with its direct members. Raises NotFoundError."""
    row = _group(tx, upn)
    return Group(row.upn, row.name, tuple(groups.members(tx, row.id)))


def everybody_in(tx: Tx, upn: str) -> list[str]:
    """Who is in a group, through nested groups, too: each once, no groups, in order of UPN.

    Raises:
        NotFoundError.

    Source: RFC 4324 §4.1.3; UPN-07.
    """
    return groups.everybody_in(tx, _group(tx, upn).id)


def add_member(tx: Tx, upn: str, member: str) -> bool:
    """Put somebody, or another group, into a group. Open sessions know at once.

    Groups may be in each other; who is in a circle of them is in all of it.

    Returns:
        Whether it was not in it before.

    Raises:
        NotFoundError; InvalidError: too many members.
    """
    row, other = _group(tx, upn), _known(tx, member)
    if len(groups.members(tx, row.id)) >= MAX_MEMBERS:
        raise InvalidError(f"a group has {MAX_MEMBERS} members at most; put groups into it")
    return groups.add_member(tx, row.id, other.id)


def remove_member(tx: Tx, upn: str, member: str) -> None:
    """Take somebody out of a group. Open sessions know at once.

    Raises:
        NotFoundError: no such group, or they are not directly in it.
    """
    row, other = _group(tx, upn), _known(tx, member)
    if not groups.remove_member(tx, row.id, other.id):
        raise NotFoundError(f"{other.upn} is not in {row.upn} itself")


def settle(tx: Tx, upn: str, wanted: Iterable[str]) -> None:
    """Say who is directly in a group; all others are not. Open sessions know at once.

    Raises:
        NotFoundError; InvalidError: too many members.
    """
    row, names = _group(tx, upn), set(wanted)
    held = set(groups.members(tx, row.id))
    for member in sorted(held - names):
        remove_member(tx, upn, member)
    for member in sorted(names - held):
        add_member(tx, upn, member)


def _group(tx: Tx, upn: str) -> PrincipalRow:
    found = principals.by_upn(tx, upn.strip().lower())
    if found is None or found.kind != "group":
        raise NotFoundError(f"there is no group {upn}")
    return found


def _known(tx: Tx, upn: str) -> PrincipalRow:
    found = principals.by_upn(tx, upn.strip().lower())
    if found is None:
        raise NotFoundError(f"there is no user or group {upn}")
    return found
