"""Time limits; the clock is an argument (aioquic's habit), so nothing here sleeps."""

import pytest
from beep_pair import ECHO, GREETING, Pair, frame, one

from kalends.beep import Limits, LocalProtocolError, Role, Security, Session
from kalends.beep.events import MessageReceived, SessionTerminated, TlsUpgrade

LIMITS = Limits(greeting_timeout=10, handshake_timeout=20, login_timeout=40, idle_timeout=100)


def ended(session: Session, now: float) -> str:
    """Let the time come; the reason the session ended for, or ""."""
    events = session.handle_timer(now)
    return str(one(events, SessionTerminated).error) if events else ""


def test_a_greeting_is_due() -> None:
    session = Session(Role.LISTENER, limits=LIMITS, now=1000.0)
    assert session.next_timer() == 1010.0
    assert ended(session, 1009.9) == ""
    assert ended(session, 1010.0) == "no greeting within 10 seconds"
    assert session.next_timer() is None
    assert session.handle_timer(2000.0) == []
    assert session.data_to_send() == b""


def test_without_a_time_the_clocks_start_with_the_first_octets() -> None:
    session = Session(Role.LISTENER, limits=LIMITS)
    assert session.next_timer() is None
    session.receive_data(b"R", 500.0)
    assert session.next_timer() == 510.0


def test_dribbling_octets_do_not_stop_the_greeting_clock() -> None:
    session = Session(Role.LISTENER, limits=LIMITS, now=0.0)
    for i, octet in enumerate(frame("RPY", 0, 0, ".", 0, GREETING)[:9]):
        session.receive_data(bytes([octet]), float(i))
    assert session.next_timer() == 10.0


def test_idle_sessions_end_but_not_while_a_reply_is_owed() -> None:
    pair = Pair(listener={"limits": LIMITS})
    pair.now = 50.0
    number = pair.channel()
    assert pair.listener.next_timer() == 150.0
    pair.initiator.send_message(number, b"a search that takes long")
    pair.run()
    assert pair.listener.next_timer() is None
    assert ended(pair.listener, 10_000.0) == ""
    pair.listener.send_reply(number, one(pair.at_listener, MessageReceived).msgno, b"")
    assert ended(pair.listener, 10_000.0) == "no frame within 100 seconds"


def test_bw08_a_client_that_never_reopens_our_window_ends_by_the_idle_clock() -> None:
    pair = Pair(listener={"limits": LIMITS})
    number = pair.channel()
    pair.initiator.send_message(number, b"?")
    pair.run()
    pair.listener.send_reply(number, 0, b"x" * 100_000)
    assert len(pair.listener.data_to_send()) < 5000
    assert pair.listener.bytes_queued == 100_000 - 4096
    assert pair.listener.next_timer() == 100.0
    assert ended(pair.listener, 100.0)
    assert pair.listener.bytes_queued == 0


def test_half_a_message_does_not_stop_the_idle_clock() -> None:
    pair = Pair(listener={"limits": LIMITS})
    number = pair.channel()
    pair.initiator.send_message(number, b"and then", more=True)
    pair.run()
    assert pair.listener.next_timer() == 100.0


def test_a_close_that_waits_for_the_peer_does_not_stop_the_idle_clock() -> None:
    pair = Pair(listener={"limits": LIMITS}, initiator={"profiles": [ECHO]})
    number = pair.channel()
    pair.listener.send_message(number, b"never answered")
    pair.run()
    pair.initiator.close_channel(number)
    pair.run()
    pair.listener.accept_close(number)
    assert pair.listener.next_timer() == 100.0


def test_login_is_due_on_listeners_that_ask_for_it() -> None:
    security = Security(mechanisms=("ANONYMOUS",), require_authentication=True)
    pair = Pair(listener={"limits": LIMITS, "security": security}, initiator={"limits": LIMITS})
    assert pair.listener.next_timer() == 40.0
    assert pair.initiator.next_timer() == 100.0
    assert ended(pair.listener, 41.0) == "no authentication within 40 seconds"


def test_answer_to_ready_handshake_and_second_greeting_are_due() -> None:
    pair = Pair(listener={"limits": LIMITS, "security": Security(tls=True)}, initiator={"limits": LIMITS})
    pair.initiator.start_tls()
    pair.initiator.handle_timer(5.0)
    assert pair.initiator.next_timer() == 15.0
    pair.now = 7.0
    pair.run()
    assert one(pair.at_initiator, TlsUpgrade)
    assert pair.initiator.handle_timer(8.0) == []
    assert pair.initiator.next_timer() == 27.0
    with pytest.raises(LocalProtocolError):
        pair.initiator.send_message(1, b"x")
    pair.initiator.tls_established(9.0)
    assert pair.initiator.next_timer() == 19.0
    assert ended(pair.listener, 100.0) == "no end of the TLS handshake within 20 seconds"


def test_clocks_can_be_switched_off() -> None:
    limits = Limits(greeting_timeout=None, handshake_timeout=None, login_timeout=None, idle_timeout=None)
    session = Session(Role.LISTENER, limits=limits, now=0.0, profiles=[ECHO])
    assert session.next_timer() is None
    assert session.handle_timer(1e9) == []


def test_the_short_way_to_the_next_deadline_agrees_with_the_long_one() -> None:
    for owed in (False, True):
        pair = Pair(listener={"limits": LIMITS})
        number = pair.channel()
        if owed:
            pair.initiator.send_message(number, b"?")
            pair.run()
        timers = pair.listener._timers
        assert timers.next() == min((when for when, _ in timers._deadlines()), default=None)


def test_abort_ends_at_once() -> None:
    pair = Pair()
    pair.listener.abort("the server shuts down")
    assert str(one(pair.listener.take_events(), SessionTerminated).error) == "the server shuts down"
    assert pair.listener.terminated
    pair.listener.abort("again")
    assert pair.listener.take_events() == []
