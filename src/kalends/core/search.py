"""Reading: SEARCH over a container, computed free/busy, expansion."""

from __future__ import annotations

from collections.abc import Sequence

from kalends.core.model import Answer, Caller, Selection, Target
from kalends.store.base import Tx


def search(tx: Tx, caller: Caller, target: Target, selections: Sequence[Selection]) -> list[Answer]:
    """Answer every QUERY of every selection on one container.

    Returns:
        One answer per QUERY, in order.

    Raises:
        TooComplexError, InvalidError, NotFoundError (an unknown stored query).

    Source: RFC 4324 §10.12, §10.12.1 (VFREEBUSY is computed).
    """
    raise NotImplementedError
