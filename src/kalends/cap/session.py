"""One client's CAP session: channels, the capability exchange, commands in order, replies in shape.

It stands on a `beep.Session`: the shell hands it the events it does not handle itself, runs the work that
comes back, and hands in the outcome. No I/O and no clock here.
"""

from __future__ import annotations

from collections.abc import Sequence

from kalends.beep import events
from kalends.beep.session import Session as Wire
from kalends.cap import capability, replies
from kalends.cap.actions import Action, Audit, Outcome
from kalends.cap.commands import VERBS, Kind, Verb, offered_language
from kalends.cap.exchange import Exchange, Job, Lane
from kalends.cap.messages import Request, read_id, read_message
from kalends.cap.opening import Opening
from kalends.cap.outgoing import Outgoing, refused, status_or_failure
from kalends.cap.replies import NothingYet, Reply
from kalends.cap.status import BAD_ARGS, FAILURE, TOO_LARGE, UNKNOWN_COMMAND, RefusalError, Status
from kalends.cap.stopping import Asked, Done, Stopping
from kalends.cap.tongue import Tongue
from kalends.cap.workload import Workload
from kalends.core.errors import KalendsError
from kalends.core.languages import OFFERED
from kalends.core.model import Policy

LANGUAGES = OFFERED
"""What the greeting's `localize` says."""
INLINE_OCTETS = 65_536
"""Messages up to this size are read in the loop (about 5 ms); larger ones are work for a thread."""
MAX_REFUSED_IDENTITIES = 5
"""IDENTIFYs refused in one session before it is taken for an attempt to break in (RFC 4324 §10.8)."""


