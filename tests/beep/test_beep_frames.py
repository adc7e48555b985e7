"""Frames: syntax and every poorly formed kind (RFC 3080 §2.2, checklist BF-01 … BF-10)."""

import pytest
from beep_pair import ECHO, GREETING, Pair, Raw, frame, one

from kalends.beep import RemoteProtocolError, Role
from kalends.beep.events import (
    AnswerReceived,
    ChannelClosed,
    ErrorReceived,
    MessageReceived,
    NulReceived,
    ReplyReceived,
    SessionTerminated,
)


@pytest.mark.parametrize(
    "line",
    [
        b"FOO 0 1 . 52 0\r\n",
        b"msg 0 1 . 52 0\r\n",
        b"MSG  0 1 . 52 0\r\n",
        b" MSG 0 1 . 52 0\r\n",
        b"MSG 0 1 . 52 0 \r\n",
        b"MSG\t0 1 . 52 0\r\n",
        b"MSG 0 1 . 52 0\n\r\n",
        b"MSG 0 1 . 52\r\n",
        b"MSG 0 1 . 52 0 0\r\n",
        b"RPY 0 0 . 52 0 0\r\n",
        b"ANS 0 0 . 52 0\r\n",
        b"MSG 0 1 , 52 0\r\n",
        b"MSG 0 1 .* 52 0\r\n",
        b"MSG 0 -1 . 52 0\r\n",
        b"MSG 0 +1 . 52 0\r\n",
        b"MSG 0 1_0 . 52 0\r\n",
        b"MSG 0 0x1 . 52 0\r\n",
        b"MSG 0 \xd9\xa1 . 52 0\r\n",
        b"MSG 0 1 . 52 00000000000\r\n",
        b"GET / HTTP/1.1\r\n",
        b"\x16\x03\x01\x02\x00\x01" + b"\x00" * 60,
        b"\r\n",
        b"SEQ 0 0\r\n",
        b"SEQ 0 0 4096 \r\n",
    ],
)
def test_bf01_header_syntax_is_exact(line: bytes) -> None:
    raw = Raw()
    raw.deliver(line + b"END\r\n")
    assert raw.dead


@pytest.mark.parametrize(
    "line",
    [
        "MSG 2147483648 1 . 52 0",
        "MSG 0 2147483648 . 52 0",
        "MSG 0 1 . 4294967296 0",
        "MSG 0 1 . 52 2147483648",
        "MSG 0 1 . 52 9999999999",
    ],
)
def test_bf02_numbers_out_of_range_end_the_session(line: str) -> None:
    raw = Raw()
    raw.deliver(line.encode() + b"\r\nEND\r\n")
    assert raw.dead


def test_bf02_ansno_may_use_all_32_bits_but_no_more() -> None:
    raw = Raw(Role.INITIATOR)
    number = raw.ask()
    raw.session.send_message(number, b"?")
    raw.session.data_to_send()
    raw.send("ANS", number, 0, ".", b"a", 4294967295)
    assert one(raw.events, AnswerReceived).ansno == 4294967295
    raw.send("ANS", number, 0, ".", b"a", 4294967296)
    assert raw.dead


def test_bf03_msgno_in_flight_may_not_be_reused() -> None:
    raw = Raw()
    raw.open()
    raw.send("MSG", 1, 7, ".", b"first")
    raw.send("MSG", 1, 7, ".", b"again")
    assert raw.dead


def test_bf03_msgno_is_in_flight_until_the_reply_has_left() -> None:
    raw = Raw()
    raw.open()
    raw.send("MSG", 1, 7, ".", b"first")
    raw.session.send_reply(1, 7, b"handed in, not yet sent")
    raw.events = raw.session.receive_data(raw.make("MSG", 1, 7, ".", b"again"), 0.0)
    assert raw.dead


def test_bf03_msgno_is_free_again_after_the_reply() -> None:
    raw = Raw()
    raw.open()
    for text in (b"first", b"again"):
        raw.send("MSG", 1, 7, ".", text)
        assert one(raw.events, MessageReceived).payload == text
        raw.session.send_reply(1, 7, b"ok")
        assert raw.session.data_to_send().startswith(b"RPY 1 7 . ")


def test_bf04_fragments_join_and_empty_payload_is_legal() -> None:
    raw = Raw()
    raw.open()
    assert raw.send("MSG", 1, 0, "*", b"half ") == []
    assert raw.send("MSG", 1, 0, "*", b"") == []
    assert raw.send("MSG", 1, 0, "*", b"and half") == []
    assert raw.send("MSG", 1, 0, ".", b"") == [MessageReceived(1, 0, b"half and half")]
    assert raw.send("MSG", 1, 1, ".", b"") == [MessageReceived(1, 1, b"")]


