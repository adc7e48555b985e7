"""Fixtures of the CAP room."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from cap_harness import Pair, furnish

from kalends.store.base import Store
from kalends.store.open import open_store


@pytest.fixture
def calendars() -> Iterator[Store]:
    """A store in memory with people and calendars."""
    store = open_store("sqlite:///:memory:")
    furnish(store)
    yield store
    store.close()


@pytest.fixture
def pair(calendars: Store) -> Pair:
    """bob's CUA and the server, a CAP channel open."""
    return Pair(calendars)
