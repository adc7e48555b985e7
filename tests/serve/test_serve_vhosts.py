"""Several stores in one process, chosen by serverName and by the name in the TLS handshake."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from serve_client import VERIFIER, Cua, act, command, connect, serving, trusting

from kalends.beep import events
from kalends.beep.mechanisms import Anonymous, ClientMechanism, ScramSha256
from kalends.cap.opening import URI
from kalends.core import containers
from kalends.core.people import identity
from kalends.serve.certificate import server_identity
from kalends.serve.config import Config, load_config
from kalends.serve.server import Server
from kalends.store.open import open_store

PASSWORDS = {"a.test": "correct horse", "b.test": "correct horse"}
CSID = "SELECT CSID FROM VCALSTORE"


def two_hosts(folder: Path, **options: object) -> Config:
    """a.test and b.test, each with a bob; only b.test has a zoe."""
    file = folder / "k.toml"
    file.write_text(
        f"csid = 'a.test'\nstore = '{folder}/a.db'\ncap-port = 0\nhttp-port = 'off'\naliases = ['alias.test']\n"
        f"[[virtual-host]]\ncsid = 'b.test'\nrealm = 'b.example'\nstore = '{folder}/b.db'\n"
    )
    config = load_config(options, {"HOME": str(folder)}, file)
    for host, names in ((config, ("bob",)), (config.virtual_hosts[0], ("bob", "zoe"))):
        store = open_store(host.store)
        store.write(lambda tx, host=host: containers.ensure_store(tx, host.policy, 0))
        for name in names:
            store.write(
                lambda tx, host=host, name=name: identity.add_user(
                    tx, host.policy, name, now=0, verifier=VERIFIER
                )
            )
        store.close()
    return config


def play(folder: Path, scene: Callable[[Server], Awaitable[None]], **options: object) -> None:
    config = two_hosts(folder, **options)
    store = open_store(config.store)

    async def run() -> None:
        async with serving(config, store) as server:
            await scene(server)

    try:
        act(run)
    finally:
        store.close()


async def secure(server: Server, name: str | None, sni: str | None = None) -> tuple[Cua, bytes]:
    """TLS with a serverName and a name in the handshake; also gives the certificate shown."""
    loop = asyncio.get_running_loop()
    cua = await connect(server.address)
    await cua.until(events.GreetingReceived)
    cua.wire.start_tls(name)
    cua.flush()
    await cua.until(events.TlsUpgrade)
    transport = await loop.start_tls(cua.transport, cua, trusting(), server_hostname=sni)
    assert transport is not None
    cua.transport = transport
    cua.wire.tls_established(loop.time())
    cua.flush()
    await cua.until(events.GreetingReceived)
    return cua, transport.get_extra_info("ssl_object").getpeercert(True)


def certificate(config: Config) -> bytes:
    return ssl.PEM_cert_to_DER_cert(server_identity(config).cert.read_text("ascii"))


async def csid(cua: Cua, name: str | None, mechanism: ClientMechanism | None = None) -> str:
    """Log in and ask which store this is."""
    cua.wire.authenticate(mechanism or ScramSha256("bob", "correct horse"), name)
    cua.flush()
    told = await cua.until(events.Authenticated | events.AuthenticationFailed)  # type: ignore[arg-type]
    assert isinstance(told, events.Authenticated), told
    channel = cua.wire.start_channel([events.ProfileOffer(URI)], name)
    cua.flush()
    await cua.until(events.ChannelStarted, lambda e: e.channel == channel)
    cua.channel = channel
    found = await cua.ask(
        command(
            "CMD:SEARCH", "BEGIN:VQUERY", f"QUERY:{CSID}", "END:VQUERY", target=f"cap://{name or 'a.test'}"
        )
    )
    return next(line for line in found.split("\r\n") if line.startswith("CSID")).removeprefix("CSID:")


async def refused(cua: Cua, name: str) -> int:
    """Start a channel under a name that must be refused; gives the code."""
    number = cua.wire.start_channel([events.ProfileOffer(URI)], name)
    cua.flush()
    return (await cua.until(events.StartRefused, lambda e: e.channel == number)).code


@pytest.mark.parametrize("name", ["a.test", "b.test", "B.TEST"])
def test_SES09_serverName_chooses_store_realm_and_certificate(tmp_path: Path, name: str) -> None:
    """RFC 3080 §2.3.1.2, RFC 4324 §8.9: the CSID's host part is the virtual host."""

    async def scene(server: Server) -> None:
        cua, shown = await secure(server, name)
        config = server.config if name == "a.test" else server.config.virtual_hosts[0]
        assert shown == certificate(config)
        assert await csid(cua, name.lower()) == f"cap://{name.lower()}"

    play(tmp_path, scene)


def test_SES09_who_names_no_host_means_the_first(tmp_path: Path) -> None:
    async def scene(server: Server) -> None:
        cua, shown = await secure(server, None)
        assert shown == certificate(server.config)
        assert await csid(cua, None) == "cap://a.test"
        cua, _ = await secure(server, "127.0.0.1")
        assert await csid(cua, None) == "cap://a.test"

    play(tmp_path, scene)


def test_the_name_in_the_handshake_chooses_where_serverName_says_nothing(tmp_path: Path) -> None:
    async def scene(server: Server) -> None:
        cua, shown = await secure(server, None, "b.test")
        assert shown == certificate(server.config.virtual_hosts[0])
        assert await csid(cua, "b.test") == "cap://b.test"

    play(tmp_path, scene)


