"""Principals: adding and removing them, finding them, and what authentication needs to know of them."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from kalends.core import agendas, containers, deleting, names
from kalends.core.access import forgetting
from kalends.core.errors import DuplicateError, InvalidError, NotFoundError
from kalends.core.model import Caller, Identity, Policy, Target
from kalends.core.scheduling import in_order
from kalends.core.writer import Writer
from kalends.ical.values import normal_address
from kalends.ical.zones import iana_name
from kalends.store import calendars, groups, ids, principals, tokens
from kalends.store import errors as store
from kalends.store.base import Tx
from kalends.store.calendars import CalendarRow
from kalends.store.principals import PrincipalKind, PrincipalRow

complete_upn = names.complete_upn

CALENDAR, TASKS = "calendar", "tasks"
"""The calendars a new user has, by the last part of their CALIDs."""
APP_PASSWORD = "app"  # noqa: S105  a scope, not a secret
"""Scope of the tokens that stand for a password in one application."""
MAX_ALIKE = 100
"""UPNs that may look the same in paths."""
MAX_NAME = 200
"""Characters of a name for people."""


_LOCALE = re.compile(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8}){0,6}\Z")
_APP_PASSWORD = re.compile(r"[a-z2-7]{28}\Z")


@dataclass(frozen=True, slots=True)
class UserInfo:
    """A principal as the administrator sees it; never holds the secret."""

    upn: str
    name: str
    kind: str
    admin: bool
    has_password: bool
    created_at: int


@dataclass(frozen=True, slots=True)
class Principal:
    """A principal as the faces see it.

    Attributes:
        id: its row.
        upn: user@realm.
        kind: user, group, room or resource.
        path: its name in paths, one segment that means the same percent-encoded or not; it never changes.
        name: what people call it.
        addresses: calendar user addresses, normalised, sorted: the UPN's own and those that were added.
        tz: TZID, or None.
        locale: RFC 5646 tag, or None.
        admin: whether it may do everything.
        default_calendar: the row of the calendar that is meant when none is named, or None.
    """

    id: int
    upn: str
    kind: PrincipalKind
    path: str
    name: str
    addresses: tuple[str, ...]
    tz: str | None
    locale: str | None
    admin: bool
    default_calendar: int | None


# -- adding and removing ----------------------------------------------------------------------------------


def add_user(
    tx: Tx,
    policy: Policy,
    upn: str,
    *,
    now: int,
    name: str | None = None,
    admin: bool = False,
    verifier: str | None = None,
    kind: PrincipalKind = "user",
) -> UserInfo:
    """Add a principal and the calendars it begins with.

    A user has `PATH/calendar`, meant for events, and `PATH/tasks`, meant for to-dos. A room or resource has
    `PATH/calendar`, in which nothing may overlap. A group has none.

    Args:
        tx: a write transaction.
        policy: the store's names and limits.
        upn: user@realm, or user for the store's realm.
        now: seconds since 1970 UTC.
        name: what people call them.
        admin: administrators may do everything.
        verifier: the stored SCRAM verifier (`kalends.beep` makes it); None for no password yet.
        kind: user, group, room or resource.

    Raises:
        DuplicateError, InvalidError.
    """
    upn = complete_upn(upn, policy)
    local = upn.partition("@")[0]
    if not local:
        raise InvalidError("a user needs a name before the @")
    if name:
        _check_name(name)
    address = normal_address(f"mailto:{upn}")
    if principals.by_upn(tx, upn) is not None or principals.by_address(tx, address) is not None:
        raise DuplicateError(f"{upn} is taken")
    new = ids.new_id(now)
    slug = _free_path(tx, upn)
    try:
        added = principals.add(
            tx,
            id=new,
            upn=upn,
            now=now,
            kind=kind,
            name=name.strip() if name else local,
            secret=verifier,
            admin=admin,
            slug=slug,
        )
        principals.add_address(tx, new, address)
    except store.DuplicateError as error:
        raise DuplicateError(f"{upn} is taken") from error
    _give_calendars(tx, containers.housekeeper(policy, now), added, slug)
    return _info(added)


def _give_calendars(tx: Tx, keeper: Caller, added: PrincipalRow, slug: str) -> None:
    """Make the calendars a principal begins with."""
    upn, kind = added.upn, added.kind
    if kind != "group":
        first = containers.create_calendar(
            tx, keeper, f"{slug}/{CALENDAR}", upn, allow_conflict=kind == "user", meant_for=("VEVENT",)
        )
        principals.set_default_calendar(tx, added.id, first.calendar_id)
    if kind == "user":
        containers.create_calendar(tx, keeper, f"{slug}/{TASKS}", upn, meant_for=("VTODO",))


def _free_path(tx: Tx, upn: str) -> str:
    """The user's name alone, or the whole UPN where that is taken."""
    whole = names.path_name(upn)
    # UPNs that differ by characters no path should hold may look the same there: those are numbered.
    numbered = (f"{whole}-{number}" for number in range(2, MAX_ALIKE))
    for path in (names.path_name(upn.partition("@")[0]), whole, *numbered):
        calids = (f"{path}/{CALENDAR}", f"{path}/{TASKS}")
        if principals.by_slug(tx, path) is None and not any(calendars.by_calid(tx, one) for one in calids):
            return path
    raise DuplicateError(f"{upn} looks like too many others")


