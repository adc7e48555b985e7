"""MODIFY: replace old values by new ones in what a query selects (RFC 4324 §10.9)."""

from __future__ import annotations

from collections.abc import Sequence

from kalends.core.model import Caller, Receipt, Selection, Target
from kalends.ical.tree import Component
from kalends.store.base import Tx


def modify(
    tx: Tx, caller: Caller, targets: Sequence[Target], selection: Selection, old: Component, new: Component
) -> list[list[Receipt]]:
    """Modify; see `ledger.modify`."""
    raise NotImplementedError
