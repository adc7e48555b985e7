"""Taking a file in: cut into objects, stored in batches, with a word on every object."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kalends.ical.errors import ICalError
from kalends.ical.line_numbers import numbered
from kalends.ical.tree import Component, Line, parse_all

if TYPE_CHECKING:
    from kalends.cli.offline import Office
    from kalends.core.errors import KalendsError
    from kalends.core.model import Receipt
    from kalends.store.base import Tx

BATCH = 200
"""Objects in one transaction: few enough that a running server waits no more than a blink for its turn."""
_COMPUTED = "busy times are computed from what is in the calendar, and not kept"


@dataclass(frozen=True, slots=True)
class Entry:
    """What became of one object: its kind, its UID, the line of the file it begins on, why it was refused."""

    kind: str
    uid: str
    line: int
    reason: str = ""


@dataclass(slots=True)
class Report:
    """What became of one file.

    Attributes:
        name: of the file. objects: how many are in it. taken, refused: one entry each.
        error: why the file as a whole could not be read; '' if it could.
    """

    name: str
    objects: int = 0
    taken: list[Entry] = field(default_factory=list)
    refused: list[Entry] = field(default_factory=list)
    error: str = ""

    def as_data(self) -> dict[str, object]:
        """For --json."""
        return {
            "file": self.name,
            "objects": self.objects,
            "imported": len(self.taken),
            "error": self.error or None,
            "refused": [
                {"kind": one.kind, "uid": one.uid, "line": one.line, "reason": one.reason}
                for one in self.refused
            ],
        }


class Origin:
    """Where in the file things stand; lines are counted only when something is refused."""

    def __init__(self, root: Component) -> None:
        self._root = root
        self._numbers: dict[int, int] | None = None

    def number(self, item: Component | Line) -> int:
        """The line of the file on which a component or content line begins; 0 for what is not from it."""
        if self._numbers is None:
            self._numbers = {id(line or inner): number for number, inner, line in numbered(self._root)}
        return self._numbers.get(id(item), 0)


@dataclass(frozen=True, slots=True)
class Piece:
    """One object of the file: the components of one UID, the VCALENDAR they stood in, where they stood."""

    uid: str
    components: tuple[Component, ...]
    calendar: Component
    origin: Origin

    @property
    def is_busy_time(self) -> bool:
        """Whether it is a VFREEBUSY, which the store would take without keeping it (RFC 4324 §10.12.1)."""
        return all(component.name == "VFREEBUSY" for component in self.components)

    def entry(self, reason: str = "") -> Entry:
        """What a report says of it."""
        first = self.components[0]
        return Entry(first.name, self.uid, self.origin.number(first) if reason else 0, reason)


def read_file(name: str, octets: bytes) -> tuple[Report, list[list[Piece]]]:
    """Cut a file into objects.

    Args:
        name: for the report.
        octets: the file.

    Returns:
        The report, so far with the number of objects or the error, and the objects in batches; each batch
        comes from one VCALENDAR.
    """
    report = Report(name)
    try:
        roots = parse_all(octets)
    except ICalError as error:
        report.error = str(error)
        return report, []
    batches = [batch for root in roots for batch in _batches(root)]
    report.objects = sum(len(batch) for batch in batches)
    if not roots:
        report.error = "no iCalendar object in it"
    return report, batches


def _batches(root: Component) -> Iterator[list[Piece]]:
    calendar = root if root.name == "VCALENDAR" else Component("VCALENDAR", [root])
    groups: dict[str, list[Component]] = {}
    for number, component in enumerate(calendar.components):
        if component.name != "VTIMEZONE":
            uid = component.value("UID")
            groups.setdefault(uid if uid is not None else f"\0{number}", []).append(component)
    origin = Origin(root)
    pieces = [
        Piece("" if uid[:1] == "\0" else uid, tuple(found), calendar, origin) for uid, found in groups.items()
    ]
    for at in range(0, len(pieces), BATCH):
        yield pieces[at : at + BATCH]


class _Undone(Exception):  # noqa: N818  no error: it makes a dry run leave no trace
    """Carries the receipts out of a transaction that is rolled back on purpose."""

    def __init__(self, receipts: list[Receipt]) -> None:
        self.receipts = receipts


def take_in(
    at: Office,
    calid: str,
    report: Report,
    batches: list[list[Piece]],
    *,
    dry_run: bool,
    told: Callable[[int, int], None],
) -> None:
    """Store the objects, batch by batch.

    Args:
        at: the opened store.
        calid: the calendar.
        report: completed here.
        batches: what `read_file` returned.
        dry_run: undo every batch; objects are then judged one batch at a time.
        told: called with (objects done, objects in all).
    """
    done = 0
    for batch in batches:
        kept = [piece for piece in batch if not piece.is_busy_time]
        reasons = dict(zip(map(id, kept), _store(at, calid, kept, dry_run) if kept else (), strict=True))
        for piece in batch:
            reason = reasons.get(id(piece), _COMPUTED)
            if reason is None:
                report.taken.append(piece.entry())
            else:
                report.refused.append(piece.entry(reason))
        done += len(batch)
        told(done, report.objects)


def _store(at: Office, calid: str, batch: list[Piece], dry_run: bool) -> list[str | None]:
    """Store a batch in one transaction; for each object None, or why it was refused."""
    from kalends.core.errors import KalendsError

    calendar = _joined(batch)
    try:
        receipts = _import(at, calid, calendar, dry_run)
    except KalendsError as error:
        if len(batch) == 1:
            return [_reason(error, calendar, batch[0].origin)]
        return [_store(at, calid, [piece], dry_run)[0] for piece in batch]  # one of them spoils it all
    reasons: list[str | None] = []
    position = 0
    for piece in batch:
        mine = receipts[position : position + len(piece.components)]
        position += len(piece.components)
        wrong = next((receipt.error for receipt in mine if receipt.error is not None), None)
        reasons.append(None if wrong is None else _reason(wrong, calendar, piece.origin))
    return reasons


def _import(at: Office, calid: str, calendar: Component, dry_run: bool) -> list[Receipt]:
    from kalends.core import ledger
    from kalends.core.containers import resolve

    def work(tx: Tx) -> list[Receipt]:
        receipts = ledger.import_objects(tx, at.caller, resolve(tx, at.caller, calid), calendar)
        if dry_run:
            raise _Undone(receipts)
        return receipts

    try:
        return at.write(work)
    except _Undone as undone:
        return undone.receipts


def _joined(batch: list[Piece]) -> Component:
    """A VCALENDAR with the objects of a batch, and all time zones of the one they stood in."""
    whole = batch[0].calendar
    shared: list[Line | Component] = [
        item for item in whole.items if isinstance(item, Line) or item.name == "VTIMEZONE"
    ]
    return Component("VCALENDAR", [*shared, *(one for piece in batch for one in piece.components)])


def _reason(error: KalendsError, calendar: Component, origin: Origin) -> str:
    """Why something was refused; the line named is that of the file, not that of the batch."""
    at = getattr(error, "line", 0)
    item = next((line or inner for number, inner, line in numbered(calendar) if number == at), None)
    number = origin.number(item) if item is not None and at else 0
    return f"{error.reason} (line {number})" if number else error.reason
