"""Where benchmarks run: a store in a temporary folder, and a real `kalends serve` over it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.data import vcalendar
from kalends.beep.scram import make_verifier
from kalends.cli.intake import BATCH
from kalends.client.options import Settings
from kalends.client.trust import Trust
from kalends.core import containers, ledger
from kalends.core.model import Caller, Identity, Policy
from kalends.core.people import identity
from kalends.ical.tree import parse
from kalends.store.base import Store, Tx
from kalends.store.open import open_store

USER = "amira"
PASSWORD = "correct horse battery"
CALENDAR = "amira/calendar"
POLICY = Policy(csid="cal.example.com", realm="example.com")


def admin() -> Caller:
    """An administrator at the command line, now."""
    return Caller(Identity("@", None, admin=True), "cli", int(time.time()), POLICY)


def user(tx: Tx) -> Caller:
    """The user of the benchmarks, as CAP makes one for each command."""
    who = identity.identify(tx, f"{USER}@{POLICY.realm}")
    assert who is not None
    return Caller(who, "cap", int(time.time()), POLICY)


@contextmanager
def folder() -> Iterator[Path]:
    """A folder that goes away again, on the disk that Python takes for temporary files."""
    with tempfile.TemporaryDirectory(prefix="kalends-bench-") as name:
        yield Path(name)


@contextmanager
def furnished(url: str) -> Iterator[Store]:
    """An open new store with one user and her calendar."""
    store = open_store(url)
    now = int(time.time())
    verifier = make_verifier(PASSWORD, iterations=4096)
    try:
        store.write(lambda tx: containers.ensure_store(tx, POLICY, now))
        store.write(lambda tx: identity.add_user(tx, POLICY, USER, now=now, verifier=verifier))
        yield store
    finally:
        store.close()


def fill(store: Store, calid: str, events: list[str]) -> None:
    """Import events into a calendar, which is made if need be, in batches as `kalends import` does."""
    caller = admin()
    if calid != CALENDAR:
        store.write(lambda tx: containers.create_calendar(tx, caller, calid, USER))
    for at in range(0, len(events), BATCH):
        batch = parse(vcalendar(events[at : at + BATCH]))

        def put(tx: Tx, batch=batch) -> None:  # type: ignore[no-untyped-def]
            receipts = ledger.import_objects(tx, caller, containers.resolve(tx, caller, calid), batch)
            assert all(receipt.error is None for receipt in receipts)

        store.write(put)


@dataclass(frozen=True, slots=True)
class Server:
    """A running server: its CAP URL, its process id, and how a client connects."""

    url: str
    pid: int
    settings: Settings


@contextmanager
def serving(home: Path, store: str, *options: str, plain: bool = False) -> Iterator[Server]:
    """Run `kalends serve` in a process of its own.

    Args:
        home: for its state.
        store: the store's URL.
        options: further words.
        plain: without TLS.
    """
    words = [
        "serve",
        "--store",
        store,
        "--cap-port",
        "0",
        "--http-port",
        "off",
        "--csid",
        POLICY.csid,
        "--realm",
        POLICY.realm,
    ]
    words += ["--log-level", "warning", *options, *(["--plaintext"] if plain else [])]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("KALENDS_")}
    for kind in ("STATE", "DATA", "CONFIG"):
        environ[f"XDG_{kind}_HOME"] = str(home / kind.lower())
    process = subprocess.Popen(
        [sys.executable, "-m", "kalends.cli.entry", *words], stdout=subprocess.PIPE, env=environ, text=True
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line.startswith("ready "):
            raise SystemExit("the server did not start; what it said stands above")
        port = dict(word.split("=", 1) for word in line.split()[1:])["cap"].rpartition(":")[2]
        settings: Settings = {"user": USER, "password": PASSWORD, "tls": not plain}
        settings["trust"] = Trust(first_use=True, known_servers=home / "known_servers")
        yield Server(f"cap://127.0.0.1:{port}", process.pid, settings)
    finally:
        process.terminate()
        process.wait(60)
        assert process.stdout is not None
        process.stdout.close()
