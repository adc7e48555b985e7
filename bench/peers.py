"""The same calendar in Kalends, Radicale and Xandikos, each in a process of its own on loopback."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.data import vcalendar
from bench.httpload import load, request
from bench.place import CALENDAR, PASSWORD, POLICY, USER, fill, furnished

ROOT = Path(__file__).parents[1]
PEERS = ROOT / ".venv-peers" / "bin"
_HREF = re.compile(rb"<(?:\w+:)?href>([^<]+\.ics)</")


@dataclass(frozen=True, slots=True)
class Peer:
    """A running server with the calendar in it.

    Attributes:
        name: whose it is.
        port: where.
        pid: the process whose CPU counts.
        path: the calendar's collection, with a slash at the end.
    """

    name: str
    port: int
    pid: int
    path: str

    def hrefs(self) -> list[str]:
        """The paths of all events, as the server names them."""
        body = '<propfind xmlns="DAV:"><prop><getetag/></prop></propfind>'
        asked = request("PROPFIND", self.path, body, Depth="1", Content_Type="application/xml")
        got = load(self.port, [asked], expect=(207,))
        return sorted(href.decode() for href in _HREF.findall(got.last))


def _free() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
    return port


@contextmanager
def _process(words: list[str], home: Path, port: int = 0) -> Iterator[tuple[int, str]]:
    """Run a server until the block ends; gives its process id and, without a port, its first line."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("KALENDS_")}
    environ["XDG_DATA_HOME"] = environ["XDG_CONFIG_HOME"] = environ["HOME"] = str(home)
    with (home / "log").open("wb") as log:
        out = subprocess.DEVNULL if port else subprocess.PIPE
        process = subprocess.Popen(words, stdout=out, stderr=log, env=environ, cwd=home)
    try:
        line = "" if port or process.stdout is None else process.stdout.readline().decode()
        until = time.monotonic() + 30
        while port:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                if time.monotonic() > until or process.poll() is not None:
                    raise SystemExit(f"{words[0]} did not start: {(home / 'log').read_text()}") from None
                time.sleep(0.1)
        yield process.pid, line
    finally:
        process.terminate()
        process.wait(60)
        if process.stdout is not None:
            process.stdout.close()


@contextmanager
def kalends(home: Path, events: list[str]) -> Iterator[Peer]:
    """Kalends on SQLite."""
    home.mkdir()
    url = str(home / "store.db")
    with furnished(url) as store:
        fill(store, CALENDAR, events)
    words = [sys.executable, "-m", "kalends.cli.entry", "serve", "--store", url, "--cap-port", "0"]
    words += ["--http-port", "0", "--csid", POLICY.csid, "--realm", POLICY.realm, "--log-level", "warning"]
    with _process(words, home) as (pid, line):
        port = dict(word.split("=", 1) for word in line.split()[1:])["http"].rpartition(":")[2]
        yield Peer("Kalends", int(port), pid, f"/dav/calendars/{CALENDAR}/")


@contextmanager
def radicale(home: Path, events: list[str]) -> Iterator[Peer]:
    """Radicale with its own storage, fsync on, as it comes; passwords in plain text: none is computed."""
    home.mkdir()
    port = _free()
    (home / "users").write_text(f"{USER}:{PASSWORD}\n")
    (home / "config").write_text(
        f"[server]\nhosts = 127.0.0.1:{port}\nmax_connections = 64\n"
        f"[auth]\ntype = htpasswd\nhtpasswd_filename = {home / 'users'}\nhtpasswd_encryption = plain\n"
        f"[storage]\nfilesystem_folder = {home / 'collections'}\n[logging]\nlevel = error\n"
    )
    with _process([str(PEERS / "radicale"), "--config", str(home / "config")], home, port) as (pid, _):
        path = f"/{CALENDAR}/"
        whole = request("PUT", path, vcalendar(events), Content_Type="text/calendar")
        load(port, [whole], expect=(201,))
        yield Peer("Radicale", port, pid, path)


@contextmanager
def xandikos(home: Path, events: list[str]) -> Iterator[Peer]:
    """Xandikos with its Git storage, as it comes; it asks nobody for a password."""
    home.mkdir()
    port = _free()
    words = [str(PEERS / "xandikos"), "serve", "--defaults", "--directory", str(home / "dav")]
    words += ["--listen-address", "127.0.0.1", "--port", str(port), "--current-user-principal", f"/{USER}/"]
    path = f"/{USER}/calendars/calendar/"
    with _process(words, home, port):  # it makes its folders
        pass
    folder = home / "dav" / path.strip("/")
    for number, event in enumerate(events):
        (folder / f"event-{number}.ics").write_bytes(vcalendar([event]))
    git = ["git", "-c", "user.name=bench", "-c", "user.email=bench@example.com"]
    subprocess.run([*git, "add", "."], cwd=folder, check=True)
    subprocess.run([*git, "commit", "--quiet", "-m", "events"], cwd=folder, check=True)
    with _process(words, home, port) as (pid, _):
        yield Peer("Xandikos", port, pid, path)


@contextmanager
def all_with(home: Path, events: list[str]) -> Iterator[list[Peer]]:
    """All three, Kalends first; those of the peers that are installed."""
    with ExitStack() as stack:
        running = [stack.enter_context(kalends(home / "kalends", events))]
        if (PEERS / "radicale").exists():
            running.append(stack.enter_context(radicale(home / "radicale", events)))
            running.append(stack.enter_context(xandikos(home / "xandikos", events)))
        yield running
