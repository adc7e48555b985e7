"""Many sessions: what an idle one and a waiting one cost, and 64 that work, on SQLite and PostgreSQL."""

from __future__ import annotations

import asyncio
import resource
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.data import DAY, event, spread, vcalendar
from bench.measure import Line, Report, cpu_of, memory_of, quick
from bench.place import CALENDAR, Server, fill, folder, furnished, serving
from bench.postgres import postgres
from kalends.client.aio import AsyncClient, connect_async

SESSIONS, QUICK_SESSIONS = 1_000, 100
CALM_SECONDS = 5.0
"""So long nothing happens while the CPU is looked at."""
CONNECTING = 20
"""Sessions that log in at the same time."""
WORKERS = 64
WORK_SECONDS = 15.0
WRITES = 5
"""Every so many commands one is a CREATE, the others look one event up."""
EVENTS = 2_000
LIMITS = ("--max-connections", "4096", "--max-connections-per-address", "4096")
POLL = "SELECT * FROM X-KALENDS-CHANGE WHERE X-KALENDS-TICK > '{}'"


def count() -> int:
    """How many sessions."""
    return QUICK_SESSIONS if quick() else SESSIONS


def make_room() -> None:
    """As many open files as these clients and, by inheritance, the server need."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = 8192 if hard == resource.RLIM_INFINITY else min(8192, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


async def open_many(server: Server, number: int) -> list[AsyncClient]:
    """Log in so many times, some at a time."""
    gate = asyncio.Semaphore(CONNECTING)

    async def one() -> AsyncClient:
        async with gate:
            return await connect_async(server.url, **server.settings, connect_timeout=120)

    return list(await asyncio.gather(*(one() for _ in range(number))))


@contextmanager
def bare() -> Iterator[tuple[int, int]]:
    """An asyncio echo; its process and its port."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.echo", "bare"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield process.pid, int(process.stdout.readline())
    finally:
        process.terminate()
        process.wait(60)
        assert process.stdout is not None
        process.stdout.close()


async def bare_memory(pid: int, port: int, number: int) -> float:
    """Octets that a connection costs where nothing is done with it."""
    warm = [await asyncio.open_connection("127.0.0.1", port) for _ in range(CONNECTING)]
    before = memory_of(pid)
    many = [await asyncio.open_connection("127.0.0.1", port) for _ in range(number)]
    await asyncio.sleep(0.5)
    used = memory_of(pid) - before
    for _, writer in (*warm, *many):
        writer.close()
    return used / number


async def calm(pid: int) -> float:
    """CPU milliseconds a second while nothing happens."""
    before = cpu_of(pid)
    await asyncio.sleep(CALM_SECONDS / (3 if quick() else 1))
    return (cpu_of(pid) - before) / (CALM_SECONDS / (3 if quick() else 1)) * 1e3


async def idle_and_waiting(report: Report, server: Server, what: str, limit: float) -> None:
    """Measure sessions that do nothing, then the same ones waiting for a change."""
    warm = await open_many(server, CONNECTING)
    before = memory_of(server.pid)
    nobody = await calm(server.pid)
    clients = await open_many(server, count())
    await asyncio.sleep(1)
    idle = memory_of(server.pid)
    name = f"{count():,} idle sessions, {what}"
    each = (idle - before) / count() / 1024
    report.add(Line(name, each, limit / 1024, "KiB each", "bare asyncio connection"))
    tick = await clients[0].tick(CALENDAR)
    tasks = [asyncio.create_task(_waiting(client, tick)) for client in clients]
    await asyncio.sleep(3)
    waiting = memory_of(server.pid)
    name = f"{count():,} sessions that wait, {what}: beyond idle"
    report.add(
        Line(
            name,
            max(waiting - idle, 0) / count() / 1024,
            (idle - before) / count() / 1024,
            "KiB each",
            "idle session",
        )
    )
    used = await calm(server.pid)
    report.add(Line("CPU while they wait", used, max(nobody, 0.01), "ms/s", "nobody waits"))
    spent, began = cpu_of(server.pid), time.perf_counter()
    await warm[0].create(event("news@bench", 1_767_258_000), CALENDAR)
    await asyncio.gather(*tasks)
    took = time.perf_counter() - began
    report.note(
        f"one change told to all: {(cpu_of(server.pid) - spent) / count() * 1e6:.0f} µs of CPU each,"
        f" the last after {took:.2f} s"
    )
    await asyncio.gather(*(client.close() for client in (*warm, *clients)))


