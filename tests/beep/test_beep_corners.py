"""Corners of channel 0 and of the tuning channels that a hostile or odd peer can reach."""

import base64

import pytest
from beep_pair import ECHO, XML, Pair, Raw, one

from kalends.beep import (
    SASL_PREFIX,
    TLS_PROFILE,
    Anonymous,
    Limits,
    LocalProtocolError,
    ProfileOffer,
    Role,
    ScramSha256,
    Security,
    Session,
)
from kalends.beep.events import (
    AuthenticationFailed,
    ChannelClosed,
    CloseRefused,
    MessageReceived,
    ReleaseRequested,
    ReplyReceived,
    SessionReleased,
    TlsRefused,
    VerifyPlain,
)
from kalends.beep.limits import MAX_NUMBER
from kalends.beep.receiving import REMEMBER_CLOSED
from kalends.beep.verify import Verified

ALL = Security(tls=True, mechanisms=("ANONYMOUS", "SCRAM-SHA-256"), secret=b"x" * 16)


def start(number: int, uri: str, content: str = "") -> str:
    return f"<start number='{number}'><profile uri='{uri}'>{content}</profile></start>"


def tls_channel(**kwargs: object) -> Raw:
    """A listener with an idle TLS channel 1."""
    raw = Raw(security=ALL, **kwargs)  # type: ignore[arg-type]
    raw.control(1, start(1, TLS_PROFILE))
    return raw


def sasl_channel(**kwargs: object) -> Raw:
    """A listener with an idle SASL channel 1."""
    raw = Raw(security=ALL, **kwargs)  # type: ignore[arg-type]
    raw.control(1, start(1, SASL_PREFIX + "ANONYMOUS"))
    return raw


# -- tuning channels opened early and used late -----------------------------------------------------------


def test_bt07_ready_on_a_tls_channel_opened_before_authentication_is_refused_after_it() -> None:
    raw = tls_channel()
    raw.control(2, start(3, SASL_PREFIX + "ANONYMOUS", "&lt;blob/>"))
    raw.send("MSG", 1, 0, ".", XML + b"<ready/>")
    assert raw.sent.startswith(b"ERR 1 0 . ")
    assert b"code='550'" in raw.sent


def test_bt06_a_sasl_channel_opened_before_authentication_cannot_change_it() -> None:
    raw = sasl_channel()
    raw.control(2, start(3, SASL_PREFIX + "ANONYMOUS", "&lt;blob/>"))
    assert raw.session.authenticated == ""
    raw.send("MSG", 1, 0, ".", XML + b"<blob/>")
    assert raw.sent.startswith(b"ERR 1 0 . ")
    assert one(raw.events, AuthenticationFailed).code == 550


def test_tuning_channels_belong_to_the_session_not_to_the_application() -> None:
    raw = tls_channel()
    for call in (raw.session.close_channel, raw.session.pause_channel, raw.session.accept_close):
        with pytest.raises(LocalProtocolError, match="managed"):
            call(1)
    assert raw.session.channels == {}


@pytest.mark.parametrize("make", [tls_channel, sasl_channel])
def test_messages_on_tuning_channels_are_bounded(make: object) -> None:
    raw = make(limits=Limits(max_management=400))  # type: ignore[operator]
    raw.send("MSG", 1, 0, "*", b"x" * 401)
    assert raw.sent.startswith(b"ERR 1 0 . ")
    assert b"too large" in raw.sent
    raw.send("MSG", 1, 0, ".", b"")
    assert not raw.session.terminated


@pytest.mark.parametrize(("make", "body"), [(tls_channel, b"<a"), (sasl_channel, b"<a")])
def test_garbage_on_tuning_channels_is_answered(make: object, body: bytes) -> None:
    raw = make()  # type: ignore[operator]
    raw.send("MSG", 1, 0, ".", body)
    assert raw.sent.startswith(b"ERR 1 0 . ")
    assert b"code='500'" in raw.sent


