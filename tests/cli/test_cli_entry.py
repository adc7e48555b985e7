"""The command line as such: the shortest way, help, exit codes, one-line errors, completion, the manual."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from cli_tools import KALENDS, Here, apart

from kalends.cli import entry, failures
from kalends.cli.group import COMMANDS, kalends, wordiness
from kalends.cli.manual import reference, with_reference
from kalends.cli.text import clean, harmless
from live_server import clean_environ

MANUAL = Path(__file__).parents[2] / "docs" / "cli.md"


def test_the_version_costs_no_imports(tmp_path: Path) -> None:
    """`kalends --version` imports nothing of what the commands need."""
    source = "import sys; from kalends.cli.entry import main; main(['--version']); print(sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    version, modules = done.stdout.splitlines()
    assert re.fullmatch(r"kalends \d+\.\d+\.\d+", version)
    loaded = set(ast.literal_eval(modules))
    assert not loaded & {
        "click",
        "rich",
        "asyncio",
        "ssl",
        "apsw",
        "logging",
        "kalends.core",
        "kalends.store",
    }


def test_help_imports_no_command() -> None:
    source = "import sys; from kalends.cli.entry import main; main(['--help']); print(sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    loaded = set(ast.literal_eval(done.stdout.splitlines()[-1]))
    assert not loaded & {"rich", "asyncio", "apsw", "kalends.core", "kalends.store", "kalends.client"}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_says_what_it_does_with_examples(name: str, run: Here) -> None:
    done = run(name, "--help")
    assert done.code == 0
    if name != "port":
        assert max(map(len, done.out.splitlines())) <= 80
    if name not in ("user", "group", "calendar", "reindex", "check"):
        assert "example" in done.out


@pytest.mark.parametrize(
    "words",
    [
        ["nix"],
        ["--nix"],
        ["user"],
        ["user", "add"],
        ["calendar", "add", "x"],
        ["query"],
        ["query", "SELECT"],
        ["query", "SELECT * FROM VEVENT"],
        ["query", "SELECT * FROM VEVENT", "--user", "amira"],
        ["query", "SELECT * FROM VEVENT", "-t", "x", "--zone", "Mars/Olympus"],
        ["create"],
        ["create", "--set", "nonsense", "-t", "x"],
        ["modify", "--uid", "x", "-t", "x"],
        ["modify", "--set", "A=b", "-t", "x"],
        ["move", "--uid", "x"],
        ["delete", "-t", "x"],
        ["delete", "SELECT * FROM VEVENT", "--uid", "x"],
        ["serve", "--cap-port", "many"],
        ["serve", "--plaintext", "--host", "0.0.0.0"],
        ["completion", "tcsh"],
        ["import", "x", "/nonexistent.ics"],
    ],
)
def test_wrong_usage_is_exit_2_in_a_few_words(words: list[str], run: Here) -> None:
    done = run(*words)
    assert done.code == failures.USAGE, done
    assert done.out == ""
    assert "Traceback" not in done.err
    if words != ["user"]:
        assert done.err.startswith("kalends: ")
        assert len(done.err.splitlines()) <= 4


@pytest.mark.parametrize(
    "words",
    [
        ["capability", "--server", "cap://127.0.0.1:1"],
        ["query", "SELECT * FROM VEVENT", "-t", "x", "--server", "cap://127.0.0.1:1"],
        ["shell", "-t", "x", "--server", "cap://127.0.0.1:1"],
    ],
)
def test_nobody_there_is_exit_3(words: list[str], run: Here) -> None:
    done = run(*words)
    assert done.code == failures.UNREACHABLE, done
    assert len(done.err.splitlines()) == 1


def test_a_missing_store_is_exit_1(run: Here, tmp_path: Path) -> None:
    done = run("user", "list", "--store", str(tmp_path / "none.db"))
    assert (done.code, len(done.err.splitlines())) == (failures.REFUSED, 1)
    assert not (tmp_path / "none.db").exists()
    not_a_store = tmp_path / "notes.txt"
    not_a_store.write_text("not a database, but long enough to be looked at " * 40)
    done = run("check", "--store", str(not_a_store))
    assert (done.code, len(done.err.splitlines())) == (failures.REFUSED, 1)


def test_a_misspelt_command_is_answered_with_the_nearest(run: Here) -> None:
    assert "Did you mean query?" in run("qeury").err


def test_a_wrong_query_is_shown_with_a_caret(run: Here) -> None:
    done = run("query", "SELECT SUMMARY FROM VEVENT WHERE SUMMARY LIKE tea", "-t", "x")
    first, shown, caret, *_ = done.err.splitlines()
    assert first == "kalends: the query is not CAL-QUERY"
    assert shown[caret.index("^") :] == "tea"
    assert max(map(len, done.err.splitlines())) <= 80


def test_defects_are_one_line_and_the_traceback_is_for_vv(
    run: Here, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def broken(*_args: object) -> None:
        raise RuntimeError("boom \x1b[31m")

    monkeypatch.setattr("kalends.cli.users.office", broken)
    done = run("user", "list", "--store", str(tmp_path / "x"))
    assert (done.code, done.err) == (
        1,
        "kalends: internal error: RuntimeError: boom [31m\nkalends: -vv shows where\n",
    )
    assert "Traceback" in run("user", "list", "-vv").err


def test_v_and_q_count_before_and_behind_the_command() -> None:
    assert wordiness(["-vv", "query"]) == wordiness(["query", "-v", "--verbose"]) == 2
    assert wordiness(["-q", "query", "--", "-v"]) == -1


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(shell: str, run: Here) -> None:
    done = run("completion", shell)
    assert done.code == 0
    assert "_KALENDS_COMPLETE" in done.out


def test_the_completion_script_completes(tmp_path: Path) -> None:
    environ = clean_environ(tmp_path) | {
        "_KALENDS_COMPLETE": "bash_complete",
        "COMP_WORDS": "kalends cal",
        "COMP_CWORD": "1",
    }
    assert apart(environ).out == "plain,calendar\n"


@pytest.mark.parametrize(
    "words", [["completion", "bash"], ["user", "-h"], ["port", "1", "--no-probe"], ["--version"]]
)
def test_a_closed_pipe_is_no_error(tmp_path: Path, words: list[str]) -> None:
    read, write = os.pipe()
    os.close(read)  # there was a reader, and it had enough
    with os.fdopen(write, "w") as pipe:
        done = subprocess.run(
            [KALENDS[0], "-m", "kalends.cli.entry", *words],
            env=clean_environ(tmp_path),
            stdout=pipe,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize(
    "words",
    [
        ["--server", "http://localhost"],
        ["--server", "cap://localhost:99999"],
        ["--server", "cap://u:secret@localhost"],
        ["--fingerprint", "SHA256:00"],
        ["--server", ".."],
        ["--server", "x" * 64],
        ["--server", "\u202egnp"],
        ["--server", "cap://a\x1b[31m"],
        ["--udp", "x" * 64],
        ["--server-name", "x" * 64],
        ["--server-name", "a\nb"],
    ],
)
def test_an_address_that_is_none_is_wrong_usage(run: Here, words: list[str]) -> None:
    done = run("capability", *words)
    assert (done.code, "secret" in done.err) == (2, False)
    assert "codec" not in done.err


def test_a_file_of_authorities_that_is_none_is_named(run: Here, tmp_path: Path) -> None:
    done = run("capability", "--server", "cap://127.0.0.1:9", "--ca-file", str(tmp_path / "none.pem"))
    assert done.code == 3
    assert str(tmp_path / "none.pem") in done.err


def test_the_options_of_port_complete(tmp_path: Path) -> None:
    environ = clean_environ(tmp_path) | {
        "_KALENDS_COMPLETE": "bash_complete",
        "COMP_WORDS": "kalends port --no",
        "COMP_CWORD": "2",
    }
    assert apart(environ).out == "plain,--no-probe\n"


def test_the_manual_is_current() -> None:
    """docs/cli.md holds the help of every command; python -m kalends.cli.manual docs/cli.md mends it."""
    page = MANUAL.read_text("utf-8")
    assert with_reference(page) == page
    for name in COMMANDS:
        assert name == "port" or f"### kalends {name}\n" in reference()


def test_untrusted_text_is_made_harmless() -> None:
    wicked = "a\x1b]0;title\x07b\u202egnp.exe\u2066\r\nkalends: ok\x9b2J"
    for made in (clean(wicked), harmless(wicked)):
        assert made.isprintable()
    assert len(harmless(wicked)) == len(wicked)


def test_every_exit_code_has_its_errors() -> None:
    assert {code for _, _, code in failures._TABLE} == {1, 2, 3}
    assert isinstance(kalends, click.Group)


def test_a_full_disk_behind_standard_output_is_one_line(tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*KALENDS, "completion", "bash"],
            env=clean_environ(tmp_path),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)


def test_a_terminal_of_few_letters_is_no_failure(tmp_path: Path) -> None:
    environ = clean_environ(tmp_path) | {
        "PYTHONIOENCODING": "latin-1",
        "KALENDS_STORE": str(tmp_path / "s.db"),
    }
    done = apart(environ, "user", "add", "zoe@example.com", "--no-password", "--name", "Zoë 日本")
    assert done.code == 0
    listed = subprocess.run([*KALENDS, "user", "list"], env=environ, capture_output=True, check=True).stdout
    assert "Zoë ??" in listed.decode("latin-1")


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("words", ["user list", "--version", "port 1 --no-probe", "nix"])
def test_closed_standard_streams_are_no_defect(tmp_path: Path, words: str, closed: str) -> None:
    """What a closed stream would have held is dropped; the exit code is what it is with all of them open."""
    environ = clean_environ(tmp_path) | {"KALENDS_STORE": str(tmp_path / "s.db")}
    assert apart(environ, "user", "add", "zoe@example.com", "--no-password").code == 0
    expected = apart(environ, *words.split()).code
    line = f'"$@" {words} {closed}'
    done = subprocess.run(["sh", "-c", line, "sh", *KALENDS], env=environ, capture_output=True, check=False)
    assert done.returncode == expected
    assert b"Traceback" not in done.stderr
    assert b"internal error" not in done.stderr


@pytest.mark.parametrize("words", [["user", "list"], ["port", "1"], ["--version"]])
def test_an_interrupt_before_the_command_runs_is_told_like_any_other(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Modules are being imported then, for a tenth of a second."""

    def interrupted(_words: list[str]) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(entry, "_run", interrupted)
    assert entry.main(words) == failures.INTERRUPTED
    assert capsys.readouterr().err == "\nkalends: stopped\n"


@pytest.mark.parametrize(
    "option", ["--fingerprint", "--ca-file", "--server-name", "--server", "--user", "--as", "--language"]
)
def test_an_empty_option_of_a_login_is_not_taken_for_none(run: Here, option: str) -> None:
    """`--fingerprint "$UNSET"` trusted whatever certificate was shown first."""
    done = run("capability", option, "")
    assert (done.code, done.err.splitlines()[0]) == (2, f"kalends: {option}: expected some text")


@pytest.mark.parametrize("seconds", ["0", "-1", "1e9", "soon"])
def test_a_silence_that_cannot_be_awaited_is_wrong_usage(run: Here, seconds: str) -> None:
    assert run("capability", "--server", "cap://127.0.0.1:9", "--timeout", seconds).code == 2
