"""What the check for double bookings costs: events and series put into calendars of 10,000 events."""

from __future__ import annotations

import time
from collections.abc import Callable

from bench.data import event, vcalendar
from bench.measure import Line, Report, micros, quick
from bench.place import USER, admin, folder, furnished
from kalends.core import containers, ledger
from kalends.core.conflicts.clashes import clashes_of
from kalends.core.conflicts.exclusion import Place
from kalends.core.model import Target
from kalends.ical.tree import parse
from kalends.store import calendars, objects
from kalends.store.base import Store, Tx

SIZE = 10_000
SLOT = 2 * 3600
BATCH = 500
SERIES = {"one event": "", "a weekly series without end": "FREQ=WEEKLY", "a daily one": "FREQ=DAILY"}


def filled(store: Store, calid: str, size: int, *, allow: bool, now: int, open_series: int = 0) -> Target:
    """A calendar in which every other hour is taken, and some series without end beside them."""
    caller = admin()
    target = store.write(lambda tx: containers.create_calendar(tx, caller, calid, USER, allow_conflict=allow))
    events = [event(f"{calid}-{at}@bench", now + at * SLOT) for at in range(size)]
    minutes = 3600 + 60
    # Half an hour would do; the series take turns of one minute in the free hours of a week.
    for at in range(open_series):
        text = event(
            f"{calid}-s{at}@bench", now + minutes + at % 80 * SLOT + at // 80 * 120, rule="FREQ=WEEKLY"
        )
        end = next(line for line in text.split("\r\n") if line.startswith("DTEND"))
        events.append(text.replace(end, "DURATION:PT1M"))
    for at in range(0, len(events), BATCH):
        batch = parse(vcalendar(events[at : at + BATCH]))

        def put(tx: Tx, batch=batch) -> None:  # type: ignore[no-untyped-def]
            assert all(one.error is None for one in ledger.import_objects(tx, caller, target, batch))

        store.write(put)
    return target


class UndoneError(Exception):
    """Ends a measurement without its effects."""


def cost(store: Store, target: Target, text: str) -> float:
    """CPU microseconds of the check for one object that is in the index already."""
    caller = admin()
    found: list[float] = []

    def work(tx: Tx) -> None:
        (receipt,) = ledger.create(tx, caller, target, parse(vcalendar([text], "CMD:CREATE", "TARGET:x")))
        assert receipt.error is None, receipt.error
        row = objects.by_uid(tx, target.calendar_id, receipt.id_value)[0]
        calendar = calendars.by_id(tx, target.calendar_id)
        assert calendar is not None
        whole = parse(row.ics)

        def check() -> object:
            clashes = clashes_of(Place(tx, caller.policy, calendar), row.id, whole)
            assert not clashes
            return clashes

        found.append(micros(check))
        raise UndoneError

    _undone(store, work)
    return found[0]


def _undone(store: Store, work: Callable[[Tx], None]) -> None:
    try:
        store.write(work)
    except UndoneError:
        return


def run(report: Report) -> None:
    """Measure."""
    size = SIZE // 10 if quick() else SIZE
    now = int(time.time()) // 86_400 * 86_400
    with folder() as home, furnished(str(home / "store.db")) as store:
        report.heading(f"Checking for double bookings, calendars of {size:,} events, SQLite")
        places = {
            "conflicts allowed": filled(store, "amira/free", size, allow=True, now=now),
            "no conflicts": filled(store, "amira/room", size, allow=False, now=now),
            "no conflicts, 200 open series": filled(
                store, "amira/hall", size, allow=False, now=now, open_series=200
            ),
        }
        for place, target in places.items():
            for what, rule in SERIES.items():
                # The free hour after the last taken one of each day is the odd one: 5 to 6 minutes of it.
                text = event("probe@bench", now + 3600 + 50 * 60, rule=rule)
                end = next(line for line in text.split("\r\n") if line.startswith("DTEND"))
                spent = cost(store, target, text.replace(end, "DURATION:PT5M"))
                report.add(Line(f"{place}: {what}", spent, None, "µs"))
