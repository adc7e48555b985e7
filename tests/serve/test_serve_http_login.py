"""Who sends a request: Basic, remembered passwords, app passwords, the throttle, bearer tokens."""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from http_world import Peer, World, basic, until
from serve_client import PASSWORD, VERIFIER, add_people, config_for

from kalends.beep.scram import make_verifier
from kalends.core.people import groups, identity, tokens
from kalends.serve import credentials
from kalends.serve.credentials import Credentials, Login
from kalends.serve.http.answers import Answer
from kalends.serve.http.head import Head
from kalends.serve.proxies import Proxies
from kalends.serve.throttle import Throttle
from kalends.store.open import open_store

AMIRA = "amira@example.com"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path) as made:
        yield made


@pytest.mark.parametrize("user", ["amira", "amira@example.com", "AMIRA"])
def test_a_user_is_known_by_name_or_upn(world: World, user: str) -> None:
    assert world.ask("GET", "/dav/x", user=user).json["upn"] == AMIRA


def test_names_and_passwords_are_utf_8_rfc_7617_2_1(world: World) -> None:
    verifier = make_verifier("pässwörd ✓", iterations=4096)
    world.store.write(
        lambda tx: identity.add_user(tx, world.config.policy, "jürgen", now=0, verifier=verifier)
    )
    utf8 = world.ask("GET", "/dav/x", user="", Authorization=basic("jürgen", "pässwörd ✓"))
    assert utf8.json["upn"] == "jürgen@example.com"
    refused = world.ask("GET", "/dav/x", user="", Authorization=basic("jürgen", "passwort"))
    assert 'charset="UTF-8"' in refused.headers["www-authenticate"]


def test_without_credentials_one_is_asked_who_one_is_and_a_public_thing_is_shown(world: World) -> None:
    asked = world.ask("GET", "/dav/x", user="")
    assert (asked.status, asked.headers["www-authenticate"]) == (
        401,
        'Basic realm="Kalends", charset="UTF-8"',
    )
    assert world.ask("GET", "/dav/public", user="").json["upn"] == "@"
    assert world.ask("OPTIONS", "/dav/x", user="").status == 200


@pytest.mark.parametrize(
    "header",
    [
        "Basic",
        "Basic ???",
        "Basic YW1pcmE=",
        "Basic " + "A" * 5000,
        basic("", PASSWORD),
        basic("amira", ""),
        basic("amira", "wrong"),
        basic("amira", "a\0b"),
        basic("amira@", PASSWORD),
        basic("nobody", PASSWORD),
        basic("@", PASSWORD),
        "Bearer abc",
        "Digest username=amira",
        "é",
    ],
    ids=repr,
)
def test_whatever_does_not_fit_is_401_with_a_sentence(world: World, header: str) -> None:
    got = world.ask("GET", "/dav/public", user="", Authorization=header)
    assert got.status == 401
    assert got.headers["www-authenticate"].startswith("Basic")
    assert got.body.endswith(b".\n")
    assert world.room.noted == []


