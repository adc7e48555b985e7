"""One BEEP session, either role, without I/O and without a clock (RFC 3080, RFC 3081)."""

from collections.abc import Mapping, Sequence
from enum import Enum

from kalends.beep.codes import ReplyCode
from kalends.beep.events import Event, GreetingReceived, ProfileOffer
from kalends.beep.limits import DEFAULT_LIMITS, Limits
from kalends.beep.mechanisms import ClientMechanism
from kalends.beep.security import OPEN, Security
from kalends.beep.verify import Verified


class Role(Enum):
    """Who opened the connection (RFC 3080 §2.1)."""

    INITIATOR = "initiator"
    LISTENER = "listener"


class Session:
    """A BEEP peer: bytes and the time go in, events and bytes come out.

    After every call look at ``data_to_send`` (write it) and at ``take_events`` (handle them).

    Args:
        role: Initiator (odd channel numbers) or listener (even ones).
        profiles: Application profile URIs this side serves, best first.
        features: Feature tokens for the greeting.
        localize: Languages this side wants diagnostics in, best first.
        limits: Bounds on memory and time.
        security: What TLS and SASL this side offers and demands.
        now: The time of the shell's clock in seconds; without it timers start with the first receive_data.

    Source: RFC 3080 §2.
    """

    def __init__(
        self,
        role: Role,
        *,
        profiles: Sequence[str] = (),
        features: Sequence[str] = (),
        localize: Sequence[str] = ("i-default", "en"),
        limits: Limits = DEFAULT_LIMITS,
        security: Security = OPEN,
        now: float | None = None,
    ) -> None:
        raise NotImplementedError

    @classmethod
    def refusing(
        cls, text: str = "", *, limits: Limits = DEFAULT_LIMITS, now: float | None = None
    ) -> "Session":
        """A listener that answers ERR 421 instead of a greeting (RFC 3080 §2.4)."""
        raise NotImplementedError

    # -- the wire ---------------------------------------------------------------------------------------

    def receive_data(self, data: bytes, now: float) -> list[Event]:
        """Take octets from the connection; b"" means the peer closed it."""
        raise NotImplementedError

    def data_to_send(self, limit: int | None = None) -> bytes:
        """Take octets for the connection: SEQ frames first, then data round-robin between channels.

        Args:
            limit: No further frame is begun once this many octets are gathered.
        """
        raise NotImplementedError

    def take_events(self) -> list[Event]:
        """Events brought about by calls of the application or by data_to_send."""
        raise NotImplementedError

    def next_timer(self) -> float | None:
        """When handle_timer wants to be called, in seconds of the shell's clock; None: not at all."""
        raise NotImplementedError

    def handle_timer(self, now: float) -> list[Event]:
        """Let time pass: ends sessions whose greeting, handshake, login or next frame is overdue."""
        raise NotImplementedError

    # -- channels ---------------------------------------------------------------------------------------

    def start_channel(self, profiles: Sequence[ProfileOffer], server_name: str | None = None) -> int:
        """Ask the peer for a channel; ChannelStarted or StartRefused follows. Returns its number."""
        raise NotImplementedError

    def accept_start(self, channel: int, uri: str, content: bytes = b"") -> None:
        """Agree to a StartRequested; the channel may be used at once."""
        raise NotImplementedError

    def refuse_start(self, channel: int, code: int, text: str, lang: str = "en") -> None:
        """Decline a StartRequested."""
        raise NotImplementedError

    def close_channel(self, channel: int, code: int = ReplyCode.SUCCESS, text: str = "") -> None:
        """Ask to close, once our MSGs are acknowledged; ChannelClosed or CloseRefused follows."""
        raise NotImplementedError

    def accept_close(self, channel: int) -> None:
        """Agree to a CloseRequested; <ok/> goes out when everything owed on the channel is through."""
        raise NotImplementedError

    def refuse_close(self, channel: int, code: int = ReplyCode.REFUSED, text: str = "") -> None:
        """Decline a CloseRequested."""
        raise NotImplementedError

    def release(self, code: int = ReplyCode.SUCCESS, text: str = "") -> None:
        """Ask to end the session; SessionReleased or ReleaseRefused follows."""
        raise NotImplementedError

    def accept_release(self) -> None:
        """Agree to a ReleaseRequested; <ok/> goes out when all replies are through."""
        raise NotImplementedError

    def refuse_release(self, code: int = ReplyCode.REFUSED, text: str = "") -> None:
        """Decline a ReleaseRequested."""
        raise NotImplementedError

    def abort(self, reason: str) -> None:
        """End the session here and now; a SessionTerminated waits in take_events."""
        raise NotImplementedError

    # -- messages ---------------------------------------------------------------------------------------

    def send_message(self, channel: int, payload: bytes, *, more: bool = False) -> int:
        """Send a MSG. Returns its msgno. With more=True, continue_message carries on."""
        raise NotImplementedError

    def continue_message(self, channel: int, msgno: int, payload: bytes, *, more: bool = False) -> None:
        """Carry on a MSG begun with more=True; silently dropped after an early ERR of the peer."""
        raise NotImplementedError

    def send_reply(self, channel: int, msgno: int, payload: bytes, *, more: bool = False) -> None:
        """Answer a MSG positively; goes out in the order of the MSGs whatever the order of calls."""
        raise NotImplementedError

    def continue_reply(self, channel: int, msgno: int, payload: bytes, *, more: bool = False) -> None:
        """Carry on a reply begun with more=True."""
        raise NotImplementedError

    def send_error(self, channel: int, msgno: int, payload: bytes) -> None:
        """Answer a MSG negatively."""
        raise NotImplementedError

    def send_answer(self, channel: int, msgno: int, payload: bytes, *, more: bool = False) -> int:
        """Send one answer of a one-to-many reply. Returns its ansno."""
        raise NotImplementedError

    def continue_answer(
        self, channel: int, msgno: int, ansno: int, payload: bytes, *, more: bool = False
    ) -> None:
        """Carry on an answer begun with more=True."""
        raise NotImplementedError

    def send_nul(self, channel: int, msgno: int) -> None:
        """End a one-to-many reply."""
        raise NotImplementedError

    def pause_channel(self, channel: int) -> None:
        """Stop re-opening the peer's window on a channel (for a slow consumer of replies)."""
        raise NotImplementedError

    def resume_channel(self, channel: int) -> None:
        """Undo pause_channel."""
        raise NotImplementedError

    # -- TLS and SASL -----------------------------------------------------------------------------------

    def start_tls(self, server_name: str | None = None) -> None:
        """Ask for TLS; TlsUpgrade or TlsRefused follows. Nothing else may be sent meanwhile."""
        raise NotImplementedError

    def tls_established(self, now: float, *, external_identity: str | None = None) -> None:
        """The handshake succeeded: forget everything, greet anew (RFC 3080 §3).

        Args:
            now: Seconds of the shell's clock.
            external_identity: Who the peer's certificate says it is, for SASL EXTERNAL.
        """
        raise NotImplementedError

    def tls_failed(self, now: float, reason: str) -> None:
        """The handshake failed: the session is terminated."""
        raise NotImplementedError

    def authenticate(self, mechanism: ClientMechanism, server_name: str | None = None) -> int:
        """Authenticate to the peer; Authenticated or AuthenticationFailed follows. Returns the channel."""
        raise NotImplementedError

    def provide_credentials(self, channel: int, verifier: str | None, *, may_act_as: bool = False) -> None:
        """Answer CredentialsWanted.

        Args:
            channel: The channel of the event.
            verifier: Stored verifier ``SCRAM-SHA-256$…``; None for an unknown or locked user, who then
                fails in the same way and time as one with a wrong password.
            may_act_as: Whether authcid may act as a different authzid.
        """
        raise NotImplementedError

    def refuse_credentials(
        self, channel: int, code: int = ReplyCode.TEMPORARY_AUTHENTICATION_FAILURE, text: str = ""
    ) -> None:
        """Answer CredentialsWanted when no decision is possible (e.g. the store is away)."""
        raise NotImplementedError

    def finish_verify(self, channel: int, result: Verified) -> None:
        """Hand in the result of VerifyPlain.work.run()."""
        raise NotImplementedError

    # -- what is known ----------------------------------------------------------------------------------

    @property
    def role(self) -> Role:
        """Initiator or listener."""
        raise NotImplementedError

    @property
    def frame_size(self) -> int:
        """Largest payload put in one frame, octets; may be set, e.g. to two thirds of the MSS."""
        raise NotImplementedError

    @frame_size.setter
    def frame_size(self, octets: int) -> None:
        raise NotImplementedError

    @property
    def peer_greeting(self) -> GreetingReceived | None:
        """The peer's greeting of this life of the session (a new life begins after TLS)."""
        raise NotImplementedError

    @property
    def server_name(self) -> str | None:
        """The serverName that rules this session (RFC 3080 §2.3.1.2)."""
        raise NotImplementedError

    @property
    def channels(self) -> Mapping[int, str]:
        """Open application channels: number to profile URI."""
        raise NotImplementedError

    @property
    def private(self) -> bool:
        """Whether the transport is protected by TLS (or said to be private)."""
        raise NotImplementedError

    @property
    def authenticated(self) -> str | None:
        """The authorisation identity; "" for ANONYMOUS, None before authentication."""
        raise NotImplementedError

    @property
    def bytes_queued(self) -> int:
        """Payload octets handed in and not yet taken by data_to_send (for back-pressure)."""
        raise NotImplementedError

    @property
    def terminated(self) -> bool:
        """Whether the session is over (released or terminated)."""
        raise NotImplementedError
