"""Saved queries: VQUERYs by name, over CAP (RFC 4324 §9.6; QRY-03, QRY-30, QRY-31)."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from cli_tools import Here

from live_server import PASSWORD, Live, live_server

EVENTS = """\
BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//test//EN
BEGIN:VEVENT
UID:tea
DTSTAMP:20260101T000000Z
DTSTART:20260302T160000Z
RRULE:FREQ=WEEKLY;COUNT=3
SUMMARY:Tea
END:VEVENT
END:VCALENDAR
""".replace("\n", "\r\n")
TEAS = "SELECT DTSTART,SUMMARY FROM VEVENT WHERE SUMMARY LIKE '%tea%' OR SUMMARY = 'Tea'"


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with live_server(tmp_path_factory.mktemp("live"), users=("amira",)) as server:
        yield server


@pytest.fixture
def cua(run: Here, live: Live, monkeypatch: pytest.MonkeyPatch) -> Here:
    """A runner logged in as amira, whose calendars amira/calendar and amira/second hold the same event."""
    monkeypatch.setenv("KALENDS_SERVER", live.url)
    monkeypatch.setenv("KALENDS_USER", "amira")
    monkeypatch.setenv("KALENDS_PASSWORD", PASSWORD)
    second = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//t//EN\r\nBEGIN:VAGENDA\r\nCALID:amira/second\r\nEND:VAGENDA\r\nEND:VCALENDAR\r\n"
    run("create", "-", "-t", "cap://cal.example.com", stdin=second)  # refused the second time
    for kind in ("VEVENT", "VQUERY"):
        run("delete", f"SELECT * FROM {kind}", "--yes", "-t", "amira/calendar", "-t", "amira/second")
    assert run("create", "-", "-t", "amira/calendar", "-t", "amira/second", stdin=EVENTS).code == 0
    return run


def test_a_query_is_saved_listed_run_and_forgotten(cua: Here) -> None:
    saved = cua("query", "--save", "my, teas", TEAS)
    assert (saved.code, saved.out, saved.err) == (0, "amira/calendar: QUERYID my, teas saved\n", "")
    assert json.loads(cua("query", "--saved", "--json").out) == [
        {"calendar": "amira/calendar", "name": "my, teas", "queries": [TEAS], "expand": False}
    ]
    lines = cua("query", "--saved").out.splitlines()
    assert lines[0].split() == ["name", "query", "expand"]
    assert max(map(len, lines)) <= 80
    assert cua("query", "--run", "my, teas", "--json").out == cua("query", TEAS, "--json").out
    assert cua("query", "--run", "my, teas").out.splitlines()[0].split() == ["dtstart", "summary"]
    taken = cua("query", "--save", "my, teas", "SELECT * FROM VTODO")
    assert (taken.code, "8.5" in taken.err) == (1, True)
    assert cua("query", "--forget", "my, teas").code == 0
    assert cua("query", "--saved").err == "kalends: no saved queries\n"
    for words in (("--run", "my, teas"), ("--forget", "my, teas")):
        gone = cua("query", *words)
        assert (gone.code, "there is no saved query my, teas" in gone.err) == (1, True)


def test_one_saved_query_runs_over_several_calendars_expanded_or_not(cua: Here) -> None:
    assert cua("query", "--save", "teas", TEAS).code == 0
    both = ("-t", "amira/calendar", "-t", "amira/second", "--json")
    found = json.loads(cua("query", "--run", "teas", *both).out)
    assert [one["calendar"] for one in found] == ["amira/calendar", "amira/second"]
    assert len(json.loads(cua("query", "--run", "teas", "--expand", *both).out)) == 6
    assert cua("query", "--save", "all teas", TEAS, "--expand", "-t", "amira/second").code == 0
    elsewhere = ("--from", "amira/second")
    assert len(json.loads(cua("query", "--run", "all teas", *elsewhere, *both).out)) == 6
    assert cua("query", "--run", "all teas", *both).code == 1


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--run", "a", TEAS),
        ("--run", "a", "--saved"),
        ("--save", "a"),
        ("--save", "", TEAS),
        ("--forget", "a", "--expand"),
        ("--from", "amira/calendar", TEAS),
        ("--save", "a", "SELECT nonsense"),
    ],
)
def test_words_that_contradict_each_other_are_wrong_usage(cua: Here, words: tuple[str, ...]) -> None:
    assert cua("query", *words).code == 2
