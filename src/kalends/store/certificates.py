"""Client certificates that are somebody's, by their fingerprints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from kalends.store import principals
from kalends.store.base import Tx


@dataclass(frozen=True, slots=True)
class CertificateRow:
    """A certificate.

    Attributes:
        fingerprint: SHA-256 of its DER form, in lower-case hex.
        label: what the administrator calls it.
        created_at: when it was entered, seconds UTC.
    """

    fingerprint: str
    label: str
    created_at: int


def owner(tx: Tx, fingerprint: str) -> str | None:
    """The UPN of whose certificate it is, or None."""
    row = tx.row(
        "select p.upn from certificate as c join principal as p on p.id = c.principal_id"
        " where c.fingerprint = ?",
        (fingerprint,),
    )
    return None if row is None else str(row[0])


def of_principal(tx: Tx, principal_id: int) -> list[CertificateRow]:
    """A principal's certificates, the eldest first."""
    rows = tx.rows(
        "select fingerprint, label, created_at from certificate where principal_id = ?"
        " order by created_at, fingerprint",
        (principal_id,),
    )
    return [CertificateRow(str(row[0]), str(row[1]), cast("int", row[2])) for row in rows]


def add(tx: Tx, principal_id: int, certificate: CertificateRow) -> None:
    """Enter a certificate.

    Raises:
        DuplicateError: it is somebody's already.
    """
    tx.run(
        "insert into certificate (fingerprint, principal_id, label, created_at) values (?, ?, ?, ?)",
        (certificate.fingerprint, principal_id, certificate.label, certificate.created_at),
    )
    principals.touch(tx)


def remove(tx: Tx, principal_id: int, fingerprint: str) -> bool:
    """Take a certificate out. Returns whether it was there."""
    principals.touch(tx)
    sql = "delete from certificate where principal_id = ? and fingerprint = ?"
    return tx.run(sql, (principal_id, fingerprint)) == 1
