"""Whatever an organizer and the attendees do, they agree afterwards (RFC 6638 §3.2)."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import hypothesis.strategies as st
from hypothesis import given, settings
from scheduling_world import Village, wrapped

from kalends.core.errors import KalendsError
from kalends.core.scheduling import changes, facts, parties, views
from kalends.core.scheduling.instances import excluded, made, parts
from kalends.ical.tree import Component, Line, parse
from kalends.store import maintenance
from kalends.store.open import open_store

GUESTS = ("mary", "cyrus", "lisa")
ANSWERS = ("ACCEPTED", "DECLINED", "TENTATIVE")
DAYS = ("20260302", "20260303", "20260304", "20260305")
OWN = ("EXDATE", "TRANSP", "X-MINE", "VALARM")

START = """
BEGIN:VEVENT
UID:e
DTSTART:20260302T090000Z
DURATION:PT1H
RRULE:FREQ=DAILY;COUNT=4
SUMMARY:Start
ORGANIZER:mailto:bill@example.com
ATTENDEE;PARTSTAT=ACCEPTED:mailto:bill@example.com
ATTENDEE:mailto:mary@example.com
ATTENDEE:mailto:cyrus@example.com
END:VEVENT
"""


def address(name: str) -> str:
    return f"mailto:{name}@example.com"


class Play:
    """A village with one event in it."""

    def __init__(self, village: Village) -> None:
        self.village = village
        village.put("bill", "e", wrapped(START))

    def change(self, who: str, how: Callable[[Component], object]) -> None:
        """Let somebody's client change what it reads; a refusal changes nothing."""
        text = self.village.text(who, "e")
        if not text:
            return
        tree = parse(text)
        if how(tree) is False:
            return
        try:
            self.village.put(who, "e", tree.to_ics())
        except KalendsError:
            assert self.village.text(who, "e") == text

    # --- the organizer ---

    def title(self, words: str) -> None:
        def change(tree: Component) -> None:
            for part in tree.children("VEVENT"):
                parties.set_value(part, "SUMMARY", words)

        self.change("bill", change)

    def retime(self, hour: str) -> None:
        def change(tree: Component) -> None:
            for part in tree.children("VEVENT"):
                if part.first("RECURRENCE-ID") is not None:
                    tree.remove(part)
                else:
                    parties.set_value(part, "DTSTART", f"20260302T{hour}0000Z")
                    part.items = [item for item in part.items if item.name != "EXDATE"]

        self.change("bill", change)

    def guest(self, name: str) -> None:
        """Invite somebody to the series, or take them off the list of all of it."""

        def change(tree: Component) -> None:
            found = tree.children("VEVENT")
            there = any(parties.attendee(part, (address(name),)) for part in found)
            for part in found:
                line = parties.attendee(part, (address(name),))
                if there and line is not None:
                    part.remove(line)
                elif not there:
                    part.add("ATTENDEE", address(name))

        self.change("bill", change)

    def once(self, day: str, name: str) -> None:
        """Tell one instance apart, and change there who comes."""

        def change(tree: Component) -> bool | None:
            part = self._override(tree, day)
            if part is None:
                return False
            line = parties.attendee(part, (address(name),))
            if line is None:
                part.add("ATTENDEE", address(name))
            else:
                part.remove(line)
            return None

        self.change("bill", change)

    def _override(self, tree: Component, day: str) -> Component | None:
        master = parts(tree, "VEVENT").get(None)
        if master is None:
            return None
        key = _instant(tree, master, day)
        found = parts(tree, "VEVENT").get(key)
        if found is None and key not in excluded(master, tree):
            found = made(tree, "VEVENT", key)
            if found is not None:
                tree.items.append(found)
        return found

    def off(self, day: str) -> None:
        """Call one instance off."""

        def change(tree: Component) -> bool | None:
            master = parts(tree, "VEVENT").get(None)
            if master is None:
                return False
            key = _instant(tree, master, day)
            override = parts(tree, "VEVENT").get(key)
            if override is not None:
                tree.remove(override)
            master.add("EXDATE", f"{day}T{(master.value('DTSTART') or '')[9:]}")
            return None

        self.change("bill", change)

    # --- the attendees ---

    def answer(self, who: str, said: str, day: str) -> None:
        def change(tree: Component) -> bool | None:
            part = self._override(tree, day) if day else next(iter(parts(tree, "VEVENT").values()))
            line = None if part is None else parties.attendee(part, (address(who),))
            if part is None or line is None:
                return False
            parties.set_param(part, line, "PARTSTAT", said)
            parties.set_value(part, "X-MINE", said)
            return None

        self.change(who, change)

    def skip(self, who: str, day: str) -> None:
        def change(tree: Component) -> bool | None:
            master = parts(tree, "VEVENT").get(None)
            if master is None:
                return False
            override = parts(tree, "VEVENT").get(_instant(tree, master, day))
            if override is not None:
                tree.remove(override)
            master.add("EXDATE", f"{day}T{(master.value('DTSTART') or '')[9:]}")
            return None

        self.change(who, change)

    def remove(self, who: str) -> None:
        if self.village.row(who, "e") is not None:
            self.village.remove(who, "e")

    # --- whoever changed their mind ---

    def undo(self, who: str) -> None:
        """Take the last change of somebody's object back; a refusal changes nothing."""
        text = self.village.text(who, "e")
        try:
            self.village.undo(who, "e")
        except KalendsError:
            assert self.village.text(who, "e") == text

    # --- what must hold ---

    def check(self) -> None:
        text = self.village.text("bill", "e")
        whole = parse(text) if text else None
        for name in GUESTS:
            held = self.village.text(name, "e")
            theirs = frozenset((address(name),))
            self._agree(name, parse(held) if held else None, views.view(whole, "VEVENT", theirs))

    def _agree(self, name: str, copy: Component | None, view: Component | None) -> None:
        me = (address(name),)
        if view is None:
            assert copy is None or all(map(changes.cancelled, copy.children("VEVENT"))), copy.to_ics()
            return
        wanted = parts(view, "VEVENT")
        if copy is None:
            said = {parties.partstat(parties.attendee(part, me)) for part in wanted.values()}
            assert said == {"DECLINED"}, view.to_ics()
            return
        held = parts(copy, "VEVENT")
        for key in held.keys() - wanted.keys():  # told apart by the attendee: else it is as the series says
            assert key is not None, copy.to_ics()
            usual = made(view, "VEVENT", key)
            assert usual is not None, f"{copy.to_ics()}\n{view.to_ics()}"
            assert _facts(held[key]) == _facts(usual), f"{copy.to_ics()}\n{view.to_ics()}"
        gone = excluded(held.get(None), copy)
        assert gone >= excluded(wanted.get(None), view)
        for key, part in wanted.items():
            if key in held:
                assert _facts(held[key]) == _facts(part), f"{copy.to_ics()}\n{view.to_ics()}"
                continue
            assert key in gone
            assert parties.partstat(parties.attendee(part, me)) == "DECLINED", view.to_ics()


