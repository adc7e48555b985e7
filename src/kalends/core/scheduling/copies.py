"""An attendee's copy: how it follows the organizer's object, and what may be changed in it.

What an attendee may make their own in a copy, and what then survives the organizer's changes: alarms,
TRANSP, CATEGORIES, COLOR, COMMENT, URL, how far a task is done, x-properties, and instances that they
declined and took out. As long as they left such a property as it came, it follows the organizer.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from kalends.core import series
from kalends.core.errors import AttendeeChangeError
from kalends.core.scheduling import changes, facts, parties
from kalends.core.scheduling.instances import Key, add, excluded, made, parts, ranges
from kalends.core.scheduling.views import keep_zones
from kalends.ical.tree import Component, Line
from kalends.ical.values import normal_address
from kalends.ical.zones import Zones

_OWN = frozenset(("CATEGORIES", "COLOR", "COMPLETED", "PERCENT-COMPLETE", "TRANSP"))
_ASIDE = frozenset(("COMMENT", "URL"))
"""May be either's too: an attendee's where it is known that the organizer's was another."""
_FREE = _OWN | frozenset(
    (
        "COMMENT",
        "CREATED",
        "DTSTAMP",
        "EXDATE",
        "LAST-MODIFIED",
        "REQUEST-STATUS",
        "SEQUENCE",
        "URL",
        "VALARM",
    )
)
"""What an attendee may change, ATTENDEE and x-properties apart (RFC 6638 §3.2.2.1)."""
_ELSEWHERE = frozenset(("ATTENDEE", *facts.TIME))
"""What is compared in ways of its own."""


def _is_own(item: Line | Component) -> bool:
    return item.name in _OWN or item.name == "VALARM" or item.name.startswith("X-")


# --- following the organizer ---


def follow(
    copy: Component | None, view: Component, kind: str, me: Iterable[str], *, before: Component | None = None
) -> Component:
    """The copy an attendee is to have now.

    Args:
        copy: the one they have; None for none.
        view: what the organizer's object says (`views.view`); it may be used up.
        kind: its kind.
        me: the attendee's addresses.
        before: what it said before: the copy's differences from that are the attendee's. None when it is not
            known; then what may be the attendee's is taken for theirs.

    Returns:
        The new copy, a VCALENDAR without METHOD.
    """
    view.items = [item for item in view.items if item.name != "METHOD"]
    if copy is None:
        return view
    had, was = parts(copy, kind), parts(before, kind)
    _keep_own_instances(had, view, kind)
    for key, part in parts(view, kind).items():
        mine = had.get(key) or had.get(None)
        if mine is not None:
            came = (was.get(key) if key in had else None) or was.get(None)
            _keep_own(part, mine, came)
            _keep_status(part, mine)
    _keep_absences(copy, view, kind, frozenset(me))
    if None not in had:
        _keep_single_absences(had, view, kind, frozenset(me))
    return keep_zones(view, kind)


def _keep_own_instances(had: Mapping[Key, Component], view: Component, kind: str) -> None:
    """Tell those instances apart in which an attendee has something of their own, an alarm say; in place.

    The organizer knows nothing of them; all but what is the attendee's own is that of the series.
    """
    found, master = parts(view, kind), had.get(None)
    if master is None or None not in found:
        return
    usual, spans = _own(master), ranges(view, kind)
    for key, mine in had.items():
        if key is None or key in found or _own(mine) == usual:
            continue
        part = made(view, kind, key, spans=spans)
        if part is not None:
            add(view, part)


def _own(part: Component) -> set[str]:
    """What is an attendee's own in a component, in a form that can be compared."""
    own = (item for item in part.items if _is_own(item))
    return {facts.fact(item) if isinstance(item, Line) else item.to_ics() for item in own}


def _keep_own(part: Component, mine: Component, came: Component | None) -> None:
    """Put into a component what the attendee made their own in the copy's, in place.

    Args:
        part: as the organizer has it now.
        mine: as the attendee has it.
        came: as the organizer had it; None when that is not known.
    """
    names = {item.name for one in (part, mine) for item in one.lines if _is_own(item) or item.name in _ASIDE}
    theirs = {name for name in names if _is_theirs(name, mine, came)}
    lines = [line for line in part.lines if line.name not in theirs]
    lines += [line for line in mine.lines if line.name in theirs]
    part.items = [*lines, *_inner(part, mine, came)]


def _is_theirs(name: str, mine: Component, came: Component | None) -> bool:
    """Whether an attendee made a property their own: it is not as it came."""
    held = {facts.fact(line) for line in mine.all(name)}
    if came is None:
        return bool(held) and name not in _ASIDE
    return held != {facts.fact(line) for line in came.all(name)}


