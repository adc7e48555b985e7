"""People: adding and removing principals, and what authentication needs to know of them."""

from __future__ import annotations

from dataclasses import dataclass

from kalends.core.model import Identity, Policy
from kalends.store.base import Tx


@dataclass(frozen=True, slots=True)
class UserInfo:
    """A principal as the administrator sees it; never holds the secret."""

    upn: str
    name: str
    kind: str
    admin: bool
    has_password: bool
    created_at: int


def complete_upn(text: str, policy: Policy) -> str:
    """Add the store's realm to a user name without one, and check the form.

    Raises:
        InvalidError: not a UPN (RFC 4324 §6.1.2); `user@` is never one.
    """
    raise NotImplementedError


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
    raise NotImplementedError


def users(tx: Tx) -> list[UserInfo]:
    """All principals, ordered by UPN."""
    raise NotImplementedError


def set_verifier(tx: Tx, upn: str, verifier: str | None) -> None:
    """Replace a user's password verifier. Raises NotFoundError."""
    raise NotImplementedError


def remove_user(tx: Tx, upn: str, *, now: int, with_calendars: bool = False) -> int:
    """Remove a user; with `with_calendars` also the calendars only they own. Returns calendars removed.

    Raises:
        NotFoundError; InvalidError when calendars would be left without an owner.
    """
    raise NotImplementedError


def verifier_of(tx: Tx, upn: str) -> str | None:
    """The stored SCRAM verifier, or None for an unknown user or one without a password."""
    raise NotImplementedError


def identify(tx: Tx, upn: str) -> Identity | None:
    """The identity of an authenticated UPN ('@' for anonymous), or None when the user is gone."""
    raise NotImplementedError
