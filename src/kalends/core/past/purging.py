"""Forgetting what is older than some days: what is kept of before changes, and the trash."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kalends.core import attachments, containers
from kalends.core.model import Caller, Policy
from kalends.core.writer import Writer
from kalends.ical.moment import DAY
from kalends.store import calendars, history, objects
from kalends.store.base import Store, Tx
from kalends.store.calendars import VCALSTORE

PAGE = 500
"""Things forgotten at once: others wait a few hundredths of a second, not longer."""


def purge(
    store: Store, policy: Policy, now: int, days: int, *, enough: Callable[[], bool] = lambda: False
) -> tuple[int, int]:
    """Forget what is older than some days: what is kept of before changes, and the trash.

    It works in small transactions, so that others hardly wait; it may be stopped and begun again.

    Args:
        store: the store.
        policy: its limits.
        now: seconds since 1970 UTC.
        days: what changed or was marked longer ago goes.
        enough: asked before each transaction whether to stop here.

    Returns:
        How many former states were forgotten, and how many objects in state DELETED removed.
    """
    until = now - days * DAY + (days == 0)  # 0 days: everything, also of this second
    past = gone = 0
    while not enough() and (count := store.write(lambda tx: history.purge(tx, until, PAGE))):
        past += count
    caller = containers.housekeeper(policy, now)
    for key in store.read(lambda tx: [VCALSTORE, *(row.id for row in calendars.every(tx))]):
        while not enough() and (count := store.write(lambda tx, key=key: _empty(tx, caller, key, until))):  # type: ignore[misc]
            gone += count
    if not enough():
        attachments.collect(store, now, until)
    return past, gone


def _empty(tx: Tx, caller: Caller, calendar_id: int, until: int) -> int:
    if not history.marked(tx, calendar_id, before=until, limit=1):
        return 0
    calendars.lock(tx, (calendar_id,))
    ids: Sequence[int] = history.marked(tx, calendar_id, before=until, limit=PAGE)
    if ids:
        writer = Writer(tx, caller, (calendar_id,))
        for row in objects.get_many(tx, ids).values():
            writer.forget(row)
    return len(ids)