def _inner(part: Component, mine: Component, came: Component | None) -> list[Component]:
    """The components within a component: the organizer's, and the alarms that are the attendee's.

    An alarm that CAP numbered is everybody's, until an attendee changes it.
    """
    sent = set() if came is None else {item.to_ics() for item in came.children("VALARM")}
    own = [alarm for alarm in mine.children("VALARM") if alarm.to_ics() not in sent]
    numbers = {alarm.value("SEQUENCE") for alarm in own} - {None}
    kept = [
        item for item in part.components if item.name != "VALARM" or item.value("SEQUENCE") not in numbers
    ]
    return [*kept, *own]


def _keep_status(part: Component, mine: Component) -> None:
    """Whether the last reply arrived is known to the copy only."""
    line, had = part.first("ORGANIZER"), mine.first("ORGANIZER")
    if line is not None and had is not None:
        for name in ("SCHEDULE-STATUS", "SCHEDULE-AGENT"):
            if had.param(name) is not None:
                line = parties.with_param(line, name, had.param(name))
        first = part.first("ORGANIZER")
        if first is not None and line is not first:
            part.replace(first, line)


def _keep_absences(copy: Component, view: Component, kind: str, me: frozenset[str]) -> None:
    """Leave out the instances that the attendee declined and took out."""
    master, old = series.master_of(view, kind), series.master_of(copy, kind)
    if master is None or old is None:
        return
    found = parts(view, kind)
    for key in sorted(excluded(old, copy) - excluded(master, view)):
        override = found.get(key)
        if override is not None and parties.partstat(parties.attendee(override, me)) == "DECLINED":
            series.exclude(view, kind, key)


def _keep_single_absences(
    had: Mapping[Key, Component], view: Component, kind: str, me: frozenset[str]
) -> None:
    """The same for somebody who is invited to some instances only: there is no series to take them out of."""
    found = parts(view, kind)
    if None in found:
        return
    for key in found.keys() - had.keys():
        if parties.partstat(parties.attendee(found[key], me)) == "DECLINED":
            view.remove(found[key])


def cancel(
    copy: Component, kind: str, keys: Iterable[Key], sequence: int, *, future: Collection[Key] = ()
) -> Component | None:
    """The copy after the organizer cancelled it, or some instances of it.

    Args:
        copy: the attendee's copy; it stays as it is.
        kind: its kind.
        keys: the instances; with None among them it is all of it.
        sequence: SEQUENCE of the cancellation.
        future: those of the keys that stand for all later instances too.

    Returns:
        The new copy: all of it STATUS:CANCELLED; or without those instances, None when none is left.
    """
    made_ = copy.copy()
    wanted = list(keys)
    if None in wanted:
        for part in made_.children(kind):
            parties.set_value(part, "STATUS", "CANCELLED")
            if parties.sequence(part) < sequence:
                parties.set_value(part, "SEQUENCE", str(sequence))
        return made_
    for key in wanted:
        assert key is not None
        if key in future:
            _cancel_from(made_, kind, key)
        else:
            series.exclude(made_, kind, key)
    return keep_zones(made_, kind) if made_.children(kind) else None


def _cancel_from(whole: Component, kind: str, key: int) -> None:
    """Take out an instance and all that follow it, in place (RFC 5546 §3.2.5)."""
    for one, part in parts(whole, kind).items():
        first = made(whole, kind, key) if one is None else None
        starts_there = first is not None and first.value("DTSTART") == part.value("DTSTART")
        if starts_there or (one is not None and one >= key):
            whole.remove(part)
    series.end_before(whole, kind, key)


# --- what an attendee may change ---


def check(old: Component, new: Component, kind: str, me: frozenset[str]) -> None:
    """Refuse what only the organizer may change.

    Args:
        old: the copy before.
        new: the copy after.
        kind: its kind.
        me: the attendee's addresses.

    Raises:
        AttendeeChangeError: with the property that must stay as it is.

    Source: RFC 6638 §3.2.2.1, §3.2.4.4.
    """
    before, after = parts(old, kind), parts(new, kind)
    gone = excluded(after.get(None), new)
    if before.keys() and not after.keys():
        raise AttendeeChangeError(f"there is no {kind} left")
    back = excluded(before.get(None), old) - gone
    if back:
        raise AttendeeChangeError("an instance that is taken out cannot be brought back by an attendee")
    for key in before.keys() - after.keys():
        if key is None or (None in after and key not in gone):
            raise AttendeeChangeError("an attendee can take an instance out, but not change it back")
    old_zones, new_zones = Zones(old), Zones(new)
    spans = ranges(old, kind)
    for key, part in after.items():
        was = before.get(key)
        if was is None and key is not None:
            was = made(old, kind, key, spans=spans)
        if was is None:
            raise AttendeeChangeError("an attendee cannot add instances")
        _check_fixed(_fixed(was, old_zones), _fixed(part, new_zones))
        _check_people(was, part, me)


