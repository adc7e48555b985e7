"""Rows of an object that its new text gives again: a long series is not written anew for another SUMMARY."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from kalends.store.base import Row, Tx
from kalends.store.objects import ObjectRow
from kalends.store.spans import Node
from kalends.store.sqltext import chunks, padded, with_list

FEW = 32
"""Occurrences up to which it costs less to write all rows than to look which are there."""
MOST_GONE = 100
"""Rows of instances that are removed one by one; of more all go."""

_COMPONENTS = (
    "select id, pos, kind, calendar_id, parent_id, recurrence_at, start_at, end_at"
    " from component where object_id = ?"
)
_INSTANCES = (
    "select calendar_id, start_at, component_id, recurrence_at, end_at, floating, busy"
    " from instance where component_id in (??)"
)
_REMOVE = (
    "delete from instance where calendar_id = ? and start_at = ? and component_id = ? and recurrence_at = ?"
)


@dataclass(slots=True)
class Standing:
    """What is there of an object and may stay.

    Attributes:
        keys: components, by the index of their node.
        others: the components that have to go.
        instances: the rows of the components that stay.
    """

    keys: dict[int, int]
    others: list[int]
    instances: set[Row]

    def write(self, tx: Tx, wanted: Sequence[Row]) -> list[Row]:
        """Remove what is there and not wanted; cells are always written anew.

        Args:
            tx: a write transaction.
            wanted: rows of instances.

        Returns:
            The rows of instances that are not there yet.
        """
        for part in chunks(self.others):
            tx.later(with_list("delete from component where id in (??)", len(part)), part)
        kept = list(self.keys.values())
        for part in chunks(kept):
            tx.later(with_list("delete from cell where component_id in (??)", len(part)), part)
        gone = self.instances.difference(wanted)
        if len(gone) > MOST_GONE:
            for part in chunks(kept):
                tx.later(with_list("delete from instance where component_id in (??)", len(part)), part)
            self.instances.clear()
        elif gone:
            tx.many(_REMOVE, sorted(row[:4] for row in gone))
        tx.flush()  # the same keys come again, and statements left for later do not see each other's effects
        return [row for row in wanted if row not in self.instances]


def standing(
    tx: Tx,
    row: ObjectRow,
    nodes: Sequence[Node],
    recurrence: dict[int, int],
    times: Sequence[tuple[int | None, int | None]],
) -> Standing:
    """Find the components whose rows would be the same as they are.

    Args:
        tx: a write transaction that holds the calendar.
        row: the object.
        nodes: the components of its new text.
        recurrence: RECURRENCE-ID of those that have one.
        times: start and end of each.
    """
    found = cast("list[tuple[Any, ...]]", tx.rows(_COMPONENTS, (row.id,)))
    there = {pos: (key, facts) for key, pos, *facts in found}
    keys: dict[int, int] = {}
    for at, node in enumerate(nodes):
        key, facts = there.get(node.pos, (0, None))
        up = None if node.up < 0 else keys.get(node.up, 0)  # below one that goes nothing can stay
        if facts == [node.component.name, row.calendar_id, up, recurrence.get(at), *times[at]]:
            keys[at] = key
    kept = set(keys.values())
    instances: set[Row] = set()
    for part in chunks(sorted(kept)):
        values = padded(part)
        instances.update(tx.rows(with_list(_INSTANCES, len(values)), values))
    return Standing(keys, [key for key, *_ in found if key not in kept], instances)
