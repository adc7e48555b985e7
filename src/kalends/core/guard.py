"""One place where what a database says no with becomes a refusal of the domain."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from kalends.core.errors import (
    DuplicateError,
    FailureError,
    InterruptedCommandError,
    KalendsError,
)
from kalends.store import errors as store

REFUSALS: tuple[tuple[type[store.StoreError], type[KalendsError], str], ...] = (
    (store.DeadlineError, InterruptedCommandError, "stopped before it was done; nothing was changed"),
    (store.DuplicateError, DuplicateError, "something of that name was made at the same time"),
    (store.StoreFullError, FailureError, "the store has no room left"),
    (store.StoreReadOnlyError, FailureError, "the store can be read but not written"),
    (store.StoreBusyError, FailureError, "the store is busy; try again"),
    (store.StoreUnavailableError, FailureError, "the store cannot be reached; try again later"),
    (store.StoreError, FailureError, "the store could not do it"),
)
"""Store error, the refusal it becomes, and the sentence; the first line that fits holds."""


def refusal_of(error: store.StoreError) -> KalendsError:
    """The refusal that a store's error becomes.

    Args:
        error: what the store raised; its own words may name files and hosts and are not repeated.
    """
    return next(kind(sentence) for raised, kind, sentence in REFUSALS if isinstance(error, raised))


@contextmanager
def guard() -> Iterator[None]:
    """Turn a store's errors into refusals: faces put it around `store.read`, `store.write` and futures.

    It stands outside of the transaction, because the store itself retries what may be retried.

    Raises:
        KalendsError: for every StoreError that leaves the block.
    """
    try:
        yield
    except store.StoreError as error:
        raise refusal_of(error) from error