def test_one_response_at_a_time() -> None:
    raw = Raw(security=ALL)
    raw.control(1, start(1, SASL_PREFIX + "SCRAM-SHA-256"))
    first = XML + b"<blob>" + base64.b64encode(b"n,,n=bob,r=abc") + b"</blob>"
    raw.send("MSG", 1, 0, ".", first)
    raw.send("MSG", 1, 1, ".", first)
    raw.session.refuse_credentials(1)
    data = raw.session.data_to_send()
    assert b"code='454'" in data
    assert b"code='550'" in data
    with pytest.raises(LocalProtocolError, match="not possible now"):
        raw.session._sasl_server._exchanges[1].step("credentials")


def test_work_that_fails_is_a_temporary_failure() -> None:
    raw = Raw(security=Security(mechanisms=("PLAIN",), private=True, secret=b"x" * 16))
    plain = base64.b64encode(b"\0bob\0pencil").decode()
    raw.control(1, start(1, SASL_PREFIX + "PLAIN", f"&lt;blob>{plain}&lt;/blob>"))
    raw.session.provide_credentials(1, None)
    assert one(raw.session.take_events(), VerifyPlain)
    raw.session.refuse_credentials(1)
    assert b"code='454'" in raw.session.data_to_send()
    with pytest.raises(LocalProtocolError):
        raw.session.finish_verify(1, Verified(True))


def test_a_policy_may_only_name_mechanisms_that_exist() -> None:
    with pytest.raises(ValueError, match="DIGEST-MD5"):
        Session(Role.LISTENER, security=Security(mechanisms=("DIGEST-MD5",)))


# -- the client's tuning channels -------------------------------------------------------------------------


def tls_client() -> Raw:
    """An initiator that has sent <ready/> on TLS channel 1 itself."""
    raw = Raw(Role.INITIATOR)
    raw.session.start_tls()
    raw.session.data_to_send()
    raw.send("RPY", 0, 1, ".", XML + f"<profile uri='{TLS_PROFILE}'/>".encode())
    return raw


def sasl_client() -> Raw:
    """An initiator that has sent its initial response on SASL channel 1 itself."""
    raw = Raw(Role.INITIATOR)
    raw.session.authenticate(Anonymous())
    raw.session.data_to_send()
    raw.send("RPY", 0, 1, ".", XML + f"<profile uri='{SASL_PREFIX}ANONYMOUS'/>".encode())
    return raw


def test_tls_refused_on_its_own_channel() -> None:
    raw = tls_client()
    raw.send("ERR", 1, 0, ".", XML + b"<error code='450'>later</error>")
    assert one(raw.events, TlsRefused) == TlsRefused(450, "later")
    assert b"<close number='1'" in raw.sent
    raw.send("ERR", 0, 2, ".", XML + b"<error code='550'/>")
    assert raw.events == []
    assert not raw.session.terminated


def test_answers_where_one_reply_is_due() -> None:
    raw = tls_client()
    raw.send("ANS", 1, 0, ".", b"", 0)
    assert raw.dead
    raw = sasl_client()
    raw.send("ANS", 1, 0, ".", b"", 0)
    assert one(raw.events, AuthenticationFailed).code == 500
    assert not raw.session.terminated


def test_a_server_that_asks_on_a_tuning_channel_is_refused() -> None:
    raw = sasl_client()
    raw.send("MSG", 1, 0, ".", b"what?")
    assert raw.sent.startswith(b"ERR 1 0 . ")
    raw = tls_client()
    raw.send("MSG", 1, 0, ".", b"what?")
    assert raw.sent == b""
    raw.send("ERR", 1, 0, ".", XML + b"<error code='550'/>")
    assert b"ERR 1 0 . " in raw.sent


def test_bf10_garbled_answers_in_sasl_fail_the_attempt_only() -> None:
    for keyword, body in (("RPY", b"<a"), ("ERR", b"<a"), ("ERR", b"<ok/>")):
        raw = sasl_client()
        raw.send(keyword, 1, 0, ".", body)
        assert one(raw.events, AuthenticationFailed)
        assert not raw.session.terminated
        raw.session.authenticate(Anonymous())


def test_only_clients_abort() -> None:
    raw = sasl_client()
    raw.send("RPY", 1, 0, ".", b"<blob status='abort'/>")
    assert raw.dead


