"""What becomes of a mail that came in, in the five ways a mail server can be told."""

from __future__ import annotations

from enum import Enum

from kalends.core.errors import DeniedError, FailureError, InterruptedCommandError, KalendsError
from kalends.imip.errors import BadMailError, MailError, NobodyError
from kalends.store.errors import StoreError


class Outcome(Enum):
    """Why a mail is not taken."""

    UNREADABLE = "no message, or none that can be read"
    NOBODY = "it is for nobody here"
    UNPROVEN = "its sender is not proven, or may not say that"
    REFUSED = "the store's rules are against it"
    LATER = "it can be tried again"


_KINDS: tuple[tuple[type[Exception], Outcome], ...] = (
    (BadMailError, Outcome.UNREADABLE),
    (NobodyError, Outcome.NOBODY),
    (MailError, Outcome.UNPROVEN),
    (DeniedError, Outcome.UNPROVEN),
    (FailureError, Outcome.LATER),
    (InterruptedCommandError, Outcome.LATER),
    (StoreError, Outcome.LATER),
    (KalendsError, Outcome.REFUSED),
)
"""The first line that fits holds."""


def outcome_of(error: Exception) -> Outcome | None:
    """Which outcome an error means; None for a fault in Kalends, with which no mail should be lost."""
    return next((outcome for kind, outcome in _KINDS if isinstance(error, kind)), None)
