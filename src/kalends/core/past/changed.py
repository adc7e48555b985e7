"""What changed in a calendar since somebody looked: FROM X-KALENDS-CHANGE (docs/watch.md)."""

from __future__ import annotations

from collections.abc import Sequence

from kalends.calquery.bind import bind
from kalends.calquery.columns import CHANGE, TICK
from kalends.calquery.errors import QueryError
from kalends.calquery.match import Subject
from kalends.calquery.plan import plan
from kalends.calquery.ranges import ticks_from
from kalends.calquery.tree import And, Compare, Condition, Query
from kalends.core import containers, selecting
from kalends.core.access import rights
from kalends.core.access.rights import Shown
from kalends.core.access.sights import Sight
from kalends.core.errors import InvalidError
from kalends.core.model import Caller, Selection, Target
from kalends.core.past.differences import title_in
from kalends.ical.moment import utc_moment
from kalends.ical.tree import Component, parse
from kalends.ical.values import escape_text, unescape_text
from kalends.ical.zones import Zones
from kalends.store import calendars, history, objects, principals
from kalends.store import changes as log
from kalends.store.base import Tx
from kalends.store.changes import ChangeRow
from kalends.store.history import Past
from kalends.store.objects import ObjectRow

MAX_CHANGES = 1_000
"""Changes in one answer, whole transactions; who asks goes on from the last tick told."""
_OWN = frozenset(("VAGENDA", "VCALSTORE", "VCAR"))
"""The calendar's own: told to its owners only."""
_WORDS = {
    "put": "changed", "state": "marked", "move-in": "moved here", "move-out": "moved away",
    "remove": "removed", "props": "changed", "rights": "changed",
}  # fmt: skip


def waits(selections: Sequence[Selection]) -> bool:
    """Whether a SEARCH asks for what changes after a tick, so that its answer may be waited for."""
    queries = [query for selection in selections for query in selection.queries]
    return bool(queries) and all(_asks_since(query.where) for query in queries)


def _asks_since(condition: Condition | None) -> bool:
    if isinstance(condition, And):
        return any(map(_asks_since, condition.terms))
    return (
        isinstance(condition, Compare)
        and condition.column.name == TICK
        and condition.column.component is None
        and condition.operator in (">", ">=")
    )


def counter(tx: Tx, target: Target) -> int:
    """The tick of a calendar; of the store the sum of all, which moves with each of them."""
    if target.is_store:
        return sum(calendars.ticks(tx, None).values())
    return containers.calendar_of(tx, target).tick


def changes(tx: Tx, caller: Caller, target: Target, query: Query) -> list[Component]:
    """The changes that a query FROM X-KALENDS-CHANGE selects, in order of ticks: the last one of each object.

    Only what the caller sees now is told. Who sees all of the calendar is also told what went away.

    Args:
        tx: a transaction.
        caller: who asks.
        target: the calendar.
        query: a query as parsed; `X-KALENDS-TICK > 'n'` in it makes the answer short.

    Raises:
        InvalidError: the query cannot be run.
    """
    try:
        prepared = plan(bind(query, selecting.bindings(tx, caller, target)).where)
        first = ticks_from(prepared)
        at = 0 if first is None else max(first - 1, 0)
        found: list[Component] = []
        while not found and (rows := log.since(tx, target.calendar_id, at, MAX_CHANGES)):
            told = _told(tx, caller, target, rows, at)
            found = [made for row, made in told if Subject(made, tick=row.tick).satisfies(prepared)]
            at = rows[-1].tick  # where nothing of all this is for the asker, there may be more
    except QueryError as error:
        raise InvalidError(str(error)) from error
    return found


class Before:
    """What somebody who sees only parts of a calendar could see in it before, of what changed since a tick.

    What they never saw must not be told to be gone: that would name it.

    Args:
        tx: a transaction, open as long as it is asked.
        sight: theirs.
        calendar_id: the calendar.
        since: the tick.
        until: changes up to this tick count.

    Attributes:
        known: whether all that it takes to answer is still kept.
    """

    def __init__(self, tx: Tx, sight: Sight, calendar_id: int, since: int, until: int) -> None:
        self._tx, self._sight, self._calendar_id = tx, sight, calendar_id
        self.known = history.is_complete(tx, calendar_id, since, until)
        self._named: dict[str, list[int]] = {}
        for name, object_id in history.former_members(tx, calendar_id, since, until):
            self._named.setdefault(name, []).append(object_id)

    def saw(self, name: str) -> bool:
        """Whether anything of that name, the last segment of its path, ever showed them a part of itself.

        When is not asked: a limited answer goes on from a tick at which not all before it was told.
        """
        return any(
            self._shows(was)
            for object_id in self._named.get(name, ())
            for was in history.versions(self._tx, self._calendar_id, object_id, name)
        )

    def _shows(self, was: Past) -> bool:
        whole = parse(was.ics)
        zones = Zones(whole)
        return any(
            self._sight.of(part, state=was.state, method=was.method, zones=zones) is not None
            for part in whole.children(was.kind)
        )


