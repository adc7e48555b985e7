"""Rebuilding the index, and checking that nothing contradicts anything."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from kalends.ical.errors import ICalError
from kalends.ical.moment import LAST_WALL
from kalends.ical.tree import Component, parse
from kalends.store import calendars, meta, objects, reach
from kalends.store.base import SqlValue, Store, Tx
from kalends.store.index import SHORTEST_LONGEST, Derived, derive, index_object
from kalends.store.objects import ObjectRow
from kalends.store.sqltext import chunks, padded, with_list

log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]
"""Called with (objects done, objects in all)."""

PAGE = 100
"""Objects read or written in one transaction: other writers wait a few hundredths of a second, not longer."""
FOREVER = LAST_WALL
"""A horizon after everything."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        code: a word for programs: text-broken, kind-differs, size-differs, index-differs, tick-differs,
            reach-differs, longest-differs, exclusive-differs, history-differs, orphan, file-damaged.
        where: calendar, object or file.
        text: a sentence for people.
    """

    code: str
    where: str
    text: str


# -- reindex ------------------------------------------------------------------------------------------------


def reindex(
    store: Store, *, horizon: int, recur_limit: int = 10_000, progress: Progress | None = None
) -> int:
    """Derive the index anew from the texts, in many small transactions, while others work.

    A text that can't be read loses its index rows; `check` names it.

    Args:
        store: the store.
        horizon: instances are written up to here, seconds UTC.
        recur_limit: at most so many instances an object.
        progress: told after each transaction.

    Returns:
        How many objects there are.
    """
    total = store.read(_count)
    done, after = 0, -1
    while True:
        last, count = store.write(lambda tx, after=after: _reindex_page(tx, after, horizon, recur_limit))  # type: ignore[misc]
        if not count:
            break
        done, after = done + count, last
        if progress is not None:
            progress(done, max(total, done))
    store.write(lambda tx: _finish(tx, horizon))
    return done


def _count(tx: Tx) -> int:
    row = tx.row("select count(*) from object")
    assert row is not None
    return cast("int", row[0])


def _reindex_page(tx: Tx, after: int, horizon: int, recur_limit: int) -> tuple[int, int]:
    page = objects.page(tx, after, PAGE)
    calendars.lock(tx, {row.calendar_id for row in page})
    rows = objects.get_many(tx, [row.id for row in page])  # as they are now that nobody else may change them
    for row in rows.values():
        try:
            vcalendar = parse(row.ics)
        except ICalError as error:
            log.warning("object %d can't be read: %s", row.id, error)
            tx.run("delete from component where object_id = ?", (row.id,))
            tx.run("delete from reach where object_id = ?", (row.id,))
            continue
        index_object(tx, row, vcalendar, horizon=horizon, recur_limit=recur_limit)
    return (page[-1].id if page else after), len(page)


def _finish(tx: Tx, horizon: int) -> None:
    for orphans, _ in _ORPHANS:
        tx.run(orphans.replace("select count(*)", "delete", 1))
    for calendar in [*calendars.every(tx), calendars.by_id(tx, calendars.VCALSTORE)]:
        assert calendar is not None
        calendars.lock(tx, [calendar.id])
        longest = max(_longest(tx, calendar.id), SHORTEST_LONGEST)
        calendars.forget(tx, calendar.id)
        exclusive = int(calendars.holds_exclusive(tx, calendar.id))
        tx.run(
            "update calendar set longest = ?, exclusive = ? where id = ?", (longest, exclusive, calendar.id)
        )
    meta.put(tx, meta.INDEXED_TO, str(horizon))


def _longest(tx: Tx, calendar_id: int) -> int:
    row = tx.row("select max(end_at - start_at) from instance where calendar_id = ?", (calendar_id,))
    return cast("int", row[0]) if row is not None and row[0] is not None else 0


# -- check --------------------------------------------------------------------------------------------------

_ORPHAN = (
    "select count(*) from <child> where not exists"
    " (select 1 from <parent> where <parent>.id = <child>.<parent>_id)"
)
_ORPHANS = tuple(
    (_ORPHAN.replace("<child>", child).replace("<parent>", parent), f"rows of {child} without {parent}")
    for child, parent in (("component", "object"), ("cell", "component"), ("instance", "component"))
)


def check(store: Store, *, progress: Progress | None = None) -> list[Finding]:
    """Compare everything derived with its source. An empty list is a clean store.

    Args:
        store: the store; others may work meanwhile, every object is looked at in one snapshot.
        progress: told after each page of objects.
    """
    findings = store.read(_check_file)
    findings += store.read(_check_orphans)
    findings += store.read(_check_calendars)
    findings += store.read(_check_reach)
    total = store.read(_count)
    done, after = 0, -1
    while True:
        last, count, found = store.read(lambda tx, after=after: _check_page(tx, after))  # type: ignore[misc]
        if not count:
            return findings
        findings += found
        done, after = done + count, last
        if progress is not None:
            progress(done, max(total, done))


def _check_file(tx: Tx) -> list[Finding]:
    if tx.dialect != "sqlite":
        return []
    rows = [str(row[0]) for row in tx.rows("pragma integrity_check(20)")]
    return [Finding("file-damaged", "file", text) for text in rows if text != "ok"]


def _check_orphans(tx: Tx) -> list[Finding]:
    found: list[Finding] = []
    for sql, words in _ORPHANS:
        row = tx.row(sql)
        if row is not None and row[0]:
            found.append(Finding("orphan", "index", f"{row[0]!s} {words}"))
    return found


def _check_reach(tx: Tx) -> list[Finding]:
    rows = objects.get_many(tx, reach.differing(tx))
    return [
        Finding(
            "reach-differs", f"object {row.calendar_id}/{row.name}",
            "whom it is listed for differs from what it says",
        )
        for row in rows.values()
    ]  # fmt: skip


def _check_calendars(tx: Tx) -> list[Finding]:
    found: list[Finding] = []
    rows = tx.rows(
        "select c.id, c.calid, c.tick, c.longest, c.exclusive,"
        " (select max(tick) from change where calendar_id = c.id),"
        " (select max(tick) from object where calendar_id = c.id),"
        " (select count(*) from history h where h.calendar_id = c.id and not exists (select 1 from change l"
        " where l.calendar_id = h.calendar_id and l.tick = h.tick and l.object_id = h.object_id))"
        " from calendar c order by c.id"
    )
    for calendar_id, calid, tick, longest, exclusive, logged, changed, lost in cast(
        "list[tuple[Any, ...]]", rows
    ):
        where = f"calendar {calid}" if calid else "the store"
        if max(logged or 0, changed or 0) > tick:
            text = f"its tick is {tick}, but there are changes of tick {max(logged or 0, changed or 0)}"
            found.append(Finding("tick-differs", where, text))
        needed = _longest(tx, calendar_id)
        if needed > longest:
            text = f"an instance lasts {needed} s, searches expect {longest} s at most"
            found.append(Finding("longest-differs", where, text))
        if not exclusive and calendars.holds_exclusive(tx, calendar_id):
            text = "something in it excludes others from its time, writes do not expect that"
            found.append(Finding("exclusive-differs", where, text))
        if lost:
            text = f"{lost} of the states kept from before a change belong to no change in the log"
            found.append(Finding("history-differs", where, text))
    return found


def _check_page(tx: Tx, after: int) -> tuple[int, int, list[Finding]]:
    page = objects.page(tx, after, PAGE)
    if not page:
        return after, 0, []
    stored = _Stored(tx, page)
    names = calendars.many(tx, {row.calendar_id for row in page})
    found: list[Finding] = []
    for row in page:
        where = f"object {names[row.calendar_id].calid}/{row.name}"
        found += [Finding(code, where, text) for code, text in _check_object(row, stored)]
    return page[-1].id, len(page), found


def _check_object(row: ObjectRow, stored: _Stored) -> list[tuple[str, str]]:
    if row.size != len(row.ics):
        return [("size-differs", f"its size is given as {row.size}, it has {len(row.ics)} octets")]
    if stored.logged(row) < row.tick:
        return [("tick-differs", f"it changed at tick {row.tick}, the log ends at {stored.logged(row)}")]
    try:
        vcalendar = parse(row.ics)
    except ICalError as error:
        return [("text-broken", f"its text can't be read: {error}")]
    if not _holds(vcalendar, row.kind):
        return [("kind-differs", f"it is said to be a {row.kind}, its text holds none")]
    horizon = FOREVER if row.expanded_to is None else row.expanded_to
    derived = derive(vcalendar, row.kind, horizon=horizon, recur_limit=max(stored.instances(row.id), 1))
    return [("index-differs", text) for text in _differences(row, derived, stored)]


def _holds(vcalendar: Component, kind: str) -> bool:
    return vcalendar.name == kind or any(child.name == kind for child in vcalendar.components)


def _differences(row: ObjectRow, derived: Derived, stored: _Stored) -> list[str]:
    span = (row.first_at, row.last_at, row.expanded_to)
    pairs = (
        ("components", sorted(_component_facts(row, derived)), stored.of("component", row.id)),
        ("cells", sorted(_cell_facts(derived)), stored.of("cell", row.id)),
        ("instances", sorted(_instance_facts(row, derived)), stored.of("instance", row.id)),
        ("spans", [tuple(map(repr, derived.span))], [tuple(map(repr, span))]),
    )
    out: list[str] = []
    for what, expected, there in pairs:
        if expected != there:
            missing, wrong = _first_not_in(expected, there), _first_not_in(there, expected)
            out.append(f"its {what} differ from its text: expected {missing}, found {wrong}")
    return out


def _first_not_in(these: Sequence[Any], those: Sequence[Any]) -> str:
    others = set(those)
    return next((str(one)[:200] for one in these if one not in others), "nothing more")


# Facts are tuples of text, so that None and numbers can be sorted together.
Fact = tuple[str, ...]


def _component_facts(row: ObjectRow, derived: Derived) -> list[Fact]:
    nodes = derived.nodes
    return [
        _fact(
            node.pos, node.component.name, row.calendar_id, nodes[node.up].pos if node.up >= 0 else None,
            derived.recurrence.get(at), *derived.times[at],
        )
        for at, node in enumerate(nodes)
    ]  # fmt: skip


def _cell_facts(derived: Derived) -> list[Fact]:
    return [_fact(derived.nodes[at].pos, *cell) for at, cell in derived.cells]


def _instance_facts(row: ObjectRow, derived: Derived) -> list[Fact]:
    facts = {
        _fact(
            derived.nodes[one.node].pos, row.calendar_id, one.start_at, one.recurrence_at, one.end_at,
            int(one.floating), one.busy,
        )
        for one in derived.occurrences
    }  # fmt: skip
    return list(facts)


def _fact(*values: SqlValue) -> Fact:
    return tuple(map(repr, values))


_COMPONENTS = (
    "select id, object_id, parent_id, pos, kind, calendar_id, recurrence_at, start_at, end_at"
    " from component where object_id in (??)"
)
_OF_COMPONENTS: Mapping[str, str] = {
    "cell": "select component_id, name, pos, k, value, folded, num, origin from cell",
    "instance": (
        "select component_id, calendar_id, start_at, recurrence_at, end_at, floating, busy from instance"
    ),
}
_TICKS = (
    "select calendar_id, object_id, max(tick) from change"
    " where calendar_id in <places> and object_id in (??) group by calendar_id, object_id"
)
_ELSEWHERE = -1


def _search_by_keys(tx: Tx) -> None:
    """Have this transaction look its keys up, however many rows a database without statistics expects."""
    if tx.dialect == "postgres":
        tx.run("set local enable_seqscan = off")


class _Stored:
    """The index rows of some objects, as facts.

    One table a statement, by keys: joins would need statistics on PostgreSQL to be quick there.
    """

    def __init__(self, tx: Tx, page: Sequence[ObjectRow]) -> None:
        _search_by_keys(tx)
        self._facts: dict[str, dict[int, list[Fact]]] = {
            table: defaultdict(list) for table in ("component", *_OF_COMPONENTS)
        }
        owners = self._read_components(tx, [row.id for row in page])
        for table, sql in _OF_COMPONENTS.items():
            facts = self._facts[table]
            for part in chunks(sorted(owners)):
                values = padded(part)
                rows = tx.rows(with_list(f"{sql} where component_id in (??)", len(values)), values)
                for key, *rest in rows:
                    object_id, pos = owners[cast("int", key)]
                    facts[object_id].append(_fact(pos, *rest))
        self._ticks = self._read_ticks(tx, page)

    def _read_components(self, tx: Tx, ids: Sequence[int]) -> dict[int, tuple[int, int]]:
        """Read the components; returns the object and the place of each."""
        values = padded(ids)
        rows = cast("list[tuple[Any, ...]]", tx.rows(with_list(_COMPONENTS, len(values)), values))
        owners = {key: (object_id, pos) for key, object_id, _, pos, *_ in rows}
        for _, object_id, parent_id, pos, kind, calendar_id, *times in rows:
            owner, above = owners.get(parent_id, (object_id, None if parent_id is None else _ELSEWHERE))
            up = above if owner == object_id else _ELSEWHERE
            self._facts["component"][object_id].append(_fact(pos, kind, calendar_id, up, *times))
        return owners

    def _read_ticks(self, tx: Tx, page: Sequence[ObjectRow]) -> dict[tuple[int, int], int]:
        """The last tick that the log has of each object in each calendar of the page."""
        places, ids = padded(sorted({row.calendar_id for row in page})), padded([row.id for row in page])
        sql = with_list(_TICKS.replace("<places>", f"({', '.join('?' * len(places))})"), len(ids))
        rows = cast("list[tuple[int, int, int]]", tx.rows(sql, (*places, *ids)))
        return {(calendar_id, object_id): tick for calendar_id, object_id, tick in rows}

    def logged(self, row: ObjectRow) -> int:
        """The tick of its last change in the log; its own when the log does not know it."""
        return self._ticks.get((row.calendar_id, row.id), row.tick)

    def of(self, table: str, object_id: int) -> list[Fact]:
        """The sorted facts of one object."""
        return sorted(self._facts[table].get(object_id, []))

    def instances(self, object_id: int) -> int:
        """How many instances the object has."""
        return len(self._facts["instance"].get(object_id, []))
