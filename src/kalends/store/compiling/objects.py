"""Which objects a condition about whole objects selects, as SQL: what CalDAV's calendar-query asks.

The search begins where it is narrowest: at instances in a range of time, else at the components of a kind.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from kalends.calquery.plan import TRUE, All, Any, Inner, Plan, Some, conjunction
from kalends.calquery.tree import Carries, During, Occurs
from kalends.store.base import Dialect, SqlValue
from kalends.store.compiling.filters import EXACT_KINDS, ROOT, is_exact, touching, within
from kalends.store.compiling.query import JOINABLE, Wall, Writer, size

NOT_RESOURCES: Final = ("VAGENDA", "VCALSTORE", "VCAR", "VQUERY", "VTIMEZONE")
"""Kinds of objects that a calendar holds besides its calendar object resources (RFC 4791 §4.1)."""
FOREVER: Final = 2**61
"""Behind all times."""
_DAY: Final = 86_400


@dataclass(frozen=True, slots=True)
class CompiledObjects:
    """A statement whose rows are the ids of objects, each once.

    Attributes:
        sql: with `?` for each parameter.
        params: the parameters in order.
        exact: the objects are just those meant; else they have to be matched again in memory.
        until: objects whose instances are listed to before here only need a look in memory, too; None when
            the condition does not ask for instances.
    """

    sql: str
    params: tuple[SqlValue, ...]
    exact: bool
    until: int | None


def compile_objects(
    prepared: Plan, calendar_ids: Sequence[int], dialect: Dialect = "sqlite", *, wall: Wall | None = None
) -> CompiledObjects:
    """Write a condition about whole objects as SQL.

    Args:
        prepared: a planned condition; its components are those directly inside VCALENDAR.
        calendar_ids: where to search.
        dialect: the database; the text is the same for both today.
        wall: what the clocks show at an instant in the zone of floating times; None for UTC.

    Source: RFC 4791 §7.8, §9.7, §9.9.
    """
    writer = Writer(ROOT, expand=False, joinable=size(prepared) <= JOINABLE, wall=wall)
    parts = list(prepared.parts) if isinstance(prepared, All) else [prepared]
    first = _first(parts)
    ids = sorted(set(calendar_ids))
    if first is None:
        _every_object(writer, ids)
    else:
        parts.remove(first)
        _of_kind(writer, first, ids)
    writer.add(" and ")
    writer.condition(conjunction(parts))
    return CompiledObjects("".join(writer.parts), tuple(writer.params), is_exact(prepared), _until(prepared))


def _first(parts: Sequence[Plan]) -> Inner | None:
    """The component to begin with: one that is asked for in a range, else any that has to be there."""
    able = [
        part
        for part in parts
        if isinstance(part, Inner) and not part.negated and part.component != "VTIMEZONE"
    ]
    return next((part for part in able if _range(part) is not None), able[0] if able else None)


def _range(part: Inner) -> Occurs | None:
    if part.component not in EXACT_KINDS:
        return None
    inside = part.inside.parts if isinstance(part.inside, All) else (part.inside,)
    return next((one for one in inside if isinstance(one, Occurs)), None)


def _every_object(writer: Writer, ids: Sequence[int]) -> None:
    writer.add("select o.id from object o where ")
    writer.among("o.calendar_id", ids)
    writer.add(f" and o.kind not in ({', '.join('?' * len(NOT_RESOURCES))})", *NOT_RESOURCES)


def _of_kind(writer: Writer, first: Inner, ids: Sequence[int]) -> None:
    asked = _range(first)
    # CROSS JOIN keeps SQLite from beginning elsewhere
    if asked is None:
        writer.add("select distinct c.object_id from component c cross join object o where ")
        writer.among("c.calendar_id", ids)
        rest = first.inside
    else:
        writer.add(
            "select distinct c.object_id from instance i cross join component c cross join object o where "
        )
        writer.among("i.calendar_id", ids)
        _scan(writer, asked, ids)
        touching(writer, "i", asked.low, asked.high)
        writer.add(" and c.id = i.component_id")
        inside = first.inside.parts if isinstance(first.inside, All) else (first.inside,)
        rest = conjunction([part for part in inside if part is not asked])
    writer.add(" and c.kind = ? and c.parent_id is null", first.component)
    if rest != TRUE:
        writer.add(" and ")
        within(writer, "c", first.component, rest)
    writer.add(" and o.id = c.object_id")


def _scan(writer: Writer, asked: Occurs, ids: Sequence[int]) -> None:
    """Bounds of the scan through the index: what started too long before the range has ended before it."""
    wall = writer.wall
    if asked.high is not None:
        writer.add(" and i.start_at < ?", asked.high if wall is None else max(asked.high, wall(asked.high)))
    if asked.low is not None:
        low = asked.low if wall is None else min(asked.low, wall(asked.low))
        writer.add(" and i.start_at >= ? - (select max(longest) from calendar where ", low)
        writer.among("id", ids)
        writer.add(")")
    writer.add(" and ")


def _until(plan: Plan) -> int | None:
    """Up to where instances have to be known, by all ranges of a plan."""
    match plan:
        case All(parts) | Any(parts):
            return max((until for part in parts if (until := _until(part)) is not None), default=None)
        case Some(_, inside, nothing):
            return max(
                (until for part in (inside, nothing) if (until := _until(part)) is not None), default=None
            )
        case Inner(_, inside):
            return _until(inside)
        case Occurs(_, high):
            return FOREVER if high is None else high + _DAY
        case Carries(_, tests):
            highs = [test.high for test in tests if isinstance(test, During)]
            return max((FOREVER if high is None else high + _DAY for high in highs), default=None)
        case _:
            return None
