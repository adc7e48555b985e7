"""App passwords: secrets for one application each, made by the server, revocable one by one."""

from __future__ import annotations

import base64
import secrets
import threading
from dataclasses import dataclass

from kalends.core.errors import DuplicateError, InvalidError, NotFoundError
from kalends.core.people import identity
from kalends.core.people.identity import APP_PASSWORD
from kalends.store import errors as store
from kalends.store import principals, tokens
from kalends.store.base import Tx
from kalends.store.principals import PrincipalRow
from kalends.store.tokens import TokenRow

MAX_APP_PASSWORDS = 100
"""App passwords of one user: more than anybody has devices."""
MAX_LABEL = 100
"""Characters of a label."""
USED_SECONDS = 3600
"""How exactly it is known when an app password was last used: seconds."""


@dataclass(frozen=True, slots=True)
class AppPassword:
    """An app password as it may be shown: what it is called, never what it is.

    Attributes:
        label: what the user calls it.
        created_at: seconds since 1970 UTC.
        used_at: seconds since 1970 UTC, to the hour; None when it was never used.
    """

    label: str
    created_at: int
    used_at: int | None


def add(tx: Tx, upn: str, label: str, now: int) -> str:
    """Make an app password.

    Args:
        tx: a write transaction.
        upn: whose it is to be.
        label: what to call it; unique for that user.
        now: seconds since 1970 UTC.

    Returns:
        The secret, in groups of four characters. It is not stored and cannot be told again.

    Raises:
        NotFoundError, InvalidError, DuplicateError.
    """
    owner = _known(tx, upn)
    label = label.strip()
    if not label or len(label) > MAX_LABEL or not label.isprintable():
        raise InvalidError(f"a label has 1 to {MAX_LABEL} printable characters")
    if len(tokens.of_principal(tx, owner.id, APP_PASSWORD)) >= MAX_APP_PASSWORDS:
        raise InvalidError(f"{owner.upn} has {MAX_APP_PASSWORDS} app passwords already; revoke one first")
    bare = base64.b32encode(secrets.token_bytes(20)).decode().lower()[:28]
    hashed = identity.token_hash(bare)
    assert hashed is not None, "what is made here has the form that is asked for"
    try:
        tokens.add(tx, TokenRow(hashed, owner.id, label, APP_PASSWORD, now, None))
    except store.DuplicateError as error:
        raise DuplicateError(f"{owner.upn} has an app password called {label}") from error
    return "-".join(bare[at : at + 4] for at in range(0, len(bare), 4))


def of_user(tx: Tx, upn: str) -> list[AppPassword]:
    """The app passwords of a user, ordered by label. Raises NotFoundError."""
    return [
        AppPassword(row.label, row.created_at, row.used_at)
        for row in tokens.of_principal(tx, _known(tx, upn).id, APP_PASSWORD)
    ]


def revoke(tx: Tx, upn: str, label: str) -> None:
    """Make an app password useless from now on.

    Raises:
        NotFoundError: no such user, or none of that label.
    """
    owner = _known(tx, upn)
    if not tokens.remove(tx, owner.id, label.strip(), APP_PASSWORD):
        raise NotFoundError(f"{owner.upn} has no app password called {label}")


def _known(tx: Tx, upn: str) -> PrincipalRow:
    found = principals.by_upn(tx, upn.strip().lower())
    if found is None:
        raise NotFoundError(f"there is no user {upn}")
    return found


class Uses:
    """Which app passwords were used, kept in memory so that no request has to write.

    Threads may share one. `note` it when a password was good, `save` it every hour or so and at the end.
    """

    def __init__(self, now: int) -> None:
        self._lock = threading.Lock()
        self._now = now
        self._used: set[str] = set()

    def note(self, hashed: str, used_at: int | None) -> None:
        """Remember a use, unless the store knows of one not long ago."""
        if used_at is None or used_at + USED_SECONDS <= self._now:
            with self._lock:
                self._used.add(hashed)

    def take(self, now: int) -> list[str]:
        """What is to be saved, and the time that is now; forgets it."""
        with self._lock:
            taken, self._used, self._now = sorted(self._used), set(), now
        return taken


def save(tx: Tx, used: list[str], now: int) -> None:
    """Write down when app passwords were used.

    Args:
        tx: a write transaction.
        used: what `Uses.take` gave.
        now: seconds since 1970 UTC.
    """
    for hashed in used:
        tokens.set_used(tx, hashed, now)
