"""The way out: which frame goes next (RFC 3081 §3.1.4).

SEQ frames go before data; channels that may send take turns, one frame each. Frames of one message follow
one another without a gap; interleaving of answers, which RFC 3080 §2.2.1.1 allows, is never needed to send.
"""

from collections import deque
from collections.abc import Callable

from kalends.beep.channel import Channel, Outgoing
from kalends.beep.frames import ERR, FINAL, MORE, NUL, RPY, build_frame, build_seq
from kalends.beep.limits import Limits
from kalends.beep.machine import ChannelState
from kalends.beep.window import SEQ_MASK, WindowBudget

ENDS_A_REPLY = frozenset({RPY, ERR, NUL})
QUIET = frozenset({ChannelState.CLOSE_SENT, ChannelState.CLOSE_CROSSED, ChannelState.CLOSED})


class Outbox:
    """Everything that waits to be sent on one connection.

    Args:
        limits: For frame size and windows.
        on_progress: Called with a channel that is about to close (or with any, while watched) whenever a
            message of it has wholly left.
    """

    __slots__ = (
        "_ready",
        "_seq_due",
        "_wire",
        "budget",
        "frame_size",
        "limits",
        "muted",
        "progress",
        "queued",
        "unanswered",
        "watched",
        "withheld",
    )

    def __init__(self, limits: Limits, on_progress: Callable[[Channel], None]) -> None:
        self.limits = limits
        self.frame_size = limits.frame_size
        self.queued = 0
        self.muted = False
        self.budget = WindowBudget(limits.session_window)
        self.progress = on_progress
        self.unanswered = 0  # MSGs of the peer whose reply has not wholly left, on all channels
        self.withheld: set[Channel] = set()
        self.watched = False
        self._ready: deque[Channel] = deque()
        self._seq_due: list[Channel] = []
        self._wire: list[bytes] = []

    def clear(self) -> None:
        """Forget everything not yet taken."""
        self._ready.clear()
        self._seq_due.clear()
        self._wire.clear()
        self.withheld.clear()
        self.queued = self.unanswered = 0
        self.muted = self.watched = False
        self.budget = WindowBudget(self.limits.session_window)

    # -- in ---------------------------------------------------------------------------------------------

    def put(self, channel: Channel, outgoing: Outgoing) -> None:
        """Queue a message on its channel."""
        channel.out.append(outgoing)
        if not channel.in_ready and channel.active:
            channel.in_ready = True
            self._ready.append(channel)

    def extend(self, channel: Channel, outgoing: Outgoing, payload: bytes, complete: bool) -> None:
        """Add a piece to a message, wherever it waits."""
        if outgoing.rest is None:
            outgoing.rest = deque()
        if payload:
            outgoing.rest.append(payload)
        outgoing.complete = complete
        self.queued += len(payload)
        self.wake(channel)

    def cut(self, channel: Channel, outgoing: Outgoing) -> None:
        """Give up the rest of a message the peer does not want."""
        self.queued -= outgoing.unsent()
        outgoing.cut()
        self.wake(channel)

    def wake(self, channel: Channel) -> None:
        """Let a channel take its turn again, if it has something it may send."""
        if not channel.in_ready and channel.active and _sendable(channel):
            channel.in_ready = True
            self._ready.append(channel)

    def want_seq(self, channel: Channel) -> None:
        """Let the peer's window be re-opened with the next octets that leave."""
        if not channel.seq_due:
            channel.seq_due = True
            self._seq_due.append(channel)

    # -- out --------------------------------------------------------------------------------------------

    def flush(self, limit: int | None = None) -> None:
        """Turn what may be sent now into octets, stopping after limit octets."""
        if self.muted or not (self._ready or self._seq_due):
            return
        wire = self._wire
        if self._seq_due:
            self._put_seqs(wire)
        ready = self._ready
        total = sum(map(len, wire)) if limit is not None else 0
        while ready and not self.muted and (limit is None or total < limit):
            channel = ready.popleft()
            if not _sendable(channel):  # nothing left, or the peer took its window back
                channel.in_ready = False
                continue
            frame, done = self._next_frame(channel)
            wire.append(frame)
            total += len(frame)
            if channel.out:
                ready.append(channel)
            else:
                channel.in_ready = False
            if done is not None:
                self._after(channel, done)

    def take(self) -> bytes:
        """Drain what flush made."""
        wire = self._wire
        if not wire:
            return b""
        self._wire = []
        return wire[0] if len(wire) == 1 else b"".join(wire)

    def _put_seqs(self, wire: list[bytes]) -> None:
        for channel in self._seq_due:
            channel.seq_due = False
            if channel.state in QUIET and channel.open_keyword is None and not channel.outbound:
                continue  # it is closing: a SEQ could arrive after the channel is gone
            largest = self.limits.max_window if channel.open_keyword is not None else self.limits.small_window
            ackno, window = channel.receiving.reopen(self.budget, largest)
            wire.append(build_seq(channel.number, ackno, window))
        self._seq_due.clear()

    def _next_frame(self, channel: Channel) -> tuple[bytes, Outgoing | None]:
        """Build the next frame of a channel that may send; also the message, if this was its end."""
        outgoing = channel.out[0]
        window = channel.sending
        payload, offset = outgoing.payload, outgoing.offset
        size = len(payload) - offset  # an empty last frame needs no window
        if size:
            size = min(size, window.edge - window.sent, self.frame_size)
        piece = payload if size == len(payload) else payload[offset : offset + size]
        outgoing.offset = offset + size
        outgoing.begun = True
        done: Outgoing | None = None
        more = MORE
        if outgoing.offset == len(payload) and not _next_piece(outgoing) and outgoing.complete:
            more = FINAL
            done = channel.out.popleft()
        seqno = window.sent & SEQ_MASK
        window.sent += size
        self.queued -= size
        frame = build_frame(
            outgoing.keyword, channel.number, outgoing.msgno, more, seqno, piece, outgoing.ansno
        )
        return frame, done

    def _after(self, channel: Channel, done: Outgoing) -> None:
        """Draw the consequences of a message that has wholly left."""
        if done.keyword in ENDS_A_REPLY:
            exchange = channel.inbound.get(done.msgno)
            if exchange is not None:  # None: the greeting, which answers no MSG
                exchange.gone = True
                if exchange.received:
                    del channel.inbound[done.msgno]
                    self.unanswered -= 1
        if done.after is not None:
            done.after()
        if self.watched or channel.state is not ChannelState.OPEN:
            self.progress(channel)


def _next_piece(outgoing: Outgoing) -> bool:
    """Move on to the next piece of a streamed message; False if there is none now."""
    if not outgoing.rest:
        return False
    outgoing.payload, outgoing.offset = outgoing.rest.popleft(), 0
    return True


def _sendable(channel: Channel) -> bool:
    """Whether the head of the queue can produce a frame."""
    if not channel.out:
        return False
    outgoing = channel.out[0]
    if outgoing.offset == len(outgoing.payload) and not _next_piece(outgoing):
        return outgoing.complete
    return channel.sending.edge > channel.sending.sent
