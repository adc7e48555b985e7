"""Certificates entered by hand: whose a client certificate is, whatever its fields say (RFC 4324 §4.1.1)."""

from __future__ import annotations

import re

from kalends.core.errors import DuplicateError, InvalidError, NotFoundError
from kalends.store import certificates, principals
from kalends.store import errors as store
from kalends.store.base import Tx
from kalends.store.certificates import CertificateRow
from kalends.store.principals import PrincipalRow

_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
MAX_LABEL = 100
"""Characters of a label."""


def normal_fingerprint(text: str) -> str:
    """A SHA-256 fingerprint in the one spelling used for comparison: lower-case hex.

    Args:
        text: with colons or without, in any case, with `SHA256:` before it or not.

    Raises:
        InvalidError: not 32 octets in hex.
    """
    bare = re.sub(r"(?i)\Asha-?256:", "", text.strip()).replace(":", "").replace(" ", "").lower()
    if not _SHA256.match(bare):
        raise InvalidError("a fingerprint is the SHA-256 of a certificate: 64 hex digits")
    return bare


def add(tx: Tx, upn: str, fingerprint: str, now: int, label: str = "") -> str:
    """Say whose a certificate is.

    Args:
        tx: a write transaction.
        upn: whose.
        fingerprint: its SHA-256, in any spelling.
        now: seconds since 1970 UTC.
        label: what to call it.

    Returns:
        The fingerprint as it is stored.

    Raises:
        NotFoundError, InvalidError, DuplicateError.

    Source: RFC 4324 §4.1.1; UPN-06.
    """
    owner, told = _known(tx, upn), normal_fingerprint(fingerprint)
    if len(label) > MAX_LABEL or (label and not label.isprintable()):
        raise InvalidError(f"a label has at most {MAX_LABEL} printable characters")
    try:
        certificates.add(tx, owner.id, CertificateRow(told, label, now))
    except store.DuplicateError as error:
        raise DuplicateError("that certificate is somebody's already") from error
    return told


def of_user(tx: Tx, upn: str) -> list[CertificateRow]:
    """The certificates entered for a user, the eldest first. Raises NotFoundError."""
    return certificates.of_principal(tx, _known(tx, upn).id)


def remove(tx: Tx, upn: str, fingerprint: str) -> None:
    """A certificate is no longer somebody's.

    Raises:
        NotFoundError, InvalidError.
    """
    owner = _known(tx, upn)
    if not certificates.remove(tx, owner.id, normal_fingerprint(fingerprint)):
        raise NotFoundError(f"that is not a certificate of {owner.upn}")


def owner(tx: Tx, fingerprint: str) -> str | None:
    """The UPN of whose certificate that is, or None."""
    return certificates.owner(tx, fingerprint)


def _known(tx: Tx, upn: str) -> PrincipalRow:
    found = principals.by_upn(tx, upn.strip().lower())
    if found is None:
        raise NotFoundError(f"there is no user {upn}")
    return found
