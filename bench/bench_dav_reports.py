"""CalDAV's reports without sockets, in a calendar of 10,000 events, beside reading the same rows raw.

The limit is what SQLite and Python need to fetch the same texts (or ETags) by their ids and join the octets:
no rights, no XML, no search.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from bench.data import DAY, event, spread, vcalendar
from bench.measure import Line, Report, micros, quick
from bench.place import CALENDAR, USER, admin, folder, furnished, user
from kalends.core import containers, ledger
from kalends.core.model import Caller, Target
from kalends.dav import app
from kalends.dav.messages import Request
from kalends.ical.tree import parse
from kalends.store import calendars, listings
from kalends.store.base import Store, Tx

SIZE = 10_000
BATCH = 500
HEAD = '<?xml version="1.0" encoding="utf-8"?>'
NAMES = 'xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"'
DATA = "<D:prop><D:getetag/><C:calendar-data/></D:prop>"
ETAG = "<D:prop><D:getetag/></D:prop>"


def filled(store: Store, size: int, end: int) -> Target:
    """A calendar as `bench.data.spread` makes it, in a home, so that CalDAV has a path for it."""
    caller = admin()
    target = store.read(lambda tx: containers.resolve(tx, caller, CALENDAR))
    events = list(spread(size, end, "dav"))
    for at in range(0, len(events), BATCH):
        batch = parse(vcalendar(events[at : at + BATCH]))

        def put(tx: Tx, batch=batch) -> None:  # type: ignore[no-untyped-def]
            assert all(one.error is None for one in ledger.import_objects(tx, caller, target, batch))

        store.write(put)
    return target


class Asker:
    """Sends requests through the engine; what comes out is drained inside of the transaction."""

    def __init__(self, store: Store, caller: Caller, path: str) -> None:
        self.store, self.caller, self.path = store, caller, path

    def __call__(self, body: str, **headers: str) -> bytes:
        """The body of the answer."""
        request = Request("REPORT", self.path, "", headers, body.encode(), "", "https://bench.example")
        made = app.plan(request, self.caller)

        def work(tx: Tx) -> bytes:
            response = made.work(tx)
            assert response.status in (200, 207), response
            return b"".join(response.body) if isinstance(response.body, Iterator) else response.body

        return self.store.read(work)


def query(start: int, end: int, more: str = "", prop: str = DATA) -> str:
    """A C:calendar-query for events in a range."""
    first, last = (time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(at)) for at in (start, end))
    return (
        f'{HEAD}<C:calendar-query {NAMES}>{prop}<C:filter><C:comp-filter name="VCALENDAR">'
        f'<C:comp-filter name="VEVENT"><C:time-range start="{first}" end="{last}"/>{more}</C:comp-filter>'
        "</C:comp-filter></C:filter></C:calendar-query>"
    )


def sync(token: str = "") -> str:
    """A D:sync-collection for ETags."""
    return (
        f"{HEAD}<D:sync-collection {NAMES}><D:sync-token>{token}</D:sync-token>"
        f"<D:sync-level>1</D:sync-level>{ETAG}</D:sync-collection>"
    )


def raw_texts(store: Store, names: list[str], target: Target) -> Callable[[], object]:
    """The limit: the same texts by their names, joined."""
    marks = ", ".join("?" * len(names))
    sql = (
        "select etag, ics from object where calendar_id = ? and state = 'BOOKED' and state <> 'DELETED'"
        f" and name in ({marks})"
    )
    values = (target.calendar_id, *names)
    return lambda: store.read(lambda tx: b"".join([row[1] for row in tx.rows(sql, values)]))  # type: ignore[misc]


def raw_etags(store: Store, target: Target) -> Callable[[], object]:
    """The limit: all names and ETags, joined."""
    sql = "select name, etag from object where calendar_id = ? and state = 'BOOKED'"
    return lambda: store.read(lambda tx: "".join([f"{a}{b}" for a, b in tx.rows(sql, (target.calendar_id,))]))


def run(report: Report) -> None:
    """Measure."""
    size = 2_000 if quick() else SIZE
    end = int(time.time()) // DAY * DAY
    with folder() as home, furnished(str(home / "store.db")) as store:
        report.heading(f"CalDAV reports without sockets: a calendar of {size:,} events")
        target = filled(store, size, end)
        caller = replace(store.read(user), via="dav")
        row = store.read(lambda tx: calendars.by_id(tx, target.calendar_id))
        assert row is not None
        path = f"/dav/calendars/{USER}/{row.slug}/"
        ask = Asker(store, caller, path)
        measure(report, store, ask, target, path, end)


def measure(report: Report, store: Store, ask: Asker, target: Target, path: str, end: int) -> None:
    """Each report, with what one object of its answer costs."""
    names = [one.name for one in store.read(lambda tx: list(listings.listing(tx, target.calendar_id)))]
    fifty = names[100:150]
    hrefs = "".join(f"<D:href>{path}{name}</D:href>" for name in fifty)
    multiget = f"{HEAD}<C:calendar-multiget {NAMES}>{DATA}{hrefs}</C:calendar-multiget>"
    token = ask(sync()).rpartition(b"<D:sync-token>")[2].partition(b"<")[0].decode()
    one = parse(vcalendar([event("one-more@bench", end - 50 * DAY)]))
    store.write(lambda tx: ledger.import_objects(tx, admin(), target, one))
    month = query(end - 63 * DAY, end - 40 * DAY)
    none = '<C:prop-filter name="SUMMARY"><C:text-match>nobody</C:text-match></C:prop-filter>'
    busy = (
        f'{HEAD}<C:free-busy-query {NAMES}><C:time-range start="{_utc(end - 70 * DAY)}"'
        f' end="{_utc(end - 40 * DAY)}"/></C:free-busy-query>'
    )
    hits = ask(month, depth="1").count(b"<D:response>")
    in_month = raw_texts(store, names[:hits], target)
    asked: list[tuple[str, Callable[[], object], Callable[[], object] | None, int, str]] = [
        ("multiget of 50", lambda: ask(multiget), raw_texts(store, fifty, target), 50, "raw read"),
        (f"query of a month, {hits} hits", lambda: ask(month, depth="1"), in_month, hits, "raw read"),
        ("the same, ETags only", lambda: ask(month.replace(DATA, ETAG), depth="1"), None, hits, ""),
        (
            "the same month, a text that is in none",
            lambda: ask(query(end - 63 * DAY, end - 40 * DAY, none), depth="1"),
            None, hits, "",
        ),
        ("sync, initial", lambda: ask(sync()), raw_etags(store, target), len(names), "raw read"),
        ("sync, after one change", lambda: ask(sync(token)), None, 1, ""),
        ("free-busy of a month", lambda: ask(busy), None, 1, ""),
    ]  # fmt: skip
    for what, ours, limit, each, peer in asked:
        cost = micros(ours)
        theirs = None if limit is None else micros(limit)
        report.add(Line(what, cost, theirs, "us CPU", peer))
        if each > 1:
            report.note(f"{cost / each:.1f} us each; {1e6 / cost:,.0f} a second")
        else:
            report.note(f"{1e6 / cost:,.0f} a second")


def _utc(at: int) -> str:
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(at))
