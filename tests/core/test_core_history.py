"""History, undo, trash: every change is kept as old -> new, and can be taken back."""

from __future__ import annotations

from dataclasses import replace

import pytest
from core_world import NOW, STORE, World, calendar, errors, event
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kalends.core import containers
from kalends.core.errors import (
    ConflictError,
    DeniedError,
    DuplicateError,
    InvalidError,
    KalendsError,
    NotFoundError,
    StaleError,
)
from kalends.core.model import Caller, Target
from kalends.core.past import history, purging, trash, undoing
from kalends.core.past.history import Entry
from kalends.core.past.undoing import Undone
from kalends.core.people import identity
from kalends.store import calendars, changes, maintenance, objects, schema
from kalends.store.base import Store
from kalends.store.open import open_store

SERIES = event("s", "SUMMARY:series", "RRULE:FREQ=WEEKLY;COUNT=4", start="DTSTART:20260310T090000Z")
BOOKED = "SELECT * FROM VEVENT WHERE STATE() = 'BOOKED'"
MARKED = "SELECT * FROM VEVENT WHERE STATE() = 'DELETED'"
DAY = 86_400


def one(uid: str) -> str:
    return f"SELECT * FROM VEVENT WHERE UID = '{uid}'"


def undo(
    world: World, target: Target | None = None, caller: Caller | None = None, **which: object
) -> list[Undone]:
    return world.store.write(
        lambda tx: undoing.undo(tx, caller or world.bill, target or world.calendar, **which)  # type: ignore[arg-type]
    )


def restore(world: World, uid: str, caller: Caller | None = None) -> list[Undone]:
    return world.store.write(lambda tx: trash.restore(tx, caller or world.bill, world.calendar, uid))


def past(world: World, uid: str | None = None, target: Target | None = None) -> list[Entry]:
    return world.store.read(lambda tx: history.entries(tx, world.bill, target or world.calendar, uid=uid))


def texts(world: World, calendar_id: int) -> list[tuple[str, str, str, str | None, bytes]]:
    """All that a calendar holds, octet for octet."""
    rows = world.store.read(lambda tx: objects.every(tx, calendar_id))
    return sorted((row.kind, row.uid, row.state, row.method, row.ics) for row in rows)


def clean(world: World) -> bool:
    return maintenance.check(world.store) == []


def tick(world: World, target: Target | None = None) -> int:
    row = world.store.read(lambda tx: calendars.by_id(tx, (target or world.calendar).calendar_id))
    assert row is not None
    return row.tick


def test_history_tells_who_changed_what_when_and_by_which_way(world: World) -> None:
    world.create(calendar(event("a", "SUMMARY:tea", "LOCATION:kitchen")))
    later = replace(world.bill, via="dav", now=NOW + 60)
    world.modify(one("a"), "SUMMARY:tea\nLOCATION:kitchen", "SUMMARY:coffee\\, black", caller=later)
    world.delete(one("a"), caller=replace(world.root, via="cli", now=NOW + 120))
    found = past(world, "a")
    assert [(e.action, e.who, e.via, e.at - NOW, e.title) for e in found] == [
        ("removed", "root@example.com", "cli", 120, "coffee, black"),
        ("changed", "bill@example.com", "dav", 60, "coffee, black"),
        ("created", "bill@example.com", "cap", 0, "tea"),
    ]
    meant = [(d.name, d.old, d.new) for d in found[1].differences if d.name in ("SUMMARY", "LOCATION")]
    assert sorted(meant) == [("LOCATION", "kitchen", None), ("SUMMARY", "tea", "coffee, black")]
    assert clean(world)


def test_a_creation_keeps_nothing_for_nothing_was_there(world: World) -> None:
    world.create(calendar(event("a"), event("b")))
    assert world.store.read(lambda tx: tx.row("select count(*) from history")) == (0,)


def test_undo_walks_back_step_by_step_and_an_undo_can_be_undone(world: World) -> None:
    start = texts(world, world.calendar.calendar_id)
    world.create(calendar(event("a", "SUMMARY:one")))
    first = texts(world, world.calendar.calendar_id)
    world.modify(one("a"), "SUMMARY:one", "SUMMARY:two")
    second = texts(world, world.calendar.calendar_id)
    world.delete(one("a"))
    assert [u.action for u in undo(world)] == ["brought back"]
    assert texts(world, world.calendar.calendar_id) == second
    assert [u.action for u in undo(world, uid="a")] == ["changed back"]
    assert texts(world, world.calendar.calendar_id) == first
    redone = undo(world, tick=tick(world))
    assert (redone[0].action, texts(world, world.calendar.calendar_id)) == ("changed back", second)
    undo(world)
    assert [u.action for u in undo(world)] == ["removed"]
    assert texts(world, world.calendar.calendar_id) == start
    with pytest.raises(StaleError, match="nothing to take back of a"):
        undo(world, uid="a")
    assert [e.undone for e in past(world, "a") if e.undoes is None] == [True, True, True]
    assert clean(world)


