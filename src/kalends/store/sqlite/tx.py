"""A transaction on SQLite, and the watch over its deadline."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

import apsw

from kalends.store.base import TOO_LONG, Deadline, Dialect, Row, SqlValue
from kalends.store.errors import DeadlineError, StoreError
from kalends.store.known import Known
from kalends.store.sqlite.errors import mapped

PROGRESS_STEPS = 2_000
"""Virtual machine steps between two looks at the deadline: well below a millisecond of work."""


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

    def expect(self, sql: str, params: Sequence[SqlValue] = ()) -> None:
        """Nothing: a query costs nothing but itself here."""

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


@contextmanager
def watched(connection: apsw.Connection, deadline: Deadline | None) -> Iterator[None]:
    """Let SQLite look at the deadline while it works."""
    if deadline is None:
        yield
        return
    connection.set_progress_handler(lambda: deadline.passed(time.monotonic()), PROGRESS_STEPS)
    try:
        yield
    finally:
        connection.set_progress_handler(None)
