"""The spellings of names: UPNs (RFC 4324 §6.1.2) and calendar addresses (RFC 4324 §5)."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import unquote

from kalends.core.errors import InvalidError
from kalends.core.model import Policy

ANONYMOUS = "@"
"""The UPN of somebody who did not say who they are (RFC 4324 §6.1.2)."""
MAX_CALID = 200
"""Characters of a CALID: fits an index row of every database, with room to spare for real names."""
MAX_UPN = 254
"""Characters of a UPN: the longest deliverable address (RFC 5321 §4.5.3.1.3)."""

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\-\u0080-\U0010ffff]+"
_DOT_ATOM = re.compile(rf"{_ATOM}(?:\.{_ATOM})*\Z")
_REALM = re.compile(
    r"[A-Za-z0-9\u0080-\U0010ffff](?:[A-Za-z0-9.\-\u0080-\U0010ffff]*[A-Za-z0-9\u0080-\U0010ffff])?\Z"
)
_NOT_IN_PATHS = re.compile(r"[%#?\\]")
_NOT_UNRESERVED = re.compile(r"[^a-z0-9._~@-]+")
_BAD_CALID = re.compile("[\x00-\x20\x7f\ud800-\udfff]")
_SCHEME = re.compile(r"cap:(?://)?|//", re.IGNORECASE)


def check_upn(text: str) -> str:
    """Check the form of a UPN and bring it into the one spelling used for comparison.

    Args:
        text: `@`, `@realm` or `user@realm`.

    Returns:
        The UPN in lower case: realms are DNS names, and the same person must not exist twice.

    Raises:
        InvalidError: any other form; `user@` above all (RFC 4324 §4.3), and `*@realm`, which is a filter.

    Source: RFC 4324 §6.1.2; UPN-01, UPN-04.
    """
    upn = text.strip()
    user, at, realm = upn.rpartition("@")
    if upn == ANONYMOUS:
        return upn
    if not at:
        raise InvalidError("a UPN is written user@realm")
    if not realm:
        raise InvalidError("a UPN needs a realm after the @")
    # A `*` would be a filter that means everybody, and who hides a character looks like somebody else.
    known = _REALM.match(realm) and ".." not in realm and (not user or _DOT_ATOM.match(user))
    if len(upn) > MAX_UPN or not known or user == "*" or not upn.isprintable():
        raise InvalidError("not a UPN: user@realm, without spaces and special characters")
    return upn.lower()


def complete_upn(text: str, policy: Policy) -> str:
    """Add the store's realm to a user name without one, and check the form.

    Raises:
        InvalidError: not a UPN (RFC 4324 §6.1.2); `user@` is never one, and nothing at all names nobody.
    """
    text = text.strip()
    if text.lower().startswith("mailto:"):
        text = text[len("mailto:") :]
    return check_upn(text if "@" in text or not text else f"{text}@{policy.realm}")


def path_name(text: str) -> str:
    """A name for paths out of a UPN or a part of one: the same however a client encodes it.

    Args:
        text: a user name, or a whole UPN.

    Returns:
        Letters without accents, digits and `-._~@`, in lower case; a hyphen stands for anything else.

    Source: RFC 3986 §2.3, §6.2.2.2 (unreserved characters mean the same percent-encoded or not).
    """
    plain = unicodedata.normalize("NFKD", text.lower()).encode("ascii", "ignore").decode()
    return _NOT_UNRESERVED.sub("-", plain).strip(".-") or "user"


def relative(given: str, policy: Policy) -> str | None:
    """The relative CALID that an address names in this store; '' for the store itself.

    Args:
        given: `cap://csid/calid`, `cap:csid/calid`, `//csid/calid`, `/calid`, `calid`, `cap://csid` or the
            bare csid; percent-encoded or not.
        policy: the store's CSID.

    Returns:
        The relative CALID without percent-encoding, or None when the address is in another store.

    Source: RFC 4324 §5, §8.3; RFC 2396 §5 (against the store's own address); A-16, A-17, A-60.
    """
    given = given.strip()
    scheme = _SCHEME.match(given)
    if scheme is None:
        bare = given.rstrip("/").lower()
        return "" if bare in _hosts(policy) else unquote(given.removeprefix("/"))
    host, _, path = given[scheme.end() :].partition("/")
    return unquote(path) if host.lower() in _hosts(policy) else None


def _hosts(policy: Policy) -> tuple[str, str]:
    """The CSID as it may be written: the standard port may be left out or added."""
    csid = policy.csid.lower()
    return (csid, csid.removesuffix(":1026") if csid.endswith(":1026") else f"{csid}:1026")


def qualified(calid: str, policy: Policy) -> str:
    """The full address of a calendar, or of the store for ''.

    Source: RFC 4324 §5.
    """
    return f"cap://{policy.csid}/{calid}" if calid else f"cap://{policy.csid}"


def check_calid(calid: str) -> str:
    """Check the form of a relative CALID.

    Raises:
        InvalidError: empty, too long, or with characters no URL path has.

    Source: RFC 4324 §5 (relcalid = *uric).
    """
    if not calid or len(calid) > MAX_CALID:
        raise InvalidError(f"a CALID has 1 to {MAX_CALID} characters")
    if _BAD_CALID.search(calid):
        raise InvalidError("a CALID holds no spaces and no control characters")
    if calid.startswith("/") or calid.lower().startswith("cap:"):
        raise InvalidError("a relative CALID does not start with / or cap:")
    if _NOT_IN_PATHS.search(calid):
        raise InvalidError(
            "a CALID holds none of the characters % # ? and backslash: they mean something in URLs"
        )
    if any(part in ("", ".", "..") for part in calid.split("/")):
        raise InvalidError("no part of a CALID between slashes is empty, . or ..")
    return calid
