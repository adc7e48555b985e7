"""Slowing down who guesses passwords: failures are counted by address and by user, in bounded memory."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from kalends.serve.rates import neighbourhood

MAX_KEYS = 10_000
"""Addresses and users remembered; the longest quiet ones are forgotten first."""
FORGET_SECONDS = 900.0
"""A failure is forgotten after a quarter of an hour without another."""
FIRST_DELAY = 0.25
LONGEST_DELAY = 8.0
"""Seconds. Long enough that guessing is hopeless, short enough that a user with two thumbs waits it out."""
FREE_PER_USER = 1
FREE_PER_ADDRESS = 5
"""Failures that cost nothing: one typo; and an office behind one address makes more of them."""


@dataclass(slots=True)
class _Count:
    failures: int
    last: float


class Throttle:
    """Counts failed logins; holds no clock. All addresses of an IPv6 /64 are one."""

    def __init__(self) -> None:
        self._counts: OrderedDict[tuple[str, str], _Count] = OrderedDict()

    def delay(self, address: str, user: str, now: float) -> float:
        """Seconds to wait before an attempt is answered, whether it is right or wrong."""
        by_user = self._failures("user", user, now) - FREE_PER_USER
        by_address = self._failures("address", neighbourhood(address), now) - FREE_PER_ADDRESS
        worst = max(by_user, by_address)
        if worst <= 0:
            return 0.0
        return min(LONGEST_DELAY, FIRST_DELAY * 2.0 ** min(worst - 1, 16))

    def failed(self, address: str, user: str, now: float) -> int:
        """Count a failure; returns how many there were for this user lately."""
        self._count("address", neighbourhood(address), now)
        return self._count("user", user, now)

    def succeeded(self, address: str, user: str) -> None:
        """Forget a user's failures: the owner came."""
        self._counts.pop(("user", user), None)

    def _failures(self, kind: str, name: str, now: float) -> int:
        count = self._counts.get((kind, name))
        return 0 if count is None or now - count.last > FORGET_SECONDS else count.failures

    def _count(self, kind: str, name: str, now: float) -> int:
        failures = self._failures(kind, name, now) + 1
        self._counts[kind, name] = _Count(failures, now)
        self._counts.move_to_end((kind, name))
        while len(self._counts) > MAX_KEYS:
            self._counts.popitem(last=False)
        return failures
