"""SQLite through apsw: one writer thread that commits in groups, and readers that never wait for it."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar, cast

import apsw

from kalends.store.base import Deadline, Dialect, Tx
from kalends.store.errors import StoreReadOnlyError, StoreUnavailableError
from kalends.store.known import Key, Known
from kalends.store.sqlite.errors import mapped
from kalends.store.sqlite.file import PROBE_CACHE_KIB, READER_CACHE_KIB, Database, close_quietly
from kalends.store.sqlite.tx import SqliteTx, watched
from kalends.store.sqlite.writer import Job, Writer

T = TypeVar("T")
log = logging.getLogger(__name__)

BUSY_SECONDS = 5.0
"""How long a write waits for another process: longer than our transactions, less than clients wait."""


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
        self._database = Database(path, busy_seconds)
        self._database.provide(create=create, read_only=read_only)
        self.url = self._database.url
        self._readers: deque[apsw.Connection] = deque()
        self._closed = threading.Event()
        self._shared: dict[Key, Any] = {}
        self._probe: apsw.Connection | None = None
        self._version = 0
        read_only = read_only or self._database.frozen
        connection = self._database.open_writer(read_only=read_only)
        self.read_only = read_only or connection.readonly("main")
        self._writer = Writer(
            connection,
            self.url,
            busy_seconds=busy_seconds,
            read_only=self.read_only,
            last=self._close_readers,
        )

    def __repr__(self) -> str:
        return f"<SqliteStore {self.url}>"

    @contextmanager
    def _reader(self) -> Iterator[apsw.Connection]:
        if self._closed.is_set():
            raise StoreUnavailableError("the store is closed")
        try:
            connection = self._readers.pop()
        except IndexError:
            try:
                connection = self._database.open_reader(READER_CACHE_KIB)
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
                with watched(connection, deadline):
                    result = work(tx)
                tx.known.keep()
                return result
            finally:
                tx.finish()

    def write(self, work: Callable[[Tx], T], deadline: Deadline | None = None) -> T:
        """Run `work` in a write transaction and return after its commit is durable."""
        assert not self._writer.runs_here(), "a write inside a write would wait for itself"
        return self.submit(work, deadline).result()

    def submit(
        self, work: Callable[[Tx], T], deadline: Deadline | None = None, shares: str = ""
    ) -> Future[T]:
        """Queue `work` for the writer, which lets all share; the future is done after the durable commit."""
        job = Job(work, deadline, Known(self._shared))
        if self.read_only:
            job.future.set_exception(StoreReadOnlyError(f"{self.url} can be read but not written"))
        else:
            self._writer.put(job)
        return job.future

    def on_commit(self, heard: Callable[[], None]) -> None:
        """Call `heard` in the writer's thread after each commit of ours."""
        self._writer.heard = heard

    def changed_elsewhere(self) -> bool:
        """Whether anybody has committed since this was asked last: a look at the log's index in memory."""
        if self._closed.is_set() or self._database.path is None:
            return False
        try:
            if self._probe is None:
                self._probe = self._database.open_reader(PROBE_CACHE_KIB)
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
        self._closed.set()
        self._writer.stop()

    def _close_readers(self) -> None:
        close_quietly(self._probe)
        while self._readers:
            self._readers.pop().close()
