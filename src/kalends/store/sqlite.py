"""SQLite through apsw: one writer thread that commits in groups, and readers that never wait for it."""

from __future__ import annotations

import logging
import os
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar, cast
from urllib.parse import quote

import apsw

from kalends.store import schema
from kalends.store.base import Deadline, Dialect, Row, SqlValue, Tx
from kalends.store.errors import (
    DeadlineError,
    StoreBusyError,
    StoreError,
    StoreReadOnlyError,
    StoreSchemaError,
    StoreUnavailableError,
)
from kalends.store.known import Key, Known
from kalends.store.sqlite_errors import mapped

T = TypeVar("T")
log = logging.getLogger(__name__)

TOO_LONG = "the work took longer than it may, and was undone"

BUSY_SECONDS = 5.0
"""How long a write waits for another process: longer than our transactions, less than clients wait."""
BATCH_JOBS = 128
"""Most jobs in one commit: bounds how long the first of them waits for the others."""
BATCH_SECONDS = 0.02
"""A batch takes no further job after this time, for the same reason; one fsync of a plain disk costs that."""
QUEUED_JOBS = 10_000
"""Jobs that may wait. More means that the disk can't follow: better to say so than to fill the memory."""
PROGRESS_STEPS = 2_000
"""Virtual machine steps between two looks at the deadline: well below a millisecond of work."""
STATEMENTS = 256
"""Prepared statements kept a connection: all of ours, and a good number of compiled queries."""
WRITER_CACHE_KIB = 16_384
READER_CACHE_KIB = 4_096
PROBE_CACHE_KIB = 64
"""The connection that only asks whether something has changed reads nothing."""
WAL_LIMIT_OCTETS = 64 * 1024 * 1024
"""A log that grew larger (under a long read) is cut back to this after a checkpoint."""
APPLICATION_ID = 0x4B414C43
"""'KALC' in the file's header, so that `file` and we can tell whose it is."""
SAFE_VERSION = 3_051_003
"""The first SQLite without the WAL-reset bug that could damage a database (fixed in 3.51.3 and 3.53.0)."""

_READ_ONLY = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
_READ_WRITE = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_URI


class SqliteTx:
    """A transaction on one connection; see `base.Tx`."""

    dialect: Dialect = "sqlite"

    def __init__(self, connection: apsw.Connection, deadline: Deadline | None, known: Known) -> None:
        self._connection = connection
        self._cursor = connection.cursor()
        self._deadline = deadline
        self._depth = 0
        self._lost: StoreError | None = None
        self.memo: dict[tuple[str, int], Any] = {}
        self.known = known

    def check(self) -> None:
        """Stop when the deadline passed, or when SQLite ended the transaction by itself."""
        if self._lost is not None:
            raise self._lost
        self.check_deadline()

    def check_deadline(self) -> None:
        """Stop when the deadline passed."""
        if self._deadline is not None and self._deadline.passed(time.monotonic()):
            raise DeadlineError(TOO_LONG)

    def _failure(self, error: apsw.Error) -> StoreError:
        failure = mapped(error, errno=self._connection.system_errno)
        if not self._connection.in_transaction:
            # A full disk or an interrupted write ends the whole transaction: what followed it would be
            # committed statement by statement.
            self._lost = failure
        return failure

    def rows(self, sql: str, params: Sequence[SqlValue] = ()) -> list[Row]:
        """Run a query and return all its rows."""
        if self._deadline is not None or self._lost is not None:
            self.check()
        try:
            return cast("list[Row]", self._cursor.execute(sql, params).fetchall())
        except apsw.Error as error:
            raise self._failure(error) from error

    def row(self, sql: str, params: Sequence[SqlValue] = ()) -> Row | None:
        """Run a query and return its first row, or None."""
        rows = self.rows(sql, params)
        return rows[0] if rows else None

    def run(self, sql: str, params: Sequence[SqlValue] = ()) -> int:
        """Run a statement and return the number of rows it changed."""
        self.rows(sql, params)
        return self._connection.changes()

    def many(self, sql: str, rows: Sequence[Sequence[SqlValue]]) -> None:
        """Run one statement for many rows."""
        if self._deadline is not None or self._lost is not None:
            self.check()
        try:
            self._cursor.executemany(sql, rows)
        except apsw.Error as error:
            raise self._failure(error) from error

    def later(self, sql: str, params: Sequence[SqlValue] = ()) -> None:
        """Run a statement without an answer: at once, for nothing is far away here."""
        self.rows(sql, params)

    def flush(self) -> None:
        """Nothing was left for later."""

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """A nested block that is undone alone when it raises."""
        self._depth += 1
        name = f"nested{self._depth}"
        self.rows(f"savepoint {name}")
        try:
            yield
            self.rows(f"release {name}")
        except BaseException:
            self.memo.clear()
            self.known.forget()
            if self._lost is None:
                self._cursor.execute(f"rollback to {name}")
                self._cursor.execute(f"release {name}")
            raise
        finally:
            self._depth -= 1

    def finish(self) -> None:
        """Forbid further use."""
        self._cursor.close()


