"""What a transaction promises, on both databases."""

from __future__ import annotations

import itertools
import threading
import time
from concurrent.futures import Future

import pytest

from kalends.store import calendars, meta, schema
from kalends.store.base import Deadline, Store, Tx, paced
from kalends.store.errors import (
    DeadlineError,
    DuplicateError,
    StoreError,
    StoreReadOnlyError,
    StoreUnavailableError,
)
from kalends.store.open import open_store

SLOW = (
    "with recursive n (i) as (select 1 union all select i + 1 from n where i < 100000000)"
    " select count(*) from n where i % 2 = 0"
)
"""Takes minutes, if it is let."""


def value(store: Store, key: str) -> str | None:
    return store.read(lambda tx: meta.get(tx, key))


class NoThanksError(Exception):
    pass


def test_store_failed_work_changes_nothing_and_raises_as_it_is(store: Store) -> None:
    def work(tx: Tx) -> None:
        meta.put(tx, "a", "1")
        raise NoThanksError

    with pytest.raises(NoThanksError):
        store.write(work)
    assert value(store, "a") is None


def test_store_failing_jobs_are_undone_alone(store: Store) -> None:
    """Many jobs may share a commit; one that fails takes no other with it."""
    started = threading.Event()
    go = threading.Event()

    def first(tx: Tx) -> None:
        started.set()
        assert go.wait(10)
        meta.put(tx, "first", "1")

    def job(number: int) -> Future[int]:
        def work(tx: Tx) -> int:
            meta.put(tx, f"k{number}", "1")
            if number % 3 == 0:
                raise NoThanksError
            return number

        return store.submit(work)

    before = store.submit(first)
    assert started.wait(10)
    futures = [job(number) for number in range(30)]
    go.set()
    before.result(10)
    for number, future in enumerate(futures):
        if number % 3 == 0:
            with pytest.raises(NoThanksError):
                future.result(10)
        else:
            assert future.result(10) == number
    kept = {f"k{number}" for number in range(30) if number % 3} | {"first", "schema"}
    assert set(store.read(meta.every)) == kept


def twice(tx: Tx) -> None:
    with tx.savepoint():
        meta.put(tx, "b", "1")
        with tx.savepoint():
            meta.put(tx, "c", "1")
        calendars.add(tx, id=1, calid="")


def test_store_a_savepoint_is_undone_alone(store: Store) -> None:
    def work(tx: Tx) -> None:
        meta.put(tx, "a", "1")
        with pytest.raises(DuplicateError):
            twice(tx)
        meta.put(tx, "d", "1")

    store.write(work)
    assert set(store.read(meta.every)) == {"a", "d", "schema"}


def test_store_a_reader_sees_one_snapshot_and_blocks_nobody(store: Store) -> None:
    store.write(lambda tx: meta.put(tx, "a", "old"))

    def read(tx: Tx) -> tuple[str | None, str | None]:
        before = meta.get(tx, "a")
        store.write(lambda tx: meta.put(tx, "a", "new"))
        return before, meta.get(tx, "a")

    assert store.read(read) == ("old", "old")
    assert value(store, "a") == "new"


def test_store_a_reader_can_not_write(store: Store) -> None:
    with pytest.raises(StoreReadOnlyError):
        store.read(lambda tx: meta.put(tx, "a", "1"))
    assert value(store, "a") is None


def test_store_a_deadline_interrupts_a_query(store: Store) -> None:
    deadline = Deadline(time.monotonic() + 0.05)
    with pytest.raises(DeadlineError):
        store.read(lambda tx: tx.rows(SLOW), deadline)
    assert value(store, "schema") == str(schema.newest())


def test_store_a_deadline_interrupts_a_write_and_undoes_it(store: Store) -> None:
    deadline = Deadline()
    slow = threading.Event()

    def work(tx: Tx) -> None:
        meta.put(tx, "a", "1")
        slow.set()
        tx.run(
            "insert into meta (key, value) "
            + SLOW.replace("select count(*)", "select 'n', cast(max(i) as text)")
        )

    future = store.submit(work, deadline)
    assert slow.wait(10)
    deadline.cancel()
    with pytest.raises(DeadlineError):
        future.result(20)
    assert set(store.read(meta.every)) == {"schema"}
    store.write(lambda tx: meta.put(tx, "b", "1"))


def test_store_a_deadline_that_has_passed_stops_before_the_first_statement(store: Store) -> None:
    with pytest.raises(DeadlineError):
        store.write(lambda tx: meta.put(tx, "a", "1"), Deadline(time.monotonic() - 1))
    with pytest.raises(DeadlineError):
        store.read(lambda tx: meta.get(tx, "a"), Deadline(time.monotonic() - 1))


def test_store_work_that_finishes_after_its_deadline_is_undone(store: Store) -> None:
    deadline = Deadline()

    def work(tx: Tx) -> None:
        meta.put(tx, "a", "1")
        deadline.cancel()

    with pytest.raises(DeadlineError):
        store.write(work, deadline)
    assert value(store, "a") is None


