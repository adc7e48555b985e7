"""From a query to what it means in one session: SELF(), CAL-OWNERS() and CURRENT-TARGET() become values."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace

from kalends.calquery.cells import fold_case
from kalends.calquery.literals import as_pattern
from kalends.calquery.tree import (
    And,
    AnyOf,
    Column,
    Compare,
    Condition,
    Constant,
    CurrentTarget,
    In,
    Inside,
    Like,
    Literal,
    Or,
    Owners,
    OwnerTest,
    Query,
    SelfUpn,
    Value,
)
from kalends.ical.properties import find

_MAILTO = "mailto:"


def _nobody(calid: str | None) -> Collection[str]:
    return ()


@dataclass(frozen=True, slots=True)
class Bindings:
    """What a session's functions stand for.

    Attributes:
        self_upn: the session's UPN; '@' is the anonymous user.
        self_addresses: calendar addresses of that user (`mailto:…`, `urn:uuid:…`, `cap://…`).
        groups: UPNs of the groups the user is in: owning through a group is owning.
        owners: UPNs (or CALMASTER addresses) of the owners of the calendar or store with that CALID; called
            with None for the TARGET of the running command.
        target: the TARGET of the running command as a relative CALID; '' for the store.
        target_names: further spellings of that target, the one the client wrote among them.
        csid: host of this store, so that `cap://csid/calid` and `calid` are the same (A-16).
    """

    self_upn: str = "@"
    self_addresses: Collection[str] = ()
    groups: Collection[str] = ()
    owners: Callable[[str | None], Collection[str]] = _nobody
    target: str = ""
    target_names: Collection[str] = ()
    csid: str = ""


def bind(query: Query, bindings: Bindings) -> Query:
    """Replace the functions of the session in a query's WHERE.

    Args:
        query: a parsed query.
        bindings: what the functions stand for.

    Returns:
        The same query with AnyOf and Constant in their place; CAL-OWNERS() in SELECT stays (see `project`).

    Source: RFC 4324 §6.1.1.1, §6.1.1.2, §6.1.1.4; A-16, A-48, A-49.
    """
    if query.where is None:
        return query
    return replace(query, where=bind_condition(query.where, bindings))


def bind_condition(condition: Condition, bindings: Bindings) -> Condition:
    """Like `bind`, for a condition on its own."""
    match condition:
        case And(terms):
            return And(tuple([bind_condition(term, bindings) for term in terms]))
        case Or(terms):
            return Or(tuple([bind_condition(term, bindings) for term in terms]))
        case Compare(column, operator, value):
            return Compare(column, operator, _value(value, column, bindings))
        case In(value, column, negated):
            return In(_value(value, column, bindings), column, negated)
        case Like(column, value, negated):
            if isinstance(value, Literal):
                return condition
            bound = _value(value, column, bindings)
            assert isinstance(bound, AnyOf)
            return Like(column, AnyOf(tuple([as_pattern(text) for text in bound.texts])), negated)
        case OwnerTest(calid, negated):
            return Constant(is_owner(bindings, calid) is not negated)
        case Inside(component, where, negated) if where is not None:
            return Inside(component, bind_condition(where, bindings), negated)
        case _:
            return condition


def is_plain(condition: Condition) -> bool:
    """Whether a condition means the same in every session: `bind` would leave it as it is."""
    match condition:
        case And(terms) | Or(terms):
            return all(is_plain(term) for term in terms)
        case Compare(column, _, value) | In(value, column) | Like(column, value):
            return isinstance(value, Literal) and column.name != "CALID"
        case OwnerTest():
            return False
        case Inside(_, where) if where is not None:
            return is_plain(where)
        case _:
            return True


def is_owner(bindings: Bindings, calid: str | None = None) -> bool:
    """Whether the session's user owns a calendar (is CALMASTER of a store), also through a group.

    Args:
        bindings: the session.
        calid: which calendar; None for the running command's target.
    """
    own = {
        fold_case(name)
        for name in _spellings((bindings.self_upn, *bindings.self_addresses, *bindings.groups))
    }
    return not own.isdisjoint([fold_case(name) for name in _spellings(bindings.owners(calid))])


def _value(value: Value, column: Column, bindings: Bindings) -> Value:
    match value:
        case SelfUpn():
            return AnyOf(_spellings((bindings.self_upn, *bindings.self_addresses)))
        case Owners(calid):
            return AnyOf(_spellings(bindings.owners(calid)))
        case CurrentTarget():
            return AnyOf(_target(column, bindings))
        case Literal(text) if column.name == "CALID" and column.param is None and bindings.csid:
            return AnyOf(calid_spellings(text, bindings.csid))
        case _:
            return value


def _target(column: Column, bindings: Bindings) -> tuple[str, ...]:
    """The target's names; where people are compared, its owners' addresses too (A-49)."""
    names = [*bindings.target_names]
    if bindings.csid:
        names += calid_spellings(bindings.target, bindings.csid)
    else:
        names.append(bindings.target)
    if column.param is None and find(column.name).type == "CAL-ADDRESS":
        names += _spellings(bindings.owners(None))
    return tuple(dict.fromkeys(names))


def calid_spellings(text: str, csid: str) -> tuple[str, ...]:
    """A CALID relative to this store and fully qualified (A-16).

    Args:
        text: a CALID in either form.
        csid: host of this store.

    Returns:
        Both spellings; one when the CALID is another store's.
    """
    scheme, colon, rest = text.partition(":")
    relative = text
    if colon and scheme.lower() == "cap":
        host, _, relative = rest.lstrip("/").partition("/")
        if host.lower() != csid.lower():
            return (text,)
    qualified = f"cap://{csid}/{relative}" if relative else f"cap://{csid}"
    return (relative, qualified)


def _spellings(names: Iterable[str]) -> tuple[str, ...]:
    """UPNs and addresses in both forms: `u@r` and `mailto:u@r` name the same user (A-48)."""
    out: dict[str, None] = {}
    for name in names:
        out[name] = None
        if name[: len(_MAILTO)].lower() == _MAILTO:
            out[name[len(_MAILTO) :]] = None
        elif name.find("@") > 0 and ":" not in name:
            out[_MAILTO + name] = None
    return tuple(out)
