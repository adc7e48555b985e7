"""The signpost's sockets: where it stands, how often it answers, and Kalends' own way of asking (A-46)."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest
from serve_client import act, config_for, serving

from kalends.client import Address, ConnectError
from kalends.client.signpost import QUESTION_OCTETS, ask, question, read
from kalends.serve import signpost
from kalends.serve.config import Config, ConfigError, load_config
from kalends.serve.rates import Rates, neighbourhood
from kalends.serve.server import Server, run
from kalends.serve.signpost import BURST, is_wanted
from kalends.store.open import open_store


def play(folder: Path, scene: Any, **options: object) -> None:
    config = config_for(folder, plaintext=True, **options)
    store = open_store(config.store)

    async def whole() -> None:
        async with serving(config, store) as server:
            await scene(server)

    try:
        act(whole)
    finally:
        store.close()


async def told(server: Server, datagram: bytes) -> bytes:
    """What comes back for a datagram."""
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        sock.connect(server.address)
        await loop.sock_sendall(sock, datagram)
        async with asyncio.timeout(10):
            return await loop.sock_recv(sock, 65_535)


def test_signpost_stands_beside_tcp_on_loopback(tmp_path: Path) -> None:
    """On by default there, on the same number, and it says where TCP listens."""

    async def scene(server: Server) -> None:
        found = await asyncio.to_thread(ask, Address(*server.address))
        assert found.tcp == Address(*server.address)
        said = dict(found.capability.properties)
        assert said["CAP-VERSION"] == "4324"
        assert said["MAX-COMP-SIZE"] == str(server.config.max_object)
        assert found.capability.components >= {"VEVENT", "VTODO"}

    play(tmp_path, scene)


def test_garbage_gets_silence_and_does_no_harm(tmp_path: Path) -> None:
    async def scene(server: Server) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            sock.connect(server.address)
            for garbage in (b"", b"\xff" * 1200, b"x" * 9000, question("a")[:700]):
                sock.send(garbage)
            sock.send(question("good"))
            loop = asyncio.get_running_loop()
            async with asyncio.timeout(10):
                answer = await loop.sock_recv(sock, 65_535)
        assert b"CMD;ID=good:REPLY\r\n" in answer

    play(tmp_path, scene)


def test_one_address_is_answered_so_often_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bucket is empty after a burst; the server's other work goes on."""
    monkeypatch.setattr(signpost, "PER_SECOND", 0.0)

    async def scene(server: Server) -> None:
        for n in range(int(BURST)):
            assert f"ID=n{n}:".encode() in await told(server, question(f"n{n}"))
        with pytest.raises(ConnectError, match="nobody answers on udp"):
            await asyncio.to_thread(ask, Address(*server.address), 0.02)

    play(tmp_path, scene)


def test_signpost_can_be_switched_off(tmp_path: Path) -> None:
    async def scene(server: Server) -> None:
        with pytest.raises(ConnectError):
            await asyncio.to_thread(ask, Address(*server.address), 0.02)

    play(tmp_path, scene, udp="off")


@pytest.mark.parametrize(
    ("udp", "host", "wanted"),
    [
        ("auto", "127.0.0.1", True),
        ("auto", "::1", True),
        ("auto", "0.0.0.0", False),
        ("auto", "::", False),
        ("auto", "192.0.2.7", False),
        ("on", "0.0.0.0", True),
        ("off", "127.0.0.1", False),
    ],
)
def test_elsewhere_only_if_configured(udp: str, host: str, wanted: bool) -> None:
    assert is_wanted(Config(udp=udp), host) == wanted


def test_on_all_addresses_the_place_is_the_one_asked(tmp_path: Path) -> None:
    """`*:port`: a server on 0.0.0.0 does not know by which address it was found."""

    async def scene(server: Server) -> None:
        port = server.address[1]
        found = await asyncio.to_thread(ask, Address("127.0.0.1", port))
        assert dict(found.capability.properties)["X-KALENDS-TCP"] == f"*:{port}"
        assert found.tcp == Address("127.0.0.1", port)

    config = config_for(tmp_path, host="0.0.0.0", udp="on")
    store = open_store(config.store)

    async def whole() -> None:
        async with serving(config, store) as server:
            await scene(server)

    act(whole)
    store.close()


