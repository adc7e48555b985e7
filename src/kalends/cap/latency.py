"""Bounded latency as a table: what may happen to a command while it is worked on (RFC 4324 §10.1.1).

A command's clock runs from the moment its message came until its outcome is known, waiting for its turn
included. After that no TIMEOUT is sent any more, however long the answer is on its way: nothing could be
aborted (LAT-08). No clock of the machine here: the time is passed in.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto

from kalends.cap.messages import Action, Request


class Phase(Enum):
    """How a command stands with its time."""

    FREE = auto()
    """No time is running: there was no LATENCY, or CONTINUE took it away."""
    TICKING = auto()
    """LATENCY is running."""
    ASKED = auto()
    """TIMEOUT was sent. The work goes on; a peer that stays silent gets its result when it is there."""
    ABORTED = auto()
    """The peer had it stopped."""
    EXPIRED = auto()
    """It was stopped because LATENCY with ACTION=ABORT was over."""


class Happening(Enum):
    """What may happen to it."""

    OVER_ASK = auto()
    OVER_ABORT = auto()
    CONTINUE = auto()
    ABORT = auto()


class Order(Enum):
    """What is to be done about it."""

    ASK = auto()
    """Send TIMEOUT."""
    GO_ON = auto()
    """Work on; wind the clock if CONTINUE brought a new LATENCY."""
    STOP = auto()
    """Interrupt the work and undo it."""


STEPS: Mapping[tuple[Phase, Happening], tuple[Phase, Order]] = {
    (Phase.TICKING, Happening.OVER_ASK): (Phase.ASKED, Order.ASK),
    (Phase.TICKING, Happening.OVER_ABORT): (Phase.EXPIRED, Order.STOP),
    (Phase.ASKED, Happening.CONTINUE): (Phase.FREE, Order.GO_ON),
    (Phase.ASKED, Happening.ABORT): (Phase.ABORTED, Order.STOP),
    (Phase.TICKING, Happening.ABORT): (Phase.ABORTED, Order.STOP),
    (Phase.FREE, Happening.ABORT): (Phase.ABORTED, Order.STOP),
}
"""What is not here is not allowed: CONTINUE without a TIMEOUT, ABORT of what is being stopped already."""

_OVER: Mapping[Action, Happening] = {"ASK": Happening.OVER_ASK, "ABORT": Happening.OVER_ABORT}


@dataclass(slots=True)
class Clock:
    """One command's time.

    Attributes:
        phase: how it stands.
        due: when LATENCY is over, in seconds of the shell's clock; None while none is running.
        action: what is done then.
        binding: the store was told to stop when LATENCY is over, which is before the server's own limit.
    """

    phase: Phase = Phase.FREE
    due: float | None = None
    action: Action | None = None
    binding: bool = False

    def wind(self, request: Request, since: float) -> None:
        """Start the clock, if the command (or CONTINUE) has a LATENCY.

        Args:
            request: holds LATENCY and ACTION.
            since: when its message came.
        """
        self.due = self.action = None
        if request.latency is not None:
            self.phase, self.due, self.action = Phase.TICKING, since + request.latency, request.action

    def step(self, happening: Happening) -> Order | None:
        """Take a step of the table; None, and no step, where it has no row."""
        row = STEPS.get((self.phase, happening))
        if row is None:
            return None
        self.phase, order = row
        return order

    def ring(self) -> Order | None:
        """LATENCY is over."""
        assert self.action is not None  # a clock without it is never due
        self.due = None
        return self.step(_OVER[self.action])


class Timers:
    """Which command is due next. What ended or was wound anew drops out by itself, in bounded memory."""

    def __init__(self) -> None:
        self._due: dict[int, float] = {}
        self._heap: list[tuple[float, int]] = []

    def set(self, number: int, due: float) -> None:
        """Let a command be due then, and not when it was before."""
        self._due[number] = due
        heapq.heappush(self._heap, (due, number))

    def clear(self, number: int) -> None:
        """Forget a command."""
        if self._due.pop(number, None) is not None and len(self._heap) > 2 * len(self._due) + 64:
            self._heap = [(due, number) for number, due in self._due.items()]
            heapq.heapify(self._heap)

    def next(self) -> float | None:
        """When the next one is due."""
        heap = self._heap
        while heap and self._due.get(heap[0][1]) != heap[0][0]:
            heapq.heappop(heap)
        return heap[0][0] if heap else None

    def take(self, now: float) -> list[int]:
        """Take out those that are due, the earliest first."""
        taken = []
        while (due := self.next()) is not None and due <= now:
            _, number = heapq.heappop(self._heap)
            del self._due[number]
            taken.append(number)
        return taken
