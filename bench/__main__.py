"""`python -m bench [NAME …] [--json FILE] [--quick]`: run the benchmarks, all of them by default."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
from pathlib import Path

from bench.measure import Report

BENCHES = (
    "ical",
    "beep",
    "layers",
    "create",
    "collections",
    "search",
    "rights",
    "imports",
    "conflict",
    "double_booking",
    "sessions",
    "port",
    "http",
    "dav",
    "dav_reports",
)


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*BENCHES, []], help="which; all by default")
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    parser.add_argument("--quick", action="store_true", help="smaller calendars and fewer rounds")
    options = parser.parse_args()
    print(
        f"Kalends benchmarks: Python {platform.python_version()}, {os.cpu_count()} cores, "
        f"load {os.getloadavg()[0]:.1f}"
    )
    print("columns: what, ours, unit, the other's, whose, how many times better we are")
    report = Report()
    if options.quick:
        os.environ["KALENDS_BENCH_QUICK"] = "1"
    for name in options.names or BENCHES:
        importlib.import_module(f"bench.bench_{name}").run(report)
    if options.json:
        options.json.write_text(json.dumps(report.as_data(), indent=2) + "\n")


main()
