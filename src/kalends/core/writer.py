"""The hand that writes: lock the calendars, write the text, derive its rows, log the change."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from kalends.core.conflicts import conflict
from kalends.core.errors import DuplicateError, NotFoundError
from kalends.core.model import Caller, State
from kalends.core.outside import digest, etag_of
from kalends.ical.tree import Component, parse
from kalends.store import calendars, changes, history, ids, index, objects
from kalends.store import errors as store
from kalends.store.base import Tx
from kalends.store.changes import ChangeRow, Op
from kalends.store.objects import ObjectRow

HORIZON = 2 * 366 * 86_400
"""Seconds from now for which instances are kept as rows; later ones are expanded when somebody asks."""
_OPS: dict[str, Op] = {"VAGENDA": "props", "VCALSTORE": "props", "VCAR": "rights"}


class Writer:
    """Writes to calendars that it locked, with one tick for all it does to each of them.

    Args:
        tx: a write transaction.
        caller: who acts, through which face, when.
        calendar_ids: every calendar that will be touched; they are locked in ascending order.

    Attributes:
        ticks: the tick of this transaction in each calendar.
        held: calendars that are locked, whether or not they were written to.
        undoes: for each calendar the tick of the change that is being taken back; empty for a new change.

    Raises:
        NotFoundError: one of the calendars is gone.
    """

    def __init__(self, tx: Tx, caller: Caller, calendar_ids: Iterable[int]) -> None:
        self.tx = tx
        self.caller = caller
        self.undoes: Mapping[int, int] = {}
        wanted = set(calendar_ids)
        self.ticks = calendars.bump(tx, wanted)
        self.held = {*wanted, *caller.held}
        if len(self.ticks) != len(wanted):
            raise NotFoundError("no such calendar or store")

    def insert(
        self,
        calendar_id: int,
        vcalendar: Component,
        *,
        kind: str,
        uid: str,
        state: State = "BOOKED",
        method: str | None = None,
        name: str | None = None,
        known: int | None = None,
        schedule_tag: str | None = None,
    ) -> ObjectRow:
        """Add an object.

        Args:
            calendar_id: a locked calendar.
            vcalendar: the whole text; its octets are kept.
            kind: component name.
            uid: its identifier, unescaped.
            state: BOOKED, UNPROCESSED or DELETED.
            method: METHOD of an iTIP object.
            name: the name a DAV client chose; None makes one.
            known: the id of an object that was removed and comes back; None makes a new one.
            schedule_tag: its Schedule-Tag (RFC 6638 §3.2.10).

        Raises:
            DuplicateError: the identifier, or the name, is taken.
            ConflictError, TooComplexError: the time is taken, or may be.
        """
        now = self.caller.now
        new = ids.new_id(now) if known is None else known
        data = vcalendar.to_bytes()
        derived = self._derived(vcalendar, kind)
        try:
            row = objects.insert(
                self.tx, id=new, calendar_id=calendar_id, name=name or f"{new:x}.ics", uid=uid, kind=kind,
                state=state, method=method, ics=data, etag=etag_of(data, vcalendar),
                tick=self.ticks[calendar_id], now=now, changed_by=self.caller.identity.principal_id,
                span=derived.span, schedule_tag=schedule_tag,
            )  # fmt: skip
            index.put_rows(self.tx, row, derived, fresh=True)
            if calendar_id in self.undoes:
                self._keep_arrival(row.id, calendar_id)
            self.log(row, calendar_id, _OPS.get(kind, "put"))
            self.tx.flush()
        except store.DuplicateError as error:
            raise DuplicateError(_taken(error, kind)) from error
        conflict.check(self.tx, self.caller, row, vcalendar)
        return row

    def update(
        self,
        row: ObjectRow,
        vcalendar: Component,
        *,
        kind: str | None = None,
        uid: str | None = None,
        schedule_tag: str | None = None,
    ) -> ObjectRow:
        """Replace an object's text.

        Args:
            row: the object as it was.
            vcalendar: its new text.
            kind: the new kind, when it changed.
            uid: the new identifier, when it changed.
            schedule_tag: the new Schedule-Tag; None leaves it.

        Raises:
            DuplicateError: the new identifier is taken.
            ConflictError, TooComplexError: the time is taken, or may be.
        """
        data = vcalendar.to_bytes()
        before = row.ics
        derived = self._derived(vcalendar, kind or row.kind)
        try:
            self._keep(row)
            row = objects.update_text(
                self.tx, row, ics=data, etag=etag_of(data, vcalendar), tick=self.ticks[row.calendar_id],
                now=self.caller.now, changed_by=self.caller.identity.principal_id, kind=kind, uid=uid,
                schedule_tag=schedule_tag,
                span=derived.span,
            )  # fmt: skip
            index.put_rows(self.tx, row, derived)
            self.log(row, row.calendar_id, _OPS.get(row.kind, "put"))
            self.tx.flush()
        except store.DuplicateError as error:
            raise DuplicateError(_taken(error, kind or row.kind)) from error
        conflict.check(self.tx, self.caller, row, vcalendar, before=before)
        return row

    def remove(self, row: ObjectRow) -> None:
        """Remove an object; its last state is kept in the past."""
        self._keep(row)
        objects.remove(self.tx, row.id)
        self.log(row, row.calendar_id, "rights" if row.kind == "VCAR" else "remove")

    def forget(self, row: ObjectRow) -> None:
        """Remove an object for good: nothing of it is kept."""
        objects.remove(self.tx, row.id)
        self.log(row, row.calendar_id, "rights" if row.kind == "VCAR" else "remove")

    def mark(self, row: ObjectRow) -> None:
        """Put an object in state DELETED."""
        self.set_state(row, "DELETED")

    def set_state(self, row: ObjectRow, state: State) -> None:
        """Give an object another state.

        Raises:
            DuplicateError: it would be booked, and the identifier, or the name, is taken.
            ConflictError, TooComplexError: it would be booked, and the time is taken, or may be.
        """
        self._keep(row)
        try:
            objects.set_state(
                self.tx, row.id, state, tick=self.ticks[row.calendar_id], now=self.caller.now,
                method=row.method, changed_by=self.caller.identity.principal_id,
            )  # fmt: skip
        except store.DuplicateError as error:
            raise DuplicateError(_taken(error, row.kind)) from error
        if state == "BOOKED":
            conflict.check(self.tx, self.caller, replace(row, state=state), parse(row.ics))
        self.log(row, row.calendar_id, "rights" if row.kind == "VCAR" else "state")

    def rename(self, row: ObjectRow, name: str) -> None:
        """Give an object another name in its calendar; its text stays as it is.

        Raises:
            DuplicateError: the name is taken.
        """
        self._keep(row)
        try:
            objects.move(
                self.tx, row.id, row.calendar_id, name=name, tick=self.ticks[row.calendar_id],
                now=self.caller.now, changed_by=self.caller.identity.principal_id,
                schedule_tag=_moved_tag(row, row.calendar_id, name),
            )  # fmt: skip
        except store.DuplicateError as error:
            raise DuplicateError(_taken(error, row.kind)) from error
        self.log(replace(row, name=name), row.calendar_id, "put")

    def move(self, row: ObjectRow, calendar_id: int, *, name: str | None = None) -> None:
        """Put an object into another locked calendar.

        Args:
            row: the object.
            calendar_id: where it goes.
            name: its name there; None for the one it has.

        Raises:
            DuplicateError: its identifier is taken there.
            ConflictError, TooComplexError: the time is taken, or may be.
        """
        self._keep(row, other_id=calendar_id)
        try:
            objects.move(
                self.tx, row.id, calendar_id, name=name or row.name, tick=self.ticks[calendar_id],
                now=self.caller.now, changed_by=self.caller.identity.principal_id,
                schedule_tag=_moved_tag(row, calendar_id, name or row.name),
            )  # fmt: skip
        except store.DuplicateError as error:
            raise DuplicateError(_taken(error, row.kind)) from error
        moved = objects.get(self.tx, row.id)
        if moved is not None:
            conflict.check(self.tx, self.caller, moved, parse(moved.ics))
        self._keep_arrival(row.id, calendar_id, other_id=row.calendar_id)
        self.log(row, row.calendar_id, "move-out")
        self.log(row if name is None else replace(row, name=name), calendar_id, "move-in")

    def _derived(self, vcalendar: Component, kind: str) -> index.Derived:
        limit = self.caller.policy.recur_limit
        return index.derive(vcalendar, kind, horizon=self.caller.now + HORIZON, recur_limit=limit)

    def _keep(self, row: ObjectRow, *, other_id: int | None = None) -> None:
        """Keep what an object was before this transaction: in the middle of one is no past."""
        tick = self.ticks[row.calendar_id]
        if row.tick != tick:
            undoes = self.undoes.get(row.calendar_id)
            history.keep(
                self.tx, row, tick=tick, now=self.caller.now, undoes=undoes, other=self._at(other_id)
            )

    def _keep_arrival(self, object_id: int, calendar_id: int, *, other_id: int | None = None) -> None:
        history.keep_arrival(
            self.tx, calendar_id, object_id, tick=self.ticks[calendar_id], now=self.caller.now,
            undoes=self.undoes.get(calendar_id), other=self._at(other_id),
        )  # fmt: skip

    def _at(self, calendar_id: int | None) -> tuple[int, int] | None:
        return None if calendar_id is None else (calendar_id, self.ticks[calendar_id])

    def lock(self, calendar_id: int) -> None:
        """Lock one more calendar and count its change: one that this transaction made or holds already."""
        self.ticks.update(calendars.bump(self.tx, (calendar_id,)))
        self.held.add(calendar_id)

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """A savepoint that takes back what was locked and counted in it, too, when it fails."""
        ticks, held = dict(self.ticks), set(self.held)
        try:
            with self.tx.savepoint():
                yield
        except BaseException:
            self.ticks, self.held = ticks, held
            raise

    def log(self, row: ObjectRow, calendar_id: int, op: Op) -> None:
        """Append to the change log of a locked calendar."""
        tick, who = self.ticks[calendar_id], self.caller.identity
        changes.append(
            self.tx,
            ChangeRow(
                calendar_id, tick, row.id, row.name, row.uid, row.kind, op,
                who.principal_id, self.caller.via, self.caller.now, who.behind,
            ),
        )  # fmt: skip
        if row.kind == "VCAR":
            calendars.set_rights_tick(self.tx, calendar_id, tick)


def _moved_tag(row: ObjectRow, calendar_id: int, name: str) -> str | None:
    """The Schedule-Tag of an object that was moved: another one (RFC 6638 §3.2.10)."""
    if row.schedule_tag is None:
        return None
    return digest(f"{row.schedule_tag} {calendar_id}/{name}".encode())


def _taken(error: store.DuplicateError, kind: str) -> str:
    if isinstance(error, store.DuplicateNameError):
        return "the name is taken in this calendar"
    return f"the identifier of this {kind} is taken in this calendar"