def test_a_challenge_to_a_mechanism_that_knows_none() -> None:
    raw = sasl_client()
    raw.send("RPY", 1, 0, ".", b"<blob>QQ==</blob>")
    assert raw.dead


def test_a_wrong_server_proof_is_noticed() -> None:
    security = Security(mechanisms=("SCRAM-SHA-256",), secret=b"x" * 16)
    pair = Pair(listener={"security": security})
    channel = pair.initiator.authenticate(ScramSha256("bob", "pencil"))
    pair.run()
    from kalends.beep.scram import make_verifier

    pair.listener.provide_credentials(channel, make_verifier("pencil", iterations=4096))
    pair.initiator.receive_data(pair.listener.data_to_send(), 0.0)
    pair.listener.receive_data(pair.initiator.data_to_send(), 0.0)
    data = pair.listener.data_to_send()
    begin = data.index(b"'>") + 2
    wrong = base64.b64encode(b"v=" + base64.b64encode(bytes(32)))
    pair.initiator.receive_data(data[:begin] + wrong + data[begin + len(wrong) :], 0.0)
    assert pair.initiator.terminated
    assert pair.initiator.authenticated is None


# -- channel 0 ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("xml", ["<greeting/>", "<ok>x</ok>", "<what/>", f"<profile uri='{ECHO}'/>"])
def test_bf10_wrong_replies_to_close_and_release(xml: str) -> None:
    raw = Raw(Role.INITIATOR)
    raw.session.release()
    raw.session.data_to_send()
    raw.send("RPY", 0, 1, ".", XML + xml.encode())
    assert raw.dead
    raw = Raw(Role.INITIATOR)
    number = raw.ask()
    raw.session.close_channel(number)
    raw.session.data_to_send()
    raw.send("RPY", 0, 2, ".", XML + xml.encode())
    assert raw.dead


def test_bf10_wrong_error_on_channel_0() -> None:
    raw = Raw(Role.INITIATOR)
    raw.session.release()
    raw.session.data_to_send()
    raw.send("ERR", 0, 1, ".", XML + b"<ok/>")
    assert raw.dead


@pytest.mark.parametrize(
    "xml", [f"<greeting><profile uri='{ECHO}'>text</profile></greeting>", "<greeting><x/></greeting>"]
)
def test_bf10_wrong_greetings(xml: str) -> None:
    raw = Raw(greet=False)
    raw.send("RPY", 0, 0, ".", XML + xml.encode())
    assert raw.dead


def test_a_second_release_is_refused() -> None:
    raw = Raw()
    raw.control(1, "<close code='200'/>")
    raw.control(2, "<close code='200'/>")
    assert raw.events == []
    raw.session.refuse_release()
    assert raw.session.data_to_send().count(b"ERR 0 ") == 2
    raw.control(3, "<close code='200'/>")
    assert one(raw.events, ReleaseRequested)


def test_crossing_closes_of_which_ours_is_answered_first() -> None:
    for answer in (b"RPY", b"ERR"):
        raw = Raw()
        raw.open()
        raw.send("MSG", 1, 0, ".", b"?")
        raw.session.close_channel(1)
        raw.session.data_to_send()
        raw.control(2, "<close number='1' code='200'/>")
        raw.session.send_reply(1, 0, b"!")
        xml = b"<ok/>" if answer == b"RPY" else b"<error code='550'>no</error>"
        sent = raw.session.data_to_send()
        raw.events = raw.session.take_events()
        assert ChannelClosed(1) in raw.events
        assert sent.index(b"RPY 1 0") < sent.index(b"<ok />")
        raw.send(answer.decode(), 0, 1, ".", XML + xml)
        assert raw.events == []
        assert not raw.session.terminated


def test_our_close_is_refused_while_theirs_is_waiting() -> None:
    raw = Raw()
    raw.open()
    raw.send("MSG", 1, 0, ".", b"?")
    raw.session.close_channel(1)
    raw.session.data_to_send()
    raw.control(2, "<close number='1' code='200'/>")
    raw.send("ERR", 0, 1, ".", XML + b"<error code='550'>no</error>")
    assert one(raw.events, CloseRefused).text == "no"
    raw.session.send_reply(1, 0, b"!")
    assert b"<ok />" in raw.session.data_to_send()


