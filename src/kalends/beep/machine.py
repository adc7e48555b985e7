"""State machines as tables: (state, input) -> next state; what is not in a table is forbidden.

Who may see which input: words ending in "ed by peer" or "received" come from the wire, the others from our
own application or from the engine's own progress.
"""

from enum import Enum, auto
from typing import TypeVar

from kalends.beep.errors import LocalProtocolError


class Phase(Enum):
    """Life of a session (RFC 3080 §2.4, §3)."""

    __hash__ = object.__hash__  # Enum hashes names in Python code; members are singletons anyway

    GREETING = auto()  # ours is sent, the peer's is awaited
    OPEN = auto()
    TLS_ASKED = auto()  # we sent <ready/>: silence until the answer
    TLS_DRAINING = auto()  # we got <ready/>: replies still owed go first
    HANDSHAKE = auto()
    RELEASING = auto()  # we sent <close number='0'>
    RELEASE_ASKED = auto()  # the peer sent it
    RELEASE_AGREED = auto()  # replies still owed go first, then <ok/>
    RELEASED = auto()
    TERMINATED = auto()


class ChannelState(Enum):
    """Life of a channel (RFC 3080 §2.3.1.2, §2.3.1.3)."""

    __hash__ = object.__hash__

    STARTING = auto()  # we sent <start>
    OFFERED = auto()  # the peer sent <start>, the application has to say
    OPEN = auto()
    CLOSE_WAITING = auto()  # we want to close, our MSGs are not all acknowledged
    CLOSE_SENT = auto()
    CLOSE_ASKED = auto()  # the peer sent <close>, the application has to say
    CLOSE_AGREED = auto()  # what is owed goes first, then <ok/>
    CLOSE_CROSSED = auto()  # both sent <close>
    CLOSED = auto()


SESSION: dict[tuple[Phase, str], Phase] = {
    (Phase.GREETING, "greeting received"): Phase.OPEN,
    (Phase.GREETING, "refused by peer"): Phase.TERMINATED,
    (Phase.OPEN, "ready sent"): Phase.TLS_ASKED,
    (Phase.OPEN, "ready received"): Phase.TLS_DRAINING,
    (Phase.TLS_ASKED, "tls refused by peer"): Phase.OPEN,
    (Phase.TLS_ASKED, "proceed received"): Phase.HANDSHAKE,
    (Phase.TLS_DRAINING, "proceed sent"): Phase.HANDSHAKE,
    (Phase.HANDSHAKE, "tls established"): Phase.GREETING,
    (Phase.OPEN, "release sent"): Phase.RELEASING,
    (Phase.RELEASING, "release refused by peer"): Phase.OPEN,
    (Phase.RELEASING, "release agreed by peer"): Phase.RELEASED,
    (Phase.RELEASING, "release received"): Phase.RELEASE_AGREED,
    (Phase.OPEN, "release received"): Phase.RELEASE_ASKED,
    (Phase.RELEASE_ASKED, "release accepted"): Phase.RELEASE_AGREED,
    (Phase.RELEASE_ASKED, "release declined"): Phase.OPEN,
    (Phase.RELEASE_AGREED, "release agreed by peer"): Phase.RELEASED,
    (Phase.RELEASE_AGREED, "release refused by peer"): Phase.RELEASE_AGREED,
    (Phase.RELEASE_AGREED, "ok sent"): Phase.RELEASED,
} | {(phase, "terminated"): Phase.TERMINATED for phase in Phase}

CHANNEL: dict[tuple[ChannelState, str], ChannelState] = {
    (ChannelState.STARTING, "started by peer"): ChannelState.OPEN,
    (ChannelState.STARTING, "refused by peer"): ChannelState.CLOSED,
    (ChannelState.OFFERED, "start accepted"): ChannelState.OPEN,
    (ChannelState.OFFERED, "start refused"): ChannelState.CLOSED,
    (ChannelState.OPEN, "close wanted"): ChannelState.CLOSE_WAITING,
    (ChannelState.CLOSE_WAITING, "acknowledged"): ChannelState.CLOSE_SENT,
    (ChannelState.CLOSE_WAITING, "close received"): ChannelState.CLOSE_AGREED,
    (ChannelState.CLOSE_SENT, "close agreed by peer"): ChannelState.CLOSED,
    (ChannelState.CLOSE_SENT, "close refused by peer"): ChannelState.OPEN,
    (ChannelState.CLOSE_SENT, "close received"): ChannelState.CLOSE_CROSSED,
    (ChannelState.CLOSE_CROSSED, "close agreed by peer"): ChannelState.CLOSE_AGREED,
    (ChannelState.CLOSE_CROSSED, "close refused by peer"): ChannelState.CLOSE_AGREED,
    (ChannelState.CLOSE_CROSSED, "settled"): ChannelState.CLOSED,
    (ChannelState.OPEN, "close received"): ChannelState.CLOSE_ASKED,
    (ChannelState.CLOSE_ASKED, "close accepted"): ChannelState.CLOSE_AGREED,
    (ChannelState.CLOSE_ASKED, "close declined"): ChannelState.OPEN,
    (ChannelState.CLOSE_AGREED, "settled"): ChannelState.CLOSED,
}

# No frame may come or go yet: the number is only reserved.
NOT_YET_OPEN = frozenset({ChannelState.STARTING, ChannelState.OFFERED})

# New MSGs of ours: RFC 3080 §2.3.1.3 forbids them once our <close> is out.
MAY_SEND_MSG = frozenset({ChannelState.OPEN, ChannelState.CLOSE_ASKED})

S = TypeVar("S", Phase, ChannelState)


def advance(table: dict[tuple[S, str], S], state: S, word: str) -> S:
    """Take one step.

    Args:
        table: SESSION or CHANNEL.
        state: Where we are.
        word: What happened.

    Returns:
        Where that leads.

    Raises:
        LocalProtocolError: The table has no such step.
    """
    try:
        return table[state, word]
    except KeyError:
        raise LocalProtocolError(f"{word!r} is not possible in state {state.name}") from None
