"""MOVE: put what queries select into another calendar, or give a calendar another name (RFC 4324 §10.10)."""

from __future__ import annotations

from collections.abc import Sequence

from kalends.core.model import Caller, Receipt, Selection, Target
from kalends.store.base import Tx


def move(tx: Tx, caller: Caller, target: Target, selections: Sequence[Selection]) -> list[Receipt]:
    """Move or rename; see `ledger.move`."""
    raise NotImplementedError
