"""A real `kalends serve` in a process of its own, for tests that speak to it over its port."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kalends.beep.scram import make_verifier
from kalends.core import containers
from kalends.core.model import Policy
from kalends.core.people import identity
from kalends.store.open import open_store

PASSWORD = "correct horse battery"
POLICY = Policy(csid="cal.example.com", realm="example.com")
VERIFIER = make_verifier(PASSWORD, salt=b"0123456789abcdef", iterations=4096)


@dataclass(frozen=True)
class Live:
    """A server that answers: its CAP URL, its port, its store, the folder with its certificate."""

    url: str
    port: int
    store: str
    folder: Path
    process: subprocess.Popen[str]


def furnish(store: str, *users: str) -> None:
    """Make a store with some users, each with the test password and a first calendar."""
    opened = open_store(store)
    now = int(time.time())
    try:
        opened.write(lambda tx: containers.ensure_store(tx, POLICY, now))
        for user in users:
            opened.write(
                lambda tx, user=user: identity.add_user(tx, POLICY, user, now=now, verifier=VERIFIER)
            )
    finally:
        opened.close()


def clean_environ(folder: Path) -> dict[str, str]:
    """This process's environment without anything of Kalends', and with state, data and config in a folder."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("KALENDS_")}
    for name in ("STATE", "DATA", "CONFIG"):
        environ[f"XDG_{name}_HOME"] = str(folder / name.lower())
    spoken = {"LANG": "C.UTF-8", "LANGUAGE": "", "LC_ALL": "", "LC_MESSAGES": ""}
    return environ | {"NO_COLOR": "1", "COLUMNS": "80", "TZ": "UTC"} | spoken


@contextlib.contextmanager
def live_server(folder: Path, *options: str, users: tuple[str, ...] = ("amira", "bruno")) -> Iterator[Live]:
    """Serve a fresh SQLite store on a free loopback port.

    Args:
        folder: for the store and all state.
        options: further words for `kalends serve`.
        users: user names; their password is PASSWORD.
    """
    store = str(folder / "store.db")
    furnish(store, *users)
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
    log = (folder / "serve.log").open("w")
    process = subprocess.Popen(
        [sys.executable, "-m", "kalends.cli.entry", *words, *options],
        stdout=subprocess.PIPE,
        stderr=log,
        env=clean_environ(folder),
        text=True,
    )
    try:
        assert process.stdout is not None
        ready = process.stdout.readline()
        if not ready.startswith("ready "):
            process.wait(10)
            raise AssertionError(f"no server: {ready!r} {(folder / 'serve.log').read_text()}")
        told = dict(word.split("=", 1) for word in ready.split()[1:])
        port = int(told["cap"].rpartition(":")[2])
        yield Live(f"cap://127.0.0.1:{port}", port, store, folder, process)
    finally:
        process.terminate()
        process.wait(30)
        assert process.stdout is not None
        process.stdout.close()
        log.close()