def test_bf04_fragmented_reply_and_error_join() -> None:
    raw = Raw(Role.INITIATOR)
    number = raw.ask()
    for keyword, event in (("RPY", ReplyReceived), ("ERR", ErrorReceived)):
        msgno = raw.session.send_message(number, b"?")
        raw.session.data_to_send()
        raw.send(keyword, number, msgno, "*", b"a" * 20)
        raw.send(keyword, number, msgno, ".", b"")
        assert one(raw.events, event).payload == b"a" * 20


def test_bf05_wrong_sequence_number_ends_the_session() -> None:
    raw = Raw()
    raw.deliver(frame("MSG", 0, 1, ".", raw.seqno[0] + 1, b""))
    assert raw.dead
    assert "sequence number" in str(one(raw.events, SessionTerminated).error)


def test_bf05_sequence_numbers_are_per_channel_and_wrap() -> None:
    pair = Pair()
    number = pair.channel()
    start = 2**32 - 10
    for session in (pair.initiator, pair.listener):
        channel = session._link.channels[number]
        channel.receiving.__init__(start)
        channel.sending.__init__(start)
    for _ in range(3):
        msgno = pair.initiator.send_message(number, b"x" * 3000)
        pair.run()
        assert one(pair.at_listener, MessageReceived).payload == b"x" * 3000
        pair.listener.send_reply(number, msgno, b"y" * 3000)
        pair.run()
        assert one(pair.at_initiator, ReplyReceived).payload == b"y" * 3000
    assert pair.listener._link.channels[number].receiving.received > 2**32


@pytest.mark.parametrize("trailer", [b"ENDX\r\n", b"END\n\r\n", b"end\r\n", b"XXX\r\n", b"\r\nEND\r\n"])
def test_bf06_payload_must_be_followed_by_end(trailer: bytes) -> None:
    raw = Raw()
    data = raw.make("MSG", 0, 1, ".", b"abc")
    raw.deliver(data.removesuffix(b"END\r\n") + trailer)
    assert raw.dead


def test_bf06_wrong_trailer_is_noticed_even_octet_by_octet() -> None:
    raw = Raw()
    for octet in raw.make("MSG", 0, 1, ".", b"abc").replace(b"END", b"ENX"):
        if not raw.session.terminated:
            raw.deliver(bytes([octet]))
    assert raw.dead


def test_bf07_a_msg_may_not_interrupt_another() -> None:
    raw = Raw()
    raw.open()
    raw.send("MSG", 1, 0, "*", b"unfinished")
    raw.send("MSG", 1, 1, ".", b"intruder")
    assert raw.dead


def test_bf07_other_channels_may_interleave() -> None:
    raw = Raw()
    raw.open(1, msgno=1)
    raw.open(3, msgno=2)
    raw.send("MSG", 1, 0, "*", b"on one ")
    assert raw.send("MSG", 3, 0, ".", b"on three") == [MessageReceived(3, 0, b"on three")]
    assert raw.send("MSG", 1, 0, ".", b"again") == [MessageReceived(1, 0, b"on one again")]


def test_bf07_answers_may_interleave() -> None:
    raw = Raw(Role.INITIATOR)
    number = raw.ask()
    raw.session.send_message(number, b"?")
    raw.session.data_to_send()
    raw.send("ANS", number, 0, "*", b"zero ", 0)
    raw.send("ANS", number, 0, "*", b"one ", 1)
    assert raw.send("ANS", number, 0, ".", b"done", 0) == [AnswerReceived(number, 0, 0, b"zero done")]
    assert raw.send("ANS", number, 0, ".", b"done", 1) == [AnswerReceived(number, 0, 1, b"one done")]
    assert raw.send("NUL", number, 0, ".") == [NulReceived(number, 0)]


def asking() -> tuple[Raw, int]:
    """A session that awaits the reply to its MSG 0."""
    raw = Raw(Role.INITIATOR)
    number = raw.ask()
    raw.session.send_message(number, b"?")
    raw.session.data_to_send()
    return raw, number


