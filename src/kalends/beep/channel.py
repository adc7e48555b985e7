"""What is known about one channel: messages under way in both directions."""

from collections import deque
from collections.abc import Callable

from kalends.beep.events import Event
from kalends.beep.machine import CHANNEL, ChannelState, advance
from kalends.beep.window import ReceiveWindow, SendWindow


class Outgoing:
    """One message being sent, in as many frames as windows and frame size ask for.

    Args:
        keyword: MSG, RPY, ERR, ANS or NUL.
        msgno: Its number.
        payload: The first piece.
        ansno: For ANS only.
        complete: Whether no further piece follows.
        after: Called when its last frame was handed to the connection.
    """

    __slots__ = ("after", "ansno", "begun", "complete", "keyword", "msgno", "offset", "payload", "rest")

    def __init__(
        self,
        keyword: bytes,
        msgno: int,
        payload: bytes,
        ansno: int | None = None,
        complete: bool = True,
        after: Callable[[], None] | None = None,
    ) -> None:
        self.keyword = keyword
        self.msgno = msgno
        self.payload = payload
        self.ansno = ansno
        self.complete = complete
        self.after = after
        self.offset = 0
        self.begun = False
        self.rest: deque[bytes] | None = None

    def unsent(self) -> int:
        """Octets not yet sent."""
        return len(self.payload) - self.offset + (sum(map(len, self.rest)) if self.rest else 0)

    def cut(self) -> None:
        """Send nothing more of it but an empty last frame (RFC 3080 §2.6.3)."""
        self.payload, self.offset, self.rest, self.complete = b"", 0, None, True


class Assembly:
    """A message arriving in several frames.

    Args:
        size: Octets so far.
    """

    __slots__ = ("parts", "size", "too_large")

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.size = 0
        self.too_large = False


class Exchange:
    """A MSG of the peer and our reply to it.

    Args:
        msgno: The peer's number for it.
    """

    __slots__ = (
        "answers",
        "finished",
        "gone",
        "kept",
        "keyword",
        "msgno",
        "next_ansno",
        "owed",
        "received",
        "waiting",
    )

    def __init__(self, msgno: int) -> None:
        self.msgno = msgno
        self.kept = 0  # octets of it the application still has to digest
        self.received = False  # its last frame is here
        self.owed = False  # the application knows of it and has not finished answering
        self.keyword: bytes | None = None  # what kind of reply the application began
        self.finished = False  # the application has handed in the whole reply
        self.gone = False  # the last frame of the reply was sent
        self.next_ansno = 0
        self.waiting: list[Outgoing] | None = None  # replies held back until earlier MSGs are answered
        self.answers: dict[int | None, Outgoing] | None = None  # replies and answers begun with more=True


class Request:
    """A MSG of ours and the peer's reply to it.

    Args:
        outgoing: The MSG itself; None for the greeting, which answers nothing.
    """

    __slots__ = ("answers", "assembly", "keyword", "outgoing")

    def __init__(self, outgoing: Outgoing | None) -> None:
        self.outgoing = outgoing
        self.keyword: bytes | None = None  # keyword of the last frame of the reply
        self.assembly: Assembly | None = None
        self.answers: dict[int, Assembly] | None = None

    def was_sent(self) -> bool:
        """Whether at least one frame of the MSG has left."""
        return self.outgoing is None or self.outgoing.begun


class Channel:
    """One channel of a session.

    Args:
        number: 0..2147483647.
        profile: URI; "" for channel 0.
        state: Where its life begins.
        max_message: Largest message taken here, octets.
        sink: Who gets its events; None: the application.
    """

    __slots__ = (
        "active",
        "close_msgno",
        "close_wish",
        "held",
        "in_ready",
        "inbound",
        "max_message",
        "next_msgno",
        "number",
        "open_keyword",
        "open_msgno",
        "order",
        "out",
        "outbound",
        "partial",
        "paused",
        "profile",
        "receiving",
        "sending",
        "seq_due",
        "sink",
        "state",
        "streams",
    )

    def __init__(
        self,
        number: int,
        profile: str,
        state: ChannelState,
        max_message: int,
        sink: Callable[[Event], None] | None = None,
    ) -> None:
        self.number = number
        self.profile = profile
        self.state = state
        self.max_message = max_message
        self.sink = sink
        self.receiving = ReceiveWindow()
        self.sending = SendWindow()
        # receiving
        self.inbound: dict[int, Exchange] = {}  # MSGs whose reply has not wholly left
        self.order: deque[Exchange] = deque()  # MSGs whose reply is not wholly handed in, oldest first
        self.partial: Assembly | None = None  # the MSG now arriving in several frames
        self.open_keyword: bytes | None = None  # keyword of the previous frame, if it ended in "*"
        self.open_msgno = 0
        self.held = 0  # octets of MSGs the application has not answered
        self.paused = False
        self.seq_due = False
        # sending
        self.out: deque[Outgoing] = deque()
        self.outbound: dict[int, Request] = {}  # our MSGs whose reply is not wholly here
        self.streams: dict[int, Outgoing] = {}  # our MSGs begun with more=True
        self.next_msgno = 0
        self.active = True  # False until the peer can know that the channel exists
        self.in_ready = False
        self.close_msgno: int | None = None  # the peer's <close>, to be answered when all is settled
        self.close_wish: tuple[int, str, bool] | None = None  # our own <close>: code, text, whether unasked

    def step(self, word: str) -> None:
        """Move along the table of channel states."""
        self.state = advance(CHANNEL, self.state, word)

    def is_settled(self) -> bool:
        """Whether nothing is owed in either direction (RFC 3080 §2.3.1.3)."""
        return not self.out and not self.outbound and not self.inbound

    def is_acknowledged(self) -> bool:
        """Whether each of our MSGs was sent and has at least the first frame of its reply."""
        return not any(o.keyword == b"MSG" for o in self.out) and all(
            r.keyword is not None for r in self.outbound.values()
        )
