"""CON-07: many writers of one slot at once; exactly one gets it. The long run is `python -m bench double_booking`."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pytest
from serve_client import Cua, Process, act, add_people, client, config_for, create

from kalends.core import conflict, containers
from kalends.store.open import open_store

WRITERS = 12
ROUNDS = 4


async def outcomes(addresses: list[tuple[str, int]]) -> list[Counter[str]]:
    """The codes each round gives when all writers begin it together."""
    writers = [await client(addresses[at % len(addresses)], tls=False) for at in range(WRITERS)]

    async def book(writer: Cua, at: int, number: int) -> str:
        start = f"202603{number + 1:02}T10{at:02}00Z"
        answer = await writer.ask(create(f"{number}-{at}", start=start))
        return answer.partition("REQUEST-STATUS:")[2][:3]

    return [
        Counter(await asyncio.gather(*(book(one, at, number) for at, one in enumerate(writers))))
        for number in range(ROUNDS)
    ]


@pytest.mark.parametrize(("database", "servers"), [("sqlite", 1), ("postgres", 2)])
def test_con_07_exactly_one_writer_wins(
    tmp_path: Path, request: pytest.FixtureRequest, database: str, servers: int
) -> None:
    """One server on SQLite; two server processes that share a PostgreSQL."""
    config = config_for(
        tmp_path, store=request.getfixturevalue(f"{database}_url"), plaintext=True, data_dir=str(tmp_path)
    )
    store = open_store(config.store)
    try:
        add_people(store, config, "bob")
        admin = containers.housekeeper(config.policy, 0)
        store.write(
            lambda tx: containers.remove_calendar(tx, admin, containers.resolve(tx, admin, "bob/calendar"))
        )
        store.write(
            lambda tx: containers.create_calendar(tx, admin, "bob/calendar", "bob", allow_conflict=False)
        )
        with ExitStack() as stack:
            running = [stack.enter_context(Process(config, dev=False)) for _ in range(servers)]
            found: list[Counter[str]] = []

            async def scene() -> None:
                found.extend(await outcomes([one.address for one in running]))

            act(scene)
        assert found == [Counter({"2.0": 1, "6.2": WRITERS - 1})] * ROUNDS
        assert conflict.findings(store, config.policy) == []
    finally:
        store.close()
