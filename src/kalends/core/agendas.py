"""The properties of a calendar: what a VAGENDA must hold, who owns it, how it looks when it is read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from kalends.core.capability import CALSCALES, CHARSETS
from kalends.core.defaults import PRODID
from kalends.core.errors import InvalidError
from kalends.core.languages import DEFAULT, tag_of
from kalends.core.model import Caller
from kalends.core.names import ANONYMOUS, check_calid, complete_upn, qualified, relative
from kalends.ical.moment import utc_moment
from kalends.ical.tree import Component, Line, parse
from kalends.ical.values import escape_text, split_values, unescape_text
from kalends.store import calendars, changes, objects, principals, reach
from kalends.store.base import Tx
from kalends.store.calendars import VCALSTORE, CalendarRow
from kalends.store.objects import ObjectRow

ONCE = ("ALLOW-CONFLICT", "CALID", "CALSCALE", "DEFAULT-CHARSET", "DEFAULT-LOCALE", "DEFAULT-TZID")
"""Properties a VAGENDA being created holds exactly once (RFC 4324 §9.1; CRE-09)."""
STORE_ONCE = (
    "ALLOW-CONFLICT", "CALSCALE", "CALMASTER", "CREATED", "CSID", "DEFAULT-CHARSET", "DEFAULT-LOCALE",
    "DEFAULT-VCARS", "DEFAULT-TZID", "LAST-MODIFIED", "MAXDATE", "MINDATE",
)  # fmt: skip
"""Properties a VCALSTORE holds exactly once (RFC 4324 §9.2; STO-03)."""
STORE_UID = "VCALSTORE"
"""Identifier of the one object that holds the store's properties; the CSID may be configured anew."""
COMPONENTS = "X-KALENDS-COMPONENTS"
"""Which components a calendar is meant for, for faces that ask (CalDAV); CAP puts in what it likes."""
TRANSP = "X-KALENDS-TRANSP"
"""TRANSPARENT when a calendar's events do not make its owner busy (RFC 6638 §9.1)."""
SOURCE = "X-KALENDS-SOURCE"
"""Where a calendar that somebody subscribed to comes from; its clients fetch it, the server does not."""
AUTO_PROCESS = "X-KALENDS-AUTO-PROCESS"
"""FALSE when scheduling messages are the clients' business, as RFC 4324 means them, and not the server's."""
MAX_OWNERS = 1_000
"""OWNERs of one calendar: groups serve larger circles."""
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S+\Z")
_CHARSET = re.compile(r"[A-Za-z0-9.:_()+-]{1,45}\Z")
_LOCALE = re.compile(r"[A-Za-z]{1,8}(?:[-_][A-Za-z0-9]{1,8})*(?:\.[A-Za-z0-9_:-]+)?(?:@[A-Za-z0-9_=-]+)?\Z")
_CACHED_OCTETS = 8_192
"""Property texts up to here are kept parsed: 512 of them take a few megabytes."""


@lru_cache(maxsize=512)
def _parsed_small(ics: bytes) -> Component:
    return parse(ics)


def parsed(row: ObjectRow) -> Component:
    """The VCALENDAR of a calendar's properties. It may be shared: copy it before changing it."""
    return _parsed_small(row.ics) if len(row.ics) <= _CACHED_OCTETS else parse(row.ics)


def wrap(component: Component) -> Component:
    """A VCALENDAR of our own around a component."""
    whole = Component("VCALENDAR")
    whole.add("VERSION", "2.0")
    whole.add("PRODID", PRODID)
    whole.items.append(component)
    return whole


def row_of(tx: Tx, calendar: CalendarRow) -> ObjectRow:
    """The object that holds a calendar's own properties (VAGENDA; VCALSTORE for the store)."""
    kind, uid = ("VCALSTORE", STORE_UID) if calendar.id == VCALSTORE else ("VAGENDA", calendar.calid)
    found = objects.container(tx, calendar.id, uid, kind)
    if found is None:
        raise InvalidError(f"the {kind} has no properties; the store needs a check")
    return found


def properties(tx: Tx, calendar: CalendarRow) -> Component:
    """The VAGENDA (or VCALSTORE) as stored. It may be shared: copy it before changing it."""
    row = row_of(tx, calendar)
    return parsed(row).children(row.kind)[0]


def owners(tx: Tx, calendar: CalendarRow) -> list[str]:
    """The OWNERs of a calendar; the CALMASTER of the store.

    Source: RFC 4324 §6.1.1.1.
    """
    held = properties(tx, calendar)
    if calendar.id == VCALSTORE:
        return [line.value for line in held.all("CALMASTER")]
    return owners_in(held)


def owners_in(agenda: Component) -> list[str]:
    """The OWNERs written in a VAGENDA, each once, in order."""
    return list(dict.fromkeys(line.value.strip().lower() for line in agenda.all("OWNER")))


