"""Principals as every face sees them: names in paths, addresses, kinds, app passwords."""

from __future__ import annotations

import hashlib

import psycopg
import pytest
from core_world import NOW, POLICY, World

from kalends.core import agendas, containers
from kalends.core.errors import DuplicateError, InvalidError, NotFoundError
from kalends.core.model import Identity
from kalends.core.names import path_name
from kalends.core.people import addresses, identity, tokens
from kalends.core.people.identity import Principal
from kalends.store import schema
from kalends.store.open import open_store
from postgres_server import PostgresServer

BILL = "bill@example.com"


def add(world: World, upn: str, **how: object) -> Principal:
    world.store.write(lambda tx: identity.add_user(tx, POLICY, upn, now=NOW, **how))  # type: ignore[arg-type]
    found = world.store.read(lambda tx: identity.by_upn(tx, upn if "@" in upn else f"{upn}@example.com"))
    assert found is not None
    return found


def by_path(world: World, path: str) -> str | None:
    found = world.store.read(lambda tx: identity.by_path(tx, path))
    return found and found.upn


def test_a_new_user_has_a_calendar_for_events_and_one_for_todos(world: World) -> None:
    bill = world.store.read(lambda tx: identity.by_upn(tx, BILL))
    assert bill is not None
    assert bill.default_calendar == world.calendar.calendar_id
    rows = world.store.read(lambda tx: agendas.owned_by(tx, [BILL]))
    assert [(row.calid, row.home_id, row.slug) for row in rows] == [
        ("bill/calendar", bill.id, "calendar"),
        ("bill/tasks", bill.id, "tasks"),
    ]
    meant = world.store.read(lambda tx: [agendas.meant_for(agendas.properties(tx, row)) for row in rows])
    assert meant == [("VEVENT",), ("VTODO",)]


@pytest.mark.parametrize("kind", ["room", "resource"])
def test_a_room_or_resource_has_one_calendar_in_which_nothing_overlaps(world: World, kind: str) -> None:
    room = add(world, "board-room", kind=kind, name="Board room")
    assert (room.kind, room.name, room.path) == (kind, "Board room", "board-room")
    (row,) = world.store.read(lambda tx: agendas.owned_by(tx, [room.upn]))
    assert (row.calid, row.allow_conflict) == ("board-room/calendar", False)


def test_a_group_has_no_calendar(world: World) -> None:
    group = add(world, "staff", kind="group")
    assert (group.kind, group.default_calendar) == ("group", None)
    assert world.store.read(lambda tx: agendas.owned_by(tx, [group.upn])) == []


def test_a_path_name_is_the_user_name_or_the_whole_upn_where_that_is_taken(world: World) -> None:
    other = add(world, "bill@elsewhere.example")
    assert other.path == "bill@elsewhere.example"
    assert by_path(world, "bill") == BILL
    assert by_path(world, "BILL") == BILL
    assert by_path(world, "bill@elsewhere.example") == other.upn
    assert by_path(world, "bill@example.com") is None
    assert world.target("bill@elsewhere.example/tasks", world.root).calid == "bill@elsewhere.example/tasks"


def test_a_path_name_stays_when_somebody_else_leaves(world: World) -> None:
    add(world, "bill@elsewhere.example")
    world.store.write(lambda tx: identity.remove_user(tx, BILL, now=NOW, with_calendars=True, policy=POLICY))
    assert by_path(world, "bill@elsewhere.example") == "bill@elsewhere.example"
    assert by_path(world, "bill") is None


@pytest.mark.parametrize(
    ("upn", "path"),
    [
        ("o'neil/x%41+y@example.com", "o-neil-x-41-y"),
        ("müller@example.com", "muller"),
        ("李@example.com", "user"),
        ("a~b_c.d@example.com", "a~b_c.d"),
    ],
)
def test_path_names_are_the_same_percent_encoded_or_not(one_world: World, upn: str, path: str) -> None:
    """RFC 3986 §2.3: only unreserved characters, and @ where a whole UPN is needed."""
    assert add(one_world, upn).path == path
    assert path_name("..") == "user"


def test_upns_that_look_the_same_in_paths_are_numbered(one_world: World) -> None:
    paths = [add(one_world, f"a{c}b@example.com").path for c in "+=!{"]
    assert paths == ["a-b", "a-b@example.com", "a-b@example.com-2", "a-b@example.com-3"]


def test_a_calendar_made_before_keeps_its_calid(one_world: World) -> None:
    one_world.store.write(lambda tx: containers.create_calendar(tx, one_world.root, "zoe/tasks", "mary"))
    assert add(one_world, "zoe").path == "zoe@example.com"


