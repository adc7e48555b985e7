"""The calendar user addresses of a principal, besides the UPN."""

from __future__ import annotations

import re

from kalends.core.errors import DuplicateError, InvalidError, NotFoundError
from kalends.core.people.identity import row_of
from kalends.ical.values import normal_address
from kalends.store import principals
from kalends.store.base import Tx

MAX_ADDRESS = 500
"""Characters of a calendar user address: fits an index row of every database."""
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*:[^\s\x00-\x1f\x7f]+\Z")
_MAILBOX = re.compile(r"(?:[^@]+|%22.+%22|\".+\")@[^@]+\Z")
"""An @ with something on both sides; a quoted local part may hold more of them (RFC 5322 §3.4.1)."""


def add_address(tx: Tx, upn: str, address: str) -> str:
    """Give a principal one more calendar user address.

    Args:
        tx: a write transaction.
        upn: whose.
        address: a mailbox, or a URI such as mailto:… or urn:uuid:….

    Returns:
        The address as it is stored.

    Raises:
        NotFoundError; InvalidError: not an address; DuplicateError: somebody has it, or it is their UPN.

    Source: RFC 6638 §2.4.1; RFC 4324 §6.1.2 (a UPN never is another person's e-mail address; UPN-02).
    """
    owner = row_of(tx, upn)
    uri = normal_address(address)
    scheme, _, rest = uri.partition(":")
    if len(uri) > MAX_ADDRESS or not _ADDRESS.match(uri) or (scheme == "mailto" and not _MAILBOX.match(rest)):
        raise InvalidError("an address is a mailbox such as ann@example.com, or a URI without spaces")
    if principals.by_address(tx, uri) is not None or _holder_of(tx, uri, besides=owner.upn):
        raise DuplicateError(f"{uri} is taken")
    principals.add_address(tx, owner.id, uri)
    return uri


def _holder_of(tx: Tx, uri: str, *, besides: str) -> bool:
    upn = uri.removeprefix("mailto:")
    return upn != besides and principals.by_upn(tx, upn) is not None


def remove_address(tx: Tx, upn: str, address: str) -> None:
    """Take an address away; the one that is the UPN stays.

    Raises:
        NotFoundError: no such user, or not an address of theirs; InvalidError: it is the UPN itself.
    """
    owner = row_of(tx, upn)
    uri = normal_address(address)
    if uri == f"mailto:{owner.upn}":
        raise InvalidError("the address that is the user's UPN cannot be taken away")
    if uri not in principals.addresses(tx, owner.id):
        raise NotFoundError(f"{uri} is not an address of {owner.upn}")
    principals.remove_address(tx, uri)
