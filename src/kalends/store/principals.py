"""Principals: users, groups, rooms and resources, and the addresses by which they are known."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Literal, cast

from kalends.store import meta
from kalends.store.base import Row, SqlValue, Tx

PrincipalKind = Literal["user", "group", "room", "resource"]


@dataclass(frozen=True, slots=True)
class PrincipalRow:
    """A principal.

    Attributes:
        id: key.
        upn: user@realm.
        kind: user, group, room or resource.
        name: for people.
        secret: SCRAM verifier text; None when the principal can't log in with a password. Not in the repr.
        tz: TZID, or None.
        locale: RFC 5646 tag, or None.
        admin: may do everything.
        default_calendar: id, or None.
        created_at: seconds UTC.
        slug: its name in paths.
    """

    id: int
    upn: str
    kind: PrincipalKind
    name: str
    secret: str | None = field(repr=False)
    tz: str | None
    locale: str | None
    admin: bool
    default_calendar: int | None
    created_at: int
    slug: str


_SELECT = (
    "select id, upn, kind, name, secret, tz, locale, admin, default_calendar, created_at, slug"
    " from principal where id = ?"
)
_BY_UPN = _SELECT.replace("id = ?", "upn = ?")
_BY_ADDRESS = _SELECT.replace("id = ?", "id = (select principal_id from address where uri = ?)")
_BY_SLUG = _SELECT.replace("id = ?", "slug = ?")
_ALL = _SELECT.replace("where id = ?", "order by upn")
_GENERATION = "people"
"""Key in `meta` of a text that each change makes another: who keeps a principal in memory compares it."""


def _row(row: Row) -> PrincipalRow:
    values = (*row[:7], bool(row[7]), *row[8:])
    return PrincipalRow(*values)  # type: ignore[arg-type]  # the columns' types are the schema's


def add(
    tx: Tx,
    *,
    id: int,  # noqa: A002 - the column's name
    upn: str,
    now: int,
    kind: PrincipalKind = "user",
    name: str = "",
    secret: str | None = None,
    tz: str | None = None,
    locale: str | None = None,
    admin: bool = False,
    default_calendar: int | None = None,
    slug: str = "",
) -> PrincipalRow:
    """Add a principal; its name in paths is the UPN where no other is given.

    Raises:
        DuplicateError: the UPN or the name in paths is taken.
    """
    row = PrincipalRow(id, upn, kind, name, secret, tz, locale, admin, default_calendar, now, slug or upn)
    tx.run(
        "insert into principal"
        " (id, upn, kind, name, secret, tz, locale, admin, default_calendar, created_at, slug)"
        " values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (id, upn, kind, name, secret, tz, locale, int(admin), default_calendar, now, row.slug),
    )
    touch(tx)
    return row


def touch(tx: Tx) -> None:
    """Note a change of principals, so that whoever keeps one in memory reads it anew.

    A number would come again after a transaction that was undone, or a backup that was put back, and then
    stand for something else than what somebody keeps under it.
    """
    tx.run(
        "insert into meta (key, value) values (?, ?) on conflict (key) do update set value = excluded.value",
        (_GENERATION, secrets.token_hex(8)),
    )
    tx.memo.pop((_GENERATION, 0), None)
    tx.known.forget()


def generation(tx: Tx) -> str:
    """What is another text after every change of principals; a transaction reads it once."""
    found: str | None = tx.memo.get((_GENERATION, 0))
    if found is None:
        found = tx.memo[_GENERATION, 0] = meta.get(tx, _GENERATION) or ""
    return found


_NOBODY = object()
"""Remembered where there is no such principal."""


def _find(tx: Tx, sql: str, value: SqlValue) -> PrincipalRow | None:
    """A principal by something that is its own; asked once as long as no principal changes."""
    key = (_GENERATION, generation(tx), sql, value)
    found = tx.known.get(key)
    if found is None:
        row = tx.row(sql, (value,))
        found = _NOBODY if row is None else _row(row)
        tx.known.put(key, found)
    return None if found is _NOBODY else cast("PrincipalRow", found)


def by_id(tx: Tx, principal_id: int) -> PrincipalRow | None:
    """The principal with that id, or None."""
    return _find(tx, _SELECT, principal_id)


def by_upn(tx: Tx, upn: str) -> PrincipalRow | None:
    """The principal with that UPN, or None."""
    return _find(tx, _BY_UPN, upn)


def secret_of(tx: Tx, upn: str) -> str | None:
    """The SCRAM verifier of a principal; None without one, and for an unknown UPN."""
    row = tx.row("select secret from principal where upn = ?", (upn,))
    return None if row is None else cast("str | None", row[0])


def by_address(tx: Tx, uri: str) -> PrincipalRow | None:
    """The principal with that (normalised) address, or None."""
    return _find(tx, _BY_ADDRESS, uri)


def by_slug(tx: Tx, slug: str) -> PrincipalRow | None:
    """The principal with that name in paths, or None."""
    return _find(tx, _BY_SLUG, slug)


def every(tx: Tx) -> list[PrincipalRow]:
    """All principals in order of UPN."""
    return [_row(row) for row in tx.rows(_ALL)]


def set_secret(tx: Tx, principal_id: int, secret: str | None) -> None:
    """Replace the SCRAM verifier; None forbids logging in with a password."""
    tx.run("update principal set secret = ? where id = ?", (secret, principal_id))
    touch(tx)


def set_admin(tx: Tx, principal_id: int, admin: bool) -> None:
    """Make somebody an administrator, or no longer."""
    tx.run("update principal set admin = ? where id = ?", (int(admin), principal_id))
    touch(tx)


def set_name(tx: Tx, principal_id: int, name: str) -> None:
    """Set the name that people see."""
    tx.run("update principal set name = ? where id = ?", (name, principal_id))
    touch(tx)


def set_place(tx: Tx, principal_id: int, tz: str | None, locale: str | None) -> None:
    """Set time zone and locale; None for none."""
    tx.run("update principal set tz = ?, locale = ? where id = ?", (tz, locale, principal_id))
    touch(tx)


def set_default_calendar(tx: Tx, principal_id: int, calendar_id: int | None) -> None:
    """Set the calendar that is meant when none is named."""
    tx.run("update principal set default_calendar = ? where id = ?", (calendar_id, principal_id))
    touch(tx)


def forget_default(tx: Tx, calendar_id: int) -> None:
    """Whose chosen calendar is removed has chosen none."""
    if tx.run("update principal set default_calendar = null where default_calendar = ?", (calendar_id,)):
        touch(tx)


def availability(tx: Tx, principal_id: int) -> bytes | None:
    """The VCALENDAR with the principal's VAVAILABILITY, or None (RFC 7953)."""
    row = tx.row("select availability from principal where id = ?", (principal_id,))
    return row[0] if row is not None and isinstance(row[0], bytes) else None


