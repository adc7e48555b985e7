"""PostgreSQL through psycopg 3: the same SQL, a small pool, and a watch that cancels what takes too long."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

from kalends.store.base import TOO_LONG, Deadline, Dialect, Tx
from kalends.store.errors import (
    DeadlineError,
    StoreBusyError,
    StoreError,
    StoreOutcomeUnknownError,
    StoreReadOnlyError,
    StoreUnavailableError,
)
from kalends.store.known import Key, Known
from kalends.store.watch import Watch, Watched

try:
    import psycopg
    from psycopg.pq import TransactionStatus
except ImportError as error:
    raise StoreUnavailableError(
        "postgresql:// needs psycopg: install Kalends with its extra: pip install 'kalends[postgres]'"
    ) from error

from kalends.store.listening import CHANNEL, Listener
from kalends.store.postgres.errors import RETRY, is_gone, mapped
from kalends.store.postgres.schema import Catalogue, migrate
from kalends.store.postgres.sessions import Sessions
from kalends.store.postgres.sharing import Batch, Job, Lanes, tell
from kalends.store.postgres.tx import PostgresTx
from kalends.store.postgres.wire import Session

T = TypeVar("T")
log = logging.getLogger(__name__)

CONNECTIONS = 8
"""Sessions at most: more would only wait for each other's rows; PostgreSQL's default allows 100 in all."""
TRIES = 10
"""How often a transaction that met another (40001, 40P01) starts again."""
RECONNECTS = 3
"""How often a lost session is replaced before the database counts as down."""
PAUSE_SECONDS = 0.05
"""Mean pause before the first of these, doubled each time and never the same for two writers."""
QUEUED_JOBS = 10_000
"""Submitted writes that may wait."""

_READ = "begin isolation level repeatable read read only"
_WRITE = "begin isolation level read committed"
_ANNOUNCE = "select set_config('synchronous_commit', 'off', true), pg_notify(?, ?)"


class _AgainError(Exception):
    """The transaction left no trace and may run once more.

    Attributes:
        met: why it ended. gone: whether the session was lost.
    """

    def __init__(self, met: psycopg.Error, *, gone: bool) -> None:
        self.met = met
        self.gone = gone


class PostgresStore:
    """A store in a PostgreSQL database (13 or later); see `base.Store`.

    Args:
        url: `postgresql://…` as libpq takes it; its password is never shown again.
        read_only: refuse every write.
        connections: sessions at most.
    """

    dialect: Dialect = "postgres"

    def __init__(self, url: str, *, read_only: bool = False, connections: int = CONNECTIONS) -> None:
        self._sessions = Sessions(url, connections)
        self.url = self._sessions.url
        self.read_only = read_only
        self._lock = threading.Lock()
        self._shared: dict[Key, Any] = {}
        self._queued = threading.BoundedSemaphore(QUEUED_JOBS)
        self._closed = threading.Event()
        self._watch = Watch("kalends-watch")
        self._heard: Callable[[], None] | None = None
        self._untold = threading.Event()
        self._listener: Listener | None = None
        first = self._sessions.connect()
        try:
            migrate(first, self.url, read_only=read_only)
            self._catalogue = Catalogue(first)
        except psycopg.Error as error:
            first.close()
            raise mapped(error, self.url) from error
        except StoreError:
            first.close()
            raise
        self._sessions.give(first)
        self._workers = ThreadPoolExecutor(connections, "kalends-write")
        self._lanes = Lanes(self._workers.submit, self._jobs)

    def __repr__(self) -> str:
        return f"<PostgresStore {self.url}>"

    # -- the seam ---------------------------------------------------------------------------------------

    def read(self, work: Callable[[Tx], T], deadline: Deadline | None = None) -> T:
        """Run `work` on one consistent snapshot, in the calling thread."""
        self._refuse_when_closed()
        return self._transact(_READ, work, deadline)

    def write(self, work: Callable[[Tx], T], deadline: Deadline | None = None) -> T:
        """Run `work` in a write transaction, in the calling thread, and return after its durable commit."""
        self._refuse_when_closed()
        self._refuse_when_read_only()
        return self._transact(_WRITE, work, deadline)

    def submit(
        self, work: Callable[[Tx], T], deadline: Deadline | None = None, shares: str = ""
    ) -> Future[T]:
        """Run `work` in a thread of the pool; the future is done after the durable commit."""
        job = Job(work, deadline)
        try:
            self._refuse_when_closed()
            self._refuse_when_read_only()
            if not self._queued.acquire(blocking=False):
                raise StoreBusyError(f"{QUEUED_JOBS} writes are waiting already")
        except StoreError as error:
            job.future.set_exception(error)
            return job.future
        job.future.add_done_callback(lambda _: self._queued.release())
        try:
            if shares:
                self._lanes.put(shares, job)
            else:
                self._workers.submit(self._jobs, (job,))
        except RuntimeError:  # it was closed just now
            job.future.set_exception(StoreUnavailableError("the store is closed"))
        return job.future

    def on_commit(self, heard: Callable[[], None]) -> None:
        """Call `heard` after each commit: here in the thread that wrote, for others in one that listens."""
        self._heard = heard
        self._listener = Listener(self._sessions.connect, heard)

    def changed_elsewhere(self) -> bool:
        """False: PostgreSQL tells by itself."""
        return False

    def _committed(self) -> None:
        self._untold.set()
        if self._heard is not None:
            self._heard()

    def announce(self) -> None:
        """NOTIFY the other processes of what was committed here; nobody waits for the disk for that.

        Nothing is sent when there is nothing new: who hears of others' commits would tell of them in turn.
        """
        if not self._untold.is_set():
            return
        self._untold.clear()
        name = "" if self._listener is None else self._listener.name
        with self._sessions.lend(None, fresh=False) as connection:
            try:
                connection.wire.run(((_ANNOUNCE, (CHANNEL, name)),))
            except psycopg.Error as error:
                self._untold.set()
                connection.close()
                raise mapped(error, self.url) from error

    def close(self) -> None:
        """Finish what was submitted or runs, tell others of it, and close all sessions."""
        with self._lock:
            if self._closed.is_set():
                return
            self._closed.set()
        self._workers.shutdown(wait=True)
        if self._listener is not None:
            self._listener.stop()
            self._announce_the_last()
        self._sessions.close()
        self._watch.stop()

    def _announce_the_last(self) -> None:
        try:
            self.announce()
        except StoreError as error:
            log.info("other servers of %s hear of the last changes later: %s", self.url, error)

    def _refuse_when_closed(self) -> None:
        if self._closed.is_set():
            raise StoreUnavailableError("the store is closed")

    def _refuse_when_read_only(self) -> None:
        if self.read_only:
            raise StoreReadOnlyError(f"{self.url} was opened read-only")

    # -- transactions -----------------------------------------------------------------------------------

    def _transact(self, begin: str, work: Callable[[Tx], T], deadline: Deadline | None) -> T:
        met = lost = 0
        while True:
            try:
                return self._once(begin, work, deadline, fresh=lost > 0)
            except _AgainError as again:
                lost += again.gone
                met += not again.gone
                if lost > RECONNECTS or met > TRIES:
                    raise mapped(again.met, self.url) from again.met
                if again.gone and lost == 1:
                    continue  # most often an idle session that the server ended long ago
                pause = PAUSE_SECONDS * 2 ** min(lost + met - 1, 5) * random.uniform(0.5, 1.5)  # noqa: S311 - jitter
                time.sleep(pause)
                if deadline is not None and deadline.passed(time.monotonic()):
                    raise DeadlineError(TOO_LONG) from again.met

    def _once(self, begin: str, work: Callable[[Tx], T], deadline: Deadline | None, *, fresh: bool) -> T:
        with self._sessions.lend(deadline, fresh=fresh) as connection:
            tx = PostgresTx(connection, self._catalogue, deadline, Known(self._shared))
            watched = self._watch.entry(deadline, connection.cancel_safe)
            try:
                with self._watch.over(watched):
                    tx.begin(begin)
                    result = work(tx)
                    tx.check()
                # It is idle when the work had nothing to ask.
                if connection.info.transaction_status != TransactionStatus.IDLE:
                    _commit(connection, self.url, writes=begin is _WRITE)
                    tx.known.keep()
                    if begin is _WRITE:
                        self._committed()
            except BaseException:
                _roll_back(connection)
                if tx.met is not None and (isinstance(tx.met, RETRY) or is_gone(tx.met)):
                    raise _AgainError(tx.met, gone=is_gone(tx.met)) from tx.met
                raise
            finally:
                tx.finish()
                if watched.fired:  # the cancel may still be on its way, and would hit whoever comes next
                    connection.close()
            return result

    def _jobs(self, jobs: Sequence[Job]) -> None:
        """Do what was submitted: several jobs in one transaction, and by itself what cannot share it."""
        rest = [job for job in jobs if job.future.running() or job.future.set_running_or_notify_cancel()]
        while rest:
            apart, rest = rest, []
            if len(apart) > 1:
                try:
                    apart, rest = self._together(apart)
                except StoreError:
                    log.debug("no session for several jobs; each looks for its own", exc_info=True)
            for job in apart:
                tell(job, partial(self._transact, _WRITE, job.work, job.deadline))

    def _together(self, jobs: Sequence[Job]) -> tuple[list[Job], list[Job]]:
        """Run jobs in one transaction; returns those that have to run by themselves, and those not begun."""
        failure: StoreError | None = None
        with self._sessions.lend(jobs[0].deadline, fresh=False) as connection:
            batch = Batch(connection, partial(self._turn, connection), partial(self._watching, connection))
            batch.run(jobs)
            try:
                if not batch.done:
                    _roll_back(connection)
                elif connection.info.transaction_status != TransactionStatus.IDLE:
                    _commit(connection, self.url, writes=True)
            except _AgainError:
                _roll_back(connection)
                return list(jobs), []
            except StoreError as error:
                _roll_back(connection)
                failure = error
        for job, reason in batch.failed:
            job.future.set_exception(reason)
        for job, result, known in batch.done:
            if failure is None:
                known.keep()
                job.future.set_result(result)
            else:
                job.future.set_exception(failure)
        if batch.done and failure is None:
            self._committed()
        return batch.apart, batch.rest

    def _turn(
        self, connection: Session, job: Job, begun: bool, carried: Sequence[tuple[str, Sequence[Any]]]
    ) -> PostgresTx:
        """One job's part of a transaction."""
        tx = PostgresTx(connection, self._catalogue, job.deadline, Known(self._shared))
        tx.carry(carried)
        if not begun:
            tx.begin(_WRITE)
        return tx

    @contextmanager
    def _watching(self, connection: Session, job: Job) -> Iterator[Watched]:
        """Cancel what a job does when its deadline passes; such a session serves nobody else."""
        watched = self._watch.entry(job.deadline, connection.cancel_safe)
        try:
            with self._watch.over(watched):
                yield watched
        finally:
            if watched.fired:
                connection.close()


def _roll_back(connection: Session) -> None:
    """Undo; a session that can't even do that is not used again (see `_session`)."""
    try:
        if connection.info.transaction_status in (TransactionStatus.INTRANS, TransactionStatus.INERROR):
            connection.wire.run((("rollback", ()),))
    except psycopg.Error:
        connection.close()


def _commit(connection: Session, url: str, *, writes: bool) -> None:
    try:
        connection.wire.run((("commit", ()),))
    except psycopg.Error as error:
        if not writes:
            connection.close()
            return
        if isinstance(error, RETRY):
            raise _AgainError(error, gone=False) from error
        if is_gone(error):
            raise StoreOutcomeUnknownError(
                f"{url}: session lost during the commit: its outcome is unknown, look before trying again"
            ) from error
        raise mapped(error, url) from error
