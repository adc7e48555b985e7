"""What was found, for people and for programs: table, iCalendar, JSON, CSV."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

import click

from kalends.calquery.tree import Column, Contained, OwnersColumn, Query
from kalends.cli.text import day, harmless, moment
from kalends.ical.errors import ICalError
from kalends.ical.moment import Moment, parse_moment
from kalends.ical.tree import Component, Line
from kalends.ical.values import value_type, values

if TYPE_CHECKING:
    from kalends.client.errors import RefusedError
    from kalends.client.results import Found
    from kalends.ical.zones import Zones

PREFERRED = {
    "VEVENT": ("DTSTART", "DTEND", "SUMMARY", "LOCATION"),
    "VTODO": ("DUE", "STATUS", "SUMMARY"),
    "VJOURNAL": ("DTSTART", "SUMMARY"),
    "VFREEBUSY": ("DTSTART", "DTEND", "FREEBUSY"),
    "VALARM": ("ACTION", "TRIGGER", "DESCRIPTION"),
    "VAGENDA": ("CALID", "NAME", "OWNER"),
    "VCAR": ("CARID", "NAME"),
    "VTIMEZONE": ("TZID",),
    "VQUERY": ("QUERYID", "QUERY"),
    "VCALSTORE": ("CSID", "CALMASTER", "DEFAULT-TZID"),
}
"""Columns of a table when everything was selected."""
GENERIC = 5
"""Columns for a component nobody thought of: its first properties."""


class Clock:
    """Shows times: as they were written, or all of them in one zone.

    Args:
        zone: tz database name, or None for as written.

    Raises:
        ValueError: there is no such zone.
    """

    def __init__(self, zone: str | None) -> None:
        self.zone = zone
        self._zones: Zones | None = None
        if zone is not None:
            from kalends.ical.zones import Zones

            self._zones = Zones()
            if self._zones.find(zone) is None:
                raise ValueError(f"there is no time zone {zone!r}")

    def show(self, when: Moment) -> str:
        """A DATE or DATE-TIME as one reads it."""
        if when.is_date:
            return day(when.date)
        if self._zones is not None and self._zones.of(when) is not None:
            return moment(self._zones.local(self._zones.to_epoch(when), self.zone).datetime)
        where = " UTC" if when.utc else f" {when.tzid}" if when.tzid else ""
        return moment(when.datetime) + where


def columns_of(query: Query, found: Sequence[Found]) -> list[str]:
    """Headers that fit what was asked.

    Args:
        query: the first query asked.
        found: what came.

    Returns:
        Property names: those of the SELECT, else the usual ones of the component that hold a value.
    """
    named: list[str] = []
    for item in query.select:
        if isinstance(item, Column):
            named.append(item.name)
        elif isinstance(item, OwnersColumn):
            named.append("OWNER")
    if named and not any(isinstance(item, Contained) for item in query.select):
        return list(dict.fromkeys(named))
    kinds = list(dict.fromkeys(one.component.name for one in found))
    columns: list[str] = list(named)
    for kind in kinds:
        columns += PREFERRED.get(kind, ()) or _first_names(found, kind)
    present = {line.name for one in found for line in one.component.lines}
    return [name for name in dict.fromkeys(columns) if name in present] or ["UID"]


def _first_names(found: Sequence[Found], kind: str) -> list[str]:
    names = (line.name for one in found if one.component.name == kind for line in one.component.lines)
    return list(dict.fromkeys(names))[:GENERIC]


def cell(component: Component, name: str, clock: Clock) -> str:
    """All values of a property as one reads them."""
    return ", ".join(shown(line, clock) for line in component.all(name))


def shown(line: Line, clock: Clock) -> str:
    """One property as one reads it."""
    try:
        if value_type(line) in ("DATE", "DATE-TIME"):
            tzid = line.param("TZID")
            parts = line.value.split(",")
            return ", ".join(clock.show(parse_moment(part, tzid, value_type(line))) for part in parts)
        return ", ".join(value.text for value in values(line, lenient=True))
    except ICalError:
        return line.value


def plain(line: Line) -> str:
    """One property for programs: values without escapes, dates as they were written."""
    return ",".join(value.text for value in values(line, lenient=True))


def as_table(found: Iterable[Found], query: Query, clock: Clock) -> int:
    """Print a table; a column names the calendar when there are several. Returns how many rows."""
    from kalends.cli.output import table

    rows = list(found)
    if not rows:
        return 0
    columns = columns_of(query, rows)
    several = len({one.target for one in rows}) > 1
    headers = ["calendar"] * several + [name.lower() for name in columns]
    table(
        headers,
        [
            [one.target] * several
            + [
                cell(one.component, name, clock) or (_hidden(one) if number == 0 else "")
                for number, name in enumerate(columns)
            ]
            for one in rows
        ],
    )
    return len(rows)


def _hidden(one: Found) -> str:
    return f"({one.status.meaning})" if one.status is not None and not one.status.ok else ""


def as_ics(found: Iterable[Found], _query: Query, _clock: Clock) -> int:
    """Print one VCALENDAR with all components, octet for octet as the server sent them."""
    count = 0
    write("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Kalends//query//EN\r\n")
    for one in found:
        count += 1
        bare = one.component.name == "VREPLY"
        write("".join(line.raw for line in one.component.lines) if bare else one.component.to_ics())
    write("END:VCALENDAR\r\n")
    return count


def as_json(found: Iterable[Found], _query: Query, _clock: Clock) -> int:
    """Print a JSON array, one object for each component."""
    count = 0
    write("[")
    for one in found:
        item: dict[str, object] = {"calendar": one.target, "method": one.method}
        item.update(component_data(one.component))
        if one.status is not None and not one.status.ok:
            item["status"] = one.status.code
        write((",\n " if count else "\n ") + json.dumps(item, ensure_ascii=sys.stdout.isatty()))
        count += 1
    write("\n]\n" if count else "]\n")
    return count


def component_data(component: Component) -> dict[str, object]:
    """A component as data: name, properties with parameters, contained components."""
    item: dict[str, object] = {
        "component": component.name,
        "properties": [
            {
                "name": line.name,
                **({"params": {key: list(given) for key, given in line.params}} if line.params else {}),
                "value": plain(line),
            }
            for line in component.lines
        ],
    }
    if component.components:
        item["components"] = [component_data(inner) for inner in component.components]
    return item


def as_csv(found: Iterable[Found], query: Query, _clock: Clock) -> int:
    """Print comma-separated values with a line of headers (RFC 4180)."""
    rows = list(found)
    columns = columns_of(query, rows)
    _csv_line(["calendar", *columns])
    for one in rows:
        _csv_line(
            [one.target, *(",".join(plain(line) for line in one.component.all(name)) for name in columns)]
        )
    return len(rows)


def _csv_line(cells: Sequence[str]) -> None:
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow(cells)
    write(line.getvalue())


def write(text: str) -> None:
    """Write data: as it is into a pipe or file, harmless on a terminal."""
    if not sys.stdout.isatty():
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape"))
        return
    for line in text.splitlines(keepends=True):
        body = line.rstrip("\r\n")
        click.echo(harmless(body) + ("\n" if body != line else ""), nl=False)


FORMATS: dict[str, Callable[[Iterable[Found], Query, Clock], int]] = {
    "table": as_table,
    "ics": as_ics,
    "json": as_json,
    "csv": as_csv,
}
"""How results may be shown; a new format is one more entry."""


class Results:
    """What a search finds, up to a limit; a refusal waits until everything before it was shown.

    Args:
        found: of the client.
        limit: stop after so many; None for all.
    """

    def __init__(self, found: Iterator[Found], limit: int | None = None) -> None:
        self._found = found
        self._limit = limit
        self._refusal: RefusedError | None = None

    def __iter__(self) -> Iterator[Found]:
        from kalends.client.errors import RefusedError

        try:
            yield from islice(self._found, self._limit)
        except RefusedError as error:
            self._refusal = error

    def finish(self) -> None:
        """Say what was refused.

        Raises:
            RefusedError: a target or a query was.
        """
        if self._refusal is not None:
            raise self._refusal
