"""The TLS tuning profile, either side (RFC 3080 §3.1).

What begins with <ready> ends in a handshake or in nothing: the side that asks is silent until it has its
answer, the side that agrees lets the replies it still owes go first, and an octet that arrives in between
ends the session, for it can only have been slipped in by somebody else (the STARTTLS injection).
"""

import re

from kalends.beep import management
from kalends.beep.channel import Channel
from kalends.beep.codes import ReplyCode
from kalends.beep.control import ChannelManager
from kalends.beep.errors import LocalProtocolError, RemoteProtocolError
from kalends.beep.events import (
    ErrorReceived,
    Event,
    MessageReceived,
    MessageTooLarge,
    ProfileOffer,
    ReplyReceived,
    TlsRefused,
    TlsUpgrade,
)
from kalends.beep.frames import ERR, RPY
from kalends.beep.link import Link
from kalends.beep.machine import Phase
from kalends.beep.management import Error
from kalends.beep.security import TLS_PROFILE
from kalends.beep.xmlmini import Element, read_element

READY = b"<ready />"
PROCEED = b"<proceed />"
# "version" names the earliest TLS the peer takes; RFC 3080 writes TLS 1.0 as "1".
NEWEST_TLS = (1, 3)
_VERSION = re.compile(r"([0-9]{1,3})(?:\.([0-9]{1,3}))?").fullmatch


def check_ready(element: Element) -> Error | None:
    """Check a <ready>.

    Args:
        element: What the peer sent.

    Returns:
        What is wrong with it, or None (BT-03).

    Source: RFC 3080 §3.1.1, §3.1.3.1.
    """
    if element.name != "ready" or element.children or element.text.strip():
        return Error(ReplyCode.PARAMETER_SYNTAX_ERROR, "an empty <ready> element is expected")
    match = _VERSION(element.attributes.get("version", "1"))
    if match is None:
        return Error(ReplyCode.PARAMETER_SYNTAX_ERROR, "version attribute poorly formed in <ready> element")
    if (int(match[1]), int(match[2] or 0)) > NEWEST_TLS:
        return Error(ReplyCode.PARAMETER_NOT_IMPLEMENTED, "no such version of TLS is spoken here")
    return None


class TlsServer:
    """The side that gets <ready>.

    Args:
        link: The session's inside.
        manager: Its channel 0.
    """

    def __init__(self, link: Link, manager: ChannelManager) -> None:
        self._link = link
        self._manager = manager
        self._pending: tuple[Channel, int | None] | None = None  # whom <proceed> answers
        link.watchers.append(self._drained)

    def is_busy(self) -> bool:
        """Whether <proceed> is on its way."""
        return self._pending is not None

    def serve(self, channel: Channel, offer: ProfileOffer) -> None:
        """Begin on an offered channel, with <ready> inside <start> or not."""
        number = channel.number
        channel.sink = lambda event: self._handle(channel, event)
        if not offer.content.strip():
            self._manager.agree(number, TLS_PROFILE)
            return
        try:
            refusal = check_ready(read_element(offer.content))
        except RemoteProtocolError as error:
            refusal = Error(error.code, error.reason)
        if refusal is None:
            self._begin(channel, None)
        else:
            self._manager.agree(number, TLS_PROFILE, self._error(refusal).encode())

    def _error(self, refusal: Error) -> str:
        return self._link.diagnostic(refusal.code, refusal.text)

    def _handle(self, channel: Channel, event: Event) -> None:
        if isinstance(event, MessageReceived):
            try:
                refusal = check_ready(management.read_body(event.payload))
            except RemoteProtocolError as error:
                refusal = Error(error.code, error.reason)
            if refusal is None and (self._link.identity is not None or self._link.phase is not Phase.OPEN):
                refusal = Error(ReplyCode.REFUSED, "TLS can't begin now")
            if refusal is None:
                self._begin(channel, event.msgno)
            else:
                self._link.send_reply(channel, event.msgno, ERR, management.wrap(self._error(refusal)))
        elif isinstance(event, MessageTooLarge):
            text = self._error(Error(ReplyCode.SYNTAX_ERROR, "the message is too large"))
            self._link.send_reply(channel, event.msgno, ERR, management.wrap(text))

    def _begin(self, channel: Channel, msgno: int | None) -> None:
        """<ready> is accepted: hear nothing more, and proceed once every other reply has left (BT-02)."""
        self._link.step("ready received")
        self._link.inbox.deaf = True
        self._link.outbox.watched = True
        self._pending = channel, msgno
        self._drained(channel)

    def _drained(self, _: Channel) -> None:
        if self._pending is None or self._link.phase is not Phase.TLS_DRAINING:
            return
        channel, msgno = self._pending
        if msgno is None:
            control = self._manager.control
            own = control.inbound.get(self._manager.offer_of(channel.number).msgno)
        else:
            own = channel.inbound.get(msgno)
        if not self._link.is_quiet_but(own):
            return
        self._pending = None
        if msgno is None:
            self._manager.agree(channel.number, TLS_PROFILE, PROCEED, after=self._proceeded)
        else:
            payload = management.wrap(PROCEED.decode())
            self._link.send_reply(channel, msgno, RPY, payload, after=self._proceeded)

    def _proceeded(self) -> None:
        self._link.step("proceed sent")
        self._link.outbox.muted = True
        self._link.events.append(TlsUpgrade(server_side=True, server_name=self._link.server_name))


