"""Who takes part in an event or task, as its text says (RFC 5545 §3.8.4.1, §3.8.4.3; RFC 6638 §7)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from kalends.core.errors import InvalidError
from kalends.ical.errors import ICalError
from kalends.ical.param_text import Param
from kalends.ical.tree import Component, Line
from kalends.ical.values import normal_address

SCHEDULED = frozenset(("VEVENT", "VTODO"))
"""Kinds that people are invited to. A VJOURNAL is published, and nobody answers it (RFC 5546 §3.5)."""
NEEDS_ACTION = "NEEDS-ACTION"
MAX_ATTENDEES = 1_000
"""Attendees of one object that messages are sent to: larger circles are served by a shared calendar."""
_FORCED = frozenset(("REQUEST", "REPLY"))
"""What SCHEDULE-FORCE-SEND may say."""
IGNORED = "2.3"
"""SCHEDULE-STATUS of a SCHEDULE-FORCE-SEND that says something else (RFC 6638 §7.2)."""
_OURS = frozenset(("SCHEDULE-AGENT", "SCHEDULE-FORCE-SEND", "SCHEDULE-STATUS"))


def address(line: Line) -> str:
    """The calendar user address of an ATTENDEE or ORGANIZER, in the spelling used for comparison."""
    return normal_address(line.value)


def organizer(whole: Component, kind: str) -> str:
    """The organizer's address; '' when there is none."""
    for part in whole.children(kind):
        line = part.first("ORGANIZER")
        if line is not None:
            return address(line)
    return ""


def organizers(whole: Component, kind: str) -> set[str]:
    """All organizers that the components name: more than one is an error (RFC 6638 §3.2.4.2)."""
    return {address(line) for part in whole.children(kind) for line in part.all("ORGANIZER")}


def attendee(component: Component, addresses: Iterable[str]) -> Line | None:
    """The ATTENDEE line of somebody, under any of their addresses."""
    wanted = frozenset(addresses)
    return next((line for line in component.all("ATTENDEE") if address(line) in wanted), None)


def invited(whole: Component | None, kind: str) -> dict[str, Line]:
    """Everybody invited to any instance, in the order of the text, with the first line that invites them."""
    found: dict[str, Line] = {}
    if whole is not None:
        for part in whole.children(kind):
            for line in part.all("ATTENDEE"):
                found.setdefault(address(line), line)
    return found


def invites(whole: Component, kind: str, addresses: Iterable[str]) -> bool:
    """Whether any instance of an object invites somebody."""
    wanted = frozenset(addresses)
    return any(attendee(part, wanted) is not None for part in whole.children(kind))


def served(line: Line | None) -> bool:
    """Whether the server is to send messages to that party (SCHEDULE-AGENT).

    Source: RFC 6638 §7.1: SERVER is the default, and what is not known is treated as NONE.
    """
    return line is not None and (line.param("SCHEDULE-AGENT") or "SERVER").strip().upper() == "SERVER"


def partstat(line: Line | None) -> str:
    """PARTSTAT with its default; '' for nobody."""
    return "" if line is None else (line.param("PARTSTAT") or NEEDS_ACTION).strip().upper()


def forced(line: Line | None, method: str) -> bool:
    """Whether SCHEDULE-FORCE-SEND demands a message (RFC 6638 §7.2)."""
    return line is not None and (line.param("SCHEDULE-FORCE-SEND") or "").strip().upper() == method


def settle_forced(whole: Component, kind: str) -> None:
    """Keep no SCHEDULE-FORCE-SEND, and say of one that is not known that it was ignored, in place.

    Source: RFC 6638 §7.2.
    """
    for part in whole.children(kind):
        for name in ("ATTENDEE", "ORGANIZER"):
            for line in part.all(name):
                value = line.param("SCHEDULE-FORCE-SEND")
                if value is None:
                    continue
                others = [param for param in line.params if param[0] != "SCHEDULE-FORCE-SEND"]
                kept = with_params(line, others)
                if value.strip().upper() not in _FORCED:
                    kept = with_param(kept, "SCHEDULE-STATUS", IGNORED)
                part.replace(line, kept)


def with_param(line: Line, name: str, value: str | None) -> Line:
    """The line with a parameter set, or taken away; the same line when it is so already."""
    had = line.param(name)
    if had == value or (value is None and not line.param_values(name) and had is None):
        return line
    params = [
        (key, (value,) if key == name and value is not None else values)
        for key, values in line.params
        if key != name or value is not None
    ]
    if value is not None and had is None:
        params.append((name, (value,)))
    return with_params(line, params)


def with_params(line: Line, params: Sequence[Param]) -> Line:
    """The line with other parameters.

    Raises:
        InvalidError: it has parameters without a proper name, so that it cannot be written anew.
    """
    try:
        return line.with_params(tuple(params))
    except ICalError as error:
        raise InvalidError(f"{line.name}: {error.reason}") from error


def set_param(component: Component, line: Line, name: str, value: str | None) -> None:
    """Set or take away a parameter of one of a component's lines, in place."""
    changed = with_param(line, name, value)
    if changed is not line:
        component.replace(line, changed)


def set_status(whole: Component, kind: str, prop: str, whose: Iterable[str], status: str) -> None:
    """The same as `set_statuses` for one party with all their addresses."""
    set_statuses(whole, kind, prop, dict.fromkeys(whose, status))


def set_statuses(whole: Component, kind: str, prop: str, statuses: Mapping[str, str]) -> None:
    """Write SCHEDULE-STATUS on all lines of some parties, in place.

    Args:
        whole: the object.
        kind: its kind.
        prop: ATTENDEE or ORGANIZER.
        statuses: by address; lines of others stay as they are.

    Source: RFC 6638 §7.3.
    """
    if not statuses:
        return
    for part in whole.children(kind):
        for at, item in enumerate(part.items):
            if item.name != prop or not isinstance(item, Line):
                continue
            status = statuses.get(address(item))
            if status is not None:
                part.items[at] = with_param(item, "SCHEDULE-STATUS", status)


def without_ours(component: Component) -> None:
    """Take away what only a store and its client tell each other, in place (RFC 6638 §7.1 to §7.3)."""
    for at, item in enumerate(component.items):
        if isinstance(item, Line) and item.name in ("ATTENDEE", "ORGANIZER") and item.params:
            kept = [param for param in item.params if param[0] not in _OURS]
            if len(kept) != len(item.params):
                component.items[at] = with_params(item, kept)


def sequence(component: Component) -> int:
    """SEQUENCE; 0 when it is missing or no number."""
    text = (component.value("SEQUENCE") or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def set_value(component: Component, name: str, value: str) -> None:
    """Give a component the one line of a name, in place; nothing changes when it says so already."""
    line = component.first(name)
    if line is None:
        lines = [at for at, item in enumerate(component.items) if isinstance(item, Line)]
        component.items.insert(lines[-1] + 1 if lines else 0, Line.make(name, value))
    elif line.value != value:
        component.replace(line, line.with_value(value))
