"""The sockets of this machine that use a port, and who holds them. Linux: netlink sock_diag, else /proc/net.

Nothing is sent to any port here; `knock` does that. What cannot be seen is said, never guessed.
"""

from __future__ import annotations

import os
import re
import socket
import struct
import sys
from collections.abc import Iterable, Iterator
from typing import NamedTuple

_NETLINK_SOCK_DIAG = 4
_BY_FAMILY, _DONE, _ERROR = 20, 3, 2
_REQUEST_DUMP = 0x301
_V6ONLY = 11
_LISTEN, _CLOSE = 10, 7
SYSTEMCTL_SECONDS = 1.0
"""How long systemd may take to tell what it listens for."""
_PROC_FILES = (("tcp", "tcp"), ("tcp6", "tcp6"), ("udp", "udp"), ("udp6", "udp6"))
_UNIT = re.compile(r"/([^/]+\.(?:service|socket))(?:/|$)")
_CONTAINER = re.compile(r"(?:docker|libpod|cri-containerd|crio|lxc)[-/.]([0-9a-f]{12,64}|[\w.-]+)")


class Owner(NamedTuple):
    """A process that holds a socket.

    Attributes:
        pid: its number. name: its short name. exe: its program, '' when hidden.
        argv: its arguments as they are: untrusted, may hold secrets.
        user: whose it is. started: seconds since 1970 UTC, 0 when unknown.
        unit: systemd unit; container: container id; '' when none can be seen.
    """

    pid: int
    name: str
    exe: str = ""
    argv: tuple[str, ...] = ()
    user: str = ""
    started: int = 0
    cgroup: str = ""
    unit: str = ""
    container: str = ""


class Socket(NamedTuple):
    """A socket bound to the port.

    Attributes:
        family: tcp, tcp6, udp, udp6.
        kind: 'listening' (udp: bound) or 'connection'.
        address: the local address; peer: the other end of a connection as host:port.
        uid: whose socket. inode: the kernel's number for it, 0 when it has none.
        v6only: an IPv6 wildcard that does not take IPv4; None when unknown.
        owner_hidden: why no owner is listed, '' when there is one.
    """

    family: str
    kind: str
    address: str
    uid: int
    inode: int
    peer: str = ""
    v6only: bool | None = None
    owners: tuple[Owner, ...] = ()
    owner_hidden: str = ""


class Look(NamedTuple):
    """What one look at the machine's sockets showed.

    Attributes:
        how: 'sock_diag', '/proc/net' or 'psutil'.
        sockets: those of the port, listening ones first.
        unseen: sentences about what could not be seen.
    """

    how: str
    sockets: tuple[Socket, ...]
    unseen: tuple[str, ...] = ()


def look(port: int, *, owners: bool = True) -> Look:
    """Find the sockets bound to a local port, over tcp and udp, IPv4 and IPv6.

    Args:
        port: 1..65535.
        owners: also find the processes that hold them.

    Returns:
        The sockets and what could not be seen.
    """
    if not sys.platform.startswith("linux"):
        from kalends.ports import foreign  # noqa: PLC0415 - needs psutil, an extra

        return foreign.look(port)
    try:
        how, found = "sock_diag", sorted(_diag(port), key=_order)
    except OSError:
        how, found = "/proc/net", sorted(_proc_net(port), key=_order)
    found = [_held_by_systemd(sock, port) for sock in found]
    unseen = ["sockets in other network namespaces (containers) are not visible from here"]
    if owners and found:
        found = _with_owners(found)
    if any(s.owner_hidden == "another user" for s in found):
        unseen.append("some owners belong to another user: run as root (sudo) to see them")
    return Look(how, tuple(found), tuple(unseen))


def listening(low: int = 1, high: int = 65535) -> set[int]:
    """The ports of a range where something listens (tcp) or is bound (udp) on this machine."""
    if not sys.platform.startswith("linux"):
        from kalends.ports import foreign  # noqa: PLC0415

        return {port for port in foreign.listening() if low <= port <= high}
    try:
        ports = {*_diag_ports(), *_diag_ports()}  # a dump may pass over one when another closes meanwhile
    except OSError:
        ports = {port for port, sock in _proc_all() if sock.kind == "listening"}
    return {port for port in ports if low <= port <= high}


