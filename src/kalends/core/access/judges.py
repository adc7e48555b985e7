"""From a calendar in the store to who decides about what somebody may do in it."""

from __future__ import annotations

from collections.abc import Sequence

from kalends.core.access.circumstances import BOOKED, Standing
from kalends.core.access.footing import footing, judge_of
from kalends.core.access.sights import Sight
from kalends.core.access.vcar import Judge
from kalends.core.access.vrights import Rule
from kalends.core.errors import DeniedError, NotFoundError
from kalends.core.model import Caller, Target
from kalends.ical.tree import Component, parse
from kalends.ical.zones import Zones
from kalends.store import calendars
from kalends.store.base import Tx
from kalends.store.calendars import VCALSTORE, CalendarRow
from kalends.store.objects import ObjectRow

DENIED = "the access rights here do not allow this"
"""What every refusal says, whatever right was missing or denied it (RFC 4324 §4.2.3; ACL-11)."""
NOWHERE = "no such calendar or store"
PERMISSIONS = ("SEARCH", "CREATE", "DELETE", "MODIFY", "MOVE")


class Authority:
    """What one caller may do in one container, as things stand in one transaction.

    Owners with the usual rights, and administrators, are answered without a judge: for them nothing is cut
    and nothing is compared. Administrators stand outside of VCARs, as whoever holds the disk does.

    Args:
        tx: a transaction.
        caller: whose rights are asked about.
        calendar: the container.
        given: how the caller named it, for CURRENT-TARGET().
    """

    def __init__(self, tx: Tx, caller: Caller, calendar: CalendarRow, given: str = "") -> None:
        self.tx = tx
        self.caller = caller
        self.calendar = calendar
        self.given = given
        self._footing = footing(tx, caller, calendar)
        self._judge: Judge | None = None

    @property
    def owner(self) -> bool:
        """Whether the caller owns the container."""
        return self._footing.owner

    @property
    def rules(self) -> Sequence[Rule]:
        """The rules that count for the caller, whether they speak of them or not."""
        return self._footing.rules

    @property
    def judge(self) -> Judge:
        """The judge of this caller; it knows VCARs only."""
        if self._judge is None:
            self._judge = judge_of(self.tx, self.caller, self.calendar, self.given, self._footing)
        return self._judge

    def free(self, permission: str) -> bool:
        """Whether the caller may do something to everything here, without a judge having to look."""
        return self.caller.identity.admin or self._footing.is_free(permission)

    def anything(self, permission: str, source: str | None = None) -> bool:
        """Whether there can be anything, or anything of a kind, that something may be done to."""
        if self.free(permission):
            return True
        return self.judge.may(permission) if source is None else self.judge.anything(permission, source)

    def known(self) -> bool:
        """Whether the caller may know that the container exists: owners, and who may do anything in it."""
        if self.owner or self.caller.identity.admin or self.calendar.id == VCALSTORE:
            return True
        speaking = self._footing.speaking
        if all(rule.grant for rule in speaking):
            return bool(speaking)
        return any(self.judge.may(permission) for permission in PERMISSIONS)

    def require(self, permission: str, source: str | None = None) -> None:
        """Go on only where something may be done to anything, or to anything of a kind.

        Raises:
            NotFoundError: the caller may not know of the container.
            DeniedError: they may know.
        """
        if not self.anything(permission, source):
            raise DeniedError(DENIED) if self.known() else NotFoundError(NOWHERE)

    def sight(self) -> Sight:
        """What the caller may see here."""
        return Sight(None, whole=True) if self.free("SEARCH") else Sight(self.judge, whole=False)

    def allow(self, permission: str, component: Component, standing: Standing = BOOKED) -> None:
        """Go on only where something may be done to a top component. Raises DeniedError."""
        if not self.free(permission) and not self.judge.may(permission, component, standing):
            raise DeniedError(DENIED)

    def allow_object(self, permission: str, row: ObjectRow) -> None:
        """Go on only where something may be done to a whole object. Raises DeniedError."""
        if not self.free(permission):
            whole = parse(row.ics)
            for part in whole.children(row.kind):
                self.allow(permission, part, Standing(row.state, row.method, Zones(whole)))

    def allow_inside(
        self, permission: str, component: Component, inside: Component, standing: Standing = BOOKED
    ) -> None:
        """Go on only where something may be done to what stands in a top component. Raises DeniedError."""
        if not self.free(permission) and not self.judge.covers(permission, component, inside, standing):
            raise DeniedError(DENIED)

    def allow_change(
        self,
        old: Component,
        new: Component,
        standing: Standing = BOOKED,
        *,
        wished: tuple[Component, Component] | None = None,
    ) -> None:
        """Go on only where a top component may be changed so; see `Judge.may_modify`. Raises DeniedError."""
        if not self.free("MODIFY") and not self.judge.may_modify(old, new, standing, wished=wished):
            raise DeniedError(DENIED)


def authority_in(tx: Tx, caller: Caller, target: Target) -> Authority:
    """What a caller may do in a calendar or in the store.

    Raises:
        NotFoundError: the container is gone.
    """
    calendar = calendars.by_id(tx, target.calendar_id)
    if calendar is None:
        raise NotFoundError(NOWHERE)
    return Authority(tx, caller, calendar, target.given)
