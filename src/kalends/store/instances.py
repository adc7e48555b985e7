"""Instances: occurrences in time, for free/busy, conflicts and expansion."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kalends.store.base import SqlValue, Tx
from kalends.store.objects import State
from kalends.store.sqltext import chunks, with_list


@dataclass(frozen=True, slots=True)
class InstanceRow:
    """One occurrence.

    Attributes:
        object_id: the object. component_id: the component (an override's own). calendar_id: the calendar.
        kind: VEVENT, VTODO, …, VALARM. uid: the object's UID. state: the object's state.
        start_at: seconds UTC (as if UTC when floating). end_at: the same; not before start_at.
        recurrence_at: the start this occurrence has by the rule.
        floating: whether it floats: local times and DATEs.
        busy: BUSY, BUSY-TENTATIVE, FREE, BUSY-NOCONFLICT, FREE-NOCONFLICT or ALARM.
    """

    object_id: int
    component_id: int
    calendar_id: int
    kind: str
    uid: str
    state: State
    start_at: int
    end_at: int
    recurrence_at: int
    floating: bool
    busy: str


def overlapping(
    tx: Tx,
    calendar_ids: Iterable[int],
    lo: int,
    hi: int,
    *,
    floating_lo: int | None = None,
    floating_hi: int | None = None,
    states: Sequence[State] = ("BOOKED",),
    busy: Sequence[str] = (),
    limit: int | None = None,
) -> list[InstanceRow]:
    """The instances that touch the half-open window [lo, hi), in order of start.

    Args:
        tx: a transaction.
        calendar_ids: where to look.
        lo: start of the window, seconds UTC.
        hi: end of the window, seconds UTC.
        floating_lo: start of the window for floating times, seconds as if UTC; None: the same as `lo`.
        floating_hi: its end.
        states: only objects in these states.
        busy: only these busy types; empty for all but ALARM.
        limit: how many at most.
    """
    raise NotImplementedError


def open_objects(tx: Tx, calendar_ids: Iterable[int], until: int) -> list[int]:
    """The ids of objects whose instance rows end before `until`: a search expands these in memory.

    Args:
        tx: a transaction.
        calendar_ids: where to look.
        until: end of the window asked for, seconds UTC.
    """
    found: list[int] = []
    for part in chunks(sorted(set(calendar_ids))):
        values: list[SqlValue] = [*part, until]
        sql = "select id from object where calendar_id in (??) and expanded_to < ? order by id"
        found += [row[0] for row in tx.rows(with_list(sql, len(part)), values) if isinstance(row[0], int)]
    return found
