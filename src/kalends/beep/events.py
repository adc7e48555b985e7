"""What a session tells its application: frozen records, in the order in which things happened.

``Session.receive_data`` and ``Session.handle_timer`` return them; events that a call of the application or
``data_to_send`` brought about wait in ``Session.take_events``.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar

from kalends.beep.errors import ProtocolError
from kalends.beep.verify import PlainWork


@dataclass(frozen=True, slots=True)
class ProfileOffer:
    """One <profile> of a <start>: what a channel could speak (RFC 3080 §2.3.1.2)."""

    uri: str
    """Identifies the profile; compared octet by octet."""
    content: bytes = b""
    """Initialisation message, already base64-decoded; at most 4096 octets."""


@dataclass(frozen=True, slots=True)
class GreetingReceived:
    """The peer is available (RFC 3080 §2.3.1.1). After TLS it comes again and replaces the first one."""

    profiles: tuple[str, ...]
    """URIs the peer serves."""
    features: tuple[str, ...]
    """Optional features of channel management the peer has."""
    localize: tuple[str, ...]
    """Language tags the peer wants diagnostics in, best first; ("i-default",) if it said nothing."""


@dataclass(frozen=True, slots=True)
class SessionRefused:
    """The listener is unavailable (RFC 3080 §2.4); a SessionTerminated follows."""

    code: int
    """Reply code, normally 421."""
    text: str
    """Diagnostic of the peer, untrusted, may be empty."""


@dataclass(frozen=True, slots=True)
class StartRequested:
    """The peer asks for a channel; answer with accept_start or refuse_start."""

    channel: int
    """Number the channel will have."""
    profiles: tuple[ProfileOffer, ...]
    """The offers this session serves and its security policy allows now, in the peer's order; never empty."""
    server_name: str | None
    """The serverName that rules the session, or the one asked for if none rules yet."""


@dataclass(frozen=True, slots=True)
class ChannelStarted:
    """A channel we asked for is open."""

    channel: int
    """Its number."""
    uri: str
    """The profile the peer chose."""
    content: bytes
    """The peer's initialisation reply, base64-decoded."""


@dataclass(frozen=True, slots=True)
class StartRefused:
    """A channel we asked for was not created."""

    channel: int
    """The number that stays unused."""
    code: int
    """Reply code, for programs."""
    text: str
    """Diagnostic, for people; untrusted."""


@dataclass(frozen=True, slots=True)
class MessageReceived:
    """A whole MSG; answer it with send_reply, send_error, or send_answer … send_nul."""

    channel: int
    """Channel it came on."""
    msgno: int
    """Its number, to be given back with the reply."""
    payload: bytes
    """Entity headers and body as sent (see mime.split_entity)."""


@dataclass(frozen=True, slots=True)
class MessageTooLarge:
    """A MSG goes beyond a limit. Its rest is thrown away; answer with send_error (RFC 3080 §2.6.3)."""

    channel: int
    """Channel it comes on."""
    msgno: int
    """Its number."""
    size: int
    """Octets announced so far."""
    prefix: bytes
    """What was kept: at most the first 4096 octets, enough to find the command's ID."""


@dataclass(frozen=True, slots=True)
class ReplyReceived:
    """A whole positive reply (RPY) to a MSG of ours."""

    channel: int
    """Channel it came on."""
    msgno: int
    """The MSG it answers."""
    payload: bytes
    """Entity headers and body as sent."""


@dataclass(frozen=True, slots=True)
class ErrorReceived:
    """A whole negative reply (ERR) to a MSG of ours."""

    channel: int
    """Channel it came on."""
    msgno: int
    """The MSG it answers."""
    payload: bytes
    """Entity headers and body as sent."""


@dataclass(frozen=True, slots=True)
class AnswerReceived:
    """One whole answer (ANS) of a one-to-many reply."""

    channel: int
    """Channel it came on."""
    msgno: int
    """The MSG it answers."""
    ansno: int
    """Number of this answer within the reply."""
    payload: bytes
    """Entity headers and body as sent."""


@dataclass(frozen=True, slots=True)
class NulReceived:
    """The end of a one-to-many reply."""

    channel: int
    """Channel it came on."""
    msgno: int
    """The MSG whose answers are complete."""


@dataclass(frozen=True, slots=True)
class ReplyTooLarge:
    """A reply or answer to a MSG of ours went beyond a limit; it counts as received, its content is gone."""

    channel: int
    """Channel it came on."""
    msgno: int
    """The MSG it answers."""
    ansno: int | None
    """Number of the answer, None for RPY and ERR."""
    size: int
    """Octets announced so far."""


@dataclass(frozen=True, slots=True)
class CloseRequested:
    """The peer wants to close a channel; answer with accept_close or refuse_close."""

    channel: int
    """Which."""
    code: int
    """Its reason as a reply code."""
    text: str
    """Diagnostic; untrusted."""


