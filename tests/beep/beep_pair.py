"""Two ways to hold a session in a test: against another session, and against hand-made frames."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, TypeVar

from kalends.beep import Limits, ProfileOffer, Role, Security, Session
from kalends.beep.events import Event, SessionTerminated

ECHO = "urn:x-test:echo"
CAP = "http://iana.org/beep/cap/1.0"
XML = b"Content-Type: application/beep+xml\r\n\r\n"
GREETING = XML + b"<greeting />\r\n"
E = TypeVar("E")


def one(events: Sequence[Event], kind: type[E]) -> E:
    """The only event of a kind."""
    found = [e for e in events if isinstance(e, kind)]
    assert len(found) == 1, events
    return found[0]


def frame(
    keyword: str,
    channel: int,
    msgno: int,
    more: str,
    seqno: int,
    payload: bytes = b"",
    ansno: int | None = None,
) -> bytes:
    tail = "" if ansno is None else f" {ansno}"
    head = f"{keyword} {channel} {msgno} {more} {seqno} {len(payload)}{tail}\r\n"
    return head.encode() + payload + b"END\r\n"


class Pair:
    """An initiator and a listener joined without a socket."""

    def __init__(
        self,
        *,
        listener: dict[str, Any] | None = None,
        initiator: dict[str, Any] | None = None,
    ) -> None:
        self.listener = Session(Role.LISTENER, now=0.0, **({"profiles": [ECHO, CAP]} | (listener or {})))
        self.initiator = Session(Role.INITIATOR, now=0.0, **(initiator or {}))
        self.now = 0.0
        self.at_listener: list[Event] = []
        self.at_initiator: list[Event] = []
        self.run()

    def run(self) -> None:
        """Carry octets to and fro until both are silent; collects the events of this run."""
        self.at_listener, self.at_initiator = [], []
        for _ in range(1000):
            up, down = self.initiator.data_to_send(), self.listener.data_to_send()
            self.at_initiator += self.initiator.take_events()
            self.at_listener += self.listener.take_events()
            if up and not self.listener.terminated:
                self.at_listener += self.listener.receive_data(up, self.now)
            if down and not self.initiator.terminated:
                self.at_initiator += self.initiator.receive_data(down, self.now)
            if not up and not down:
                return
        raise AssertionError("the two never fell silent")

    def channel(self, uri: str = ECHO) -> int:
        """Open a channel from the initiator."""
        number = self.initiator.start_channel([ProfileOffer(uri)])
        self.run()
        self.listener.accept_start(number, uri)
        self.run()
        return number


class Raw:
    """A session whose peer is made of hand-written frames with the right sequence numbers."""

    def __init__(
        self,
        role: Role = Role.LISTENER,
        *,
        profiles: Sequence[str] = (ECHO, CAP),
        limits: Limits | None = None,
        security: Security | None = None,
        greet: bool = True,
    ) -> None:
        self.session = Session(
            role, profiles=profiles, limits=limits or Limits(), security=security or Security(), now=0.0
        )
        self.seqno: dict[int, int] = defaultdict(int)
        self.sent = self.session.data_to_send()
        self.events: list[Event] = []
        if greet:
            self.send("RPY", 0, 0, ".", GREETING)

    def deliver(self, data: bytes) -> list[Event]:
        """Deliver octets as they are."""
        self.events = self.session.receive_data(data, 0.0)
        self.sent = self.session.data_to_send()
        self.events += self.session.take_events()
        return self.events

    def make(
        self,
        keyword: str,
        channel: int,
        msgno: int,
        more: str,
        payload: bytes = b"",
        ansno: int | None = None,
    ) -> bytes:
        """Build a frame with the sequence number that is due."""
        data = frame(keyword, channel, msgno, more, self.seqno[channel] % 2**32, payload, ansno)
        self.seqno[channel] += len(payload)
        return data

    def send(
        self,
        keyword: str,
        channel: int,
        msgno: int,
        more: str,
        payload: bytes = b"",
        ansno: int | None = None,
    ) -> list[Event]:
        """Deliver one frame."""
        return self.deliver(self.make(keyword, channel, msgno, more, payload, ansno))

    def control(self, msgno: int, xml: str) -> bytes:
        """Send a MSG on channel 0; returns what the session answers."""
        self.send("MSG", 0, msgno, ".", XML + xml.encode())
        return self.sent

    def open(self, number: int = 1, uri: str = ECHO, msgno: int = 1) -> int:
        """Open a channel as the peer."""
        self.control(msgno, f"<start number='{number}'><profile uri='{uri}'/></start>")
        self.session.accept_start(number, uri)
        assert b"RPY 0 " in self.session.data_to_send()
        return number

    def ask(self) -> int:
        """Open a channel as the session under test; the peer agrees to everything."""
        number = self.session.start_channel([ProfileOffer(ECHO)])
        msgno = int(self.session.data_to_send().split()[2])
        self.send("RPY", 0, msgno, ".", XML + f"<profile uri='{ECHO}'/>".encode())
        return number

    @property
    def dead(self) -> bool:
        """Whether the session ended for a fault of the peer, without a word (BF-08)."""
        ended = [e for e in self.events if isinstance(e, SessionTerminated)]
        return bool(ended and ended[-1].error and self.session.terminated and not self.sent)
