"""What SQLite says no with, as the store's own errors."""

from __future__ import annotations

from errno import EDQUOT, EFBIG, ENOSPC

import apsw

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

_CLASSES: tuple[tuple[type[apsw.Error], type[StoreError], str], ...] = (
    (apsw.InterruptError, DeadlineError, "the work took longer than it may, and was undone"),
    (apsw.BusyError, StoreBusyError, "another process holds the store"),
    (apsw.LockedError, StoreBusyError, "another connection holds the store"),
    (apsw.FullError, StoreFullError, "no room is left on the disk"),
    (apsw.ReadOnlyError, StoreReadOnlyError, "the store can be read but not written"),
    (apsw.PermissionsError, StoreReadOnlyError, "the store may not be accessed"),
    (apsw.NotADBError, StoreCorruptError, "the file is not a SQLite database"),
    (apsw.CorruptError, StoreCorruptError, "the file is damaged"),
    (apsw.CantOpenError, StoreUnavailableError, "the file can't be opened"),
    (apsw.IOError, StoreUnavailableError, "the disk failed"),
)
_NO_ROOM = {apsw.SQLITE_IOERR_SHMSIZE, apsw.SQLITE_IOERR_SHMMAP, apsw.SQLITE_IOERR_TRUNCATE}
"""I/O errors that only come when a file can't grow."""
_NO_ROOM_ERRNO = {ENOSPC, EDQUOT, EFBIG}
"""SQLite itself takes only the first of these for a full disk; a quota and a limit are no better."""
_UNIQUE = {apsw.SQLITE_CONSTRAINT_UNIQUE, apsw.SQLITE_CONSTRAINT_PRIMARYKEY, apsw.SQLITE_CONSTRAINT_ROWID}
_DUPLICATES: tuple[tuple[str, type[DuplicateError], str], ...] = (
    (
        "object.calendar_id, object.kind, object.uid",
        DuplicateUidError,
        "an object with that UID is booked there",
    ),
    (
        "object.calendar_id, object.state, object.name",
        DuplicateNameError,
        "an object with that name is there",
    ),
)


def mapped(error: apsw.Error, where: str = "", errno: int = 0) -> StoreError:
    """The store's own error for SQLite's.

    Args:
        error: what apsw raised.
        where: the store's URL, for the message.
        errno: the operating system's reason for an I/O error (`Connection.system_errno`).

    Returns:
        An error of the family in `errors`, to be raised from `error`.
    """
    prefix = f"{where}: " if where else ""
    if isinstance(error, apsw.ConstraintError):
        return _constraint(error)
    if isinstance(error, apsw.IOError) and (
        errno in _NO_ROOM_ERRNO or getattr(error, "extendedresult", 0) in _NO_ROOM
    ):
        return StoreFullError(f"{prefix}no room is left on the disk ({error})")
    for theirs, ours, words in _CLASSES:
        if isinstance(error, theirs):
            return ours(f"{prefix}{words} ({error})")
    return StoreError(f"{prefix}{error}")


def _constraint(error: apsw.ConstraintError) -> StoreError:
    text = str(error)
    if getattr(error, "extendedresult", 0) not in _UNIQUE:
        return StoreError(text)
    for columns, duplicate, words in _DUPLICATES:
        if columns in text:
            return duplicate(words)
    return DuplicateError(f"it is there already ({text.rpartition(': ')[2]})")