def test_what_was_changed_since_is_not_taken_back(world: World) -> None:
    world.create(calendar(event("a", "SUMMARY:one")))
    world.modify(one("a"), "SUMMARY:one", "SUMMARY:two")
    older = tick(world)
    world.modify(one("a"), "SUMMARY:two", "SUMMARY:three")
    before = texts(world, world.calendar.calendar_id)
    with pytest.raises(StaleError, match=f"changed again by change {older + 1}"):
        undo(world, tick=older)
    undo(world, tick=older + 1)
    with pytest.raises(StaleError, match="taken back already"):
        undo(world, tick=older + 1)
    with pytest.raises(StaleError, match="no change 999"):
        undo(world, tick=999)
    undo(world, tick=tick(world))
    assert texts(world, world.calendar.calendar_id) == before
    assert clean(world)


def test_a_UID_means_what_is_booked_and_not_the_messages_about_it(world: World) -> None:
    asked = ("ORGANIZER:mailto:o@x.org", "ATTENDEE:mailto:bill@example.com", "SUMMARY:one")
    world.create(calendar(event("a", "SUMMARY:one")))
    world.modify(one("a"), "SUMMARY:one", "SUMMARY:two")
    world.create(calendar(event("a", *asked), method="REQUEST"))
    world.delete(f"{one('a')} AND STATE() = 'UNPROCESSED'")
    assert [u.action for u in undo(world, uid="a")] == ["changed back"]
    assert "SUMMARY:one" in world.text(one("a"))
    world.create(calendar(event("b", *asked), method="REQUEST"))
    assert [u.action for u in undo(world, uid="b")] == ["removed"]
    assert clean(world)


def test_a_change_of_nothing_does_not_stand_in_the_way(world: World) -> None:
    world.create(calendar(event("a", "SUMMARY:one")))
    before = texts(world, world.calendar.calendar_id)
    world.modify(one("a"), "SUMMARY:one", "SUMMARY:two")
    world.modify(one("a"), "SUMMARY:two", "SUMMARY:two")
    undo(world)
    undo(world)
    assert texts(world, world.calendar.calendar_id) == before
    assert clean(world)


def test_an_older_undo_is_taken_back_when_nothing_newer_is_left(world: World) -> None:
    world.create(calendar(event("a")))
    begun = tick(world)
    world.delete(one("a"), mark=True)
    restore(world, "a")
    restored = tick(world)
    world.delete(one("a"))
    undo(world)
    assert undo(world, tick=restored)[0].action == "put back into the trash"
    assert len(world.find(MARKED)) == 1
    undo(world, uid="a")
    assert undo(world, uid="a")[0].tick == begun
    with pytest.raises(StaleError, match=f"changed again by change {tick(world)}"):
        undo(world, tick=restored + 2)
    assert clean(world)


def test_one_undo_takes_back_all_that_one_command_did(world: World) -> None:
    world.create(calendar(event("a", "SUMMARY:x"), event("b", "SUMMARY:x"), event("c")))
    before = texts(world, world.calendar.calendar_id)
    world.delete("SELECT * FROM VEVENT WHERE SUMMARY = 'x'")
    assert len(undo(world)) == 2
    assert texts(world, world.calendar.calendar_id) == before
    assert clean(world)


def test_an_undo_that_would_book_twice_is_refused(world: World) -> None:
    strict = world.store.write(
        lambda tx: containers.create_calendar(tx, world.bill, "bill/room", "bill", allow_conflict=False)
    )
    world.create(calendar(event("a")), strict)
    world.delete(one("a"), strict)
    world.create(calendar(event("b")), strict)
    before = texts(world, strict.calendar_id)
    with pytest.raises(ConflictError, match="the time is taken"):
        undo(world, strict, uid="a")
    assert texts(world, strict.calendar_id) == before
    world.delete(one("b"), strict, mark=True)
    undo(world, strict, uid="a")
    with pytest.raises(ConflictError, match="the time is taken"):
        world.store.write(lambda tx: trash.restore(tx, world.bill, strict, "b"))
    assert clean(world)


