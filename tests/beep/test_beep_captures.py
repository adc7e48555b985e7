"""Recorded sessions of libvortex 1.1.20 replayed against both roles; where it deviates, the RFC wins."""

import ast
import base64
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kalends.beep import (
    Anonymous,
    External,
    Plain,
    ProfileOffer,
    Role,
    Security,
    Session,
    management,
)
from kalends.beep.events import (
    CloseRequested,
    CredentialsWanted,
    Event,
    MessageReceived,
    ProtocolError,
    ReleaseRequested,
    SessionTerminated,
    StartRequested,
    TlsUpgrade,
    VerifyPlain,
)
from kalends.beep.frames import match_header
from kalends.beep.management import Close, Start
from kalends.beep.scram import ScramError, ScramServer, make_verifier, read_verifier

CAPTURES = Path(__file__).parent / "captures"
PROFILES = [
    "urn:x-test:echo",
    "urn:x-test:ans",
    "urn:x-test:err",
    "urn:x-test:refuse",
    "http://iana.org/beep/cap/1.0",
]
VERIFIER = make_verifier("secret", salt=b"0123456789abcdef", iterations=4096)
SECURITY = Security(
    tls=True,
    mechanisms=("PLAIN", "ANONYMOUS", "EXTERNAL", "SCRAM-SHA-256"),
    private=True,
    external_identity="bob",
    iterations=4096,
    secret=b"0123456789abcdef",
)
IN_CLEAR = Security(tls=True)


def octets(text: str) -> bytes:
    return ast.literal_eval("b'" + text.replace("'", "\\'") + "'") if text else b""


def read(name: str) -> Iterator[tuple[str, bytes]]:
    """Direction and octets of each line of a capture."""
    for line in (CAPTURES / f"{name}.txt").read_text().splitlines():
        if line.startswith((">", "<")):
            match = re.fullmatch(r"([<>])(?: [0-9.]+ ([0-9]+))? ?(.*)", line)
            assert match is not None
            data = octets(match[3])
            assert match[2] is None or int(match[2]) == len(data)
            yield match[1], data


def serve(session: Session, events: list[Event]) -> None:
    """What libvortex's test listener did: echo, agree to everything."""
    for event in events:
        if isinstance(event, StartRequested):
            offer = event.profiles[0]
            session.accept_start(event.channel, offer.uri, b"echo:" + offer.content)
        elif isinstance(event, MessageReceived):
            session.send_reply(event.channel, event.msgno, event.payload)
        elif isinstance(event, CloseRequested):
            session.accept_close(event.channel)
        elif isinstance(event, ReleaseRequested):
            session.accept_release()
        elif isinstance(event, CredentialsWanted):
            session.provide_credentials(event.channel, VERIFIER if event.authcid == "bob" else None)
        elif isinstance(event, VerifyPlain):
            session.finish_verify(event.channel, event.work.run())


def listen(name: str, security: Security) -> tuple[str, bytes]:
    """Replay the initiator's half; returns a summary of events and all octets answered."""
    session = Session(Role.LISTENER, profiles=PROFILES, security=security)
    seen: list[Event] = []
    sent = session.data_to_send()
    for direction, data in read(name):
        if direction == ">" and not any(isinstance(e, TlsUpgrade) for e in seen):
            events = session.receive_data(data, 0.0)
            while events:
                seen += events
                serve(session, events)
                events = session.take_events()
            sent += session.data_to_send()
            seen += session.take_events()
    return summary(seen), sent


SHORT = {
    "GreetingReceived": "greeting",
    "StartRequested": "start",
    "ChannelStarted": "started",
    "MessageReceived": "msg",
    "ReplyReceived": "rpy",
    "ErrorReceived": "err",
    "AnswerReceived": "ans",
    "CloseRequested": "close",
    "ChannelClosed": "closed",
    "ReleaseRequested": "release",
    "SessionReleased": "released",
    "CredentialsWanted": "who",
    "VerifyPlain": "verify",
    "AuthenticationFailed": "denied",
    "TlsUpgrade": "tls",
    "StartRefused": "refused",
}


def summary(events: list[Event]) -> str:
    """Names of events; a terminated session is "dead" if the peer is to blame, else "eof"."""
    words = []
    for event in events:
        if isinstance(event, SessionTerminated):
            words.append("dead" if isinstance(event.error, ProtocolError) else "eof")
        else:
            words.append(SHORT.get(type(event).__name__, type(event).__name__))
    return " ".join(words)


