"""The store, its calendars, their names and their people."""

from __future__ import annotations

import concurrent.futures
import threading

import pytest
from core_world import NOW, POLICY, STORE, World, calendar, errors, event

from kalends.core import capability, containers, defaults, names, uids
from kalends.core.errors import (
    DeniedError,
    DuplicateError,
    FailureError,
    InterruptedCommandError,
    InvalidError,
    NotFoundError,
)
from kalends.core.guard import guard
from kalends.core.languages import OFFERED
from kalends.core.model import Caller, Policy
from kalends.core.people import identity
from kalends.ical.tree import Component, parse
from kalends.store import changes, maintenance
from kalends.store import errors as store_errors
from kalends.store.base import Store
from kalends.store.open import open_store


@pytest.mark.parametrize(
    "given",
    [
        "bill/calendar",
        "cap://cal.example.com/bill/calendar",
        "CAP://Cal.Example.Com/bill/calendar",
        "cap:cal.example.com/bill/calendar",
        "cap://cal.example.com:1026/bill/calendar",
        "bill%2Fcalendar",
    ],
)
def test_OBM06_A16_A60_every_spelling_of_an_address_names_the_calendar(one_world: World, given: str) -> None:
    found = one_world.target(given)
    assert (found.calendar_id, found.given) == (one_world.calendar.calendar_id, given)


@pytest.mark.parametrize("given", ["cal.example.com", "cap://cal.example.com", "cap://cal.example.com/"])
def test_A17_the_bare_host_names_the_store(one_world: World, given: str) -> None:
    assert one_world.target(given).is_store


def test_ACL22_an_invisible_calendar_looks_like_a_missing_one(world: World) -> None:
    world.lock_out(world.marys, world.mary)
    said = set()
    for given in ("mary/calendar", "nobody/calendar", "cap://elsewhere.example.com/bill/calendar"):
        with pytest.raises(NotFoundError) as refused:
            world.target(given)
        said.add(refused.value.reason)
    assert len(said) == 1


def test_STO03_the_store_has_each_property_exactly_once_and_true(world: World) -> None:
    (store,) = world.find("SELECT * FROM VCALSTORE", STORE, world.root)
    values = {line.name: line.value for line in store.lines if line.name != "RELATED-TO"}
    assert len(values) == len([line for line in store.lines if line.name != "RELATED-TO"])
    assert values == {
        "ALLOW-CONFLICT": "TRUE",
        "CALSCALE": "GREGORIAN",
        "CALMASTER": "mailto:calmaster@example.com",
        "CREATED": "20260101T000000Z",
        "CSID": "cap://cal.example.com",
        "DEFAULT-CHARSET": "UTF-8",
        "DEFAULT-LOCALE": ",".join(("POSIX", *OFFERED[1:])),
        "DEFAULT-VCARS": "READBUSYTIMEINFO,REQUESTONLY,UPDATEPARTSTATUS,DEFAULTOWNER",
        "DEFAULT-TZID": "Europe/Berlin,UTC",
        "LAST-MODIFIED": "20260101T000000Z",
        "MAXDATE": "99991231T235959Z",
        "MINDATE": "00010101T000000Z",
    }


def test_STO02_A58_the_store_is_related_to_the_calendars_that_may_be_seen(one_world: World) -> None:
    def children(caller: Caller) -> list[str]:
        (store,) = one_world.find("SELECT * FROM VCALSTORE", STORE, caller)
        assert all(line.param("RELTYPE") == "CHILD" for line in store.all("RELATED-TO"))
        return [line.value for line in store.all("RELATED-TO")]

    assert len(children(one_world.root)) == 6
    assert children(one_world.bill) == [
        f"cap://cal.example.com/bill/{name}" for name in ("calendar", "tasks")
    ]


def test_STO04_STO05_containers_define_the_zones_they_name(world: World) -> None:
    for target, caller in ((STORE, world.root), (world.calendar, world.bill)):
        zones = {zone.value("TZID") for zone in world.find("SELECT * FROM VTIMEZONE", target, caller)}
        assert zones == {"Europe/Berlin", "UTC"}


