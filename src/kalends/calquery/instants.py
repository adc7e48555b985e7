"""From wall clocks to instants, as queries compare them: everything in UTC (RFC 4324 §6.1.1.7)."""

from __future__ import annotations

from kalends.ical.moment import DAY, Duration, Moment


class Instants:
    """Turns moments into seconds since 1970 UTC.

    Args:
        zones: where TZIDs are looked up; None: the IANA database alone.
        default_tz: zone of floating times; None counts them as UTC.
    """

    __slots__ = ("default_tz", "zones")

    def __init__(self, zones: object | None = None, default_tz: str | None = None) -> None:
        self.zones = zones
        self.default_tz = default_tz

    def epoch(self, moment: Moment) -> int:
        """The instant of a moment; a DATE is the start of that day in UTC."""
        return moment.wall

    def add(self, start: Moment, duration: Duration) -> tuple[Moment, int]:
        """A moment later: days on the wall clock, seconds exactly (RFC 5545 §3.3.6).

        Returns:
            The end in the start's form, and its instant.
        """
        if start.is_date:
            end = start.moved(start.wall + duration.days * DAY + duration.seconds)
            return end, end.wall
        nominal = start.moved(start.wall + duration.days * DAY)
        return nominal.moved(nominal.wall + duration.seconds), self.epoch(nominal) + duration.seconds
