"""What the parts of a session share: its channels, its queues, its phase, and how messages get queued."""

from collections.abc import Callable, Sequence

from kalends.beep import management
from kalends.beep.channel import Channel, Exchange, Outgoing, Request
from kalends.beep.errors import LocalProtocolError, ProtocolError
from kalends.beep.events import ChannelClosed, Event, GreetingReceived, SessionTerminated
from kalends.beep.frames import ANS, ERR, MSG, NUL
from kalends.beep.limits import MAX_NUMBER, Limits
from kalends.beep.machine import MAY_SEND_MSG, NOT_YET_OPEN, SESSION, ChannelState, Phase, advance
from kalends.beep.receiving import Inbox
from kalends.beep.security import Security
from kalends.beep.sending import Outbox

Translate = Callable[[str, Sequence[str]], tuple[str, str]]
"""A diagnostic of ours in one of the peer's languages: the text, and the tag of the language it is in."""


def untranslated(text: str, localize: Sequence[str]) -> tuple[str, str]:
    """As it is, in English."""
    return text, management.OUR_LANGUAGE


def _judge(names: tuple[str, ...] | None) -> Callable[[str], bool]:
    """Tells whether a serverName is one of these, compared without case; None: any is."""
    if names is None:
        return lambda _: True
    known = frozenset(name.lower() for name in names)
    return lambda name: name.lower() in known