def test_ACL04_ACL05_the_four_vcars_are_in_the_store_and_in_new_calendars(world: World) -> None:
    for target, caller, more in ((STORE, world.root, {"READSTORE"}), (world.calendar, world.bill, set())):
        found = {vcar.value("CARID") for vcar in world.find("SELECT * FROM VCAR", target, caller)}
        assert found == {"READBUSYTIMEINFO", "REQUESTONLY", "UPDATEPARTSTATUS", "DEFAULTOWNER"} | more


def test_ACL05_default_vcars_name_the_four_and_vcars_that_are_there(world: World) -> None:
    """RFC 4324 §8.14: what they name is copied into new calendars, and stays as long as it is named."""
    four = "READBUSYTIMEINFO,REQUESTONLY,UPDATEPARTSTATUS,DEFAULTOWNER"

    def change(old: str, new: str, query: str = "SELECT * FROM VCALSTORE", kind: str = "VCALSTORE") -> None:
        world.modify(query, old, new, STORE, world.root, kind=kind)

    for wrong in ("READBUSYTIMEINFO,REQUESTONLY,UPDATEPARTSTATUS", "MINE", f"{four},MINE"):
        with pytest.raises(InvalidError, match="DEFAULT-VCARS names"):
            change(f"DEFAULT-VCARS:{four}", f"DEFAULT-VCARS:{wrong}")
    mine = "BEGIN:VCAR\nCARID:MINE\nBEGIN:VRIGHT\nGRANT:@\nPERMISSION:SEARCH\nEND:VRIGHT\nEND:VCAR"
    assert [one.error for one in world.create(calendar(mine), STORE, world.root)] == [None]
    change(f"DEFAULT-VCARS:{four}", f"DEFAULT-VCARS:{four},MINE")
    for name in ("REQUESTONLY", "MINE"):
        with pytest.raises(InvalidError, match="stands in DEFAULT-VCARS"):
            change(f"CARID:{name}", "CARID:other", f"SELECT * FROM VCAR WHERE CARID = '{name}'", "VCAR")
    text = calendar("BEGIN:VAGENDA\nCALID:new\nOWNER:bill\nEND:VAGENDA")
    assert [one.error for one in world.create(text, STORE)] == [None]
    copied = {vcar.value("CARID") for vcar in world.find("SELECT * FROM VCAR", world.target("new"))}
    assert copied == {*four.split(","), "MINE"}


def test_the_store_is_made_once_and_follows_its_configuration(store: Store) -> None:
    store.write(lambda tx: containers.ensure_store(tx, POLICY, NOW))
    before = store.read(lambda tx: changes.history(tx, 0))
    store.write(lambda tx: containers.ensure_store(tx, POLICY, NOW + 5))
    assert store.read(lambda tx: changes.history(tx, 0)) == before
    renamed = Policy(csid="new.example.com", realm="example.com")
    store.write(lambda tx: containers.ensure_store(tx, renamed, NOW + 9))
    caller = containers.housekeeper(renamed, NOW)
    assert store.read(lambda tx: containers.owners(tx, caller, None, STORE)) == [
        "mailto:calmaster@example.com"
    ]
    assert len(store.read(lambda tx: changes.history(tx, 0))) == len(before) + 1
    assert maintenance.check(store) == []


def test_CRE09_CRE10_a_lenient_store_completes_a_vagenda(one_world: World) -> None:
    text = calendar(
        "BEGIN:VAGENDA\nCALID:team\nNAME;LANGUAGE=en_US:Soccer\nOWNER:bill\nTZID:US/Pacific\nEND:VAGENDA"
    )
    (receipt,) = one_world.create(text, STORE)
    assert (receipt.error, receipt.id_name, receipt.id_value) == (None, "CALID", "team")
    (agenda,) = one_world.find("SELECT * FROM VAGENDA", one_world.target("team"))
    assert {line.name: line.value for line in agenda.lines} == {
        "CALID": "cap://cal.example.com/team",
        "NAME": "Soccer",
        "OWNER": "bill@example.com",
        "TZID": "US/Pacific",
        "DEFAULT-TZID": "US/Pacific",
        "CALSCALE": "GREGORIAN",
        "DEFAULT-CHARSET": "UTF-8",
        "DEFAULT-LOCALE": "POSIX",
        "ALLOW-CONFLICT": "TRUE",
        "CREATED": "20260101T000000Z",
        "LAST-MODIFIED": "20260101T000000Z",
    }
    assert len(one_world.find("SELECT * FROM VTIMEZONE", one_world.target("team"))) == 1


