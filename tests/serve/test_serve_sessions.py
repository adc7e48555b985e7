"""Whole sessions against a server in this process: TLS, SASL, commands, limits, hostile peers."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from serve_client import (
    PASSWORD,
    act,
    add_people,
    client,
    command,
    config_for,
    connect,
    create,
    search,
    serving,
    trusting,
)

from kalends.beep import events
from kalends.beep.mechanisms import External, Plain, ScramSha256
from kalends.cap.opening import URI
from kalends.serve import connection, waiting
from kalends.serve.config import Config
from kalends.serve.server import Server
from kalends.store.base import Store
from kalends.store.open import open_store

Scene = Callable[[Server], Awaitable[None]]


def play(folder: Path, scene: Scene, store: Store | None = None, **options: object) -> None:
    """Run a scene with a server; bob and mary are known."""
    config = config_for(folder, **options)
    used = store or open_store(config.store)

    async def run() -> None:
        async with serving(config, used) as server:
            await scene(server)

    try:
        if store is None:
            add_people(used, config, "bob", "mary")
        act(run)
    finally:
        used.close()


def test_greeting_tls_scram_capability_create_search(tmp_path: Path) -> None:
    """The thin thread: SES-01 to SES-05, SES-11, BT-01."""

    async def scene(server: Server) -> None:
        cua = await connect(server.address)
        greeting = await cua.until(events.GreetingReceived)
        assert greeting.profiles == ("http://iana.org/beep/TLS",)
        assert greeting.localize
        cua.events.put_nowait(greeting)
        await cua.secure()
        assert cua.wire.peer_greeting is not None
        assert set(cua.wire.peer_greeting.profiles) == {
            "http://iana.org/beep/SASL/SCRAM-SHA-256",
            "http://iana.org/beep/SASL/PLAIN",
            URI,
        }
        assert isinstance(await cua.log_in(ScramSha256("bob", PASSWORD)), events.Authenticated)
        cua.channel = await cua.open()
        asked = await cua.until(events.MessageReceived)
        assert b":GET-CAPABILITY" in asked.payload
        assert "CAP-VERSION:4324" in await cua.ask(command("CMD:GET-CAPABILITY"))
        assert "REQUEST-STATUS:2.0\r\n" in await cua.ask(create("one", "SUMMARY:Grüße"))
        assert "SUMMARY:Grüße\r\n" in await cua.ask(search("SELECT SUMMARY FROM VEVENT WHERE UID = 'one'"))
        cua.wire.release()
        cua.flush()
        await cua.until(events.SessionReleased)
        await cua.closed()

    play(tmp_path, scene)


def test_cap_needs_tls_and_authentication(tmp_path: Path) -> None:
    """SES-02, SES-05: 538 without privacy, 530 without a name."""

    async def scene(server: Server) -> None:
        cua = await connect(server.address)
        await cua.until(events.GreetingReceived)
        cua.wire.start_channel([events.ProfileOffer(URI)])
        cua.flush()
        assert (await cua.until(events.StartRefused)).code == 538
        cua = await connect(server.address)
        await cua.secure()
        cua.wire.start_channel([events.ProfileOffer(URI)])
        cua.flush()
        assert (await cua.until(events.StartRefused)).code == 530

    play(tmp_path, scene)


@pytest.mark.parametrize("name", ["bob", "nobody", "bob@example.com", "x@y@z"])
@pytest.mark.parametrize("mechanism", [ScramSha256, Plain])
def test_wrong_password_and_unknown_user_look_the_same(tmp_path: Path, name: str, mechanism: Any) -> None:
    """535 for both, counted for both, and another attempt is allowed (BT-08)."""

    async def scene(server: Server) -> None:
        cua = await connect(server.address)
        await cua.secure()
        told = await cua.log_in(mechanism(name, "wrong"))
        assert isinstance(told, events.AuthenticationFailed)
        assert told.code == 535
        throttle = server._shared.throttle
        now = asyncio.get_running_loop().time()
        assert throttle.failed("elsewhere", server_user(name), now) == 2
        assert isinstance(await cua.log_in(mechanism("mary", PASSWORD)), events.Authenticated)

    play(tmp_path, scene)


def server_user(name: str) -> str:
    return f"{name}@example.com" if "@" not in name else name


def test_acting_as_somebody_else_is_refused(tmp_path: Path) -> None:
    """An authorisation identity other than one's own (RFC 4422 §2)."""

    async def scene(server: Server) -> None:
        cua = await connect(server.address)
        await cua.secure()
        told = await cua.log_in(ScramSha256("bob", PASSWORD, authzid="mary"))
        assert isinstance(told, events.AuthenticationFailed)
        told = await cua.log_in(ScramSha256("bob", PASSWORD, authzid="bob@example.com"))
        assert isinstance(told, events.Authenticated)

    play(tmp_path, scene)