def test_serverName_and_the_name_in_the_handshake_may_not_differ(tmp_path: Path) -> None:
    async def scene(server: Server) -> None:
        with pytest.raises((AssertionError, TimeoutError, ConnectionError, OSError)):
            async with asyncio.timeout(2):
                await secure(server, "a.test", "b.test")

    play(tmp_path, scene)


def test_BC06_an_unknown_serverName_is_refused(tmp_path: Path) -> None:
    async def scene(server: Server) -> None:
        cua = await connect(server.address)
        await cua.until(events.GreetingReceived)
        cua.wire.start_tls("c.test")
        cua.flush()
        assert (await cua.until(events.TlsRefused)).code == 550
        cua.wire.start_tls("b.test")  # nothing is spoilt by it
        cua.flush()
        await cua.until(events.TlsUpgrade)
        cua.transport.abort()  # or the server would wait for the handshake

    play(tmp_path, scene)


def test_BC06_a_session_is_one_hosts_for_good(tmp_path: Path) -> None:
    """The host whose certificate was shown; a password of another one's is worth nothing here."""

    async def scene(server: Server) -> None:
        cua, _ = await secure(server, "b.test")
        assert await refused(cua, "a.test") == 550
        assert await csid(cua, "b.test", ScramSha256("zoe", "correct horse")) == "cap://b.test"
        cua, _ = await secure(server, "a.test")
        told = await cua.log_in(ScramSha256("zoe", "correct horse"))
        assert isinstance(told, events.AuthenticationFailed)
        told = await cua.log_in(ScramSha256("bob@b.example", "correct horse"))
        assert isinstance(told, events.AuthenticationFailed)

    play(tmp_path, scene)


@pytest.mark.parametrize("mechanism", [ScramSha256("bob", "correct horse"), Anonymous()])
def test_without_tls_the_first_start_that_succeeds_chooses(
    tmp_path: Path, mechanism: ClientMechanism
) -> None:
    async def scene(server: Server) -> None:
        cua = await connect(server.address)
        await cua.until(events.GreetingReceived)
        assert await refused(cua, "c.test") == 550
        if isinstance(mechanism, Anonymous):
            cua.wire.authenticate(mechanism, "b.test")
            cua.flush()
            await cua.until(events.Authenticated)
            assert server.connections == 1
            (connection,) = server._connections
            assert connection._host.config.csid == "b.test"
        else:
            assert await csid(cua, "b.test", mechanism) == "cap://b.test"

    play(tmp_path, scene, plaintext=True, mechanisms="SCRAM-SHA-256,ANONYMOUS")


def test_without_tls_and_name_another_host_cannot_be_reached_later(tmp_path: Path) -> None:
    async def scene(server: Server) -> None:
        cua = await connect(server.address)
        await cua.until(events.GreetingReceived)
        assert isinstance(await cua.log_in(ScramSha256("bob", "correct horse")), events.Authenticated)
        assert await refused(cua, "b.test") == 550
        channel = cua.wire.start_channel([events.ProfileOffer(URI)], "alias.test")
        cua.flush()
        await cua.until(events.ChannelStarted, lambda e: e.channel == channel)

    play(tmp_path, scene, plaintext=True)


def test_a_host_that_cannot_be_opened_keeps_the_server_from_starting(tmp_path: Path) -> None:
    config = two_hosts(tmp_path)
    (tmp_path / "b.db").write_bytes(b"no database at all, and far too short to be one" * 50)

    async def run() -> None:
        store = open_store(config.store)
        try:
            with pytest.raises(Exception, match=r"b\.db"):
                await Server(config, store).start()
        finally:
            store.close()

    act(run)


async def asked(server: Server, host: str) -> str:
    """GET / of a host over HTTP; the whole response."""
    assert server.http_address is not None
    reader, writer = await asyncio.open_connection(*server.http_address)
    writer.write(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    text = (await reader.read()).decode()
    writer.close()
    await writer.wait_closed()
    return text


def test_the_Host_field_chooses_over_http(tmp_path: Path) -> None:
    """RFC 9110 §7.4: 421 for what is not served here."""

    async def scene(server: Server) -> None:
        for host, name in (
            ("a.test", "a.test"),
            ("ALIAS.test:80", "a.test"),
            ("b.test:8026", "b.test"),
            ("127.0.0.1", "a.test"),
        ):
            assert f"<code>cap://{name}</code>" in await asked(server, host)
        assert (await asked(server, "c.test")).startswith("HTTP/1.1 421 ")

    play(tmp_path, scene, http_port=0)


def test_over_https_the_handshake_shows_the_certificate_of_the_host_it_names(tmp_path: Path) -> None:
    """RFC 6066 §3; elsewhere than on loopback HTTP is HTTPS."""

    async def scene(server: Server) -> None:
        assert server.http_address is not None
        port = server.http_address[1]
        for name, config in (("a.test", server.config), ("b.test", server.config.virtual_hosts[0])):
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", port, ssl=trusting(), server_hostname=name
            )
            assert writer.get_extra_info("ssl_object").getpeercert(True) == certificate(config)
            writer.write(f"GET / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
            assert f"<code>cap://{name}</code>" in (await reader.read()).decode()
            writer.close()
            await writer.wait_closed()
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await asyncio.open_connection("127.0.0.1", port, ssl=trusting(), server_hostname="c.test")

    play(tmp_path, scene, http_port=0, host="0.0.0.0")
