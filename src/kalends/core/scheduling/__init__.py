"""Scheduling: what a change of one object means for the calendars of others (RFC 6638, RFC 5546).

The door (`core.ledger`) calls `write` and `remove` before it writes, and `receive` when a message was
deposited; taking back (`core.past.undoing`) calls `change_back`, `bring_back` and `remove`. All of it happens
in the caller's transaction. What a face needs on top:

- `put_object`, `delete_object` and the other doors of `core.ledger` schedule by themselves;
  `Caller.schedule_reply` is Schedule-Reply, `ObjectRow.schedule_tag` the Schedule-Tag, and the stored text
  is to be told from the sent one by its ETag (SEQUENCE, PARTSTAT and SCHEDULE-STATUS may have been set).
- The inbox of a principal is `inbox`: the UNPROCESSED objects of its calendars.
- `schedule_freebusy` answers a free/busy request to the outbox; `refuse_foreign_organizer` checks its
  ORGANIZER.
- `refuse_removal` guards the default calendar; `default_calendar` names it.
- Refusals are classes of `core.errors`: AttendeeChangeError, OrganizerChangeError, OrganizerMismatchError,
  SchedulingTwinError, OrganizerError, DefaultCalendarError.
- A job of kind `imip` holds a message to somebody elsewhere (`delivery.Post.mail` tells its payload), when
  `Policy.imip` says that there is a mail; `note` writes what became of it into the sender's object.
  A message from there goes through `ledger.create` like any other, by a Caller with `via` imip whose
  identity has the sender's proven addresses, and no others.
"""

from __future__ import annotations

from kalends.core.scheduling.delivery import MAIL
from kalends.core.scheduling.engine import Written, remove, write
from kalends.core.scheduling.freebusy import (
    FreeBusyAnswer,
    availability_of,
    free_busy_of,
    schedule_freebusy,
    unavailable,
)
from kalends.core.scheduling.inbox import inbox, refuse_foreign_organizer
from kalends.core.scheduling.locks import OutOfOrderError, in_order
from kalends.core.scheduling.mailing import NOT_DELIVERED, SENT, Delivery, note
from kalends.core.scheduling.people import People, Person, default_calendar, refuse_removal
from kalends.core.scheduling.receiving import receive
from kalends.core.scheduling.returning import bring_back, change_back

__all__ = [
    "MAIL",
    "NOT_DELIVERED",
    "SENT",
    "Delivery",
    "FreeBusyAnswer",
    "OutOfOrderError",
    "People",
    "Person",
    "Written",
    "availability_of",
    "bring_back",
    "change_back",
    "default_calendar",
    "free_busy_of",
    "in_order",
    "inbox",
    "note",
    "receive",
    "refuse_foreign_organizer",
    "refuse_removal",
    "remove",
    "schedule_freebusy",
    "unavailable",
    "write",
]
