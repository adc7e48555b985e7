"""What rights cost: one answer where none are asked, for the owner, and for who shares the calendar."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from bench.bench_search import questions
from bench.data import DAY, spread
from bench.measure import Line, Report, in_turns, quick
from bench.place import CALENDAR, POLICY, USER, admin, fill, folder, furnished
from kalends.calquery.parse import parse
from kalends.cap import replies
from kalends.core import containers, search
from kalends.core.access import sharing
from kalends.core.model import Caller, Selection
from kalends.core.people import identity
from kalends.store.base import Store, Tx

SIZE = 10_000
QUICK_SIZE = 1_000
OTHERS = {"titles": "properties filtered", "read": "components filtered"}


def asking(
    store: Store, upn: str, question: tuple[str, bool], *, without: bool = False
) -> Callable[[], object]:
    """One answer, from the identity to the text of the reply.

    Args:
        store: where.
        upn: who asks.
        question: a query, and whether it is expanded.
        without: as an administrator, of whom no rights are asked.
    """
    query, expand = question
    chosen = Selection((parse(query),), expand=expand)
    now = int(time.time())

    def work(tx: Tx) -> str:
        who = identity.identify(tx, upn)
        assert who is not None
        caller = Caller(replace(who, admin=without), "cap", now, POLICY)
        target = containers.resolve(tx, caller, CALENDAR)
        return replies.answers("1", CALENDAR, search.search(tx, caller, target, [chosen])).text

    assert "BEGIN:VEVENT" in store.read(work)
    return lambda: store.read(work)


def shared(store: Store) -> None:
    """Share the calendar with one user for each way."""
    caller = admin()

    def work(tx: Tx) -> None:
        target = containers.resolve(tx, caller, CALENDAR)
        for how in OTHERS:
            identity.add_user(tx, POLICY, how, now=caller.now)
            sharing.share(tx, caller, target, how, how)

    store.write(work)


def run(report: Report) -> None:
    """Measure."""
    size = QUICK_SIZE if quick() else SIZE
    end = int(time.time()) // DAY * DAY
    report.heading(f"Rights: a SEARCH in a calendar of {size:,} events, CPU of one answer")
    with folder() as home, furnished(str(home / "store.db")) as store:
        fill(store, CALENDAR, list(spread(size, end, "r")))
        shared(store)
        for name, (query, expand) in questions(end).items():
            asked = query.format(name="r"), expand
            amira = f"{USER}@{POLICY.realm}"
            works = [asking(store, amira, asked, without=True), asking(store, amira, asked)]
            works += [asking(store, f"{how}@{POLICY.realm}", asked) for how in OTHERS]
            off, owner, *others = in_turns(works, rounds=9)
            report.add(Line(f"{name}: the owner", owner, off, "µs", "without rights", aim=1))
            for (how, what), other in zip(OTHERS.items(), others, strict=True):
                report.add(Line(f"{name}: {how} ({what})", other, owner, "µs", "the owner", aim=1 / 3))
