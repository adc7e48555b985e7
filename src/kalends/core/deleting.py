"""DELETE: remove what queries select, or mark it (RFC 4324 §10.5)."""

from __future__ import annotations

from collections.abc import Sequence

from kalends.core.model import Caller, Receipt, Selection, Target
from kalends.store.base import Tx


def delete(
    tx: Tx, caller: Caller, target: Target, selections: Sequence[Selection], *, mark: bool
) -> list[Receipt]:
    """Remove or mark; see `ledger.delete`."""
    raise NotImplementedError
