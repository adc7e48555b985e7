"""What must hold for all octets and all splits (hypothesis)."""

import contextlib
import random

from beep_pair import CAP, ECHO, GREETING, XML, Pair, Raw, frame
from hypothesis import given, settings
from hypothesis import strategies as st

from kalends.beep import Limits, ProfileOffer, Role, Security, Session
from kalends.beep.errors import ProtocolError
from kalends.beep.events import (
    AnswerReceived,
    CloseRequested,
    Event,
    MessageReceived,
    MessageTooLarge,
    NulReceived,
    ReleaseRequested,
    ReplyReceived,
    SessionTerminated,
    StartRequested,
)
from kalends.beep.machine import CHANNEL, MAY_SEND_MSG, SESSION, ChannelState, Phase
from kalends.beep.sasl import SERVER, State


def plain(events: list[Event]) -> list[object]:
    """Events as values that can be compared (errors by their words)."""
    return [str(e.error) if isinstance(e, SessionTerminated) else e for e in events]


def conversation(ending: bytes) -> bytes:
    """Octets of a peer that greets, starts a channel, and sends messages of several shapes."""
    seq0 = len(GREETING)
    start = XML + f"<start number='1'><profile uri='{ECHO}'>x</profile></start>".encode()
    out = frame("RPY", 0, 0, ".", 0, GREETING) + frame("MSG", 0, 1, ".", seq0, start)
    out += b"SEQ 0 10 4096\r\n"
    out += frame("MSG", 1, 0, ".", 0, b"END\r\nMSG 1 9 . 0 0\r\n") + frame("MSG", 1, 1, "*", 20, b"half")
    out += frame("MSG", 1, 1, ".", 24, b"") + b"SEQ 1 0 9999\r\n" + frame("MSG", 1, 2, ".", 24, b"x" * 3000)
    return out + ending


ENDINGS = [
    b"",
    b"FOO\r\n",
    b"MSG 1 2 . 3024 0\r\nEND\r\n",
    b"MSG 1 3 . 3024 5\r\nabcdeEXD\r\n",
    b"A" * 80,
    b"NUL 1 0",
]


def listen_to(data: bytes, cuts: list[int]) -> list[object]:
    """Feed octets cut at these places; the channel is accepted as soon as it is asked for."""
    session = Session(Role.LISTENER, profiles=[ECHO], now=0.0)
    session.data_to_send()
    seen: list[Event] = []
    # <start> must be answered before the channel is used, so the cut behind it is always there
    behind_start = data.index(b"SEQ 0")
    places = sorted({min(c, len(data)) for c in cuts} | {behind_start, len(data)})
    begin = 0
    for place in places:
        if place == begin:
            continue
        for event in session.receive_data(data[begin:place], 0.0):
            seen.append(event)
            if isinstance(event, StartRequested):
                session.accept_start(event.channel, ECHO)
        session.data_to_send()
        begin = place
    return plain(seen)


@given(st.sampled_from(ENDINGS), st.lists(st.integers(1, 3500), max_size=40))
def test_events_do_not_depend_on_how_the_stream_is_split(ending: bytes, cuts: list[int]) -> None:
    data = conversation(ending)
    assert listen_to(data, cuts) == listen_to(data, [])


def test_octet_by_octet_gives_the_same_events() -> None:
    for ending in ENDINGS:
        data = conversation(ending)
        assert listen_to(data, list(range(len(data)))) == listen_to(data, [])


def poke(session: Session, data: bytes) -> None:
    """Let a session take octets and answer whatever it asks, as a careless shell would."""
    for event in session.receive_data(data, 1.0):
        try:
            if isinstance(event, StartRequested):
                session.accept_start(event.channel, event.profiles[0].uri)
            elif isinstance(event, MessageReceived):
                session.send_reply(event.channel, event.msgno, event.payload)
            elif isinstance(event, MessageTooLarge):
                session.send_error(event.channel, event.msgno, b"")
            elif isinstance(event, CloseRequested):
                session.accept_close(event.channel)
            elif isinstance(event, ReleaseRequested):
                session.accept_release()
        except ProtocolError:
            # an earlier event of the batch may have ended what this one speaks of
            assert session.terminated
    session.data_to_send()
    session.take_events()
    session.next_timer()


@settings(max_examples=200)
@given(st.sampled_from(Role), st.binary(max_size=200), st.binary(max_size=100))
def test_random_octets_give_events_and_never_exceptions(role: Role, first: bytes, second: bytes) -> None:
    session = Session(role, profiles=[ECHO, CAP], now=0.0)
    poke(session, first)
    poke(session, frame("RPY", 0, 0, ".", 0, GREETING))
    poke(session, second)
    poke(session, b"")
    assert session.terminated


NUMBERS = st.sampled_from([0, 1, 2, 3, 5, 52, 70, 2**31 - 1, 2**31, 2**32 - 1])
XMLS = st.sampled_from(
    [
        f"<start number='{n}'><profile uri='{uri}'>{content}</profile></start>"
        for n in (1, 2, 3)
        for uri in (ECHO, "http://iana.org/beep/TLS", "http://iana.org/beep/SASL/ANONYMOUS")
        for content in ("", "&lt;ready/>", "&lt;blob/>")
    ]
    + [f"<close number='{n}' code='200'/>" for n in (0, 1, 3)]
    + ["<ok/>", "<ready/>", "<proceed/>", "<blob>QQ==</blob>", "<blob status='abort'/>", "<greeting/>"]
    + ["<error code='550'/>", f"<profile uri='{ECHO}'/>"]
).map(lambda xml: XML + xml.encode())
STEPS = st.tuples(
    st.sampled_from(["MSG", "RPY", "ERR", "ANS", "NUL"]),
    st.sampled_from([0, 0, 0, 1, 2, 3]),
    st.integers(0, 4),
    st.sampled_from([".", ".", ".", "*"]),
    XMLS | st.binary(max_size=40),
)


