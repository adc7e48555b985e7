"""What is seen of this machine's sockets, and what a knock tells, against sockets made by the tests."""

from __future__ import annotations

import errno
import os
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from kalends.ports import foreign, free, knock, report, sockets, speech, text
from kalends.ports.registry import Registry

CAP_GREETING = (
    b"RPY 0 0 . 0 126\r\nContent-Type: application/beep+xml\r\n\r\n"
    b"<greeting><profile uri='http://iana.org/beep/cap/1.0' /><profile uri='http://iana.org/beep/TLS' /></greeting>\r\nEND\r\n"
)


@contextmanager
def answering(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    """A listener that hands every connection to a function."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.settimeout(2)
                    try:
                        answer(connection)
                    except OSError:
                        continue

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(5)


def serving(greeting: bytes = b"", answer: bytes = b"") -> AbstractContextManager[int]:
    """A listener that greets, answers the first question and hangs up."""

    def speak(connection: socket.socket) -> None:
        connection.sendall(greeting)
        if connection.recv(4096):
            connection.sendall(answer)

    return answering(speak)


@pytest.mark.parametrize("how", ["sock_diag", "/proc/net"])
@pytest.mark.parametrize(
    ("address", "family", "kind"),
    [
        ("127.0.0.1", "tcp", socket.SOCK_STREAM),
        ("::1", "tcp6", socket.SOCK_STREAM),
        ("127.0.0.1", "udp", socket.SOCK_DGRAM),
        ("::1", "udp6", socket.SOCK_DGRAM),
    ],
)
def test_a_bound_socket_is_seen_with_its_owner(
    monkeypatch: pytest.MonkeyPatch, how: str, address: str, family: str, kind: socket.SocketKind
) -> None:
    if how == "/proc/net":

        def refuse(_port: int) -> Iterator[sockets.Socket]:
            raise PermissionError

        monkeypatch.setattr(sockets, "_diag", refuse)
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind) as sock:
        sock.bind((address, 0))
        if kind == socket.SOCK_STREAM:
            sock.listen()
        port = sock.getsockname()[1]
        look = sockets.look(port)
        mine = [s for s in look.sockets if s.family == family and s.kind == "listening"]
        assert look.how == how
        assert [(s.address, s.uid) for s in mine] == [(address, os.geteuid())]
        assert [o.pid for o in mine[0].owners] == [os.getpid()]
        assert mine[0].owners[0].started > 1_000_000_000
        assert port in sockets.listening()
    assert not [s for s in sockets.look(port).sockets if s.kind == "listening"]


def test_a_connection_is_told_from_a_listener() -> None:
    with serving() as port, socket.create_connection(("127.0.0.1", port)) as client:
        local = client.getsockname()[1]
        assert [s.kind for s in sockets.look(local).sockets] == ["connection"]
        assert sockets.look(local).sockets[0].peer == f"127.0.0.1:{port}"


def test_psutil_sees_the_same_listener_as_the_kernel_tells() -> None:
    with serving() as port:
        seen = foreign.look(port)
        assert [(s.family, s.kind, s.address) for s in seen.sockets if s.kind == "listening"] == [
            ("tcp", "listening", "127.0.0.1")
        ]
        assert port in set(foreign.listening())


@pytest.mark.parametrize(
    ("greeting", "answer", "protocol"),
    [
        (CAP_GREETING, b"", "CAP"),
        (CAP_GREETING.replace(b"cap/1.0", b"xxx/1.0"), b"", "BEEP"),
        (b"SSH-2.0-OpenSSH_9.9\r\n", b"", "SSH"),
        (b"220 mail.example ESMTP\r\n", b"", "SMTP"),
        (b"220 ProFTPD FTP server\r\n", b"", "FTP"),
        (b"* OK IMAP4rev1 ready\r\n", b"", "IMAP"),
        (b"+OK POP3\r\n", b"", "POP3"),
        (b"J\x00\x00\x00\x0a8.0.36\x00more", b"", "MySQL"),
        (b"", b"HTTP/1.1 200 OK\r\nServer: x\r\n\r\n", "HTTP"),
        (b"", b"-ERR unknown command 'HEAD'\r\n", "Redis"),
    ],
)
def test_a_knock_names_what_is_spoken(greeting: bytes, answer: bytes, protocol: str) -> None:
    with serving(greeting, answer) as port:
        result = knock.knock("127.0.0.1", port)
    assert result.state == "connected"
    assert result.said is not None
    assert result.said.protocol == protocol


def test_cap_is_named_with_its_profiles() -> None:
    said = speech.recognise(CAP_GREETING)
    assert said is not None
    assert said.detail == ("profile http://iana.org/beep/cap/1.0", "profile http://iana.org/beep/TLS")


def test_refused_is_told_from_silent() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        assert knock.knock("127.0.0.1", probe.getsockname()[1]).state == "refused"
    with serving() as port:
        result = knock.knock("127.0.0.1", port)
        assert (result.state, result.silent, result.said) == ("connected", True, None)


def test_a_hostile_banner_reaches_nobody_raw() -> None:
    with serving(b"SSH-2.0-\x1b[2J\x1b]0;owned\x07\xe2\x80\xae" + b"x" * 500 + b"\n") as port:
        said = knock.knock("127.0.0.1", port).said
    assert said is not None
    assert said.detail[0].isprintable()
    assert len(said.detail[0]) <= 100


def test_an_endless_banner_ends() -> None:
    with serving(b"\xff" * 1_000_000) as port:
        result = knock.knock("127.0.0.1", port)
    assert result.said is None
    assert len(result.detail[0]) < 100


def test_free_ports_can_be_bound_and_lie_outside_the_kernels_own_range() -> None:
    found = free.find(Registry.load(), 5)
    first, last = sockets.ephemeral_range()
    assert len(found) == 5
    assert all(not first <= port <= last and free.bindable(port) for port in found)


def test_a_port_in_use_is_not_free() -> None:
    with serving() as port:
        assert not free.bindable(port)


def test_registered_free_ports_are_ones_iana_has_not_assigned() -> None:
    registry = Registry.load()
    for port in free.find(registry, 5, registered=True):
        assert port not in free.BLOCKED_BY_BROWSERS
        assert {r.status for r in registry.at(port)} <= {"unassigned"}


@pytest.mark.parametrize(
    ("number", "state"),
    [
        (errno.ECONNREFUSED, "refused"),
        (errno.ETIMEDOUT, "no answer"),
        (errno.EACCES, "not permitted"),
        (errno.EPERM, "not permitted"),
        (errno.EHOSTUNREACH, "rejected by a filter"),
        (errno.ENETUNREACH, "no route"),
        (errno.EADDRNOTAVAIL, "no such local address"),
        (errno.EAFNOSUPPORT, "no IPv6 here"),
        (errno.EIO, "error"),
    ],
)
def test_every_way_a_connect_fails_has_its_words(
    monkeypatch: pytest.MonkeyPatch, number: int, state: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(socket, "create_connection", fail)
    result = knock.knock("127.0.0.1", 1)
    assert result.state == state
    assert state in text.KNOCK_WORDS or result.detail


def test_no_answer_in_time_is_filtered(monkeypatch: pytest.MonkeyPatch) -> None:
    def wait(*_: object, **__: object) -> None:
        raise TimeoutError

    monkeypatch.setattr(socket, "create_connection", wait)
    made = report.make(Registry.load(), 4, owners=False)
    assert {k.state for k in made.machine.knocks} == {"no answer"}
    assert "a filter drops what is sent here" in text.render(made)
    assert "(filtered)" in text.in_short(made)


def test_what_answers_without_a_visible_socket_is_said_to_be_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with serving(b"SSH-2.0-x\r\n") as port:
        monkeypatch.setattr(sockets, "look", lambda port, owners: sockets.Look("sock_diag", ()))
        made = report.make(Registry.load(), port)
    assert made.verdict.state == "answers, holder not visible"
    assert "another namespace, or NAT" in text.render(made).replace("\n  ", " ")


def test_what_agrees_with_the_registry_and_what_does_not() -> None:
    cap = [r for r in Registry.load().at(1026) if r.transport == "tcp"]
    seen = report.Machine(
        0,
        "sock_diag",
        (),
        (),
        (knock.Knock("127.0.0.1", "connected", 0, speech.recognise(CAP_GREETING)),),
        (32768, 60999),
        1024,
    )
    other = seen._replace(
        knocks=(knock.Knock("127.0.0.1", "connected", 0, speech.recognise(b"SSH-2.0-x\n")),)
    )
    assert report._verdict(tuple(cap), seen).agrees is True
    assert report._verdict(tuple(cap), other).agrees is False
    assert report._verdict((), other).agrees is None


def test_a_socket_that_systemd_keeps_for_a_service_names_the_service(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "systemctl"
    program.write_text(
        "#!/bin/sh\necho '[::]:1026 kalends.socket kalends.service'\necho '0.0.0.0:22 ssh.socket ssh.service'\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    held = sockets.Socket("tcp6", "listening", "::", 0, 5, owners=(sockets.Owner(1, "systemd"),))
    assert sockets._held_by_systemd(held, 1026).owners[0].unit == "kalends.service"
    assert sockets._held_by_systemd(held, 99).owners[0].unit == ""


def test_without_systemd_pid_1_is_named_as_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    held = sockets.Socket("tcp", "listening", "::", 0, 5, owners=(sockets.Owner(1, "init"),))
    assert sockets._held_by_systemd(held, 1026) == held


def test_colours_are_written_only_when_asked_for() -> None:
    made = report.make(Registry.load(), 1026, probe=False)
    assert "\x1b[1;36m" in text.render(made, colour=True)
    assert "\x1b" not in text.render(made)


def test_secrets_in_arguments_are_shown_to_nobody_who_did_not_ask() -> None:
    owner = sockets.Owner(7, "x", argv=("prog", "serve", "--password", "s3cret\x1b"))
    assert report.command_line(owner, verbose=False) == "prog serve …"
    assert report.command_line(owner, verbose=True) == "prog serve --password s3cret"


def _signpost(answer: Callable[[bytes], bytes | None]) -> tuple[socket.socket, threading.Thread]:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    sock.settimeout(5)

    def serve() -> None:
        question, peer = sock.recvfrom(4096)
        if (said := answer(question)) is not None:
            sock.sendto(said, peer)

    thread = threading.Thread(target=serve)
    thread.start()
    return sock, thread


def _reply(question: bytes) -> bytes:
    name = re.search(rb"CMD;ID=(\w+):GET-CAPABILITY", question)
    assert name is not None
    return (
        b"BEGIN:VCALENDAR\r\nCMD;ID=" + name[1] + b":REPLY\r\nBEGIN:VREPLY\r\nCAP-VERSION:4324\r\n"
        b"X-KALENDS-TCP:127.0.0.1:1026\r\nEND:VREPLY\r\nEND:VCALENDAR\r\n"
    )


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (_reply, "CAP signpost"),
        (lambda _: b"\x1b[2Jhello", None),
        (lambda _: None, None),
    ],
)
def test_our_own_signpost_is_the_only_thing_asked_over_udp(
    answer: Callable[[bytes], bytes | None], said: str | None
) -> None:
    sock, thread = _signpost(answer)
    with sock:
        result = knock.ask_signpost("127.0.0.1", sock.getsockname()[1])
        thread.join(5)
    assert result.transport == "udp"
    assert (result.said.protocol if result.said else None) == said
    assert all(line.isprintable() for line in result.detail)


def test_udp_is_left_alone_unless_cap_is_registered_and_something_is_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[str, int]] = []
    monkeypatch.setattr(
        knock,
        "ask_signpost",
        lambda address, port: (
            asked.append((address, port)) or knock.Knock(address, "refused", transport="udp")
        ),
    )
    bound = sockets.Socket("udp", "listening", "127.0.0.1", 0, 1)
    monkeypatch.setattr(sockets, "look", lambda port, owners: sockets.Look("sock_diag", ()))
    report.make(Registry.load(), 1026, transport="udp")
    monkeypatch.setattr(sockets, "look", lambda port, owners: sockets.Look("sock_diag", (bound,)))
    report.make(Registry.load(), 53, transport="udp")
    report.make(Registry.load(), 1026, transport="udp", probe=False)
    assert asked == []
    assert "udp: bound, not probed on" in text.render(
        report.make(Registry.load(), 1026, transport="udp", probe=False)
    )
    assert "udp: bound on" in text.render(report.make(Registry.load(), 1026, transport="udp"))
    assert asked == [("127.0.0.1", 1026)]


def _certificate(folder: Path) -> Path:
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    path = folder / "both.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


def test_a_tls_service_is_told_with_what_it_offers_inside(tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(_certificate(tmp_path))
    context.set_alpn_protocols(["http/1.1"])

    def shake(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as wrapped:
            wrapped.recv(1)

    with answering(shake) as port:
        said = knock.knock("127.0.0.1", port).said
    assert said is not None
    assert (said.protocol, said.names) == ("TLS", ("https",))
    assert said.detail[0].endswith("offers http/1.1 over it")


def test_postgresql_is_known_by_its_answer_to_the_question_for_tls() -> None:
    def postgres(connection: socket.socket) -> None:
        if connection.recv(8) == b"\x00\x00\x00\x08\x04\xd2\x16\x2f":
            connection.sendall(b"N")

    with answering(postgres) as port:
        said = knock.knock("127.0.0.1", port).said
    assert said is not None
    assert (said.protocol, said.names) == ("PostgreSQL", ("postgresql",))
