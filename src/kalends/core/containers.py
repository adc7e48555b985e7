"""Naming containers: TARGET and CALID in all their spellings, and the administration of calendars."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from kalends.core import agendas, defaults
from kalends.core.access import rights
from kalends.core.access.presets import DELEGATED
from kalends.core.errors import DeniedError, DuplicateError, InvalidError, NotFoundError
from kalends.core.model import Caller, Identity, Policy, Target
from kalends.core.names import ANONYMOUS, MAX_CALID, complete_upn, path_name, relative
from kalends.core.timezones import definition
from kalends.core.writer import Writer
from kalends.ical.tree import Component
from kalends.ical.values import escape_text, unescape_text
from kalends.ical.zones import iana_name
from kalends.store import calendars, ids, meta, objects, principals
from kalends.store import errors as store
from kalends.store.base import Tx
from kalends.store.calendars import VCALSTORE, CalendarRow
from kalends.store.objects import ObjectRow

RESERVED_SLUGS = frozenset(("inbox", "outbox"))
"""Segments under a home that CalDAV gives to something else (RFC 6638 §2)."""
NEW = -1
"""`calendar_id` of a destination that does not exist yet: what a VAGENDA can be renamed to (A-55)."""
_NOWHERE = "no such calendar or store"


def resolve(tx: Tx, caller: Caller, given: str) -> Target:
    """Find the container a TARGET names: `cap://csid/calid`, `calid`, `cap://csid` or the bare csid (store).

    Args:
        tx: a transaction.
        caller: who asks.
        given: the TARGET as written.

    Returns:
        The container; replies echo `given`.

    Raises:
        NotFoundError: unknown, or not visible to the caller; both look the same.

    Source: RFC 4324 §5, §8.3; A-16, A-17, A-60.
    """
    calid = relative(given, caller.policy)
    if calid == "":
        return Target(given, VCALSTORE, "")
    calendar = None if calid is None else calendars.by_calid(tx, calid)
    if calendar is None or not rights.visible(tx, caller, calendar):
        raise NotFoundError(_NOWHERE)
    return Target(given, calendar.id, calendar.calid)


def expect(tx: Tx, policy: Policy, given: str) -> None:
    """Say before it is known who asks that a TARGET will be resolved: that saves a wait for the database."""
    calid = relative(given, policy)
    if calid:
        calendars.expect(tx, calid)


def destination(tx: Tx, caller: Caller, given: str) -> Target:
    """Find where a MOVE goes: a container, or a name that no calendar has yet.

    Args:
        tx: a transaction.
        caller: who moves.
        given: the TARGET as written.

    Returns:
        The container; `calendar_id` is `NEW` for an unused (or invisible) CALID.

    Raises:
        NotFoundError: the TARGET is in another store.

    Source: RFC 4324 §10.10; A-55.
    """
    try:
        return resolve(tx, caller, given)
    except NotFoundError:
        calid = relative(given, caller.policy)
        if calid is None:
            raise
        return Target(given, NEW, calid)


def calendar_of(tx: Tx, target: Target) -> CalendarRow:
    """The row of a container.

    Raises:
        NotFoundError: it is gone.
    """
    calendar = calendars.by_id(tx, target.calendar_id)
    if calendar is None:
        raise NotFoundError(_NOWHERE)
    return calendar


def owners(tx: Tx, caller: Caller, calid: str | None, target: Target) -> list[str]:
    """What CAL-OWNERS() and CAL-OWNERS(calid) stand for: OWNERs, or the CALMASTER of the store.

    Args:
        tx: a transaction.
        caller: who asks.
        calid: an address, or None for the target.
        target: the TARGET of the running command.

    Returns:
        UPNs (URIs for the store); empty for what is not there or not visible.

    Source: RFC 4324 §6.1.1.1.
    """
    if calid is not None:
        try:
            target = resolve(tx, caller, calid)
        except NotFoundError:
            return []
    return agendas.owners(tx, calendar_of(tx, target))


def ensure_store(tx: Tx, policy: Policy, now: int) -> None:
    """Give a new store its VCALSTORE, its four VCARs and its time zones; later, follow the configuration.

    May be called at every start: it writes only what is missing or has another value.

    Args:
        tx: a write transaction.
        policy: names and limits, which the VCALSTORE's properties tell.
        now: seconds since 1970 UTC.

    Source: RFC 4324 §8.13, §8.14, §9.2; STO-01 to STO-04, ACL-04, ACL-05.
    """
    caller = housekeeper(policy, now)
    if calendars.by_id(tx, VCALSTORE) is None:
        calendars.add(tx, id=VCALSTORE, calid="")
    found = objects.by_uid(tx, VCALSTORE, agendas.STORE_UID, "BOOKED", "VCALSTORE")
    wanted = defaults.vcalstore(policy, now)
    if (
        not found
    ):  # another node may be at it as well: one at a time, and the second finds what the first made
        calendars.lock(tx, [VCALSTORE])
        found = objects.by_uid(tx, VCALSTORE, agendas.STORE_UID, "BOOKED", "VCALSTORE")
    if not found:
        writer = Writer(tx, caller, (VCALSTORE,))
        writer.insert(VCALSTORE, agendas.wrap(wanted), kind="VCALSTORE", uid=agendas.STORE_UID)
        for vcar in (*defaults.vcars(), *defaults.store_vcars()):
            writer.insert(VCALSTORE, agendas.wrap(vcar), kind="VCAR", uid=vcar.value("CARID") or "")
        provide_zones(writer, VCALSTORE, wanted, {})
        meta.put(tx, meta.RIGHTS, "1")
        return
    if (
        meta.get(tx, meta.RIGHTS) is None
    ):  # made before rights decided: without this nobody could read the store
        writer = Writer(tx, caller, (VCALSTORE,))
        for vcar in defaults.store_vcars():
            writer.insert(VCALSTORE, agendas.wrap(vcar), kind="VCAR", uid=vcar.value("CARID") or "")
        meta.put(tx, meta.RIGHTS, "1")
    whole = agendas.parsed(found[0]).copy()
    held = whole.children("VCALSTORE")[0]
    stale = False
    for name in ("CSID", "MAXDATE", "MINDATE"):
        line, now_is = held.first(name), wanted.value(name) or ""
        if line is not None and line.value != now_is:
            held.replace(line, line.with_value(now_is))
            stale = True
    if stale:
        Writer(tx, caller, (VCALSTORE,)).update(found[0], whole)


def housekeeper(policy: Policy, now: int) -> Caller:
    """The store acting by itself: nobody's name, all rights.

    Args:
        policy: the store's limits.
        now: seconds since 1970 UTC.
    """
    return Caller(Identity(ANONYMOUS, None, admin=True), "job", now, policy)


def create_calendar(
    tx: Tx,
    caller: Caller,
    calid: str,
    owner_upn: str,
    *,
    name: str | None = None,
    allow_conflict: bool = True,
    meant_for: Sequence[str] = (),
) -> Target:
    """Make a calendar (VAGENDA) with its default VCARs and time zone.

    Args:
        tx: a write transaction.
        caller: who makes it.
        calid: relative or full CALID.
        owner_upn: a UPN, or a user name of this realm.
        name: what people call it.
        allow_conflict: ALLOW-CONFLICT.
        meant_for: names of components, for faces that show calendars and task lists apart; none: for any.

    Raises:
        DuplicateError, InvalidError, NotFoundError (unknown owner), DeniedError.
    """
    owner = complete_upn(owner_upn, caller.policy)
    if principals.by_upn(tx, owner) is None:
        raise NotFoundError(f"there is no user {owner}")
    agenda = Component("VAGENDA")
    agenda.add("CALID", calid)
    agenda.add("OWNER", owner)
    if name:
        agenda.add("NAME", escape_text(name))
    agenda.add("ALLOW-CONFLICT", "TRUE" if allow_conflict else "FALSE")
    if meant_for:
        agenda.add(agendas.COMPONENTS, ",".join(meant_for))
    return found_calendar(tx, caller, agenda, {})


def found_calendar(
    tx: Tx, caller: Caller, written: Component, zones: Mapping[str, Component], *, slug: str | None = None
) -> Target:
    """Make a calendar from the VAGENDA of a CREATE, with the store's default VCARs and its VTIMEZONEs.

    Args:
        tx: a write transaction.
        caller: who makes it.
        written: the VAGENDA; contained components are not looked at.
        zones: VTIMEZONEs that came with it, by TZID.
        slug: the last segment of its path under its home, as a CalDAV client chose it; None makes one.

    Raises:
        DuplicateError: the CALID, or the segment, is taken.
        InvalidError: RFC 4324 §9.1 is broken.
        DeniedError: the caller may not make this calendar.

    Source: RFC 4324 §8.13, §8.14, §9.1; CRE-09, CRE-10, STO-05, ACL-05.
    """
    if caller.identity.principal_id is None and not caller.identity.admin:
        raise DeniedError("this is not allowed in the calendar store")
    agenda = agendas.complete(tx, caller, written)
    if not rights.may_own(tx, caller, agendas.owners_in(agenda)):
        raise DeniedError("calendars can only be made for oneself")
    calid = agenda.value("CALID") or ""
    respect_store(tx, agenda)
    if not relative(calid, caller.policy) or calendars.by_calid(tx, calid) is not None:
        raise DuplicateError(f"the CALID {calid} is taken")
    writer = Writer(tx, caller, (VCALSTORE,))
    home = agendas.home_of(tx, agenda)
    new = ids.new_id(caller.now)
    try:
        calendars.add(
            tx, id=new, calid=calid, home_id=home, slug=slug or slug_of(tx, calid, home),
            allow_conflict=agendas.allows_conflict(agenda), auto_process=agendas.auto_processes(agenda),
        )  # fmt: skip
    except store.DuplicateError as error:
        raise DuplicateError(f"the CALID {calid} is taken") from error
    writer.lock(new)
    row = writer.insert(new, agendas.wrap(agenda), kind="VAGENDA", uid=calid)
    writer.log(row, VCALSTORE, "props")
    provide_zones(writer, new, agenda, zones)
    given = [*_default_vcars(tx), *_delegations(tx, home)]
    for vcar in given:
        writer.insert(new, agendas.wrap(vcar), kind="VCAR", uid=unescape_text(vcar.value("CARID") or ""))
    return Target(calid, new, calid)


def respect_store(tx: Tx, agenda: Component) -> None:
    """What the store says holds in every calendar: ALLOW-CONFLICT:FALSE, and the rights they begin with.

    Args:
        tx: a transaction.
        agenda: a VAGENDA that is to be stored, or the VCALSTORE itself.

    Raises:
        InvalidError: the calendar says TRUE; the VCALSTORE leaves out a predefined VCAR, or names one that is
            not there.

    Source: RFC 4324 §8.1, §8.14; CON-02, ACL-05.
    """
    if agenda.name == "VCALSTORE":
        _check_default_vcars(tx, agenda)
        return
    row = calendars.by_id(tx, VCALSTORE)
    assert row is not None, "a store without its VCALSTORE"
    if not agendas.allows_conflict(agendas.properties(tx, row)) and agendas.allows_conflict(agenda):
        raise InvalidError("the store does not allow conflicts, so ALLOW-CONFLICT must be FALSE")


def _check_default_vcars(tx: Tx, store: Component) -> None:
    wanted = agendas.listed(store, "DEFAULT-VCARS")
    if not set(defaults.DEFAULT_VCARS) <= set(wanted):
        raise InvalidError(
            "DEFAULT-VCARS names at least READBUSYTIMEINFO, REQUESTONLY, UPDATEPARTSTATUS and DEFAULTOWNER"
        )
    for carid in wanted:
        if not objects.by_uid(tx, VCALSTORE, carid, "BOOKED", "VCAR"):
            raise InvalidError(f"DEFAULT-VCARS names {carid[:80]}, which is no VCAR of the store")


def _default_vcars(tx: Tx) -> list[Component]:
    """Copies of the VCARs that the store's DEFAULT-VCARS names (RFC 4324 §8.14)."""
    row = calendars.by_id(tx, VCALSTORE)
    assert row is not None, "a store without its VCALSTORE"
    wanted = agendas.listed(agendas.properties(tx, row), "DEFAULT-VCARS")
    found = {vcar.uid: vcar for vcar in objects.every(tx, VCALSTORE, kind="VCAR", state="BOOKED")}
    return [agendas.parsed(found[carid]).children("VCAR")[0] for carid in wanted if carid in found]