def test_CRE09_a_strict_store_wants_a_whole_vagenda(one_world: World) -> None:
    strict = one_world.caller("bill", strict=True)
    text = calendar("BEGIN:VAGENDA\nCALID:team\nOWNER:bill@example.com\nEND:VAGENDA")
    assert errors(one_world.create(text, STORE, strict)) == ["InvalidError"]


@pytest.mark.parametrize(
    "body",
    [
        "CALID:bad id",
        "CALID:a/../b",
        "CALID:a//b",
        "CALID:a#b",
        "CALID:a?b",
        "CALID:a%2525b",
        "CALID:cap://other.example.com/x",
        "CALID:",
        "CALID:x\nALLOW-CONFLICT:MAYBE",
        "CALID:x\nCALSCALE:HEBREW",
        "CALID:x\nOWNER:bill@",
        "CALID:x\nDEFAULT-TZID:Mars/Olympus",
        "CALID:x\nDEFAULT-TZID:UTC\nDEFAULT-TZID:UTC",
        "CALID:x\nNAME;LANGUAGE=en:a\nNAME;LANGUAGE=EN:b",
    ],
)
def test_a_vagenda_that_breaks_a_rule_is_refused_whole(one_world: World, body: str) -> None:
    receipts = one_world.create(calendar(f"BEGIN:VAGENDA\n{body}\nEND:VAGENDA"), STORE, one_world.root)
    assert errors(receipts) == ["InvalidError"]
    assert len(one_world.find("SELECT * FROM VAGENDA", STORE, one_world.root)) == 6


def test_OBM04_a_calid_is_taken_once(one_world: World) -> None:
    text = calendar("BEGIN:VAGENDA\nCALID:team\nEND:VAGENDA")
    assert errors(one_world.create(text, STORE)) == [""]
    assert errors(one_world.create(text, STORE, one_world.mary)) == ["DuplicateError"]


def test_calendars_are_made_for_oneself_and_by_administrators_for_anybody(one_world: World) -> None:
    text = calendar("BEGIN:VAGENDA\nCALID:team\nOWNER:mary@example.com\nEND:VAGENDA")
    assert errors(one_world.create(text, STORE)) == ["DeniedError"]
    assert errors(one_world.create(text, STORE, one_world.root)) == [""]
    assert [
        one.calid for one in one_world.store.read(lambda tx: containers.calendars_of(tx, one_world.mary))
    ] == [
        "mary/calendar",
        "mary/tasks",
        "team",
    ]


def test_ACL24_a_vagenda_brings_its_contents_along(one_world: World) -> None:
    inside = "BEGIN:VAGENDA\nCALID:team\n" + event("inside") + "\nEND:VAGENDA"
    assert errors(one_world.create(calendar(inside), STORE)) == [""]
    assert one_world.uids("SELECT * FROM VEVENT", one_world.target("team")) == ["inside"]
    broken = "BEGIN:VAGENDA\nCALID:other\n" + event("x", start="DTSTART:nonsense") + "\nEND:VAGENDA"
    assert errors(one_world.create(calendar(broken), STORE)) == ["InvalidError"]
    with pytest.raises(NotFoundError):
        one_world.target("other")


def test_DEL06_deleting_a_calendar_removes_all_of_it(world: World) -> None:
    world.create(calendar(event("a")))
    (receipt,) = world.delete("SELECT * FROM VAGENDA")
    assert (receipt.kind, receipt.id_value, receipt.error) == ("VAGENDA", "bill/calendar", None)
    with pytest.raises(NotFoundError):
        world.target("bill/calendar")
    assert maintenance.check(world.store) == []


def test_a_user_gets_a_calendar_named_after_the_whole_upn_where_the_short_name_is_taken(
    one_world: World,
) -> None:
    add = one_world.store.write(lambda tx: identity.add_user(tx, POLICY, "bill@other.org", now=NOW))
    assert add.upn == "bill@other.org"
    assert one_world.target("bill@other.org/calendar", one_world.root).calid == "bill@other.org/calendar"


def test_UPN02_a_user_exists_once(one_world: World) -> None:
    with pytest.raises(DuplicateError):
        one_world.store.write(lambda tx: identity.add_user(tx, POLICY, "BILL@Example.com", now=NOW))


