"""VCARs in force: what others than owners may do, over every command (RFC 4324 §4.2, §9.3, §9.4)."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from core_world import World, calendar, errors, event, preset_text

from kalends.core import ledger
from kalends.core.errors import DeniedError, NotFoundError, StaleError
from kalends.core.model import Caller
from kalends.core.past import undoing

MARY = "mary@example.com"
MEETING = event(
    "m", "SUMMARY:Meeting", "CLASS:PUBLIC", "ORGANIZER:mailto:bill@example.com",
    "ATTENDEE;CN=Mary;PARTSTAT=NEEDS-ACTION:mailto:mary@example.com", "ATTENDEE:mailto:eve@example.com",
)  # fmt: skip
PRIVATE = event("p", "SUMMARY:Doctor", "CLASS:PRIVATE")


def right(*lines: str, carid: str = "test") -> str:
    body = "\n".join(("BEGIN:VRIGHT", *lines, "END:VRIGHT"))
    return calendar(f"BEGIN:VCAR\nCARID:{carid}\n{body}\nEND:VCAR")


def grant(world: World, *lines: str, carid: str = "test") -> None:
    assert errors(world.create(right(*lines, carid=carid))) == [""]


@pytest.fixture
def full(world: World) -> World:
    """Bill's calendar with a meeting and something private."""
    assert errors(world.create(calendar(MEETING, PRIVATE))) == ["", ""]
    return world


def test_a_fresh_user_sees_nothing_and_writes_nothing_acl_01(full: World) -> None:
    """ACL-01: an empty answer, and a refusal for each kind of writing."""
    for source in ("VEVENT", "VTODO", "VCAR", "VAGENDA", "VTIMEZONE", "VQUERY", "VALARM", "VCALENDAR"):
        assert full.find(f"SELECT * FROM {source}", full.calendar, full.mary) == []
    assert errors(full.create(calendar(event("x")), full.calendar, full.mary)) == ["DeniedError"]
    for refused in (
        lambda: full.delete("SELECT * FROM VEVENT", full.calendar, full.mary),
        lambda: full.move("SELECT * FROM VEVENT", "mary/calendar", "bill/calendar", caller=full.mary),
        lambda: full.modify("SELECT * FROM VTODO", "", "SUMMARY:x", full.calendar, full.mary, kind="VTODO"),
    ):
        with pytest.raises(DeniedError):
            refused()
    assert full.uids("SELECT * FROM VEVENT") == ["m", "p"]


def test_everybody_sees_when_one_is_busy_acl_06(full: World) -> None:
    """ACL-06."""
    (busy,) = full.find(
        "SELECT * FROM VFREEBUSY WHERE DTSTART >= '20260301T000000Z' AND DTEND <= '20260401T000000Z'",
        full.calendar,
        full.mary,
    )
    assert busy.all("FREEBUSY")
    assert "Doctor" not in busy.to_ics()
    full.delete("SELECT * FROM VCAR WHERE CARID = 'READBUSYTIMEINFO'")
    assert full.find("SELECT * FROM VFREEBUSY", full.calendar, full.mary) == []


@pytest.mark.parametrize(
    ("method", "said"), [("REQUEST", ""), (None, "DeniedError"), ("CANCEL", "DeniedError")]
)
def test_others_may_send_requests_and_nothing_else_acl_07(full: World, method: str | None, said: str) -> None:
    """ACL-07."""
    text = calendar(event("r", "ORGANIZER:mailto:mary@example.com", "ATTENDEE:mailto:bill@example.com"))
    if method:
        text = text.replace("VERSION:2.0", f"VERSION:2.0\r\nMETHOD:{method}")
        assert method in text
    assert errors(full.create(text, full.calendar, full.mary)) == [said]
    assert full.find("SELECT * FROM VEVENT WHERE STATE() = 'UNPROCESSED'", full.calendar, full.mary) == []


