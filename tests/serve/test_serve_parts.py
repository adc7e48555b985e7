"""The server's small parts: certificate, throttle, log, systemd, executor."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import ssl
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography import x509
from hypothesis import given, settings
from hypothesis import strategies as st
from serve_client import config_for

from kalends.core import containers
from kalends.core.model import Policy
from kalends.core.people import identity
from kalends.serve import logs, systemd
from kalends.serve import throttle as throttles
from kalends.serve.certificate import names_in, server_context, server_identity, server_secret, user_of
from kalends.serve.config import ConfigError
from kalends.serve.executor import Executor
from kalends.serve.throttle import Throttle
from kalends.store.base import Store, Tx
from kalends.store.errors import StoreUnavailableError

# -- certificate --------------------------------------------------------------------------------------------


def test_certificate_is_made_once_for_our_names_and_private(tmp_path: Path) -> None:
    config = config_for(tmp_path / "new")
    first, second = server_identity(config), server_identity(config)
    assert (first.made, second.made) == (True, False)
    assert first.fingerprint == second.fingerprint
    assert len(first.fingerprint) == 95
    for path in (first.cert, first.key):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    certificate = x509.load_pem_x509_certificate(first.cert.read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["cal.example.com", "localhost"]
    assert [str(a) for a in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "::1"]
    assert isinstance(server_context(first, None), ssl.SSLContext)
    assert not list((tmp_path / "new").glob(".*"))


def test_configured_certificate_is_used(tmp_path: Path) -> None:
    made = server_identity(config_for(tmp_path))
    other = config_for(tmp_path / "b", tls_cert=str(made.cert), tls_key=str(made.key))
    assert server_identity(other).fingerprint == made.fingerprint
    assert not (tmp_path / "b").exists()


def test_unusable_files_are_told(tmp_path: Path) -> None:
    made = server_identity(config_for(tmp_path))
    junk = tmp_path / "junk.pem"
    junk.write_text("nothing")
    with pytest.raises(ConfigError, match="is no certificate"):
        server_identity(config_for(tmp_path, tls_cert=str(junk), tls_key=str(made.key)))
    with pytest.raises(ConfigError, match="client-ca: cannot be used"):
        server_context(made, junk)
    swapped = server_identity(config_for(tmp_path / "b"))
    mixed = config_for(tmp_path, tls_cert=str(made.cert), tls_key=str(swapped.key))
    with pytest.raises(ConfigError, match="cannot be used"):
        server_context(server_identity(mixed), None) if server_identity(
            mixed
        ).key == made.key else server_context(type(made)(made.cert, swapped.key, ""), None)
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(ConfigError, match="no certificate can be made"):
        server_identity(config_for(tmp_path, data_dir=str(blocked / "x")))
    with pytest.raises(ConfigError, match="no secret can be kept"):
        server_secret(config_for(tmp_path, data_dir=str(blocked / "x")))


def test_secret_stays_the_same(tmp_path: Path) -> None:
    config = config_for(tmp_path)
    secret = server_secret(config)
    assert len(secret) == 32
    assert server_secret(config) == secret


@pytest.mark.parametrize(
    ("field", "name"),
    [
        ("san-email", "bob@x"),
        ("san-dns", "host.x"),
        ("san-uri", "who@x"),
        ("cn", "Bob"),
        ("subject-email", "b@x"),
    ],
)
def test_name_in_a_client_certificate(field: str, name: str) -> None:
    """UPN-06: several mappings; none when the field is missing or not unique."""
    peer = {
        "subject": ((("commonName", "Bob"),), (("emailAddress", "b@x"),)),
        "subjectAltName": (("email", "bob@x"), ("DNS", "host.x"), ("URI", "mailto:who@x")),
    }
    assert names_in(peer, field) == [name]
    assert names_in({}, field) == []
    twice = {key: value + value for key, value in peer.items()}
    assert names_in(twice, field) == [name, name]


# -- throttle -----------------------------------------------------------------------------------------------


def test_failures_of_a_user_are_delayed_more_and_more() -> None:
    throttle = Throttle()
    delays = []
    for _ in range(9):
        delays.append(throttle.delay("a", "bob", 0.0))
        throttle.failed("a", "bob", 0.0)
    assert delays == [0, 0, 0.25, 0.5, 1, 2, 4, 8, 8]
    assert throttle.delay("elsewhere", "bob", 0.0) == 8
    assert throttle.delay("a", "mary", 0.0) == 2
    assert throttle.delay("elsewhere", "mary", 0.0) == 0
    throttle.succeeded("a", "bob")
    assert throttle.delay("elsewhere", "bob", 0.0) == 0


def test_failures_of_an_ipv6_network_are_counted_together() -> None:
    """One host has all addresses of its /64: each would have some free failures."""
    throttle = Throttle()
    for number in range(9):
        throttle.failed(f"2001:db8::{number:x}", f"user{number}", 0.0)
    assert throttle.delay("2001:db8::ffff", "mary", 0.0) == 2
    assert throttle.delay("2001:db8:0:1::1", "mary", 0.0) == 0
    for number in range(9):
        throttle.failed(f"::ffff:192.0.2.{number}", f"user{number}", 0.0)
    assert throttle.delay("::ffff:192.0.2.99", "mary", 0.0) == 0, "IPv4 behind a socket of both families"


def test_failures_are_forgotten_in_time() -> None:
    throttle = Throttle()
    for _ in range(20):
        throttle.failed("a", "bob", 100.0)
    assert throttle.delay("a", "bob", 100.0 + throttles.FORGET_SECONDS) == 8
    assert throttle.delay("a", "bob", 100.1 + throttles.FORGET_SECONDS) == 0
    assert throttle.failed("a", "bob", 200.0 + throttles.FORGET_SECONDS) == 1


def test_memory_of_failures_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttles, "MAX_KEYS", 100)
    throttle = Throttle()
    for number in range(1000):
        throttle.failed(f"a{number}", f"u{number}", 0.0)
    assert len(throttle._counts) == 100
    assert throttle.failed("a", "u999", 0.0) == 2


# -- log ----------------------------------------------------------------------------------------------------


def record(text: str, *args: object, error: BaseException | None = None) -> logging.LogRecord:
    info = (type(error), error, None) if error else None
    return logging.LogRecord("kalends.x", logging.INFO, "", 0, text, args, info)


@settings(max_examples=100)
@given(st.text(max_size=60))
def test_text_log_is_one_harmless_line(text: str) -> None:
    line = logs.TextFormatter().format(record("%s", text))
    assert line.isprintable()
    assert " INFO " in line


def test_json_log_is_one_object() -> None:
    line = logs.JsonFormatter().format(record("a %s", "\x1b[31m\n", error=ValueError("why")))
    assert line.isascii()
    assert line.isprintable()
    entry = json.loads(line)
    assert (entry["level"], entry["logger"], entry["message"]) == ("info", "kalends.x", "a \x1b[31m\n")
    assert "ValueError: why" in entry["traceback"]


def test_log_goes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    try:
        logs.set_up("warning", "text")
        logging.getLogger("kalends.serve").info("quiet")
        logging.getLogger("kalends.serve").warning("loud")
    finally:
        root.handlers[:] = before
        root.setLevel(level)
    told = capsys.readouterr()
    assert told.out == ""
    assert "loud" in told.err
    assert "quiet" not in told.err


# -- systemd ------------------------------------------------------------------------------------------------


def test_readiness_is_told(tmp_path: Path) -> None:
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(path)
        systemd.notify("READY=1", {"NOTIFY_SOCKET": path})
        assert listening.recv(100) == b"READY=1"
    systemd.notify("READY=1", {"NOTIFY_SOCKET": path})
    systemd.notify("READY=1", {})


def test_sockets_meant_for_another_process_are_left_alone() -> None:
    env = {"LISTEN_FDS": "1", "LISTEN_PID": "1", "LISTEN_FDNAMES": "x", "KEEP": "y"}
    assert systemd.inherited_sockets(env) == []
    assert env == {"KEEP": "y"}
    assert systemd.inherited_sockets({"LISTEN_FDS": "x", "LISTEN_PID": str(os.getpid())}) == []


def test_inherited_socket_is_taken() -> None:
    """sd_listen_fds(3): descriptor 3, for this process id."""
    program = (
        "import os; os.environ['LISTEN_PID'] = str(os.getpid())\n"
        "from kalends.serve.systemd import inherited_sockets\n"
        "(one,) = inherited_sockets(); print(one.getsockname()[1], os.get_inheritable(3), 'LISTEN_FDS' in os.environ)\n"
    )
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        descriptor = listening.fileno()
        done = subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "LISTEN_FDS": "1"},
            preexec_fn=lambda: (
                os.dup2(descriptor, 3, inheritable=True) if descriptor != 3 else os.set_inheritable(3, True)
            ),
            close_fds=False,
            capture_output=True,
            check=True,
        )
        assert done.stdout.decode().split() == [str(listening.getsockname()[1]), "False", "False"]


# -- executor -----------------------------------------------------------------------------------------------


def test_outcomes_come_back_in_the_loop(sqlite_store: Store) -> None:
    async def scene() -> list[object]:
        loop = asyncio.get_running_loop()
        executor = Executor(sqlite_store, loop, 2)
        told: asyncio.Queue[object] = asyncio.Queue()
        executor.transact("read", lambda tx: [], None, told.put_nowait)  # type: ignore[arg-type]
        first = await told.get()
        executor.transact("write", lambda tx: 1 / 0, None, told.put_nowait)  # type: ignore[arg-type, return-value]
        second = await told.get()
        executor.compute(lambda: 42, told.put_nowait)
        third = await told.get()
        deadline = executor.transact("read", lambda tx: [tx.row("select 1")], 0.0, told.put_nowait)  # type: ignore[arg-type, return-value, misc]
        deadline.cancel()
        fourth = await told.get()
        executor.close()
        return [first, type(second), third, type(fourth).__name__]

    assert asyncio.run(scene()) == [[], ZeroDivisionError, 42, "DeadlineError"]


def test_work_that_waits_at_the_end_is_told_so(sqlite_store: Store) -> None:
    async def scene() -> object:
        import threading

        executor = Executor(sqlite_store, asyncio.get_running_loop(), 1)
        told: asyncio.Queue[object] = asyncio.Queue()
        go = threading.Event()
        for _ in range(2):
            executor.compute(go.wait, lambda _: None)
        executor.compute(lambda: 1, told.put_nowait)
        executor.close()
        go.set()
        return await told.get()

    assert isinstance(asyncio.run(scene()), StoreUnavailableError)


@pytest.mark.parametrize(
    ("peer", "told_by", "upn"),
    [
        ({"subject": ((("emailAddress", "BOB@Example.COM"),),)}, ("san-email", "subject-email"), "bob@example.com"),
        ({"subjectAltName": (("email", "ghost@example.com"),), "subject": ((("commonName", "bob"),),)}, ("san-email", "cn"), None),
        ({"subjectAltName": (("email", "bob@example.com"), ("email", "x@y")), "subject": ((("commonName", "bob"),),)}, ("san-email", "cn"), None),
        ({"subject": ((("commonName", "bob"),),)}, ("san-email", "cn"), "bob@example.com"),
        ({"subject": ((("commonName", "bob@"),),)}, ("cn",), None),
        ({"subject": ((("commonName", "@example.com"),),)}, ("cn",), None),
        ({"subject": ((("commonName", "@"),),)}, ("cn",), None),
        ({"subject": ((("commonName", "bob"),),)}, ("fingerprint",), None),
        ({}, ("fingerprint", "san-email", "cn"), None),
    ],
)  # fmt: skip
def test_UPN11_the_first_field_that_is_there_counts(
    sqlite_store: Store, peer: dict[str, object], told_by: tuple[str, ...], upn: str | None
) -> None:
    """RFC 4324 §4.1.1: addresses in certificates are compared without case; what is ambiguous is nobody's."""
    policy = Policy(csid="cal.example.com", realm="example.com")

    def work(tx: Tx) -> str | None:
        containers.ensure_store(tx, policy, 0)
        identity.add_user(tx, policy, "bob", now=0)
        return user_of(tx, peer, b"", told_by, policy)

    assert sqlite_store.write(work) == upn
