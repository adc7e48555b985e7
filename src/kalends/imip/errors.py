"""What can be wrong with a mail. These are read by administrators and mail servers, and stay in English."""

from __future__ import annotations


class MailError(Exception):
    """The root of this room's errors; the text is one sentence."""


class LetterError(MailError):
    """A message that can never be mailed.

    Attributes:
        status: SCHEDULE-STATUS of its recipient.
    """

    def __init__(self, reason: str, status: str) -> None:
        self.status = status
        super().__init__(reason)


class RefusedMailError(MailError):
    """A mail that came in and is not acted upon; nothing was changed."""


class BadMailError(RefusedMailError):
    """It holds no calendar message, or none that can be read."""


class UnprovenError(RefusedMailError):
    """Its sender is not proven, or may not say what it says."""


class NobodyError(RefusedMailError):
    """Nobody whom it is for is here."""
