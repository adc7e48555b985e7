"""People: adding and removing principals, and what authentication needs to know of them."""

from __future__ import annotations

from dataclasses import dataclass

from kalends.core import agendas, containers, names
from kalends.core.errors import DuplicateError, InvalidError, NotFoundError
from kalends.core.model import Identity, Policy, Target
from kalends.core.writer import Writer
from kalends.ical.values import normal_address
from kalends.store import calendars, ids, principals
from kalends.store import errors as store
from kalends.store.base import Tx
from kalends.store.calendars import CalendarRow
from kalends.store.principals import PrincipalRow

complete_upn = names.complete_upn


@dataclass(frozen=True, slots=True)
class UserInfo:
    """A principal as the administrator sees it; never holds the secret."""

    upn: str
    name: str
    kind: str
    admin: bool
    has_password: bool
    created_at: int


def add_user(
    tx: Tx,
    policy: Policy,
    upn: str,
    *,
    now: int,
    name: str | None = None,
    admin: bool = False,
    verifier: str | None = None,
) -> UserInfo:
    """Add a user with a first calendar `<local part>/calendar` (the whole UPN where that is taken).

    Args:
        tx: a write transaction.
        policy: the store's names and limits.
        upn: user@realm, or user for the store's realm.
        now: seconds since 1970 UTC.
        name: what people call them.
        admin: administrators may do everything.
        verifier: the stored SCRAM verifier (`kalends.beep` makes it); None for no password yet.

    Raises:
        DuplicateError, InvalidError.
    """
    upn = complete_upn(upn, policy)
    local = upn.partition("@")[0]
    if not local:
        raise InvalidError("a user needs a name before the @")
    address = normal_address(f"mailto:{upn}")
    if principals.by_upn(tx, upn) is not None or principals.by_address(tx, address) is not None:
        raise DuplicateError(f"{upn} is taken")
    new = ids.new_id(now)
    try:
        added = principals.add(tx, id=new, upn=upn, now=now, name=name or local, secret=verifier, admin=admin)
        principals.add_address(tx, new, address)
    except store.DuplicateError as error:
        raise DuplicateError(f"{upn} is taken") from error
    calid = f"{local}/calendar"
    if calendars.by_calid(tx, calid) is not None:
        calid = f"{upn}/calendar"
    first = containers.create_calendar(tx, containers.housekeeper(policy, now), calid, upn)
    principals.set_default_calendar(tx, new, first.calendar_id)
    return _info(added)


def _info(row: PrincipalRow) -> UserInfo:
    return UserInfo(row.upn, row.name, row.kind, row.admin, row.secret is not None, row.created_at)


def users(tx: Tx) -> list[UserInfo]:
    """All principals, ordered by UPN."""
    return [_info(row) for row in principals.every(tx)]


def _known(tx: Tx, upn: str) -> PrincipalRow:
    found = principals.by_upn(tx, upn.strip().lower())
    if found is None:
        raise NotFoundError(f"there is no user {upn}")
    return found


def set_verifier(tx: Tx, upn: str, verifier: str | None) -> None:
    """Replace a user's password verifier. Raises NotFoundError."""
    principals.set_secret(tx, _known(tx, upn).id, verifier)


def remove_user(
    tx: Tx, upn: str, *, now: int, with_calendars: bool = False, policy: Policy | None = None
) -> int:
    """Remove a user; with `with_calendars` also the calendars only they own. Returns calendars removed.

    Args:
        tx: a write transaction.
        upn: user@realm.
        now: seconds since 1970 UTC.
        with_calendars: whether calendars without any other owner go, too.
        policy: the store's names and limits.

    Raises:
        NotFoundError; InvalidError when calendars would be left without an owner.
    """
    gone = _known(tx, upn)
    owned = agendas.owned_by(tx, [gone.upn])
    alone = [calendar for calendar in owned if agendas.owners(tx, calendar) == [gone.upn]]
    if alone and not with_calendars:
        raise InvalidError(
            f"{gone.upn} is the only owner of {', '.join(calendar.calid for calendar in alone[:5])}"
        )
    caller = containers.housekeeper(policy or Policy(), now)
    for calendar in alone:
        containers.remove_calendar(tx, caller, Target(calendar.calid, calendar.id, calendar.calid))
    writer = Writer(tx, caller, [calendar.id for calendar in owned if calendar not in alone])
    for calendar in owned:
        if calendar not in alone:
            _disown(tx, writer, calendar, gone.upn)
    principals.remove(tx, gone.id)
    return len(alone)


def _disown(tx: Tx, writer: Writer, calendar: CalendarRow, upn: str) -> None:
    """Take one of several OWNERs out of a calendar and give it another home."""
    row = agendas.row_of(tx, calendar)
    whole = agendas.parsed(row).copy()
    held = whole.children("VAGENDA")[0]
    for line in held.all("OWNER"):
        if line.value.strip().lower() == upn:
            held.remove(line)
    writer.update(row, whole)
    containers.settle(tx, calendar, held)


def verifier_of(tx: Tx, upn: str) -> str | None:
    """The stored SCRAM verifier, or None for an unknown user or one without a password."""
    found = principals.by_upn(tx, upn.strip().lower())
    return None if found is None else found.secret


def identify(tx: Tx, upn: str) -> Identity | None:
    """The identity of an authenticated UPN ('@' for anonymous), or None when the user is gone."""
    if upn == names.ANONYMOUS:
        return Identity(upn)
    found = principals.by_upn(tx, upn.strip().lower())
    if found is None:
        return None
    addresses = frozenset((*principals.addresses(tx, found.id), normal_address(f"mailto:{found.upn}")))
    return Identity(found.upn, found.id, found.admin, addresses)
