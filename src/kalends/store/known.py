"""What transactions have learnt and later ones may use, because its key proves that it still holds."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Final

MOST: Final = 8_192
"""Things a store knows at once. Keys with counters that have moved on are of no use to anybody."""

Key = tuple[Hashable, ...]


class Known:
    """What one transaction may use of that, and what it adds.

    A key holds the counters (`calendar.rights_tick`, `principals.generation`) that the transaction itself
    read before the thing, so that any later change makes another key. What a transaction learns is for
    itself alone until it is committed: counters that are rolled back come again with other contents.

    Args:
        shared: what all transactions of a store know; only committed ones add to it.
    """

    __slots__ = ("_own", "_shared")

    def __init__(self, shared: dict[Key, Any]) -> None:
        self._shared = shared
        self._own: dict[Key, Any] = {}

    def get(self, key: Key) -> Any:
        """The thing under a key; None when it is not known."""
        found = self._own.get(key) if self._own else None
        return self._shared.get(key) if found is None else found

    def put(self, key: Key, thing: Any) -> None:
        """Remember a thing that nobody will change."""
        self._own[key] = thing

    def forget(self) -> None:
        """Drop what this transaction has learnt: it changed something, perhaps under the same counters."""
        self._own.clear()

    def keep(self) -> None:
        """Let all know it, now that the transaction is committed."""
        if self._own:
            if len(self._shared) + len(self._own) > MOST:
                self._shared.clear()
            self._shared.update(self._own)
