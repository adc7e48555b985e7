"""Calendars of others that stand in one's own home: computed from rights, never kept.

What is kept is what somebody made of one: that they left it, and their own name, colour and order for it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from kalends.core import agendas
from kalends.core.access.judges import Authority
from kalends.core.access.presets import DELEGATED
from kalends.core.access.upns import parse_filter
from kalends.core.errors import DuplicateError, NotFoundError, QuotaError
from kalends.core.model import Caller
from kalends.ical.tree import Component, Line, parse_all
from kalends.ical.values import escape_text, unescape_text
from kalends.store import calendars, groups, mounts, principals, reach
from kalends.store import errors as store
from kalends.store.base import Tx
from kalends.store.calendars import CalendarRow
from kalends.store.mounts import MountRow
from kalends.store.principals import PrincipalRow

BETWEEN = "~"
"""What stands between the owner's name and the calendar's in the segment of a shared calendar."""
DEAD = "X-KALENDS-PROPERTY"
OWN = ("NAME", "X-APPLE-CALENDAR-COLOR", "X-KALENDS-ORDER", "X-KALENDS-TRANSP", DEAD)
"""Properties that everybody sets for themselves, without changing the calendar."""
MAX_LENGTH = 1_000_000
"""Characters of somebody's own properties of one calendar."""


@dataclass(frozen=True, slots=True)
class Mount:
    """A calendar of somebody else in one's own home.

    Attributes:
        calendar: the calendar.
        owner: the principal in whose home it lies.
        authority: what rights let the sharer do there.
        slug: its segment in this home.
        props: one's own properties of it, as the text of a VAGENDA; '' for none.
    """

    calendar: CalendarRow
    owner: PrincipalRow
    authority: Authority
    slug: str
    props: str = ""


def mounted(tx: Tx, caller: Caller) -> list[Mount]:
    """The calendars in other homes that are shared with the caller by name or through a group, by CALID.

    What is shared with everybody stands in nobody's home; nor does what one sees as somebody's delegate.
    """
    who = caller.identity
    if who.principal_id is None:
        return []
    named = reach.naming(tx, (who.upn, *sorted(who.groups)), besides=DELEGATED)
    kept = mounts.of(tx, who.principal_id) if named else {}
    found: list[Mount] = []
    for calendar in sorted(calendars.many(tx, named).values(), key=lambda row: row.calid):
        row = kept.get(calendar.id)
        if (row is None or not row.hidden) and _elsewhere(calendar, who.principal_id):
            one = _mount(tx, caller, calendar, row)
            if one is not None:
                found.append(one)
    return found


def _authority(tx: Tx, caller: Caller, calendar: CalendarRow) -> Authority | None:
    """What rights let the caller do, if they show them properties of the calendar.

    What administrators may do besides rights is left out, or all calendars would be in their homes.
    """
    named = replace(caller, identity=replace(caller.identity, admin=False))
    found = Authority(tx, named, calendar)
    return found if found.owner or found.sight().of(agendas.properties(tx, calendar)) is not None else None


def at(tx: Tx, caller: Caller, slug: str) -> Mount | None:
    """The calendar of somebody else at a segment of the caller's own home, or None."""
    who = caller.identity
    if who.principal_id is None:
        return None
    row = mounts.by_slug(tx, who.principal_id, slug)
    if row is not None:
        calendar = None if row.hidden else calendars.by_id(tx, row.calendar_id)
    else:
        calendar = _named(tx, slug)
        row = None if calendar is None else mounts.by_calendar(tx, who.principal_id, calendar.id)
        if row is not None:  # it has another segment, or was left
            return None
    if calendar is None or not _elsewhere(calendar, who.principal_id):
        return None
    return _mount(tx, caller, calendar, row)


def _elsewhere(calendar: CalendarRow, principal_id: int) -> bool:
    return calendar.home_id is not None and calendar.home_id != principal_id and calendar.slug is not None


def _mount(tx: Tx, caller: Caller, calendar: CalendarRow, row: MountRow | None) -> Mount | None:
    assert calendar.home_id is not None, "see _elsewhere"
    authority = _authority(tx, caller, calendar)
    owner = None if authority is None else principals.by_id(tx, calendar.home_id)
    if authority is None or owner is None:
        return None
    slug = f"{owner.slug}{BETWEEN}{calendar.slug}" if row is None else row.slug
    return Mount(calendar, owner, authority, slug, "" if row is None else row.props)