def test_anonymous_only_where_switched_on(tmp_path: Path) -> None:
    """UPN-03: '@' sees nothing of bob's."""
    from kalends.beep.mechanisms import Anonymous

    async def scene(server: Server) -> None:
        cua = await connect(server.address)
        await cua.secure()
        assert isinstance(await cua.log_in(Anonymous("x")), events.Authenticated)
        cua.channel = await cua.open()
        told = await cua.ask(create("anonymous"))
        assert "REQUEST-STATUS:2.0\r\n" not in told

    play(tmp_path, scene, mechanisms="ANONYMOUS")

    async def refused(server: Server) -> None:
        cua = await connect(server.address)
        await cua.secure()
        assert isinstance(await cua.log_in(Anonymous("x")), events.AuthenticationFailed)

    (tmp_path / "other").mkdir()
    play(tmp_path / "other", refused)


def test_external_takes_the_user_from_the_certificate(tmp_path: Path) -> None:
    """UPN-06, BT-10: SAN rfc822Name by default; a certificate of nobody's user offers no EXTERNAL."""
    authority, files = client_certificates(tmp_path, "bob@example.com", "ghost@example.com")

    async def scene(server: Server) -> None:
        for upn, (cert, key) in files.items():
            context = trusting()
            context.load_cert_chain(cert, key)
            cua = await connect(server.address)
            await cua.secure(context)
            told = await cua.log_in(External())
            assert isinstance(told, events.Authenticated) == upn.startswith("bob")
            if isinstance(told, events.Authenticated):
                cua.channel = await cua.open()
                assert "REQUEST-STATUS:2.0" in await cua.ask(create("by-certificate"))

    play(tmp_path, scene, client_ca=str(authority))


def client_certificates(folder: Path, *upns: str) -> tuple[Path, dict[str, tuple[Path, Path]]]:
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    def pem(key: ec.EllipticCurvePrivateKey) -> bytes:
        return key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    def sign(
        subject: str, key: Any, issuer: str, by: Any, extension: Any, *, critical: bool
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, subject)]))
            .issuer_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, issuer)]))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(extension, critical=critical)
            .sign(by, hashes.SHA256())
        )

    root = ec.generate_private_key(ec.SECP256R1())
    authority = folder / "authority.pem"
    constraints = x509.BasicConstraints(ca=True, path_length=None)
    certificate = sign("CA", root, "CA", root, constraints, critical=True)
    authority.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    made = {}
    for upn in upns:
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([x509.RFC822Name(upn)])
        cert, key_file = folder / f"{upn}.pem", folder / f"{upn}.key"
        signed = sign(upn, key, "CA", root, names, critical=False)
        cert.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        key_file.write_bytes(pem(key))
        made[upn] = cert, key_file
    return authority, made


def test_two_channels_and_pipelined_commands(tmp_path: Path) -> None:
    """BA-01, BA-02."""

    async def scene(server: Server) -> None:
        cua = await client(server.address)
        other = await cua.open()
        sent = [cua.send(create(f"p{n}"), (cua.channel, other)[n % 2]) for n in range(100)]
        for n, msgno in enumerate(sent):
            assert "REQUEST-STATUS:2.0\r\n" in await cua.reply(msgno, (cua.channel, other)[n % 2])
        found = await cua.ask(search("SELECT UID FROM VEVENT"))
        assert found.count("BEGIN:VEVENT") == 100

    play(tmp_path, scene)