class Session:
    """The CAP side of one BEEP session.

    Args:
        wire: the BEEP session; replies are handed to it.
        policy: what this store promises.
        strict: refuse what RFC 4324 forbids even where it is harmless.
        command_seconds: how long one command may work; None for no limit.
        writes_together: the store keeps the order of writes submitted together.
    """

    def __init__(
        self,
        wire: Wire,
        policy: Policy,
        *,
        strict: bool = False,
        command_seconds: float | None = None,
        writes_together: bool = True,
    ) -> None:
        self._wire = wire
        self._policy = policy
        self._strict = strict
        together: set[Kind] = {"read", "write"} if writes_together else {"read"}
        self._together = frozenset(together)
        self._lanes: dict[int, Lane] = {}
        self._draining = False
        self._refused_identities = 0
        self._tongue = Tongue(strict=strict)
        self._out = Outgoing(wire, self._lanes, self._tongue, policy.max_object)
        self._opening = Opening(wire, policy, self._tongue, self._out, strict=strict)
        self._work = Workload(self._out, self._lanes, command_seconds)
        self._stopping = Stopping(wire, self._work, self._out, self._lanes)

    @property
    def peer(self) -> capability.PeerCapability:
        """What the client says of itself; every default until it has."""
        return self._out.peer

    # -- events of the wire -----------------------------------------------------------------------------

    def handle(self, event: events.Event, utc: int, now: float) -> list[Action]:
        """Take an event of the BEEP session.

        Args:
            event: any event; those about greetings, TLS and SASL are none of ours and ignored.
            utc: seconds since 1970.
            now: seconds of the shell's clock.

        Returns:
            Work for the shell. What is to be written waits in the BEEP session.

        Source: RFC 4324 §12.1, §12.2.
        """
        match event:
            case events.MessageReceived():
                return self._message(event, utc, now)
            case events.MessageTooLarge():
                self._too_large(event)
            case events.Authenticated():
                self._opening.authenticated(event)
            case events.StartRequested():
                if self._opening.start(event, utc, stopping=self._draining):
                    self._lanes[event.channel] = Lane(self._together)
            case events.ReplyReceived() | events.ErrorReceived() | events.AnswerReceived():
                return self._answered((event.channel, event.msgno), event.payload, now)
            case events.ReplyTooLarge():
                return self._answered((event.channel, event.msgno), b"", now)
            case events.CloseRequested():
                self._wire.accept_close(event.channel)
            case events.ReleaseRequested():
                self._wire.accept_release()
            case events.ChannelClosed():
                self._lanes.pop(event.channel, None)
                self._stopping.closed(event.channel)
            case _:
                pass
        return []

    def _answered(self, question: tuple[int, int], payload: bytes, now: float) -> list[Action]:
        """Take the answer to our GET-CAPABILITY, or to a TIMEOUT: A-39 (a)."""
        request = _read_answer(payload)
        if self._opening.answered(question, request):
            return []
        return self._stopping.answered(question, request, now)

    def _too_large(self, event: events.MessageTooLarge) -> None:
        limit = self._policy.max_object
        status = Status(TOO_LARGE, f"The message has more octets than this server accepts ({limit}).")
        self._out.refuse(event.channel, event.msgno, status, read_id(event.prefix))

    # -- commands ---------------------------------------------------------------------------------------

    def _message(self, event: events.MessageReceived, utc: int, now: float) -> list[Action]:
        exchange = Exchange(event.channel, event.msgno, now)
        if self._draining:
            status = Status(FAILURE, "The server is stopping; nothing was changed, try again later.")
            self._out.refuse(event.channel, event.msgno, status, read_id(event.payload))
            return []
        lane = self._lanes.setdefault(event.channel, Lane(self._together))
        if len(event.payload) > INLINE_OCTETS:
            payload, strict = event.payload, self._strict
            lane.open(exchange)
            job = self._work.job(exchange, "prepare")
            job.prepare = lambda: read_message(payload, strict=strict)
            lane.add(job)
        else:
            try:
                requests = read_message(event.payload, strict=self._strict)
            except RefusalError as error:
                self._out.refuse(event.channel, event.msgno, error.status, error.ident)
                return []
            lane.open(exchange)
            jobs, actions = self._take(exchange, requests, utc, now)
            for job in jobs:
                lane.add(job)
            return [*actions, *self._work.pump(lane, now)]
        return self._work.pump(lane, now)

    def _take(
        self, exchange: Exchange, requests: Sequence[Request], utc: int, now: float
    ) -> tuple[list[Job], list[Action]]:
        """Sort the requests of one message: answered at once, refused, about other commands, or jobs."""
        exchange.replies = [None] * len(requests)
        exchange.left = len(requests)
        jobs: list[Job] = []
        actions: list[Action] = []
        lane = self._lanes.get(exchange.channel)
        for index, one in enumerate(requests):
            request = self._tongue.addressed(one, lane)
            said: list[Reply] | None
            try:
                verb = self._verb(request)
                if verb.kind is not None:
                    jobs.append(self._work.task(verb, exchange, index, request, self._opening.around(utc)))
                    continue
                done = self._control(verb, (exchange, index, request), now)
                if done is None:
                    said = verb.answer(request, self._opening.around(utc))
                else:
                    said, orders = done
                    actions += orders
            except (RefusalError, KalendsError) as error:
                said = refused(request, error)
            if said is not None:
                self._out.said(exchange, index, said)
        return jobs, actions

    def _verb(self, request: Request) -> Verb:
        """Look the verb up and check what all verbs have in common."""
        if request.fault is not None:
            raise request.fault
        verb = VERBS.get(request.verb)
        if verb is None:
            raise RefusalError(UNKNOWN_COMMAND, f"The command {request.verb[:40]} is not known here.")
        if self._strict:
            self._check_strictly(request)
        self._opening.introduced = True
        if self._work.knows(request.ident) and verb.name not in {"ABORT", "CONTINUE", "TIMEOUT", "REPLY"}:
            raise RefusalError(BAD_ARGS, "A command with this ID is still being worked on.")
        verb.check(request)
        return verb

    def _check_strictly(self, request: Request) -> None:
        if not self._opening.introduced and request.verb != "GET-CAPABILITY":
            raise RefusalError(BAD_ARGS, "The first command of a session must be GET-CAPABILITY.")
        if request.localize is not None and offered_language(request.localize, strict=True) is None:
            raise RefusalError(BAD_ARGS, "LOCALIZE names a language that the greeting did not.")

    def _control(self, verb: Verb, asked: Asked, now: float) -> Done | None:
        """Obey a command about other commands; None when there is none such, and the verb itself says so."""
        exchange, _, request = asked
        match verb.name:
            case "ABORT":
                return self._stopping.abort(asked, now)
            case "CONTINUE":
                return self._stopping.go_on(asked, now)
            case "TIMEOUT":
                said = self._opening.excuse(request)
                return None if said is None else (said, [])
            case "SET-LOCALE":
                self._tongue.choose(request, exchange, self._lanes.get(exchange.channel))
                return [replies.done(request.ident, None)], []
            case _:
                return None

    # -- outcomes ---------------------------------------------------------------------------------------

    def finish(self, number: int, outcome: Outcome, utc: int, now: float) -> list[Action]:
        """Take what became of an Execute or Prepare.

        Args:
            number: the one of the action.
            outcome: what the work returned, or the exception it raised.
            utc: seconds since 1970.
            now: seconds of the shell's clock.

        Returns:
            Work that may begin now.
        """
        job = self._work.end(number)
        if job is None:
            return []
        lane = self._lanes.get(job.exchange.channel)
        actions: list[Action]
        if isinstance(outcome, NothingYet) and not self._draining and self._work.may_wait(job):
            actions = [self._work.wait(job, outcome)]
        elif job.kind == "prepare":
            actions = self._prepared(job, outcome, lane, utc, now)
        else:
            self._work.answer(job, outcome)
            actions = self._audit(job, outcome)
        return actions if lane is None else [*actions, *self._work.pump(lane, now)]

    def _audit(self, job: Job, outcome: Outcome) -> list[Action]:
        """What the log has to hear of an IDENTIFY, and whether there were too many refused (IDN-05)."""
        standing = self._opening.standing
        if job.task is None or job.request is None or not job.task.identity or standing is None:
            return []
        refused = isinstance(outcome, RefusalError)
        self._refused_identities += refused
        if isinstance(outcome, Exception) and not refused:
            return []
        end = refused and self._refused_identities >= MAX_REFUSED_IDENTITIES
        return [Audit(standing.login, job.request.options, not refused, end)]

    def wake(self, number: int, now: float) -> list[Action]:
        """A calendar has changed that a waiting SEARCH asked about: look again.

        Args:
            number: of the Await.
            now: seconds of the shell's clock.
        """
        return self._work.wake(number, now)

    def _prepared(self, job: Job, outcome: Outcome, lane: Lane | None, utc: int, now: float) -> list[Action]:
        if isinstance(outcome, Exception):
            exchange = job.exchange
            if self._out.reachable(exchange.channel):
                ident = outcome.ident if isinstance(outcome, RefusalError) else None
                self._out.refuse(exchange.channel, exchange.msgno, status_or_failure(outcome), ident)
            self._tongue.answered(exchange, lane)
            return []
        requests = [request for request in outcome if isinstance(request, Request)]
        jobs, actions = self._take(job.exchange, requests, utc, now)
        if lane is not None:
            lane.push_front(jobs)
        return actions

    # -- the end, and time ------------------------------------------------------------------------------

    def drain(self) -> list[Action]:
        """Refuse new channels and commands; what is worked on goes on, what waits is answered."""
        self._draining = True
        return self._work.give_up_waiting()

    @property
    def busy(self) -> bool:
        """Whether work is under way or waiting."""
        return bool(self._work.jobs)

    def next_timer(self) -> float | None:
        """When `handle_timer` wants to be called, in seconds of the shell's clock; None: not at all."""
        return self._work.timers.next()

    def handle_timer(self, now: float) -> list[Action]:
        """Let time pass: ask about commands whose LATENCY is over, or stop them (LAT-01, LAT-07).

        Args:
            now: seconds of the shell's clock.
        """
        return self._stopping.ring(now)


def _read_answer(payload: bytes) -> Request | None:
    """The one object of an answer; None when there is none that could be read in passing."""
    try:
        return read_message(payload)[0] if len(payload) <= INLINE_OCTETS else None
    except RefusalError:
        return None
