"""CalDAV beside Radicale and Xandikos: the same octets, in turns, in one run; wall and CPU of a request."""

from __future__ import annotations

import datetime as dt
import re
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import count
from xml.sax.saxutils import escape

from bench.data import DATES, DAY, event, spread, vcalendar
from bench.httpload import Got, load, request
from bench.measure import Line, Report, cpu_of, quick
from bench.peers import Peer, all_with
from bench.place import folder

SIZES = (1_000, 10_000)
SECONDS = 3.0
"""A question is repeated until its count is reached or this time is over: some answers take seconds."""
SLOW = 1.5
"""Who takes so many seconds for one request of a kind is not asked by several clients at once."""
LAST = 1_780_272_000
"""Midnight after the last day of all calendars: 2026-06-01."""
XML = 'application/xml; charset="utf-8"'
NAMES = 'xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"'
_TOKEN = re.compile(rb"sync-token>([^<]+)<")

PROPFIND = f"<propfind {NAMES}><prop><getetag/><getcontenttype/><resourcetype/></prop></propfind>"
_numbers = count()


@dataclass(frozen=True, slots=True)
class Task:
    """One thing to be measured.

    Attributes:
        what: its name.
        requests: the requests for a server whose events have these paths.
        many: how many.
        clients: connections.
        expect: statuses of success.
        of: the tasks it is made of.
    """

    what: str
    requests: Callable[[Peer, list[str]], Iterator[bytes]]
    many: int
    clients: int = 1
    expect: tuple[int, ...] = (207,)
    of: tuple[str, ...] = ()


def _put(path: str, uid: str, start: int) -> bytes:
    body = vcalendar([event(uid, start)])
    return request("PUT", path, body, Content_Type="text/calendar; charset=utf-8")


def _new(peer: Peer, _: list[str]) -> Iterator[bytes]:
    while True:
        number = next(_numbers)
        yield _put(f"{peer.path}new-{number}.ics", f"new-{number}@bench", LAST + number * 7200)


def _updates(peer: Peer, _: list[str]) -> Iterator[bytes]:
    """The same 200 objects again and again, each time at another time."""
    for number in count():
        name = f"upd-{number % 200}"
        yield _put(f"{peer.path}{name}.ics", f"{name}@bench", LAST + DAY * 400 + number * 3600)


def _gets(_: Peer, hrefs: list[str]) -> Iterator[bytes]:
    for number in count():
        yield request("GET", hrefs[number * 37 % len(hrefs)])


def _report(peer: Peer, body: str, depth: str = "1") -> bytes:
    return request("REPORT", peer.path, body, Depth=depth, Content_Type=XML)


def _listing(peer: Peer, _: list[str]) -> Iterator[bytes]:
    while True:
        yield request("PROPFIND", peer.path, PROPFIND, Depth="1", Content_Type=XML)


def _multiget(peer: Peer, hrefs: list[str]) -> Iterator[bytes]:
    for number in count():
        chosen = [hrefs[(number * 50 + at) * 13 % len(hrefs)] for at in range(50)]
        named = "".join(f"<href>{escape(href)}</href>" for href in chosen)
        props = "<prop><getetag/><C:calendar-data/></prop>"
        yield _report(peer, f"<C:calendar-multiget {NAMES}>{props}{named}</C:calendar-multiget>")


def _month() -> tuple[str, str]:
    end = dt.datetime.fromtimestamp(LAST - 5 * DAY, dt.UTC)
    return (end - dt.timedelta(days=30)).strftime(DATES), end.strftime(DATES)


def _query(peer: Peer, _: list[str]) -> Iterator[bytes]:
    begin, end = _month()
    body = (
        f"<C:calendar-query {NAMES}><prop><getetag/><C:calendar-data/></prop><C:filter>"
        '<C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT">'
        f'<C:time-range start="{begin}" end="{end}"/></C:comp-filter></C:comp-filter></C:filter>'
        "</C:calendar-query>"
    )
    while True:
        yield _report(peer, body)


def _freebusy(peer: Peer, _: list[str]) -> Iterator[bytes]:
    begin, end = _month()
    while True:
        span = f'<C:time-range start="{begin}" end="{end}"/>'
        yield _report(peer, f"<C:free-busy-query {NAMES}>{span}</C:free-busy-query>")


def _sync_body(token: str) -> str:
    props = "<sync-level>1</sync-level><prop><getetag/></prop>"
    return f"<sync-collection {NAMES}><sync-token>{token}</sync-token>{props}</sync-collection>"


def _sync(peer: Peer, _: list[str]) -> Iterator[bytes]:
    while True:
        yield _report(peer, _sync_body(""), "0")


def _mixed(peer: Peer, hrefs: list[str]) -> Iterator[bytes]:
    """Four questions to each change: gets, multigets of ten, months."""
    news, months = _new(peer, hrefs), _query(peer, hrefs)
    gets, gots = _gets(peer, hrefs), _multiget(peer, hrefs)
    while True:
        yield next(news)
        yield next(gets)
        yield next(gots)
        yield next(gets)
        yield next(months)


