"""What waits for somebody to look at it: the UNPROCESSED objects (RFC 4324 §2.2; RFC 6638 §2.2)."""

from __future__ import annotations

from kalends.core.errors import OrganizerError
from kalends.core.model import Caller
from kalends.ical.values import normal_address
from kalends.store import calendars, objects
from kalends.store.base import Tx
from kalends.store.objects import ObjectRow


def inbox(tx: Tx, principal_id: int) -> list[ObjectRow]:
    """The messages that lie in a principal's calendars, oldest first.

    Args:
        tx: a transaction.
        principal_id: whose.

    Returns:
        UNPROCESSED objects; their names are unique in each calendar.
    """
    found = [
        row
        for calendar in calendars.every(tx, principal_id)
        for row in objects.every(tx, calendar.id, state="UNPROCESSED")
    ]
    return sorted(found, key=lambda row: (row.created_at, row.id))


def refuse_foreign_organizer(caller: Caller, organizer: str) -> None:
    """Refuse a message in the name of somebody else.

    Args:
        caller: who sends it.
        organizer: the value of its ORGANIZER.

    Raises:
        OrganizerError: it is not one of the caller's addresses (RFC 6638 §5: valid-organizer).
    """
    if normal_address(organizer) not in caller.identity.addresses:
        raise OrganizerError("the ORGANIZER of this message is not one of your addresses")
