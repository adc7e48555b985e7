"""REQUEST-STATUS: every refusal has a code (RFC 4324 §10.15; COD-02)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kalends.cap import status
from kalends.cap.commands import VERBS
from kalends.cap.status import CODES, MAX_TEXT, STORE_TEXTS, RefusalError, Status, status_of
from kalends.core import errors
from kalends.ical.tree import Line
from kalends.ical.values import unescape_text
from kalends.store import errors as store


def _all(root: type) -> Iterator[type]:
    for child in root.__subclasses__():
        if child.__module__.startswith("kalends."):
            yield child
            yield from _all(child)


@pytest.mark.parametrize("kind", list(_all(errors.KalendsError)))
def test_every_class_of_core_errors_has_a_code(kind: type[errors.KalendsError]) -> None:
    """A new class without a row here is a defect."""
    assert any(base in CODES for base in kind.__mro__), f"{kind.__name__} has no REQUEST-STATUS"
    found = status_of(kind("Because."))
    assert found is not None
    assert found.text == "Because."


OTHERS = (store.DeadlineError, store.DuplicateError)


@pytest.mark.parametrize("kind", [k for k in _all(store.StoreError) if not issubclass(k, OTHERS)])
def test_store_errors_are_8_0_without_the_drivers_words(kind: type[store.StoreError]) -> None:
    found = status_of(kind("/secret/path"))
    assert found is not None
    assert (found.code, "secret" in found.text) == ("8.0", False)


def test_every_row_is_a_code_of_the_rfc() -> None:
    """RFC 4324 §10.15's table."""
    table = [
        "2.0",
        "2.0.3",
        "3.1.4",
        "4.1",
        "6.1",
        "6.2",
        "6.3",
        "6.4",
        "7.0",
        "8.0",
        "8.1",
        "8.2",
        "8.3",
        "8.4",
        "8.5",
        "9.0",
        "10.4",
    ]
    named = {value for name, value in vars(status).items() if name.isupper() and isinstance(value, str)}
    assert named == set(table)
    assert set(CODES.values()) <= named
    assert all(text.endswith(".") for text in STORE_TEXTS.values())


def test_deadline_is_7_0_and_defects_have_no_status() -> None:
    found = status_of(store.DeadlineError("late"))
    assert found is not None
    assert found.code == "7.0"
    assert status_of(ZeroDivisionError()) is None
    assert status_of(RefusalError("9.0", "No.")) == Status("9.0", "No.")


def test_twin_that_only_the_database_saw_is_8_5() -> None:
    """OBM-09."""
    found = status_of(store.DuplicateUidError("unique violation in table object"))
    assert found == Status("8.5", "The identifier is taken.")


def test_line_number_of_bad_data_is_told() -> None:
    found = status_of(errors.InvalidError("DTEND is before DTSTART.", line=7))
    assert found == Status("6.3", "line 7: DTEND is before DTSTART.")


@settings(max_examples=100)
@given(st.text(max_size=700))
def test_text_is_one_escaped_line(text: str) -> None:
    """COD-01: whatever a query or value had in it, the property stays one property."""
    line = Line.make("REQUEST-STATUS", Status("6.3", text).line)
    code, _, rest = line.value.partition(";")
    assert code == "6.3"
    shown = unescape_text(rest)
    assert len(shown) <= MAX_TEXT
    assert shown.isprintable()


def test_verbs_are_those_of_the_rfc() -> None:
    """RFC 4324 §10.1 and §10.14 (A-41: TIMEOUT is missing from the grammar)."""
    assert set(VERBS) == {
        "ABORT", "CONTINUE", "CREATE", "DELETE", "GENERATE-UID", "GET-CAPABILITY", "IDENTIFY", "MODIFY",
        "MOVE", "REPLY", "SEARCH", "SET-LOCALE", "TIMEOUT",
    }  # fmt: skip
