"""What every run has: a Kalends of its own with users, made and asked with its command line, and a recorder.

The recorder is a small HTTP proxy that notes what an app sent, so that what is stored can be compared with it
octet for octet.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import http.server
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
APPS = ROOT / ".venv-clients"
PASSWORD = "correct horse battery"
PEOPLE = ("amira", "bruno", "chloe")
REALM = "example.com"
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "te", "upgrade", "expect"}


class FailedError(Exception):
    """What an app did, or saw, is not what it should; its words say what."""


class AbsentError(Exception):
    """The app is not installed; its words say how it gets here."""


def check(holds: object, words: str) -> None:
    """Fail with these words unless something holds."""
    if not holds:
        raise FailedError(words)


def tool(name: str, package: str) -> str:
    """The path of a program that a Debian package brings."""
    found = shutil.which(name)
    if found is None:
        raise AbsentError(f"{name} is not installed: apt-get install {package}")
    return found


@dataclass
class Sent:
    """A request that an app sent, and its answer's status."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    status: int


@dataclass
class World:
    """A server that answers.

    Attributes:
        folder: for all that the run writes.
        url: of HTTP, a bare origin.
        cap: of CAP.
        sent: what went through the recorder, oldest first.
        recorder: the origin of the recorder.
    """

    folder: Path
    url: str
    cap: str
    sent: list[Sent] = field(default_factory=list)
    recorder: str = ""

    def environ(self, **more: str) -> dict[str, str]:
        """An environment in which programs keep to the run's folder."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("KALENDS_", "CALDAV_", "PYTHON_CALDAV_", "XDG_", "VDIRSYNCER_"))
        }
        home = {
            f"XDG_{name}_HOME": str(self.folder / name.lower())
            for name in ("STATE", "DATA", "CONFIG", "CACHE")
        }
        return (
            kept | home | {"HOME": str(self.folder), "TZ": "UTC", "LC_ALL": "C.UTF-8", "NO_COLOR": "1"} | more
        )

    def run(
        self,
        *words: str,
        stdin: str | None = None,
        ok: Sequence[int] = (0,),
        seconds: int = 300,
        where: Path | None = None,
        **environ: str,
    ) -> str:
        """Run a program, in the run's folder or `where`; what it printed.

        Raises:
            FailedError: another exit code than the expected ones.
        """
        done = subprocess.run(
            words, input=stdin, capture_output=True, text=True, timeout=seconds, env=self.environ(**environ),
            cwd=where or self.folder, check=False,
        )  # fmt: skip
        if done.returncode not in ok:
            raise FailedError(f"{' '.join(words)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def kalends(self, *words: str, stdin: str | None = None) -> str:
        """Run a command of Kalends over the store or, where it speaks CAP, as amira."""
        return self.run(
            sys.executable, "-m", "kalends.cli.entry", *words, stdin=stdin,
            KALENDS_STORE=str(self.folder / "store.db"), KALENDS_SERVER=self.cap,
            KALENDS_USER=f"amira@{REALM}", KALENDS_PASSWORD=PASSWORD,
        )  # fmt: skip

    def over_cap(self, calendar: str, kind: str = "VEVENT") -> str:
        """What amira sees of a calendar over CAP, as iCalendar text."""
        return self.kalends(
            "query", f"SELECT * FROM {kind}", "--target", calendar, "--format", "ics", "--no-tls", "--quiet"
        )

    def create_over_cap(self, calendar: str, text: str) -> None:
        """Create what a text holds, over CAP."""
        self.kalends("create", "-", "--target", calendar, "--no-tls", stdin=text)

    def request(
        self, method: str, path: str, body: bytes | str = b"", user: str = "amira", **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        """Ask over HTTP: status, headers (lower case), body."""
        parts = urlsplit(self.url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
        with contextlib.closing(connection):
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body or None, {"Authorization": basic(user)} | named)
            answer = connection.getresponse()
            told = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, told, answer.read()

    def kept_as_sent(self) -> int:
        """Check that what the recorder saw being PUT is what is stored, over HTTP and over CAP.

        Returns:
            How many objects were compared.
        """
        # One app may spell a name in two ways: @ and %40.
        writes = (one for one in self.sent if one.method in {"PUT", "DELETE"} and one.status < 300)
        last = {unquote(one.path): one for one in writes}
        texts: dict[str, str] = {}
        compared = 0
        for one in last.values():
            path = one.path
            if one.method == "DELETE":
                continue
            status, headers, body = self.request("GET", path)
            if status == 404:
                continue  # the app took the calendar away
            check(status == 200, f"GET {path}: {status}")
            check(body == one.body, f"{path} is not stored as it was sent:\n{one.body!r}\n{body!r}")
            check(not headers["etag"].startswith("W/"), f"{path} has a weak ETag")
            calendar = "/".join(path.split("/")[3:5])
            for kind in ("VEVENT", "VTODO", "VJOURNAL"):
                block = part(body, kind)
                if block:
                    seen = texts.setdefault(f"{calendar} {kind}", self.over_cap(calendar, kind))
                    check(
                        block in seen.encode(), f"{path}: CAP does not show the octets that were sent\n{seen}"
                    )
            compared += 1
        return compared


def basic(user: str) -> str:
    """The value of Authorization."""
    return "Basic " + base64.b64encode(f"{user}:{PASSWORD}".encode()).decode()


def part(data: bytes, kind: str) -> bytes:
    """The first component of a kind, octet for octet; empty where there is none."""
    start, end = data.find(f"BEGIN:{kind}".encode()), data.find(f"END:{kind}".encode())
    return data[start : end + len(kind) + 4].replace(b"\r\n", b"\n") if start >= 0 else b""


@contextlib.contextmanager
def kalends_world(folder: Path, *, host: str = "127.0.0.1", more: Sequence[str] = ()) -> Iterator[World]:
    """Serve a fresh store on free ports.

    Args:
        folder: for the store and all state; empty.
        host: a loopback address.
        more: further users, as user@realm.
    """
    world = World(folder, "", "")
    people = [*(f"{name}@{REALM}" for name in PEOPLE), *more]
    for upn in people:
        name = upn.partition("@")[0].title()
        world.kalends("user", "add", upn, "--name", name, "--password-stdin", stdin=PASSWORD + "\n")
    words = [
        sys.executable, "-m", "kalends.cli.entry", "serve", "--store", str(folder / "store.db"), "--host", host,
        "--cap-port", "0", "--http-port", "0", "--csid", "cal.example.com", "--realm", REALM, "--udp", "off",
        "--plaintext",
    ]  # fmt: skip
    with (folder / "serve.log").open("w") as log:
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=log, env=world.environ(), text=True)
        try:
            assert process.stdout is not None
            ready = process.stdout.readline()
            if not ready.startswith("ready "):
                raise FailedError(f"no server: {ready!r} {(folder / 'serve.log').read_text()}")
            told = dict(word.split("=", 1) for word in ready.split()[1:])
            world.url, world.cap = f"http://{told['http']}", f"cap://{told['cap']}"
            with _recorder(world):
                yield world
            check(process.poll() is None, "the server is gone")
        finally:
            process.terminate()
            process.communicate(timeout=60)
    wrong = [line for line in (folder / "serve.log").read_text().splitlines() if " ERROR " in line]
    check(not wrong, "the server logged:\n" + "\n".join(wrong))


@contextlib.contextmanager
def _recorder(world: World) -> Iterator[None]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            target = urlsplit(world.url)
            onward = http.client.HTTPConnection(target.hostname or "", target.port, timeout=60)
            headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP}
            with contextlib.closing(onward):
                onward.request(self.command, self.path, body or None, headers)
                answer = onward.getresponse()
                data = answer.read()
                world.sent.append(Sent(self.command, self.path, headers, body, answer.status))
                self.send_response_only(answer.status, answer.reason)
                for name, value in answer.getheaders():
                    if name.lower() not in HOP_BY_HOP:
                        self.send_header(name, value)
                if self.command == "HEAD" or answer.status in {204, 304}:
                    data = b""
                if answer.status not in {204, 304}:
                    self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        def log_message(self, *args: Any) -> None:
            """Say nothing: what counts is in `sent`."""

    for method in (
        "OPTIONS", "GET", "HEAD", "PUT", "POST", "DELETE", "MOVE", "COPY", "ACL",
        "PROPFIND", "PROPPATCH", "MKCALENDAR", "MKCOL", "REPORT",
    ):  # fmt: skip
        setattr(Handler, f"do_{method}", Handler.handle_one)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    world.recorder = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
