"""The way in: octets to frames to messages, with every check of RFC 3080 §2.2.1.1.

No octet is looked at twice: an unfinished header is at most 64 octets and is kept as it is; the payload of an
unfinished frame is kept in pieces and joined once.
"""

from typing import Any

from kalends.beep.channel import Assembly, Channel, Exchange, Request
from kalends.beep.errors import RemoteProtocolError
from kalends.beep.events import (
    AnswerReceived,
    ErrorReceived,
    Event,
    MessageReceived,
    MessageTooLarge,
    NulReceived,
    ReplyTooLarge,
    make_message,
    make_reply,
)
from kalends.beep.frames import (
    ANS,
    ERR,
    MORE,
    MSG,
    NUL,
    RPY,
    TRAILER,
    header_is_incomplete,
    match_header,
    match_seq,
)
from kalends.beep.limits import INITIAL_WINDOW, MAX_NUMBER, Limits
from kalends.beep.machine import NOT_YET_OPEN, ChannelState
from kalends.beep.sending import Outbox
from kalends.beep.window import SEQ_MASK

# A peer may acknowledge data of a channel we have just closed: remember so many numbers.
REMEMBER_CLOSED = 1024
# Answers of one reply in progress at once; empty beginnings of answers are not held back by any window.
MAX_INTERLEAVED = 1024


class Frame:
    """Header of a frame whose payload is still arriving.

    Args:
        channel: Where it belongs.
        keyword: MSG, RPY, ERR, ANS or NUL.
        msgno: Message number.
        more: Whether other frames of the message follow.
        size: Octets of its payload.
        ansno: Answer number, -1 if none.
    """

    __slots__ = ("ansno", "channel", "keyword", "missing", "more", "msgno", "pieces")

    def __init__(
        self, channel: Channel, keyword: bytes, msgno: int, more: bool, size: int, ansno: int
    ) -> None:
        self.channel = channel
        self.keyword = keyword
        self.msgno = msgno
        self.more = more
        self.ansno = ansno
        self.missing = size
        self.pieces: list[bytes] = []


