"""VRIGHT: the rules that VCARs hold, read and looked up (RFC 4324 §9.3, §9.4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from kalends.calquery.errors import QueryError
from kalends.calquery.parse import parse_line
from kalends.calquery.tree import Query
from kalends.core.errors import InvalidError
from kalends.core.model import Identity
from kalends.core.upns import UpnFilter, parse_filter
from kalends.ical.tree import Component, Line, parse
from kalends.ical.values import unescape_text
from kalends.store import objects
from kalends.store.base import Tx
from kalends.store.calendars import VCALSTORE

Place = Literal["store", "calendar"]
"""Whose VCAR a rule comes from."""

_CACHED_OCTETS = 8_192
"""VCARs up to here are kept read: 2048 of them take some ten megabytes at most."""
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
                about = permissions if grant or permissions else frozenset("*")
                scopes = _queries(vright.all("SCOPE"), grant=grant)
                results = _queries(vright.all("RESTRICTION"), grant=True) if grant else None
                found.append(Rule(carid, number, grant, filters, about, scopes, results, place, decreed))
    return tuple(found)


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


@lru_cache(maxsize=2048)
def _rules_small(ics: bytes, place: Place) -> tuple[Rule, ...]:
    return _rules(ics, place)


def _rules(ics: bytes, place: Place) -> tuple[Rule, ...]:
    return tuple(rule for vcar in parse(ics).children("VCAR") for rule in rules_of(vcar, place))


def rules_in(tx: Tx, calendar_id: int) -> list[Rule]:
    """The rules that hold in a calendar or in the store: its own, and what the store's VCARs say of it.

    The texts are looked up each time, so that a change holds from the next command on, in a transaction that
    is undone later, too; only reading them is remembered, by their octets. Equal VCARs, as most calendars
    have them, are read once.

    Args:
        tx: a transaction.
        calendar_id: the calendar; 0 for the store.

    Source: RFC 4324 §4.2, §8.14.
    """
    found = [] if calendar_id == VCALSTORE else _held(tx, calendar_id, "calendar")
    above = _held(tx, VCALSTORE, "store")
    return found + (above if calendar_id == VCALSTORE else [rule for rule in above if reaches_down(rule)])


def reaches_down(rule: Rule) -> bool:
    """Whether a rule of the store holds in every calendar."""
    return rule.decreed or not rule.grant


def _held(tx: Tx, calendar_id: int, place: Place) -> list[Rule]:
    out: list[Rule] = []
    for row in objects.every(tx, calendar_id, kind="VCAR", state="BOOKED"):
        out += _rules_small(row.ics, place) if len(row.ics) <= _CACHED_OCTETS else _rules(row.ics, place)
    return out
