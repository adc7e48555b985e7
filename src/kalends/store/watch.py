"""A thread that cancels what runs past its deadline, for databases that can't look at it themselves."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from kalends.store.base import Deadline

POLL_SECONDS = 0.02
"""How soon a cancelled deadline is seen: a delay nobody notices. With nothing to watch the thread sleeps."""
log = logging.getLogger(__name__)


class Watched:
    """One piece of work under watch.

    Attributes:
        fired: whether it was cancelled.
    """

    __slots__ = ("cancel", "deadline", "fired", "lock", "over")

    def __init__(self, deadline: Deadline | None, cancel: Callable[[], None]) -> None:
        self.deadline = deadline
        self.cancel = cancel
        self.fired = False
        self.over = False
        self.lock = threading.Lock()


class Watch:
    """Watches any number of pieces of work; its thread starts with the first one.

    Args:
        name: the thread's name.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._entries: set[Watched] = set()
        self._wake = threading.Condition()
        self._thread: threading.Thread | None = None
        self._stopped = False

    def entry(self, deadline: Deadline | None, cancel: Callable[[], None]) -> Watched:
        """Describe what to watch.

        Args:
            deadline: None watches nothing.
            cancel: called in the watching thread.
        """
        return Watched(deadline, cancel)

    @contextmanager
    def over(self, entry: Watched) -> Iterator[None]:
        """Call the entry's `cancel`, at most once, when its deadline passes in this block; never after it."""
        if entry.deadline is None:
            yield
            return
        with self._wake:
            self._entries.add(entry)
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name=self._name, daemon=True)
                self._thread.start()
            self._wake.notify()
        try:
            yield
        finally:
            with self._wake:
                self._entries.discard(entry)
            with entry.lock:  # a cancel on its way is over before the session is used for something else
                entry.over = True

    def stop(self) -> None:
        """End the thread."""
        with self._wake:
            self._stopped = True
            self._wake.notify()
        if self._thread is not None:
            self._thread.join()

    def _serve(self) -> None:
        while True:
            with self._wake:
                while not self._entries and not self._stopped:
                    self._wake.wait()
                if self._stopped:
                    return
                now = time.monotonic()
                due = [entry for entry in self._entries if _is_due(entry, now)]
                if not due:
                    self._wake.wait(POLL_SECONDS)
            for entry in due:
                _fire(entry)


def _is_due(entry: Watched, now: float) -> bool:
    return not entry.fired and entry.deadline is not None and entry.deadline.passed(now)


def _fire(entry: Watched) -> None:
    with entry.lock:
        if entry.over:
            return
        entry.fired = True
        try:
            entry.cancel()
        except Exception:  # the session is gone, which ends the work as well
            log.info("a query could not be cancelled", exc_info=True)
