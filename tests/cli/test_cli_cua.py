"""`kalends` as a CUA: query, create, modify, move, delete, capability and the shell against a real server."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_tools import Here, apart, on_terminal, snapshot

from kalends.cli.connection import wished
from kalends.cli.shell import WELCOME, Talk, completions
from kalends.client import connect
from kalends.ical.tree import parse
from live_server import PASSWORD, Live, clean_environ, live_server

EVENTS = """\
BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//test//EN
BEGIN:VEVENT
UID:tea
DTSTAMP:20260101T000000Z
DTSTART;TZID=Europe/Berlin:20260302T160000
DTEND;TZID=Europe/Berlin:20260302T164500
RRULE:FREQ=WEEKLY;COUNT=3
SUMMARY:Tea
LOCATION:Kitchen
END:VEVENT
BEGIN:VEVENT
UID:holiday
DTSTAMP:20260101T000000Z
DTSTART;VALUE=DATE:20260310
SUMMARY:A holiday with a name that is far too long to stand on one line of a table
END:VEVENT
BEGIN:VEVENT
UID:wicked
DTSTAMP:20260101T000000Z
DTSTART:20260320T100000Z
SUMMARY:\u202egnp.exe\x9b5A
END:VEVENT
BEGIN:VTODO
UID:milk
DTSTAMP:20260101T000000Z
DUE:20260302T100000Z
SUMMARY:Buy milk
END:VTODO
END:VCALENDAR
""".replace("\n", "\r\n")


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with live_server(tmp_path_factory.mktemp("live"), users=("amira", "bruno", "chiyo")) as server:
        yield server


@pytest.fixture
def cua(run: Here, live: Live, monkeypatch: pytest.MonkeyPatch) -> Here:
    """A runner logged in as amira, whose calendar holds EVENTS."""
    monkeypatch.setenv("KALENDS_SERVER", live.url)
    monkeypatch.setenv("KALENDS_USER", "amira")
    monkeypatch.setenv("KALENDS_PASSWORD", PASSWORD)
    for kind in ("VEVENT", "VTODO"):
        run("delete", f"SELECT * FROM {kind}", "--yes")
    assert run("create", "-", stdin=EVENTS).code == 0
    return run


def test_tables_fit_80_columns(cua: Here) -> None:
    snapshot("query-events", cua("query", "SELECT * FROM VEVENT").out)
    march = "SELECT DTSTART,SUMMARY FROM VEVENT WHERE DTSTART >= '20260301T000000Z' AND UID = 'tea'"
    snapshot("query-expanded", cua("query", march, "--expand", "--zone", "Asia/Tokyo").out)
    snapshot("query-todo", cua("query", "SELECT VTODO FROM VAGENDA WHERE UID IS NOT NULL").out)
    both = ("-t", "amira/calendar", "-t", "cap://cal.example.com/amira/calendar")
    snapshot("query-two-targets", cua("query", "SELECT UID FROM VTODO", *both).out)
    told = cua("capability").out.splitlines()
    assert told[0].split() == ["capability", "told", "to", "amira"]
    assert max(map(len, told)) <= 80


def test_untrusted_text_does_nothing_to_a_terminal(cua: Here, live: Live, tmp_path: Path) -> None:
    environ = clean_environ(tmp_path) | {
        name: os.environ[name] for name in ("KALENDS_SERVER", "KALENDS_USER", "KALENDS_PASSWORD")
    }
    for form in ("table", "ics", "json", "csv"):
        shown = on_terminal(environ, ["query", "SELECT * FROM VEVENT", "--format", form], [])
        assert shown.code == 0
        assert "gnp.exe" in shown.out
        assert not any(char in shown.out for char in "\x1b\u202e\x9b"), form


def test_formats_for_programs_keep_everything(cua: Here) -> None:
    query = "SELECT * FROM VEVENT WHERE UID = 'tea'"
    whole = parse(apart_out(cua, query, "ics"))
    assert whole.components[0].to_ics() == parse(EVENTS.encode()).components[0].to_ics()
    [found] = json.loads(cua("query", query, "--json").out)
    assert found["calendar"] == "amira/calendar"
    start = next(one for one in found["properties"] if one["name"] == "DTSTART")
    assert start == {"name": "DTSTART", "params": {"TZID": ["Europe/Berlin"]}, "value": "20260302T160000"}
    rows = list(csv.reader(io.StringIO(cua("query", "SELECT UID,SUMMARY FROM VTODO", "--format", "csv").out)))
    assert rows == [["calendar", "UID", "SUMMARY"], ["amira/calendar", "milk", "Buy milk"]]
    assert cua("query", "SELECT * FROM VJOURNAL", "--json").out == "[]\n"


def apart_out(cua: Here, query: str, form: str) -> bytes:
    return cua("query", query, "--format", form).out.encode()


def test_nothing_found_is_no_failure(cua: Here) -> None:
    done = cua("query", "SELECT * FROM VEVENT WHERE UID = 'none'")
    assert (done.code, done.out, done.err) == (0, "", "kalends: nothing found\n")
    assert cua("query", "SELECT * FROM VEVENT WHERE UID = 'none'", "-q").err == ""


def test_limit_stops_early(cua: Here) -> None:
    assert len(json.loads(cua("query", "SELECT * FROM VEVENT", "--json", "--limit", "2").out)) == 2


def test_refusals_are_exit_1_and_what_was_found_is_shown_first(cua: Here) -> None:
    done = cua("query", "SELECT UID FROM VTODO", "-t", "amira/calendar", "-t", "no/such", "--json")
    assert (done.code, len(json.loads(done.out))) == (1, 1)
    assert done.err.startswith("kalends: no/such: ")
    assert cua("create", "--set", "UID=tea", "--set", "DTSTART=20260401").code == 1
    assert cua("query", "SELECT * FROM VEVENT", "-t", "no/such").code == 1


def test_wrong_password_is_exit_3(cua: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KALENDS_PASSWORD", "wrong")
    done = cua("capability")
    assert (done.code, len(done.err.splitlines())) == (3, 1)
    assert "wrong" not in done.err.replace("wrong user name or password", "")


def test_create_modify_move_delete(cua: Here, live: Live) -> None:
    made = cua(
        "create",
        "--set",
        "SUMMARY=Lunch; with Bob, Carol",
        "--set",
        "DTSTART;TZID=Asia/Tokyo:20260401T120000",
    )
    assert made.code == 0
    uid = made.out.split()[2]
    done = cua("modify", "--uid", uid, "--set", "SUMMARY=Dinner", "--set", "LOCATION=Room 5")
    assert (done.code, done.out) == (0, f"amira/calendar: UID {uid} modified\n")
    done = cua("modify", f"SELECT * FROM VEVENT WHERE UID = '{uid}'", "--unset", "location")
    assert done.code == 0
    [found] = json.loads(cua("query", f"SELECT * FROM VEVENT WHERE UID = '{uid}'", "--json").out)
    values = {one["name"]: one["value"] for one in found["properties"]}
    assert values["SUMMARY"] == "Dinner"
    assert "LOCATION" not in values
    with connect(live.url, user="amira", password=PASSWORD) as client:
        agenda = "BEGIN:VAGENDA\r\nCALID:amira/archive\r\nOWNER:amira@example.com\r\nEND:VAGENDA\r\n"
        client.create(agenda, "cap://cal.example.com", check=False)
    assert cua("move", "--uid", uid, "--to", "amira/archive").out == f"amira/archive: UID {uid} moved\n"
    assert cua("delete", "--uid", uid).code == 1
    assert cua("delete", "--uid", uid, "-t", "amira/archive").out == f"amira/archive: UID {uid} deleted\n"
    assert cua("delete", "--uid", uid, "-t", "amira/archive").err == "kalends: nothing matched\n"


def test_modify_changes_one_instance_or_the_series(cua: Here) -> None:
    override = EVENTS.split("BEGIN:VEVENT")[1].split("RRULE")[0].replace("20260302", "20260309")
    lines = override + "RECURRENCE-ID;TZID=Europe/Berlin:20260309T160000\r\nSUMMARY:Tea\r\nEND:VEVENT\r\n"
    assert cua("create", "-", stdin="BEGIN:VEVENT" + lines).code == 0
    moved = "SELECT * FROM VEVENT WHERE UID = 'tea' AND RECURRENCE-ID IS NOT NULL"
    assert cua("modify", moved, "--set", "SUMMARY=Coffee").code == 0
    found = json.loads(cua("query", "SELECT * FROM VEVENT WHERE UID = 'tea'", "--json").out)
    summaries = [one["value"] for item in found for one in item["properties"] if one["name"] == "SUMMARY"]
    assert sorted(summaries) == ["Coffee", "Tea"]


def test_modify_by_files_compares_and_swaps(cua: Here, tmp_path: Path) -> None:
    old, new = tmp_path / "old.ics", tmp_path / "new.ics"
    old.write_text("BEGIN:VTODO\nSUMMARY:Buy milk\nEND:VTODO\n")
    new.write_text("BEGIN:VTODO\nSUMMARY:Buy oats\nEND:VTODO\n")
    words = ("modify", "--uid", "milk", "--old", str(old), "--new", str(new))
    assert cua(*words).code == 0
    done = cua(*words)
    assert (done.code, "6.1" in done.err) == (1, True)


def test_mark_keeps_the_object_in_state_deleted(cua: Here) -> None:
    assert cua("delete", "--uid", "milk", "--mark").out == "amira/calendar: UID milk marked\n"
    marked = "SELECT UID FROM VTODO WHERE STATE() = 'DELETED'"
    assert len(json.loads(cua("query", marked, "--json").out)) >= 1


def test_deleting_asks_on_a_terminal(cua: Here, tmp_path: Path) -> None:
    environ = clean_environ(tmp_path) | {
        name: os.environ[name] for name in ("KALENDS_SERVER", "KALENDS_USER", "KALENDS_PASSWORD")
    }
    assert on_terminal(environ, ["delete", "--uid", "milk"], [("Delete", "n\n")]).code == 130
    assert on_terminal(environ, ["delete", "--uid", "milk"], [("Delete", "y\n")]).code == 0


def test_settings_file_and_password_file(run: Here, live: Live, tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text(PASSWORD + "\n")
    secret.chmod(0o644)
    config = tmp_path / "config" / "kalends" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text(
        f'server = "{live.url}"\nuser = "bruno"\npassword-file = "{secret}"\nzone = "Asia/Tokyo"\n'
    )
    done = run("capability")
    assert (done.code, "chmod 600" in done.err) == (1, True)
    secret.chmod(0o600)
    assert json.loads(run("capability", "--json").out)["user"] == "bruno"
    nothing = run("query", "SELECT * FROM VEVENT", "-t", "amira/calendar")
    assert (nothing.code, nothing.err) == (0, "kalends: nothing found\n")
    config.write_text("sever = 1\n")
    done = run("capability")
    assert (done.code, "there is no setting 'sever'" in done.err) == (2, True)
    config.write_text("server = 1\n")
    assert run("capability").code == 2


def test_capability_by_datagram(run: Here, live: Live) -> None:
    """A-46: the signpost on udp, without a login."""
    where = f"127.0.0.1:{live.port}"
    told = json.loads(run("capability", "--udp", where, "--json").out)
    assert (told["udp"], told["tcp"]) == (where, f"cap://{where}")
    assert {"name": "CAP-VERSION", "value": "4324"} in told["capabilities"]
    lines = run("capability", "--udp", where).out.splitlines()
    assert lines[0].split() == ["capability", "told", "by", "udp", where]
    assert any(line.split() == ["X-KALENDS-TCP", where] for line in lines)
    assert run("capability", "--udp", where, "--user", "amira").code == 2
    done = run("capability", "--udp", "no.such.host.invalid")
    assert (done.code, "cannot be found" in done.err) == (3, True)


def test_password_from_standard_input_and_from_a_prompt(run: Here, live: Live, tmp_path: Path) -> None:
    words = ("capability", "--server", live.url, "--user", "chiyo", "--json")
    assert json.loads(run(*words, "--password-stdin", stdin=PASSWORD + "\n").out)["user"] == "chiyo"
    done = on_terminal(clean_environ(tmp_path), list(words), [("Password of chiyo", PASSWORD + "\n")])
    assert (done.code, PASSWORD in done.out) == (0, False)


def test_a_running_server_does_not_stop_administration(cua: Here, live: Live, tmp_path: Path) -> None:
    """SQLite in WAL: the command line and the server work on one store at the same time."""
    store = ("--store", live.store)
    assert cua("user", "add", "dora@example.com", "--password-stdin", *store, stdin="pw\n").code == 0
    environ = clean_environ(tmp_path)
    done = apart(
        environ, "capability", "--server", live.url, "--user", "dora", "--password-stdin", stdin="pw\n"
    )
    assert done.code == 0, done.err
    file = tmp_path / "events.ics"
    file.write_text(EVENTS, newline="")
    assert cua("import", "dora/calendar", str(file), *store, "--json").code == 0
    assert cua("check", *store).out == "clean\n"


def test_the_shell_reads_queries_from_a_pipe(cua: Here) -> None:
    script = (
        "SELECT SUMMARY\n  FROM VTODO\n  WHERE UID = 'milk';\n"
        ".format csv\n.targets\nSELECT UID FROM VTODO;\n.expand on\n.zone Europe/Paris\n.calendars\n"
        "SELECT UID FROM VTODO"
    )
    done = cua("shell", stdin=script)
    assert done.code == 0, done.err
    assert done.out.startswith("summary\n")
    assert done.out.replace("\r", "").count("calendar,UID\namira/calendar,milk\n") == 2
    assert "expand: on" in done.out
    assert "zone: Europe/Paris" in done.out
    assert done.err == "(1 found)\n" * 3


def test_the_shell_survives_mistakes_and_remembers_them_in_its_exit_code(cua: Here) -> None:
    script = "SELECT FROM;\n.nix\n.format odd\n.expand maybe\nSELECT UID FROM VTODO;\n.quit\nSELECT never;"
    done = cua("shell", stdin=script)
    assert done.code == 1
    assert "(1 found)" in done.err
    assert "never" not in done.err
    assert ".nix" in done.err


def test_behind_a_helper_of_the_shell_only_its_own_words_complete(cua: Here) -> None:
    server = os.environ["KALENDS_SERVER"]
    talk = Talk(lambda: connect(server, user="amira", password=PASSWORD), ("amira/calendar",), None)
    assert completions(talk, "a", ".targets a") == ["amira/calendar"]
    assert completions(talk, "c", ".format c") == ["csv"]
    assert "ATTENDEE" in completions(talk, "att", "SELECT att")
    assert completions(talk, ".ta", ".ta") == [".targets"]
    talk.close()


def test_what_the_shell_says_of_itself_fits_80_columns(cua: Here) -> None:
    done = cua("shell", stdin=".help\n")
    assert max(len(line) for line in [WELCOME, *done.out.splitlines()]) <= 80


def test_the_shell_on_a_terminal_completes_and_keeps_a_history(cua: Here, tmp_path: Path) -> None:
    environ = clean_environ(tmp_path) | {"TERM": "dumb", "INPUTRC": "/dev/null"} | {
        name: os.environ[name] for name in ("KALENDS_SERVER", "KALENDS_USER", "KALENDS_PASSWORD")
    }  # fmt: skip
    talk = [
        ("kalends> ", "SELECT SUMMARY FROM VTO\t;\n"),
        ("(1 found)", ".help\n"),
        (".quit", "SELECT half\n"),
        ("...> ", "\x03"),
        ("kalends> ", "\x04"),
    ]
    done = on_terminal(environ, ["shell"], talk)
    assert done.code == 0, done.out
    assert "Buy milk" in done.out
    history = tmp_path / "state" / "kalends" / "history"
    assert "SELECT SUMMARY FROM VTODO" in history.read_text()
    assert history.stat().st_mode & 0o077 == 0


def test_refusals_are_told_in_the_users_language(cua: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    """docs/languages.md: the option wins over the setting, and that over the environment."""
    ask = ("query", "SELECT * FROM VEVENT", "-t", "amira/calender")
    assert "no such calendar or store" in cua(*ask).err
    assert "kein solcher Kalender" in cua(*ask, "--language", "de").err
    monkeypatch.setenv("LANG", "fr_FR.UTF-8")
    french = cua(*ask).err
    assert "(6.1)" in french
    assert "no such calendar" not in french
    monkeypatch.setenv("KALENDS_LANGUAGE", "de_AT.UTF-8")
    assert "kein solcher Kalender" in cua(*ask).err
    assert "no such calendar or store" in cua(*ask, "--language", "th").err
    wrong = cua(*ask, "--language", "de; drop")
    assert (wrong.code, wrong.out) == (2, "")
    assert "no language" in wrong.err


@pytest.mark.parametrize(
    ("environ", "wanted"),
    [
        ({}, ()), ({"LANG": "C.UTF-8"}, ()), ({"LANG": "POSIX"}, ()), ({"LANG": "de_AT.UTF-8@euro"}, ("de-AT",)),
        ({"LANG": "de", "LC_ALL": "ja_JP"}, ("ja-JP",)), ({"LANG": "de", "LANGUAGE": "fr:es"}, ("fr", "es")),
        ({"LANG": "\x1b[2J"}, ()), ({"LANG": "de", "LC_ALL": ""}, ("de",)),
    ],
)  # fmt: skip
def test_locales_of_the_environment_are_wishes(environ: dict[str, str], wanted: tuple[str, ...]) -> None:
    assert wished(None, None, environ) == wanted


def test_one_acts_as_somebody_else_only_where_one_may(cua: Here, live: Live) -> None:
    """RFC 4324 §10.8, IDENTIFY by --as."""
    ask = ("query", "SELECT UID FROM VEVENT", "-t", "amira/calendar", "--user", "bruno")
    refused = cua(*ask, "--as", "amira")
    assert refused.code == 1
    assert "6.4" in refused.err
    assert cua(*ask, "--as", "amirra").err == refused.err, "whether somebody exists is not told"
    store = ("--store", live.store)
    assert cua("user", "may-act-as", "add", "bruno@example.com", "amira@example.com", *store).code == 0
    try:
        assert "tea" in cua(*ask, "--as", "amira").out
    finally:
        cua("user", "may-act-as", "remove", "bruno@example.com", "amira@example.com", *store)
    assert cua(*ask, "--as", "amira").code == 1
