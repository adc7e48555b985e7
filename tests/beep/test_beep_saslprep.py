"""SASLprep (RFC 4013 §3 examples)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalends.beep.saslprep import MAX_LENGTH, saslprep


@pytest.mark.parametrize(
    ("text", "prepared"),
    [
        ("I\u00adX", "IX"),
        ("user", "user"),
        ("USER", "USER"),
        ("\u00aa", "a"),
        ("\u2168", "IX"),
        ("a\u00a0b", "a b"),
        ("\U0001f511", "\U0001f511"),
        ("\u0627\u0628", "\u0627\u0628"),
    ],
)
def test_examples(text: str, prepared: str) -> None:
    assert saslprep(text) == prepared


@pytest.mark.parametrize(
    "text", ["", "\u00ad", "\u0007", "\u0627\u0031", "a\u0627", "\ud800", "x" * (MAX_LENGTH + 1)]
)
def test_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        saslprep(text)


@given(st.text(max_size=20))
def test_preparing_twice_changes_nothing(text: str) -> None:
    try:
        prepared = saslprep(text)
    except ValueError:
        return
    assert saslprep(prepared) == prepared
