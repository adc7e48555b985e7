"""The order of work on one channel: what may run now, what has to wait (RFC 3080 §2.6.1).

Messages of a channel are executed as if one after the other. Work of one kind may overlap: reads see the
same store whatever their order, and writes are queued in order by the store. A read waits for the writes
before it, and the reverse.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from kalends.cap.commands import Kind, Task
from kalends.cap.latency import Clock
from kalends.cap.messages import Request
from kalends.cap.replies import Reply

MAX_TOGETHER = 64
"""Jobs of one channel that run at the same time: a group commit's worth of pipelined writes."""

JobKind = Kind | Literal["prepare"]


@dataclass(slots=True, eq=False)
class Exchange:
    """One MSG and what is answered to it.

    Attributes:
        channel, msgno: where the answer goes.
        since: when it came, in seconds of the shell's clock.
        replies: per request of the message, what it says; None while it is not done.
        left: requests not done yet.
        locale: the language that the session speaks once this is answered (LOC-01); None for no change.
        answered: whether its answer was given to the wire, where it may wait for those before it.
    """

    channel: int
    msgno: int
    since: float
    replies: list[list[Reply] | None] = field(default_factory=list)
    left: int = 0
    locale: str | None = None
    answered: bool = False


@dataclass(slots=True, eq=False)
class Job:
    """One request's work.

    Attributes:
        number: names it between session and shell.
        exchange, index: where its replies belong.
        kind: `prepare` reads a large message and gives requests; the others need a transaction.
        request: the command; None while it is being prepared.
        task: what runs in the transaction.
        prepare: what runs without one.
        clock: its LATENCY, and whether it is being stopped.
        question: msgno of the TIMEOUT sent last; None before the first.
        quiet: what it would answer now, while it waits for a change; None when it does not wait.
        aborts: commands that stop it, answered when it is over: their exchange, their place in it, they.
    """

    number: int
    exchange: Exchange
    kind: JobKind
    index: int = 0
    request: Request | None = None
    task: Task | None = None
    prepare: Callable[[], list[Request]] | None = None
    clock: Clock = field(default_factory=Clock)
    question: int | None = None
    quiet: list[Reply] | None = None
    aborts: list[tuple[Exchange, int, Request]] = field(default_factory=list)


class Lane:
    """The jobs of one channel.

    Args:
        together: kinds of which several jobs may run at the same time.

    Attributes:
        locale: the language of what comes after a SET-LOCALE whose reply still waits for its turn.
    """

    def __init__(self, together: frozenset[Kind]) -> None:
        self.locale: str | None = None
        self._open: deque[Exchange] = deque()
        self._together = together
        self._waiting: deque[Job] = deque()
        self._running: dict[int, Job] = {}

    def open(self, exchange: Exchange) -> None:
        """Note that an exchange began; exchanges are answered in this order."""
        self._open.append(exchange)

    def answered(self, exchange: Exchange) -> list[Exchange]:
        """Note an answer; gives the exchanges that nothing holds up any more, in order."""
        exchange.answered = True
        gone: list[Exchange] = []
        while self._open and self._open[0].answered:
            gone.append(self._open.popleft())
        return gone

    def add(self, job: Job) -> None:
        """Put a job at the end of the line."""
        self._waiting.append(job)

    def push_front(self, jobs: list[Job]) -> None:
        """Put jobs, in order, before all others: what a prepared message turned out to hold."""
        self._waiting.extendleft(reversed(jobs))

    def drop(self, job: Job) -> bool:
        """Take a job out if it has not begun; tells whether it had not."""
        if job.number in self._running or job not in self._waiting:
            return False
        self._waiting.remove(job)
        return True

    def end(self, job: Job) -> None:
        """Note that a running job is over."""
        self._running.pop(job.number, None)

    def startable(self) -> list[Job]:
        """Take out the jobs that may begin now, in order."""
        ready: list[Job] = []
        while self._waiting and self._fits(self._waiting[0]):
            job = self._waiting.popleft()
            self._running[job.number] = job
            ready.append(job)
        return ready

    def _fits(self, job: Job) -> bool:
        if not self._running:
            return True
        beside = next(iter(self._running.values()))
        if any(one.task is not None and one.task.identity for one in (job, beside)):
            return False
        kind = beside.kind
        return kind == job.kind and kind in self._together and len(self._running) < MAX_TOGETHER

    @property
    def jobs(self) -> list[Job]:
        """All jobs not over yet, the running ones first."""
        return [*self._running.values(), *self._waiting]

    @property
    def idle(self) -> bool:
        """Whether nothing runs or waits."""
        return not self._running and not self._waiting
