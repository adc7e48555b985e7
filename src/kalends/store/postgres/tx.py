"""A transaction on PostgreSQL: statements without an answer travel with the next one that has one."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus

from kalends.store.base import TOO_LONG, Deadline, Dialect, Row, SqlValue
from kalends.store.errors import DeadlineError, StoreError
from kalends.store.known import Known
from kalends.store.postgres.errors import mapped
from kalends.store.postgres.schema import Catalogue
from kalends.store.postgres.text import Statement, array, merged
from kalends.store.postgres.wire import Answer, Session

ROWS = 10_000
"""Rows made into Python's between two looks at the deadline: some hundredths of a second."""
_MARKS = ("savepoint nested", "release nested")


class PostgresTx:
    """A transaction on one session; see `base.Tx`.

    Attributes:
        met: the last error the database gave, whatever the work made of it.
    """

    dialect: Dialect = "postgres"

    def __init__(
        self, session: Session, catalogue: Catalogue, deadline: Deadline | None, known: Known
    ) -> None:
        self._session = session
        self._catalogue = catalogue
        self._deadline = deadline
        self._depth = 0
        self._over = False
        self._first: str | None = None
        self._queued: list[Statement] = []
        self._expected: list[Statement] = []
        self._answered: dict[tuple[str, tuple[Any, ...]], Answer] = {}
        self.met: psycopg.Error | None = None
        self.memo: dict[tuple[str, int], Any] = {}
        self.known = known

    def begin(self, sql: str) -> None:
        """Begin when the first statement comes."""
        self._first = sql

    def carry(self, queued: Sequence[Statement]) -> None:
        """Take along what an earlier job of the same transaction left."""
        self._queued += queued

    def check(self) -> None:
        """Stop when the deadline passed, or when the database gave the transaction up."""
        self.settle()

    def settle(self) -> list[Statement]:
        """The same, for a transaction that goes on with another job.

        Returns:
            Ends of savepoints, which are not worth a round trip of their own, and which the commit implies.
        """
        self.check_deadline()
        marks: list[Statement] = []
        while self._queued and self._queued[-1][0].startswith(_MARKS):
            marks.insert(0, self._queued.pop())
        self.flush()
        if self.met is not None and self._session.info.transaction_status != TransactionStatus.INTRANS:
            raise mapped(self.met) from self.met
        return marks

    def check_deadline(self) -> None:
        """Stop when the deadline passed."""
        if self._deadline is not None and self._deadline.passed(time.monotonic()):
            raise DeadlineError(TOO_LONG)

    def _execute(self, sql: str, params: Sequence[Any] = ()) -> Answer:
        if self._over:
            raise StoreError("this transaction is over")
        self.check_deadline()
        if self._answered and not sql.startswith("select"):
            self._answered.clear()
        try:
            return self._send(sql, params)
        except psycopg.Error as error:
            self.met = error
            raise mapped(error) from error

    def _send(self, sql: str, params: Sequence[Any]) -> Answer:
        """Send what was queued, this statement, and what is expected to be asked next, in one round trip."""
        before = merged(self._queued) if self._queued else []
        self._queued.clear()
        if self._first is not None:
            before.insert(0, (self._first, ()))
            self._first = None
        expected = self._expected
        if not expected:
            return self._session.wire.run([*before, (sql, params)])[-1]
        self._expected = []
        expected = [one for one in expected if one != (sql, tuple(params))]
        answers = self._session.wire.run([*before, (sql, params), *expected])[len(before) :]
        for (later, values), answer in zip(expected, answers[1:], strict=True):
            self._answered[later, tuple(values)] = answer
        return answers[0]

    def expect(self, sql: str, params: Sequence[SqlValue] = ()) -> None:
        """Ask a query along with the next statement, after it."""
        self._expected.append((sql, tuple(params)))

    def _ask(self, sql: str, params: Sequence[Any]) -> Answer:
        """Run a query, unless it was answered along with another statement and nothing was written since."""
        answer = self._answered.pop((sql, tuple(params)), None) if self._answered else None
        return self._execute(sql, params) if answer is None else answer

    def rows(self, sql: str, params: Sequence[SqlValue] = ()) -> list[Row]:
        """Run a query and return all its rows."""
        answer = self._ask(sql, params)
        found = answer.rows(0, min(len(answer), ROWS))
        while len(found) < len(answer):
            self.check_deadline()
            found += answer.rows(len(found), min(len(answer), len(found) + ROWS))
        return found

    def row(self, sql: str, params: Sequence[SqlValue] = ()) -> Row | None:
        """Run a query and return its first row, or None."""
        answer = self._ask(sql, params)
        return answer.rows(0, 1)[0] if len(answer) else None

    def run(self, sql: str, params: Sequence[SqlValue] = ()) -> int:
        """Run a statement and return the number of rows it changed."""
        return self._execute(sql, params).changed

    def many(self, sql: str, rows: Sequence[Sequence[SqlValue]]) -> None:
        """Run one statement for many rows, later: an insert as a single statement over arrays."""
        self._answered.clear()
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
        self._answered.clear()
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
            self._close(name, mark)
        except BaseException:
            if not self._session.broken:
                self._undo(name, mark)
            raise
        finally:
            self._depth -= 1

    def _close(self, name: str, mark: Statement) -> None:
        """End a savepoint, with the next statement; that ends those inside of it, too."""
        while (
            self._queued and self._queued[-1] is not mark and self._queued[-1][0].startswith("release nested")
        ):
            self._queued.pop()
        if self._queued and self._queued[-1] is mark:
            self._queued.pop()
        else:
            self.flush()
            self._queued.append((f"release {name}", ()))

    def _undo(self, name: str, mark: Statement) -> None:
        self.memo.clear()
        self.known.forget()
        self._answered.clear()
        self._expected.clear()
        unsent = next((at for at, one in enumerate(self._queued) if one is mark), None)
        if unsent is not None:
            del self._queued[unsent:]
            return
        self._queued.clear()
        try:
            self._session.wire.run(((f"rollback to {name}", ()), (f"release {name}", ())))
        except psycopg.Error as error:  # what led here is raised; the transaction is lost as a whole
            self.met = error

    def finish(self) -> None:
        """Forbid further use."""
        self._over = True
