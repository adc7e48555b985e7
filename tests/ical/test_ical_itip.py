"""iTIP's restriction tables, entry by entry, and what holds over the components of a message (RFC 5546 §3)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kalends.ical import itip
from kalends.ical.itip import RESTRICTIONS
from kalends.ical.tree import Component, parse

TABLES = Path(__file__).parent / "data" / "rfc5546_tables.txt"
HEAD = ("VERSION:2.0", "PRODID:-//Kalends//Test//EN")
Table = tuple[str, str, bool, dict[str, str]]
"""Kind, method, whether there may be one component only, and presence by name."""

SAMPLES = {
    "ATTENDEE": "ATTENDEE:mailto:a@example.com", "ORGANIZER": "ORGANIZER:mailto:o@example.com",
    "DTSTAMP": "DTSTAMP:20250101T000000Z", "DTSTART": "DTSTART:20250301T100000Z",
    "DTEND": "DTEND:20250301T110000Z", "DUE": "DUE:20250301T110000Z", "DURATION": "DURATION:PT1H",
    "SEQUENCE": "SEQUENCE:1", "PRIORITY": "PRIORITY:1", "UID": "UID:1",
    "VALARM": "BEGIN:VALARM\r\nACTION:AUDIO\r\nTRIGGER:-PT5M\r\nEND:VALARM",
}  # fmt: skip


def tables() -> Iterator[Table]:
    head, rows = ("", "", False), dict[str, str]()
    for line in [*TABLES.read_text("utf-8").splitlines(), "end end one"]:
        if line.startswith("#") or not line:
            continue
        if line.startswith("  "):
            presence, names = line.split(":")
            rows |= dict.fromkeys(names.split(), presence.strip())
            continue
        if head[0]:
            yield *head, rows
        kind, method, number = line.split()
        head, rows = (kind, method, number == "one"), {}


ALL = list(tables())


def names(table: Table) -> str:
    return f"{table[0]}-{table[1]}"


def message(method: str, *components: tuple[str, list[str]], also: tuple[str, ...] = ()) -> Component:
    rows = [*HEAD, f"METHOD:{method}", *also]
    status = {"STATUS": "STATUS:CANCELLED"} if method == "CANCEL" else {}
    for kind, inner in components:
        rows += [
            f"BEGIN:{kind}",
            *({**SAMPLES, **status}.get(row, row if ":" in row else f"{row}:x") for row in inner),
        ]
        rows.append(f"END:{kind}")
    return parse("".join(f"{row}\r\n" for row in ("BEGIN:VCALENDAR", *rows, "END:VCALENDAR")))


def strict(root: Component) -> list[str]:
    return [problem.reason for problem in itip.problems(root, strict=True)]


def test_there_is_a_table_for_each_pair_and_no_other() -> None:
    assert {table[:2] for table in ALL} == set(RESTRICTIONS)


@pytest.mark.parametrize("table", ALL, ids=names)
def test_each_entry_of_the_table_is_enforced(table: Table) -> None:
    """RFC 5546 §3.2 to §3.5; CRE-05."""
    kind, method, one, rows = table
    least = [name for name, presence in rows.items() if presence in ("1", "1+")]
    assert strict(message(method, (kind, least))) == []
    for name, presence in rows.items():
        inner = [other for other in least if other != name]
        without, once = message(method, (kind, inner)), message(method, (kind, [*inner, name]))
        twice = message(method, (kind, [*inner, name, name]))
        assert bool(strict(without)) == (presence in ("1", "1+")), name
        assert bool(strict(once)) == (presence == "0"), name
        if presence in (
            "1",
            "1+",
            "*",
            "0",
        ):  # `?`: at most once is for `validate` to see, with or without METHOD
            assert bool(strict(twice)) == (presence in ("1", "0")), name
    assert bool(strict(message(method, (kind, least), (kind, least)))) == one


@pytest.mark.parametrize(
    ("method", "kind", "row", "refused"),
    [
        ("ADD", "VEVENT", "SEQUENCE:0", "always"), ("ADD", "VTODO", "SEQUENCE:00", "always"),
        ("REQUEST", "VEVENT", "STATUS:CANCELLED", "strict"), ("DECLINECOUNTER", "VTODO", "STATUS:cancelled", "strict"),
        ("CANCEL", "VEVENT", "STATUS:CONFIRMED", "strict"), ("CANCEL", "VJOURNAL", "STATUS:FINAL", "strict"),
        ("CANCEL", "VTODO", "STATUS:CANCELLED", "never"), ("COUNTER", "VEVENT", "STATUS:CANCELLED", "never"),
        ("REQUEST", "VEVENT", "STATUS:TENTATIVE", "never"), ("ADD", "VJOURNAL", "STATUS:CANCELLED", "never"),
    ],
)  # fmt: skip
def test_values_that_the_tables_name(method: str, kind: str, row: str, refused: str) -> None:
    """RFC 5546 §3.2 to §3.5: `MUST be greater than 0`, `MUST be set to CANCELLED` and their like."""
    rows = next(table[3] for table in ALL if table[:2] == (kind, method))
    name = row.partition(":")[0]
    least = [other for other, presence in rows.items() if presence in ("1", "1+") and other != name]
    root = message(method, (kind, [*least, row]))
    assert bool(strict(root)) == (refused != "never")
    assert bool(itip.problems(root)) == (refused == "always")


def test_what_is_added_needs_its_sequence_also_where_others_are_forgiven_theirs() -> None:
    rows = ["DTSTAMP", "ORGANIZER", "UID", "DTSTART", "SUMMARY"]
    assert [problem.reason for problem in itip.problems(message("ADD", ("VEVENT", rows)))] == [
        "SEQUENCE of METHOD:ADD must be greater than 0 (RFC 5546 §3.2.4)"
    ]


def test_a_message_is_about_one_kind_and_to_the_letter_about_one_uid() -> None:
    """RFC 5546 §3.2.2; RFC 4324 §10.4 has an example with two UIDs, which are two messages."""
    rows = ["DTSTAMP", "ORGANIZER", "DTSTART", "SUMMARY", "ATTENDEE", "PRIORITY"]
    two = message("REQUEST", ("VEVENT", [*rows, "UID:1"]), ("VEVENT", [*rows, "UID:2"]))
    assert itip.message_problems(two) == []
    found = itip.message_problems(two, strict=True)
    assert [problem.reason for problem in found] == ["METHOD:REQUEST is about one UID only"]
    assert found[0].line == 21
    mixed = message("REQUEST", ("VEVENT", [*rows, "UID:1"]), ("VTODO", [*rows, "UID:2"]))
    assert len(itip.message_problems(mixed)) == 1
    published = message("PUBLISH", ("VEVENT", [*rows, "UID:1"]), ("VEVENT", [*rows, "UID:2"]))
    assert itip.message_problems(published, strict=True) == []


def test_busy_times_are_in_utc_so_that_no_zone_comes_along() -> None:
    """RFC 5546 §3.3: `VTIMEZONE | 0`."""
    zone = ("BEGIN:VTIMEZONE", "TZID:Here", "END:VTIMEZONE")
    rows = ["DTSTAMP", "ORGANIZER", "UID", "DTSTART", "DTEND"]
    assert strict(message("PUBLISH", ("VFREEBUSY", rows))) == []
    assert strict(message("PUBLISH", ("VFREEBUSY", rows), also=zone)) != []