def test_principals_are_found_by_address_and_by_what_people_call_them(world: World) -> None:
    world.store.write(lambda tx: addresses.add_address(tx, BILL, "William@Example.ORG"))
    world.store.write(lambda tx: identity.describe(tx, "mary@example.com", name="Mary Ørsted"))
    for written in ("mailto:bill@example.com", "MAILTO:William@example.org", "william@example.org"):
        found = world.store.read(lambda tx, written=written: identity.by_address(tx, written))
        assert found is not None
        assert found.upn == BILL
        assert found.addresses == ("mailto:bill@example.com", "mailto:william@example.org")
    assert world.store.read(lambda tx: identity.by_address(tx, "mailto:nobody@example.com")) is None

    def search(word: str) -> list[str]:
        return [
            one.upn
            for one in world.store.read(lambda tx: identity.search(tx, lambda text: word in text.casefold()))
        ]

    assert search("ørst") == ["mary@example.com"]
    assert search("william") == [BILL]
    assert search("example.com") == [BILL, "mary@example.com", "root@example.com"]
    assert search("mailto") == []
    limited = world.store.read(lambda tx: identity.search(tx, lambda _: True, limit=2))
    assert [one.upn for one in limited] == [BILL, "mary@example.com"]
    add(world, "hall", kind="room")
    rooms = world.store.read(lambda tx: identity.everybody(tx, ("room", "resource")))
    assert [one.path for one in rooms] == ["hall"]


def test_UPN02_an_address_never_is_somebody_elses(world: World) -> None:
    """RFC 4324 §6.1.2: a UPN never is another person's e-mail address."""
    world.store.write(lambda tx: addresses.add_address(tx, BILL, "shared@example.com"))
    for upn, address in (
        ("mary@example.com", "shared@example.com"),
        ("mary@example.com", "mailto:bill@example.com"),
        (BILL, "shared@example.com"),
        (BILL, "mary@example.com"),
    ):
        with pytest.raises(DuplicateError):
            world.store.write(lambda tx, upn=upn, a=address: addresses.add_address(tx, upn, a))
    with pytest.raises(DuplicateError):
        add(world, "shared")
    world.store.write(lambda tx: addresses.remove_address(tx, BILL, "Shared@example.com"))
    assert add(world, "shared").upn == "shared@example.com"


def test_addresses_that_are_none_and_those_that_stay(world: World) -> None:
    for bad in (
        "",
        "nonsense",
        "mailto:",
        "mailto:x",
        "a b@example.com",
        "tel:\x00",
        "x" * 600 + "@example.com",
    ):
        with pytest.raises(InvalidError):
            world.store.write(lambda tx, bad=bad: addresses.add_address(tx, BILL, bad))
    with pytest.raises(InvalidError):
        world.store.write(lambda tx: addresses.remove_address(tx, BILL, BILL))
    with pytest.raises(NotFoundError):
        world.store.write(lambda tx: addresses.remove_address(tx, BILL, "tel:+1"))
    with pytest.raises(NotFoundError):
        world.store.write(lambda tx: addresses.add_address(tx, "nobody@example.com", "tel:+1"))


def test_name_zone_and_locale_are_kept(world: World) -> None:
    def said() -> tuple[object, ...]:
        bill = world.store.read(lambda tx: identity.by_path(tx, "bill"))
        assert bill is not None
        return bill.name, bill.tz, bill.locale, bill.admin

    def describe(**what: object) -> None:
        world.store.write(lambda tx: identity.describe(tx, BILL, **what))  # type: ignore[arg-type]

    describe(name=" William ", tz="Europe/Vienna", locale="de_AT", admin=True)
    assert said() == ("William", "Europe/Vienna", "de-AT", True)
    describe(tz="", admin=False)
    assert said() == ("William", None, "de-AT", False)
    for bad in ({"name": ""}, {"name": "a\nb"}, {"tz": "Mars/Olympus"}, {"locale": "not a tag"}):
        with pytest.raises(InvalidError):
            describe(**bad)
    add(world, "hall", kind="room")
    with pytest.raises(InvalidError, match="only a user"):
        world.store.write(lambda tx: identity.describe(tx, "hall@example.com", admin=True))


# -- app passwords ----------------------------------------------------------------------------------------


def check(world: World, upn: str, secret: str, uses: tokens.Uses | None = None) -> Identity | None:
    return world.store.read(
        lambda tx: identity.check_token(tx, upn, secret, uses.note if uses is not None else None)
    )


def test_an_app_password_is_good_for_its_user_until_it_is_revoked(world: World) -> None:
    secret = world.store.write(lambda tx: tokens.add(tx, BILL, "telephone", NOW))
    for typed in (secret, secret.upper(), secret.replace("-", ""), secret.replace("-", " ")):
        who = check(world, BILL, typed)
        assert who is not None
        assert who.upn == BILL
    assert check(world, "mary@example.com", secret) is None
    assert check(world, "nobody@example.com", secret) is None
    assert check(world, "@", secret) is None
    assert check(world, BILL, secret[:-1] + ("a" if secret[-1] != "a" else "b")) is None
    assert check(world, BILL, "") is None
    with pytest.raises(NotFoundError):
        world.store.write(lambda tx: tokens.revoke(tx, "mary@example.com", "telephone"))
    world.store.write(lambda tx: tokens.revoke(tx, BILL, "telephone"))
    assert check(world, BILL, secret) is None
    with pytest.raises(NotFoundError):
        world.store.write(lambda tx: tokens.revoke(tx, BILL, "telephone"))