def _info(row: PrincipalRow) -> UserInfo:
    return UserInfo(row.upn, row.name, row.kind, row.admin, row.secret is not None, row.created_at)


def users(tx: Tx) -> list[UserInfo]:
    """All principals, ordered by UPN."""
    return [_info(row) for row in principals.every(tx)]


def row_of(tx: Tx, upn: str) -> PrincipalRow:
    """The row of somebody.

    Raises:
        NotFoundError: there is nobody of that UPN.
    """
    found = principals.by_upn(tx, upn.strip().lower())
    if found is None:
        raise NotFoundError(f"there is no user {upn}")
    return found


def set_verifier(tx: Tx, upn: str, verifier: str | None) -> None:
    """Replace a user's password verifier. Raises NotFoundError."""
    principals.set_secret(tx, row_of(tx, upn).id, verifier)


def remove_user(
    tx: Tx, upn: str, *, now: int, with_calendars: bool = False, policy: Policy | None = None
) -> int:
    """Remove a user; with `with_calendars` also the calendars only they own. Returns calendars removed.

    What is to come in these is called off, and declined where others invited to it (RFC 6638 §3.2.3.2).

    Args:
        tx: a write transaction.
        upn: user@realm.
        now: seconds since 1970 UTC.
        with_calendars: whether calendars without any other owner go, too.
        policy: the store's names and limits.

    Raises:
        NotFoundError; InvalidError when calendars would be left without an owner.
    """
    gone = row_of(tx, upn)
    owned = agendas.owned_by(tx, [gone.upn])
    alone = [calendar for calendar in owned if agendas.owners(tx, calendar) == [gone.upn]]
    if alone and not with_calendars:
        raise InvalidError(
            f"{gone.upn} is the only owner of {', '.join(calendar.calid for calendar in alone[:5])}"
        )
    caller = containers.housekeeper(policy or Policy(), now)
    held = caller.held | {calendar.id for calendar in owned}
    in_order(tx, replace(caller, held=held), lambda who: _leave(tx, who, gone, owned, alone))
    forgetting.forget(tx, caller, gone.upn)
    principals.remove(tx, gone.id)
    return len(alone)


def _leave(
    tx: Tx, caller: Caller, gone: PrincipalRow, owned: Sequence[CalendarRow], alone: Sequence[CalendarRow]
) -> None:
    """Remove the calendars that would be nobody's, and take the owner out of the others."""
    for calendar in alone:
        deleting.remove_calendar(tx, caller, Target(calendar.calid, calendar.id, calendar.calid))
    writer = Writer(tx, caller, [calendar.id for calendar in owned if calendar not in alone])
    for calendar in owned:
        if calendar not in alone:
            _disown(tx, writer, calendar, gone.upn)


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


# -- what people may change about themselves --------------------------------------------------------------


def describe(
    tx: Tx,
    upn: str,
    *,
    name: str | None = None,
    tz: str | None = None,
    locale: str | None = None,
    admin: bool | None = None,
) -> None:
    """Set what is said of a principal; None leaves it as it is, '' takes time zone or locale away.

    Args:
        tx: a write transaction.
        upn: whose.
        name: what people call it.
        tz: a time zone by its name in the IANA database.
        locale: an RFC 5646 tag such as de-AT.
        admin: whether it may do everything.

    Raises:
        NotFoundError, InvalidError.
    """
    row = row_of(tx, upn)
    if name is not None:
        _check_name(name)
        principals.set_name(tx, row.id, name.strip())
    if tz is not None or locale is not None:
        zone = row.tz if tz is None else _zone(tz)
        tag = row.locale if locale is None else _locale(locale)
        principals.set_place(tx, row.id, zone, tag)
    if admin is not None:
        if admin and row.kind != "user":
            raise InvalidError("only a user can be an administrator")
        principals.set_admin(tx, row.id, admin)


def _check_name(name: str) -> None:
    if not name.strip() or len(name) > MAX_NAME or not name.isprintable():
        raise InvalidError(f"a name has 1 to {MAX_NAME} characters, all of them printable")


def _zone(tz: str) -> str | None:
    name = iana_name(tz.strip()) if tz.strip() else None
    if tz.strip() and name is None:
        raise InvalidError("a time zone is named as in the IANA database: Europe/Vienna")
    return name


def _locale(locale: str) -> str | None:
    tag = locale.strip().replace("_", "-")
    if tag and not _LOCALE.match(tag):
        raise InvalidError("a locale is a language tag such as de-AT")
    return tag or None


# -- finding ----------------------------------------------------------------------------------------------


def by_path(tx: Tx, path: str) -> Principal | None:
    """The principal with that name in paths (one segment, percent-decoded), or None."""
    return _whole(tx, principals.by_slug(tx, path.lower()))


