"""What is special to PostgreSQL: restarts, conflicts, secrets, pools."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
import time
from typing import Any

import psycopg
import pytest

from kalends.ical.tree import parse
from kalends.store import calendars, instances, meta, objects, schema
from kalends.store.base import Deadline, Store, Tx
from kalends.store.errors import (
    DeadlineError,
    DuplicateError,
    StoreBusyError,
    StoreError,
    StoreSchemaError,
    StoreUnavailableError,
)
from kalends.store.index import index_object
from kalends.store.open import open_store
from kalends.store.postgres import store as postgres
from kalends.store.postgres.store import PostgresStore
from postgres_server import PostgresServer


def test_store_password_is_never_shown(postgres_url: str) -> None:
    url = postgres_url.replace("kalends@", "kalends:opensesame@")
    store = open_store(url)
    assert "opensesame" not in store.url + repr(store)
    assert store.url.startswith("postgresql://kalends@/")
    store.close()
    for wrong in (
        url.replace("?host=", "?host=/nowhere"),
        "postgresql://kalends:opensesame@[/db",
        "postgresql://bill:opensesame@h:1/db?nonsense=1",
    ):
        with pytest.raises(StoreUnavailableError) as caught:
            open_store(wrong)
        shown: BaseException | None = caught.value
        while shown is not None:
            assert "opensesame" not in str(shown)
            shown = shown.__cause__


def test_store_outlives_a_restart_of_the_server(
    postgres_server: PostgresServer, postgres_store: Store
) -> None:
    """Idle sessions are replaced; a transaction that was cut off runs again, whole, once."""
    postgres_store.write(lambda tx: meta.put(tx, "before", "1"))
    postgres_server.restart()
    assert postgres_store.read(lambda tx: meta.get(tx, "before")) == "1"
    postgres_server.restart()
    runs: list[int] = []

    def work(tx: Tx) -> int:
        tick = calendars.bump(tx, [0])[0]
        runs.append(tick)
        if len(runs) == 1:
            postgres_server.restart()
        meta.put(tx, "during", str(tick))
        return tick

    assert postgres_store.write(work) == 1
    assert runs == [1, 1]
    row = postgres_store.read(lambda tx: calendars.by_id(tx, 0))
    assert row is not None
    assert row.tick == 1


def test_store_says_when_the_database_is_down(
    postgres_server: PostgresServer, postgres_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "PAUSE_SECONDS", 0.001)
    postgres_server.stop()
    with pytest.raises(StoreUnavailableError, match="can't be reached"):
        postgres_store.read(meta.every)
    with pytest.raises(StoreUnavailableError, match="can't be reached"):
        postgres_store.write(lambda tx: meta.put(tx, "a", "1"))
    postgres_server.start()
    assert postgres_store.read(meta.every) == {"schema": str(schema.newest())}


def test_store_a_commit_whose_outcome_is_unknown_is_not_repeated(
    postgres_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs: list[int] = []
    commit = postgres._commit

    def cut(connection: Any, url: str, *, writes: bool) -> None:
        if writes:
            connection.pgconn.finish()
        commit(connection, url, writes=writes)

    monkeypatch.setattr(postgres, "_commit", cut)
    with pytest.raises(StoreUnavailableError, match="outcome is unknown"):
        postgres_store.write(lambda tx: (runs.append(1), meta.put(tx, "a", "1")))
    assert runs == [1]
    monkeypatch.setattr(postgres, "_commit", commit)
    assert postgres_store.read(lambda tx: meta.get(tx, "a")) is None


def test_store_deadlocked_transactions_start_again(postgres_store: Store) -> None:
    postgres_store.write(lambda tx: [calendars.add(tx, id=n, calid=str(n)) for n in (1, 2)])
    both = threading.Barrier(2, timeout=10)
    runs: list[int] = []

    def work(first: int, second: int) -> Any:
        def crosswise(tx: Tx) -> None:
            runs.append(first)
            calendars.bump(tx, [first])
            if len(runs) <= 2:
                both.wait()
            calendars.bump(tx, [second])

        return crosswise

    futures = [postgres_store.submit(work(1, 2)), postgres_store.submit(work(2, 1))]
    for future in futures:
        future.result(30)
    assert len(runs) == 3
    assert [row.tick for row in postgres_store.read(calendars.every)] == [2, 2]


def test_store_gives_up_on_a_transaction_that_never_gets_through(
    postgres_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "PAUSE_SECONDS", 0.0001)
    runs: list[int] = []

    def work(tx: Tx) -> None:
        runs.append(1)
        tx.rows("do $$ begin raise exception using errcode = 'serialization_failure'; end $$")

    with pytest.raises(StoreBusyError, match="again and again"):
        postgres_store.write(work)
    assert len(runs) == postgres.TRIES + 1


def test_store_waits_for_a_session_no_longer_than_the_deadline(postgres_url: str) -> None:
    store = PostgresStore(postgres_url, connections=1)

    def nested(_tx: Tx) -> None:
        store.read(meta.every, Deadline(0.0))

    with pytest.raises(StoreBusyError, match="in use"):
        store.read(nested)
    assert store.read(meta.every) == {"schema": str(schema.newest())}
    store.close()


def test_store_a_session_is_reused(postgres_store: Store) -> None:
    def session(tx: Tx) -> Any:
        return tx.row("select pg_backend_pid()")

    assert postgres_store.read(session) == postgres_store.write(session)
    with pytest.raises(StoreError):
        postgres_store.read(lambda tx: tx.rows("select nonsense"))
    assert postgres_store.read(session) == postgres_store.read(session)


def test_store_commits_are_durable_even_where_the_database_says_otherwise(postgres_store: Store) -> None:
    """The tests' server runs with synchronous_commit=off."""
    assert postgres_store.write(lambda tx: tx.row("show synchronous_commit")) == ("on",)


