"""X-KALENDS-TICK as a column and X-KALENDS-CHANGE as a FROM, on both databases (docs/watch.md)."""

from __future__ import annotations

import pytest
from core_world import World

from kalends.calquery.errors import QueryError
from kalends.calquery.match import Subject
from kalends.calquery.parse import parse as parse_query
from kalends.calquery.plan import plan
from kalends.calquery.ranges import ticks_from
from kalends.core.past import changed, trash, undoing
from kalends.ical.tree import Component
from kalends.store import calendars, changes


def event(uid: str, *lines: str) -> str:
    body = "".join(f"{line}\r\n" for line in lines)
    return (
        f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:{uid}\r\nDTSTAMP:20260101T000000Z\r\n"
        f"DTSTART:20260105T100000Z\r\n{body}END:VEVENT\r\nEND:VCALENDAR\r\n"
    )


def tick(world: World) -> int:
    return world.store.read(lambda tx: changed.counter(tx, world.calendar))


def uids(found: list[Component]) -> list[str]:
    return [part.value("UID") or "" for part in found]


def found(world: World, query: str, **more: object) -> list[Component]:
    return [item for one in world.answer(query, **more).found for item in one.items]  # type: ignore[misc]


def test_components_that_changed_since_a_tick(world: World) -> None:
    world.create(event("old"))
    since = tick(world)
    world.create(event("new", "RRULE:FREQ=DAILY"))
    for operator, expected in (
        (">", ["new"]),
        (">=", ["old", "new"]),
        ("=", ["old"]),
        ("<=", ["old"]),
        ("!=", ["new"]),
    ):
        query = f"SELECT UID FROM VEVENT WHERE X-KALENDS-TICK {operator} '{since}'"
        assert sorted(uids(found(world, query))) == sorted(expected), operator
    either = f"SELECT UID FROM VEVENT WHERE X-KALENDS-TICK > '{since}' OR UID = 'old'"
    assert sorted(uids(found(world, either))) == ["new", "old"]


def test_instances_beyond_the_horizon_know_their_tick(world: World) -> None:
    """What is expanded in memory is tested there."""
    since = tick(world)
    world.create(event("far", "RRULE:FREQ=YEARLY"))
    window = "DTSTART >= '20500101T000000Z' AND DTSTART < '20510101T000000Z'"
    query = "SELECT UID FROM VEVENT WHERE X-KALENDS-TICK {} '{}' AND " + window
    assert uids(found(world, query.format(">", since), expand=True)) == ["far"]
    assert uids(found(world, query.format("<=", since), expand=True)) == []


def test_the_tick_is_shown_where_select_names_it(world: World) -> None:
    world.create(event("a", "X-KALENDS-TICK:999"))
    (part,) = found(world, "SELECT UID,X-KALENDS-TICK FROM VEVENT")
    assert part.value("X-KALENDS-TICK") == str(tick(world)), "ours, not what somebody wrote"
    (agenda,) = found(world, "SELECT X-KALENDS-TICK FROM VAGENDA")
    assert agenda.value("X-KALENDS-TICK") == str(tick(world))
    (whole,) = found(world, "SELECT * FROM VAGENDA")
    assert whole.first("X-KALENDS-TICK") is None
    assert found(world, f"SELECT * FROM VAGENDA WHERE X-KALENDS-TICK > '{tick(world)}'") == []


def test_a_tick_is_a_number() -> None:
    for source in ("VEVENT", "VAGENDA", "X-KALENDS-CHANGE"):
        with pytest.raises(QueryError, match="a whole number"):
            parse_query(f"SELECT * FROM {source} WHERE X-KALENDS-TICK > 'soon'")