NEW, MONTH = "PUT of a new event", "calendar-query of a month"
TASKS = (
    Task(NEW, _new, 150, 1, (201, 204)),
    Task(NEW, _new, 400, 8, (201, 204)),
    Task("PUT of another state", _updates, 150, 1, (200, 201, 204)),
    Task("PUT of another state", _updates, 400, 8, (200, 201, 204)),
    Task("GET of an event", _gets, 400, 1, (200,)),
    Task("PROPFIND Depth 1 of the calendar", _listing, 8),
    Task("calendar-multiget of 50", _multiget, 20),
    Task(MONTH, _query, 10),
    Task("sync-collection, initial", _sync, 8),
    Task("free-busy-query of a month", _freebusy, 10, 1, (200,)),
    Task("80 % reading, 20 % PUT", _mixed, 320, 16, (200, 201, 204, 207), (NEW, MONTH)),
)


def _some(requests: Iterable[bytes], many: int) -> Iterator[bytes]:
    until = time.perf_counter() + (SECONDS / 4 if quick() else SECONDS)
    for number, one in enumerate(requests):
        if number >= many or (number and time.perf_counter() > until):
            return
        yield one


@dataclass(frozen=True, slots=True)
class Figure:
    """Of one request: median wall and mean CPU of the server, both in ms."""

    wall: float
    cpu: float


def _measured(peer: Peer, send: Callable[[], Got]) -> Figure | str:
    """A figure, or why there is none."""
    before = cpu_of(peer.pid)
    try:
        got = send()
    except (ValueError, OSError) as error:
        return str(error)[:100]
    cpu = (cpu_of(peer.pid) - before) / len(got.waits)
    return Figure(statistics.median(got.waits) * 1e3, cpu * 1e3)


def _after_one_change(peer: Peer) -> Figure | str:
    """The wait for a sync-collection after one PUT, with the token from before it."""
    walls, cpu = [], 0.0
    until = time.perf_counter() + 2 * SECONDS
    try:
        first = load(peer.port, [_report(peer, _sync_body(""), "0")], expect=(207,))
        for _ in range(3 if quick() else 10):
            token = _TOKEN.search(first.last)
            if token is None:
                return "no sync-token"
            load(peer.port, _some(_new(peer, []), 1), expect=(201, 204))
            before = cpu_of(peer.pid)
            first = load(peer.port, [_report(peer, _sync_body(token[1].decode()), "0")], expect=(207,))
            cpu += cpu_of(peer.pid) - before
            walls += first.waits
            if time.perf_counter() > until:
                break
    except (ValueError, OSError) as error:
        return str(error)[:100]
    return Figure(statistics.median(walls) * 1e3, cpu / len(walls) * 1e3)


def _asked(peer: Peer, hrefs: list[str], task: Task, many: int) -> Got:
    return load(peer.port, _some(task.requests(peer, hrefs), many), task.clients, task.expect)


def _tell(report: Report, what: str, peers: list[Peer], figures: list[Figure | str]) -> None:
    for peer, figure in zip(peers, figures, strict=True):
        if isinstance(figure, str):
            report.note(f"{what}: {peer.name} refuses: {figure}")
    ours = figures[0]
    if isinstance(ours, str):
        return
    for peer, theirs in zip(peers[1:], figures[1:], strict=True):
        if isinstance(theirs, Figure):
            report.add(Line(what, ours.wall, theirs.wall, "ms", peer.name, aim=3))
            report.add(Line("  server CPU", ours.cpu, theirs.cpu, "ms CPU", peer.name))
    if len(peers) == 1:
        report.add(Line(what, ours.wall, None, "ms"))
        report.add(Line("  server CPU", ours.cpu, None, "ms CPU"))


def run(report: Report) -> None:
    """Measure."""
    for size in (200,) if quick() else SIZES:
        with folder() as home, all_with(home, list(spread(size, LAST, "dav"))) as peers:
            report.heading(f"CalDAV: a calendar of {size:,} events; wall is the median of a request")
            if len(peers) == 1:
                report.note("Radicale and Xandikos are not installed: make bench-peers")
            hrefs = [peer.hrefs() for peer in peers]
            slow: set[tuple[str, str]] = set()
            for task in TASKS:
                clients = f", {task.clients} clients" if task.clients > 1 else ""
                many = task.many // 8 or 1 if quick() else task.many
                figures: list[Figure | str] = []
                for peer, known in zip(peers, hrefs, strict=True):
                    if task.clients > 1 and any((peer.name, what) in slow for what in (task.what, *task.of)):
                        figures.append("left out, for one request alone takes seconds")
                        continue
                    figure = _measured(peer, partial(_asked, peer, known, task, many))
                    figures.append(figure)
                    if task.clients == 1 and isinstance(figure, Figure) and figure.wall > SLOW * 1e3:
                        slow.add((peer.name, task.what))
                _tell(report, task.what + clients, peers, figures)
            changed = [_after_one_change(peer) for peer in peers]
            _tell(report, "sync-collection after one change", peers, changed)
