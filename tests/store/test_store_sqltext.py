"""SQL text for two databases, and ids."""

from __future__ import annotations

import threading

from hypothesis import given, settings
from hypothesis import strategies as st

from kalends.store import sqltext
from kalends.store.ids import EPOCH_SECONDS, IdSource, new_id


def test_store_parameters_are_translated_outside_of_quotes_and_comments() -> None:
    sql = "select '?%', \"a?\", ? % 2, '''?' -- ?\n, /* ? % */ ? like '%'"
    assert sqltext.numbered(sql) == "select '?%', \"a?\", $1 % 2, '''?' -- ?\n, /* ? % */ $2 like '%'"


def test_store_lists_are_cut_to_fit() -> None:
    assert sqltext.with_list("x in (??) and y = ?", 3) == "x in (?, ?, ?) and y = ?"
    assert [list(part) for part in sqltext.chunks([1, 2, 3, 4, 5], 2)] == [[1, 2], [3, 4], [5]]


@settings(max_examples=50)
@given(st.lists(st.floats(EPOCH_SECONDS, EPOCH_SECONDS + 60 * 365 * 86400), min_size=1, max_size=50))
def test_store_ids_grow_whatever_the_clock_does(times: list[float]) -> None:
    source = IdSource()
    ids = [source.new(now) for now in times]
    assert ids == sorted(set(ids))
    assert all(0 < one < 2**63 for one in ids)


def test_store_ids_of_two_processes_differ_in_the_same_millisecond() -> None:
    one, other = IdSource(1), IdSource(2)
    now = EPOCH_SECONDS + 1e9
    assert not {one.new(now) for _ in range(3000)} & {other.new(now) for _ in range(3000)}


def test_store_ids_differ_between_threads() -> None:
    ids: list[int] = []
    threads = [
        threading.Thread(target=lambda: ids.extend([new_id(EPOCH_SECONDS + 1e9) for _ in range(2000)]))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(ids)) == 8000


def test_store_ids_differ_after_a_fork() -> None:
    source = IdSource(5)
    now = EPOCH_SECONDS + 1e9
    before = source.new(now)
    source.retag()
    assert source.new(now) > before or source._tag != 5