ONE_CHANNEL = "greeting start msg close closed release released"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("greeting", "greeting release released"),
        ("echo", ONE_CHANNEL),
        ("piggyback", ONE_CHANNEL),
        ("ans-nul", ONE_CHANNEL),
        ("err", ONE_CHANNEL),
        ("burst", ONE_CHANNEL.replace("msg", " ".join(["msg"] * 20))),
        (
            "multi-channel",
            "greeting start msg start msg close closed start msg close closed close closed release released",
        ),
        ("refuse", "greeting start eof"),
        ("unknown-profile", "greeting eof"),
        ("sasl-PLAIN", "greeting who verify Authenticated start msg close closed release released"),
        ("sasl-PLAIN-bad", "greeting who verify denied eof"),
        ("sasl-ANONYMOUS", "greeting Authenticated start msg close closed release released"),
        ("sasl-EXTERNAL", "greeting Authenticated start msg close closed release released"),
        # its proof was made for another server's nonce
        ("sasl-SCRAM-SHA-256", "greeting who denied eof"),
        # mechanisms we do not serve: refused, the client goes on unauthenticated or leaves
        ("sasl-SCRAM-SHA-1", "greeting dead"),
        ("sasl-GSSAPI", "greeting eof"),
    ],
)
def test_as_listener_against_libvortex_as_initiator(name: str, expected: str) -> None:
    seen, _ = listen(name, SECURITY)
    assert seen == expected


@pytest.mark.parametrize("name", ["tls", "tls-sni", "tls-then-plain"])
def test_as_listener_until_the_tls_handshake(name: str) -> None:
    seen, sent = listen(name, IN_CLEAR)
    assert seen == "greeting tls"
    assert b"<![CDATA[<proceed />]]>" in sent


def test_piggybacked_content_is_answered_in_kind() -> None:
    _, sent = listen("piggyback", SECURITY)
    assert b"<profile uri='http://iana.org/beep/cap/1.0'><![CDATA[echo:hello piggyback]]></profile>" in sent


@pytest.mark.parametrize(
    ("name", "expected", "answer"),
    [
        ("bad-end", "greeting dead", b""),
        ("bad-keyword", "greeting dead", b""),
        ("bad-seqno", "greeting dead", b""),
        ("bare-lf-header", "greeting dead", b""),
        ("negative-number", "greeting dead", b""),
        ("rpy-without-msg", "greeting dead", b""),
        ("seq-on-unopened", "greeting dead", b""),
        ("size-over-window", "greeting dead", b""),
        ("msg-on-unopened-channel", "greeting dead", b""),
        ("msgno-reuse-while-pending", "greeting start dead", b""),
        ("no-greeting-just-start", "dead", b""),
        # the channel does not exist before its <profile> has been sent
        ("echo-empty-payload", "greeting start dead", b""),
        ("echo-mime-headers", "greeting start dead", b""),
        # libvortex lets these two pass; RFC 3080 §2.2.1.1: parameters that are invalid end the session
        ("extra-field-in-msg", "greeting dead", b""),
        ("huge-size", "greeting dead", b""),
        # libvortex closes; RFC 3080 §2.3.1.5: an <error> answers a poorly formed or unexpected element
        ("not-xml", "greeting", b"<error code='500'>"),
        ("unknown-element", "greeting", b"<error code='501'>"),
        # libvortex answers 554
        ("start-no-profile", "greeting", b"<error code='501'>"),
        # libvortex accepts; RFC 3080 §2.3.1.2: initiators use odd numbers, and 0 is taken
        ("even-channel-from-initiator", "greeting", b"<error code='501'>"),
        ("start-channel-0", "greeting", b"<error code='501'>"),
        ("close-unknown-channel", "greeting", b"<error code='550'>"),
        ("start-same-channel-twice", "greeting start", b"<error code='550'>"),
        ("fragmented-start", "greeting start", b"RPY 0 0 . "),
        ("pipelined-greeting-start", "greeting start", b"RPY 0 0 . "),
        ("two-profiles-first-unknown", "greeting start", b"<profile uri='urn:x-test:echo'>"),
        ("close-session", "greeting release released", b"<ok />"),
    ],
)
def test_odd_and_wrong_openings(name: str, expected: str, answer: bytes) -> None:
    session = Session(Role.LISTENER, profiles=PROFILES)
    session.data_to_send()
    seen: list[Event] = []
    sent = b""
    for direction, data in read(f"raw-{name}"):
        if direction == ">":
            events = session.receive_data(data, 0.0)
            while events:
                seen += events
                if not session.terminated:
                    serve(session, events)
                sent += session.data_to_send()
                events = session.take_events()
    sent += session.data_to_send()
    assert summary(seen) == expected
    assert answer in sent
    assert bool(answer) is bool(sent)


# -- as initiator -----------------------------------------------------------------------------------------


