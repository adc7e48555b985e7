"""From a calendar in the store to the judge of what somebody may do in it."""

from __future__ import annotations

from kalends.calquery.bind import Bindings, is_owner
from kalends.core import agendas
from kalends.core.errors import NotFoundError
from kalends.core.model import Caller, Target
from kalends.core.names import qualified, relative
from kalends.core.vcar import Context, Judge
from kalends.core.vrights import rules_in
from kalends.store import calendars
from kalends.store.base import Tx


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
        raise NotFoundError("no such calendar or store")
    held = agendas.properties(tx, calendar)
    zones = agendas.time_zones(held)
    bindings = _bindings(tx, caller, target)
    zone = caller.default_tz or (zones[0] if zones else caller.policy.default_tz)
    context = Context(is_owner(bindings), bindings, held, zone)
    return Judge(rules_in(tx, calendar.id), caller.identity, context)


def _bindings(tx: Tx, caller: Caller, target: Target) -> Bindings:
    """What functions in SCOPEs stand for; who wrote a SCOPE may name owners that the caller may not know."""
    who = caller.identity
    return Bindings(
        self_upn=who.upn,
        self_addresses=sorted(who.addresses),
        groups=sorted(who.groups),
        owners=lambda calid: _owners(tx, caller, target, calid),
        target=target.calid,
        target_names=(target.given, qualified(target.calid, caller.policy)),
        csid=caller.policy.csid,
    )


def _owners(tx: Tx, caller: Caller, target: Target, calid: str | None) -> list[str]:
    named = target.calid if calid is None else relative(calid, caller.policy)
    calendar = None if named is None else calendars.by_calid(tx, named)
    return [] if calendar is None else agendas.owners(tx, calendar)
