"""A transaction on PostgreSQL: statements without an answer travel with the next one that has one."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, cast

import psycopg
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus, TransactionStatus

from kalends.store.base import TOO_LONG, Deadline, Dialect, Row, SqlValue
from kalends.store.errors import DeadlineError
from kalends.store.known import Known
from kalends.store.postgres_errors import mapped
from kalends.store.postgres_schema import Catalogue, Connection
from kalends.store.postgres_text import array, merged
from kalends.store.sqltext import numbered

ROWS = 10_000
"""Rows made into Python's between two looks at the deadline: some hundredths of a second."""
_MARKS = ("savepoint nested", "release nested")


def execute_raw(connection: Connection, sql: str) -> None:
    """Undo something past psycopg.

    At a ROLLBACK it forgets all prepared statements, for a table may have been made and be gone now. In our
    transactions none is; and each refused command would make its session begin anew with what it knows.

    Args:
        connection: not in a pipeline.
        sql: statements without parameters and without an answer.

    Raises:
        psycopg.Error: as when psycopg executes it.
    """
    result = connection.pgconn.exec_(sql.encode())
    if result.status != ExecStatus.COMMAND_OK:
        raise error_from_result(result)


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
            execute_raw(self._connection, f"rollback to {name}; release {name}")
        except psycopg.Error as error:  # what led here is raised; the transaction is lost as a whole
            self.met = error

    def finish(self) -> None:
        """Forbid further use."""
        self._cursor.close()
