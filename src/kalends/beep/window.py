"""Flow control: how far each side may send on a channel (RFC 3081 §3.1).

Positions are counted without end in Python integers and cut to 32 bits only where they meet the wire, so
that the cycle from 2**32-1 to 0 needs no case of its own.

Policy for the windows we hand out: a channel starts with 4096 octets. Once half of its window is used, a SEQ
frame is due; each SEQ makes the window up to four times larger, out of one budget for the session: up to
Limits.max_window in the middle of a message, up to Limits.small_window otherwise. So a large message gets a
large window after a few frames, a channel with small talk costs a SEQ frame every fifty messages and can't
pile up thousands of them, and idle channels pledge nothing. A channel whose application falls behind gets no
SEQ at all, and no channel gets one while the peer leaves a mountain of our replies untaken.
"""

from kalends.beep.errors import RemoteProtocolError
from kalends.beep.limits import INITIAL_WINDOW, MAX_NUMBER

SEQ_MASK = 0xFFFFFFFF
GROWTH = 4


class WindowBudget:
    """What all channels of a session may have beyond their initial windows.

    Args:
        total: Octets.

    Source: RFC 3081 §3.1.4.
    """

    __slots__ = ("left",)

    def __init__(self, total: int) -> None:
        self.left = total

    def take(self, wanted: int) -> int:
        """Take up to wanted octets; returns how many were granted."""
        granted = min(wanted, self.left)
        self.left -= granted
        return granted

    def give_back(self, octets: int) -> None:
        """Return octets of a closed channel."""
        self.left += octets


class SendWindow:
    """How far we may send on one channel.

    Source: RFC 3081 §3.1.2.
    """

    __slots__ = ("acked", "edge", "sent")

    def __init__(self, start: int = 0) -> None:
        self.sent = start
        self.acked = start
        self.edge = start + INITIAL_WINDOW

    def room(self) -> int:
        """Payload octets that may be sent now (not positive: none)."""
        return self.edge - self.sent

    def update(self, ackno: int, window: int) -> None:
        """Apply a SEQ frame of the peer.

        Args:
            ackno: As on the wire, modulo 2**32.
            window: Octets granted from ackno on.

        Raises:
            RemoteProtocolError: The numbers fit no state the peer can be in (BW-04).

        Source: RFC 3081 §3.1.3.
        """
        behind = (self.sent - ackno) & SEQ_MASK
        if ackno > SEQ_MASK or window > MAX_NUMBER or behind > self.sent - self.acked:
            raise RemoteProtocolError(f"SEQ with impossible numbers: ackno {ackno}, window {window}")
        self.acked = self.sent - behind
        # A peer that takes back what it granted does wrong (RFC 1122 §4.2.2.16), but we can obey it.
        self.edge = self.acked + window


class ReceiveWindow:
    """How far the peer may send on one channel.

    Source: RFC 3081 §3.1.1, §3.1.3.
    """

    __slots__ = ("edge", "half", "received", "size")

    def __init__(self, start: int = 0) -> None:
        self.received = start
        self.edge = start + INITIAL_WINDOW
        self.size = INITIAL_WINDOW
        self.half = INITIAL_WINDOW // 2

    def check(self, seqno: int, octets: int) -> None:
        """Check a data frame against what is expected and granted.

        Args:
            seqno: As on the wire.
            octets: Size of its payload.

        Raises:
            RemoteProtocolError: Synchronisation is lost (BF-05) or the window overrun (BW-02).

        Source: RFC 3080 §2.2.1.2, RFC 3081 §3.1.2.
        """
        if seqno != self.received & SEQ_MASK:
            raise RemoteProtocolError(
                f"sequence number {seqno} where {self.received & SEQ_MASK} was expected"
            )
        if self.received + octets > self.edge:
            raise RemoteProtocolError(f"frame of {octets} octets in a window of {self.edge - self.received}")

    def is_half_used(self) -> bool:
        """Whether a SEQ frame would move the edge by at least half a window."""
        return self.edge - self.received <= self.half

    def reopen(self, budget: WindowBudget, max_window: int) -> tuple[int, int]:
        """Move the edge forward and grow.

        Args:
            budget: Where further octets come from.
            max_window: Largest window of a channel.

        Returns:
            ackno (modulo 2**32) and window for the SEQ frame.

        Source: RFC 3081 §3.1.4.
        """
        wanted = min(self.size * GROWTH, max_window) - self.size
        if wanted > 0:
            self.size += budget.take(wanted)
            self.half = self.size // 2
        self.edge = self.received + self.size
        return self.received & SEQ_MASK, self.size

    def give_back(self, budget: WindowBudget) -> None:
        """Return what was taken from the budget, when the channel closes."""
        budget.give_back(self.size - INITIAL_WINDOW)
