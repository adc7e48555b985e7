"""IDENTIFY: as whom a session acts, who may, and what is written down of it (RFC 4324 §10.8, §14)."""

from __future__ import annotations

import pytest
from cap_harness import POLICY, UTC, Pair, command, event, query

from kalends.cap.actions import Audit
from kalends.cap.session import MAX_REFUSED_IDENTITIES
from kalends.core import containers
from kalends.core.model import Policy
from kalends.core.past import history
from kalends.core.people import acting, groups, identity
from kalends.store.base import Store

CAL, MARYS = ("bob/calendar",), ("mary/calendar",)
SELF = query("SELECT * FROM VAGENDA WHERE OWNER = SELF()")


def identify(pair: Pair, whom: str | None = None, ident: str = "1") -> str:
    """Ask; gives the reply's form and status."""
    option = "" if whom is None else f";OPTIONS={whom}"
    answer = pair.ask(command(f"CMD;ID={ident}{option}:IDENTIFY"))
    (status,) = [line for line in answer.text.split("\r\n") if line.startswith("REQUEST-STATUS")]
    return f"{answer.kind} {status.partition(':')[2][:3]}"


def is_mary(pair: Pair) -> bool:
    """SELF() is whom the session acts as (QRY-13)."""
    return "BEGIN:VAGENDA" in pair.ask(command("CMD:SEARCH", *SELF, targets=MARYS)).text


def allow(store: Store, upn: str, whom: str) -> None:
    store.write(lambda tx: acting.allow(tx, upn, whom))


def test_IDN03_QRY13_an_administrator_acts_as_anybody_and_goes_back(calendars: Store) -> None:
    pair = Pair(calendars, "root@example.com")
    assert not is_mary(pair)
    assert identify(pair, "mary") == "RPY 2.0"
    assert is_mary(pair)
    assert "BEGIN:VAGENDA" not in pair.ask(command("CMD:SEARCH", *SELF, targets=CAL)).text
    assert identify(pair) == "RPY 2.0"
    assert not is_mary(pair)


def test_IDN02_others_need_a_permission(calendars: Store) -> None:
    """Unknown, malformed, null realms: all are the same 6.4 (UPN-04)."""
    pair = Pair(calendars)
    for whom in ("mary", "nobody", "bob@", "@"):
        assert identify(pair, whom) == "ERR 6.4"
    assert identify(Pair(calendars), "bob") == "RPY 2.0"
    allow(calendars, "bob@example.com", "mary@example.com")
    assert identify(pair, "MARY@example.com") == "RPY 2.0"
    assert is_mary(pair)


@pytest.mark.parametrize("whom", ["*", "*@example.com", "@*", '""', "bo\u200bb", "mary mary"])
def test_IDN02_nobody_is_a_filter_not_even_for_administrators(calendars: Store, whom: str) -> None:
    """UPN-01, UPN-09: an identity is one, and a name that hides a letter is nobody's."""
    pair = Pair(calendars, "root@example.com")
    assert identify(pair, whom)[:3] == "ERR"
    assert identify(pair, whom)[4:] in ("6.4", "6.3")
    assert not is_mary(pair)
    assert [one for one in pair.audits if one.granted] == []


def test_IDN04_a_wish_is_judged_by_who_authenticated_and_never_chains(calendars: Store) -> None:
    """RFC 4324 §14: A may be B, and B may be C, but A may not be C."""
    allow(calendars, "bob@example.com", "mary@example.com")
    allow(calendars, "mary@example.com", "root@example.com")
    pair = Pair(calendars)
    assert identify(pair, "mary") == "RPY 2.0"
    assert identify(pair, "root") == "ERR 6.4"
    assert is_mary(pair)
    assert identify(pair, "bob") == "RPY 2.0"
    assert identify(pair, "mary") == "RPY 2.0"


def test_IDN04_an_administrator_who_acts_as_somebody_has_no_rights_of_their_own(calendars: Store) -> None:
    pair = Pair(calendars, "root@example.com")
    assert identify(pair, "mary") == "RPY 2.0"
    assert "REQUEST-STATUS:2.0" not in pair.ask(command("CMD:CREATE", *event("x"), targets=CAL)).text
    assert identify(pair, "bob") == "RPY 2.0"
    assert "REQUEST-STATUS:2.0" in pair.ask(command("CMD:CREATE", *event("x"), targets=CAL)).text


def test_a_permission_for_many_leads_to_no_administrator(calendars: Store) -> None:
    allow(calendars, "bob@example.com", "*@example.com")
    pair = Pair(calendars)
    assert identify(pair, "root") == "ERR 6.4"
    assert identify(pair, "mary") == "RPY 2.0"
    allow(calendars, "bob@example.com", "root@example.com")
    assert identify(pair, "root") == "RPY 2.0"


def test_a_permission_that_is_taken_back_ends_with_the_next_command(calendars: Store) -> None:
    allow(calendars, "bob@example.com", "mary@example.com")
    pair = Pair(calendars)
    assert identify(pair, "mary") == "RPY 2.0"
    calendars.write(lambda tx: acting.forbid(tx, "bob@example.com", "mary@example.com"))
    assert "REQUEST-STATUS:4.1" in pair.ask(command("CMD:SEARCH", *SELF, targets=MARYS)).text
    assert identify(pair) == "RPY 2.0"
    assert "REQUEST-STATUS:2.0" in pair.ask(command("CMD:CREATE", *event("x"), targets=CAL)).text


