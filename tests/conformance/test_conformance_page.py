"""The conformance table is whole, names tests that exist, and docs/conformance.md is made of it."""

from __future__ import annotations

from conformance_page import GROUPS, PAGE, STATES, all_tests, named_by, page, read_rows

COUNTS = {
    "SES": 23, "LOC": 9, "OBM": 27, "CON": 8, "UPN": 11, "ACL": 26, "QRY": 35, "PRM": 5, "LAT": 12, "CRE": 15,
    "DEL": 6, "GUI": 3, "CAP": 11, "IDN": 6, "MDF": 13, "MOV": 5, "REP": 2, "SEA": 4, "FBY": 5, "STO": 6,
    "COD": 4, "EDI": 1, "BF": 10, "BC": 14, "BA": 5, "BT": 11, "BW": 8, "A": 72,
}  # fmt: skip
"""Requirements in each group: 237 of CAP, 48 of BEEP, 72 ambiguities."""
ROWS = read_rows()


def test_every_requirement_stands_once() -> None:
    wanted = [f"{group}-{number:02}" for group, count in COUNTS.items() for number in range(1, count + 1)]
    assert [row.id for row in ROWS] == wanted
    assert list(COUNTS) == list(GROUPS)


def test_every_test_that_is_named_exists() -> None:
    known = all_tests()
    missing = [(row.id, test) for row in ROWS for test in row.tests if not named_by(test, known)]
    assert missing == []


def test_a_row_says_what_its_state_needs() -> None:
    """Met is shown by tests; what is not met says why, and may show what there is; an ambiguity says what is done."""
    assert {row.state for row in ROWS} <= set(STATES)
    assert [row.id for row in ROWS if not row.requirement] == []
    assert [row.id for row in ROWS if not row.tests and row.state == "met"] == []
    assert [row.id for row in ROWS if row.tests and row.state == "no wire test"] == []
    assert [row.id for row in ROWS if not row.note and (row.state != "met" or row.group == "A")] == []


def test_the_page_is_current() -> None:
    """After a change of the table: python tests/conformance/conformance_page.py."""
    assert PAGE.read_text("utf-8") == page(ROWS)
