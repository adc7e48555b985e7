"""The feed: who waits for a change of a calendar is told when there is one, by whatever process it was made.

Waiting costs an entry in a table: no thread, no query, no timer of its own. After a commit the ticks of the
calendars somebody waits for are read once, for all of them. CAP's long poll waits here; CalDAV's push can.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from kalends.store import calendars
from kalends.store.base import Store

log = logging.getLogger(__name__)

ANY = 0
"""The store, whose watchers are told of a change of any calendar: its tick here is the sum of all."""
LOOK_SECONDS = 0.25
"""Between two looks whether another process has written: one timer for all who wait, if anybody does."""
SURE_SECONDS = 5.0
"""Between two readings of the ticks without any sign: nothing is missed for longer, whoever wrote."""
CALM_SECONDS = 0.01
"""Between two readings: many small commits are looked at together."""


class Threads(Protocol):
    """What works off the loop for the feed: `Executor`."""

    def look_up(self, work: Callable[[Any], Any], done: Callable[[Any], None]) -> None:
        """Run a short read and hand the outcome to `done` in the loop."""

    def compute(self, work: Callable[[], Any], done: Callable[[Any], None]) -> None:
        """Run `work` without a transaction and hand the outcome to `done` in the loop."""


class Gathered:
    """Something that is done once for all who ask while it is being done or was done just now.

    Args:
        loop: for the pause behind it.
        begin: begins it; `ended` has to be called when it is over.
    """

    __slots__ = ("_again", "_begin", "_busy", "_loop")

    def __init__(self, loop: asyncio.AbstractEventLoop, begin: Callable[[], None]) -> None:
        self._loop = loop
        self._begin = begin
        self._busy = self._again = False

    def ask(self) -> None:
        """Have it done, after this moment."""
        if self._busy:
            self._again = True
        else:
            self._busy, self._again = True, False
            self._begin()

    def ended(self) -> None:
        """It was done."""
        self._loop.call_later(CALM_SECONDS, self._calm)

    def _calm(self) -> None:
        self._busy = False
        if self._again:
            self.ask()


class Waiter:
    """Somebody who waits.

    Attributes:
        ticks: by calendar, what they know.
        wake: called once, in the loop.
    """

    __slots__ = ("ticks", "wake")

    def __init__(self, ticks: Mapping[int, int], wake: Callable[[], None]) -> None:
        self.ticks = ticks
        self.wake = wake


class Feed:
    """Everybody who waits, in one server.

    Args:
        store: whose commits count.
        threads: read ticks.
        loop: where waiters are called.
    """

    def __init__(self, store: Store, threads: Threads, loop: asyncio.AbstractEventLoop) -> None:
        self._store = store
        self._threads = threads
        self._loop = loop
        self._waiters: dict[int, dict[Waiter, None]] = {}
        self._lock = threading.Lock()
        self._poked = False
        self._reading = Gathered(loop, self._read)
        self._announcing = Gathered(loop, self._announce)
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0
        self._closed = False
        store.on_commit(self._heard)

    def __len__(self) -> int:
        return len({waiter for waiters in self._waiters.values() for waiter in waiters})

    def wait(self, ticks: Mapping[int, int], wake: Callable[[], None]) -> Waiter:
        """Wait for a change.

        Args:
            ticks: by calendar, the tick up to which the caller knows all; ANY for every calendar.
            wake: called once in the loop, and soon when there is a change already.

        Returns:
            What `forget` takes.
        """
        waiter = Waiter(ticks, wake)
        for calendar_id in ticks:
            self._waiters.setdefault(calendar_id, {})[waiter] = None
        if self._timer is None and not self._closed:
            self._due = self._loop.time() + SURE_SECONDS
            self._timer = self._loop.call_later(LOOK_SECONDS, self._tick)
        self._look()  # it may have changed since the caller looked
        return waiter

    def forget(self, waiter: Waiter) -> None:
        """Wait no more; who was woken is forgotten already."""
        for calendar_id in waiter.ticks:
            waiters = self._waiters.get(calendar_id)
            if waiters is not None:
                waiters.pop(waiter, None)
                if not waiters:
                    del self._waiters[calendar_id]

    def close(self) -> None:
        """Wake nobody any more."""
        self._closed = True
        self._waiters.clear()
        if self._timer is not None:
            self._timer.cancel()

    # -- signs of a change ------------------------------------------------------------------------------

    def _heard(self) -> None:
        """Something was committed; called in any thread."""
        with self._lock:
            if self._poked or self._closed:
                return
            self._poked = True
        try:
            self._loop.call_soon_threadsafe(self._commits)
        except RuntimeError:  # the loop is closed: nobody waits any more
            log.debug("a commit after the server's end")

    def _commits(self) -> None:
        with self._lock:
            self._poked = False
        if self._store.dialect == "postgres":
            self._announcing.ask()
        self._look()

    def _tick(self) -> None:
        """The one timer."""
        self._timer = None
        if self._closed or not self._waiters:
            return
        now = self._loop.time()
        if self._store.changed_elsewhere() or now >= self._due:
            self._due = now + SURE_SECONDS
            self._look()
        self._timer = self._loop.call_later(LOOK_SECONDS, self._tick)

    def _announce(self) -> None:
        if self._closed:  # the store tells the last of it when it is closed
            return
        self._threads.compute(self._store.announce, self._announced)

    def _announced(self, outcome: Any) -> None:
        if isinstance(outcome, Exception):
            log.info("other servers of this store hear of changes later: %s", outcome)
        self._announcing.ended()

    # -- looking ----------------------------------------------------------------------------------------

    def _look(self) -> None:
        if self._waiters and not self._closed:
            self._reading.ask()

    def _read(self) -> None:
        """Read the ticks, once for all who wait."""
        if self._closed:
            return
        wanted = None if ANY in self._waiters else tuple(self._waiters)
        self._threads.look_up(lambda tx: calendars.ticks(tx, wanted), self._found)

    def _found(self, ticks: Any) -> None:
        if self._closed:
            return
        if isinstance(ticks, dict):
            self._tell(ticks)
        else:
            log.warning("cannot read which calendars have changed: %s", ticks)
        self._reading.ended()

    def _tell(self, ticks: dict[int, int]) -> None:
        """Wake those who know something else."""
        ticks[ANY] = sum(ticks.values())
        behind: dict[Waiter, None] = {}
        for calendar_id, waiters in self._waiters.items():
            now = ticks.get(calendar_id)
            behind.update({waiter: None for waiter in waiters if waiter.ticks[calendar_id] != now})
        for waiter in behind:
            self.forget(waiter)
        for waiter in behind:
            waiter.wake()
