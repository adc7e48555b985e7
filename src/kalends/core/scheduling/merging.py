"""What others answered since a client read an object, put into what it writes (RFC 6638 §3.2.10.1)."""

from __future__ import annotations

from collections.abc import Sequence

from kalends.core.scheduling import facts, parties, replies
from kalends.core.scheduling.instances import Key, excluded, made, parts, ranges
from kalends.ical.tree import Component, Line

_TOLD = ("PARTSTAT", "DELEGATED-TO", "DELEGATED-FROM", "SENT-BY")


def merge(old: Component, new: Component, kind: str, mine: frozenset[str]) -> None:
    """Let everybody else's answers be as they are here, in place.

    An answer about a single instance gave it a component of its own, which a client that did not see it
    leaves out; it is put back. One that its client changed in any other way was the client's to leave out.

    Args:
        old: the object as it is.
        new: as the client wants it; changed.
        kind: its kind.
        mine: the addresses of whose object it is; they speak for themselves.
    """
    had, come = parts(old, kind), parts(new, kind)
    old_spans, new_spans = ranges(old, kind), ranges(new, kind)
    gone = excluded(come.get(None), new)
    for key, was in had.items():
        base = come.get(key)
        if base is None:
            if key is None or key in gone or not _tells_answers_only(old, kind, key, was, old_spans):
                continue
            base = made(new, kind, key, spans=new_spans)
        if base is None:
            continue
        for line in was.all("ATTENDEE"):
            who = frozenset((parties.address(line),))
            there = parties.attendee(base, who)
            if not who & mine and there is not None and _answer(there) != _answer(line):
                replies.put_in(new, kind, {key: was}, who, trusted=True)


def _answer(line: Line) -> list[tuple[str, tuple[str, ...]]]:
    """What an attendee says, in a form that can be compared."""
    kept = [(name, values) for name, values in line.params if name in _TOLD]
    return sorted(one for one in kept if one != ("PARTSTAT", (parties.NEEDS_ACTION,)))


def _tells_answers_only(
    old: Component, kind: str, key: Key, was: Component, spans: Sequence[Component]
) -> bool:
    """Whether a component says nothing but who comes to that instance."""
    assert key is not None, "the master is no instance"
    rule = made(old, kind, key, spans=spans)
    return rule is not None and _apart_from_answers(rule) == _apart_from_answers(was)


def _apart_from_answers(component: Component) -> set[str]:
    without = frozenset((*_TOLD, "RSVP", "SCHEDULE-STATUS", "SCHEDULE-FORCE-SEND", "SCHEDULE-AGENT"))
    return facts.facts(component, without=without)
