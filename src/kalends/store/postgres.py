"""PostgreSQL through psycopg 3: the same SQL, a small pool, and a watch that cancels what takes too long."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any, TypeVar, cast

from kalends.store.base import TOO_LONG, Deadline, Dialect, Row, SqlValue, Tx
from kalends.store.errors import (
    DeadlineError,
    StoreBusyError,
    StoreError,
    StoreOutcomeUnknownError,
    StoreReadOnlyError,
    StoreUnavailableError,
)
from kalends.store.known import Key, Known
from kalends.store.postgres_text import array, merged
from kalends.store.sqltext import numbered
from kalends.store.watch import Watch, Watched

try:
    import psycopg
    from psycopg.pq import TransactionStatus
    from psycopg.types.numeric import Int8Dumper
except ImportError as error:
    raise StoreUnavailableError(
        "postgresql:// needs psycopg: install Kalends with its extra: pip install 'kalends[postgres]'"
    ) from error

from kalends.store.listening import CHANNEL, Listener
from kalends.store.postgres_errors import RETRY, is_gone, mapped
from kalends.store.postgres_schema import Catalogue, Connection, migrate, redacted
from kalends.store.postgres_sharing import Batch, Job, Lanes, tell

T = TypeVar("T")
log = logging.getLogger(__name__)

CONNECTIONS = 8
"""Sessions at most: more would only wait for each other's rows; PostgreSQL's default allows 100 in all."""
CONNECT_SECONDS = 10
LOCK_SECONDS = 30
"""Longest wait for a calendar's row, when the caller gave no deadline."""
TRIES = 10
"""How often a transaction that met another (40001, 40P01) starts again."""
RECONNECTS = 3
"""How often a lost session is replaced before the database counts as down."""
PAUSE_SECONDS = 0.05
"""Mean pause before the first of these, doubled each time and never the same for two writers."""
QUEUED_JOBS = 10_000
"""Submitted writes that may wait."""
PREPARE_AFTER = 2
"""A statement that comes back this often is prepared on the server."""
STATEMENTS = 256
ROWS = 10_000
"""Rows made into Python's between two looks at the deadline: some hundredths of a second."""

_MARKS = ("savepoint nested", "release nested")
_READ = "begin isolation level repeatable read read only"
_WRITE = "begin isolation level read committed"
_SESSION = f"""
set client_encoding = 'UTF8'; set timezone = 'UTC'; set jit = off; set standard_conforming_strings = on;
set lock_timeout = {LOCK_SECONDS * 1000}; set idle_in_transaction_session_timeout = '10min';
select set_config('synchronous_commit', 'on', false)
 where current_setting('synchronous_commit') in ('off', 'local')
"""


_ANNOUNCE = "select set_config('synchronous_commit', 'off', true), pg_notify($1, $2)"


