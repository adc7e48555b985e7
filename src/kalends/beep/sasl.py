"""SASL tuning, either side: blobs to and fro on a channel of their own (RFC 3080 §4.1)."""

import base64
import binascii
from dataclasses import dataclass
from enum import Enum, auto

from kalends.beep import management
from kalends.beep.channel import Channel
from kalends.beep.codes import ReplyCode
from kalends.beep.control import ChannelManager
from kalends.beep.errors import LocalProtocolError, RemoteProtocolError
from kalends.beep.events import (
    Authenticated,
    AuthenticationFailed,
    CredentialsWanted,
    ErrorReceived,
    Event,
    MessageReceived,
    MessageTooLarge,
    ProfileOffer,
    ReplyReceived,
    VerifyPlain,
)
from kalends.beep.frames import ERR, RPY
from kalends.beep.link import Link
from kalends.beep.mechanisms import (
    SERVER_SIDES,
    Challenge,
    ClientMechanism,
    ClientSide,
    Failure,
    Outcome,
    ServerMechanism,
    Success,
    Surroundings,
    Want,
    client_side,
    parse_verifier,
)
from kalends.beep.scram import ScramError
from kalends.beep.security import SASL_PREFIX
from kalends.beep.verify import Verified
from kalends.beep.xmlmini import Element, read_element, write_element

# No mechanism served here has more challenges; a server must not make us compute proofs for ever.
MAX_TURNS = 3
STATUSES = frozenset({"abort", "complete", "continue"})


@dataclass(frozen=True, slots=True)
class Blob:
    """<blob>: a challenge, a response, or the end (BT-09)."""

    status: str
    data: bytes


def read_blob(element: Element) -> Blob:
    """Read <blob>.

    Args:
        element: What the peer sent.

    Returns:
        Status and decoded octets.

    Raises:
        RemoteProtocolError: Code 501.

    Source: RFC 3080 §4.1.3, §7.3.
    """
    status = element.attributes.get("status", "continue")
    if element.name != "blob" or element.children or status not in STATUSES:
        raise RemoteProtocolError("a <blob> is expected", ReplyCode.PARAMETER_SYNTAX_ERROR)
    try:
        return Blob(status, base64.b64decode("".join(element.text.split()).encode(), validate=True))
    except (binascii.Error, ValueError):
        raise RemoteProtocolError("<blob> is not base64", ReplyCode.PARAMETER_SYNTAX_ERROR) from None


def write_blob(blob: Blob) -> str:
    """Build <blob>."""
    attributes = {} if blob.status == "continue" else {"status": blob.status}
    return write_element("blob", attributes, base64.b64encode(blob.data).decode())


class State(Enum):
    """Life of a server side exchange."""

    IDLE = auto()
    DECIDING = auto()
    WAITING = auto()  # for credentials from the shell
    WORKING = auto()  # a thread computes
    CHALLENGED = auto()
    DONE = auto()


SERVER: dict[tuple[State, str], State] = {
    (State.IDLE, "response"): State.DECIDING,
    (State.CHALLENGED, "response"): State.DECIDING,
    (State.IDLE, "abort"): State.IDLE,
    (State.CHALLENGED, "abort"): State.IDLE,
    (State.DECIDING, "want"): State.WAITING,
    (State.WAITING, "credentials"): State.DECIDING,
    (State.WAITING, "refusal"): State.DECIDING,
    (State.WORKING, "refusal"): State.DECIDING,
    (State.DECIDING, "work"): State.WORKING,
    (State.WORKING, "result"): State.DECIDING,
    (State.DECIDING, "challenge"): State.CHALLENGED,
    (State.DECIDING, "success"): State.DONE,
    (State.DECIDING, "failure"): State.IDLE,
}


