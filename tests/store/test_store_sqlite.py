"""What is special to SQLite: files, locks, faults, and what survives a kill."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import apsw
import pytest

from kalends.store import calendars, meta, schema
from kalends.store.base import Deadline, Store, Tx
from kalends.store.errors import (
    DeadlineError,
    StoreBusyError,
    StoreCorruptError,
    StoreFullError,
    StoreReadOnlyError,
    StoreSchemaError,
    StoreUnavailableError,
)
from kalends.store.maintenance import check
from kalends.store.open import open_store
from kalends.store.sqlite import file as store_file
from kalends.store.sqlite.store import SqliteStore


def fill(tx: Tx, key: str, octets: int = 100_000) -> None:
    meta.put(tx, key, "x" * octets)


def test_store_file_and_directory_are_for_their_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "new" / "deep" / "store.db"
    store = open_store(str(path))
    store.write(lambda tx: meta.put(tx, "a", "1"))
    for file in path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    store.close()
    assert [file.name for file in path.parent.iterdir()] == ["store.db"]


def test_store_urls_name_the_same_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for number, url in enumerate(
        (str(tmp_path / "a b.db"), f"sqlite:///{tmp_path}/a%20b.db", "sqlite:///a%20b.db", "a b.db")
    ):
        store = open_store(url)
        assert store.url == f"sqlite:///{tmp_path}/a b.db"
        assert calendars_bumped(store) == number + 1
        store.close()


def calendars_bumped(store: Store) -> int:
    return store.write(lambda tx: calendars.bump(tx, [0]))[0]


def test_store_unknown_urls_are_refused() -> None:
    for url in ("mysql://host/db", "sqlite://", "sqlite://host/path"):
        with pytest.raises(StoreUnavailableError, match="give a path"):
            open_store(url)


def test_store_in_memory() -> None:
    store = open_store("sqlite:///:memory:")
    other = open_store("sqlite:///:memory:")
    assert calendars_bumped(store) == 1
    assert store.read(lambda tx: calendars.by_id(tx, 0)) != other.read(lambda tx: calendars.by_id(tx, 0))
    store.close()
    other.close()


def test_store_that_is_not_there_is_not_made_unless_asked(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with pytest.raises(StoreUnavailableError, match="there is no store"):
        open_store(str(path), create=False)
    with pytest.raises(StoreUnavailableError, match="there is no store"):
        open_store(str(path), read_only=True)
    assert not path.exists()
    path.touch()
    with pytest.raises(StoreUnavailableError, match="can't make a store"):
        open_store(str(path / "below"))


def test_store_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("Buy milk.\n" * 1000)
    with pytest.raises(StoreCorruptError):
        open_store(str(path))
    assert path.read_text() == "Buy milk.\n" * 1000
    with pytest.raises(StoreUnavailableError):
        open_store(str(tmp_path))


def test_store_a_database_of_something_else_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    connection = apsw.Connection(str(path))
    connection.execute("create table calendar (x)")
    connection.close()
    with pytest.raises(StoreSchemaError, match="something else"):
        open_store(str(path))


def test_store_a_newer_schema_is_refused(sqlite_url: str) -> None:
    store = open_store(sqlite_url)
    store.write(lambda tx: meta.put(tx, "schema", "9999"))
    store.close()
    with pytest.raises(StoreSchemaError, match="newer"):
        open_store(sqlite_url)


def test_store_is_durable_before_it_answers(sqlite_store: Store) -> None:
    assert isinstance(sqlite_store, SqliteStore)
    pragmas = sqlite_store.write(
        lambda tx: [tx.row(f"pragma {name}") for name in ("journal_mode", "synchronous")]
    )
    assert pragmas == [("wal",), (2,)]


def test_store_warns_of_a_sqlite_that_can_damage_a_database(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(apsw, "sqlite_lib_version", lambda: "3.51.2")
    open_store("sqlite:///:memory:").close()
    assert "3.51.3 or later is safe" in caplog.text
    caplog.clear()
    monkeypatch.setattr(apsw, "sqlite_lib_version", lambda: "3.51.3")
    open_store("sqlite:///:memory:").close()
    assert caplog.text == ""


def test_store_full_disk_fails_what_does_not_fit_and_nothing_else(sqlite_store: Store) -> None:
    """The statement that needs the room fails, alone, also in the middle of a shared commit."""
    started, go = threading.Event(), threading.Event()

    def first(tx: Tx) -> None:
        tx.rows("pragma max_page_count = 100")
        started.set()
        assert go.wait(10)
        meta.put(tx, "first", "1")

    futures = [sqlite_store.submit(first)]
    assert started.wait(10)
    futures += [
        sqlite_store.submit(lambda tx: meta.put(tx, "second", "1")),
        sqlite_store.submit(lambda tx: fill(tx, "large", 1_000_000)),
        sqlite_store.submit(lambda tx: meta.put(tx, "third", "1")),
    ]
    go.set()
    with pytest.raises(StoreFullError):
        futures.pop(2).result(10)
    for future in futures:
        future.result(10)
    assert set(sqlite_store.read(meta.every)) == {"first", "second", "third", "schema"}
    assert check(sqlite_store) == []


_LIMITED = """
import resource, sys, threading
from kalends.store import meta
from kalends.store.sqlite import writer
from kalends.store.errors import StoreFullError
from kalends.store.open import open_store
writer.BATCH_SECONDS = 60
store = open_store(sys.argv[1])
store.write(lambda tx: meta.put(tx, "before", "1"))
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
started, go = threading.Event(), threading.Event()
def hold(tx):
    started.set()
    go.wait(10)
    meta.put(tx, "small", "1")