@dataclass(frozen=True, slots=True)
class ChannelClosed:
    """A channel is gone, whoever asked; its number may be used again."""

    channel: int
    """Which."""


@dataclass(frozen=True, slots=True)
class CloseRefused:
    """The peer declined to close a channel; it stays open."""

    channel: int
    """Which."""
    code: int
    """Reply code."""
    text: str
    """Diagnostic; untrusted."""


@dataclass(frozen=True, slots=True)
class ReleaseRequested:
    """The peer wants to end the session; answer with accept_release or refuse_release."""

    code: int
    """Its reason as a reply code."""
    text: str
    """Diagnostic; untrusted."""


@dataclass(frozen=True, slots=True)
class ReleaseRefused:
    """The peer declined to end the session; it goes on."""

    code: int
    """Reply code."""
    text: str
    """Diagnostic; untrusted."""


@dataclass(frozen=True, slots=True)
class SessionReleased:
    """Both sides agreed to end: write what data_to_send still gives, then close the connection."""


@dataclass(frozen=True, slots=True)
class TlsUpgrade:
    """TLS must begin now (RFC 3080 §3.1).

    The shell stops reading, writes everything data_to_send gives, runs the handshake and calls
    Session.tls_established or Session.tls_failed. Octets given to receive_data before that end the session.
    """

    server_side: bool
    """True: act as the TLS server."""
    server_name: str | None
    """Name for choosing (server side) or checking (client side) the certificate."""


@dataclass(frozen=True, slots=True)
class TlsRefused:
    """The peer declined TLS; the session goes on without privacy, or the application ends it."""

    code: int
    """Reply code."""
    text: str
    """Diagnostic; untrusted."""


@dataclass(frozen=True, slots=True)
class CredentialsWanted:
    """Server side of SASL: look up a user and call provide_credentials or refuse_credentials."""

    channel: int
    """The SASL channel."""
    mechanism: str
    """Name of the SASL mechanism."""
    authcid: str
    """Who wants to authenticate, normalised; untrusted."""
    authzid: str
    """Whom to act as; equal to authcid when the client named nobody."""
    server_name: str | None = None
    """The serverName that rules the session, or that of this <start>; None if the peer named none."""


@dataclass(frozen=True, slots=True)
class VerifyPlain:
    """Server side of SASL PLAIN: run ``work.run()`` in a thread and hand its result to finish_verify.

    A shell that knows other passwords of the user than the stored one may look at ``work.password`` itself.
    """

    channel: int
    """The SASL channel."""
    work: PlainWork = field(repr=False)
    """Costs tens of milliseconds of CPU; holds the password, so it is never shown."""


@dataclass(frozen=True, slots=True)
class Authenticated:
    """The peer (server side) or we (client side) are authenticated, for all channels of the session."""

    mechanism: str
    """Name of the SASL mechanism."""
    authcid: str
    """Who authenticated; "" for ANONYMOUS."""
    authzid: str
    """Whom the session acts as; "" for ANONYMOUS."""
    trace: str = ""
    """ANONYMOUS only: what the client said about itself (RFC 4505); untrusted."""


@dataclass(frozen=True, slots=True)
class AuthenticationFailed:
    """An authentication attempt ended without success; another attempt is allowed."""

    mechanism: str
    """Name of the SASL mechanism."""
    code: int
    """Reply code, e.g. 535."""
    text: str
    """Diagnostic; untrusted on the client side."""


@dataclass(frozen=True, slots=True)
class SessionTerminated:
    """The session is dead: close the connection. Always the last event."""

    error: ProtocolError | None
    """Why; None when the connection simply ended while nothing was under way."""


T = TypeVar("T", MessageReceived, ReplyReceived)


def _maker(kind: type[T]) -> Callable[[int, int, bytes], T]:
    """Fill the slots directly: the frozen __init__ takes two thirds of the time of a small frame's parse."""
    channel, msgno, payload = (kind.__dict__[name].__set__ for name in ("channel", "msgno", "payload"))

    def make(channel_: int, msgno_: int, payload_: bytes) -> T:
        event = object.__new__(kind)
        channel(event, channel_)
        msgno(event, msgno_)
        payload(event, payload_)
        return event

    return make


make_message = _maker(MessageReceived)
make_reply = _maker(ReplyReceived)

Event: TypeAlias = (
    GreetingReceived
    | SessionRefused
    | StartRequested
    | ChannelStarted
    | StartRefused
    | MessageReceived
    | MessageTooLarge
    | ReplyReceived
    | ErrorReceived
    | AnswerReceived
    | NulReceived
    | ReplyTooLarge
    | CloseRequested
    | ChannelClosed
    | CloseRefused
    | ReleaseRequested
    | ReleaseRefused
    | SessionReleased
    | TlsUpgrade
    | TlsRefused
    | CredentialsWanted
    | VerifyPlain
    | Authenticated
    | AuthenticationFailed
    | SessionTerminated
)
