"""Statements on their way to PostgreSQL: several in one round trip, and what comes along before it is asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from kalends.store import meta
from kalends.store.base import Store, Tx
from kalends.store.errors import DuplicateError, StoreError
from kalends.store.postgres import wire as wiring
from kalends.store.postgres.wire import Answer, Wire

INSERT = "insert into meta (key, value) values (?, ?)"
SELECT = "select value from meta where key = ?"


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The statements of each round trip."""
    trips: list[list[str]] = []
    run = Wire.run

    def noted(wire: Wire, statements: Sequence[tuple[str, Sequence[Any]]]) -> list[Answer]:
        trips.append([sql for sql, _ in statements])
        return run(wire, statements)

    monkeypatch.setattr(Wire, "run", noted)
    return trips


def test_store_a_statement_that_fails_ends_those_behind_it(postgres_store: Store) -> None:
    """The session is as good as before, and so is the savepoint around them."""

    def fail(tx: Tx) -> None:
        with tx.savepoint():
            tx.later(INSERT, ("a", "2"))
            tx.later("delete from meta where key = ?", ("schema",))
            tx.expect(SELECT, ("a",))
            tx.run("update meta set value = 'x' where key = 'a'")

    def work(tx: Tx) -> str | None:
        tx.run(INSERT, ("a", "1"))
        with pytest.raises(DuplicateError):
            fail(tx)
        return meta.get(tx, "a")

    assert postgres_store.write(work) == "1"
    assert postgres_store.read(lambda tx: set(meta.every(tx))) == {"schema", "a"}


def test_store_what_cannot_be_sent_costs_nothing_but_itself(postgres_store: Store) -> None:
    """PostgreSQL's text has no NUL."""

    def work(tx: Tx) -> str | None:
        tx.run(INSERT, ("a", "1"))
        for wrong in ("\0", object()):
            with pytest.raises(StoreError):
                tx.row(SELECT, (wrong,))  # type: ignore[arg-type]
        return meta.get(tx, "a")

    assert postgres_store.write(work) == "1"


def test_store_much_goes_both_ways_at_once(postgres_store: Store) -> None:
    """More than fits into any buffer, so that each side has to read while it writes."""
    much = b"x" * 8_000_000

    def work(tx: Tx) -> tuple[object, object]:
        tx.expect("select ?::bytea", (much,))
        tx.expect("select ?::bytea, 1", (much,))
        first = tx.row("select ?::bytea, 2", (much,))
        return first, tx.row("select ?::bytea", (much,))

    assert postgres_store.read(work) == ((much, 2), (much,))


def test_store_only_so_many_statements_stay_prepared(
    postgres_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wiring, "STATEMENTS", 3)

    def work(tx: Tx) -> list[Any]:
        for number in range(6):
            for _ in range(5):
                assert tx.row(f"select {number} + ?", (1,)) == (number + 1,)
        return tx.rows("select statement from pg_prepared_statements where name like 'kalends%'")

    kept = postgres_store.read(work)
    assert len(kept) == 3
    assert len(postgres_store.read(work)) == 3


def test_store_what_is_expected_comes_along(postgres_store: Store, sent: list[list[str]]) -> None:
    def work(tx: Tx) -> None:
        tx.expect(SELECT, ("schema",))
        tx.expect(SELECT, ("nothing",))
        tx.expect(SELECT, ("a",))
        tx.run(INSERT, ("a", "1"))
        before = len(sent)
        assert tx.row(SELECT, ("a",)) == ("1",)
        assert tx.rows(SELECT, ("nothing",)) == []
        assert tx.row(SELECT, ("nothing",)) is None
        assert len(sent) == before + 1, "an answer serves once"

    postgres_store.write(work)
    assert [len(trip) for trip in sent] == [5, 1, 1]


def test_store_what_is_written_makes_what_was_expected_be_asked_anew(postgres_store: Store) -> None:
    changes = (
        lambda tx: tx.run("update meta set value = '2' where key = 'a'"),
        lambda tx: tx.later("update meta set value = '2' where key = 'a'"),
        lambda tx: tx.many("update meta set value = ? where key = ?", [("1", "b"), ("2", "a")]),
    )
    for change in changes:

        def work(tx: Tx, change: Any = change) -> None:
            tx.run("delete from meta where key = 'a'")
            tx.expect(SELECT, ("a",))
            tx.run(INSERT, ("a", "1"))
            change(tx)
            assert tx.row(SELECT, ("a",)) == ("2",)

        postgres_store.write(work)


def test_store_what_a_savepoint_undid_was_never_answered(postgres_store: Store) -> None:
    def undone(tx: Tx) -> None:
        with tx.savepoint():
            tx.expect(SELECT, ("a",))
            tx.run(INSERT, ("a", "1"))
            raise KeyError

    def work(tx: Tx) -> None:
        with pytest.raises(KeyError):
            undone(tx)
        assert tx.row(SELECT, ("a",)) is None

    postgres_store.write(work)


def test_store_ends_of_savepoints_are_not_waited_for(postgres_store: Store, sent: list[list[str]]) -> None:
    def work(tx: Tx) -> None:
        with tx.savepoint(), tx.savepoint():
            tx.run(INSERT, ("a", "1"))

    postgres_store.write(work)
    assert sent == [
        ["begin isolation level read committed", "savepoint nested1", "savepoint nested2", INSERT], ["commit"]
    ]  # fmt: skip


def test_store_a_transaction_that_is_over_answers_nothing(postgres_store: Store) -> None:
    kept = postgres_store.read(lambda tx: tx)
    with pytest.raises(StoreError, match="over"):
        kept.row(SELECT, ("a",))
