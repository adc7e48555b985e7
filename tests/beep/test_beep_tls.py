"""The TLS tuning profile (RFC 3080 §3, §9, checklist BT-01 … BT-05, BT-07)."""

from typing import Any

import pytest
from beep_pair import CAP, ECHO, GREETING, XML, Pair, Raw, one

from kalends.beep import TLS_PROFILE, LocalProtocolError, ProfileOffer, Role, Security
from kalends.beep.events import (
    GreetingReceived,
    MessageReceived,
    SessionTerminated,
    StartRefused,
    TlsRefused,
    TlsUpgrade,
)

TLS_ONLY = Security(tls=True, require_privacy=True)
READY = f"<start number='1'><profile uri='{TLS_PROFILE}'><![CDATA[<ready />]]></profile></start>"


def secure(pair: Pair, **kwargs: Any) -> None:
    """Bring a pair through TLS."""
    pair.initiator.start_tls("a.test")
    pair.run()
    assert one(pair.at_listener, TlsUpgrade) == TlsUpgrade(True, "a.test")
    assert one(pair.at_initiator, TlsUpgrade) == TlsUpgrade(False, "a.test")
    pair.listener.tls_established(1.0, **kwargs)
    pair.initiator.tls_established(1.0)
    pair.run()


def test_bt01_tls_closes_everything_and_both_greet_anew() -> None:
    pair = Pair(listener={"security": TLS_ONLY})
    before = pair.initiator.peer_greeting
    secure(pair)
    assert [type(e) for e in pair.at_initiator] == [type(e) for e in pair.at_listener] == [GreetingReceived]
    assert pair.initiator.private
    assert pair.listener.private
    assert before is not None
    assert before.profiles == (TLS_PROFILE,)
    assert pair.initiator.peer_greeting == GreetingReceived((ECHO, CAP), (), ("i-default", "en"))
    assert pair.channel() == 1


def test_bt01_sequence_and_message_numbers_begin_at_0_again() -> None:
    pair = Pair(listener={"security": TLS_ONLY})
    pair.initiator.start_tls()
    pair.run()
    pair.listener.tls_established(1.0)
    assert pair.listener.data_to_send().startswith(b"RPY 0 0 . 0 ")


def test_bt02_pending_replies_go_before_proceed() -> None:
    raw = Raw(security=Security(tls=True))
    raw.open(1)
    raw.send("MSG", 1, 0, ".", b"slow")
    raw.control(2, READY.replace("'1'", "'3'"))
    assert raw.sent == b""
    raw.session.send_reply(1, 0, b"done")
    data = raw.session.data_to_send()
    assert data.index(b"RPY 1 0 . 0 4") < data.index(b"<proceed />")
    assert one(raw.session.take_events(), TlsUpgrade).server_side


def test_bt02_proceed_is_the_last_octet_in_clear() -> None:
    raw = Raw(security=TLS_ONLY)
    raw.control(1, READY)
    assert raw.sent.endswith(b"</profile>\r\nEND\r\n")
    assert raw.session.data_to_send() == b""


def test_bt02_octets_pipelined_behind_ready_end_the_session() -> None:
    """The STARTTLS injection: a command slipped in before the handshake must never be executed after it."""
    raw = Raw(security=TLS_ONLY)
    data = raw.make("MSG", 0, 1, ".", XML + READY.encode())
    injected = raw.make("MSG", 0, 2, ".", XML + f"<start number='3'><profile uri='{ECHO}'/></start>".encode())
    raw.events = raw.session.receive_data(data + injected, 0.0)
    raw.sent = raw.session.data_to_send()
    assert raw.dead


def test_bt02_octets_after_proceed_end_the_session_too() -> None:
    raw = Raw(security=TLS_ONLY)
    raw.control(1, READY)
    raw.deliver(b"S")
    assert raw.dead


