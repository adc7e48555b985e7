"""A CUA's session without I/O: from the greeting to the capabilities, then commands and their answers."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto

from kalends.beep import (
    SASL_PREFIX,
    TLS_PROFILE,
    Limits,
    LocalProtocolError,
    ProfileOffer,
    Role,
    Session,
)
from kalends.beep import events as beep
from kalends.client import commands
from kalends.client.address import Address
from kalends.client.answers import read_error
from kalends.client.commands import Command
from kalends.client.errors import (
    AuthError,
    ClientError,
    ConnectError,
    LostError,
    ReplyError,
    refusal,
)
from kalends.client.exchange import Exchange
from kalends.client.introduction import answer, read_capability, refusal_of
from kalends.client.login import NOT_ACCEPTED, choose_mechanism
from kalends.client.options import Options
from kalends.client.results import Capability

CAP_PROFILE = "http://iana.org/beep/cap/1.0"


class Stage(Enum):
    """How far a session has come."""

    GREETING = auto()
    SECURING = auto()
    HANDSHAKE = auto()
    REGREETING = auto()
    AUTHENTICATING = auto()
    STARTING = auto()
    INTRODUCING = auto()
    READY = auto()
    LEAVING = auto()
    OVER = auto()


class CapSession:
    """One CAP session in the role of the CUA. Octets and the time go in; octets come out.

    After every call look at `data_to_send`, `wants_tls`, `stage` and the exchanges that are waited for.

    Args:
        address: the server, for messages and as default of serverName.
        options: who we are and what we accept.
        now: seconds of the shell's clock.

    Source: RFC 4324 §12.
    """

    def __init__(self, address: Address, options: Options, now: float) -> None:
        self.address = address
        self.options = options
        self.stage = Stage.GREETING
        self.failure: ClientError | None = None
        self.capability: Capability | None = None
        self.wants_tls = False
        self.upn: str | None = None
        self._logged_in: str | None = None
        self._server_name = options.server_name or address.host
        self._channel = -1
        self._exchanges: dict[tuple[int, int], Exchange] = {}
        self._introduction: Exchange | None = None
        self._serial = 0
        limits = Limits(
            max_message=options.max_answer,
            max_buffered=2 * options.max_answer,
            login_timeout=None,  # the shells bound the whole of connecting
            idle_timeout=None,  # a CUA may be silent as long as the server lets it
        )
        self.beep = Session(Role.INITIATOR, localize=options.languages, limits=limits, now=now)

    # -- octets and time --------------------------------------------------------------------------------

    def receive_data(self, data: bytes, now: float) -> None:
        """Take octets from the server; b"" means it hung up."""
        self._handle(self.beep.receive_data(data, now))

    def data_to_send(self) -> bytes:
        """Take octets for the server."""
        data = self.beep.data_to_send()
        self._handle(self.beep.take_events())
        return data

    def next_timer(self) -> float | None:
        """When handle_timer wants to be called, in seconds of the shell's clock; None: not at all."""
        return self.beep.next_timer()

    def handle_timer(self, now: float) -> None:
        """Let time pass."""
        self._handle(self.beep.handle_timer(now))

    def tls_established(self, now: float) -> None:
        """The handshake succeeded and the certificate is believed."""
        self.wants_tls = False
        self.stage = Stage.REGREETING
        self.beep.tls_established(now)
        self._handle(self.beep.take_events())

    # -- what the shells call -----------------------------------------------------------------------------

    @property
    def ready(self) -> bool:
        """Whether commands may be sent."""
        return self.stage is Stage.READY

    @property
    def backlog(self) -> int:
        """Octets of answers that came and nobody took yet."""
        return sum(len(answer) for exchange in self._exchanges.values() for answer in exchange.answers)

    def send(self, command: Command) -> Exchange:
        """Send a command.

        Returns:
            Where its answers will be.

        Raises:
            LostError: the session is over.
        """
        if self.stage is not Stage.READY:
            raise LostError(f"the session with {self.address} is over") from self.failure
        return self._send(command)

    def forget(self, exchange: Exchange) -> None:
        """Nobody waits for a command any more: have it aborted, so that it holds up no other answer."""
        exchange.discarded = True
        exchange.answers.clear()
        if not exchange.done and self.stage is Stage.READY:
            self._send(commands.abort(exchange.ident)).discarded = True

    def patience(self, exchange: Exchange) -> float:
        """Seconds the server may be silent while that command is awaited."""
        return self.options.timeout + (exchange.command.latency or 0)

    def release(self) -> None:
        """Say goodbye; the stage is OVER when the server agreed."""
        if self.stage not in (Stage.READY, Stage.INTRODUCING) or self._exchanges:
            self.abort()
            return
        self.stage = Stage.LEAVING
        try:
            self.beep.release()
        except LocalProtocolError:
            self.abort()
        else:
            self._handle(self.beep.take_events())

    def abort(self) -> None:
        """End the session here and now."""
        if not self.beep.terminated:
            self.beep.abort("the client leaves")
        self._handle(self.beep.take_events())
        self.stage = Stage.OVER

    def fail(self, error: ClientError) -> None:
        """Note why the session cannot go on; the first reason counts."""
        if self.failure is None:
            self.failure = error
        for exchange in self._exchanges.values():
            exchange.error = exchange.error or error
            exchange.done = True
        self._exchanges.clear()
        self.stage = Stage.OVER
        if not self.beep.terminated:
            self.beep.abort(str(error))
            self.beep.take_events()

    # -- events -----------------------------------------------------------------------------------------

    def _handle(self, events: list[beep.Event]) -> None:
        for event in events:
            handler = _HANDLERS.get(type(event))
            if handler is not None:
                handler(self, event)

    def _send(self, command: Command) -> Exchange:
        self._serial += 1
        ident = f"k{self._serial}"
        latency, ask = self.options.latency if command.verb in _BOUNDED else None, self.options.on_timeout
        if command.latency is not None:
            latency, ask = command.latency, None
        payload = command.payload(ident, latency, ask is not None)
        exchange = Exchange(command, ident)
        try:
            msgno = self.beep.send_message(self._channel, payload)
        except LocalProtocolError as error:
            raise LostError(f"the session with {self.address} cannot send: {error.reason}") from None
        self._exchanges[self._channel, msgno] = exchange
        return exchange

    def _greeted(self, event: beep.GreetingReceived) -> None:
        if self.stage is Stage.GREETING and self.options.tls:
            if TLS_PROFILE not in event.profiles:
                self.fail(ConnectError(f"{self.address} offers no TLS; nothing was sent to it"))
                return
            self.stage = Stage.SECURING
            self.beep.start_tls(self._server_name)
        elif self.stage in (Stage.GREETING, Stage.REGREETING):
            self._log_in(event.profiles)

    def _log_in(self, profiles: tuple[str, ...]) -> None:
        offered = {uri.removeprefix(SASL_PREFIX) for uri in profiles if uri.startswith(SASL_PREFIX)}
        try:
            mechanism = choose_mechanism(self.options, offered, CAP_PROFILE in profiles)
        except AuthError as error:
            self.fail(error)
            return
        if mechanism is None:
            self._logged_in = self.upn = "@"
            self._start()
            return
        self.stage = Stage.AUTHENTICATING
        try:
            self.beep.authenticate(mechanism, self._server_name)
        except (LocalProtocolError, ValueError) as error:  # e.g. characters that SASLprep prohibits
            self.fail(AuthError(f"cannot authenticate: {error}"))

    def _tls_refused(self, event: beep.TlsRefused) -> None:
        self.fail(ConnectError(f"{self.address} refuses TLS: {event.text} ({event.code})"))

    def _tls_wanted(self, event: beep.TlsUpgrade) -> None:
        self.stage = Stage.HANDSHAKE
        self.wants_tls = True

    def _authenticated(self, event: beep.Authenticated) -> None:
        # With EXTERNAL the server knows whom the certificate names, and neither SASL nor CAP tells.
        unknown = None if event.mechanism == "EXTERNAL" else "@"
        self._logged_in = event.authzid or event.authcid or unknown
        self.identified(None)
        self._start()

    def identified(self, upn: str | None) -> None:
        """Note whom the server lets us act as from now on; None for whoever logged in (RFC 4324 §10.8)."""
        self.upn = upn or self._logged_in

    def _not_authenticated(self, event: beep.AuthenticationFailed) -> None:
        who = self.options.user or "anonymous"
        text = event.text.strip() or NOT_ACCEPTED.get(event.code, "user name or password are wrong")
        self.fail(AuthError(f"{self.address} does not accept {who}: {text} ({event.code})", event.code))

    def _start(self) -> None:
        self.stage = Stage.STARTING
        self._channel = self.beep.start_channel([ProfileOffer(CAP_PROFILE)], self._server_name)

    def _started(self, event: beep.ChannelStarted) -> None:
        if self.stage is not Stage.STARTING:
            return
        self.stage = Stage.INTRODUCING
        self._introduction = self._send(commands.capability())

    def _start_refused(self, event: beep.StartRefused) -> None:
        reason = f"{self.address} does not open a CAP channel: {event.text.strip()} ({event.code})"
        kind = AuthError if event.code in (530, 535, 537, 538) else ConnectError
        self.fail(kind(reason))

    def _refused(self, event: beep.SessionRefused) -> None:
        self.fail(ConnectError(f"{self.address} is not available: {event.text.strip()} ({event.code})"))

    def _answered(self, event: beep.ReplyReceived | beep.AnswerReceived) -> None:
        exchange = self._exchanges.get((event.channel, event.msgno))
        if exchange is None:
            return
        if not exchange.discarded:
            exchange.answers.append(event.payload)
        if isinstance(event, beep.ReplyReceived):
            self._finish(event.channel, event.msgno)

    def _answers_end(self, event: beep.NulReceived) -> None:
        self._finish(event.channel, event.msgno)

    def _erred(self, event: beep.ErrorReceived) -> None:
        exchange = self._exchanges.get((event.channel, event.msgno))
        if exchange is None:
            return
        replies, status = read_error(event.payload)
        target = next((reply.target for reply in replies if reply.statuses), "")
        exchange.error = refusal(exchange.command.verb, status, target)
        self._finish(event.channel, event.msgno)

    def _too_large(self, event: beep.ReplyTooLarge) -> None:
        exchange = self._exchanges.get((event.channel, event.msgno))
        if exchange is None:
            return
        limit = self.options.max_answer
        exchange.error = ReplyError(
            f"the answer is larger than {limit} octets: ask for less, or raise max_answer"
        )
        if event.ansno is None:
            self._finish(event.channel, event.msgno)

    def _finish(self, channel: int, msgno: int) -> None:
        exchange = self._exchanges.pop((channel, msgno), None)
        if exchange is None:
            return
        exchange.done = True
        if exchange is self._introduction:
            self._introduction = None
            self._introduced(exchange)

    def _introduced(self, exchange: Exchange) -> None:
        if exchange.error is not None:
            self.fail(ConnectError(f"{self.address} does not tell its capabilities: {exchange.error}"))
            return
        try:
            self.capability = read_capability(exchange.answers)
        except ClientError as error:
            self.fail(ConnectError(f"{self.address} does not tell its capabilities: {error}"))
            return
        self.stage = Stage.READY

    def _asked(self, event: beep.MessageReceived) -> None:
        said, obeyed = answer(event.payload, self.options)
        send = self.beep.send_reply if obeyed else self.beep.send_error
        send(event.channel, event.msgno, said)

    def _asked_too_much(self, event: beep.MessageTooLarge) -> None:
        said = refusal_of(None, "8.2;Larger than a client accepts")
        self.beep.send_error(event.channel, event.msgno, said)

    def _close_asked(self, event: beep.CloseRequested) -> None:
        self.beep.accept_close(event.channel)

    def _closed(self, event: beep.ChannelClosed) -> None:
        if event.channel == self._channel:
            self.fail(LostError(f"{self.address} closed the CAP channel"))

    def _release_asked(self, event: beep.ReleaseRequested) -> None:
        self.beep.accept_release()
        self.stage = Stage.LEAVING

    def _released(self, event: beep.SessionReleased) -> None:
        for exchange in self._exchanges.values():
            exchange.error = LostError(f"{self.address} ended the session")
            exchange.done = True
        self._exchanges.clear()
        self.stage = Stage.OVER

    def _terminated(self, event: beep.SessionTerminated) -> None:
        if self.stage is Stage.OVER:
            return
        reason = event.error.reason if event.error is not None else "the connection was closed"
        if self.stage is Stage.GREETING:
            self.fail(ConnectError(f"what answers at {self.address} is no CAP server: {reason}"))
        elif self.stage in (Stage.READY, Stage.LEAVING):
            self.fail(LostError(f"the session with {self.address} broke off: {reason}"))
        else:
            self.fail(ConnectError(f"{self.address} broke off: {reason}"))


