"""Who is in which group, and who may act as whom."""

from __future__ import annotations

from typing import cast

from kalends.store import principals
from kalends.store.base import Tx

# `union` keeps every row once, so that groups in a circle end the walk, too.
_GROUPS_OF = (
    "with recursive around (id) as (select group_id from member where member_id = ?"
    " union select m.group_id from member as m join around as a on m.member_id = a.id)"
    " select p.id, p.upn from around as a join principal as p on p.id = a.id order by p.upn"
)
_ALL_IN = (
    "with recursive inside (id) as (select member_id from member where group_id = ?"
    " union select m.member_id from member as m join inside as i on m.group_id = i.id)"
    " select p.upn from inside as i join principal as p on p.id = i.id where p.kind <> 'group' order by p.upn"
)


def groups_of(tx: Tx, principal_id: int) -> dict[int, str]:
    """The groups a principal is in, directly or through other groups: their UPNs by id."""
    return {cast("int", key): str(upn) for key, upn in tx.rows(_GROUPS_OF, (principal_id,))}


def members(tx: Tx, group_id: int) -> list[str]:
    """UPNs of the direct members of a group, in order."""
    sql = "select p.upn from member as m join principal as p on p.id = m.member_id where m.group_id = ?"
    return [str(row[0]) for row in tx.rows(f"{sql} order by p.upn", (group_id,))]


def everybody_in(tx: Tx, group_id: int) -> list[str]:
    """UPNs of all in a group who are no groups themselves, nested ones included, each once, in order."""
    return [str(row[0]) for row in tx.rows(_ALL_IN, (group_id,))]


def add_member(tx: Tx, group_id: int, member_id: int) -> bool:
    """Put a principal into a group. Returns whether it was not in it before."""
    principals.touch(tx)
    sql = (
        "insert into member (group_id, member_id) values (?, ?) on conflict (group_id, member_id) do nothing"
    )
    return tx.run(sql, (group_id, member_id)) == 1


def remove_member(tx: Tx, group_id: int, member_id: int) -> bool:
    """Take a principal out of a group. Returns whether it was in it."""
    principals.touch(tx)
    return tx.run("delete from member where group_id = ? and member_id = ?", (group_id, member_id)) == 1


def acting(tx: Tx, principal_id: int) -> list[str]:
    """The UPN-FILTERs of those as whom a principal may act, in order."""
    rows = tx.rows("select as_whom from acting where principal_id = ? order by as_whom", (principal_id,))
    return [str(row[0]) for row in rows]


def every_acting(tx: Tx) -> list[tuple[str, str]]:
    """All pairs of a UPN and a UPN-FILTER of those as whom it may act, in order."""
    sql = (
        "select p.upn, a.as_whom from acting as a join principal as p on p.id = a.principal_id order by 1, 2"
    )
    return [(str(upn), str(whom)) for upn, whom in tx.rows(sql)]


def allow_acting(tx: Tx, principal_id: int, as_whom: str) -> None:
    """Let a principal act as those of a UPN-FILTER."""
    principals.touch(tx)
    tx.run(
        "insert into acting (principal_id, as_whom) values (?, ?)"
        " on conflict (principal_id, as_whom) do nothing",
        (principal_id, as_whom),
    )


def forbid_acting(tx: Tx, principal_id: int, as_whom: str) -> bool:
    """No longer let it. Returns whether it was allowed."""
    principals.touch(tx)
    return tx.run("delete from acting where principal_id = ? and as_whom = ?", (principal_id, as_whom)) == 1
