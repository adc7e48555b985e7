"""Statements and values as PostgreSQL takes them at little cost: many writes as one, columns as arrays."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

Statement = tuple[str, Sequence[Any]]

_WRITES = re.compile(r"(?:insert into|delete from|update) \w+")
_PART = re.compile(r'[\\"]')


def merged(queued: Sequence[Statement]) -> list[Statement]:
    """Make as few statements as possible of some that need neither answers nor each other's effects.

    They become the parts of one `with`: all of them see the tables as they were, foreign keys are checked
    when all have been done, and any error undoes them all. One that does the same to the same table as an
    earlier one, or is no simple write, begins a statement of its own.

    Args:
        queued: SQL with `?`, and its parameters; in order.
    """
    groups: list[list[Statement]] = []
    does: set[str] = set()
    for statement in queued:
        match = _WRITES.match(statement[0])
        if match is None or match[0] in does or not does:
            groups.append([statement])
            does = set() if match is None else {match[0]}
        else:
            groups[-1].append(statement)
            does.add(match[0])
    return [_one(group) for group in groups]


def _one(group: Sequence[Statement]) -> Statement:
    if len(group) == 1:
        return group[0]
    *parts, (last, _) = group
    heads = ", ".join(f"w{number} as ({sql})" for number, (sql, _) in enumerate(parts))
    return f"with {heads} {last}", [value for _, params in group for value in params]


def array(column: Sequence[Any]) -> Any:
    """A column of many rows as an array's text, which costs a fraction of what psycopg takes to adapt a list.

    Args:
        column: whole numbers or text, None for null; anything else is left to psycopg.
    """
    kinds = set(map(type, column)) - {type(None)}
    if kinds <= {int}:
        return "{" + ",".join(["null" if value is None else str(value) for value in column]) + "}"
    if kinds == {str}:
        return "{" + ",".join(["null" if value is None else _quoted(value) for value in column]) + "}"
    return list(column)


def _quoted(value: str) -> str:
    return '"' + (_PART.sub(r"\\\g<0>", value) if "\\" in value or '"' in value else value) + '"'