def _delegations(tx: Tx, home: int | None) -> list[Component]:
    """The VCARs by which the delegates of a home have rights, as its owner's first calendar holds them."""
    owner = None if home is None else principals.by_id(tx, home)
    if owner is None or owner.default_calendar is None:
        return []
    rows = objects.every(tx, owner.default_calendar, kind="VCAR", state="BOOKED")
    return [agendas.parsed(row).children("VCAR")[0] for row in rows if row.uid.startswith(DELEGATED)]


def provide_zones(writer: Writer, calendar_id: int, held: Component, given: Mapping[str, Component]) -> bool:
    """Make sure that there is one VTIMEZONE for each value of DEFAULT-TZID.

    One that came along takes the place of another definition, unless the tz database knows the name better.

    Args:
        writer: has locked the container.
        calendar_id: the container.
        held: its VAGENDA or VCALSTORE.
        given: VTIMEZONEs that came with the command, by TZID.

    Returns:
        Whether a name means something else now.

    Raises:
        InvalidError: a zone that nobody knows.

    Source: RFC 4324 §8.13; STO-04, STO-05.
    """
    redefined = False
    for tzid in dict.fromkeys(agendas.time_zones(held)):
        there = objects.by_uid(writer.tx, calendar_id, tzid, "BOOKED", "VTIMEZONE")
        if there:
            redefined = _redefine(writer, there[0], tzid, given.get(tzid)) or redefined
            continue
        zone = given.get(tzid) or definition(tzid) or _store_zone(writer.tx, tzid)
        if zone is None:
            raise InvalidError(f"the time zone {tzid[:80]} of DEFAULT-TZID is not known here")
        writer.insert(calendar_id, agendas.wrap(zone), kind="VTIMEZONE", uid=tzid)
    return redefined


