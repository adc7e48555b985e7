"""TCP mapping: windows, SEQ frames, fairness (RFC 3081, checklist BW-01 … BW-08)."""

import pytest
from beep_pair import ECHO, XML, Pair, Raw, frame, one
from hypothesis import given
from hypothesis import strategies as st

from kalends.beep import Limits, LocalProtocolError, RemoteProtocolError, Role
from kalends.beep.events import MessageReceived, ReplyReceived, SessionReleased, SessionTerminated
from kalends.beep.limits import INITIAL_WINDOW
from kalends.beep.receiving import MAX_INTERLEAVED
from kalends.beep.window import SEQ_MASK, ReceiveWindow, SendWindow, WindowBudget


def seqs(data: bytes) -> list[tuple[int, int, int]]:
    """All SEQ frames in octets that hold nothing looking like one in a payload."""
    lines = [line.split() for line in data.split(b"\r\n") if line.startswith(b"SEQ ")]
    return [(int(a), int(b), int(c)) for _, a, b, c in lines]


def test_bw01_whoever_sends_ok_closes_and_an_abort_is_an_end_of_file() -> None:
    pair = Pair()
    pair.initiator.release()
    pair.run()
    pair.listener.accept_release()
    pair.run()
    assert pair.at_listener == [SessionReleased()]
    assert pair.listener.receive_data(b"", 1.0) == []
    other = Pair()
    number = other.channel()
    other.initiator.send_message(number, b"?")
    assert isinstance(
        one(other.initiator.receive_data(b"", 1.0), SessionTerminated).error, RemoteProtocolError
    )


def test_bw01_end_of_file_while_nothing_is_under_way_is_no_error() -> None:
    pair = Pair()
    pair.channel()
    assert pair.listener.receive_data(b"", 1.0) == [SessionTerminated(None)]
    assert pair.listener.data_to_send() == b""


def test_bw02_initial_window_is_4096_and_one_octet_more_ends_the_session() -> None:
    raw = Raw()
    raw.open()
    raw.deliver(frame("MSG", 1, 0, "*", 0, b"x" * 4096) + frame("MSG", 1, 0, ".", 4096, b"x"))
    assert raw.dead
    raw = Raw()
    raw.open()
    raw.deliver(b"MSG 1 0 . 0 4097\r\n")
    assert raw.dead
    assert "window" in str(one(raw.events, SessionTerminated).error)


def test_bw03_nothing_is_sent_beyond_the_window() -> None:
    raw = Raw()
    raw.open()
    raw.send("MSG", 1, 0, ".", b"?")
    raw.session.send_reply(1, 0, b"y" * 10_000)
    first = raw.session.data_to_send()
    assert first.startswith(b"RPY 1 0 * 0 4096\r\n")
    assert first.count(b"y") == 4096
    assert raw.session.data_to_send() == b""
    raw.deliver(b"SEQ 1 4096 1\r\n")
    assert raw.sent == b"RPY 1 0 * 4096 1\r\nyEND\r\n"
    raw.deliver(b"SEQ 1 4097 100000\r\n")
    assert raw.sent == b"RPY 1 0 . 4097 5903\r\n" + b"y" * 5903 + b"END\r\n"
    assert raw.session.bytes_queued == 0


def test_bw03_an_empty_reply_needs_no_window() -> None:
    raw = Raw()
    raw.open()
    raw.send("MSG", 1, 0, ".", b"?")
    raw.send("MSG", 1, 1, ".", b"?")
    raw.session.send_reply(1, 0, b"y" * 4096)
    raw.session.send_reply(1, 1, b"")
    assert raw.session.data_to_send().endswith(b"RPY 1 1 . 4096 0\r\nEND\r\n")


@pytest.mark.parametrize(
    "line",
    [
        b"SEQ 99 0 4096\r\n",
        b"SEQ 1 1 4096\r\n",
        b"SEQ 1 4294967295 4096\r\n",
        b"SEQ 1 4294967296 4096\r\n",
        b"SEQ 1 0 2147483648\r\n",
        b"SEQ 1 0 -1\r\n",
        b"SEQ 1 0\r\n",
        b"SEQ 1 0 4096 0\r\n",
        b"SEQ  1 0 4096\r\n",
        b"seq 1 0 4096\r\n",
    ],
)
def test_bw04_malformed_or_impossible_seq_ends_the_session(line: bytes) -> None:
    raw = Raw()
    raw.open()
    raw.deliver(line)
    assert raw.dead


