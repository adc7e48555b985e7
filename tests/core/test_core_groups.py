"""Groups: nested, in circles, without duplicates; permissions to act as others (RFC 4324 §4.1.3, §4.3)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from core_world import NOW, POLICY, STORE, World, calendar, errors, event
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kalends.core.errors import DeniedError, DuplicateError, InvalidError, NotFoundError
from kalends.core.people import acting, groups, identity
from kalends.core.people.acting import Standing
from kalends.store import maintenance
from kalends.store.base import Tx

BILL, MARY = "bill@example.com", "mary@example.com"


def group(world: World, name: str, *members: str) -> str:
    made = world.store.write(lambda tx: groups.add(tx, POLICY, name, now=NOW))
    for member in members:
        world.store.write(lambda tx, member=member: groups.add_member(tx, made.upn, member))
    return made.upn


def groups_of(world: World, upn: str) -> set[str]:
    who = world.store.read(lambda tx: identity.identify(tx, upn))
    assert who is not None
    return set(who.groups)


def everybody_in(world: World, upn: str) -> list[str]:
    return world.store.read(lambda tx: groups.everybody_in(tx, upn))


def test_UPN07_a_group_is_expanded_through_groups_and_everybody_is_in_it_once(world: World) -> None:
    inner = group(world, "inner", BILL, MARY)
    outer = group(world, "outer", inner, BILL)
    assert groups_of(world, BILL) == groups_of(world, MARY) == {inner, outer}
    assert groups_of(world, "root@example.com") == set()
    assert everybody_in(world, outer) == [BILL, MARY]
    shown = world.store.read(lambda tx: groups.show(tx, outer))
    assert shown.members == (BILL, inner)
    assert [one.upn for one in world.store.read(groups.every)] == [inner, outer]


def test_UPN07_groups_in_a_circle_do_no_harm(world: World) -> None:
    one, two = group(world, "one", BILL), group(world, "two")
    for a, b in ((one, two), (two, one), (one, one)):
        world.store.write(lambda tx, a=a, b=b: groups.add_member(tx, a, b))
    assert groups_of(world, BILL) == {one, two}
    assert groups_of(world, one) == {two}
    assert everybody_in(world, two) == [BILL]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edges=st.sets(st.tuples(st.integers(0, 5), st.integers(0, 7)), max_size=20))
def test_UPN07_groups_of_any_shape(one_world: World, edges: set[tuple[int, int]]) -> None:
    """Against a walk in memory: 0 to 5 are groups, 6 and 7 are people."""
    names = [f"g{number}@example.com" for number in range(6)] + [BILL, MARY]

    def build(tx: object) -> None:
        for name in names[:6]:
            if identity.by_upn(tx, name) is not None:  # type: ignore[arg-type]  # a transaction
                groups.remove(tx, POLICY, name, now=NOW)  # type: ignore[arg-type]
            groups.add(tx, POLICY, name, now=NOW)  # type: ignore[arg-type]
        for a, b in edges:
            groups.add_member(tx, names[a], names[b])  # type: ignore[arg-type]

    one_world.store.write(build)
    for person in (6, 7):
        reached, fresh = set[int](), {person}
        while fresh:
            fresh = {a for a, b in edges if b in fresh} - reached
            reached |= fresh
        assert groups_of(one_world, names[person]) == {names[one] for one in reached}


def test_what_is_no_group_and_who_is_no_member(world: World) -> None:
    staff = group(world, "staff", BILL)
    with pytest.raises(DuplicateError):
        group(world, "staff")
    with pytest.raises(DuplicateError):
        group(world, "bill")
    assert world.store.write(lambda tx: groups.add_member(tx, staff, BILL)) is False
    for refused in (
        lambda tx: groups.show(tx, BILL),
        lambda tx: groups.add_member(tx, MARY, BILL),
        lambda tx: groups.add_member(tx, staff, "nobody@example.com"),
        lambda tx: groups.remove_member(tx, staff, MARY),
        lambda tx: groups.remove(tx, POLICY, BILL, now=NOW),
    ):
        with pytest.raises(NotFoundError):
            world.store.write(refused)


def test_UPN07_a_group_owns_calendars(world: World) -> None:
    staff = group(world, "staff", BILL)
    text = calendar(f"BEGIN:VAGENDA\nCALID:plans\nOWNER:{staff}\nEND:VAGENDA")
    assert errors(world.create(text, STORE, world.root)) == [""]
    bill = world.caller("bill")
    assert errors(world.create(calendar(event("a")), world.target("plans", bill), bill)) == [""]
    assert world.find("SELECT * FROM VAGENDA", world.target("plans", world.mary), world.mary) == []
    assert errors(world.create(calendar(event("b")), world.target("plans", world.mary), world.mary)) != [""]
    with pytest.raises(InvalidError, match="only owner"):
        world.store.write(lambda tx: groups.remove(tx, POLICY, staff, now=NOW))
    assert world.store.write(lambda tx: groups.remove(tx, POLICY, staff, now=NOW, with_calendars=True)) == 1
    assert groups_of(world, BILL) == set()
    assert maintenance.check(world.store) == []


def vcar(whom: str) -> str:
    return (
        f"BEGIN:VCAR\nCARID:for\nBEGIN:VRIGHT\nGRANT:{whom}\nPERMISSION:SEARCH\n"
        "SCOPE:SELECT * FROM VEVENT\nEND:VRIGHT\nEND:VCAR"
    )


def test_UPN07_a_right_of_a_group_is_its_members(world: World) -> None:
    staff = group(world, "staff")
    board = group(world, "board")
    world.store.write(lambda tx: groups.add_member(tx, staff, board))
    assert errors(world.create(calendar(event("a")))) == [""]
    assert errors(world.create(calendar(vcar(staff)))) == [""]
    assert world.uids("SELECT * FROM VEVENT", caller=world.caller("mary")) == []
    world.store.write(lambda tx: groups.add_member(tx, board, MARY))
    assert world.uids("SELECT * FROM VEVENT", caller=world.caller("mary")) == ["a"]
    world.store.write(lambda tx: groups.remove_member(tx, staff, board))
    assert world.uids("SELECT * FROM VEVENT", caller=world.caller("mary")) == []


PEOPLE = ("@", "@example.com", "@elsewhere.example", MARY, "zoe@elsewhere.example")


@pytest.mark.parametrize(
    ("whom", "sees"),
    [
        ("*", PEOPLE),
        ("@", ("@",)),
        ("@*", ("@example.com", "@elsewhere.example")),
        ("@example.com", ("@example.com",)),
        ("*@*", (MARY, "zoe@elsewhere.example")),
        ("*@elsewhere.example", ("zoe@elsewhere.example",)),
        ("Mary@Example.com", (MARY,)),
    ],
)
def test_UPN09_A47_whom_each_form_of_a_filter_lets_in(
    one_world: World, whom: str, sees: tuple[str, ...]
) -> None:
    """The table of RFC 4324 §6.1.3, not the grammar beside it: seven forms, five identities."""
    one_world.store.write(lambda tx: identity.add_user(tx, POLICY, "zoe@elsewhere.example", now=NOW))
    assert errors(one_world.create(calendar(event("a")))) == [""]
    assert errors(one_world.create(calendar(vcar(whom)))) == [""]
    found = []
    for upn in PEOPLE:
        who = one_world.store.read(lambda tx, upn=upn: identity.identify(tx, upn))
        assert who is not None
        if one_world.uids("SELECT * FROM VEVENT", caller=replace(one_world.mary, identity=who)):
            found.append(upn)
    assert tuple(found) == sees


# -- acting ------------------------------------------------------------------------------------------------


def test_permissions_are_listed_and_taken_back(world: World) -> None:
    staff = group(world, "staff")
    for upn, whom in ((BILL, MARY), (BILL, " @ "), (staff, "*@Example.com"), (BILL, MARY)):
        world.store.write(lambda tx, upn=upn, whom=whom: acting.allow(tx, upn, whom))
    assert world.store.read(acting.permissions) == [(BILL, "@"), (BILL, MARY), (staff, "*@example.com")]
    assert world.store.read(lambda tx: acting.permissions(tx, staff)) == [(staff, "*@example.com")]
    world.store.write(lambda tx: acting.forbid(tx, BILL, MARY))
    with pytest.raises(NotFoundError):
        world.store.write(lambda tx: acting.forbid(tx, BILL, MARY))
    for bad in ("mary", "mary@", "u@*", "CAL-OWNERS()", ""):
        with pytest.raises(InvalidError):
            world.store.write(lambda tx, bad=bad: acting.allow(tx, BILL, bad))
    with pytest.raises(NotFoundError):
        world.store.write(lambda tx: acting.allow(tx, "nobody@example.com", MARY))


def test_a_session_that_nothing_changes_for_asks_for_one_row(one_world: World) -> None:
    standing = Standing(BILL)
    first = one_world.store.read(standing.identity)

    class Counted:
        """A transaction that counts."""

        asked = 0

        def __init__(self, tx: object) -> None:
            self._tx = tx
            self.memo: dict[object, object] = {}

        def row(self, *given: object) -> object:
            Counted.asked += 1
            return self._tx.row(*given)  # type: ignore[attr-defined]

    assert one_world.store.read(lambda tx: standing.identity(Counted(tx))) is first  # type: ignore[arg-type]
    assert Counted.asked == 1
    group(one_world, "staff", BILL)
    assert one_world.store.read(standing.identity).groups == {"staff@example.com"}


def test_a_session_keeps_nothing_of_a_transaction_that_was_undone(world: World) -> None:
    standing = Standing(BILL)

    def promote(tx: Tx) -> None:
        identity.describe(tx, BILL, admin=True)
        assert standing.identity(tx).admin
        raise LookupError("undone")

    with pytest.raises(LookupError, match="undone"):
        world.store.write(promote)
    world.store.write(lambda tx: identity.describe(tx, MARY, name="Maria"))
    assert not world.store.read(standing.identity).admin


def test_who_is_removed_is_nobody_any_more(world: World) -> None:
    standing = Standing("root@example.com")
    assert world.store.read(lambda tx: standing.wanted(tx, "mary", POLICY)) == MARY
    standing.become(MARY)
    who = world.store.read(standing.identity)
    assert (who.upn, who.behind, who.admin) == (MARY, world.root.identity.principal_id, False)
    world.store.write(lambda tx: identity.remove_user(tx, MARY, now=NOW, with_calendars=True, policy=POLICY))
    with pytest.raises(DeniedError):
        world.store.read(standing.identity)
    world.store.write(
        lambda tx: identity.remove_user(tx, "root@example.com", now=NOW, with_calendars=True, policy=POLICY)
    )
    with pytest.raises(NotFoundError):
        world.store.read(standing.identity)


def test_anonymous_sessions_may_be_nobody_else(world: World) -> None:
    standing = Standing("@")
    with pytest.raises(DeniedError):
        world.store.read(lambda tx: standing.wanted(tx, "bill", POLICY))
    assert world.store.read(lambda tx: standing.wanted(tx, None, POLICY)) == "@"