def test_UPN03_one_may_be_nobody_or_nobody_of_a_realm(calendars: Store) -> None:
    pair = Pair(calendars, "root@example.com")
    for whom in ("@", "@example.com"):
        assert identify(pair, whom) == "RPY 2.0"
        text = pair.ask(command("CMD:CREATE", *event("x"), targets=CAL)).text
        assert "REQUEST-STATUS:2.0" not in text
    assert identify(pair) == "RPY 2.0"


@pytest.mark.parametrize("upn", ["@", "@example.com"])
def test_UPN03_whom_anonymous_sessions_act_as_is_configured(calendars: Store, upn: str) -> None:
    pair = Pair(calendars, "", policy=Policy(csid=POLICY.csid, realm=POLICY.realm, anonymous=upn))
    standing = pair.cap._opening.standing
    assert standing is not None
    assert standing.upn == upn
    assert identify(pair, "bob") == "ERR 6.4"


def test_commands_after_an_IDENTIFY_are_the_new_identitys_even_when_they_came_together(
    calendars: Store,
) -> None:
    """RFC 3080 §2.6.1: the messages of a channel are executed as if one after the other."""
    pair = Pair(calendars, "root@example.com", lazy=True)
    first = pair.send(command("CMD;OPTIONS=mary:IDENTIFY"))
    second = pair.send(command("CMD:SEARCH", *SELF, targets=MARYS))
    third = pair.send(command("CMD:IDENTIFY"))
    fourth = pair.send(command("CMD:SEARCH", *SELF, targets=MARYS))
    pair.run()
    for _ in range(4):
        assert len(pair.actions) == 1  # nothing runs beside an IDENTIFY
        pair.step()
    pair.run()
    assert pair.answer(first).kind == pair.answer(third).kind == "RPY"
    assert "BEGIN:VAGENDA" in pair.answer(second).text
    assert "BEGIN:VAGENDA" not in pair.answer(fourth).text


def test_the_log_tells_who_acts_and_who_stands_behind(calendars: Store) -> None:
    """`kalends history` shows both."""
    pair = Pair(calendars, "root@example.com")
    identify(pair, "mary")
    pair.ask(command("CMD:CREATE", *event("x"), targets=MARYS))
    identify(pair)
    pair.ask(command("CMD:CREATE", *event("y"), targets=MARYS))
    keeper = containers.housekeeper(POLICY, UTC)
    target = calendars.read(lambda tx: containers.resolve(tx, keeper, *MARYS))
    told = calendars.read(lambda tx: history.entries(tx, keeper, target, limit=2))
    assert [(one.uid, one.who, one.behind) for one in told] == [
        ("y", "root@example.com", ""),
        ("x", "mary@example.com", "root@example.com"),
    ]
    assert pair.audits == [Audit("root@example.com", "mary", True), Audit("root@example.com", None, True)]


def test_IDN05_many_refused_wishes_end_the_session(calendars: Store) -> None:
    pair = Pair(calendars)
    for _ in range(MAX_REFUSED_IDENTITIES):
        assert identify(pair, "mary") == "ERR 6.4"
    assert [one.end for one in pair.audits] == [False] * (MAX_REFUSED_IDENTITIES - 1) + [True]


def test_UPN07_members_of_a_group_count_from_the_next_command_on(calendars: Store) -> None:
    """RFC 4324 §4.1.3: nested, and noticed in an open session."""
    calendars.write(lambda tx: groups.add(tx, POLICY, "staff", now=UTC))
    calendars.write(lambda tx: groups.add(tx, POLICY, "board", now=UTC))
    calendars.write(lambda tx: groups.add_member(tx, "staff@example.com", "board@example.com"))
    keeper = containers.housekeeper(POLICY, UTC)
    calendars.write(lambda tx: containers.create_calendar(tx, keeper, "plans", "staff@example.com"))
    pair = Pair(calendars)

    def may() -> bool:
        asked = command("CMD:SEARCH", *query("SELECT * FROM VAGENDA"), targets=("plans",))
        return "BEGIN:VAGENDA" in pair.ask(asked).text

    assert not may()
    calendars.write(lambda tx: groups.add_member(tx, "board@example.com", "bob@example.com"))
    assert may()
    assert "REQUEST-STATUS:2.0" in pair.ask(command("CMD:CREATE", *event("x"), targets=("plans",))).text
    calendars.write(lambda tx: groups.remove_member(tx, "board@example.com", "bob@example.com"))
    assert not may()


def test_a_group_may_be_allowed_to_act(calendars: Store) -> None:
    calendars.write(lambda tx: groups.add(tx, POLICY, "desk", now=UTC))
    calendars.write(lambda tx: groups.add_member(tx, "desk@example.com", "bob@example.com"))
    allow(calendars, "desk@example.com", "mary@example.com")
    pair = Pair(calendars)
    assert identify(pair, "mary") == "RPY 2.0"
    calendars.write(lambda tx: groups.remove_member(tx, "desk@example.com", "bob@example.com"))
    assert "REQUEST-STATUS:4.1" in pair.ask(command("CMD:SEARCH", *SELF, targets=MARYS)).text


def test_who_an_administrator_acts_as_stops_being_when_they_are_one_no_longer(calendars: Store) -> None:
    pair = Pair(calendars, "root@example.com")
    assert identify(pair, "mary") == "RPY 2.0"
    calendars.write(lambda tx: identity.describe(tx, "root@example.com", admin=False))
    assert "REQUEST-STATUS:4.1" in pair.ask(command("CMD:SEARCH", *SELF, targets=MARYS)).text
