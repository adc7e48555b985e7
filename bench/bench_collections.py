"""What CalDAV asks of the store, without HTTP and XML: puts, and reads of collections of two sizes."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import count

from bench.bench_create import START
from bench.data import DAY, plain, spread, vcalendar
from bench.measure import Line, Report, micros, quick
from bench.place import CALENDAR, fill, folder, furnished, user
from kalends.core import containers, ledger
from kalends.ical.tree import parse
from kalends.store import calendars, listings
from kalends.store.base import Store, Tx

SIZES = (1_000, 10_000)
MONTH = 23
"""Days of the window: about 232 events in all calendars alike."""


def run(report: Report) -> None:
    """Measure."""
    with folder() as home:
        with furnished(f"sqlite:///{home / 'puts.db'}") as store:
            report.heading("PUT of one new event without attendees, inside of a transaction (CPU, SQLite)")
            _puts(report, store)
        for size in SIZES[:1] if quick() else SIZES:
            with furnished(f"sqlite:///{home / f'reads{size}.db'}") as store:
                report.heading(f"Reading a collection of {size:,} events (CPU, SQLite)")
                _reads(report, store, size)


def _puts(report: Report, store: Store) -> None:
    many, rounds = (100, 3) if quick() else (500, 9)
    numbers = count()
    best = float("inf")

    def work(tx: Tx) -> float:
        caller = user(tx)
        target = containers.resolve(tx, caller, CALENDAR)
        texts = [vcalendar([plain(f"put-{next(numbers)}@bench", START + n * 3600)]) for n in range(many)]
        began = time.thread_time()
        for text in texts:
            ledger.put_object(tx, caller, target, f"{next(numbers)}.ics", parse(text))
        return (time.thread_time() - began) / many * 1e6

    for _ in range(rounds):
        best = min(best, store.write(work))
    report.add(Line("parsed, checked, indexed and all rows inserted", best, None, "µs"))


def _reads(report: Report, store: Store, size: int) -> None:
    end = int(time.time()) // DAY * DAY
    fill(store, CALENDAR, list(spread(size, end, str(size))))
    calendar = store.read(lambda tx: calendars.by_calid(tx, CALENDAR))
    assert calendar is not None
    key, tick = calendar.id, calendar.tick
    names = [row.name for row in store.read(lambda tx: list(listings.listing(tx, key)))]
    lo = end - 60 * DAY

    def say(what: str, work: Callable[[Tx], object], rows: int) -> None:
        used = micros(lambda: store.read(work))
        report.add(Line(f"{what} ({rows:,})", used, None, "µs"))
        report.note(f"{used / rows:.1f} µs a row")

    found = store.read(lambda tx: listings.in_window(tx, key, ["VEVENT"], lo, lo + MONTH * DAY))
    say("members listed without texts", lambda tx: list(listings.listing(tx, key)), len(names))
    say("50 members by name", lambda tx: listings.by_names(tx, key, names[:50]), 50)
    say("one member by name", lambda tx: listings.by_names(tx, key, names[:1]), 1)
    say(
        "what happens in a month, with texts",
        lambda tx: listings.in_window(tx, key, ["VEVENT"], lo, lo + MONTH * DAY),
        len(found),
    )
    changed = len(store.read(lambda tx: listings.latest_since(tx, key, tick - 1)).rows)
    say("what changed in the last transaction", lambda tx: listings.latest_since(tx, key, tick - 1), changed)