def test_an_attendee_changes_their_own_participation_acl_08(full: World) -> None:
    """ACL-08: own parameters, no other value, nobody else's, nothing that is not theirs; found by UID."""
    by_uid = "SELECT * FROM VEVENT WHERE UID = 'm'"

    def change(old: str, new: str, query: str = by_uid, caller: Caller | None = None) -> None:
        full.modify(query, old, new, full.calendar, caller or full.mary)

    change(
        "ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:mary@example.com",
        "ATTENDEE;PARTSTAT=ACCEPTED:mailto:mary@example.com",
    )
    (seen,) = full.find(by_uid)
    mine = seen.all("ATTENDEE")[0]
    assert [mine.param("CN"), mine.param("PARTSTAT")] == ["Mary", "ACCEPTED"]
    for old, new in (
        ("ATTENDEE:mailto:eve@example.com", "ATTENDEE;PARTSTAT=DECLINED:mailto:eve@example.com"),
        ("ATTENDEE:mailto:nobody@example.com", "ATTENDEE;PARTSTAT=DECLINED:mailto:nobody@example.com"),
        ("ATTENDEE:mailto:mary@example.com", "ATTENDEE:mailto:maria@example.com"),
        ("ATTENDEE:mailto:mary@example.com", ""),
        ("", "ATTENDEE:mailto:maria@example.com"),
        ("SUMMARY:Meeting", "SUMMARY:Party"),
        ("SUMMARY:Party", "SUMMARY:Meeting"),
        ("", "SUMMARY:Meeting"),
        ("", "SUMMARY:Party"),
    ):
        with pytest.raises(DeniedError):
            change(old, new)
    with pytest.raises(StaleError):
        change("ATTENDEE;PARTSTAT=DECLINED:mailto:mary@example.com", "ATTENDEE:mailto:mary@example.com")
    for hidden in ("UID = 'p'", "SUMMARY = 'Meeting'", "SUMMARY LIKE 'M%'", "UID = 'nothing'"):
        with pytest.raises(StaleError):
            change("", "SUMMARY:x", f"SELECT * FROM VEVENT WHERE {hidden}")
    change(
        "ATTENDEE;PARTSTAT=ACCEPTED:mailto:mary@example.com",
        "ATTENDEE;PARTSTAT=DECLINED:mailto:mary@example.com",
        "SELECT * FROM VEVENT WHERE ATTENDEE = SELF()",
    )
    assert full.find(by_uid, full.calendar, full.mary) == []


def test_scope_limits_to_properties_acl_14(full: World) -> None:
    """ACL-14: SELECT * gives just those; what is hidden cannot be asked about; all hidden is 4.1 (ACL-21)."""
    grant(full, f"GRANT:{MARY}", "PERMISSION:SEARCH", "SCOPE:SELECT DTSTART,DTEND FROM VEVENT")
    found = full.find("SELECT * FROM VEVENT", full.calendar, full.mary)
    assert [[line.name for line in one.lines] for one in found] == [["DTSTART"]] * 2, "DURATION is no DTEND"
    for where in ("UID = 'm'", "SUMMARY LIKE '%'", "SUMMARY IS NOT NULL", "ATTENDEE = SELF()"):
        assert full.find(f"SELECT * FROM VEVENT WHERE {where}", full.calendar, full.mary) == []
    assert len(full.find("SELECT * FROM VEVENT WHERE SUMMARY IS NULL", full.calendar, full.mary)) == 2
    hidden = full.answer("SELECT SUMMARY,LOCATION FROM VEVENT", full.calendar, full.mary).found
    assert [(one.hidden, one.items[0].name) for one in hidden] == [(True, "VEVENT")] * 2
    some = full.answer("SELECT SUMMARY,DTSTART FROM VEVENT", full.calendar, full.mary).found
    assert [one.hidden for one in some] == [False] * 2


def test_scope_limits_by_content_acl_15(full: World) -> None:
    """ACL-15: what is private is not there; nor is it to be found by asking."""
    grant(full, f"GRANT:{MARY}", "PERMISSION:SEARCH", "SCOPE:SELECT * FROM VEVENT WHERE CLASS = 'PUBLIC'")
    assert full.uids("SELECT * FROM VEVENT", full.calendar, full.mary) == ["m"]
    assert full.uids("SELECT * FROM VEVENT WHERE SUMMARY = 'Doctor'", full.calendar, full.mary) == []