class _Job:
    __slots__ = ("deadline", "future", "known", "since", "work")

    def __init__(self, work: Callable[[Tx], Any], deadline: Deadline | None, known: Known) -> None:
        self.work = work
        self.known = known
        self.deadline = deadline
        self.future: Future[Any] = Future()
        self.since = time.monotonic()


class SqliteStore:
    """A store in one SQLite file; see `base.Store`.

    Args:
        path: the file; None keeps everything in memory (for tests: readers then do wait for the writer).
        create: make the file and its directory when they are not there.
        read_only: refuse every write.
        busy_seconds: how long to wait for another process.
    """

    dialect: Dialect = "sqlite"

    def __init__(
        self,
        path: Path | None,
        *,
        create: bool = True,
        read_only: bool = False,
        busy_seconds: float = BUSY_SECONDS,
    ) -> None:
        self.url = f"sqlite:///{path.absolute()}" if path is not None else "sqlite:///:memory:"
        self._path = path
        self._busy_seconds = busy_seconds
        self._uri = _file_uri(path) if path is not None else f"file:/kalends-{id(self)}?vfs=memdb"
        self._readers: deque[apsw.Connection] = deque()
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._redo: deque[_Job] = deque()
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._shared: dict[Key, Any] = {}
        self._heard: Callable[[], None] | None = None
        self._probe: apsw.Connection | None = None
        self._version = 0
        if _lib_number() < SAFE_VERSION:
            log.warning(
                "SQLite %s can damage a database (WAL reset); 3.51.3 or later is safe",
                apsw.sqlite_lib_version(),
            )
        if path is not None and not read_only:
            _make_file(path, create=create)
        elif path is not None and not path.exists():
            raise StoreUnavailableError(f"there is no store at {path}")
        if path is not None and _is_frozen(path):
            self._uri += "?immutable=1"
            read_only = True
        self._writer = self._open_writer(read_only=read_only)
        self.read_only = read_only or self._writer.readonly("main")
        self._thread = threading.Thread(target=self._serve, name="kalends-writer", daemon=True)
        self._thread.start()

    def __repr__(self) -> str:
        return f"<SqliteStore {self.url}>"

    # -- connections ------------------------------------------------------------------------------------

    def _open_writer(self, *, read_only: bool) -> apsw.Connection:
        connection: apsw.Connection | None = None
        try:
            connection = self._connect(_READ_ONLY if read_only else _READ_WRITE, WRITER_CACHE_KIB)
            if not connection.readonly("main"):
                self._use_wal(connection)
            _migrate(connection, self.url)
        except apsw.Error as error:
            _close_quietly(connection)
            raise mapped(error, self.url) from error
        except StoreError:
            _close_quietly(connection)
            raise
        return connection

    def _connect(self, flags: int, cache_kib: int) -> apsw.Connection:
        if self._path is None:
            flags = _READ_WRITE | apsw.SQLITE_OPEN_CREATE
        connection = apsw.Connection(self._uri, flags=flags, statementcachesize=STATEMENTS)
        connection.set_busy_timeout(int(self._busy_seconds * 1000))
        for pragma in (
            "foreign_keys = on",
            "trusted_schema = off",
            "temp_store = memory",
            "synchronous = full",
            f"cache_size = -{cache_kib}",
            f"journal_size_limit = {WAL_LIMIT_OCTETS}",
        ):
            connection.execute(f"pragma {pragma}")
        connection.execute(
            "select count(*) from sqlite_schema"
        ).fetchall()  # now we know that it is a database
        return connection

    def _use_wal(self, connection: apsw.Connection) -> None:
        if self._path is None:
            return
        until = time.monotonic() + self._busy_seconds
        while True:
            try:
                connection.execute("pragma journal_mode = wal").fetchall()
            except apsw.BusyError:  # two that open a new file at once: the busy timeout does not cover this
                if time.monotonic() >= until:
                    raise
                time.sleep(0.01)
            else:
                return

    @contextmanager
    def _reader(self) -> Iterator[apsw.Connection]:
        if self._closed.is_set():
            raise StoreUnavailableError("the store is closed")
        try:
            connection = self._readers.pop()
        except IndexError:
            try:
                connection = self._connect(_READ_ONLY, READER_CACHE_KIB)
                connection.execute("pragma query_only = on")
            except apsw.Error as error:
                raise mapped(error, self.url) from error
        try:
            yield connection
        finally:
            if connection.in_transaction:
                connection.execute("rollback")
            if self._closed.is_set():
                connection.close()
            else:
                self._readers.append(connection)

    # -- the seam ---------------------------------------------------------------------------------------

    def read(self, work: Callable[[Tx], T], deadline: Deadline | None = None) -> T:
        """Run `work` on one consistent snapshot, in the calling thread."""
        with self._reader() as connection:
            tx = SqliteTx(connection, deadline, Known(self._shared))
            tx.rows("begin")
            try:
                with _watched(connection, deadline):
                    result = work(tx)
                tx.known.keep()
                return result
            finally:
                tx.finish()

    def write(self, work: Callable[[Tx], T], deadline: Deadline | None = None) -> T:
        """Run `work` in a write transaction and return after its commit is durable."""
        assert threading.current_thread() is not self._thread, "a write inside a write would wait for itself"
        return self.submit(work, deadline).result()

    def submit(
        self, work: Callable[[Tx], T], deadline: Deadline | None = None, shares: str = ""
    ) -> Future[T]:
        """Queue `work` for the writer, which lets all share; the future is done after the durable commit."""
        job = _Job(work, deadline, Known(self._shared))
        if self.read_only:
            job.future.set_exception(StoreReadOnlyError(f"{self.url} can be read but not written"))
        elif self._jobs.qsize() >= QUEUED_JOBS:
            job.future.set_exception(StoreBusyError(f"{QUEUED_JOBS} writes are waiting already"))
        else:
            with self._lock:
                if self._closed.is_set():
                    job.future.set_exception(StoreUnavailableError("the store is closed"))
                else:
                    self._jobs.put(job)
        return job.future

    def on_commit(self, heard: Callable[[], None]) -> None:
        """Call `heard` in the writer's thread after each commit of ours."""
        self._heard = heard

    def changed_elsewhere(self) -> bool:
        """Whether anybody has committed since this was asked last: a look at the log's index in memory."""
        if self._closed.is_set() or self._path is None:
            return False
        try:
            if self._probe is None:
                self._probe = self._connect(_READ_ONLY, PROBE_CACHE_KIB)
            version = cast("int", self._probe.pragma("data_version"))
        except apsw.Error as error:
            log.debug("cannot ask whether %s has changed: %s", self.url, error)
            return False
        changed, self._version = version != self._version, version
        return changed

    def announce(self) -> None:
        """Nothing to do: others look at the file."""

    def close(self) -> None:
        """Finish what was submitted, checkpoint and close."""
        with self._lock:
            if not self._closed.is_set():
                self._closed.set()
                self._jobs.put(None)
        if threading.current_thread() is not self._thread:
            self._thread.join()

    # -- the writer thread ------------------------------------------------------------------------------

    def _serve(self) -> None:
        while True:
            job = self._redo.popleft() if self._redo else self._jobs.get()
            if job is None:
                break
            self._batch(job)
        _close_quietly(self._probe)
        while self._readers:
            self._readers.pop().close()
        if not self.read_only:
            try:
                self._writer.execute("pragma optimize").fetchall()
                self._writer.execute("pragma wal_checkpoint(truncate)").fetchall()
            except apsw.Error as error:  # everything acknowledged is in the log, which the next opener reads
                log.warning("no last checkpoint of %s: %s", self.url, mapped(error))
        self._writer.close()

    def _next(self) -> _Job | None:
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

    def _batch(self, job: _Job | None) -> None:
        """Run jobs until none waits or the batch is large, then commit them together.

        The first job needs no savepoint: while it is alone, undoing it is undoing the transaction.
        """
        results: list[tuple[_Job, Any]] = []
        until = time.monotonic() + BATCH_SECONDS
        while job is not None:
            if job.future.running() or job.future.set_running_or_notify_cancel():
                self._run(job, results)
            if len(results) >= BATCH_JOBS or time.monotonic() >= until:
                break
            job = self._next()
        if results:
            self._commit(results)

    def _run(self, job: _Job, results: list[tuple[_Job, Any]]) -> None:
        connection = self._writer
        alone = not connection.in_transaction
        tx = SqliteTx(connection, job.deadline, job.known)
        try:
            with _watched(connection, job.deadline):
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

    def _begin(self, tx: SqliteTx, job: _Job) -> None:
        """Take the write lock, waiting for other processes until the job has waited long enough."""
        until = job.since + self._busy_seconds

        def again(_count: int) -> bool:
            now = time.monotonic()
            if now >= until or (job.deadline is not None and job.deadline.passed(now)):
                return False
            time.sleep(0.002)
            return True

        self._writer.set_busy_handler(again)
        try:
            tx.rows("begin immediate")
        except StoreBusyError:
            tx.check_deadline()
            raise
        finally:
            self._writer.set_busy_timeout(int(self._busy_seconds * 1000))

    def _commit(self, results: list[tuple[_Job, Any]]) -> None:
        try:
            self._writer.execute("commit")
        except apsw.Error as error:
            if self._writer.in_transaction:
                self._writer.execute("rollback")
            failure = mapped(error, self.url, self._writer.system_errno)
            for job, _ in results:
                job.future.set_exception(failure)
        else:
            for job, result in results:
                job.known.keep()
                job.future.set_result(result)
            if self._heard is not None:
                self._heard()


