"""A store with people in it, and short ways to speak to core."""

from __future__ import annotations

from dataclasses import replace

from kalends.calquery.parse import parse as parse_query
from kalends.core import containers, contents, ledger, search
from kalends.core.access import rights
from kalends.core.access.presets import preset
from kalends.core.guard import guard
from kalends.core.model import Answer, Caller, Policy, Receipt, Selection, Target
from kalends.core.people import identity
from kalends.ical.tree import Component, Line, parse
from kalends.store.base import Store

NOW = 1_767_225_600  # 2026-01-01T00:00:00Z
POLICY = Policy(csid="cal.example.com", realm="example.com", default_tz="Europe/Berlin")
STORE = Target("cap://cal.example.com", 0, "")


class World:
    """Bill and Mary with their calendars, and Root, who may do everything."""

    def __init__(self, store: Store, policy: Policy = POLICY) -> None:
        self.store = store
        self.policy = policy
        store.write(lambda tx: containers.ensure_store(tx, policy, NOW))
        for name in ("bill", "mary", "root"):
            store.write(
                lambda tx, name=name: identity.add_user(tx, policy, name, now=NOW, admin=name == "root")
            )
        self.bill, self.mary, self.root = (self.caller(name) for name in ("bill", "mary", "root"))
        self.calendar = self.target("bill/calendar")
        self.marys = self.target("mary/calendar", self.mary)

    def caller(self, name: str, **changes: object) -> Caller:
        who = self.store.read(lambda tx: identity.identify(tx, f"{name}@example.com"))
        assert who is not None
        return replace(Caller(who, "cap", NOW, self.policy), **changes)

    def target(self, given: str, caller: Caller | None = None) -> Target:
        return self.store.read(lambda tx: containers.resolve(tx, caller or self.bill, given))

    def create(
        self, text: str | Component, target: Target | None = None, caller: Caller | None = None
    ) -> list[Receipt]:
        tree = parse(text) if isinstance(text, str) else text
        with guard():
            return self.store.write(
                lambda tx: ledger.create(tx, caller or self.bill, target or self.calendar, tree)
            )

    def answer(
        self,
        query: str,
        target: Target | None = None,
        caller: Caller | None = None,
        *,
        expand: bool = False,
    ) -> Answer:
        chosen = selection(query, expand=expand)
        (found,) = self.store.read(
            lambda tx: search.search(tx, caller or self.bill, target or self.calendar, [chosen])
        )
        return found

    def find(
        self,
        query: str,
        target: Target | None = None,
        caller: Caller | None = None,
        *,
        expand: bool = False,
    ) -> list[Component]:
        """The components a query selects."""
        found = self.answer(query, target, caller, expand=expand).found
        return [item for one in found for item in one.items if isinstance(item, Component)]

    def text(self, query: str, target: Target | None = None, caller: Caller | None = None) -> str:
        """The one component a query selects, as text."""
        (found,) = self.find(query, target, caller)
        return found.to_ics()

    def lock_out(self, target: Target, owner: Caller) -> None:
        """Take back every right in a calendar but its owners', so that it is there for nobody else."""
        for carid in ("READBUSYTIMEINFO", "REQUESTONLY", "UPDATEPARTSTATUS"):
            self.delete(f"SELECT * FROM VCAR WHERE CARID = '{carid}'", target, owner)

    def uids(self, query: str, target: Target | None = None, caller: Caller | None = None) -> list[str]:
        return sorted(one.value("UID") or "" for one in self.find(query, target, caller))

    def delete(
        self,
        query: str,
        target: Target | None = None,
        caller: Caller | None = None,
        *,
        mark: bool = False,
        expand: bool = False,
    ) -> list[Receipt]:
        chosen = selection(query, expand=expand)
        return self.store.write(
            lambda tx: ledger.delete(tx, caller or self.bill, target or self.calendar, [chosen], mark=mark)
        )

    def modify(
        self,
        query: str,
        old: str,
        new: str,
        target: Target | None = None,
        caller: Caller | None = None,
        *,
        kind: str = "VEVENT",
        expand: bool = False,
    ) -> list[Receipt]:
        chosen = selection(query, expand=expand)
        (receipts,) = self.store.write(
            lambda tx: ledger.modify(
                tx,
                caller or self.bill,
                [target or self.calendar],
                chosen,
                component(kind, old),
                component(kind, new),
            )
        )
        return receipts

    def move(
        self,
        query: str,
        to: str,
        source: str | None = None,
        caller: Caller | None = None,
        *,
        expand: bool = False,
    ) -> list[Receipt]:
        who = caller or self.bill
        chosen = replace(selection(query, expand=expand), container=source)
        return self.store.write(
            lambda tx: ledger.move(tx, who, containers.destination(tx, who, to), [chosen])
        )

    def export(self, target: Target | None = None) -> str:
        place = (target or self.calendar).calendar_id
        return self.store.read(
            lambda tx: "".join(contents.one_text(tx, place, rights.sight(tx, self.bill, place)))
        )


def selection(query: str, *, expand: bool = False) -> Selection:
    return Selection((parse_query(query),), expand=expand)


def lines(text: str) -> str:
    """Lines of a test with the line ends of the wire."""
    return "".join(f"{line.strip()}\r\n" for line in text.strip().splitlines() if line.strip())


def component(kind: str, body: str) -> Component:
    return parse(f"BEGIN:{kind}\r\n{lines(body)}END:{kind}\r\n")


def calendar(*bodies: str, method: str | None = None) -> str:
    """A VCALENDAR with a command's lines, to be created."""
    head = f"METHOD:{method}\n" if method else ""
    return lines(
        "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//CUA//EN\nCMD:CREATE\nTARGET:x\n"
        + head
        + "\n".join(bodies)
        + "\nEND:VCALENDAR"
    )


def event(uid: str, *more: str, start: str = "DTSTART:20260310T090000Z", kind: str = "VEVENT") -> str:
    """A VEVENT of an hour."""
    extra = "\n".join(more)
    return f"BEGIN:{kind}\nUID:{uid}\nDTSTAMP:20260101T000000Z\n{start}\nDURATION:PT1H\n{extra}\nEND:{kind}"


def todo(uid: str, *more: str) -> str:
    extra = "\n".join(more)
    return f"BEGIN:VTODO\nUID:{uid}\nDTSTAMP:20260101T000000Z\n{extra}\nEND:VTODO"


def errors(receipts: list[Receipt]) -> list[str]:
    """The refusals among receipts, by class; '' for a success."""
    return [type(one.error).__name__ if one.error else "" for one in receipts]


def raw_lines(found: Component) -> list[str]:
    return [item.raw for item in found.items if isinstance(item, Line)]


def preset_text(name: str, upn: str) -> str:
    """A preset as the text of a VCALENDAR, to be created in a calendar."""
    whole = Component("VCALENDAR")
    whole.add("VERSION", "2.0")
    whole.add("PRODID", "-//Test//EN")
    whole.items.append(preset(name, upn))
    return parse(whole.to_bytes()).to_ics()
