"""Work of one connection that has not begun: what may begin next, so that no channel holds up another."""

from __future__ import annotations

from collections import deque

from kalends.cap.actions import Execute, Prepare

MAX_READS = 3
"""Queries of one connection that run at the same time: others want some of the threads, too."""
MAX_READS_OF_CHANNEL = 2
"""Queries of one channel among them: less than all, so that its slow ones do not hold up other channels."""


class Waiting:
    """Writes, short reads and messages to be read keep their order; queries take turns by channel.

    Args:
        quick: whether short reads are done in the loop, which needs no thread.
    """

    def __init__(self, *, quick: bool) -> None:
        self._quick = quick
        self._ready: deque[Execute | Prepare] = deque()
        self._queries: dict[int, deque[Execute]] = {}
        self._running: dict[int, int] = {}
        self._reads = 0
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def put(self, action: Execute | Prepare) -> None:
        """Add work."""
        self._size += 1
        if self.is_query(action):
            assert isinstance(action, Execute)
            self._queries.setdefault(action.channel, deque()).append(action)
        else:
            self._ready.append(action)

    def is_query(self, action: Execute | Prepare) -> bool:
        """Whether it takes a thread for reading; `ended` has to be told when it is over."""
        return isinstance(action, Execute) and action.kind == "read" and not (action.quick and self._quick)

    def peek(self) -> Execute | Prepare | None:
        """What `take` would give."""
        if self._ready:
            return self._ready[0]
        channel = self._next_channel()
        return None if channel is None else self._queries[channel][0]

    def take(self) -> Execute | Prepare | None:
        """Take out what may begin now; None when there is nothing."""
        if self._ready:
            self._size -= 1
            return self._ready.popleft()
        channel = self._next_channel()
        if channel is None:
            return None
        queue = self._queries.pop(channel)
        action = queue.popleft()
        if queue:  # at the end, after the other channels
            self._queries[channel] = queue
        self._running[channel] = self._running.get(channel, 0) + 1
        self._reads += 1
        self._size -= 1
        return action

    def ended(self, channel: int) -> None:
        """A query of that channel is over."""
        self._reads -= 1
        self._running[channel] -= 1
        if not self._running[channel]:
            del self._running[channel]

    def drop(self, number: int) -> bool:
        """Take out work that has not begun; tells whether there was such."""
        before = self._size
        self._ready = deque(action for action in self._ready if action.number != number)
        rest = {c: deque(a for a in queue if a.number != number) for c, queue in self._queries.items()}
        self._queries = {channel: queue for channel, queue in rest.items() if queue}
        self._size = len(self._ready) + sum(map(len, self._queries.values()))
        return self._size < before

    def clear(self) -> None:
        """Drop all."""
        self._ready.clear()
        self._queries.clear()
        self._size = 0

    def _next_channel(self) -> int | None:
        if self._reads >= MAX_READS:
            return None
        return next((c for c in self._queries if self._running.get(c, 0) < MAX_READS_OF_CHANNEL), None)
