"""`kalends watch` against a real server: changes as they come, Ctrl-C, a server that comes back."""

from __future__ import annotations

import json
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_tools import KALENDS

from kalends.client import connect
from live_server import PASSWORD, Live, clean_environ, live_server

EVENT = "BEGIN:VEVENT\r\nUID:{0}\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:20260105T100000Z\r\nSUMMARY:{1}\r\nEND:VEVENT\r\n"


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    with live_server(tmp_path, users=("amira",)) as server:
        yield server


INTERRUPTIBLE = (
    "import signal, sys\n"
    "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a test run in the background ignores it
    "from kalends.cli.entry import main\n"
    "sys.exit(main(sys.argv[1:]))\n"
)


class Watch:
    """A `kalends watch` in a process of its own."""

    def __init__(self, live: Live, *words: str) -> None:
        environ = clean_environ(live.folder) | {
            "KALENDS_SERVER": live.url, "KALENDS_USER": "amira", "PYTHONUNBUFFERED": "1",
        }  # fmt: skip
        secret = live.folder / "password"
        secret.write_text(PASSWORD)
        secret.chmod(0o600)
        self.process = subprocess.Popen(
            [
                sys.executable, "-c", INTERRUPTIBLE, "watch", "amira/calendar", "--password-file", str(secret),
                "--trust-new", *words,
            ],
            env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def line(self, *, of_errors: bool = False) -> str:
        stream = self.process.stderr if of_errors else self.process.stdout
        assert stream is not None
        ready, _, _ = select.select([stream], [], [], 20)
        assert ready, "silence"
        return stream.readline()

    def until_error(self, words: str) -> None:
        while words not in self.line(of_errors=True):
            assert self.process.poll() is None

    def end(self) -> int:
        self.process.send_signal(signal.SIGINT)
        try:
            return self.process.wait(20)
        finally:
            for stream in (self.process.stdout, self.process.stderr):
                assert stream is not None
                stream.close()


def write(live: Live, uid: str, title: str = "Tea") -> None:
    with connect(live.url, user="amira", password=PASSWORD, first_use=True) as client:
        client.create(EVENT.format(uid, title), "amira/calendar")


def test_changes_are_printed_as_they_come_and_ctrl_c_ends_it(live: Live) -> None:
    watch = Watch(live)
    try:
        watch.until_error("watching amira/calendar")
        write(live, "tea", "Tea\u202e")
        line = watch.line()
        assert 'created VEVENT tea "Tea' in line
        assert "by amira@example.com (cap)" in line
        assert "\u202e" not in line
    finally:
        assert watch.end() == 0


def test_json_lines_and_once(live: Live) -> None:
    write(live, "first")
    watch = Watch(live, "--json", "--since", "0", "--once")
    told = json.loads(watch.line())
    assert watch.process.wait(20) == 0
    assert set(told) == {"tick", "action", "kind", "uid", "title", "who", "via", "at"}
    watch.end()


def test_it_connects_again_and_misses_nothing(live: Live) -> None:
    watch = Watch(live, "--json")
    try:
        watch.until_error("watching")
        live.process.send_signal(signal.SIGKILL)
        live.process.wait(20)
        watch.until_error("trying again")
        again = subprocess.Popen(
            [
                *KALENDS, "serve", "--store", live.store, "--cap-port", str(live.port), "--http-port", "off",
                "--csid", "cal.example.com", "--realm", "example.com",
            ],
            env=clean_environ(live.folder), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        try:
            assert again.stdout is not None
            assert again.stdout.readline().startswith("ready")
            write(live, "back")
            assert json.loads(watch.line())["uid"] == "back"
        finally:
            again.terminate()
            again.wait(20)
            again.stdout.close()
    finally:
        assert watch.end() == 0


def test_who_may_not_watch_is_told(live: Live) -> None:
    watch = Watch(live)
    watch.until_error("watching")
    assert watch.end() == 0
    environ = clean_environ(live.folder) | {
        "KALENDS_SERVER": live.url,
        "KALENDS_USER": "amira",
        "KALENDS_PASSWORD": PASSWORD,
    }
    done = subprocess.run(
        [*KALENDS, "watch", "nobody/there"],
        env=environ,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 1
    assert "no such calendar" in done.stderr
