"""The verbs: one small class each, in a table. A new verb is a class and a row.

A verb either answers at once (`answer`) or prepares work that the shell runs in a transaction (`work`).
Work re-reads who the caller is, so that a removed user loses access with the next command.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Literal

from kalends.cap import replies
from kalends.cap.capability import own_capability
from kalends.cap.messages import Request
from kalends.cap.replies import NothingYet, Reply
from kalends.cap.selections import is_point_read, selections_of
from kalends.cap.status import (
    ACCESS_DENIED,
    BAD_ARGS,
    NOT_FOUND,
    PERMISSION_DENIED,
    RefusalError,
    Status,
    status_of,
)
from kalends.core import containers, ledger, search
from kalends.core.capability import CHARSETS
from kalends.core.errors import DeniedError, KalendsError
from kalends.core.languages import DEFAULT, ENGLISH, OFFERED, lookup
from kalends.core.model import Answer, Caller, Policy, Selection, Target
from kalends.core.past import changed
from kalends.core.people.acting import Standing
from kalends.core.uids import generate
from kalends.ical.folds import fold
from kalends.ical.tree import Component
from kalends.store.base import Tx, paced

Kind = Literal["read", "write"]
Work = Callable[[Tx], list[Reply]]
Options = Literal["none", "optional"]

_CONTROL = frozenset({"VQUERY"})
_COUNT = re.compile(r"[1-9][0-9]{0,8}\Z")
_CHARSETS = frozenset({"utf8", *(charset.lower() for charset in CHARSETS)})


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a verb may know besides the command.

    Attributes:
        standing: who authenticated, and as whom they act.
        utc: seconds since 1970.
        policy: the store's limits.
        default_tz: the client's zone for floating times.
        strict: refuse what RFC 4324 forbids even where it is harmless.
    """

    standing: Standing
    utc: int
    policy: Policy
    default_tz: str | None = None
    strict: bool = False

    def caller(self, tx: Tx) -> Caller:
        """Look up who acts, now.

        Raises:
            RefusalError: 4.1, when the user is gone, or may no longer act as whom they act.
        """
        try:
            who = self.standing.identity(tx)
        except KalendsError as error:
            raise RefusalError(ACCESS_DENIED, error.reason) from error
        return Caller(who, "cap", self.utc, self.policy, self.default_tz, self.strict)


@dataclass(frozen=True, slots=True)
class Task:
    """What a command does in its transaction.

    Attributes:
        work: gives the replies.
        quick: takes well below a millisecond, so that a shell may run it without a thread.
        identity: it changes as whom the session acts: nothing of its channel runs beside it; it is logged.
        shares: the one target of a writing command, with whose other writers it may share a commit.
    """

    work: Work
    quick: bool = False
    identity: bool = False
    shares: str = ""


class Verb:
    """One CAP command.

    Attributes:
        name: as it stands in CMD.
        kind: the transaction its work needs; None when it answers at once.
        options: whether it knows an OPTIONS parameter (PRM-05).
        latency: whether LATENCY and ACTION are allowed (LAT-05).
        targets: whether a TARGET is needed (A-20).
    """

    name: ClassVar[str]
    kind: ClassVar[Kind | None] = None
    options: ClassVar[Options] = "none"
    latency: ClassVar[bool] = True
    targets: ClassVar[bool] = False

    def check(self, request: Request) -> None:
        """Refuse parameters that this verb does not take.

        Raises:
            RefusalError: 6.3.
        """
        if request.options is not None and self.options == "none":
            raise RefusalError(BAD_ARGS, f"{self.name} takes no OPTIONS.")
        if request.latency is not None and not self.latency:
            raise RefusalError(BAD_ARGS, f"{self.name} takes no LATENCY.")
        if self.targets and not request.targets:
            raise RefusalError(BAD_ARGS, f"{self.name} needs a TARGET: the calendar or store it works on.")

    def answer(self, request: Request, around: Circumstances) -> list[Reply]:
        """Answer at once; only for verbs without `kind`."""
        raise NotImplementedError

    def task(self, request: Request, around: Circumstances) -> Task:
        """Prepare the work for a transaction; only for verbs with `kind`.

        Raises:
            RefusalError: when what was sent cannot be executed on any target.
        """
        raise NotImplementedError


def _shares(request: Request) -> str:
    """The calendar that a command writes to, where it is one."""
    return request.targets[0].lower() if len(request.targets) == 1 else ""