def test_a_full_window_of_commands_may_be_pipelined(tmp_path: Path) -> None:
    """BA-01: thousands of commands sent without waiting are all answered, none is lost."""

    async def scene(server: Server) -> None:
        cua = await client(server.address, tls=False)
        uid = command("CMD;OPTIONS=1:GENERATE-UID")
        sent = [cua.send(create(f"w{n}")) if n % 8 == 0 else cua.send(uid) for n in range(2400)]
        for msgno in sent:
            assert "REQUEST-STATUS:2.0\r\n" in await cua.reply(msgno)

    play(tmp_path, scene, plaintext=True)


class Gate:
    """A store whose reads can be held back: stands for a query of ten seconds."""

    def __init__(self, store: Store) -> None:
        import threading

        self._store = store
        self.held = threading.Event()
        self.entered = threading.Semaphore(0)
        self.hold = False
        self.url, self.dialect = store.url, store.dialect

    def read(self, work: Any, deadline: Any = None) -> Any:
        if self.hold and deadline is not None:
            self.hold = False
            self.entered.release()
            assert self.held.wait(10)
        return self._store.read(work, deadline)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def test_a_slow_query_delays_nobody_else(tmp_path: Path) -> None:
    """BA-02: not another channel, not another connection."""
    config = config_for(tmp_path)
    gate = Gate(open_store(config.store))
    add_people(gate, config, "bob", "mary")

    async def scene(server: Server) -> None:
        cua, other = await client(server.address), await client(server.address, "mary")
        second = await cua.open()
        gate.hold = True
        slow = cua.send(search("SELECT UID FROM VEVENT"))
        await asyncio.to_thread(gate.entered.acquire)
        assert "REQUEST-STATUS:2.0\r\n" in await cua.ask(create("quick"), second)
        assert "UID:quick" in await cua.ask(search("SELECT UID FROM VEVENT"), second)
        told = await other.ask(search("SELECT UID FROM VEVENT").replace("bob/", "mary/"))
        assert "REQUEST-STATUS:2.0\r\n" in told
        gate.held.set()
        assert "REQUEST-STATUS:2.0\r\n" in await cua.reply(slow)

    play(tmp_path, scene, gate)


def test_stopping_finishes_what_runs_and_refuses_new(tmp_path: Path) -> None:
    """An orderly end: the running query is answered, a new command is not begun, connections close."""
    config = config_for(tmp_path)
    gate = Gate(open_store(config.store))
    add_people(gate, config, "bob")

    async def scene(server: Server) -> None:
        cua, idle = await client(server.address), await client(server.address)
        gate.hold = True
        slow = cua.send(search("SELECT UID FROM VEVENT"))
        await asyncio.to_thread(gate.entered.acquire)
        stopping = asyncio.create_task(server.stop())
        await idle.closed()
        late = cua.send(create("late"))
        with pytest.raises(OSError):  # noqa: PT011 - whatever the system says to a closed port
            await connect(server.address)
        gate.held.set()
        assert "REQUEST-STATUS:2.0\r\n" in await cua.reply(slow)
        assert "REQUEST-STATUS:8.0;The server is stopping" in await cua.reply(late)
        await cua.closed()
        await stopping

    play(tmp_path, scene, gate)


def test_who_does_not_end_is_cut_off(tmp_path: Path) -> None:
    config = config_for(tmp_path, drain_timeout="0.05")
    gate = Gate(open_store(config.store))
    add_people(gate, config, "bob")

    async def scene(server: Server) -> None:
        cua = await client(server.address)
        gate.hold = True
        cua.send(search("SELECT UID FROM VEVENT"))
        await asyncio.to_thread(gate.entered.acquire)
        await server.stop()
        await cua.closed()
        assert not server.connections
        gate.held.set()

    play(tmp_path, scene, gate, drain_timeout="0.05")


