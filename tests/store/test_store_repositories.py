"""Rows go in and come out the same on both databases."""

from __future__ import annotations

from typing import Any

import pytest

from kalends.store import calendars, changes, jobs, meta, objects, principals, schema
from kalends.store.base import Store, Tx
from kalends.store.changes import ChangeRow
from kalends.store.errors import DuplicateError, DuplicateNameError, DuplicateUidError, StoreError


def add_object(tx: Tx, number: int, calendar_id: int = 1, **given: Any) -> objects.ObjectRow:
    row: dict[str, Any] = {
        "name": f"{number}.ics", "uid": f"u{number}", "kind": "VEVENT", "state": "BOOKED", "ics": b"x", "etag": "e",
        "tick": 1, "now": 100,
    }  # fmt: skip
    return objects.insert(tx, id=number, calendar_id=calendar_id, **(row | given))


@pytest.fixture
def filled(store: Store) -> Store:
    def fill(tx: Tx) -> None:
        principals.add(tx, id=1, upn="bill@example.net", now=5, name="Bill", secret="verifier")
        calendars.add(tx, id=1, calid="bill/calendar", home_id=1, slug="calendar")
        calendars.add(tx, id=2, calid="room", allow_conflict=False)

    store.write(fill)
    return store


def test_store_vcalstore_is_calendar_zero(store: Store) -> None:
    row = store.read(lambda tx: calendars.by_id(tx, calendars.VCALSTORE))
    assert row == calendars.CalendarRow(0, "", None, None, 0, 0, 0, 86400, True, True, False, 0)
    assert store.write(lambda tx: calendars.remove(tx, calendars.VCALSTORE)) is False


def test_store_calendars_are_found_by_calid_and_id(filled: Store) -> None:
    def look(tx: Tx) -> None:
        bills = calendars.by_calid(tx, "bill/calendar")
        room = calendars.by_id(tx, 2)
        assert bills is not None
        assert room is not None
        assert (bills.home_id, bills.slug, bills.allow_conflict) == (1, "calendar", True)
        assert (room.calid, room.allow_conflict) == ("room", False)
        assert calendars.many(tx, [2, 1, 77]) == {1: bills, 2: room}
        assert calendars.every(tx) == [bills, room]
        assert calendars.every(tx, home_id=1) == [bills]
        assert calendars.by_calid(tx, "Room") is None

    filled.read(look)


def test_store_containers_own_properties_are_read_as_the_transaction_left_them(filled: Store) -> None:
    """They are read once a transaction, and anew after each change, taken back ones included."""

    def work(tx: Tx) -> None:
        def seen() -> bytes | None:
            row = objects.container(tx, 1, "bill/calendar", "VAGENDA")
            return None if row is None else row.ics

        def fail() -> None:
            with tx.savepoint():
                objects.update_text(tx, was, ics=b"two", etag="e", tick=2, now=1)
                tx.flush()
                assert seen() == b"two"
                raise ZeroDivisionError

        assert seen() is None
        was = add_object(tx, 9, uid="bill/calendar", kind="VAGENDA", ics=b"one")
        tx.flush()
        assert seen() == b"one"
        with pytest.raises(ZeroDivisionError):
            fail()
        assert seen() == b"one"
        objects.set_state(tx, 9, "DELETED", tick=2, now=1)
        assert seen() is None
        objects.set_state(tx, 9, "BOOKED", tick=2, now=1)
        assert seen() == b"one"
        objects.move(tx, 9, 2, name="x", tick=3, now=1)
        assert seen() is None
        objects.move(tx, 9, 1, name="x", tick=3, now=1)
        assert seen() == b"one"
        calendars.remove(tx, 1)
        assert seen() is None

    filled.write(work)


def test_store_bump_counts_each_calendar_alone(filled: Store) -> None:
    assert filled.write(lambda tx: calendars.bump(tx, [2, 1, 2, 99])) == {1: 1, 2: 1}
    assert filled.write(lambda tx: calendars.bump(tx, [2])) == {2: 2}


