"""Decreed VCARs: what the administrator of a store configures, and nobody changes over a protocol.

They stand in the store and hold in every calendar, or in one calendar. In a calendar they are read beside its
own VCARs, so that its owner sees what rules there (RFC 4324 §4.2.3).
"""

from __future__ import annotations

from kalends.core import admission, agendas
from kalends.core.access.decrees import decreed_in
from kalends.core.access.judges import DENIED
from kalends.core.admission import Sent
from kalends.core.errors import DeniedError, InvalidError, NotFoundError
from kalends.core.model import Caller, Target
from kalends.core.writer import Writer
from kalends.ical.tree import Component
from kalends.ical.values import unescape_text
from kalends.store import objects
from kalends.store.base import Tx


def decree(tx: Tx, caller: Caller, target: Target, vcar: Component) -> str:
    """Make a VCAR that no client can change; one of that CARID is replaced.

    Args:
        tx: a write transaction.
        caller: an administrator.
        target: the store, for a VCAR that holds in every calendar, or one calendar.
        vcar: the component; DECREED:TRUE is added.

    Returns:
        Its CARID.

    Raises:
        DeniedError: the caller is no administrator.
        InvalidError: RFC 4324 §9.3 or §9.4 is broken.

    Source: RFC 4324 §4.2.3, §8.10; ACL-10.
    """
    _require(caller)
    if vcar.name != "VCAR":
        raise InvalidError(f"a VCAR is decreed, not a {vcar.name}")
    made = vcar.copy()
    for line in made.all("DECREED"):
        made.remove(line)
    whole = agendas.wrap(made)
    admission.check_rights(made, caller, Sent(whole))
    made.add("DECREED", "TRUE")
    admission.check_object(whole, caller, Sent(whole))
    name = unescape_text(made.value("CARID") or "").strip()
    if not name:
        raise InvalidError("a VCAR needs a CARID")
    writer = Writer(tx, caller, (target.calendar_id,))
    held = objects.by_uid(tx, target.calendar_id, name, "BOOKED", "VCAR")
    if held:
        writer.update(held[0], whole)
    else:
        writer.insert(target.calendar_id, whole, kind="VCAR", uid=name)
    return name


def repeal(tx: Tx, caller: Caller, target: Target, carid: str) -> None:
    """Remove a decreed VCAR.

    Args:
        tx: a write transaction.
        caller: an administrator.
        target: where it stands.
        carid: its CARID.

    Raises:
        NotFoundError: there is none. DeniedError: the caller is no administrator.
    """
    _require(caller)
    for row in decreed_in(tx, target.calendar_id):
        if row.uid == carid:
            Writer(tx, caller, (target.calendar_id,)).remove(row)
            return
    raise NotFoundError(f"there is no decreed VCAR {carid[:80]}")


def _require(caller: Caller) -> None:
    if not caller.identity.admin:
        raise DeniedError(DENIED)