def test_an_identifier_taken_meanwhile_stays_with_who_has_it(world: World) -> None:
    world.create(calendar(event("a", "SUMMARY:old")))
    world.delete(one("a"))
    gone = tick(world)
    assert errors(world.create(calendar(event("a", "SUMMARY:new")))) == [""]
    with pytest.raises(DuplicateError):
        undo(world, tick=gone)
    assert undo(world, uid="a")[0].action == "removed"
    assert undo(world, uid="a")[0].action == "brought back"
    assert "SUMMARY:old" in world.text(one("a"))
    assert clean(world)


def test_the_trash_lists_and_gives_back_in_the_state_it_had(world: World) -> None:
    request = event("r", "ORGANIZER:mailto:o@x.org", "ATTENDEE:mailto:bill@example.com")
    world.create(calendar(event("a", "SUMMARY:tea")))
    world.create(calendar(request, method="REQUEST"))
    before = texts(world, world.calendar.calendar_id)
    later = replace(world.bill, now=NOW + 5)
    world.delete(one("a"), mark=True)
    world.delete(one("r"), mark=True, caller=later)
    found = world.store.read(lambda tx: trash.lying(tx, world.bill, world.calendar))
    assert [(t.uid, t.title, t.at - NOW, t.who) for t in found] == [
        ("a", "tea", 0, "bill@example.com"),
        ("r", "", 5, "bill@example.com"),
    ]
    assert [e.action for e in past(world, "a")] == ["marked", "created"]
    restore(world, "a")
    restore(world, "r")
    assert texts(world, world.calendar.calendar_id) == before
    with pytest.raises(NotFoundError):
        restore(world, "a")
    assert clean(world)


def test_a_marked_UID_can_be_created_again_and_then_blocks_its_restoration(world: World) -> None:
    world.create(calendar(event("a", "SUMMARY:old")))
    world.delete(one("a"), mark=True)
    world.create(calendar(event("a", "SUMMARY:new")))
    with pytest.raises(DuplicateError):
        restore(world, "a")
    world.delete(one("a"))
    restore(world, "a")
    assert "SUMMARY:old" in world.text(one("a"))
    assert clean(world)


def test_a_marked_instance_goes_back_into_its_series(world: World) -> None:
    world.create(calendar(SERIES))
    before = texts(world, world.calendar.calendar_id)
    world.delete("SELECT * FROM VEVENT WHERE DTSTART = '20260317T090000Z'", expand=True, mark=True)
    assert len(world.find(MARKED)) == 1
    assert [(u.kind, u.uid, u.action) for u in restore(world, "s")] == [("VEVENT", "s", "restored")]
    assert texts(world, world.calendar.calendar_id) == before
    assert clean(world)


def test_a_move_is_taken_back_from_either_side(world: World) -> None:
    second = world.store.write(lambda tx: containers.create_calendar(tx, world.bill, "bill/second", "bill"))
    world.create(calendar(event("a", "SUMMARY:one")))
    before = texts(world, world.calendar.calendar_id)
    world.move(one("a"), "bill/second", "bill/calendar")
    assert past(world, "a")[0].action == "moved to bill/second"
    assert past(world, "a", second)[0].action == "moved from bill/calendar"
    assert undo(world)[0].action == "moved back"
    assert texts(world, world.calendar.calendar_id) == before
    world.move(one("a"), "bill/second", "bill/calendar")
    assert undo(world, second)[0].action == "moved back"
    assert texts(world, world.calendar.calendar_id) == before
    with pytest.raises(StaleError):
        undo(world, second, uid="a")
    world.move(one("a"), "bill/second", "bill/calendar")
    world.modify(one("a"), "SUMMARY:one", "SUMMARY:two", second)
    with pytest.raises(StaleError, match="in the other calendar of the move: a was changed again"):
        undo(world)
    undo(world, second)
    undo(world)
    assert texts(world, world.calendar.calendar_id) == before
    assert clean(world)


def test_properties_of_a_calendar_go_back_with_their_effect(world: World) -> None:
    mine = "SELECT * FROM VAGENDA WHERE CALID = 'bill/calendar'"
    before = texts(world, world.calendar.calendar_id)
    world.modify(mine, "ALLOW-CONFLICT:TRUE", "ALLOW-CONFLICT:FALSE", kind="VAGENDA")
    assert errors(world.create(calendar(event("a"), event("b")))) == ["", "ConflictError"]
    world.delete(one("a"))
    undo(world)
    undo(world)
    undo(world)
    assert texts(world, world.calendar.calendar_id) == before
    assert errors(world.create(calendar(event("a"), event("b")))) == ["", ""]
    assert clean(world)


