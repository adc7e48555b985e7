"""Long polls on a running server: who waits is told, whoever wrote, and waiting costs nothing (docs/watch.md)."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from serve_client import PASSWORD, act, add_people, client, config_for, create, search, serving

from kalends.client import Change, connect, connect_async
from kalends.core import containers
from kalends.serve import feed
from kalends.serve.feed import ANY, Feed
from kalends.serve.server import Server
from kalends.store.base import Store
from kalends.store.open import open_store

Scene = Callable[[Server, Store], Awaitable[None]]
CAL = "bob/calendar"
POLL = "SELECT * FROM X-KALENDS-CHANGE WHERE X-KALENDS-TICK > '{}'"


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest) -> str:
    """Both databases."""
    return str(request.getfixturevalue(f"{request.param}_url"))


def play(folder: Path, scene: Scene, url: str = "", **options: object) -> None:
    config = config_for(
        folder, plaintext=True, data_dir=str(folder), **({"store": url} if url else {}), **options
    )
    store = open_store(config.store)
    add_people(store, config, "bob", "mary")

    async def run() -> None:
        async with serving(config, store) as server:
            await scene(server, store)

    try:
        act(run)
    finally:
        store.close()


def cua(server: Server, name: str = "bob") -> Any:
    host, port = server.address
    return connect_async(f"cap://{host}:{port}", user=name, password=PASSWORD, tls=False)


async def first(changes: Any, within: float = 20.0) -> Change:
    async with asyncio.timeout(within):
        change = await anext(changes)
        assert isinstance(change, Change)
        return change


async def waiting(server: Server, number: int) -> None:
    """Until so many wait."""
    async with asyncio.timeout(30):
        while len(server.feed) != number:
            await asyncio.sleep(0.01)


def test_a_watcher_is_told_of_anothers_change(
    tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "SURE_SECONDS", 3600.0)  # nobody looks without a sign

    async def scene(server: Server, store: Store) -> None:
        async with cua(server) as watcher, cua(server) as writer:
            changes = watcher.watch(CAL)
            told = asyncio.create_task(first(changes))
            await waiting(server, 1)
            await writer.create(f"BEGIN:VEVENT{_event('tea')}", CAL)
            change = await told
            assert (change.uid, change.action, change.title, change.who) == (
                "tea", "created", "Tea", "bob@example.com",
            )  # fmt: skip
            await writer.delete("SELECT * FROM VEVENT WHERE UID = 'tea'", CAL)
            assert (await first(changes)).action == "removed"
            await changes.aclose()

    play(tmp_path, scene, url)


def _event(uid: str) -> str:
    return f"\r\nUID:{uid}\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:20260105T100000Z\r\nSUMMARY:Tea\r\nEND:VEVENT\r\n"


def test_another_process_is_heard_of(tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite: the file's data_version. PostgreSQL: NOTIFY of the other server."""
    monkeypatch.setattr(feed, "SURE_SECONDS", 1000.0)

    async def scene(server: Server, store: Store) -> None:
        other = open_store(server.config.store)
        try:
            async with (
                serving(config_for(tmp_path, store=server.config.store, plaintext=True), other) as second,
                cua(server) as watcher,
                cua(second) as writer,
            ):
                changes = watcher.watch(CAL)
                for number in range(3):
                    told = asyncio.create_task(first(changes, within=10))
                    await waiting(server, 1)
                    await asyncio.sleep(0.1)
                    await writer.create(f"BEGIN:VEVENT{_event(f'far{number}')}", CAL)
                    assert (await told).uid == f"far{number}"
        finally:
            other.close()

    play(tmp_path, scene, url)


def test_a_writer_who_tells_nobody_is_noticed_too(
    tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "SURE_SECONDS", 0.5)

    async def scene(server: Server, store: Store) -> None:
        keeper = containers.housekeeper(server.config.policy, 0)
        async with cua(server) as watcher:
            told = asyncio.create_task(first(watcher.watch(CAL)))
            await waiting(server, 1)
            alone = open_store(server.config.store)
            work = threading.Thread(target=lambda: _write(alone, keeper))
            work.start()
            assert (await told).uid == "offline"
            await asyncio.to_thread(work.join)

    play(tmp_path, scene, url)


def _write(store: Store, keeper: Any) -> None:
    from kalends.core import ledger
    from kalends.ical.tree import parse

    text = f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT{_event('offline')}END:VCALENDAR\r\n"
    store.write(lambda tx: ledger.create(tx, keeper, containers.resolve(tx, keeper, CAL), parse(text)))
    store.close()


