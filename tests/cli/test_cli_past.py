"""The past of a calendar on the command line: history, undo, trash, restore, purge."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_tools import Here

from kalends.calquery.parse import parse as parse_query
from kalends.core import containers, ledger
from kalends.core.model import Caller, Policy, Selection
from kalends.core.people import identity
from kalends.ical.tree import parse
from kalends.store.base import Tx
from kalends.store.open import open_store

NOW = 1_767_225_600  # 2026-01-01T00:00:00Z
CALID = "amira/calendar"


def event(uid: str, summary: str) -> str:
    return (
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nBEGIN:VEVENT\r\n"
        f"UID:{uid}\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:20260310T090000Z\r\nSUMMARY:{summary}\r\n"
        "END:VEVENT\r\nEND:VCALENDAR\r\n"
    )


@pytest.fixture
def at(run: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Here:
    """A runner with a store in which amira gave the event `tea` another title, and marked `milk`."""
    monkeypatch.setenv("KALENDS_STORE", str(tmp_path / "store.db"))
    monkeypatch.setenv("KALENDS_REALM", "example.com")
    assert run("user", "add", "amira", "--no-password").code == 0
    assert run("import", CALID, "-", stdin=event("tea", "Tea")).code == 0
    assert run("import", CALID, "-", stdin=event("milk", "Milk")).code == 0
    store = open_store(str(tmp_path / "store.db"))
    try:
        store.write(_work)
    finally:
        store.close()
    return run


def _work(tx: Tx) -> None:
    who = identity.identify(tx, "amira@example.com")
    assert who is not None
    caller = Caller(who, "cap", NOW, Policy(csid="localhost", realm="example.com"))
    target = containers.resolve(tx, caller, CALID)
    old, new = (parse(f"BEGIN:VEVENT\r\nSUMMARY:{text}\r\nEND:VEVENT\r\n") for text in ("Tea", "Coffee"))
    ledger.modify(tx, caller, [target], _one("tea"), old, new)
    ledger.delete(tx, caller, target, [_one("milk")], mark=True)


def _one(uid: str) -> Selection:
    return Selection((parse_query(f"SELECT * FROM VEVENT WHERE UID = '{uid}'"),))


def test_history_is_a_table_a_person_understands(at: Here) -> None:
    lines = at("history", CALID, "tea").out.splitlines()
    assert lines[0].split() == ["no.", "when", "who", "what", "change"]
    assert max(map(len, lines)) <= 80
    told = " ".join(" ".join(lines[2:]).split())
    assert "SUMMARY: Tea → Coffee" in told
    assert "created" in told
    assert "DTSTAMP" not in told
    newest, oldest = json.loads(at("history", CALID, "tea", "--json").out)
    assert {"name": "SUMMARY", "old": "Tea", "new": "Coffee"} in newest["changes"]
    assert (newest["via"], newest["undone"], oldest["action"]) == ("cap", False, "created")
    assert len(json.loads(at("history", CALID, "--limit", "1", "--json").out)) == 1
    assert at("history", CALID, "none").err == "kalends: no changes\n"
    assert at("history", "no/such").code == 1


def test_undo_takes_back_and_says_what(at: Here) -> None:
    before = at("export", CALID).out
    last = json.loads(at("history", CALID, "tea", "--json").out)[0]["tick"]
    assert at("undo", CALID, "tea").out == f"VEVENT tea: changed back (change {last})\n"
    assert "SUMMARY:Tea" in at("export", CALID).out
    refused = at("undo", CALID, "--tick", str(last))
    assert (refused.code, "taken back already" in refused.err) == (1, True)
    newest, undone = json.loads(at("history", CALID, "tea", "--json", "--limit", "2").out)
    assert (newest["action"], newest["undoes"], undone["undone"]) == (f"undid {last}", last, True)
    assert at("undo", CALID, "--tick", str(newest["tick"])).code == 0
    assert at("export", CALID).out == before
    assert at("undo", CALID).out.startswith("VEVENT milk: restored (change ")
    assert at("undo", CALID, "nothing").code == 1
    assert at("check").out == "clean\n"


def test_the_trash_is_listed_and_restored_from(at: Here) -> None:
    lines = at("trash", CALID).out.splitlines()
    assert lines[0].split() == ["marked", "kind", "uid", "title", "by"]
    assert lines[2].split() == ["2026-01-01", "00:00", "VEVENT", "milk", "Milk", "amira@example.com"]
    [found] = json.loads(at("trash", CALID, "--json").out)
    assert (found["uid"], found["marked"]) == ("milk", "2026-01-01T00:00:00+00:00")
    assert "Milk" not in at("export", CALID).out
    assert at("restore", CALID, "milk").out.startswith("VEVENT milk: restored (change ")
    assert "Milk" in at("export", CALID).out
    assert at("trash", CALID).err == "kalends: the trash is empty\n"
    assert at("trash", CALID, "--json").out == "[]\n"
    refused = at("restore", CALID, "milk")
    assert (refused.code, refused.err) == (1, "kalends: nothing with the UID milk is in the trash\n")
    assert at("check").out == "clean\n"


def test_purge_asks_how_old_and_forgets(at: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = at("purge")
    assert (refused.code, "--older-than" in refused.err) == (2, True)
    monkeypatch.setenv("KALENDS_RETENTION", "200000")
    assert at("purge").out == "forgot 0 former states and 0 objects of the trash\n"
    assert at("purge", "--older-than", "0").out == "forgot 2 former states and 1 object of the trash\n"
    refused = at("undo", CALID, "tea")
    assert (refused.code, "not kept any more" in refused.err) == (1, True)
    assert at("trash", CALID).err == "kalends: the trash is empty\n"
    assert at("check").out == "clean\n"
