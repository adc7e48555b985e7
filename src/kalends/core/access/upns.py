"""UPN-FILTER: the people that a GRANT or DENY speaks of (RFC 4324 §6.1.3)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from kalends.core.errors import InvalidError
from kalends.core.names import ANONYMOUS, check_upn

Form = Literal[
    "all", "nobody's", "any realm's nobody", "realm's nobody", "anybody", "realm's anybody", "one", "owners",
    "others",
]  # fmt: skip
"""What a filter matches; each is one row of the table in RFC 4324 §6.1.3."""

_FIXED: dict[str, Form] = {
    "*": "all",
    "@": "nobody's",
    "@*": "any realm's nobody",
    "*@*": "anybody",
    "CAL-OWNERS()": "owners",
    "NOT CAL-OWNERS()": "others",
    "NON CAL-OWNERS()": "others",
}


@dataclass(frozen=True, slots=True)
class UpnFilter:
    """A filter, read.

    Attributes:
        form: which row of the table it is.
        name: the realm, or the whole UPN for one user or group, in lower case; '' for the fixed forms.
    """

    form: Form
    name: str = ""

    def matches(self, upn: str, groups: Collection[str] = (), *, owner: bool = False) -> bool:
        """Whether the filter speaks of somebody.

        Args:
            upn: who acts, in lower case; '@' is anonymous, '@realm' somebody unnamed of that realm.
            groups: UPNs of the groups they are in, nested ones included, in lower case: a group is named like
                a user (RFC 4324 §4.1.3), so only the form user@realm can mean one.
            owner: whether they own the calendar in question (CAL-OWNERS()).

        Source: RFC 4324 §6.1.3; UPN-07, UPN-09, A-47 (the table holds, not the grammar beside it).
        """
        user, _, realm = upn.rpartition("@")
        match self.form:
            case "all":
                return True
            case "nobody's":
                return upn == ANONYMOUS
            case "any realm's nobody":
                return not user and realm != ""
            case "realm's nobody":
                return not user and realm == self.name
            case "anybody":
                return user != "" and realm != ""
            case "realm's anybody":
                return user != "" and realm == self.name
            case "one":
                return upn == self.name or self.name in groups
            case "owners":
                return owner
            case "others":
                return not owner


def filters_of(upn: str, groups: Collection[str] = ()) -> list[str]:
    """All filters that speak of somebody who is no owner, without blanks and in lower case.

    Args:
        upn: who acts, in lower case.
        groups: UPNs of the groups they are in, in lower case.

    Source: RFC 4324 §6.1.3: the table, read from its other side.
    """
    user, _, realm = upn.rpartition("@")
    forms = ["*", "notcal-owners()", "noncal-owners()", upn, *sorted(groups)]
    if user:
        forms += ["*@*", f"*@{realm}"]
    elif realm:
        forms.append("@*")
    return forms


def parse_filter(text: str) -> UpnFilter:
    """Read a UPN-FILTER.

    Args:
        text: the value of a GRANT or DENY; white space around and case do not matter.

    Raises:
        InvalidError: anything the table does not allow: `user@*` and `user@` above all.

    Source: RFC 4324 §6.1.3; UPN-04, UPN-09, A-26, A-47, A-48.
    """
    text = " ".join(text.split())
    fixed = _FIXED.get(text.upper())
    if fixed is not None:
        return UpnFilter(fixed)
    user, at, realm = text.rpartition("@")
    if not at or not realm or "*" in realm:
        raise InvalidError("not a UPN filter: *, @, @*, @realm, *@*, *@realm, user@realm or CAL-OWNERS()")
    if user == "*":
        return UpnFilter("realm's anybody", check_upn(f"@{realm}")[1:])
    upn = check_upn(text)
    return UpnFilter("one", upn) if user else UpnFilter("realm's nobody", upn[1:])