class TlsClient:
    """The side that sends <ready>.

    Args:
        link: The session's inside.
        manager: Its channel 0.
    """

    def __init__(self, link: Link, manager: ChannelManager) -> None:
        self._link = link
        self._manager = manager
        self._server_name: str | None = None

    def start(self, server_name: str | None) -> None:
        """Ask for TLS.

        Raises:
            LocalProtocolError: Channels are open, or something is under way.
        """
        link = self._link
        if link.private or link.identity is not None:
            raise LocalProtocolError("TLS comes before everything else, and only once")
        if len(link.channels) > 1 or not link.is_quiet_but(None) or self._manager.control.outbound:
            raise LocalProtocolError("TLS can only begin while nothing else is under way")
        link.step("ready sent")
        self._server_name = server_name
        self._manager.start(
            [ProfileOffer(TLS_PROFILE, READY)], server_name, self._started, self._refused, self._mute
        )

    def _mute(self) -> None:
        self._link.outbox.muted = True

    def _unmute(self) -> None:
        self._link.outbox.muted = False

    def _started(self, channel: Channel, answer: ProfileOffer) -> None:
        channel.sink = lambda event: self._handle(channel, event)
        channel.max_message = self._link.limits.max_management
        content = answer.content.strip()
        if content:
            self._take(channel, read_element(content))
            return
        # The peer made the channel but left <ready> unanswered: ask again, on the channel itself.
        self._unmute()
        self._link.send_request(channel, management.wrap(READY.decode()), after=self._mute)

    def _handle(self, channel: Channel, event: Event) -> None:
        if isinstance(event, ReplyReceived):
            self._take(channel, management.read_body(event.payload))
        elif isinstance(event, ErrorReceived):
            self._fail(channel, management.read_error(event.payload))
        elif isinstance(event, MessageReceived | MessageTooLarge):
            payload = management.error(ReplyCode.REFUSED, "nothing is served here", self._link.localize)
            self._link.send_reply(channel, event.msgno, ERR, payload)
        else:
            raise RemoteProtocolError(f"{type(event).__name__} on the TLS channel")

    def _take(self, channel: Channel, element: Element) -> None:
        if self._link.phase is not Phase.TLS_ASKED:
            raise RemoteProtocolError("a second answer to <ready>")
        if element.name == "error":
            self._fail(channel, management.read_error_element(element))
        elif element.name == "proceed" and not element.children and not element.text.strip():
            self._link.step("proceed received")
            self._link.inbox.deaf = True
            self._link.events.append(TlsUpgrade(server_side=False, server_name=self._server_name))
        else:
            raise RemoteProtocolError(f"<{element.name[:40]}> in answer to <ready>")

    def _fail(self, channel: Channel, error: Error) -> None:
        self._refused(channel, error)
        self._manager.close(channel, ReplyCode.SUCCESS, "", quiet=True)

    def _refused(self, _: Channel, error: Error) -> None:
        self._unmute()
        self._link.step("tls refused by peer")
        self._link.events.append(TlsRefused(error.code, error.text))
