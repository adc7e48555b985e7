"""Privileges (RFC 3744 §3): their names and tree, and which of them somebody has on a resource."""

from __future__ import annotations

from typing import Final

from kalends.core.access import rights
from kalends.core.access.grants import ALL, WRITE, Privilege, Privileges, held_by
from kalends.dav.context import Context
from kalends.dav.principals import Principal, Proxy
from kalends.dav.resources import Calendar, CalendarObject, Home, Inbox, Mounted, Outbox, Resource
from kalends.dav.xmlwrite import CALDAV, DAV
from kalends.store.base import Tx

_CURRENT: Final = "D:read-current-user-privilege-set"
_READ: Final = ("D:read", _CURRENT)
_OWN: Final = ("D:all", "D:read", "D:read-acl", _CURRENT, "D:write", "D:write-properties")
_MAKES: Final = (*_OWN, "D:bind", "D:unbind", "D:write-content")
"""Of a home: calendars are made and removed in it."""
_DELIVER: Final = ("C:schedule-deliver", "C:schedule-deliver-invite", "C:schedule-deliver-reply",
    "C:schedule-query-freebusy")  # fmt: skip
_SEND: Final = ("C:schedule-send", "C:schedule-send-invite", "C:schedule-send-reply",
    "C:schedule-send-freebusy")  # fmt: skip
_INBOX: Final = (*_OWN, "D:unbind", *_DELIVER)
_OUTBOX: Final = (*_OWN, *_SEND)

NAMES: Final[dict[Privilege, str]] = {
    "all": "D:all",
    "read": "D:read",
    "busy": "C:read-free-busy",
    "change": "D:write-content",
    "properties": "D:write-properties",
    "create": "D:bind",
    "delete": "D:unbind",
    "see-rights": "D:read-acl",
    "rights": "D:write-acl",
}
"""What core's privileges are called on calendars."""
WRITTEN: Final[dict[str, Privileges]] = {
    f"{DAV}all": ALL,
    f"{DAV}read": frozenset(("read", "busy")),
    f"{CALDAV}read-free-busy": frozenset(("busy",)),
    f"{DAV}write": WRITE | {"properties"},
    f"{DAV}write-content": frozenset(("change",)),
    f"{DAV}write-properties": frozenset(("properties",)),
    f"{DAV}bind": frozenset(("create",)),
    f"{DAV}unbind": frozenset(("delete",)),
    f"{DAV}read-acl": frozenset(("see-rights",)),
    f"{DAV}write-acl": frozenset(("rights",)),
}
"""What an ACL request can grant on a calendar."""
ABSTRACT: Final = f"{DAV}read-current-user-privilege-set"
"""What comes with every other privilege and cannot be granted alone."""


def named(privileges: Privileges) -> list[str]:
    """The fewest names that say what is granted, with prefixes."""
    if "all" in privileges:
        return ["D:all"]
    left = set(privileges)
    found = []
    if left >= WRITE | {"properties"}:
        found.append("D:write")
        left -= WRITE | {"properties"}
    if "read" in left:
        left.discard("busy")
    return [name for one, name in NAMES.items() if one in left] + found


def written(names: list[str] | tuple[str, ...]) -> str:
    """A D:privilege each."""
    return "".join(f"<D:privilege><{name}/></D:privilege>" for name in names)


def of_calendar(tx: Tx, context: Context, calendar: Calendar) -> list[str]:
    """The privileges of the caller on a calendar and its contents (RFC 3744 §3, §5.4).

    To send an invitation, or to answer one, is no privilege to write: apps would show a calendar that
    everybody may do this to as one that they may change.
    """
    authority = calendar.authority(tx, context)
    may = rights.privileges_of(authority)
    near = ALL if may.owns else held_by(authority)
    whole = "all" in near
    create = may.create and (whole or "create" in near)
    modify = may.modify and (whole or "change" in near)
    delete = may.delete and (whole or "delete" in near)
    properties = may.write_properties and (whole or "properties" in near)
    granted = (
        (may.owns, "D:all"),
        (may.search, "D:read"),
        (may.free_busy, "C:read-free-busy"),
        (create and modify and delete and properties, "D:write"),
        (modify, "D:write-content"),
        (properties, "D:write-properties"),
        (create, "D:bind"),
        (delete, "D:unbind"),
        (may.read_rights, "D:read-acl"),
        (may.write_rights, "D:write-acl"),
        (True, _CURRENT),
    )
    return [name for yes, name in granted if yes]


