"""Access control lists: VCARs written as ACEs, and ACEs read as privileges (RFC 3744 §5.5, §8.1)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from kalends.core import agendas
from kalends.core.access import grants
from kalends.core.access.grants import Grant, Privileges
from kalends.core.access.upns import UpnFilter
from kalends.core.people import identity
from kalends.dav import paths, privileges, xmlwrite
from kalends.dav.context import Context
from kalends.dav.errors import DavError
from kalends.dav.principals import Principal, Proxy, principal_path
from kalends.dav.resources import Calendar, CalendarObject, Home, Inbox, Mounted, Outbox, Resource
from kalends.dav.xmlread import Element
from kalends.dav.xmlwrite import DAV
from kalends.store.base import Tx

MAX_ACES: Final = 100
"""ACEs of one request: groups serve larger circles."""
OWNER: Final = "<D:property><D:owner/></D:property>"
_INVERTED: Final = f"<D:invert><D:principal>{OWNER}</D:principal></D:invert>"
_PSEUDO: Final = {"all": "<D:all/>", "anybody": "<D:authenticated/>", "owners": OWNER}
_FILTERS: Final = {f"{DAV}all": "*", f"{DAV}authenticated": "*@*", f"{DAV}unauthenticated": "@"}


# -- writing ----------------------------------------------------------------------------------------------


def aces_of(tx: Tx, context: Context, resource: Resource) -> str:
    """The ACEs of a resource, as a fragment; who may see them is another question."""
    match resource:
        case Calendar():
            return "".join(_calendar_aces(tx, context, resource, ""))
        case CalendarObject():
            above = f"<D:inherited>{xmlwrite.href(resource.calendar.path)}</D:inherited>"
            return "".join(_calendar_aces(tx, context, resource.calendar, above))
        case Home() | Principal():
            return _ace(OWNER, ["D:all"]) + _ace("<D:authenticated/>", ["D:read"])
        case Proxy():
            owner = xmlwrite.href(principal_path(tx, context, resource.row.id))
            return _ace(owner, ["D:all"]) + _ace("<D:authenticated/>", ["D:read"])
        case Inbox():
            return _ace(OWNER, ["D:all"]) + _ace("<D:authenticated/>", ["C:schedule-deliver"])
        case Outbox():
            return _ace(OWNER, ["D:all"])
        case _:
            return _ace("<D:authenticated/>", ["D:read"])


def _calendar_aces(tx: Tx, context: Context, calendar: Calendar, above: str) -> Iterator[str]:
    """What is written in privileges first, then what is protected, which nobody needs to order."""
    held = grants.grants_in(tx, calendar.row.id, calendar.sight(tx, context))
    home = None if calendar.row.home_id is None else identity.by_id(tx, calendar.row.home_id)
    for one in sorted(held, key=lambda grant: not grant.written):
        who = _principal_of(tx, context, one.who)
        if who is not None:
            guard = "" if one.written and not above else "<D:protected/>"
            yield _ace(who, privileges.named(one.privileges), guard, above, denies=one.denies)
    if not any(one.who.form == "owners" for one in held):
        return
    for upn in agendas.owners(tx, calendar.row):
        row = identity.by_upn(tx, upn)
        if row is not None and (home is None or row.id != home.id):
            yield _ace(xmlwrite.href(principal_path(tx, context, row.id)), ["D:all"], "<D:protected/>", above)


def _ace(
    who: str, names: list[str], guard: str = "<D:protected/>", above: str = "", *, denies: bool = False
) -> str:
    verb = "deny" if denies else "grant"
    principal = who if who.startswith("<D:invert>") else f"<D:principal>{who}</D:principal>"
    return f"<D:ace>{principal}<D:{verb}>{privileges.written(names)}</D:{verb}>{guard}{above}</D:ace>"


def _principal_of(tx: Tx, context: Context, who: UpnFilter) -> str | None:
    """Whom an ACE names for a UPN-FILTER; None for people that have no principal here."""
    if who.form == "one":
        row = identity.by_upn(tx, who.name)
        return None if row is None else xmlwrite.href(principal_path(tx, context, row.id))
    if who.form == "others":
        return _INVERTED
    if who.form == "realm's anybody":
        return "<D:authenticated/>" if who.name == context.caller.policy.realm.lower() else None
    return _PSEUDO.get(who.form, "<D:unauthenticated/>")


def principals_in(tx: Tx, context: Context, resource: Resource) -> set[int]:
    """The principals that the ACEs of a resource name, its owner among them (RFC 3744 §9.2)."""
    match resource:
        case Calendar():
            calendar = resource
        case CalendarObject():
            calendar = resource.calendar
        case Home() | Principal():
            return {resource.row.id}
        case _:
            return set()
    held: list[Grant] = grants.grants_in(tx, calendar.row.id, calendar.sight(tx, context))
    named = {one.who.name for one in held if one.who.form == "one"}
    if any(one.who.form == "owners" for one in held):
        named.update(agendas.owners(tx, calendar.row))
    rows = (identity.by_upn(tx, upn) for upn in named)
    return {row.id for row in rows if row is not None}


# -- reading ----------------------------------------------------------------------------------------------


class Ace(NamedTuple):
    """One ACE of a request.

    Attributes:
        path: of the principal, without prefix; None where `who` says it.
        who: a UPN-FILTER, or 'owner'.
        privileges: what is granted or denied.
        denies: whether it is denied.
    """

    path: str | None
    who: str
    privileges: Privileges
    denies: bool


def read(element: Element, context: Context) -> list[Ace]:
    """Read the body of an ACL request; ACEs that say that they are protected or inherited are left out.

    Raises:
        DavError: 400 for what is no list; 403 with the precondition that is broken.

    Source: RFC 3744 §5.5, §8.1.1.
    """
    found = element.all(f"{DAV}ace")
    if len(found) != len(element.children):
        raise DavError(400, None, "A D:acl holds D:ace elements.")
    if len(found) > MAX_ACES:
        raise _refused("limited-number-of-aces", f"At most {MAX_ACES} ACEs; put people into groups.")
    kept = (one for one in found if not any(one.child(f"{DAV}{name}") for name in ("protected", "inherited")))
    return [_read_one(one, context) for one in kept]


def _read_one(element: Element, context: Context) -> Ace:
    if element.child(f"{DAV}invert") is not None:
        raise _refused("no-invert", "Say to whom something is granted, not to whom it is not.")
    principals = element.all(f"{DAV}principal")
    verbs = element.all(f"{DAV}grant") + element.all(f"{DAV}deny")
    if len(principals) != 1 or len(principals[0].children) != 1 or len(verbs) != 1:
        raise DavError(400, None, "A D:ace holds one D:principal, and one D:grant or D:deny.")
    path, who = _read_principal(principals[0].children[0], context)
    found: set[grants.Privilege] = set()
    for one in verbs[0].children:  # RFC 3744 §8.1.4 leaves D:privilege out
        for name in one.children if one.tag == f"{DAV}privilege" else [one]:
            if name.tag == privileges.ABSTRACT:
                raise _refused("no-abstract", "Who may do anything may also know what; grant something else.")
            if name.tag not in privileges.WRITTEN:
                raise _refused("not-supported-privilege", f"{name.tag[:100]} is no privilege here.")
            found |= privileges.WRITTEN[name.tag]
    if not found:
        raise DavError(400, None, "A D:ace names at least one D:privilege.")
    return Ace(path, who, frozenset(found), verbs[0].tag == f"{DAV}deny")


def _read_principal(element: Element, context: Context) -> tuple[str | None, str]:
    if element.tag in _FILTERS:
        return None, _FILTERS[element.tag]
    if element.tag == f"{DAV}property" and [one.tag for one in element.children] == [f"{DAV}owner"]:
        return None, "owner"
    if element.tag != f"{DAV}href":
        raise _refused("allowed-principal", "Name a principal, its owner, all, or those who have logged in.")
    path = context.local_path(element.text)
    if path is None:
        raise _unrecognized()
    return path, ""


def wanted_of(tx: Tx, context: Context, calendar: Calendar, aces: list[Ace]) -> dict[str, Privileges]:
    """What an ACL request grants on a calendar: privileges by UPN-FILTER.

    Raises:
        DavError: 403 with the precondition that is broken.
    """
    owners = set(agendas.owners(tx, calendar.row))
    found: dict[str, Privileges] = {}
    for ace in aces:
        who = ace.who if ace.path is None else principal_at(tx, context, ace.path).upn
        if ace.denies:
            if who == "owner" or who in owners:
                raise _refused("no-protected-ace-conflict", "Nothing can be denied to an owner.")
            raise _refused("grant-only", "What is not granted is denied; there are no D:deny here.")
        whom = "CAL-OWNERS()" if who == "owner" else who
        found[whom] = found.get(whom, frozenset()) | ace.privileges
    return found


def principal_at(tx: Tx, context: Context, path: str) -> identity.Principal:
    """The principal at a local path.

    Raises:
        DavError: 403 with recognized-principal.
    """
    address = paths.read(path)
    row = None
    if address.area == "principals" and address.principal is not None and address.calendar is None:
        row = identity.by_path(tx, address.principal)
    if row is None:
        raise _unrecognized()
    return row


def _unrecognized() -> DavError:
    return _refused("recognized-principal", "There is no such user, group, room or resource here.")


def _refused(name: str, sentence: str) -> DavError:
    return DavError(403, f"{DAV}{name}", sentence)


def refuse_elsewhere(resource: Resource) -> DavError:
    """Why the list of a resource that is no calendar cannot be changed."""
    if isinstance(resource, CalendarObject):
        return _refused("no-inherited-ace-conflict", "Rights of an object are those of its calendar.")
    return _refused("no-protected-ace-conflict", "Rights are given on calendars only.")


def owned(calendar: Calendar) -> str:
    """The path that tells where the rights of a calendar stand: that under its owner's home."""
    return calendar.shared_path if isinstance(calendar, Mounted) else calendar.path