class Inbox:
    """Everything that arrives on one connection.

    Args:
        limits: For sizes and counts.
        channels: The session's channels, shared with it.
        outbox: Where SEQ frames are asked for and early ERRs cut our MSGs.
        events: Where events for the application go, shared with the session.
    """

    __slots__ = (
        "_channels",
        "_events",
        "_frame",
        "_limits",
        "_outbox",
        "_tail",
        "buffered",
        "closed",
        "deaf",
        "frames",
        "owed",
    )

    def __init__(
        self, limits: Limits, channels: dict[int, Channel], outbox: Outbox, events: list[Event]
    ) -> None:
        self._limits = limits
        self._channels = channels
        self._outbox = outbox
        self._events = events
        self.clear()

    def clear(self) -> None:
        """Forget every octet and count (start of a session's life)."""
        self._tail = b""
        self._frame: Frame | None = None
        self.buffered = 0  # payload held: unfinished messages and unanswered MSGs
        self.owed = 0  # MSGs the application has not finished answering
        self.frames = 0  # whole frames seen, for the idle timer
        self.deaf = False  # nothing may arrive: TLS is about to begin
        self.closed: dict[int, None] = {}  # numbers of channels closed lately, oldest first

    @property
    def idle(self) -> bool:
        """Whether no frame is half received."""
        return self._frame is None and not self._tail

    # -- octets to frames -------------------------------------------------------------------------------

    def receive(self, data: bytes) -> None:
        """Take octets from the connection.

        Args:
            data: Any number of octets.

        Raises:
            RemoteProtocolError: The peer broke the protocol.

        Source: RFC 3080 §2.2.1, RFC 3081 §3.1.3.
        """
        if self._tail:
            data = self._tail + data
            self._tail = b""
        position, end = 0, len(data)
        while position < end:
            if self.deaf:
                raise RemoteProtocolError(
                    "octets between <ready/> and the TLS handshake: someone injects plain text"
                )
            if self._frame is not None:
                position = self._continue_frame(self._frame, data, position)
            else:
                match = match_header(data, position)
                if match is not None:
                    position = self._begin_frame(match.groups(), data, match.end())
                elif (seq := match_seq(data, position)) is not None:
                    self._take_seq(*map(int, seq.groups()))
                    position = seq.end()
                elif header_is_incomplete(data, position):
                    self._tail = data[position:]
                    return
            if position < 0:  # a trailer is cut in two; its beginning is in the tail
                return

    def _begin_frame(self, fields: tuple[Any, ...], data: bytes, start: int) -> int:
        """Check a header; take the frame at once if all of it is here. Returns where to go on."""
        keyword, number, _msgno, _more, seqno, _size, _ansno = fields
        channel = self._channels.get(int(number))
        if channel is None or channel.state in NOT_YET_OPEN:
            raise RemoteProtocolError(f"frame on channel {int(number)}, which is not open")
        msgno, size, position = int(_msgno), int(_size), int(seqno)
        more = _more == MORE
        ansno = -1 if _ansno is None else int(_ansno)
        # The conditions are spelled out here because calls for every frame would cost a tenth of its time.
        window = channel.receiving
        if position != window.received & SEQ_MASK or window.received + size > window.edge:
            window.check(position, size)
        if channel.open_keyword is not None:
            _check_contiguous(channel, keyword, msgno)
        elif keyword == MSG and (
            msgno in channel.inbound
            or msgno > MAX_NUMBER
            or self._outbox.unanswered >= self._limits.max_pending
        ):
            self._check_new_message(channel, msgno)
        if keyword != MSG or ansno >= 0:
            self._check_reply(channel, keyword, msgno, more, size, ansno)
        stop = start + size
        if len(data) >= stop + 5:
            if keyword == MSG and not more and channel.partial is None and self._fits(channel, size):
                if data[stop : stop + 5] != TRAILER:
                    raise RemoteProtocolError("a frame does not end in END")
                self._take_whole_message(channel, msgno, data[start:stop])
                return stop + 5
            if data[stop : stop + 5] != TRAILER:
                raise RemoteProtocolError("a frame does not end in END")
            self._take_frame(channel, keyword, msgno, more, ansno, data[start:stop])
            return stop + 5
        self._frame = Frame(channel, keyword, msgno, more, size, ansno)
        return self._continue_frame(self._frame, data, start)

    def _continue_frame(self, frame: Frame, data: bytes, position: int) -> int:
        """Add octets to an unfinished frame. Returns where to go on, -1 when its trailer is cut in two."""
        if frame.missing:
            piece = data[position : position + frame.missing]
            frame.pieces.append(piece)
            frame.missing -= len(piece)
            position += len(piece)
            if frame.missing:
                return position
        trailer = data[position : position + 5]
        if trailer != TRAILER[: len(trailer)]:
            raise RemoteProtocolError("a frame does not end in END")
        if len(trailer) < 5:
            self._tail = trailer
            return -1
        self._frame = None
        payload = b"".join(frame.pieces)
        self._take_frame(frame.channel, frame.keyword, frame.msgno, frame.more, frame.ansno, payload)
        return position + 5

    def _take_seq(self, number: int, ackno: int, window: int) -> None:
        channel = self._channels.get(number)
        if channel is None or channel.state in NOT_YET_OPEN:
            if number in self.closed:
                return
            raise RemoteProtocolError(f"SEQ for channel {number}, which is not open")
        self.frames += 1
        channel.sending.update(ackno, window)
        self._outbox.wake(channel)

    # -- checks -----------------------------------------------------------------------------------------

    def _check_new_message(self, channel: Channel, msgno: int) -> None:
        if msgno in channel.inbound:
            raise RemoteProtocolError(
                f"MSG {msgno} again on channel {channel.number} before its reply was sent"
            )
        if msgno > MAX_NUMBER:
            raise RemoteProtocolError(f"message number {msgno} is too large")
        if self._outbox.unanswered >= self._limits.max_pending:
            raise RemoteProtocolError(f"more than {self._limits.max_pending} unanswered MSGs")

    def _check_reply(
        self, channel: Channel, keyword: bytes | None, msgno: int, more: bool, size: int, ansno: int
    ) -> None:
        if (keyword == ANS) != (ansno >= 0) or ansno > SEQ_MASK:
            raise RemoteProtocolError("only ANS frames carry an answer number")
        request = channel.outbound.get(msgno)
        if request is None or not request.was_sent():
            raise RemoteProtocolError(f"reply to MSG {msgno} on channel {channel.number}, which awaits none")
        before = request.keyword
        if keyword == NUL:
            if more or size:
                raise RemoteProtocolError("NUL with a payload or a continuation")
            if before not in {None, ANS} or request.answers:
                raise RemoteProtocolError("NUL after something that is no finished answer")
        elif before is not None and before != keyword:
            raise RemoteProtocolError(f"reply to MSG {msgno} changes from {before!r} to {keyword!r}")

    # -- frames to messages -----------------------------------------------------------------------------

    def _take_frame(
        self, channel: Channel, keyword: bytes | None, msgno: int, more: bool, ansno: int, payload: bytes
    ) -> None:
        if channel.state is ChannelState.CLOSED:
            raise RemoteProtocolError(f"frame on channel {channel.number}, which is closed")
        self.frames += 1
        window = channel.receiving
        window.received += len(payload)
        if more:
            channel.open_keyword, channel.open_msgno = keyword, msgno
        else:
            channel.open_keyword = None
        if keyword == MSG:
            self._take_message(channel, msgno, more, payload)
        elif keyword == ANS:
            self._take_answer(channel, msgno, more, ansno, payload)
        elif keyword == NUL:
            del channel.outbound[msgno]
            self._deliver(channel, NulReceived(channel.number, msgno))
        else:
            self._take_reply(channel, keyword, msgno, more, payload)
        if window.edge - window.received <= window.half:
            self.offer(channel)
        if channel.state is not ChannelState.OPEN:
            self._outbox.progress(channel)

    def _take_whole_message(self, channel: Channel, msgno: int, payload: bytes) -> None:
        """What _take_frame and _take_message do, for the usual MSG of one frame, without their calls."""
        size = len(payload)
        self.frames += 1
        window = channel.receiving
        window.received += size
        exchange = Exchange(msgno)
        exchange.received = True
        exchange.kept = size
        channel.inbound[msgno] = exchange
        channel.order.append(exchange)
        channel.held += size
        self.buffered += size
        self._outbox.unanswered += 1
        if channel.sink is None:
            exchange.owed = True
            self.owed += 1
            self._events.append(make_message(channel.number, msgno, payload))
        else:
            channel.sink(MessageReceived(channel.number, msgno, payload))
        if window.edge - window.received <= window.half:
            self.offer(channel)
        if channel.state is not ChannelState.OPEN:
            self._outbox.progress(channel)

    def _take_message(self, channel: Channel, msgno: int, more: bool, payload: bytes) -> None:
        partial = channel.partial
        if partial is None:
            exchange = Exchange(msgno)
            channel.inbound[msgno] = exchange
            channel.order.append(exchange)
            self._outbox.unanswered += 1
            partial = channel.partial = Assembly()
        else:
            exchange = channel.inbound[msgno]
        if self._assemble(channel, partial, payload):
            prefix = b"".join(partial.parts)[:INITIAL_WINDOW]
            partial.parts.clear()
            self._owe(channel, exchange)
            self._deliver(channel, MessageTooLarge(channel.number, msgno, partial.size, prefix))
        if more:
            return
        channel.partial = None
        exchange.received = True
        if partial.too_large:
            if exchange.gone:
                del channel.inbound[msgno]
                self._outbox.unanswered -= 1
            return
        self.buffered -= partial.size
        self._hold(channel, exchange, partial.size)
        self._owe(channel, exchange)
        self._deliver(channel, MessageReceived(channel.number, msgno, b"".join(partial.parts)))

    def _take_reply(
        self, channel: Channel, keyword: bytes | None, msgno: int, more: bool, payload: bytes
    ) -> None:
        request = channel.outbound[msgno]
        request.keyword = keyword
        if keyword == ERR and channel.out and channel.out[0] is request.outgoing:
            self._outbox.cut(channel, request.outgoing)
        if not more and request.assembly is None and self._fits(channel, len(payload)):
            del channel.outbound[msgno]
            self._deliver(channel, _reply_event(keyword, channel.number, msgno, payload))
            return
        assembly = request.assembly = request.assembly or Assembly()
        self._assemble(channel, assembly, payload)
        if more:
            return
        del channel.outbound[msgno]
        event: Event = ReplyTooLarge(channel.number, msgno, None, assembly.size)
        if not assembly.too_large:
            self.buffered -= assembly.size
            event = _reply_event(keyword, channel.number, msgno, b"".join(assembly.parts))
        self._deliver(channel, event)

    def _take_answer(self, channel: Channel, msgno: int, more: bool, ansno: int, payload: bytes) -> None:
        request = channel.outbound[msgno]
        request.keyword = ANS
        answers = request.answers
        assembly = answers.get(ansno) if answers else None
        if assembly is None and not more and self._fits(channel, len(payload)):
            self._deliver(channel, AnswerReceived(channel.number, msgno, ansno, payload))
            return
        if assembly is None:
            assembly = self._new_answer(request, ansno)
        self._assemble(channel, assembly, payload)
        if more:
            return
        del request.answers[ansno]  # type: ignore[union-attr]  # _new_answer made it
        event: Event = ReplyTooLarge(channel.number, msgno, ansno, assembly.size)
        if not assembly.too_large:
            self.buffered -= assembly.size
            event = AnswerReceived(channel.number, msgno, ansno, b"".join(assembly.parts))
        self._deliver(channel, event)

    def _new_answer(self, request: Request, ansno: int) -> Assembly:
        if request.answers is None:
            request.answers = {}
        if len(request.answers) >= MAX_INTERLEAVED:
            raise RemoteProtocolError(f"more than {MAX_INTERLEAVED} answers interleaved")
        return request.answers.setdefault(ansno, Assembly())

    def _assemble(self, channel: Channel, assembly: Assembly, payload: bytes) -> bool:
        """Add to a message. Returns True when it has just become too large; its parts are then stale."""
        assembly.size += len(payload)
        if assembly.too_large:
            return False
        if not payload:
            return False
        assembly.parts.append(payload)
        self.buffered += len(payload)
        if assembly.size <= channel.max_message and self.buffered <= self._limits.max_buffered:
            return False
        assembly.too_large = True
        self.buffered -= assembly.size
        if assembly is not channel.partial:
            assembly.parts.clear()
        return True

    def _fits(self, channel: Channel, size: int) -> bool:
        return size <= channel.max_message and self.buffered + size <= self._limits.max_buffered

    def _deliver(self, channel: Channel, event: Event) -> None:
        if channel.sink is None:
            self._events.append(event)
        else:
            channel.sink(event)

    # -- windows ----------------------------------------------------------------------------------------

    def _hold(self, channel: Channel, exchange: Exchange, size: int) -> None:
        exchange.kept = size
        channel.held += size
        self.buffered += size

    def _owe(self, channel: Channel, exchange: Exchange) -> None:
        """The application is about to be told: from now on the peer is not the one to be waited for."""
        if channel.sink is None:
            exchange.owed = True
            self.owed += 1

    def finish(self, channel: Channel, exchange: Exchange) -> None:
        """Note that the application is through with a MSG: its octets no longer hold back the window."""
        self.owed -= exchange.owed
        channel.held -= exchange.kept
        self.buffered -= exchange.kept
        exchange.kept = 0
        if channel.receiving.is_half_used():
            self.offer(channel)

    def offer(self, channel: Channel) -> None:
        """Have a SEQ frame sent if the window is half used and the application keeps up."""
        limits = self._limits
        if channel.paused or len(channel.order) >= limits.soft_pending or channel.held > limits.max_window:
            return
        if self._outbox.queued > limits.max_queued:
            self._outbox.withheld.add(channel)
            return
        if channel.state is not ChannelState.CLOSED and channel.receiving.is_half_used():
            self._outbox.want_seq(channel)

    def offer_withheld(self) -> None:
        """Go on with channels that had to wait because the peer did not take our replies."""
        if self._outbox.queued <= self._limits.max_queued:
            channels = list(self._outbox.withheld)
            self._outbox.withheld.clear()
            for channel in channels:
                self.offer(channel)

    def forget(self, channel: Channel) -> None:
        """Drop a channel that was closed."""
        channel.receiving.give_back(self._outbox.budget)
        self.closed[channel.number] = None
        if len(self.closed) > REMEMBER_CLOSED:
            del self.closed[next(iter(self.closed))]


def _check_contiguous(channel: Channel, keyword: bytes | None, msgno: int) -> None:
    """Only the same message may follow a frame that ended in "*" (BF-07)."""
    if msgno != channel.open_msgno or keyword != channel.open_keyword:
        raise RemoteProtocolError(
            f"{keyword!r} {msgno} within {channel.open_keyword!r} {channel.open_msgno} on {channel.number}"
        )


def _reply_event(keyword: bytes | None, channel: int, msgno: int, payload: bytes) -> Event:
    if keyword == RPY:
        return make_reply(channel, msgno, payload)
    return ErrorReceived(channel, msgno, payload)
