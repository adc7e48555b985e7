"""Numbered migrations: which there are, and which a database still needs."""

from __future__ import annotations

import re
from functools import lru_cache
from importlib.resources import files

from kalends.store.base import Dialect
from kalends.store.errors import StoreSchemaError

_TOKENS: dict[Dialect, dict[str, str]] = {
    "sqlite": {
        "{id}": "integer primary key",
        "{text}": "text",
        "{octets}": "blob",
        "{cluster}": "without rowid",
    },
    "postgres": {
        "{id}": "bigint primary key",
        "{text}": 'text collate "C"',
        "{octets}": "bytea",
        "{cluster}": "",
        "--postgres ": "",
    },
}
META = "create table if not exists meta (key {text} primary key, value {text} not null) {cluster}"
"""The table that says which migrations have run; made before the first of them."""


def for_dialect(sql: str, dialect: Dialect) -> str:
    """Put in what differs between the databases (the tokens are told in migrations/0001.sql)."""
    for token, text in _TOKENS[dialect].items():
        sql = sql.replace(token, text)
    return sql


@lru_cache(maxsize=1)
def migrations() -> dict[int, str]:
    """All migrations by number, as they were written."""
    folder = files("kalends.store") / "migrations"
    found = {
        int(entry.name[:4]): entry.read_text(encoding="utf-8")
        for entry in folder.iterdir()
        if re.fullmatch(r"\d{4}\.sql", entry.name)
    }
    return dict(sorted(found.items()))


def newest() -> int:
    """The schema version of this Kalends."""
    return max(migrations())


def pending(version: int, dialect: Dialect) -> list[tuple[int, str]]:
    """The migrations a database of that version still needs, in order, ready to run.

    Args:
        version: number of the newest migration that has run; 0 for a new database.
        dialect: which database it is.

    Raises:
        StoreSchemaError: the database is newer than this program.
    """
    if version > newest():
        raise StoreSchemaError(
            f"the store has schema {version}, this Kalends knows {newest()}: use the newer one that made it"
        )
    return [(number, for_dialect(sql, dialect)) for number, sql in migrations().items() if number > version]