futures = [store.submit(hold)]
started.wait(10)
futures.append(store.submit(lambda tx: meta.put(tx, "large", "x" * 4_000_000)))
futures.append(store.submit(lambda tx: meta.put(tx, "other", "1")))
go.set()
print([type(future.exception(10)) is StoreFullError for future in futures])
store.write(lambda tx: meta.put(tx, "after", "1"))
store.close()
"""


def test_store_commit_that_the_disk_refuses_is_undone(sqlite_url: str) -> None:
    """A real refusal of the operating system, during the commit of three jobs: none of them is there by half,
    none was acknowledged, what was there stays, and work goes on.
    """
    done = subprocess.run(
        [sys.executable, "-c", _LIMITED, sqlite_url], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("[True, True, True]\n", "")
    store = open_store(sqlite_url)
    assert set(store.read(meta.every)) == {"schema", "before", "after"}
    assert check(store) == []
    store.close()


def test_store_locked_by_another_process_is_busy_after_a_bounded_wait(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "store.db", busy_seconds=0.1)
    other = apsw.Connection(str(tmp_path / "store.db"))
    other.execute("begin immediate")
    with pytest.raises(StoreBusyError, match="another process"):
        store.write(lambda tx: meta.put(tx, "a", "1"))
    assert store.read(lambda tx: meta.get(tx, "a")) is None  # readers don't care
    other.execute("rollback")
    store.write(lambda tx: meta.put(tx, "a", "2"))
    other.close()
    store.close()


def test_store_waits_for_a_lock_no_longer_than_its_deadline(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "store.db"))
    other = apsw.Connection(str(tmp_path / "store.db"))
    other.execute("begin immediate")
    with pytest.raises(DeadlineError):
        store.write(lambda tx: meta.put(tx, "a", "1"), Deadline(time.monotonic() + 0.05))
    other.close()
    store.close()


def test_store_held_exclusively_can_not_be_opened(tmp_path: Path) -> None:
    other = apsw.Connection(str(tmp_path / "store.db"))
    for sql in ("pragma locking_mode = exclusive", "create table t (x)", "begin exclusive"):
        other.execute(sql).fetchall()
    with pytest.raises(StoreBusyError):
        SqliteStore(tmp_path / "store.db", busy_seconds=0.05)
    other.close()


def test_store_file_that_can_not_be_written_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system opens the file for reading only (as for a file of mode 400): reads work, writes say why not."""
    path = tmp_path / "store.db"
    open_store(str(path)).close()
    monkeypatch.setattr(store_file, "READ_WRITE", store_file.READ_ONLY)
    store = open_store(str(path))
    assert store.read(lambda tx: meta.get(tx, "schema")) == str(schema.newest())
    with pytest.raises(StoreReadOnlyError, match="not written"):
        store.write(lambda tx: meta.put(tx, "a", "1"))
    store.close()


def test_store_old_schema_opened_read_only_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    path.touch()
    with pytest.raises(StoreSchemaError, match="write access"):
        open_store(str(path), read_only=True)


_OPEN = "import sys; from kalends.store.open import open_store; open_store(sys.argv[1]).close()"