class Exchange:
    """One SASL channel on the server side.

    Args:
        channel: Where it runs.
        mechanism: Name.
    """

    __slots__ = ("channel", "mechanism", "msgno", "side", "state")

    def __init__(self, channel: Channel, mechanism: str) -> None:
        self.channel = channel
        self.mechanism = mechanism
        self.state = State.IDLE
        self.msgno: int | None = None  # the MSG to answer; None: the <start>
        self.side: ServerMechanism | None = None

    def step(self, word: str) -> None:
        """Move along the table.

        Raises:
            LocalProtocolError: The table has no such step.
        """
        try:
            self.state = SERVER[self.state, word]
        except KeyError:
            raise LocalProtocolError(f"SASL: {word} is not possible now ({self.state.name})") from None


class SaslServer:
    """The side that checks.

    Args:
        link: The session's inside.
        manager: Its channel 0.
    """

    def __init__(self, link: Link, manager: ChannelManager) -> None:
        self._link = link
        self._manager = manager
        self._exchanges: dict[int, Exchange] = {}
        self._failures = 0
        unknown = set(link.security.mechanisms) - set(SERVER_SIDES)
        if unknown:
            raise ValueError(f"no such SASL mechanism: {', '.join(sorted(unknown))}")

    def forget(self) -> None:
        """Start over after TLS."""
        self._exchanges.clear()

    def is_busy(self) -> bool:
        """Whether an exchange is under way."""
        return any(
            e.state not in {State.IDLE, State.DONE} and e.channel.number in self._link.channels
            for e in self._exchanges.values()
        )

    # -- from the wire ----------------------------------------------------------------------------------

    def serve(self, channel: Channel, offer: ProfileOffer) -> None:
        """Begin on an offered channel, with an initial response or without."""
        exchange = Exchange(channel, offer.uri.removeprefix(SASL_PREFIX))
        channel.sink = lambda event: self._handle(exchange, event)
        self._exchanges[channel.number] = exchange
        if not offer.content.strip():
            self._manager.agree(channel.number, offer.uri)
            return
        try:
            blob = read_blob(read_element(offer.content))
        except RemoteProtocolError as error:
            self._answer(exchange, Failure(error.code, error.reason))
            return
        self._take(exchange, blob)

    def _handle(self, exchange: Exchange, event: Event) -> None:
        if isinstance(event, MessageReceived):
            if exchange.state not in {State.IDLE, State.CHALLENGED}:
                text = "authenticated already" if exchange.state is State.DONE else "one response at a time"
                self._reply_error(exchange, event.msgno, ReplyCode.REFUSED, text)
                return
            exchange.msgno = event.msgno
            try:
                blob = read_blob(management.read_body(event.payload))
            except RemoteProtocolError as error:
                self._fail_before(exchange, Failure(error.code, error.reason))
                return
            self._take(exchange, blob)
        elif isinstance(event, MessageTooLarge):
            self._reply_error(exchange, event.msgno, ReplyCode.SYNTAX_ERROR, "the message is too large")

    def _fail_before(self, exchange: Exchange, failure: Failure) -> None:
        """A response that can't even be read ends the exchange."""
        exchange.step("response")
        self._proceed(exchange, failure)

    def _take(self, exchange: Exchange, blob: Blob) -> None:
        if blob.status == "abort":
            exchange.step("abort")
            exchange.side = None
            self._answer(exchange, Failure(ReplyCode.ACTION_ABORTED, "authentication aborted as you wished"))
            return
        exchange.step("response")
        if blob.status == "complete":
            self._proceed(exchange, Failure(ReplyCode.PARAMETER_SYNTAX_ERROR, "only a server completes"))
            return
        if self._failures >= self._link.security.max_attempts:
            self._proceed(exchange, Failure(ReplyCode.REFUSED, "too many failed attempts"))
            return
        if exchange.side is None:
            around = Surroundings(self._link.security, self._link.external_identity)
            exchange.side = SERVER_SIDES[exchange.mechanism](around)
        self._proceed(exchange, exchange.side.respond(blob.data))

    # -- from the shell ---------------------------------------------------------------------------------

    def _waiting(self, number: int, word: str) -> tuple[Exchange, ServerMechanism]:
        exchange = self._exchanges.get(number)
        if exchange is None or exchange.side is None or number not in self._link.channels:
            raise LocalProtocolError(f"no authentication is under way on channel {number}")
        exchange.step(word)
        return exchange, exchange.side

    def provide(self, number: int, verifier: str | None, may_act_as: bool) -> None:
        """Credentials are here; ValueError if the verifier is not one."""
        read = parse_verifier(verifier)
        exchange, side = self._waiting(number, "credentials")
        self._proceed(exchange, side.decide(read, may_act_as))

    def refuse(self, number: int, code: ReplyCode, text: str) -> None:
        """No decision is possible, for want of credentials or of a result."""
        exchange, _ = self._waiting(number, "refusal")
        self._proceed(exchange, Failure(code, text))

    def finish(self, number: int, result: Verified) -> None:
        """The costly work is done."""
        exchange, side = self._waiting(number, "result")
        self._proceed(exchange, side.verified(result))

    # -- what follows -----------------------------------------------------------------------------------

    def _proceed(self, exchange: Exchange, outcome: Outcome) -> None:
        if isinstance(outcome, Success) and self._link.identity is not None:
            outcome = Failure(ReplyCode.REFUSED, "the session is already authenticated")  # BT-06
        number = exchange.channel.number
        if isinstance(outcome, Want):
            exchange.step("want")
            name = self._link.server_name
            if name is None and exchange.msgno is None:
                name = self._manager.offer_of(number).start.server_name
            event: Event = CredentialsWanted(
                number, exchange.mechanism, outcome.authcid, outcome.authzid, name
            )
            self._link.events.append(event)
        elif isinstance(outcome, Challenge):
            exchange.step("challenge")
            self._answer(exchange, outcome)
        elif isinstance(outcome, Success):
            exchange.step("success")
            exchange.side = None
            self._link.identity = outcome.authzid
            self._answer(exchange, outcome)
            event = Authenticated(exchange.mechanism, outcome.authcid, outcome.authzid, outcome.trace)
            self._link.events.append(event)
        elif isinstance(outcome, Failure):
            exchange.step("failure")
            exchange.side = None
            self._failures += outcome.code == ReplyCode.AUTHENTICATION_FAILURE
            self._answer(exchange, outcome)
            self._link.events.append(AuthenticationFailed(exchange.mechanism, outcome.code, outcome.text))
        else:
            exchange.step("work")
            self._link.events.append(VerifyPlain(number, outcome.work))

    def _answer(self, exchange: Exchange, outcome: Challenge | Success | Failure) -> None:
        """Answer the <start> or the MSG that brought the response."""
        if isinstance(outcome, Failure):
            xml = self._link.diagnostic(outcome.code, outcome.text)
        elif isinstance(outcome, Success):
            xml = write_blob(Blob("complete", outcome.data))
        else:
            xml = write_blob(Blob("continue", outcome.data))
        number = exchange.channel.number
        if exchange.msgno is None:
            # The channel exists whatever became of the response (RFC 3080 §4.1.1).
            self._manager.agree(number, SASL_PREFIX + exchange.mechanism, xml.encode())
            return
        keyword = ERR if isinstance(outcome, Failure) else RPY
        self._link.send_reply(exchange.channel, exchange.msgno, keyword, management.wrap(xml))

    def _reply_error(self, exchange: Exchange, msgno: int, code: ReplyCode, text: str) -> None:
        payload = management.wrap(self._link.diagnostic(code, text))
        self._link.send_reply(exchange.channel, msgno, ERR, payload)


