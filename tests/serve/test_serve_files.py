"""A server that runs out of open files says so, to clients and in its log, and recovers (`ulimit -n`)."""

from __future__ import annotations

import logging
import resource
import socket
from pathlib import Path

import pytest
from serve_client import Process, add_people, config_for

from kalends.serve import descriptors
from kalends.store.open import open_store

FILES = 64


def greeted(address: tuple[str, int]) -> tuple[socket.socket, bytes]:
    sock = socket.create_connection(address, 10)
    return sock, sock.recv(4096)


def test_connections_are_refused_in_words_logged_once_and_let_in_again(tmp_path: Path) -> None:
    config = config_for(tmp_path, plaintext=True, data_dir=str(tmp_path))
    store = open_store(config.store)
    add_people(store, config, "bob")
    store.close()
    with Process(config) as server:
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (FILES, FILES))
        said = [greeted(server.address) for _ in range(FILES)]
        accepted = [sock for sock, data in said if data.startswith(b"RPY 0 0")]
        refused = [data for _, data in said if b"code='421'" in data]
        assert len(accepted) + len(refused) == FILES, "nobody was hung up on without a word"
        assert accepted
        assert all(b"the server is full" in data for data in refused)
        for sock, _ in said:
            sock.close()
        for _ in range(200):
            sock, data = greeted(server.address)
            sock.close()
            if data.startswith(b"RPY"):
                break
        else:
            pytest.fail("it did not recover")
    assert server.log.read_text().count("the limit of open files is reached") == 1


def test_the_limit_is_raised_as_far_as_the_system_lets_us(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    limits = [256, 4096]
    monkeypatch.setattr(resource, "getrlimit", lambda _: tuple(limits))
    monkeypatch.setattr(resource, "setrlimit", lambda _, given: limits.__setitem__(slice(None), given))
    with caplog.at_level(logging.WARNING):
        descriptors.make_room(1024)
        assert limits == [1024 + 4 * descriptors.RESERVE, 4096]
        assert not caplog.records
        descriptors.make_room(10_000)
    assert limits == [4096, 4096]
    assert "LimitNOFILE" in caplog.text
    assert descriptors.is_scarce(4090)
    assert not descriptors.is_scarce(100)
    assert not descriptors.is_scarce(-1)
