"""What rights grant somebody who is removed: nothing, so that a new one of that name inherits nothing."""

from __future__ import annotations

from kalends.core import agendas
from kalends.core.access import decrees
from kalends.core.model import Caller
from kalends.core.writer import Writer
from kalends.ical.tree import Component
from kalends.store import objects, vcars
from kalends.store.base import Tx


def forget(tx: Tx, caller: Caller, upn: str) -> int:
    """Take a name out of every VCAR of a calendar that grants it something.

    A VRIGHT that then grants nobody goes, and a VCAR without a VRIGHT. Denials stay, and so does what is
    decreed.

    Args:
        tx: a write transaction.
        caller: in whose name.
        upn: in lower case.

    Returns:
        How many VCARs changed or went.
    """
    rows = [objects.get(tx, key) for key in vcars.granting(tx, upn)]
    held = [row for row in rows if row is not None]
    writer = Writer(tx, caller, {row.calendar_id for row in held})
    changed = 0
    for row in held:
        whole = agendas.parsed(row).copy()
        vcar = whole.children("VCAR")[0]
        if decrees.is_decreed(vcar) or not _take_out(vcar, upn):
            continue
        changed += 1
        if vcar.children("VRIGHT"):
            writer.update(row, whole)
        else:
            writer.remove(row)
    return changed


def _take_out(vcar: Component, upn: str) -> bool:
    touched = False
    for right in vcar.children("VRIGHT"):
        for line in right.all("GRANT"):
            if line.value.replace(" ", "").lower() == upn:
                right.remove(line)
                touched = True
        if touched and not right.all("GRANT") and not right.all("DENY"):
            vcar.remove(right)
    return touched