def privileges_on(tx: Tx, context: Context, resource: Resource) -> list[str]:
    """The names, with prefixes, of what the caller may do with a resource."""
    match resource:
        case Calendar():
            return _on_calendar(tx, context, resource)
        case CalendarObject():
            found = of_calendar(tx, context, resource.calendar)
            return [name for name in found if not (resource.cut and name in _WRITES)]
        case Home() if resource.is_own(context):
            return list(_MAKES)
        case Principal() | Proxy() if owns_principal(context, resource):
            return list(_OWN)
        case Inbox():
            return list(_INBOX)
        case Outbox():
            return list(_OUTBOX)
        case _:
            return list(_READ)


_WRITES: Final = ("D:write", "D:write-content")


def owns_principal(context: Context, resource: Principal | Proxy) -> bool:
    """Whether a principal is the caller's own; administrators own all."""
    who = context.caller.identity
    return who.admin or who.principal_id == resource.row.id


def _on_calendar(tx: Tx, context: Context, resource: Calendar) -> list[str]:
    found = of_calendar(tx, context, resource)
    if not isinstance(resource, Mounted):
        return found
    if "D:write-properties" not in found:  # one's own name and colour of it
        found.append("D:write-properties")
        if {"D:bind", "D:unbind", "D:write-content"}.issubset(found):
            found.append("D:write")
    return found


def may_read_acl(tx: Tx, context: Context, resource: Resource) -> bool:
    """Whether the caller may see who may do what with a resource (RFC 3744 §3.6)."""
    return resource.kind in _NOBODYS or "D:read-acl" in privileges_on(tx, context, resource)


_NOBODYS: Final = ("root", "principals", "homes")
"""Collections that are the server's, and the same for everybody."""


# -- the tree ---------------------------------------------------------------------------------------------


def _privilege(name: str, words: str, *inner: str, abstract: bool = False) -> str:
    return (
        f"<D:supported-privilege><D:privilege><{name}/></D:privilege>{'<D:abstract/>' * abstract}"
        f'<D:description xml:lang="en">{words}</D:description>{"".join(inner)}</D:supported-privilege>'
    )


def _tree(*more: str) -> str:
    return _privilege(
        "D:all", "Anything",
        _privilege(
            "D:read", "See what is in it",
            _privilege("C:read-free-busy", "See when it is busy"),
            _privilege(_CURRENT, "See what one may do", abstract=True),
        ),
        _privilege("D:read-acl", "See who may do what"),
        _privilege(
            "D:write", "Change it",
            _privilege("D:write-properties", "Change its properties"),
            _privilege("D:write-content", "Change what is in it"),
            _privilege("D:bind", "Put something into it"),
            _privilege("D:unbind", "Take something out of it"),
        ),
        _privilege("D:write-acl", "Say who may do what"),
        *more,
    )  # fmt: skip


_SUPPORTED: Final = {
    "inbox": _tree(
        _privilege(
            "C:schedule-deliver", "Send messages here",
            _privilege("C:schedule-deliver-invite", "Send invitations here"),
            _privilege("C:schedule-deliver-reply", "Send answers here"),
            _privilege("C:schedule-query-freebusy", "Ask when its owner is busy"),
        )
    ),
    "outbox": _tree(
        _privilege(
            "C:schedule-send", "Send messages",
            _privilege("C:schedule-send-invite", "Send invitations"),
            _privilege("C:schedule-send-reply", "Send answers"),
            _privilege("C:schedule-send-freebusy", "Ask when others are busy"),
        )
    ),
}  # fmt: skip
_ELSEWHERE: Final = _tree()


def supported_on(kind: str) -> str:
    """The tree of privileges of a kind of resource, as a fragment (RFC 3744 §5.3; RFC 6638 §6)."""
    return _SUPPORTED.get(kind, _ELSEWHERE)
