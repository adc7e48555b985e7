"""The index: what is derived from an object's text, in the same transaction that writes the text."""

from __future__ import annotations

from kalends.ical.tree import Component
from kalends.store.base import Tx
from kalends.store.objects import ObjectRow


def index_object(
    tx: Tx,
    row: ObjectRow,
    vcalendar: Component,
    *,
    horizon: int,
    recur_limit: int = 10_000,
    default_tz: str | None = None,
) -> None:
    """Derive an object's component, cell and instance rows anew.

    Sets object.first_at, last_at and expanded_to and raises calendar.longest.

    Args:
        tx: the write transaction that inserted or changed the object.
        row: the object.
        vcalendar: its text, parsed.
        horizon: instances are written up to here, seconds UTC.
        recur_limit: at most so many instances.
        default_tz: TZID for floating times; None leaves them floating.
    """
    raise NotImplementedError
