"""Jobs for one calendar share a commit: none undoes another, none is told before it is durable."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest

from kalends.store import calendars, meta
from kalends.store.base import Deadline, Store, Tx
from kalends.store.errors import DeadlineError, StoreOutcomeUnknownError, StoreUnavailableError

postgres = pytest.importorskip("kalends.store.postgres.store")
LANE = "amira/calendar"


class NoThanksError(Exception):
    """The work does not want to."""


def put(key: str) -> Callable[[Tx], str]:
    def work(tx: Tx) -> str:
        meta.put(tx, key, "1")
        return key

    return work


def held(store: Store, *jobs: Callable[[Tx], Any], deadlines: dict[int, Deadline] | None = None) -> list[Any]:
    """The outcomes of jobs that wait together while the lane is at work."""
    begun, go = threading.Event(), threading.Event()

    def first(tx: Tx) -> None:
        begun.set()
        assert go.wait(10)

    futures: list[Future[Any]] = [store.submit(first, None, LANE)]
    assert begun.wait(10)
    futures += [store.submit(job, (deadlines or {}).get(at), LANE) for at, job in enumerate(jobs)]
    go.set()
    found: list[Any] = []
    for future in futures[1:]:
        error = future.exception(30)
        found.append(future.result() if error is None else error)
    return found


def kept(store: Store) -> set[str]:
    return set(store.read(meta.every)) - {"schema"}


def test_store_sharing_one_transaction_holds_all_that_waited(postgres_store: Store) -> None:
    def which(tx: Tx) -> Any:
        meta.put(tx, f"k{threading.get_ident()}", "1")
        return tx.rows("select (txid_current())::text")[0][0]

    found = held(postgres_store, *[which] * 6)
    assert len(set(found)) == 1


def test_store_sharing_a_job_that_fails_is_undone_alone(store: Store) -> None:
    def fails(tx: Tx) -> None:
        meta.put(tx, "wrong", "1")
        raise NoThanksError

    def breaks(tx: Tx) -> None:
        meta.put(tx, "worse", "1")
        tx.rows("select nonsense")

    found = held(store, fails, put("a"), breaks, put("b"), fails)
    assert [found[1], found[3]] == ["a", "b"]
    assert isinstance(found[0], NoThanksError)
    assert isinstance(found[4], NoThanksError)
    assert isinstance(found[2], Exception)
    assert kept(store) == {"a", "b"}


def test_store_sharing_each_sees_what_earlier_ones_wrote(store: Store) -> None:
    store.write(lambda tx: calendars.add(tx, id=1, calid="a"))
    found = held(store, *[lambda tx: calendars.bump(tx, [1])[1]] * 5)
    assert found == [1, 2, 3, 4, 5]


def test_store_sharing_a_deadline_ends_one_job_only(postgres_store: Store) -> None:
    def slow(tx: Tx) -> None:
        tx.rows("select pg_sleep(5)")

    found = held(postgres_store, put("a"), slow, put("b"), deadlines={1: Deadline(time.monotonic() + 0.3)})
    assert [found[0], found[2]] == ["a", "b"]
    assert isinstance(found[1], DeadlineError)
    assert kept(postgres_store) == {"a", "b"}


def test_store_sharing_who_meets_another_transaction_runs_alone(postgres_store: Store) -> None:
    met: list[int] = []

    def meets(tx: Tx) -> str:
        met.append(1)
        if len(met) == 1:
            tx.rows("do $$ begin raise exception using errcode = 'serialization_failure'; end $$")
        meta.put(tx, "met", "1")
        return "met"

    assert held(postgres_store, put("a"), meets, put("b")) == ["a", "met", "b"]
    assert len(met) == 2
    assert kept(postgres_store) == {"a", "met", "b"}


def test_store_sharing_waits_little_for_calendars_of_others_while_it_holds_one(postgres_store: Store) -> None:
    """Else two batches could wait for each other's first calendar until PostgreSQL finds out."""
    postgres_store.write(lambda tx: [calendars.add(tx, id=n, calid=str(n)) for n in (1, 2)])
    holding, release = threading.Event(), threading.Event()

    def elsewhere(tx: Tx) -> None:
        calendars.bump(tx, [2])
        holding.set()
        assert release.wait(10)

    other = postgres_store.submit(elsewhere, None, "other")
    assert holding.wait(10)
    threading.Timer(0.5, release.set).start()
    runs: list[int] = []

    def both(tx: Tx) -> int:
        runs.append(1)
        return calendars.bump(tx, [1, 2])[2]

    found = held(
        postgres_store, lambda tx: calendars.bump(tx, [1])[1], both, lambda tx: calendars.bump(tx, [1])[1]
    )
    other.result(10)
    assert found[1] == 2
    assert (found[0], found[2]) in ((1, 2), (1, 3))
    assert len(runs) == 2


def test_store_sharing_a_lost_session_costs_nobody_anything(postgres_store: Store) -> None:
    runs: list[int] = []

    def dies(tx: Tx) -> str:
        runs.append(1)
        meta.put(tx, "d", "1")
        if len(runs) == 1:
            tx.rows("select pg_terminate_backend(pg_backend_pid())")
        return "d"

    assert held(postgres_store, put("a"), dies, put("b")) == ["a", "d", "b"]
    assert kept(postgres_store) == {"a", "b", "d"}


def test_store_sharing_nobody_is_told_what_a_failed_commit_made_untrue(
    postgres_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = postgres._commit

    def lost(connection: Any, url: str, *, writes: bool) -> None:
        connection.execute("rollback")
        raise StoreOutcomeUnknownError("lost in the commit")

    calls: list[int] = []

    def second(*given: Any, **options: Any) -> None:
        calls.append(1)
        (lost if len(calls) == 2 else commit)(*given, **options)

    monkeypatch.setattr(postgres, "_commit", second)

    postgres_store.submit(put("first"), None, LANE).result(10)
    found = held(postgres_store, put("a"), put("b"))
    assert all(isinstance(one, StoreOutcomeUnknownError) for one in found)
    assert kept(postgres_store) == {"first"}


def test_store_sharing_many_lanes_at_once_lose_nothing(store: Store) -> None:
    store.write(lambda tx: [calendars.add(tx, id=n, calid=str(n)) for n in range(1, 4)])
    futures = [
        store.submit(lambda tx, n=n: calendars.bump(tx, [n % 3 + 1]), None, str(n % 3))  # type: ignore[misc]
        for n in range(120)
    ]
    for future in futures:
        future.result(30)
    assert [row.tick for row in store.read(calendars.every)] == [40, 40, 40]


def test_store_sharing_close_finishes_what_waits_and_refuses_the_rest(store: Store) -> None:
    futures = [store.submit(put(f"k{number}"), None, LANE) for number in range(40)]
    store.close()
    assert [future.result(10) for future in futures] == [f"k{number}" for number in range(40)]
    with pytest.raises(StoreUnavailableError):
        store.submit(put("late"), None, LANE).result(10)


def test_store_sharing_who_gives_up_waiting_is_not_run(store: Store) -> None:
    begun, go = threading.Event(), threading.Event()

    def first(tx: Tx) -> None:
        begun.set()
        assert go.wait(10)

    running = store.submit(first, None, LANE)
    assert begun.wait(10)
    dropped, other = store.submit(put("dropped"), None, LANE), store.submit(put("a"), None, LANE)
    assert dropped.cancel()
    go.set()
    running.result(10)
    other.result(10)
    assert kept(store) == {"a"}