def by_upn(tx: Tx, upn: str) -> Principal | None:
    """The principal with that UPN, or None."""
    return _whole(tx, principals.by_upn(tx, upn.strip().lower()))


def by_id(tx: Tx, principal_id: int) -> Principal | None:
    """The principal with that row, or None."""
    return _whole(tx, principals.by_id(tx, principal_id))


def by_address(tx: Tx, address: str) -> Principal | None:
    """The principal with that calendar user address, written in any way, or None."""
    uri = normal_address(address)
    found = principals.by_address(tx, uri)
    if found is None and uri.startswith("mailto:"):
        found = principals.by_upn(tx, uri.removeprefix("mailto:"))
    return _whole(tx, found)


def everybody(tx: Tx, kinds: Iterable[PrincipalKind] = ()) -> list[Principal]:
    """All principals ordered by UPN; only those of some kinds, if any are named."""
    wanted, addresses = frozenset(kinds), principals.all_addresses(tx)
    return [
        _principal(row, addresses.get(row.id, []))
        for row in principals.every(tx)
        if not wanted or row.kind in wanted
    ]


def search(tx: Tx, matches: Callable[[str], bool], *, limit: int = 0) -> list[Principal]:
    """The principals of whom a name or an address matches, ordered by UPN.

    Args:
        tx: a transaction.
        matches: judges a display name, or an address without its `mailto:`.
        limit: stop after so many; 0 for all.

    Source: RFC 3744 §9.4 (principal-property-search; which way texts are compared is for the face to say).
    """
    found: list[Principal] = []
    for one in everybody(tx):
        if matches(one.name) or any(matches(uri.removeprefix("mailto:")) for uri in one.addresses):
            found.append(one)
            if len(found) == limit:
                break
    return found


def _whole(tx: Tx, row: PrincipalRow | None) -> Principal | None:
    return None if row is None else _principal(row, principals.addresses(tx, row.id))


def _principal(row: PrincipalRow, addresses: Iterable[str]) -> Principal:
    known = tuple(sorted({*addresses, normal_address(f"mailto:{row.upn}")}))
    return Principal(
        row.id,
        row.upn,
        row.kind,
        row.slug,
        row.name,
        known,
        row.tz,
        row.locale,
        row.admin,
        row.default_calendar,
    )


def generation(tx: Tx) -> str:
    """What is another text after every change of a principal, its password, tokens, groups or permissions.

    Whoever keeps one in memory compares it: one read of one row.
    """
    return principals.generation(tx)


# -- authentication ---------------------------------------------------------------------------------------


def verifier_of(tx: Tx, upn: str) -> str | None:
    """The stored SCRAM verifier, or None for an unknown user or one without a password."""
    return principals.secret_of(tx, upn.strip().lower())


def identify(tx: Tx, upn: str) -> Identity | None:
    """The identity of a UPN, with all its groups; None when there is no such principal.

    Args:
        tx: a transaction.
        upn: a principal's; '@' for anonymous, '@realm' for somebody unnamed of a realm.

    Source: RFC 4324 §4.1.3, §4.3; UPN-03, UPN-07.
    """
    upn = upn.strip().lower()
    if upn.startswith(names.ANONYMOUS):
        return Identity(upn)
    key = ("identity", principals.generation(tx), upn)
    known: Identity | None = tx.known.get(key)
    if known is None:
        found = principals.by_upn(tx, upn)
        if found is None:
            return None
        addresses = frozenset((*principals.addresses(tx, found.id), normal_address(f"mailto:{found.upn}")))
        around = frozenset(groups.groups_of(tx, found.id).values()) - {found.upn}
        known = Identity(found.upn, found.id, found.admin, addresses, around)
        tx.known.put(key, known)
    return known


def token_hash(secret: str) -> str | None:
    """The hash an app password is stored under, or None when the text cannot be one.

    Its 140 random bits need no slow hash: nobody can try them all.

    Args:
        secret: as typed: in any case, with hyphens or blanks or without.
    """
    bare = secret.replace("-", "").replace(" ", "").lower()
    return hashlib.sha256(bare.encode()).hexdigest() if _APP_PASSWORD.match(bare) else None


def check_token(
    tx: Tx, upn: str, secret: str, used: Callable[[str, int | None], None] | None = None
) -> Identity | None:
    """The identity an app password proves, or None when it is wrong, revoked or somebody else's.

    Costs one or two point reads and no slow hash, so that it may be asked with every request.

    Args:
        tx: a transaction.
        upn: whom the password is said to belong to.
        secret: the app password as typed.
        used: is told of a good one: its hash and when it was last used (`core.people.tokens.Uses.note`).
    """
    hashed = token_hash(secret)
    token = None if hashed is None else tokens.by_hash(tx, hashed)
    if token is None or hashed is None or token.scope != APP_PASSWORD:
        return None
    who = identify(tx, upn)
    if who is None or who.principal_id != token.principal_id or not hmac.compare_digest(token.hash, hashed):
        return None
    if used is not None:
        used(token.hash, token.used_at)
    return who