class PostgresTx:
    """A transaction on one session; see `base.Tx`.

    Attributes:
        met: the last error the database gave, whatever the work made of it.
    """

    dialect: Dialect = "postgres"

    def __init__(
        self, connection: Connection, catalogue: Catalogue, deadline: Deadline | None, known: Known
    ) -> None:
        self._connection = connection
        self._cursor = connection.cursor()
        self._catalogue = catalogue
        self._deadline = deadline
        self._depth = 0
        self._first: str | None = None
        self._queued: list[tuple[str, Sequence[Any]]] = []
        self.met: psycopg.Error | None = None
        self.memo: dict[tuple[str, int], Any] = {}
        self.known = known

    def begin(self, sql: str) -> None:
        """Begin when the first statement comes."""
        self._first = sql

    def carry(self, queued: Sequence[tuple[str, Sequence[Any]]]) -> None:
        """Take along what an earlier job of the same transaction left."""
        self._queued += queued

    def check(self) -> None:
        """Stop when the deadline passed, or when the database gave the transaction up."""
        self.settle()

    def settle(self) -> list[tuple[str, Sequence[Any]]]:
        """The same, for a transaction that goes on with another job.

        Returns:
            Ends of savepoints, which are not worth a round trip of their own, and which the commit implies.
        """
        self.check_deadline()
        marks: list[tuple[str, Sequence[Any]]] = []
        while self._queued and self._queued[-1][0].startswith(_MARKS):
            marks.insert(0, self._queued.pop())
        self.flush()
        if self.met is not None and self._connection.info.transaction_status != TransactionStatus.INTRANS:
            raise mapped(self.met) from self.met
        return marks

    def check_deadline(self) -> None:
        """Stop when the deadline passed."""
        if self._deadline is not None and self._deadline.passed(time.monotonic()):
            raise DeadlineError(TOO_LONG)

    def _execute(self, sql: str, params: Sequence[Any] = ()) -> None:
        self.check_deadline()
        try:
            if self._queued or self._first is not None:
                self._flush(sql, params)
            else:
                self._cursor.execute(numbered(sql), params)
        except psycopg.Error as error:
            self.met = error
            raise mapped(error) from error

    def _flush(self, sql: str, params: Sequence[Any]) -> None:
        """Send what was queued, and this statement: in one round trip when there is enough of it.

        A pipeline costs some 50 us of our own time, so it has to save more than one round trip.
        """
        queued = merged(self._queued)
        self._queued.clear()
        if self._first is not None:
            queued.insert(0, (self._first, ()))
            self._first = None
        with self._connection.pipeline() if len(queued) > 1 else nullcontext():
            for earlier, values in queued:
                self._connection.execute(numbered(earlier), values)
            self._cursor.execute(numbered(sql), params)

    def rows(self, sql: str, params: Sequence[SqlValue] = ()) -> list[Row]:
        """Run a query and return all its rows."""
        self._execute(sql, params)
        if not self._answers():
            return []
        found = self._cursor.fetchmany(ROWS)
        while len(found) % ROWS == 0 and (more := self._cursor.fetchmany(ROWS)):
            self.check_deadline()
            found += more
        return cast("list[Row]", found)

    def _answers(self) -> bool:
        """Whether the last statement gave rows; `description` would describe each of their columns."""
        result = self._cursor.pgresult
        return result is not None and result.nfields > 0

    def row(self, sql: str, params: Sequence[SqlValue] = ()) -> Row | None:
        """Run a query and return its first row, or None."""
        self._execute(sql, params)
        return cast("Row | None", self._cursor.fetchone()) if self._answers() else None

    def run(self, sql: str, params: Sequence[SqlValue] = ()) -> int:
        """Run a statement and return the number of rows it changed."""
        self._execute(sql, params)
        return self._cursor.rowcount

    def many(self, sql: str, rows: Sequence[Sequence[SqlValue]]) -> None:
        """Run one statement for many rows, later: an insert as a single statement over arrays."""
        if len(rows) < 2:
            self._queued += [(sql, row) for row in rows]
            return
        unnested = self._catalogue.unnested(sql)
        if unnested is not None:
            self._queued.append((unnested, [array(column) for column in zip(*rows, strict=True)]))
        else:
            self._queued += [(sql, row) for row in rows]

    def later(self, sql: str, params: Sequence[SqlValue] = ()) -> None:
        """Leave a statement for the next one that has an answer; it goes with it, and so does its error."""
        self._queued.append((sql, params))

    def flush(self) -> None:
        """Run what was left for later, and raise its errors."""
        if self._queued:
            *self._queued, (sql, params) = merged(self._queued)
            self._execute(sql, params)

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """A nested block that is undone alone when it raises."""
        self._depth += 1
        name = f"nested{self._depth}"
        if any(not sql.startswith(_MARKS) for sql, _ in self._queued):
            self.flush()  # it does not belong inside
        mark = (f"savepoint {name}", ())
        self._queued.append(mark)  # neither this nor the release is worth a round trip of its own
        try:
            yield
            if self._queued and self._queued[-1] is mark:
                self._queued.pop()
            else:
                self.flush()
                self._queued.append((f"release {name}", ()))
        except BaseException:
            if not self._connection.broken:
                self._undo(name, mark)
            raise
        finally:
            self._depth -= 1

    def _undo(self, name: str, mark: tuple[str, Sequence[Any]]) -> None:
        self.memo.clear()
        self.known.forget()
        unsent = next((at for at, one in enumerate(self._queued) if one is mark), None)
        if unsent is not None:
            del self._queued[unsent:]
            return
        self._queued.clear()
        try:
            self._cursor.execute(f"rollback to {name}; release {name}")
        except psycopg.Error as error:  # what led here is raised; the transaction is lost as a whole
            self.met = error

    def finish(self) -> None:
        """Forbid further use."""
        self._cursor.close()


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
        self.url = redacted(url)
        self.read_only = read_only
        self._dsn = url
        self._idle: list[Connection] = []
        self._lock = threading.Lock()
        self._shared: dict[Key, Any] = {}
        self._connections = connections
        self._slots = threading.BoundedSemaphore(connections)
        self._queued = threading.BoundedSemaphore(QUEUED_JOBS)
        self._closed = threading.Event()
        self._watch = Watch("kalends-watch")
        self._heard: Callable[[], None] | None = None
        self._listener: Listener | None = None
        first = self._connect()
        try:
            migrate(first, self.url, read_only=read_only)
            self._catalogue = Catalogue(first)
        except psycopg.Error as error:
            first.close()
            raise mapped(error, self.url) from error
        except StoreError:
            first.close()
            raise
        self._idle.append(first)
        self._workers = ThreadPoolExecutor(connections, "kalends-write")
        self._lanes = Lanes(self._workers.submit, self._jobs)

    def __repr__(self) -> str:
        return f"<PostgresStore {self.url}>"

    # -- sessions ---------------------------------------------------------------------------------------

    def _connect(self) -> Connection:
        try:
            connection = psycopg.connect(
                self._dsn, autocommit=True, connect_timeout=CONNECT_SECONDS, prepare_threshold=PREPARE_AFTER
            )
            connection.prepared_max = STATEMENTS
            connection.cursor_factory = (
                psycopg.RawCursor
            )  # with PostgreSQL's own parameters: nothing to rewrite
            # One type for every integer, else each size of number would make a prepared statement of its own.
            connection.adapters.register_dumper(int, Int8Dumper)
            connection.execute(_SESSION)
        except psycopg.Error as error:
            raise mapped(error, self.url) from None  # psycopg's own error holds the URL's parts
        return connection

    @contextmanager
    def _session(self, deadline: Deadline | None, *, fresh: bool) -> Iterator[Connection]:
        """Lend a session.

        Args:
            deadline: how long to wait for one.
            fresh: forget the idle ones, which a restart of the server has ended too.
        """
        patience = LOCK_SECONDS if deadline is None or deadline.at is None else deadline.at - time.monotonic()
        if not self._slots.acquire(timeout=max(patience, 0)):
            raise StoreBusyError(f"all {self._connections} sessions of the database are in use")
        try:
            if fresh:
                self._drop_idle()
            with self._lock:
                connection = self._idle.pop() if self._idle else None
            connection = connection or self._connect()
            try:
                yield connection
            finally:
                if connection.info.transaction_status == TransactionStatus.IDLE:
                    with self._lock:
                        self._idle.append(connection)
                else:
                    connection.close()
        finally:
            self._slots.release()

    def _drop_idle(self) -> None:
        with self._lock:
            dropped, self._idle = self._idle, []
        for connection in dropped:
            connection.close()

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
        self._listener = Listener(self._connect, heard)

    def changed_elsewhere(self) -> bool:
        """False: PostgreSQL tells by itself."""
        return False

    def announce(self) -> None:
        """NOTIFY the other processes; nobody waits for the disk for that."""
        name = "" if self._listener is None else self._listener.name
        with self._session(None, fresh=False) as connection:
            try:
                connection.execute(_ANNOUNCE, (CHANNEL, name))
            except psycopg.Error as error:
                connection.close()
                raise mapped(error, self.url) from error

    def close(self) -> None:
        """Finish what was submitted or runs, and close all sessions."""
        with self._lock:
            if self._closed.is_set():
                return
            self._closed.set()
        self._workers.shutdown(wait=True)
        if self._listener is not None:
            self._listener.stop()
        for _ in range(self._connections):
            self._slots.acquire(timeout=LOCK_SECONDS)
        self._watch.stop()
        self._drop_idle()

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
        with self._session(deadline, fresh=fresh) as connection:
            tx = PostgresTx(connection, self._catalogue, deadline, Known(self._shared))
            watched = self._watch.entry(deadline, connection.cancel_safe)
            try:
                with self._watch.over(watched):
                    tx.begin(begin)
                    result = work(tx)
                    tx.check()
                if (
                    connection.info.transaction_status != TransactionStatus.IDLE
                ):  # the work had nothing to ask
                    _commit(connection, self.url, writes=begin is _WRITE)
                    tx.known.keep()
                    if begin is _WRITE and self._heard is not None:
                        self._heard()
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
        with self._session(jobs[0].deadline, fresh=False) as connection:
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
        if batch.done and failure is None and self._heard is not None:
            self._heard()
        return batch.apart, batch.rest

    def _turn(
        self, connection: Connection, job: Job, begun: bool, carried: Sequence[tuple[str, Sequence[Any]]]
    ) -> PostgresTx:
        """One job's part of a transaction."""
        tx = PostgresTx(connection, self._catalogue, job.deadline, Known(self._shared))
        tx.carry(carried)
        if not begun:
            tx.begin(_WRITE)
        return tx

    @contextmanager
    def _watching(self, connection: Connection, job: Job) -> Iterator[Watched]:
        """Cancel what a job does when its deadline passes; such a session serves nobody else."""
        watched = self._watch.entry(job.deadline, connection.cancel_safe)
        try:
            with self._watch.over(watched):
                yield watched
        finally:
            if watched.fired:
                connection.close()


def _roll_back(connection: Connection) -> None:
    """Undo; a session that can't even do that is not used again (see `_session`)."""
    try:
        if connection.info.transaction_status in (TransactionStatus.INTRANS, TransactionStatus.INERROR):
            connection.execute("rollback")
    except psycopg.Error:
        connection.close()


def _commit(connection: Connection, url: str, *, writes: bool) -> None:
    try:
        connection.execute("commit")
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