def test_store_a_deadline_ends_work_that_asks_the_database_nothing(store: Store) -> None:
    """RFC 4324 §10.1.1: what is expanded, matched or written in memory stops as soon."""
    deadline = Deadline()

    def work(tx: Tx) -> int:
        for number in paced(tx, itertools.count()):
            if number == 3:
                deadline.cancel()
            assert number <= 3
        raise AssertionError("it has no end")

    with pytest.raises(DeadlineError):
        store.read(work, deadline)
    with pytest.raises(DeadlineError):
        store.write(work, deadline)


def test_store_a_deadline_ends_the_fetching_of_a_long_answer(store: Store) -> None:
    """All rows come when there is time; the deadline counts while they are fetched."""
    many = "with recursive n (i) as (select 1 union all select i + 1 from n where i < 45000) select i from n"
    assert [row[0] for row in store.read(lambda tx: tx.rows(many))] == list(range(1, 45_001))
    exactly = (
        "with recursive n (i) as (select 1 union all select i + 1 from n where i < 10000) select i from n"
    )
    assert len(store.read(lambda tx: tx.rows(exactly))) == 10_000


def test_store_ticks_are_gapless_under_concurrent_writers(store: Store) -> None:
    seen: list[int] = []

    def book() -> None:
        seen.extend(store.write(lambda tx: calendars.bump(tx, [0]))[0] for _ in range(20))

    threads = [threading.Thread(target=book) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seen) == list(range(1, 81))


def test_store_many_rows_of_all_sorts(store: Store) -> None:
    def work(tx: Tx) -> None:
        tx.many("insert into meta (key, value) values (?, ?)", [])
        tx.many("insert into meta (key, value) values (?, ?)", [("a", "1")])
        tx.many(
            "insert into meta (key, value) values (?, ?)",
            [(f"b{n}", "x ? % ' \\ {} , \"\u20ac") for n in range(3)],
        )
        tx.many("update meta set value = ? where key = ?", [("2", "a"), ("3", "b0")])
        tx.many(
            "insert into meta (key, value) values (?, ?) on conflict (key) do update set value = excluded.value",
            [("a", "5"), ("c", "6")],
        )

    store.write(work)
    odd = "x ? % ' \\ {} , \"\u20ac"
    assert store.read(meta.every) == {
        "a": "5",
        "b0": "3",
        "b1": odd,
        "b2": odd,
        "c": "6",
        "schema": str(schema.newest()),
    }


def test_store_question_marks_and_percents_in_sql_are_text(store: Store) -> None:
    row = store.read(lambda tx: tx.row("select '?%', 7 % 4, cast(? as bigint), '''?' -- ? %\n", (5,)))
    assert row == ("?%", 3, 5, "'?")


def test_store_close_finishes_what_was_submitted_and_refuses_the_rest(request: pytest.FixtureRequest) -> None:
    for url in (request.getfixturevalue("sqlite_url"), request.getfixturevalue("postgres_url")):
        store = open_store(url)
        futures = [store.submit(lambda tx, n=n: meta.put(tx, f"k{n}", "1")) for n in range(20)]  # type: ignore[misc]
        store.close()
        store.close()
        for future in futures:
            future.result(0)
        with pytest.raises(StoreUnavailableError):
            store.submit(lambda tx: meta.put(tx, "late", "1")).result(1)
        with pytest.raises(StoreUnavailableError):
            store.read(meta.every)
        again = open_store(url)
        assert len(again.read(meta.every)) == 21
        again.close()


def test_store_opened_read_only_can_be_read(request: pytest.FixtureRequest) -> None:
    for url in (request.getfixturevalue("sqlite_url"), request.getfixturevalue("postgres_url")):
        open_store(url).close()
        store = open_store(url, read_only=True)
        assert value(store, "schema") == str(schema.newest())
        with pytest.raises(StoreReadOnlyError):
            store.write(lambda tx: meta.put(tx, "a", "1"))
        with pytest.raises(StoreReadOnlyError):
            store.submit(lambda tx: meta.put(tx, "a", "1")).result(1)
        store.close()


def test_store_nothing_is_committed_after_the_transaction_was_lost(store: Store) -> None:
    """Work that swallows a database's error without a savepoint does not get a half of itself committed."""

    def work(tx: Tx) -> None:
        meta.put(tx, "a", "1")
        for _ in itertools.repeat(None, 2):
            try:
                tx.rows("select nonsense")
            except StoreError:
                continue
        meta.put(tx, "b", "1")

    if store.dialect == "postgres":
        with pytest.raises(StoreError):
            store.write(work)
        assert set(store.read(meta.every)) == {"schema"}
    else:  # a wrong statement is no reason for SQLite to give the transaction up
        store.write(work)
        assert set(store.read(meta.every)) == {"a", "b", "schema"}


def test_store_a_commit_can_be_announced_to_other_nodes(store: Store) -> None:
    store.announce()
    assert store.read(lambda tx: tx.rows("select 1")) == [(1,)]
