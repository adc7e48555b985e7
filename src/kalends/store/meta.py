"""The store's own few words: schema version, CSID, what the index was built with."""

from __future__ import annotations

from kalends.store.base import Tx

RIGHTS = "rights"
"""Set once the store's own VCARs were made: what an administrator removes does not come back."""
INDEXED_TO = "indexed-to"
"""Horizon of the last reindex, seconds since 1970 UTC."""


def get(tx: Tx, key: str) -> str | None:
    """The value of a key, or None."""
    row = tx.row("select value from meta where key = ?", (key,))
    return None if row is None else str(row[0])


def put(tx: Tx, key: str, value: str) -> None:
    """Set a key."""
    tx.run(
        "insert into meta (key, value) values (?, ?) on conflict (key) do update set value = excluded.value",
        (key, value),
    )


def every(tx: Tx) -> dict[str, str]:
    """All keys and values."""
    return {str(key): str(value) for key, value in tx.rows("select key, value from meta order by key")}
