"""From a command's VQUERY to the components it means, for SEARCH as well as for the writing commands."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain, groupby

from kalends.calquery.bind import Bindings, bind
from kalends.calquery.columns import comparison
from kalends.calquery.errors import QueryError
from kalends.calquery.errors import TooComplexError as QueryTooComplexError
from kalends.calquery.match import Subject
from kalends.calquery.parse import parse_line
from kalends.calquery.plan import plan
from kalends.calquery.ranges import Range
from kalends.calquery.tree import And, Column, Compare, Condition, In, Like, Null, Or, Query, State
from kalends.core import agendas, containers, expansion, floating, texts
from kalends.core.access import decrees, discreet, rights
from kalends.core.errors import InvalidError, NotFoundError, TooComplexError
from kalends.core.hits import PAGE, Hit, nodes_of
from kalends.core.model import Caller, Selection, Target
from kalends.core.names import qualified
from kalends.ical.tree import Component
from kalends.store import found as store_found
from kalends.store import instances, objects
from kalends.store.base import Tx, paced
from kalends.store.calendars import VCALSTORE, CalendarRow
from kalends.store.found import FoundRow
from kalends.store.sqltext import chunks

_FAR = 2**62
"""Behind all times."""


def queries_of(tx: Tx, caller: Caller, target: Target, selection: Selection) -> list[tuple[Query, bool]]:
    """The queries a VQUERY stands for, each with its EXPAND.

    Args:
        tx: a transaction.
        caller: who asks.
        target: the TARGET of the command.
        selection: the VQUERY.

    Raises:
        NotFoundError: the stored query is not there, or not visible.
        InvalidError: DELETED objects are asked for together with others (RFC 4324 §1.3).

    Source: RFC 4324 §6.1.1, §9.6; QRY-03, QRY-31, OBM-08.
    """
    found = [(query, selection.expand) for query in selection.queries]
    if not found and selection.query_id is not None:
        found = _stored(tx, caller, target, selection)
    if not found:
        raise InvalidError("a VQUERY needs a QUERY or a QUERYID")
    states = [states_of(query.where) or {"BOOKED", "UNPROCESSED"} for query, _ in found]
    if any("DELETED" in state for state in states) and any(state - {"DELETED"} for state in states):
        raise InvalidError("DELETED objects and others cannot be asked for in one VQUERY")
    return found


def _stored(tx: Tx, caller: Caller, target: Target, selection: Selection) -> list[tuple[Query, bool]]:
    place = target
    if selection.container is not None:
        place = containers.resolve(tx, caller, selection.container)
    held = objects.by_uid(tx, place.calendar_id, selection.query_id or "", "BOOKED", "VQUERY")
    written = [vquery for row in held for vquery in agendas.parsed(row).children("VQUERY")]
    seen = rights.sight(tx, caller, place.calendar_id).of(written[0]) if written else None
    # One of which not all QUERYs may be seen would mean something else.
    if seen is None or len(seen.all("QUERY")) != len(written[0].all("QUERY")):
        raise NotFoundError("no such stored query")
    vquery = seen
    expand = selection.expand or (vquery.value("EXPAND") or "").strip().upper() == "TRUE"
    try:
        return [(parse_line(line, max_terms=caller.policy.max_terms), expand) for line in vquery.all("QUERY")]
    except QueryTooComplexError as error:
        raise TooComplexError(str(error)) from error
    except QueryError as error:
        raise InvalidError(f"the stored query: {error}") from error


def states_of(condition: Condition | None) -> set[str]:
    """The states that a condition names."""
    match condition:
        case State(state):
            return {state.upper()}
        case And(terms) | Or(terms):
            return set().union(*(states_of(term) for term in terms))
        case _:
            return set()


def names_of(condition: Condition | None) -> set[str]:
    """The property names that a condition looks at, its contained components' included."""
    match condition:
        case And(terms) | Or(terms):
            return set().union(*(names_of(term) for term in terms))
        case Compare(column) | Like(column) | Null(column) | In(_, column):
            return {column.name}
        case _:
            return set()


def bindings(tx: Tx, caller: Caller, target: Target) -> Bindings:
    """What SELF(), CAL-OWNERS() and CURRENT-TARGET() stand for in this command."""
    who = caller.identity
    return Bindings(
        self_upn=who.upn,
        self_addresses=sorted(who.addresses),
        groups=sorted(who.groups),
        owners=lambda calid: containers.owners(tx, caller, calid, target),
        target=target.calid,
        target_names=(target.given, qualified(target.calid, caller.policy)),
        csid=caller.policy.csid,
    )


