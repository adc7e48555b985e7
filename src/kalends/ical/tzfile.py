"""One time zone as a table of transitions, and reading such tables from the tz database's TZif files.

A local time costs one bisection, whatever the zone's history. Tables end at a year and grow when a later
time is asked for, from the rule in the file's footer (or from a VTIMEZONE's own rules).
"""

from __future__ import annotations

import pkgutil
import re
import struct
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache

from kalends.ical.errors import ICalError
from kalends.ical.gregorian import DAYS_OF_CYCLE, days_in_month, month_start, year_start
from kalends.ical.moment import DAY

FIRST_TABLE_YEAR = 2100
"""Tables reach to the end of this year at first: few calendars look further."""
TABLE_STEP = 100
"""Years a table grows by when a later time is asked for."""
LAST_TABLE_YEAR = 2500
"""Tables grow no further: later times are looked up 400 years, a whole cycle of the calendar, before."""
CYCLE = DAYS_OF_CYCLE * DAY
"""Seconds of 400 years."""

Transition = tuple[int, int]
"""Instant (epoch seconds) and the offset, in seconds east of UTC, that holds from it on."""
Grow = Callable[[int, int], list[Transition]]
"""Transitions in the years first..last (both included), in order."""


@dataclass(frozen=True, slots=True)
class _Table:
    """What a lookup needs, replaced as a whole when it grows, so readers never see half of it."""

    instants: list[int]
    offsets: list[int]  # one more than instants: the first holds before the first instant
    walls: list[int]  # local times from which the next offset is used to interpret a local time
    last_year: int
    end: int  # instant (and nearly wall time) from which the table knows nothing


class Zone:
    """A time zone: offsets from UTC over time.

    A local time that occurs twice is the first of the two; one that does not occur is read with the offset
    before the gap (RFC 5545 §3.3.5).

    Args:
        name: a name for people and TZID parameters.
        first_offset: seconds east of UTC before the first transition.
        transitions: in order of time.
        grow: gives transitions of later years, or None when there are none.
        grown_until: last year that `transitions` covers, when `grow` is given.
    """

    __slots__ = ("_grow", "_table", "name")

    def __init__(
        self,
        name: str,
        first_offset: int,
        transitions: Iterable[Transition] = (),
        grow: Grow | None = None,
        grown_until: int = 1600,
    ) -> None:
        self.name = name
        self._grow = grow
        instants: list[int] = []
        offsets = [first_offset]
        for instant, offset in transitions:
            if offset != offsets[-1]:  # only a name or the isdst flag changed
                instants.append(instant)
                offsets.append(offset)
        last_year = grown_until if grow else 9999
        self._table = _table(instants, offsets, last_year)
        if grow is not None and last_year < FIRST_TABLE_YEAR:
            self._table = self._grown(FIRST_TABLE_YEAR)

    def _grown(self, year: int) -> _Table:
        table = self._table
        if self._grow is None or year <= table.last_year:
            return table
        instants, offsets = list(table.instants), list(table.offsets)
        for instant, offset in self._grow(table.last_year + 1, year):
            if offset != offsets[-1] and (not instants or instant > instants[-1]):
                instants.append(instant)
                offsets.append(offset)
        return _table(instants, offsets, year)

    def _reach(self, seconds: int) -> _Table:
        """The table grown towards a time; it may still end before it."""
        if self._table.last_year < LAST_TABLE_YEAR:
            year = 1970 + seconds // 31_556_952 + 1
            self._table = self._grown(min(LAST_TABLE_YEAR, year + TABLE_STEP))
        return self._table

    def epoch(self, wall: int) -> int:
        """The instant of a local time.

        Args:
            wall: local seconds since 1970-01-01T00:00:00 as if in UTC.

        Returns:
            Epoch seconds.

        Source: RFC 5545 §3.3.5.
        """
        table = self._table
        if wall >= table.end and table.last_year < 9999:
            table = self._reach(wall)
            if wall >= table.end:
                return self.epoch(wall - CYCLE) + CYCLE
        return wall - table.offsets[bisect_right(table.walls, wall)]

    def epochs(self, walls: Sequence[int]) -> list[int]:
        """The instants of ascending local times; cheaper than one by one.

        Args:
            walls: local seconds, ascending.

        Returns:
            Epoch seconds, as many; not ascending where a gap pushes a time past the next one.
        """
        if not walls:
            return []
        table = self._table
        if walls[-1] >= table.end and table.last_year < 9999:
            table = self._reach(walls[-1])
            if walls[-1] >= table.end:
                return [self.epoch(wall) for wall in walls]
        edges, offsets = table.walls, table.offsets
        at = bisect_right(edges, walls[0])
        if at == len(edges) or walls[-1] < edges[at]:
            offset = offsets[at]
            return [wall - offset for wall in walls]
        out: list[int] = []
        begin, size = 0, len(walls)
        while begin < size:
            at = bisect_right(edges, walls[begin])
            end = bisect_right(walls, edges[at] - 1, begin) if at < len(edges) else size
            offset = offsets[at]
            out += [wall - offset for wall in walls[begin:end]]
            begin = end
        return out

    def offset(self, epoch: int) -> int:
        """Seconds east of UTC at an instant."""
        table = self._table
        if epoch >= table.end and table.last_year < 9999:
            table = self._reach(epoch)
            if epoch >= table.end:
                return self.offset(epoch - CYCLE)
        return table.offsets[bisect_right(table.instants, epoch)]

    def wall(self, epoch: int) -> int:
        """The local time of an instant, in seconds as if in UTC."""
        return epoch + self.offset(epoch)

    def is_gap(self, wall: int) -> bool:
        """True when no clock of this zone ever shows that local time."""
        return self.wall(self.epoch(wall)) != wall

    def transitions(self, lo: int, hi: int) -> list[Transition]:
        """The changes of offset at instants lo <= t < hi; none are known after LAST_TABLE_YEAR."""
        table = self._table
        if hi >= table.end and table.last_year < 9999:
            table = self._reach(hi)
        first, last = bisect_right(table.instants, lo - 1), bisect_right(table.instants, hi - 1)
        return list(zip(table.instants[first:last], table.offsets[first + 1 : last + 1], strict=True))

    def __repr__(self) -> str:
        return f"Zone({self.name!r})"


