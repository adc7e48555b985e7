"""A CUA's session without I/O: from the greeting to the capabilities, then commands and their answers."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto

from kalends.beep import (
    SASL_PREFIX,
    TLS_PROFILE,
    Anonymous,
    External,
    Limits,
    LocalProtocolError,
    Plain,
    ProfileOffer,
    Role,
    ScramSha256,
    Session,
)
from kalends.beep import events as beep
from kalends.beep.mechanisms import ClientMechanism
from kalends.client import commands
from kalends.client.address import Address
from kalends.client.answers import read_error, read_replies
from kalends.client.commands import Command
from kalends.client.errors import (
    AuthError,
    ClientError,
    ConnectError,
    LostError,
    RefusedError,
    ReplyError,
    refusal,
)
from kalends.client.options import Options
from kalends.client.results import Capability

CAP_PROFILE = "http://iana.org/beep/cap/1.0"
OUR_COMPONENTS = (
    *("VCALSTORE", "VCALENDAR", "VTIMEZONE", "VREPLY", "VAGENDA", "STANDARD", "DAYLIGHT"),
    *("VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY", "VALARM", "VCAR", "VRIGHT", "VQUERY"),
)
"""What this client understands (RFC 4324 §8.8)."""
OUR_LARGEST = 16 * 1024 * 1024
"""Octets of a message we read from the server of its own accord: its commands to us are tiny."""


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


@dataclass(eq=False, slots=True)
class Exchange:
    """A command under way and what has come in answer to it.

    Attributes:
        command: what was asked. ident: under which ID.
        answers: payloads that came and nobody took yet.
        done: nothing more will come.
        error: why it failed; raised once the answers before it are taken.
        discarded: nobody waits any more; what comes is thrown away.
    """

    command: Command
    ident: str = ""
    answers: deque[bytes] = field(default_factory=deque)
    done: bool = False
    error: ClientError | None = None
    discarded: bool = False

    @property
    def news(self) -> bool:
        """Whether there is something to take, or nothing more to wait for."""
        return bool(self.answers) or self.done


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
        text = event.text.strip() or _NOT_ACCEPTED.get(event.code, "user name or password are wrong")
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
        """Answer a command of the server: GET-CAPABILITY, TIMEOUT, else 9.0 (RFC 4324 §10.7, §10.1.1)."""
        try:
            asked = list(read_replies(event.payload)) if len(event.payload) <= OUR_LARGEST else []
        except ReplyError:
            asked = []
        verb, command_id = (asked[0].command, asked[0].command_id) if asked else ("", None)
        if verb in ("GET-CAPABILITY", "CAPABILITY"):
            answer = commands.reply("REPLY", command_id, our_capability(self.options))
        elif verb == "TIMEOUT":
            decide = self.options.on_timeout
            goes_on = decide is not None and decide(command_id or "")
            answer = commands.reply("CONTINUE" if goes_on else "ABORT", command_id)
        else:
            status = ("REQUEST-STATUS", "9.0;Unknown or unsupported command")
            self.beep.send_error(event.channel, event.msgno, commands.reply("REPLY", command_id, [status]))
            return
        self.beep.send_reply(event.channel, event.msgno, answer)

    def _asked_too_much(self, event: beep.MessageTooLarge) -> None:
        status = ("REQUEST-STATUS", "8.2;Larger than a client accepts")
        self.beep.send_error(event.channel, event.msgno, commands.reply("REPLY", None, [status]))

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


_NOT_ACCEPTED = {454: "the server cannot look up passwords just now; try again later"}
"""What reply codes of a failed login mean, where the server sends no words (RFC 3080 §8)."""
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


def choose_mechanism(options: Options, offered: set[str], open_door: bool) -> ClientMechanism | None:
    """The best SASL mechanism that both sides know.

    Args:
        options: who we are.
        offered: names of the mechanisms in the server's greeting.
        open_door: the greeting offers CAP too, so that a session without user may do without SASL.

    Returns:
        The mechanism, or None when none is needed.

    Raises:
        AuthError: there is none, in words that say why.
    """
    password = options.password
    able: dict[str, ClientMechanism] = {}
    if options.trust.certificate is not None and password is None:
        able["EXTERNAL"] = External(options.act_as)
    if options.user is not None and password is not None:
        able["SCRAM-SHA-256"] = ScramSha256(options.user, password, options.act_as)
        if options.tls:
            able["PLAIN"] = Plain(options.user, password, options.act_as)
    if options.user is None:
        able["ANONYMOUS"] = Anonymous()
    if options.mechanism is not None:
        able = {name: able[name] for name in able if name == options.mechanism.upper()}
    for name, mechanism in able.items():
        if name in offered:
            return mechanism
    if options.user is None and open_door and not offered:
        return None
    if not able:
        raise AuthError(
            "a password is needed" if options.mechanism is None else "that mechanism cannot be used"
        )
    theirs = ", ".join(sorted(offered)) or "none"
    if options.user is None and options.mechanism is None and offered:
        raise AuthError(f"the server lets nobody in without a name: name a user (it offers {theirs})", 504)
    raise AuthError(
        f"no common way to authenticate: the server offers {theirs}, here is {', '.join(able)}", 504
    )


def read_capability(answers: deque[bytes]) -> Capability:
    """Read the answer to GET-CAPABILITY.

    Raises:
        RefusedError: the server refused. ReplyError: it said nothing that can be read.
    """
    for payload in answers:
        for answer in read_replies(payload):
            bad = next((status for status in answer.statuses if not status.ok), None)
            if bad is not None:
                raise RefusedError(bad)
            if answer.results:
                return Capability.read(answer.results[0].lines)
    raise ReplyError("an empty answer")


def our_capability(options: Options) -> list[tuple[str, str]]:
    """What this client can do, for the server's GET-CAPABILITY (RFC 4324 §10.7; CAP-02)."""
    said = [
        ("CAP-VERSION", "4324"),
        ("PRODID", commands.PRODID),
        ("CAR-LEVEL", "CAR-FULL-1"),
        (
            "COMPONENTS",
            ",".join(OUR_COMPONENTS),
        ),
        ("ITIP-VERSION", "2446,5546"),
        ("MAX-COMP-SIZE", str(options.max_answer)),
        ("MAXDATE", "99991231T235959Z"),
        ("MINDATE", "00010101T000000Z"),
        ("MULTIPART", "mixed,alternative,related,parallel,digest"),
        ("QUERY-LEVEL", "CAL-QL-1"),
        ("RECUR-ACCEPTED", "TRUE"),
        ("RECUR-EXPAND", "FALSE"),
        ("RECUR-LIMIT", "0"),
        ("STORES-EXPANDED", "FALSE"),
    ]
    if options.default_tz is not None:
        said.append(("DEFAULT-TZID", commands.wire(options.default_tz, "a time zone")))
    return [*said, ("REQUEST-STATUS", "2.0")]
