"""A server forgets by itself what is older than the retention."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from serve_client import config_for

from kalends.core.past import purging
from kalends.serve.server import Server
from kalends.store.base import Store


@pytest.mark.parametrize("days", [0, 30])
def test_a_server_purges_at_its_start_if_there_is_a_retention(
    sqlite_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, days: int
) -> None:
    asked: list[tuple[Store, int, bool]] = []
    loops: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    def purge(store: Store, _policy: object, _now: int, days: int, *, enough: object) -> tuple[int, int]:
        assert callable(enough)
        asked.append((store, days, enough()))
        [(loop, done)] = loops
        loop.call_soon_threadsafe(done.set)
        return 0, 0

    monkeypatch.setattr(purging, "purge", purge)

    async def scenario() -> None:
        done = asyncio.Event()
        loops.append((asyncio.get_running_loop(), done))
        config = config_for(tmp_path, retention=days, http_port="off")
        async with Server(config, sqlite_store):
            if days:
                await asyncio.wait_for(done.wait(), 30)

    asyncio.run(scenario())
    assert asked == ([(sqlite_store, 30, False)] if days else [])
