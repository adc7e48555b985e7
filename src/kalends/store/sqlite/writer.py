"""The one thread that writes to SQLite: whatever waits shares a commit."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import apsw

from kalends.store.base import Deadline, Tx
from kalends.store.errors import StoreBusyError, StoreUnavailableError
from kalends.store.known import Known
from kalends.store.sqlite.errors import mapped
from kalends.store.sqlite.tx import SqliteTx, watched

log = logging.getLogger(__name__)

BATCH_JOBS = 128
"""Most jobs in one commit: bounds how long the first of them waits for the others."""
BATCH_SECONDS = 0.02
"""A batch takes no further job after this time, for the same reason; one fsync of a plain disk costs that."""
QUEUED_JOBS = 10_000
"""Jobs that may wait. More means that the disk can't follow: better to say so than to fill the memory."""


class Job:
    """Work that was submitted.

    Args:
        work: runs in a transaction.
        deadline: of this job alone.
        known: what is remembered between transactions.

    Attributes:
        future: its outcome, after the durable commit.
        since: when it was submitted, in seconds of the monotonic clock.
    """

    __slots__ = ("deadline", "future", "known", "since", "work")

    def __init__(self, work: Callable[[Tx], Any], deadline: Deadline | None, known: Known) -> None:
        self.work = work
        self.known = known
        self.deadline = deadline
        self.future: Future[Any] = Future()
        self.since = time.monotonic()


class Writer:
    """Runs jobs one after the other, and commits them in groups.

    Args:
        connection: the one that writes.
        url: names the store, for people.
        busy_seconds: how long a job waits for another process.
        read_only: nothing is ever written: there is nothing to tidy up at the end.
        last: called in the thread when it ends, before the last checkpoint.

    Attributes:
        heard: called after each commit.
    """

    def __init__(
        self,
        connection: apsw.Connection,
        url: str,
        *,
        busy_seconds: float,
        read_only: bool,
        last: Callable[[], None],
    ) -> None:
        self.heard: Callable[[], None] | None = None
        self._connection = connection
        self._url = url
        self._busy_seconds = busy_seconds
        self._read_only = read_only
        self._last = last
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._redo: deque[Job] = deque()
        self._stopped = False
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._serve, name="kalends-writer", daemon=True)
        self._thread.start()

    def runs_here(self) -> bool:
        """Whether the calling thread is the writer's."""
        return threading.current_thread() is self._thread

    def put(self, job: Job) -> None:
        """Queue a job, or refuse it through its future."""
        if self._jobs.qsize() >= QUEUED_JOBS:
            job.future.set_exception(StoreBusyError(f"{QUEUED_JOBS} writes are waiting already"))
            return
        with self._lock:
            if self._stopped:
                job.future.set_exception(StoreUnavailableError("the store is closed"))
            else:
                self._jobs.put(job)

    def stop(self) -> None:
        """Take no more jobs; return when those that were taken are done and the connection is closed."""
        with self._lock:
            if not self._stopped:
                self._stopped = True
                self._jobs.put(None)
        if not self.runs_here():
            self._thread.join()

    def _serve(self) -> None:
        while True:
            job = self._redo.popleft() if self._redo else self._jobs.get()
            if job is None:
                break
            self._batch(job)
        self._last()
        if not self._read_only:
            try:
                self._connection.execute("pragma optimize").fetchall()
                self._connection.execute("pragma wal_checkpoint(truncate)").fetchall()
            except apsw.Error as error:  # everything acknowledged is in the log, which the next opener reads
                log.warning("no last checkpoint of %s: %s", self._url, mapped(error))
        self._connection.close()

    def _next(self) -> Job | None:
        """The next job that waits, or None; the sign to stop is left for `_serve`."""
        if self._redo:
            return self._redo.popleft()
        try:
            job = self._jobs.get_nowait()
        except queue.Empty:
            return None
        if job is None:
            self._jobs.put(None)
        return job

    def _batch(self, job: Job | None) -> None:
        """Run jobs until none waits or the batch is large, then commit them together.

        The first job needs no savepoint: while it is alone, undoing it is undoing the transaction.
        """
        results: list[tuple[Job, Any]] = []
        until = time.monotonic() + BATCH_SECONDS
        while job is not None:
            if job.future.running() or job.future.set_running_or_notify_cancel():
                self._run(job, results)
            if len(results) >= BATCH_JOBS or time.monotonic() >= until:
                break
            job = self._next()
        if results:
            self._commit(results)

    def _run(self, job: Job, results: list[tuple[Job, Any]]) -> None:
        connection = self._connection
        alone = not connection.in_transaction
        tx = SqliteTx(connection, job.deadline, job.known)
        try:
            with watched(connection, job.deadline):
                if alone:
                    self._begin(tx, job)
                    result = job.work(tx)
                    tx.check()
                else:
                    with tx.savepoint():
                        result = job.work(tx)
        except BaseException as error:  # noqa: BLE001 - whatever the work raises belongs to who submitted it
            if alone and connection.in_transaction:
                connection.execute("rollback")
            elif not alone and not connection.in_transaction:
                # A full disk or an interrupted write undid the others too, who did nothing wrong: once more.
                for other, _ in results:
                    other.known.forget()
                    self._redo.append(other)
                results.clear()
            job.future.set_exception(error)
        else:
            results.append((job, result))
        finally:
            tx.finish()

    def _begin(self, tx: SqliteTx, job: Job) -> None:
        """Take the write lock, waiting for other processes until the job has waited long enough."""
        until = job.since + self._busy_seconds

        def again(_count: int) -> bool:
            now = time.monotonic()
            if now >= until or (job.deadline is not None and job.deadline.passed(now)):
                return False
            time.sleep(0.002)
            return True

        self._connection.set_busy_handler(again)
        try:
            tx.rows("begin immediate")
        except StoreBusyError:
            tx.check_deadline()
            raise
        finally:
            self._connection.set_busy_timeout(int(self._busy_seconds * 1000))

    def _commit(self, results: list[tuple[Job, Any]]) -> None:
        try:
            self._connection.execute("commit")
        except apsw.Error as error:
            if self._connection.in_transaction:
                self._connection.execute("rollback")
            failure = mapped(error, self._url, self._connection.system_errno)
            for job, _ in results:
                job.future.set_exception(failure)
        else:
            for job, result in results:
                job.known.keep()
                job.future.set_result(result)
            if self.heard is not None:
                self.heard()
