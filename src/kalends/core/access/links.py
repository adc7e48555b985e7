"""Secret links: who knows one sees a calendar without a name, as one of the ways of sharing says."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass

from kalends.core import agendas, contents, freebusy
from kalends.core.access import rights
from kalends.core.access.footing import judge_by
from kalends.core.access.judges import DENIED, NOWHERE
from kalends.core.access.presets import preset
from kalends.core.access.sights import Sight
from kalends.core.access.vrights import rules_in, rules_of
from kalends.core.defaults import PRODID
from kalends.core.errors import DeniedError, InvalidError, NotFoundError
from kalends.core.freebusy import Span
from kalends.core.model import Caller, Identity, Policy, Target
from kalends.core.names import ANONYMOUS
from kalends.core.people import identity
from kalends.ical.moment import DAY, utc_moment
from kalends.ical.tree import Component, Line
from kalends.ical.values import escape_text
from kalends.store import calendars, ids, principals
from kalends.store import links as store
from kalends.store.base import Tx
from kalends.store.calendars import VCALSTORE, CalendarRow
from kalends.store.links import LinkRow

WAYS = ("busy", "titles", "read")
"""What a link can show: the presets (`core.access.presets`) that change nothing."""
MAX_LINKS = 100
"""Links to one calendar: more than anybody can keep apart."""
MAX_LABEL = 100
"""Characters of a label."""
BUSY_BEFORE, BUSY_AFTER = 31 * DAY, 366 * DAY
"""Seconds before and after now that a link to busy times shows."""
_SECRET = re.compile(r"[a-z2-7]{26}\Z")


@dataclass(frozen=True, slots=True)
class Link:
    """A link as it may be shown: never its secret.

    Attributes:
        name: by which it is revoked; it tells nothing of the secret.
        preset: one of `WAYS`.
        label: what it is called; '' for nothing.
        created_at: seconds UTC.
    """

    name: str
    preset: str
    label: str
    created_at: int


@dataclass(frozen=True, slots=True)
class Opened:
    """What a secret opens.

    Attributes:
        calendar: its row.
        preset: one of `WAYS`.
        caller: who looks: nobody in particular.
        sight: what they see of it.
    """

    calendar: CalendarRow
    preset: str
    caller: Caller
    sight: Sight


def _hash(secret: str) -> str:
    """Of 128 random bits no slow hash is needed: nobody can try them all."""
    return hashlib.sha256(f"kalends link {secret}".encode()).hexdigest()


def _name(row: LinkRow) -> str:
    return row.hash[:8]


def add(tx: Tx, caller: Caller, target: Target, how: str, label: str = "") -> str:
    """Make a link.

    Args:
        tx: a write transaction.
        caller: an owner of the calendar who may make rights in it, or an administrator.
        target: the calendar.
        how: one of `WAYS`.
        label: what to call it.

    Returns:
        The secret. It is not stored and cannot be told again.

    Raises:
        NotFoundError: no such calendar. DeniedError: somebody else's, or who owns it may not share it.
            InvalidError: another way, a label that is none, or too many links.
    """
    calendar = _owned(tx, caller, target)
    if not _may_give(tx, caller, calendar):
        raise DeniedError(DENIED)
    if how not in WAYS:
        raise InvalidError(f"a link shows a calendar as one of {', '.join(WAYS)}")
    label = label.strip()
    if len(label) > MAX_LABEL or not (label.isprintable() or not label):
        raise InvalidError(f"a label has at most {MAX_LABEL} printable characters")
    if len(store.of_calendar(tx, calendar.id)) >= MAX_LINKS:
        raise InvalidError(f"the calendar has {MAX_LINKS} links already; revoke one first")
    secret = base64.b32encode(secrets.token_bytes(17)).decode().lower()[:26]  # 130 bits
    by = caller.identity.principal_id
    made = LinkRow(ids.new_id(caller.now), calendar.id, _hash(secret), how, label, caller.now, by)
    store.add(tx, made)
    return secret


def of_calendar(tx: Tx, caller: Caller, target: Target) -> list[Link]:
    """The links to a calendar, the oldest first; for its owners only. Raises as `add`."""
    rows = store.of_calendar(tx, _owned(tx, caller, target).id)
    return [Link(_name(row), row.preset, row.label, row.created_at) for row in rows]


def revoke(tx: Tx, caller: Caller, target: Target, name: str) -> None:
    """Make a link useless from now on.

    Raises:
        NotFoundError: no link of that name. Else as `add`.
    """
    rows = store.of_calendar(tx, _owned(tx, caller, target).id)
    found = next((row for row in rows if _name(row) == name.strip().lower()), None)
    if found is None:
        raise NotFoundError(f"{target.calid} has no link {name.strip()[:40]}")
    store.remove(tx, found.id)


def _owned(tx: Tx, caller: Caller, target: Target) -> CalendarRow:
    found = None if target.calendar_id == VCALSTORE else calendars.by_id(tx, target.calendar_id)
    if found is None:
        raise NotFoundError(NOWHERE)
    if not caller.identity.admin and not rights.owns(tx, caller, found):
        raise DeniedError(DENIED) if rights.visible(tx, caller, found) else NotFoundError(NOWHERE)
    return found


def opened(tx: Tx, secret: str, policy: Policy, now: int) -> Opened | None:
    """What a secret opens; None for one that is unknown, revoked, or no secret at all.

    A link shows what its preset grants, as long as who made it is an owner, or an administrator. What any
    right denies to everybody or to the anonymous, it does not.

    Args:
        tx: a transaction.
        secret: as it stood in the address.
        policy: the store's.
        now: seconds UTC.
    """
    row = store.by_hash(tx, _hash(secret)) if _SECRET.match(secret) else None
    calendar = None if row is None else calendars.by_id(tx, row.calendar_id)
    if row is None or calendar is None or not _counts(tx, row, calendar, policy, now):
        return None
    caller = Caller(Identity(ANONYMOUS), "dav", now, policy)
    denied = [rule for rule in rules_in(tx, calendar.id) if not rule.grant]
    rules = [*rules_of(preset(row.preset, "*")), *denied]
    judge = judge_by(tx, caller, calendar, rules, owner=False)
    return Opened(calendar, row.preset, caller, Sight(judge, whole=False))


def _counts(tx: Tx, row: LinkRow, calendar: CalendarRow, policy: Policy, now: int) -> bool:
    """Whether who made a link could still make it: what somebody gave away does not outlast their rights."""
    if row.created_by is None:
        return True
    maker = principals.by_id(tx, row.created_by)
    who = None if maker is None else identity.identify(tx, maker.upn)
    return who is not None and _may_give(tx, Caller(who, "dav", now, policy), calendar)


def _may_give(tx: Tx, caller: Caller, calendar: CalendarRow) -> bool:
    """Whether somebody may let others see a calendar: an owner whom no right keeps from making rights.

    Else a link would show, to who made it above all, what VCARs keep from them.
    """
    if caller.identity.admin:
        return True
    return rights.owns(tx, caller, calendar) and rights.authority(tx, caller, calendar.id).anything(
        "CREATE", "VCAR"
    )


def etag(tx: Tx, link: Opened) -> str:
    """What changes whenever that which a link shows may have changed; no quotes around it."""
    store_row = calendars.by_id(tx, VCALSTORE)
    assert store_row is not None, "a store without its VCALSTORE"
    day = f"-{link.caller.now // DAY}" if link.preset == "busy" else ""
    return f"{link.calendar.id}-{link.calendar.tick}-{store_row.tick}-{link.preset}{day}"


def text(tx: Tx, link: Opened) -> Iterator[str]:
    """What a link shows as one VCALENDAR, piece by piece.

    Busy times are shown as events that say nothing else, since apps show no VFREEBUSY of an address they
    subscribe to.

    Args:
        tx: a read transaction, open until the iterator is done.
        link: what was opened.

    Source: RFC 5545 §3.4; RFC 7986 §5.1, §5.7.
    """
    agenda = link.sight.of(agendas.properties(tx, link.calendar))
    title = None if agenda is None else agenda.value("NAME")
    head = [Line.make("REFRESH-INTERVAL", "PT1H", (("VALUE", ("DURATION",)),))]
    if title is not None:
        head += [Line.make("NAME", title), Line.make("X-WR-CALNAME", title)]
    if link.preset != "busy":
        yield from contents.one_text(tx, link.calendar.id, link.sight, head, cap=False)
        return
    made = Component("VCALENDAR", [Line.make("VERSION", "2.0"), Line.make("PRODID", PRODID), *head])
    now = link.caller.now - link.caller.now % DAY
    sure, maybe = busy(tx, link, now - BUSY_BEFORE, now + BUSY_AFTER)
    made.items += [_block(link, span, "CONFIRMED") for span in sure]
    made.items += [_block(link, span, "TENTATIVE") for span in maybe]
    yield made.to_ics()


def busy(tx: Tx, link: Opened, lo: int, hi: int) -> tuple[list[Span], list[Span]]:
    """When the calendar of a link is busy, and when tentatively so; nothing where that is denied.

    Args:
        tx: a transaction.
        link: what was opened.
        lo: seconds UTC.
        hi: seconds UTC, not included.
    """
    asked = freebusy.component(link.caller, lo, hi, [(lo, hi)], [])
    seen = link.sight.of(asked)
    if seen is None or seen.first("FREEBUSY") is None:
        return [], []
    target = Target(link.calendar.calid, link.calendar.id, link.calendar.calid)
    return freebusy.busy_spans(tx, link.caller, target, lo, hi)


def _block(link: Opened, span: Span, status: str) -> Component:
    start, end = utc_moment(span[0]), utc_moment(span[1])
    made = Component("VEVENT")
    made.add("UID", escape_text(f"busy-{link.calendar.id:x}-{start}-{end}"))
    made.add("DTSTAMP", str(utc_moment(link.caller.now)))
    made.add("DTSTART", str(start))
    made.add("DTEND", str(end))
    made.add("SUMMARY", "Busy")
    made.add("STATUS", status)
    return made