def _table(instants: list[int], offsets: list[int], last_year: int) -> _Table:
    walls: list[int] = []
    highest = -(1 << 62)
    for instant, before, after in zip(instants, offsets, offsets[1:], strict=False):
        highest = max(highest, instant + (max(after, before)))
        walls.append(highest)
    return _Table(instants, offsets, walls, last_year, year_start(last_year + 1) * DAY - DAY)


UTC = Zone("UTC", 0)
"""Universal time, and the stand-in for floating times."""


def fixed(name: str, offset: int) -> Zone:
    """A zone with one offset for all time, in seconds east of UTC."""
    return Zone(name, offset)


# --- the footer of a TZif file: a POSIX TZ string ------------------------------------------------

_POSIX = re.compile(
    r"(?P<std><[^>]+>|[A-Za-z]{3,})(?P<off>[-+]?\d+(?::\d+){0,2})"
    r"(?:(?P<dst><[^>]+>|[A-Za-z]{3,})(?P<dstoff>[-+]?\d+(?::\d+){0,2})?"
    r",(?P<start>[^,/]+)(?:/(?P<starttime>[^,]+))?,(?P<end>[^,/]+)(?:/(?P<endtime>[^,]+))?)?\Z"
)


@dataclass(frozen=True, slots=True)
class YearlyRule:
    """When one half of the year begins: the POSIX TZ forms Mm.w.d, Jn and n.

    Attributes:
        form: "M", "J" (day 1-365, never 29 February) or "N" (day 0-365).
        month: 1-12. week: 1-5, 5 is the last. weekday: 0 is Sunday. (form M)
        day: the number of forms J and N.
        time: local seconds after midnight, may be negative or beyond a day.
    """

    form: str
    month: int
    week: int
    weekday: int
    day: int
    time: int

    def wall(self, year: int) -> int:
        """The local second, as if in UTC, at which it happens in that year."""
        if self.form == "M":
            first = month_start(year * 12 + self.month - 1)
            day = (self.weekday - first - 4) % 7 + 7 * (self.week - 1)  # 1970-01-01 was a Thursday: 4
            while day >= days_in_month(year, self.month):
                day -= 7
            return (first + day) * DAY + self.time
        first = year_start(year)
        if self.form == "J":
            leap = year_start(year + 1) - first == 366
            return (first + self.day - 1 + (leap and self.day > 59)) * DAY + self.time
        return (first + self.day) * DAY + self.time


@dataclass(frozen=True, slots=True)
class Footer:
    """The rule that holds after a TZif file's last transition.

    Attributes:
        std: standard offset, seconds east of UTC. std_name: its abbreviation.
        dst: the other offset, or None when the zone no longer changes. dst_name: its abbreviation.
        start: when `dst` begins (wall time in `std`). end: when it ends (wall time in `dst`).
    """

    std: int
    std_name: str
    dst: int | None = None
    dst_name: str = ""
    start: YearlyRule | None = None
    end: YearlyRule | None = None

    def transitions(self, first: int, last: int) -> list[Transition]:
        """The changes in the years first..last."""
        if self.dst is None or self.start is None or self.end is None:
            return []
        out: list[Transition] = []
        for year in range(first, last + 1):
            out.append((self.start.wall(year) - self.std, self.dst))
            out.append((self.end.wall(year) - self.dst, self.std))
        out.sort()
        return out


