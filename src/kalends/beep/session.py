"""One BEEP session, either role, without I/O and without a clock (RFC 3080, RFC 3081)."""

from collections.abc import Callable, Mapping, Sequence
from enum import Enum

from kalends.beep import management
from kalends.beep.channel import Channel
from kalends.beep.codes import ReplyCode
from kalends.beep.control import ChannelManager
from kalends.beep.errors import LocalProtocolError, RemoteProtocolError
from kalends.beep.events import ChannelStarted, Event, GreetingReceived, ProfileOffer, StartRefused
from kalends.beep.frames import ANS, ERR, NUL, RPY
from kalends.beep.limits import DEFAULT_LIMITS, Limits
from kalends.beep.link import Link, Translate, untranslated
from kalends.beep.machine import NOT_YET_OPEN, Phase
from kalends.beep.mechanisms import ClientMechanism
from kalends.beep.sasl import SaslClient, SaslServer
from kalends.beep.security import OPEN, Security, Standing, greeting_profiles
from kalends.beep.timers import Timers
from kalends.beep.tls import TlsClient, TlsServer
from kalends.beep.verify import Verified

# Phases in which the application may begin something new; before the peer's greeting it may pipeline.
TALKING = frozenset({Phase.GREETING, Phase.OPEN, Phase.RELEASE_ASKED})


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
        translate: Says our diagnostics in the peer's language.
        refuse: If given, answer ERR 421 with this text instead of a greeting (see refusing).

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
        translate: Translate = untranslated,
        refuse: str | None = None,
    ) -> None:
        self._role = role
        self._profiles = tuple(profiles)
        self._features = tuple(features)
        self._localize = tuple(localize)
        self._refusing = refuse is not None
        self._link = Link(role is Role.INITIATOR, limits, security, translate)
        self._manager = ChannelManager(self._link, self._profiles)
        self._tls_server = TlsServer(self._link, self._manager)
        self._tls_client = TlsClient(self._link, self._manager)
        self._sasl_server = SaslServer(self._link, self._manager)
        self._sasl_client = SaslClient(self._link, self._manager)
        self._manager.tls = self._tls_server
        self._manager.sasl = self._sasl_server
        self._timers = Timers(self._link, role is Role.LISTENER, now)
        if refuse is None:
            self._greet()
        else:
            payload = management.error(ReplyCode.SERVICE_NOT_AVAILABLE, refuse, ())
            self._manager.greet(payload, ERR, self._manager.refused_sent)

    def _greet(self) -> None:
        link = self._link
        standing = Standing(link.private, link.identity, link.external_identity)
        offered = greeting_profiles(link.security, self._profiles, standing)
        self._manager.greet(management.greeting(offered, self._features, self._localize))

    @classmethod
    def refusing(
        cls, text: str = "", *, limits: Limits = DEFAULT_LIMITS, now: float | None = None
    ) -> "Session":
        """Make a listener that answers ERR 421 instead of a greeting.

        Args:
            text: Diagnostic for the peer.
            limits: Bounds, as for any session.
            now: The time of the shell's clock in seconds.

        Returns:
            A session that ends with SessionTerminated as soon as its answer was taken.

        Source: RFC 3080 §2.4.
        """
        return cls(Role.LISTENER, limits=limits, now=now, refuse=text)

    # -- the wire ---------------------------------------------------------------------------------------

    def receive_data(self, data: bytes, now: float) -> list[Event]:
        """Take octets from the connection; b"" means the peer closed it."""
        link = self._link
        self._timers.see(now)
        if link.over or self._refusing:
            return self.take_events()
        if not data:
            link.terminate(self._end_of_file())
            return self.take_events()
        before = link.inbox.frames
        try:
            link.inbox.receive(data)
        except RemoteProtocolError as error:
            link.terminate(error)
        except LocalProtocolError as error:
            # The peer drove one of our state machines where it can't go.
            link.terminate(RemoteProtocolError(error.reason, error.code))
        if link.inbox.frames != before:
            self._timers.last_frame = now
        if link.outbox.watched:
            link.outbox.flush()
        if link.phase is not self._timers.phase:
            self._timers.see(now)
        return self.take_events()

    def _end_of_file(self) -> RemoteProtocolError | None:
        link = self._link
        awaiting = any(channel.outbound for channel in link.channels.values())
        if link.phase is Phase.OPEN and link.inbox.idle and link.is_quiet_but(None) and not awaiting:
            return None
        return RemoteProtocolError("the connection was closed in the middle of something")

    def data_to_send(self, limit: int | None = None) -> bytes:
        """Take octets for the connection: SEQ frames first, then data round-robin between channels.

        Args:
            limit: No further frame is begun once this many octets are gathered.
        """
        link = self._link
        link.outbox.flush(limit)
        if link.outbox.withheld:
            link.inbox.offer_withheld()
            link.outbox.flush(limit)
        return link.outbox.take()

    def take_events(self) -> list[Event]:
        """Events brought about by calls of the application or by data_to_send."""
        events = self._link.events
        if not events:
            return []
        taken = events[:]
        events.clear()
        return taken

    def next_timer(self) -> float | None:
        """When handle_timer wants to be called, in seconds of the shell's clock; None: not at all."""
        return self._timers.next()

    def handle_timer(self, now: float) -> list[Event]:
        """Let time pass: ends sessions whose greeting, handshake, login or next frame is overdue."""
        self._timers.see(now)
        overdue = self._timers.overdue(now)
        if overdue is not None:
            self._link.terminate(RemoteProtocolError(overdue, ReplyCode.SERVICE_NOT_AVAILABLE))
        return self.take_events()

    # -- channels ---------------------------------------------------------------------------------------

    def start_channel(self, profiles: Sequence[ProfileOffer], server_name: str | None = None) -> int:
        """Ask the peer for a channel; ChannelStarted or StartRefused follows. Returns its number."""
        self._check_talking()
        started = self._manager.start(profiles, server_name, self._started, self._refused)
        return started.number

    def _started(self, channel: Channel, answer: ProfileOffer) -> None:
        self._link.events.append(ChannelStarted(channel.number, answer.uri, answer.content))

    def _refused(self, channel: Channel, error: management.Error) -> None:
        self._link.events.append(StartRefused(channel.number, error.code, error.text))

    def _check_talking(self) -> None:
        if self._link.phase not in TALKING:
            raise LocalProtocolError(f"nothing new can be begun in phase {self._link.phase.name}")

    def accept_start(self, channel: int, uri: str, content: bytes = b"") -> None:
        """Agree to a StartRequested; the channel may be used at once."""
        self._manager.agree(channel, uri, content)

    def refuse_start(self, channel: int, code: int, text: str, lang: str = "en") -> None:
        """Decline a StartRequested."""
        self._manager.decline(channel, code, text, lang)

    def close_channel(self, channel: int, code: int = ReplyCode.SUCCESS, text: str = "") -> None:
        """Ask to close, once our MSGs are acknowledged; ChannelClosed or CloseRefused follows."""
        self._manager.close(self._link.app_channel(channel), code, text)

    def accept_close(self, channel: int) -> None:
        """Agree to a CloseRequested; <ok/> goes out when everything owed on the channel is through."""
        self._manager.agree_to_close(self._link.app_channel(channel))

    def refuse_close(self, channel: int, code: int = ReplyCode.REFUSED, text: str = "") -> None:
        """Decline a CloseRequested."""
        self._manager.decline_to_close(self._link.app_channel(channel), code, text)

    def release(self, code: int = ReplyCode.SUCCESS, text: str = "") -> None:
        """Ask to end the session; SessionReleased or ReleaseRefused follows."""
        self._manager.release(code, text)

    def accept_release(self) -> None:
        """Agree to a ReleaseRequested; <ok/> goes out when all replies are through."""
        self._manager.agree_to_release()

    def refuse_release(self, code: int = ReplyCode.REFUSED, text: str = "") -> None:
        """Decline a ReleaseRequested."""
        self._manager.decline_to_release(code, text)

    def abort(self, reason: str) -> None:
        """End the session here and now; a SessionTerminated waits in take_events."""
        self._link.terminate(LocalProtocolError(reason, ReplyCode.TRANSACTION_FAILED))

    # -- messages ---------------------------------------------------------------------------------------

    def send_message(self, channel: int, payload: bytes, *, more: bool = False) -> int:
        """Send a MSG. Returns its msgno. With more=True, continue_message carries on."""
        self._check_talking()
        return self._link.send_request(self._link.app_channel(channel), payload, not more)

    def continue_message(self, channel: int, msgno: int, payload: bytes, *, more: bool = False) -> None:
        """Carry on a MSG begun with more=True; silently dropped after an early ERR of the peer."""
        link = self._link
        found = link.app_channel(channel)
        outgoing = found.streams.get(msgno)
        if outgoing is None:
            raise LocalProtocolError(f"no MSG {msgno} is under way on channel {channel}")
        if not more:
            del found.streams[msgno]
        if not outgoing.complete:  # else the peer gave an early ERR
            link.outbox.extend(found, outgoing, payload, not more)

    def send_reply(self, channel: int, msgno: int, payload: bytes, *, more: bool = False) -> None:
        """Answer a MSG positively; goes out in the order of the MSGs whatever the order of calls."""
        self._link.send_reply(self._link.app_channel(channel), msgno, RPY, payload, not more)

    def continue_reply(self, channel: int, msgno: int, payload: bytes, *, more: bool = False) -> None:
        """Carry on a reply begun with more=True."""
        self._link.continue_reply(self._link.app_channel(channel), msgno, None, payload, not more)

    def send_error(self, channel: int, msgno: int, payload: bytes) -> None:
        """Answer a MSG negatively."""
        self._link.send_reply(self._link.app_channel(channel), msgno, ERR, payload)

    def send_answer(self, channel: int, msgno: int, payload: bytes, *, more: bool = False) -> int:
        """Send one answer of a one-to-many reply. Returns its ansno."""
        ansno = self._link.send_reply(self._link.app_channel(channel), msgno, ANS, payload, not more)
        assert ansno is not None  # an ANS always has one
        return ansno

    def continue_answer(
        self, channel: int, msgno: int, ansno: int, payload: bytes, *, more: bool = False
    ) -> None:
        """Carry on an answer begun with more=True."""
        self._link.continue_reply(self._link.app_channel(channel), msgno, ansno, payload, not more)

    def send_nul(self, channel: int, msgno: int) -> None:
        """End a one-to-many reply."""
        self._link.send_reply(self._link.app_channel(channel), msgno, NUL, b"")

    def pause_channel(self, channel: int) -> None:
        """Stop re-opening the peer's window on a channel (for a slow consumer of replies)."""
        self._link.app_channel(channel).paused = True

    def resume_channel(self, channel: int) -> None:
        """Undo pause_channel."""
        found = self._link.app_channel(channel)
        found.paused = False
        self._link.inbox.offer(found)

    # -- TLS and SASL -----------------------------------------------------------------------------------

    def start_tls(self, server_name: str | None = None) -> None:
        """Ask for TLS; TlsUpgrade or TlsRefused follows. Nothing else may be sent meanwhile."""
        self._tls_client.start(server_name)

    def tls_established(self, now: float, *, external_identity: str | None = None) -> None:
        """The handshake succeeded: forget everything, greet anew (RFC 3080 §3).

        Args:
            now: Seconds of the shell's clock.
            external_identity: Who the peer's certificate says it is, for SASL EXTERNAL.
        """
        link = self._link
        link.step("tls established")
        link.private = True
        link.external_identity = external_identity
        self._sasl_server.forget()
        self._sasl_client.forget()
        self._manager.begin_life()
        self._timers.begin_life(now)
        self._greet()

    def answer_to(self, judge: Callable[[str], bool]) -> None:
        """Say which serverName values this side answers to from now on, in this life and those to come.

        Args:
            judge: gets a serverName and tells whether it is one of ours.

        Source: RFC 3080 §2.3.1.2: once a virtual host is chosen, the session can be no other one's.
        """
        self._link.answers_to = judge

    def tls_failed(self, now: float, reason: str) -> None:
        """The handshake failed: the session is terminated."""
        self._timers.see(now)
        self._link.terminate(
            RemoteProtocolError(f"TLS handshake failed: {reason}", ReplyCode.TRANSACTION_FAILED)
        )

    def authenticate(self, mechanism: ClientMechanism, server_name: str | None = None) -> int:
        """Authenticate to the peer; Authenticated or AuthenticationFailed follows. Returns the channel."""
        self._check_talking()
        return self._sasl_client.start(mechanism, server_name)

    def provide_credentials(self, channel: int, verifier: str | None, *, may_act_as: bool = False) -> None:
        """Answer CredentialsWanted.

        Args:
            channel: The channel of the event.
            verifier: Stored verifier ``SCRAM-SHA-256$…``; None for an unknown or locked user, who then
                fails in the same way and time as one with a wrong password.
            may_act_as: Whether authcid may act as a different authzid.

        Raises:
            ValueError: The verifier is none; the question stays open, so refuse_credentials can answer it.
            LocalProtocolError: Nobody asked.
        """
        self._sasl_server.provide(channel, verifier, may_act_as)

    def refuse_credentials(
        self, channel: int, code: ReplyCode = ReplyCode.TEMPORARY_AUTHENTICATION_FAILURE, text: str = ""
    ) -> None:
        """Answer CredentialsWanted or VerifyPlain when no decision is possible (e.g. the store is away)."""
        self._sasl_server.refuse(channel, code, text)

    def finish_verify(self, channel: int, result: Verified) -> None:
        """Hand in the result of VerifyPlain.work.run()."""
        self._sasl_server.finish(channel, result)

    # -- what is known ----------------------------------------------------------------------------------

    @property
    def role(self) -> Role:
        """Initiator or listener."""
        return self._role

    @property
    def frame_size(self) -> int:
        """Largest payload put in one frame, octets; may be set, e.g. to two thirds of the MSS."""
        return self._link.outbox.frame_size

    @frame_size.setter
    def frame_size(self, octets: int) -> None:
        if octets < 1:
            raise LocalProtocolError("a frame carries at least one octet")
        self._link.outbox.frame_size = octets

    @property
    def peer_greeting(self) -> GreetingReceived | None:
        """The peer's greeting of this life of the session (a new life begins after TLS)."""
        return self._link.peer_greeting

    @property
    def server_name(self) -> str | None:
        """The serverName that rules this session (RFC 3080 §2.3.1.2)."""
        return self._link.server_name

    @property
    def channels(self) -> Mapping[int, str]:
        """Open application channels: number to profile URI."""
        return {
            number: channel.profile
            for number, channel in self._link.channels.items()
            if channel.sink is None and channel.state not in NOT_YET_OPEN
        }

    @property
    def private(self) -> bool:
        """Whether the transport is protected by TLS (or said to be private)."""
        return self._link.private

    @property
    def authenticated(self) -> str | None:
        """The authorisation identity; "" for ANONYMOUS, None before authentication."""
        return self._link.identity

    @property
    def bytes_queued(self) -> int:
        """Payload octets handed in and not yet taken by data_to_send (for back-pressure)."""
        return self._link.outbox.queued

    @property
    def terminated(self) -> bool:
        """Whether the session is over (released or terminated)."""
        return self._link.over
