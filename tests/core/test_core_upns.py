"""UPN-FILTER (RFC 4324 §6.1.3)."""

from __future__ import annotations

import pytest

from kalends.core.access.upns import parse_filter
from kalends.core.admission import Sent, check_upn_filter
from kalends.core.errors import InvalidError
from kalends.ical.tree import Component, Line

IDENTITIES = ("@", "@example.com", "@other.org", "sam@example.com", "eve@other.org")
MATRIX = {
    "*": (True, True, True, True, True),
    "@": (True, False, False, False, False),
    "@*": (False, True, True, False, False),
    "@example.com": (False, True, False, False, False),
    "*@*": (False, False, False, True, True),
    "*@example.com": (False, False, False, True, False),
    "sam@example.com": (False, False, False, True, False),
}


@pytest.mark.parametrize(
    ("text", "upn", "expected"),
    [
        (text, upn, expected)
        for text, row in MATRIX.items()
        for upn, expected in zip(IDENTITIES, row, strict=True)
    ],
)
def test_the_matrix_of_35_upn_09(text: str, upn: str, expected: bool) -> None:
    """UPN-09, A-47: seven forms against five identities, by the table of §6.1.3."""
    assert parse_filter(text).matches(upn) is expected


@pytest.mark.parametrize(
    "text", ["sam@*", "sam@", "*@", "", "sam", "a b@example.com", "@a..b", "sam@*.com", "CAL-OWNERS(x)"]
)
def test_other_forms_are_refused_upn_04_upn_09(text: str) -> None:
    """UPN-04, UPN-09: user@* and user@ are not allowed; admission refuses the same."""
    with pytest.raises(InvalidError):
        parse_filter(text)
    with pytest.raises(InvalidError):
        check_upn_filter(Line.make("GRANT", text), Sent(Component("VCAR")))


@pytest.mark.parametrize("text", [*MATRIX, "CAL-OWNERS()", "NOT CAL-OWNERS()", "NON CAL-OWNERS()"])
def test_admission_lets_in_what_can_be_read(text: str) -> None:
    """A VCAR that was admitted is understood."""
    check_upn_filter(Line.make("DENY", text), Sent(Component("VCAR")))
    assert parse_filter(text) == parse_filter(f"  {text.lower()} ")


@pytest.mark.parametrize("upn", IDENTITIES)
@pytest.mark.parametrize("owner", [False, True])
def test_owners_and_all_others_a_26(upn: str, owner: bool) -> None:
    """RFC 4324 §6.1.1.1, A-26: NON is read as NOT."""
    assert parse_filter("CAL-OWNERS()").matches(upn, owner=owner) is owner
    assert parse_filter("NOT CAL-OWNERS()").matches(upn, owner=owner) is not owner
    assert parse_filter("non cal-owners()").matches(upn, owner=owner) is not owner


def test_groups_are_upns_upn_07() -> None:
    """UPN-07: a filter may name a group; only user@realm does, a realm's filter looks at the user alone."""
    staff = frozenset(("staff@example.com",))
    assert parse_filter("Staff@Example.COM").matches("eve@other.org", staff)
    assert not parse_filter("staff@example.com").matches("eve@other.org")
    assert not parse_filter("*@example.com").matches("eve@other.org", staff)
    assert not parse_filter("@example.com").matches("@other.org", staff)
