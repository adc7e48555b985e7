"""The seam between SQL text and a database: what a transaction and a store can do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from typing import Any, Literal, Protocol, TypeVar

from kalends.store.known import Known

SqlValue = str | int | float | bytes | None
Row = tuple[SqlValue, ...]
Dialect = Literal["sqlite", "postgres"]
T = TypeVar("T")

TOO_LONG = "the work took longer than it may, and was undone"
"""What is said when a deadline passed."""


class Deadline:
    """A promise to stop: checked by the database while it works, so that work is really interrupted.

    Args:
        at: monotonic seconds after which the work must stop; None for no limit of time.
    """

    __slots__ = ("at", "cancelled")

    def __init__(self, at: float | None = None) -> None:
        self.at = at
        self.cancelled = False

    def cancel(self) -> None:
        """Ask the work to stop now. Safe from any thread."""
        self.cancelled = True

    def passed(self, now: float) -> bool:
        """Whether the work has to stop at `now` (monotonic seconds)."""
        return self.cancelled or (self.at is not None and now >= self.at)


class Tx(Protocol):
    """One transaction. SQL is written once, with `?` for parameters, for both databases."""

    memo: dict[tuple[str, int], Any]
    """Rows that were read already, by table and id. Who changes such a row takes it out."""
    known: Known
    """What earlier transactions have learnt and counters prove to hold still."""

    @property
    def dialect(self) -> Dialect:
        """Which database this is, for the few statements that differ."""

    def rows(self, sql: str, params: Sequence[SqlValue] = ()) -> list[Row]:
        """Run a query and return all its rows."""

    def row(self, sql: str, params: Sequence[SqlValue] = ()) -> Row | None:
        """Run a query and return its first row, or None."""

    def run(self, sql: str, params: Sequence[SqlValue] = ()) -> int:
        """Run a statement and return the number of rows it changed."""

    def expect(self, sql: str, params: Sequence[SqlValue] = ()) -> None:
        """Say that a query will be asked soon, so that its answer can come along with the next statement's.

        It is asked behind that one. What is written in between makes it be asked anew, so that saying this is
        never wrong; where nothing is far away nothing happens.
        """

    def many(self, sql: str, rows: Sequence[Sequence[SqlValue]]) -> None:
        """Run one statement for many rows, in as few round trips as the database allows: see `later`."""

    def later(self, sql: str, params: Sequence[SqlValue] = ()) -> None:
        """Run a statement without an answer, now or together with the next one that has one.

        What is left for later together must not need each other's effects: it may become one statement.
        """

    def flush(self) -> None:
        """Run what was left for later, and raise its errors."""

    def savepoint(self) -> AbstractContextManager[None]:
        """A nested block that is undone alone when it raises."""

    def check_deadline(self) -> None:
        """Stop when the deadline passed, between statements: a fifth of a microsecond.

        Raises:
            DeadlineError: it did.
        """


def paced(tx: Tx, things: Iterable[T]) -> Iterator[T]:
    """The same things, with a look at the deadline before each: for work that asks the database nothing.

    Args:
        tx: the transaction it is done in.
        things: what is worked on, each for some microseconds.

    Raises:
        DeadlineError: the deadline passed.
    """
    check = tx.check_deadline
    for thing in things:
        check()
        yield thing


class Store(Protocol):
    """A database that runs work in transactions. All methods may be called from any thread."""

    url: str
    dialect: Dialect

    def read(self, work: Callable[[Tx], T], deadline: Deadline | None = None) -> T:
        """Run `work` on one consistent snapshot, in the calling thread; it never waits for writers."""

    def write(self, work: Callable[[Tx], T], deadline: Deadline | None = None) -> T:
        """Run `work` in a write transaction and return after its commit is durable.

        `work` may run again when the database asks for a retry, so it has no outside effects.
        """

    def submit(
        self, work: Callable[[Tx], T], deadline: Deadline | None = None, shares: str = ""
    ) -> Future[T]:
        """Like `write`, but returns at once; the future is done after the durable commit.

        Args:
            work: as for `write`; it may share a transaction with others, where it is undone alone.
            deadline: as for `write`.
            shares: names what the work mostly writes to, such as a calendar: jobs of one name would only wait
                for each other, so that a database with several writers does them together.
        """

    def on_commit(self, heard: Callable[[], None]) -> None:
        """Let `heard` be called, in any thread, soon after each commit: ours, and others' we are told of.

        It may be called once for several commits, and without one. Call it once, before the first write.
        """

    def changed_elsewhere(self) -> bool:
        """Whether another process has committed since this was asked last.

        It costs microseconds and never waits; only one thread may ask. Where the database tells by itself
        (see `on_commit`) this is always False.
        """

    def announce(self) -> None:
        """Tell other processes that something was committed, where they do not see it by themselves."""

    def close(self) -> None:
        """Finish what runs, refuse new work, checkpoint and close. May be called twice."""
