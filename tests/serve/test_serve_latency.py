"""Bounded latency on a running server: work is really stopped and undone, and delays nobody (RFC 4324 §10.1.1)."""

from __future__ import annotations

import asyncio
import itertools
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from serve_client import (
    PASSWORD,
    Cua,
    act,
    add_people,
    client,
    config_for,
    create,
    search,
    serving,
)

from kalends.beep import events
from kalends.cap.actions import Execute
from kalends.client import RefusedError, connect_async
from kalends.dav.messages import Plan, Response
from kalends.serve.credentials import NOBODY
from kalends.serve.http.limits import PIECE
from kalends.serve.running import Run
from kalends.serve.server import SWITCH_SECONDS, Server, run
from kalends.serve.waiting import MAX_READS, MAX_READS_OF_CHANNEL, Waiting
from kalends.store.base import Deadline, Store
from kalends.store.errors import DeadlineError
from kalends.store.open import open_store

FOREVER = "with recursive n(i) as (select 1 union all select i + 1 from n where i < 2000000000) select count(*) from n"
QUERY = "SELECT UID FROM VEVENT WHERE SUMMARY LIKE '%slow%'"
ASK = "LATENCY=1;ACTION=ASK"


def endless(tx: Any) -> None:
    """Really works in the database until it is interrupted."""
    tx.rows(FOREVER)
    raise AssertionError("that query has no end")


class Slow:
    """A store on which chosen work is followed, in its transaction, by something slow."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.url, self.dialect = store.url, store.dialect
        self.left = 0
        self.tail: Callable[[Any], None] = endless
        self.running = threading.Semaphore(0)

    def _slowed(self, work: Any, deadline: Any) -> Any:
        if deadline is None or not self.left:
            return work
        self.left -= 1

        def slow(tx: Any) -> Any:
            result = work(tx)
            self.running.release()
            self.tail(tx)
            return result

        return slow

    def read(self, work: Any, deadline: Any = None) -> Any:
        return self._store.read(self._slowed(work, deadline), deadline)

    def submit(self, work: Any, deadline: Any = None, shares: str = "") -> Any:
        return self._store.submit(self._slowed(work, deadline), deadline, shares)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


Scene = Callable[[Server, Slow], Awaitable[None]]


def play(folder: Path, scene: Scene, url: str = "", **options: object) -> None:
    config = config_for(
        folder, plaintext=True, data_dir=str(folder), **({"store": url} if url else {}), **options
    )
    slow = Slow(open_store(config.store))
    add_people(slow, config, "bob", "mary")

    async def run() -> None:
        async with serving(config, slow) as server:
            await scene(server, slow)

    try:
        act(run)
    finally:
        slow.close()


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest) -> str:
    """Both databases."""
    return str(request.getfixturevalue(f"{request.param}_url"))


EVENT = "BEGIN:VEVENT\r\nUID:asked\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:20260101T000000Z\r\nEND:VEVENT\r\n"


def control(cmd: str) -> str:
    return f"Content-Type: text/calendar\n\nBEGIN:VCALENDAR\nVERSION:2.0\n{cmd}\nEND:VCALENDAR\n"


async def introduced(server: Server, name: str = "bob") -> Cua:
    """A client that has answered the server's GET-CAPABILITY, so that later answers can go out."""
    cua = await client(server.address, name, tls=False)
    await answer(cua, "GET-CAPABILITY", "CMD;ID=kalends-capability:REPLY")
    return cua


async def answer(cua: Cua, verb: str, cmd: str) -> None:
    """Wait for a command of the server's and answer it."""
    asked = await cua.until(events.MessageReceived)
    assert f":{verb}\r\n".encode() in asked.payload
    cua.wire.send_reply(asked.channel, asked.msgno, control(cmd).replace("\n", "\r\n").encode())
    cua.flush()


def test_lat_03_aborted_write_is_interrupted_and_undone(tmp_path: Path, url: str) -> None:
    """LAT-01, LAT-03, A-39 (a): TIMEOUT, ABORT as its RPY, 2.0.3; nothing is in the store."""

    async def scene(server: Server, slow: Slow) -> None:
        cua = await introduced(server)
        slow.left = 1
        msgno = cua.send(create("undone", cmd=f"CMD;ID=w;{ASK}:CREATE"))
        await answer(cua, "TIMEOUT", "CMD;ID=w:ABORT")
        assert "REQUEST-STATUS:2.0.3;" in await cua.reply(msgno)
        assert "UID:undone" not in await cua.ask(search("SELECT UID FROM VEVENT"))
        assert "REQUEST-STATUS:2.0\r\n" in await cua.ask(create("undone"))

    play(tmp_path, scene, url)


def test_lat_07_action_abort_interrupts_and_undoes(tmp_path: Path, url: str) -> None:
    """LAT-07, A-38: 7.0."""

    async def scene(server: Server, slow: Slow) -> None:
        cua = await introduced(server)
        slow.left = 1
        told = await cua.ask(create("undone", cmd="CMD;ID=w;LATENCY=1;ACTION=ABORT:CREATE"))
        assert "REQUEST-STATUS:7.0;" in told
        assert "UID:undone" not in await cua.ask(search("SELECT UID FROM VEVENT"))

    play(tmp_path, scene, url)


