"""Order, pipelining, early errors, both directions (RFC 3080 §2.1.1, §2.6, §2.7, checklist BA-01 … BA-05)."""

import pytest
from beep_pair import Pair, Raw, one

from kalends.beep import Limits, LocalProtocolError, Role
from kalends.beep.events import (
    AnswerReceived,
    ErrorReceived,
    MessageReceived,
    MessageTooLarge,
    NulReceived,
    ReplyReceived,
    ReplyTooLarge,
)


def test_ba01_a_hundred_pipelined_msgs_are_answered_in_order_whatever_order_the_replies_come() -> None:
    pair = Pair()
    number = pair.channel()
    for i in range(100):
        pair.initiator.send_message(number, b"%d" % i)
    pair.run()
    got = [e for e in pair.at_listener if isinstance(e, MessageReceived)]
    assert [e.payload for e in got] == [b"%d" % i for i in range(100)]
    for event in reversed(got):
        pair.listener.send_reply(number, event.msgno, b"re " + event.payload)
    pair.run()
    assert [e.payload for e in pair.at_initiator if isinstance(e, ReplyReceived)] == [
        b"re %d" % i for i in range(100)
    ]


def test_ba01_mixed_kinds_of_replies_keep_the_order() -> None:
    pair = Pair()
    number = pair.channel()
    for _ in range(4):
        pair.initiator.send_message(number, b"?")
    pair.run()
    listener = pair.listener
    listener.send_error(number, 3, b"three")
    assert [listener.send_answer(number, 1, b"one-%d" % i) for i in range(2)] == [0, 1]
    listener.send_reply(number, 2, b"tw", more=True)
    listener.send_nul(number, 1)
    listener.continue_reply(number, 2, b"o")
    pair.run()
    assert pair.at_initiator == []
    listener.send_reply(number, 0, b"zero")
    pair.run()
    assert pair.at_initiator == [
        ReplyReceived(number, 0, b"zero"),
        AnswerReceived(number, 1, 0, b"one-0"),
        AnswerReceived(number, 1, 1, b"one-1"),
        NulReceived(number, 1),
        ReplyReceived(number, 2, b"two"),
        ErrorReceived(number, 3, b"three"),
    ]


def test_ba02_channels_do_not_wait_for_one_another() -> None:
    pair = Pair()
    slow, fast = pair.channel(), pair.channel()
    pair.initiator.send_message(slow, b"search the world")
    msgno = pair.initiator.send_message(fast, b"hello")
    pair.run()
    pair.listener.send_reply(fast, msgno, b"hi")
    pair.run()
    assert pair.at_initiator == [ReplyReceived(fast, msgno, b"hi")]


def test_ba03_early_error_makes_the_receiver_ignore_the_rest() -> None:
    raw = Raw(limits=Limits(max_message=10))
    raw.open()
    raw.send("MSG", 1, 0, "*", b"0123456789")
    assert raw.events == []
    raw.send("MSG", 1, 0, "*", b"x")
    assert one(raw.events, MessageTooLarge) == MessageTooLarge(1, 0, 11, b"0123456789x")
    with pytest.raises(LocalProtocolError):
        raw.session.send_reply(1, 0, b"only an error may answer half a message")
    raw.session.send_error(1, 0, b"too big")
    assert raw.session.data_to_send().startswith(b"ERR 1 0 . 0 7")
    assert raw.send("MSG", 1, 0, "*", b"more of it") == []
    assert raw.send("MSG", 1, 0, ".", b"") == []
    assert raw.send("MSG", 1, 0, ".", b"new") == [MessageReceived(1, 0, b"new")]
    assert raw.session._link.inbox.buffered == 3


def test_ba03_msgno_stays_taken_until_the_ignored_msg_has_ended() -> None:
    raw = Raw(limits=Limits(max_message=10))
    raw.open()
    raw.send("MSG", 1, 0, "*", b"0123456789x")
    raw.session.send_error(1, 0, b"too big")
    raw.session.data_to_send()
    raw.send("MSG", 1, 1, ".", b"intruder")
    assert raw.dead


def test_ba03_a_whole_message_that_is_too_large_is_told_likewise() -> None:
    raw = Raw(limits=Limits(max_message=10))
    raw.open()
    raw.send("MSG", 1, 0, ".", b"0123456789x")
    assert one(raw.events, MessageTooLarge).size == 11
    raw.session.send_error(1, 0, b"too big")
    assert raw.session.data_to_send().startswith(b"ERR 1 0")
    assert raw.send("MSG", 1, 0, ".", b"small") == [MessageReceived(1, 0, b"small")]


