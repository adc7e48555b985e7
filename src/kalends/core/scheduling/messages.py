"""Scheduling messages: the iTIP text of what happened (RFC 5546 §3.2, §3.4)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from kalends.core.defaults import PRODID
from kalends.core.scheduling import parties
from kalends.core.scheduling.instances import Key, parts
from kalends.core.scheduling.views import keep_zones
from kalends.ical.moment import utc_moment
from kalends.ical.tree import Component

_OF_REPLY = (
    "UID", "RECURRENCE-ID", "SEQUENCE", "ORGANIZER", "DTSTART", "DTEND", "DUE", "DURATION", "SUMMARY",
    "COMMENT", "PERCENT-COMPLETE", "COMPLETED",
)  # fmt: skip
"""What a REPLY repeats of the object, its ATTENDEE apart."""
SUCCESS = "2.0;Success"
CONFLICT = "4.1;Event conflict. Date/time is busy."
"""REQUEST-STATUS in iTIP's words (RFC 5546 §3.6; A-65): they are not CAP's."""


def _around(source: Component, method: str) -> Component:
    made = Component("VCALENDAR")
    made.add("VERSION", "2.0")
    made.add("PRODID", PRODID)
    made.add("METHOD", method)
    made.items += source.children("VTIMEZONE")
    return made


def _stamp(part: Component, now: int) -> None:
    parties.set_value(part, "DTSTAMP", str(utc_moment(now)))
    if part.first("SEQUENCE") is None:
        parties.set_value(part, "SEQUENCE", "0")


def request(view: Component, kind: str, now: int) -> Component:
    """The REQUEST that tells an attendee all they are invited to.

    Args:
        view: what they are to have (`views.view`); it stays as it is.
        kind: its kind.
        now: seconds since 1970 UTC.

    Source: RFC 5546 §3.2.2, §3.4.2.
    """
    made = _around(view, "REQUEST")
    for part in view.children(kind):
        twin = part.copy()
        twin.items = [item for item in twin.items if item.name != "REQUEST-STATUS"]
        _stamp(twin, now)
        made.items.append(twin)
    return made


def cancel(
    view: Component,
    kind: str,
    who: Collection[str],
    now: int,
    *,
    keys: Iterable[Key] = (),
    off: bool = True,
    step: int = 1,
) -> Component:
    """The CANCEL that takes an attendee out.

    Args:
        view: what they had.
        kind: its kind.
        who: their addresses.
        now: seconds since 1970 UTC.
        keys: the instances they lose; empty for all.
        off: nobody comes any more; else it takes place without them, and no STATUS says otherwise.
        step: what SEQUENCE has to grow by; 0 where it has grown already.

    Source: RFC 5546 §3.2.5, §3.4.5.
    """
    wanted = set(keys)
    found = parts(view, kind)
    made = _around(view, "CANCEL")
    for key, part in found.items():
        if wanted and key not in wanted:
            continue
        twin = part.copy()
        twin.items = [item for item in twin.items if item.name not in ("VALARM", "REQUEST-STATUS")]
        for line in twin.all("ATTENDEE"):
            if parties.address(line) not in who:
                twin.remove(line)
        _stamp(twin, now)
        parties.set_value(twin, "SEQUENCE", str(max(1, parties.sequence(part) + step)))
        twin.items = [item for item in twin.items if item.name != "STATUS"]
        if off:
            parties.set_value(twin, "STATUS", "CANCELLED")
        made.items.append(twin)
        if key is None and not wanted:
            break  # the series is gone with all its instances
    return keep_zones(made, kind)


def reply(
    source: Component, said: Mapping[Key, Component], me: frozenset[str], now: int, *, status: str = SUCCESS
) -> Component:
    """The REPLY with which an attendee answers.

    Args:
        source: the object, for its time zones.
        said: by instance, components with the attendee's line.
        me: the attendee's addresses.
        now: seconds since 1970 UTC.
        status: REQUEST-STATUS.

    Source: RFC 5546 §3.2.3, §3.4.3.
    """
    made = _around(source, "REPLY")
    kind = ""
    for part in said.values():
        kind = part.name
        twin = Component(kind, [line for line in part.lines if line.name in _OF_REPLY])
        _stamp(twin, now)
        line = parties.attendee(part, me)
        assert line is not None, "an answer of nobody"
        twin.items.append(line)
        twin.add("REQUEST-STATUS", status)
        parties.without_ours(twin)
        made.items.append(twin)
    return keep_zones(made, kind)
