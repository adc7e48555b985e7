"""Managed attachments: files that objects refer to and the store keeps (RFC 8607)."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kalends.core.access import rights
from kalends.core.errors import DeniedError, InstanceError, ManagedIdError, QuotaError, TooLargeError
from kalends.core.model import Caller
from kalends.core.series import RECURRING, master_of
from kalends.ical.component_times import line_moment
from kalends.ical.errors import ICalError
from kalends.ical.moment import DAY, parse_moment
from kalends.ical.occurrences import expand_component, occurrences
from kalends.ical.tree import Component, Line, parse
from kalends.ical.values import normal_address
from kalends.ical.zones import Zones
from kalends.store import attachments as store
from kalends.store import objects
from kalends.store.attachments import AttachmentRow
from kalends.store.base import Store, Tx
from kalends.store.maintenance import Finding

MAX_PER_OBJECT = 100
"""Managed attachments of one object, in all its components."""
MAX_OCTETS_EACH = 2_000_000_000
"""Octets of all attachments that one user added."""
MAX_INSTANCES = 100
"""Instances that one request may name."""
MAX_FILENAME = 200
"""Characters of a file's name."""
OCTET_STREAM = "application/octet-stream"
_MEDIA = re.compile(r"[a-z0-9!#$&^_.+-]{1,127}/[a-z0-9!#$&^_.+-]{1,127}\Z")


@dataclass(frozen=True, slots=True)
class Opened:
    """An attachment that somebody may read.

    Attributes:
        row: what is known of it. data: its octets.
    """

    row: AttachmentRow
    data: bytes


def keep(tx: Tx, caller: Caller, data: bytes, filename: str, media: str) -> AttachmentRow:
    """Keep a file.

    Args:
        tx: a write transaction.
        caller: who adds it.
        data: its octets.
        filename: what it is called; cleaned here.
        media: its media type; what is none becomes application/octet-stream.

    Returns:
        It, with a new MANAGED-ID of 128 random bits.

    Raises:
        TooLargeError: larger than any object may be. QuotaError: the user has no room left.

    Source: RFC 8607 §3.4, §4.2, §7.
    """
    if len(data) > caller.policy.max_object:
        raise TooLargeError(f"an attachment has at most {caller.policy.max_object} octets")
    owner = caller.identity.principal_id
    if owner is not None and store.held_by(tx, owner) + len(data) > MAX_OCTETS_EACH:
        raise QuotaError(f"the attachments of one user have at most {MAX_OCTETS_EACH} octets")
    media = media.partition(";")[0].strip().lower()
    row = AttachmentRow(
        secrets.token_hex(16), hashlib.sha256(data).hexdigest(), clean_name(filename),
        media if _MEDIA.match(media) else OCTET_STREAM, caller.now, owner, len(data),
    )  # fmt: skip
    store.add(tx, row, data)
    return row


def clean_name(name: str) -> str:
    """A file's name without folders and without what no file system or header should see (RFC 6266 §4.3)."""
    last = re.split(r"[/\\]", name)[-1]
    return "".join(c for c in last if c.isprintable() and c not in '":;,').strip(". ")[:MAX_FILENAME]


def line_of(row: AttachmentRow, url: str) -> Line:
    """The ATTACH of a managed attachment (RFC 8607 §3.4, §4)."""
    params = [("MANAGED-ID", (row.managed_id,)), ("FMTTYPE", (row.media,)), ("SIZE", (str(row.size),))]
    if row.filename:
        params.append(("FILENAME", (row.filename,)))
    return Line.make("ATTACH", url, tuple(params))


def managed_in(whole: Component) -> dict[str, list[Line]]:
    """The ATTACH lines of managed attachments in a text, by MANAGED-ID."""
    found: dict[str, list[Line]] = {}
    for part in whole.components:
        for line in _lines(part):
            found.setdefault(line.param("MANAGED-ID") or "", []).append(line)
    return found