_BOUNDED = frozenset(("SEARCH", "CREATE", "MODIFY", "MOVE", "DELETE", "GENERATE-UID"))
"""Commands that take the latency of the options."""

_HANDLERS: dict[type[beep.Event], Callable[..., None]] = {
    beep.GreetingReceived: CapSession._greeted,
    beep.SessionRefused: CapSession._refused,
    beep.TlsUpgrade: CapSession._tls_wanted,
    beep.TlsRefused: CapSession._tls_refused,
    beep.Authenticated: CapSession._authenticated,
    beep.AuthenticationFailed: CapSession._not_authenticated,
    beep.ChannelStarted: CapSession._started,
    beep.StartRefused: CapSession._start_refused,
    beep.ReplyReceived: CapSession._answered,
    beep.AnswerReceived: CapSession._answered,
    beep.NulReceived: CapSession._answers_end,
    beep.ErrorReceived: CapSession._erred,
    beep.ReplyTooLarge: CapSession._too_large,
    beep.MessageReceived: CapSession._asked,
    beep.MessageTooLarge: CapSession._asked_too_much,
    beep.CloseRequested: CapSession._close_asked,
    beep.ChannelClosed: CapSession._closed,
    beep.ReleaseRequested: CapSession._release_asked,
    beep.SessionReleased: CapSession._released,
    beep.SessionTerminated: CapSession._terminated,
}
"""What is done on each event; the others (credentials, verification) belong to servers."""
