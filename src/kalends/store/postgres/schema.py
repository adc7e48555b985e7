"""What has to be known of a PostgreSQL database before work starts: its name, its schema, its columns."""

from __future__ import annotations

import re
import time
from typing import Any

import psycopg
from psycopg import errors as pg
from psycopg.conninfo import conninfo_to_dict

from kalends.store import schema
from kalends.store.errors import StoreSchemaError, StoreUnavailableError

Connection = psycopg.Connection[tuple[Any, ...]]

_META_TRIES = 20
_INSERT = re.compile(r"\s*insert into (\w+) \(([\w, ]+)\) values \([?, ]+\)(.*)", re.DOTALL)


def redacted(url: str) -> str:
    """The URL with user, host, port and database, and nothing else.

    Args:
        url: as libpq takes it.

    Raises:
        StoreUnavailableError: libpq does not understand it; the message does not repeat it.
    """
    try:
        parts = conninfo_to_dict(url)
    except psycopg.Error:
        raise StoreUnavailableError(
            "not a PostgreSQL URL: postgresql://user:password@host:port/database is one"
        ) from None
    user = f"{parts['user']}@" if parts.get("user") else ""
    port = f":{parts['port']}" if parts.get("port") else ""
    return f"postgresql://{user}{parts.get('host') or ''}{port}/{parts.get('dbname') or ''}"


class Catalogue:
    """The types of all columns, so that an insert of many rows can become one statement over arrays.

    Args:
        connection: a session, outside of a transaction.
    """

    def __init__(self, connection: Connection) -> None:
        rows = connection.execute(
            "select table_name, column_name, udt_name from information_schema.columns"
            " where table_schema = current_schema()"
        )
        self._types: dict[tuple[str, str], str] = {(table, column): kind for table, column, kind in rows}
        self._known: dict[str, str | None] = {}

    def unnested(self, sql: str) -> str | None:
        """Rewrite `insert into t (a, b) values (?, ?)` to take one array a column; None for anything else."""
        if sql not in self._known:
            self._known[sql] = self._rewrite(sql)
        return self._known[sql]

    def _rewrite(self, sql: str) -> str | None:
        match = _INSERT.fullmatch(sql)
        if match is None:
            return None
        table, columns, tail = match[1], match[2], match[3]
        kinds = [self._types.get((table, column.strip())) for column in columns.split(",")]
        if None in kinds:
            return None
        arrays = ", ".join(f"?::{kind}[]" for kind in kinds)
        template = "insert into <table> (<columns>) select * from unnest(<arrays>)<tail>"
        for token, text in (("table", table), ("columns", columns), ("arrays", arrays), ("tail", tail)):
            template = template.replace(f"<{token}>", text)
        return template


def migrate(connection: Connection, url: str, *, read_only: bool) -> None:
    """Bring the schema up to date; safe when several nodes start at once.

    The row of `meta` with the schema's version is the lock: plain SQL, which poolers and compatible
    databases know too.

    Raises:
        StoreSchemaError: the database is newer, or not up to date and read-only, or of something else.
    """
    if not schema.pending(_version(connection, url), "postgres"):
        return
    if read_only:
        raise StoreSchemaError(f"{url} has an older schema: open it once with write access")
    _make_meta(connection)
    with connection.transaction():
        connection.execute(
            "insert into meta (key, value) values ('schema', '0') on conflict (key) do nothing"
        )
        row = connection.execute("select value from meta where key = 'schema' for update").fetchone()
        assert row is not None
        for number, sql in schema.pending(int(row[0]), "postgres"):
            connection.execute(sql)
            connection.execute("update meta set value = $1 where key = 'schema'", (str(number),))


def _version(connection: Connection, url: str) -> int:
    there = connection.execute("select to_regclass('meta') is not null").fetchone()
    if there is None or not there[0]:
        return 0
    try:
        row = connection.execute("select value from meta where key = 'schema'").fetchone()
        return int(row[0]) if row is not None else 0
    except (pg.UndefinedColumn, ValueError):
        raise StoreSchemaError(f"{url} holds a table `meta` of something else") from None


def _make_meta(connection: Connection) -> None:
    """`create table if not exists` is not safe against itself in PostgreSQL: the loser tries again."""
    for attempt in range(_META_TRIES):
        try:
            connection.execute(schema.for_dialect(schema.META, "postgres"))
        except (pg.UniqueViolation, pg.DuplicateTable):
            time.sleep(0.01 * (attempt + 1))
        else:
            return
    raise StoreUnavailableError("could not make the table `meta`")
