"""The sessions with a PostgreSQL database: opened with our settings, lent to one transaction at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.types.numeric import Int8Dumper

from kalends.store.base import Deadline
from kalends.store.errors import StoreBusyError
from kalends.store.postgres.errors import mapped
from kalends.store.postgres.schema import redacted
from kalends.store.postgres.wire import Session

CONNECT_SECONDS = 10
LOCK_SECONDS = 30
"""Longest wait for a calendar's row, when the caller gave no deadline."""
_SESSION = f"""
set client_encoding = 'UTF8'; set timezone = 'UTC'; set jit = off; set standard_conforming_strings = on;
set lock_timeout = {LOCK_SECONDS * 1000}; set idle_in_transaction_session_timeout = '10min';
select set_config('synchronous_commit', 'on', false)
 where current_setting('synchronous_commit') in ('off', 'local')
"""


class Sessions:
    """A pool.

    Args:
        dsn: `postgresql://…` as libpq takes it.
        most: sessions at most.

    Attributes:
        url: the same without its password.
    """

    def __init__(self, dsn: str, most: int) -> None:
        self.url = redacted(dsn)
        self._dsn = dsn
        self._most = most
        self._idle: list[Session] = []
        self._lock = threading.Lock()
        self._slots = threading.BoundedSemaphore(most)

    def give(self, connection: Session) -> None:
        """Put a session that is outside of a transaction with the idle ones."""
        with self._lock:
            self._idle.append(connection)

    def connect(self) -> Session:
        """Open a session that belongs to the caller.

        Raises:
            StoreError: it cannot be had.
        """
        try:
            connection = Session.connect(
                self._dsn, autocommit=True, connect_timeout=CONNECT_SECONDS, prepare_threshold=None
            )
            # With PostgreSQL's own parameters: nothing to rewrite.
            connection.cursor_factory = psycopg.RawCursor
            # One type for every integer, else each size of number would make a prepared statement of its own.
            connection.adapters.register_dumper(int, Int8Dumper)
            connection.execute(_SESSION)
        except psycopg.Error as error:
            raise mapped(error, self.url) from None  # psycopg's own error holds the URL's parts
        return connection

    @contextmanager
    def lend(self, deadline: Deadline | None, *, fresh: bool) -> Iterator[Session]:
        """Lend a session.

        Args:
            deadline: how long to wait for one.
            fresh: forget the idle ones, which a restart of the server has ended too.
        """
        patience = LOCK_SECONDS if deadline is None or deadline.at is None else deadline.at - time.monotonic()
        if not self._slots.acquire(timeout=max(patience, 0)):
            raise StoreBusyError(f"all {self._most} sessions of the database are in use")
        try:
            if fresh:
                self._drop_idle()
            with self._lock:
                connection = self._idle.pop() if self._idle else None
            connection = connection or self.connect()
            try:
                yield connection
            finally:
                if connection.info.transaction_status == TransactionStatus.IDLE:
                    self.give(connection)
                else:
                    connection.close()
        finally:
            self._slots.release()

    def _drop_idle(self) -> None:
        with self._lock:
            dropped, self._idle = self._idle, []
        for connection in dropped:
            connection.close()

    def close(self) -> None:
        """Wait for what is lent, and close all."""
        for _ in range(self._most):
            self._slots.acquire(timeout=LOCK_SECONDS)
        self._drop_idle()