def owned_by(tx: Tx, upns: Sequence[str]) -> list[CalendarRow]:
    """The calendars that one of these UPNs owns, ordered by CALID."""
    return sorted(calendars.many(tx, reach.owned_by(tx, upns)).values(), key=lambda calendar: calendar.calid)


def listed(held: Component, name: str) -> list[str]:
    """The values of a comma-separated TEXT property, unescaped; empty when it is not there."""
    line = held.first(name)
    return [] if line is None else [unescape_text(value).strip() for value in split_values(line.value)]


def time_zones(agenda: Component) -> list[str]:
    """The values of DEFAULT-TZID, unescaped; the first is the default (RFC 4324 §8.13)."""
    return listed(agenda, "DEFAULT-TZID")


def meant_for(agenda: Component) -> tuple[str, ...]:
    """The components a calendar is meant for, in upper case; empty for any."""
    return tuple(name.strip().upper() for name in listed(agenda, COMPONENTS))


def complete(tx: Tx, caller: Caller, written: Component) -> Component:
    """A VAGENDA ready to be stored: as the client wrote it, completed from the store's defaults.

    Args:
        tx: a transaction.
        caller: who makes the calendar; SELF() is the owner when none is named.
        written: the VAGENDA of a CREATE.

    Returns:
        A new component with the properties of RFC 4324 §9.1; contained components are left out.

    Raises:
        InvalidError: a rule of RFC 4324 §9.1 is broken; in strict mode also when something is missing.

    Source: RFC 4324 §9.1, §10.4; CRE-09, CRE-10, OBM-27, A-17.
    """
    made = Component("VAGENDA", [item for item in written.items if isinstance(item, Line)])
    made.begin, made.end = written.begin, written.end
    policy = caller.policy
    if caller.strict:
        missing = [name for name in (*ONCE, "OWNER") if made.first(name) is None]
        if missing:
            raise InvalidError(f"a VAGENDA needs {', '.join(missing)}")
    _fill(tx, caller, made)
    line = _single(made, "CALID")
    calid = relative(line.value, policy)
    if calid is None:
        raise InvalidError("the CALID names another store")
    rewrite(made, line, check_calid(calid))
    for owner in made.all("OWNER"):
        rewrite(made, owner, complete_upn(owner.value, policy))
    for read_only in (*made.all("CREATED"), *made.all("LAST-MODIFIED")):
        made.remove(read_only)
    stamp = str(utc_moment(caller.now))
    made.add("CREATED", stamp)
    made.add("LAST-MODIFIED", stamp)
    check(made)
    return made


def _fill(tx: Tx, caller: Caller, made: Component) -> None:
    """What a lenient store adds by itself: the store's values, and the maker as owner."""
    store_row = calendars.by_id(tx, VCALSTORE)
    assert store_row is not None, "a store without its VCALSTORE"
    store = properties(tx, store_row)
    zone = made.first("TZID")  # as in RFC 4324 §10.4's own example (A-17)
    if made.first("DEFAULT-TZID") is None and zone is not None:
        made.add("DEFAULT-TZID", zone.value)
    for name in ONCE[2:]:
        if made.first(name) is None:
            value = store.value(name) or ""
            made.add(name, value if name == "DEFAULT-TZID" else split_values(value)[0])
    if made.first("ALLOW-CONFLICT") is None:
        made.add("ALLOW-CONFLICT", store.value("ALLOW-CONFLICT") or "TRUE")
    if made.first("OWNER") is None and caller.identity.upn != ANONYMOUS:
        made.add("OWNER", caller.identity.upn)


def rewrite(component: Component, line: Line, value: str) -> None:
    """Give a line another value, leaving it alone byte for byte when it has it already."""
    if line.value != value:
        component.replace(line, line.with_value(value))


def _single(component: Component, name: str) -> Line:
    found = component.all(name)
    if len(found) != 1:
        raise InvalidError(f"a {component.name} holds {name} exactly once, not {len(found)} times")
    return found[0]


