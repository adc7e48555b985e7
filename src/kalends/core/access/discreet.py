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
from kalends.calquery.tree import And, Compare, Condition, Constant, In, Like, Null, Or, Query, State
from kalends.core import expansion, texts
from kalends.core.access import veil
from kalends.core.access.scopes import OF_TIME
from kalends.core.access.sights import Seen
from kalends.core.access.vcar import Judge
from kalends.core.errors import TooComplexError
from kalends.core.hits import PAGE, Hit, nodes_of
from kalends.core.model import Caller
from kalends.ical.moment import DAY
from kalends.ical.occurrences import expand_component, occurrences
from kalends.ical.tree import Component
from kalends.ical.zones import Zones
from kalends.store import calendars, instances, objects
from kalends.store import found as store_found
from kalends.store.base import Tx, paced
from kalends.store.compiling.query import Wall
from kalends.store.found import FoundRow
from kalends.store.objects import ObjectRow
from kalends.store.sqltext import chunks

_FAR = 2**62
"""Behind all times."""


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
        for hit in self._expanded(light=light) if expand else self._plain(light=light):
            room -= 1
            if room < 0:
                raise TooComplexError(
                    f"more than {self.caller.policy.max_results} components match; ask for fewer"
                )
            yield hit

    def _plain(self, *, light: bool) -> Iterator[Hit]:
        asked = veil.askable(self.judge, self.query, self.permission)
        names = _looked_at(self.query.where) if asked == self.query else None
        prepared = plan(self.query.where)
        rows, _ = store_found.find(self.tx, asked, (self.calendar_id,), wall=self.wall)
        groups = [list(group) for _, group in groupby(rows, key=lambda row: row.object_id)]
        for part in chunks(groups, PAGE):
            places = store_found.places(self.tx, [row.component_id for group in part for row in group])
            for group in paced(self.tx, part):
                row = places[group[0].component_id][1]
                whole, skipped = texts.read(row, light=light)
                nodes = nodes_of(whole)
                seen = Seen(self.judge, row, whole, self.permission)
                for one in group:
                    node, parent = nodes[places[one.component_id][0] - skipped]
                    left = seen.of(node)
                    if left is None:
                        continue
                    # Where all that was asked about is seen, the database has answered already.
                    known = names is not None and _same(node, left, names)
                    if known or self._matches(prepared, seen, left, parent, row.tick):
                        yield Hit(row, whole, node, parent, cut=None if left is node else left)

    def _matches(self, prepared: Plan, seen: Seen, left: Component, parent: Component, tick: int) -> bool:
        subject = self.judge.subject(left, seen.standing)
        subject.parent = seen.of(parent)
        subject.default_tz = self.zone
        subject.tick = tick
        return subject.satisfies(prepared)

    def _expanded(self, *, light: bool) -> Iterator[Hit | None]:
        lo, hi = self._window()
        asked = veil.askable(self.judge, self.query, self.permission)
        names = _looked_at(self.query.where) if asked == self.query else None
        told, unsure = self._candidates(asked)
        for part in chunks(sorted({*told, *unsure}), PAGE):
            held = objects.get_many(self.tx, part)
            sure = [] if names is None else [key for key in part if key not in unsure]
            places = store_found.places(self.tx, [one.component_id for key in sure for one in told[key]])
            for key in paced(self.tx, part):
                known = None
                if names is not None and key not in unsure:
                    rows = [(places[one.component_id][0], one) for one in told[key]]
                    known = self._known(held[key], rows, names, light=light)
                yield from self._instances(held[key], lo, hi, light=light) if known is None else known

    def _candidates(self, asked: Query) -> tuple[dict[int, list[FoundRow]], set[int]]:
        """Objects of which something that is seen may match.

        Returns:
            Those whose instances the database tells, with these; and those that have to be expanded.
        """
        place = (self.calendar_id,)
        if not veil.series_seen(self.judge, self.query, self.permission):
            rows, _ = store_found.find(self.tx, expansion.timeless(asked), place)
            return {}, {row.object_id for row in rows}
        rows, window = store_found.find(self.tx, asked, place, expand=True, wall=self.wall)
        told = {key: list(group) for key, group in groupby(rows, key=lambda row: row.object_id)}
        until = _FAR if window.high is None else window.high + 1
        still_open = set(instances.open_objects(self.tx, place, until))
        if still_open:
            rows, _ = store_found.find(self.tx, expansion.timeless(asked), place)
            still_open.intersection_update([row.object_id for row in rows])
        return told, still_open

    def _known(
        self, row: ObjectRow, rows: list[tuple[int, FoundRow]], names: frozenset[str], *, light: bool
    ) -> list[Hit] | None:
        """The instances that the database told, where all is seen that it went by; None where not."""
        whole, skipped = texts.read(row, light=light)
        seen = Seen(self.judge, row, whole, self.permission)
        names |= veil.SERIES | OF_TIME
        if len(rows) == 1 and (only := expansion.only_instance(whole)) is not None:
            left = seen.of(only)
            if left is None:
                return []
            if only.name != self.query.source or not _same(only, left, names):
                return None
            return [Hit(row, whole, only, whole, cut=None if left is only else left)]
        if seen.whole:
            placed = [(at - skipped, one) for at, one in rows]
            found = expansion.of_rows(whole, placed)
            return [Hit(row, whole, one.component, whole, one.at, one.shown) for one in found]
        left = seen.vcalendar()
        if left is None:
            return []
        for node in whole.children(self.query.source):
            view = seen.of(node)
            if view is None or not _same(node, view, names):
                return None
        nodes = nodes_of(whole)
        order = {id(node): at for at, (node, _) in enumerate(nodes_of(left))}
        placed = []
        for at, one in rows:
            view = seen.of(nodes[at - skipped][0])
            if view is None:
                return None
            placed.append((order[id(view)], one))
        real = {id(view): node for node in whole.components if (view := seen.of(node)) is not None}
        return [self._hit(row, whole, real, one) for one in expansion.of_rows(left, placed)]

    def _hit(
        self, row: ObjectRow, whole: Component, real: dict[int, Component], one: expansion.Instance
    ) -> Hit:
        """An instance of what is seen, with what it really is for a command that changes it."""
        node = real[id(one.component)]
        view = one.component if one.shown is None else one.shown
        writing = one.shown is not None and self.permission != "SEARCH"
        shown = _instance(whole, node, one) if writing else None
        return Hit(row, whole, node, whole, one.at, shown, None if view is node else view)

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

    def _instances(
        self, row: ObjectRow, lo: int | None, hi: int | None, *, light: bool
    ) -> Iterator[Hit | None]:
        """The instances of what is seen of one object."""
        whole, _ = texts.read(row, light=light)
        seen = Seen(self.judge, row, whole, self.permission)
        left = seen.vcalendar()
        if left is None:
            return
        real = {id(cut): node for node in whole.components if (cut := seen.of(node)) is not None}
        subject = Subject(left, state=row.state, method=row.method, default_tz=self.zone, tick=row.tick)
        subject.container = self.judge.seen_container()
        limit = self.caller.policy.recur_limit
        (only, *others) = (one for one in left.components if one.name != "VTIMEZONE")
        if not others and only.name == self.query.source and expansion.happens_once(only):
            subject = self.judge.subject(only, seen.standing)
            subject.default_tz, subject.expanded = self.zone, only.first("DTSTART") is not None
            subject.tick = row.tick
            if subject.satisfies(plan(self.query.where)):
                node = real[id(only)]
                yield Hit(row, whole, node, whole, cut=None if only is node else only)
            return
        timeless = [one for one in left.children(self.query.source) if one.first("DTSTART") is None]
        for one in timeless:
            if self._matches(plan(self.query.where), seen, one, whole, row.tick):
                node = real[id(one)]
                yield Hit(row, whole, node, whole, cut=None if one is node else one)
        for found in expansion.beyond(self.tx, left, self.query, lo, hi, limit=limit, subject=subject):
            if found is None:
                yield None
                continue
            yield self._hit(row, whole, real, found)


def _looked_at(condition: Condition | None) -> frozenset[str] | None:
    """The properties whose lines decide a condition; None when something else does, too."""
    match condition:
        case None | State() | Constant():
            return frozenset()
        case And(terms) | Or(terms):
            found: frozenset[str] = frozenset()
            for term in terms:
                names = _looked_at(term)
                if names is None:
                    return None
                found |= names
            return found
        case Compare(column) | Like(column) | Null(column) | In(_, column):
            if column.component is not None or column.param is not None:
                return None
            return OF_TIME if column.name in OF_TIME else frozenset((column.name,))
        case _:
            return None


def _same(node: Component, left: Component, names: frozenset[str]) -> bool:
    """Whether the lines of these names are all seen, as they are."""
    if node is left:
        return True
    return [id(item) for item in node.items if item.name in names] == [
        id(item) for item in left.items if item.name in names
    ]


def _instance(whole: Component, node: Component, found: expansion.Instance) -> Component | None:
    """The instance as it really is, for a command that changes it."""
    zones = Zones(whole)
    for one in occurrences(whole, found.start, found.start + 1, zones=zones):
        if one.component is node and one.recurrence == found.at:
            return expand_component(whole, one, zones=zones)
    return None