def test_only_a_hash_of_an_app_password_is_kept_and_no_two_are_alike(world: World) -> None:
    made = {world.store.write(lambda tx, n=n: tokens.add(tx, BILL, f"device {n}", NOW)) for n in range(3)}
    assert len(made) == 3
    assert all(len(secret.replace("-", "")) * 5 >= 128 for secret in made)  # bits
    kept = {row[0] for row in world.store.read(lambda tx: tx.rows("select hash from token"))}
    assert kept == {hashlib.sha256(one.replace("-", "").encode()).hexdigest() for one in made}
    assert not any(row in repr(world.store.read(lambda tx: tokens.of_user(tx, BILL))) for row in kept)


def test_labels_of_app_passwords(world: World) -> None:
    world.store.write(lambda tx: tokens.add(tx, BILL, " phone ", NOW))
    with pytest.raises(DuplicateError):
        world.store.write(lambda tx: tokens.add(tx, BILL, "phone", NOW))
    world.store.write(lambda tx: tokens.add(tx, "mary@example.com", "phone", NOW))
    for bad in ("", "  ", "x" * 101, "a\x1b[2J"):
        with pytest.raises(InvalidError):
            world.store.write(lambda tx, bad=bad: tokens.add(tx, BILL, bad, NOW))
    with pytest.raises(NotFoundError):
        world.store.write(lambda tx: tokens.add(tx, "nobody@example.com", "phone", NOW))


def test_app_passwords_are_not_without_number(one_world: World) -> None:
    def many(tx: object) -> None:
        for number in range(tokens.MAX_APP_PASSWORDS + 1):
            tokens.add(tx, BILL, str(number), NOW)  # type: ignore[arg-type]  # a transaction

    with pytest.raises(InvalidError, match="revoke one first"):
        one_world.store.write(many)


def test_when_an_app_password_was_used_is_known_without_a_write_each_time(world: World) -> None:
    secret = world.store.write(lambda tx: tokens.add(tx, BILL, "phone", NOW))
    uses = tokens.Uses(NOW)
    for _ in range(3):
        assert check(world, BILL, secret, uses) is not None
    taken = uses.take(NOW + 60)
    assert len(taken) == 1
    assert uses.take(NOW + 60) == []
    world.store.write(lambda tx: tokens.save(tx, taken, NOW + 60))
    (one,) = world.store.read(lambda tx: tokens.of_user(tx, BILL))
    assert (one.label, one.created_at, one.used_at) == ("phone", NOW, NOW + 60)
    check(world, BILL, secret, uses)  # known well enough already
    assert uses.take(NOW + 60 + tokens.USED_SECONDS) == []
    check(world, BILL, secret, uses)
    assert uses.take(NOW + 60 + tokens.USED_SECONDS) == taken


def test_somebody_who_was_removed_has_no_app_password(world: World) -> None:
    secret = world.store.write(lambda tx: tokens.add(tx, BILL, "phone", NOW))
    world.store.write(lambda tx: identity.remove_user(tx, BILL, now=NOW, with_calendars=True, policy=POLICY))
    assert check(world, BILL, secret) is None
    assert world.store.read(lambda tx: tx.rows("select hash from token")) == []


# -- stores made before -----------------------------------------------------------------------------------


@pytest.mark.parametrize("dialect", ["sqlite", "postgres"])
def test_principals_of_an_older_store_get_names_in_paths(
    dialect: str, sqlite_url: str, postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = sqlite_url
    if dialect == "postgres":
        with psycopg.connect(postgres_server.url("postgres"), autocommit=True) as connection:
            connection.execute("drop database if exists older")
            connection.execute("create database older")
        url = postgres_server.url("older")
    all_of_them = schema.migrations()
    with monkeypatch.context() as patch:
        patch.setattr(schema, "migrations", lambda: {n: sql for n, sql in all_of_them.items() if n <= 2})
        older = open_store(url)
        for id_, upn in ((1, "ann@example.com"), (2, "ann@example.org"), (3, "a+b.c@example.com")):
            older.write(
                lambda tx, id_=id_, upn=upn: tx.run(
                    "insert into principal (id, upn, kind, name, created_at) values (?, ?, 'user', 'x', 1)",
                    (id_, upn),
                )
            )
        older.close()
    store = open_store(url)
    try:
        paths = {one.upn: one.path for one in store.read(identity.everybody)}
    finally:
        store.close()
    assert paths == {
        "ann@example.com": "ann",
        "ann@example.org": "ann@example.org",
        "a+b.c@example.com": "a+b.c",
    }