def _lines(part: Component) -> Iterator[Line]:
    for one in part.walk():
        for line in one.lines:
            if line.name == "ATTACH" and line.params and line.param("MANAGED-ID"):
                yield line


def check_references(tx: Tx, caller: Caller, before: bytes | None, after: Component) -> None:
    """Refuse references to attachments that are not the caller's to refer to.

    Args:
        tx: the write transaction.
        caller: who writes.
        before: the object's text up to now, whose references may stay; None for a new one.
        after: its new text.

    Raises:
        ManagedIdError: no such attachment, or one that somebody else added.

    Source: RFC 8607 §3.11, §3.12.2.
    """
    named = managed_in(after)
    if not named:
        return
    known = set() if before is None else set(managed_in(parse(before)))
    who = caller.identity
    for managed_id in named.keys() - known:
        row = store.get(tx, managed_id)
        if row is None or not (who.admin or row.created_by == who.principal_id):
            raise ManagedIdError(f"MANAGED-ID {managed_id[:60]} is no attachment of yours")


def attach(whole: Component, kind: str, line: Line, rids: Sequence[str]) -> None:
    """Add an ATTACH to the components of an object.

    Args:
        whole: its text; changed.
        kind: its component name.
        line: the ATTACH.
        rids: 'M' for the master and RECURRENCE-IDs as they are written; none for all.

    Raises:
        InstanceError: an instance that is not there.
        TooLargeError: too many attachments.

    Source: RFC 8607 §3.3.2, §3.4.
    """
    for part in targets(whole, kind, rids):
        part.items.insert(_after_lines(part), line)
    if len(managed_in(whole)) > MAX_PER_OBJECT:
        raise TooLargeError(f"an object has at most {MAX_PER_OBJECT} attachments")


def exchange(whole: Component, managed_id: str, line: Line) -> None:
    """Put another ATTACH in the place of a managed one, everywhere in an object.

    Raises:
        ManagedIdError: there is none of that id.

    Source: RFC 8607 §3.5.
    """
    if managed_id not in managed_in(whole):
        raise ManagedIdError("the object has no attachment of that MANAGED-ID")
    for part in whole.components:
        for one in part.walk():
            for held in one.lines:
                if held.name == "ATTACH" and held.param("MANAGED-ID") == managed_id:
                    one.replace(held, line)


def detach(whole: Component, kind: str, managed_id: str, rids: Sequence[str]) -> None:
    """Take a managed attachment out of components of an object.

    Args:
        whole: its text; changed.
        kind: its component name.
        managed_id: which one.
        rids: as in `attach`.

    Raises:
        InstanceError: an instance that is not there.
        ManagedIdError: one of them has no such attachment.

    Source: RFC 8607 §3.6.
    """
    found = False
    for part in targets(whole, kind, rids):
        held = [
            line for line in part.lines if line.name == "ATTACH" and line.param("MANAGED-ID") == managed_id
        ]
        if not held and rids:
            raise ManagedIdError("that instance has no attachment of that MANAGED-ID")
        for line in held:
            part.remove(line)
            found = True
    if not found:
        raise ManagedIdError("the object has no attachment of that MANAGED-ID")


def _after_lines(part: Component) -> int:
    return max((i for i, item in enumerate(part.items) if isinstance(item, Line)), default=-1) + 1


def targets(whole: Component, kind: str, rids: Sequence[str]) -> list[Component]:
    """The components that a request means; an instance without one of its own gets it.

    Raises:
        InstanceError: an instance that is not there, one named twice, or too many.

    Source: RFC 8607 §3.3.2.
    """
    parts = whole.children(kind)
    if not rids:
        return parts
    if len(rids) > MAX_INSTANCES or len(set(rids)) != len(rids):
        raise InstanceError(f"rid names at most {MAX_INSTANCES} instances, each once")
    found: list[Component] = []
    for rid in rids:
        written = [part for part in parts if (part.value("RECURRENCE-ID") or "M").strip() == rid]
        found.append(written[0] if written else _override(whole, kind, rid))
    return found


