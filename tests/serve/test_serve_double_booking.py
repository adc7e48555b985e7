"""CON-07: many writers of one slot at once, CAP and CalDAV mixed; exactly one gets it. The long run is `python -m bench double_booking`."""

from __future__ import annotations

import asyncio
import base64
import http.client
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pytest
from serve_client import PASSWORD, WAIT, Cua, Process, act, add_people, client, config_for, create

from kalends.core import containers
from kalends.core.conflicts import conflict
from kalends.store.open import open_store

WRITERS = 12
ROUNDS = 4


async def outcomes(servers: list[Process]) -> list[Counter[str]]:
    """The codes each round gives when all writers begin it together, every other one over CalDAV."""
    writers = [
        await client(servers[at % len(servers)].address, tls=False) if at % 2 else None
        for at in range(WRITERS)
    ]

    async def book(writer: Cua | None, at: int, number: int) -> str:
        name, start = f"{number}-{at}", f"202603{number + 1:02}T10{at:02}00Z"
        if writer is None:
            return await asyncio.to_thread(put, servers[at % len(servers)], name, start)
        answer = await writer.ask(create(name, start=start))
        return answer.partition("REQUEST-STATUS:")[2][:3]

    return [
        Counter(await asyncio.gather(*(book(one, at, number) for at, one in enumerate(writers))))
        for number in range(ROUNDS)
    ]


def put(server: Process, name: str, start: str) -> str:
    """Book over CalDAV; tells CAP's code for what was answered."""
    host, _, port = server.word("http").rpartition(":")
    line = http.client.HTTPConnection(host, int(port), timeout=WAIT)
    login = base64.b64encode(f"bob@example.com:{PASSWORD}".encode()).decode()
    rows = (
        "BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:x", "BEGIN:VEVENT", f"UID:{name}", "DTSTAMP:20260101T000000Z",
        f"DTSTART:{start}", "DURATION:PT1H", "END:VEVENT", "END:VCALENDAR", "",
    )  # fmt: skip
    try:
        line.request(
            "PUT", f"/dav/calendars/bob/calendar/{name}.ics", "\r\n".join(rows),
            {"Authorization": f"Basic {login}", "Content-Type": "text/calendar"},
        )  # fmt: skip
        answer = line.getresponse()
        text = answer.read().decode()
    finally:
        line.close()
    if answer.status == 403 and "no-time-conflict" in text:
        return "6.2"
    return "2.0" if answer.status == 201 else f"{answer.status} {text}"


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
            running = [
                stack.enter_context(Process(config, dev=False, env={"KALENDS_HTTP_PORT": "0"}))
                for _ in range(servers)
            ]
            found: list[Counter[str]] = []

            async def scene() -> None:
                found.extend(await outcomes(running))

            act(scene)
        assert found == [Counter({"2.0": 1, "6.2": WRITERS - 1})] * ROUNDS
        assert conflict.findings(store, config.policy) == []
    finally:
        store.close()
