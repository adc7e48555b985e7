"""What DAV refuses, and how a refusal of the domain becomes a status and a precondition element.

A class of `core.errors` without a row in `STATUSES` is a defect; a test looks for it.
"""

from __future__ import annotations

from kalends.core import errors
from kalends.core.guard import refusal_of
from kalends.dav import xmlwrite
from kalends.dav.messages import XML, Response
from kalends.dav.xmlwrite import CALDAV, DAV, KALENDS
from kalends.store.errors import DeadlineError, StoreError

MAX_SENTENCE = 500
"""Characters of a sentence. It may quote a value, which can be of any length."""


class DavError(Exception):
    """A refusal in the words of HTTP and WebDAV. Nothing was changed.

    Args:
        status: HTTP status.
        precondition: '{namespace}name' of the element that names the broken rule; None when there is none.
        sentence: what a person can act on.
        inner: what stands in that element: a fragment, escaped already.
        headers: more headers of the response.

    Source: RFC 4918 §16.
    """

    def __init__(
        self,
        status: int,
        precondition: str | None = None,
        sentence: str = "",
        *,
        inner: str = "",
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        self.status = status
        self.precondition = precondition
        self.sentence = sentence
        self.inner = inner
        self.headers = headers
        super().__init__(f"{status} {precondition or ''} {sentence}")

    @property
    def element(self) -> str:
        """The D:error as a fragment, for a D:response or D:propstat; '' when no rule has a name."""
        return "" if self.precondition is None else f"<D:error>{self._condition()}</D:error>"

    def _condition(self) -> str:
        return "" if self.precondition is None else xmlwrite.element(self.precondition, self.inner)

    def response(self) -> Response:
        """The response that says it."""
        words = "".join(c if c.isprintable() else " " for c in self.sentence[:MAX_SENTENCE])
        said = f"<D:responsedescription>{xmlwrite.text(words)}</D:responsedescription>" if words else ""
        body = xmlwrite.document(f"{DAV}error", self._condition() + said)
        return Response(self.status, (("Content-Type", XML), *self.headers), body)


class InsteadError(DavError):
    """A refusal that answers with something else than an error: 412 with the representation, for one.

    Args:
        response: the whole answer.

    Source: RFC 8144 §3.2.
    """

    def __init__(self, response: Response) -> None:
        super().__init__(response.status)
        self._response = response

    def response(self) -> Response:
        """The answer."""
        return self._response


NEED = f"{DAV}need-privileges"


def lacking(path: str, privilege: str, sentence: str) -> DavError:
    """403 that says which privilege is missing where.

    Args:
        path: raw, of the resource.
        privilege: with its prefix, such as D:read-acl.
        sentence: for people.

    Source: RFC 3744 §7.1.1.
    """
    return DavError(403, NEED, sentence, inner=needed(path, privilege))


def needed(path: str, privilege: str) -> str:
    """What stands in D:need-privileges."""
    return f"<D:resource>{xmlwrite.href(path)}<D:privilege><{privilege}/></D:privilege></D:resource>"


def not_found() -> DavError:
    """404, also for what may not be seen."""
    return DavError(404, None, "There is nothing at this path.")


STATUSES: dict[type[errors.KalendsError], tuple[int, str | None]] = {
    errors.SeveralError: (409, None),
    errors.NotFoundError: (404, None),
    errors.SeveralError: (409, None),
    errors.StaleError: (412, None),
    errors.InvalidError: (409, None),
    errors.OrganizerMismatchError: (403, f"{CALDAV}same-organizer-in-all-components"),
    errors.OrganizerError: (403, f"{CALDAV}valid-organizer"),
    errors.DefaultCalendarError: (403, f"{CALDAV}default-calendar-needed"),
    errors.ManagedIdError: (403, f"{CALDAV}valid-managed-id-parameter"),
    errors.InstanceError: (403, f"{CALDAV}valid-rid"),
    errors.DeniedError: (403, f"{DAV}need-privileges"),
    errors.AttendeeChangeError: (403, f"{CALDAV}allowed-attendee-scheduling-object-change"),
    errors.OrganizerChangeError: (403, f"{CALDAV}allowed-organizer-scheduling-object-change"),
    errors.ConflictError: (403, f"{KALENDS}no-time-conflict"),
    errors.DuplicateError: (409, None),
    errors.SchedulingTwinError: (403, f"{CALDAV}unique-scheduling-object-resource"),
    errors.TooLargeError: (403, f"{CALDAV}max-resource-size"),
    errors.TooFarFutureError: (403, f"{CALDAV}max-date-time"),
    errors.TooFarPastError: (403, f"{CALDAV}min-date-time"),
    errors.TooComplexError: (403, f"{KALENDS}within-effort"),
    errors.QuotaError: (507, f"{DAV}quota-not-exceeded"),
    errors.UnsupportedError: (403, f"{CALDAV}supported-calendar-component"),
    errors.InterruptedCommandError: (503, None),
    errors.FailureError: (503, None),
}
"""What the domain refuses (RFC 4791 §1.3: 403 for what stays wrong when sent again; RFC 6638 §3.2.4)."""


def of_refusal(error: errors.KalendsError) -> DavError:
    """The DAV error for a refusal of the domain; the first one tells for several."""
    if isinstance(error, errors.SeveralError):
        first = next((receipt.error for _, receipt in error.refusals if receipt.error is not None), None)
        if first is not None:
            return of_refusal(first)
    status, precondition = next(STATUSES[c] for c in type(error).__mro__ if c in STATUSES)
    line = error.line if isinstance(error, errors.InvalidError) else 0
    return DavError(status, precondition, f"line {line}: {error.reason}" if line else error.reason)


def of_any(error: Exception) -> DavError | None:
    """The DAV error for whatever work raised; None for a bug, which the log must hear of."""
    if isinstance(error, DavError):
        return error
    if isinstance(error, errors.KalendsError):
        return of_refusal(error)
    if isinstance(error, DeadlineError):
        return DavError(503, None, "The request was stopped because its time was over; nothing was changed.")
    if isinstance(error, StoreError):
        return of_refusal(refusal_of(error))
    return None