def frames(data: bytes) -> Iterator[tuple[bytes, int, int, bytes]]:
    """Keyword, channel, msgno and payload of each whole frame."""
    position = 0
    while position < len(data):
        match = match_header(data, position)
        assert match is not None
        end = match.end() + int(match[6])
        yield match[1], int(match[2]), int(match[3]), data[match.end() : end]
        position = end + 5


SASL: dict[str, Any] = {
    "http://iana.org/beep/SASL/ANONYMOUS": Anonymous("bob"),
    "http://iana.org/beep/SASL/EXTERNAL": External("bob"),
    "http://iana.org/beep/SASL/PLAIN": Plain("bob", "secret", "bob"),
}


def ask(session: Session, data: bytes) -> None:
    """Ask for what libvortex's initiator asked for."""
    for keyword, channel, _, payload in frames(data):
        if keyword != b"MSG":
            continue
        if channel:
            session.send_message(channel, payload)
            continue
        wish = management.read_message(payload)
        if isinstance(wish, Close):
            if wish.number:  # not close_channel: libvortex's client closes its SASL channel itself
                session._manager.close(session._link.channels[wish.number], wish.code, "")
            else:
                session.release()
            continue
        assert isinstance(wish, Start)
        offer = wish.profiles[0]
        if offer.uri in SASL:
            session.authenticate(SASL[offer.uri], wish.server_name)
        elif offer.uri.endswith("/TLS"):
            session.start_tls(wish.server_name)
        else:
            session.start_channel([ProfileOffer(offer.uri, offer.content)], wish.server_name)


def initiate(name: str, private: bool = True) -> str:
    """Do what libvortex's initiator did and replay the listener's half."""
    session = Session(Role.INITIATOR, security=Security(private=private))
    # libvortex numbers its MSGs from 0 and its first channel 3
    session._link.channels[0].next_msgno = 0
    session._manager._next_channel = 3
    seen: list[Event] = []
    for direction, data in read(name):
        if any(isinstance(e, TlsUpgrade) for e in seen) or session.terminated:
            break
        if direction == ">":
            if data:
                ask(session, data)
            session.data_to_send()
        else:
            seen += session.receive_data(data, 0.0)
        session.data_to_send()
    return summary(seen)


ECHOED = "greeting started rpy closed released"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("greeting", "greeting released"),
        ("echo", ECHOED),
        ("piggyback", ECHOED),
        ("burst", ECHOED.replace("rpy", " ".join(["rpy"] * 20))),
        ("err", "greeting started err closed released"),
        ("refuse", "greeting refused eof"),
        ("unknown-profile", "greeting refused eof"),
        # libvortex puts two octets into NUL; RFC 3080 §2.2.1.1: the session ends
        ("ans-nul", "greeting started ans ans ans ans dead"),
        ("multi-channel", "greeting started rpy started ans ans dead"),
        ("sasl-PLAIN", "greeting Authenticated started rpy closed released"),
        ("sasl-PLAIN-bad", "greeting denied eof"),
        ("sasl-ANONYMOUS", "greeting Authenticated started rpy closed released"),
        ("sasl-EXTERNAL", "greeting Authenticated started rpy closed released"),
    ],
)
def test_as_initiator_against_libvortex_as_listener(name: str, expected: str) -> None:
    assert initiate(name) == expected


@pytest.mark.parametrize("name", ["tls", "tls-sni", "tls-then-plain"])
def test_as_initiator_until_the_tls_handshake(name: str) -> None:
    assert initiate(name, private=False) == "greeting tls"


def test_the_recorded_scram_proof_is_valid() -> None:
    """libvortex's listener answered 454 to this exchange; the proof is nevertheless right."""
    data = b"".join(data for _, data in read("sasl-SCRAM-SHA-256"))
    first, challenge, final = (base64.b64decode(blob) for blob in re.findall(rb"<blob>([^<]+)</blob>", data))
    server_nonce = (
        challenge.split(b",")[0].removeprefix(b"r=").removeprefix(first.rpartition(b"r=")[2]).decode()
    )
    salt = base64.b64decode(challenge.split(b",")[1].removeprefix(b"s="))
    server = ScramServer(server_nonce)
    server.take_first(first)
    assert server.authzid == "bob"
    assert server.challenge(read_verifier(make_verifier("secret", salt=salt, iterations=4096))) == challenge
    assert server.take_final(final).startswith(b"v=")
    other = ScramServer(server_nonce)
    other.take_first(first)
    other.challenge(read_verifier(make_verifier("wrong", salt=salt, iterations=4096)))
    with pytest.raises(ScramError):
        other.take_final(final)
