"""Stopping and going on: what LATENCY, TIMEOUT, CONTINUE and ABORT do to commands (RFC 4324 §10.1.1)."""

from __future__ import annotations

from collections.abc import Mapping

from kalends.beep.errors import LocalProtocolError
from kalends.beep.session import Session as Wire
from kalends.cap import mime, replies
from kalends.cap.actions import Action, Cancel, Forget
from kalends.cap.exchange import Exchange, Job, Lane
from kalends.cap.latency import Happening, Order, Phase
from kalends.cap.messages import Request
from kalends.cap.outgoing import Outgoing, progress
from kalends.cap.replies import Reply
from kalends.cap.workload import STOPPABLE, Workload
from kalends.core.errors import InterruptedCommandError

MAX_QUESTIONS = 256
"""TIMEOUTs a client may leave unanswered in all; further ones are not sent and count as unanswered, too."""

Asked = tuple[Exchange, int, Request]
"""A command about another one: its exchange, its place in it, the command."""
Done = tuple[list[Reply] | None, list[Action]]
"""What it is answered, None for later; and what the shell has to do."""
_ASKED = frozenset({Phase.ASKED})


class Stopping:
    """What time and the client do to the commands of a session.

    Args:
        wire: the BEEP session.
        work: the commands.
        out: what the session says.
        lanes: the open channels; kept by the session.
    """

    def __init__(self, wire: Wire, work: Workload, out: Outgoing, lanes: Mapping[int, Lane]) -> None:
        self._wire = wire
        self._work = work
        self._out = out
        self._lanes = lanes
        self._questions: dict[tuple[int, int], int] = {}

    def closed(self, channel: int) -> None:
        """Forget what was asked on a channel."""
        self._questions = {key: n for key, n in self._questions.items() if key[0] != channel}

    def answered(self, question: tuple[int, int], request: Request | None, now: float) -> list[Action]:
        """Take the answer to a TIMEOUT: A-39 (a).

        Args:
            question: channel and msgno of what was answered.
            request: the answer; None for one that cannot be read.
            now: seconds of the shell's clock.
        """
        job = self._work.jobs.get(self._questions.pop(question, 0))
        if job is None or request is None or request.fault is not None:
            return []  # as good as no answer: the work goes on
        assert job.request is not None  # nothing else has a LATENCY
        if request.ident not in (None, job.request.ident):
            return []
        if request.verb == "ABORT":
            return self._step(job, Happening.ABORT, now) or []
        if request.verb == "CONTINUE" and job.question == question[1]:
            self._continue(job, request, now)
        return []

    def ring(self, now: float) -> list[Action]:
        """Ask about commands whose LATENCY is over, or stop them (LAT-01, LAT-07).

        Args:
            now: seconds of the shell's clock.
        """
        actions: list[Action] = []
        for number in self._work.timers.take(now):
            job = self._work.jobs[number]
            if job.quiet is not None and job.clock.action == "ABORT":  # it is in time: there is nothing
                actions += self._work.give_up(job)
                continue
            order = job.clock.ring()
            if order is not None:
                actions += self._obey(job, order, now)
        return actions

    def abort(self, asked: Asked, now: float) -> Done | None:
        """ABORT as a MSG: A-39 (b), (c). It is answered when the work has stopped, or is done after all."""
        exchange, _, request = asked
        job = self._work.named(request, exchange, STOPPABLE)
        if job is None:
            return None
        job.aborts.append(asked)
        return None, self._step(job, Happening.ABORT, now) or []

    def go_on(self, asked: Asked, now: float) -> Done | None:
        """CONTINUE as a MSG: A-39 (b), (c)."""
        exchange, _, request = asked
        job = self._work.named(request, exchange, _ASKED)
        if job is None or not self._continue(job, request, now):
            return None
        more = f" for {request.latency} more seconds" if request.latency is not None else ""
        return [progress(request, f"Continued{more}.")], []

    def _continue(self, job: Job, request: Request, now: float) -> bool:
        """Work on after a TIMEOUT, with a new LATENCY if there is one (LAT-06)."""
        if self._step(job, Happening.CONTINUE, now) is None:
            return False
        self._work.wind(job, request, now)
        return True

    def _step(self, job: Job, happening: Happening, now: float) -> list[Action] | None:
        """Take a step of the table for a job; None when it is not allowed."""
        order = job.clock.step(happening)
        return None if order is None else self._obey(job, order, now)

    def _obey(self, job: Job, order: Order, now: float) -> list[Action]:
        if order is Order.ASK:
            self._send_timeout(job)
        return self._stop(job, now) if order is Order.STOP else []

    def _stop(self, job: Job, now: float) -> list[Action]:
        """Stop a job: at once if it has not begun, else by asking the store (LAT-03, A-40)."""
        if job.quiet is not None:
            job.quiet = None
            self._work.drop(job, InterruptedCommandError("stopped while it waited"))
            return [Forget(job.number)]
        lane = self._lanes.get(job.exchange.channel)
        if lane is None or not lane.drop(job):
            return [Cancel(job.number)]
        self._work.drop(job, InterruptedCommandError("stopped before it began"))
        return self._work.pump(lane, now)

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
