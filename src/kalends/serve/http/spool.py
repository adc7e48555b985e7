"""A body that one thread makes while the loop sends it: what the peer does not read yet goes to a file.

The thread never waits for the peer. It works inside of a transaction, and a peer that reads slowly, or not at
all, must hold neither a snapshot of the database nor one of the few threads.
"""

from __future__ import annotations

import tempfile
import threading
from collections import deque
from collections.abc import Callable
from typing import IO

IN_MEMORY = 1024 * 1024
"""Octets of one body waiting in memory; more goes to a file without a name."""
LARGEST = 4 * 1024**3
"""Octets of one body in a file: more than any calendar has, less than any disk."""


class SpoolClosedError(Exception):
    """Nobody wants the rest."""


class Spool:
    """A queue of octets between a thread and the loop; ends with `end`, or with `fail`.

    Args:
        wake: called from the thread when there is something new after `take` found nothing.
    """

    def __init__(self, wake: Callable[[], None] = lambda: None) -> None:
        self.wake = wake
        self._lock = threading.Lock()
        self._parts: deque[bytes] = deque()
        self._waiting = 0
        self._file: IO[bytes] | None = None
        self._written = self._read = 0
        self._ended = self._failed = self._closed = self._hungry = False

    # -- the thread ---------------------------------------------------------------------------------------

    def put(self, data: bytes) -> None:
        """Add octets.

        Raises:
            SpoolClosedError: the peer is gone.
            OSError: no room on the disk.
        """
        with self._lock:
            if self._closed:
                raise SpoolClosedError
            if self._file is None and self._waiting + len(data) > IN_MEMORY:
                self._file = tempfile.TemporaryFile(prefix="kalends-")  # noqa: SIM115 - closed by `close`
            if self._file is None:
                self._parts.append(data)
                self._waiting += len(data)
            else:
                if self._written + len(data) > LARGEST:
                    raise OSError("an answer larger than may be written aside")
                self._file.seek(self._written)
                self._file.write(data)
                self._written += len(data)
            hungry, self._hungry = self._hungry, False
        if hungry:
            self.wake()

    def end(self, *, failed: bool = False) -> None:
        """Nothing follows; `failed` tells the peer that something is missing by cutting it off."""
        with self._lock:
            self._ended, self._failed = True, failed
            hungry, self._hungry = self._hungry, False
        if hungry:
            self.wake()

    # -- the loop -----------------------------------------------------------------------------------------

    def take(self, octets: int) -> bytes | None:
        """Take up to about `octets`: b'' at the end, None when there is nothing yet (`wake` tells).

        Raises:
            SpoolClosedError: the rest could not be made.
        """
        with self._lock:
            if self._parts:
                taken: list[bytes] = []
                size = 0
                while self._parts and size < octets:
                    taken.append(self._parts.popleft())
                    size += len(taken[-1])
                self._waiting -= size
                return taken[0] if len(taken) == 1 else b"".join(taken)
            if self._file is not None and self._read < self._written:
                self._file.seek(self._read)
                data = self._file.read(min(octets, self._written - self._read))
                self._read += len(data)
                return data
            if self._failed:
                raise SpoolClosedError
            if self._ended:
                return b""
            self._hungry = True
            return None

    def close(self) -> None:
        """Forget the rest; the thread is told at its next `put`."""
        with self._lock:
            self._closed = True
            self._parts.clear()
            if self._file is not None:
                self._file.close()
                self._file = None
                self._written = self._read = 0
