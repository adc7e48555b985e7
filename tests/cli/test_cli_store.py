"""Administration directly on a store: users, calendars, import, export, reindex, check."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
from cli_tools import Here, on_terminal, snapshot

from kalends.beep.scram import read_verifier
from kalends.beep.verify import PlainWork
from kalends.cli.offline import office
from kalends.core.people import identity
from kalends.ical.tree import parse
from kalends.store.open import open_store
from live_server import clean_environ

MIXED = Path(__file__).with_name("data") / "mixed.ics"


@pytest.fixture
def at(run: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Here:
    """A runner with a store that has one user."""
    monkeypatch.setenv("KALENDS_STORE", str(tmp_path / "store.db"))
    monkeypatch.setenv("KALENDS_REALM", "example.com")
    assert (
        run("user", "add", "amira", "--name", "Amira Haddad", "--password-stdin", stdin="secret\n").code == 0
    )
    return run


def opens(store: Path, upn: str, password: str) -> bool:
    """Whether a password is the stored one."""
    opened = open_store(str(store))
    try:
        found = opened.read(lambda tx: identity.verifier_of(tx, upn))
    finally:
        opened.close()
    assert found is not None
    return bool(PlainWork(password, read_verifier(found)).run())


def test_a_user_gets_a_password_and_a_first_calendar(at: Here, tmp_path: Path) -> None:
    assert opens(tmp_path / "store.db", "amira@example.com", "secret")
    assert at("user", "add", "Bruno@example.com", "--admin", "--no-password").out == (
        "added bruno@example.com with calendars bruno/calendar and bruno/tasks\n"
    )
    assert at("user", "add", "amira@elsewhere.example", "--no-password").out == (
        "added amira@elsewhere.example with calendars amira@elsewhere.example/calendar"
        " and amira@elsewhere.example/tasks\n"
    )
    snapshot("user-list", at("user", "list").out)
    snapshot("calendar-list", at("calendar", "list").out)
    users = json.loads(at("user", "list", "--json").out)
    assert [one["upn"] for one in users] == [
        "amira@elsewhere.example",
        "amira@example.com",
        "bruno@example.com",
    ]
    assert [one["admin"] for one in users] == [False, False, True]


def test_a_user_is_there_once(at: Here) -> None:
    done = at("user", "add", "amira", "--no-password")
    assert (done.code, done.err) == (1, "kalends: amira@example.com is taken\n")
    assert at("user", "add", "amira@", "--no-password").code == 1


def test_passwd_changes_the_password(at: Here, tmp_path: Path) -> None:
    assert at("user", "passwd", "amira", "--password-stdin", stdin="better\n").code == 0
    assert opens(tmp_path / "store.db", "amira@example.com", "better")
    assert not opens(tmp_path / "store.db", "amira@example.com", "secret")
    assert at("user", "passwd", "nobody", "--password-stdin", stdin="x\n").code == 1
    assert at("user", "passwd", "amira", "--password-stdin", stdin="").code == 2


def test_a_user_leaves_with_their_calendars_only_when_asked(at: Here) -> None:
    done = at("user", "remove", "amira")
    assert (done.code, "only owner" in done.err) == (1, True)
    assert at("user", "remove", "amira", "--with-calendars", "--yes").out == (
        "removed amira@example.com and 2 calendars\n"
    )
    assert at("user", "remove", "amira").code == 1


def test_calendars_come_and_go(at: Here) -> None:
    assert (
        at("calendar", "add", "room", "--owner", "amira", "--name", "Meeting room", "--no-conflict").code == 0
    )
    assert at("calendar", "add", "room", "--owner", "amira").code == 1
    assert at("calendar", "add", "other", "--owner", "nobody").code == 1
    [room] = [one for one in json.loads(at("calendar", "list", "--json").out) if one["calid"] == "room"]
    assert room == {
        "calid": "room",
        "name": "Meeting room",
        "owners": ["amira@example.com"],
        "objects": 0,
        "allow_conflict": False,
    }
    assert at("calendar", "remove", "room", stdin="n\n").code == 130
    assert at("calendar", "remove", "room", stdin="y\n").out == "removed room and all it contained\n"
    assert at("calendar", "remove", "room", "--yes").code == 1


def test_import_reports_every_object_with_its_line(at: Here) -> None:
    dry = at("import", "amira/calendar", str(MIXED), "--dry-run")
    assert (dry.code, dry.out) == (1, f"{MIXED}: 3 of 5 objects would be imported, 2 refused\n")
    assert json.loads(at("calendar", "list", "--json").out)[0]["objects"] == 0
    done = at("import", "amira/calendar", str(MIXED))
    assert (done.code, done.out) == (1, f"{MIXED}: 3 of 5 objects imported, 2 refused\n")
    first, second = done.err.splitlines()
    assert first.startswith("  line 19: VEVENT backwards: ")
    assert first.endswith("(line 23)")
    assert second.startswith("  line 26: VEVENT without UID: ")
    assert "(line 26)" not in second  # said once
    again = json.loads(at("import", "amira/calendar", str(MIXED), "--json").out)
    assert [(one["uid"], one["line"]) for one in again[0]["refused"]] == [
        ("may-day", 13),
        ("backwards", 19),
        ("", 26),
        ("tea", 31),
        ("milk", 49),
    ]


def test_import_from_a_pipe_and_of_what_is_no_calendar(at: Here, tmp_path: Path) -> None:
    broken = tmp_path / "broken.ics"
    broken.write_bytes(b"BEGIN:VCALENDAR\r\nhello\r\n")
    done = at("import", "amira/calendar", str(broken))
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(f"{broken}: line 2: ")
    assert at("import", "no/such", str(MIXED)).code == 1
    empty = tmp_path / "empty.ics"
    empty.touch()
    assert "no iCalendar object" in at("import", "amira/calendar", str(empty)).err


def test_of_several_files_a_refusal_names_its_own(at: Here, tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("one.ics", "two.ics")]
    for file in files:
        file.write_bytes(b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nSUMMARY:x\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n")
    done = at("import", "amira/calendar", *map(str, files))
    assert [line.split(": ")[0] for line in done.err.splitlines()] == [f"{file}, line 2" for file in files]


def test_batches_do_not_show_in_the_result(at: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kalends.cli.intake.BATCH", 7)
    lines = [
        f"BEGIN:VEVENT\r\nUID:{n}\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:20260301T100000Z\r\nEND:VEVENT\r\n"
        for n in range(50)
    ]
    file = tmp_path / "fifty.ics"
    file.write_text(
        f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n{''.join(lines)}END:VCALENDAR\r\n", newline=""
    )
    assert at("import", "amira/calendar", str(file)).out == f"{file}: 50 of 50 objects imported\n"


def test_what_was_imported_comes_out_octet_for_octet(at: Here, tmp_path: Path) -> None:
    at("import", "amira/calendar", str(MIXED))
    out = tmp_path / "out.ics"
    assert at("export", "amira/calendar", "-o", str(out)).code == 0
    whole = parse(out.read_bytes())
    written = {component.to_ics() for component in parse(MIXED.read_bytes()).components}
    exported = [component.to_ics() for component in whole.components]
    assert set(exported) <= written
    assert [component.name for component in whole.components] == [
        "VEVENT",
        "VTIMEZONE",
        "VEVENT",
        "VEVENT",
        "VTODO",
    ]
    assert at("export", "amira/calendar").out == out.read_bytes().decode()
    assert at("export", "no/such", "-o", str(tmp_path / "none.ics")).code == 1
    assert not list(tmp_path.glob("none*"))


def test_reindex_and_check(at: Here) -> None:
    at("import", "amira/calendar", str(MIXED))
    assert at("reindex").out.startswith("reindexed ")
    done = at("check")
    assert (done.code, done.out) == (0, "clean\n")


def test_check_ends_with_1_when_something_is_wrong(at: Here, tmp_path: Path) -> None:
    at("import", "amira/calendar", str(MIXED))
    opened = open_store(str(tmp_path / "store.db"))
    opened.write(lambda tx: tx.run("delete from cell"))
    opened.close()
    done = at("check")
    assert done.code == 1
    assert "what is said of the index, kalends reindex mends" in done.out
    assert json.loads(at("check", "--json").out) != []
    assert at("reindex").code == 0
    assert at("check").code == 0


def test_a_password_is_asked_for_twice_on_a_terminal(tmp_path: Path) -> None:
    environ = clean_environ(tmp_path) | {"KALENDS_STORE": str(tmp_path / "store.db")}
    words = ["user", "add", "greta@example.com"]
    talk = [
        ("Password: ", "one\n"),
        ("same again: ", "two\n"),
        ("do not match.\r\nPassword: ", "three\n"),
        ("again: ", "three\n"),
    ]
    done = on_terminal(environ, words, talk)
    assert done.code == 0, done.out
    assert "added greta@example.com" in done.out
    assert opens(tmp_path / "store.db", "greta@example.com", "three")
    assert "three" not in done.out


def test_the_progress_bar_is_for_terminals_only(tmp_path: Path, at: Here) -> None:
    assert "importing" not in at("import", "amira/calendar", str(MIXED)).err
    environ = clean_environ(tmp_path) | {
        "KALENDS_STORE": str(tmp_path / "store.db"),
        "KALENDS_REALM": "example.com",
    }
    done = on_terminal(environ, ["import", "amira/calendar", str(MIXED), "--dry-run"], [])
    assert "importing" in done.out
    quiet = on_terminal(environ, ["import", "amira/calendar", str(MIXED), "--dry-run", "-q"], [])
    assert "importing" not in quiet.out


def test_administration_of_a_store_on_postgresql(run: Here, postgres_url: str) -> None:
    store = ("--store", postgres_url)
    assert run("user", "add", "amira@example.com", "--no-password", *store).code == 0
    done = run("import", "amira/calendar", str(MIXED), *store)
    assert (done.code, done.out) == (1, f"{MIXED}: 3 of 5 objects imported, 2 refused\n")
    assert json.loads(run("calendar", "list", "--json", *store).out)[0]["objects"] == 3
    assert run("check", *store).out == "clean\n"
    assert run("reindex", *store).code == 0
    assert run("export", "amira/calendar", *store).out.count("BEGIN:VEVENT") == 3


def test_servers_hear_at_once_of_what_is_written_beside_them(postgres_url: str) -> None:
    """docs/watch.md: on PostgreSQL a command that works on the store tells all who listen."""
    with office(postgres_url, None, create=True):
        pass
    listening = open_store(postgres_url)
    heard, ready = threading.Event(), threading.Event()
    try:
        listening.on_commit(lambda: (ready.set(), heard.set()))
        assert ready.wait(10)  # it says so once when it begins to listen
        heard.clear()
        with office(postgres_url, None) as at:
            at.write(lambda tx: identity.add_user(tx, at.policy, "ann", now=at.now))
        assert heard.wait(10)
    finally:
        listening.close()


@pytest.mark.parametrize("store", ["", "cap://localhost"])
def test_the_store_is_no_calendar_to_export(at: Here, store: str) -> None:
    """`kalends export "$UNSET" > backup.ics` made an empty backup and said that all was well."""
    done = at("export", store)
    assert (done.code, done.out) == (1, "")
    assert done.err == "kalends: the calendar store itself holds no events: name a calendar\n"


def test_an_export_that_cannot_be_written_names_its_file(at: Here, tmp_path: Path) -> None:
    missing = tmp_path / "nowhere" / "a.ics"
    done = at("export", "amira/calendar", "-o", str(missing))
    assert (done.code, done.err) == (1, f"kalends: {missing}: no such file or directory\n")


@pytest.mark.parametrize(
    "words",
    [
        ("export", "amira/calendar", "-o", ""),
        ("import", "amira/calendar", ""),
        ("decree", ""),
        ("user", "list", "--config", ""),
        ("capability", "--password-file", ""),
    ],
)
def test_an_empty_file_name_is_wrong_usage(at: Here, words: tuple[str, ...]) -> None:
    """It is not the current folder, as it is to `Path`."""
    done = at(*words)
    assert done.code == 2
    assert "expected the name of a file" in done.err


def test_a_question_that_nobody_can_answer_says_how_to_do_without(at: Here) -> None:
    done = at("calendar", "remove", "amira/tasks")
    assert done.code == 2
    assert done.err.splitlines()[1] == "kalends: nobody is there to answer: say --yes"
    assert "amira/tasks" in at("calendar", "list").out


def test_an_import_does_not_claim_to_have_kept_busy_times(at: Here, tmp_path: Path) -> None:
    """A VFREEBUSY is computed, never stored (RFC 4324 §10.12.1): it was told as imported, and was not there."""
    busy = "BEGIN:VFREEBUSY\nUID:busy-1\nDTSTAMP:20260101T000000Z\nEND:VFREEBUSY\n"
    event = "BEGIN:VEVENT\nUID:tea\nDTSTAMP:20260101T000000Z\nDTSTART:20260101T000000Z\nEND:VEVENT\n"
    for text, taken in ((busy, 0), (busy + event, 1)):
        file = tmp_path / f"busy{taken}.ics"
        file.write_text(f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\n{text}END:VCALENDAR\n")
        done = at("import", "amira/calendar", str(file), "--json")
        [report] = json.loads(done.out)
        assert (done.code, report["imported"]) == (1, taken)
        [refused] = report["refused"]
        assert (refused["kind"], refused["uid"], refused["line"]) == ("VFREEBUSY", "busy-1", 4)
        assert "busy times are computed" in refused["reason"]