@pytest.mark.parametrize(
    "text", ["bob@", "a b@example.com", "bob@exa mple", "@", "@example.com", "", "bob@-x"]
)
def test_UPN01_UPN04_what_is_no_user_name_is_refused(one_world: World, text: str) -> None:
    with pytest.raises(InvalidError):
        one_world.store.write(lambda tx: identity.add_user(tx, POLICY, text, now=NOW))


@pytest.mark.parametrize("text", ["", "*", "*@example.com", "bo\u200bb@example.com", "bob@ex\u202eample.com"])
def test_UPN01_UPN09_nobody_is_called_like_a_filter_nor_looks_like_another(
    one_world: World, text: str
) -> None:
    """A GRANT:*@realm means everybody: were somebody called so, a right of theirs would be everybody's."""
    with pytest.raises(InvalidError):
        one_world.store.write(lambda tx: identity.add_user(tx, POLICY, text, now=NOW, kind="group"))
    with pytest.raises(InvalidError):
        names.complete_upn(text, POLICY)


def test_a_new_user_has_a_name_that_can_be_shown(one_world: World) -> None:
    for name in ("bob\x1b[31m", "b\u202eob", " ", "b" * 201):
        with pytest.raises(InvalidError):
            one_world.store.write(
                lambda tx, name=name: identity.add_user(tx, POLICY, "bob", now=NOW, name=name)
            )


@pytest.mark.parametrize("text", ["@", "@example.com", "bob@example.com", "Bob.Smith@Example.com"])
def test_UPN01_forms_of_a_upn(text: str) -> None:
    assert names.check_upn(text) == text.lower()


def test_removing_a_user_needs_a_word_about_the_calendars(world: World) -> None:
    remove = identity.remove_user
    with pytest.raises(InvalidError):
        world.store.write(lambda tx: remove(tx, "bill@example.com", now=NOW))
    world.create(
        calendar("BEGIN:VAGENDA\nCALID:both\nOWNER:bill\nOWNER:mary\nEND:VAGENDA"), STORE, world.bill
    )
    gone = world.store.write(lambda tx: remove(tx, "bill@example.com", now=NOW, with_calendars=True))
    assert gone == 2
    assert world.store.read(lambda tx: identity.identify(tx, "bill@example.com")) is None
    (agenda,) = world.find("SELECT * FROM VAGENDA", world.target("both", world.mary), world.mary)
    assert [line.value for line in agenda.all("OWNER")] == ["mary@example.com"]
    assert maintenance.check(world.store) == []


def test_passwords_are_kept_and_never_shown(one_world: World) -> None:
    one_world.store.write(lambda tx: identity.set_verifier(tx, "bill@example.com", "SCRAM-SECRET"))
    assert one_world.store.read(lambda tx: identity.verifier_of(tx, "bill@example.com")) == "SCRAM-SECRET"
    assert one_world.store.read(lambda tx: identity.verifier_of(tx, "nobody@example.com")) is None
    shown = repr(one_world.store.read(identity.users))
    assert "SCRAM-SECRET" not in shown
    assert "has_password=True" in shown


def test_UPN03_anonymous_has_an_identity_and_no_rights(one_world: World) -> None:
    who = one_world.store.read(lambda tx: identity.identify(tx, "@"))
    assert who is not None
    nobody = Caller(who, "cap", NOW, POLICY)
    assert one_world.find("SELECT * FROM VCALSTORE", STORE, nobody) == []
    assert errors(one_world.create(calendar("BEGIN:VAGENDA\nCALID:x\nEND:VAGENDA"), STORE, nobody)) == [
        "DeniedError"
    ]
    with pytest.raises(DeniedError):
        one_world.delete("SELECT * FROM VEVENT", one_world.calendar, nobody)
    one_world.lock_out(one_world.calendar, one_world.bill)
    with pytest.raises(NotFoundError):
        one_world.target("bill/calendar", nobody)