@settings(max_examples=300)
@given(st.sampled_from(Role), st.lists(STEPS, max_size=12), st.lists(st.integers(0, 6), max_size=8))
def test_well_framed_nonsense_never_escapes_as_an_exception(
    role: Role, steps: list[tuple[str, int, int, str, bytes]], calls: list[int]
) -> None:
    """Legal sequence numbers, any order of messages, any state of our own: events or silence, no exception."""
    security = Security(tls=True, mechanisms=("ANONYMOUS",))
    raw = Raw(role, security=security, limits=Limits(max_message=30))
    session = raw.session
    actions = [
        lambda: session.start_channel([ProfileOffer(ECHO)]),
        lambda: session.close_channel(1),
        session.release,
        session.start_tls,
        lambda: session.send_message(1, b"?"),
        lambda: session.send_message(2, b"?"),
        lambda: session.accept_close(1),
    ]
    for i, (keyword, channel, msgno, more, payload) in enumerate(steps):
        if i < len(calls):
            with contextlib.suppress(ProtocolError):
                actions[calls[i]]()
        if keyword == "NUL":
            poke(session, raw.make(keyword, channel, msgno, "."))
        else:
            poke(session, raw.make(keyword, channel, msgno, more, payload, 0 if keyword == "ANS" else None))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.lists(st.integers(0, 20000), min_size=1, max_size=8))
def test_two_sessions_exchange_anything_over_any_splits(seed: int, sizes: list[int]) -> None:
    """Messages, replies and answers of any size arrive whole, in order, in both directions at once."""
    rng = random.Random(seed)
    pair = Pair(initiator={"profiles": [ECHO]})
    pair.listener.frame_size = rng.choice([1000, 16384])
    numbers = [pair.channel(), pair.channel()]
    sent = {pair.initiator: [], pair.listener: []}
    sides = [(pair.initiator, pair.listener), (pair.listener, pair.initiator)]
    got: dict[Session, list[tuple[int, bytes]]] = {pair.initiator: [], pair.listener: []}
    replies: dict[Session, list[tuple[int, int, bytes]]] = {pair.initiator: [], pair.listener: []}
    for size in sizes:
        me, _ = rng.choice(sides)
        number, payload = rng.choice(numbers), rng.randbytes(size)
        me.send_message(number, payload)
        sent[me].append((number, payload))
    for _ in range(2000):
        moved = False
        for me, other in sides:
            data = me.data_to_send(rng.randint(1, 30000))
            moved = moved or bool(data)
            while data:
                cut = rng.randint(1, max(1, len(data)))
                for event in other.receive_data(data[:cut], 0.0):
                    if isinstance(event, MessageReceived):
                        got[other].append((event.channel, event.payload))
                        answer_somehow(rng, other, event)
                    elif isinstance(event, ReplyReceived | AnswerReceived):
                        replies[other].append((event.channel, event.msgno, event.payload))
                    else:
                        assert isinstance(event, NulReceived)
                data = data[cut:]
        if not moved:
            break
    for me, other in sides:
        for number in numbers:
            mine = [p for n, p in sent[me] if n == number]
            assert [p for n, p in got[other] if n == number] == mine
            parts: dict[int, bytes] = {}
            for n, msgno, payload in replies[me]:
                if n == number:
                    parts[msgno] = parts.get(msgno, b"") + payload
            assert list(parts.values()) == [p[::-1] for p in mine]
        assert me.bytes_queued == 0
        assert me._link.inbox.buffered == me._link.inbox.owed == 0


def answer_somehow(rng: random.Random, side: Session, event: MessageReceived) -> None:
    """Answer with the payload reversed, as one reply or in two answers."""
    text = event.payload[::-1]
    if rng.random() < 0.5:
        side.send_reply(event.channel, event.msgno, text)
        return
    middle = rng.randint(0, len(text))
    side.send_answer(event.channel, event.msgno, text[:middle])
    ansno = side.send_answer(event.channel, event.msgno, b"", more=True)
    side.continue_answer(event.channel, event.msgno, ansno, text[middle:])
    side.send_nul(event.channel, event.msgno)


# -- the tables -------------------------------------------------------------------------------------------


def reachable(table: dict[tuple[object, str], object], begin: set[object]) -> set[object]:
    found = set(begin)
    while True:
        more = {end for (state, _), end in table.items() if state in found} - found
        if not more:
            return found
        found |= more


def test_every_state_of_the_tables_is_reachable_and_only_ends_are_dead_ends() -> None:
    assert reachable(dict(SESSION), {Phase.GREETING}) == set(Phase)
    assert reachable(dict(CHANNEL), {ChannelState.STARTING, ChannelState.OFFERED}) == set(ChannelState)
    assert reachable(dict(SERVER), {State.IDLE}) == set(State)
    assert set(ChannelState) - {state for state, _ in CHANNEL} == {ChannelState.CLOSED}
    assert set(State) - {state for state, _ in SERVER} == {State.DONE}
    assert {ChannelState.OPEN, ChannelState.CLOSE_ASKED} == MAY_SEND_MSG