def _wall(tx: Tx, caller: Caller, target: Target, query: Query) -> Callable[[int], int] | None:
    """What the clocks of the zone of floating times show, for a query that compares times; None for UTC."""
    if not any(comparison(Column(name)) in ("moment", "trigger") for name in names_of(query.where)):
        return None
    zone = floating.zone_of(tx, caller, target.calendar_id)
    return None if zone is None else zone.wall


def hits(
    tx: Tx,
    caller: Caller,
    target: Target,
    query: Query,
    *,
    expand: bool = False,
    permission: rights.Permission = "SEARCH",
    authority: rights.Authority | None = None,
) -> list[Hit]:
    """The stored components that a query selects in one container, in a stable order.

    Args:
        tx: a transaction.
        caller: who asks.
        target: a calendar or the store.
        query: a query as parsed; it is bound here.
        expand: find instances, each for itself, instead of series.
        permission: as for `find`.
        authority: as for `find`.

    Raises:
        TooComplexError, InvalidError: the query cannot be run.

    Source: RFC 4324 §6.1.1, §8.16; QRY-27, QRY-28.
    """
    found = find(tx, caller, target, query, expand=expand, permission=permission, authority=authority)
    return [hit for hit in found if hit is not None]


def find(
    tx: Tx,
    caller: Caller,
    target: Target,
    query: Query,
    *,
    expand: bool = False,
    light: bool = False,
    permission: rights.Permission = "SEARCH",
    authority: rights.Authority | None = None,
) -> Iterator[Hit | None]:
    """Like `hits`, in bounded memory: texts are fetched and parsed while the caller goes on.

    Args:
        tx: a transaction.
        caller: who asks.
        target: a calendar or the store.
        query: a query as parsed; it is bound here.
        expand: find instances, each for itself, instead of series.
        light: for reading only: parse no time zone that everybody knows.
        permission: what the command needs: a writing one finds more than may be read (`sights.Seen`).
        authority: of the caller there, when it is known already.

    Yields:
        Hits; None where RECUR-LIMIT cut an expansion short (RFC 4324 §8.30; QRY-29).

    Raises:
        TooComplexError, InvalidError: the query cannot be run, or selects more than an answer may hold.
    """
    bound = bind(query, bindings(tx, caller, target))
    expanding = expand and query.source in expansion.EXPANDING
    one = authority or rights.authority(tx, caller, target.calendar_id, target.given)
    try:
        yield from _found(tx, caller, target, bound, one, permission, expand=expanding, light=light)
        yield from decrees.hits(tx, one, bound, permission)
    except QueryTooComplexError as error:
        raise TooComplexError(str(error)) from error
    except QueryError as error:
        raise InvalidError(str(error)) from error


def _found(
    tx: Tx,
    caller: Caller,
    target: Target,
    query: Query,
    authority: rights.Authority,
    permission: rights.Permission,
    *,
    expand: bool,
    light: bool,
) -> Iterator[Hit | None]:
    """What is stored in the container itself."""
    place, wall = target.calendar_id, _wall(tx, caller, target, query)
    if not authority.free("SEARCH"):
        zone = floating.name_of(tx, caller, place)
        asked = discreet.Search(tx, caller, authority.judge, place, query, permission, wall, zone)
        yield from asked.find(expand=expand, light=light)
        return
    limit = caller.policy.max_results + 1
    rows, window = store_found.find(tx, query, (place,), expand=expand, limit=limit, wall=wall)
    limited(rows, caller)
    groups = [list(group) for _, group in groupby(rows, key=lambda row: row.object_id)]
    if expand:
        yield from _expanded(tx, caller, target, query, groups, window, light=light)
    else:
        yield from _plain(tx, groups, light=light)


def by_object(found: Sequence[Hit]) -> list[list[Hit]]:
    """Hits of one object together, in order."""
    return [list(group) for _, group in groupby(found, key=lambda hit: hit.row.id)]


def _plain(tx: Tx, groups: Sequence[Sequence[FoundRow]], *, light: bool) -> Iterator[Hit]:
    """What is written in the texts."""
    for part in chunks(groups, PAGE):
        places = store_found.places(tx, [row.component_id for group in part for row in group])
        for group in part:
            row = places[group[0].component_id][1]
            whole, skipped = texts.read(row, light=light)
            nodes = nodes_of(whole)
            for one in group:
                yield Hit(row, whole, *nodes[places[one.component_id][0] - skipped])