def set_availability(tx: Tx, principal_id: int, ics: bytes | None) -> None:
    """Set or forget when the principal is there at all."""
    tx.run("update principal set availability = ? where id = ?", (ics, principal_id))


def add_address(tx: Tx, principal_id: int, uri: str) -> None:
    """Give a principal one more (normalised) address.

    Raises:
        DuplicateError: somebody has it.
    """
    tx.run("insert into address (uri, principal_id) values (?, ?)", (uri, principal_id))
    touch(tx)


def remove_address(tx: Tx, uri: str) -> bool:
    """Take an address away. Returns whether it was there."""
    touch(tx)
    return tx.run("delete from address where uri = ?", (uri,)) == 1


def addresses(tx: Tx, principal_id: int) -> list[str]:
    """The addresses of a principal, sorted."""
    key = (_GENERATION, generation(tx), "addresses", principal_id)
    found: tuple[str, ...] | None = tx.known.get(key)
    if found is None:
        rows = tx.rows("select uri from address where principal_id = ? order by uri", (principal_id,))
        found = tuple(str(row[0]) for row in rows)
        tx.known.put(key, found)
    return list(found)


def all_addresses(tx: Tx) -> dict[int, list[str]]:
    """The addresses of all principals, sorted, by principal."""
    found: dict[int, list[str]] = {}
    for owner, uri in tx.rows("select principal_id, uri from address order by principal_id, uri"):
        found.setdefault(cast("int", owner), []).append(str(uri))
    return found


def remove(tx: Tx, principal_id: int) -> bool:
    """Remove a principal with all that is its own. Returns whether it was there.

    Calendars in its home stay, without a home: whoever removes somebody decides about them first.
    """
    tx.run("delete from address where principal_id = ?", (principal_id,))
    tx.run("delete from member where group_id = ? or member_id = ?", (principal_id, principal_id))
    tx.run("delete from token where principal_id = ?", (principal_id,))
    tx.run("delete from acting where principal_id = ?", (principal_id,))
    tx.run("delete from certificate where principal_id = ?", (principal_id,))
    tx.run("delete from mount where principal_id = ?", (principal_id,))
    tx.run("delete from property where holder = ?", (principal_id,))
    touch(tx)
    tx.run("update calendar set home_id = null, slug = null where home_id = ?", (principal_id,))
    tx.memo.clear()
    return tx.run("delete from principal where id = ?", (principal_id,)) == 1