def taken() -> tuple[socket.socket, int]:
    """A UDP port whose TCP twin is free."""
    while True:
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.bind(("127.0.0.1", 0))
        port = int(udp.getsockname()[1])
        with socket.socket() as tcp:
            try:
                tcp.bind(("127.0.0.1", port))
            except OSError:
                udp.close()
                continue
        return udp, port


def test_a_taken_udp_port_is_done_without_unless_asked_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """auto: a warning; on: the start is refused, with words."""
    udp, port = taken()
    with udp:

        async def scene(server: Server) -> None:
            assert server.address[1] == port

        play(tmp_path, scene, cap_port=port)
        assert f"no signpost: udp port 127.0.0.1:{port} cannot be had" in caplog.text
        assert run(config_for(tmp_path, cap_port=port, udp="on"), print) == 1


@pytest.mark.parametrize(
    ("given", "is_"), [("AUTO", "auto"), (True, "on"), ("yes", "on"), (False, "off"), ("off", "off")]
)
def test_setting(given: object, is_: str) -> None:
    assert load_config({"udp": given}, {"HOME": "/"}).udp == is_


def test_setting_that_cannot_be_used() -> None:
    with pytest.raises(ConfigError, match="--udp: expected one of auto, on, off, not 'loud'"):
        load_config({"udp": "loud"}, {"HOME": "/"})


# -- rates ----------------------------------------------------------------------------------------------------


def test_tokens_come_back() -> None:
    rates = Rates(2.0, 3.0, 10)
    assert [rates.allows("a", 0.0) for _ in range(4)] == [True, True, True, False]
    assert rates.allows("b", 0.0)
    assert [rates.allows("a", 1.0) for _ in range(3)] == [True, True, False]
    assert [rates.allows("a", 100.0) for _ in range(4)] == [True, True, True, False]


def test_memory_of_addresses_is_bounded() -> None:
    rates = Rates(1.0, 1.0, 100)
    for n in range(1000):
        assert rates.allows(str(n), 0.0)
    assert len(rates) == 100
    assert not rates.allows("999", 0.0)


def test_an_ipv6_network_is_one_address() -> None:
    assert neighbourhood("2001:db8::1") == neighbourhood("2001:db8::ffff:1") == "2001:db8::/64"
    assert neighbourhood("fe80::1%eth0") == "fe80::/64"
    assert neighbourhood("192.0.2.1") == "192.0.2.1"
    assert neighbourhood("::ffff:192.0.2.1") == "192.0.2.1", "as a socket of both families shows it"
    assert neighbourhood("local") == "local"


# -- the client's side ----------------------------------------------------------------------------------------


def test_question_is_padded_to_its_size() -> None:
    assert len(question("0123456789abcdef")) == QUESTION_OCTETS
    assert all(len(line) <= 75 for line in question("x").split(b"\r\n"))


@pytest.mark.parametrize(
    ("place", "tcp"),
    [
        ("*:1026", Address("asked")),
        ("cal.example.com:99", Address("cal.example.com", 99)),
        ("[2001:db8::1]:1026", Address("2001:db8::1")),
        ("nonsense", None),
        ("host:99999", None),
        ("a b:1026", None),
    ],
)
def test_place_is_read_with_care(place: str, tcp: Address | None) -> None:
    text = f"BEGIN:VCALENDAR\r\nCMD;ID=i:REPLY\r\nBEGIN:VREPLY\r\nX-KALENDS-TCP:{place}\r\nEND:VREPLY\r\nEND:VCALENDAR\r\n"
    found = read(text.encode(), "i", Address("asked", 7))
    assert found is not None
    assert found.tcp == tcp


@pytest.mark.parametrize(
    "answer", [b"", b"hello", b"BEGIN:VCALENDAR\r\nCMD;ID=other:REPLY\r\nEND:VCALENDAR\r\n"]
)
def test_answers_to_something_else_are_passed_over(answer: bytes) -> None:
    assert read(answer, "i", Address("asked")) is None


def test_host_that_does_not_exist() -> None:
    with pytest.raises(ConnectError, match="cannot be found"):
        ask(Address("no.such.host.invalid"))