def test_A55_a_calendar_is_renamed_by_move_and_keeps_everything(world: World) -> None:
    world.create(calendar(event("a")))
    (receipt,) = world.move("SELECT *.* FROM VAGENDA WHERE CALID='bill/calendar'", "Area-51")
    assert (receipt.id_name, receipt.id_value, receipt.error) == ("CALID", "bill/calendar", None)
    assert world.uids("SELECT * FROM VEVENT", world.target("Area-51")) == ["a"]
    assert "CALID:cap://cal.example.com/Area-51" in world.text(
        "SELECT * FROM VAGENDA", world.target("Area-51")
    )
    with pytest.raises(NotFoundError):
        world.target("bill/calendar")
    with pytest.raises(DuplicateError):
        world.move("SELECT * FROM VAGENDA WHERE CALID='Area-51'", "mary/calendar", caller=world.root)
    assert maintenance.check(world.store) == []


def test_MDF13_OBM26_read_only_properties_of_containers(one_world: World) -> None:
    for old, new in (
        ("CREATED:20260101T000000Z", "CREATED:20200101T000000Z"),
        ("CALID:cap://cal.example.com/bill/calendar", "CALID:other"),
    ):
        with pytest.raises(InvalidError):
            one_world.modify("SELECT * FROM VAGENDA", old, new, kind="VAGENDA")
    for old, new in (
        ("CSID:cap://cal.example.com", "CSID:cap://evil.example.com"),
        ("LAST-MODIFIED:20260101T000000Z", "LAST-MODIFIED:20300101T000000Z"),
        ("CREATED:20260101T000000Z", ""),
    ):
        with pytest.raises(InvalidError):
            one_world.modify("SELECT * FROM VCALSTORE", old, new, STORE, one_world.root, kind="VCALSTORE")


def test_OBM25_the_calmaster_is_somebody_to_turn_to(one_world: World) -> None:
    def change(old: str, new: str) -> None:
        one_world.modify("SELECT * FROM VCALSTORE", old, new, STORE, one_world.root, kind="VCALSTORE")

    for bad in ("CALMASTER:", "CALMASTER:the boss", "CALMASTER:root@example.com"):
        with pytest.raises(InvalidError):
            change("CALMASTER:mailto:calmaster@example.com", bad)
    change("CALMASTER:mailto:calmaster@example.com", "CALMASTER:https://example.com/help")
    assert "CALMASTER:https://example.com/help\r\n" in one_world.text("SELECT * FROM VCALSTORE", STORE)


def test_properties_of_a_calendar_are_modified(world: World) -> None:
    (receipt,) = world.modify("SELECT * FROM VAGENDA", "", "NAME:My calendar", kind="VAGENDA")
    assert receipt.error is None
    assert "NAME:My calendar\r\n" in world.text("SELECT * FROM VAGENDA")
    world.modify(
        "SELECT * FROM VAGENDA", "DEFAULT-TZID:Europe/Berlin,UTC", "DEFAULT-TZID:Asia/Tokyo", kind="VAGENDA"
    )
    zones = {zone.value("TZID") for zone in world.find("SELECT * FROM VTIMEZONE")}
    assert "Asia/Tokyo" in zones
    assert maintenance.check(world.store) == []


def test_OBM27_the_last_owner_stays(one_world: World) -> None:
    with pytest.raises(InvalidError):
        one_world.modify("SELECT * FROM VAGENDA", "OWNER:bill@example.com", "", kind="VAGENDA")


def test_sharing_a_calendar_by_owner(one_world: World) -> None:
    one_world.modify("SELECT * FROM VAGENDA", "", "OWNER:mary", kind="VAGENDA")
    assert one_world.target("bill/calendar", one_world.mary).calid == "bill/calendar"
    one_world.modify(
        "SELECT * FROM VAGENDA",
        "OWNER:bill@example.com",
        "",
        one_world.calendar,
        one_world.mary,
        kind="VAGENDA",
    )
    assert one_world.find("SELECT * FROM VAGENDA", one_world.calendar) == []
    with pytest.raises(DeniedError):
        one_world.delete("SELECT * FROM VEVENT")


def test_CON02_the_store_rules_the_calendars(one_world: World) -> None:
    one_world.modify(
        "SELECT * FROM VCALSTORE",
        "ALLOW-CONFLICT:TRUE",
        "ALLOW-CONFLICT:FALSE",
        STORE,
        one_world.root,
        kind="VCALSTORE",
    )
    explicit = calendar("BEGIN:VAGENDA\nCALID:a\nALLOW-CONFLICT:TRUE\nEND:VAGENDA")
    assert errors(one_world.create(explicit, STORE)) == ["InvalidError"]
    assert errors(one_world.create(calendar("BEGIN:VAGENDA\nCALID:b\nEND:VAGENDA"), STORE)) == [""]
    assert "ALLOW-CONFLICT:FALSE" in one_world.text("SELECT * FROM VAGENDA", one_world.target("b"))


