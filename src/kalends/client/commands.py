"""Commands as the client writes them (RFC 4324 §10): one function for each verb, no I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from kalends.ical.param_text import Param
from kalends.ical.tree import Component, Line, parse_all

PRODID = "-//Kalends//client//EN"
LARGEST_COMMAND = 1024 * 1024
"""Octets after which a CREATE of many objects goes on in the next command: one window of the other side."""
HEADER = b"Content-Type: text/calendar\r\n\r\n"
_CONTROL = re.compile("[\x00-\x08\x0a-\x1f\x7f]")
_SPACE = re.compile(r"\s*[\r\n]+\s*")

Calendars = str | bytes | Component
"""What may be created: iCalendar text, or a component (a VCALENDAR, or what stands in one)."""
Queries = str | Component | Sequence[str]
"""What selects: a CAL-QUERY, several of them, or a whole VQUERY."""


@dataclass(frozen=True, slots=True)
class Command:
    """One command, not yet numbered.

    Attributes:
        verb: upper-case name. targets: containers, as written on the wire.
        items: what follows CMD and TARGET in the VCALENDAR.
        params: further parameters of CMD.
        text: the whole VCALENDAR when the caller wrote it; everything else is then empty.
        latency: seconds after which it is to be answered whatever there is; None for the session's setting.
    """

    verb: str
    targets: tuple[str, ...] = ()
    items: tuple[Line | Component, ...] = ()
    params: tuple[Param, ...] = ()
    text: bytes | None = None
    latency: int | None = None

    def payload(self, command_id: str, latency: int | None = None, ask: bool = False) -> bytes:
        """Write the command as a BEEP payload.

        Args:
            command_id: value of the ID parameter, unique among the commands under way.
            latency: seconds; None for no bound.
            ask: whether the server asks (ACTION=ASK) or aborts when the time is over.

        Source: RFC 4324 §10.1.
        """
        if self.text is not None:
            return HEADER + self.text
        named = any(name == "ID" for name, _ in self.params)
        params = self.params if named else (("ID", (command_id,)), *self.params)
        if latency is not None:
            params += (("LATENCY", (str(latency),)), ("ACTION", ("ASK" if ask else "ABORT",)))
        calendar = Component("VCALENDAR")
        calendar.add("VERSION", "2.0")
        calendar.add("PRODID", PRODID)
        calendar.add("CMD", self.verb, *params)
        for target in self.targets:
            calendar.add("TARGET", target)
        calendar.items.extend(self.items)
        return HEADER + calendar.to_bytes()


def wire(text: str, what: str) -> str:
    """Check that a value fits on one content line.

    Raises:
        ValueError: it is empty or holds control characters.
    """
    if not text or _CONTROL.search(text):
        raise ValueError(f"{what} must be one line of text, not {text[:40]!r}")
    return text


def _targets(targets: Iterable[str]) -> tuple[str, ...]:
    checked = tuple(wire(target, "a target") for target in targets)
    if not checked:
        raise ValueError("no target: name at least one calendar")
    return checked


def vquery(query: Queries, *, expand: bool = False, source: str | None = None) -> Component:
    """Write a VQUERY.

    Args:
        query: one or several CAL-QUERYs, line breaks in them count as spaces; or a finished VQUERY.
        expand: ask for instances instead of recurring components.
        source: the container to look in, where that is not the TARGET (MOVE; A-55).

    Raises:
        ValueError: a query is empty or holds control characters.

    Source: RFC 4324 §9.6.
    """
    if isinstance(query, Component):
        return query
    box = Component("VQUERY")
    if expand:
        box.add("EXPAND", "TRUE")
    if source is not None:
        box.add("TARGET", wire(source, "a source"))
    queries = [query] if isinstance(query, str) else list(query)
    if not queries:
        raise ValueError("no query")
    for text in queries:
        box.add("QUERY", wire(_SPACE.sub(" ", text.strip()), "a query"))
    return box


def capability() -> Command:
    """GET-CAPABILITY (§10.7)."""
    return Command("GET-CAPABILITY")


def generate_uid(count: int) -> Command:
    """GENERATE-UID (§10.6)."""
    if count < 1:
        raise ValueError("the number of UIDs must be positive")
    return Command("GENERATE-UID", params=(("OPTIONS", (str(count),)),))


def identify(upn: str | None) -> Command:
    """IDENTIFY (§10.8); None goes back to the authenticated identity."""
    params: tuple[Param, ...] = () if upn is None else (("OPTIONS", (wire(upn, "a UPN"),)),)
    return Command("IDENTIFY", params=params)


def search(query: Queries, targets: Iterable[str], *, expand: bool = False) -> Command:
    """SEARCH (§10.12)."""
    return Command("SEARCH", _targets(targets), (vquery(query, expand=expand),))


def poll(target: str, since: int, latency: int) -> Command:
    """SEARCH for what changes after a tick: answered when there is something, or `latency` is over."""
    query = f"SELECT * FROM X-KALENDS-CHANGE WHERE X-KALENDS-TICK > '{since}'"  # noqa: S608 - CAL-QUERY, a number
    return Command("SEARCH", _targets((target,)), (vquery(query),), latency=latency)


def abort(command_id: str) -> Command:
    """ABORT (§10.2) of the command with that ID."""
    return Command("ABORT", params=(("ID", (command_id,)),))


def create(what: Calendars, targets: Iterable[str], largest: int = LARGEST_COMMAND) -> list[Command]:
    """CREATE (§10.4): a command for each VCALENDAR in `what`, several for a large one.

    Args:
        what: text or component.
        targets: the calendars.
        largest: octets after which a new command begins; the components of one UID stay together, and the
            time zones go along with each command.

    Raises:
        ICalError: the text can't be read.
        ValueError: there is nothing in it.
    """
    named = _targets(targets)
    roots = [what] if isinstance(what, Component) else parse_all(what)
    commands: list[Command] = []
    loose: list[Line | Component] = []
    for root in roots:
        if root.name == "VCALENDAR":
            commands += [Command("CREATE", named, items) for items in _portions(root, largest)]
        else:
            loose.append(root)
    if loose:
        commands.append(Command("CREATE", named, tuple(loose)))
    if not commands:
        raise ValueError("there is nothing to create")
    return commands


_OURS = frozenset(("VERSION", "PRODID", "CMD", "TARGET"))


def _portions(calendar: Component, largest: int) -> Iterator[tuple[Line | Component, ...]]:
    """The contents of a VCALENDAR, in portions of about so many octets; never an object in two of them."""
    contents = [item for item in calendar.items if isinstance(item, Component) or item.name not in _OURS]
    if len(calendar.to_ics()) <= largest:
        yield tuple(contents)
        return
    shared = [item for item in contents if isinstance(item, Line) or item.name == "VTIMEZONE"]
    objects: dict[str, list[Component]] = {}
    for number, item in enumerate(contents):
        if isinstance(item, Component) and item.name != "VTIMEZONE":
            objects.setdefault(item.value("UID") or f"\0{number}", []).append(item)
    portion: list[Line | Component] = []
    octets = 0
    for parts in objects.values():
        size = sum(len(part.to_bytes()) for part in parts)
        if portion and octets + size > largest:
            yield (*shared, *portion)
            portion, octets = [], 0
        portion += parts
        octets += size
    yield (*shared, *portion)


def modify(query: Queries, old: Calendars, new: Calendars, targets: Iterable[str]) -> Command:
    """MODIFY (§10.9).

    Args:
        query: selects the components.
        old: a component with the values to be replaced.
        new: one of the same type with the values to come.
        targets: the calendars.

    Raises:
        ValueError: old and new are not one component each, of the same type.
        ICalError: they can't be read.
    """
    before, after = component_of(old), component_of(new)
    if before.name != after.name:
        raise ValueError(f"old values are a {before.name}, new values a {after.name}")
    return Command("MODIFY", _targets(targets), (vquery(query), before, after))


def component_of(what: Calendars) -> Component:
    """The one component meant by a text: itself, or the only one in a VCALENDAR beside time zones.

    Raises:
        ICalError: the text can't be read. ValueError: there is not exactly one.
    """
    roots = [what] if isinstance(what, Component) else parse_all(what)
    inner: list[Component] = []
    for root in roots:
        inner += root.components if root.name == "VCALENDAR" else [root]
    found = [c for c in inner if c.name != "VTIMEZONE"] or inner
    if len(found) != 1:
        raise ValueError(f"{len(found)} components, one expected")
    return found[0]


def move(query: Queries, to: str, *, source: str | None = None) -> Command:
    """MOVE (§10.10): TARGET is where to, the VQUERY says what and from where."""
    return Command("MOVE", _targets((to,)), (vquery(query, source=source),))


def delete(query: Queries, targets: Iterable[str], *, mark: bool = False) -> Command:
    """DELETE (§10.5); with `mark` the objects get the state DELETED."""
    params: tuple[Param, ...] = (("OPTIONS", ("MARK",)),) if mark else ()
    return Command("DELETE", _targets(targets), (vquery(query),), params)


def raw(command: Calendars) -> Command:
    """A command as the caller wrote it, sent octet for octet.

    Raises:
        ICalError: it can't be read. ValueError: it has no CMD.
    """
    data = command.to_bytes() if isinstance(command, Component) else command
    octets = data.encode() if isinstance(data, str) else data
    roots = parse_all(octets)
    verbs = [line for root in roots for line in root.all("CMD")]
    if not roots or len(verbs) < len(roots):
        raise ValueError("every VCALENDAR of a command needs a CMD property")
    return Command(verbs[0].value.rpartition(":")[2].strip().upper(), text=octets)


def reply(verb: str, command_id: str | None, lines: Sequence[tuple[str, str]] = ()) -> bytes:
    """An answer of ours to a command of the server, or CONTINUE or ABORT in answer to TIMEOUT.

    Args:
        verb: REPLY, CONTINUE or ABORT.
        command_id: the ID to repeat; None when there was none.
        lines: properties of the VREPLY; none leaves it out.

    Source: RFC 4324 §10.7, §10.11, §10.1.1.
    """
    calendar = Component("VCALENDAR")
    calendar.add("VERSION", "2.0")
    calendar.add("PRODID", PRODID)
    params: tuple[Param, ...] = () if command_id is None else (("ID", (command_id,)),)
    calendar.add("CMD", verb, *params)
    if lines:
        box = Component("VREPLY")
        for name, value in lines:
            box.add(name, value)
        calendar.items.append(box)
    return HEADER + calendar.to_bytes()
