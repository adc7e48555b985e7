"""Dead properties of WebDAV: XML that a client keeps at an object or at what belongs to a principal."""

from __future__ import annotations

from collections.abc import Iterable

from kalends.store.base import Tx
from kalends.store.sqltext import chunks, with_list


def of(tx: Tx, holder: int, part: str = "") -> dict[str, str]:
    """The properties of one resource: XML by '{namespace}name', in order of names.

    Args:
        tx: a transaction.
        holder: id of an object or a principal.
        part: which of a principal's resources.
    """
    rows = tx.rows(
        "select name, value from property where holder = ? and part = ? order by name", (holder, part)
    )
    return {str(name): str(value) for name, value in rows}


def of_many(tx: Tx, holders: Iterable[int]) -> dict[int, dict[str, str]]:
    """The properties of objects that have any, by object."""
    found: dict[int, dict[str, str]] = {}
    sql = "select holder, name, value from property where part = '' and holder in (??) order by holder, name"
    for part in chunks(sorted(set(holders))):
        for holder, name, value in tx.rows(with_list(sql, len(part)), part):
            assert isinstance(holder, int)
            found.setdefault(holder, {})[str(name)] = str(value)
    return found


def put(tx: Tx, holder: int, name: str, value: str, part: str = "") -> None:
    """Set a property."""
    tx.run(
        "insert into property (holder, part, name, value) values (?, ?, ?, ?)"
        " on conflict (holder, part, name) do update set value = excluded.value",
        (holder, part, name, value),
    )


def remove(tx: Tx, holder: int, name: str, part: str = "") -> bool:
    """Take a property away. Returns whether it was there."""
    sql = "delete from property where holder = ? and part = ? and name = ?"
    return tx.run(sql, (holder, part, name)) == 1


def remove_all(tx: Tx, holder: int) -> None:
    """Take all properties of a holder away."""
    tx.run("delete from property where holder = ?", (holder,))


def copy(tx: Tx, holder: int, to: int) -> None:
    """Give an object the properties of another (RFC 4918 §9.8.2)."""
    for name, value in of(tx, holder).items():
        put(tx, to, name, value)
