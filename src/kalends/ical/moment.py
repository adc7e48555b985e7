"""Date and time values: DATE, DATE-TIME, TIME, DURATION, PERIOD, UTC-OFFSET (RFC 5545 §3.3).

A moment is kept as the seconds its wall clock shows, counted from 1970-01-01T00:00:00 as if the wall hung
in UTC. Windows, recurrence and zones then work with whole numbers; `zones.Zones` turns them into instants.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from functools import lru_cache

from kalends.ical.errors import ICalError

DAY = 86_400
"""Seconds of a nominal day."""
UNIX_ORDINAL = 719_163
"""`datetime.date(1970, 1, 1).toordinal()`: day numbers in Kalends count from 1970-01-01."""
MAX_DURATION = 400_000 * DAY
"""Longest duration, in seconds: about a thousand years; more is a slip or an attack on arithmetic."""
FIRST_WALL = (dt.date.min.toordinal() - UNIX_ORDINAL) * DAY
"""Wall seconds of 0001-01-01T00:00:00, the first moment that can be written."""
LAST_WALL = (dt.date.max.toordinal() - UNIX_ORDINAL) * DAY + DAY - 1
"""Wall seconds of 9999-12-31T23:59:59, the last moment that can be written."""

_EPOCH = dt.datetime(1970, 1, 1)
_DURATION = re.compile(
    r"([+-])?P(?:(\d+)W)?(?:(\d+)D)?(?:(T)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?\Z", re.ASCII | re.IGNORECASE
)
_OFFSET = re.compile(r"([+-])(\d\d):?(\d\d)(?::?(\d\d))?\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Moment:
    """A DATE or DATE-TIME value.

    Attributes:
        wall: seconds shown by the wall clock since 1970-01-01T00:00:00, as if in UTC; midnight for a DATE.
        tzid: the TZID parameter, None for UTC, floating times and dates.
        utc: written with Z.
        is_date: a DATE value.
    """

    wall: int
    tzid: str | None = None
    utc: bool = False
    is_date: bool = False

    @property
    def floating(self) -> bool:
        """True for local times without zone and for dates: the same wall clock everywhere."""
        return not self.utc and self.tzid is None

    @property
    def datetime(self) -> dt.datetime:
        """The wall clock as a naive `datetime.datetime`."""
        return to_datetime(self.wall)

    @property
    def date(self) -> dt.date:
        """The wall calendar's day."""
        return dt.date.fromordinal(self.wall // DAY + UNIX_ORDINAL)

    def moved(self, wall: int) -> Moment:
        """The same form of value (zone, UTC or DATE) at another wall time."""
        return Moment(wall - wall % DAY if self.is_date else wall, self.tzid, self.utc, self.is_date)

    def __str__(self) -> str:
        """The value as it stands on the wire; TZID and VALUE belong in the parameters."""
        return format_moment(self)


@dataclass(frozen=True, slots=True)
class Duration:
    """A DURATION: nominal days (as long as the zone makes them) and exact seconds, both signed alike.

    Attributes:
        days: weeks and days, in days.
        seconds: hours, minutes and seconds, in seconds.
    """

    days: int = 0
    seconds: int = 0

    @property
    def total(self) -> int:
        """Seconds when every day has 24 hours."""
        return self.days * DAY + self.seconds

    def __neg__(self) -> Duration:
        return Duration(-self.days, -self.seconds)

    def __mul__(self, times: int) -> Duration:
        return Duration(self.days * times, self.seconds * times)

    def __str__(self) -> str:
        return format_duration(self)


@dataclass(frozen=True, slots=True)
class Period:
    """A PERIOD: a start with an explicit end or with a duration, whichever was written.

    Attributes:
        start: DATE-TIME.
        end: DATE-TIME of the explicit form, else None.
        duration: of the start form, else None.
    """

    start: Moment
    end: Moment | None = None
    duration: Duration | None = None

    def __str__(self) -> str:
        return f"{self.start}/{self.duration if self.end is None else self.end}"


@dataclass(frozen=True, slots=True)
class TimeOfDay:
    """A TIME value.

    Attributes:
        seconds: since midnight on the wall clock.
        tzid: the TZID parameter, or None.
        utc: written with Z.
    """

    seconds: int
    tzid: str | None = None
    utc: bool = False

    def __str__(self) -> str:
        minutes, second = divmod(self.seconds, 60)
        hour, minute = divmod(minutes, 60)
        return f"{hour:02}{minute:02}{second:02}{'Z' if self.utc else ''}"


def to_datetime(wall: int) -> dt.datetime:
    """Wall seconds as a naive `datetime.datetime`.

    Raises:
        ICalError: outside the years 1 to 9999.
    """
    try:
        return _EPOCH + dt.timedelta(0, wall)
    except OverflowError:
        raise ICalError("a time outside the years 1 to 9999") from None


def from_datetime(value: dt.date, tzid: str | None = None) -> Moment:
    """A moment from Python's own types.

    Args:
        value: a date (gives a DATE), a naive datetime (floating, or in `tzid`), or an aware one (gives UTC).
        tzid: zone name for a naive datetime.

    Returns:
        The moment, whole seconds.
    """
    wall = (value.toordinal() - UNIX_ORDINAL) * DAY
    if not isinstance(value, dt.datetime):
        return Moment(wall, None, False, True)
    if value.tzinfo is not None:
        value = value.astimezone(dt.UTC).replace(tzinfo=None)
        return Moment((value - _EPOCH) // dt.timedelta(0, 1), None, True)
    return Moment(wall + value.hour * 3600 + value.minute * 60 + value.second, tzid)


def utc_moment(epoch: int) -> Moment:
    """The UTC DATE-TIME of an instant.

    Args:
        epoch: seconds since 1970-01-01T00:00:00Z.
    """
    return Moment(epoch, None, True)


def parse_moment(text: str, tzid: str | None = None, value_type: str | None = None) -> Moment:
    """Read a DATE or DATE-TIME.

    A second of 60 is read as 59 (RFC 5545 §3.3.12: for those who keep no leap seconds).

    Args:
        text: `YYYYMMDD`, `YYYYMMDDTHHMMSS` or that with `Z`; lower case and surrounding blanks are forgiven.
        tzid: the TZID parameter; dropped when the value ends in Z or is a DATE.
        value_type: "DATE" or "DATE-TIME" to insist on one (a DATE-TIME standing where a DATE is announced
            keeps its time, as several programs write it), None or anything else to see from the text.

    Returns:
        The moment.

    Raises:
        ICalError: the text is no date, or a date that no calendar has.

    Source: RFC 5545 §3.3.4, §3.3.5.
    """
    return _known_moment(text, tzid, value_type) if len(text) <= _SHORT else _read(text, tzid, value_type)


def _read(text: str, tzid: str | None, value_type: str | None) -> Moment:
    size = len(text)
    if size < 15 or not text.isascii() or text[8] != "T":
        return _parse_odd(text, tzid, value_type)
    try:
        days = dt.date(int(text[:4]), int(text[4:6]), int(text[6:8])).toordinal() - UNIX_ORDINAL
        seconds = clock_seconds(text[9:15])
    except ValueError:
        raise ICalError(f"no such date and time: {text[:40]!r}") from None
    if not text[:8].isdigit():
        raise ICalError(f"no date and time: {text[:40]!r}")
    if size == 15:
        return Moment(days * DAY + seconds, tzid)
    if size == 16 and text[15] == "Z":
        return Moment(days * DAY + seconds, None, True)
    return _parse_odd(text, tzid, value_type)


_SHORT = 16
"""Characters of `YYYYMMDDTHHMMSSZ`. Such values are kept for a while: on its way into a store a text is read
several times, to be checked, to be indexed and to be expanded."""
_known_moment = lru_cache(4096)(_read)


def _parse_odd(text: str, tzid: str | None, value_type: str | None) -> Moment:
    """A DATE, or a DATE-TIME with blanks or in lower case."""
    tidy = text.strip().upper()
    if tidy != text and len(tidy) >= 15:
        return parse_moment(tidy, tzid, value_type)
    if len(tidy) == 9:
        tidy = tidy.removesuffix("Z")  # a date that some program took for a time in UTC
    if len(tidy) != 8 or not (tidy.isascii() and tidy.isdigit()):
        raise ICalError(f"no date or date and time (YYYYMMDD or YYYYMMDDTHHMMSS): {text[:40]!r}")
    if value_type == "DATE-TIME":
        raise ICalError(f"a DATE-TIME is needed, not the DATE {tidy}")
    try:
        day = dt.date(int(tidy[:4]), int(tidy[4:6]), int(tidy[6:8]))
    except ValueError:
        raise ICalError(f"no such date: {tidy}") from None
    return Moment((day.toordinal() - UNIX_ORDINAL) * DAY, None, False, True)


def clock_seconds(text: str) -> int:
    """Seconds since midnight of `HHMMSS`; the second 60 counts as 59.

    Raises:
        ValueError: no such time of day.

    Source: RFC 5545 §3.3.12.
    """
    hour, minute, second = int(text[:2]), int(text[2:4]), int(text[4:])
    if len(text) != 6 or not text.isdigit() or hour > 23 or minute > 59 or second > 60:
        raise ValueError(text)
    return hour * 3600 + minute * 60 + (second if second < 60 else 59)


def format_moment(moment: Moment) -> str:
    """A moment as it stands on the wire.

    Raises:
        ICalError: outside the years 1 to 9999.
    """
    days, seconds = divmod(moment.wall, DAY)
    try:
        day = dt.date.fromordinal(days + UNIX_ORDINAL)
    except (ValueError, OverflowError):
        raise ICalError("a time outside the years 1 to 9999") from None
    stem = f"{day.year:04}{day.month:02}{day.day:02}"
    if moment.is_date:
        return stem
    minutes, second = divmod(seconds, 60)
    return f"{stem}T{minutes // 60:02}{minutes % 60:02}{second:02}{'Z' if moment.utc else ''}"


def parse_time(text: str, tzid: str | None = None) -> TimeOfDay:
    """Read a TIME.

    Args:
        text: `HHMMSS` or `HHMMSSZ`.
        tzid: the TZID parameter, dropped when the value ends in Z.

    Raises:
        ICalError: no such time of day.

    Source: RFC 5545 §3.3.12.
    """
    tidy = text.strip().upper()
    utc = tidy.endswith("Z")
    try:
        return TimeOfDay(clock_seconds(tidy.removesuffix("Z")), None if utc else tzid, utc)
    except ValueError:
        raise ICalError(f"no time of day (HHMMSS): {text[:40]!r}") from None


def parse_duration(text: str) -> Duration:
    """Read a DURATION.

    Weeks mixed with days and times (as RFC 2445 writers did) are accepted.

    Raises:
        ICalError: not a duration, or longer than a thousand years.

    Source: RFC 5545 §3.3.6.
    """
    match = _DURATION.match(text.strip())
    if match is None or len(text) > 60:
        raise ICalError(f"no duration such as PT15M or P1D: {text[:40]!r}")
    sign, weeks, days, _, hours, minutes, seconds = match.groups()
    if weeks is days is hours is minutes is seconds is None:
        raise ICalError(f"a duration without any length: {text[:40]!r}")
    total_days = int(weeks or 0) * 7 + int(days or 0)
    total_seconds = int(hours or 0) * 3600 + int(minutes or 0) * 60 + int(seconds or 0)
    if total_days * DAY + total_seconds > MAX_DURATION:
        raise ICalError(f"a duration of more than a thousand years: {text[:40]!r}")
    return Duration(-total_days, -total_seconds) if sign == "-" else Duration(total_days, total_seconds)


def format_duration(duration: Duration) -> str:
    """A duration as it stands on the wire: weeks when they say it all, else days and times.

    Days and seconds of opposite signs, which no wire form has, are joined with 24-hour days.

    Source: RFC 5545 §3.3.6.
    """
    days, seconds = duration.days, duration.seconds
    if (days < 0 < seconds) or (seconds < 0 < days):
        days, seconds = 0, days * DAY + seconds
    sign = "-" if days < 0 or seconds < 0 else ""
    days, seconds = abs(days), abs(seconds)
    if days and not seconds and days % 7 == 0:
        return f"{sign}P{days // 7}W"
    if not seconds:
        return f"{sign}P{days}D" if days else "PT0S"
    return f"{sign}P{f'{days}D' if days else ''}{_format_clock(seconds)}"


def _format_clock(seconds: int) -> str:
    """The T part: no unit is left out between two that stand (RFC 5545 writes PT1H0M5S)."""
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    out = "T"
    if hour:
        out += f"{hour}H"
    if minute or (hour and second):
        out += f"{minute}M"
    if second:
        out += f"{second}S"
    return out


def parse_period(text: str, tzid: str | None = None) -> Period:
    """Read a PERIOD in either form.

    Raises:
        ICalError: not a period, or one that ends before it starts.

    Source: RFC 5545 §3.3.9.
    """
    head, slash, tail = text.strip().partition("/")
    if not slash:
        raise ICalError(f"no period (start/end or start/duration): {text[:60]!r}")
    start = parse_moment(head, tzid, "DATE-TIME")
    if tail[:1] in {"P", "p", "+", "-"}:
        duration = parse_duration(tail)
        if duration.days < 0 or duration.seconds < 0:
            raise ICalError(f"a period of negative length: {text[:60]!r}")
        return Period(start, None, duration)
    end = parse_moment(tail, tzid, "DATE-TIME")
    if end.wall < start.wall and end.utc == start.utc:
        raise ICalError(f"a period that ends before it starts: {text[:60]!r}")
    return Period(start, end)


def parse_utc_offset(text: str) -> int:
    """Read a UTC-OFFSET.

    Args:
        text: `+HHMM`, `-HHMM` or with seconds; colons are forgiven, and `-0000` is read as zero.

    Returns:
        Seconds east of UTC.

    Raises:
        ICalError: not an offset below 24 hours.

    Source: RFC 5545 §3.3.14.
    """
    match = _OFFSET.match(text.strip())
    if match is None or int(match[2]) > 23 or int(match[3]) > 59 or int(match[4] or 0) > 59:
        raise ICalError(f"no UTC offset such as +0100: {text[:40]!r}")
    seconds = int(match[2]) * 3600 + int(match[3]) * 60 + int(match[4] or 0)
    return -seconds if match[1] == "-" else seconds


def format_utc_offset(seconds: int) -> str:
    """Seconds east of UTC as `+HHMM`, with seconds only where there are some.

    Source: RFC 5545 §3.3.14.
    """
    minutes, second = divmod(abs(seconds), 60)
    sign = "-" if seconds < 0 else "+"
    return f"{sign}{minutes // 60:02}{minutes % 60:02}{f'{second:02}' if second else ''}"
