"""VRIGHT: the rules that VCARs hold, read and looked up (RFC 4324 §9.3, §9.4)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from kalends.calquery.errors import QueryError
from kalends.calquery.parse import parse_line
from kalends.calquery.tree import (
    AllProperties,
    And,
    Compare,
    Condition,
    In,
    Like,
    Null,
    Or,
    Owners,
    OwnerTest,
    Query,
)
from kalends.core.access.upns import UpnFilter, parse_filter
from kalends.core.errors import InvalidError
from kalends.core.model import Identity
from kalends.ical.tree import Component, Line, parse
from kalends.ical.values import unescape_text
from kalends.store import calendars, vcars
from kalends.store.base import Tx
from kalends.store.calendars import VCALSTORE
from kalends.store.vcars import VcarRow

Place = Literal["store", "calendar"]
"""Whose VCAR a rule comes from."""

_PERMISSIONS = frozenset(
    (
        "*", "SEARCH", "CREATE", "DELETE", "MODIFY", "MOVE",
        "ABORT", "CONTINUE", "GENERATE-UID", "GET-CAPABILITY", "IDENTIFY", "NOOP", "REPLY", "SET-LOCALE",
        "TIMEOUT",
    )
)  # fmt: skip
"""PERMISSIONs: the five, all of them, and the other commands that are registered (RFC 4324 §8.25, §13)."""
_EXTENSION = re.compile(r"X-[A-Z0-9-]+\Z")
_REMEMBERED_OCTETS = 8_192
_REMEMBERED = 2_048
"""VCARs up to that size are remembered, that many: some ten megabytes at most."""
_EVERYBODY = UpnFilter("all")


@dataclass(frozen=True, slots=True)
class Rule:
    """What one VRIGHT grants, or what it denies; a VRIGHT with both makes two rules.

    Attributes:
        carid: of its VCAR, unescaped.
        number: which VRIGHT of that VCAR, from 1.
        grant: GRANT or DENY.
        who: UPN filters.
        permissions: upper-case PERMISSIONs; `*` for all.
        scopes: SCOPEs; None when there are none and the rule is about everything in its place.
        restrictions: RESTRICTIONs of a GRANT; None when there are none.
        place: whose VCAR it is.
        decreed: DECREED:TRUE.
    """

    carid: str
    number: int
    grant: bool
    who: tuple[UpnFilter, ...]
    permissions: frozenset[str]
    scopes: tuple[Query, ...] | None
    restrictions: tuple[Query, ...] | None
    place: Place = "calendar"
    decreed: bool = False

    def is_about(self, permission: str) -> bool:
        """Whether the rule is about a permission."""
        return "*" in self.permissions or permission in self.permissions

    def is_total(self, container: str) -> bool:
        """Whether it is about everything in a container, whatever that is, and results of any kind."""
        return self.restrictions is None and (
            self.scopes is None
            or any(
                query.source == container and query.where is None and AllProperties() in query.select
                for query in self.scopes
            )
        )

    def speaks_of(self, identity: Identity, *, owner: bool) -> bool:
        """Whether the rule speaks of somebody."""
        return any(one.matches(identity.upn, identity.groups, owner=owner) for one in self.who)


def rules_of(vcar: Component, place: Place = "calendar") -> tuple[Rule, ...]:
    """Read a VCAR.

    What cannot be read never widens: in a GRANT it is left out, in a DENY it means everybody or everything.

    Args:
        vcar: the component.
        place: whether it is a calendar's or the store's.

    Source: RFC 4324 §9.3, §9.4; ACL-17, ACL-18.
    """
    carid = unescape_text(vcar.value("CARID") or "").strip()
    decreed = (vcar.value("DECREED") or "").strip().upper() == "TRUE"
    found: list[Rule] = []
    for number, vright in enumerate(vcar.children("VRIGHT"), 1):
        permissions = frozenset(line.value.strip().upper() for line in vright.all("PERMISSION"))
        for name, grant in (("DENY", False), ("GRANT", True)):
            who = tuple(_who(line, grant=grant) for line in vright.all(name))
            if who:
                filters = tuple(one for one in who if one is not None)
                clear = bool(permissions) and all(map(is_permission, permissions))
                about = permissions if grant or clear else frozenset("*")
                scopes = _queries(vright.all("SCOPE"), grant=grant)
                results = _queries(vright.all("RESTRICTION"), grant=True) if grant else None
                found.append(Rule(carid, number, grant, filters, about, scopes, results, place, decreed))
    return tuple(found)


def is_permission(name: str) -> bool:
    """Whether a PERMISSION is one that is known, or an extension's (RFC 4324 §8.25).

    Args:
        name: upper-case.
    """
    return name in _PERMISSIONS or _EXTENSION.match(name) is not None


def _who(line: Line, *, grant: bool) -> UpnFilter | None:
    try:
        return parse_filter(line.value)
    except InvalidError:
        return None if grant else _EVERYBODY


def _queries(lines: Sequence[Line], *, grant: bool) -> tuple[Query, ...] | None:
    """The queries of SCOPEs or RESTRICTIONs; None for no limit."""
    if not lines:
        return None
    found: list[Query] = []
    for line in lines:
        try:
            found.append(parse_line(line))
        except QueryError:
            if not grant:
                return None
    return tuple(found)


_read: dict[tuple[str, Place], tuple[Rule, ...]] = {}
"""VCARs that were read, by the hash of their octets: a thing that cannot grow old."""


def rules_in(tx: Tx, calendar_id: int) -> list[Rule]:
    """The rules that hold in a calendar or in the store: its own, and what the store's VCARs say of it.

    They are remembered together with the ticks of the last change of a VCAR in the calendar and in the
    store, which the transaction reads in any case: so a change holds from the next command on. Equal VCARs,
    as most calendars have them, are read once.

    Args:
        tx: a transaction.
        calendar_id: the calendar; 0 for the store.

    Returns:
        A list that is shared: copy it before changing it.

    Source: RFC 4324 §4.2, §8.14.
    """
    calendar = calendars.by_id(tx, calendar_id)
    if calendar is None:
        return []
    key = ("rules", calendar_id, calendar.rights_tick, calendar.store_rights_tick)
    known: list[Rule] | None = tx.known.get(key)
    if known is None:
        known = _rules_in(tx, calendar_id)
        tx.known.put(key, known)
    return known


def _rules_in(tx: Tx, calendar_id: int) -> list[Rule]:
    held = vcars.held(tx, calendar_id)
    read = _rules(tx, held)
    found: list[Rule] = []
    for row in held:
        rules = read[row.id]
        if row.calendar_id == calendar_id:
            found += rules
        else:
            found += [rule for rule in rules if reaches_down(rule)]
    return found


def reaches_down(rule: Rule) -> bool:
    """Whether a rule of the store holds in every calendar."""
    return rule.decreed or not rule.grant


def _rules(tx: Tx, held: Sequence[VcarRow]) -> dict[int, tuple[Rule, ...]]:
    """What VCARs say, by key."""
    found: dict[int, tuple[Rule, ...]] = {}
    unread: dict[int, VcarRow] = {}
    for row in held:
        rules = _read.get((row.etag, _place(row)))
        if rules is None:
            unread[row.id] = row
        else:
            found[row.id] = rules
    if unread:
        for key, ics in vcars.texts(tx, unread).items():
            row = unread[key]
            place = _place(row)
            found[key] = tuple(rule for vcar in parse(ics).children("VCAR") for rule in rules_of(vcar, place))
            if row.size <= _REMEMBERED_OCTETS:
                if len(_read) >= _REMEMBERED:
                    _read.clear()
                _read[row.etag, place] = found[key]
    return found


def _place(row: VcarRow) -> Place:
    return "store" if row.calendar_id == VCALSTORE else "calendar"


def tied_to_place(rules: Iterable[Rule]) -> bool:
    """Whether a rule names a calendar by its CALID, so that it would say something else under another one."""
    return any(
        _names_calendar(query.where)
        for rule in rules
        for query in (*(rule.scopes or ()), *(rule.restrictions or ()))
    )


def _names_calendar(condition: Condition | None) -> bool:
    match condition:
        case And(terms) | Or(terms):
            return any(_names_calendar(term) for term in terms)
        case Compare(column, _, value) | In(value, column) | Like(column, value):
            return column.name == "CALID" or (isinstance(value, Owners) and value.calid is not None)
        case Null(column):
            return column.name == "CALID"
        case OwnerTest(calid):
            return calid is not None
        case _:
            return False


def unlimited(rules: Iterable[Rule], permission: str, container: str) -> bool:
    """Whether somebody may do something to everything in a container: an owner, mostly.

    It says no where only a judge can tell, and costs next to nothing.

    Args:
        rules: those that hold there and speak of them.
        permission: as in `Rule.permissions`.
        container: VAGENDA, or VCALSTORE for the store.
    """
    about = [rule for rule in rules if rule.is_about(permission)]
    return all(rule.grant for rule in about) and any(rule.is_total(container) for rule in about)
