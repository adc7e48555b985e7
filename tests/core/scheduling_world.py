"""People who invite one another, and the readable scripts that say what each of them then has.

A script is a text file. `#` begins a remark; a line `> verb argument…` begins a step, and the lines below it belong
to it:

    > alias WHO ADDRESS         WHO has this address too
    > put WHO UID [ERROR]       WHO's CalDAV client stores this component (or several) as UID.ics
    > edit WHO UID [ERROR]      it stores what it reads, each `old => new` replaced
    > delete WHO UID [silently] it deletes it; silently: Schedule-Reply: F
    > undo WHO UID [ERROR]      the last change of it in WHO's calendar is taken back
    > restore WHO UID           it is taken out of the trash
    > past WHO METHOD ACTION    what the history of WHO's calendar says of the newest message
    > leave WHO                 an administrator removes WHO with their calendars
    > has WHO UID               the object has these lines; `! text` stands nowhere in it; `nothing`: there is none
    > inbox WHO                 METHOD UID of each message, oldest first; emptied afterwards
    > message WHO               the newest message has these lines (looked at before `inbox`)
    > tag WHO UID same|changed  how the Schedule-Tag is since the last look
    > send FROM WHO METHOD      FROM deposits this component in WHO's calendar, over CAP
    > jobs                      `METHOD address` of each message handed to the mail
    > mail METHOD ADDRESS       the newest mail of that kind to somebody has these lines (looked at without `jobs`)
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from core_world import NOW, POLICY, World, lines

from kalends.core import errors, ledger, scheduling
from kalends.core.errors import KalendsError
from kalends.core.model import Caller, Policy, Target
from kalends.core.past.history import entries
from kalends.core.past.trash import restore
from kalends.core.past.undoing import undo
from kalends.core.people import identity
from kalends.core.people.addresses import add_address
from kalends.ical.folds import unfold
from kalends.ical.tree import Component, Line, parse
from kalends.store import calendars, jobs, objects, principals
from kalends.store.base import Store
from kalends.store.objects import ObjectRow

PEOPLE = ("cyrus", "lisa", "wilfredo")
ROOMS = ("room", "beamer")


class Village(World):
    """Bill, Mary, Cyrus, Lisa and Wilfredo, a room and a beamer, each with a calendar."""

    def __init__(self, store: Store, policy: Policy = POLICY) -> None:
        super().__init__(store, policy)
        for name in PEOPLE:
            store.write(lambda tx, name=name: identity.add_user(tx, policy, name, now=NOW))
        for name in ROOMS:
            store.write(lambda tx, name=name: identity.add_user(tx, policy, name, now=NOW, kind="room"))
        self.clock = NOW
        self.tags: dict[tuple[str, str], str | None] = {}

    def who(self, name: str) -> Caller:
        self.clock += 1
        return self.caller(name, via="dav", now=self.clock)

    def place(self, name: str) -> Target:
        def find(tx: object) -> Target:
            row = principals.by_upn(tx, f"{name}@example.com")  # type: ignore[arg-type]
            assert row is not None
            person = scheduling.People(tx).at(f"mailto:{name}@example.com")  # type: ignore[arg-type]
            assert person is not None
            calendar_id = scheduling.default_calendar(tx, person)  # type: ignore[arg-type]
            assert calendar_id is not None
            calendar = calendars.by_id(tx, calendar_id)  # type: ignore[arg-type]
            assert calendar is not None
            return Target(calendar.calid, calendar.id, calendar.calid)

        return self.store.read(find)

    def row(self, name: str, uid: str) -> ObjectRow | None:
        place = self.place(name).calendar_id
        found = self.store.read(lambda tx: objects.by_uid(tx, place, uid, "BOOKED"))
        return found[0] if found else None

    def text(self, name: str, uid: str) -> str:  # type: ignore[override]
        row = self.row(name, uid)
        return "" if row is None else row.ics.decode()

    def put(self, name: str, uid: str, text: str, **changes: object) -> ObjectRow:
        """Store a text as a CalDAV client would."""
        tree = parse(text)
        had = self.row(name, uid)
        file = f"{uid}.ics" if had is None else had.name
        who = replace(self.who(name), **changes)
        place = self.place(name)
        return self.store.write(
            lambda tx: ledger.put_object(tx, who, place, file, tree, check=lambda row: None)
        )

    def remove(self, name: str, uid: str, *, silently: bool = False) -> None:
        row = self.row(name, uid)
        assert row is not None, f"{name} has no {uid}"
        who = replace(self.who(name), schedule_reply=not silently)
        place = self.place(name)
        self.store.write(lambda tx: ledger.delete_object(tx, who, place, row.name, check=lambda row: None))

    def undo(self, name: str, uid: str) -> None:
        """Take the last change of an object back, as an administrator does."""
        who, place = replace(self.caller("root"), via="cli", now=self.clock), self.place(name)
        self.store.write(lambda tx: undo(tx, who, place, uid=uid))

    def restore(self, name: str, uid: str) -> None:
        """Take an object out of the trash, as an administrator does."""
        who, place = replace(self.caller("root"), via="cli", now=self.clock), self.place(name)
        self.store.write(lambda tx: restore(tx, who, place, uid))

    def inbox(self, name: str) -> list[ObjectRow]:
        def find(tx: object) -> list[ObjectRow]:
            row = principals.by_upn(tx, f"{name}@example.com")  # type: ignore[arg-type]
            assert row is not None
            return scheduling.inbox(tx, row.id)  # type: ignore[arg-type]

        return self.store.read(find)

    def empty_inbox(self, name: str) -> None:
        query = "SELECT * FROM {} WHERE STATE() = 'UNPROCESSED'"
        place = self.place(name)
        for kind in ("VEVENT", "VTODO"):
            self.delete(query.format(kind), place, self.caller("root"))

    def send(self, name: str, to: str, method: str, text: str) -> None:
        """Deposit a message, with the right to do so."""
        who = self.caller(name, via="cap", now=self.clock)
        who = replace(who, identity=replace(who.identity, admin=True))
        tree = parse(wrapped(text, method))
        place = self.place(to)
        for receipt in self.store.write(lambda tx: ledger.create(tx, who, place, tree)):
            if receipt.error is not None:
                raise receipt.error

    def jobs(self) -> list[dict[str, str]]:
        found = self.store.write(lambda tx: jobs.due(tx, self.clock + 10, limit=100))
        return [json.loads(job.payload) for job in found if job.kind == "imip"]


def wrapped(body: str, method: str | None = None) -> str:
    """A VCALENDAR around components, with the lines left out that are the same in all of them."""
    head = f"METHOD:{method}\n" if method else ""
    tree = parse(lines(f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//CUA//EN\n{head}{body}\nEND:VCALENDAR"))
    for part in tree.components:
        if part.name in ("VEVENT", "VTODO") and part.first("DTSTAMP") is None:
            part.items.insert(0, Line.make("DTSTAMP", "20260101T000000Z"))
    return tree.to_ics()


def unfolded(text: str) -> list[str]:
    """The lines of a text, unfolded, without time zones."""
    tree = parse(text)
    return [unfold(line.raw).rstrip("\r\n") for part in _walk(tree) for line in part.lines]


def _walk(part: Component) -> list[Component]:
    return [part, *(inner for one in part.components if one.name != "VTIMEZONE" for inner in _walk(one))]


# --- scripts ---


class Script:
    """A script being played."""

    def __init__(self, path: Path, village: Village) -> None:
        self.path, self.village = path, village
        self.mails: list[dict[str, str]] = []

    def play(self) -> int:
        """Play all steps; returns how many there were."""
        steps: list[tuple[int, list[str], list[str]]] = []
        for number, line in enumerate(self.path.read_text(encoding="utf-8").splitlines(), 1):
            if line.startswith("> "):
                steps.append((number, line[2:].split(), []))
            elif line.strip() and not line.lstrip().startswith("#"):
                steps[-1][2].append(line.strip())
        for number, (verb, *arguments), body in steps:
            try:
                getattr(self, f"do_{verb}")(body, *arguments)
            except AssertionError as error:
                raise AssertionError(f"{self.path.name}:{number}: {verb} {arguments}: {error}") from error
            except KalendsError as error:
                raise AssertionError(
                    f"{self.path.name}:{number}: {verb}: {type(error).__name__}: {error.reason}"
                ) from error
        return len(steps)

    def _put(self, who: str, uid: str, text: str, refusal: str | None) -> None:
        if refusal is None:
            self.village.put(who, uid, text)
            return
        before = self.village.text(who, uid)
        with pytest.raises(getattr(errors, refusal)):
            self.village.put(who, uid, text)
        assert self.village.text(who, uid) == before

    def do_put(self, body: list[str], who: str, uid: str, refusal: str | None = None) -> None:
        self._put(who, uid, wrapped("\n".join(body)), refusal)

    def do_alias(self, body: list[str], who: str, address: str) -> None:
        self.village.store.write(lambda tx: add_address(tx, f"{who}@example.com", address))

    def do_edit(self, body: list[str], who: str, uid: str, refusal: str | None = None) -> None:
        text = "\r\n".join(unfold_all(self.village.text(who, uid)))
        for line in body:
            old, _, new = (part.strip() for part in line.partition("=>"))
            assert old in text, f"{old!r} is not in\n{text}"
            text = text.replace(old, new.replace("\\n", "\r\n"))
        text = "\r\n".join(one for one in text.split("\r\n") if one) + "\r\n"
        self._put(who, uid, text, refusal)

    def do_delete(self, body: list[str], who: str, uid: str, how: str = "") -> None:
        self.village.remove(who, uid, silently=how == "silently")

    def do_undo(self, body: list[str], who: str, uid: str, refusal: str | None = None) -> None:
        self.village.clock += 1
        if refusal is None:
            self.village.undo(who, uid)
            return
        before = self.village.text(who, uid)
        with pytest.raises(getattr(errors, refusal)):
            self.village.undo(who, uid)
        assert self.village.text(who, uid) == before

    def do_restore(self, body: list[str], who: str, uid: str) -> None:
        self.village.clock += 1
        self.village.restore(who, uid)

    def do_past(self, body: list[str], who: str, method: str, action: str) -> None:
        village, place = self.village, self.village.place(who)
        newest = next(row for row in reversed(village.inbox(who)) if row.method == method)
        told = village.store.read(lambda tx: entries(tx, village.caller("root"), place, uid=newest.uid))
        assert action in [one.action for one in told if one.tick == newest.tick], told

    def do_leave(self, body: list[str], who: str) -> None:
        upn, village = f"{who}@example.com", self.village
        village.store.write(
            lambda tx: identity.remove_user(
                tx, upn, now=village.clock, with_calendars=True, policy=village.policy
            )
        )

    def do_has(self, body: list[str], who: str, uid: str) -> None:
        text = self.village.text(who, uid)
        if body == ["nothing"]:
            assert not text, text
            return
        assert text, "there is none"
        self._expect(text, body)

    def _expect(self, text: str, body: list[str]) -> None:
        held = unfolded(text)
        shown = "\n".join(held)
        for line in body:
            if line.startswith("! "):
                assert line[2:] not in shown, f"{line[2:]!r} stands in\n{shown}"
            elif " x " in line[:4]:
                count, _, wanted = line.partition(" x ")
                assert held.count(wanted) == int(count), f"{wanted!r} {held.count(wanted)} times in\n{shown}"
            else:
                assert line in held, f"{line!r} is missing in\n{shown}"

    def do_inbox(self, body: list[str], who: str) -> None:
        found = [f"{row.method} {row.uid}" for row in self.village.inbox(who)]
        assert found == body, found
        self.village.empty_inbox(who)

    def do_message(self, body: list[str], who: str) -> None:
        found = self.village.inbox(who)
        assert found, "the inbox is empty"
        self._expect(found[-1].ics.decode(), body)

    def do_tag(self, body: list[str], who: str, uid: str, how: str) -> None:
        row = self.village.row(who, uid)
        assert row is not None
        before = self.village.tags.get((who, uid))
        self.village.tags[who, uid] = row.schedule_tag
        assert row.schedule_tag is not None
        assert (row.schedule_tag == before) == (how == "same"), f"{before} -> {row.schedule_tag}"

    def do_send(self, body: list[str], who: str, to: str, method: str) -> None:
        self.village.send(who, to, method, "\n".join(body))

    def do_jobs(self, body: list[str]) -> None:
        found = [f"{job['method']} {job['to']}" for job in self.village.jobs()]
        assert found == body, found

    def do_mail(self, body: list[str], method: str, to: str) -> None:
        self.mails += self.village.jobs()
        found = [job["ics"] for job in self.mails if (job["method"], job["to"]) == (method, to)]
        assert found, [f"{job['method']} {job['to']}" for job in self.mails]
        self._expect(found[-1], body)


def unfold_all(text: str) -> list[str]:
    return unfold(text).splitlines()