def _each_target(
    kind: Kind, request: Request, around: Circumstances, run: Callable[[Tx, Caller, Target], Reply]
) -> Work:
    """Work that treats every target for itself: one refused leaves the others done (SES-18)."""
    harmless = kind == "read"

    def alone(tx: Tx) -> list[Reply]:
        containers.expect(tx, around.policy, request.targets[0])
        caller = around.caller(tx)
        return [run(tx, caller, containers.resolve(tx, caller, request.targets[0]))]

    def several(tx: Tx) -> list[Reply]:
        caller = around.caller(tx)
        found: list[Reply] = []
        for given in request.targets:
            try:
                with nullcontext() if harmless else tx.savepoint():
                    found.append(run(tx, caller, containers.resolve(tx, caller, given)))
            except KalendsError as error:
                status = status_of(error)
                assert status is not None  # a KalendsError always has one
                found.append(replies.refused(request.ident, given, status, language=request.language))
        return found

    return alone if len(request.targets) == 1 else several


def _data(request: Request) -> list[Component]:
    """The components that are data, not part of the command."""
    return [part for part in request.vcalendar.components if part.name not in _CONTROL]


class GetCapability(Verb):
    """GET-CAPABILITY: what this server can do. Source: RFC 4324 §10.7."""

    name = "GET-CAPABILITY"

    def answer(self, request: Request, around: Circumstances) -> list[Reply]:
        """All thirteen properties."""
        text = replies.envelope(request.ident, None, replies.vreply(own_capability(around.policy)))
        return [Reply(None, text)]


class GenerateUid(Verb):
    """GENERATE-UID: unique identifiers, as many as OPTIONS says. Source: RFC 4324 §10.6; GUI-02, GUI-03."""

    name = "GENERATE-UID"
    options = "optional"

    def answer(self, request: Request, around: Circumstances) -> list[Reply]:
        """That many UIDs and one status."""
        if request.options is None and around.strict:
            raise RefusalError(BAD_ARGS, "GENERATE-UID needs OPTIONS with the number of UIDs.")
        asked = "1" if request.options is None else request.options
        if not _COUNT.match(asked):
            raise RefusalError(BAD_ARGS, "OPTIONS of GENERATE-UID is the number of UIDs, 1 or more.")
        lines = [fold(f"UID:{uid}") for uid in generate(int(asked), around.policy)]
        return [replies.done(request.ident, None, *lines)]


class Create(Verb):
    """CREATE: new objects in each target. Source: RFC 4324 §10.4."""

    name = "CREATE"
    kind: ClassVar[Kind] = "write"
    targets = True

    def task(self, request: Request, around: Circumstances) -> Task:
        """One reply per target, one VREPLY per component."""
        if not request.vcalendar.components:
            raise RefusalError(BAD_ARGS, "CREATE needs at least one component to create.")

        def run(tx: Tx, caller: Caller, target: Target) -> Reply:
            receipts = ledger.create(tx, caller, target, request.vcalendar)
            return replies.flat_receipts(request.ident, target.given, receipts, request.language)

        return Task(_each_target(self.kind, request, around, run), shares=_shares(request))


class Search(Verb):
    """SEARCH: what the queries select, one reply per target. Source: RFC 4324 §10.12."""

    name = "SEARCH"
    kind: ClassVar[Kind] = "read"
    targets = True

    def task(self, request: Request, around: Circumstances) -> Task:
        """One VREPLY per QUERY."""
        selections = selections_of(request.vcalendar, strict=around.strict)
        _no_data(self.name, request)

        if request.latency is not None and changed.waits(selections):
            return Task(self._waiting(request, around, selections))

        def run(tx: Tx, caller: Caller, target: Target) -> Reply:
            return _found(tx, request, target, search.search(tx, caller, target, selections), around.policy)

        quick = len(request.targets) == 1 and all(is_point_read(selection) for selection in selections)
        return Task(_each_target(self.kind, request, around, run), quick)

    def _waiting(self, request: Request, around: Circumstances, selections: Sequence[Selection]) -> Work:
        """Work that says when there is nothing to tell yet, so that its session can wait (docs/watch.md)."""

        def work(tx: Tx) -> list[Reply]:
            ticks: dict[int, int] = {}
            news = False

            def run(tx: Tx, caller: Caller, target: Target) -> Reply:
                nonlocal news
                found = search.search(tx, caller, target, selections)
                news = news or any(answer.found for answer in found)
                ticks[target.calendar_id] = changed.counter(tx, target)
                return _found(tx, request, target, found, around.policy)

            said = _each_target("read", request, around, run)(tx)
            quiet = not news and all(reply.ran for reply in said)
            return NothingYet(said, ticks) if quiet else said

        return work


