"""HTTP beside CAP: the port pages from a running server, who sees what, bad requests, an orderly end."""

from __future__ import annotations

import asyncio
import base64
import http.client
import json
import os
import socket
from pathlib import Path

import pytest
from serve_client import PASSWORD, Process, add_people, config_for

from kalends.serve.config import ConfigError, load_config
from kalends.serve.server import Server
from kalends.store.open import open_store

Reply = tuple[int, dict[str, str], bytes]


def ask(folder: Path, *requests: tuple[str, str, dict[str, str]]) -> list[Reply]:
    """Run a server with HTTP on a free port and send it requests, each on a connection of its own."""
    config = config_for(folder, http_port=0)
    store = open_store(config.store)

    async def main() -> list[Reply]:
        async with Server(config, store) as server:
            add_people(store, config, "amira", "bruno")
            store.write(
                lambda tx: tx.run("update principal set admin = 1 where upn = ?", ("amira@example.com",))
            )
            assert server.http_address is not None
            port = server.http_address[1]
            return [await asyncio.to_thread(_send, port, *request) for request in requests]

    try:
        return asyncio.run(main())
    finally:
        store.close()


def _send(port: int, method: str, path: str, headers: dict[str, str]) -> Reply:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def test_a_port_page_and_its_data_come_from_the_running_server(tmp_path: Path) -> None:
    page, data, front, head = ask(
        tmp_path,
        ("GET", "/port/1026", {"Accept": "text/html"}),
        ("GET", "/port/1026", {"Accept": "application/json"}),
        ("GET", "/", {}),
        ("HEAD", "/port/1", {}),
    )
    assert page[0] == 200
    assert b"The official story" in page[2]
    assert page[1]["content-security-policy"].startswith("default-src 'none'")
    assert json.loads(data[2])["official"]["records"][0]["name"] == "cap"
    assert b"CAP (RFC 4324)" in front[2]
    assert (head[0], head[2]) == (200, b"")


def test_the_servers_own_port_is_seen_speaking_cap_and_only_administrators_see_the_process(
    tmp_path: Path,
) -> None:
    config = config_for(tmp_path, http_port=0)
    store = open_store(config.store)

    async def main() -> tuple[Reply, Reply]:
        async with Server(config, store) as server:
            add_people(store, config, "amira")
            store.write(
                lambda tx: tx.run("update principal set admin = 1 where upn = ?", ("amira@example.com",))
            )
            assert server.http_address is not None
            path = f"/port/{server.address[1]}.json"
            public = await asyncio.to_thread(_send, server.http_address[1], "GET", path, {})
            private = await asyncio.to_thread(
                _send, server.http_address[1], "GET", path, basic("amira@example.com", PASSWORD)
            )
            return public, private

    public, private = asyncio.run(main())
    store.close()
    value = json.loads(public[2])
    assert value["verdict"]["state"] == "listening"
    assert value["verdict"]["speaks"] == ["CAP"], (
        "asked through TLS, for before it the TLS profile is all it shows"
    )
    assert "pid" not in public[2].decode()
    assert f'"pid": {os.getpid()}' in private[2].decode()


def test_a_browser_is_asked_to_sign_in_when_somebody_wants_to_see_processes(tmp_path: Path) -> None:
    asked, signed_in = ask(
        tmp_path,
        ("GET", "/port/1?sign-in", {}),
        ("GET", "/port/1?sign-in", basic("amira@example.com", PASSWORD)),
    )
    assert (asked[0], signed_in[0]) == (401, 200)
    assert asked[1]["www-authenticate"].startswith("Basic")


def test_wrong_credentials_are_401_and_a_user_is_no_administrator(tmp_path: Path) -> None:
    wrong, unknown, user, broken = ask(
        tmp_path,
        ("GET", "/port/1", basic("amira@example.com", "wrong")),
        ("GET", "/port/1", basic("nobody", "wrong")),
        ("GET", "/port/1", basic("bruno", PASSWORD)),
        ("GET", "/port/1", {"Authorization": "Basic ???"}),
    )
    assert (wrong[0], unknown[0], broken[0]) == (401, 401, 401)
    assert wrong[1]["www-authenticate"].startswith("Basic")
    assert wrong[2] == unknown[2]
    assert user[0] == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/port/1", 405),
        ("PROPFIND", "/port/1", 405),
        ("GET", "/nothing", 404),
        ("GET", "/port/70000", 404),
        ("GET", "/port/%2e%2e/%00", 404),
        ("GET", "//port", 404),
    ],
)
def test_what_is_not_there_is_said(tmp_path: Path, method: str, path: str, status: int) -> None:
    (answer,) = ask(tmp_path, (method, path, {}))
    assert answer[0] == status
    assert answer[2]


def test_http_can_be_switched_off_and_its_port_is_checked() -> None:
    env = {"HOME": "/nowhere"}
    assert load_config({}, env).http_port == 8026
    assert load_config({"http_port": "off"}, env).http_port is None
    with pytest.raises(ConfigError, match="http-port"):
        load_config({"http_port": "70000"}, env)


def test_a_taken_http_port_ends_the_start_with_an_error(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        config = config_for(tmp_path, http_port=taken.getsockname()[1])
        store = open_store(config.store)

        async def main() -> None:
            server = Server(config, store)
            try:
                await server.start()
            finally:
                await server.stop()

        with pytest.raises(ConfigError, match=r"--http-port: cannot listen on .* in use; name another port"):
            asyncio.run(main())
        store.close()


def test_the_ready_line_stays_words_whatever_the_store_is_called(tmp_path: Path) -> None:
    folder = tmp_path / "mit Umlaut ü & space"
    folder.mkdir()
    with Process(config_for(folder)) as process:
        words = process.ready.split()
    assert [word.split("=")[0] for word in words] == ["ready", "cap", "csid", "store"]
    assert "mit%20Umlaut%20ü%20&%20space" in words[3]
