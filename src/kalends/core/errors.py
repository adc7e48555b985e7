"""Everything the domain can refuse, as data: the faces turn classes into codes and sentences.

KalendsError
├── SeveralError            several of these at once
├── NotFoundError           a container (calendar, store) that does not exist or may not be seen
├── StaleError              a MODIFY whose old values are not there (any more)
├── InvalidError            arguments or data that break a rule
│   ├── OrganizerMismatchError  two organizers in one object
│   ├── OrganizerError          a message in the name of somebody else
│   ├── DefaultCalendarError    the calendar that invitations go to cannot be removed
│   ├── ManagedIdError          an attachment that is not there, or somebody else's
│   └── InstanceError           a recurrence instance that is not there
├── DeniedError             the caller has no right to do this
│   ├── AttendeeChangeError     an attendee changed what is the organizer's
│   └── OrganizerChangeError    an organizer did what none may
├── ConflictError           the time is taken and must not be booked twice
├── DuplicateError          the UID (CARID, QUERYID, CALID, …) is taken
│   └── SchedulingTwinError     the same invitation is in another calendar of the same person
├── TooLargeError           over the size limit
├── TooFarFutureError / TooFarPastError   dates outside MAXDATE / MINDATE
├── TooComplexError         a query that costs more than it may
├── QuotaError              the owner's room is used up
├── UnsupportedError        a component or capability that is not offered
├── InterruptedCommandError stopped by its deadline or by the caller
└── FailureError            the store could not do it (disk full, database down, read-only)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kalends.core.model import Receipt


class KalendsError(Exception):
    """A refusal. `reason` is one sentence for a person, without secrets and without others' data."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class SeveralError(KalendsError):
    """A command that is all or nothing was refused for several reasons (RFC 4324 §10.9).

    Attributes:
        refusals: TARGET as given, and a receipt with its error, in order.
    """

    def __init__(self, reason: str, refusals: Sequence[tuple[str, Receipt]] = ()) -> None:
        self.refusals = tuple(refusals)
        super().__init__(reason)


class NotFoundError(KalendsError):
    """No such container; also said when it may not be seen (RFC 4324 §10.12)."""


class StaleError(KalendsError):
    """The selected component does not hold the old values (RFC 4324 §10.9)."""


class InvalidError(KalendsError):
    """Arguments or data break a rule.

    Attributes:
        line: the content line's number in what was sent, from 1; 0 when unknown.
    """

    def __init__(self, reason: str, line: int = 0) -> None:
        self.line = line
        super().__init__(reason)


class OrganizerMismatchError(InvalidError):
    """The components of one object name different organizers (RFC 6638 §3.2.4.2)."""


class OrganizerError(InvalidError):
    """The organizer of a scheduling message is not the caller (RFC 6638 §5.3: valid-organizer)."""


class DefaultCalendarError(InvalidError):
    """Invitations need a calendar to go to (RFC 6638 §4.3.1.1)."""


class ManagedIdError(InvalidError):
    """A MANAGED-ID that means no attachment, or one that somebody else added (RFC 8607 §3.11)."""


class InstanceError(InvalidError):
    """A recurrence instance that the object does not have (RFC 8607 §3.11: valid-rid)."""


class DeniedError(KalendsError):
    """The caller has no right to do this."""


class AttendeeChangeError(DeniedError):
    """An attendee changed what only the organizer may change (RFC 6638 §3.2.4.4)."""


class OrganizerChangeError(DeniedError):
    """An organizer changed what none may change (RFC 6638 §3.2.4.3)."""


class ConflictError(KalendsError):
    """The time is taken (RFC 4324 §8.1, §8.36)."""


class DuplicateError(KalendsError):
    """The identifier is taken in that container (RFC 4324 §2.2)."""


class SchedulingTwinError(DuplicateError):
    """Another calendar of the same person holds that invitation (RFC 6638 §3.2.4.1)."""


class TooLargeError(KalendsError):
    """Over the size limit (RFC 4324 §8.19)."""


class TooFarFutureError(KalendsError):
    """A date after MAXDATE."""


class TooFarPastError(KalendsError):
    """A date before MINDATE."""


class TooComplexError(KalendsError):
    """A query that costs more than it may."""


class QuotaError(KalendsError):
    """The owner's room is used up."""


class UnsupportedError(KalendsError):
    """A component or capability that this store does not offer."""


class InterruptedCommandError(KalendsError):
    """Stopped by its deadline or by the caller; nothing was changed."""


class FailureError(KalendsError):
    """The store could not do it; nothing was changed."""