def _found(tx: Tx, request: Request, target: Target, found: Sequence[Answer], policy: Policy) -> Reply:
    """Write what was found, while there is time and room."""
    pace = partial(paced, tx)
    return replies.answers(request.ident, target.given, found, pace=pace, limit=policy.max_object)


class Delete(Verb):
    """DELETE: remove, or with OPTIONS=MARK mark, what the queries select. Source: RFC 4324 §10.5."""

    name = "DELETE"
    kind: ClassVar[Kind] = "write"
    options = "optional"
    targets = True

    def task(self, request: Request, around: Circumstances) -> Task:
        """One VREPLY per removed object, none when nothing matched."""
        if request.options is not None and request.options.upper() != "MARK":
            raise RefusalError(BAD_ARGS, "OPTIONS of DELETE can only be MARK.")
        mark = request.options is not None
        selections = selections_of(request.vcalendar, strict=around.strict)
        _no_data(self.name, request)

        def run(tx: Tx, caller: Caller, target: Target) -> Reply:
            receipts = ledger.delete(tx, caller, target, selections, mark=mark)
            return replies.receipts_by_method(request.ident, target.given, receipts, request.language)

        return Task(_each_target(self.kind, request, around, run), shares=_shares(request))


class Move(Verb):
    """MOVE: what the queries select goes into the target. Source: RFC 4324 §10.10."""

    name = "MOVE"
    kind: ClassVar[Kind] = "write"
    targets = True

    def task(self, request: Request, around: Circumstances) -> Task:
        """One VREPLY per moved object."""
        if len(request.targets) != 1:
            raise RefusalError(BAD_ARGS, "MOVE has one TARGET: an object cannot go to two places.")
        selections = selections_of(request.vcalendar, strict=around.strict, moves=True)
        _no_data(self.name, request)

        def run(tx: Tx) -> list[Reply]:
            caller = around.caller(tx)
            target = containers.destination(tx, caller, request.targets[0])
            receipts = ledger.move(tx, caller, target, selections)
            if not receipts:
                nothing = Status(NOT_FOUND, "Nothing matched the query; nothing was moved.")
                return [replies.refused(request.ident, target.given, nothing, language=request.language)]
            return [replies.flat_receipts(request.ident, target.given, receipts, request.language)]

        return Task(run)


class Modify(Verb):
    """MODIFY: old values become new ones, all or nothing over all targets. Source: RFC 4324 §10.9; A-62."""

    name = "MODIFY"
    kind: ClassVar[Kind] = "write"
    targets = True

    def task(self, request: Request, around: Circumstances) -> Task:
        """One reply per target; any refusal undoes everything."""
        selection, old, new = self._parts(request, around)

        def run(tx: Tx) -> list[Reply]:
            caller = around.caller(tx)
            targets = [containers.resolve(tx, caller, given) for given in request.targets]
            receipts = ledger.modify(tx, caller, targets, selection, old, new)
            return [
                replies.nested_receipts(request.ident, target.given, changed, request.language)
                for target, changed in zip(targets, receipts, strict=True)
            ]

        return Task(run)

    def _parts(self, request: Request, around: Circumstances) -> tuple[Selection, Component, Component]:
        """VQUERY, old values, new values (MDF-02). Modifying a VQUERY itself takes three of them."""
        parts = request.vcalendar.components
        if len(parts) != 3 or parts[0].name != "VQUERY":
            raise RefusalError(
                BAD_ARGS, "MODIFY needs a VQUERY, a component with old and one with new values."
            )
        _, old, new = parts
        if old.name != new.name:
            raise RefusalError(BAD_ARGS, f"The old values are a {old.name}, the new ones a {new.name}.")
        chooser = Component("VCALENDAR", [parts[0]])
        (selection,) = selections_of(chooser, strict=around.strict)
        return selection, old, new


class Identify(Verb):
    """IDENTIFY: act as somebody else, or as oneself again. Source: RFC 4324 §10.8; IDN-01 to IDN-04."""

    name = "IDENTIFY"
    kind: ClassVar[Kind] = "read"
    options = "optional"

    def task(self, request: Request, around: Circumstances) -> Task:
        """2.0, or 6.4, the only refusal this verb knows; whoever authenticated counts, not who acts now."""

        def work(tx: Tx) -> list[Reply]:
            standing = around.standing
            try:
                upn = standing.wanted(tx, request.options, around.policy)
            except DeniedError as error:
                raise RefusalError(PERMISSION_DENIED, error.reason) from error
            standing.become(upn)
            return [replies.done(request.ident, None)]

        return Task(work, quick=True, identity=True)