def _clock(text: str) -> int:
    sign = -1 if text[:1] == "-" else 1
    parts = [int(part) for part in text.lstrip("+-").split(":")] + [0, 0]
    return sign * (parts[0] * 3600 + parts[1] * 60 + parts[2])


def _yearly(text: str, time: str | None) -> YearlyRule:
    seconds = _clock(time) if time else 7200
    if text[0] == "M":
        month, week, weekday = (int(part) for part in text[1:].split("."))
        return YearlyRule("M", month, week, weekday, 0, seconds)
    if text[0] == "J":
        return YearlyRule("J", 0, 0, 0, int(text[1:]), seconds)
    return YearlyRule("N", 0, 0, 0, int(text), seconds)


def parse_footer(text: str) -> Footer:
    """Read a POSIX TZ string as it stands in a TZif footer, `CET-1CEST,M3.5.0,M10.5.0/3`.

    Raises:
        ICalError: it is none.
    """
    match = _POSIX.match(text)
    if match is None:
        raise ICalError(f"no POSIX TZ string: {text[:60]!r}")
    std, std_name = -_clock(match["off"]), match["std"].strip("<>")
    if match["dst"] is None:
        return Footer(std, std_name)
    dst = -_clock(match["dstoff"]) if match["dstoff"] else std + 3600
    start, end = _yearly(match["start"], match["starttime"]), _yearly(match["end"], match["endtime"])
    return Footer(std, std_name, dst, match["dst"].strip("<>"), start, end)


# --- TZif files (RFC 8536) -----------------------------------------------------------------------

_HEADER = struct.Struct(">4sc15x6l")


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of local time: offset in seconds east of UTC, daylight saving or not, abbreviation."""

    offset: int
    is_dst: bool
    name: str


@dataclass(frozen=True, slots=True)
class TzFile:
    """A TZif file's contents.

    Attributes:
        first: what holds before the first transition.
        changes: instant and what holds from then on, in order.
        footer: what holds after the last one, or None (nothing changes any more).
    """

    first: Kind
    changes: list[tuple[int, Kind]]
    footer: Footer | None


def parse_tzfile(data: bytes) -> TzFile:
    """Read a TZif file of version 2 or later.

    Raises:
        ICalError: not such a file.

    Source: RFC 8536 §3.
    """
    try:
        magic, _, isut, isstd, leap, times, types, chars = _HEADER.unpack_from(data, 0)
        if magic != b"TZif":
            raise ICalError("no TZif file")
        at = 44 + times * 5 + types * 6 + chars + leap * 8 + isstd + isut
        magic, _, isut, isstd, leap, times, types, chars = _HEADER.unpack_from(data, at)
        at += 44
        instants = struct.unpack_from(f">{times}q", data, at)
        indices = data[at + times * 8 : at + times * 9]
        at += times * 9
        raw_kinds = [struct.unpack_from(">lBB", data, at + 6 * i) for i in range(types)]
        at += types * 6
        names = data[at : at + chars]
        at += chars + leap * 12 + isstd + isut
    except struct.error:
        raise ICalError("no TZif file") from None
    kinds = [Kind(off, bool(dst), names[i : names.index(b"\0", i)].decode()) for off, dst, i in raw_kinds]
    footer = data[at:].strip(b"\n").decode("ascii")
    changes = [(instant, kinds[index]) for instant, index in zip(instants, indices, strict=True)]
    return TzFile(kinds[0], changes, parse_footer(footer) if footer else None)


@cache
def iana_names() -> dict[str, str]:
    """All names of the tz database, links included: lower-case name to the name as written."""
    listing = pkgutil.get_data("tzdata", "zones")
    assert listing is not None
    return {name.lower(): name for name in listing.decode("ascii").split()}


@cache
def load_tzfile(name: str) -> TzFile:
    """The tz database's file of that (exactly written) name.

    Raises:
        KeyError: no such name.
    """
    if iana_names().get(name.lower()) != name:
        raise KeyError(name)
    data = pkgutil.get_data("tzdata", f"zoneinfo/{name}")
    assert data is not None
    return parse_tzfile(data)


@cache
def load_zone(name: str) -> Zone:
    """The zone of that (exactly written) tz database name; loaded once.

    Raises:
        KeyError: no such name.
    """
    file = load_tzfile(name)
    transitions = [(instant, kind.offset) for instant, kind in file.changes]
    footer = file.footer
    if footer is None or footer.dst is None:
        return Zone(name, file.first.offset, transitions)
    last = transitions[-1][0] if transitions else -(1 << 62)

    def grow(first_year: int, last_year: int) -> list[Transition]:
        return [change for change in footer.transitions(first_year, last_year) if change[0] > last]

    begin = 1970 + last // 31_556_952 - 1 if transitions else 1899
    return Zone(name, file.first.offset, transitions, grow, begin)