def _order(sock: Socket) -> tuple[bool, str, str, str]:
    return sock.kind != "listening", sock.family, sock.address, sock.peer


def _dump(family: int, protocol: int, states: int, port: int) -> Iterator[bytes]:
    """One sock_diag dump: the payloads (inet_diag_msg with attributes) as the kernel sends them."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, _NETLINK_SOCK_DIAG) as netlink:
        netlink.settimeout(2)
        sockid = struct.pack("!HH", port, 0) + bytes(32) + struct.pack("=III", 0, 0xFFFFFFFF, 0xFFFFFFFF)
        request = struct.pack("=BBBBI", family, protocol, 0, 0, states) + sockid
        netlink.send(struct.pack("=IHHII", 16 + len(request), _BY_FAMILY, _REQUEST_DUMP, 1, 0) + request)
        while True:
            data = netlink.recv(1 << 18)
            at = 0
            while at + 16 <= len(data):
                length, kind = struct.unpack_from("=IH", data, at)
                if kind == _DONE:
                    return
                if kind == _ERROR:
                    code = -struct.unpack_from("=i", data, at + 16)[0]
                    raise OSError(code, os.strerror(code))
                yield data[at + 16 : at + length]
                at += (length + 3) & ~3


def _families() -> Iterator[tuple[str, int, int]]:
    for name, protocol in (("tcp", socket.IPPROTO_TCP), ("udp", socket.IPPROTO_UDP)):
        yield name, socket.AF_INET, protocol
        yield name + "6", socket.AF_INET6, protocol


def _diag(port: int) -> Iterator[Socket]:
    for name, family, protocol in _families():
        for message in _dump(family, protocol, 0xFFFFFFFF, port):
            sport, dport = struct.unpack_from("!HH", message, 4)
            if sport != port or message[0] != family:
                continue
            state = message[1]
            if state in (6, 3, 12):  # TIME_WAIT, SYN_RECV: nobody's any more, or not yet
                continue
            width = 4 if family == socket.AF_INET else 16
            uid, inode = struct.unpack_from("=II", message, 64)
            bound = state in (_LISTEN, _CLOSE)
            peer = socket.inet_ntop(family, message[24 : 24 + width])
            yield Socket(
                name,
                "listening" if bound else "connection",
                socket.inet_ntop(family, message[8 : 8 + width]),
                uid,
                inode,
                "" if bound else _host_port(peer, dport),
                _v6only(message),
            )


def _v6only(message: bytes) -> bool | None:
    at = 72
    while at + 4 <= len(message):
        length, kind = struct.unpack_from("=HH", message, at)
        if kind == _V6ONLY:
            return bool(message[at + 4])
        if length < 4:
            break
        at += (length + 3) & ~3
    return None


def _diag_ports() -> Iterator[int]:
    for name, family, protocol in _families():
        states = 1 << (_LISTEN if name.startswith("tcp") else _CLOSE)
        for message in _dump(family, protocol, states, 0):
            yield struct.unpack_from("!H", message, 4)[0]


def _host_port(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _proc_net(port: int) -> Iterator[Socket]:
    return (sock for at, sock in _proc_all() if at == port)


def _proc_all() -> Iterator[tuple[int, Socket]]:
    for name, file in _PROC_FILES:
        try:
            with open(f"/proc/net/{file}", encoding="ascii") as table:
                lines = table.read().splitlines()[1:]
        except OSError:  # no IPv6 in this kernel, or /proc hidden: the caller says what was looked at
            continue
        for line in lines:
            cells = line.split()
            host, _, port = cells[1].partition(":")
            peer, _, peer_port = cells[2].partition(":")
            state = int(cells[3], 16)
            if state in (6, 3, 12):
                continue
            bound = state in (_LISTEN, _CLOSE)
            yield (
                int(port, 16),
                Socket(
                    name,
                    "listening" if bound else "connection",
                    _proc_address(host),
                    int(cells[7]),
                    int(cells[9]),
                    "" if bound else _host_port(_proc_address(peer), int(peer_port, 16)),
                ),
            )


def _proc_address(text: str) -> str:
    words = [struct.pack("=I", int(text[i : i + 8], 16)) for i in range(0, len(text), 8)]
    return socket.inet_ntop(socket.AF_INET if len(words) == 1 else socket.AF_INET6, b"".join(words))


def _with_owners(found: list[Socket]) -> list[Socket]:
    wanted = {sock.inode for sock in found if sock.inode}
    holders = _holders(wanted)
    me = os.geteuid()
    return [
        sock._replace(
            owners=tuple(holders.get(sock.inode, ())),
            owner_hidden=""
            if sock.inode in holders
            else "another user"
            if me not in (0, sock.uid) and sock.inode
            else "kernel or other namespace",
        )
        for sock in found
    ]


def _held_by_systemd(sock: Socket, port: int) -> Socket:
    """Name the service that pid 1 keeps a socket for; only systemd knows (`systemctl list-sockets`)."""
    if not any(owner.pid == 1 for owner in sock.owners):
        return sock
    unit = _activated(port)
    owners = tuple(owner._replace(unit=unit) if owner.pid == 1 and unit else owner for owner in sock.owners)
    return sock._replace(owners=owners)


def _activated(port: int) -> str:
    """The unit that a socket of systemd's on this port starts; '' where nobody says so."""
    import subprocess  # noqa: PLC0415 - only when pid 1 holds the port

    words = ["systemctl", "list-sockets", "--all", "--full", "--no-legend", "--no-pager"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=SYSTEMCTL_SECONDS, check=False)  # noqa: S603  fixed words
    except (
        OSError,
        subprocess.TimeoutExpired,
    ):  # no systemd here, or it does not answer: the page names pid 1 only
        return ""
    for line in done.stdout.splitlines():
        cells = line.split()
        if len(cells) >= 2 and cells[0].rpartition(":")[2] == str(port):
            return cells[-1]
    return ""


