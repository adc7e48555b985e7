"""Reading: SEARCH over a container, computed free/busy, expansion."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kalends.calquery.columns import CHANGE, TICK
from kalends.calquery.project import Projection
from kalends.calquery.tree import Column, Contained, Everything, Query
from kalends.core import containers, contents, freebusy, selecting
from kalends.core.access import rights
from kalends.core.access.circumstances import Standing
from kalends.core.access.parts import shows
from kalends.core.access.rights import Authority
from kalends.core.errors import NotFoundError
from kalends.core.hits import Hit
from kalends.core.model import Answer, Caller, Found, Selection, Target
from kalends.core.past import changed
from kalends.ical.tree import Component
from kalends.ical.zones import Zones
from kalends.store.base import Tx, paced
from kalends.store.calendars import CalendarRow


def search(tx: Tx, caller: Caller, target: Target, selections: Sequence[Selection]) -> list[Answer]:
    """Answer every QUERY of every selection on one container.

    Returns:
        One answer per QUERY, in order.

    Raises:
        TooComplexError, InvalidError, NotFoundError (an unknown stored query).

    Source: RFC 4324 §10.12, §10.12.1 (VFREEBUSY is computed).
    """
    asked = [pair for selection in selections for pair in selecting.queries_of(tx, caller, target, selection)]
    authority = rights.authority_in(tx, caller, target)
    if not authority.known():
        raise NotFoundError(rights.NOWHERE)
    answers: list[Answer] = []
    for query, expand in asked:
        how = _CONTAINERS.get(query.source)
        answers.append(
            _objects(tx, caller, target, query, authority, expand=expand)
            if how is None
            else how(tx, caller, target, query)
        )
        selecting.limited(answers[-1].found, caller)
    return answers


def _objects(
    tx: Tx, caller: Caller, target: Target, query: Query, authority: Authority, *, expand: bool
) -> Answer:
    answer = Answer(query)
    show = _Projector(tx, caller, target, query)
    hits = selecting.find(tx, caller, target, query, expand=expand, light=True, authority=authority)
    for hit in paced(tx, hits):
        if hit is None:
            answer.truncated = True
            continue
        selecting.limited(answer.found, caller)
        seen = show.counted(hit.view, hit.row.tick)
        if not show.add(answer, seen, hit.whole, hit.row.method) and hit.cut is not None:
            _refuse_hidden(answer, authority, query, hit)
    return answer


def _refuse_hidden(answer: Answer, authority: Authority, query: Query, hit: Hit) -> None:
    """Say 4.1 in the component when everything asked for is hidden, whether it is there or not.

    Source: RFC 4324 §10.12; ACL-21.
    """
    top = next(
        (one for one in hit.whole.components if any(part is hit.component for part in one.walk())), None
    )
    if top is not hit.component:
        return  # of what stands inside of others, what is hidden is not there
    standing = Standing(hit.row.state, hit.row.method, Zones(hit.whole))
    granted, denied = authority.judge.parts(hit.component, standing)
    names = [one.name for one in query.select if isinstance(one, Column) and one.component is None]
    if names and not any(shows(name, granted, denied) for name in names):
        shell = Component(hit.component.name)
        shell.begin, shell.end = hit.component.begin, hit.component.end
        answer.found.append(Found((shell,), hit.row.method, hidden=True))


class _Projector:
    """Takes out of found components what SELECT names."""

    def __init__(self, tx: Tx, caller: Caller, target: Target, query: Query) -> None:
        self.counts = Column(TICK) in query.select
        self.projection = Projection(query, owners=lambda calid: containers.owners(tx, caller, calid, target))

    def counted(self, component: Component, tick: int) -> Component:
        """A component with the tick of its last change, where SELECT names that."""
        if not self.counts:
            return component
        counted = component.copy()
        counted.items = [item for item in counted.items if item.name != TICK]
        counted.add(TICK, str(tick))
        return counted

    def add(self, answer: Answer, component: Component, whole: Component, method: str | None) -> bool:
        """Add what is selected of a component to an answer; nothing where it has nothing of it.

        Returns:
            Whether it had.
        """
        items = self.projection.of(component, Zones(whole))
        if items:
            answer.found.append(Found(tuple(items), method))
        return bool(items)


def _agendas(tx: Tx, caller: Caller, target: Target, query: Query) -> Answer:
    return _containers(tx, caller, query, selecting.agendas_matching(tx, caller, target, query))


def _containers(
    tx: Tx, caller: Caller, query: Query, matching: Sequence[tuple[CalendarRow, Component]]
) -> Answer:
    """Containers with their properties; for `*.*` with all they contain."""
    answer = Answer(query)
    inner = any(
        isinstance(one, Everything | Contained) or (isinstance(one, Column) and one.component is not None)
        for one in query.select
    )
    room = caller.policy.max_results
    for row, seen in matching:
        show = _Projector(tx, caller, Target(row.calid, row.id, row.calid), query)
        shown = show.counted(contents.filled(tx, caller, row, seen, room) if inner else seen, row.tick)
        show.add(answer, shown, shown, None)
    return answer


def _store(tx: Tx, caller: Caller, target: Target, query: Query) -> Answer:
    return _containers(tx, caller, query, selecting.store_matching(tx, caller, target, query))


def _free_busy(tx: Tx, caller: Caller, target: Target, query: Query) -> Answer:
    sight = rights.sight(tx, caller, target.calendar_id)
    made = freebusy.free_busy(tx, caller, target, query, sight)
    answer = Answer(query)
    if made is not None:
        _Projector(tx, caller, target, query).add(answer, made, made, None)
    return answer


def _changes(tx: Tx, caller: Caller, target: Target, query: Query) -> Answer:
    answer = Answer(query)
    show = _Projector(tx, caller, target, query)
    for change in changed.changes(tx, caller, target, query):
        show.add(answer, change, change, None)
    return answer


_CONTAINERS: dict[str, Callable[[Tx, Caller, Target, Query], Answer]] = {
    "VAGENDA": _agendas,
    "VCALSTORE": _store,
    "VFREEBUSY": _free_busy,
    CHANGE: _changes,
}
"""How a FROM is answered that means no stored object."""
