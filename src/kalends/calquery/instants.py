"""From wall clocks to instants, as queries compare them: everything in UTC (RFC 4324 §6.1.1.7)."""

from __future__ import annotations

from kalends.ical.moment import DAY, Duration, Moment
from kalends.ical.zones import Zones


class Instants:
    """Turns moments into seconds since 1970 UTC.

    Args:
        zones: where TZIDs are looked up; None: the tz database alone.
        default_tz: zone of floating times; None counts them as UTC.
    """

    __slots__ = ("_zones", "default_tz")

    def __init__(self, zones: Zones | None = None, default_tz: str | None = None) -> None:
        self._zones = zones
        self.default_tz = default_tz

    def epoch(self, moment: Moment) -> int:
        """The instant of a moment; a DATE is the start of that day in UTC."""
        if moment.utc or moment.is_date:
            return moment.wall
        tzid = moment.tzid or self.default_tz
        if tzid is None:
            return moment.wall
        return self.zones.to_epoch(moment if moment.tzid else Moment(moment.wall, tzid))

    def add(self, start: Moment, duration: Duration) -> tuple[Moment, int]:
        """A moment later: days on the wall clock, seconds exactly.

        Returns:
            The end in the start's form, and its instant.

        Source: RFC 5545 §3.3.6.
        """
        if start.is_date:
            end = start.moved(start.wall + duration.days * DAY + duration.seconds)
            return end, end.wall
        tzid = None if start.utc else start.tzid or self.default_tz
        if tzid is None:
            end = start.moved(start.wall + duration.total)
            return end, end.wall
        zones = self.zones
        epoch = zones.shift(Moment(start.wall, tzid), duration)
        return start.moved(zones.local(epoch, tzid).wall), epoch

    @property
    def zones(self) -> Zones:
        """The zones to ask; made when first needed, for most components are in UTC or in days."""
        if self._zones is None:
            self._zones = Zones(default=self.default_tz)
        return self._zones