def _told(
    tx: Tx, caller: Caller, target: Target, rows: Sequence[ChangeRow], since: int
) -> list[tuple[ChangeRow, Component]]:
    """Those of some changes that the caller may hear of, as components."""
    sight = rights.sight(tx, caller, target.calendar_id)
    owner = caller.identity.admin or rights.owns(tx, caller, containers.calendar_of(tx, target))
    ids = [row.object_id for row in rows]
    held = objects.get_many(tx, ids)
    new = log.newcomers(tx, target.calendar_id, since, ids)
    put = [row.object_id for row in rows if row.op == "put" and row.object_id not in new]
    returned = log.returned(tx, target.calendar_id, since, put)
    upns: dict[int | None, str] = {None: ""}
    told: list[tuple[ChangeRow, Component]] = []
    for row in rows:
        if row.kind in _OWN and not owner:
            continue
        there = held.get(row.object_id)
        if there is not None and there.calendar_id != row.calendar_id:
            there = None
        if _lives_on(tx, row, there):
            continue
        shown = None if there is None else sight.object(there)
        if shown is None and (there is not None or not sight.whole):
            continue
        if row.actor not in upns:
            upns[row.actor] = _upn(tx, row.actor)
        word = _word(row, there, new=row.object_id in new, returned=row.object_id in returned)
        told.append((row, _component(row, word, upns[row.actor], shown)))
    return told


def _upn(tx: Tx, actor: int | None) -> str:
    who = principals.by_id(tx, actor) if actor is not None else None
    return "" if who is None else who.upn


def _lives_on(tx: Tx, row: ChangeRow, there: ObjectRow | None) -> bool:
    """Whether something marked came or went while another one of its UID stayed, which is told of itself.

    An instance marked out of a series is an object of its own: neither is the series marked with it, nor
    removed when the instance goes back. So it is with what was marked when its UID had been taken anew.
    """
    if row.op not in ("put", "remove") or (there is not None and there.state != "DELETED"):
        return False
    others = objects.by_uid(tx, row.calendar_id, row.uid, "BOOKED", row.kind)
    return any(one.id < row.object_id or one.tick <= row.tick for one in others)


def _word(row: ChangeRow, there: ObjectRow | None, *, new: bool, returned: bool) -> str:
    if row.op == "put" and there is not None and there.state == "DELETED":
        return "marked"
    if row.op == "rights" and there is None:
        return "removed"
    if row.op in ("put", "props", "rights") and (new or returned):
        return "created" if new else "restored"
    if row.op == "state" and there is not None and there.state != "DELETED":
        return "restored"
    return _WORDS[row.op]


def _component(row: ChangeRow, word: str, who: str, shown: Shown | None) -> Component:
    """A change as it is told: of an object that is seen in part only what is seen."""
    whole = shown is None or shown.whole
    title = "" if shown is None else title_in(shown.ics, row.kind)
    made = Component(CHANGE)
    made.add(TICK, str(row.tick))
    if whole or _shows_uid(shown, row):
        made.add("UID", escape_text(row.uid))
    made.add("X-KALENDS-KIND", row.kind)
    made.add("X-KALENDS-ACTION", word)
    if who and whole:
        made.add("X-KALENDS-ACTOR", who)
    if whole:
        made.add("X-KALENDS-VIA", row.via)
    made.add("LAST-MODIFIED", str(utc_moment(row.at)))
    if title:
        made.add("SUMMARY", escape_text(title))
    return made


def _shows_uid(shown: Shown | None, row: ChangeRow) -> bool:
    return shown is not None and any(
        unescape_text(part.value("UID") or "") == row.uid for part in shown.vcalendar().components
    )