def offered_language(wanted: str, *, strict: bool) -> str | None:
    """The offered language that a locale or tag of a client means.

    Args:
        wanted: `fr_CA`, `de`, `POSIX`.
        strict: only what the greeting named, letter by letter; else the best there is (RFC 4647 §3.4).

    Returns:
        The tag; English for i-default, None for a language that is not offered.

    Source: RFC 4324 §7.6, §10.13; LOC-03, LOC-05, A-54.
    """
    if strict and wanted.lower().replace("_", "-") not in _OFFERED:
        return None
    found = lookup((wanted,))
    return ENGLISH if found == DEFAULT else found


_OFFERED = frozenset(tag.lower() for tag in OFFERED) | {"posix"}


class SetLocale(Verb):
    """SET-LOCALE: language and charset of a session. Source: RFC 4324 §10.13; LOC-01 to LOC-03, A-54."""

    name = "SET-LOCALE"
    options = "optional"

    def answer(self, request: Request, around: Circumstances) -> list[Reply]:
        """Success, or 6.3 for what is not offered; the session switches with the reply."""
        self.chosen(request, around.strict)
        return [replies.done(request.ident, None)]

    def chosen(self, request: Request, strict: bool) -> str:
        """The language to switch to; the default one when OPTIONS is not there.

        Raises:
            RefusalError: 6.3, a language or charset that is not offered.
        """
        locale, dot, charset = (request.options or DEFAULT).partition(".")
        language = offered_language(locale, strict=strict)
        if language is None:
            raise RefusalError(BAD_ARGS, f"That language is not offered; there are {', '.join(OFFERED)}.")
        if dot and charset.lower() not in _CHARSETS:
            raise RefusalError(BAD_ARGS, "That charset is not offered; UTF-8 is.")
        return language


class Continue(Verb):
    """CONTINUE: after a TIMEOUT; the session does it. Source: RFC 4324 §10.3; LAT-06."""

    name = "CONTINUE"

    def answer(self, request: Request, around: Circumstances) -> list[Reply]:
        """6.3 when no TIMEOUT was sent, or more than one could be meant (LAT-09)."""
        raise RefusalError(BAD_ARGS, "No command waits for a CONTINUE, or it is not clear which one.")


class Timeout(Verb):
    """TIMEOUT: a client needs more time; the session knows for what. Source: RFC 4324 §10.14; LAT-12."""

    name = "TIMEOUT"
    latency = False

    def answer(self, request: Request, around: Circumstances) -> list[Reply]:
        """6.3 when we wait for nothing (LAT-11)."""
        raise RefusalError(BAD_ARGS, "This server waits for no command of that ID.")


class ReplyVerb(Verb):
    """REPLY belongs into a BEEP reply, not into a MSG. Source: RFC 4324 §10.11."""

    name = "REPLY"
    latency = False

    def answer(self, request: Request, around: Circumstances) -> list[Reply]:
        """6.3: nothing was asked by this message."""
        raise RefusalError(BAD_ARGS, "REPLY answers a command; it cannot be sent as one.")


class Abort(Verb):
    """ABORT: stop a command that is being worked on; the session does it. Source: RFC 4324 §10.2."""

    name = "ABORT"
    latency = False

    def answer(self, request: Request, around: Circumstances) -> list[Reply]:
        """6.3 when there is nothing to abort (LAT-04, LAT-10)."""
        if request.ident is None:
            raise RefusalError(BAD_ARGS, "ABORT without ID needs exactly one command being worked on.")
        raise RefusalError(BAD_ARGS, "No command with that ID is being worked on.")


def _no_data(name: str, request: Request) -> None:
    data = _data(request)
    if data:
        raise RefusalError(BAD_ARGS, f"{name} takes VQUERY components only, not {data[0].name[:40]}.")


VERBS: Mapping[str, Verb] = {
    verb.name: verb
    for verb in (
        Abort(),
        Continue(),
        Create(),
        Delete(),
        GenerateUid(),
        GetCapability(),
        Identify(),
        Modify(),
        Move(),
        ReplyVerb(),
        Search(),
        SetLocale(),
        Timeout(),
    )
}
"""Every command of RFC 4324 §10.1; anything else is 9.0."""
