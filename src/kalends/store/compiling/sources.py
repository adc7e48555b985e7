"""Where a search begins: SELECT and FROM, at UIDs, at what changed, at a range of dates, else at a kind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from kalends.calquery.match import ENVELOPE_FREE
from kalends.calquery.plan import All, Any, Plan
from kalends.calquery.ranges import EVER, UNBOUNDED, Bounds, ticks_from
from kalends.calquery.tree import Column, Compare, In, Literal
from kalends.store.compiling.statement import Statement

UID_SOURCES: Final = {
    "VEVENT": "UID",
    "VTODO": "UID",
    "VJOURNAL": "UID",
    "VFREEBUSY": "UID",
    "VAVAILABILITY": "UID",
    "VCAR": "CARID",
    "VQUERY": "QUERYID",
}
"""The property that `object.uid` repeats, by source."""

_DATED: Final = frozenset(("VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY", "VAVAILABILITY"))
_COMPONENTS: Final = "select id, object_id, calendar_id, pos, start_at from component where "


def begin(writer: Statement, prepared: Plan, limits: Bounds, calendar_ids: Sequence[int]) -> None:
    """Write SELECT … FROM … WHERE and how its tables belong together."""
    writer.add("select c.object_id, c.id")
    if writer.expand:
        writer.add(", i.start_at, i.end_at, i.recurrence_at, i.floating")
    uids = _uids(prepared, writer.source)
    since = ticks_from(prepared) if uids is None else None
    # CROSS JOIN keeps SQLite from choosing another table to begin with
    if uids is not None:
        writer.add(" from object o cross join component c")
        _left_join_instances(writer)
        writer.add(" where c.object_id = o.id")
        _kind(writer, "c.")
        writer.add(" and ")
        writer.among("o.uid", sorted(uids))
        writer.add(" and ")
        writer.among("+o.calendar_id", calendar_ids)  # the plus: SQLite shall search by the UID
    elif since is not None:
        writer.add(" from object o cross join component c")
        _left_join_instances(writer)
        writer.add(" where c.object_id = o.id")
        _kind(writer, "c.")
        writer.add(" and ")
        writer.among("o.calendar_id", calendar_ids)
        writer.add(" and o.tick >= ?", since)
    elif writer.expand and limits != UNBOUNDED:
        writer.add(" from (")
        _instances(writer, limits, calendar_ids)
        writer.add(") i cross join component c cross join object o")
        writer.add(" where c.id = i.component_id and o.id = c.object_id")
        _kind(writer, "c.")
    else:
        writer.add(" from (")
        _components(writer, limits, calendar_ids)
        writer.add(") c cross join object o")
        _left_join_instances(writer)
        writer.add(" where o.id = c.object_id")
    writer.add(" and ")


def _left_join_instances(writer: Statement) -> None:
    """One row an instance, when expanding."""
    if writer.expand:
        writer.add(" left join instance i on i.component_id = c.id")


def _kind(writer: Statement, alias: str) -> None:
    """The component is of FROM's table."""
    if writer.source == "VCALENDAR":
        marks = ", ".join("?" * len(ENVELOPE_FREE))
        writer.add(f" and {alias}parent_id is null and {alias}kind not in ({marks})", *sorted(ENVELOPE_FREE))
    else:
        writer.add(f" and {alias}kind = ?", writer.source)


def _components(writer: Statement, limits: Bounds, calendar_ids: Sequence[int]) -> None:
    """Components of FROM's kind whose own dates may lie in the range."""
    dated = writer.source in _DATED
    start, end = (limits.start, limits.end) if dated else (EVER, EVER)
    writer.add(_COMPONENTS)
    writer.among("calendar_id", calendar_ids)
    _kind(writer, "")
    writer.within("start_at", start)
    writer.within_or_null("end_at", end)
    if start != EVER:  # what has no start that the index knows
        writer.add(" union all ")
        writer.add(_COMPONENTS)
        writer.among("calendar_id", calendar_ids)
        _kind(writer, "")
        writer.add(" and start_at is null")
        writer.within_or_null("end_at", end)


def _instances(writer: Statement, limits: Bounds, calendar_ids: Sequence[int]) -> None:
    """Instances in the range; for a range of RECURRENCE-ID also those that were moved out of it."""
    start, end, recurrence = limits.start, limits.end, limits.recurrence
    writer.add("select * from instance where ")
    writer.among("calendar_id", calendar_ids)
    writer.within("start_at", start.both(recurrence))
    writer.within("end_at", end)
    if end.low is not None:
        writer.add(" and start_at >= ? - (select max(longest) from calendar where ", end.low)
        writer.among("id", calendar_ids)
        writer.add(")")
    if recurrence != EVER:
        writer.add(
            " union select n.* from component m cross join instance n where n.component_id = m.id and "
        )
        writer.among("m.calendar_id", calendar_ids)
        writer.within("m.recurrence_at", recurrence)


def _uids(prepared: Plan, source: str) -> frozenset[str] | None:
    """The UIDs a plan limits itself to, where `object.uid` can find them; None when it does not."""
    name = UID_SOURCES.get(source)
    if name is None:
        return None
    match prepared:
        case Compare(Column(column, None, None), "=", Literal(text)) if column == name:
            return frozenset((text,))
        case In(Literal(text), Column(column, None, None), False) if column == name:
            return frozenset((text,))
        case All(parts):
            found = [uids for part in parts if (uids := _uids(part, source)) is not None]
            return frozenset.intersection(*found) if found else None
        case Any(parts):
            each = [_uids(part, source) for part in parts]
            known = [uids for uids in each if uids is not None]
            return frozenset().union(*known) if len(known) == len(each) else None
        case _:
            return None