def test_too_many_connections_are_told_421(tmp_path: Path) -> None:
    """BC-02."""

    async def scene(server: Server) -> None:
        first = await client(server.address)
        second = await connect(server.address)
        assert (await second.until(events.SessionRefused)).code == 421
        await second.closed()
        assert "CAP-VERSION" in await first.ask(command("CMD:GET-CAPABILITY"))
        first.transport.abort()
        await first.closed()
        while server.connections:
            await asyncio.sleep(0)
        third = await connect(server.address)
        await third.until(events.GreetingReceived)

    play(tmp_path, scene, max_connections=1)


def test_one_address_cannot_take_all_connections(tmp_path: Path) -> None:
    async def scene(server: Server) -> None:
        first = await connect(server.address)
        await first.until(events.GreetingReceived)
        second = await connect(server.address)
        assert (await second.until(events.SessionRefused)).code == 421

    play(tmp_path, scene, max_connections_per_address=1)


def test_one_ipv6_network_cannot_take_all_connections(tmp_path: Path) -> None:
    """BC-02: all addresses of a /64 may be one host's."""

    async def scene(server: Server) -> None:
        def admitted(address: str) -> tuple[connection.Connection, str | None]:
            made = connection.Connection(server._shared)
            made.address = address
            return made, server._admit(made)

        first, word = admitted("2001:db8::1")
        assert word is None
        second, word = admitted("2001:db8::2")
        assert word == "too many connections from your address"
        third, word = admitted("2001:db8:0:1::1")
        assert word is None
        for one in (first, second, third):
            server._forget(one)
        assert server._by_address == {}

    play(tmp_path, scene, max_connections_per_address=1)


def test_too_many_channels_are_refused(tmp_path: Path) -> None:
    """BC-12: 100,000 wished for, 20 given, and the session goes on."""

    async def scene(server: Server) -> None:
        cua = await client(server.address)
        for _ in range(18):  # the SASL channel is one of the twenty
            await cua.open()
        for _ in range(50):
            cua.wire.start_channel([events.ProfileOffer(URI)])
            cua.flush()
            assert (await cua.until(events.StartRefused)).code == 450
        assert "CAP-VERSION" in await cua.ask(command("CMD:GET-CAPABILITY"))

    play(tmp_path, scene, max_channels=20)


@pytest.mark.parametrize("option", ["login_timeout", "idle_timeout"])
def test_silent_peer_is_disconnected(tmp_path: Path, option: str) -> None:
    """Before the login and after it."""

    async def scene(server: Server) -> None:
        if option == "login_timeout":
            cua = await connect(server.address)
            await cua.until(events.GreetingReceived)
        else:
            cua = await client(server.address)
        await cua.closed()

    play(tmp_path, scene, **{option: "0.3"})


# -- hostile octets -----------------------------------------------------------------------------------------


async def raw(server: Server, data: bytes) -> bytes:
    """Send octets, read until the server closes or has said `until`."""
    reader, writer = await asyncio.open_connection(*server.address)
    writer.write(data)
    try:
        async with asyncio.timeout(30):
            return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


GREETING = b"RPY 0 0 . 0 52\r\nContent-Type: application/beep+xml\r\n\r\n<greeting />\r\nEND\r\n"


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 64,
        GREETING + b"MSG 0 1 . 52 2147483647\r\n" + b"x" * 5000,
        GREETING + b"MSG 0 1 . 99 0\r\nEND\r\n",
        GREETING + b"MSG 7 0 . 0 0\r\nEND\r\n",
        GREETING + b"M" * 10_000,
        b"\x00" * 100_000,
    ],
)
def test_octets_that_are_no_beep_end_the_session(tmp_path: Path, data: bytes) -> None:
    """BF-01, BF-05, BF-08: closed without an answer; the next client is served."""

    async def scene(server: Server) -> None:
        said = await raw(server, data)
        assert said == b"" or said.startswith(b"RPY 0 0 . 0 ")
        assert said.count(b"END\r\n") <= 1
        cua = await connect(server.address)
        await cua.until(events.GreetingReceived)

    play(tmp_path, scene)