def test_bw04_an_ackno_may_not_go_back() -> None:
    raw = Raw()
    raw.open()
    raw.send("MSG", 1, 0, ".", b"?")
    raw.session.send_reply(1, 0, b"y" * 100)
    raw.session.data_to_send()
    raw.deliver(b"SEQ 1 100 4096\r\nSEQ 1 100 8192\r\n")
    assert not raw.session.terminated
    raw.deliver(b"SEQ 1 50 4096\r\n")
    assert raw.dead


def test_bw05_a_mebibyte_goes_through_in_both_directions_with_few_seqs() -> None:
    pair = Pair()
    number = pair.channel()
    payload = bytes(range(256)) * 4096
    pair.initiator.send_message(number, payload)
    pair.run()
    assert one(pair.at_listener, MessageReceived).payload == payload
    pair.listener.send_reply(number, 0, payload)
    pair.run()
    assert one(pair.at_initiator, ReplyReceived).payload == payload
    assert pair.listener._link.channels[number].receiving.size == Limits().max_window


def test_bw05_seq_comes_when_half_the_window_is_used_and_the_window_grows() -> None:
    raw = Raw()
    raw.open()
    raw.send("MSG", 1, 0, "*", b"x" * 2047)
    assert raw.sent == b""
    raw.send("MSG", 1, 0, "*", b"x")
    assert seqs(raw.sent) == [(1, 2048, 16384)]
    raw.send("MSG", 1, 0, "*", b"x" * 8192)
    assert seqs(raw.sent) == [(1, 10240, 65536)]


def test_bw05_several_frames_at_once_get_one_seq() -> None:
    raw = Raw()
    raw.open()
    data = b"".join(raw.make("MSG", 1, i, ".", b"x" * 1000) for i in range(4))
    raw.deliver(data)
    assert seqs(raw.sent) == [(1, 4000, 16384)]


def test_bw06_seq_goes_before_data() -> None:
    raw = Raw()
    raw.open()
    raw.send("MSG", 1, 0, ".", b"?")
    raw.session.send_reply(1, 0, b"y" * 100)
    raw.events = raw.session.receive_data(raw.make("MSG", 1, 1, ".", b"x" * 3000), 0.0)
    data = raw.session.data_to_send()
    assert data.startswith(b"SEQ 1 3001 ")
    assert b"RPY 1 0 . 0 100\r\n" in data


def test_bw07_channels_take_turns_and_large_messages_are_segmented() -> None:
    pair = Pair()
    pair.listener.frame_size = 1000
    one_, two = pair.channel(), pair.channel()
    for number in (one_, two):
        pair.initiator.send_message(number, b"?")
    pair.run()
    for number in (one_, two):
        pair.listener.send_reply(number, 0, b"z" * 3500)
    heads = [
        line.split()[:2] for line in pair.listener.data_to_send().split(b"\r\n") if line.startswith(b"RPY")
    ]
    assert [int(channel) for _, channel in heads] == [one_, two] * 4
    with pytest.raises(LocalProtocolError):
        pair.listener.frame_size = 0


def test_bw07_data_to_send_stops_at_a_limit() -> None:
    pair = Pair()
    pair.listener.frame_size = 1000
    number = pair.channel()
    pair.initiator.send_message(number, b"?")
    pair.run()
    pair.listener.send_reply(number, 0, b"z" * 4000)
    pieces = []
    while piece := pair.listener.data_to_send(500):
        pieces.append(len(piece))
        assert pair.listener.bytes_queued == 4000 - 1000 * len(pieces)
    assert len(pieces) == 4
    assert max(pieces) < 1100


def test_bw07_a_window_never_shrinks() -> None:
    raw = Raw()
    raw.open()
    edge = INITIAL_WINDOW
    for i in range(300):
        raw.send("MSG", 1, i, ".", b"x" * 777)
        for _, ackno, window in seqs(raw.sent):
            assert ackno + window >= edge
            edge = ackno + window
        raw.session.send_reply(1, i, b"")
        for _, ackno, window in seqs(raw.session.data_to_send()):
            assert ackno + window >= edge
            edge = ackno + window
    assert edge > 300 * 777


