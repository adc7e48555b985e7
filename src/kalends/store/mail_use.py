"""How many mails somebody caused in which hour: servers that share a store count together."""

from __future__ import annotations

from kalends.store.base import Tx

HOUR = 3_600
"""Seconds."""
KEPT = 24
"""Hours that are remembered."""


def count(tx: Tx, who: str, now: int) -> int:
    """Count one more mail of somebody.

    Args:
        tx: a write transaction.
        who: UPN of whose mail it is. Several are to be counted in one order everywhere, that of their names.
        now: seconds UTC.

    Returns:
        How many it are in this hour, this one included.
    """
    row = tx.row(
        "insert into mail_use (who, hour, mails) values (?, ?, 1)"
        " on conflict (who, hour) do update set mails = mail_use.mails + 1 returning mails",
        (who, now // HOUR),
    )
    assert row is not None, "an insert that returns nothing"
    return int(row[0] or 0)


def uncount(tx: Tx, who: str, now: int) -> None:
    """Take one back that was counted in this hour and not sent."""
    tx.run("update mail_use set mails = mails - 1 where who = ? and hour = ?", (who, now // HOUR))


def forget(tx: Tx, now: int) -> None:
    """Forget hours that count no more."""
    tx.run("delete from mail_use where hour < ?", (now // HOUR - KEPT,))
