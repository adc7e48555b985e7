"""Fixtures of the CalDAV tests."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from kalends.store.base import Store

sys.path.insert(0, str(Path(__file__).parents[1] / "core"))

from dav_harness import Client, DavWorld


@pytest.fixture
def world(store: Store) -> DavWorld:
    """Bill, Mary and Root on each database."""
    return DavWorld(store)


@pytest.fixture
def bill(world: DavWorld) -> Client:
    """Bill's client."""
    return world.client()


@pytest.fixture
def mary(world: DavWorld) -> Client:
    """Mary's client."""
    return world.client("mary")
