"""What one component says about when it happens: start, length, rules, dates added and taken out."""

from __future__ import annotations

from dataclasses import dataclass, field

from kalends.ical.errors import ICalError
from kalends.ical.moment import DAY, Duration, Moment, Period, parse_duration, parse_moment, parse_period
from kalends.ical.recur import Rule
from kalends.ical.tree import Component, Line
from kalends.ical.tzfile import Zone
from kalends.ical.zones import Zones

MAX_DATES = 100_000
"""RDATE and EXDATE values read of one component: two centuries of daily ones."""

_READ = frozenset(
    "DTSTART DTEND DUE DURATION RRULE EXRULE RDATE EXDATE RECURRENCE-ID".split()  # noqa: SIM905 (shorter)
)


@dataclass(slots=True)
class ComponentTimes:
    """When a component happens.

    Attributes:
        component: the VEVENT, VTODO or VJOURNAL.
        start: DTSTART (DUE of a VTODO that has no DTSTART).
        zone: its zone, None for floating times and dates.
        begin: its epoch seconds.
        length: from start to end: nominal days and exact seconds.
        rules: RRULE. exrules: EXRULE (RFC 2445).
        rdates: RDATE with the length of its own that a PERIOD brings (None: the component's).
        exdates: EXDATE.
        recurrence_id: of an override, else None.
        future: the override has RANGE=THISANDFUTURE.
    """

    component: Component
    start: Moment
    zone: Zone | None
    begin: int
    length: Duration
    rules: list[Rule] = field(default_factory=list)
    exrules: list[Rule] = field(default_factory=list)
    rdates: list[tuple[Moment, Duration | None]] = field(default_factory=list)
    exdates: list[Moment] = field(default_factory=list)
    recurrence_id: Moment | None = None
    future: bool = False

    @property
    def recurs(self) -> bool:
        """Whether it has a recurrence set of more than DTSTART."""
        return bool(self.rules or self.rdates)

    def epoch(self, wall: int) -> int:
        """The instant of a wall time in the component's zone."""
        return wall if self.zone is None else self.zone.epoch(wall)

    def wall(self, epoch: int) -> int:
        """The wall time of an instant in the component's zone."""
        return epoch if self.zone is None else self.zone.wall(epoch)

    def end(self, begin: int, wall: int, length: Duration) -> int:
        """The end of an instance.

        Args:
            begin: its start, epoch seconds.
            wall: the same on the wall clock.
            length: nominal days and exact seconds.
        """
        if not length.days:
            return begin + length.seconds
        return max(begin, self.epoch(wall + length.days * DAY) + length.seconds)

    def like_start(self, moment: Moment, zones: Zones) -> int:
        """The instant of a RECURRENCE-ID or RDATE, read in the form of DTSTART where it has another.

        A DATE beside a DATE-TIME start means the start's time of day; a DATE-TIME beside a DATE start means
        its day; a floating time beside a zoned one means the start's zone.

        Returns:
            Epoch seconds (wall seconds when the component floats).
        """
        start = self.start
        if start.is_date:
            return moment.wall - moment.wall % DAY
        if moment.is_date:
            return self.epoch(moment.wall + self.start_clock)
        zone = zones.of(moment)
        if zone is None or self.zone is None:
            return self.epoch(moment.wall)
        return zone.epoch(moment.wall)

    @property
    def start_clock(self) -> int:
        """The time of day of DTSTART on the wall clock in the component's zone, in seconds."""
        return self.start.wall % DAY


def line_moment(line: Line) -> Moment:
    """The DATE or DATE-TIME value of a property.

    Raises:
        ICalError: it is none.
    """
    try:
        return parse_moment(line.value, line.param("TZID"), line.param("VALUE"))
    except ICalError as error:
        raise ICalError(f"{line.name}: {error.reason}") from None


def is_forgotten(line: Line) -> bool:
    """Whether a line is a CREATED in the year 0: Google's calendar writes it of events that it lost it of."""
    return line.name == "CREATED" and line.value.startswith("0000")


