"""Secret links on the command line."""

from __future__ import annotations

import json
import re

import pytest
from cli_tools import Here


@pytest.fixture
def shop(run: Here) -> Here:
    """A store with amira."""
    assert run("user", "add", "amira", "--no-password").code == 0
    return run


def test_a_link_is_made_listed_and_revoked(shop: Here) -> None:
    made = shop("link", "add", "amira/calendar", "--as", "read", "--label", "web site")
    assert made.code == 0
    assert re.fullmatch(r"http://127\.0\.0\.1:8026/ics/[a-z2-7]{26}\.ics\n", made.out)
    assert "not shown again" in made.err
    assert shop("link", "add", "amira/tasks", "--as", "busy", "-q").err == ""  # no notes
    (row,) = json.loads(shop("link", "list", "amira/calendar", "--json").out)
    assert (row["as"], row["label"]) == ("read", "web site")
    assert made.out.split("/")[-1][:26] not in shop("link", "list", "amira/calendar").out
    assert shop("link", "revoke", "amira/calendar", row["link"]).out == f"revoked {row['link']}\n"
    assert shop("link", "list", "amira/calendar").out == "amira/calendar has no links\n"


def test_scripts_get_a_link_as_data(shop: Here) -> None:
    made = json.loads(shop("link", "add", "amira/calendar", "--as", "busy", "--json").out)
    assert made["url"].endswith(f"/ics/{made['secret']}.ics")
    assert (made["calid"], made["as"]) == ("amira/calendar", "busy")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("link", "add", "nowhere", "--as", "read"), 1, "no such calendar"),
        (("link", "add", "amira/calendar"), 2, "--as"),
        (("link", "add", "amira/calendar", "--as", "owner"), 2, "'owner' is not one of"),
        (("link", "add", "amira/calendar", "--as", "read", "--label", "x" * 101), 1, "at most 100"),
        (("link", "revoke", "amira/calendar", "x"), 1, "has no link x"),
    ],
)
def test_what_cannot_be_is_refused_in_words(shop: Here, words: tuple[str, ...], code: int, said: str) -> None:
    done = shop(*words)
    assert (done.code, said in done.err) == (code, True), done.err
