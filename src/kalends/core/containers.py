"""Naming containers: TARGET and CALID in all their spellings, and the administration of calendars."""

from __future__ import annotations

from kalends.core.model import Caller, Target
from kalends.store.base import Tx


def resolve(tx: Tx, caller: Caller, given: str) -> Target:
    """Find the container a TARGET names: `cap://csid/calid`, `calid`, `cap://csid` or the bare csid (store).

    Raises:
        NotFoundError: unknown, or not visible to the caller; both look the same.

    Source: RFC 4324 §5, §8.3; A-16, A-17, A-60.
    """
    raise NotImplementedError


def create_calendar(
    tx: Tx,
    caller: Caller,
    calid: str,
    owner_upn: str,
    *,
    name: str | None = None,
    allow_conflict: bool = True,
) -> Target:
    """Make a calendar (VAGENDA) with its default VCARs and time zone.

    Raises:
        DuplicateError, InvalidError, NotFoundError (unknown owner).
    """
    raise NotImplementedError


def calendars_of(tx: Tx, caller: Caller, owner_upn: str | None = None) -> list[Target]:
    """The calendars the caller may see, or those of one owner, ordered by CALID."""
    raise NotImplementedError


def remove_calendar(tx: Tx, caller: Caller, target: Target) -> int:
    """Remove a calendar with all it contains; returns the number of objects removed."""
    raise NotImplementedError