def _named(tx: Tx, slug: str) -> CalendarRow | None:
    """The calendar that a computed segment means; both names may hold a '~'."""
    parts = slug.split(BETWEEN)
    for cut in range(1, min(len(parts), 10)):
        owner = principals.by_slug(tx, BETWEEN.join(parts[:cut]))
        if owner is not None:
            found = calendars.by_slug(tx, owner.id, BETWEEN.join(parts[cut:]))
            if found is not None:
                return found
    return None


def leave(tx: Tx, caller: Caller, mount: Mount) -> None:
    """Take a shared calendar out of one's home; its owner's calendar, and one's rights, stay as they are."""
    _keep(tx, caller, mount, mount.props, hidden=True)


def offer(tx: Tx, calendar_id: int, whom: str) -> None:
    """Put a calendar back into the homes of those with whom it is shared anew, should they have left it.

    Args:
        tx: a write transaction.
        calendar_id: the calendar.
        whom: a UPN-FILTER; only one that names a user or a group puts it into homes.
    """
    read = parse_filter(whom)
    row = principals.by_upn(tx, read.name) if read.form == "one" else None
    gone = mounts.left(tx, calendar_id) if row is not None else set()
    if row is None or not gone:
        return
    if row.kind != "group":
        mounts.show(tx, {row.id} & gone, calendar_id)
        return
    for principal_id in gone:
        if row.id in groups.groups_of(tx, principal_id):
            mounts.show(tx, (principal_id,), calendar_id)


def left(tx: Tx, calendar_id: int) -> set[int]:
    """Who took a calendar that is shared with them out of their home: rows of principals."""
    return mounts.left(tx, calendar_id)


def personalise(tx: Tx, caller: Caller, mount: Mount, held: Component) -> None:
    """Keep one's own properties of a shared calendar.

    Args:
        tx: a write transaction.
        caller: whose.
        mount: the calendar.
        held: a VAGENDA with the properties in `OWN`, and no others.

    Raises:
        QuotaError: too much of it.
    """
    props = held.to_ics() if held.items else ""
    if len(props) > MAX_LENGTH:
        raise QuotaError(f"one's own properties of a calendar have at most {MAX_LENGTH} characters")
    _keep(tx, caller, mount, props, hidden=False)


def _keep(tx: Tx, caller: Caller, mount: Mount, props: str, *, hidden: bool) -> None:
    who = caller.identity.principal_id
    if who is None:
        raise NotFoundError("this calendar is in nobody's home")
    try:
        mounts.put(tx, MountRow(who, mount.calendar.id, mount.slug, props, hidden))
    except store.DuplicateError as error:
        raise DuplicateError("another calendar has this path") from error


def own(mount: Mount) -> Component:
    """One's own properties of a shared calendar: a VAGENDA that may be changed."""
    return parse_all(mount.props)[0] if mount.props else Component("VAGENDA")


def overlaid(shown: Component, mount: Mount, owner: str) -> Component:
    """A shared calendar's properties as its sharer sees them.

    Args:
        shown: what rights show of its VAGENDA.
        mount: with one's own properties.
        owner: the owner's name, which stands behind the calendar's where one gave it none of one's own: most
            people's calendars are called alike.
    """
    made, mine = shown.copy(), own(mount)
    for name in OWN:
        lines = mine.all(name)
        if name == "NAME" and not lines:
            lines = [_title(shown, mount, owner)]
        for line in lines:
            for held in made.all(name):
                if name != DEAD or held.param("X-NAME") == line.param("X-NAME"):
                    made.remove(held)
        made.items.extend(lines)
    return made


def _title(shown: Component, mount: Mount, owner: str) -> Line:
    held = shown.all("NAME")
    line = next((one for one in held if not one.params), held[0] if held else None)
    title = unescape_text(line.value) if line is not None else mount.calendar.slug or ""
    return Line.make("NAME", escape_text(f"{title} ({owner})"))