def _facts(part: Component) -> set[str]:
    bare = Component(part.name, [item for item in part.items if item.name not in OWN])
    return facts.facts(bare)


def _instant(tree: Component, master: Component, day: str) -> int:
    alone = Component("VEVENT", [Line.make("RECURRENCE-ID", f"{day}T{(master.value('DTSTART') or '')[9:]}")])
    found = next(iter(parts(Component("VCALENDAR", [alone]), "VEVENT")))
    assert found is not None
    return found


STEPS = st.one_of(
    st.tuples(st.just("title"), st.sampled_from(["A", "B"])),
    st.tuples(st.just("retime"), st.sampled_from(["08", "09", "10"])),
    st.tuples(st.just("guest"), st.sampled_from(GUESTS)),
    st.tuples(st.just("once"), st.sampled_from(DAYS), st.sampled_from(GUESTS)),
    st.tuples(st.just("off"), st.sampled_from(DAYS)),
    st.tuples(
        st.just("answer"), st.sampled_from(GUESTS), st.sampled_from(ANSWERS), st.sampled_from(["", *DAYS])
    ),
    st.tuples(st.just("skip"), st.sampled_from(GUESTS), st.sampled_from(DAYS)),
    st.tuples(st.just("remove"), st.sampled_from(["mary", "cyrus", "lisa", "bill"])),
    st.tuples(st.just("undo"), st.sampled_from(["mary", "cyrus", "lisa", "bill", "bill"])),
)


@settings(deadline=None, max_examples=40)
@given(st.lists(STEPS, min_size=1, max_size=10))
def test_organizer_and_attendees_agree_after_any_sequence_of_changes(steps: list[tuple[str, ...]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(f"sqlite:///{Path(folder) / 'store.db'}")
        try:
            play = Play(Village(store))
            play.check()
            for verb, *arguments in steps:
                getattr(play, verb)(*arguments)
                play.check()
            assert maintenance.check(store) == []
        finally:
            store.close()