def _redefine(writer: Writer, row: ObjectRow, tzid: str, given: Component | None) -> bool:
    if given is None or iana_name(tzid) is not None:
        return False
    if agendas.parsed(row).children("VTIMEZONE")[0].to_ics() == given.to_ics():
        return False
    writer.update(row, agendas.wrap(given))
    return True


def _store_zone(tx: Tx, tzid: str) -> Component | None:
    found = objects.by_uid(tx, VCALSTORE, tzid, "BOOKED", "VTIMEZONE")
    return agendas.parsed(found[0]).children("VTIMEZONE")[0] if found else None


def slug_of(tx: Tx, calid: str, home: int | None) -> str | None:
    """The last segment of a calendar's path under its home, made distinct."""
    if home is None:
        return None
    taken = {calendar.slug for calendar in calendars.every(tx, home)} | RESERVED_SLUGS
    stem = slug = calid.rstrip("/").rpartition("/")[2] or "calendar"
    number = 1
    while slug in taken:
        number += 1
        slug = f"{stem}-{number}"
    return slug


def calendars_of(tx: Tx, caller: Caller, owner_upn: str | None = None) -> list[Target]:
    """The calendars the caller may see, or those of one owner, ordered by CALID.

    Args:
        tx: a transaction.
        caller: who asks.
        owner_upn: a UPN, or a user name of this realm.
    """
    seen = rights.visible_calendars(tx, caller)
    if owner_upn is not None:
        owned = {calendar.id for calendar in agendas.owned_by(tx, [complete_upn(owner_upn, caller.policy)])}
        seen = [calendar for calendar in seen if calendar.id in owned]
    return [Target(calendar.calid, calendar.id, calendar.calid) for calendar in seen]


