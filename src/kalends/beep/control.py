"""Channel 0: greetings, starting and closing channels, releasing the session (RFC 3080 §2.3, §2.4)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from kalends.beep import management
from kalends.beep.channel import Channel
from kalends.beep.codes import ReplyCode
from kalends.beep.errors import LocalProtocolError, RemoteProtocolError
from kalends.beep.events import (
    CloseRefused,
    CloseRequested,
    ErrorReceived,
    Event,
    GreetingReceived,
    MessageReceived,
    MessageTooLarge,
    ProfileOffer,
    ReleaseRefused,
    ReleaseRequested,
    ReplyReceived,
    SessionRefused,
    SessionReleased,
    SessionTerminated,
    StartRequested,
)
from kalends.beep.frames import ERR, RPY
from kalends.beep.limits import MAX_NUMBER
from kalends.beep.link import Link
from kalends.beep.machine import NOT_YET_OPEN, ChannelState, Phase
from kalends.beep.management import Close, Error, Greeting, Ok, Start
from kalends.beep.security import SASL_PREFIX, TLS_PROFILE, Refusal, Standing, refusal

ANSWERS_CLOSE = frozenset({ChannelState.CLOSE_AGREED, ChannelState.CLOSE_CROSSED})
Answer = Greeting | ProfileOffer | Ok


class TuningProfile(Protocol):
    """Server side of a tuning profile."""

    def serve(self, channel: Channel, offer: ProfileOffer) -> None:
        """Begin on a channel in state OFFERED; sooner or later calls ChannelManager.agree."""

    def is_busy(self) -> bool:
        """Whether an exchange is under way."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A MSG of ours on channel 0 and what its answer means."""

    on_reply: Callable[[Answer], None]
    on_error: Callable[[Error], None]


@dataclass(frozen=True, slots=True)
class Offered:
    """A <start> of the peer that is not answered yet."""

    msgno: int
    start: Start


