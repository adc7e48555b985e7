"""`kalends port` as its user meets it: words in, page or data or exit code out."""

from __future__ import annotations

import io
import json
import socket
from importlib import resources

import pytest

from kalends.ports.clean import clean
from kalends.ports.command import main


def run(*words: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    code = main(words, out, err)
    return code, out.getvalue(), err.getvalue()


@pytest.mark.parametrize("port", ["1026", "0", "443", "230", "65535", "1028", "1026/udp", "8080", "6000"])
def test_the_page_fits_80_columns_and_labels_its_sections(port: str) -> None:
    code, out, _ = run(port, "--no-probe")
    assert code == 0
    assert max(map(len, out.splitlines())) <= 80
    assert "The official story (IANA registry, snapshot 2026-03-02)" in out
    assert "\x1b" not in out
    for heading in (
        "What you are looking at",
        "The reality here",
        "The handshake",
        "The reality elsewhere",
        "Check it yourself",
        "Why registered but unused ports matter",
    ):
        assert heading in out


def test_the_help_fits_80_columns(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--help"])
    assert end.value.code == 0
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80
    assert "kalends port --free 3" in text


def test_what_the_registry_does_not_give_is_said() -> None:
    _, out, _ = run("1026", "--no-probe")
    assert "not given        modified, reference, service code, unauthorised use, notes" in out


def test_refused_is_explained_as_the_normal_state() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        _, out, _ = run(f"{held.getsockname()[1]}/tcp")
    assert "connection refused - nothing listens. That is the normal" in out


def test_json_has_the_documented_form() -> None:
    schema = json.loads((resources.files("kalends.ports") / "data" / "schema.json").read_text())
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        code, out, _ = run(str(sock.getsockname()[1]), "--json", "--no-probe")
    value = json.loads(out)
    assert code == 0
    assert _problems(schema, value, "") == []
    assert value["verdict"]["state"] == "listening"
    assert value["verdict"]["reachable_from"] == "this machine only"
    cap = json.loads(run("1026", "--json", "--no-probe")[1])
    assert _problems(schema, cap, "") == []
    assert [r["transport"] for r in cap["official"]["records"]] == ["tcp", "udp"]


def _problems(schema: dict[str, object], value: object, path: str) -> list[str]:
    """What of a value breaks the (small) JSON schema."""
    kinds = {
        "object": dict,
        "array": list,
        "string": str,
        "integer": int,
        "number": (int, float),
        "boolean": bool,
        "null": type(None),
    }
    found: list[str] = []
    wanted = schema.get("type")
    names = [wanted] if isinstance(wanted, str) else wanted
    if isinstance(names, list) and not any(isinstance(value, kinds[n]) for n in names):
        found.append(f"{path}: {value!r} is no {wanted}")
    if "const" in schema and value != schema["const"]:
        found.append(f"{path}: not {schema['const']!r}")
    enum = schema.get("enum")
    if isinstance(enum, list) and value not in enum:
        found.append(f"{path}: {value!r} not in {enum}")
    if isinstance(value, dict):
        required, properties = schema.get("required", []), schema.get("properties", {})
        assert isinstance(required, list)
        assert isinstance(properties, dict)
        found += [f"{path}: {key} is missing" for key in required if key not in value]
        for key, sub in properties.items():
            if key in value:
                found += _problems(sub, value[key], f"{path}/{key}")
    items = schema.get("items")
    if isinstance(value, list) and isinstance(items, dict):
        for number, item in enumerate(value):
            found += _problems(items, item, f"{path}[{number}]")
    return found


@pytest.mark.parametrize(
    "words",
    [
        ["70000"],
        ["65536"],
        ["abc-"],
        ["-5"],
        ["1026/sctp"],
        ["1026/udp", "--transport", "tcp"],
        ["20-10"],
        [],
        [""],
        [" "],
        ["--free", "0"],
        ["--free", "1", "80"],
        ["--free", "1", "--range", "x"],
        ["1000-1010", "--check", "free"],
        ["--nonsense"],
        ["1026", "--data", "/nonexistent/file"],
    ],
)
def test_wrong_words_are_usage_errors_that_say_what_is_wrong(words: list[str]) -> None:
    code, out, err = run(*words)
    if words == ["abc-"]:
        assert code in (1, 2)
    else:
        assert code == 2, err
    assert out == ""
    assert err.startswith("kalends port: ")


def test_blanks_around_a_port_are_no_part_of_it() -> None:
    assert run(" 1026 ", "--no-probe")[1].startswith("Port 1026: cap")


def test_tls_is_proposed_only_where_a_session_begins_with_it() -> None:
    """CAP starts TLS inside BEEP: a TLS client that talks first would only break the session."""
    assert "openssl s_client" in run("443", "--no-probe")[1]
    assert "openssl s_client" in run("993", "--no-probe")[1]
    assert "openssl s_client" not in run("1026", "--no-probe")[1]


def test_an_unknown_name_exits_1_with_the_three_nearest() -> None:
    code, out, err = run("caldva")
    assert (code, out) == (1, "")
    assert "caldav" in err
    assert err.count(",") == 2


def test_a_name_without_a_port_says_so() -> None:
    code, out, _ = run("caldav")
    assert code == 0
    assert "a registered service name without a port" in out


def test_a_name_with_several_ports_names_them_all() -> None:
    _, out, _ = run("http-alt", "--no-probe")
    assert out.startswith("Port 591:")
    assert "8008, 8080" in out
    assert run("http-alt", "--all", "--no-probe")[1].count("What you are looking at") == 3


def test_a_range_is_one_line_a_run_and_marks_what_listens() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        port = sock.getsockname()[1]
        code, out, _ = run(f"{port}-{port}")
        assert code == 0
        assert out.splitlines()[1].startswith(f"* {port}")
    lines = [line[2:] for line in run("1000-1100")[1].splitlines()]
    assert "1026         cap" in lines, "marked or not: something may listen there on this machine"


def test_a_range_as_data() -> None:
    value = json.loads(run("1000-1100", "--json")[1])
    assert sum(value["counts"].values()) == 101


def test_check_answers_by_exit_code_alone() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        port = str(sock.getsockname()[1])
        assert run(port, "--check", "listening", "--no-probe") == (0, "", "")
        assert run(port, "--check", "free") == (1, "", "")
    assert run(port, "--check", "listening", "--no-probe") == (1, "", "")
    assert run(port, "--check", "free") == (0, "", "")
    assert run("1026", "--check", "registered") == (0, "", "")
    assert run("1032", "--check", "registered")[0] == 1


def test_free_prints_ports_and_the_advice_when_they_could_be_registered() -> None:
    code, out, err = run("--free", "3")
    assert (code, err) == (0, "")
    assert len(out.split()) == 3
    code, out, err = run("--free", "2", "--registered", "--json")
    assert len(json.loads(out)["free"]) == 2
    assert "SHOULD NOT be used without or prior to IANA registration" in run("--free", "--registered")[2]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[31mb", "a[31mb"),
        ("one\r\ntwo", "one two"),
        ("\u202egnp.exe", "gnp.exe"),
        ("x" * 10, "xxxx…"),
    ],
)
def test_untrusted_text_is_cleaned_and_cut(text: str, shown: str) -> None:
    assert clean(text, 5 if text.startswith("xx") else 50) == shown


def test_another_host_is_asked_only_by_name_and_its_sockets_are_not_claimed() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        port = sock.getsockname()[1]
        code, out, _ = run(str(port), "--host", "127.0.0.1")
    assert code == 0
    assert "The reality at 127.0.0.1" in out
    assert "Its sockets cannot be seen from here" in out
    code, out, err = run("1026", "--host", "no.such.host.invalid")
    assert (code, out) == (1, "")
    assert err.startswith("kalends port: no.such.host.invalid: ")
