"""Several calendars in one transaction, always locked in ascending order of their ids.

Which calendars a change reaches is known only after reading it, and then one of them may come before one
that is locked already. Waiting for it could be waiting for somebody who waits for us. So the work is taken
back to where it began, all that it will need is locked in order, and it runs again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TypeVar

from kalends.core.model import Caller
from kalends.core.writer import Writer
from kalends.store import calendars
from kalends.store.base import Tx

T = TypeVar("T")


class OutOfOrderError(Exception):
    """A lock is needed that comes before one that is held. Never leaves `in_order`.

    Attributes:
        wanted: all calendars to lock before the work runs again.
    """

    def __init__(self, wanted: frozenset[int]) -> None:
        self.wanted = wanted
        super().__init__("calendars have to be locked in order")


def in_order(tx: Tx, caller: Caller, work: Callable[[Caller], T]) -> T:
    """Run work that may find out on its way which calendars it has to lock.

    Args:
        tx: a write transaction.
        caller: who acts.
        work: gets the caller with the calendars that are held already; it may run several times, each time
            from the state before the first.

    Returns:
        What the work returns.
    """
    if tx.dialect == "sqlite":  # one writer at a time: there is nobody to wait for
        return work(caller)
    wanted = caller.held
    while True:
        try:
            with tx.savepoint():
                calendars.lock(tx, wanted)
                return work(replace(caller, held=wanted))
        except OutOfOrderError as error:  # each time more is wanted, so this ends
            wanted |= error.wanted


def hold(writer: Writer, ids: Iterable[int]) -> bool:
    """Lock calendars before they are read; nothing is counted until something is written.

    Args:
        writer: the hand that will write.
        ids: calendars.

    Returns:
        Whether one of them was not held before: what was read of it may be stale.

    Raises:
        OutOfOrderError: for `in_order`.
    """
    missing = frozenset(ids) - writer.held
    if not missing or writer.tx.dialect == "sqlite":
        writer.held |= missing
        return False
    if writer.held and min(missing) < max(writer.held):
        raise OutOfOrderError(missing | frozenset(writer.held))
    calendars.lock(writer.tx, missing)
    writer.held |= missing
    return True


def touch(writer: Writer, calendar_id: int) -> None:
    """Count a change of a calendar that is held."""
    if calendar_id not in writer.ticks:
        writer.lock(calendar_id)
