"""Running `kalends` in a test: in this process, in one of its own, and on a terminal."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from kalends.cli.entry import main

SNAPSHOTS = Path(__file__).with_name("snapshots")
KALENDS = (sys.executable, "-m", "kalends.cli.entry")


@dataclass(frozen=True)
class Ran:
    """How a command ended: exit code, standard output, standard error."""

    code: int
    out: str
    err: str


class Here:
    """Runs commands in this process, with an environment of its own."""

    def __init__(self, capture: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch) -> None:
        self.capture = capture
        self.patch = patch

    def __call__(self, *words: str, stdin: str = "") -> Ran:
        """Run one command line."""
        read, write = os.pipe()
        os.write(write, stdin.encode())  # what tests type is far smaller than a pipe
        os.close(write)
        self.capture.readouterr()
        with os.fdopen(read) as given:
            self.patch.setattr(sys, "stdin", given)
            try:
                code = main(words)
            except SystemExit as end:
                code = int(end.code or 0)
        out, err = self.capture.readouterr()
        return Ran(code, out, err)


def apart(environ: dict[str, str], *words: str, stdin: str = "") -> Ran:
    """Run one command line in a process of its own."""
    done = subprocess.run(
        [*KALENDS, *words], check=False, input=stdin, env=environ, capture_output=True, text=True, timeout=60
    )
    return Ran(done.returncode, done.stdout, done.stderr)


CTRL_C = "\x03"


def on_terminal(environ: dict[str, str], words: list[str], talk: list[tuple[str, str]]) -> Ran:
    """Run one command line on a terminal.

    Args:
        environ: the environment.
        words: after `kalends`.
        talk: pairs of what to wait for and what to type then.

    Returns:
        The exit code and all that the terminal showed, as `out`.
    """
    child, terminal = pty.fork()
    if child == 0:
        signal.signal(
            signal.SIGINT, signal.SIG_DFL
        )  # a test run in the background ignores it, and so would we
        os.execve(KALENDS[0], [*KALENDS, *words], environ)
    shown, seen, pending, typed = "", 0, list(talk), ""
    while True:
        readable, _, _ = select.select([terminal], [], [], 3 if typed == CTRL_C else 30)
        if not readable and typed == CTRL_C:
            # readline lets an interrupt pass that comes just before it waits
            os.write(terminal, CTRL_C.encode())
            typed = ""
            continue
        assert readable, f"silence after {shown!r}"
        try:
            data = os.read(terminal, 65536)
        except OSError:  # Linux' way of saying that the other side hung up
            data = b""
        if not data:
            break
        shown += data.decode("utf-8", "replace")
        if pending and pending[0][0] in shown[seen:]:
            seen = len(shown)
            typed = pending.pop(0)[1]
            os.write(terminal, typed.encode())
    _, status = os.waitpid(child, 0)
    os.close(terminal)
    return Ran(os.waitstatus_to_exitcode(status), shown, "")


def snapshot(name: str, text: str) -> None:
    """Compare with a file; UPDATE_SNAPSHOTS=1 writes it.

    Tables stay within 80 columns.
    """
    file = SNAPSHOTS / f"{name}.txt"
    if os.environ.get("UPDATE_SNAPSHOTS"):
        file.write_text(text, "utf-8")
    assert text == file.read_text("utf-8")
    assert max(map(len, text.splitlines())) <= 80
