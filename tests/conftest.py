"""Fixtures for all rooms: a store on SQLite and on PostgreSQL."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import psycopg
import pytest

from kalends.store.base import Store
from kalends.store.open import open_store
from postgres_server import PostgresServer

_TEMPLATE = "kalends_template"
_numbers = itertools.count()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One PostgreSQL for each worker, with a database that has the schema already."""
    server = PostgresServer()
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute(f"create database {_TEMPLATE}")
    open_store(server.url(_TEMPLATE)).close()
    yield server
    server.remove()


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """The URL of a fresh database that has the schema already."""
    name = f"t{next(_numbers)}"
    with psycopg.connect(postgres_server.url("postgres"), autocommit=True) as connection:
        connection.execute(f"create database {name} template {_TEMPLATE}")
    yield postgres_server.url(name)
    with psycopg.connect(postgres_server.url("postgres"), autocommit=True) as connection:
        connection.execute(f"drop database {name} with (force)")


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The URL of a SQLite file that does not exist yet."""
    return f"sqlite:///{tmp_path / 'store.db'}"


@pytest.fixture
def sqlite_store(sqlite_url: str) -> Iterator[Store]:
    """An empty store on SQLite."""
    store = open_store(sqlite_url)
    yield store
    store.close()


@pytest.fixture
def postgres_store(postgres_url: str) -> Iterator[Store]:
    """An empty store on PostgreSQL."""
    store = open_store(postgres_url)
    yield store
    store.close()


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest) -> Store:
    """An empty store, once on each database."""
    return cast("Store", request.getfixturevalue(f"{request.param}_store"))