def test_what_made_the_calendar_is_not_taken_back(world: World) -> None:
    before = texts(world, world.calendar.calendar_id)
    with pytest.raises((InvalidError, DeniedError)):
        undo(world)
    with pytest.raises((InvalidError, DeniedError)):
        undo(world, STORE, world.root)
    assert texts(world, world.calendar.calendar_id) == before


def test_the_past_is_for_those_who_may_change_the_calendar(world: World) -> None:
    world.create(calendar(event("a")))
    with pytest.raises(DeniedError):
        undo(world, caller=world.mary)
    world.lock_out(world.calendar, world.bill)
    world.delete("SELECT * FROM VEVENT")
    world.create(calendar(event("a")))
    with pytest.raises(NotFoundError):
        undo(world, caller=world.mary)
    with pytest.raises(NotFoundError):
        restore(world, "a", world.mary)
    with pytest.raises(NotFoundError):
        world.store.read(lambda tx: history.entries(tx, world.mary, world.calendar))
    with pytest.raises(NotFoundError):
        world.store.read(lambda tx: trash.lying(tx, world.mary, world.calendar))
    assert undo(world, caller=world.root)[0].action == "removed"


def test_purging_forgets_what_is_old_and_only_that(world: World) -> None:
    def at(days: int) -> Caller:
        return replace(world.bill, now=NOW + days * DAY)

    world.create(calendar(event("a", "SUMMARY:one"), event("b"), event("c")))
    world.delete(one("b"), mark=True, caller=at(1))
    world.modify(one("a"), "SUMMARY:one", "SUMMARY:two", caller=at(1))
    early = tick(world)
    world.modify(one("a"), "SUMMARY:two", "SUMMARY:three", caller=at(20))
    world.delete(one("c"), mark=True, caller=at(20))
    assert purging.purge(world.store, world.policy, NOW + 30 * DAY, 15) == (2, 1)
    assert purging.purge(world.store, world.policy, NOW + 30 * DAY, 15) == (0, 0)
    assert [t.uid for t in world.store.read(lambda tx: trash.lying(tx, world.bill, world.calendar))] == ["c"]
    undo(world, uid="a")
    with pytest.raises(StaleError, match=f"before change {early} is not kept any more"):
        undo(world, uid="a")
    with pytest.raises(StaleError, match="not kept any more"):
        undo(world, uid="b")
    assert errors(world.create(calendar(event("b")))) == [""]
    assert [e.action for e in past(world, "a")][1:] == ["changed", "changed", "created"]
    purging.purge(world.store, world.policy, NOW + 30 * DAY, 0)
    assert world.store.read(lambda tx: tx.row("select count(*) from history")) == (0,)
    assert clean(world)


def test_what_was_restored_is_not_said_to_be_marked_when_its_past_is_gone(world: World) -> None:
    world.create(calendar(event("a", "SUMMARY:one")))
    world.delete(one("a"), mark=True)
    restore(world, "a")
    purging.purge(world.store, world.policy, NOW + DAY, 0)
    assert [e.action for e in past(world, "a")] == ["restored", "marked or restored", "created"]
    world.delete(one("a"), mark=True)
    assert past(world, "a")[0].action == "marked"
    assert clean(world)


def test_a_calendar_takes_its_past_along_and_people_leave_theirs(world: World) -> None:
    world.create(calendar(event("a", "SUMMARY:one")))
    world.modify(one("a"), "SUMMARY:one", "SUMMARY:two")
    mine = "SELECT * FROM VAGENDA WHERE CALID = 'bill/calendar'"
    world.modify(
        mine, "OWNER:bill@example.com", "OWNER:bill@example.com\nOWNER:mary@example.com", kind="VAGENDA"
    )
    world.delete("SELECT * FROM VAGENDA", world.target("bill/tasks"))
    world.store.write(lambda tx: identity.remove_user(tx, "bill@example.com", now=NOW, policy=world.policy))
    found = world.store.read(lambda tx: history.entries(tx, world.mary, world.calendar, uid="a"))
    assert [(e.action, e.who) for e in found] == [("changed", ""), ("created", "")]
    assert undo(world, caller=world.mary, uid="a")[0].action == "changed back"
    assert clean(world)
    world.store.write(lambda tx: containers.remove_calendar(tx, world.root, world.calendar))
    assert world.store.read(lambda tx: tx.row("select count(*) from history where uid = 'a'")) == (0,)
    assert clean(world)


def test_check_finds_a_past_without_its_change(one_world: World) -> None:
    one_world.create(calendar(event("a", "SUMMARY:one")))
    one_world.modify(one("a"), "SUMMARY:one", "SUMMARY:two")
    one_world.store.write(lambda tx: tx.run("update history set tick = tick + 5"))
    assert [f.code for f in maintenance.check(one_world.store)] == ["history-differs"]


