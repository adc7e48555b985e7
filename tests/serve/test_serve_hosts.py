"""Virtual hosts by name: which store a client means."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest

from kalends.serve.certificate import server_context, server_identity
from kalends.serve.config import Config
from kalends.serve.executor import Executor
from kalends.serve.feed import Feed
from kalends.serve.hosts import Hosts, VirtualHost
from kalends.store.open import open_store


def host(folder: Path, *names: str) -> VirtualHost:
    """A host with a store and a certificate of its own."""
    config = Config(store=str(folder / f"{names[0]}.db"), csid=names[0], data_dir=folder / names[0])
    tls = server_context(server_identity(config), None)
    store = open_store(config.store)
    loop = asyncio.new_event_loop()
    executor = Executor(store, loop, 1)
    return VirtualHost(config, store, executor, Feed(store, executor, loop), tls, names)


def close(host: VirtualHost) -> None:
    host.feed.close()
    host.executor.close()
    host.executor._loop.close()
    host.store.close()


@pytest.fixture
def two(tmp_path: Path) -> object:
    hosts = Hosts([host(tmp_path, "a.test", "alias.test"), host(tmp_path, "b.test")])
    yield hosts
    for one in hosts:
        close(one)


def called(hosts: Hosts, name: str | None) -> str | None:
    found = hosts.find(name)
    return None if found is None else found.policy.csid


@pytest.mark.parametrize(
    ("name", "csid"),
    [
        ("a.test", "a.test"),
        ("alias.test", "a.test"),
        ("B.Test", "b.test"),
        ("b.test:8026", "b.test"),
        ("b.test.", "b.test"),
        ("", "a.test"),
        (None, "a.test"),
        ("127.0.0.1:8026", "a.test"),
        ("[::1]:8026", "a.test"),
        ("localhost", "a.test"),
        ("c.test", None),
        ("a.test.evil.example", None),
        ("a.test@evil", None),
    ],
)
def test_SES09_a_host_is_found_by_each_of_its_names(two: Hosts, name: str | None, csid: str | None) -> None:
    """RFC 3080 §2.3.1.2, RFC 9110 §7.4."""
    assert called(two, name) == csid


def test_SES09_a_server_with_one_host_ignores_what_it_is_called(tmp_path: Path) -> None:
    one = host(tmp_path, "a.test")
    hosts = Hosts([one])
    assert called(hosts, "anything") == "a.test"
    close(one)


def handshake(hosts: Hosts, name: str | None) -> tuple[bytes, VirtualHost | None]:
    """Shake hands in memory; the certificate shown, and whose handshake it was."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    assert hosts.default.tls is not None
    ours = hosts.default.tls.wrap_bio(to_server, to_client, server_side=True)
    theirs = client.wrap_bio(to_client, to_server, server_hostname=name)
    for _ in range(3):
        for side in (theirs, ours):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    shown = theirs.getpeercert(binary_form=True)
    assert shown is not None
    return shown, hosts.of_handshake(ours.context)


def certificate(host: VirtualHost) -> bytes:
    file = server_identity(host.config).cert
    return ssl.PEM_cert_to_DER_cert(file.read_text("ascii"))


def test_the_name_in_the_handshake_chooses_certificate_and_host(two: Hosts) -> None:
    """RFC 6066 §3."""
    first, second = two
    assert handshake(two, "b.test") == (certificate(second), second)
    assert handshake(two, "alias.test") == (certificate(first), first)
    assert handshake(two, None) == (certificate(first), first)
    with pytest.raises(ssl.SSLError):
        handshake(two, "c.test")