def test_bw07_a_peer_that_takes_back_its_window_is_obeyed() -> None:
    raw = Raw()
    raw.open()
    raw.send("MSG", 1, 0, ".", b"?")
    raw.session.send_reply(1, 0, b"y" * 4096, more=True)
    raw.session.data_to_send()
    raw.deliver(b"SEQ 1 4096 5000\r\nSEQ 1 4096 0\r\n")
    raw.session.continue_reply(1, 0, b"y")
    assert raw.session.data_to_send() == b""
    raw.deliver(b"SEQ 1 4096 1\r\n")
    assert raw.sent == b"RPY 1 0 . 4096 1\r\nyEND\r\n"


def test_bw07_a_window_taken_back_while_data_waits_its_turn_is_obeyed() -> None:
    raw = Raw()
    raw.open()
    raw.send("MSG", 1, 0, ".", b"?")
    raw.session.send_reply(1, 0, b"y" * 3000)
    raw.deliver(b"SEQ 1 0 0\r\n")
    assert raw.sent == b""
    raw.deliver(b"SEQ 1 0 10\r\n")
    assert raw.sent == b"RPY 1 0 * 0 10\r\n" + b"y" * 10 + b"END\r\n"
    raw.session._link.outbox.flush()
    raw.session.receive_data(b"SEQ 1 10 4096\r\nSEQ 1 10 0\r\n", 0.0)
    assert raw.session.data_to_send() == b""
    raw.session.receive_data(b"SEQ 1 10 2990\r\n", 0.0)
    assert raw.session.data_to_send().startswith(b"RPY 1 0 . 10 2990\r\n")


def test_bw08_an_application_that_lags_behind_gets_no_more() -> None:
    raw = Raw(limits=Limits(soft_pending=4))
    raw.open()
    for i in range(4):
        raw.send("MSG", 1, i, ".", b"x" * (600 if i < 3 else 2000))
        assert raw.sent == b""
    raw.session.send_reply(1, 0, b"")
    assert seqs(raw.session.data_to_send()) == [(1, 3800, 16384)]


def test_bw08_held_octets_hold_back_the_window_too() -> None:
    raw = Raw(limits=Limits(max_window=4096, small_window=4096))
    raw.open()
    raw.send("MSG", 1, 0, ".", b"x" * 3000)
    assert seqs(raw.sent) == [(1, 3000, 4096)]
    raw.send("MSG", 1, 1, ".", b"x" * 3000)
    assert seqs(raw.sent) == []
    raw.session.send_reply(1, 0, b"")
    assert seqs(raw.session.data_to_send()) == [(1, 6000, 4096)]


def test_bw08_a_paused_channel_gets_no_seq_until_resumed() -> None:
    raw = Raw()
    raw.open()
    raw.session.pause_channel(1)
    raw.send("MSG", 1, 0, ".", b"x" * 4096)
    assert raw.sent == b""
    raw.session.resume_channel(1)
    assert seqs(raw.session.data_to_send()) == [(1, 4096, 16384)]


def test_bw08_windows_of_all_channels_share_a_budget() -> None:
    raw = Raw(limits=Limits(session_window=20_000, small_window=16_384))
    raw.open(1, msgno=1)
    raw.open(3, msgno=2)
    raw.open(5, msgno=3)
    sizes = []
    for number in (1, 3, 5):
        raw.send("MSG", number, 0, ".", b"x" * 4096)
        sizes += [window for _, _, window in seqs(raw.sent)]
    assert sizes == [16_384, 4096 + 20_000 - 12_288, 4096]
    raw.session.send_reply(1, 0, b"")
    raw.session.data_to_send()
    raw.control(4, "<close number='1' code='200'/>")
    raw.session.accept_close(1)
    assert raw.session._link.outbox.budget.left == 12_288


def test_bw08_unfinished_messages_of_all_channels_are_bounded_together() -> None:
    raw = Raw(limits=Limits(max_buffered=6000))
    raw.open(1, msgno=1)
    raw.open(3, msgno=2)
    raw.send("MSG", 1, 0, "*", b"x" * 4000)
    raw.send("MSG", 3, 0, "*", b"x" * 4000)
    assert [type(e).__name__ for e in raw.events] == ["MessageTooLarge"]
    assert raw.session._link.inbox.buffered == 4000


def test_bw08_msgs_without_payload_are_bounded_in_number() -> None:
    raw = Raw(limits=Limits(max_pending=10))
    raw.open()
    raw.deliver(b"".join(frame("MSG", 1, i, ".", 0) for i in range(11)))
    assert [type(e).__name__ for e in raw.events] == ["MessageReceived"] * 10 + ["SessionTerminated"]


