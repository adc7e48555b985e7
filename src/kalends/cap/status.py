"""REQUEST-STATUS: which code says what, and how a refusal of the domain or of the store becomes one.

A class of `core.errors` without a row in `CODES` is a defect; a test looks for it.
"""

from __future__ import annotations

from dataclasses import dataclass

from kalends.core import errors, languages
from kalends.ical.values import escape_text
from kalends.store import errors as store

SUCCESS = "2.0"
ABORTED = "2.0.3"
UNSUPPORTED = "3.1.4"
ACCESS_DENIED = "4.1"
NOT_FOUND = "6.1"
CONFLICT = "6.2"
BAD_ARGS = "6.3"
PERMISSION_DENIED = "6.4"
TIMED_OUT = "7.0"
FAILURE = "8.0"
TOO_COMPLEX = "8.1"
TOO_LARGE = "8.2"
TOO_FAR_FUTURE = "8.3"
TOO_FAR_PAST = "8.4"
DUPLICATE = "8.5"
UNKNOWN_COMMAND = "9.0"
QUOTA = "10.4"

MAX_TEXT = 500
"""Characters of a status text. It may quote a query or a value, which can be of any length."""

CODES: dict[type[errors.KalendsError], str] = {
    errors.SeveralError: BAD_ARGS,
    errors.NotFoundError: NOT_FOUND,
    errors.StaleError: NOT_FOUND,
    errors.InvalidError: BAD_ARGS,
    errors.OrganizerMismatchError: BAD_ARGS,
    errors.OrganizerError: BAD_ARGS,
    errors.DefaultCalendarError: BAD_ARGS,
    errors.DeniedError: PERMISSION_DENIED,
    errors.AttendeeChangeError: PERMISSION_DENIED,
    errors.OrganizerChangeError: PERMISSION_DENIED,
    errors.ConflictError: CONFLICT,
    errors.DuplicateError: DUPLICATE,
    errors.SchedulingTwinError: DUPLICATE,
    errors.TooLargeError: TOO_LARGE,
    errors.TooFarFutureError: TOO_FAR_FUTURE,
    errors.TooFarPastError: TOO_FAR_PAST,
    errors.TooComplexError: TOO_COMPLEX,
    errors.QuotaError: QUOTA,
    errors.UnsupportedError: UNSUPPORTED,
    errors.InterruptedCommandError: TIMED_OUT,
    errors.FailureError: FAILURE,
}
"""What the domain refuses, as codes (RFC 4324 §10.15; A-12, A-61)."""

STORE_TEXTS: dict[type[store.StoreError], str] = {
    store.StoreOutcomeUnknownError: "The database went away during the commit; look whether it was done.",
    store.StoreUnavailableError: "The database cannot be reached now; nothing was changed, try again later.",
    store.StoreBusyError: "The database is held by another program; nothing was changed, try again.",
    store.StoreFullError: "There is no room left on the server's disk; nothing was changed.",
    store.StoreReadOnlyError: "The store is read-only; nothing was changed.",
    store.StoreCorruptError: "The store is damaged and needs its administrator; nothing was changed.",
    store.StoreSchemaError: "The store was made by another version; nothing was changed.",
}
"""What the database could not do, as sentences: a driver's own words may hold paths or addresses."""


@dataclass(frozen=True, slots=True)
class Status:
    """One REQUEST-STATUS.

    Attributes:
        code: `2.0` and so on.
        text: one sentence for a person, unescaped; '' for none.
        language: the tag of the language it is in.
    """

    code: str
    text: str = ""
    language: str = languages.ENGLISH

    def said_in(self, language: str) -> Status:
        """The status for somebody who is spoken to in an offered language."""
        return Status(self.code, *languages.translated(self.text, language))

    @property
    def line(self) -> str:
        """The value of the REQUEST-STATUS property (RFC 4324 §10.15: the text is optional)."""
        if not self.text:
            return self.code
        text = self.text if len(self.text) <= MAX_TEXT else self.text[: MAX_TEXT - 1] + "…"
        return f"{self.code};{escape_text(''.join(c if c.isprintable() else ' ' for c in text))}"


OK = Status(SUCCESS)


class RefusalError(Exception):
    """CAP itself refuses a command: bad parameters, an unknown verb, a message that is no calendar.

    Attributes:
        status: what the client is told.
        ident: the ID of what is refused, where nothing else tells it.
    """

    def __init__(self, code: str, text: str, ident: str | None = None) -> None:
        self.status, self.ident = Status(code, text), ident
        super().__init__(text)


def status_of(error: Exception) -> Status | None:
    """The status that tells an error to the client.

    Args:
        error: what a command's work raised.

    Returns:
        None for anything that is not a refusal: a bug, which the log must hear of.

    Source: RFC 4324 §10.15.
    """
    if isinstance(error, RefusalError):
        return error.status
    if isinstance(error, errors.SeveralError) and error.refusals:
        return status_of(error.refusals[0][1].error or error)
    if isinstance(error, errors.KalendsError):
        code = next((CODES[c] for c in type(error).__mro__ if c in CODES), FAILURE)
        return Status(code, _reason(error))
    if isinstance(error, store.DeadlineError):
        return Status(TIMED_OUT, "The command was stopped because its time was over; nothing was changed.")
    if isinstance(error, store.DuplicateError):  # two of the same name at the same moment
        return Status(DUPLICATE, "The identifier is taken.")
    if isinstance(error, store.StoreError):
        known = (STORE_TEXTS[c] for c in type(error).__mro__ if c in STORE_TEXTS)
        return Status(FAILURE, next(known, "The store could not do it; nothing was changed."))
    return None


def _reason(error: errors.KalendsError) -> str:
    line = error.line if isinstance(error, errors.InvalidError) else 0
    return f"line {line}: {error.reason}" if line else error.reason