def test_channel_numbers_and_message_numbers_start_again_after_the_last_one() -> None:
    pair = Pair()
    number = pair.channel()
    pair.initiator._manager._next_channel = MAX_NUMBER
    assert pair.channel() == MAX_NUMBER
    assert pair.channel() == 3
    pair.initiator.send_message(number, b"0")
    pair.initiator._link.channels[number].next_msgno = MAX_NUMBER
    assert pair.initiator.send_message(number, b"last") == MAX_NUMBER
    assert pair.initiator.send_message(number, b"0 is still unanswered") == 1
    pair.run()
    assert [e.msgno for e in pair.at_listener if isinstance(e, MessageReceived)] == [0, MAX_NUMBER, 1]


def test_a_message_may_be_sent_in_pieces() -> None:
    pair = Pair()
    number = pair.channel()
    msgno = pair.initiator.send_message(number, b"one ", more=True)
    pair.run()
    pair.initiator.continue_message(number, msgno, b"two ", more=True)
    pair.initiator.continue_message(number, msgno, b"three")
    pair.initiator.send_message(number, b"next")
    pair.run()
    assert [e.payload for e in pair.at_listener if isinstance(e, MessageReceived)] == [
        b"one two three",
        b"next",
    ]
    assert pair.initiator.bytes_queued == 0


def test_no_seq_is_sent_on_a_channel_whose_close_is_under_way() -> None:
    raw = Raw(Role.INITIATOR)
    number = raw.ask()
    raw.session.send_message(number, b"?")
    raw.session.data_to_send()
    raw.session.receive_data(raw.make("RPY", number, 0, ".", b"x" * 4000), 0.0)
    raw.session.close_channel(number)
    assert b"SEQ" not in raw.session.data_to_send()


def test_only_so_many_closed_channels_are_remembered() -> None:
    pair = Pair()
    closed = pair.listener._link.inbox.closed
    closed.update(dict.fromkeys(range(10_001, 10_001 + REMEMBER_CLOSED)))
    number = pair.channel()
    pair.initiator.close_channel(number)
    pair.run()
    pair.listener.accept_close(number)
    pair.run()
    assert len(closed) == REMEMBER_CLOSED
    assert number in closed


def test_a_release_that_crosses_ours_ends_the_session() -> None:
    raw = Raw(Role.INITIATOR)
    raw.session.release()
    raw.session.data_to_send()
    raw.control(0, "<close code='200'/>")
    assert b"<ok />" in raw.sent
    assert raw.events == [SessionReleased()]
    assert raw.send("ERR", 0, 1, ".", XML + b"<error code='550'>no</error>") == []


def test_a_reply_in_pieces_behind_an_unanswered_msg_waits_for_its_turn() -> None:
    pair = Pair()
    number = pair.channel()
    for _ in range(2):
        pair.initiator.send_message(number, b"?")
    pair.run()
    pair.listener.send_reply(number, 1, b"a", more=True)
    pair.listener.continue_reply(number, 1, b"b", more=True)
    pair.run()
    assert pair.at_initiator == []
    assert pair.listener.bytes_queued == 2
    pair.listener.send_reply(number, 0, b"first")
    pair.listener.continue_reply(number, 1, b"c")
    pair.run()
    assert pair.at_initiator == [ReplyReceived(number, 0, b"first"), ReplyReceived(number, 1, b"abc")]


def test_what_a_session_says_about_itself() -> None:
    pair = Pair()
    assert (pair.initiator.role, pair.listener.role) == (Role.INITIATOR, Role.LISTENER)
    assert pair.listener.frame_size == Limits().frame_size
    number = pair.initiator.start_channel([ProfileOffer(ECHO)])
    assert pair.initiator.channels == {}
    pair.run()
    pair.listener.accept_start(number, ECHO)
    pair.run()
    assert pair.initiator.channels == pair.listener.channels == {number: ECHO}
    assert not pair.listener.private
    assert pair.listener.authenticated is None
