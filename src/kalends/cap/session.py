"""One client's CAP session: channels, the capability exchange, commands in order, replies in shape.

It stands on a `beep.Session`: the shell hands it the events it does not handle itself, runs the work that
comes back, and hands in the outcome. No I/O and no clock here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from kalends.beep import events
from kalends.beep.codes import ReplyCode
from kalends.beep.errors import LocalProtocolError
from kalends.beep.session import Session as Wire
from kalends.cap import capability, mime, replies
from kalends.cap.actions import Action, Audit, Await, Cancel, Execute, Forget, Outcome, Prepare
from kalends.cap.commands import VERBS, Circumstances, Kind, Verb, offered_language
from kalends.cap.exchange import Exchange, Job, JobKind, Lane
from kalends.cap.latency import Happening, Order, Phase, Timers
from kalends.cap.messages import Request, read_id, read_message
from kalends.cap.outgoing import Outgoing, progress, refused, status_or_failure
from kalends.cap.replies import NothingYet, Reply
from kalends.cap.status import (
    BAD_ARGS,
    FAILURE,
    TIMED_OUT,
    TOO_COMPLEX,
    TOO_LARGE,
    UNKNOWN_COMMAND,
    RefusalError,
    Status,
)
from kalends.cap.tongue import Tongue
from kalends.core.acting import Standing
from kalends.core.errors import InterruptedCommandError, KalendsError
from kalends.core.identity import complete_upn
from kalends.core.languages import OFFERED
from kalends.core.model import Policy
from kalends.store.errors import DeadlineError

URI = "http://iana.org/beep/cap/1.0"
"""The profile (RFC 4324 §12.1, §13)."""
LANGUAGES = OFFERED
"""What the greeting's `localize` says."""
INLINE_OCTETS = 65_536
"""Messages up to this size are read in the loop (about 5 ms); larger ones are work for a thread."""
MAX_QUESTIONS = 256
"""TIMEOUTs a client may leave unanswered in all; further ones are not sent and count as unanswered, too."""
MAX_REFUSED_IDENTITIES = 5
"""IDENTIFYs refused in one session before it is taken for an attempt to break in (RFC 4324 §10.8)."""
OUR_ID = "kalends-capability"


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
        self._seconds = command_seconds
        together: set[Kind] = {"read", "write"} if writes_together else {"read"}
        self._together = frozenset(together)
        self._lanes: dict[int, Lane] = {}
        self._jobs: dict[int, Job] = {}
        self._ids: set[str] = set()
        self._next_number = 1
        self._timers = Timers()
        self._questions: dict[tuple[int, int], int] = {}
        self._asked: tuple[int, int] | None = None
        self._was_asked = False
        self._introduced = False
        self._draining = False
        self._login = ""
        self._standing: Standing | None = None
        self._refused_identities = 0
        self._tongue = Tongue(strict=strict)
        self._out = Outgoing(wire, self._lanes, self._tongue, policy.max_object)

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
                self._login = event.authcid
            case events.StartRequested():
                self._start(event, utc)
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
                self._questions = {key: n for key, n in self._questions.items() if key[0] != event.channel}
            case _:
                pass
        return []

    def _start(self, event: events.StartRequested, utc: int) -> None:
        offer = next((offer for offer in event.profiles if offer.uri == URI), None)
        who = self._wire.authenticated
        greeting = self._wire.peer_greeting
        self._tongue.greeted(greeting.localize if greeting is not None else ())
        if offer is None:
            self._wire.refuse_start(event.channel, ReplyCode.REFUSED, "this server speaks CAP only")
        elif who is None:
            self._wire.refuse_start(event.channel, ReplyCode.AUTHENTICATION_REQUIRED, "authenticate first")
        elif self._draining:
            self._wire.refuse_start(event.channel, ReplyCode.SERVICE_NOT_AVAILABLE, "the server is stopping")
        else:
            try:
                self._standing = self._standing or self._stand(who)
            except KalendsError as error:
                self._wire.refuse_start(event.channel, ReplyCode.NOT_AUTHORIZED, error.reason)
                return
            content = self._piggybacked(offer.content, utc) if offer.content.strip() else b""
            self._wire.accept_start(event.channel, URI, content)
            self._lanes[event.channel] = Lane(self._together)
            self._ask_capability(event.channel)

    def _stand(self, who: str) -> Standing:
        """Who the session is: no name means anonymous (RFC 4324 §4.3). Raises InvalidError."""
        if not who:
            return Standing(self._policy.anonymous)
        login, home = (complete_upn(name, self._policy) for name in (self._login or who, who))
        return Standing(login, home)

    def _piggybacked(self, content: bytes, utc: int) -> bytes:
        """Answer a GET-CAPABILITY that came with <start> (SES-12)."""
        try:
            (request, *more) = read_message(content, strict=self._strict)
            if more or request.fault is not None or request.verb != "GET-CAPABILITY":
                raise request.fault or RefusalError(
                    BAD_ARGS, "Only one GET-CAPABILITY may come with <start>."
                )
            said = VERBS[request.verb].answer(request, self._around(utc))
        except RefusalError as error:
            said = [replies.refused(None, None, error.status, language=self._tongue.of(None))]
        self._introduced = True
        return mime.wrap(replies.encode(reply.text for reply in said))

    def _ask_capability(self, channel: int) -> None:
        """Send our own GET-CAPABILITY, once, as the first message (SES-11)."""
        if self._was_asked:
            return
        self._was_asked = True
        text = replies.envelope(OUR_ID, None, "", verb="GET-CAPABILITY")
        self._asked = channel, self._wire.send_message(channel, mime.wrap(text.encode()))

    def _answered(self, question: tuple[int, int], payload: bytes, now: float) -> list[Action]:
        """Take the answer to our GET-CAPABILITY, or to a TIMEOUT: A-39 (a)."""
        request = _read_answer(payload)
        if question == self._asked:
            self._asked = None
            if request is not None:  # an unreadable answer says nothing; every default is safe
                self._out.peer = capability.read_capability(request.vcalendar)
            return []
        job = self._jobs.get(self._questions.pop(question, 0))
        if job is None or request is None or request.fault is not None:
            return []  # as good as no answer: the work goes on
        assert job.request is not None  # nothing else has a LATENCY
        if request.ident not in (None, job.request.ident):
            return []
        if request.verb == "ABORT":
            return self._step(job, Happening.ABORT, now) or []
        if request.verb == "CONTINUE" and job.question == question[1]:
            self._go_on(job, request, now)
        return []

    def _too_large(self, event: events.MessageTooLarge) -> None:
        limit = self._policy.max_object
        status = Status(TOO_LARGE, f"The message has more octets than this server accepts ({limit}).")
        self._out.refuse(event.channel, event.msgno, status, read_id(event.prefix))

    # -- commands ---------------------------------------------------------------------------------------

    def _message(self, event: events.MessageReceived, utc: int, now: float) -> list[Action]:
        exchange = Exchange(event.channel, event.msgno, now)
        if self._draining:
            status = Status(FAILURE, "The server is stopping; nothing was changed, try again later.")
            self._out.refuse(event.channel, event.msgno, status)
            return []
        lane = self._lanes.setdefault(event.channel, Lane(self._together))
        if len(event.payload) > INLINE_OCTETS:
            payload, strict = event.payload, self._strict
            lane.open(exchange)
            job = self._job(exchange, "prepare")
            job.prepare = lambda: read_message(payload, strict=strict)
            lane.add(job)
        else:
            try:
                requests = read_message(event.payload, strict=self._strict)
            except RefusalError as error:
                self._out.refuse(event.channel, event.msgno, error.status)
                return []
            lane.open(exchange)
            jobs, actions = self._take(exchange, requests, utc, now)
            for job in jobs:
                lane.add(job)
            return [*actions, *self._pump(lane, now)]
        return self._pump(lane, now)

    def _job(self, exchange: Exchange, kind: JobKind) -> Job:
        job = Job(self._next_number, exchange, kind)
        self._next_number += 1
        self._jobs[job.number] = job
        return job

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
                    jobs.append(self._task(verb, exchange, index, request, utc))
                    continue
                control = _CONTROLS.get(verb.name)
                done = None if control is None else control(self, (exchange, index, request), now)
                if done is None:
                    said = verb.answer(request, self._around(utc))
                else:
                    said, orders = done
                    actions += orders
            except (RefusalError, KalendsError) as error:
                said = refused(request, error)
            if said is not None:
                self._out.said(exchange, index, said)
        return jobs, actions

    def _task(self, verb: Verb, exchange: Exchange, index: int, request: Request, utc: int) -> Job:
        """Make a job of a command; its LATENCY runs since its message came."""
        assert verb.kind is not None
        task = verb.task(request, self._around(utc))
        job = self._job(exchange, verb.kind)
        job.index, job.request, job.task = index, request, task
        if request.ident is not None:
            self._ids.add(request.ident)
        if request.latency is not None:
            job.clock.wind(request, exchange.since)
            self._set_timer(job)
        return job

    def _verb(self, request: Request) -> Verb:
        """Look the verb up and check what all verbs have in common."""
        if request.fault is not None:
            raise request.fault
        verb = VERBS.get(request.verb)
        if verb is None:
            raise RefusalError(UNKNOWN_COMMAND, f"The command {request.verb[:40]} is not known here.")
        if self._strict:
            self._check_strictly(request)
        self._introduced = True
        if request.ident in self._ids and verb.name not in {"ABORT", "CONTINUE", "TIMEOUT", "REPLY"}:
            raise RefusalError(BAD_ARGS, "A command with this ID is still being worked on.")
        verb.check(request)
        return verb

    def _check_strictly(self, request: Request) -> None:
        if not self._introduced and request.verb != "GET-CAPABILITY":
            raise RefusalError(BAD_ARGS, "The first command of a session must be GET-CAPABILITY.")
        if request.localize is not None and offered_language(request.localize, strict=True) is None:
            raise RefusalError(BAD_ARGS, "LOCALIZE names a language that the greeting did not.")

    def _around(self, utc: int) -> Circumstances:
        assert self._standing is not None  # no channel without it
        return Circumstances(self._standing, utc, self._policy, self.peer.default_tz, self._strict)

    def _pump(self, lane: Lane, now: float) -> list[Action]:
        actions: list[Action] = []
        for job in lane.startable():
            if job.kind == "prepare":
                actions.append(Prepare(job.number, job))
            else:
                actions.append(self._execute(job, job.kind, now))
        return actions

    def _execute(self, job: Job, kind: Kind, now: float) -> Execute:
        assert job.task is not None
        task, seconds = job.task, self._limit(job, now)
        return Execute(job.number, job.exchange.channel, kind, task.work, seconds, task.quick, task.shares)

    def _limit(self, job: Job, now: float) -> float | None:
        """Seconds a job may work: what is left of LATENCY with ACTION=ABORT, or the server's own limit."""
        clock = job.clock
        if clock.due is None or clock.action != "ABORT":
            return self._seconds
        left = max(0.0, clock.due - now)
        clock.binding = self._seconds is None or left <= self._seconds
        return left if clock.binding else self._seconds

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
        job = self._jobs.pop(number, None)
        if job is None:
            return []
        lane = self._lanes.get(job.exchange.channel)
        if lane is not None:
            lane.end(job)
        actions: list[Action] = []
        if isinstance(outcome, NothingYet) and self._may_wait(job):
            self._jobs[number] = job
            job.quiet = outcome
            actions.append(Await(number, outcome.ticks))
            return actions if lane is None else [*actions, *self._pump(lane, now)]
        if job.kind == "prepare":
            actions = self._prepared(job, outcome, lane, utc, now)
        else:
            self._done(job, outcome)
            actions = self._audit(job, outcome)
        return actions if lane is None else [*actions, *self._pump(lane, now)]

    def _audit(self, job: Job, outcome: Outcome) -> list[Action]:
        """What the log has to hear of an IDENTIFY, and whether there were too many refused (IDN-05)."""
        if job.task is None or job.request is None or not job.task.identity or self._standing is None:
            return []
        refused = isinstance(outcome, RefusalError)
        self._refused_identities += refused
        if isinstance(outcome, Exception) and not refused:
            return []
        end = refused and self._refused_identities >= MAX_REFUSED_IDENTITIES
        return [Audit(self._standing.login, job.request.options, not refused, end)]

    def _may_wait(self, job: Job) -> bool:
        """Whether a SEARCH that found nothing yet may go on waiting for it."""
        return (
            job.clock.phase in _STOPPABLE and not self._draining and self._out.reachable(job.exchange.channel)
        )

    def wake(self, number: int, now: float) -> list[Action]:
        """A calendar has changed that a waiting SEARCH asked about: look again.

        Args:
            number: of the Await.
            now: seconds of the shell's clock.
        """
        job = self._jobs.get(number)
        if job is None or job.quiet is None:
            return []
        job.quiet = None
        return [self._execute(job, "read", now)]

    def _give_up(self, job: Job) -> list[Action]:
        """Answer a waiting SEARCH with what it has: nothing."""
        assert job.quiet is not None
        quiet, job.quiet = job.quiet, None
        del self._jobs[job.number]
        self._done(job, quiet)
        return [Forget(job.number)]

    def _prepared(self, job: Job, outcome: Outcome, lane: Lane | None, utc: int, now: float) -> list[Action]:
        if isinstance(outcome, Exception):
            exchange = job.exchange
            if self._out.reachable(exchange.channel):
                self._out.refuse(exchange.channel, exchange.msgno, status_or_failure(outcome))
            self._tongue.answered(exchange, lane)
            return []
        requests = [request for request in outcome if isinstance(request, Request)]
        jobs, actions = self._take(job.exchange, requests, utc, now)
        if lane is not None:
            lane.push_front(jobs)
        return actions

    def _done(self, job: Job, outcome: Outcome) -> None:
        """Answer a command, and the ABORTs that were sent to stop it."""
        request, phase = job.request, job.clock.phase
        assert request is not None
        self._timers.clear(job.number)
        if request.ident is not None:
            self._ids.discard(request.ident)
        stopped = isinstance(outcome, DeadlineError | InterruptedCommandError)
        if not isinstance(outcome, Exception):
            said = [reply for reply in outcome if isinstance(reply, Reply)]
        elif stopped and phase is Phase.ABORTED:
            said = [progress(request, "Aborted as requested.")]
        elif stopped:
            said = refused(request, self._too_slow(job))
        else:
            said = refused(request, outcome)
        self._out.said(job.exchange, job.index, said)
        for exchange, index, abort in job.aborts:
            late = RefusalError(BAD_ARGS, "Too late: the command was over before it could be stopped.")
            answer = [progress(abort, "Aborted as requested.")] if stopped else refused(abort, late)
            self._out.said(exchange, index, answer)

    def _too_slow(self, job: Job) -> RefusalError:
        """The client's own limit is 7.0; ours means too much work was asked for."""
        if job.clock.phase is Phase.EXPIRED or job.clock.binding:
            return RefusalError(
                TIMED_OUT, "The LATENCY is over; the command was stopped, nothing was changed."
            )
        if job.kind == "read":
            return RefusalError(TOO_COMPLEX, "The query takes longer than this server allows; ask for less.")
        return RefusalError(FAILURE, "The command takes longer than this server allows; nothing was changed.")

    # -- stopping and going on --------------------------------------------------------------------------

    def _step(self, job: Job, happening: Happening, now: float) -> list[Action] | None:
        """Take a step of the table for a job; None when it is not allowed."""
        order = job.clock.step(happening)
        return None if order is None else self._obey(job, order, now)

    def _obey(self, job: Job, order: Order, now: float) -> list[Action]:
        if order is Order.ASK:
            self._send_timeout(job)
        return self._stop(job, now) if order is Order.STOP else []

    def _named(self, request: Request, exchange: Exchange, phases: frozenset[Phase]) -> Job | None:
        """The job that a command means: the named one, or the only one (LAT-10)."""
        jobs = [
            job
            for job in self._jobs.values()
            if job.request is not None and job.exchange is not exchange and job.clock.phase in phases
        ]
        if request.ident is not None:
            jobs = [job for job in jobs if job.request is not None and job.request.ident == request.ident]
        return jobs[0] if len(jobs) == 1 else None

    def _abort(self, asked: _Asked, now: float) -> _Done | None:
        """ABORT as a MSG: A-39 (b), (c). It is answered when the work has stopped, or is done after all."""
        exchange, _, request = asked
        job = self._named(request, exchange, _STOPPABLE)
        if job is None:
            return None
        job.aborts.append(asked)
        return None, self._step(job, Happening.ABORT, now) or []

    def _continue(self, asked: _Asked, now: float) -> _Done | None:
        """CONTINUE as a MSG: A-39 (b), (c)."""
        exchange, _, request = asked
        job = self._named(request, exchange, _ASKED)
        if job is None or not self._go_on(job, request, now):
            return None
        more = f" for {request.latency} more seconds" if request.latency is not None else ""
        return [progress(request, f"Continued{more}.")], []

    def _excuse(self, asked: _Asked, now: float) -> _Done | None:
        """TIMEOUT of a client that has not answered our GET-CAPABILITY: it may take its time (LAT-12)."""
        ident = asked[2].ident
        if self._asked is None or ident not in (None, OUR_ID):
            return None
        return [Reply(None, replies.envelope(ident, None, "", verb="CONTINUE"))], []

    def _set_locale(self, asked: _Asked, now: float) -> _Done | None:
        exchange, _, request = asked
        self._tongue.choose(request, exchange, self._lanes.get(exchange.channel))
        return [replies.done(request.ident, None)], []

    def _go_on(self, job: Job, request: Request, now: float) -> bool:
        """Work on after a TIMEOUT, with a new LATENCY if there is one (LAT-06)."""
        if self._step(job, Happening.CONTINUE, now) is None:
            return False
        job.clock.wind(request, now)
        self._set_timer(job)
        return True

    def _stop(self, job: Job, now: float) -> list[Action]:
        """Stop a job: at once if it has not begun, else by asking the store (LAT-03, A-40)."""
        if job.quiet is not None:
            job.quiet = None
            del self._jobs[job.number]
            self._done(job, InterruptedCommandError("stopped while it waited"))
            return [Forget(job.number)]
        lane = self._lanes.get(job.exchange.channel)
        if lane is None or not lane.drop(job):
            return [Cancel(job.number)]
        del self._jobs[job.number]
        self._done(job, InterruptedCommandError("stopped before it began"))
        return self._pump(lane, now)

    def _send_timeout(self, job: Job) -> None:
        """Ask whether to go on, on the command's own channel (LAT-01)."""
        channel, request = job.exchange.channel, job.request
        if request is None or not self._out.reachable(channel) or len(self._questions) >= MAX_QUESTIONS:
            return
        text = replies.envelope(request.ident, None, "", verb="TIMEOUT")
        try:
            job.question = self._wire.send_message(channel, mime.wrap(text.encode()))
        except LocalProtocolError:
            return  # the channel is closing: nobody is left who could answer
        self._questions[channel, job.question] = job.number

    def _set_timer(self, job: Job) -> None:
        if job.clock.due is not None:
            self._timers.set(job.number, job.clock.due)

    def drain(self) -> list[Action]:
        """Refuse new channels and commands; what is worked on goes on, what waits is answered."""
        self._draining = True
        waiting = [job for job in self._jobs.values() if job.quiet is not None]
        return [action for job in waiting for action in self._give_up(job)]

    @property
    def busy(self) -> bool:
        """Whether work is under way or waiting."""
        return bool(self._jobs)

    def next_timer(self) -> float | None:
        """When `handle_timer` wants to be called, in seconds of the shell's clock; None: not at all."""
        return self._timers.next()

    def handle_timer(self, now: float) -> list[Action]:
        """Let time pass: ask about commands whose LATENCY is over, or stop them (LAT-01, LAT-07).

        Args:
            now: seconds of the shell's clock.
        """
        actions: list[Action] = []
        for number in self._timers.take(now):
            job = self._jobs[number]
            if job.quiet is not None and job.clock.action == "ABORT":  # it is in time: there is nothing
                actions += self._give_up(job)
                continue
            order = job.clock.ring()
            if order is not None:
                actions += self._obey(job, order, now)
        return actions


_Asked = tuple[Exchange, int, Request]
"""A command about another one: its exchange, its place in it, the command."""
_Done = tuple[list[Reply] | None, list[Action]]
"""What it is answered, None for later; and what the shell has to do."""
_Control = Callable[[Session, _Asked, float], _Done | None]

_CONTROLS: Mapping[str, _Control] = {
    "ABORT": Session._abort,
    "CONTINUE": Session._continue,
    "SET-LOCALE": Session._set_locale,
    "TIMEOUT": Session._excuse,
}
"""Commands about other commands; None means that there is no such command, and the verb itself says so."""
_STOPPABLE = frozenset({Phase.FREE, Phase.TICKING, Phase.ASKED})
_ASKED = frozenset({Phase.ASKED})


def _read_answer(payload: bytes) -> Request | None:
    """The one object of an answer; None when there is none that could be read in passing."""
    try:
        return read_message(payload)[0] if len(payload) <= INLINE_OCTETS else None
    except RefusalError:
        return None
