"""Group commit on PostgreSQL: jobs for one calendar would wait for each other's disk, so they share it."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, Final

import psycopg
from psycopg import errors as pg
from psycopg.pq import TransactionStatus

from kalends.store.base import Deadline, Tx
from kalends.store.postgres.errors import RETRY, is_gone

MOST_JOBS: Final = 16
"""Jobs in one commit: bounds what has to be done again when the transaction is lost."""
MOST_SECONDS: Final = 0.1
"""No further job begins in a batch that has worked for so long: the first ones wait for their answers."""
LOCK_MILLISECONDS: Final = 100
"""How long any job but the first waits for a calendar besides the one they share, whose lock is held all the
time: by then somebody may be waiting for that. Such a job runs alone afterwards."""


class Job:
    """Work that was submitted.

    Args:
        work: runs in a transaction.
        deadline: of this job alone.

    Attributes:
        future: its outcome, after the durable commit.
    """

    __slots__ = ("deadline", "future", "work")

    def __init__(self, work: Callable[[Tx], Any], deadline: Deadline | None) -> None:
        self.work = work
        self.deadline = deadline
        self.future: Future[Any] = Future()


class Lanes:
    """Jobs that name the same calendar, in order: what waits while a commit is under way makes the next one.

    Args:
        start: runs something in a thread of the pool; raises RuntimeError once that is closed.
        run: does some jobs, all with the same name, and settles their futures.
    """

    def __init__(
        self, start: Callable[[Callable[[], None]], object], run: Callable[[Sequence[Job]], None]
    ) -> None:
        self._start = start
        self._run = run
        self._lock = threading.Lock()
        self._lanes: dict[str, deque[Job]] = {}

    def put(self, name: str, job: Job) -> None:
        """Queue a job; different names run beside each other."""
        with self._lock:
            waiting = self._lanes.get(name)
            if waiting is not None:
                waiting.append(job)
                return
            self._start(lambda: self._serve(name))
            self._lanes[name] = deque((job,))

    def _serve(self, name: str) -> None:
        while True:
            with self._lock:
                waiting = self._lanes[name]
                jobs = [waiting.popleft() for _ in range(min(MOST_JOBS, len(waiting)))]
                if not jobs:
                    del self._lanes[name]
                    return
            self._run([job for job in jobs if job.future.set_running_or_notify_cancel()])
            try:
                self._start(lambda: self._serve(name))  # other calendars have their turn first
            except RuntimeError:  # the store is being closed: what was submitted is finished here
                continue
            return


class Batch:
    """Some jobs in one transaction, each in a savepoint.

    Nobody is told anything before the commit: a job that failed may have met what another one of them wrote.

    Args:
        connection: a session outside of a transaction.
        open_tx: makes a job's transaction, given what its first statement has to take along.
        watched: runs a block under the watch of a job's deadline; gives what knows whether it fired.

    Attributes:
        done: jobs, their results and what they have learnt, to be told after the commit.
        failed: jobs and why.
        apart: jobs that have to run by themselves.
        rest: jobs that were not begun, because the others took so long.
    """

    def __init__(self, connection: Any, open_tx: Callable[..., Any], watched: Callable[..., Any]) -> None:
        self._connection, self._open, self._watched = connection, open_tx, watched
        self._carried: list[tuple[str, Sequence[Any]]] = []
        self.done: list[tuple[Job, Any, Any]] = []
        self.failed: list[tuple[Job, BaseException]] = []
        self.apart: list[Job] = []
        self.rest: list[Job] = []

    def run(self, jobs: Sequence[Job]) -> None:
        """Run jobs until one of them costs the transaction; then none is done, and they run apart."""
        until = time.monotonic() + MOST_SECONDS
        for at, job in enumerate(jobs):
            if at and time.monotonic() > until:
                self.rest = list(jobs[at:])
                return
            if len(self.done) == 1 and at:
                self._patience()
            if not self._one(job):
                self._abandon(jobs, job)
                return

    def _abandon(self, jobs: Sequence[Job], last: Job) -> None:
        """Nothing of it happened: all run apart, except a last one that failed by itself."""
        self.failed = [(job, error) for job, error in self.failed if job is last]
        told = {job for job, _ in self.failed}
        self.apart = [job for job in jobs if job not in told]
        self.done.clear()

    def _patience(self) -> None:
        if self._connection.info.transaction_status == TransactionStatus.INTRANS:
            self._connection.execute(f"set local lock_timeout = {LOCK_MILLISECONDS}")

    def _one(self, job: Job) -> bool:
        """Run one job; False when the transaction is lost."""
        begun = self._connection.info.transaction_status == TransactionStatus.INTRANS
        tx = self._open(job, begun, self._carried)
        watched = None
        try:
            with self._watched(job) as watched:
                with tx.savepoint():
                    result = job.work(tx)
                self._carried = tx.settle()
        except BaseException as error:  # noqa: BLE001 - whatever the work raises belongs to who submitted it
            fired = watched is not None and watched.fired
            lost = fired or self._lost()
            if not fired and _meets(tx.met):
                self.apart.append(job)
            else:
                self.failed.append((job, error))
            self._carried = []
            return not lost
        finally:
            tx.finish()
        self.done.append((job, result, tx.known))
        return True

    def _lost(self) -> bool:
        sound = (TransactionStatus.INTRANS, TransactionStatus.IDLE)
        return bool(self._connection.broken) or self._connection.info.transaction_status not in sound


def _meets(error: psycopg.Error | None) -> bool:
    """Whether a job met somebody else's transaction, so that it may do better alone."""
    return isinstance(error, (*RETRY, pg.LockNotAvailable)) or (error is not None and is_gone(error))


def tell(job: Job, attempt: Callable[[], Any]) -> None:
    """Settle a job's future by what an attempt gives, or raises."""
    try:
        result = attempt()
    except BaseException as error:  # noqa: BLE001 - it belongs to who submitted the work
        job.future.set_exception(error)
    else:
        job.future.set_result(result)
