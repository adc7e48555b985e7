"""VTIMEZONE components: read as zones, and written from the tz database (RFC 5545 §3.6.5)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from kalends.ical.budget import Budget
from kalends.ical.errors import ICalError
from kalends.ical.gregorian import month_of, month_start, year_start
from kalends.ical.moment import DAY, Moment, format_utc_offset, parse_moment, parse_utc_offset, utc_moment
from kalends.ical.recur import Rule
from kalends.ical.tree import Component, Line, parse
from kalends.ical.tzfile import Transition, YearlyRule, Zone, fixed, load_tzfile, load_zone

MAX_ONSETS = 20_000
"""Changes of offset, and steps to find them, for one reading: ten times a zone with DST since 1601."""
MAX_OBSERVANCES = 1_000
"""STANDARD and DAYLIGHT parts read of one VTIMEZONE: the longest history in the tz database has about 250."""
MAX_TEXT = 200_000
"""Longest VTIMEZONE read, in characters: the longest in the tz database has some 5,000."""
LAST_LISTED_YEAR = 2037
"""Zones whose future no rule can tell are listed up to this year."""
LAST_TRUNCATED_YEAR = 2499
"""A definition that ends is listed change by change, but not longer than this."""
DEFAULT_FIRST_YEAR = 1970
"""Year from which a written VTIMEZONE is right, unless asked otherwise."""


# --- reading ---


@dataclass(frozen=True, slots=True)
class _Observance:
    start: int  # wall seconds
    before: int
    after: int
    rules: tuple[Rule, ...]
    dates: tuple[Moment, ...]

    def onsets(self, lo: int, hi: int, budget: Budget) -> Iterator[Transition]:
        """Changes whose wall time (in the offset before) lies in lo <= wall < hi."""
        walls = {self.start, *(d.wall + self.before if d.utc else d.wall for d in self.dates)}
        budget.spend(len(walls))
        for wall in walls:
            if lo <= wall < hi:
                yield wall - self.before, self.after
        zone = fixed("", self.before)
        for rule in self.rules:
            for chunk in rule.chunks(self.start, lo, hi, zone=zone, count_start=True, budget=budget):
                for wall in chunk:
                    yield wall - self.before, self.after


def _offset(component: Component, name: str) -> int:
    value = component.value(name)
    if value is None:
        raise ICalError(f"{component.name} of a VTIMEZONE without {name}", component.line_number)
    return parse_utc_offset(value)


def _observance(component: Component) -> _Observance:
    start = component.value("DTSTART")
    if start is None:
        raise ICalError(f"{component.name} of a VTIMEZONE without DTSTART", component.line_number)
    moment = parse_moment(start)
    before, after = _offset(component, "TZOFFSETFROM"), _offset(component, "TZOFFSETTO")
    return _Observance(
        moment.wall + before if moment.utc else moment.wall,
        before,
        after,
        tuple(Rule.parse(line.value) for line in component.all("RRULE")),
        tuple(parse_moment(text) for line in component.all("RDATE") for text in line.value.split(",")),
    )


def read_vtimezone(vtimezone: Component) -> Zone:
    """The zone a VTIMEZONE defines.

    Before its first observance begins, the offset that observance changes from holds.

    Args:
        vtimezone: a VTIMEZONE component.

    Returns:
        A zone named as the TZID.

    Raises:
        ICalError: no observance, one without its required properties, or rules that take too many steps.

    Source: RFC 5545 §3.6.5.
    """
    text = vtimezone.to_ics()
    if len(text) > MAX_TEXT:
        raise ICalError(f"a VTIMEZONE of more than {MAX_TEXT} characters", vtimezone.line_number)
    return _read(text)


@lru_cache(64)
def _read(text: str) -> Zone:
    """Cached by text: every event of a calendar brings the same definition along."""
    vtimezone = parse(text)
    parts = [part for part in vtimezone.components if part.name in {"STANDARD", "DAYLIGHT"}]
    if not parts:
        raise ICalError("a VTIMEZONE without STANDARD or DAYLIGHT")
    if len(parts) > MAX_OBSERVANCES:
        raise ICalError(f"a VTIMEZONE with more than {MAX_OBSERVANCES} parts")
    observances = [_observance(part) for part in parts]
    first = min(observances, key=lambda o: o.start - o.before)

    def grow(first_year: int, last_year: int) -> list[Transition]:
        lo, hi = year_start(first_year) * DAY, year_start(last_year + 1) * DAY
        budget = Budget(MAX_ONSETS)
        return sorted(onset for o in observances for onset in o.onsets(lo, hi, budget))

    year = month_of(first.start // DAY) // 12
    return Zone((vtimezone.value("TZID") or "").strip(), first.before, (), grow, year - 1)


# --- writing ---

_YEAR = 366 * DAY
_WEEKDAYS = ("SU", "MO", "TU", "WE", "TH", "FR", "SA")


@dataclass(frozen=True, slots=True)
class _Change:
    """One change of offset: instant, offsets around it, abbreviation, whether it is a DAYLIGHT part."""

    instant: int
    before: int
    after: int
    name: str
    daylight: bool

    @property
    def wall(self) -> int:
        return self.instant + self.before


def write_vtimezone(name: str, tzid: str | None = None, first_year: int = DEFAULT_FIRST_YEAR) -> Component:
    """A VTIMEZONE for a zone of the tz database.

    Years governed by one rule become RRULEs without end; what came before, one observance per kind of
    change with its dates listed.

    Args:
        name: tz database name, exactly written.
        tzid: TZID to write when it differs from the name.
        first_year: year from whose start the definition has to be right.

    Returns:
        A component of its own (the caller may change it).

    Raises:
        KeyError: no such zone.

    Source: RFC 5545 §3.6.5.
    """
    return _write(name, tzid or name, first_year).copy()


def write_truncated(
    name: str, tzid: str | None = None, *, start: int | None = None, end: int | None = None
) -> Component:
    """A VTIMEZONE for a zone of the tz database that is right in a range of time.

    Args:
        name: tz database name, exactly written.
        tzid: TZID to write when it differs from the name.
        start: epoch seconds from which it has to be right; None for all of the zone's history.
        end: epoch seconds up to which it has to be right, at most `LAST_TRUNCATED_YEAR`; None for always.

    Returns:
        A component of its own. With an end its changes are all listed, and TZUNTIL tells the end.

    Raises:
        KeyError: no such zone.

    Source: RFC 7808 §3.9, §5.3.4, §7.1.
    """
    begin = start
    if begin is None:
        changes = load_zone(name).transitions(-(1 << 40), year_start(DEFAULT_FIRST_YEAR) * DAY)
        begin = changes[0][0] - DAY if changes else year_start(DEFAULT_FIRST_YEAR) * DAY
    if end is not None:
        end = max(begin + 1, min(end, year_start(LAST_TRUNCATED_YEAR + 1) * DAY))
    return _define(name, tzid or name, begin, end, begin)


def onsets_between(name: str, start: int, end: int) -> list[tuple[int, int, int, bool]]:
    """When the offset of a zone changes, in a range of time.

    Args:
        name: tz database name, exactly written.
        start: epoch seconds.
        end: epoch seconds, not included.

    Returns:
        Instant, offset before, offset from then on (seconds east of UTC), and whether that is daylight time.

    Raises:
        KeyError: no such zone.
    """
    found = _changes(name, start, end)
    return [(one.instant, one.before, one.after, one.daylight) for one in found if one.instant < end]


@lru_cache(512)
def _write(name: str, tzid: str, first_year: int) -> Component:
    begin = year_start(first_year) * DAY
    return _define(name, tzid, begin, None, begin - _at(name, begin)[0])  # from New Year's midnight there


def _define(name: str, tzid: str, begin: int, end: int | None, said: int) -> Component:
    """The definition from one instant on, up to another where one is given; `said` is what its start says."""
    out = Component("VTIMEZONE")
    out.add("TZID", tzid)
    if end is None:
        ruled, listed = _split_ruled(name, _changes(name, begin))
    else:
        ruled, listed = [], [change for change in _changes(name, begin, end) if change.instant < end]
        out.add("TZUNTIL", str(utc_moment(end)))
    offset, abbreviation = _at(name, begin)
    out.items.append(_part("STANDARD", _Change(said, offset, offset, abbreviation, False)))
    groups: dict[tuple[int, int, str, bool], list[_Change]] = {}
    for change in listed:
        groups.setdefault((change.before, change.after, change.name, change.daylight), []).append(change)
    for group in groups.values():
        part = _part("DAYLIGHT" if group[0].daylight else "STANDARD", group[0])
        for change in group[1:]:
            part.items.append(Line.make("RDATE", str(Moment(change.wall))))
        out.items.append(part)
    for change, rule in ruled:
        part = _part("DAYLIGHT" if change.daylight else "STANDARD", change)
        part.items.append(Line.make("RRULE", rule))
        out.items.append(part)
    return out


def _part(kind: str, change: _Change) -> Component:
    part = Component(kind)
    part.add("DTSTART", str(Moment(change.wall)))
    part.add("TZOFFSETFROM", format_utc_offset(change.before))
    part.add("TZOFFSETTO", format_utc_offset(change.after))
    if change.name and not change.name.startswith(("+", "-")):
        part.add("TZNAME", change.name)
    return part


def _at(name: str, instant: int) -> tuple[int, str]:
    """Offset and abbreviation at an instant."""
    file = load_tzfile(name)
    kind = file.first
    for when, then in file.changes:
        if when > instant:
            break
        kind = then
    offset = load_zone(name).offset(instant)
    if kind.offset != offset and file.footer is not None:
        return offset, file.footer.dst_name if offset == file.footer.dst else file.footer.std_name
    return offset, kind.name


def _changes(name: str, begin: int, end: int | None = None) -> list[_Change]:
    """All changes of offset from an instant to another one, or to the end of LAST_LISTED_YEAR."""
    stop = year_start(LAST_LISTED_YEAR + 1) * DAY if end is None else end
    file, zone = load_tzfile(name), load_zone(name)
    footer = file.footer
    names = {when: (kind.name, kind.is_dst) for when, kind in file.changes}
    backwards = footer is not None and footer.dst is not None and footer.dst < footer.std
    out: list[_Change] = []
    for instant, after in zone.transitions(begin, stop):
        before = zone.offset(instant - 1)
        abbreviation, is_dst = names.get(instant, ("", after > before))
        if instant not in names and footer is not None:
            abbreviation = footer.dst_name if after == footer.dst else footer.std_name
        daylight = after > before and (is_dst or backwards)
        out.append(_Change(instant, before, after, abbreviation, daylight))
    return out


def _split_ruled(name: str, changes: list[_Change]) -> tuple[list[tuple[_Change, str]], list[_Change]]:
    """The changes that begin an endless yearly rule, with its text, and those before, which are listed."""
    footer = load_tzfile(name).footer
    if footer is None or footer.dst is None or footer.start is None or footer.end is None:
        return [], changes
    texts = {footer.dst: _rule_text(footer.start), footer.std: _rule_text(footer.end)}
    if None in texts.values():
        return [], changes
    at = len(changes)
    next_instant = changes[-1].instant if changes else 0
    while at and _follows(changes[at - 1], footer.std, footer.dst, footer.start, footer.end):
        if next_instant - changes[at - 1].instant > _YEAR:
            break  # years without any change lie between
        at -= 1
        next_instant = changes[at].instant
    ruled = [(change, texts[change.after] or "") for change in changes[at : at + 2]]
    return (ruled, changes[:at]) if len(ruled) == 2 else ([], changes)


def _follows(change: _Change, std: int, dst: int, start: YearlyRule, end: YearlyRule) -> bool:
    """Whether a change is the one the endless rule makes in its year."""
    year = month_of(change.wall // DAY) // 12
    if (change.before, change.after) == (std, dst):
        return start.wall(year) == change.wall
    return (change.before, change.after) == (dst, std) and end.wall(year) == change.wall


def _rule_text(rule: YearlyRule) -> str | None:
    """A yearly rule as RRULE; None where it cannot be said (a last weekday pushed into the next month)."""
    shift = rule.time // DAY  # some rules count the hour from a day or two before, or the evening before
    if rule.form == "N":
        return f"FREQ=YEARLY;BYYEARDAY={rule.day + 1 + shift}"
    if rule.form == "J":
        day = year_start(1970) + rule.day - 1 + shift  # 1970 is a common year
        month = month_of(day)
        return f"FREQ=YEARLY;BYMONTH={month % 12 + 1};BYMONTHDAY={day - month_start(month) + 1}"
    weekday = _WEEKDAYS[(rule.weekday + shift) % 7]
    if not shift:
        return f"FREQ=YEARLY;BYMONTH={rule.month};BYDAY={rule.week if rule.week < 5 else -1}{weekday}"
    if rule.week == 5:
        days = range(shift - 7, shift)
        valid = days[-1] < 0 and rule.month != 2
    else:
        days = range(7 * (rule.week - 1) + 1 + shift, 7 * rule.week + 1 + shift)
        valid = days[0] > 0 and days[-1] <= 28
    if not valid:
        return None
    listed = ",".join(str(day) for day in days)
    return f"FREQ=YEARLY;BYMONTH={rule.month};BYMONTHDAY={listed};BYDAY={weekday}"
