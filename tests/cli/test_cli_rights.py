"""Sharing and rights on the command line (RFC 4324 §4.2, §9.3)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_tools import Here

LAW = "BEGIN:VCAR\r\nCARID:LAW\r\nBEGIN:VRIGHT\r\nDENY:@\r\nPERMISSION:*\r\nEND:VRIGHT\r\nEND:VCAR\r\n"


@pytest.fixture
def shop(run: Here) -> Here:
    """A store with amira and bruno."""
    for name in ("amira", "bruno"):
        assert run("user", "add", name, "--no-password").code == 0
    return run


def test_a_calendar_is_shared_and_not_any_more(shop: Here) -> None:
    done = shop("share", "amira/calendar", "bruno", "--as", "titles")
    assert (done.code, done.out) == (0, "amira/calendar is shared with bruno@localhost as titles\n")
    assert shop("share", "amira/calendar", "bruno", "--as", "read").code == 0
    shares = json.loads(shop("rights", "amira/calendar", "--json").out)["shares"]
    assert [(one["upn"], one["as"]) for one in shares] == [("bruno@localhost", "read")]
    assert shop("unshare", "amira/calendar", "bruno").code == 0
    again = shop("unshare", "amira/calendar", "bruno")
    assert (again.code, "is not shared with bruno" in again.err) == (1, True)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (
            ("share", "amira/calendar", "nobody", "--as", "read"),
            1,
            "there is no user or group nobody@localhost",
        ),
        (("share", "nowhere", "bruno", "--as", "read"), 1, "no such calendar"),
        (("share", "amira/calendar", "bruno", "--as", "boss"), 2, "'boss' is not one of"),
        (("share", "amira/calendar", "bruno@*", "--as", "read"), 1, "not a UPN filter"),
        (("rights", "amira/calendar", "tea"), 2, "UID belongs to --explain"),
        (("rights", "amira/calendar", "tea", "--explain", "bruno"), 1, "there is nothing with the UID tea"),
        (("share", "amira/calendar", "", "--as", "owner"), 1, "a UPN is written user@realm"),
        (("unshare", "amira/calendar", ""), 1, "a UPN is written user@realm"),
        (("share", "amira/calendar", "bruno"), 2, "Choose from: busy, titles, read, colleague"),
        (("rights", "amira/calendar", "--explain", "*"), 1, "not a UPN"),
        (("group", "add", "*"), 1, "not a UPN"),
        (("user", "may-act-as", "add", "bruno", "nobody"), 1, "there is no user or group nobody@localhost"),
        (("decree",), 2, "name a FILE"),
        (("decree", "--repeal", "LAW"), 1, "there is no decreed VCAR LAW"),
    ],
)
def test_what_cannot_be_is_refused_in_words(shop: Here, words: tuple[str, ...], code: int, said: str) -> None:
    done = shop(*words)
    assert (done.code, said in done.err) == (code, True), done.err


@pytest.mark.parametrize("whom", ["*", "@", "*@*", "@localhost", "CAL-OWNERS()", "NOT CAL-OWNERS()", "Bruno"])
def test_whatever_is_shared_can_be_taken_back(shop: Here, whom: str) -> None:
    before = shop("rights", "amira/calendar", "--json").out
    assert shop("share", "amira/calendar", whom, "--as", "busy").code == 0
    assert shop("unshare", "amira/calendar", whom.lower()).code == 0
    assert shop("rights", "amira/calendar", "--json").out == before


def test_who_may_act_as_somebody_is_said_without_the_realm(shop: Here) -> None:
    words = ("bruno", "amira")
    assert shop("user", "may-act-as", "add", *words).out == "bruno@localhost may act as amira@localhost\n"
    gone = shop("user", "may-act-as", "remove", *words)
    assert gone.out == "bruno@localhost may no longer act as amira@localhost\n"


def test_whom_a_calendar_is_shared_with_is_said_in_words(shop: Here) -> None:
    for whom in ("*", "@", "*@localhost"):
        assert shop("share", "amira/calendar", whom, "--as", "busy").code == 0
    told = shop("rights", "amira/calendar").out
    for said in ("everybody  ", "the anonymous  ", "everybody of  "):
        assert said in told
    shares = json.loads(shop("rights", "amira/calendar", "--json").out)["shares"]
    assert sorted(one["upn"] for one in shares) == ["*", "*@localhost", "@"]


def test_a_hostile_name_of_a_right_does_nothing_to_a_terminal(shop: Here) -> None:
    law = LAW.replace("CARID:LAW", "CARID:LA\\n\u202eW\u200b")
    told = [
        shop("decree", "-", stdin=law).out,
        shop("decree", "--list").out,
        shop("rights", "amira/calendar").out,
        shop("decree", "--repeal", "LA\n\u202eW\u200b").out,
    ]
    assert told[:2] == ["decreed LA W for every calendar\n", "LA W\n"]
    assert told[3] == "repealed LA W\n"
    assert not any(hidden in text for text in told for hidden in "\u202e\u200b")


def test_rights_are_told_so_that_a_person_understands(shop: Here) -> None:
    shop("share", "amira/calendar", "bruno", "--as", "colleague")
    told = shop("rights", "amira/calendar").out
    assert max(map(len, told.splitlines())) <= 80
    words = " ".join(told.split())
    for said in (
        "bruno@localhost shares it as",
        "owners may do everything",
        "everybody may see when it is busy",
    ):
        assert said in words


def test_what_decided_is_explained(shop: Here) -> None:
    shop("share", "amira/calendar", "bruno", "--as", "read")
    found = json.loads(shop("rights", "amira/calendar", "--explain", "bruno", "--json").out)
    by_kind = {(one["permission"], one["kind"]): one for one in found["reasons"]}
    assert by_kind["SEARCH", "VEVENT"]["decided_by"] == [
        {"carid": "share-bruno@localhost", "vright": 2, "denies": False}
    ]
    assert by_kind["DELETE", "VEVENT"] == {
        "permission": "DELETE",
        "kind": "VEVENT",
        "amount": "none",
        "decided_by": [],
    }
    nobody = shop("rights", "amira/calendar", "--explain", "brno")
    assert (nobody.code, "nobody here is called brno@localhost" in nobody.err) == (0, True)
    text = " ".join(shop("rights", "amira/calendar", "--explain", "amira").out.split())
    assert "DEFAULTOWNER" in text


def test_decrees_are_made_listed_and_repealed_acl_10(shop: Here, tmp_path: Path) -> None:
    file = tmp_path / "law.ics"
    file.write_bytes(LAW.encode())
    assert shop("decree", str(file)).out == "decreed LAW for every calendar\n"
    assert shop("decree", "-", stdin=LAW).code == 0
    assert shop("decree", "--list").out == "LAW\n"
    assert "LAW (decreed," in " ".join(shop("rights", "amira/calendar").out.split())
    assert "DENY in LAW" in shop("rights", "amira/calendar", "--explain", "@").out
    assert shop("decree", "--repeal", "LAW").out == "repealed LAW\n"
    assert shop("decree", "--list").out == ""
    assert (
        shop("decree", "-", "--calendar", "amira/calendar", stdin=LAW).out
        == "decreed LAW for amira/calendar\n"
    )
    empty = shop("decree", "-", stdin="BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n")
    assert (empty.code, "there is no VCAR" in empty.err) == (2, True)