def test_changes_are_told_once_for_each_object_in_order(world: World) -> None:
    since = tick(world)
    world.create(event("a"))
    world.create(event("b", "SUMMARY:Bee"))
    parts = found(world, f"SELECT * FROM X-KALENDS-CHANGE WHERE X-KALENDS-TICK > '{since}'")
    assert uids(parts) == ["a", "b"]
    assert parts[1].value("SUMMARY") == "Bee"
    assert [part.value("X-KALENDS-ACTION") for part in parts] == ["created", "created"]
    only = f"SELECT UID FROM X-KALENDS-CHANGE WHERE X-KALENDS-TICK > '{since}' AND X-KALENDS-KIND = 'VTODO'"
    assert found(world, only) == []
    assert len(found(world, "SELECT * FROM X-KALENDS-CHANGE")) >= 2


def actions(world: World, since: int) -> list[tuple[str | None, str | None]]:
    parts = found(world, f"SELECT * FROM X-KALENDS-CHANGE WHERE X-KALENDS-TICK > '{since}'")
    return [(part.value("X-KALENDS-ACTION"), part.value("UID")) for part in parts]


def take_back(world: World) -> None:
    world.store.write(lambda tx: undoing.undo(tx, world.bill, world.calendar))


def test_what_was_taken_away_and_is_there_again_is_restored(world: World) -> None:
    """Not "changed": who heard that it was removed has nothing that could change."""
    world.create(event("a"))
    before = tick(world)
    world.delete("SELECT * FROM VEVENT WHERE UID = 'a'")
    gone = tick(world)
    assert actions(world, before) == [("removed", "a")]
    take_back(world)
    back = tick(world)
    assert actions(world, gone) == actions(world, before) == [("restored", "a")]
    world.modify("SELECT * FROM VEVENT WHERE UID = 'a'", "", "SUMMARY:new")
    assert actions(world, gone) == [("restored", "a")], "told once, with what it is now"
    assert actions(world, before) == actions(world, back) == [("changed", "a")]
    world.delete("SELECT * FROM VEVENT WHERE UID = 'a'", mark=True)
    assert actions(world, back) == [("marked", "a")]
    marked = tick(world)
    take_back(world)
    assert actions(world, marked) == [("restored", "a")]