def test_store_calendar_settings(filled: Store) -> None:
    def change(tx: Tx) -> calendars.CalendarRow | None:
        calendars.set_flags(tx, 1, allow_conflict=False, auto_process=False)
        calendars.set_rights_tick(tx, 1, 7)
        calendars.set_floor_tick(tx, 1, 3)
        calendars.raise_longest(tx, 1, 90_000)
        calendars.raise_longest(tx, 1, 10)
        calendars.set_name(tx, 1, calid="b", home_id=None, slug=None)
        return calendars.by_id(tx, 1)

    assert filled.write(change) == calendars.CalendarRow(
        1, "b", None, None, 0, 3, 7, 90_000, False, False, False, 0
    )


def test_store_a_removed_calendar_takes_everything_with_it(filled: Store) -> None:
    def fill(tx: Tx) -> None:
        add_object(tx, 10)
        changes.append(tx, ChangeRow(1, 1, 10, "10.ics", "u10", "VEVENT", "put", 1, "cap", 100))
        principals.set_default_calendar(tx, 1, 1)

    filled.write(fill)
    assert filled.write(lambda tx: calendars.remove(tx, 1)) is True
    assert filled.read(lambda tx: objects.get(tx, 10)) is None
    assert filled.read(lambda tx: changes.since(tx, 1, 0)) == []
    bill = filled.read(lambda tx: principals.by_id(tx, 1))
    assert bill is not None
    assert bill.default_calendar is None


def test_store_calid_is_unique(filled: Store) -> None:
    with pytest.raises(DuplicateError):
        filled.write(lambda tx: calendars.add(tx, id=3, calid="room"))


def test_store_object_octets_come_back_even_when_they_are_not_utf8(filled: Store) -> None:
    octets = bytes(range(256))
    row = filled.write(lambda tx: add_object(tx, 10, ics=octets, schedule_tag="s", changed_by=1))
    assert filled.read(lambda tx: objects.get(tx, 10)) == row
    assert row.ics == octets
    assert row.size == 256


def test_store_objects_are_found_in_all_ways(filled: Store) -> None:
    def fill(tx: Tx) -> tuple[objects.ObjectRow, ...]:
        booked = add_object(tx, 10, uid="u")
        asked = add_object(tx, 11, uid="u", state="UNPROCESSED", method="REQUEST")
        other = add_object(tx, 12, calendar_id=2, uid="u", kind="VTODO")
        return booked, asked, other

    booked, asked, other = filled.write(fill)

    def look(tx: Tx) -> None:
        assert objects.get_many(tx, [10, 12, 5]) == {10: booked, 12: other}
        assert objects.by_uid(tx, 1, "u") == [booked, asked]
        assert objects.by_uid(tx, 1, "u", state="UNPROCESSED") == [asked]
        assert objects.by_uid(tx, 1, "u", kind="VTODO") == []
        assert objects.by_uid_anywhere(tx, "u") == [booked, asked, other]
        assert objects.by_name(tx, 1, "10.ics") == booked
        assert objects.by_name(tx, 1, "11.ics") is None
        assert objects.by_name(tx, 1, "11.ics", "UNPROCESSED") == asked
        assert objects.every(tx, 1, kind="VEVENT", state="BOOKED") == [booked]
        assert objects.page(tx, after=10, limit=1) == [asked]
        assert objects.page(tx, calendar_id=2) == [other]
        assert objects.counts(tx, 1) == {("VEVENT", "BOOKED"): 1, ("VEVENT", "UNPROCESSED"): 1}

    filled.read(look)


