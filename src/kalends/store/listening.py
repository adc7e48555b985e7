"""PostgreSQL's LISTEN and NOTIFY: hearing of the commits of other processes on one session of our own."""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Callable

import psycopg

from kalends.store.errors import StoreError
from kalends.store.postgres.schema import Connection

CHANNEL = "kalends"
PATIENCE_SECONDS = 1.0
"""How soon the thread sees that it shall end."""
PAUSE_SECONDS = 2.0
"""Before a lost session is replaced."""
log = logging.getLogger(__name__)


class Listener:
    """One thread that hears of commits, for any number of those who wait for them.

    Args:
        connect: opens a session.
        heard: called in the thread; also after a session was lost, when something may have been missed.
    """

    def __init__(self, connect: Callable[[], Connection], heard: Callable[[], None]) -> None:
        self.name = secrets.token_hex(8)
        self._connect = connect
        self._heard = heard
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="kalends-listen", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stopped.set()
        self._thread.join(2 * PATIENCE_SECONDS)

    def _serve(self) -> None:
        while not self._stopped.is_set():
            try:
                self._listen()
            except (psycopg.Error, StoreError) as error:
                log.info("not told of other processes' changes for now: %s", type(error).__name__)
                self._stopped.wait(PAUSE_SECONDS)
            self._heard()

    def _listen(self) -> None:
        connection = self._connect()
        try:
            connection.execute(f"listen {CHANNEL}")
            self._heard()
            while not self._stopped.is_set():
                for notice in connection.notifies(timeout=PATIENCE_SECONDS):
                    if notice.payload != self.name:
                        self._heard()
        finally:
            connection.close()