class SaslClient:
    """The side that wants to be somebody.

    Args:
        link: The session's inside.
        manager: Its channel 0.
    """

    def __init__(self, link: Link, manager: ChannelManager) -> None:
        self._link = link
        self._manager = manager
        self._side: ClientSide | None = None
        self._turns = 0

    def forget(self) -> None:
        """Start over after TLS."""
        self._side = None

    def start(self, given: ClientMechanism, server_name: str | None) -> int:
        """Begin.

        Returns:
            The channel's number.

        Raises:
            LocalProtocolError: Not the moment, or not the place, for this.
        """
        if self._link.identity is not None or self._side is not None:
            raise LocalProtocolError("one authentication at a time, and one success a session")
        try:
            side = client_side(given)
        except ValueError as error:
            raise LocalProtocolError(f"user name or password: {error}") from None
        if side.name == "PLAIN" and not self._link.private:
            raise LocalProtocolError("PLAIN would show the password: start TLS first")
        blob = write_blob(Blob("continue", side.initial())).encode()
        offer = ProfileOffer(SASL_PREFIX + side.name, blob)
        channel = self._manager.start([offer], server_name, self._started, self._refused)
        self._side = side
        self._turns = 0
        return channel.number

    def _started(self, channel: Channel, answer: ProfileOffer) -> None:
        channel.sink = lambda event: self._handle(channel, event)
        channel.max_message = self._link.limits.max_management
        content = answer.content.strip()
        if content:
            self._take(channel, read_element(content))
        elif self._side is not None:
            self._send(channel, self._side.initial())

    def _refused(self, _: Channel, error: management.Error) -> None:
        self._failed(error.code, error.text)

    def _failed(self, code: int, text: str) -> None:
        name = self._side.name if self._side else ""
        self._side = None
        self._link.events.append(AuthenticationFailed(name, code, text))

    def _send(self, channel: Channel, data: bytes) -> None:
        self._link.send_request(channel, management.wrap(write_blob(Blob("continue", data))))

    def _handle(self, channel: Channel, event: Event) -> None:
        if isinstance(event, MessageReceived | MessageTooLarge):
            payload = management.error(ReplyCode.REFUSED, "nothing is served here", self._link.localize)
            self._link.send_reply(channel, event.msgno, ERR, payload)
            return
        if not isinstance(event, ReplyReceived | ErrorReceived):
            self._fail(channel, management.Error(ReplyCode.SYNTAX_ERROR, f"{type(event).__name__} in SASL"))
            return
        try:
            element = management.read_body(event.payload)
        except RemoteProtocolError as error:
            self._fail(channel, management.Error(error.code, error.reason))  # BF-10
            return
        self._take(channel, element)

    def _take(self, channel: Channel, element: Element) -> None:
        side = self._side
        if side is None:
            return
        try:
            if element.name == "error":
                self._fail(channel, management.read_error_element(element))
                return
            blob = read_blob(element)
        except RemoteProtocolError as error:
            self._fail(channel, management.Error(error.code, error.reason))
            return
        try:
            if blob.status == "complete":
                side.finish(blob.data)
                self._side = None
                self._link.identity = side.authzid
                self._link.events.append(Authenticated(side.name, side.authcid, side.authzid))
            elif blob.status == "continue":
                self._send(channel, self._respond(side, blob.data))
            else:
                raise RemoteProtocolError("only a client aborts")
        except ScramError as error:
            # Whoever answers here does not know our password: have nothing more to do with it.
            self._failed(ReplyCode.AUTHENTICATION_FAILURE, str(error))
            raise RemoteProtocolError(f"{side.name}: {error}", ReplyCode.AUTHENTICATION_FAILURE) from None

    def _respond(self, side: ClientSide, challenge: bytes) -> bytes:
        self._turns += 1
        if self._turns > MAX_TURNS:
            raise ScramError("the server asks on and on")
        return side.respond(challenge)

    def _fail(self, channel: Channel, error: management.Error) -> None:
        self._failed(error.code, error.text)
        self._manager.close(channel, ReplyCode.SUCCESS, "", quiet=True)
