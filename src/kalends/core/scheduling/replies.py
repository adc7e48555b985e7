"""A REPLY put into the organizer's object (RFC 5546 §3.2.3, §3.4.3; RFC 6638 §4.2)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from kalends.core.scheduling import parties
from kalends.core.scheduling.instances import Key, add, made, parts
from kalends.ical.tree import Component, Line
from kalends.ical.values import normal_address

DONE = "2.0"
"""SCHEDULE-STATUS of an attendee who answered (RFC 6638 §3.2.9)."""
MAX_CODES = 10
"""Status codes that are kept of one answer."""
_CODE = re.compile(r"[1-9]\.[0-9]{1,3}(\.[0-9]{1,3})?")
MAX_DELEGATES = 10
"""Delegates of one attendee who are invited: each gets a message in the organizer's name."""
_TAKEN = frozenset(("PARTSTAT", "DELEGATED-TO", "DELEGATED-FROM", "SENT-BY"))


def put_in(
    whole: Component,
    kind: str,
    said: Mapping[Key, Component],
    who: frozenset[str],
    *,
    trusted: bool = False,
) -> set[Key]:
    """Write an attendee's answers into the organizer's object, in place.

    An answer about an instance that the rule makes gives it a component of its own. One that is older than
    the object, or of somebody who is not invited and nobody's delegate, is left for the organizer to judge.

    Args:
        whole: the organizer's object; changed.
        kind: its kind.
        said: by instance, components with the attendee's line.
        who: the attendee's addresses.
        trusted: the answer is about the object as it is now, whatever SEQUENCE says, and no message; the
            REQUEST-STATUS of a message is kept as SCHEDULE-STATUS.

    Returns:
        The instances that were answered.
    """
    done: set[Key] = set()
    for key, part in sorted(said.items(), key=lambda one: (one[0] is not None, one[0] or 0)):
        line = parties.attendee(part, who)
        target = parts(whole, kind).get(key)
        fresh = target is None
        if target is None and key is not None:
            target = made(whole, kind, key)
        if target is None or line is None:
            continue
        if not trusted and parties.sequence(part) < parties.sequence(target):
            continue
        if not _answer(target, line, part, who, DONE if trusted else _status(part)):
            continue
        if fresh:
            add(whole, target)
        done.add(key)
    return done


def _status(part: Component) -> str:
    """The codes of a reply's REQUEST-STATUS, several with commas (RFC 6638 §4.2)."""
    said = [line.value.partition(";")[0].strip() for line in part.all("REQUEST-STATUS")]
    codes = dict.fromkeys(code for code in said if _CODE.fullmatch(code))
    return ",".join(list(codes)[:MAX_CODES]) or DONE


def _answer(target: Component, line: Line, part: Component, who: frozenset[str], status: str) -> bool:
    had = parties.attendee(target, who)
    if had is None:
        return _crash(target, line, status)
    params = [param for param in had.params if param[0] not in _TAKEN]
    params += [param for param in line.params if param[0] in _TAKEN]
    names = {name for name, _ in line.params}
    if "PARTSTAT" not in names:
        params.append(("PARTSTAT", (parties.NEEDS_ACTION,)))
    params = [param for param in params if param[0] not in ("RSVP", "SCHEDULE-STATUS")]
    params.append(("SCHEDULE-STATUS", (status,)))
    target.replace(had, parties.with_params(had, params))
    for uri in list(line.param_values("DELEGATED-TO"))[:MAX_DELEGATES]:
        _invite_delegate(target, part, normal_address(uri), line)
    return True


def _invite_delegate(target: Component, part: Component, delegate: str, by: Line) -> None:
    """Put a delegate on the list, as whoever delegates to them wrote it (RFC 5546 §3.2.2.3)."""
    if not delegate or not delegate.isprintable() or parties.attendee(target, (delegate,)) is not None:
        return
    line = parties.attendee(part, (delegate,))
    if line is None:
        line = Line.make("ATTENDEE", delegate, (("RSVP", ("TRUE",)),))
    line = parties.with_param(line, "DELEGATED-FROM", by.value.strip())
    target.items.insert(_after_attendees(target), line)


def _crash(target: Component, line: Line, status: str) -> bool:
    """An answer of somebody who is not on the list: a delegate of somebody who is, or nobody we know.

    That they were sent is believed of who sent them only: else anybody who knows the UID gets on the list.
    """
    from_whom = {normal_address(uri) for uri in line.param_values("DELEGATED-FROM")}
    sender = parties.attendee(target, from_whom)
    sent = () if sender is None else map(normal_address, sender.param_values("DELEGATED-TO"))
    if parties.address(line) not in sent:
        return False
    target.items.insert(_after_attendees(target), parties.with_param(line, "SCHEDULE-STATUS", status))
    return True


def _after_attendees(target: Component) -> int:
    places = [at for at, item in enumerate(target.items) if item.name == "ATTENDEE"]
    return places[-1] + 1 if places else len(target.lines)
