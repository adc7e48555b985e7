from __future__ import annotations

import pytest
from core_world import World

from kalends.store.base import Store


@pytest.fixture
def world(store: Store) -> World:
    """A furnished store, once on each database."""
    return World(store)


@pytest.fixture
def one_world(sqlite_store: Store) -> World:
    """A furnished store on SQLite alone, for what no database can change."""
    return World(sqlite_store)
