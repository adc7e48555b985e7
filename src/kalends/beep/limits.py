"""What one session may cost: every bound of the BEEP engine, named, with its reason."""

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * 1024

# The longest legal header is an ANS with six parameters of ten digits: 61 octets with its CRLF.
MAX_HEADER = 64
# RFC 3081 §3.1.1: every channel starts with this window in each direction.
INITIAL_WINDOW = 4096
# RFC 3080 §2.3.1.2: initialisation content in <profile> is at most 4K octets.
MAX_PIGGYBACK = 4096
# RFC 3080 §2.2.1: channel, msgno and size.
MAX_NUMBER = 2147483647


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one session; sizes in octets, times in seconds.

    Args:
        max_channels: Channels open at once, channel 0 not counted. RFC 3080 §2.3 wants at least 257
            with it; twice that still pledges only 2 MiB of initial windows.
        max_pending: MSGs received and not yet answered, on all channels; a peer that goes beyond ends
            the session, because MSGs without payload are not held back by any window. Honest pipelining
            stays far below: the windows of many small messages hold some hundred of them.
        soft_pending: From this many unanswered MSGs on, the window of the channel is not re-opened.
        max_message: Largest message delivered to the application; a larger one is announced by
            MessageTooLarge and its rest thrown away.
        max_management: Largest message on channel 0 and on tuning channels: a <start> offering a
            dozen profiles with 4 KiB each in base64 fits.
        max_buffered: All payload a session may hold back: unfinished messages and unanswered MSGs.
        max_queued: While more than this waits to be sent, no window is re-opened: a peer that does not
            take our replies may not ask for more.
        small_window: Largest window of a channel whose messages fit into single frames.
        max_window: Largest window given to a channel in the middle of a long message; 1 MiB carries
            10 MB/s over a 100 ms line.
        session_window: All windows of a session together, beyond the initial 4096 each.
        frame_size: Largest payload put in one frame. RFC 3081 §3.1.4 suggests two thirds of the MSS for
            fairness between channels; the shell may set Session.frame_size once it knows the MSS.
        greeting_timeout: From the start of the session (or of its second life after TLS) to the peer's
            greeting; also the time allowed between <ready> and <proceed>.
        handshake_timeout: Time for the TLS handshake itself.
        login_timeout: From the start of the session to successful authentication, where the security
            policy asks for it.
        idle_timeout: Time without a whole frame from the peer while no reply is owed to it; a peer
            that never re-opens our window falls under it as well.
    """

    max_channels: int = 512
    max_pending: int = 16384
    soft_pending: int = 128
    max_message: int = 16 * MIB
    max_management: int = 64 * KIB
    max_buffered: int = 64 * MIB
    max_queued: int = 16 * MIB
    small_window: int = 64 * KIB
    max_window: int = 1 * MIB
    session_window: int = 8 * MIB
    frame_size: int = 16 * KIB
    greeting_timeout: float | None = 30.0
    handshake_timeout: float | None = 30.0
    login_timeout: float | None = 120.0
    idle_timeout: float | None = 1800.0


DEFAULT_LIMITS = Limits()
