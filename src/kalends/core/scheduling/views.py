"""What each attendee gets of an organizer's object: the instances that invite them (RFC 6638 §3.2.6)."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from kalends.core import series, texts
from kalends.core.scheduling import parties
from kalends.core.scheduling.instances import Key, parts
from kalends.ical.alarms import for_others
from kalends.ical.tree import Component, Line
from kalends.ical.zones import Zones


def view(whole: Component | None, kind: str, who: frozenset[str]) -> Component | None:
    """The object as one attendee is to have it.

    Args:
        whole: the organizer's object; it stays as it is. None for an object that is no more.
        kind: its kind.
        who: the attendee's addresses.

    Returns:
        A new VCALENDAR without METHOD: the master with the overrides that invite them, other overrides
        excluded by EXDATE; or those overrides alone. None when no instance invites them. What the store and
        the organizer's client tell each other, and alarms that are not for others, are left out.

    Source: RFC 6638 §3.2.6, §7.1 to §7.3; RFC 4324 §7.5.
    """
    if whole is None:
        return None
    mine = {key for key, part in parts(whole, kind).items() if parties.attendee(part, who) is not None}
    return _view(whole, kind, mine) if mine else None


class Views:
    """What several attendees get: whom the same instances invite, they get the same, made once.

    Args:
        whole: the organizer's object, which stays as it is as long as this is asked; None for none.
        kind: its kind.
    """

    def __init__(self, whole: Component | None, kind: str) -> None:
        self._whole, self._kind = whole, kind
        self._mine: dict[str, set[Key]] = {}
        for key, part in parts(whole, kind).items():
            for line in part.all("ATTENDEE"):
                self._mine.setdefault(parties.address(line), set()).add(key)
        self._made: dict[frozenset[Key], Component] = {}

    def of(self, who: Iterable[str]) -> Component | None:
        """As `view`, for any of some addresses; it is shared: copy it before changing it."""
        shared = frozenset(key for one in who for key in self._mine.get(one, ()))
        if self._whole is None or not shared:
            return None
        found = self._made.get(shared)
        if found is None:
            found = self._made[shared] = _view(self._whole, self._kind, shared)
        return found


def _view(whole: Component, kind: str, mine: Collection[Key]) -> Component:
    """The object with some of its instances only."""
    made = whole.copy()
    made.items = [item for item in made.items if item.name != "METHOD"]
    others: dict[Key, Component] = {}
    for key, part in parts(made, kind).items():
        if key in mine:
            parties.without_ours(part)
            for_others(part)
        else:
            others[key] = part
    gone = {id(part) for part in others.values()}
    made.items = [item for item in made.items if id(item) not in gone]
    if None in mine:
        _exclude(made, kind, [key for key in others if key is not None])
        cuts = [key for key, part in others.items() if key is not None and series.is_range(part)]
        if cuts and not any(series.is_range(part) for part in made.children(kind)):
            series.end_before(made, kind, min(cuts))  # all that follow invite others
    return keep_zones(made, kind)


def _exclude(whole: Component, kind: str, keys: list[int]) -> None:
    """Take instances out of a series whose overrides are gone already, in place."""
    master = series.master_of(whole, kind)
    start = None if master is None else master.first("DTSTART")
    if not keys or master is None or start is None or not series.recurs(master):
        return
    zones = Zones(whole)
    lines = [Line.make("EXDATE", *series.in_form_of(start, key, zones)) for key in keys]
    places = [at for at, item in enumerate(master.items) if isinstance(item, Line)]
    same = [at for at in places if master.items[at].name == "EXDATE"]
    at = (same or places)[-1] + 1
    master.items[at:at] = lines


def keep_zones(whole: Component, kind: str) -> Component:
    """Take out the VTIMEZONEs that nothing refers to, in place; returns the object."""
    wanted = set(texts.zones_named(whole.children(kind)))
    whole.items = [
        item
        for item in whole.items
        if not isinstance(item, Component) or item.name != "VTIMEZONE" or (item.value("TZID") or "") in wanted
    ]
    return whole


def everyone(*objects: Component | None, kind: str, but: Iterable[str]) -> list[str]:
    """The addresses invited to any of some objects, without some, each once."""
    skipped = frozenset(but)
    found = dict.fromkeys(who for whole in objects for who in parties.invited(whole, kind))
    return [who for who in found if who not in skipped]