def test_ba03_sender_cuts_its_msg_short_after_an_early_error() -> None:
    pair = Pair(listener={"limits": Limits(max_message=5000)})
    number = pair.channel()
    msgno = pair.initiator.send_message(number, b"x" * 1_000_000)
    pair.run()
    assert one(pair.at_listener, MessageTooLarge).msgno == msgno
    assert pair.initiator.bytes_queued > 0 or pair.at_listener
    pair.listener.send_error(number, msgno, b"8.2")
    pair.run()
    assert one(pair.at_initiator, ErrorReceived).payload == b"8.2"
    assert pair.initiator.bytes_queued == 0
    pair.initiator.send_message(number, b"small")
    pair.run()
    assert one(pair.at_listener, MessageReceived).payload == b"small"


def test_ba03_a_streaming_sender_may_carry_on_unaware() -> None:
    raw = Raw(Role.INITIATOR)
    number = raw.ask()
    msgno = raw.session.send_message(number, b"part one", more=True)
    assert b"MSG 1 0 * 0 8\r\n" in raw.session.data_to_send()
    raw.send("ERR", number, msgno, ".", b"no")
    assert raw.sent == b"MSG 1 0 . 8 0\r\nEND\r\n"
    raw.session.continue_message(number, msgno, b"part two", more=True)
    raw.session.continue_message(number, msgno, b"part three")
    assert raw.session.data_to_send() == b""
    with pytest.raises(LocalProtocolError):
        raw.session.continue_message(number, msgno, b"part four")


def test_ba04_both_sides_ask_and_message_numbers_are_per_direction() -> None:
    pair = Pair()
    number = pair.channel()
    assert pair.initiator.send_message(number, b"from the initiator") == 0
    assert pair.listener.send_message(number, b"from the listener") == 0
    pair.run()
    pair.listener.send_reply(number, 0, b"to the initiator")
    pair.initiator.send_reply(number, 0, b"to the listener")
    pair.run()
    assert pair.at_initiator == [ReplyReceived(number, 0, b"to the initiator")]
    assert pair.at_listener == [ReplyReceived(number, 0, b"to the listener")]


def test_ba04_an_initiator_that_serves_nothing_refuses_gracefully() -> None:
    raw = Raw(Role.INITIATOR, profiles=())
    answer = raw.control(1, "<start number='2'><profile uri='urn:x'/></start>")
    assert b"<error code='550'>" in answer


def test_ba05_nul_alone_is_a_whole_reply() -> None:
    pair = Pair()
    number = pair.channel()
    msgno = pair.initiator.send_message(number, b"?")
    pair.run()
    pair.listener.send_nul(number, msgno)
    pair.run()
    assert pair.at_initiator == [NulReceived(number, msgno)]


def test_ba05_answers_can_be_streamed_in_pieces() -> None:
    pair = Pair()
    number = pair.channel()
    msgno = pair.initiator.send_message(number, b"?")
    pair.run()
    first = pair.listener.send_answer(number, msgno, b"a", more=True)
    second = pair.listener.send_answer(number, msgno, b"second")
    pair.run()
    with pytest.raises(LocalProtocolError):
        pair.listener.send_nul(number, msgno)
    pair.listener.continue_answer(number, msgno, first, b"b" * 9000, more=True)
    pair.run()
    assert pair.at_initiator == []
    pair.listener.continue_answer(number, msgno, first, b"")
    pair.listener.send_nul(number, msgno)
    pair.run()
    assert pair.at_initiator == [
        AnswerReceived(number, msgno, first, b"a" + b"b" * 9000),
        AnswerReceived(number, msgno, second, b"second"),
        NulReceived(number, msgno),
    ]


def test_ba05_a_reply_of_one_kind_cannot_become_another() -> None:
    pair = Pair()
    number = pair.channel()
    msgno = pair.initiator.send_message(number, b"?")
    pair.run()
    pair.listener.send_answer(number, msgno, b"a")
    for call in (pair.listener.send_reply, pair.listener.send_error):
        with pytest.raises(LocalProtocolError):
            call(number, msgno, b"b")
    pair.listener.send_nul(number, msgno)
    for call in (pair.listener.send_reply, pair.listener.send_answer):
        with pytest.raises(LocalProtocolError):
            call(number, msgno, b"b")
    with pytest.raises(LocalProtocolError):
        pair.listener.send_reply(number, msgno + 1, b"to nothing")
    with pytest.raises(LocalProtocolError):
        pair.listener.continue_reply(number, msgno, b"of nothing")


@pytest.mark.parametrize(("keyword", "ansno"), [("RPY", None), ("ERR", None), ("ANS", 7)])
def test_replies_beyond_the_limit_are_announced_and_dropped(keyword: str, ansno: int | None) -> None:
    raw = Raw(Role.INITIATOR, limits=Limits(max_message=10))
    number = raw.ask()
    raw.session.send_message(number, b"?")
    raw.session.data_to_send()
    raw.send(keyword, number, 0, "*", b"01234567", ansno)
    raw.send(keyword, number, 0, "*", b"01234567", ansno)
    assert raw.events == []
    raw.send(keyword, number, 0, ".", b"x", ansno)
    assert raw.events == [ReplyTooLarge(number, 0, ansno, 17)]
    assert raw.session._link.inbox.buffered == 0
