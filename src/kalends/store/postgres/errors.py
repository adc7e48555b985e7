"""What PostgreSQL says no with, as the store's own errors."""

from __future__ import annotations

import psycopg
from psycopg import errors as pg

from kalends.store.errors import (
    DeadlineError,
    DuplicateError,
    DuplicateNameError,
    DuplicateUidError,
    StoreBusyError,
    StoreCorruptError,
    StoreError,
    StoreFullError,
    StoreReadOnlyError,
    StoreUnavailableError,
)

RETRY = (pg.SerializationFailure, pg.DeadlockDetected)
"""Two transactions met (40001, 40P01): one of them has to start again."""
GONE = (
    pg.AdminShutdown,
    pg.CrashShutdown,
    pg.CannotConnectNow,
    pg.IdleInTransactionSessionTimeout,
    pg.ConnectionException,
)
"""The server ended the session; OperationalError without a code says the same."""
_CLASSES: tuple[tuple[type[psycopg.Error], type[StoreError], str], ...] = (
    (pg.QueryCanceled, DeadlineError, "the work took longer than it may, and was undone"),
    (pg.LockNotAvailable, StoreBusyError, "somebody holds a row for too long"),
    (pg.SerializationFailure, StoreBusyError, "others write the same, again and again"),
    (pg.DeadlockDetected, StoreBusyError, "others write the same, again and again"),
    (pg.TooManyConnections, StoreBusyError, "the database takes no more connections"),
    (pg.DiskFull, StoreFullError, "no room is left on the database's disk"),
    (pg.ReadOnlySqlTransaction, StoreReadOnlyError, "the database can be read but not written"),
    (pg.InsufficientPrivilege, StoreReadOnlyError, "the database's user may not do this"),
    (pg.DataCorrupted, StoreCorruptError, "the database is damaged"),
    (pg.IndexCorrupted, StoreCorruptError, "an index of the database is damaged"),
)
_DUPLICATES: dict[str, tuple[type[DuplicateError], str]] = {
    "object_booked": (DuplicateUidError, "an object with that UID is booked there"),
    "object_name": (DuplicateNameError, "an object with that name is there"),
}


def is_gone(error: psycopg.Error) -> bool:
    """Whether the session ended, so that another connection may do better."""
    return isinstance(error, GONE) or (
        isinstance(error, psycopg.OperationalError | psycopg.InterfaceError) and error.sqlstate is None
    )


def mapped(error: psycopg.Error, where: str = "") -> StoreError:
    """The store's own error for psycopg's.

    Args:
        error: what psycopg raised.
        where: the store's redacted URL, for the message.

    Returns:
        An error of the family in `errors`, to be raised from `error`.
    """
    prefix = f"{where}: " if where else ""
    if isinstance(error, pg.UniqueViolation):
        constraint = error.diag.constraint_name or ""
        duplicate, words = _DUPLICATES.get(
            constraint, (DuplicateError, f"it is there already ({constraint})")
        )
        return duplicate(words)
    if is_gone(error):
        return StoreUnavailableError(f"{prefix}the database can't be reached ({_first_line(error)})")
    for theirs, ours, words in _CLASSES:
        if isinstance(error, theirs):
            return ours(f"{prefix}{words} ({_first_line(error)})")
    return StoreError(f"{prefix}{_first_line(error)}")


def _first_line(error: psycopg.Error) -> str:
    return str(error).strip().partition("\n")[0]