def test_store_object_text_and_state_change(filled: Store) -> None:
    def change(tx: Tx) -> objects.ObjectRow | None:
        row = objects.update_text(tx, add_object(tx, 10), ics=b"new", etag="f", tick=2, now=200, changed_by=1)
        assert (row.ics, row.size, row.etag, row.tick, row.changed_at, row.created_at) == (
            b"new",
            3,
            "f",
            2,
            200,
            100,
        )
        objects.set_state(tx, 10, "DELETED", tick=3, now=300)
        return objects.get(tx, 10)

    row = filled.write(change)
    assert row is not None
    assert (row.state, row.tick, row.changed_at) == ("DELETED", 3, 300)
    assert filled.write(lambda tx: objects.remove(tx, 10)) is True
    assert filled.write(lambda tx: objects.remove(tx, 10)) is False


def test_store_twin_booked_uid_is_refused_and_nothing_is_changed(filled: Store) -> None:
    """RFC 4324 §11 (8.5): two BOOKED objects of one UID can't be; others of it can."""
    filled.write(lambda tx: add_object(tx, 10, uid="u"))
    with pytest.raises(DuplicateUidError):
        filled.write(lambda tx: (calendars.bump(tx, [1]), add_object(tx, 11, uid="u")))
    filled.write(lambda tx: add_object(tx, 12, uid="u", state="DELETED"))
    filled.write(lambda tx: add_object(tx, 13, uid="u", state="UNPROCESSED"))
    row = filled.read(lambda tx: calendars.by_id(tx, 1))
    assert row is not None
    assert row.tick == 0


def test_store_a_name_is_free_again_when_its_object_is_marked_deleted(filled: Store) -> None:
    filled.write(lambda tx: add_object(tx, 10, name="n", uid="a"))
    with pytest.raises(DuplicateNameError):
        filled.write(lambda tx: add_object(tx, 11, name="n", uid="b"))
    filled.write(lambda tx: objects.set_state(tx, 10, "DELETED", tick=2, now=1))
    filled.write(lambda tx: add_object(tx, 11, name="n", uid="b"))
    found = filled.read(lambda tx: objects.by_name(tx, 1, "n"))
    assert found is not None
    assert found.id == 11


def test_store_an_object_needs_its_calendar(filled: Store) -> None:
    with pytest.raises(StoreError):
        filled.write(lambda tx: add_object(tx, 10, calendar_id=77))


def test_store_move_into_a_calendar_with_that_uid_is_refused(filled: Store) -> None:
    filled.write(lambda tx: (add_object(tx, 10, uid="u"), add_object(tx, 11, calendar_id=2, uid="u")))
    with pytest.raises(DuplicateUidError):
        filled.write(lambda tx: objects.move(tx, 10, 2, name="m", tick=1, now=1))


def test_store_principals(filled: Store) -> None:
    def change(tx: Tx) -> None:
        principals.add(tx, id=2, upn="room@example.net", now=6, kind="room", admin=False)
        principals.set_admin(tx, 1, True)
        principals.set_secret(tx, 1, "other")
        principals.set_name(tx, 1, "William")
        principals.add_address(tx, 1, "mailto:bill@example.net")
        principals.add_address(tx, 1, "mailto:b@example.net")

    filled.write(change)

    def look(tx: Tx) -> None:
        bill = principals.by_upn(tx, "bill@example.net")
        assert bill is not None
        assert (bill.admin, bill.secret, bill.name, bill.kind) == (True, "other", "William", "user")
        assert principals.by_address(tx, "mailto:b@example.net") == bill
        assert principals.by_address(tx, "mailto:x@example.net") is None
        assert principals.addresses(tx, 1) == ["mailto:b@example.net", "mailto:bill@example.net"]
        assert [one.upn for one in principals.every(tx)] == ["bill@example.net", "room@example.net"]
        assert "other" not in repr(bill)

    filled.read(look)
    with pytest.raises(DuplicateError):
        filled.write(lambda tx: principals.add_address(tx, 2, "mailto:b@example.net"))
    with pytest.raises(DuplicateError):
        filled.write(lambda tx: principals.add(tx, id=3, upn="bill@example.net", now=1))
    assert filled.write(lambda tx: principals.remove_address(tx, "mailto:b@example.net")) is True
    assert filled.write(lambda tx: principals.remove(tx, 1)) is True
    assert filled.read(lambda tx: principals.by_id(tx, 1)) is None
    homeless = filled.read(lambda tx: calendars.by_id(tx, 1))
    assert homeless is not None
    assert homeless.home_id is None