def test_store_a_newer_schema_is_refused_on_postgres(postgres_url: str) -> None:
    store = open_store(postgres_url)
    store.write(lambda tx: meta.put(tx, "schema", "9999"))
    store.close()
    with pytest.raises(StoreSchemaError, match="newer"):
        open_store(postgres_url)


_OPEN = "import sys; from kalends.store.open import open_store; open_store(sys.argv[1]).close()"


def test_store_may_be_migrated_by_several_nodes_at_once(postgres_server: PostgresServer) -> None:
    with psycopg.connect(postgres_server.url("postgres"), autocommit=True) as connection:
        connection.execute("create database empty")
    url = postgres_server.url("empty")
    with pytest.raises(StoreSchemaError, match="write access"):
        open_store(url, read_only=True)
    nodes = [subprocess.Popen([sys.executable, "-c", _OPEN, url]) for _ in range(4)]
    assert [node.wait(60) for node in nodes] == [0, 0, 0, 0]
    store = open_store(url)
    assert store.read(meta.every) == {"schema": str(schema.newest())}
    store.close()
    with psycopg.connect(postgres_server.url("postgres"), autocommit=True) as connection:
        connection.execute("drop database empty")


def test_store_a_meta_of_something_else_is_left_alone(postgres_server: PostgresServer) -> None:
    with psycopg.connect(postgres_server.url("postgres"), autocommit=True) as connection:
        connection.execute("create database other")
        with psycopg.connect(postgres_server.url("other"), autocommit=True) as other:
            other.execute("create table meta (x text)")
        with pytest.raises(StoreSchemaError, match="something else"):
            open_store(postgres_server.url("other"))
        connection.execute("drop database other")


def test_store_without_psycopg_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['psycopg'] = None\n"
        "from kalends.store.open import open_store\n"
        "from kalends.store.errors import StoreUnavailableError\n"
        "try: open_store('postgresql://h/db')\n"
        "except StoreUnavailableError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'kalends[postgres]'" in done.stdout


def test_store_inserts_of_many_rows_fail_with_the_next_statement_and_inside_their_savepoint(
    postgres_store: Store,
) -> None:
    """They travel with the next statement, so a savepoint must not let their error escape it."""

    def twins(tx: Tx) -> None:
        with tx.savepoint():
            tx.many("insert into meta (key, value) values (?, ?)", [("a", "1"), ("a", "2")])

    def work(tx: Tx) -> None:
        meta.put(tx, "before", "1")
        with pytest.raises(DuplicateError):
            twins(tx)
        tx.many("insert into meta (key, value) values (?, ?)", [("b", "1"), ("c", "2")])

    postgres_store.write(work)
    assert set(postgres_store.read(meta.every)) == {"schema", "before", "b", "c"}
    with pytest.raises(DuplicateError):
        postgres_store.write(
            lambda tx: tx.many("insert into meta (key, value) values (?, ?)", [("b", "1"), ("d", "2")])
        )
    assert set(postgres_store.read(meta.every)) == {"schema", "before", "b", "c"}


def test_store_work_that_asks_nothing_costs_no_transaction(postgres_store: Store) -> None:
    assert postgres_store.write(lambda _tx: 5) == 5
    assert postgres_store.read(lambda _tx: 6) == 6


def test_store_a_session_that_was_cancelled_is_not_used_again(postgres_store: Store) -> None:
    def session(tx: Tx) -> Any:
        return tx.row("select pg_backend_pid()")

    before = postgres_store.read(session)
    with pytest.raises(DeadlineError):
        postgres_store.read(lambda tx: tx.row("select pg_sleep(60)"), Deadline(time.monotonic() + 0.2))
    assert postgres_store.read(session) != before