def _override(whole: Component, kind: str, rid: str) -> Component:
    """Give an instance of a series a component of its own."""
    master = master_of(whole, kind)
    start = None if master is None else master.first("DTSTART")
    if master is None or start is None or not any(line.name in RECURRING for line in master.lines):
        raise InstanceError("rid names an instance that the object does not have")
    zones = Zones(whole)
    try:
        form = line_moment(start)
        wanted = parse_moment(rid, form.tzid)
        at = zones.to_epoch(wanted)
        near = occurrences(whole, at - DAY, at + DAY, zones=zones)
        one = next((one for one in near if one.recurrence == at and one.component is master), None)
    except ICalError as error:
        raise InstanceError(f"rid: {error.reason}") from error
    if one is None or wanted.is_date != form.is_date or wanted.utc != form.utc:
        raise InstanceError("rid names an instance that the object does not have")
    made = expand_component(whole, one, zones=zones)
    whole.items.append(made)
    return made


# --- reading ---


def opened(tx: Tx, caller: Caller, managed_id: str) -> Opened | None:
    """An attachment, for who may see an object that refers to it.

    Args:
        tx: a transaction.
        caller: who asks.
        managed_id: which one.

    Returns:
        None for what is not there, and for who may not see that any object refers to it.

    Source: RFC 8607 §3.10, §3.12.2.
    """
    row = store.get(tx, managed_id)
    if row is None or not _may_see(tx, caller, managed_id):
        return None
    data = store.octets(tx, row.hash)
    return None if data is None else Opened(row, data)


def _may_see(tx: Tx, caller: Caller, managed_id: str) -> bool:
    for held in objects.get_many(tx, store.referring(tx, managed_id)).values():
        if held.state == "DELETED":
            continue
        shown = rights.shown(tx, caller, held)
        if shown is not None and (shown.whole or managed_id in managed_in(shown.vcalendar())):
            return True
    return False


# --- upkeep ---


def collect(held: Store, now: int, until: int) -> int:
    """Remove attachments that nothing refers to, nor any past that is kept.

    An attachment that lost its last object is kept as long as the past may bring that object back: `until` is
    the time before which the past was forgotten.

    Args:
        held: the store.
        now: seconds UTC.
        until: seconds UTC.

    Returns:
        How many were removed.
    """

    def work(tx: Tx) -> int:
        store.note_use(tx, now)
        return store.remove_unused(tx, until)

    return held.write(work)


def findings(held: Store) -> list[Finding]:
    """What is wrong with the attachments of a store, for `kalends check`; every octet is read."""
    lost, idle = held.read(store.orphans)
    found: list[Finding] = []
    if lost:
        found.append(Finding("attachment-lost", "attachments", f"{lost} attachments have no content"))
    if idle:
        found.append(Finding("orphan", "attachments", f"{idle} contents belong to no attachment"))
    for key, size in held.read(lambda tx: list(store.hashes(tx))):
        data = held.read(lambda tx, key=key: store.octets(tx, key))  # type: ignore[misc]
        if data is not None and (len(data) != size or hashlib.sha256(data).hexdigest() != key):
            found.append(
                Finding("attachment-damaged", f"content {key[:16]}", "its octets are not what was kept")
            )
    return found


def refuse_attendee(whole: Component, kind: str, addresses: frozenset[str]) -> None:
    """Refuse attendees who would add, change or remove an attachment: that is the organizer's.

    Raises:
        DeniedError: somebody else is the organizer.

    Source: RFC 8607 §3.12.2.
    """
    for part in whole.children(kind):
        organizer = part.value("ORGANIZER")
        if organizer is not None and normal_address(organizer) not in addresses:
            raise DeniedError("only the organizer adds, changes or removes attachments")