class TestBf08PoorlyFormedFrames:
    """One test per rule of RFC 3080 §2.2.1.1; each ends the session without a response."""

    def test_unknown_channel(self) -> None:
        raw = Raw()
        raw.deliver(frame("MSG", 99, 0, ".", 0, b"x"))
        assert raw.dead

    def test_channel_still_being_started(self) -> None:
        raw = Raw()
        raw.control(1, f"<start number='1'><profile uri='{ECHO}'/></start>")
        raw.send("MSG", 1, 0, ".", b"too early")
        assert raw.dead

    def test_reply_to_a_msg_never_sent(self) -> None:
        raw, number = asking()
        raw.send("RPY", number, 5, ".", b"")
        assert raw.dead

    def test_reply_to_a_msg_queued_but_not_yet_sent(self) -> None:
        raw, number = asking()
        raw.session.send_message(number, b"still here")
        raw.events = raw.session.receive_data(raw.make("RPY", number, 1, ".", b""), 0.0)
        raw.sent = b""
        assert raw.dead

    def test_second_reply_to_the_same_msg(self) -> None:
        raw, number = asking()
        raw.send("RPY", number, 0, ".", b"")
        assert not raw.session.terminated
        raw.send("RPY", number, 0, ".", b"")
        assert raw.dead

    def test_second_greeting(self) -> None:
        raw = Raw()
        raw.send("RPY", 0, 0, ".", GREETING)
        assert raw.dead

    @pytest.mark.parametrize("second", ["ERR", "MSG"])
    def test_keyword_changes_within_a_message(self, second: str) -> None:
        raw, number = asking()
        raw.send("RPY", number, 0, "*", b"a")
        raw.send(second, number, 0, ".", b"b")
        assert raw.dead

    def test_rpy_after_ans(self) -> None:
        raw, number = asking()
        raw.send("ANS", number, 0, ".", b"a", 0)
        raw.send("RPY", number, 0, ".", b"b")
        assert raw.dead

    def test_nul_after_unfinished_rpy(self) -> None:
        raw, number = asking()
        raw.send("RPY", number, 0, "*", b"a")
        raw.send("NUL", number, 0, ".")
        assert raw.dead

    def test_nul_while_an_answer_is_unfinished(self) -> None:
        raw, number = asking()
        raw.send("ANS", number, 0, "*", b"a", 0)
        raw.send("ANS", number, 0, ".", b"a", 1)
        raw.send("NUL", number, 0, ".")
        assert raw.dead

    def test_nul_with_continuation(self) -> None:
        raw, number = asking()
        raw.send("NUL", number, 0, "*")
        assert raw.dead

    def test_nul_with_payload(self) -> None:
        raw, number = asking()
        raw.send("NUL", number, 0, ".", b"\r\n")
        assert raw.dead

    def test_msgno_changes_after_continuation(self) -> None:
        raw, number = asking()
        raw.session.send_message(number, b"?")
        raw.session.data_to_send()
        raw.send("RPY", number, 0, "*", b"a")
        raw.send("RPY", number, 1, ".", b"b")
        assert raw.dead

    def test_a_diagnostic_is_left_for_the_log(self) -> None:
        raw = Raw()
        raw.deliver(b"FOO\x1b[31m 0 0\r\n")
        error = one(raw.events, SessionTerminated).error
        assert isinstance(error, RemoteProtocolError)
        assert "FOO" in error.reason
        assert error.reason.isprintable()

    def test_nothing_is_heard_afterwards(self) -> None:
        raw = Raw()
        raw.deliver(b"FOO\r\n")
        assert raw.deliver(raw.make("RPY", 0, 0, ".", GREETING)) == []
        assert raw.deliver(b"") == []


@pytest.mark.parametrize(
    "payload", [b"not xml", GREETING, b"Content-Type: application/beep+xml\r\n\r\n<profile uri='urn:other'/>"]
)
def test_bf10_poorly_formed_reply_on_channel_0_ends_the_session(payload: bytes) -> None:
    raw = Raw(Role.INITIATOR)
    from kalends.beep import ProfileOffer

    raw.session.start_channel([ProfileOffer(ECHO)])
    raw.session.data_to_send()
    raw.send("RPY", 0, 1, ".", payload)
    assert raw.dead


def test_bf10_answers_on_channel_0_end_the_session() -> None:
    raw = Raw(Role.INITIATOR)
    raw.session.release()
    raw.session.data_to_send()
    raw.send("NUL", 0, 1, ".")
    assert raw.dead


def test_bf10_on_another_channel_the_application_closes_that_channel() -> None:
    pair = Pair()
    number = pair.channel()
    msgno = pair.initiator.send_message(number, b"?")
    pair.run()
    pair.listener.send_reply(number, msgno, b"nonsense for this profile")
    pair.run()
    one(pair.at_initiator, ReplyReceived)
    pair.initiator.close_channel(number, 500, "your reply makes no sense")
    pair.run()
    pair.listener.accept_close(number)
    pair.run()
    assert one(pair.at_initiator, ChannelClosed) == ChannelClosed(number)
    assert not pair.initiator.terminated
