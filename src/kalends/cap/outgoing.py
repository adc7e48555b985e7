"""What the CAP side says: the shape of an answer on the wire, and how a refusal or progress is told."""

from __future__ import annotations

import re
from collections.abc import Mapping

from kalends.beep.session import Session as Wire
from kalends.cap import capability, mime, replies
from kalends.cap.exchange import Exchange, Lane
from kalends.cap.messages import Request
from kalends.cap.replies import Reply
from kalends.cap.status import ABORTED, FAILURE, SUCCESS, TOO_LARGE, Status, status_of
from kalends.cap.tongue import Tongue
from kalends.core.errors import SeveralError
from kalends.store.errors import StoreOutcomeUnknownError

_REFUSED = re.compile(r"^REQUEST-STATUS[^:]*:(?!2\.)", re.MULTILINE)


class Outgoing:
    """The messages of one session on their way to the wire.

    Args:
        wire: the BEEP session.
        lanes: the open channels; kept by the session.
        tongue: the session's language.
        max_object: octets that this server says one object may have.
    """

    def __init__(self, wire: Wire, lanes: Mapping[int, Lane], tongue: Tongue, max_object: int) -> None:
        self._wire = wire
        self._lanes = lanes
        self._tongue = tongue
        self._max_object = max_object
        self.peer = capability.UNKNOWN

    def reachable(self, channel: int) -> bool:
        """Whether anything can still be said on a channel."""
        return not self._wire.terminated and channel in self._wire.channels

    def refuse(self, channel: int, msgno: int, status: Status, ident: str | None = None) -> None:
        """Answer a MSG of which no command could be read."""
        language = self._tongue.of(self._lanes.get(channel))
        text = replies.refused(ident, None, status, language=language).text
        self._wire.send_error(channel, msgno, mime.wrap(replies.encode([text])))

    def said(self, exchange: Exchange, index: int, said: list[Reply]) -> None:
        """Take what one command of a MSG is answered, and send it all with the last of them."""
        exchange.replies[index] = said
        exchange.left -= 1
        if exchange.left == 0:
            self._send(exchange)

    def _send(self, exchange: Exchange) -> None:
        """Answer a MSG: RPY for one TARGET, ANS…NUL for several, ERR when nothing ran (SES-17 to SES-19)."""
        if not self.reachable(exchange.channel):
            return
        said = [reply for some in exchange.replies for reply in some or ()]
        by_target: dict[str | None, list[Reply]] = {}
        for reply in said:
            by_target.setdefault(reply.target, []).append(reply)
        lane = self._lanes.get(exchange.channel)
        language = self._tongue.of(lane)
        bodies = [self._fitting(some, language) for some in by_target.values()]
        channel, msgno = exchange.channel, exchange.msgno
        if len(bodies) > 1:
            for body in bodies:
                self._wire.send_answer(channel, msgno, body)
            self._wire.send_nul(channel, msgno)
        elif any(reply.ran for reply in said):
            self._wire.send_reply(channel, msgno, bodies[0])
        else:
            self._wire.send_error(channel, msgno, bodies[0])
        self._tongue.answered(exchange, lane)

    def _fitting(self, said: list[Reply], language: str) -> bytes:
        """The message of some replies, or what there is to say when it is too large for a side (SES-23)."""
        body = mime.wrap(replies.encode(reply.text for reply in said))
        limits = [size for size in (self.peer.max_size, self._max_object) if size]
        limit = min(limits, default=0)
        if not limit or len(body) <= limit:
            return body
        short = replies.vreply(replies.status_line(_in_short(said, len(body), limit), language))
        head, _, _ = said[0].text.partition("BEGIN:VREPLY\r\n")
        return mime.wrap(replies.encode([head, short, "END:VCALENDAR\r\n"]))


def _in_short(said: list[Reply], octets: int, limit: int) -> Status:
    """What became of a command whose answer is too large: one that was done must not look refused."""
    if not any(reply.wrote for reply in said):
        text = f"The answer has {octets} octets, more than MAX-COMP-SIZE ({limit}) allows; ask for less."
        return Status(TOO_LARGE, text)
    if any(_REFUSED.search(reply.text) for reply in said):
        text = (
            f"Not all of it is done; the answer that says why has {octets} octets, MAX-COMP-SIZE is {limit}."
        )
        return Status(TOO_LARGE, text)
    return Status(SUCCESS, f"It is done; the answer has {octets} octets, MAX-COMP-SIZE is {limit}.")


def status_or_failure(error: Exception) -> Status:
    """What an exception is told as; a bug, too."""
    status = status_of(error)
    if status is None:  # a bug: the shell logs it, the client learns that nothing was changed
        return Status(FAILURE, "The server failed to execute this; nothing was changed.")
    return status


def refused(request: Request, error: Exception) -> list[Reply]:
    """A command's refusal, at each of its TARGETs."""
    if isinstance(error, SeveralError):
        return _all_refusals(request, error)
    status = status_or_failure(error)
    ran = isinstance(error, StoreOutcomeUnknownError)  # an ERR would promise that nothing was changed
    return [
        replies.refused(request.ident, target, status, ran=ran, language=request.language)
        for target in request.targets or (None,)
    ]


def _all_refusals(request: Request, error: SeveralError) -> list[Reply]:
    """Every reason why nothing was changed, at the target it is about (RFC 4324 §10.9; MDF-10)."""
    said: list[Reply] = []
    for target in request.targets:
        receipts = [receipt for given, receipt in error.refusals if given == target]
        if receipts:
            said.append(replies.flat_receipts(request.ident, target, receipts, request.language))
        else:
            said.append(
                replies.refused(request.ident, target, status_or_failure(error), language=request.language)
            )
    return said


def progress(request: Request, text: str) -> Reply:
    """2.0.3, for ABORT and CONTINUE as for the command that was aborted (A-38, A-40)."""
    target = request.targets[0] if len(request.targets) == 1 else None
    line = replies.status_line(Status(ABORTED, text), request.language)
    return Reply(target, replies.envelope(request.ident, target, replies.vreply(line)))
