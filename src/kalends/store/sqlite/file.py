"""A SQLite database as a file: made, opened with our settings, migrated."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path
from typing import cast
from urllib.parse import quote

import apsw

from kalends.store import schema
from kalends.store.errors import StoreError, StoreSchemaError, StoreUnavailableError
from kalends.store.sqlite.errors import mapped

log = logging.getLogger(__name__)

STATEMENTS = 256
"""Prepared statements kept a connection: all of ours, and a good number of compiled queries."""
WRITER_CACHE_KIB = 16_384
READER_CACHE_KIB = 4_096
PROBE_CACHE_KIB = 64
"""The connection that only asks whether something has changed reads nothing."""
WAL_LIMIT_OCTETS = 64 * 1024 * 1024
"""A log that grew larger (under a long read) is cut back to this after a checkpoint."""
APPLICATION_ID = 0x4B414C43
"""'KALC' in the file's header, so that `file` and we can tell whose it is."""
SAFE_VERSION = 3_051_003
"""The first SQLite without the WAL-reset bug that could damage a database (fixed in 3.51.3 and 3.53.0)."""

READ_ONLY = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
READ_WRITE = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_URI


class Database:
    """What connections are opened to.

    Args:
        path: the file; None for one in memory.
        busy_seconds: how long a connection waits for another process.

    Attributes:
        url: names it, for people.
        path: see above.
        frozen: nobody can write there.
    """

    def __init__(self, path: Path | None, busy_seconds: float) -> None:
        self.url = f"sqlite:///{path.absolute()}" if path is not None else "sqlite:///:memory:"
        self.path = path
        self.frozen = False
        self._busy_seconds = busy_seconds
        self._uri = _file_uri(path) if path is not None else f"file:/kalends-{id(self)}?vfs=memdb"

    def provide(self, *, create: bool, read_only: bool) -> None:
        """See that the file is there, and whether anybody can write to it.

        Args:
            create: make it and its directory when they are not there.
            read_only: it is not to be written to.

        Raises:
            StoreUnavailableError: it is not there, or cannot be made.
        """
        if _lib_number() < SAFE_VERSION:
            log.warning(
                "SQLite %s can damage a database (WAL reset); 3.51.3 or later is safe",
                apsw.sqlite_lib_version(),
            )
        path = self.path
        if path is None:
            return
        if not read_only:
            _make_file(path, create=create)
        elif not path.exists():
            raise StoreUnavailableError(f"there is no store at {path}")
        if _is_frozen(path):
            self._uri += "?immutable=1"
            self.frozen = True

    def open_writer(self, *, read_only: bool) -> apsw.Connection:
        """Open the connection that writes, and bring the schema up to date.

        Raises:
            StoreError: what the database says, in our words.
        """
        connection: apsw.Connection | None = None
        try:
            flags = READ_ONLY if read_only else READ_WRITE
            connection = self._connect(flags, WRITER_CACHE_KIB)
            if not connection.readonly("main"):
                self._use_wal(connection)
            _migrate(connection, self.url)
        except apsw.Error as error:
            close_quietly(connection)
            raise mapped(error, self.url) from error
        except StoreError:
            close_quietly(connection)
            raise
        return connection

    def open_reader(self, cache_kib: int) -> apsw.Connection:
        """Open a connection that only reads.

        Args:
            cache_kib: KiB of the database's pages that it keeps.

        Raises:
            apsw.Error: what the database says.
        """
        return self._connect(READ_ONLY, cache_kib)

    def _connect(self, flags: int, cache_kib: int) -> apsw.Connection:
        if self.path is None:
            flags = READ_WRITE | apsw.SQLITE_OPEN_CREATE
        connection = apsw.Connection(self._uri, flags=flags, statementcachesize=STATEMENTS)
        connection.set_busy_timeout(int(self._busy_seconds * 1000))
        for pragma in (
            "foreign_keys = on",
            "trusted_schema = off",
            "temp_store = memory",
            "synchronous = full",
            f"cache_size = -{cache_kib}",
            f"journal_size_limit = {WAL_LIMIT_OCTETS}",
        ):
            connection.execute(f"pragma {pragma}")
        # Now we know that it is a database.
        connection.execute("select count(*) from sqlite_schema").fetchall()
        return connection

    def _use_wal(self, connection: apsw.Connection) -> None:
        if self.path is None:
            return
        until = time.monotonic() + self._busy_seconds
        while True:
            try:
                connection.execute("pragma journal_mode = wal").fetchall()
            except apsw.BusyError:  # two that open a new file at once: the busy timeout does not cover this
                if time.monotonic() >= until:
                    raise
                time.sleep(0.01)
            else:
                return


def _migrate(connection: apsw.Connection, url: str) -> None:
    version = _version(connection, url)
    if not schema.pending(version, "sqlite"):
        return
    if connection.readonly("main"):
        raise StoreSchemaError(
            f"{url} has an older schema and can't be written: open it once with write access"
        )
    connection.execute("begin immediate")
    try:
        # Another may have been faster.
        for number, sql in schema.pending(_version(connection, url), "sqlite"):
            connection.execute(schema.for_dialect(schema.META, "sqlite"))
            connection.execute(sql)
            connection.execute(
                "insert into meta (key, value) values ('schema', ?)"
                " on conflict (key) do update set value = excluded.value",
                (str(number),),
            )
        connection.execute(f"pragma application_id = {APPLICATION_ID}")
        connection.execute("commit")
    except BaseException:
        if connection.in_transaction:
            connection.execute("rollback")
        raise


def _version(connection: apsw.Connection, url: str) -> int:
    tables = connection.execute("select count(*) from sqlite_schema").get
    if tables == 0:
        return 0
    if connection.pragma("application_id") != APPLICATION_ID:
        raise StoreSchemaError(f"{url} is a database of something else")
    return int(cast("str", connection.execute("select value from meta where key = 'schema'").get))


def _make_file(path: Path, *, create: bool) -> None:
    """Make the file before SQLite does, so that nobody else may read it."""
    if path.exists():
        return
    if not create:
        raise StoreUnavailableError(f"there is no store at {path}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise StoreUnavailableError(f"can't make a store at {path}: {error.strerror}") from error


def _is_frozen(path: Path) -> bool:
    """Whether nobody writes here: we can't make the log's files in the folder, and no writer has them open.

    SQLite cannot read such a file in WAL mode otherwise: it wants to make the log's index beside it.
    """
    log_files = (path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm"))
    return (
        path.exists() and not os.access(path.parent, os.W_OK) and not any(file.exists() for file in log_files)
    )


def _file_uri(path: Path) -> str:
    return "file:" + quote(str(path.absolute()))


def _lib_number() -> int:
    major, minor, patch = (int(part) for part in apsw.sqlite_lib_version().split(".")[:3])
    return major * 1_000_000 + minor * 1_000 + patch


def close_quietly(connection: apsw.Connection | None) -> None:
    """Close a connection, if there is one."""
    if connection is not None:
        connection.close()