def test_a_password_is_computed_once_and_then_remembered(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs: list[None] = []
    run = credentials.PlainWork.run
    monkeypatch.setattr(credentials.PlainWork, "run", lambda self: (runs.append(None), run(self))[1])
    for _ in range(5):
        assert world.ask("GET", "/dav/x").status == 200
    assert len(runs) == 1
    monkeypatch.setattr(credentials, "REMEMBERED_SECONDS", 0.0)
    assert world.ask("GET", "/dav/x", user="bruno").status == 200
    assert world.ask("GET", "/dav/x", user="bruno").status == 200
    assert len(runs) == 3, "only for as long as is said"


def test_several_connections_at_once_cost_one_check(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[None] = []
    run = credentials.PlainWork.run

    def slow(self: credentials.PlainWork) -> object:
        runs.append(None)
        time.sleep(0.3)
        return run(self)

    monkeypatch.setattr(credentials.PlainWork, "run", slow)
    with ThreadPoolExecutor(6) as pool:
        assert {got.status for got in pool.map(lambda _: world.ask("GET", "/dav/x"), range(6))} == {200}
    assert len(runs) == 1


@pytest.mark.parametrize("method", ["GET", "REPORT", "PUT"])
def test_a_changed_password_ends_the_remembered_one_at_once(world: World, method: str) -> None:
    assert world.ask(method, "/dav/x").status == 200
    other = make_verifier("other", iterations=4096)
    world.store.write(lambda tx: identity.set_verifier(tx, AMIRA, other))
    assert world.ask(method, "/dav/x").status == 401
    assert world.ask(method, "/dav/x", user="", Authorization=basic("amira", "other")).status == 200
    world.store.write(lambda tx: identity.set_verifier(tx, AMIRA, VERIFIER))
    assert world.ask(method, "/dav/x").status == 200, "the same password with a verifier made anew"


def test_a_password_changed_while_the_old_one_is_checked_ends_the_old_one(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = credentials.PlainWork.run
    other = make_verifier("other", iterations=4096)

    def late(self: credentials.PlainWork) -> object:
        found = run(self)
        world.store.write(lambda tx: identity.set_verifier(tx, AMIRA, other))
        return found

    monkeypatch.setattr(credentials.PlainWork, "run", late)
    assert world.ask("GET", "/dav/x").status == 401
    assert world.ask("GET", "/dav/x").status == 401


def test_who_is_no_administrator_any_longer_sees_no_more_processes_at_once(world: World) -> None:
    def shown() -> bytes:
        return world.ask("GET", "/port/1026").body

    as_user = shown()
    world.store.write(lambda tx: identity.describe(tx, AMIRA, admin=True))
    assert shown() != as_user
    world.store.write(lambda tx: identity.describe(tx, AMIRA, admin=False))
    assert shown() == as_user
    world.store.write(
        lambda tx: identity.remove_user(tx, AMIRA, now=0, with_calendars=True, policy=world.config.policy)
    )
    assert world.ask("GET", "/port/1026").status == 401


def test_a_removed_user_is_refused_at_once(world: World) -> None:
    assert world.ask("GET", "/dav/x").status == 200
    world.store.write(
        lambda tx: identity.remove_user(tx, AMIRA, now=0, with_calendars=True, policy=world.config.policy)
    )
    assert world.ask("GET", "/dav/x").status == 401


def test_a_change_of_groups_counts_with_the_next_request_and_without_a_password_check(world: World) -> None:
    """RFC 4324 §4.1.3 over CalDAV, too; a change of somebody else costs nothing."""
    policy = world.config.policy
    assert world.ask("GET", "/dav/x").json["groups"] == []
    world.store.write(lambda tx: groups.add(tx, policy, "staff", now=0))
    world.store.write(lambda tx: groups.add_member(tx, "staff@example.com", AMIRA))
    assert world.ask("GET", "/dav/x").json["groups"] == ["staff@example.com"]
    world.store.write(lambda tx: groups.remove_member(tx, "staff@example.com", AMIRA))
    assert world.ask("GET", "/dav/x").json["groups"] == []


def test_an_app_password_works_until_it_is_revoked_and_its_use_is_written_down(tmp_path: Path) -> None:
    with World(tmp_path) as world:
        secret = world.store.write(lambda tx: tokens.add(tx, AMIRA, "phone", 0))
        login = basic("amira", secret)
        for _ in range(2):
            assert world.ask("GET", "/dav/x", user="", Authorization=login).json["upn"] == AMIRA
        assert world.ask("GET", "/dav/x", user="", Authorization=basic("bruno", secret)).status == 401
        world.store.write(lambda tx: tokens.revoke(tx, AMIRA, "phone"))
        assert world.ask("GET", "/dav/x", user="", Authorization=login).status == 401
        secret = world.store.write(lambda tx: tokens.add(tx, AMIRA, "laptop", 0))
        assert world.ask("GET", "/dav/x", user="", Authorization=basic("amira", secret)).status == 200
    store = open_store(world.config.store)
    (kept,) = store.read(lambda tx: tokens.of_user(tx, AMIRA))
    store.close()
    assert kept.used_at is not None


def test_wrong_passwords_are_answered_later_and_later_and_the_right_one_ends_that(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kalends.serve.throttle.FIRST_DELAY", 0.2)
    took = []
    for number in range(4):
        began = time.monotonic()
        assert world.ask("GET", "/dav/x", user="", Authorization=basic("amira", f"no{number}")).status == 401
        took.append(time.monotonic() - began)
    assert took[3] >= 0.4
    assert world.ask("GET", "/dav/x").status == 200


def test_guessing_side_by_side_is_no_way_around_the_throttle(world: World) -> None:
    def guess(number: int) -> int:
        return world.ask("GET", "/dav/x", user="", Authorization=basic("amira", f"guess {number}")).status

    for number in range(4):
        guess(number)
    with ThreadPoolExecutor(20) as pool:
        seen = list(pool.map(guess, range(100, 120)))
    assert set(seen) == {401, 503}
    assert seen.count(401) <= credentials.WAITING_PER_ADDRESS + 4


def test_who_gives_up_waiting_for_a_check_leaves_no_trace(world: World) -> None:
    for number in range(5):
        with world.connect() as peer:
            peer.request("GET", "/dav/x", user="", Authorization=basic("amira", f"no{number}"))
    until(lambda: world.ask("GET", "/dav/x").status == 200, 30)


def test_secrets_are_not_logged_and_controls_do_not_reach_the_terminal(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    link = "s3cretLinkThatNobodyMayKnow42"
    with World(tmp_path) as world:
        world.ask("GET", f"/dav/feeds/{link}/x?token=hidden")
        world.ask("GET", "/dav/x", user="", Authorization=basic("a\x1b[31mmira", "hunter2"))
        world.ask("GET", "/dav/\x9b31mx")
        world.ask("GET", "/ics/abcdefghijklmnopqrstuvwxyz.ics")
        world.ask("GET", "/freebusy/abcdefghijklmnopqrstuvwxyz.ifb")
        world.ask("GET", "/dav/calendars/amira/calendar/550e8400-e29b-41d4-a716-446655440000.ics")
    text = caplog.text
    assert "abcdefghijkl" not in text
    assert "/550e8400-e29b-41d4-a716-446655440000.ics" in text
    assert f"{AMIRA} GET /dav/feeds/…/x 200" in text
    assert not [secret for secret in (PASSWORD, "hunter2", link, "hidden", "Basic ") if secret in text]
    assert "\x1b" not in text


def test_in_the_open_a_password_is_refused_with_words(tmp_path: Path) -> None:
    with World(tmp_path, trusted_proxies="127.0.0.1") as world:
        far = {"X_Forwarded_For": "192.0.2.7"}
        got = world.ask("GET", "/dav/x", **far)
        assert (got.status, b"over TLS" in got.body) == (403, True)
        assert "www-authenticate" not in got.headers, "nobody shall be asked to show it again"
        assert world.ask("GET", "/dav/x", **far, X_Forwarded_Proto="https").status == 200
        assert world.ask("GET", "/dav/public", user="", **far).status == 200


def test_over_tls_a_password_is_taken(tmp_path: Path) -> None:
    with World(tmp_path, host="0.0.0.0") as world:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        plain = world.connect()
        with Peer(context.wrap_socket(plain.sock)) as peer:
            peer.request("GET", "/dav/x")
            got = peer.read().json
            assert (got["upn"], got["origin"]) == (AMIRA, "https://localhost")
            peer.request("REPORT", "/dav/stream?n=20000&size=900")
            assert len(peer.read().body) == 20000 * 900
            peer.request("PUT", "/dav/x", Content_Length="100000000")
            assert peer.read().status == 413


class Provider:
    """An identity provider that knows one token."""

    def verify(self, token: str) -> str | None:
        return AMIRA if token == "good" else None


def test_a_bearer_token_is_asked_for_and_taken_where_there_is_a_verifier_rfc_6750_3(tmp_path: Path) -> None:
    config = config_for(tmp_path)
    store = open_store(config.store)
    add_people(store, config, "amira")

    async def compute(work):  # type: ignore[no-untyped-def]
        return await asyncio.to_thread(work)

    async def main() -> None:
        checks = Credentials(store, config.policy, Throttle(), b"secret", compute, bearer=Provider())
        assert [name for name, _ in checks.challenges] == ["www-authenticate"] * 2

        async def check(token: str) -> Login | Answer:
            head = Head(
                "GET", b"/", [(b"host", b"a"), (b"authorization", f"Bearer {token}".encode())], secure=True
            )
            checked = checks.check(head, Proxies((), "", "a").see(head))
            return checked if isinstance(checked, Login | Answer) else await checked

        good, bad = await check("good"), await check("bad")
        assert isinstance(good, Login)
        assert good.identity.upn == AMIRA
        assert isinstance(bad, Answer)
        assert bad.status == 401
        assert await check("good") is not good, "remembered with its key"

    asyncio.run(main())
    store.close()


def test_checks_for_one_ipv6_network_are_counted_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guessing from many addresses of one /64 is no way around the throttle either."""
    monkeypatch.setattr(credentials, "WAITING_PER_ADDRESS", 1)
    config = config_for(tmp_path)
    store = open_store(config.store)

    async def main() -> None:
        go = asyncio.Event()

        async def compute(work):  # type: ignore[no-untyped-def]
            await go.wait()
            return work()

        checks = Credentials(store, config.policy, Throttle(), b"secret", compute, bearer=Provider())

        def check(token: str, peer: str) -> Any:
            fields = [(b"host", b"a"), (b"authorization", f"Bearer {token}".encode())]
            head = Head("GET", b"/", fields, secure=True, peer=peer)
            return checks.check(head, Proxies((), "", "a").see(head))

        first = asyncio.ensure_future(check("one", "2001:db8::1"))
        await asyncio.sleep(0)
        refused = await check("two", "2001:db8::2")
        assert isinstance(refused, Answer)
        assert refused.status == 503
        other = asyncio.ensure_future(check("three", "2001:db8:0:1::1"))
        await asyncio.sleep(0)
        go.set()
        for one in await asyncio.gather(first, other):
            assert isinstance(one, Answer)
            assert one.status == 401

    asyncio.run(main())
    store.close()


def test_a_store_that_cannot_be_asked_is_503_and_not_401(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kalends.store.errors import StoreUnavailableError

    def gone(*_: object) -> None:
        raise StoreUnavailableError("postgresql://u:secret@db")

    monkeypatch.setattr(identity, "verifier_of", gone)
    got = world.ask("GET", "/dav/x")
    assert (got.status, got.headers["retry-after"]) == (503, "5")
    assert b"secret" not in got.body


def test_on_postgresql_it_is_the_same(tmp_path: Path, postgres_url: str) -> None:
    with World(tmp_path, store=postgres_url, command_timeout="2") as world:
        assert world.ask("GET", "/dav/x").json["upn"] == AMIRA
        assert world.ask("PUT", "/dav/x", b"abc").json["octets"] == 3
        assert len(world.ask("REPORT", "/dav/stream?n=3000&size=900").body) == 3000 * 900
        assert world.ask("REPORT", "/dav/forever").status == 503
        with world.connect() as peer:
            world.room.begun.clear()
            world.room.ended.clear()
            peer.request("REPORT", "/dav/forever")
            assert world.room.begun.wait(15)
        assert world.room.ended.wait(5), "who goes away stops the query"
        other = make_verifier("other", iterations=4096)
        world.store.write(lambda tx: identity.set_verifier(tx, AMIRA, other))
        assert world.ask("GET", "/dav/x").status == 401