def test_deny_beats_grant_acl_02(full: World) -> None:
    """ACL-02, in either order; it holds in the session that is open."""
    grant(full, "GRANT:*", "PERMISSION:SEARCH", "SCOPE:SELECT * FROM VEVENT", carid="a")
    assert full.uids("SELECT * FROM VEVENT", full.calendar, full.mary) == ["m", "p"]
    grant(full, f"DENY:{MARY}", "PERMISSION:SEARCH", "SCOPE:SELECT * FROM VEVENT", carid="b")
    assert full.uids("SELECT * FROM VEVENT", full.calendar, full.mary) == []
    full.delete("SELECT * FROM VCAR WHERE CARID = 'b'")
    assert full.uids("SELECT * FROM VEVENT", full.calendar, full.mary) == ["m", "p"]


def test_results_must_match_a_restriction_acl_16_acl_19(full: World) -> None:
    """ACL-16, ACL-19, A-51: any one of several restrictions will do."""
    grant(
        full, f"GRANT:{MARY}", "PERMISSION:CREATE", "PERMISSION:MODIFY",
        "RESTRICTION:SELECT * FROM VEVENT WHERE CLASS = 'PUBLIC'",
        "RESTRICTION:SELECT * FROM VEVENT WHERE SUMMARY LIKE 'ok%'",
    )  # fmt: skip
    grant(full, f"GRANT:{MARY}", "PERMISSION:SEARCH", carid="see")
    for lines, said in ((("CLASS:PUBLIC",), ""), (("SUMMARY:okay",), ""), (("SUMMARY:no",), "DeniedError")):
        text = calendar(event(f"n-{lines[0]}", *lines))
        assert errors(full.create(text, full.calendar, full.mary)) == [said]
    full.modify(
        "SELECT * FROM VEVENT WHERE UID = 'p'", "CLASS:PRIVATE", "CLASS:PUBLIC", full.calendar, full.mary
    )
    with pytest.raises(DeniedError):
        full.modify(
            "SELECT * FROM VEVENT WHERE UID = 'p'", "CLASS:PUBLIC", "CLASS:PRIVATE", full.calendar, full.mary
        )


def test_locked_rights_stay_locked_even_for_owners_acl_25(full: World) -> None:
    """ACL-25: an administrator can open them again."""
    grant(full, "DENY:*", "PERMISSION:*", "SCOPE:SELECT * FROM VCAR", carid="lock")
    with pytest.raises(DeniedError):
        full.modify("SELECT * FROM VCAR WHERE CARID = 'lock'", "", "NAME:x", kind="VCAR")
    with pytest.raises(DeniedError):
        full.delete("SELECT * FROM VCAR WHERE CARID = 'lock'")
    with pytest.raises(DeniedError):
        full.create(right("GRANT:*", "PERMISSION:*", carid="more"))
    assert full.find("SELECT * FROM VCAR") == []
    assert full.uids("SELECT * FROM VEVENT") == ["m", "p"]
    full.delete("SELECT * FROM VCAR WHERE CARID = 'lock'", full.calendar, full.root)
    assert len(full.find("SELECT * FROM VCAR")) == 4


@pytest.mark.parametrize("what", ["VEVENT WHERE CLASS = 'PRIVATE'", "VCAR", "VTIMEZONE"])
def test_removing_a_calendar_is_no_way_around_a_denial(full: World, what: str) -> None:
    """RFC 4324 §4.2, §9.3: whoever may not delete something in a calendar does not delete it with the calendar."""
    deny = right("DENY:*", "PERMISSION:DELETE", f"SCOPE:SELECT * FROM {what}", carid="keep")
    assert errors(full.create(deny, full.calendar, full.root)) == [""]
    assert errors(full.delete("SELECT * FROM VAGENDA")) == ["DeniedError"]
    assert full.uids("SELECT * FROM VEVENT") == ["m", "p"]
    with pytest.raises(DeniedError):
        full.store.write(lambda tx: ledger.remove_calendar(tx, full.bill, full.calendar))
    full.delete("SELECT * FROM VCAR WHERE CARID = 'keep'", full.calendar, full.root)
    elsewhere = right("DENY:*", "PERMISSION:DELETE", "SCOPE:SELECT * FROM VJOURNAL", carid="none")
    assert errors(full.create(elsewhere, full.calendar, full.root)) == [""]
    assert errors(full.delete("SELECT * FROM VAGENDA")) == [""]