def _check_fixed(was: set[str], now: set[str]) -> None:
    differing = sorted(was ^ now)
    if differing:
        name = differing[0].partition(";")[0]
        raise AttendeeChangeError(f"{name} is the organizer's to change; an attendee can answer")


def _check_people(was: Component, now: Component, me: frozenset[str]) -> None:
    line = parties.attendee(now, me)
    if line is None and parties.attendee(was, me) is not None:
        raise AttendeeChangeError("an attendee can decline, but not take themselves off the list")
    delegates = frozenset() if line is None else _delegates(line)
    had = {parties.address(one) for one in was.all("ATTENDEE")}
    for one in now.all("ATTENDEE"):
        who = parties.address(one)
        if who not in had and who not in delegates:
            raise AttendeeChangeError("an attendee cannot invite others, except by delegating to them")
    if had - {parties.address(one) for one in now.all("ATTENDEE")}:
        raise AttendeeChangeError("an attendee cannot take others off the list")


def _delegates(line: Line) -> frozenset[str]:
    return frozenset(normal_address(uri) for uri in line.param_values("DELEGATED-TO"))


def _fixed(part: Component, zones: Zones) -> set[str]:
    """What an attendee must leave alone, in a form that can be compared."""
    found = set(facts.when(part, zones))
    for item in part.items:
        if item.name in _FREE or item.name in _ELSEWHERE or item.name.startswith("X-"):
            continue
        if item.name == "RECURRENCE-ID" or (item.name == "STATUS" and part.name == "VTODO"):
            continue
        found.update(facts.told(item) if isinstance(item, Line) else [item.to_ics()])
    return found


def is_own(part: Component, usual: Component, zones: Zones) -> bool:
    """Whether an override differs from its series in nothing but what an attendee may change.

    Args:
        part: the override in an attendee's copy.
        usual: what the series says of that instance.
        zones: those of the copy.
    """
    lists = [{parties.address(line) for line in one.all("ATTENDEE")} for one in (usual, part)]
    return lists[0] == lists[1] and _fixed(usual, zones) == _fixed(part, zones)


def restore_others(old: Component, new: Component, kind: str, me: frozenset[str]) -> None:
    """Let the others' ATTENDEE lines be as they were: the client read them some time ago; in place."""
    before, spans = parts(old, kind), ranges(old, kind)
    for key, part in parts(new, kind).items():
        was = before.get(key)
        if was is None and key is not None:
            was = made(old, kind, key, spans=spans)
        if was is None:
            continue
        for line in part.all("ATTENDEE"):
            had = parties.attendee(was, (parties.address(line),))
            if had is not None and had.raw != line.raw and parties.address(line) not in me:
                part.replace(line, had)


# --- what an attendee says ---


def answers(
    old: Component | None, new: Component | None, kind: str, me: frozenset[str]
) -> dict[Key, Component]:
    """What an attendee says with a change of their copy.

    Args:
        old: the copy before; None for a new one.
        new: the copy after; None when it was deleted: then they decline what they did not decline before.
        kind: its kind.
        me: the attendee's addresses.

    Returns:
        By instance, components whose own ATTENDEE line is the answer; empty when there is nothing to say.

    Source: RFC 6638 §3.2.2.1, §3.2.2.3, §3.2.2.4.
    """
    before, after, spans = parts(old, kind), parts(new, kind), ranges(old, kind)
    found: dict[Key, Component] = {}
    for key, part in after.items():
        line = parties.attendee(part, me)
        if line is None:
            continue
        was = before.get(key)
        if was is None and old is not None and key is not None:
            was = made(old, kind, key, spans=spans)
        said = parties.NEEDS_ACTION if was is None else parties.partstat(parties.attendee(was, me))
        again = parties.forced(part.first("ORGANIZER"), "REPLY")
        if parties.partstat(line) != said or again:
            found[key] = part
    if old is not None:
        found |= _declined(old, new, before, after, kind, me)
    return found


def _declined(
    old: Component,
    new: Component | None,
    before: dict[Key, Component],
    after: dict[Key, Component],
    kind: str,
    me: frozenset[str],
) -> dict[Key, Component]:
    """The instances that an attendee took out."""
    gone: set[Key] = set(before.keys() - after.keys())
    if new is not None:
        gone |= excluded(after.get(None), new) - excluded(before.get(None), old)
    found: dict[Key, Component] = {}
    spans = ranges(old, kind)
    for key in gone:
        part = before.get(key)
        if part is None and key is not None:
            part = made(old, kind, key, spans=spans)
        if part is None or changes.cancelled(part):
            continue
        line = parties.attendee(part, me)
        if line is None or parties.partstat(line) == "DECLINED":
            continue
        part = part.copy()
        parties.set_param(part, line, "PARTSTAT", "DECLINED")
        found[key] = part
    return found
