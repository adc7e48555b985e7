"""What breaks around the server: the disk, the database, the process itself."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import signal
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import apsw
import pytest
from serve_client import Process, act, add_people, client, command, config_for, create, search, serving

from kalends.beep import events
from kalends.beep.mime import split_entity
from kalends.core.people import identity
from kalends.serve import server as servers
from kalends.serve.config import load_config
from kalends.store import maintenance
from kalends.store.open import open_store
from kalends.store.sqlite.store import SqliteStore

if TYPE_CHECKING:
    from postgres_server import PostgresServer


def prepared(folder: Path, **options: object):
    """Settings of a server whose store has bob."""
    config = config_for(folder, plaintext=True, **options)
    store = open_store(config.store)
    add_people(store, config, "bob")
    store.close()
    return config


def test_ready_line_and_sigterm(tmp_path: Path) -> None:
    """One line on stdout; TLS on the loop it uses; SIGTERM lets it end with 0; the key is private."""
    config = prepared(tmp_path)
    with Process(config) as running:
        words = running.ready.split()
        assert [word.partition("=")[0] for word in words] == ["ready", "cap", "csid", "store"]
        assert words[2:] == ["csid=cap://cal.example.com", f"store={config.store}"]

        async def scene() -> None:
            cua = await client(running.address)
            assert "REQUEST-STATUS:2.0\r\n" in await cua.ask(create("one"))
            running.process.send_signal(signal.SIGTERM)
            await cua.closed()

        act(scene)
        assert running.process.wait(30) == 0
        assert running.process.stdout is not None
        assert running.process.stdout.read() == b""
        assert "Traceback" not in running.log.read_text()
    assert stat.S_IMODE((tmp_path / "cap-key.pem").stat().st_mode) == 0o600


def test_kill_9_in_a_storm_of_creates(tmp_path: Path) -> None:
    """Every CREATE answered 2.0 is there, none by half, and the store is sound."""
    config = prepared(tmp_path)
    acknowledged: set[str] = set()

    async def storm(running: Process) -> None:
        async def one(number: int) -> None:
            cua = await client(running.address, tls=False)
            sent = {}
            for serial in range(200):
                uid = f"storm-{number}-{serial}"
                sent[cua.send(create(uid, "DESCRIPTION:" + "x" * 500))] = uid
            with contextlib.suppress(TimeoutError):
                while True:
                    told = await cua.until(events.ReplyReceived | events.SessionTerminated)  # type: ignore[arg-type]
                    if isinstance(told, events.SessionTerminated):
                        return
                    assert "REQUEST-STATUS:2.0\r\n" in split_entity(told.payload).body.decode()
                    acknowledged.add(sent[told.msgno])
                    if len(acknowledged) == 150:
                        running.process.kill()

        await asyncio.gather(*(one(number) for number in range(4)))

    with Process(config) as running:
        act(lambda: storm(running))
        assert running.process.wait(30) == -signal.SIGKILL
    assert len(acknowledged) >= 150
    store = open_store(config.store)
    try:
        assert maintenance.check(store) == []
        rows = store.read(lambda tx: tx.rows("select uid, ics from object where kind = 'VEVENT'"))
    finally:
        store.close()
    kept = {str(uid): bytes(ics) for uid, ics in rows}
    assert acknowledged <= set(kept)
    assert all(b"x" * 500 in ics and ics.endswith(b"END:VCALENDAR\r\n") for ics in kept.values())


def test_full_disk_is_8_0_and_reading_goes_on(tmp_path: Path) -> None:
    """A file that may not grow stands for a disk that is full: SQLite meets the same error."""
    config = prepared(tmp_path)
    size = max(path.stat().st_size for path in tmp_path.glob("store.db*"))
    limit = size + 400_000

    def small() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    async def scene(running: Process) -> None:
        cua = await client(running.address, tls=False)
        told = ""
        done = 0
        while "REQUEST-STATUS:8.0;" not in told:
            told = await cua.ask(create(f"fill-{done}", "DESCRIPTION:" + "x" * 50_000))
            done += 1
            assert done < 100
        assert "nothing was changed" in told.replace("\r\n ", "")
        found = await cua.ask(search("SELECT UID FROM VEVENT"))
        assert found.count("UID:fill-") == done - 1

    with Process(config, preexec_fn=small) as running:
        act(lambda: scene(running))


def test_read_only_store_answers_queries_and_refuses_changes(tmp_path: Path) -> None:
    config = prepared(tmp_path)
    store = open_store(config.store, read_only=True)

    async def scene() -> None:
        async with serving(config, store) as server:
            cua = await client(server.address, tls=False)
            assert "REQUEST-STATUS:2.0\r\n" in await cua.ask(search("SELECT UID FROM VEVENT"))
            assert "REQUEST-STATUS:8.0;The store is read-only" in await cua.ask(create("no"))

    act(scene)
    store.close()


def test_store_held_by_another_program_is_8_0(tmp_path: Path) -> None:
    """After waiting its turn; when the other is gone, work goes on."""
    config = prepared(tmp_path)
    store = SqliteStore(Path(config.store), busy_seconds=0.1)

    async def scene() -> None:
        async with serving(config, store) as server:
            cua = await client(server.address, tls=False)
            other = apsw.Connection(config.store)
            other.execute("begin immediate")
            assert "REQUEST-STATUS:8.0;The database is held" in await cua.ask(create("waits"))
            assert "REQUEST-STATUS:2.0\r\n" in await cua.ask(search("SELECT UID FROM VEVENT"))
            other.execute("rollback")
            other.close()
            assert "REQUEST-STATUS:2.0\r\n" in await cua.ask(create("waits"))

    act(scene)
    store.close()


def test_postgresql_restarted_in_mid_session(
    tmp_path: Path, postgres_server: PostgresServer, postgres_url: str
) -> None:
    """While it is away 8.0; afterwards the same session works on."""
    config = config_for(tmp_path, store=postgres_url, plaintext=True, data_dir=str(tmp_path))
    store = open_store(postgres_url)
    add_people(store, config, "bob")

    async def scene() -> None:
        async with serving(config, store) as server:
            cua = await client(server.address, tls=False)
            assert "REQUEST-STATUS:2.0\r\n" in await cua.ask(create("before"))
            postgres_server.stop()
            assert "REQUEST-STATUS:8.0;" in await cua.ask(
                create("meanwhile", cmd="CMD;LATENCY=5;ACTION=ABORT:CREATE")
            )
            postgres_server.start()
            told = await cua.ask(create("after"))
            while "REQUEST-STATUS:8.0;" in told:
                told = await cua.ask(create("after"))
            assert "REQUEST-STATUS:2.0\r\n" in told
            found = await cua.ask(search("SELECT UID FROM VEVENT"))
            assert ("UID:before" in found, "UID:meanwhile" in found) == (True, False)

    try:
        act(scene)
    finally:
        store.close()


def test_user_removed_in_mid_session(tmp_path: Path) -> None:
    config = prepared(tmp_path)
    store = open_store(config.store)

    async def scene() -> None:
        async with serving(config, store) as server:
            cua = await client(server.address, tls=False)
            assert "REQUEST-STATUS:2.0\r\n" in await cua.ask(create("mine"))
            store.write(
                lambda tx: identity.remove_user(
                    tx, "bob@example.com", now=0, with_calendars=True, policy=config.policy
                )
            )
            assert "REQUEST-STATUS:4.1;" in await cua.ask(search("SELECT UID FROM VEVENT"))
            assert "CAP-VERSION" in await cua.ask(command("CMD:GET-CAPABILITY"))

    act(scene)
    store.close()


@pytest.mark.parametrize(
    "environment",
    [
        {"KALENDS_STORE": "nonsense://x"},
        {"KALENDS_TLS_CERT": "/missing.pem", "KALENDS_TLS_KEY": "/missing.key"},
        {"KALENDS_HOST": "192.0.2.1"},
    ],
)
def test_server_that_cannot_start_says_why(
    tmp_path: Path, environment: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 1, the reason in the log, no traceback."""
    env = {"HOME": str(tmp_path), "KALENDS_CAP_PORT": "0", **environment}
    said: list[str] = []
    assert servers.run(load_config({}, env), said.append) == 1
    assert said == []
    told = capsys.readouterr().err
    assert "CRITICAL" in told
    assert "Traceback" not in told