def _expanded(
    tx: Tx,
    caller: Caller,
    target: Target,
    query: Query,
    groups: Sequence[Sequence[FoundRow]],
    window: Range,
    *,
    light: bool,
) -> Iterator[Hit | None]:
    """Instances, each for itself."""
    limit = caller.policy.recur_limit
    hi = None if window.high is None else window.high + 1
    later = _later(tx, target, query, _FAR if hi is None else hi)
    zone = floating.name_of(tx, caller, target.calendar_id) if later else None
    by_id = {group[0].object_id: group for group in groups}
    for part in chunks(sorted({*by_id, *later}), PAGE):
        found = [row for object_id in part for row in by_id.get(object_id, ())]
        places = store_found.places(tx, [row.component_id for row in found])
        rows = {row.id: row for _, row in places.values()}
        rows |= objects.get_many(tx, later.intersection(part).difference(rows))
        for object_id in paced(tx, part):
            row = rows[object_id]
            whole, skipped = texts.read(row, light=light)
            placed = [(places[one.component_id][0] - skipped, one) for one in by_id.get(object_id, ())]
            instances = expansion.of_rows(whole, placed)
            if object_id in later:
                subject = Subject(whole, state=row.state, method=row.method, default_tz=zone, tick=row.tick)
                room = max(0, limit - len(instances))
                more = expansion.beyond(tx, whole, query, row.expanded_to, hi, limit=room, subject=subject)
                for one in chain(instances, more):
                    yield None if one is None else Hit(row, whole, one.component, whole, one.at, one.shown)
            else:
                yield from (Hit(row, whole, one.component, whole, one.at, one.shown) for one in instances)


def _later(tx: Tx, target: Target, query: Query, until: int) -> set[int]:
    """The objects that may have matching instances behind what the index holds of them."""
    still_open = instances.open_objects(tx, (target.calendar_id,), until)
    if not still_open:
        return set()
    candidates, _ = store_found.find(tx, expansion.timeless(query), (target.calendar_id,))
    return {row.object_id for row in candidates}.intersection(still_open)


def agendas_matching(
    tx: Tx, caller: Caller, target: Target, query: Query
) -> list[tuple[CalendarRow, Component]]:
    """The calendars whose properties a query FROM VAGENDA selects.

    Args:
        tx: a transaction.
        caller: who asks.
        target: one calendar, or the store for all that are visible.
        query: a query as parsed.

    Returns:
        Rows with the properties as they are read now, ordered by CALID.

    Source: RFC 4324 §6.1.1, §9.1.
    """
    bound = bind(query, bindings(tx, caller, target))
    prepared = plan(bound.where)
    rows = (
        rights.visible_calendars(tx, caller)
        if target.calendar_id == VCALSTORE
        else [containers.calendar_of(tx, target)]
    )
    found: list[tuple[CalendarRow, Component]] = []
    for row in rows:
        one = rights.sight(tx, caller, row.id)
        seen = one.of(agendas.live(tx, caller, row, agendas.properties(tx, row)))
        if seen is not None and Subject(seen, tick=row.tick).satisfies(prepared):
            found.append((row, seen))
    return found


def store_matching(
    tx: Tx, caller: Caller, target: Target, query: Query
) -> list[tuple[CalendarRow, Component]]:
    """The store, when a query FROM VCALSTORE selects it: its row with its properties as they are read now.

    Source: RFC 4324 §9.2; STO-02, STO-03.
    """
    if target.calendar_id != VCALSTORE:
        return []
    row = containers.calendar_of(tx, target)
    children = [calendar.calid for calendar in rights.visible_calendars(tx, caller)]
    seen = rights.sight(tx, caller, row.id).of(
        agendas.live(tx, caller, row, agendas.properties(tx, row), children)
    )
    bound = bind(query, bindings(tx, caller, target))
    return (
        [(row, seen)]
        if seen is not None and Subject(seen, tick=row.tick).satisfies(plan(bound.where))
        else []
    )


def limited(found: Sequence[object], caller: Caller) -> None:
    """Refuse an answer that would be too long.

    Raises:
        TooComplexError: more components than one answer may have (RFC 4324 §10.15: 8.1).
    """
    if len(found) > caller.policy.max_results:
        raise TooComplexError(f"more than {caller.policy.max_results} components match; ask for fewer")
