"""Fixtures of the tests that write on one face and read on the other."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from kalends.core.people import identity
from kalends.store.base import Store

sys.path.insert(0, str(Path(__file__).parents[1] / "core"))
sys.path.insert(0, str(Path(__file__).parents[1] / "dav"))

from core_world import NOW
from dav_harness import Client, DavWorld


@pytest.fixture
def world(store: Store) -> DavWorld:
    """Bill, Mary, Root and a room, on each database; its own methods are CAP's commands."""
    made = DavWorld(store)
    store.write(lambda tx: identity.add_user(tx, made.policy, "hall", now=NOW, kind="room"))
    return made


@pytest.fixture
def bill(world: DavWorld) -> Client:
    """Bill's CalDAV client."""
    return world.client()


@pytest.fixture
def mary(world: DavWorld) -> Client:
    """Mary's CalDAV client."""
    return world.client("mary")
