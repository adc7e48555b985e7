"""The signpost's sockets: datagrams beside the TCP listeners, rate-limited, without a state (A-46)."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
from collections.abc import Sequence
from functools import partial
from typing import Any

from kalends.cap.signpost import Signpost
from kalends.serve.config import Config, ConfigError
from kalends.serve.rates import Rates, neighbourhood

log = logging.getLogger(__name__)

PER_SECOND, BURST = 1.0, 10.0
"""Datagrams looked at for one address: a CUA asks once, and again if nothing comes."""
PER_SECOND_IN_ALL, BURST_IN_ALL = 500.0, 1000.0
"""Datagrams looked at in all, for addresses can be forged: some 6 % of a core."""
MAX_ADDRESSES = 10_000
"""Addresses counted, about 2 MB."""


class SignpostProtocol(asyncio.DatagramProtocol):
    """One UDP socket.

    Args:
        signpost: what it says.
        one, all_: limits for one address, and for all together; shared by all sockets.
    """

    def __init__(self, signpost: Signpost, one: Rates, all_: Rates) -> None:
        self._signpost, self._one, self._all = signpost, one, all_
        self._transport: asyncio.DatagramTransport
        self._full = False

    def connection_made(self, transport: Any) -> None:
        """The socket is there."""
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        """Answer, or be silent."""
        now = asyncio.get_running_loop().time()
        if self._full or not self._one.allows(neighbourhood(addr[0]), now) or not self._all.allows("", now):
            return
        answer = self._signpost.answer(data)
        if answer is not None:
            self._transport.sendto(answer, addr)

    def error_received(self, exc: Exception) -> None:
        """Somebody did not wait for the answer; nobody is told."""
        log.debug("signpost: %s", type(exc).__name__)

    def pause_writing(self) -> None:
        """The network takes no more: be silent instead of collecting answers."""
        self._full = True

    def resume_writing(self) -> None:
        """It does again."""
        self._full = False


def is_wanted(config: Config, host: str) -> bool:
    """Whether datagrams to an address shall be answered: `auto` means on loopback only."""
    if config.udp != "auto":
        return config.udp == "on"
    return ipaddress.ip_address(host.partition("%")[0]).is_loopback


async def open_signposts(
    config: Config, listeners: Sequence[socket.socket]
) -> list[asyncio.DatagramTransport]:
    """Put up a signpost beside each TCP listener, on the same address and number.

    Args:
        config: `udp` and the policy.
        listeners: sockets that speak CAP.

    Returns:
        What is to be closed in the end.

    Raises:
        ConfigError: `udp` is on, and the port is taken.
    """
    loop = asyncio.get_running_loop()
    one = Rates(PER_SECOND, BURST, MAX_ADDRESSES)
    all_ = Rates(PER_SECOND_IN_ALL, BURST_IN_ALL, 1)
    opened: list[asyncio.DatagramTransport] = []
    for listener in listeners:
        host, port = listener.getsockname()[:2]
        if listener.family not in (socket.AF_INET, socket.AF_INET6) or not is_wanted(config, host):
            continue
        shown = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        try:
            sock = _bound(listener)
        except OSError as error:
            why = f"udp port {shown} cannot be had: {error.strerror or error}"
            if config.udp == "on":
                for transport in opened:
                    transport.close()
                raise ConfigError("udp", "--udp", why) from None
            log.warning("no signpost: %s", why)
            continue
        signpost = Signpost(config.policy, f"*:{port}" if _is_any(host) else shown)
        transport, _ = await loop.create_datagram_endpoint(
            partial(SignpostProtocol, signpost, one, all_), sock=sock
        )
        opened.append(transport)
        log.info("signpost on udp %s", shown)
    return opened


def _bound(listener: socket.socket) -> socket.socket:
    sock = socket.socket(listener.family, socket.SOCK_DGRAM)
    try:
        if listener.family == socket.AF_INET6:  # else it would take the IPv4 port, too
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.setblocking(False)
        sock.bind(listener.getsockname())
    except OSError:
        sock.close()
        raise
    return sock


def _is_any(host: str) -> bool:
    return ipaddress.ip_address(host.partition("%")[0]).is_unspecified
