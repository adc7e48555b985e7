"""Tests on a cell (alias x), and on the dates of an instance (aliases i and y)."""

from __future__ import annotations

from typing import Final

from kalends.calquery.cells import DERIVED
from kalends.calquery.columns import comparison
from kalends.calquery.lower import DATE_LENGTH, NumberTest, Test, TextTest
from kalends.calquery.tree import Column
from kalends.store.compiling.statement import Statement

_DURATION_STARTS: Final = "('P', 'p', '+', '-')"
_ALARMS: Final = "select 1 from instance y where"
_FLOATS: Final = (
    " when length(x.value) = 15 and not exists (select 1 from cell t where t.component_id = x.component_id"
    " and t.name = case when x.origin = ? then 'DTSTART;TZID' else ? end"
    " and (x.origin = ? or t.pos = x.pos)) then "
)
"""A time without Z and without TZID. What is derived has its TZID from DTSTART."""


def write_test(writer: Statement, test: Test, column: Column) -> None:
    """A test on the cell x of a column."""
    if isinstance(test, TextTest):
        _text_test(writer, "coalesce(x.folded, x.value)" if test.folded else "x.value", test)
    else:
        _number_test(writer, test, column)


def _text_test(writer: Statement, value: str, test: TextTest) -> None:
    """A text compared with texts."""
    if test.operator in ("=", "!="):
        writer.negation(test.operator == "!=")
        writer.add("(")
        writer.among(value, test.texts)
        writer.add(")")
        return
    writer.add("(1 = 0")
    for text in test.texts:
        writer.add(f" or {value} {test.operator} ?", text)
    writer.add(")")


def _number_test(writer: Statement, test: NumberTest, column: Column) -> None:
    """A number compared with a range of equals, by days or wall clocks where that is meant."""
    if test.shape != "any":
        word = "in" if test.shape == "duration" else "not in"
        writer.add(f"substr(x.value, 1, 1) {word} {_DURATION_STARTS} and ")
    wall = writer.wall if comparison(column) == "moment" or test.shape == "moment" else None
    if test.day is None and wall is None:
        writer.ordered("x.num", test.operator, test.low, test.high)
        return
    writer.add("case")
    if test.day is not None:
        writer.add(f" when length(x.value) = {DATE_LENGTH} then ")
        writer.ordered("x.num", test.operator, test.day, test.day)
    if wall is not None:
        writer.add(_FLOATS, DERIVED, f"{column.name};TZID", DERIVED)
        writer.ordered("x.num", test.operator, wall(test.low), wall(test.high))
    writer.add(" else ")
    writer.ordered("x.num", test.operator, test.low, test.high)
    writer.add(" end")


def instance_time(writer: Statement, column: Column) -> str | None:
    """The column of `instance` that stands for a date when expanding."""
    if not writer.expand or column.param is not None:
        return None
    if column.component is None:
        return {
            "DTSTART": "i.start_at",
            "DTEND": "i.end_at",
            "DUE": "i.end_at",
            "RECURRENCE-ID": "i.recurrence_at",
        }.get(column.name)
    return "y.start_at" if (column.component, column.name) == ("VALARM", "TRIGGER") else None


def instance_test(writer: Statement, when: str, column: Column, test: NumberTest) -> None:
    """A time of an instance compared with a range of equals."""
    if column.component is not None:
        alias = writer.aliases[column.component]
        writer.add(
            f"exists ({_ALARMS} y.component_id = {alias}.id and y.recurrence_at = i.recurrence_at and "
        )
        _at_instance(writer, when, "y", test, None)
        writer.add(")")
        return
    day = test.low if test.day is None else test.day
    days = (day, test.high if test.day is None else day)
    _at_instance(writer, when, "i", test, None if test.day is None and writer.wall is None else days)


def _at_instance(
    writer: Statement, when: str, alias: str, test: NumberTest, days: tuple[int, int] | None
) -> None:
    """An instance's time against a range; `days` is the range for instances that are whole days."""
    if days is None and writer.wall is None:
        writer.ordered(when, test.operator, test.low, test.high)
        return
    writer.add("case")
    if days is not None:
        writer.add(" when i.floating = 1 and i.start_at % 86400 = 0 and i.end_at % 86400 = 0 then ")
        writer.ordered(when, test.operator, *days)
    if writer.wall is not None:
        writer.add(f" when {alias}.floating = 1 then ")
        writer.ordered(when, test.operator, writer.wall(test.low), writer.wall(test.high))
    writer.add(" else ")
    writer.ordered(when, test.operator, test.low, test.high)
    writer.add(" end")