class Link:
    """The inside of a session.

    Args:
        initiator: Whether we opened the connection.
        limits: Bounds of the session.
        security: Its policy.
        translate: Says diagnostics in the peer's language.
    """

    def __init__(
        self, initiator: bool, limits: Limits, security: Security, translate: Translate = untranslated
    ) -> None:
        self.translate = translate
        self.initiator = initiator
        self.limits = limits
        self.security = security
        self.phase = Phase.GREETING
        self.events: list[Event] = []
        self.channels: dict[int, Channel] = {}
        self.outbox = Outbox(limits, self._progress)
        self.inbox = Inbox(limits, self.channels, self.outbox, self.events)
        self.private = security.private
        self.external_identity = security.external_identity
        self.identity: str | None = None
        self.peer_greeting: GreetingReceived | None = None
        self.server_name: str | None = None
        self.answers_to = _judge(security.server_names)
        self.watchers: list[Callable[[Channel], None]] = []

    # -- life -------------------------------------------------------------------------------------------

    def begin_life(self, sink: Callable[[Event], None]) -> Channel:
        """Forget everything learnt and make a fresh channel 0 (RFC 3080 §3, §9)."""
        self.channels.clear()
        self.outbox.clear()
        self.inbox.clear()
        self.peer_greeting = None
        self.server_name = None
        control = Channel(0, "", ChannelState.OPEN, self.limits.max_management, sink)
        control.outbound[0] = Request(None)  # the peer's greeting comes as a reply to a MSG 0 never sent
        control.next_msgno = 1
        self.channels[0] = control
        return control

    def step(self, word: str) -> None:
        """Move along the table of phases."""
        self.phase = advance(SESSION, self.phase, word)

    def terminate(self, error: ProtocolError | None) -> None:
        """End the session without a word to the peer."""
        if self.phase in {Phase.TERMINATED, Phase.RELEASED}:
            return
        self.step("terminated")
        self.channels.clear()
        self.outbox.clear()
        self.inbox.clear()
        self.events.append(SessionTerminated(error))

    @property
    def over(self) -> bool:
        """Whether nothing more can happen."""
        return self.phase in {Phase.TERMINATED, Phase.RELEASED}

    @property
    def localize(self) -> tuple[str, ...]:
        """Languages the peer wants, best first."""
        return self.peer_greeting.localize if self.peer_greeting else ()

    def diagnostic(self, code: int, text: str, lang: str = management.OUR_LANGUAGE) -> str:
        """An <error> for the peer, in its language where that is known here (RFC 3080 §2.3.1.5)."""
        if text and lang == management.OUR_LANGUAGE:
            text, lang = self.translate(text, self.localize)
        return management.error_xml(code, text, self.localize, lang)

    def is_quiet_but(self, exchange: Exchange | None) -> bool:
        """Whether every reply has left, except the one to this MSG."""
        return all(
            not c.out and all(e is exchange for e in c.inbound.values()) for c in self.channels.values()
        )

    # -- channels ---------------------------------------------------------------------------------------

    def app_channel(self, number: int) -> Channel:
        """Find an open channel that belongs to the application (not channel 0, not a tuning channel).

        Raises:
            LocalProtocolError: There is none of that number, or it is still being started.
        """
        channel = self.channels.get(number)
        if channel is None or channel.state in NOT_YET_OPEN:
            raise LocalProtocolError(f"channel {number} is not open")
        if channel.sink is not None:
            raise LocalProtocolError(f"channel {number} is managed by the session itself")
        return channel

    def drop_channel(self, channel: Channel) -> None:
        """Remove a closed channel on which nothing is owed."""
        channel.state = ChannelState.CLOSED
        if self.channels.get(channel.number) is channel:
            del self.channels[channel.number]
            self.inbox.forget(channel)
        if channel.sink is None:
            self.events.append(ChannelClosed(channel.number))

    def _progress(self, channel: Channel) -> None:
        for watcher in self.watchers:
            watcher(channel)

    def send_greeting(
        self, channel: Channel, keyword: bytes, payload: bytes, after: Callable[[], None] | None
    ) -> None:
        """Queue the reply to no MSG that begins a session."""
        self.outbox.queued += len(payload)
        self.outbox.put(channel, Outgoing(keyword, 0, payload, after=after))

    # -- messages ---------------------------------------------------------------------------------------

    def send_request(
        self,
        channel: Channel,
        payload: bytes,
        complete: bool = True,
        after: Callable[[], None] | None = None,
    ) -> int:
        """Queue a MSG.

        Returns:
            Its msgno.

        Raises:
            LocalProtocolError: The channel is closing.
        """
        if channel.state not in MAY_SEND_MSG:
            raise LocalProtocolError(f"no new MSG on channel {channel.number} in state {channel.state.name}")
        msgno = channel.next_msgno
        while msgno in channel.outbound:
            msgno = (msgno + 1) & MAX_NUMBER
        channel.next_msgno = (msgno + 1) & MAX_NUMBER
        outgoing = Outgoing(MSG, msgno, payload, None, complete, after)
        channel.outbound[msgno] = Request(outgoing)
        if not complete:
            channel.streams[msgno] = outgoing
        self.outbox.queued += len(payload)
        self.outbox.put(channel, outgoing)
        return msgno

    def send_reply(
        self,
        channel: Channel,
        msgno: int,
        keyword: bytes,
        payload: bytes,
        complete: bool = True,
        after: Callable[[], None] | None = None,
    ) -> int | None:
        """Queue an RPY, ERR, ANS or NUL behind the replies to all earlier MSGs of the channel.

        Returns:
            The ansno of an ANS, else None.

        Raises:
            LocalProtocolError: No such MSG awaits that kind of reply.
        """
        exchange = channel.inbound.get(msgno)
        if exchange is None or exchange.finished:
            raise LocalProtocolError(f"no MSG {msgno} on channel {channel.number} awaits a reply")
        if not exchange.received and keyword != ERR:
            raise LocalProtocolError(f"MSG {msgno} is not whole yet: only an error may answer it")
        if exchange.keyword is not None and not (exchange.keyword == ANS and keyword in {ANS, NUL}):
            raise LocalProtocolError(f"the reply to MSG {msgno} began with another keyword")
        if keyword == NUL and exchange.answers:
            raise LocalProtocolError("an answer is still unfinished")
        exchange.keyword = keyword
        ansno: int | None = None
        if keyword == ANS:
            ansno = exchange.next_ansno
            exchange.next_ansno = (ansno + 1) & MAX_NUMBER
        outgoing = Outgoing(keyword, msgno, payload, ansno, complete, after)
        self.outbox.queued += len(payload)
        if channel.order[0] is exchange:
            self.outbox.put(channel, outgoing)
        elif exchange.waiting is None:
            exchange.waiting = [outgoing]
        else:
            exchange.waiting.append(outgoing)
        if not complete:
            if exchange.answers is None:
                exchange.answers = {}
            exchange.answers[ansno] = outgoing
        elif keyword != ANS:
            self._finish(channel, exchange)
        return ansno

    def continue_reply(
        self, channel: Channel, msgno: int, ansno: int | None, payload: bytes, complete: bool
    ) -> None:
        """Add a piece to a reply or answer begun incomplete."""
        exchange = channel.inbound.get(msgno)
        outgoing = exchange.answers.get(ansno) if exchange and exchange.answers else None
        if exchange is None or exchange.answers is None or outgoing is None:
            raise LocalProtocolError(f"no reply to MSG {msgno} is under way")
        if complete:
            del exchange.answers[ansno]
        self.outbox.extend(channel, outgoing, payload, complete)
        if complete and ansno is None:
            self._finish(channel, exchange)

    def _finish(self, channel: Channel, exchange: Exchange) -> None:
        """The whole reply is handed in: let the replies to later MSGs follow (BA-01)."""
        exchange.finished = True
        order = channel.order
        while order and order[0].finished:
            order.popleft()
            if order and order[0].waiting:
                for outgoing in order[0].waiting:
                    self.outbox.put(channel, outgoing)
                order[0].waiting = None
        self.inbox.finish(channel, exchange)