def test_a_transaction_that_changes_an_object_twice_is_one_change(one_world: World) -> None:
    one_world.create(calendar(event("a", "SUMMARY:one"), SERIES))
    before = texts(one_world, one_world.calendar.calendar_id)
    query = "SELECT * FROM VEVENT WHERE DTSTART >= '20260310T000000Z' AND DTSTART < '20260325T000000Z'"
    one_world.delete(query, expand=True, mark=True)
    undo(one_world)
    assert texts(one_world, one_world.calendar.calendar_id) == before
    assert clean(one_world)


# --- anything, and back ---

UIDS = ("a", "b", "s")
DEEDS = st.lists(
    st.tuples(st.sampled_from(("create", "modify", "delete", "mark", "move", "cut", "restore")),
              st.sampled_from(UIDS), st.integers(0, 3)),
    max_size=12,
)  # fmt: skip


def do(world: World, deed: str, uid: str, number: int, both: list[Target]) -> None:
    """One change of something; a refused one changes nothing."""
    old = [f"SUMMARY:{n}" for n in range(4) if world.find(f"{one(uid)} AND SUMMARY = '{n}'")]
    match deed:
        case "create":
            rule = ("RRULE:FREQ=WEEKLY;COUNT=4",) if uid == "s" else ()
            world.create(calendar(event(uid, f"SUMMARY:{number}", *rule)))
        case "modify" if old:
            world.modify(one(uid), old[0], f"SUMMARY:{number}\nX-FOLDED:{'long ' * 30}")
        case "delete" | "mark":
            world.delete(one(uid), mark=deed == "mark")
        case "move":
            world.move(one(uid), both[1 - number % 2].calid, both[number % 2].calid)
        case "cut":
            at = f"202603{10 + 7 * number}T090000Z"
            world.delete(f"{one('s')} AND DTSTART = '{at}'", expand=True, mark=uid == "a")
        case "restore":
            restore(world, uid)


@given(deeds=DEEDS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_was_done_undone_in_reverse_order_gives_back_the_same_octets(
    world: World, deeds: list[tuple[str, str, int]]
) -> None:
    names = [f"bill/{tick(world, STORE)}-{n}" for n in (1, 2)]  # the store's tick counts calendars
    both = [
        world.store.write(lambda tx, name=name: containers.create_calendar(tx, world.bill, name, "bill"))
        for name in names
    ]
    world.calendar = both[0]
    before = [texts(world, place.calendar_id) for place in both]
    floor = [tick(world, place) for place in both]
    for deed, uid, number in deeds:
        try:
            do(world, deed, uid, number, both)
        except KalendsError:
            continue
    made = [_ticks(world, place, low) for place, low in zip(both, floor, strict=True)]
    while any(made):
        progressed = False
        for place, ticks in zip(both, made, strict=True):
            while ticks:
                try:
                    undo(world, place, tick=ticks[-1])
                except StaleError as refused:
                    if "taken back already" in refused.reason:
                        ticks.pop()
                        progressed = True
                        continue
                    break
                ticks.pop()
                progressed = True
        assert progressed, "stuck"
    assert [texts(world, place.calendar_id) for place in both] == before
    assert clean(world)


def _ticks(world: World, place: Target, low: int) -> list[int]:
    rows = world.store.read(lambda tx: changes.history(tx, place.calendar_id, limit=1000))
    return sorted({row.tick for row in rows if row.tick > low})


def test_the_past_of_an_older_store_begins_with_its_migration(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    only = {2: schema.migrations()[2]}  # what came later is not of interest here, and stays
    store: Store = open_store(sqlite_url)
    world = World(store)
    world.create(calendar(event("a", "SUMMARY:one")))
    world.modify(one("a"), "SUMMARY:one", "SUMMARY:two")

    def older(tx: object) -> None:
        for sql in (
            "drop table history",
            "drop index object_deleted",
            "update meta set value = '1' where key = 'schema'",
        ):
            tx.run(sql)  # type: ignore[attr-defined]  # a transaction

    store.write(older)
    store.close()
    monkeypatch.setattr(schema, "migrations", lambda: only)
    store = open_store(sqlite_url)
    try:
        world.store = store
        assert [e.action for e in past(world, "a")] == ["changed", "created"]
        with pytest.raises(StaleError, match="not kept any more"):
            undo(world, uid="a")
        world.modify(one("a"), "SUMMARY:two", "SUMMARY:three")
        undo(world, uid="a")
        assert "SUMMARY:two" in world.text(one("a"))
        assert clean(world)
    finally:
        store.close()
