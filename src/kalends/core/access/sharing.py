"""Sharing a calendar in one of six ways, and reading back who shares it (see `presets`)."""

from __future__ import annotations

from dataclasses import dataclass

from kalends.core import admission, agendas, creating, deleting
from kalends.core.access import decrees, mounting, rights
from kalends.core.access.presets import PRESETS, carid, preset
from kalends.core.access.upns import parse_filter
from kalends.core.admission import Sent
from kalends.core.errors import InvalidError, NotFoundError
from kalends.core.model import Caller, Policy, Target
from kalends.core.names import complete_upn
from kalends.core.writer import Writer
from kalends.ical.tree import Component
from kalends.ical.values import unescape_text
from kalends.store import objects, principals
from kalends.store.base import Tx

_PREFIX = carid("")


@dataclass(frozen=True, slots=True)
class Share:
    """How a calendar is shared with somebody.

    Attributes:
        upn: whom with: a UPN-FILTER, in lower case.
        preset: one of `PRESETS`; '' when the VCAR was changed by hand since.
        carid: of the VCAR that grants it.
    """

    upn: str
    preset: str
    carid: str


def sharer(tx: Tx, policy: Policy, given: str) -> str:
    """Whom a name means that a calendar is to be shared with.

    Args:
        tx: a transaction.
        policy: completes a name without realm.
        given: `*`, `@`, `*@realm` or another UPN-FILTER; a UPN; a name of this realm.

    Returns:
        A UPN-FILTER.

    Raises:
        NotFoundError: nobody of this realm has that name.
        InvalidError: no UPN-FILTER.
    """
    whom = _completed(given, policy)
    found = parse_filter(whom)
    if found.form == "one":
        realm = found.name.rpartition("@")[2]
        if realm == policy.realm.lower() and principals.by_upn(tx, found.name) is None:
            raise NotFoundError(f"there is no user or group {found.name}")
        return found.name
    return whom if whom.endswith("()") else whom.lower()


def _completed(given: str, policy: Policy) -> str:
    """A UPN-FILTER as it was given, or a name with its realm."""
    given = given.strip()
    is_filter = "@" in given or "*" in given or given.endswith("()")
    return given if is_filter else complete_upn(given, policy)


def share(tx: Tx, caller: Caller, target: Target, upn: str, how: str) -> Share:
    """Share a calendar with somebody; who shares it already from now on shares it so.

    Args:
        tx: a write transaction; it must fail when this raises.
        caller: who shares it: they must be allowed to write VCARs there.
        target: the calendar.
        upn: whom with; see `sharer`.
        how: one of `PRESETS`.

    Raises:
        InvalidError: no such preset or UPN-FILTER. NotFoundError: no such calendar or user.
        DeniedError: the caller may not, or a decree stands against it.
    """
    if target.is_store:
        raise InvalidError("a calendar is shared, not the store")
    whom = sharer(tx, caller.policy, upn)
    give(tx, caller, target, preset(how, whom))
    mounting.offer(tx, target.calendar_id, whom)
    return Share(whom, how, carid(whom))


def give(tx: Tx, caller: Caller, target: Target, made: Component) -> None:
    """Put a VCAR into a calendar, in the place of the one of its CARID.

    Args:
        tx: a write transaction; it must fail when this raises.
        caller: who gives it: they must be allowed to write VCARs there.
        target: the calendar.
        made: the VCAR.

    Raises:
        NotFoundError: no such calendar. DeniedError: the caller may not, or a decree stands against it.
    """
    identifier = unescape_text(made.value("CARID") or "")
    held = objects.by_uid(tx, target.calendar_id, identifier, "BOOKED", "VCAR")
    whole = agendas.wrap(made)
    if not held:
        (receipt,) = creating.create(tx, caller, target, whole)
        if receipt.error is not None:
            raise receipt.error
        return
    authority = rights.authority_in(tx, caller, target)
    authority.require("MODIFY", "VCAR")
    writer = Writer(tx, caller, (target.calendar_id,))
    old = agendas.parsed(held[0]).children("VCAR")[0]
    decrees.refuse(held[0])
    authority.allow_change(old, made)
    admission.check_rights(made, caller, Sent(whole))
    rights.respect_decrees(tx, target.calendar_id, made, agendas.owners(tx, authority.calendar))
    writer.update(held[0], whole)


def unshare(tx: Tx, caller: Caller, target: Target, upn: str) -> bool:
    """Take back that a calendar is shared with somebody.

    Args:
        tx: a write transaction; it must fail when this raises.
        caller: who takes it back: they must be allowed to delete VCARs there.
        target: the calendar.
        upn: whom it is shared with; somebody who is gone may be named, too.

    Returns:
        Whether it was shared with them by `share`; other VCARs may still grant them something.

    Raises:
        NotFoundError: no such calendar. DeniedError: the caller may not.
    """
    return take(tx, caller, target, carid(_completed(upn, caller.policy)))


def take(tx: Tx, caller: Caller, target: Target, identifier: str) -> bool:
    """Take a VCAR out of a calendar.

    Args:
        tx: a write transaction; it must fail when this raises.
        caller: who takes it: they must be allowed to delete VCARs there.
        target: the calendar.
        identifier: its CARID.

    Returns:
        Whether it was there.

    Raises:
        NotFoundError: no such calendar. DeniedError: the caller may not.
    """
    authority = rights.authority_in(tx, caller, target)
    authority.require("DELETE", "VCAR")
    held = objects.by_uid(tx, target.calendar_id, identifier, "BOOKED", "VCAR")
    if not held:
        return False
    authority.allow_object("DELETE", held[0])
    writer = Writer(tx, caller, (target.calendar_id,))
    deleting.keep_promises(writer, held[0])
    writer.remove(held[0])
    return True


def whom_of(identifier: str) -> str | None:
    """With whom the VCAR of a CARID shares a calendar: a UPN-FILTER; None for one that is no share."""
    if not identifier.startswith(_PREFIX):
        return None
    whom = identifier[len(_PREFIX) :]
    try:
        parse_filter(whom)
    except InvalidError:
        return None
    return whom


def shares(tx: Tx, calendar_id: int) -> list[Share]:
    """How a calendar is shared, ordered by UPN: what `share` made, whoever did it."""
    found: list[Share] = []
    for row in objects.every(tx, calendar_id, kind="VCAR", state="BOOKED"):
        if row.uid.startswith(_PREFIX):
            vcar = agendas.parsed(row).children("VCAR")[0]
            whom = unescape_text(row.uid)[len(_PREFIX) :]
            found.append(Share(whom, preset_of(vcar, whom), row.uid))
    return sorted(found, key=lambda one: one.upn)


def preset_of(vcar: Component, upn: str) -> str:
    """Which preset a VCAR is for somebody; '' for none."""
    said = _said(vcar)
    return next((name for name in PRESETS if _said(preset(name, upn)) == said), "")


def _said(vcar: Component) -> list[list[tuple[str, str]]]:
    return [
        sorted((line.name, line.value.lower() if line.name == "GRANT" else line.value) for line in one.lines)
        for one in vcar.children("VRIGHT")
    ]