def test_lat_10_slow_queries_delay_no_channel_and_no_connection(tmp_path: Path, url: str) -> None:
    """BA-02, A-39 (c): while a channel is full of them, others read and write; then each is aborted."""

    async def scene(server: Server, slow: Slow) -> None:
        cua, mary = await introduced(server), await introduced(server, "mary")
        other = await cua.open()
        slow.left = MAX_READS_OF_CHANNEL
        sent = [cua.send(search(QUERY, cmd=f"CMD;ID=s{n}:SEARCH")) for n in range(5)]
        for _ in range(MAX_READS_OF_CHANNEL):
            await asyncio.to_thread(slow.running.acquire)
        assert "REQUEST-STATUS:2.0\r\n" in await cua.ask(create("quick"), other)
        assert "UID:quick" in await cua.ask(search("SELECT UID FROM VEVENT"), other)
        assert "REQUEST-STATUS:2.0\r\n" in await cua.ask(search(QUERY), other)
        assert "REQUEST-STATUS:2.0\r\n" in await mary.ask(search(QUERY).replace("bob/", "mary/"))
        for n in (4, 3, 2, 1, 0):  # the last ones have not begun
            assert "REQUEST-STATUS:2.0.3;" in await cua.ask(control(f"CMD;ID=s{n}:ABORT"), other)
        for msgno in sent:
            assert "REQUEST-STATUS:2.0.3;" in await cua.reply(msgno)
        assert slow.left == 0

    play(tmp_path, scene, url)


@pytest.mark.parametrize("goes_on", [True, False])
def test_lat_02_python_client_is_asked_and_answers(tmp_path: Path, goes_on: bool) -> None:
    """LAT-02, LAT-06: its `on_timeout` decides; the server continues, or stops and undoes."""
    asked: list[str] = []

    async def scene(server: Server, slow: Slow) -> None:
        held = threading.Event()

        def decide(command_id: str) -> bool:
            asked.append(command_id)
            held.set()
            return goes_on

        def patient(tx: Any) -> Any:  # instead of the endless query: until the client was asked
            assert held.wait(10)
            if not goes_on:
                endless(tx)

        slow.tail = patient
        url = "cap://{}:{}".format(*server.address)
        async with connect_async(
            url, user="bob", password=PASSWORD, tls=False, latency=1, on_timeout=decide
        ) as cua:
            slow.left = 1
            if goes_on:
                await cua.create(EVENT, "bob/calendar")
            else:
                with pytest.raises(RefusedError, match=r"2\.0\.3"):
                    await cua.create(EVENT, "bob/calendar")
            found = [one async for one in cua.search("SELECT UID FROM VEVENT", "bob/calendar")]
            assert len(found) == goes_on
        assert len(asked) == 1

    play(tmp_path, scene)


@pytest.mark.parametrize("size", [1, PIECE])
def test_an_answer_over_http_that_is_written_without_the_database_stops_too(
    sqlite_store: Store, size: int
) -> None:
    """`command-timeout` counts for each piece, in what is sent whole and in what is sent while it is made."""
    deadline = Deadline()

    def pieces() -> Iterator[bytes]:
        for number in itertools.count():
            if number == 3:
                deadline.cancel()
            assert number <= 3, "it has no end"
            yield b"x" * size

    async def run() -> None:
        plan = Plan("read", lambda _: Response(207, (), pieces()))
        work = Run(plan, NOBODY, packs=False).work
        with pytest.raises(DeadlineError):
            await asyncio.to_thread(sqlite_store.read, work, deadline)

    asyncio.run(run())


def test_threads_of_a_server_take_turns_more_often(tmp_path: Path) -> None:
    """BA-02: long queries compute in Python, too, and let the others' short ones pass."""
    before = sys.getswitchinterval()
    try:
        sys.setswitchinterval(0.005)  # Python's own; another test's server may have set it already
        (tmp_path / "file").touch()
        assert run(config_for(tmp_path, store=str(tmp_path / "file" / "store.db"))) == 1, "no such folder"
        assert sys.getswitchinterval() == pytest.approx(SWITCH_SECONDS)
    finally:
        sys.setswitchinterval(before)


def execute(number: int, channel: int, kind: Any = "read", *, quick: bool = False) -> Execute:
    return Execute(number, channel, kind, lambda _: [], None, quick)


def taken(waiting: Waiting) -> list[int]:
    """Numbers of all that may begin now."""
    numbers = []
    while (action := waiting.peek()) is not None:
        assert waiting.take() is action
        numbers.append(action.number)
    return numbers


def test_queries_of_one_channel_leave_room_for_another() -> None:
    """BA-02."""
    waiting = Waiting(quick=True)
    for number in range(6):
        waiting.put(execute(number, 1))
    assert taken(waiting) == list(range(MAX_READS_OF_CHANNEL))
    waiting.put(execute(10, 3))
    waiting.put(execute(11, 3))
    waiting.put(execute(12, 1, "write"))
    waiting.put(execute(13, 1, quick=True))
    assert taken(waiting) == [12, 13, 10]
    waiting.ended(1)
    assert taken(waiting) == [2]
    waiting.ended(3)
    assert taken(waiting) == [11]
    assert len(waiting) == 3


def test_short_reads_are_queries_where_the_loop_may_not_do_them() -> None:
    waiting = Waiting(quick=False)
    for number in range(MAX_READS + 2):
        waiting.put(execute(number, number, quick=True))
    assert len(taken(waiting)) == MAX_READS


def test_work_that_has_not_begun_can_be_dropped() -> None:
    waiting = Waiting(quick=True)
    waiting.put(execute(1, 1, "write"))
    waiting.put(execute(2, 1))
    waiting.put(execute(3, 1))
    assert waiting.drop(2)
    assert not waiting.drop(2)
    assert waiting.drop(1)
    assert (len(waiting), taken(waiting)) == (1, [3])
    waiting.put(execute(4, 1))
    waiting.clear()
    assert (len(waiting), taken(waiting)) == (0, [])
