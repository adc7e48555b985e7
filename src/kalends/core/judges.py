"""From a calendar in the store to who decides about what somebody may do in it."""

from __future__ import annotations

from collections.abc import Sequence

from kalends.calquery.bind import Bindings, is_owner
from kalends.core import agendas
from kalends.core.errors import DeniedError, NotFoundError
from kalends.core.model import Caller, Target
from kalends.core.names import qualified, relative
from kalends.core.sights import Sight
from kalends.core.vcar import BOOKED, Context, Judge, Standing
from kalends.core.vrights import Rule, rules_in, unlimited
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
        self.owner = owns(tx, caller, calendar)
        self.rules: list[Rule] = [] if caller.identity.admin else rules_in(tx, calendar.id)
        self._judge: Judge | None = None

    @property
    def judge(self) -> Judge:
        """The judge of this caller; it knows VCARs only."""
        if self._judge is None:
            self._judge = _judge(self.tx, self.caller, self.calendar, self.given, self.rules, self.owner)
        return self._judge

    def free(self, permission: str) -> bool:
        """Whether the caller may do something to everything here, without a judge having to look."""
        if self.caller.identity.admin:
            return True
        container = "VCALSTORE" if self.calendar.id == VCALSTORE else "VAGENDA"
        return unlimited(self.rules, self.caller.identity, permission, owner=self.owner, container=container)

    def anything(self, permission: str, source: str | None = None) -> bool:
        """Whether there can be anything, or anything of a kind, that something may be done to."""
        if self.free(permission):
            return True
        return self.judge.may(permission) if source is None else self.judge.anything(permission, source)

    def known(self) -> bool:
        """Whether the caller may know that the container exists: owners, and who may do anything in it."""
        if self.owner or self.caller.identity.admin or self.calendar.id == VCALSTORE:
            return True
        who = self.caller.identity
        speaking = [rule for rule in self.rules if rule.speaks_of(who, owner=False)]
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


def owns(tx: Tx, caller: Caller, calendar: CalendarRow) -> bool:
    """Whether the caller is an OWNER of the calendar, or the CALMASTER of the store (CAL-OWNERS()).

    Source: RFC 4324 §6.1.1.1.
    """
    who = caller.identity
    if who.principal_id is None:
        return False
    if calendar.home_id == who.principal_id:  # the home's principal always is an owner: see agendas.home_of
        return True
    return is_owner(_bindings(tx, caller, Target("", calendar.id, calendar.calid)))


def judge_in(tx: Tx, caller: Caller, target: Target) -> Judge:
    """The judge of a caller in a calendar, or in the store, as things stand in this transaction.

    It knows VCARs only: what administrators may do besides them is not its business.

    Args:
        tx: a transaction.
        caller: whose rights are asked about.
        target: a calendar or the store.

    Raises:
        NotFoundError: the container is gone.

    Source: RFC 4324 §4.2, §6.1.1.1, §6.1.1.2, §6.1.1.4, §8.13.
    """
    calendar = calendars.by_id(tx, target.calendar_id)
    if calendar is None:
        raise NotFoundError(NOWHERE)
    owner = owns(tx, caller, calendar)
    return _judge(tx, caller, calendar, target.given, rules_in(tx, calendar.id), owner)


def judge_by(tx: Tx, caller: Caller, calendar: CalendarRow, rules: Sequence[Rule]) -> Judge:
    """A judge in a calendar by other rules than its own, for somebody who owns nothing there.

    Args:
        tx: a transaction.
        caller: who asks.
        calendar: the calendar.
        rules: all that count.
    """
    return _judge(tx, caller, calendar, "", rules, owner=False)


def _judge(
    tx: Tx, caller: Caller, calendar: CalendarRow, given: str, rules: Sequence[Rule], owner: bool
) -> Judge:
    held = agendas.properties(tx, calendar)
    zones = agendas.time_zones(held)
    bindings = _bindings(tx, caller, Target(given, calendar.id, calendar.calid))
    zone = caller.default_tz or (zones[0] if zones else caller.policy.default_tz)
    return Judge(rules, caller.identity, Context(owner, bindings, held, zone))


def _bindings(tx: Tx, caller: Caller, target: Target) -> Bindings:
    """What functions in SCOPEs stand for; who wrote a SCOPE may name owners that the caller may not know."""
    who = caller.identity
    return Bindings(
        self_upn=who.upn,
        self_addresses=sorted(who.addresses),
        groups=sorted(who.groups),
        owners=lambda calid: _owners(tx, caller, target, calid),
        target=target.calid,
        target_names=tuple(filter(None, (target.given, qualified(target.calid, caller.policy)))),
        csid=caller.policy.csid,
    )


def _owners(tx: Tx, caller: Caller, target: Target, calid: str | None) -> list[str]:
    named = target.calid if calid is None else relative(calid, caller.policy)
    calendar = None if named is None else calendars.by_calid(tx, named)
    return [] if calendar is None else agendas.owners(tx, calendar)