@pytest.mark.parametrize(
    ("permission", "said"),
    [
        ("X-Ping", ""), ("generate-uid", ""), ("*", ""),
        ("SEARCH,CREATE", "InvalidError"), ("SERACH", "InvalidError"), ("X-", "InvalidError"), ("**", "InvalidError"),
    ],
)  # fmt: skip
def test_a_permission_that_nobody_knows_is_refused_acl_20(full: World, permission: str, said: str) -> None:
    """RFC 4324 §8.25: a DENY with a misspelt permission would deny nothing, and nobody would notice."""
    (told,) = errors(full.create(right("DENY:@", f"PERMISSION:{permission}")))
    assert told == said
    assert len(full.find("SELECT * FROM VCAR WHERE CARID = 'test'")) == (not said)


def test_owners_have_their_rights_by_defaultowner_acl_09(full: World) -> None:
    """RFC 4324 §4.2.2: without it they have none, and an administrator gives it back."""
    (kept,) = full.find("SELECT * FROM VCAR WHERE CARID = 'DEFAULTOWNER'")
    full.delete("SELECT * FROM VCAR WHERE CARID = 'DEFAULTOWNER'", full.calendar, full.root)
    assert full.find("SELECT * FROM VEVENT") == []
    for refused in (
        lambda: full.create(calendar(event("x"))),
        lambda: full.delete("SELECT * FROM VEVENT WHERE UID = 'm'"),
    ):
        with pytest.raises(DeniedError):
            refused()
    assert errors(full.create(calendar(kept.to_ics()), full.calendar, full.root)) == [""]
    assert full.uids("SELECT * FROM VEVENT") == ["m", "p"]
    assert errors(full.create(calendar(event("x")))) == [""]
    assert errors(full.delete("SELECT * FROM VEVENT WHERE UID = 'm'")) == [""]


@pytest.mark.parametrize("permission", ["SEARCH", "CREATE", "DELETE", "MODIFY", "MOVE"])
def test_each_permission_alone_acl_20(full: World, permission: str) -> None:
    """ACL-20: each one works alone, and no other with it."""
    full.lock_out(full.calendar, full.bill)
    grant(full, f"GRANT:{MARY}", f"PERMISSION:{permission}", "SCOPE:SELECT * FROM VEVENT")
    m, p = (f"SELECT * FROM VEVENT WHERE UID = '{uid}'" for uid in "mp")
    tries: dict[str, Callable[[], bool]] = {
        "SEARCH": lambda: bool(full.find("SELECT * FROM VEVENT", full.calendar, full.mary)),
        "CREATE": lambda: errors(full.create(calendar(event("new")), full.calendar, full.mary)) == [""],
        "MODIFY": lambda: bool(full.modify(m, "", "LOCATION:here", full.calendar, full.mary)),
        "MOVE": lambda: errors(full.move(p, "mary/calendar", "bill/calendar", caller=full.mary)) == [""],
        "DELETE": lambda: errors(
            full.delete(m, full.calendar, full.mary)
        ) == [""],
    }  # fmt: skip
    worked = set()
    for name, work in tries.items():
        try:
            if work():
                worked.add(name)
        except (DeniedError, NotFoundError):
            pass
    assert worked == {permission}


def test_deleting_without_reading_finds_by_identifier_alone(full: World) -> None:
    """No leak through the WHERE of a DELETE."""
    grant(full, f"GRANT:{MARY}", "PERMISSION:DELETE", "SCOPE:SELECT * FROM VEVENT")
    for where in ("SUMMARY = 'Doctor'", "CLASS = 'PRIVATE'", "DTSTART > '20200101T000000Z'"):
        assert full.delete(f"SELECT * FROM VEVENT WHERE {where}", full.calendar, full.mary) == []
    assert errors(full.delete("SELECT * FROM VEVENT WHERE UID = 'p'", full.calendar, full.mary)) == [""]