def test_entity_bomb_on_channel_0_is_refused(tmp_path: Path) -> None:
    """BC-11: no DOCTYPE, no entities, nothing is expanded."""
    entities = "".join(f'<!ENTITY a{n + 1} "{f"&a{n};" * 10}">' for n in range(9))
    bomb = f'<!DOCTYPE x [<!ENTITY a0 "lol">{entities}]><start number="1"><profile uri="&a9;"/></start>'
    payload = b"Content-Type: application/beep+xml\r\n\r\n" + bomb.encode()

    async def scene(server: Server) -> None:
        reader, writer = await asyncio.open_connection(*server.address)
        writer.write(GREETING + b"MSG 0 1 . 52 %d\r\n%bEND\r\n" % (len(payload), payload))
        async with asyncio.timeout(30):
            await reader.readuntil(b"ERR 0 1 . ")
            assert b"code='500'" in (await reader.readuntil(b"END\r\n")).replace(b'"', b"'")
        writer.close()
        await writer.wait_closed()

    play(tmp_path, scene)


@pytest.mark.parametrize("cut", [1, 20, 40, 60])
def test_half_a_frame_and_gone(tmp_path: Path, cut: int) -> None:
    async def scene(server: Server) -> None:
        _, writer = await asyncio.open_connection(*server.address)
        writer.write(GREETING[:cut])
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        async with asyncio.timeout(30):
            while server.connections:
                await asyncio.sleep(0.001)
        cua = await client(server.address)
        assert "CAP-VERSION" in await cua.ask(command("CMD:GET-CAPABILITY")), "others are served"

    play(tmp_path, scene)


def test_octet_by_octet_is_understood(tmp_path: Path) -> None:
    """A slow sender is slow, not wrong."""

    async def scene(server: Server) -> None:
        reader, writer = await asyncio.open_connection(*server.address)
        start = b"Content-Type: application/beep+xml\r\n\r\n<foo/>"
        for octet in GREETING + b"MSG 0 1 . 52 %d\r\n%bEND\r\n" % (len(start), start):
            writer.write(bytes([octet]))
            await writer.drain()
        async with asyncio.timeout(30):
            await reader.readuntil(b"ERR 0 1 . ")
        writer.close()
        await writer.wait_closed()

    play(tmp_path, scene)


@pytest.mark.parametrize(
    "garbage", [b"this is no ClientHello\r\n" * 10, b"\x16\x03\x01\xff\xff" + b"z" * 400]
)
def test_garbage_instead_of_tls_ends_that_connection_only(tmp_path: Path, garbage: bytes) -> None:
    """After <proceed/>: closed, nothing in the log but a line, the server lives."""

    async def scene(server: Server) -> None:
        cua = await connect(server.address)
        await cua.until(events.GreetingReceived)
        cua.wire.start_tls()
        cua.flush()
        await cua.until(events.TlsUpgrade)
        cua.transport.write(garbage)
        await cua.closed()
        assert isinstance((await client(server.address)).channel, int)

    play(tmp_path, scene)


def test_octets_before_proceed_are_no_part_of_the_session(tmp_path: Path) -> None:
    """BT-02: what is pipelined after <ready/> ends the session; nothing is taken over into TLS."""
    ready = (
        b"Content-Type: application/beep+xml\r\n\r\n"
        b"<start number='1'><profile uri='http://iana.org/beep/TLS'><![CDATA[<ready />]]></profile></start>"
    )
    inject = b"MSG 0 2 . 200 0\r\nEND\r\n"

    async def scene(server: Server) -> None:
        said = await raw(server, GREETING + b"MSG 0 1 . 52 %d\r\n%bEND\r\n" % (len(ready), ready) + inject)
        assert b"cap/1.0" not in said

    play(tmp_path, scene)


def test_tls_below_1_2_is_refused(tmp_path: Path) -> None:
    """BT-05."""

    async def scene(server: Server) -> None:
        context = server._shared.hosts.default.tls
        assert context is not None
        assert context.minimum_version == ssl.TLSVersion.TLSv1_2

    play(tmp_path, scene)


# -- bad data -----------------------------------------------------------------------------------------------


