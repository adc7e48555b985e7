"""Fixtures of the tests of mail: people with calendars, and a mail server that does as it is told."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "core"))

from post_office import PostOffice


@pytest.fixture
def office() -> Iterator[PostOffice]:
    """A mail server on a free loopback port."""
    one = PostOffice()
    one.open()
    yield one
    one.shut()