def test_who_shares_is_listed_and_who_is_only_asked_for_free_busy_is_not(full: World) -> None:
    """The list of calendars in the store."""
    everywhere = "SELECT CALID FROM VAGENDA"
    store = full.target("cap://cal.example.com", full.mary)
    own = len(full.find(everywhere, store, full.mary))
    full.create(preset_text("busy", MARY))
    assert len(full.find(everywhere, store, full.mary)) == own
    full.delete(f"SELECT * FROM VCAR WHERE CARID = 'share-{MARY}'")
    full.create(preset_text("titles", MARY))
    assert len(full.find(everywhere, store, full.mary)) == own + 1
    (one,) = full.find("SELECT * FROM VCALSTORE", store, full.mary)
    assert len(one.all("RELATED-TO")) == own + 1


def test_an_invitation_needs_the_right_to_send_one_acl_07(one_world: World) -> None:
    """ACL-07: what a server delivers by itself is no way around REQUESTONLY; who has it already hears of changes."""
    world = one_world
    invite = (
        "ORGANIZER:mailto:bill@example.com",
        "ATTENDEE:mailto:bill@example.com",
        "ATTENDEE:mailto:mary@example.com",
    )
    assert errors(world.create(calendar(event("first", *invite)))) == [""]
    assert world.uids("SELECT * FROM VEVENT WHERE STATE() = 'BOOKED'", world.marys, world.mary) == ["first"]
    world.delete("SELECT * FROM VCAR WHERE CARID = 'REQUESTONLY'", world.marys, world.mary)
    assert errors(world.create(calendar(event("second", *invite)))) == [""]
    assert world.uids("SELECT * FROM VEVENT", world.marys, world.mary) == sorted(["first"] * 2)
    (mine,) = world.find("SELECT * FROM VEVENT WHERE UID = 'second'")
    assert [line.param("SCHEDULE-STATUS") for line in mine.all("ATTENDEE")][1] == "5.3"
    world.modify(
        "SELECT * FROM VEVENT WHERE UID = 'first'", "DTSTART:20260310T090000Z", "DTSTART:20260310T110000Z"
    )
    (hers,) = world.find(
        "SELECT * FROM VEVENT WHERE UID = 'first' AND STATE() = 'BOOKED'", world.marys, world.mary
    )
    assert hers.value("DTSTART") == "20260310T110000Z"


def test_the_invited_may_answer_what_they_are_invited_to_acl_26(full: World) -> None:
    """ACL-26: for their UIDs, in their own name, as long as nothing denies it; and nobody else."""

    def said(uid: str, method: str, who: str = "mary", caller: Caller | None = None) -> list[str]:
        text = calendar(
            event(
                uid, "SEQUENCE:0", "ORGANIZER:mailto:bill@example.com",
                f"ATTENDEE;PARTSTAT=ACCEPTED:mailto:{who}@example.com",
            ),
            method=method,
        )  # fmt: skip
        return errors(full.create(text, full.calendar, caller or full.mary))

    assert said("m", "REPLY") == [""]
    assert said("p", "REPLY") == ["DeniedError"]
    assert said("nothing", "REPLY") == ["DeniedError"]
    assert said("m", "REPLY", "eve") == ["DeniedError"]
    assert said("m", "CANCEL") == ["DeniedError"]
    grant(full, f"DENY:{MARY}", "PERMISSION:CREATE", carid="no")
    assert said("m", "REPLY") == ["DeniedError"]


def test_who_sees_everything_may_still_not_take_back(full: World) -> None:
    """UPDATEPARTSTATUS lets everybody change something; undoing is for those who may change everything."""
    grant(full, f"GRANT:{MARY}", "PERMISSION:SEARCH", "SCOPE:SELECT * FROM VAGENDA")
    assert full.uids("SELECT * FROM VEVENT", full.calendar, full.mary) == ["m", "p"]
    with pytest.raises(DeniedError):
        full.store.write(lambda tx: undoing.undo(tx, full.mary, full.calendar, uid="p"))
