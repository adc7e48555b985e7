"""Running work off the loop: reads in a few threads, writes through the store's queue.

What is done comes back to the loop in batches: a group commit that ends a hundred writes wakes it once.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from typing import Any

from kalends.cap.commands import Kind, Work
from kalends.store.base import Deadline, Store
from kalends.store.errors import StoreError, StoreUnavailableError

log = logging.getLogger(__name__)

Done = Callable[[Any], None]
"""Called in the loop with the result, or with the exception."""


class Executor:
    """The threads of a server.

    Args:
        store: runs the transactions.
        loop: where outcomes are delivered.
        threads: how many queries may run at the same time.
    """

    def __init__(self, store: Store, loop: asyncio.AbstractEventLoop, threads: int) -> None:
        self._store = store
        self._loop = loop
        self._readers = ThreadPoolExecutor(threads, "kalends-reader")
        self._helpers = ThreadPoolExecutor(2, "kalends-helper")
        self._done: deque[tuple[Done, Future[Any]]] = deque()
        self._lock = threading.Lock()
        self._awake = False

    def transact(
        self,
        kind: Kind,
        work: Work | Callable[[Any], Any],
        seconds: float | None,
        done: Done,
        shares: str = "",
    ) -> Deadline:
        """Run work in a transaction.

        Args:
            kind: `read` or `write`.
            work: what runs inside.
            seconds: how long it may take, waiting included; None for no limit.
            done: gets the outcome, in the loop.
            shares: with which other writes it may share a commit: see `Store.submit`.

        Returns:
            The deadline, with which the work can be stopped.
        """
        deadline = Deadline(None if seconds is None else time.monotonic() + seconds)
        future: Future[Any]
        if kind == "write":
            future = self._store.submit(work, deadline, shares)
        else:
            future = self._readers.submit(self._store.read, work, deadline)
        self._watch(future, done)
        return deadline

    def at_once(self, work: Work, seconds: float | None) -> Any:
        """Run a point read here and now; a hop to a thread and back costs more than the read.

        Returns:
            The result, or the exception.
        """
        future: Future[Any] = Future()
        try:
            deadline = Deadline(None if seconds is None else time.monotonic() + seconds)
            future.set_result(self._store.read(work, deadline))
        except Exception as error:  # noqa: BLE001 - whatever the work raises belongs to who asked for it
            future.set_exception(error)
        return _outcome(future)

    def compute(self, work: Callable[[], Any], done: Done) -> None:
        """Run work that needs no transaction: reading a large message, checking a password."""
        self._watch(self._helpers.submit(work), done)

    async def computed(self, work: Callable[[], Any]) -> Any:
        """The same for a coroutine; raises what the work raised."""
        return await asyncio.wrap_future(self._helpers.submit(work))

    def look_up(self, work: Work | Callable[[Any], Any], done: Done) -> None:
        """Run a short read for the server itself."""
        self._watch(self._helpers.submit(self._store.read, work), done)

    def _watch(self, future: Future[Any], done: Done) -> None:
        future.add_done_callback(lambda ended: self._deliver(done, ended))

    def _deliver(self, done: Done, ended: Future[Any]) -> None:
        with self._lock:
            self._done.append((done, ended))
            if self._awake:
                return
            self._awake = True
        try:
            self._loop.call_soon_threadsafe(self._drain)
        except RuntimeError:  # the loop is closed: nobody waits for this any more
            log.debug("work ended after the server did")

    def _drain(self) -> None:
        with self._lock:
            self._awake = False
            ended, self._done = self._done, deque()
        for done, future in ended:
            done(_outcome(future))

    def close(self) -> None:
        """End the threads; what waits is dropped."""
        self._readers.shutdown(wait=False, cancel_futures=True)
        self._helpers.shutdown(wait=False, cancel_futures=True)


def _outcome(future: Future[Any]) -> Any:
    try:
        return future.result()
    except CancelledError:
        return StoreUnavailableError("the server is stopping")
    except StoreError as error:
        log.warning("store: %s", error)
        return error
    except Exception as error:  # noqa: BLE001 - whatever the work raised belongs to who asked for it
        return error
