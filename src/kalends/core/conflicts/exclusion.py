"""What may not share time in a calendar (RFC 4324 §8.1, §8.36).

* In a calendar with ALLOW-CONFLICT:FALSE, all BOOKED objects that occupy time exclude each other, and
  instances of one series too. Not occupying are CANCELLED and TRANSPARENT ones, and a VTODO that has not both
  start and due date.
* TRANSP:OPAQUE-NOCONFLICT and TRANSPARENT-NOCONFLICT exclude other OPAQUE and OPAQUE-NOCONFLICT objects, in
  any calendar and in whatever order they come. Two TRANSPARENT-NOCONFLICT ones do not exclude each other.
* Ends are exclusive; what takes no time overlaps nothing. UNPROCESSED and DELETED objects block nothing.
* Floating times and dates are read in the calendar's zone: the first of DEFAULT-TZID.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from kalends.core import agendas, floating
from kalends.core.conflicts.courses import Clashes, Stretch
from kalends.core.conflicts.proof import STEPS
from kalends.core.model import Policy
from kalends.ical.budget import Budget
from kalends.ical.tzfile import Zone
from kalends.store.base import Tx
from kalends.store.calendars import CalendarRow
from kalends.store.instances import BUSY, BUSY_NOCONFLICT, BUSY_TENTATIVE, FREE, FREE_NOCONFLICT, SlotRow

Rules = Mapping[str, frozenset[str]]
"""For each kind of occupancy the kinds it may not share time with."""

EXCLUSIVE = frozenset((BUSY_NOCONFLICT, FREE_NOCONFLICT))
_OCCUPYING = frozenset((BUSY, BUSY_TENTATIVE, BUSY_NOCONFLICT, FREE_NOCONFLICT))
_EVERYTHING = _OCCUPYING | {FREE}
_WHERE_ALLOWED: Rules = {
    BUSY: EXCLUSIVE,
    BUSY_TENTATIVE: EXCLUSIVE,
    BUSY_NOCONFLICT: _OCCUPYING,
    FREE_NOCONFLICT: frozenset((BUSY, BUSY_TENTATIVE, BUSY_NOCONFLICT)),
}
_WHERE_FORBIDDEN: Rules = dict.fromkeys(_OCCUPYING, _OCCUPYING)
_LITERALLY: Rules = dict.fromkeys(_EVERYTHING, _EVERYTHING)


def rules_of(calendar: CalendarRow, policy: Policy) -> Rules:
    """What excludes what in a calendar (decision 2; A-14)."""
    if calendar.allow_conflict:
        return _WHERE_ALLOWED
    return _LITERALLY if policy.conflict_counts_everything else _WHERE_FORBIDDEN


def _clashes(rules: Rules) -> Clashes:
    return lambda one, other: other in rules.get(one, ())


@dataclass(frozen=True, slots=True)
class Clash:
    """Two instances that share time and may not: placed in instants, with the objects they belong to."""

    mine: Stretch
    other: Stretch
    my_id: int
    other_id: int


class Place:
    """A calendar under its lock, ready to be asked about overlaps.

    Args:
        tx: a transaction.
        policy: limits, and what counts.
        row: the calendar.
    """

    def __init__(self, tx: Tx, policy: Policy, row: CalendarRow) -> None:
        self.tx, self.policy, self.row = tx, policy, row
        self.rules = rules_of(row, policy)
        self.clashes = _clashes(self.rules)
        self.budget = Budget(STEPS)

    @property
    def own(self) -> bool:
        """Whether instances of one series exclude each other, too."""
        return not self.row.allow_conflict

    @cached_property
    def zone(self) -> Zone | None:
        """The zone that floating times and dates are read in; None for UTC."""
        names = agendas.time_zones(agendas.properties(self.tx, self.row))
        tzid = names[0] if names else self.policy.default_tz
        return floating.defined(self.tx, self.row.id, tzid)

    def placed(self, slot: SlotRow | Stretch) -> Stretch:
        """An occurrence in instants."""
        if isinstance(slot, SlotRow):
            slot = Stretch(slot.start_at, slot.end_at, slot.floating, slot.busy)
        return slot.placed(self.zone) if slot.floating else slot


def overlap(one: Stretch, other: Stretch) -> bool:
    """Whether two share time; ends are exclusive."""
    return one.start < other.end and other.start < one.end