def remove_calendar(
    tx: Tx, caller: Caller, target: Target, *, before: Callable[[Writer], None] | None = None
) -> int:
    """Remove a calendar with all it contains, without telling anybody: see `ledger.remove_calendar`.

    Args:
        tx: a write transaction.
        caller: who removes it.
        target: the calendar.
        before: called when it may be removed and is locked, and everything is still there.

    Returns:
        The number of objects removed, its own properties, rights and time zones included.

    Raises:
        NotFoundError: not there or not visible.
        InvalidError: the store itself.
    """
    if target.is_store:
        raise InvalidError("the calendar store cannot be removed")
    allow_whole(tx, caller, target, "DELETE")
    writer = Writer(tx, caller, (VCALSTORE, target.calendar_id))
    if before is not None:
        before(writer)
    row = agendas.row_of(tx, calendar_of(tx, target))
    count = sum(objects.counts(tx, target.calendar_id).values())
    calendars.remove(tx, target.calendar_id)
    writer.log(row, VCALSTORE, "remove")
    return count


def allow_whole(tx: Tx, caller: Caller, target: Target, permission: rights.Permission) -> None:
    """Go on only where something may be done to a calendar as a whole.

    Raises:
        NotFoundError, DeniedError: as `rights.require`.
    """
    authority = rights.authority_in(tx, caller, target)
    authority.require(permission, "VAGENDA")
    authority.allow(permission, agendas.properties(tx, authority.calendar))


def settle(tx: Tx, calendar: CalendarRow, held: Component) -> None:
    """Let a calendar's row follow its properties: home of its first known owner, and the switches."""
    home = agendas.home_of(tx, held)
    if home != calendar.home_id:
        calendars.set_name(
            tx, calendar.id, calid=calendar.calid, home_id=home, slug=slug_of(tx, calendar.calid, home)
        )
    if agendas.allows_conflict(held) != calendar.allow_conflict:
        calendars.set_flags(tx, calendar.id, allow_conflict=agendas.allows_conflict(held))
    if agendas.auto_processes(held) != calendar.auto_process:
        calendars.set_flags(tx, calendar.id, auto_process=agendas.auto_processes(held))


def unused_calid(tx: Tx, home: str, slug: str) -> str:
    """A CALID for a calendar that a CalDAV client makes: as near to its path as a CALID can be.

    Args:
        tx: a transaction.
        home: the name of the home's principal in paths.
        slug: the last segment of the calendar's path: any text.

    Source: RFC 4324 §5 (a CALID has characters of URLs only).
    """
    stem = f"{home}/{path_name(slug)}"[: MAX_CALID - 4]
    calid, number = stem, 1
    while calendars.by_calid(tx, calid) is not None:
        number += 1
        calid = f"{stem}-{number}"
    return calid