def test_store_is_not_for_everybody_to_change(one_world: World) -> None:
    with pytest.raises(DeniedError):
        one_world.modify("SELECT * FROM VCALSTORE", "", "NAME:mine", STORE, kind="VCALSTORE")
    with pytest.raises(DeniedError):
        one_world.create(calendar("BEGIN:VQUERY\nQUERYID:q\nQUERY:SELECT * FROM VEVENT\nEND:VQUERY"), STORE)


def test_CAP02_thirteen_capabilities_with_true_values() -> None:
    told = dict(capability.capabilities(Policy(max_object=1234, recur_limit=77)))
    assert len(told) == 13
    assert told["CAP-VERSION"] == ("4324",)
    assert told["MAX-COMP-SIZE"] == ("1234",)
    assert told["RECUR-LIMIT"] == ("77",)
    assert (told["MAXDATE"], told["MINDATE"]) == (("99991231T235959Z",), ("00010101T000000Z",))
    assert len(set(told["COMPONENTS"])) == len(told["COMPONENTS"])


def test_GUI01_A67_generated_uids_are_distinct_and_bounded() -> None:
    assert len(set(uids.generate(10_000, POLICY))) == 10_000
    for count in (0, -1, 10_001):
        with pytest.raises(InvalidError):
            uids.generate(count, POLICY)


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        (store_errors.DeadlineError("x"), InterruptedCommandError),
        (store_errors.StoreFullError("x"), FailureError),
        (store_errors.DuplicateUidError("x"), DuplicateError),
        (store_errors.StoreError("secret path"), FailureError),
    ],
)
def test_store_errors_become_refusals(raised: Exception, said: type[Exception]) -> None:
    with pytest.raises(said) as refused, guard():
        raise raised
    assert "secret" not in str(refused.value)


def test_LAST_MODIFIED_of_a_calendar_follows_its_contents(one_world: World) -> None:
    later = one_world.caller("bill", now=NOW + 60)
    one_world.create(calendar(event("a")), caller=later)
    assert "LAST-MODIFIED:20260101T000100Z" in one_world.text("SELECT * FROM VAGENDA")
    found = one_world.find("SELECT * FROM VAGENDA WHERE LAST-MODIFIED > '20260101T000030Z'")
    assert len(found) == 1


def test_QRY08_everything_of_a_container(world: World) -> None:
    world.create(calendar(event("a", start="DTSTART;TZID=Europe/Berlin:20260310T090000")))
    world.create(
        calendar(event("b", "ORGANIZER:mailto:m@x.org", "ATTENDEE:mailto:bill@example.com"), method="REQUEST")
    )
    (whole,) = world.find("SELECT *.* FROM VAGENDA")
    kinds = [part.name for part in whole.components]
    assert (
        kinds.count("VEVENT"),
        kinds.count("VCALENDAR"),
        kinds.count("VCAR"),
        kinds.count("VTIMEZONE"),
    ) == (1, 1, 4, 2)
    (store,) = world.find("SELECT *.* FROM VCALSTORE", STORE, world.root)
    assert len(store.children("VAGENDA")) == 6
    assert parse(store.to_ics()).name == "VCALSTORE"


def test_STO01_two_nodes_that_furnish_a_new_store_at_once_both_succeed(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both look before either has written; the second then finds what the first made."""
    looked = threading.Barrier(2, timeout=10)
    known: set[int] = set()
    vcalstore = defaults.vcalstore

    def together(policy: Policy, now: int) -> Component:
        if threading.get_ident() not in known:  # not in a transaction that is tried again
            known.add(threading.get_ident())
            looked.wait()
        return vcalstore(policy, now)

    monkeypatch.setattr(defaults, "vcalstore", together)
    nodes = [open_store(postgres_url) for _ in range(2)]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for done in [
            pool.submit(node.write, lambda tx: containers.ensure_store(tx, POLICY, NOW)) for node in nodes
        ]:
            done.result()
    assert maintenance.check(nodes[0]) == []
    for node in nodes:
        node.close()
