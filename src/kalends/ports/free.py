"""Finding a port that is free to use: by default one the kernel never hands out by itself."""

from __future__ import annotations

import random
import socket

from kalends.ports import sockets
from kalends.ports.registry import DYNAMIC, USER, Registry

_BLOCKED = """
1 7 9 11 13 15 17 19 20 21 22 23 25 37 42 43 53 69 77 79 87 95 101 102 103 104 109 110 111 113
115 117 119 123 135 137 139 143 161 179 389 427 465 512 513 514 515 526 530 531 532 540 548 554
556 563 587 601 636 989 990 993 995 1719 1720 1723 2049 3659 4045 4190 5060 5061 6000 6566 6665
6666 6667 6668 6669 6679 6697 10080
"""
BLOCKED_BY_BROWSERS = frozenset(map(int, _BLOCKED.split()))
"""Ports that browsers refuse to open (Fetch standard, 'bad port')."""
ADVICE = (
    "RFC 6335 §8.1.2: user ports SHOULD NOT be used without or prior to IANA registration; "
    "register yours at iana.org before you ship it."
)


def bindable(port: int) -> bool:
    """Whether the port can be bound on every interface over tcp and udp, IPv4 and IPv6."""
    for family in (socket.AF_INET, socket.AF_INET6):
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            try:
                with socket.socket(family, kind) as sock:
                    if family == socket.AF_INET6:
                        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                    sock.bind(("", port))
            except OSError as error:
                if family == socket.AF_INET6 and not _has_ipv6(error):
                    continue
                return False
    return True


def _has_ipv6(error: OSError) -> bool:
    import errno  # noqa: PLC0415

    return error.errno not in {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL}


def pool(registry: Registry, low: int | None, high: int | None, *, registered: bool) -> list[int]:
    """The candidates: a given range, the unassigned user ports, or dynamic ports the kernel leaves alone."""
    if registered:
        free = registry.unassigned(low or USER[0], high or USER[1])
        return [port for port in free if port not in BLOCKED_BY_BROWSERS]
    first, last = sockets.ephemeral_range()
    bounds = range(low or DYNAMIC[0], (high or DYNAMIC[1]) + 1)
    if low is not None:
        return list(bounds)
    return [port for port in bounds if not first <= port <= last]


def find(
    registry: Registry,
    count: int,
    low: int | None = None,
    high: int | None = None,
    *,
    registered: bool = False,
) -> list[int]:
    """Pick up to `count` free ports at random, each tried by binding it on this machine.

    Returns:
        The ports in ascending order; fewer than asked when the pool is used up.
    """
    candidates = pool(registry, low, high, registered=registered)
    random.shuffle(candidates)
    found: list[int] = []
    for port in candidates:
        if len(found) >= count:
            break
        if port and bindable(port):
            found.append(port)
    return sorted(found)
