"""The same look from odd places: an empty network namespace, another user, a listener one cannot see."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys

import pytest

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
PREAMBLE = "import ctypes, os, socket, sys\nfrom kalends.ports.command import main\n"
EMPTY_NAMESPACE = f"""
libc = ctypes.CDLL(None, use_errno=True)
if libc.unshare({CLONE_NEWNET}) and libc.unshare({CLONE_NEWUSER} | {CLONE_NEWNET}):
    sys.exit(77)
"""


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PREAMBLE + code],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd="/",
    )


def namespaces_allowed() -> bool:
    return sys.platform == "linux" and python(EMPTY_NAMESPACE).returncode == 0


linux_namespaces = pytest.mark.skipif(
    not namespaces_allowed(), reason="this kernel lets nobody unshare a network namespace"
)


@linux_namespaces
def test_in_an_empty_network_namespace_nothing_listens_and_that_is_said() -> None:
    done = python(EMPTY_NAMESPACE + "sys.exit(main(['1026']))")
    assert done.returncode == 0, done.stderr
    assert "Nothing listens here." in done.stdout
    assert "Traceback" not in done.stderr
    as_data = json.loads(python(EMPTY_NAMESPACE + "sys.exit(main(['1026', '--json']))").stdout)
    assert as_data["machine"]["sockets"] == []
    assert {k["state"] for k in as_data["machine"]["knocks"]} <= {
        "refused",
        "no route",
        "no such local address",
        "no IPv6 here",
        "rejected by a filter",
    }


@linux_namespaces
def test_a_listener_in_another_namespace_is_not_claimed_as_seen() -> None:
    code = (
        EMPTY_NAMESPACE
        + """
s = socket.socket()
s.bind(('127.0.0.1', 0))
s.listen()
print(s.getsockname()[1], flush=True)
sys.stdin.read()
"""
    )
    with subprocess.Popen(
        [sys.executable, "-c", PREAMBLE + code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        port = other.stdout.readline().strip()
        done = python(f"sys.exit(main(['{port}', '--json', '--no-probe']))")
        value = json.loads(done.stdout)
        assert [s for s in value["machine"]["sockets"] if s["kind"] == "listening"] == []
        assert any("other network namespaces" in sentence for sentence in value["machine"]["unseen"])
        other.communicate("")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_an_unprivileged_user_is_told_that_the_owner_is_hidden() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        done = python(f"""
import pwd
from kalends.ports import sockets
os.setgid(65534)
os.setuid(65534)
seen = sockets.look({sock.getsockname()[1]})
print(seen.sockets[0].owner_hidden, seen.sockets[0].uid, seen.sockets[0].owners)
print(seen.unseen)
""")
    assert done.stdout.startswith("another user 0 ()\n"), done.stderr
    assert "run as root (sudo)" in done.stdout


@pytest.mark.skipif(os.geteuid() == 0, reason="root sees every owner")
def test_an_unprivileged_user_sees_its_own_sockets() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        done = python(f"sys.exit(main(['{sock.getsockname()[1]}', '--no-probe']))")
    assert f"pid {os.getpid()}" in done.stdout


def test_an_ipv6_only_listener_is_seen_as_such() -> None:
    code = """
s = socket.socket(socket.AF_INET6)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
s.bind(('::', 0))
s.listen()
sys.exit(main([str(s.getsockname()[1]), '--no-probe']))
"""
    assert "tcp6: listening on every IPv6 address" in python(code).stdout