def test_two_hundred_wait_without_a_thread_or_a_query_of_their_own(tmp_path: Path) -> None:
    async def scene(server: Server, store: Store) -> None:
        one = await client(server.address, tls=False)
        channels = [one.channel, *[await one.open() for _ in range(9)]]
        reads = 0
        plain = store.read

        def counted(*given: Any) -> Any:
            nonlocal reads
            reads += 1
            return plain(*given)

        threads = threading.active_count()
        sent = [
            (one.send(search(POLL.format(99), cmd=f"CMD;ID=p{c}-{n};LATENCY=60;ACTION=ABORT:SEARCH"), c), c)
            for c in channels
            for n in range(20)
        ]
        await waiting(server, 200)
        await asyncio.sleep(0.5)  # what was asked for meanwhile is read
        store.read = counted  # type: ignore[method-assign]  # counting is all it does
        assert threading.active_count() <= threads + server.config.read_threads + 2
        await asyncio.sleep(0.6)
        assert reads <= 2, "far below one for each"
        assert await one.ask(search("SELECT UID FROM VEVENT"), await one.open())
        other = await client(server.address, tls=False)
        assert "2.0" in await other.ask(create("news"))
        await waiting(server, 200)  # ticks are below 99: all look once and wait on
        one.transport.abort()
        await waiting(server, 0)
        assert sent

    play(tmp_path, scene)


def test_latency_over_and_a_stopping_server_answer_quietly(tmp_path: Path) -> None:
    async def scene(server: Server, store: Store) -> None:
        one = await client(server.address, tls=False)
        began = time.perf_counter()
        text = await one.ask(search(POLL.format(99), cmd="CMD;ID=a;LATENCY=1;ACTION=ABORT:SEARCH"))
        assert time.perf_counter() - began > 0.9, "LATENCY=1 is waited for"
        assert "REQUEST-STATUS:2.0\r\n" in text
        msgno = one.send(search(POLL.format(99), cmd="CMD;ID=b;LATENCY=60;ACTION=ABORT:SEARCH"))
        await waiting(server, 1)
        stopping = asyncio.create_task(server.stop())
        assert "REQUEST-STATUS:2.0\r\n" in await one.reply(msgno)
        await stopping

    play(tmp_path, scene)


def test_a_cancelled_watch_leaves_the_session_usable(tmp_path: Path) -> None:
    """ABORT is sent (RFC 4324 §10.2): what comes behind is not held up."""

    async def scene(server: Server, store: Store) -> None:
        async with cua(server) as one:
            task = asyncio.create_task(first(one.watch(CAL)))
            await waiting(server, 1)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            async with asyncio.timeout(3):
                assert await one.generate_uids(1)
            assert len(server.feed) == 0

    play(tmp_path, scene)


def test_the_blocking_client_watches(tmp_path: Path) -> None:
    async def scene(server: Server, store: Store) -> None:
        def watch() -> list[str]:
            host, port = server.address
            with connect(f"cap://{host}:{port}", user="bob", password=PASSWORD, tls=False) as one:
                found = []
                for change in one.watch(CAL, since=one.tick(CAL), latency=1):
                    found.append(change.uid)
                    if len(found) == 2:
                        break
                assert one.tick(CAL) >= 2
            return found

        told = asyncio.create_task(asyncio.to_thread(watch))
        await waiting(server, 1)
        await asyncio.sleep(1.2)  # the first command's latency is over
        async with cua(server) as writer:
            await writer.create(f"BEGIN:VEVENT{_event('x')}", CAL)
            await writer.create(f"BEGIN:VEVENT{_event('y')}", CAL)
        assert await told == ["x", "y"]

    play(tmp_path, scene)


class Threads:
    """Runs reads when the test says so."""

    def __init__(self) -> None:
        self.asked: list[Callable[[Any], None]] = []

    def look_up(self, work: Any, done: Any) -> None:
        self.asked.append(done)

    def compute(self, work: Any, done: Any) -> None:
        done(None)


def test_the_feed_reads_once_for_all_and_wakes_each_once(sqlite_store: Store) -> None:
    async def scene() -> None:
        threads, woken = Threads(), []
        made = Feed(sqlite_store, threads, asyncio.get_running_loop())
        waiters = [made.wait({7: 3}, lambda n=n: woken.append(n)) for n in range(3)]
        made.wait({8: 1}, lambda: woken.append("other"))
        made.wait({ANY: 4}, lambda: woken.append("any"))
        made.forget(waiters[1])
        assert len(threads.asked) == 1
        threads.asked.pop()({7: 3, 8: 1})
        assert woken == []
        await asyncio.sleep(0.05)
        assert len(threads.asked) == 1, "the others asked while it was being read"
        threads.asked.pop()({7: 4, 8: 1})
        assert woken == [0, 2, "any"]
        assert len(made) == 1
        threads.asked.clear()
        await asyncio.sleep(0.05)
        made._heard()
        made._heard()
        await asyncio.sleep(0.05)
        assert len(threads.asked) == 1
        threads.asked.pop()({7: 9})
        assert woken[-1] == "other", "its calendar is gone"
        made.close()

    asyncio.run(scene())