def check(held: Component) -> None:
    """Check the properties of a VAGENDA or VCALSTORE that is to be stored.

    Raises:
        InvalidError: with the rule that is broken.

    Source: RFC 4324 §8.1, §8.4, §8.11, §8.12, §8.23, §9.1, §9.2; STO-01, STO-03, OBM-21, OBM-25, OBM-27.
    """
    store = held.name == "VCALSTORE"
    lines = {
        name: _single(held, name) for name in (STORE_ONCE if store else (*ONCE, "CREATED", "LAST-MODIFIED"))
    }
    if lines["ALLOW-CONFLICT"].value.strip().upper() not in ("TRUE", "FALSE"):
        raise InvalidError("ALLOW-CONFLICT is TRUE or FALSE")
    scales = [scale.strip().upper() for scale in lines["CALSCALE"].value.split(",")]
    if (store and "GREGORIAN" not in scales) or not set(scales) <= set(CALSCALES):
        raise InvalidError("CALSCALE must be GREGORIAN")
    if not store and not 0 < len(held.all("OWNER")) <= MAX_OWNERS:
        raise InvalidError("a calendar needs an OWNER")
    if store and not _URI.match(lines["CALMASTER"].value.strip()):
        raise InvalidError(
            "CALMASTER is the URI of somebody to turn to, such as mailto:calmaster@example.com"
        )
    zones = time_zones(held)
    if not all(zones):
        raise InvalidError("DEFAULT-TZID names at least one time zone")
    for name, needed in (("DEFAULT-TZID", "UTC"), ("DEFAULT-CHARSET", "UTF-8"), ("DEFAULT-LOCALE", "POSIX")):
        values = listed(held, name)
        if not all(values):
            raise InvalidError(f"{name} must not be empty")
        if store and needed not in values:
            raise InvalidError(f"the store's {name} must contain {needed}")
    for charset in listed(held, "DEFAULT-CHARSET"):
        if not _is_charset(charset) or (store and charset not in CHARSETS):
            raise InvalidError(f"the charset {charset[:80]} of DEFAULT-CHARSET is not known here")
    for locale in listed(held, "DEFAULT-LOCALE"):
        if not _LOCALE.match(locale):
            raise InvalidError(f"DEFAULT-LOCALE holds languages and locales, not {locale[:80]}")
    check_names(held)


def _is_charset(name: str) -> bool:
    """Whether a name is that of a charset: by its form (RFC 2978 §2.3), and by being known."""
    if not _CHARSET.match(name):
        return False
    try:
        "".encode(name)
    except LookupError:
        return False
    return True


def check_names(held: Component) -> None:
    """Several NAMEs need distinct languages; one without is in the language of DEFAULT-LOCALE.

    Raises:
        InvalidError: two NAMEs have one language.

    Source: RFC 4324 §8.12, §8.23; OBM-21, A-53.
    """
    names = held.all("NAME")
    own = next(iter(listed(held, "DEFAULT-LOCALE")), DEFAULT)
    languages = {tag_of(line.param("LANGUAGE") or line.param("LANG") or own).lower() for line in names}
    if len(languages) != len(names):
        raise InvalidError("several NAMEs need a different LANGUAGE each")


def home_of(tx: Tx, agenda: Component) -> int | None:
    """The principal in whose home a calendar lies: its first OWNER who is known here."""
    for upn in owners_in(agenda):
        found = principals.by_upn(tx, upn)
        if found is not None:
            return found.id
    return None


def allows_conflict(held: Component) -> bool:
    """The value of ALLOW-CONFLICT."""
    return (held.value("ALLOW-CONFLICT") or "TRUE").strip().upper() != "FALSE"


def makes_busy(held: Component) -> bool:
    """Whether a calendar's events make its owner busy (RFC 6638 §9.1)."""
    return (held.value(TRANSP) or "").strip().upper() != "TRANSPARENT"


def auto_processes(held: Component) -> bool:
    """Whether the server processes a calendar's scheduling messages by itself (RFC 6638 §4)."""
    return (held.value(AUTO_PROCESS) or "").strip().upper() != "FALSE"


def changed_at(tx: Tx, calendar_id: int, held: Component) -> str:
    """LAST-MODIFIED as it is now: of the properties or of anything in the container (RFC 4324 §9.1)."""
    last = changes.history(tx, calendar_id, limit=1)
    return str(utc_moment(last[0].at)) if last else held.value("LAST-MODIFIED") or ""


def live(
    tx: Tx, caller: Caller, calendar: CalendarRow, held: Component, children: Iterable[str] = ()
) -> Component:
    """A VAGENDA or VCALSTORE as it is read: what changes by itself is filled in.

    Args:
        tx: a transaction.
        caller: whose store this is.
        calendar: its row.
        held: the component as stored.
        children: for the VCALSTORE, the CALIDs the caller may see.

    Returns:
        A new component: CALID qualified, LAST-MODIFIED true, RELATED-TO for each visible calendar.

    Source: RFC 4324 §8.3, §9.1, §9.2; A-16, A-58, STO-02.
    """
    seen = held.copy()
    modified = seen.first("LAST-MODIFIED")
    if modified is not None:
        rewrite(seen, modified, changed_at(tx, calendar.id, held))
    calid = seen.first("CALID")
    if calid is not None:
        seen.replace(calid, calid.with_value(qualified(calendar.calid, caller.policy)))
    for child in children:
        seen.add("RELATED-TO", escape_text(qualified(child, caller.policy)), ("RELTYPE", ("CHILD",)))
    return seen