def test_bt02_initiator_drops_the_session_when_something_follows_proceed() -> None:
    raw = Raw(Role.INITIATOR)
    raw.session.start_tls()
    raw.session.data_to_send()
    proceed = raw.make(
        "RPY", 0, 1, ".", XML + f"<profile uri='{TLS_PROFILE}'>&lt;proceed/></profile>".encode()
    )
    raw.deliver(proceed + raw.make("MSG", 0, 0, ".", b"injected"))
    assert raw.dead


def test_bt02_the_asker_is_silent_until_it_has_its_answer() -> None:
    raw = Raw(Role.INITIATOR, profiles=[ECHO])
    raw.session.start_tls()
    assert b"<ready />" in raw.session.data_to_send()
    raw.control(0, f"<start number='2'><profile uri='{ECHO}'/></start>")
    raw.session.accept_start(2, ECHO)
    assert raw.session.data_to_send() == b""
    with pytest.raises(LocalProtocolError):
        raw.session.start_channel([ProfileOffer(ECHO)])
    raw.send("ERR", 0, 1, ".", XML + b"<error code='550'>no</error>")
    assert one(raw.events, TlsRefused) == TlsRefused(550, "no")
    assert b"RPY 0 0 . " in raw.sent


def test_bt02_tls_needs_a_quiet_session() -> None:
    pair = Pair(listener={"security": Security(tls=True)})
    pair.channel()
    with pytest.raises(LocalProtocolError):
        pair.initiator.start_tls()


@pytest.mark.parametrize(
    ("ready", "code"),
    [
        ('<ready version="oops"/>', 501),
        ('<ready version=""/>', 501),
        ('<ready version="9"/>', 504),
        ("<ready>text</ready>", 501),
        ("<steady/>", 501),
        ("not xml", 500),
    ],
)
def test_bt03_bad_ready_is_a_positive_reply_with_an_error_inside(ready: str, code: int) -> None:
    raw = Raw(security=TLS_ONLY)
    answer = raw.control(
        1, f"<start number='1'><profile uri='{TLS_PROFILE}'><![CDATA[{ready}]]></profile></start>"
    )
    assert answer.startswith(b"RPY 0 1 . ")
    assert f"<![CDATA[<error code='{code}'>".encode() in answer
    raw.send("MSG", 1, 0, ".", XML + b"<ready version='1.2'/>")
    assert raw.sent.startswith(b"RPY 1 0 . ")
    assert b"<proceed />" in raw.sent
    assert one(raw.events, TlsUpgrade)


@pytest.mark.parametrize("version", ["1", "1.0", "1.2", "1.3"])
def test_bt03_versions_we_can_satisfy(version: str) -> None:
    raw = Raw(security=TLS_ONLY)
    raw.control(1, READY.replace("<ready", f'<ready version="{version}"'))
    assert one(raw.events, TlsUpgrade)


def test_bt03_ready_as_a_msg_on_the_channel() -> None:
    raw = Raw(security=TLS_ONLY)
    assert raw.control(1, f"<start number='1'><profile uri='{TLS_PROFILE}'/></start>").startswith(b"RPY 0 1")
    raw.send("MSG", 1, 0, ".", XML + b"<ready version='oops'/>")
    assert raw.sent.startswith(b"ERR 1 0 . ")
    raw.send("MSG", 1, 1, ".", b"\r\n<ready/>")
    assert raw.sent.startswith(b"RPY 1 1 . ")


def test_bt03_initiator_copes_with_a_peer_that_left_ready_unanswered() -> None:
    raw = Raw(Role.INITIATOR)
    raw.session.start_tls()
    raw.session.data_to_send()
    raw.send("RPY", 0, 1, ".", XML + f"<profile uri='{TLS_PROFILE}'/>".encode())
    assert raw.sent.startswith(b"MSG 1 0 . 0 ")
    raw.send("RPY", 1, 0, ".", b"\r\n<proceed/>")
    assert one(raw.events, TlsUpgrade) == TlsUpgrade(False, None)