async def _waiting(client: AsyncClient, tick: int) -> None:
    async for _ in client.watch(CALENDAR, since=tick, latency=600):
        return


async def mixed(server: Server) -> tuple[float, float, float]:
    """Let the workers work.

    Returns:
        Commands a second, and the 50th and 99th percentile of their seconds.
    """
    clients = await open_many(server, WORKERS)
    times: list[float] = []
    until = time.perf_counter() + WORK_SECONDS / (5 if quick() else 1)

    async def timed(work: Callable[[], Awaitable[object]]) -> None:
        began = time.perf_counter()
        await work()
        times.append(time.perf_counter() - began)

    async def work(client: AsyncClient, number: int) -> None:
        turn = 0
        while time.perf_counter() < until:
            turn += 1
            if turn % WRITES == 0:
                text = vcalendar([event(f"w{number}-{turn}@bench", 1_767_258_000 + turn * 3600)])
                await timed(lambda text=text: client.create(text, CALENDAR))  # type: ignore[misc]
            else:
                uid = f"event-{(number * 31 + turn) % EVENTS}-mixed@bench"
                await timed(lambda uid=uid: client.find_uid(uid, CALENDAR))  # type: ignore[misc]

    began = time.perf_counter()
    await asyncio.gather(*(work(client, number) for number, client in enumerate(clients)))
    took = time.perf_counter() - began
    await asyncio.gather(*(client.close() for client in clients))
    times.sort()
    return len(times) / took, times[len(times) // 2], times[int(len(times) * 0.99)]


def load(home: Path, url: str) -> tuple[float, float, float]:
    """Fill a store and let the workers work on it."""
    with furnished(url) as store:
        fill(store, CALENDAR, list(spread(EVENTS, int(time.time()) // DAY * DAY, "mixed")))
    with serving(home, url, *LIMITS, plain=True) as server:
        return asyncio.run(mixed(server))


def run(report: Report) -> None:
    """Measure."""
    make_room()
    report.heading(f"{count():,} sessions that do nothing or wait")
    with bare() as (pid, port):
        limit = asyncio.run(bare_memory(pid, port, count()))
    for plain, what in ((True, "plain text"), (False, "TLS")):
        with folder() as home:
            url = str(home / "store.db")
            with furnished(url):
                pass
            with serving(home, url, *LIMITS, plain=plain) as server:
                asyncio.run(idle_and_waiting(report, server, what, limit))
    report.heading(f"{WORKERS} sessions at work: four look-ups by UID, then a CREATE, one after another")
    with folder() as home, postgres() as other:
        rate, half, late = load(home / "sqlite", str(home / "store.db"))
        report.note(f"SQLite: half within {half * 1e3:.1f} ms, 99 % within {late * 1e3:.1f} ms")
        if other is None:
            report.add(Line("commands on SQLite", rate, None, "/s", higher_is_better=True))
            return
        theirs, half, later = load(home / "postgres", other)
        report.note(f"PostgreSQL: half within {half * 1e3:.1f} ms, 99 % within {later * 1e3:.1f} ms")
        report.add(Line("commands on SQLite", rate, theirs, "/s", "on PostgreSQL", higher_is_better=True))
        report.add(Line("99th percentile on SQLite", late * 1e3, later * 1e3, "ms", "on PostgreSQL"))