def log(tx: Tx, tick: int, object_id: int, op: Any = "put") -> None:
    changes.append(
        tx, ChangeRow(1, tick, object_id, f"{object_id}.ics", f"u{object_id}", "VEVENT", op, 1, "cap", tick)
    )


def test_store_changes_since_tell_the_last_of_each_object(filled: Store) -> None:
    filled.write(lambda tx: (log(tx, 1, 10), log(tx, 2, 11), log(tx, 3, 10), log(tx, 4, 11, "remove")))

    def look(tx: Tx) -> None:
        assert [(c.tick, c.object_id, c.op) for c in changes.since(tx, 1, 0)] == [
            (3, 10, "put"),
            (4, 11, "remove"),
        ]
        assert [c.tick for c in changes.since(tx, 1, 3)] == [4]
        assert changes.since(tx, 1, 4) == []
        assert [c.tick for c in changes.history(tx, 1)] == [4, 3, 2, 1]
        assert [c.tick for c in changes.history(tx, 1, object_id=10, before=3)] == [1]
        assert [c.tick for c in changes.history(tx, 1, uid="u11", limit=1)] == [4]

    filled.read(look)


def test_store_changes_of_one_transaction_are_never_torn_apart(filled: Store) -> None:
    filled.write(lambda tx: [log(tx, 1, 10), *(log(tx, 2, 20 + n) for n in range(5))])
    found = filled.read(lambda tx: changes.since(tx, 1, 0, limit=3))
    assert [c.object_id for c in found] == [10, 20, 21, 22, 23, 24]
    assert [c.object_id for c in filled.read(lambda tx: changes.since(tx, 1, 0, limit=1))] == [10]


def test_store_a_second_change_of_an_object_in_a_transaction_replaces_the_first(filled: Store) -> None:
    filled.write(lambda tx: (log(tx, 1, 10), log(tx, 1, 10, "remove")))
    assert [c.op for c in filled.read(lambda tx: changes.history(tx, 1))] == ["remove"]


def test_store_jobs_are_idempotent_held_and_tried_again(store: Store) -> None:
    assert store.write(lambda tx: jobs.add(tx, id=1, key="k", kind="mail", due_at=10)) is True
    assert store.write(lambda tx: jobs.add(tx, id=2, key="k", kind="mail", due_at=10)) is False
    assert store.write(lambda tx: jobs.due(tx, 9)) == []
    taken = store.write(lambda tx: jobs.due(tx, 10))
    assert [(job.id, job.attempts, job.held_until) for job in taken] == [(1, 1, 70)]
    assert store.write(lambda tx: jobs.due(tx, 20)) == []
    assert [job.attempts for job in store.write(lambda tx: jobs.due(tx, 70))] == [2]
    store.write(lambda tx: jobs.failed(tx, 1, "no route", 100))
    assert [job.last_error for job in store.write(lambda tx: jobs.due(tx, 100))] == ["no route"]
    store.write(lambda tx: jobs.done(tx, 1))
    assert store.write(lambda tx: jobs.due(tx, 10_000)) == []


def test_store_meta(store: Store) -> None:
    store.write(lambda tx: (meta.put(tx, "a", "1"), meta.put(tx, "a", "2")))
    assert store.read(lambda tx: meta.get(tx, "a")) == "2"
    assert store.read(lambda tx: meta.get(tx, "b")) is None
    assert store.read(meta.every) == {"a": "2", "schema": str(schema.newest())}
