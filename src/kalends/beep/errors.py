"""The one exception family of the BEEP room.

``ProtocolError`` is never raised itself. ``LocalProtocolError`` is raised to a caller that broke the rules
of the engine; ``RemoteProtocolError`` is what a peer did wrong: it is never raised out of a session but
carried by the ``SessionTerminated`` event. Any other exception that escapes a session is a bug.
"""

from kalends.beep.codes import ReplyCode


class ProtocolError(Exception):
    """A rule of BEEP was broken.

    Args:
        reason: One sentence for the log or for the person who can act on it.
        code: The reply code that names this fault on the wire, where one is sent.

    Source: RFC 3080 §8.
    """

    def __init__(self, reason: str, code: ReplyCode = ReplyCode.SYNTAX_ERROR) -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code


class LocalProtocolError(ProtocolError):
    """Our own caller asked for something BEEP does not allow; nothing was changed or queued."""


class RemoteProtocolError(ProtocolError):
    """The peer broke the protocol; the session has ended without an answer (RFC 3080 §2.2.1.1)."""
