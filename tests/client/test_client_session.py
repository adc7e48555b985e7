"""The client's session against a scripted server: introduction, trust, identity, commands, both shells."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from client_peer import (
    PASSWORD,
    SECRET,
    Answer,
    Listening,
    Peer,
    answers,
    listening,
    make_certificate,
    reply,
    text,
)

from kalends.beep import Security, Session
from kalends.beep import events as beep
from kalends.client import (
    Address,
    AuthError,
    ConnectError,
    DuplicateError,
    LostError,
    Options,
    RefusedError,
    ReplyError,
    TimedOutError,
    Trust,
    TrustError,
    commands,
    connect,
    connect_async,
)
from kalends.client.session import CapSession, Stage
from kalends.client.trust import fingerprint

EVENT = "BEGIN:VEVENT\nUID:a@b\nDTSTART:20260301T100000Z\nSUMMARY:One\nEND:VEVENT"
LOOSE = Security(mechanisms=("SCRAM-SHA-256", "PLAIN"), secret=SECRET)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def secured(
    script: list[Answer], certificate: tuple[Path, Path]
) -> contextlib.AbstractContextManager[Listening]:
    return listening(lambda: Peer(list(script)), certificate)


def plain(*script: Answer) -> contextlib.AbstractContextManager[Listening]:
    return listening(lambda: Peer(list(script), security=LOOSE))


def pump(session: CapSession, peer: Peer) -> None:
    """Carry octets in memory until both are silent."""
    for _ in range(200):
        down = peer.send()
        if down:
            session.receive_data(down, 0.0)
        up = b"" if session.beep.terminated else session.data_to_send()
        if up:
            peer.handle(peer.session.receive_data(up, 0.0))
        if not up and not down:
            return
    raise AssertionError("the two never fell silent")


def in_memory(*script: Answer, **settings: Any) -> tuple[CapSession, Peer]:
    options = Options(**({"user": "amira", "password": PASSWORD, "tls": False} | settings))
    session, peer = CapSession(Address("cal.example.com"), options, 0.0), Peer(list(script), security=LOOSE)
    pump(session, peer)
    return session, peer


def test_the_introduction_goes_by_the_rfc() -> None:
    """SES-07, SES-08, SES-10, CAP-01, CAP-02; RFC 4324 §12.1, §10.7."""
    session, peer = in_memory()
    assert session.ready
    assert peer.session.peer_greeting is not None
    assert peer.session.peer_greeting.localize == ("en", "i-default")
    assert peer.session.server_name == "cal.example.com"
    assert [peer.verb(number) for number in range(len(peer.commands))] == ["GET-CAPABILITY"]
    assert "multipart" not in peer.commands[0]
    [told] = peer.replies
    for name in [
        "CAP-VERSION",
        "CAR-LEVEL",
        "COMPONENTS",
        "STORES-EXPANDED",
        "MAXDATE",
        "MINDATE",
        "ITIP-VERSION",
        "MAX-COMP-SIZE",
        "MULTIPART",
        "QUERY-LEVEL",
        "RECUR-ACCEPTED",
        "RECUR-EXPAND",
        "RECUR-LIMIT",
    ]:
        assert f"\r\n{name}:" in told
    assert "CMD;ID=s1:REPLY" in told


def test_tls_is_never_left_out_silently() -> None:
    """A server without TLS in its greeting gets nothing: no user name, no password."""
    session, peer = in_memory(tls=True)
    assert isinstance(session.failure, ConnectError)
    assert "no TLS" in str(session.failure)
    assert not any(isinstance(event, beep.CredentialsWanted) for event in peer.seen)


def test_plain_is_not_used_without_tls() -> None:
    session, _peer = in_memory(mechanism="PLAIN")
    assert isinstance(session.failure, AuthError)
    assert PASSWORD not in repr(session.failure)
    assert PASSWORD not in repr(session.options)


def test_a_wrong_password_is_an_auth_error() -> None:
    session, _ = in_memory(password="wrong")
    assert isinstance(session.failure, AuthError)
    assert session.failure.code == 535


def test_without_a_password_it_says_what_is_missing() -> None:
    session, _ = in_memory(password=None)
    assert isinstance(session.failure, AuthError)
    assert "a password is needed" in str(session.failure)


def test_where_nobody_may_be_anonymous_a_name_is_asked_for() -> None:
    session, _ = in_memory(user=None, password=None)
    assert isinstance(session.failure, AuthError)
    assert "name a user" in str(session.failure)


def test_a_server_that_cannot_look_up_passwords_does_not_make_them_wrong(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """RFC 3080 §8: 454 is a temporary authentication failure; the server may send no words with it."""
    monkeypatch.setattr(
        Session, "provide_credentials", lambda session, channel, _: session.refuse_credentials(channel)
    )
    session, _ = in_memory()
    assert isinstance(session.failure, AuthError)
    assert session.failure.code == 454
    assert "try again later" in str(session.failure)
    assert "password are wrong" not in str(session.failure)


def test_anonymous_needs_no_user() -> None:
    """UPN-03; RFC 4324 §12.3."""
    options = Options(tls=False)
    session = CapSession(Address("x"), options, 0.0)
    peer = Peer([], security=Security(mechanisms=("ANONYMOUS",), secret=SECRET))
    pump(session, peer)
    assert (session.ready, session.upn) == (True, "@")


@pytest.mark.parametrize(("act_as", "upn"), [("", None), ("bruno", "bruno")])
def test_upn_06_whom_a_certificate_names_is_not_known_here(act_as: str, upn: str | None) -> None:
    """UPN-06; RFC 4422 appendix A: the server alone knows; it is not the anonymous user."""
    options = Options(tls=False, act_as=act_as, trust=Trust(certificate="ours.pem", key="ours.key"))
    session = CapSession(Address("x"), options, 0.0)
    vouched = Security(
        mechanisms=("EXTERNAL",), private=True, external_identity=act_as or "amira@example.com"
    )
    pump(session, Peer([], security=vouched))
    assert (session.ready, session.upn) == (True, upn)


@pytest.mark.parametrize(("mechanisms", "upn"), [(("ANONYMOUS",), "@"), ((), "@")])
def test_upn_03_without_a_name_a_session_is_anonymous(mechanisms: tuple[str, ...], upn: str) -> None:
    """UPN-03; RFC 4324 §4.3: by SASL, or where the server wants none."""
    session = CapSession(Address("x"), Options(tls=False), 0.0)
    pump(session, Peer([], security=Security(mechanisms=mechanisms, secret=SECRET)))
    assert (session.ready, session.upn) == (True, upn)


def test_idn_01_the_client_knows_as_whom_it_acts() -> None:
    """RFC 4324 §10.8: as whom IDENTIFY says, and without a name as oneself again; a refusal changes nothing."""
    script = [
        answers(reply("k2", "", "REQUEST-STATUS:2.0")),
        answers(reply("k3", "", "REQUEST-STATUS:6.4;no")),
        answers(reply("k4", "", "REQUEST-STATUS:2.0")),
    ]
    with plain(*script) as server, connect(server.url, **login(tls=False)) as client:
        client.identify("bruno@example.com")
        assert client.upn == "bruno@example.com"
        with pytest.raises(RefusedError):
            client.identify("chiara@example.com")
        assert client.upn == "bruno@example.com"
        client.identify()
        assert client.upn == "amira"


def test_commands_of_the_server_that_make_no_sense_get_9_0() -> None:
    session, peer = in_memory()
    [channel] = peer.session.channels
    peer.session.send_message(channel, text("BEGIN:VCALENDAR\nCMD;ID=x:DELETE\nEND:VCALENDAR"))
    pump(session, peer)
    assert "REQUEST-STATUS:9.0" in peer.replies[-1]
    assert "CMD;ID=x:REPLY" in peer.replies[-1]


@pytest.mark.parametrize(("goes_on", "verb"), [(True, "CONTINUE"), (False, "ABORT"), (None, "ABORT")])
def test_timeout_is_answered_as_the_caller_decides(goes_on: bool | None, verb: str) -> None:
    """LAT-02, A-39 (a): CONTINUE or ABORT is the RPY to TIMEOUT; RFC 4324 §10.1.1."""
    asked: list[str] = []

    def decide(command_id: str) -> bool:
        asked.append(command_id)
        return bool(goes_on)

    def slow(peer: Peer, event: beep.MessageReceived) -> None:
        peer.session.send_message(event.channel, text("BEGIN:VCALENDAR\nCMD;ID=k2:TIMEOUT\nEND:VCALENDAR"))

    session, peer = in_memory(slow, latency=3, on_timeout=None if goes_on is None else decide)
    session.send(commands.search("SELECT * FROM VEVENT", ("cal",)))
    pump(session, peer)
    action = "ABORT" if goes_on is None else "ASK"
    assert f"CMD;ID=k2;LATENCY=3;ACTION={action}:SEARCH" in peer.commands[-1]
    assert f"CMD;ID=k2:{verb}" in peer.replies[-1]
    assert asked == ([] if goes_on is None else ["k2"])


def test_an_answer_beyond_the_limit_is_an_error_of_that_command_only() -> None:
    big = reply("k2", "cal", "X-A:" + "a" * 70, *["X-B:" + "b" * 60] * 200)
    session, peer = in_memory(answers(big), answers(reply("k3", "", "UID:1")), max_answer=8192)
    exchange = session.send(commands.search("SELECT * FROM VEVENT", ("cal",)))
    pump(session, peer)
    assert isinstance(exchange.error, ReplyError)
    assert session.ready
    after = session.send(commands.generate_uid(1))
    pump(session, peer)
    assert after.done
    assert after.error is None


def test_a_session_that_breaks_off_fails_what_is_under_way() -> None:
    session, peer = in_memory(lambda _peer, _event: None)
    exchange = session.send(commands.generate_uid(1))
    pump(session, peer)
    session.receive_data(b"", 1.0)
    assert isinstance(exchange.error, LostError)
    assert session.stage is Stage.OVER
    with pytest.raises(LostError):
        session.send(commands.generate_uid(1))


def test_what_is_no_cap_server_is_named_so() -> None:
    session = CapSession(Address("web"), Options(), 0.0)
    session.receive_data(b"HTTP/1.1 400 Bad Request\r\n\r\n", 0.0)
    assert isinstance(session.failure, ConnectError)
    assert "no CAP server" in str(session.failure)


# -- the shells ---------------------------------------------------------------------------------------------


def login(**more: Any) -> dict[str, Any]:
    return {"user": "amira", "password": PASSWORD, "connect_timeout": 10.0, "timeout": 10.0} | more


def test_blocking_shell_over_tls(certificate: tuple[Path, Path]) -> None:
    script = [
        answers(reply("k2", "", "UID:u1", "UID:u2", "REQUEST-STATUS:2.0")),
        answers(reply("k3", "cal", "UID:a@b", "REQUEST-STATUS:2.0")),
        answers(reply("k4", "cal", EVENT, "REQUEST-STATUS:2.0"), reply("k4", "other", EVENT)),
        answers(reply("k5", "cal", "UID:a@b", "REQUEST-STATUS:8.5;taken")),
    ]
    with (
        secured(script, certificate) as server,
        connect(server.url, **login()) as client,
    ):
        assert client.upn == "amira"
        assert client.generate_uids(2) == ["u1", "u2"]
        assert [outcome.id_value for outcome in client.create(EVENT.replace("\n", "\r\n"), "cal")] == ["a@b"]
        found = list(client.search("SELECT * FROM VEVENT", "cal", "other"))
        assert [(one.target, one.component.value("SUMMARY")) for one in found] == [
            ("cal", "One"),
            ("other", "One"),
        ]
        with pytest.raises(DuplicateError, match="taken"):
            client.create(EVENT, "cal")
    assert server.peers[0].session.private
    assert any(isinstance(event, beep.ReleaseRequested) for event in server.peers[0].seen)


def test_asyncio_shell_over_tls_with_many_tasks_on_one_session(certificate: tuple[Path, Path]) -> None:
    script = [answers(reply(f"k{n}", "", f"UID:u{n}", "REQUEST-STATUS:2.0")) for n in range(2, 22)]

    async def go(url: str) -> list[list[str]]:
        async with connect_async(url, **login()) as client:
            return await asyncio.gather(*(client.generate_uids(1) for _ in range(20)))

    with secured(script, certificate) as server:
        uids = asyncio.run(go(server.url))
    assert uids == [[f"u{n}"] for n in range(2, 22)]


def test_asyncio_search_streams_answers_and_says_refusals_last() -> None:
    first, second = reply("k2", "cal", EVENT), reply("k2", "gone", "REQUEST-STATUS:6.1;none")

    async def go(url: str) -> list[str]:
        seen: list[str] = []
        async with connect_async(url, **login(tls=False)) as client:
            try:
                async for found in client.search("SELECT * FROM VEVENT", "cal", "gone"):
                    seen.append(found.target)  # noqa: PERF401  what came before the error is the point
            except RefusedError as error:
                seen.append(str(error))
        return seen

    with plain(answers(first, second)) as server:
        assert asyncio.run(go(server.url)) == ["cal", "gone: none (6.1)"]


def test_leaving_a_search_early_does_not_disturb_the_next_command() -> None:
    many = [reply("k2", f"c{n}", EVENT) for n in range(50)]
    script = (answers(*many), answers(reply("k3", "", "UID:u", "REQUEST-STATUS:2.0")))
    with plain(*script) as server, connect(server.url, **login(tls=False)) as client:
        for found in client.search("SELECT * FROM VEVENT", *(f"c{n}" for n in range(50))):
            assert found.target == "c0"
            break
        assert client.generate_uids(1) == ["u"]


def test_a_large_answer_passes_through_windows_and_iterators() -> None:
    """QRY results of a few MiB: windows are re-opened, components parsed one by one."""
    events = [f"BEGIN:VEVENT\nUID:{n}\nDESCRIPTION:{'x' * 60}\nEND:VEVENT" for n in range(20_000)]
    big = reply("k2", "cal", *events, "REQUEST-STATUS:2.0")
    with plain(answers(big)) as server, connect(server.url, **login(tls=False)) as client:
        count = 0
        for found in client.search("SELECT * FROM VEVENT", "cal"):
            assert found.component.value("UID") == str(count)
            count += 1
    assert count == 20_000


def test_silence_ends_in_a_timeout() -> None:
    with plain(lambda _peer, _event: None) as server:
        client = connect(server.url, **login(tls=False, timeout=0.05))
        with pytest.raises(TimedOutError):
            client.generate_uids(1)
        with pytest.raises(LostError):
            client.generate_uids(1)
        client.close()

    async def go(url: str) -> None:
        client = await connect_async(url, **login(tls=False, timeout=0.05))
        with pytest.raises(TimedOutError):
            await client.generate_uids(1)
        await client.close()

    with plain(lambda _peer, _event: None) as server:
        asyncio.run(go(server.url))


def test_a_peer_that_never_speaks_ends_in_a_connect_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"cap://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(ConnectError, match="in time"):
            connect(url, **login(connect_timeout=0.05))

        async def go() -> None:
            await connect_async(url, **login(connect_timeout=0.05))

        with pytest.raises(ConnectError, match="in time"):
            asyncio.run(go())


def test_nobody_there_is_a_connect_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(ConnectError, match="cannot connect"):
        connect(f"cap://127.0.0.1:{port}", **login())


# -- trust --------------------------------------------------------------------------------------------------


def test_loopback_is_trusted_on_first_use_and_watched_afterwards(
    certificate: tuple[Path, Path], tmp_path: Path
) -> None:
    told: list[str] = []
    store = tmp_path / "known"
    trust = Trust(known_servers=store, notice=told.append)
    with secured([], certificate) as server:
        connect(server.url, **login(trust=trust)).close()
        connect(server.url, **login(trust=trust)).close()
        assert len(told) == 1
        assert store.read_text().startswith(f"127.0.0.1:{server.port} SHA256:")
        assert store.stat().st_mode & 0o077 == 0
        store.write_text(f"127.0.0.1:{server.port} SHA256:{'0' * 64}\n")
        with pytest.raises(TrustError, match="has changed") as caught:
            connect(server.url, **login(trust=trust))
        assert str(store) in str(caught.value)
        assert not any(isinstance(event, beep.CredentialsWanted) for event in server.peers[-1].seen)


def test_hosts_that_share_an_address_are_remembered_apart(
    certificate: tuple[Path, Path], tmp_path: Path
) -> None:
    """RFC 3080 §2.3.1.2: serverName chooses among them, and each has a certificate of its own."""
    store = tmp_path / "known"
    trust = Trust(known_servers=store)
    with secured([], certificate) as server:
        store.write_text(f"127.0.0.1:{server.port} SHA256:{'0' * 64}\n")  # that of another host there
        connect(server.url, **login(trust=trust, server_name="b.test")).close()
        connect(server.url, **login(trust=trust, server_name="b.test")).close()
        assert len(store.read_text().splitlines()) == 2
        assert f"127.0.0.1:{server.port}/b.test SHA256:" in store.read_text()


def test_a_pinned_fingerprint_decides(certificate: tuple[Path, Path]) -> None:
    shown = fingerprint(ssl.PEM_cert_to_DER_cert(certificate[0].read_text()))
    with secured([], certificate) as server:
        spelt = shown.removeprefix("SHA256:").upper()
        connect(server.url, **login(fingerprint=":".join(spelt[i : i + 2] for i in range(0, 64, 2)))).close()
        with pytest.raises(TrustError, match="another certificate"):
            connect(server.url, **login(fingerprint="0" * 64))
    with pytest.raises(ConnectError, match="64 hexadecimal"):
        connect(server.url, **login(fingerprint="12"))


def test_authorities_and_names_are_checked(certificate: tuple[Path, Path]) -> None:
    with secured([], certificate) as server:
        ca = str(certificate[0])
        connect(server.url, **login(ca_file=ca, server_name="localhost")).close()
        with pytest.raises(TrustError, match="not trusted"):
            connect(server.url, **login(ca_file=ca, server_name="elsewhere.example"))
        with pytest.raises(ConnectError, match="certificate files"):
            connect(server.url, **login(ca_file="/nonexistent"))


def test_a_stranger_is_judged_by_the_systems_authorities() -> None:
    plan = Trust(known_servers=Path("/nonexistent/x")).plan(Address("cal.example.com"))
    assert plan.authorities
    assert replace(Trust(first_use=True)).plan(Address("cal.example.com")).expected is None


@pytest.mark.parametrize(
    ("url", "host", "port", "user"),
    [
        ("cap://cal.example.com", "cal.example.com", 1026, None),
        ("cap://amira@cal.example.com:2000/x/y", "cal.example.com", 2000, "amira"),
        ("cal.example.com:99", "cal.example.com", 99, None),
        ("cap://[::1]:7", "::1", 7, None),
    ],
)
def test_cap_urls(url: str, host: str, port: int, user: str | None) -> None:
    address = Address.parse(url)
    assert (address.host, address.port, address.user) == (host, port, user)
    assert str(address).endswith(f":{port}")


@pytest.mark.parametrize("url", ["http://x", "cap://", "cap://u:p@x", "cap://x:99999", "cap://a b"])
def test_what_is_no_cap_url(url: str) -> None:
    with pytest.raises(ConnectError):
        Address.parse(url)


def test_plain_is_used_under_tls_where_the_server_knows_nothing_better(
    certificate: tuple[Path, Path],
) -> None:
    security = Security(tls=True, mechanisms=("PLAIN",), secret=SECRET)
    with listening(lambda: Peer([], security=security), certificate) as server:
        with connect(server.url, **login()) as client:
            assert client.upn == "amira"
        with pytest.raises(AuthError, match="no common way"):
            connect(server.url, **login(mechanism="SCRAM-SHA-256"))
    asked = [event for event in server.peers[0].seen if isinstance(event, beep.CredentialsWanted)]
    assert [event.mechanism for event in asked] == ["PLAIN"]


def test_acting_as_somebody_else_is_said_to_the_server() -> None:
    _, peer = in_memory(act_as="bruno@example.com")
    [asked] = [event for event in peer.seen if isinstance(event, beep.CredentialsWanted)]
    assert (asked.authcid, asked.authzid) == ("amira", "bruno@example.com")


def test_tasks_that_do_not_take_their_answers_stop_the_reading() -> None:
    """Answers nobody takes do not pile up without bound; whoever waits is served nevertheless."""
    bulk = [reply("k2", f"c{n}", "X-A:" + "a" * 60, *["X-B:" + "b" * 60] * 1000) for n in range(40)]
    script = (answers(*bulk), answers(reply("k3", "", "UID:u", "REQUEST-STATUS:2.0")))

    async def go(url: str) -> tuple[int, list[str]]:
        from kalends.client import aio

        aio.HIGH_WATER, before = 100_000, aio.HIGH_WATER
        try:
            async with connect_async(url, **login(tls=False)) as client:
                found = client.search("SELECT * FROM VEVENT", *(f"c{n}" for n in range(40)))
                first = await anext(found)
                assert first.target == "c0"
                uids = await client.generate_uids(1)
                return 1 + len([one async for one in found]), uids
        finally:
            aio.HIGH_WATER = before

    with plain(*script) as server:
        assert asyncio.run(go(server.url)) == (40, ["u"])


def test_a_large_create_goes_in_several_commands_and_keeps_objects_whole() -> None:
    """SES-23: MAX-COMP-SIZE also bounds what is sent; RFC 4324 §8.19."""
    zone = "BEGIN:VTIMEZONE\r\nTZID:Z\r\nEND:VTIMEZONE\r\n"
    parts = [f"BEGIN:VEVENT\r\nUID:{n % 50}\r\nX-N:{n}\r\nEND:VEVENT\r\n" for n in range(100)]
    whole = f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nMETHOD:PUBLISH\r\n{zone}{''.join(parts)}END:VCALENDAR\r\n"
    sent = commands.create(whole, ("cal",), 1000)
    assert len(sent) > 3
    payloads = [one.payload("k").decode() for one in sent]
    assert all(zone in payload and "METHOD:PUBLISH" in payload for payload in payloads)
    assert all(len(payload) < 1500 for payload in payloads)
    for uid in range(50):
        assert [
            payload.count(f"\r\nUID:{uid}\r\n") for payload in payloads if f"\r\nUID:{uid}\r\n" in payload
        ] == [2]
    assert len(commands.create(whole, ("cal",))) == 1


@pytest.mark.parametrize("bad", ["", "a\r\nTARGET:b", "a\x00"])
def test_nothing_smuggles_lines_into_a_command(bad: str) -> None:
    for build in (
        lambda: commands.search("SELECT * FROM VEVENT", (bad,)),
        lambda: commands.identify(bad),
        lambda: commands.move("SELECT * FROM VEVENT", "cal", source=bad),
        lambda: commands.vquery(bad.replace("\r\n", "\x0b")),
    ):
        with pytest.raises(ValueError, match="one line of text"):
            build()
    assert commands.vquery("SELECT *\r\n FROM VEVENT").value("QUERY") == "SELECT * FROM VEVENT"