def test_commits_are_announced_to_other_processes(postgres_url: str) -> None:
    """NOTIFY: whoever listens hears of others' commits, and not of its own announcements."""
    ours, theirs = open_store(postgres_url), open_store(postgres_url)
    try:
        heard, own = threading.Semaphore(0), threading.Semaphore(0)
        ours.on_commit(heard.release)
        theirs.on_commit(own.release)
        assert heard.acquire(timeout=10), "once, when it begins to listen"
        assert own.acquire(timeout=10)
        theirs.write(lambda tx: tx.run("update calendar set tick = tick + 1 where id = 0"))
        assert own.acquire(timeout=10), "its own commits are heard where they are made"
        theirs.announce()
        assert heard.acquire(timeout=10)
        assert not own.acquire(timeout=0.3)
        assert not ours.changed_elsewhere()
    finally:
        ours.close()
        theirs.close()


def test_who_hears_of_a_commit_does_not_announce_it_again(postgres_url: str) -> None:
    """Two servers of one database would tell each other of nothing for ever."""
    told: list[str] = []
    with psycopg.connect(postgres_url, autocommit=True) as listening:
        listening.execute("listen kalends")
        ours, theirs = open_store(postgres_url), open_store(postgres_url)
        try:
            heard = threading.Semaphore(0)
            ours.on_commit(lambda: (ours.announce(), heard.release()))
            theirs.on_commit(theirs.announce)
            assert heard.acquire(timeout=10), "when it begins to listen; there is nothing to tell"
            theirs.write(lambda tx: tx.run("update calendar set tick = tick + 1 where id = 0"))
            assert heard.acquire(timeout=10)
        finally:
            ours.close()
            theirs.close()
        listening.execute("notify kalends, 'the end'")
        for notice in listening.notifies(timeout=10, stop_after=None):
            told.append(notice.payload)
            if notice.payload == "the end":
                break
    assert len(told) == 2


def test_the_last_commit_of_a_server_that_ends_is_told(postgres_url: str) -> None:
    """Also when there was no time left to announce it."""
    with psycopg.connect(postgres_url, autocommit=True) as listening:
        listening.execute("listen kalends")
        store = open_store(postgres_url)
        store.on_commit(lambda: None)
        store.write(lambda tx: tx.run("update calendar set tick = tick + 1 where id = 0"))
        store.close()
        assert len(list(listening.notifies(timeout=10, stop_after=1))) == 1


def test_what_is_undone_costs_no_prepared_statement(postgres_store: Store) -> None:
    """A command that is refused, and a transaction that is: the next one finds the session as it was."""
    ours = "select count(*) from pg_prepared_statements where statement like 'select key from meta%'"

    def prepare(tx: Tx) -> None:
        for _ in range(4):
            tx.rows("select key from meta where key = ?", ("a",))

    def refused(tx: Tx) -> int:
        prepare(tx)
        with contextlib.suppress(NoThanksError), tx.savepoint():
            tx.run("update calendar set tick = tick + 1 where id = 0")
            raise NoThanksError
        (count,) = tx.rows(ours)[0]
        assert isinstance(count, int)
        return count

    assert postgres_store.write(refused) == 1

    def failing(tx: Tx) -> None:
        prepare(tx)
        raise NoThanksError

    with pytest.raises(NoThanksError):
        postgres_store.write(failing)
    assert postgres_store.read(lambda tx: tx.rows(ours)) == [(1,)]


class NoThanksError(Exception):
    """Somebody refuses."""


def test_store_time_is_searched_by_time_also_without_statistics(postgres_store: Store) -> None:
    """Nobody has analysed the tables, as after an import: no walk through a calendar for each component."""

    def plan(tx: Tx) -> str:
        sql = instances._LATER.replace("(??)", "('BUSY')")
        return "\n".join(str(row[0]) for row in tx.rows(f"explain {sql}", (1, 0, 0)))

    def fill(tx: Tx) -> None:
        calendars.add(tx, id=1, calid="c1")
        for number in range(100):
            row = objects.insert(
                tx, id=number, calendar_id=1, name=f"{number}.ics", uid=f"u{number}", kind="VEVENT",
                state="BOOKED", ics=b"x", etag="e", tick=1, now=1,
            )  # fmt: skip
            text = b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDTSTART:20261201T100000Z\r\nDURATION:PT1H\r\nRRULE:FREQ=DAILY\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
            index_object(tx, row, parse(text), horizon=1_830_000_000, fresh=True)

    postgres_store.write(fill)
    found = postgres_store.read(plan)
    assert "on instance" in found
    assert "component_id = c.id" not in found.replace("c.id = instance.component_id", "")
