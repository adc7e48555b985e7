"""What a client can fail with: one family, each class carrying what a caller may want to act on.

ClientError
├── ConnectError        nobody answers, or what answers is no CAP server
│   ├── AddressError    its address, or a fingerprint, is not written as it must be
│   └── TrustError      the server's certificate is not the one to be trusted
├── AuthError           the server does not accept who we are
├── LostError           the session ended while something was under way
├── TimedOutError       nothing came for longer than the caller is willing to wait
├── ReplyError          an answer that cannot be read, or is too large
└── RefusedError        the server answered: no
    ├── NotFoundError   6.1 the container (or the component) is not there
    │   └── StaleError  6.1 on MODIFY: the old values are not there any more
    ├── ConflictError   6.2 the time is taken
    ├── DeniedError     4.1, 6.4 no right to do this
    └── DuplicateError  8.5 the UID is taken
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kalends.client.results import Outcome, Status


class ClientError(Exception):
    """Something went wrong; the text is one sentence for a person."""


class ConnectError(ClientError):
    """Nobody answers at that address, or what answers is no CAP server."""


class AddressError(ConnectError):
    """A server's address or a certificate's fingerprint is not written as it must be."""


class TrustError(ConnectError):
    """The server's certificate is not to be trusted.

    Args:
        reason: what is wrong and what can be done.
        fingerprint: the certificate's SHA-256 fingerprint, empty when it was never seen.
    """

    def __init__(self, reason: str, fingerprint: str = "") -> None:
        super().__init__(reason)
        self.fingerprint = fingerprint


class AuthError(ClientError):
    """The server does not accept who we are.

    Args:
        reason: one sentence.
        code: BEEP reply code, 535 for a wrong password (RFC 3080 §8).
    """

    def __init__(self, reason: str, code: int = 535) -> None:
        super().__init__(reason)
        self.code = code


class LostError(ClientError):
    """The session ended while something was under way: whether it was done is not known."""


class TimedOutError(ClientError):
    """Nothing came for longer than the caller is willing to wait."""


class ReplyError(ClientError):
    """The server's answer can't be read, or is larger than this client accepts."""


class RefusedError(ClientError):
    """The server refused a command, or a part of it.

    Args:
        status: the first REQUEST-STATUS that is no success.
        target: the container it concerns, as it was given; empty when the command has none.
        outcomes: what became of every object of the command, refused or done.
    """

    def __init__(self, status: Status, target: str = "", outcomes: Sequence[Outcome] = ()) -> None:
        where = f"{target}: " if target else ""
        super().__init__(f"{where}{status.text or status.meaning} ({status.code})")
        self.status = status
        self.code = status.code
        self.text = status.text or status.meaning
        self.target = target
        self.outcomes = tuple(outcomes)


class NotFoundError(RefusedError):
    """6.1: the container is not there, or may not be seen."""


class StaleError(NotFoundError):
    """6.1 in answer to MODIFY: nothing selected holds the old values any more (A-61)."""


class ConflictError(RefusedError):
    """6.2: the time is taken and must not be booked twice."""


class DeniedError(RefusedError):
    """4.1 or 6.4: no right to do this."""


class DuplicateError(RefusedError):
    """8.5: the UID (CARID, QUERYID, …) is taken."""


_CLASSES: dict[str, type[RefusedError]] = {
    "4.1": DeniedError,
    "6.1": NotFoundError,
    "6.2": ConflictError,
    "6.4": DeniedError,
    "8.5": DuplicateError,
}


def refusal(verb: str, status: Status, target: str = "", outcomes: Sequence[Outcome] = ()) -> RefusedError:
    """The error that a refusing REQUEST-STATUS stands for.

    Args:
        verb: the command that was refused.
        status: what the server said.
        target: the container it concerns.
        outcomes: what became of every object of the command.

    Returns:
        An error of the class that fits, ready to be raised.

    Source: RFC 4324 §10.15; A-12 (an overlap told as 6.3), A-61.
    """
    kind = _CLASSES.get(status.code, RefusedError)
    if verb == "MODIFY" and kind is NotFoundError:
        kind = StaleError
    if status.code == "6.3" and verb in ("CREATE", "MODIFY") and "overlap" in status.text.lower():
        kind = ConflictError
    return kind(status, target, outcomes)
