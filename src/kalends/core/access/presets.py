"""Six ways to share a calendar, so that nobody must write VCARs by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kalends.core.access.upns import parse_filter
from kalends.core.errors import InvalidError
from kalends.ical.tree import Component
from kalends.ical.values import escape_text

Right = tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]
"""PERMISSIONs, SCOPEs and RESTRICTIONs of one VRIGHT."""


_MAIN = ("VEVENT", "VTODO", "VJOURNAL")


def _all(kind: str, where: str = "", what: str = "*") -> str:
    return " ".join(("SELECT", what, "FROM", kind, *(("WHERE", where) if where else ())))


_TIMES = (
    "UID,RECURRENCE-ID,SEQUENCE,DTSTAMP,"
    "DTSTART,DTEND,DUE,DURATION,RRULE,RDATE,EXDATE,EXRULE,TRANSP,STATUS,CLASS"
)
_AGENDA = "SELECT CALID,NAME,OWNER,CALSCALE,DEFAULT-TZID,DEFAULT-CHARSET,DEFAULT-LOCALE FROM VAGENDA"
_PUBLIC = "STATE() = 'BOOKED' AND (CLASS IS NULL OR CLASS = 'PUBLIC')"
_BUSY: Right = (("SEARCH",), ("SELECT * FROM VFREEBUSY WHERE STATE() = 'BOOKED'",), ())
_READ: Right = (
    ("SEARCH",),
    (
        _AGENDA,
        *(_all(kind, _PUBLIC) for kind in _MAIN),
        "SELECT * FROM VTIMEZONE",
    ),
    (),
)
_CONTENTS = ("VEVENT", "VTODO", "VJOURNAL", "VTIMEZONE", "VQUERY")


_ANY = tuple(_all(kind) for kind in _CONTENTS)
_SETTABLE = (
    "SELECT NAME,DESCRIPTION,DEFAULT-TZID,X-APPLE-CALENDAR-COLOR,X-KALENDS-ORDER,X-KALENDS-TRANSP,"
    "X-KALENDS-COMPONENTS,X-KALENDS-PROPERTY FROM VAGENDA"
)
ATOMS: Mapping[str, Right] = {
    "busy": _BUSY,
    "read": _READ,
    "change": (("MODIFY",), _ANY, ()),
    "create": (("CREATE",), _ANY, ()),
    "delete": (("DELETE", "MOVE"), _ANY, ()),
    "properties": (("SEARCH", "MODIFY"), (_SETTABLE,), ()),
    "see-rights": (("SEARCH",), ("SELECT * FROM VCAR",), ()),
    "rights": (("SEARCH", "CREATE", "MODIFY", "DELETE"), ("SELECT * FROM VCAR",), ()),
}
"""The parts of which other ways of sharing are made (`grants`): each is one VRIGHT."""

PRESETS: Mapping[str, tuple[Right, ...]] = {
    "busy": (_BUSY,),
    "titles": (
        _BUSY,
        (("SEARCH",), (_AGENDA, _all("VEVENT", _PUBLIC, f"{_TIMES},SUMMARY")), ()),
    ),
    "read": (_BUSY, _READ),
    "colleague": (
        _BUSY,
        _READ,
        (("SEARCH",), (_all("VEVENT", "STATE() = 'BOOKED'", _TIMES),), ()),
        (
            ("CREATE",),
            tuple(_all(kind) for kind in _MAIN),
            tuple(_all(kind, "METHOD IS NOT NULL") for kind in _MAIN),
        ),
    ),
    "secretary": (
        _BUSY,
        (("SEARCH",), (_AGENDA,), ()),
        (
            ("SEARCH", "CREATE", "MODIFY", "DELETE", "MOVE"),
            tuple(_all(kind) for kind in _CONTENTS),
            (),
        ),
    ),
    "owner": ((("*",), ("SELECT * FROM VAGENDA",), ()),),
}
"""What each way of sharing grants.

- busy: when one is busy.
- titles: the times and titles of public events, too.
- read: all that is public, too.
- colleague: the times of what is private, too, and putting in scheduling messages.
- secretary: everything but rights and the calendar's own properties.
- owner: everything an owner may.
"""


DELEGATED = "proxy-"
"""Beginning of the CARIDs by which delegates have rights in all calendars of somebody (`delegates`)."""


def carid(upn: str) -> str:
    """The CARID of the VCAR by which a calendar is shared with somebody: one for each of them."""
    return f"share-{upn.strip().lower()}"


def preset(name: str, upn: str) -> Component:
    """The VCAR that shares a calendar with somebody.

    Args:
        name: one of `PRESETS`.
        upn: whom with: any UPN-FILTER.

    Raises:
        InvalidError: an unknown preset, or no UPN-FILTER.

    Source: RFC 4324 §9.3, §9.4.
    """
    rights = PRESETS.get(name)
    if rights is None:
        raise InvalidError(f"share as one of {', '.join(PRESETS)}")
    return vcar_of(rights, upn, carid(upn), f"Shared with {upn.strip()} as {name}")


def vcar_of(rights: Sequence[Right], upn: str, identifier: str, name: str) -> Component:
    """A VCAR that grants rights to somebody.

    Args:
        rights: a VRIGHT each.
        upn: whom: any UPN-FILTER.
        identifier: its CARID.
        name: its NAME.

    Raises:
        InvalidError: no UPN-FILTER.
    """
    parse_filter(upn)
    made = Component("VCAR")
    made.add("CARID", escape_text(identifier))
    made.add("NAME", escape_text(name))
    for permissions, scopes, restrictions in rights:
        vright = Component("VRIGHT")
        vright.add("GRANT", upn.strip())
        for label, values in (
            ("PERMISSION", permissions),
            ("SCOPE", scopes),
            ("RESTRICTION", restrictions),
        ):
            for value in values:
                vright.add(label, value)
        made.items.append(vright)
    return made
