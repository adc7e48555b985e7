"""What a database can say no with. `core` and the faces map these; nobody above sees a driver's exception."""

from __future__ import annotations


class StoreError(Exception):
    """The store could not do it; the transaction was rolled back whole."""


class StoreUnavailableError(StoreError):
    """The database cannot be reached (PostgreSQL down or restarted). Trying again later may help."""


class StoreOutcomeUnknownError(StoreUnavailableError):
    """The database went away during the commit: the change was made, or it was not."""


class StoreBusyError(StoreError):
    """Somebody else holds the database or a row, longer than the store was willing to wait."""


class StoreFullError(StoreError):
    """No room left on the device or in the database."""


class StoreReadOnlyError(StoreError):
    """The database can be read but not written."""


class StoreCorruptError(StoreError):
    """The file is not a database, or is damaged."""


class StoreSchemaError(StoreError):
    """The database was made by a newer Kalends, or by something else."""


class DeadlineError(StoreError):
    """The work was interrupted because its deadline passed or it was cancelled."""


class DuplicateError(StoreError):
    """Something of that name is there already."""


class DuplicateUidError(DuplicateError):
    """The calendar holds a BOOKED object of that kind with that UID already."""


class DuplicateNameError(DuplicateError):
    """The calendar holds an object with that DAV name in that state already."""
