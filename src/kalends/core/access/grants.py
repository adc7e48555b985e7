"""Rights in outline: which of a few privileges a VCAR grants to whom, and the VCAR that grants just those.

Faces that know privileges and not queries (RFC 3744) read and write rights here. A VCAR is `written` in
privileges when it says exactly what `compose` would say; everything else is finer, and shown as the nearest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from kalends.calquery.tree import AllProperties, Query
from kalends.core import agendas
from kalends.core.access import mounting, sharing
from kalends.core.access.judges import Authority
from kalends.core.access.presets import ATOMS, PRESETS, Right, carid, vcar_of
from kalends.core.access.sights import Sight
from kalends.core.access.upns import UpnFilter, parse_filter
from kalends.core.access.vrights import Place, Rule, reaches_down, rules_of
from kalends.core.errors import InvalidError
from kalends.core.model import Caller, Target
from kalends.ical.tree import Component
from kalends.ical.values import unescape_text
from kalends.store import objects
from kalends.store.base import Tx
from kalends.store.calendars import VCALSTORE

Privilege = Literal["busy", "read", "change", "create", "delete", "properties", "see-rights", "rights", "all"]
"""What one may do: see when it is busy; see what is public; change, create, delete objects; set its
properties; see and change its rights; everything."""
Privileges = frozenset[Privilege]

WRITE: Privileges = frozenset(("change", "create", "delete"))
READ_WRITE: Privileges = WRITE | {"busy", "read"}
"""Who may do all this sees what is private, too: the preset secretary."""
ALL: Privileges = frozenset(("all",))
_ORDER: tuple[Privilege, ...] = (
    "busy", "read", "change", "create", "delete", "properties", "see-rights", "rights",
)  # fmt: skip
_MAIN = ("VEVENT", "VTODO", "VJOURNAL")


@dataclass(frozen=True, slots=True)
class Grant:
    """What one VCAR grants to, or denies, somebody.

    Attributes:
        who: whom.
        privileges: what, or what comes nearest.
        carid: of the VCAR.
        denies: whether it is denied.
        written: whether it says this and nothing finer, so that it can be written, too.
    """

    who: UpnFilter
    privileges: Privileges
    carid: str
    denies: bool = False
    written: bool = False


def compose(privileges: Privileges) -> tuple[Right, ...]:
    """The VRIGHTs that grant privileges; presets where there is one for them."""
    if "all" in privileges:
        return PRESETS["owner"]
    wanted = set(privileges)
    if "read" in wanted:
        wanted.add("busy")
    found: list[Right] = []
    if wanted >= READ_WRITE:
        found += PRESETS["secretary"]
        wanted -= READ_WRITE
    return (*found, *(ATOMS[one] for one in _ORDER if one in wanted))


def grant_text(privileges: Privileges, whom: str) -> Component:
    """The VCAR that grants privileges to somebody.

    Args:
        privileges: at least one.
        whom: a UPN-FILTER.

    Raises:
        InvalidError: no UPN-FILTER, or nothing is granted.
    """
    if not privileges:
        raise InvalidError("nothing is granted")
    named = " and ".join(one for one in (*_ORDER, "all") if one in privileges)
    return vcar_of(compose(privileges), whom, carid(whom), f"Shared with {whom}: {named}")


_Said = frozenset[tuple[frozenset[str], frozenset[str], frozenset[str]]]


def _said(rights: Iterable[Right]) -> _Said:
    return frozenset((frozenset(one[0]), frozenset(one[1]), frozenset(one[2])) for one in rights)


_READ_BACK: Mapping[Privilege, _Said] = {name: _said((right,)) for name, right in ATOMS.items()}  # type: ignore[misc]
_SECRETARY = _said(PRESETS["secretary"])
_OWNER = _said(PRESETS["owner"])


def privileges_in(vcar: Component, whom: str) -> Privileges | None:
    """The privileges that a VCAR grants to somebody; None when it says anything finer or to others, too."""
    rights: list[Right] = []
    for one in vcar.children("VRIGHT"):
        values = {name: tuple(line.value for line in one.all(name)) for name in _LINES}
        if [who.strip().lower() for who in values["GRANT"]] != [whom] or values["DENY"]:
            return None
        rights.append((values["PERMISSION"], values["SCOPE"], values["RESTRICTION"]))
    said = _said(rights)
    if said == _OWNER:
        return ALL
    found: set[Privilege] = set()
    if said >= _SECRETARY:
        found |= READ_WRITE
        said -= _SECRETARY
    for name, atom in _READ_BACK.items():
        if said >= atom:
            found.add(name)
            said -= atom
    return frozenset(found) if found and not said else None


_LINES = ("GRANT", "DENY", "PERMISSION", "SCOPE", "RESTRICTION")


def grants_in(tx: Tx, calendar_id: int, sight: Sight) -> list[Grant]:
    """What the VCARs of a calendar, and those of the store that hold in it, grant and deny.

    Args:
        tx: a transaction.
        calendar_id: the calendar.
        sight: of who asks: a VCAR that they may not see is left out.

    Returns:
        In order of CARIDs, those of the store last. What comes near no privilege is left out, such as the
        right to send invitations.
    """
    found: list[Grant] = []
    places: tuple[tuple[int, Place], ...] = ((calendar_id, "calendar"), (VCALSTORE, "store"))
    for container, place in places:
        rows = objects.every(tx, container, kind="VCAR", state="BOOKED")
        for row in sorted(rows, key=lambda row: row.uid):
            for vcar in agendas.parsed(row).children("VCAR"):
                left = sight.of(vcar)
                if left is not None:
                    found += _grants(left, place)
    return found


def _grants(vcar: Component, place: Place) -> list[Grant]:
    identifier = unescape_text(vcar.value("CARID") or "").strip()
    shared = sharing.whom_of(identifier)
    if place == "calendar" and shared is not None:
        written = privileges_in(vcar, shared)
        if written is not None:
            return [Grant(parse_filter(shared), written, identifier, written=True)]
    nearest: dict[tuple[UpnFilter, bool], set[Privilege]] = {}
    for rule in rules_of(vcar, place):
        if place == "calendar" or reaches_down(rule):
            for who in rule.who:
                nearest.setdefault((who, not rule.grant), set()).update(_nearest(rule))
    return [
        Grant(who, ALL if "all" in near else frozenset(near), identifier, denies)
        for (who, denies), near in nearest.items()
        if near
    ]


def _nearest(rule: Rule) -> set[Privilege]:
    """The privileges that come nearest to a rule: of a GRANT those it grants in part, of a DENY in whole."""
    if rule.restrictions is not None:
        return set()
    total = rule.is_total("VAGENDA")
    if total and "*" in rule.permissions:
        return {"all"}
    scopes = [] if total else list(rule.scopes or ())
    found: set[Privilege] = set()
    for permission, near in _NEAR.items():
        if rule.is_about(permission):
            for source, name in near.items():
                if total or any(_touches(rule, query, source, permission) for query in scopes):
                    found.add(name)
    if not total and rule.is_about("MODIFY") and any(_sets_properties(query) for query in scopes):
        found.add("properties")
    if total and rule.is_about("MODIFY"):
        found.add("properties")
    return found


_NEAR: Mapping[str, Mapping[str, Privilege]] = {
    "SEARCH": {"VFREEBUSY": "busy", **dict.fromkeys(_MAIN, "read"), "VCAR": "see-rights"},
    "CREATE": {**dict.fromkeys(_MAIN, "create"), "VCAR": "rights"},
    "MODIFY": dict.fromkeys(_MAIN, "change"),
    "DELETE": dict.fromkeys(_MAIN, "delete"),
}


def _touches(rule: Rule, query: Query, source: str, permission: str) -> bool:
    """Whether a SCOPE is about a kind of components; to write a part of one is no privilege."""
    if query.source != source:
        return False
    whole = AllProperties() in query.select
    if rule.grant:
        return whole or permission == "SEARCH"
    return whole and query.where is None


def _sets_properties(query: Query) -> bool:
    return query.source == "VAGENDA" and AllProperties() not in query.select


def held_by(authority: Authority) -> Privileges:
    """The privileges that come nearest to what rules grant somebody; denials are not counted.

    Args:
        authority: theirs in a calendar; administrators stand outside of rules.
    """
    who, found = authority.caller.identity, set[Privilege]()
    for rule in authority.rules:
        if rule.grant and rule.speaks_of(who, owner=authority.owner):
            found |= _nearest(rule)
    return frozenset(found)


def shared_with(tx: Tx, calendar_id: int) -> dict[str, Privileges | None]:
    """With whom a calendar is shared, and as what: by UPN-FILTER; None for what is finer than privileges."""
    found: dict[str, Privileges | None] = {}
    for row in objects.every(tx, calendar_id, kind="VCAR", state="BOOKED"):
        whom = sharing.whom_of(row.uid)
        if whom is not None:
            found[whom] = privileges_in(agendas.parsed(row).children("VCAR")[0], whom)
    return found


def settle(tx: Tx, caller: Caller, target: Target, wanted: Mapping[str, Privileges]) -> None:
    """Make what is written in privileges exactly what is wanted; what is finer stays.

    Args:
        tx: a write transaction; it must fail when this raises.
        caller: who does so: they must be allowed to write and remove VCARs there.
        target: the calendar.
        wanted: privileges by UPN-FILTER, at least one each.

    Raises:
        InvalidError: somebody has finer rights by the VCAR that would be written.
        NotFoundError: no such calendar, or nobody has that name. DeniedError: the caller may not.

    Source: RFC 3744 §8.1.
    """
    new = {sharing.sharer(tx, caller.policy, whom): privileges for whom, privileges in wanted.items()}
    held = shared_with(tx, target.calendar_id)
    finer = [whom for whom in new if whom in held and held[whom] is None]
    if finer:
        raise InvalidError(f"{finer[0]} has finer rights here than can be said so")
    who = caller.identity
    # the caller's own last, by which they do all this
    mine = {one: (parse_filter(one).matches(who.upn, who.groups), one == who.upn) for one in (*held, *new)}
    for whom in sorted(mine, key=lambda one: (mine[one], one)):
        before, after = held.get(whom), new.get(whom)
        if after is not None and (before is None or compose(before) != compose(after)):
            grant(tx, caller, target, whom, after)
        elif after is None and before is not None:
            sharing.take(tx, caller, target, carid(whom))


def grant(tx: Tx, caller: Caller, target: Target, whom: str, privileges: Privileges) -> None:
    """Share a calendar with somebody; what was shared with them before is replaced.

    Raises:
        InvalidError, NotFoundError, DeniedError: see `sharing.give`.
    """
    sharing.give(tx, caller, target, grant_text(privileges, whom))
    mounting.offer(tx, target.calendar_id, whom)