def test_bt03_an_error_inside_the_profile_refuses_tls_and_the_channel_is_closed() -> None:
    raw = Raw(Role.INITIATOR)
    raw.session.start_tls()
    raw.session.data_to_send()
    xml = f"<profile uri='{TLS_PROFILE}'><![CDATA[<error code='501'>bad</error>]]></profile>"
    raw.send("RPY", 0, 1, ".", XML + xml.encode())
    assert one(raw.events, TlsRefused) == TlsRefused(501, "bad")
    assert b"<close number='1' code='200'" in raw.sent
    raw.send("RPY", 0, 2, ".", XML + b"<ok/>")
    assert raw.events == []
    assert not raw.session.terminated


@pytest.mark.parametrize("content", ["&lt;what/>", "x", "&lt;proceed>no&lt;/proceed>"])
def test_bt03_nonsense_in_answer_to_ready_ends_the_session(content: str) -> None:
    raw = Raw(Role.INITIATOR)
    raw.session.start_tls()
    raw.session.data_to_send()
    raw.send("RPY", 0, 1, ".", XML + f"<profile uri='{TLS_PROFILE}'>{content}</profile>".encode())
    assert raw.dead


def test_bt04_what_was_learnt_in_clear_is_forgotten() -> None:
    pair = Pair(listener={"security": TLS_ONLY})
    pair.initiator.start_tls("a.test")
    pair.run()
    assert pair.listener.server_name == "a.test"
    pair.listener.tls_established(1.0)
    pair.initiator.tls_established(1.0)
    assert pair.listener.server_name is None
    assert pair.initiator.peer_greeting is None


def test_bt05_without_privacy_application_profiles_are_refused_with_538() -> None:
    pair = Pair(listener={"security": TLS_ONLY})
    number = pair.initiator.start_channel([ProfileOffer(CAP)])
    pair.run()
    assert pair.at_initiator == [StartRefused(number, 538, "start TLS first")]


def test_bt05_a_failed_handshake_ends_the_session() -> None:
    pair = Pair(listener={"security": TLS_ONLY})
    pair.initiator.start_tls()
    pair.run()
    pair.listener.tls_failed(1.0, "no shared cipher")
    assert "no shared cipher" in str(one(pair.listener.take_events(), SessionTerminated).error)
    with pytest.raises(LocalProtocolError):
        pair.listener.tls_established(1.0)


def test_bt07_no_tls_once_private_or_authenticated() -> None:
    pair = Pair(listener={"security": Security(tls=True, mechanisms=("ANONYMOUS",))})
    raw = Raw(security=Security(tls=True, mechanisms=("ANONYMOUS",)))
    raw.control(
        1, "<start number='1'><profile uri='http://iana.org/beep/SASL/ANONYMOUS'>&lt;blob/></profile></start>"
    )
    assert b"<blob status='complete' />" in raw.sent
    assert b"<error code='550'>" in raw.control(2, READY.replace("'1'", "'3'"))
    secure(pair)
    with pytest.raises(LocalProtocolError):
        pair.initiator.start_tls()
    greeting = pair.initiator.peer_greeting
    assert greeting is not None
    assert TLS_PROFILE not in greeting.profiles


def test_tls_not_offered_is_550() -> None:
    raw = Raw()
    assert b"<error code='550'>" in raw.control(1, READY)


def test_a_second_tuning_channel_has_to_wait() -> None:
    raw = Raw(security=Security(tls=True))
    raw.open(1)
    raw.send("MSG", 1, 0, ".", b"slow")
    assert one(raw.events, MessageReceived)
    raw.events = raw.session.receive_data(
        raw.make("MSG", 0, 2, ".", XML + READY.replace("'1'", "'3'").encode()), 0
    )
    assert raw.events == []
    raw.deliver(raw.make("MSG", 0, 3, ".", GREETING))
    assert raw.dead