def test_rights_and_calendars_are_created_and_removed_too(world: World) -> None:
    assert ("created", "bill/calendar") in actions(world, 0)
    since = tick(world)
    lines = ("BEGIN:VCAR", "CARID:m", "BEGIN:VRIGHT", "GRANT:mary@example.com", "PERMISSION:SEARCH",
             "SCOPE:SELECT SUMMARY FROM VEVENT", "END:VRIGHT", "END:VCAR")  # fmt: skip
    body = "".join(f"{line}\r\n" for line in lines)
    world.create(f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{body}END:VCALENDAR\r\n")
    assert actions(world, since) == [("created", "m")]
    since = tick(world)
    world.delete("SELECT * FROM VCAR WHERE CARID = 'm'")
    assert actions(world, since) == [("removed", "m")]


def test_an_instance_in_the_trash_is_not_its_series(world: World) -> None:
    """Nobody is told that the UID is marked, or gone, while the series is there."""
    world.create(event("s", "RRULE:FREQ=DAILY"))
    since = tick(world)
    one = "SELECT * FROM VEVENT WHERE UID = 's' AND DTSTART = '20260107T100000Z'"
    world.delete(one, expand=True, mark=True)
    assert actions(world, since) == [("changed", "s")]
    since = tick(world)
    world.store.write(lambda tx: trash.restore(tx, world.bill, world.calendar, "s"))
    assert actions(world, since) == [("changed", "s")]


def test_what_is_marked_does_not_take_the_new_one_of_its_uid_along(world: World) -> None:
    world.create(event("a"))
    world.delete("SELECT * FROM VEVENT WHERE UID = 'a'", mark=True)
    world.create(event("a"))
    since = tick(world)
    world.delete("SELECT * FROM VEVENT WHERE STATE() = 'DELETED'")
    assert tick(world) > since
    assert actions(world, since) == []
    world.delete("SELECT * FROM VEVENT WHERE UID = 'a'")
    assert set(actions(world, since)) == {("removed", "a")}


def test_nobody_else_is_told(world: World) -> None:
    world.create(event("secret"))
    assert found(world, "SELECT * FROM X-KALENDS-CHANGE", caller=world.mary) == []


def test_who_sees_parts_is_told_of_parts(world: World) -> None:
    """RFC 4324 §4.2: no UID, no actor where they are hidden; nothing of what is hidden whole, or gone."""
    lines = ("BEGIN:VCAR", "CARID:m", "BEGIN:VRIGHT", "GRANT:mary@example.com", "PERMISSION:SEARCH",
             "SCOPE:SELECT SUMMARY,DTSTART FROM VEVENT WHERE CLASS = 'PUBLIC'", "END:VRIGHT", "END:VCAR")  # fmt: skip
    body = "".join(f"{line}\r\n" for line in lines)
    world.create(f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{body}END:VCALENDAR\r\n")
    world.create(event("hidden", "CLASS:PRIVATE", "SUMMARY:Doctor"))
    world.create(event("open", "CLASS:PUBLIC", "SUMMARY:Tea", "LOCATION:Kitchen"))
    (told,) = found(world, "SELECT * FROM X-KALENDS-CHANGE", caller=world.mary)
    assert told.value("SUMMARY") == "Tea"
    assert told.value("UID") is None
    assert told.value("X-KALENDS-ACTOR") is None
    assert found(world, "SELECT * FROM X-KALENDS-CHANGE WHERE UID = 'open'", caller=world.mary) == []
    query = f"SELECT SUMMARY FROM VEVENT WHERE X-KALENDS-TICK >= '{tick(world)}'"
    assert [part.value("SUMMARY") for part in found(world, query, caller=world.mary)] == ["Tea"]
    world.delete("SELECT * FROM VEVENT WHERE UID = 'open'")
    assert found(world, "SELECT * FROM X-KALENDS-CHANGE", caller=world.mary) == []


def test_many_hidden_changes_do_not_hide_a_later_one(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changed, "MAX_CHANGES", 2)
    since = tick(world)
    for number in range(7):
        world.create(event(f"e{number}"))
    query = f"SELECT * FROM X-KALENDS-CHANGE WHERE X-KALENDS-TICK > '{since}' AND UID = 'e6'"
    assert uids(found(world, query)) == ["e6"]
    assert len(found(world, query.partition(" AND")[0])) == 2


def test_ticks_and_newcomers_of_many(world: World) -> None:
    world.create(event("a"))
    everything = world.store.read(lambda tx: calendars.ticks(tx, None))
    some = world.store.read(lambda tx: calendars.ticks(tx, [world.calendar.calendar_id, 12345]))
    assert some == {world.calendar.calendar_id: everything[world.calendar.calendar_id]}
    rows = world.store.read(lambda tx: changes.since(tx, world.calendar.calendar_id, 0))
    ids = [row.object_id for row in rows]
    assert world.store.read(lambda tx: changes.newcomers(tx, world.calendar.calendar_id, 0, ids)) == set(ids)
    last = tick(world)
    assert not world.store.read(lambda tx: changes.newcomers(tx, world.calendar.calendar_id, last, ids))


def test_where_a_search_may_begin() -> None:
    def first(where: str) -> int | None:
        query = parse_query(f"SELECT * FROM VEVENT WHERE {where}")
        return ticks_from(plan(query.where))

    assert first("X-KALENDS-TICK > '5'") == 6
    assert first("X-KALENDS-TICK >= '5' AND X-KALENDS-TICK > '2'") == 5
    assert first("X-KALENDS-TICK > '5' OR UID = 'a'") is None
    assert first("X-KALENDS-TICK < '5'") is None


def test_a_subject_that_nobody_counts_has_no_tick() -> None:
    query = parse_query("SELECT * FROM VEVENT WHERE X-KALENDS-TICK >= '0'")
    assert not Subject(Component("VEVENT")).matches(query)
    assert Subject(Component("VEVENT"), tick=0).matches(query)
