"""Fixtures for all rooms: a store on SQLite and on PostgreSQL; how property-based tests run.

They take the same examples each time, and no clock can fail them; KALENDS_FUZZ=1 takes new ones, and a larger
number lets the fuzzers of the faces take about so many.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import psycopg
import pytest
from hypothesis import HealthCheck, settings

from kalends.store import schema
from kalends.store.base import Store
from kalends.store.open import open_store
from postgres_server import PostgresServer

settings.register_profile(
    "kalends",
    deadline=None,
    derandomize="KALENDS_FUZZ" not in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("kalends")

_DATABASE = "kalends"


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One PostgreSQL for each worker, with a database that has the schema already."""
    server = PostgresServer()
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute(f"create database {_DATABASE}")
    open_store(server.url(_DATABASE)).close()
    yield server
    server.remove()


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> str:
    """The URL of a database that is as the migrations leave it.

    Emptying one takes a few milliseconds, making one half a second.
    """
    url = postgres_server.url(_DATABASE)
    with psycopg.connect(url) as connection:
        connection.execute(
            "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid()"
        )
        connection.execute("set synchronous_commit = on")  # some tests stop the server at once
        connection.execute("set session_replication_role = replica")  # in any order, whatever refers to what
        tables = connection.execute("select tablename from pg_tables where schemaname = 'public'").fetchall()
        for (table,) in tables:
            connection.execute(f"delete from {table}")
        connection.execute("insert into meta (key, value) values ('schema', %s)", (str(schema.newest()),))
        connection.execute("insert into calendar (id, calid) values (0, '')")
    return url


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
