"""Sockets on macOS and Windows, through psutil (the extra `kalends[ports]`)."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

from kalends.ports.sockets import Look, Owner, Socket

_MISSING = "install kalends[ports] (psutil) to see sockets on this system"


def _connections() -> tuple[list[Any], str]:
    try:
        import psutil  # noqa: PLC0415 - an extra
    except ImportError:
        return [], _MISSING
    try:
        return list(psutil.net_connections("inet")), ""
    except psutil.AccessDenied:
        return list(
            psutil.Process().net_connections("inet")
        ), "only our own sockets are visible: run as administrator"


def look(port: int) -> Look:
    """The sockets bound to a port, as far as psutil sees them."""
    found, unseen = _connections()
    sockets = tuple(_socket(c) for c in found if c.laddr and c.laddr.port == port)
    return Look("psutil", sockets, (unseen,) if unseen else ())


def listening() -> Iterator[int]:
    """The local ports that listen or are bound."""
    return (c.laddr.port for c in _connections()[0] if c.laddr and c.status in ("LISTEN", "NONE"))


def _socket(connection: Any) -> Socket:
    family = "tcp" if connection.type == socket.SOCK_STREAM else "udp"
    family += "6" if connection.family == socket.AF_INET6 else ""
    kind = "listening" if connection.status in ("LISTEN", "NONE") else "connection"
    peer = f"{connection.raddr.ip}:{connection.raddr.port}" if connection.raddr else ""
    owners = (_owner(connection.pid),) if connection.pid else ()
    return Socket(
        family, kind, connection.laddr.ip, -1, 0, peer, None, owners, "" if owners else "another user"
    )


def _owner(pid: int) -> Owner:
    import psutil  # noqa: PLC0415

    try:
        process = psutil.Process(pid)
        with process.oneshot():
            return Owner(
                pid,
                process.name(),
                process.exe(),
                tuple(process.cmdline()),
                process.username(),
                int(process.create_time()),
            )
    except psutil.Error:
        return Owner(pid, "")
