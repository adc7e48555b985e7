"""`kalends user` beyond adding: rooms, addresses, app passwords, what is known of somebody."""

from __future__ import annotations

import hashlib
import json
import ssl
from pathlib import Path

import pytest
from cli_tools import Here, Ran


@pytest.fixture
def at(run: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Here:
    monkeypatch.setenv("KALENDS_STORE", str(tmp_path / "store.db"))
    monkeypatch.setenv("KALENDS_CSID", "cal.example.com")
    monkeypatch.setenv("KALENDS_REALM", "example.com")
    assert run("user", "add", "amira", "--no-password").code == 0
    return run


def answered(done: Ran) -> object:
    assert done.code == 0, done.err
    return json.loads(done.out)


def test_a_room_needs_no_password_and_has_one_calendar(at: Here) -> None:
    done = at("user", "add", "board-room", "--kind", "room", "--name", "Board room")
    assert done.out == "added board-room@example.com with calendar board-room/calendar\n"
    assert "room" in at("user", "list").out
    assert at("user", "add", "hall", "--kind", "room", "--admin").code == 2
    assert at("user", "add", "hall", "--kind", "castle").code == 2


def test_what_is_known_of_a_user_is_set_and_listed(at: Here) -> None:
    done = at(
        "user",
        "set",
        "amira",
        "--name",
        "Amira",
        "--timezone",
        "Europe/Vienna",
        "--locale",
        "de-AT",
        "--admin",
    )
    assert (done.code, done.out) == (0, "amira@example.com changed\n")
    (one,) = answered(at("user", "list", "--json"))  # type: ignore[misc]
    assert (one["name"], one["timezone"], one["locale"], one["admin"], one["path"], one["addresses"]) == (
        "Amira", "Europe/Vienna", "de-AT", True, "amira", ["mailto:amira@example.com"],
    )  # fmt: skip
    assert at("user", "set", "amira", "--timezone", "Mars/Olympus").code == 1
    assert at("user", "set", "amira").code == 2
    assert at("user", "set", "nobody", "--name", "x").code == 1


def test_addresses_come_and_go(at: Here) -> None:
    assert at("user", "address", "add", "amira", "A.Haddad@example.org").out == (
        "amira@example.com is known as mailto:a.haddad@example.org, too\n"
    )
    assert at("user", "address", "list", "amira").out == (
        "mailto:a.haddad@example.org\nmailto:amira@example.com\n"
    )
    assert at("user", "address", "remove", "amira", "a.haddad@example.org").code == 0
    assert answered(at("user", "address", "list", "amira", "--json")) == ["mailto:amira@example.com"]
    assert at("user", "address", "remove", "amira", "amira@example.com").code == 1
    assert at("user", "address", "list", "nobody").code == 1


@pytest.mark.parametrize(
    "address", ["@", "ann@", "@example.org", "no@@body", "mailto:@", "a b@example.org", "x"]
)
def test_a_word_with_an_at_sign_is_no_mailbox_yet(at: Here, address: str) -> None:
    done = at("user", "address", "add", "amira", address)
    assert (done.code, "an address is a mailbox" in done.err) == (1, True)


def test_an_app_password_is_shown_once(at: Here) -> None:
    done = at("user", "app-password", "add", "amira", "--label", "phone")
    secret = done.out.strip()
    assert done.code == 0
    assert done.err == "This password of amira@example.com is not shown again.\n"
    assert secret not in at("user", "app-password", "list", "amira").out
    (listed,) = answered(at("user", "app-password", "list", "amira", "--json"))  # type: ignore[misc]
    assert (listed["label"], listed["used"]) == ("phone", None)
    made = answered(at("user", "app-password", "add", "amira", "--label", "desk", "--json"))
    assert isinstance(made, dict)
    assert made["password"] != secret
    assert at("user", "app-password", "add", "amira", "--label", "desk").code == 1
    assert at("user", "app-password", "revoke", "amira", "--label", "phone").code == 0
    assert at("user", "app-password", "revoke", "amira", "--label", "phone").code == 1
    assert at("user", "app-password", "list", "nobody").code == 1


def test_groups_come_and_go(at: Here) -> None:
    assert at("user", "add", "bruno", "--no-password").code == 0
    assert at("group", "add", "staff", "--name", "Everybody").out == "added group staff@example.com\n"
    assert at("group", "add", "board").code == 0
    assert at("group", "add", "staff").code == 1
    assert at("group", "show", "staff").out == "nobody is in staff@example.com\n"
    done = at("group", "add-member", "staff", "amira", "board")
    assert done.out == "staff@example.com: amira@example.com, board@example.com added\n"
    assert at("group", "add-member", "staff", "amira").out == "staff@example.com: nothing to add\n"
    assert at("group", "add-member", "board", "bruno", "staff").code == 0
    assert answered(at("group", "show", "staff", "--json")) == {
        "upn": "staff@example.com",
        "name": "Everybody",
        "members": ["amira@example.com", "board@example.com"],
        "everybody": ["amira@example.com", "bruno@example.com"],
    }
    assert "through a group" in at("group", "show", "staff").out
    listed = answered(at("group", "list", "--json"))
    assert isinstance(listed, list)
    assert [one["upn"] for one in listed] == ["board@example.com", "staff@example.com"]
    assert "Everybody" in at("group", "list").out
    assert at("group", "remove-member", "staff", "amira", "bruno").code == 1  # all of them or none
    assert at("group", "remove-member", "staff", "amira").code == 0
    assert at("group", "remove", "amira").code == 1
    assert at("group", "remove", "staff").out == "removed group staff@example.com\n"
    assert at("check").out == "clean\n"


def test_who_may_act_as_whom(at: Here) -> None:
    assert at("user", "may-act-as", "list").out == "only administrators may act as others\n"
    done = at("user", "may-act-as", "add", "amira", "*@Rooms.example.com")
    assert done.out == "amira@example.com may act as *@rooms.example.com\n"
    assert answered(at("user", "may-act-as", "list", "--json")) == [
        {"upn": "amira@example.com", "as": "*@rooms.example.com"}
    ]
    assert "*@rooms.example.com" in at("user", "may-act-as", "list", "amira").out
    assert at("user", "may-act-as", "add", "amira", "bruno").code == 1  # a filter names its realm
    assert at("user", "may-act-as", "remove", "amira", "*@rooms.example.com").code == 0
    assert at("user", "may-act-as", "remove", "amira", "*@rooms.example.com").code == 1


def test_whose_a_certificate_is(at: Here, tmp_path: Path) -> None:
    """UPN-06: by a PEM file or a fingerprint, in any spelling; it is one user's."""
    der = b"0\x03\x02\x01\x01"
    file = tmp_path / "laptop.pem"
    file.write_text(ssl.DER_cert_to_PEM_cert(der))
    mark = hashlib.sha256(der).hexdigest()
    done = at("user", "certificate", "add", "amira", str(file), "--label", "laptop")
    assert (done.code, done.out) == (0, f"{mark} is amira@example.com's\n")
    assert at("user", "certificate", "add", "amira", mark.upper()).code == 1
    (one,) = answered(at("user", "certificate", "list", "amira", "--json"))  # type: ignore[misc]
    assert (one["fingerprint"], one["label"]) == (mark, "laptop")
    assert "laptop" in at("user", "certificate", "list", "amira").out
    spelt = ":".join(mark[i : i + 2] for i in range(0, 64, 2)).upper()
    assert at("user", "certificate", "remove", "amira", f"SHA256:{spelt}").code == 0
    assert at("user", "certificate", "remove", "amira", mark).code == 1
    assert (
        at("user", "certificate", "list", "amira").out
        == "no certificates were entered for amira@example.com\n"
    )
    file.write_text("nonsense")
    assert at("user", "certificate", "add", "amira", str(file)).code == 2
    assert at("user", "certificate", "add", "amira", "12:34").code == 1


def test_a_virtual_hosts_store_is_administered_with_its_own_realm(run: Here, tmp_path: Path) -> None:
    """SES-09."""
    file = tmp_path / "k.toml"
    file.write_text(
        f"csid = 'a.test'\nstore = '{tmp_path}/a.db'\n"
        f"[[virtual-host]]\ncsid = 'b.test'\nrealm = 'b.example'\nstore = '{tmp_path}/b.db'\n"
    )
    done = run("user", "add", "zoe", "--no-password", "--config", str(file), "--store", f"{tmp_path}/b.db")
    assert done.out.startswith("added zoe@b.example with")
    done = run("user", "add", "zoe", "--no-password", "--config", str(file))
    assert done.out.startswith("added zoe@a.test with")
