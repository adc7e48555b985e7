"""Finding for somebody who sees only parts: the query is asked of what they see, not of what there is.

The database is asked first, but only what tells nothing of hidden things (`veil`); what it names is cut and
asked again in memory. Series are expanded after they were cut, so that nobody learns a rule from its
instances.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from kalends.calquery.match import Subject
from kalends.calquery.plan import Plan, plan
from kalends.calquery.ranges import bounds
from kalends.calquery.tree import Query
from kalends.core import expansion, texts, veil
from kalends.core.errors import TooComplexError
from kalends.core.hits import PAGE, Hit, nodes_of
from kalends.core.model import Caller
from kalends.core.sights import Seen
from kalends.core.vcar import Judge
from kalends.ical.moment import DAY
from kalends.ical.occurrences import expand_component, occurrences
from kalends.ical.tree import Component
from kalends.ical.zones import Zones
from kalends.store import calendars, objects
from kalends.store import found as store_found
from kalends.store.base import Tx
from kalends.store.compile import Wall
from kalends.store.objects import ObjectRow
from kalends.store.sqltext import chunks


@dataclass(frozen=True, slots=True)
class Search:
    """One query of somebody who sees only parts.

    Attributes:
        tx: a transaction. caller: who asks. judge: theirs. calendar_id: where.
        query: bound. permission: what the command needs. wall: see `store.found.find`.
        zone: of floating times.
    """

    tx: Tx
    caller: Caller
    judge: Judge
    calendar_id: int
    query: Query
    permission: str
    wall: Wall | None
    zone: str

    def find(self, *, expand: bool, light: bool) -> Iterator[Hit | None]:
        """What the query selects of what the caller sees; see `selecting.find`."""
        room = self.caller.policy.max_results
        for hit in self._expanded() if expand else self._plain(light=light):
            room -= 1
            if room < 0:
                raise TooComplexError(
                    f"more than {self.caller.policy.max_results} components match; ask for fewer"
                )
            yield hit

    def _plain(self, *, light: bool) -> Iterator[Hit]:
        prepared = plan(self.query.where)
        asked = veil.askable(self.judge, self.query, self.permission)
        rows, _ = store_found.find(self.tx, asked, (self.calendar_id,), wall=self.wall)
        groups = [list(group) for _, group in groupby(rows, key=lambda row: row.object_id)]
        for part in chunks(groups, PAGE):
            places = store_found.places(self.tx, [row.component_id for group in part for row in group])
            for group in part:
                row = places[group[0].component_id][1]
                whole, skipped = texts.read(row, light=light)
                nodes = nodes_of(whole)
                seen = Seen(self.judge, row, whole, self.permission)
                for one in group:
                    node, parent = nodes[places[one.component_id][0] - skipped]
                    left = seen.of(node)
                    if left is not None and self._matches(prepared, seen, left, parent, row.tick):
                        yield Hit(row, whole, node, parent, cut=None if left is node else left)

    def _matches(self, prepared: Plan, seen: Seen, left: Component, parent: Component, tick: int) -> bool:
        subject = self.judge.subject(left, seen.standing)
        subject.parent = seen.of(parent)
        subject.default_tz = self.zone
        subject.tick = tick
        return subject.satisfies(prepared)

    def _expanded(self) -> Iterator[Hit | None]:
        asked = expansion.timeless(veil.askable(self.judge, self.query, self.permission))
        rows, _ = store_found.find(self.tx, asked, (self.calendar_id,))
        lo, hi = self._window()
        for part in chunks(sorted({row.object_id for row in rows}), PAGE):
            held = objects.get_many(self.tx, part)
            for key in part:
                yield from self._instances(held[key], lo, hi)

    def _window(self) -> tuple[int | None, int | None]:
        """Starts that instances can have which the query selects; floating times lie within a day of it."""
        found = bounds(plan(self.query.where))
        lows = [] if found.start.low is None else [found.start.low]
        if found.end.low is not None:
            calendar = calendars.by_id(self.tx, self.calendar_id)
            longest = DAY if calendar is None else calendar.longest
            lows.append(found.end.low - longest)
        hi = found.start.high
        return (max(lows) - DAY if lows else None), (None if hi is None else hi + DAY)

    def _instances(self, row: ObjectRow, lo: int | None, hi: int | None) -> Iterator[Hit | None]:
        """The instances of what is seen of one object."""
        whole, _ = texts.read(row)
        seen = Seen(self.judge, row, whole, self.permission)
        left = seen.vcalendar()
        if left is None:
            return
        real = {id(cut): node for node in whole.components if (cut := seen.of(node)) is not None}
        subject = Subject(left, state=row.state, method=row.method, default_tz=self.zone, tick=row.tick)
        subject.container = self.judge.seen_container()
        limit = self.caller.policy.recur_limit
        timeless = [one for one in left.children(self.query.source) if one.first("DTSTART") is None]
        for one in timeless:
            if self._matches(plan(self.query.where), seen, one, whole, row.tick):
                node = real[id(one)]
                yield Hit(row, whole, node, whole, cut=None if one is node else one)
        for found in expansion.beyond(left, self.query, lo, hi, limit=limit, subject=subject):
            if found is None:
                yield None
                continue
            node = real[id(found.component)]
            view = found.component if found.shown is None else found.shown
            shown = None if found.shown is None else _instance(whole, node, found)
            cut = None if view is node else view
            yield Hit(row, whole, node, whole, found.at, shown, cut)


def _instance(whole: Component, node: Component, found: expansion.Instance) -> Component | None:
    """The instance as it really is, for a command that changes it."""
    zones = Zones(whole)
    for one in occurrences(whole, found.start, found.start + 1, zones=zones):
        if one.component is node and one.recurrence == found.at:
            return expand_component(whole, one, zones=zones)
    return None
