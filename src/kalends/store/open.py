"""Opening a store by its URL."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote

from kalends.store.base import Store
from kalends.store.errors import StoreUnavailableError
from kalends.store.sqlite.store import SqliteStore


def open_store(url: str, *, create: bool = True, read_only: bool = False) -> Store:
    """Open a store, bring its schema up to date, and return it.

    Args:
        url: a path; `sqlite:///path` (a fourth slash makes it absolute); `sqlite:///:memory:`; or
            `postgresql://user:password@host:port/database?…` as PostgreSQL's own tools take it.
        create: make the file (and its directory) when it is not there.
        read_only: refuse every write; the schema must be up to date.

    Returns:
        The store. Its `url` holds no password.

    Raises:
        StoreError: one of its subclasses, with words that a person can act on.
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        return SqliteStore(Path(url).expanduser(), create=create, read_only=read_only)
    if scheme in ("postgresql", "postgres"):
        from kalends.store.postgres.store import PostgresStore  # noqa: PLC0415 - psycopg is optional and slow to load

        return PostgresStore(url, read_only=read_only)
    if scheme != "sqlite" or not rest.startswith("/") or len(rest) < 2:
        raise StoreUnavailableError(f"{scheme}:// is no store: give a path, sqlite:///path or postgresql://…")
    path = unquote(rest[1:])
    return SqliteStore(None if path == ":memory:" else Path(path), create=create, read_only=read_only)