class ChannelManager:
    """What both roles do on channel 0.

    Args:
        link: The session's inside.
        profiles: Application profiles served here.
    """

    def __init__(self, link: Link, profiles: Sequence[str]) -> None:
        self._link = link
        self._profiles = tuple(profiles)
        self._asked: dict[int, Asked] = {}
        self._offered: dict[int, Offered] = {}
        self._release_msgno: int | None = None
        self._next_channel = 1 if link.initiator else 2
        self.tls: TuningProfile | None = None
        self.sasl: TuningProfile | None = None
        self.control: Channel = link.begin_life(self.handle)
        link.watchers.append(self.settle)

    # -- greeting ---------------------------------------------------------------------------------------

    def begin_life(self) -> None:
        """Start over after TLS."""
        self._asked.clear()
        self._offered.clear()
        self._release_msgno = None
        self._next_channel = 1 if self._link.initiator else 2
        self.control = self._link.begin_life(self.handle)

    def greet(self, payload: bytes, keyword: bytes = RPY, after: Callable[[], None] | None = None) -> None:
        """Send a greeting, or ERR 421 in its place."""
        self._link.send_greeting(self.control, keyword, payload, after)

    def _greeted(self, greeting: Greeting) -> None:
        event = GreetingReceived(greeting.profiles, greeting.features, greeting.localize)
        self._link.peer_greeting = event
        self._link.step("greeting received")
        self._link.events.append(event)

    # -- what arrives on channel 0 ----------------------------------------------------------------------

    def handle(self, event: Event) -> None:
        """Take an event of channel 0.

        Raises:
            RemoteProtocolError: A poorly formed reply (BF-10) or anything before the greeting.
        """
        waiting = self._link.phase is Phase.GREETING
        if isinstance(event, MessageReceived):
            if waiting:
                raise RemoteProtocolError("a MSG before the greeting")
            self._message(event)
        elif isinstance(event, MessageTooLarge):
            self._refuse(event.msgno, ReplyCode.SYNTAX_ERROR, "message on channel 0 is too large")
        elif isinstance(event, ReplyReceived):
            answer = management.read_reply(event.payload)
            if waiting and event.msgno == 0:
                if not isinstance(answer, Greeting):
                    raise RemoteProtocolError("the first reply is no greeting")
                self._greeted(answer)
            else:
                self._asked.pop(event.msgno).on_reply(answer)
        elif isinstance(event, ErrorReceived):
            error = management.read_error(event.payload)
            if waiting and event.msgno == 0:
                self._refused_session(error)
            else:
                self._asked.pop(event.msgno).on_error(error)
        else:
            raise RemoteProtocolError(f"{type(event).__name__} on channel 0")

    def _refused_session(self, error: Error) -> None:
        self._link.events.append(SessionRefused(error.code, error.text))
        self._link.terminate(
            RemoteProtocolError("the listener refused the session", ReplyCode.SERVICE_NOT_AVAILABLE)
        )

    def _message(self, event: MessageReceived) -> None:
        try:
            message = management.read_message(event.payload)
        except RemoteProtocolError as error:
            self._refuse(event.msgno, error.code, error.reason)
            return
        if isinstance(message, Start):
            self._start_received(event.msgno, message)
        elif message.number == 0:
            self._release_received(event.msgno, message)
        else:
            self._close_received(event.msgno, message)

    def _refuse(self, msgno: int, code: int, text: str, lang: str = management.OUR_LANGUAGE) -> None:
        payload = management.wrap(self._link.diagnostic(code, text, lang))
        self._link.send_reply(self.control, msgno, ERR, payload)

    def _ask(
        self,
        payload: bytes,
        on_reply: Callable[[Answer], None],
        on_error: Callable[[Error], None],
        after: Callable[[], None] | None = None,
    ) -> None:
        msgno = self._link.send_request(self.control, payload, after=after)
        self._asked[msgno] = Asked(on_reply, on_error)

    # -- starting: the peer asks ------------------------------------------------------------------------

    def _start_received(self, msgno: int, start: Start) -> None:
        verdict = self._refuse_number(start.number) or self._refuse_name(start.server_name)
        if verdict is not None:
            self._refuse(msgno, *verdict)
            return
        standing = Standing(self._link.private, self._link.identity, self._link.external_identity)
        policy = self._link.security
        verdicts = [refusal(policy, self._profiles, o.uri, standing) for o in start.profiles]
        if all(verdicts):
            # "not served here" says less than "do this first"
            best = max((v for v in verdicts if v), key=lambda v: v[0] != ReplyCode.REFUSED)
            self._refuse(msgno, *best)
            return
        acceptable = [o for o, v in zip(start.profiles, verdicts, strict=True) if v is None]
        tuning = self._tuning_for(acceptable[0].uri)
        if tuning is not None and (self._is_tuning() or self._link.phase is not Phase.OPEN):
            self._refuse(msgno, ReplyCode.REFUSED, "another tuning channel is busy")
            return
        channel = Channel(start.number, "", ChannelState.OFFERED, self._link.limits.max_message)
        self._link.channels[start.number] = channel
        self._offered[start.number] = Offered(msgno, start)
        if tuning is not None:
            channel.max_message = self._link.limits.max_management
            tuning.serve(channel, acceptable[0])
            return
        ours = tuple(o for o in acceptable if self._tuning_for(o.uri) is None)
        name = self._link.server_name or start.server_name
        self._link.events.append(StartRequested(start.number, ours, name))

    def _tuning_for(self, uri: str) -> TuningProfile | None:
        if uri == TLS_PROFILE:
            return self.tls
        return self.sasl if uri.startswith(SASL_PREFIX) else None

    def _is_tuning(self) -> bool:
        """Only one tuning channel may be at work (RFC 3080 §2)."""
        return any(t is not None and t.is_busy() for t in (self.tls, self.sasl))

    def _refuse_number(self, number: int) -> Refusal | None:
        if number % 2 != (0 if self._link.initiator else 1):
            parity = "even" if self._link.initiator else "odd"
            return (
                ReplyCode.PARAMETER_SYNTAX_ERROR,
                f"number attribute of <start> must be {parity} when you ask",
            )
        if number in self._link.channels:
            return ReplyCode.REFUSED, f"channel {number} is already in use"
        if len(self._link.channels) > self._link.limits.max_channels:
            return ReplyCode.ACTION_NOT_TAKEN, "too many channels; close one first"
        return None

    def _refuse_name(self, name: str | None) -> Refusal | None:
        if name is None or self._link.server_name is not None or self._link.answers_to(name):
            return None
        return ReplyCode.REFUSED, "this server does not answer to that serverName"

    def offer_of(self, number: int) -> Offered:
        """Find an unanswered <start> of the peer.

        Raises:
            LocalProtocolError: There is none.
        """
        offered = self._offered.get(number)
        if offered is None:
            raise LocalProtocolError(f"the peer did not ask to start channel {number}")
        return offered

    def agree(
        self, number: int, uri: str, content: bytes = b"", after: Callable[[], None] | None = None
    ) -> Channel:
        """Answer a <start> with <profile>; we send on the channel only once that has left."""
        offered = self.offer_of(number)
        if uri not in (offer.uri for offer in offered.start.profiles):
            raise LocalProtocolError(f"the peer did not offer {uri}")
        payload = management.profile(uri, content)
        del self._offered[number]
        channel = self._link.channels[number]
        channel.step("start accepted")
        channel.profile = uri
        channel.active = False
        if self._link.server_name is None:
            self._link.server_name = offered.start.server_name

        def activate() -> None:
            channel.active = True
            self._link.outbox.wake(channel)
            if after is not None:
                after()

        self._link.send_reply(self.control, offered.msgno, RPY, payload, after=activate)
        return channel

    def decline(self, number: int, code: int, text: str, lang: str = management.OUR_LANGUAGE) -> None:
        """Answer a <start> with <error>."""
        offered = self.offer_of(number)
        del self._offered[number]
        self._link.channels.pop(number).step("start refused")
        self._refuse(offered.msgno, code, text, lang)

    # -- starting: we ask -------------------------------------------------------------------------------

    def start(
        self,
        offers: Sequence[ProfileOffer],
        server_name: str | None,
        on_started: Callable[[Channel, ProfileOffer], None],
        on_refused: Callable[[Channel, Error], None],
        after: Callable[[], None] | None = None,
    ) -> Channel:
        """Ask for a channel.

        Args:
            offers: What it could speak, best first; at least one.
            server_name: Virtual host wanted.
            on_started: Called with the open channel and the peer's choice.
            on_refused: Called with the channel that is gone and the peer's reason.
            after: Called when the <start> has left.

        Returns:
            The channel in state STARTING.

        Raises:
            LocalProtocolError: No offers, or content too long.
        """
        if not offers:
            raise LocalProtocolError("a <start> needs at least one profile")
        if len(self._link.channels) > self._link.limits.max_channels:
            raise LocalProtocolError("too many channels are open")
        number = self._free_number()
        payload = management.start(number, server_name, offers)
        self._next_channel = _next_number(number)
        channel = Channel(number, "", ChannelState.STARTING, self._link.limits.max_message)

        def reply(answer: Answer) -> None:
            if not isinstance(answer, ProfileOffer) or answer.uri not in (o.uri for o in offers):
                raise RemoteProtocolError("the reply to <start> names no profile we offered")
            channel.step("started by peer")
            channel.profile = answer.uri
            on_started(channel, answer)

        def error(refusal: Error) -> None:
            channel.step("refused by peer")
            self._link.channels.pop(number, None)
            on_refused(channel, refusal)

        self._ask(payload, reply, error, after)
        self._link.channels[number] = channel
        return channel

    def _free_number(self) -> int:
        number = self._next_channel
        while number in self._link.channels:
            number = _next_number(number)
        return number

    # -- closing ----------------------------------------------------------------------------------------

    def close(self, channel: Channel, code: int, text: str, quiet: bool = False) -> None:
        """Ask to close a channel, as soon as our MSGs on it are acknowledged (BC-07, BC-08)."""
        channel.step("close wanted")
        channel.close_wish = (code, text, quiet)
        self.settle(channel)

    def _send_close(self, channel: Channel) -> None:
        code, text, quiet = channel.close_wish or (ReplyCode.SUCCESS, "", True)

        def reply(answer: Answer) -> None:
            if not isinstance(answer, Ok):
                raise RemoteProtocolError("the reply to <close> is not <ok>")
            if channel.state is ChannelState.CLOSED:
                return
            if not channel.is_settled():
                raise RemoteProtocolError(f"<ok> to closing channel {channel.number} while replies are owed")
            crossed = channel.state is ChannelState.CLOSE_CROSSED
            channel.step("close agreed by peer")
            if crossed:
                self.settle(channel)
            else:
                self._link.drop_channel(channel)

        def error(refusal: Error) -> None:
            if channel.state is ChannelState.CLOSED:
                return
            channel.step("close refused by peer")
            if not quiet:
                self._link.events.append(CloseRefused(channel.number, refusal.code, refusal.text))
            self.settle(channel)

        channel.step("acknowledged")
        self._ask(management.close(channel.number, code, text), reply, error)

    def _close_received(self, msgno: int, close: Close) -> None:
        channel = self._link.channels.get(close.number)
        if channel is None or channel.state in NOT_YET_OPEN:
            self._refuse(msgno, ReplyCode.REFUSED, f"channel {close.number} is not open")
            return
        if channel.close_msgno is not None:
            self._refuse(msgno, ReplyCode.REFUSED, f"channel {close.number} is already being closed")
            return
        channel.step("close received")
        channel.close_msgno = msgno
        if channel.state is not ChannelState.CLOSE_ASKED:
            self.settle(channel)
        elif channel.sink is not None:  # a tuning channel
            self.agree_to_close(channel)
        else:
            self._link.events.append(CloseRequested(close.number, close.code, close.text))

    def agree_to_close(self, channel: Channel) -> None:
        """Let <ok/> go out as soon as nothing is owed on the channel."""
        channel.step("close accepted")
        self.settle(channel)

    def decline_to_close(self, channel: Channel, code: int, text: str) -> None:
        """Answer <close> with <error>."""
        channel.step("close declined")
        msgno, channel.close_msgno = channel.close_msgno, None
        assert msgno is not None  # the state says so
        self._refuse(msgno, code, text)

    def settle(self, channel: Channel) -> None:
        """See whether a channel that is about to close, or the session, can take its next step."""
        if channel.state is ChannelState.CLOSE_WAITING:
            if channel.is_acknowledged():
                self._send_close(channel)
        elif channel.state in ANSWERS_CLOSE and channel.is_settled() and channel.close_msgno is not None:
            channel.step("settled")
            self._link.drop_channel(channel)
            self._link.send_reply(self.control, channel.close_msgno, RPY, management.ok())
        if self._link.phase is Phase.RELEASE_AGREED:
            self._settle_release()

    # -- releasing --------------------------------------------------------------------------------------

    def release(self, code: int, text: str) -> None:
        """Ask to end the session (BC-09)."""
        self._link.step("release sent")

        def reply(answer: Answer) -> None:
            if not isinstance(answer, Ok):
                raise RemoteProtocolError("the reply to <close> is not <ok>")
            self._released("release agreed by peer")

        def error(refusal: Error) -> None:
            self._link.step("release refused by peer")
            self._link.events.append(ReleaseRefused(refusal.code, refusal.text))

        self._ask(management.close(0, code, text), reply, error)

    def _release_received(self, msgno: int, close: Close) -> None:
        if self._release_msgno is not None or self._link.phase not in {Phase.OPEN, Phase.RELEASING}:
            self._refuse(msgno, ReplyCode.REFUSED, "the session can't be released now")
            return
        crossed = self._link.phase is Phase.RELEASING
        self._link.step("release received")
        self._release_msgno = msgno
        if crossed:
            self._watch_release()
        else:
            self._link.events.append(ReleaseRequested(close.code, close.text))

    def agree_to_release(self) -> None:
        """Let <ok/> go out as soon as all replies have left."""
        self._link.step("release accepted")
        self._watch_release()

    def decline_to_release(self, code: int, text: str) -> None:
        """Answer the release with <error>."""
        self._link.step("release declined")
        msgno, self._release_msgno = self._release_msgno, None
        assert msgno is not None  # the phase says so
        self._refuse(msgno, code, text)

    def _watch_release(self) -> None:
        self._link.outbox.watched = True
        self._settle_release()

    def _settle_release(self) -> None:
        msgno = self._release_msgno
        if msgno is None or not self._link.is_quiet_but(self.control.inbound.get(msgno)):
            return
        self._release_msgno = None
        self._link.send_reply(
            self.control, msgno, RPY, management.ok(), after=lambda: self._released("ok sent")
        )

    def _released(self, word: str) -> None:
        if self._link.phase is Phase.RELEASED:
            return
        self._link.step(word)
        self._link.outbox.watched = False
        self._link.events.append(SessionReleased())

    def refused_sent(self) -> None:
        """ERR 421 has left: the session is over (BC-02)."""
        self._link.step("terminated")
        self._link.events.append(SessionTerminated(None))


def _next_number(number: int) -> int:
    """The next channel number of the same parity, from the beginning again after the last one."""
    return number + 2 if number + 2 <= MAX_NUMBER else number % 2 or 2