def test_store_may_be_opened_for_the_first_time_by_several_processes_at_once(sqlite_url: str) -> None:
    openers = [subprocess.Popen([sys.executable, "-c", _OPEN, sqlite_url]) for _ in range(4)]
    assert [opener.wait(60) for opener in openers] == [0, 0, 0, 0]
    store = open_store(sqlite_url)
    assert store.read(meta.every) == {"schema": str(schema.newest())}
    store.close()


_STORM = """
import sys
from kalends.store import calendars, objects
from kalends.store.open import open_store
store = open_store(sys.argv[1])
store.write(lambda tx: calendars.add(tx, id=1, calid="a"))
def create(number):
    def work(tx):
        tick = calendars.bump(tx, [1])[1]
        objects.insert(tx, id=number, calendar_id=1, name=str(number), uid=str(number), kind="X-T", state="BOOKED",
                       ics=b"BEGIN:VCALENDAR\\r\\nBEGIN:X-T\\r\\nEND:X-T\\r\\nEND:VCALENDAR\\r\\n", etag="e", tick=tick, now=1)
    return work
def answer(number):
    return lambda future: print(number, flush=True) if not future.exception() else None
number = 0
while True:
    futures = []
    for _ in range(50):
        number += 1
        futures.append(store.submit(create(number)))
        futures[-1].add_done_callback(answer(number))
    for future in futures:
        future.result()
"""


def test_store_every_acknowledged_write_survives_kill_9(sqlite_url: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _STORM, sqlite_url], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        acknowledged = [int(process.stdout.readline()) for _ in range(300)]
        process.kill()
        acknowledged += [
            int(line) for line in process.stdout.read().splitlines(keepends=True) if line.endswith("\n")
        ]
    store = open_store(sqlite_url)
    there = {row[0] for row in store.read(lambda tx: tx.rows("select id from object"))}
    tick = store.read(lambda tx: tx.row("select tick from calendar where id = 1"))
    assert there >= set(acknowledged)
    assert there == set(range(1, len(there) + 1))
    assert tick == (len(there),)
    store.close()


def open_and_read(path: Path) -> None:
    store = open_store(str(path))
    try:
        store.read(calendars.every)
    finally:
        store.close()


def test_store_damaged_file_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store = open_store(str(path))
    store.write(lambda tx: [calendars.add(tx, id=n, calid=f"calendar-{n}") for n in range(1, 400)])
    store.close()
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(path.stat().st_size - 4096))
    with pytest.raises(StoreCorruptError):
        open_and_read(path)


def test_a_store_that_is_read_only_down_to_its_folder_can_be_read_by_anybody(tmp_path: Path) -> None:
    """As nobody where the tests run as root, whom no mode stops."""
    path = tmp_path / "s.db"
    store = open_store(str(path))
    store.write(lambda tx: meta.put(tx, "a", "1"))
    store.close()
    path.chmod(0o444)
    tmp_path.chmod(0o555)
    code = f"""
import os, sys
from kalends.store import meta
from kalends.store.open import open_store
from kalends.store.errors import StoreReadOnlyError
open_store("sqlite:///:memory:").close()  # everything that is imported late, while we may still read it
os.chdir({str(tmp_path)!r})
if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
store = open_store("s.db")
print(store.read(lambda tx: meta.get(tx, "a")))
try:
    store.write(lambda tx: meta.put(tx, "a", "2"))
except StoreReadOnlyError as error:
    print(error)
store.close()
"""
    for folder in tmp_path.parents:
        if folder.stat().st_uid == os.geteuid() and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o011)
    try:
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
        )
    finally:
        tmp_path.chmod(0o755)
    assert done.stdout.splitlines()[:1] == ["1"], done.stderr
    assert "can be read but not written" in done.stdout


def test_another_process_writing_is_noticed(tmp_path: Path) -> None:
    """PRAGMA data_version: once for each time something was committed by somebody."""
    ours, theirs = open_store(str(tmp_path / "s.db")), open_store(str(tmp_path / "s.db"))
    heard = threading.Semaphore(0)
    ours.on_commit(heard.release)
    try:
        ours.changed_elsewhere()
        assert not ours.changed_elsewhere()
        theirs.write(lambda tx: tx.run("update calendar set tick = tick + 1 where id = 0"))
        assert ours.changed_elsewhere()
        assert not ours.changed_elsewhere()
        assert not heard.acquire(blocking=False)
        ours.write(lambda tx: tx.run("update calendar set tick = tick + 1 where id = 0"))
        assert heard.acquire(timeout=5)
    finally:
        theirs.close()
        ours.close()
    assert not ours.changed_elsewhere()
