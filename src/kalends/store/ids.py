"""63-bit ids made by the program: ordered by time, distinct between processes, no sequence needed."""

from __future__ import annotations

import os
import secrets
import threading

EPOCH_SECONDS = 1_577_836_800
"""2020-01-01 UTC: 41 bits of milliseconds from here last until 2089."""
_TAG_BITS = 12
_COUNT_BITS = 10


class IdSource:
    """Gives ids that never repeat within a process and practically never between processes.

    41 bits of milliseconds, 12 random bits a process, 10 bits of counter. A burst of more than 1,024 ids in
    a millisecond, or a clock set back, borrows from the next milliseconds: ids of one source always grow.

    Args:
        tag: the process's random bits; None draws them.
    """

    def __init__(self, tag: int | None = None) -> None:
        self._lock = threading.Lock()
        self._tag = secrets.randbits(_TAG_BITS) if tag is None else tag
        self._last = 0

    def new(self, now: float) -> int:
        """Take one id.

        Args:
            now: seconds since 1970 UTC.

        Returns:
            A positive integer below 2**63.
        """
        slot = int((now - EPOCH_SECONDS) * 1000) << _COUNT_BITS
        with self._lock:
            self._last = slot = max(slot, self._last + 1)
        count = slot & ((1 << _COUNT_BITS) - 1)
        return (slot >> _COUNT_BITS << (_TAG_BITS + _COUNT_BITS)) | (self._tag << _COUNT_BITS) | count

    def retag(self) -> None:
        """Draw new random bits: after a fork, two processes would otherwise give the same ids."""
        self._lock = threading.Lock()
        self._tag = secrets.randbits(_TAG_BITS)


_source = IdSource()
new_id = _source.new
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_source.retag)
