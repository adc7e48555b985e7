"""Tokens: secrets made by the server, of which only a hash is kept."""

from __future__ import annotations

from dataclasses import dataclass, field

from kalends.store import principals
from kalends.store.base import Tx


@dataclass(frozen=True, slots=True)
class TokenRow:
    """A token.

    Attributes:
        hash: of the secret; the key. Not in the repr.
        principal_id: whose it is.
        label: what the user calls it; unique for one principal.
        scope: what it is good for.
        created_at: seconds UTC.
        used_at: seconds UTC, about; None when it was never used.
    """

    hash: str = field(repr=False)
    principal_id: int
    label: str
    scope: str
    created_at: int
    used_at: int | None


_SELECT = "select hash, principal_id, label, scope, created_at, used_at from token where "


def by_hash(tx: Tx, hash: str) -> TokenRow | None:  # noqa: A002 - the column's name
    """The token with that hash, or None."""
    row = tx.row(_SELECT + "hash = ?", (hash,))
    return None if row is None else TokenRow(*row)  # type: ignore[arg-type]  # the columns' types are the schema's


def of_principal(tx: Tx, principal_id: int, scope: str) -> list[TokenRow]:
    """A principal's tokens of a scope, ordered by label."""
    rows = tx.rows(_SELECT + "principal_id = ? and scope = ? order by label", (principal_id, scope))
    return [TokenRow(*row) for row in rows]  # type: ignore[arg-type]  # the columns' types are the schema's


def add(tx: Tx, token: TokenRow) -> None:
    """Add a token.

    Raises:
        DuplicateError: the principal has one of that label.
    """
    tx.run(
        "insert into token (hash, principal_id, label, scope, created_at, used_at) values (?, ?, ?, ?, ?, ?)",
        (token.hash, token.principal_id, token.label, token.scope, token.created_at, token.used_at),
    )


def set_used(tx: Tx, hash: str, at: int) -> None:  # noqa: A002 - the column's name
    """Remember when a token was used last."""
    tx.run("update token set used_at = ? where hash = ? and coalesce(used_at, 0) < ?", (at, hash, at))


def remove(tx: Tx, principal_id: int, label: str, scope: str) -> bool:
    """Remove a token. Returns whether it was there."""
    principals.touch(tx)  # somebody may remember that it was good
    gone = "delete from token where principal_id = ? and label = ? and scope = ?"
    return tx.run(gone, (principal_id, label, scope)) == 1
