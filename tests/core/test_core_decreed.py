"""VCARs that contradict a decreed one (RFC 4324 §4.2)."""

from __future__ import annotations

import pytest

from kalends.core.access.decreed import contradicts, may_meet
from kalends.core.access.upns import parse_filter
from kalends.core.access.vrights import Rule, rules_of
from kalends.ical.tree import Component

FILTERS = (
    "*", "@", "@*", "@example.com", "*@*", "*@example.com", "sam@example.com", "CAL-OWNERS()",
    "NOT CAL-OWNERS()",
)  # fmt: skip
PEOPLE = ("@", "@example.com", "@other.org", "sam@example.com", "eve@other.org")


def rules(*lines: str, decreed: bool = False) -> tuple[Rule, ...]:
    vright = Component("VRIGHT")
    for line in lines:
        name, _, value = line.partition(":")
        vright.add(name, value)
    vcar = Component("VCAR", [vright])
    vcar.add("CARID", "x")
    if decreed:
        vcar.add("DECREED", "TRUE")
    return rules_of(vcar, "store" if decreed else "calendar")


OWNERS_DO_ALL = rules("GRANT:CAL-OWNERS()", "PERMISSION:*", "SCOPE:SELECT * FROM VAGENDA", decreed=True)
NO_PRIVATE_SEARCH = rules(
    "DENY:*@other.org",
    "PERMISSION:SEARCH",
    "SCOPE:SELECT * FROM VEVENT WHERE CLASS = 'PRIVATE'",
    decreed=True,
)


@pytest.mark.parametrize(
    ("lines", "decreed", "refused"),
    [
        (("DENY:*", "PERMISSION:SEARCH"), OWNERS_DO_ALL, True),
        (("DENY:sam@example.com", "PERMISSION:SEARCH"), OWNERS_DO_ALL, True),
        (("DENY:eve@other.org", "PERMISSION:*"), OWNERS_DO_ALL, False),
        (("DENY:NOT CAL-OWNERS()", "PERMISSION:*"), OWNERS_DO_ALL, False),
        (("DENY:@", "PERMISSION:*"), OWNERS_DO_ALL, False),
        (("GRANT:*", "PERMISSION:*"), OWNERS_DO_ALL, False),
        (("GRANT:*", "PERMISSION:*"), NO_PRIVATE_SEARCH, True),
        (("GRANT:eve@other.org", "PERMISSION:SEARCH"), NO_PRIVATE_SEARCH, True),
        (("GRANT:eve@other.org", "PERMISSION:DELETE"), NO_PRIVATE_SEARCH, False),
        (("GRANT:*@example.com", "PERMISSION:SEARCH"), NO_PRIVATE_SEARCH, False),
        (("GRANT:eve@other.org", "PERMISSION:SEARCH", "SCOPE:SELECT * FROM VTODO"), NO_PRIVATE_SEARCH, False),
        (
            ("GRANT:eve@other.org", "PERMISSION:SEARCH", "SCOPE:SELECT * FROM VAGENDA"),
            NO_PRIVATE_SEARCH,
            True,
        ),
    ],
)
def test_what_contradicts_a_decree_is_found_acl_03(
    lines: tuple[str, ...], decreed: tuple[Rule, ...], refused: bool
) -> None:
    """ACL-03."""
    assert (contradicts(rules(*lines), decreed, ("sam@example.com",)) is not None) is refused


def test_only_decrees_forbid_acl_03() -> None:
    """ACL-03: two ordinary VCARs may contradict each other; the DENY then wins."""
    ordinary = rules("DENY:*", "PERMISSION:*")
    assert contradicts(rules("GRANT:*", "PERMISSION:*"), ordinary) is None


@pytest.mark.parametrize("one", FILTERS)
@pytest.mark.parametrize("other", FILTERS)
def test_filters_that_share_somebody_meet(one: str, other: str) -> None:
    """No overlap is overlooked: whoever both filters match is found, whether an owner or not."""
    first, second = parse_filter(one), parse_filter(other)
    for upn in PEOPLE:
        for owner in (False, True):
            if upn.startswith("@") and owner:
                continue
            if first.matches(upn, owner=owner) and second.matches(upn, owner=owner):
                assert may_meet(first, second, (upn,) if owner else ())
    assert may_meet(first, second) is may_meet(second, first)
