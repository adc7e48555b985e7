"""Sharing as apps ask for it: invitations to a calendar.

Whoever is invited has the calendar at once: there is nothing to accept. To delete it from
one's home is to leave it.

Source: caldav-sharing.txt of CalendarServer; draft-pot-webdav-resource-sharing-04.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from kalends.core.access import grants, mounting, rights, sharing
from kalends.core.access.grants import READ_WRITE, WRITE, Privileges
from kalends.core.access.presets import carid
from kalends.core.access.upns import parse_filter
from kalends.core.people import identity
from kalends.dav import acl, xmlwrite
from kalends.dav.context import Context
from kalends.dav.errors import DavError
from kalends.dav.resources import Calendar
from kalends.dav.xmlread import Element
from kalends.dav.xmlwrite import CALENDARSERVER, DAV
from kalends.store.base import Tx

MAX_INVITED: Final = 100
"""People in one request: groups serve larger circles."""
READ: Final[Privileges] = frozenset(("busy", "read"))


class Change(NamedTuple):
    """What is to become of somebody.

    Attributes:
        address: a calendar user address, or the path of a principal.
        privileges: what they shall have; None for nothing any more.
    """

    address: str
    privileges: Privileges | None


class Sharee(NamedTuple):
    """Somebody a calendar is shared with.

    Attributes:
        principal: a user, group, room or resource.
        write: whether they may write.
        left: whether they took the calendar out of their home.
    """

    principal: identity.Principal
    write: bool
    left: bool


def read(element: Element) -> list[Change]:
    """Read an invitation.

    Args:
        element: one of `ROOTS`.

    Raises:
        DavError: 400 for what is none; 413 for too many people.
    """
    changes = ROOTS[element.tag](element)
    if not changes or any(not one.address for one in changes):
        raise DavError(400, None, "Name people with D:href, and say what they may do.")
    if len(changes) > MAX_INVITED:
        raise DavError(413, None, f"At most {MAX_INVITED} people can be invited at once; invite a group.")
    return changes


def _read_share(element: Element) -> list[Change]:
    """CS:share with CS:set and CS:remove."""
    found: list[Change] = []
    for part in element.children:
        if part.tag == f"{CALENDARSERVER}set":
            write = part.child(f"{CALENDARSERVER}read-write") is not None
            if not write and part.child(f"{CALENDARSERVER}read") is None:
                raise DavError(400, None, "A CS:set holds CS:read or CS:read-write.")
            found.append(Change(_address(part), READ_WRITE if write else READ))
        elif part.tag == f"{CALENDARSERVER}remove":
            found.append(Change(_address(part), None))
        else:
            raise DavError(400, None, "A CS:share holds CS:set and CS:remove.")
    return found


def _read_share_resource(element: Element) -> list[Change]:
    """D:share-resource with D:sharee."""
    found: list[Change] = []
    for part in element.children:
        access = part.child(f"{DAV}share-access")
        said = {one.tag for one in access.children} if access is not None else set()
        if part.tag != f"{DAV}sharee" or len(said & _ACCESS.keys()) != 1:
            raise DavError(400, None, "A D:share-resource holds D:sharee, each with one D:share-access.")
        found.append(Change(_address(part), _ACCESS[(said & _ACCESS.keys()).pop()]))
    return found


_ACCESS: Final[dict[str, Privileges | None]] = {
    f"{DAV}read": READ,
    f"{DAV}read-write": READ_WRITE,
    f"{DAV}no-access": None,
}
ROOTS: Final[dict[str, Callable[[Element], list[Change]]]] = {
    f"{CALENDARSERVER}share": _read_share,
    f"{DAV}share-resource": _read_share_resource,
}
"""Bodies of a POST that share a calendar."""


def _address(part: Element) -> str:
    link = part.child(f"{DAV}href")
    return "" if link is None else link.text.strip()


def change(tx: Tx, context: Context, calendar: Calendar, one: Change) -> None:
    """Share a calendar with somebody, or no longer.

    Raises:
        DavError: nobody has that address, or it is the owner's.
        KalendsError: the caller may not.
    """
    who = _invited(tx, context, one.address)
    if one.privileges is None:
        sharing.take(tx, context.caller, calendar.target, carid(who.upn))
        return
    if who.id == calendar.row.home_id:
        raise DavError(409, None, "Nobody is invited to their own calendar.")
    grants.grant(tx, context.caller, calendar.target, who.upn, one.privileges)


def _invited(tx: Tx, context: Context, address: str) -> identity.Principal:
    if address.startswith("/") or address.lower().startswith(("http:", "https:")):
        path = context.local_path(address)
        return acl.principal_at(tx, context, path or "/")
    found = identity.by_address(tx, address)
    if found is None:
        raise DavError(403, f"{DAV}recognized-principal", "Nobody here has this address.")
    return found


# -- telling ----------------------------------------------------------------------------------------------


def sharees(tx: Tx, calendar: Calendar) -> list[Sharee]:
    """The people and groups that a calendar is shared with so that they see it, in order of their UPNs."""
    gone = mounting.left(tx, calendar.row.id)
    found: list[Sharee] = []
    for whom, privileges in sorted(grants.shared_with(tx, calendar.row.id).items()):
        row = identity.by_upn(tx, whom) if parse_filter(whom).form == "one" else None
        if row is not None and (privileges is None or privileges != {"busy"}):
            write = privileges is not None and ("all" in privileges or privileges >= WRITE)
            found.append(Sharee(row, write, row.id in gone))
    return found


def visible_sharees(tx: Tx, context: Context, calendar: Calendar) -> list[Sharee]:
    """Those of them that the caller may know of: all for who may see rights, else oneself."""
    who = context.caller.identity
    found = sharees(tx, calendar)
    if rights.privileges(tx, context.caller, calendar.row.id).read_rights:
        return found
    return [one for one in found if one.principal.upn == who.upn or one.principal.upn in who.groups]


def mailto(row: identity.Principal) -> str:
    """The address by which somebody is invited, as a D:href."""
    return xmlwrite.href(next((one for one in row.addresses if one.startswith("mailto:")), row.addresses[0]))
