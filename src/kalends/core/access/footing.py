"""What somebody is to a calendar: owner or not, which rules hold, and who judges by them."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from kalends.calquery.bind import Bindings, is_owner
from kalends.core import agendas
from kalends.core.access.circumstances import Context
from kalends.core.access.vcar import Judge
from kalends.core.access.vrights import Rule, rules_in, tied_to_place, unlimited
from kalends.core.model import Caller, Identity
from kalends.core.names import qualified, relative
from kalends.store import calendars
from kalends.store.base import Tx
from kalends.store.calendars import VCALSTORE, CalendarRow


class Footing:
    """The rules of a calendar as they speak of one caller.

    Args:
        identity: who asks.
        owner: whether they own the calendar.
        rules: those that hold there.
        container: VAGENDA, or VCALSTORE for the store.
    """

    __slots__ = ("_container", "_free", "identity", "owner", "rules", "speaking")

    def __init__(self, identity: Identity, owner: bool, rules: Sequence[Rule], container: str) -> None:
        self.identity = identity
        self.owner = owner
        self.rules = rules
        self.speaking = [rule for rule in rules if rule.speaks_of(identity, owner=owner)]
        self._container = container
        self._free: dict[str, bool] = {}

    def is_free(self, permission: str) -> bool:
        """Whether something may be done to everything there: an owner, mostly.

        It says no where only a judge can tell.
        """
        found = self._free.get(permission)
        if found is None:
            found = unlimited(self.speaking, permission, self._container)
            self._free[permission] = found
        return found


def footing(tx: Tx, caller: Caller, calendar: CalendarRow) -> Footing:
    """What a caller is to a calendar, or to the store, as things stand in a transaction.

    It is remembered by all that it follows from, so that a change counts from the next command on.
    """
    who = caller.identity
    owner = owns(tx, caller, calendar)
    if who.admin:
        return Footing(who, owner, (), "")
    key = ("footing", calendar.id, calendar.rights_tick, calendar.store_rights_tick, who, owner)
    found: Footing | None = tx.known.get(key)
    if found is None:
        container = "VCALSTORE" if calendar.id == VCALSTORE else "VAGENDA"
        found = Footing(who, owner, rules_in(tx, calendar.id), container)
        tx.known.put(key, found)
    return found


def owns(tx: Tx, caller: Caller, calendar: CalendarRow) -> bool:
    """Whether the caller is an OWNER of the calendar, or the CALMASTER of the store (CAL-OWNERS()).

    Source: RFC 4324 §6.1.1.1.
    """
    who = caller.identity
    if who.principal_id is None:
        return False
    if calendar.home_id == who.principal_id:  # the home's principal always is an owner: see agendas.home_of
        return True
    key = ("owner", calendar.id, agendas.row_of(tx, calendar).etag, who)
    found: bool | None = tx.known.get(key)
    if found is None:
        found = is_owner(_bindings(caller, calendar, "", _Owners(tx, caller, calendar)))
        tx.known.put(key, found)
    return found


def judge_of(tx: Tx, caller: Caller, calendar: CalendarRow, given: str, held: Footing) -> Judge:
    """The judge of a caller in a calendar, or in the store; it knows VCARs only.

    It is remembered like a footing, where its rules name no other calendar, whose owners may change, and
    where the client did not name this one in a way of its own.

    Args:
        tx: a transaction.
        caller: who asks.
        calendar: where.
        given: how the caller named it, for CURRENT-TARGET(); empty when nobody did.
        held: what they are to it.
    """
    policy = caller.policy
    if given not in ("", calendar.calid, qualified(calendar.calid, policy)):
        return judge_by(tx, caller, calendar, held.rules, given=given, owner=held.owner)
    key = (
        "judge", calendar.id, calendar.calid, calendar.rights_tick, calendar.store_rights_tick,
        agendas.row_of(tx, calendar).etag, caller.identity, held.owner,
        caller.default_tz, policy.default_tz, policy.csid,
    )  # fmt: skip
    found: Judge | None = tx.known.get(key)
    if found is None:
        if tied_to_place(held.speaking):
            return judge_by(tx, caller, calendar, held.rules, given=given, owner=held.owner)
        owners = _Known(agendas.owners(tx, calendar))
        found = _judge(tx, caller, calendar, held.speaking, owners, "", owner=held.owner)
        tx.known.put(key, found)
    return found


def judge_by(
    tx: Tx, caller: Caller, calendar: CalendarRow, rules: Sequence[Rule], *, given: str = "", owner: bool
) -> Judge:
    """A judge in a calendar by certain rules, to be asked while the transaction lasts.

    Args:
        tx: a transaction.
        caller: who asks.
        calendar: the calendar.
        rules: all that count.
        given: how the caller named the calendar; empty when nobody did.
        owner: whether they count as an owner.
    """
    return _judge(tx, caller, calendar, rules, _Owners(tx, caller, calendar), given, owner=owner)


class _Owners:
    """CAL-OWNERS() and CAL-OWNERS(calid); who wrote a SCOPE may name owners that the caller may not know."""

    def __init__(self, tx: Tx, caller: Caller, calendar: CalendarRow) -> None:
        self._tx, self._policy, self._own = tx, caller.policy, calendar

    def __call__(self, calid: str | None) -> Collection[str]:
        if calid is None:
            return agendas.owners(self._tx, self._own)
        named = relative(calid, self._policy)
        calendar = None if named is None else calendars.by_calid(self._tx, named)
        return [] if calendar is None else agendas.owners(self._tx, calendar)


class _Known:
    """CAL-OWNERS(), for rules that name no other calendar."""

    def __init__(self, owners: Collection[str]) -> None:
        self._owners = owners

    def __call__(self, calid: str | None) -> Collection[str]:
        assert calid is None, "a rule that names a calendar needs the transaction"
        return self._owners


def _judge(
    tx: Tx,
    caller: Caller,
    calendar: CalendarRow,
    rules: Sequence[Rule],
    owners: _Owners | _Known,
    given: str,
    *,
    owner: bool,
) -> Judge:
    held = agendas.properties(tx, calendar)
    zones = agendas.time_zones(held)
    zone = caller.default_tz or (zones[0] if zones else caller.policy.default_tz)
    return Judge(
        rules, caller.identity, Context(owner, _bindings(caller, calendar, given, owners), held, zone)
    )


def _bindings(caller: Caller, calendar: CalendarRow, given: str, owners: _Owners | _Known) -> Bindings:
    """What functions in SCOPEs stand for."""
    who = caller.identity
    return Bindings(
        self_upn=who.upn,
        self_addresses=sorted(who.addresses),
        groups=sorted(who.groups),
        owners=owners,
        target=calendar.calid,
        target_names=tuple(filter(None, (given, qualified(calendar.calid, caller.policy)))),
        csid=caller.policy.csid,
    )
