"""What HTTP costs before anything is done: our connection, the site, the store, beside bare uvicorn."""

from __future__ import annotations

import subprocess
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from bench.data import event, vcalendar
from bench.httpload import load, request
from bench.measure import Line, Report, cpu_of, micros, quick
from kalends.serve.http import packing

PROPFIND = (
    '<?xml version="1.0" encoding="utf-8"?><propfind xmlns="DAV:"><prop><getetag/><resourcetype/>'
    '<displayname/><x:getctag xmlns:x="http://calendarserver.org/ns/"/></prop></propfind>'
)
GET = request("GET", "/dav/calendars/amira/calendar/event.ics")
KINDS = (
    ("our connection alone", "listener", GET),
    ("… and the site, who asks, an empty plan", "kalends", request("GET", "/dav/x.ics?none")),
    ("… and an empty read in the loop", "kalends", GET),
    (
        "… and an empty read in a thread",
        "kalends",
        request("REPORT", "/dav/calendars/amira/calendar/", PROPFIND),
    ),
    (
        "… and an empty write, 1 client",
        "kalends",
        request("PUT", "/dav/calendars/amira/calendar/a.ics", b"x" * 600),
    ),
)


@contextmanager
def answering(kind: str) -> Iterator[tuple[int, int]]:
    """Run a server of `bench.web` in a process of its own; gives its port and process id."""
    process = subprocess.Popen([sys.executable, "-m", "bench.web", kind], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline()), process.pid
    finally:
        process.terminate()
        process.wait(10)
        assert process.stdout is not None
        process.stdout.close()


def _cost(port: int, pid: int, octets: bytes, connections: int) -> float:
    """Server CPU microseconds a request: the best of some rounds."""
    many = 500 if quick() else 4_000
    load(port, [octets] * 100, connections)
    costs = []
    for _ in range(1 if quick() else 5):
        before = cpu_of(pid)
        load(port, [octets] * many, connections)
        costs.append((cpu_of(pid) - before) / many * 1e6)
    return min(costs)


def run(report: Report) -> None:
    """Measure."""
    with (
        answering("bare") as bare,
        answering("uvicorn") as uvicorn,
        answering("listener") as listener,
        answering("kalends") as kalends,
    ):
        ports = {"listener": listener, "kalends": kalends}
        for connections in (1, 8):
            report.heading(
                f"HTTP: answers of 600 octets that cost nothing, {connections} connections (server CPU)"
            )
            floor, peer = _cost(*bare, GET, connections), _cost(*uvicorn, GET, connections)
            report.add(Line("a bare protocol on httptools", floor, peer, "µs", "bare uvicorn"))
            for what, kind, octets in KINDS:
                ours = _cost(*ports[kind], octets, connections)
                report.add(Line(what, ours, peer, "µs", "bare uvicorn"))
    _gzip(report)


def _gzip(report: Report) -> None:
    """What packing costs and saves, by level, on what a calendar app asks for."""
    body = vcalendar([event(f"{n}@bench", 1_767_225_600 + n * 3600) for n in range(200)])
    report.heading(f"gzip: {len(body):,} octets of 200 events")
    for level in (1, 3, 6, 9):
        size = len(zlib.compress(body, level))
        cost = micros(lambda level=level: zlib.compress(body, level))  # type: ignore[misc]
        chosen = " (chosen)" if level == packing.LEVEL else ""
        report.add(Line(f"level {level}{chosen}: to {size / len(body):.1%}", cost, None, "µs"))
