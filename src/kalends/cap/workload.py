"""The commands of one CAP session that are worked on: begun when their channel allows it, answered once."""

from __future__ import annotations

from collections.abc import Mapping

from kalends.cap.actions import Action, Await, Execute, Forget, Outcome, Prepare
from kalends.cap.commands import Circumstances, Kind, Verb
from kalends.cap.exchange import Exchange, Job, JobKind, Lane
from kalends.cap.latency import Phase, Timers
from kalends.cap.messages import Request
from kalends.cap.outgoing import Outgoing, progress, refused
from kalends.cap.replies import NothingYet, Reply
from kalends.cap.status import BAD_ARGS, FAILURE, TIMED_OUT, TOO_COMPLEX, RefusalError
from kalends.core.errors import InterruptedCommandError
from kalends.store.errors import DeadlineError

STOPPABLE = frozenset({Phase.FREE, Phase.TICKING, Phase.ASKED})


class Workload:
    """What a session works on.

    Args:
        out: what the session says.
        lanes: the open channels; kept by the session.
        seconds: how long one command may work; None for no limit.

    Attributes:
        jobs: by number, what is under way or waits.
        timers: when the LATENCY of which job is over.
    """

    def __init__(self, out: Outgoing, lanes: Mapping[int, Lane], seconds: float | None) -> None:
        self.jobs: dict[int, Job] = {}
        self.timers = Timers()
        self._out = out
        self._lanes = lanes
        self._seconds = seconds
        self._ids: set[str] = set()
        self._next_number = 1

    def job(self, exchange: Exchange, kind: JobKind) -> Job:
        """A new job; it does not begin before it is put on its lane."""
        job = Job(self._next_number, exchange, kind)
        self._next_number += 1
        self.jobs[job.number] = job
        return job

    def task(
        self, verb: Verb, exchange: Exchange, index: int, request: Request, around: Circumstances
    ) -> Job:
        """Make a job of a command; its LATENCY runs since its message came."""
        assert verb.kind is not None
        task = verb.task(request, around)
        job = self.job(exchange, verb.kind)
        job.index, job.request, job.task = index, request, task
        if request.ident is not None:
            self._ids.add(request.ident)
        if request.latency is not None:
            self.wind(job, request, exchange.since)
        return job

    def wind(self, job: Job, request: Request, since: float) -> None:
        """Start a job's clock, if the command (or CONTINUE) has a LATENCY.

        Args:
            job: the job.
            request: holds LATENCY and ACTION.
            since: from when on, in seconds of the shell's clock.
        """
        job.clock.wind(request, since)
        if job.clock.due is not None:
            self.timers.set(job.number, job.clock.due)

    def knows(self, ident: str | None) -> bool:
        """Whether a command with that ID is worked on."""
        return ident in self._ids

    def named(self, request: Request, exchange: Exchange, phases: frozenset[Phase]) -> Job | None:
        """The job that a command means: the named one, or the only one (LAT-10)."""
        jobs = [
            job
            for job in self.jobs.values()
            if job.request is not None and job.exchange is not exchange and job.clock.phase in phases
        ]
        if request.ident is not None:
            jobs = [job for job in jobs if job.request is not None and job.request.ident == request.ident]
        return jobs[0] if len(jobs) == 1 else None

    def pump(self, lane: Lane, now: float) -> list[Action]:
        """Begin what may begin on a channel now."""
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

    def end(self, number: int) -> Job | None:
        """Take out a job whose work is over; None when there is no such job any more."""
        job = self.jobs.pop(number, None)
        lane = None if job is None else self._lanes.get(job.exchange.channel)
        if job is not None and lane is not None:
            lane.end(job)
        return job

    def may_wait(self, job: Job) -> bool:
        """Whether a SEARCH that found nothing yet may go on waiting for it."""
        return job.clock.phase in STOPPABLE and self._out.reachable(job.exchange.channel)

    def wait(self, job: Job, quiet: NothingYet) -> Await:
        """Let a SEARCH that found nothing yet wait for a change."""
        self.jobs[job.number] = job
        job.quiet = quiet
        return Await(job.number, quiet.ticks)

    def wake(self, number: int, now: float) -> list[Action]:
        """A calendar has changed that a waiting SEARCH asked about: look again.

        Args:
            number: of the Await.
            now: seconds of the shell's clock.
        """
        job = self.jobs.get(number)
        if job is None or job.quiet is None:
            return []
        job.quiet = None
        return [self._execute(job, "read", now)]

    def give_up(self, job: Job) -> list[Action]:
        """Answer a waiting SEARCH with what it has: nothing."""
        assert job.quiet is not None
        quiet, job.quiet = job.quiet, None
        self.drop(job, quiet)
        return [Forget(job.number)]

    def give_up_waiting(self) -> list[Action]:
        """Answer all SEARCHes that wait."""
        waiting = [job for job in self.jobs.values() if job.quiet is not None]
        return [action for job in waiting for action in self.give_up(job)]

    def drop(self, job: Job, outcome: Outcome) -> None:
        """Take out a job that does not run, and answer it."""
        del self.jobs[job.number]
        self.answer(job, outcome)

    def answer(self, job: Job, outcome: Outcome) -> None:
        """Answer a command, and the ABORTs that were sent to stop it."""
        request, phase = job.request, job.clock.phase
        assert request is not None
        self.timers.clear(job.number)
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
