"""`kalends port 1026 --no-probe` beside a bare interpreter and other programs that say what a port is."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from bench.measure import Line, Report, quick

PORT = "1026"


def cpu_milliseconds(words: list[str], rounds: int) -> float:
    """CPU milliseconds of a program from its start to its end: the best of several rounds."""
    best = float("inf")
    # As installed: with the compiled files of the first round, whatever this shell says of them.
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    for _ in range(rounds):
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environ)
        _, _, usage = os.wait4(process.pid, 0)
        process.returncode = 0  # reaped already
        best = min(best, usage.ru_utime + usage.ru_stime)
    return best * 1e3


def run(report: Report) -> None:
    """Measure."""
    rounds = 5 if quick() else 20
    report.heading(f"What is port {PORT}? CPU from start to end of the process")
    bare = cpu_milliseconds([sys.executable, "-c", "pass"], rounds)
    kalends = str(Path(sys.executable).with_name("kalends"))
    ours = cpu_milliseconds([kalends, "port", PORT, "--no-probe"], rounds)
    version = cpu_milliseconds([kalends, "--version"], rounds)
    report.add(Line("kalends port, beyond a bare interpreter", ours - bare, 50.0, "ms", "the aim of 50 ms"))
    report.add(
        Line("kalends --version, beyond a bare interpreter", version - bare, bare, "ms", "bare interpreter")
    )
    whatportis = shutil.which("whatportis") or shutil.which(
        "whatportis", path=str(Path(sys.executable).parent)
    )
    peers = {
        "whatportis": [whatportis or "", PORT],
        "ss": ["ss", "-Htlnp", f"sport = :{PORT}"],
        "lsof": ["lsof", "-nP", f"-iTCP:{PORT}", "-sTCP:LISTEN"],
    }
    for name, words in peers.items():
        if not shutil.which(words[0]):
            report.note(f"{name}: left out, not installed")
            continue
        theirs = cpu_milliseconds(words, rounds)
        report.add(Line("kalends port, everything", ours, theirs, "ms", name))