@contextmanager
def _watched(connection: apsw.Connection, deadline: Deadline | None) -> Iterator[None]:
    """Let SQLite look at the deadline while it works."""
    if deadline is None:
        yield
        return
    connection.set_progress_handler(lambda: deadline.passed(time.monotonic()), PROGRESS_STEPS)
    try:
        yield
    finally:
        connection.set_progress_handler(None)


def _migrate(connection: apsw.Connection, url: str) -> None:
    version = _version(connection, url)
    if not schema.pending(version, "sqlite"):
        return
    if connection.readonly("main"):
        raise StoreSchemaError(
            f"{url} has an older schema and can't be written: open it once with write access"
        )
    connection.execute("begin immediate")
    try:
        for number, sql in schema.pending(
            _version(connection, url), "sqlite"
        ):  # another may have been faster
            connection.execute(schema.for_dialect(schema.META, "sqlite"))
            connection.execute(sql)
            connection.execute(
                "insert into meta (key, value) values ('schema', ?)"
                " on conflict (key) do update set value = excluded.value",
                (str(number),),
            )
        connection.execute(f"pragma application_id = {APPLICATION_ID}")
        connection.execute("commit")
    except BaseException:
        if connection.in_transaction:
            connection.execute("rollback")
        raise


def _version(connection: apsw.Connection, url: str) -> int:
    tables = connection.execute("select count(*) from sqlite_schema").get
    if tables == 0:
        return 0
    if connection.pragma("application_id") != APPLICATION_ID:
        raise StoreSchemaError(f"{url} is a database of something else")
    return int(cast("str", connection.execute("select value from meta where key = 'schema'").get))


def _make_file(path: Path, *, create: bool) -> None:
    """Make the file before SQLite does, so that nobody else may read it."""
    if path.exists():
        return
    if not create:
        raise StoreUnavailableError(f"there is no store at {path}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise StoreUnavailableError(f"can't make a store at {path}: {error.strerror}") from error


def _is_frozen(path: Path) -> bool:
    """Whether nobody writes here: we can't make the log's files in the folder, and no writer has them open.

    SQLite cannot read such a file in WAL mode otherwise: it wants to make the log's index beside it.
    """
    log_files = (path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm"))
    return (
        path.exists() and not os.access(path.parent, os.W_OK) and not any(file.exists() for file in log_files)
    )


def _file_uri(path: Path) -> str:
    return "file:" + quote(str(path.absolute()))


def _lib_number() -> int:
    major, minor, patch = (int(part) for part in apsw.sqlite_lib_version().split(".")[:3])
    return major * 1_000_000 + minor * 1_000 + patch


def _close_quietly(connection: apsw.Connection | None) -> None:
    if connection is not None:
        connection.close()
