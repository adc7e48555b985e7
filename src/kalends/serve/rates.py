"""How often something may be done for whom: token buckets in bounded memory."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict


class Rates:
    """A bucket of tokens for each key; holds no clock.

    Args:
        per_second: tokens that come back in a second.
        burst: tokens of a full bucket.
        max_keys: buckets remembered; the longest unused are forgotten, that is full again.
    """

    def __init__(self, per_second: float, burst: float, max_keys: int) -> None:
        self._per_second, self._burst, self._max_keys = per_second, burst, max_keys
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def allows(self, key: str, now: float) -> bool:
        """Take a token; False when there is none."""
        tokens, since = self._buckets.pop(key, (self._burst, now))
        tokens = min(self._burst, tokens + max(0.0, now - since) * self._per_second)
        allowed = tokens >= 1.0
        self._buckets[key] = (tokens - 1.0 if allowed else tokens), now
        if len(self._buckets) > self._max_keys:
            self._buckets.popitem(last=False)
        return allowed


def neighbourhood(address: str) -> str:
    """The key of an address: itself, or for IPv6 its /64, of which one host may have all addresses.

    An IPv4 address that a socket for both families shows as `::ffff:192.0.2.1` is that IPv4 address.
    """
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return address
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((int(found), 64), strict=False))
