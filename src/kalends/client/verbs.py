"""What a client can do, as procedures without I/O: they yield commands and are handed the replies.

The blocking and the asyncio shell drive the same procedures, so that both do the same.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from typing import TypeAlias, TypeVar

from kalends.calquery.literals import write_literal
from kalends.client import commands
from kalends.client.commands import Calendars, Command, Queries
from kalends.client.errors import ReplyError, refusal
from kalends.client.results import Capability, Change, Found, Outcome, Reply, Result, Status
from kalends.ical.errors import ICalError
from kalends.ical.tree import Component

T = TypeVar("T")
Procedure: TypeAlias = Generator[Command, list[Reply], T]
"""Yields commands, is sent the replies to each, returns its result."""

WITH_UID = ("VEVENT", "VTODO", "VJOURNAL")
"""Components that hold a UID and can be stored: each needs a QUERY of its own to be found (QRY-26)."""


def by_uid(select: str, kind: str, uid: str, state: str | None = None) -> str:
    """The CAL-QUERY for one UID.

    Args:
        select: what to return, e.g. "*".
        kind: component name.
        uid: the identifier, any text.
        state: BOOKED, UNPROCESSED or DELETED; None for the first two.
    """
    also = f" AND STATE() = '{state}'" if state else ""
    return f"SELECT {select} FROM {kind} WHERE UID = {write_literal(uid)}{also}"  # noqa: S608  no SQL: quoted CAL-QUERY


class Finder:
    """Turns the replies to a SEARCH into what was found, one after the other; refusals come last."""

    def __init__(self) -> None:
        self._refusals: list[tuple[Status, str]] = []
        self._query = 0

    def take(self, reply: Reply) -> Iterator[Found]:
        """What one reply holds.

        Raises:
            ReplyError: a component in it can't be read.
        """
        for number, result in enumerate(reply.results):
            self._refusals += [(status, reply.target) for status in result.statuses if not status.ok]
            try:
                yield from self._found(reply, result, number)
            except ICalError as error:
                raise ReplyError(f"the server sent what is no component: {error.reason}") from None

    def _found(self, reply: Reply, result: Result, number: int) -> Iterator[Found]:
        if result.properties:
            bare = Component("VREPLY", list(result.properties))
            yield Found(reply.target, bare, None, reply.method, number)
        for component in result.components():
            status = None
            first = component.items[0] if component.items else None
            if first is not None and not isinstance(first, Component) and first.name == "REQUEST-STATUS":
                status = Status.read(first)
                component.remove(first)
            yield Found(reply.target, component, status, reply.method, number)

    def finish(self) -> None:
        """Say at the end what was refused.

        Raises:
            RefusedError: at least one target or query was.
        """
        if self._refusals:
            status, target = self._refusals[0]
            raise refusal("SEARCH", status, target)


def outcomes(reply: Reply) -> Iterator[Outcome]:
    """What a reply says of each object, be it flat in the VREPLY or inside of components (A-22)."""
    for result in reply.results:
        inside = 0
        for component in result.components():
            line = component.first("REQUEST-STATUS")
            if line is not None:
                inside += 1
                yield Outcome.of(reply, component.lines, Status.read(line))
        for status in result.statuses:
            if inside and status.ok and not any(True for _ in result.properties):
                continue  # the VREPLY's own 2.0 above components that speak for themselves
            yield Outcome.of(reply, result.properties, status)


def _judge(verb: str, replies: Iterable[Reply], check: bool) -> list[Outcome]:
    try:
        found = [outcome for reply in replies for outcome in outcomes(reply)]
    except ICalError as error:
        raise ReplyError(f"the server sent what is no component: {error.reason}") from None
    if verb == "DELETE":
        found = [_deleted(outcome) for outcome in found]
    if check:
        for outcome in found:
            if not outcome.ok:
                raise refusal(verb, outcome.status, outcome.target, found)
    return found


def _deleted(outcome: Outcome) -> Outcome:
    """An example of RFC 4324 §10.5 says 3.0 for a successful DELETE (A-19)."""
    if outcome.status.code != "3.0":
        return outcome
    return Outcome(
        outcome.target,
        outcome.id_name,
        outcome.id_value,
        Status("2.0", outcome.status.text),
        outcome.recurrence,
        outcome.method,
    )


def do(command: Command, *, check: bool = True) -> Procedure[list[Outcome]]:
    """Any command that answers with outcomes.

    Args:
        command: the command.
        check: raise when anything was refused.

    Raises:
        RefusedError: something was refused; it tells all outcomes.
    """
    replies = yield command
    return _judge(command.verb, replies, check)


def create(
    what: Calendars, targets: Iterable[str], *, check: bool = True, largest: int = 0
) -> Procedure[list[Outcome]]:
    """CREATE everything in `what`; commands that were refused do not stop the ones behind them.

    Args:
        what: text or component.
        targets: the calendars.
        check: raise when anything was refused.
        largest: what the server accepts at most in one message, octets; 0 for no limit.
    """
    done: list[Outcome] = []
    portion = min(commands.LARGEST_COMMAND, largest // 2 or commands.LARGEST_COMMAND)
    for command in commands.create(what, targets, portion):
        replies = yield command
        done += _judge(command.verb, replies, check=False)
    if check:
        for outcome in done:
            if not outcome.ok:
                raise refusal("CREATE", outcome.status, outcome.target, done)
    return done


def capability() -> Procedure[Capability]:
    """GET-CAPABILITY."""
    replies = yield commands.capability()
    _statuses("GET-CAPABILITY", replies)
    results = [result for reply in replies for result in reply.results]
    if not results:
        raise ReplyError("the server told no capabilities")
    return Capability.read(results[0].lines)


def generate_uids(count: int) -> Procedure[list[str]]:
    """GENERATE-UID."""
    replies = yield commands.generate_uid(count)
    _statuses("GENERATE-UID", replies)
    uids = [
        line.value.strip()
        for reply in replies
        for result in reply.results
        for line in result.lines
        if line.name == "UID"
    ]
    if len(uids) != count:
        raise ReplyError(f"asked for {count} UIDs, was given {len(uids)}")
    return uids


def identify(upn: str | None) -> Procedure[None]:
    """IDENTIFY."""
    replies = yield commands.identify(upn)
    _statuses("IDENTIFY", replies)


def _statuses(verb: str, replies: Iterable[Reply]) -> None:
    for reply in replies:
        for status in reply.statuses:
            if not status.ok:
                raise refusal(verb, status, reply.target)


def find_uid(uid: str, targets: Iterable[str], supported: frozenset[str]) -> Procedure[list[Found]]:
    """Find everything with a UID, whatever its type, by one QUERY for each type the server stores.

    Source: RFC 4324 §6.1.1.14; QRY-26.
    """
    kinds = [kind for kind in WITH_UID if kind in supported] or list(WITH_UID)
    queries = [by_uid("*", kind, uid) for kind in kinds]
    finder = Finder()
    replies = yield commands.search(queries, targets)
    found = [one for reply in replies for one in finder.take(reply)]
    finder.finish()
    return found


def tick(target: str) -> Procedure[int]:
    """The calendar's counter of changes.

    Raises:
        ReplyError: the server does not count.
    """
    watching = Watching(target, None, 0)
    replies = yield watching.command()
    watching.take(replies)
    assert watching.since is not None
    return watching.since


class Watching:
    """A calendar being watched: which command to send next, and what its answer tells.

    Args:
        target: the calendar.
        since: the tick from which on changes are told; None for from now on.
        latency: seconds one command may wait.
    """

    def __init__(self, target: str, since: int | None, latency: int) -> None:
        self.target = target
        self.since = since
        self._latency = latency

    def command(self) -> Command:
        """What to ask next."""
        if self.since is None:
            return commands.search("SELECT X-KALENDS-TICK FROM VAGENDA", (self.target,))
        return commands.poll(self.target, self.since, self._latency)

    def take(self, replies: Iterable[Reply]) -> list[Change]:
        """What an answer tells.

        Raises:
            RefusedError: the calendar may not be watched. ReplyError: the server does not count changes.
        """
        finder = Finder()
        found = [one.component for reply in replies for one in finder.take(reply)]
        finder.finish()
        if self.since is None:
            ticks = [value for part in found if (value := part.value("X-KALENDS-TICK")) is not None]
            if len(ticks) != 1 or not ticks[0].isascii() or not ticks[0].isdecimal():
                raise ReplyError("this server does not tell what changes")
            self.since = int(ticks[0])
            return []
        told = [change for part in found if (change := Change.read(part)) is not None]
        self.since = max([self.since, *(change.tick for change in told)])
        return told


def book(what: Calendars, target: str, *, mark: bool = False) -> Procedure[list[Outcome]]:
    """Book an object and clear away the scheduling messages it came from.

    What is booked under that UID already is replaced; then the UNPROCESSED objects of the UID are removed,
    or with `mark` put in state DELETED, as RFC 4324 asks of a CUA.

    Args:
        what: one component (with its overrides, in one VCALENDAR) without METHOD.
        target: the calendar.
        mark: keep the left-overs in state DELETED.

    Raises:
        ValueError: `what` has no UID, or is not one object.
        RefusedError: the server refused; then the messages are left where they are.

    Source: RFC 4324 §2.2; OBM-10.
    """
    calendar = _one_object(what)
    parts = [part for part in calendar.components if part.name != "VTIMEZONE"]
    uid = parts[0].value("UID")
    assert uid is not None
    kind = parts[0].name
    booked = by_uid("*", kind, uid, "BOOKED")
    finder = Finder()
    replies = yield commands.search(booked, (target,))
    present = [found.component for reply in replies for found in finder.take(reply)]
    finder.finish()
    if len(present) == 1 and len(parts) == 1:
        done = yield from do(commands.modify(booked, present[0], parts[0], (target,)))
    else:
        if present:
            yield from do(commands.delete(booked, (target,)))
        done = yield from create(calendar, (target,))
    yield from do(commands.delete(by_uid("*", kind, uid, "UNPROCESSED"), (target,), mark=mark))
    return done


def _one_object(what: Calendars) -> Component:
    [command] = commands.create(what, ("x",))
    calendar = Component("VCALENDAR", [item for item in command.items if item.name != "METHOD"])
    uids = {part.value("UID") for part in calendar.components if part.name != "VTIMEZONE"}
    if len(uids) != 1 or None in uids:
        raise ValueError("booking takes one object with a UID")
    return calendar


def modify(
    query: Queries, old: Calendars, new: Calendars, targets: Iterable[str], *, check: bool = True
) -> Procedure[list[Outcome]]:
    """MODIFY."""
    return do(commands.modify(query, old, new, targets), check=check)


def raw(command: Calendars) -> Procedure[list[Reply]]:
    """A command as the caller wrote it; its replies unjudged."""
    replies = yield commands.raw(command)
    return replies
