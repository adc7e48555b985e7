"""Importing 10,000 events from one file, and what a server's memory is before and after it reads them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import icalendar

from bench.bench_create import START
from bench.data import DAY, event, spread, vcalendar
from bench.measure import Line, Report, memory_of, quick
from bench.place import CALENDAR, folder, furnished, serving
from kalends.client.sync import Client, connect
from kalends.ical import tree

COUNT = 10_000
AT_ONCE = 2_000
"""Events in one CREATE: a message of about a megabyte."""


def run(report: Report) -> None:
    """Measure."""
    count = COUNT // 10 if quick() else COUNT
    with folder() as home:
        store, file = str(home / "store.db"), home / "events.ics"
        with furnished(store):
            pass
        file.write_bytes(vcalendar(list(spread(count, int(time.time()) // DAY * DAY, "import"))))
        report.heading(f"Import of {count:,} events in one file of {file.stat().st_size / 1e6:.1f} MB")
        with serving(home, store, plain=True) as server, connect(server.url, **server.settings) as client:
            empty = memory_of(server.pid)
            used, took, peak = _import(store, file)
            began = time.process_time()
            calendar = icalendar.Calendar.from_ical(file.read_bytes())
            parsed = time.process_time() - began
            assert len(calendar.walk("VEVENT")) == count
            del calendar
            began = time.process_time()
            tree.parse(file.read_bytes())
            ours = time.process_time() - began
            rate = count / parsed
            report.add(Line("merely parsed", count / ours, rate, "/s CPU", "icalendar parsing", True))
            report.add(
                Line(
                    "kalends import: durable and indexed",
                    count / used,
                    rate,
                    "/s CPU",
                    "icalendar parsing",
                    True,
                )
            )
            report.note(
                f"{took:.1f} s of wall time; the largest the importing process became: {peak / 1e6:.0f} MB"
            )
            _memory(report, server.pid, client, empty, count)


def _import(store: str, file: Path) -> tuple[float, float, int]:
    """Run `kalends import`: CPU seconds, wall seconds, peak of resident octets."""
    words = [sys.executable, "-m", "kalends.cli.entry", "import", "--store", store, CALENDAR, str(file)]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("KALENDS_")}
    began = time.perf_counter()
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, env=environ)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    took = time.perf_counter() - began
    assert process.returncode == 0
    return usage.ru_utime + usage.ru_stime, took, usage.ru_maxrss * 1024


def _memory(report: Report, pid: int, client: Client, empty: int, count: int) -> None:
    def tell(what: str) -> None:
        report.add(
            Line(f"server's memory {what}", memory_of(pid) / 1e6, empty / 1e6, "MB", "before the import")
        )

    tell("after it")
    found = sum(1 for _ in client.search("SELECT UID FROM VEVENT", CALENDAR))
    tell(f"after an answer of {found:,} UIDs")
    octets = sum(len(one.component.to_bytes()) for one in client.search("SELECT * FROM VEVENT", CALENDAR))
    tell(f"after an answer of {octets / 1e6:.1f} MB")
    many = min(AT_ONCE, count)
    events = [event(f"at-once-{number}@bench", START + number * 600) for number in range(many)]
    outcomes = client.create(vcalendar(events), CALENDAR)
    assert all(outcome.ok for outcome in outcomes)
    tell(f"after a CREATE of {len(outcomes):,} in one message")
