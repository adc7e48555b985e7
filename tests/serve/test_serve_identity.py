"""Who a session is, over whole sessions: app passwords, acting as others, certificates."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any

import pytest
from serve_client import (
    PASSWORD,
    Cua,
    client,
    command,
    connect,
    create,
    search,
    trusting,
)
from test_serve_sessions import client_certificates, play

from kalends.beep import events
from kalends.beep.mechanisms import External, Plain, ScramSha256
from kalends.cap.session import MAX_REFUSED_IDENTITIES
from kalends.core.containers import housekeeper, resolve
from kalends.core.past import history
from kalends.core.people import acting, certificates, groups, identity, tokens
from kalends.serve.server import Server

SELF = "SELECT * FROM VAGENDA WHERE OWNER = SELF()"
BOB, MARY = "bob@example.com", "mary@example.com"


async def secured(server: Server, context: Any = None) -> Cua:
    cua = await connect(server.address)
    await cua.secure(context)
    return cua


def identify(whom: str | None) -> str:
    option = "" if whom is None else f";OPTIONS={whom}"
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Test//EN",
        f"CMD;ID=i{option}:IDENTIFY",
        "END:VCALENDAR",
        "",
    ]
    return "Content-Type: text/calendar\n\n" + "\n".join(lines)


def test_an_app_password_logs_in_by_plain_until_it_is_revoked(tmp_path: Path) -> None:
    """It proves its own user only, and its use is written down at the end."""

    async def scene(server: Server) -> None:
        secret = server.store.write(lambda tx: tokens.add(tx, BOB, "phone", 0))
        cua = await secured(server)
        assert isinstance(await cua.log_in(Plain("mary", secret)), events.AuthenticationFailed)
        assert isinstance(await cua.log_in(Plain("bob", secret.upper())), events.Authenticated)
        cua.channel = await cua.open()
        assert "REQUEST-STATUS:2.0" in await cua.ask(create("by-phone"))
        cua = await secured(server)
        assert isinstance(await cua.log_in(Plain("bob", PASSWORD)), events.Authenticated)
        server._shared.hosts.default.save_uses(int(time.time()))
        (one,) = server.store.read(lambda tx: tokens.of_user(tx, BOB))
        assert one.used_at is not None
        server.store.write(lambda tx: tokens.revoke(tx, BOB, "phone"))
        cua = await secured(server)
        assert isinstance(await cua.log_in(Plain("bob", secret)), events.AuthenticationFailed)

    play(tmp_path, scene)


def test_an_app_password_works_for_who_has_no_other_one(tmp_path: Path) -> None:
    async def scene(server: Server) -> None:
        server.store.write(lambda tx: identity.set_verifier(tx, BOB, None))
        secret = server.store.write(lambda tx: tokens.add(tx, BOB, "phone", 0))
        cua = await secured(server)
        assert isinstance(await cua.log_in(Plain("bob", "x" * 28)), events.AuthenticationFailed)
        assert isinstance(await cua.log_in(Plain("bob", "a" * 28)), events.AuthenticationFailed)
        assert isinstance(await cua.log_in(Plain("bob", secret)), events.Authenticated)

    play(tmp_path, scene)


@pytest.mark.parametrize("mechanism", [ScramSha256, Plain])
def test_one_may_log_in_as_whom_one_may_act_as(tmp_path: Path, mechanism: Any) -> None:
    """RFC 4422 §2: the authorization identity; IDENTIFY without OPTIONS goes back to it, not past it."""

    async def scene(server: Server) -> None:
        server.store.write(lambda tx: acting.allow(tx, BOB, MARY))
        cua = await secured(server)
        assert isinstance(await cua.log_in(mechanism("bob", PASSWORD, authzid="mary")), events.Authenticated)
        cua.channel = await cua.open()
        own = command("CMD:SEARCH", "BEGIN:VQUERY", f"QUERY:{SELF}", "END:VQUERY", target="mary/calendar")
        assert "BEGIN:VAGENDA" in await cua.ask(own)
        assert "REQUEST-STATUS:2.0" in await cua.ask(identify("bob"))
        assert "REQUEST-STATUS:2.0" in await cua.ask(create("as-bob"))
        assert "REQUEST-STATUS:2.0" in await cua.ask(identify(None))
        assert "BEGIN:VAGENDA" in await cua.ask(own)

    play(tmp_path, scene)


def test_IDN03_IDN04_identify_over_a_session_is_written_down(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)

    async def scene(server: Server) -> None:
        server.store.write(lambda tx: identity.describe(tx, BOB, admin=True))
        cua = await client(server.address)
        other = await cua.open()
        assert "REQUEST-STATUS:2.0" in await cua.ask(identify("mary"))
        assert "REQUEST-STATUS:2.0" not in await cua.ask(create("x"), other)  # the session, not the channel
        made = create("for-mary").replace("bob/calendar", "mary/calendar")
        assert "REQUEST-STATUS:2.0" in await cua.ask(made, other)
        assert "REQUEST-STATUS:2.0" in await cua.ask(identify(None))
        assert "REQUEST-STATUS:2.0" in await cua.ask(create("x"))
        keeper = housekeeper(server.config.policy, 0)
        (last,) = server.store.read(
            lambda tx: history.entries(tx, keeper, resolve(tx, keeper, "mary/calendar"), limit=1)
        )
        assert (last.who, last.behind, last.via) == (MARY, BOB, "cap")

    play(tmp_path, scene)
    assert f'{BOB} acts as "mary"' in caplog.text
    assert f"{BOB} acts as themselves" in caplog.text


def test_IDN05_who_tries_too_often_is_cut_off_after_the_answer(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scene(server: Server) -> None:
        cua = await client(server.address)
        for _ in range(MAX_REFUSED_IDENTITIES):
            assert "REQUEST-STATUS:6.4" in await cua.ask(identify("mary\x1b[2J"))
        await cua.closed()
        assert (await client(server.address)).channel  # that session only

    play(tmp_path, scene)
    assert "too many refused identities" in caplog.text
    assert "\x1b" not in caplog.text


def test_UPN07_a_member_of_a_group_is_one_in_an_open_session(tmp_path: Path) -> None:
    async def scene(server: Server) -> None:
        policy = server.config.policy
        server.store.write(lambda tx: groups.add(tx, policy, "staff", now=0))
        server.store.write(lambda tx: acting.allow(tx, "staff@example.com", MARY))
        cua = await client(server.address)
        assert "REQUEST-STATUS:6.4" in await cua.ask(identify("mary"))
        server.store.write(lambda tx: groups.add_member(tx, "staff@example.com", BOB))
        assert "REQUEST-STATUS:2.0" in await cua.ask(identify("mary"))
        server.store.write(lambda tx: groups.remove_member(tx, "staff@example.com", BOB))
        assert "REQUEST-STATUS:4.1" in await cua.ask(search(SELF))

    play(tmp_path, scene)


def fingerprint(cert: Path) -> str:
    import hashlib
    import ssl

    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(cert.read_text("ascii"))).hexdigest()


def test_UPN06_a_certificate_entered_by_hand_comes_first(tmp_path: Path) -> None:
    """Whatever its fields say: here they name somebody unknown, and somebody else."""
    authority, files = client_certificates(tmp_path, "ghost@example.com", MARY)

    async def told(server: Server, name: str) -> Any:
        context = trusting()
        context.load_cert_chain(*files[name])
        return await (await secured(server, context)).log_in(External())

    async def scene(server: Server) -> None:
        assert isinstance(await told(server, "ghost@example.com"), events.AuthenticationFailed)
        for name in files:
            mark = fingerprint(files[name][0])
            server.store.write(lambda tx, mark=mark: certificates.add(tx, BOB, mark, 0))
            found = await told(server, name)
            assert isinstance(found, events.Authenticated)
            assert found.authcid == ""  # the server knows; EXTERNAL names nobody
        cua = await secured(server, _context(*files[MARY]))
        await cua.log_in(External())
        cua.channel = await cua.open()
        assert "REQUEST-STATUS:2.0" in await cua.ask(create("by-certificate"))

    play(tmp_path, scene, client_ca=str(authority))


def _context(*files: Path) -> Any:
    context = trusting()
    context.load_cert_chain(*files)
    return context


def test_UPN06_a_certificate_acts_as_others_only_with_permission(tmp_path: Path) -> None:
    authority, files = client_certificates(tmp_path, BOB)

    async def scene(server: Server) -> None:
        cua = await secured(server, _context(*files[BOB]))
        assert isinstance(await cua.log_in(External(MARY)), events.AuthenticationFailed)
        server.store.write(lambda tx: acting.allow(tx, BOB, MARY))
        assert isinstance(await cua.log_in(External(MARY)), events.Authenticated)
        cua.channel = await cua.open()
        made = create("x").replace("bob/calendar", "mary/calendar")
        assert "REQUEST-STATUS:2.0" in await cua.ask(made)

    play(tmp_path, scene, client_ca=str(authority))


def test_UPN06_only_the_fields_that_are_configured_count(tmp_path: Path) -> None:
    authority, files = client_certificates(tmp_path, BOB)

    async def scene(server: Server) -> None:
        cua = await secured(server, _context(*files[BOB]))
        assert isinstance(await cua.log_in(External()), events.AuthenticationFailed)

    play(tmp_path, scene, client_ca=str(authority), identity_from="san-uri")
