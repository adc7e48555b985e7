"""Many writes as one statement, and columns as arrays."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalends.store import calendars
from kalends.store.base import Store, Tx
from kalends.store.errors import DuplicateError
from kalends.store.postgres.text import array, merged

_TEXTS = st.lists(st.none() | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
_NUMBERS = st.lists(st.none() | st.integers(-(2**63), 2**63 - 1))


def test_store_writes_that_need_nothing_of_each_other_become_one() -> None:
    queued = [
        ("insert into a (x) values (?)", (1,)),
        ("delete from b where x = ?", (2,)),
        ("insert into b (x) values (?)", (3,)),
        ("insert into a (x) values (?)", (4,)),
        ("update a set x = ?", (5,)),
        ("lock table a", ()),
        ("insert into a (x) values (?)", (6,)),
    ]
    first = "with w0 as (insert into a (x) values (?)), w1 as (delete from b where x = ?)"
    assert merged(queued) == [
        (f"{first} insert into b (x) values (?)", [1, 2, 3]),
        ("with w0 as (insert into a (x) values (?)) update a set x = ?", [4, 5]),
        queued[5],
        queued[6],
    ]
    assert merged([]) == []


@given(_TEXTS, _NUMBERS)
def test_store_arrays_come_back_as_they_went(texts: list[str | None], numbers: list[int | None]) -> None:
    """Text that PostgreSQL itself reads: see the next test for its own reading."""
    written = array(numbers)
    assert written == "{" + ",".join("null" if n is None else str(n) for n in numbers) + "}"
    if any(text is not None for text in texts):
        assert array(texts).count("null") >= texts.count(None)
    assert array([b"x", None]) == [b"x", None]
    assert array([True, 1]) == [True, 1]


def test_store_odd_texts_survive_as_many_rows(postgres_store: Store) -> None:
    odd = ["", "null", "NULL", '"', "\\", '\\"', "{}", ",", "a\r\nb\t", "ü\U0001f600", " x ", "'", "{", "%s"]

    def work(tx: Tx) -> list[object]:
        tx.many(
            "insert into meta (key, value) values (?, ?)",
            [(f"odd{n:02}", text) for n, text in enumerate(odd)],
        )
        return [row[0] for row in tx.rows("select value from meta where key like 'odd%' order by key")]

    assert postgres_store.write(work) == odd


def test_store_what_is_left_for_later_happens_before_the_end(store: Store) -> None:
    def work(tx: Tx) -> None:
        for key in "abc":
            tx.later("insert into meta (key, value) values (?, ?)", (key, "1"))

    store.write(work)
    assert store.read(lambda tx: tx.rows("select key from meta where value = '1' and key < 'd' order by key")) == [
        ("a",), ("b",), ("c",),
    ]  # fmt: skip
    with pytest.raises(DuplicateError):
        store.write(work)


def test_store_an_error_of_what_was_left_for_later_comes_with_the_flush(store: Store) -> None:
    def work(tx: Tx) -> None:
        try:
            with tx.savepoint():
                tx.later("insert into meta (key, value) values ('schema', '1')")
                tx.flush()
        except DuplicateError:
            tx.later("insert into meta (key, value) values ('told', '1')")

    store.write(work)
    assert store.read(lambda tx: tx.row("select value from meta where key = 'told'")) == ("1",)


def test_store_a_calendar_read_twice_is_as_the_transaction_left_it(store: Store) -> None:
    def work(tx: Tx) -> list[tuple[int, bool, int]]:
        calendars.add(tx, id=1, calid="c")
        seen: list[tuple[int, bool, int]] = []

        def look() -> None:
            row = calendars.by_id(tx, 1)
            assert row is not None
            seen.append((row.tick, row.exclusive, row.longest))

        look()
        calendars.bump(tx, [1])
        calendars.raise_exclusive(tx, 1)
        calendars.raise_longest(tx, 1, 100_000)
        look()
        with suppress(ZeroDivisionError), tx.savepoint():
            calendars.bump(tx, [1])
            look()
            seen.append((1 // 0, False, 0))
        look()
        return seen

    assert store.write(work) == [
        (0, False, 86_400), (1, True, 100_000), (2, True, 100_000), (1, True, 100_000),
    ]  # fmt: skip