def test_bw08_answers_in_progress_are_bounded_in_number() -> None:
    raw = Raw(Role.INITIATOR)
    number = raw.ask()
    raw.session.send_message(number, b"?")
    raw.session.data_to_send()
    raw.deliver(b"".join(frame("ANS", number, 0, "*", 0, b"", i) for i in range(MAX_INTERLEAVED)))
    assert raw.events == []
    raw.send("ANS", number, 0, "*", b"", MAX_INTERLEAVED)
    assert raw.dead


def test_bw08_a_peer_that_takes_no_replies_may_not_ask_for_more() -> None:
    raw = Raw(limits=Limits(max_queued=10_000))
    raw.open()
    raw.send("MSG", 1, 0, ".", b"?")
    raw.session.send_reply(1, 0, b"y" * 20_000)
    raw.session.data_to_send()
    raw.send("MSG", 1, 1, ".", b"x" * 3000)
    assert raw.sent == b""
    raw.deliver(b"SEQ 1 4096 4096\r\n")
    assert seqs(raw.sent) == []
    raw.deliver(b"SEQ 1 8192 4096\r\n")
    assert seqs(raw.sent) == [(1, 3001, 16384)]


def test_bw05_small_messages_do_not_earn_the_largest_window() -> None:
    pair = Pair()
    number = pair.channel()
    for _ in range(60):
        msgno = pair.initiator.send_message(number, b"x" * 3000)
        pair.run()
        pair.listener.send_reply(number, msgno, b"")
    assert pair.listener._link.channels[number].receiving.size == Limits().small_window


def test_a_header_without_end_is_refused_before_it_fills_memory() -> None:
    raw = Raw()
    raw.deliver(b"MSG 0 1 . " + b"0" * 1_000_000)
    assert raw.dead
    raw = Raw()
    for _ in range(63):
        raw.deliver(b"A")
    assert not raw.session.terminated
    raw.deliver(b"A")
    assert raw.dead


def test_a_message_on_channel_0_is_bounded() -> None:
    raw = Raw(limits=Limits(max_management=3000))
    raw.send("MSG", 0, 1, "*", XML + b"<start number='1'>" + b" " * 2000)
    raw.send("MSG", 0, 1, "*", b" " * 2000)
    assert b"ERR 0 1 . " in raw.sent
    raw.send("MSG", 0, 1, ".", b"")
    raw.control(2, f"<start number='1'><profile uri='{ECHO}'/></start>")
    assert [type(e).__name__ for e in raw.events] == ["StartRequested"]


# -- arithmetic -----------------------------------------------------------------------------------------


@given(st.integers(0, 2**33), st.lists(st.tuples(st.integers(0, 9000), st.integers(1, 70000)), max_size=30))
def test_windows_of_both_ends_agree_whatever_the_numbers(start: int, steps: list[tuple[int, int]]) -> None:
    """What one end may send is what the other accepts, across the cycle of 2**32 (BF-05, BW-03)."""
    sender, receiver = SendWindow(start), ReceiveWindow(start)
    budget = WindowBudget(10**6)
    for wanted, max_window in steps:
        size = max(0, min(wanted, sender.room()))
        receiver.check(sender.sent & SEQ_MASK, size)
        sender.sent += size
        receiver.received += size
        if receiver.is_half_used():
            edge = receiver.edge
            sender.update(*receiver.reopen(budget, max_window))
            assert receiver.edge >= edge
        assert sender.edge == receiver.edge
        with pytest.raises(RemoteProtocolError):
            receiver.check(sender.sent & SEQ_MASK, sender.room() + 1)


@given(st.integers(0, 2**34), st.integers(0, 5000), st.integers(0, 2**32 + 10), st.integers(0, 2**31 + 10))
def test_seq_is_taken_exactly_when_its_ackno_lies_between_acked_and_sent(
    start: int, sent: int, ackno: int, window: int
) -> None:
    side = SendWindow(start)
    side.sent += sent
    legal = {(start + i) & SEQ_MASK for i in range(sent + 1)}
    if ackno in legal and window <= 2**31 - 1:
        side.update(ackno, window)
        assert side.edge - window == side.acked
        assert start <= side.acked <= side.sent
    else:
        with pytest.raises(RemoteProtocolError):
            side.update(ackno, window)