def _holders(inodes: set[int]) -> dict[int, list[Owner]]:
    links = {f"socket:[{inode}]": inode for inode in inodes}
    found: dict[int, list[Owner]] = {}
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit():
            continue
        for target in _open_files(entry.path):
            inode = links.get(target)
            if inode is None:
                continue
            pid = int(entry.name)
            if all(owner.pid != pid for owner in found.get(inode, ())):
                found.setdefault(inode, []).append(describe(pid))
    return found


def _open_files(process: str) -> Iterable[str]:
    try:
        names = os.listdir(f"{process}/fd")
    except OSError:  # another user's process, or gone meanwhile: owner_hidden says so
        return
    for name in names:
        try:
            yield os.readlink(f"{process}/fd/{name}")
        except OSError:  # closed meanwhile
            continue


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:  # gone or hidden: an empty field, which the page shows as not visible
        return ""


def describe(pid: int) -> Owner:
    """What /proc tells about a process; empty fields where it is hidden."""
    base = f"/proc/{pid}"
    try:
        exe = os.readlink(f"{base}/exe")
    except OSError:
        exe = ""
    try:
        uid = os.stat(base).st_uid
    except OSError:
        uid = -1
    argv = tuple(arg for arg in _read(f"{base}/cmdline").split("\0") if arg)
    cgroup = _read(f"{base}/cgroup").strip()
    unit, container = _UNIT.search(cgroup), _CONTAINER.search(cgroup)
    return Owner(
        pid,
        _read(f"{base}/comm").strip(),
        exe,
        argv,
        user_name(uid),
        _started(base),
        cgroup[:200],
        unit[1] if unit else "",
        container[1][:12] if container else "",
    )


def user_name(uid: int) -> str:
    """A user's name, or its number when there is none."""
    if uid < 0:
        return ""
    import pwd  # noqa: PLC0415 - not there on Windows, where nobody calls this

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _started(base: str) -> int:
    stat = _read(f"{base}/stat")
    boot = re.search(r"^btime (\d+)", _read("/proc/stat"), re.MULTILINE)
    if not stat or boot is None:
        return 0
    ticks = int(stat.rpartition(")")[2].split()[19])
    return int(boot[1]) + ticks // os.sysconf("SC_CLK_TCK")


def ephemeral_range() -> tuple[int, int]:
    """The kernel's range of automatic local ports."""
    words = _read("/proc/sys/net/ipv4/ip_local_port_range").split()
    return (int(words[0]), int(words[1])) if len(words) == 2 else (49152, 65535)


def unprivileged_from() -> int:
    """The first port that needs no privilege to bind."""
    text = _read("/proc/sys/net/ipv4/ip_unprivileged_port_start").strip()
    return int(text) if text.isdigit() else 1024