def line_moments(line: Line) -> list[Moment]:
    """The values of a property that lists dates, EXDATE."""
    tzid, kind = line.param("TZID"), line.param("VALUE")
    return [parse_moment(text, tzid, kind) for text in line.value.split(",") if text.strip()]


def line_dates(line: Line, zones: Zones) -> list[tuple[Moment, Duration | None]]:
    """The values of an RDATE: starts, with their own lengths where they are periods."""
    if "/" not in line.value:
        return [(moment, None) for moment in line_moments(line)]
    return [(period.start, period_length(period, zones)) for period in line_periods(line)]


def line_periods(line: Line) -> list[Period]:
    """The values of a property that lists periods, FREEBUSY; none where it is empty."""
    tzid = line.param("TZID")
    return [parse_period(text, tzid) for text in line.value.split(",") if text.strip()]


def period_length(period: Period, zones: Zones) -> Duration:
    """How long a period lasts: exact for an explicit end."""
    if period.duration is not None:
        return period.duration
    assert period.end is not None
    return Duration(0, max(0, zones.to_epoch(period.end) - zones.to_epoch(period.start)))


def read_times(component: Component, zones: Zones) -> ComponentTimes | None:
    """Read when a component happens.

    Args:
        component: a VEVENT, VTODO or VJOURNAL.
        zones: the object's zones.

    Returns:
        The times, or None for a component without a date.

    Raises:
        ICalError: a value that cannot be read.

    Source: RFC 5545 §3.6.1-3.6.3, §3.8.2, §3.8.5.
    """
    lines: dict[str, list[Line]] = {}
    for item in component.items:
        if item.name in _READ and isinstance(item, Line):
            lines.setdefault(item.name, []).append(item)
    base = lines.get("DTSTART") or (lines.get("DUE") if component.name == "VTODO" else None)
    if base is None:
        return None
    start = line_moment(base[0])
    zone = zones.of(start)
    begin = start.wall if zone is None else zone.epoch(start.wall)
    times = ComponentTimes(component, start, zone, begin, Duration())
    times.length = _length(component.name, lines, times, zones)
    if len(lines) > 1:
        _read_recurrence(times, lines, zones)
    return times


def _read_recurrence(times: ComponentTimes, lines: dict[str, list[Line]], zones: Zones) -> None:
    times.rules = [Rule.parse(line.value) for line in lines.get("RRULE", ())]
    times.exrules = [Rule.parse(line.value) for line in lines.get("EXRULE", ())]
    for line in lines.get("RDATE", ()):
        times.rdates += line_dates(line, zones)
    for line in lines.get("EXDATE", ()):
        times.exdates += line_moments(line)
    if len(times.rdates) + len(times.exdates) > MAX_DATES:
        raise ICalError(f"more than {MAX_DATES} RDATE and EXDATE values")
    identified = lines.get("RECURRENCE-ID")
    if identified:
        times.recurrence_id = line_moment(identified[0])
        times.future = (identified[0].param("RANGE") or "").upper() == "THISANDFUTURE"


def _length(kind: str, lines: dict[str, list[Line]], times: ComponentTimes, zones: Zones) -> Duration:
    """From start to end; DTEND and DUE give an exact length, DURATION a nominal one (RFC 5545 §3.8.5.3)."""
    start = times.start
    whole_day = Duration(1) if start.is_date else Duration()
    ending = lines.get("DUE" if kind == "VTODO" else "DTEND")
    if ending and "DTSTART" in lines and kind != "VJOURNAL":
        end = line_moment(ending[0])
        if times.zone is None or zones.is_floating(end):  # one of them floats: both hang in one zone
            seconds = times.epoch(end.wall) - times.begin
        else:
            seconds = zones.to_epoch(end) - times.begin
        return Duration(0, seconds) if seconds > 0 else whole_day
    if "DURATION" in lines:
        length = parse_duration(lines["DURATION"][0].value)
        return length if length.total > 0 else whole_day
    return whole_day
