"""How a CAP session opens: who it is, its channels, what either side says of itself (RFC 4324 §12)."""

from __future__ import annotations

from kalends.beep import events
from kalends.beep.codes import ReplyCode
from kalends.beep.session import Session as Wire
from kalends.cap import capability, mime, replies
from kalends.cap.commands import VERBS, Circumstances
from kalends.cap.messages import Request, read_message
from kalends.cap.outgoing import Outgoing
from kalends.cap.replies import Reply
from kalends.cap.status import BAD_ARGS, RefusalError
from kalends.cap.tongue import Tongue
from kalends.core.errors import KalendsError
from kalends.core.model import Policy
from kalends.core.people.acting import Standing
from kalends.core.people.identity import complete_upn

URI = "http://iana.org/beep/cap/1.0"
"""The profile (RFC 4324 §12.1, §13)."""
OUR_ID = "kalends-capability"


class Opening:
    """Who a session is, and what its two sides know of each other.

    Args:
        wire: the BEEP session.
        policy: what this store promises.
        tongue: the session's language.
        out: what it says; what the client says of itself is noted there.
        strict: refuse what RFC 4324 forbids even where it is harmless.

    Attributes:
        standing: who logged in and as whom they act; None before the first channel.
        introduced: whether the client has sent a command, or a GET-CAPABILITY with <start>.
    """

    def __init__(self, wire: Wire, policy: Policy, tongue: Tongue, out: Outgoing, *, strict: bool) -> None:
        self.standing: Standing | None = None
        self.introduced = False
        self._wire = wire
        self._policy = policy
        self._tongue = tongue
        self._out = out
        self._strict = strict
        self._login = ""
        self._asked: tuple[int, int] | None = None
        self._was_asked = False

    def authenticated(self, event: events.Authenticated) -> None:
        """Remember who logged in."""
        self._login = event.authcid

    def around(self, utc: int) -> Circumstances:
        """What a command is judged by.

        Args:
            utc: seconds since 1970.
        """
        assert self.standing is not None  # no channel without it
        return Circumstances(self.standing, utc, self._policy, self._out.peer.default_tz, self._strict)

    def start(self, event: events.StartRequested, utc: int, *, stopping: bool) -> bool:
        """Open a channel, or refuse it.

        Args:
            event: what the client asks for.
            utc: seconds since 1970.
            stopping: the server takes no more channels.

        Returns:
            Whether it is open; our own GET-CAPABILITY is then on its way.
        """
        offer = next((offer for offer in event.profiles if offer.uri == URI), None)
        who = self._wire.authenticated
        greeting = self._wire.peer_greeting
        self._tongue.greeted(greeting.localize if greeting is not None else ())
        if offer is None:
            self._wire.refuse_start(event.channel, ReplyCode.REFUSED, "this server speaks CAP only")
        elif who is None:
            self._wire.refuse_start(event.channel, ReplyCode.AUTHENTICATION_REQUIRED, "authenticate first")
        elif stopping:
            self._wire.refuse_start(event.channel, ReplyCode.SERVICE_NOT_AVAILABLE, "the server is stopping")
        else:
            try:
                self.standing = self.standing or self._stand(who)
            except KalendsError as error:
                self._wire.refuse_start(event.channel, ReplyCode.NOT_AUTHORIZED, error.reason)
                return False
            content = self._piggybacked(offer.content, utc) if offer.content.strip() else b""
            self._wire.accept_start(event.channel, URI, content)
            self._ask_capability(event.channel)
            return True
        return False

    def _stand(self, who: str) -> Standing:
        """Who the session is: no name means anonymous (RFC 4324 §4.3). Raises InvalidError."""
        if not who:
            return Standing(self._policy.anonymous)
        login, home = (complete_upn(name, self._policy) for name in (self._login or who, who))
        return Standing(login, home)

    def _piggybacked(self, content: bytes, utc: int) -> bytes:
        """Answer a GET-CAPABILITY that came with <start> (SES-12)."""
        ident: str | None = None
        try:
            (request, *more) = read_message(content, strict=self._strict)
            ident = request.ident
            if more or request.fault is not None or request.verb != "GET-CAPABILITY":
                raise request.fault or RefusalError(
                    BAD_ARGS, "Only one GET-CAPABILITY may come with <start>."
                )
            said = VERBS[request.verb].answer(request, self.around(utc))
        except RefusalError as error:
            language = self._tongue.of(None)
            said = [replies.refused(ident or error.ident, None, error.status, language=language)]
        self.introduced = True
        return mime.wrap(replies.encode(reply.text for reply in said))

    def _ask_capability(self, channel: int) -> None:
        """Send our own GET-CAPABILITY, once, as the first message (SES-11)."""
        if self._was_asked:
            return
        self._was_asked = True
        text = replies.envelope(OUR_ID, None, "", verb="GET-CAPABILITY")
        self._asked = channel, self._wire.send_message(channel, mime.wrap(text.encode()))

    def answered(self, question: tuple[int, int], request: Request | None) -> bool:
        """Take the answer to our GET-CAPABILITY.

        Args:
            question: channel and msgno of what was answered.
            request: the answer; None for one that cannot be read, which says nothing: every default is safe.

        Returns:
            Whether it was that which was asked.
        """
        if question != self._asked:
            return False
        self._asked = None
        if request is not None:
            self._out.peer = capability.read_capability(request.vcalendar)
        return True

    def excuse(self, request: Request) -> list[Reply] | None:
        """TIMEOUT of a client that has not answered our GET-CAPABILITY: it may take its time (LAT-12).

        Args:
            request: the TIMEOUT.

        Returns:
            What it is answered; None when it is about something else.
        """
        if self._asked is None or request.ident not in (None, OUR_ID):
            return None
        return [Reply(None, replies.envelope(request.ident, None, "", verb="CONTINUE"))]