def test_bad_data_has_the_protocols_own_answers(tmp_path: Path) -> None:
    """CRE-12, COD-02: twins 8.5, a query of 10,000 terms 8.1, invalid UTF-8 6.3; the session goes on."""
    terms = " OR ".join(f"SUMMARY = 'x{n}'" for n in range(10_000))
    bad = create("utf8", "SUMMARY:@").replace("\n", "\r\n").encode().replace(b"@", b"\xff\xfe")

    async def scene(server: Server) -> None:
        cua = await client(server.address)
        assert "REQUEST-STATUS:2.0\r\n" in await cua.ask(create("twin"))
        assert "REQUEST-STATUS:8.5;" in await cua.ask(create("twin"))
        assert "REQUEST-STATUS:8.1;" in await cua.ask(search(f"SELECT UID FROM VEVENT WHERE {terms}"))
        assert "REQUEST-STATUS:6.3;The object cannot be read" in await cua.ask(bad)
        assert "REQUEST-STATUS:6.3;" in await cua.ask("Content-Type: text/calendar\n\n" + "x" * 1000)
        assert "REQUEST-STATUS:9.0;" in await cua.ask(command("CMD:FROB"))
        found = await cua.ask(search("SELECT UID FROM VEVENT"))
        assert found.count("BEGIN:VEVENT") == 1

    play(tmp_path, scene)


def test_object_of_50_megabytes_is_8_2(tmp_path: Path) -> None:
    """CRE-11: thrown away while it comes, not kept; the channel goes on."""
    huge = create("huge", "DESCRIPTION:" + "x" * 50_000_000, cmd="CMD;ID=big:CREATE")

    async def scene(server: Server) -> None:
        cua = await client(server.address, tls=False)
        told = await cua.ask(huge)
        assert "CMD;ID=big:REPLY" in told
        assert "REQUEST-STATUS:8.2;" in told
        assert "REQUEST-STATUS:2.0\r\n" in await cua.ask(create("small"))

    play(tmp_path, scene, plaintext=True)


def test_object_over_the_limit_but_in_the_message_is_8_2(tmp_path: Path) -> None:
    async def scene(server: Server) -> None:
        cua = await client(server.address)
        assert "REQUEST-STATUS:8.2;" in await cua.ask(create("big", "DESCRIPTION:" + "x" * 20_001))

    play(tmp_path, scene, max_object=20_000)


def test_slow_reader_cannot_fill_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """BW-08: commands wait while answers are unread."""
    monkeypatch.setattr(connection, "MAX_UNREAD", 100_000)

    async def scene(server: Server) -> None:
        cua = await client(server.address, tls=False)
        await cua.ask(create("large", "DESCRIPTION:" + "x" * 60_000))
        cua.transport.pause_reading()
        query = search("SELECT * FROM VEVENT")
        sent = [cua.send(query) for _ in range(100)]
        (one,) = server._connections
        while not one._waiting or one._running:
            await asyncio.sleep(0.001)
        assert one._wire.bytes_queued < 100_000 + 60_000 * (waiting.MAX_READS + 1)
        cua.transport.resume_reading()
        for msgno in sent:
            assert "UID:large" in await cua.reply(msgno)

    play(tmp_path, scene, plaintext=True)


def test_client_that_vanishes_does_no_harm(tmp_path: Path) -> None:
    """What it sent is done; nobody waits for it."""

    async def scene(server: Server) -> None:
        cua = await client(server.address)
        for n in range(20):
            cua.send(create(f"gone{n}"))
        await cua.reply(0)
        cua.transport.abort()
        await cua.closed()
        while server.connections:
            await asyncio.sleep(0.001)
        other = await client(server.address)
        assert "UID:gone0" in await other.ask(search("SELECT UID FROM VEVENT WHERE UID = 'gone0'"))

    play(tmp_path, scene)


def test_config_reaches_the_limits(tmp_path: Path) -> None:
    config: Config = config_for(tmp_path, max_object="1M", max_channels=7)
    limits = connection._limits(config)
    assert (limits.max_channels, limits.max_message) == (7, 1024**2 + connection.ENVELOPE_OCTETS)
