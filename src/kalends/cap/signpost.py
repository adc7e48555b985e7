"""The signpost: one datagram in, at most one out, telling what a CAP server can do and where it listens.

This is Kalends' own: the registry lists 1026/udp for CAP, RFC 4324 defines nothing there (A-46). An answer is
never larger than its question, so that nobody can use a signpost to flood somebody else.
"""

from __future__ import annotations

from kalends.cap import replies
from kalends.cap.capability import own_capability
from kalends.cap.commands import VERBS
from kalends.cap.messages import Request, read_message
from kalends.cap.mime import wrap
from kalends.cap.status import RefusalError
from kalends.core.model import Policy
from kalends.ical.folds import fold

MAX_QUESTION = 2_048
"""Octets of a datagram that is looked at: an answer has about 650, and larger ones may come in fragments."""
WHERE = "X-KALENDS-TCP"
"""Where CAP is spoken: host and port of a TCP socket; `*` for the host means the one that was asked."""
PAD = "X-KALENDS-PAD"
"""Octets a question must have for the whole answer to fit."""


class Signpost:
    """Answers datagrams.

    Args:
        policy: what this server promises.
        where: `host:port`, or `*:port`.
    """

    def __init__(self, policy: Policy, where: str) -> None:
        place = fold(f"{WHERE}:{where}")
        self._whole = replies.vreply(own_capability(policy), place)
        self._hint = place

    def answer(self, question: bytes) -> bytes | None:
        """Answer one GET-CAPABILITY, if what came is one.

        Args:
            question: a whole datagram, with or without entity headers; anything may stand in it.

        Returns:
            The capabilities and the place; only the place (with how large a question should be) when the
            question is too small for more; None, which means silence, for all else.
        """
        request = _read(question)
        if request is None:
            return None
        whole = _entity(request, self._whole)
        if len(whole) <= len(question):
            return whole
        sized = _entity(request, replies.vreply(self._hint, fold(f"{PAD}:{len(whole)}")))
        for hint in (sized, _entity(request, replies.vreply(self._hint))):
            if len(hint) <= len(question):
                return hint
        return None


def _entity(request: Request, content: str) -> bytes:
    return wrap(replies.encode([replies.envelope(request.ident, None, content)]))


def _read(question: bytes) -> Request | None:
    if not question or len(question) > MAX_QUESTION:
        return None
    try:
        (request, *more) = read_message(question)
        if more or request.fault is not None or request.verb != "GET-CAPABILITY":
            return None
        VERBS[request.verb].check(request)
    except RefusalError:
        return None
    return request
