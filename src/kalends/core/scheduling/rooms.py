"""Rooms and resources answer for themselves: first come, first served.

What they can take is decided by their calendar, as for everybody: with ALLOW-CONFLICT:FALSE nothing
overlaps. The series, and each instance that is told apart from it, is answered by itself: a meeting that is
moved once into taken time loses the room that once, and not for the whole year. A series is accepted or
declined as a whole, for nobody can plan with every other Tuesday. What is declined stays in the calendar
only as long as something else of the same object is accepted, and takes no time.
"""

from __future__ import annotations

from collections.abc import Collection

from kalends.core.scheduling import changes, parties
from kalends.core.scheduling.delivery import Post
from kalends.core.scheduling.instances import Key, parts
from kalends.core.scheduling.people import Person
from kalends.ical.tree import Component

MAX_TRIED = 50
"""Instances told apart that are tried one by one when not all of them fit; more are declined."""


def answer(post: Post, room: Person, view: Component) -> dict[Key, str]:
    """Take an invitation as far as there is room for it, and book it.

    Args:
        post: delivers.
        room: a room or resource; its calendars are held.
        view: what it is invited to.

    Returns:
        PARTSTAT by instance: ACCEPTED or DECLINED.
    """
    found = parts(view, post.kind)
    place = post.place(room)
    if place is None:
        return dict.fromkeys(found, "DECLINED")
    taken: list[Key] = list(found)
    if not post.put(room, place, _copy(view, post.kind, room, taken), news=True):
        taken = []
        for key in list(found)[:MAX_TRIED] if len(found) > 1 else ():
            if post.put(room, place, _copy(view, post.kind, room, [*taken, key]), news=True):
                taken.append(key)
    if not taken:
        post.unbook(room)
    return {key: "ACCEPTED" if key in taken else "DECLINED" for key in found}


def _copy(view: Component, kind: str, room: Person, taken: Collection[Key]) -> Component:
    made = view.copy()
    for key, part in parts(made, kind).items():
        part.items = [item for item in part.items if item.name != "VALARM"]
        accepted = key in taken
        line = parties.attendee(part, room.addresses)
        if line is not None:
            parties.set_param(part, line, "PARTSTAT", "ACCEPTED" if accepted else "DECLINED")
        if part.name == "VEVENT" and not changes.cancelled(part):
            parties.set_value(part, "TRANSP", "OPAQUE" if accepted else "TRANSPARENT")
    return made
