"""The server's certificate: configured, or made at the first start. Whom a client's certificate names."""

from __future__ import annotations

import contextlib
import hashlib
import ipaddress
import os
import re
import secrets
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from kalends.core.errors import InvalidError
from kalends.core.model import Policy
from kalends.core.names import complete_upn
from kalends.core.people import certificates, identity
from kalends.serve.config import Config, ConfigError
from kalends.store.base import Tx

VALID_DAYS = 3650
"""A made certificate is compared by its fingerprint, so a short life would only bring alarms."""
SECRET_OCTETS = 32
CERTIFICATE, KEY, SECRET = "cap-cert.pem", "cap-key.pem", "server.secret"

_SAN_KINDS = {"san-email": "email", "san-dns": "DNS", "san-uri": "URI"}
_SUBJECT_FIELDS = {"cn": "commonName", "subject-email": "emailAddress"}


@dataclass(frozen=True, slots=True)
class Identity:
    """The server's certificate on disk.

    Attributes:
        cert, key: PEM files.
        fingerprint: SHA-256 of the certificate, in pairs of hex digits.
        made: whether it was made just now.
    """

    cert: Path
    key: Path
    fingerprint: str
    made: bool = False


def server_identity(config: Config, now: datetime | None = None) -> Identity:
    """Find the configured certificate, or the one made earlier, or make one.

    Args:
        config: which files, and which name the certificate is for.
        now: begin of its validity; default the clock's.

    Raises:
        ConfigError: a file cannot be read or written, or is no certificate.
    """
    if config.tls_cert is not None and config.tls_key is not None:
        return Identity(config.tls_cert, config.tls_key, _fingerprint(config.tls_cert))
    cert, key = config.data_folder / CERTIFICATE, config.data_folder / KEY
    if cert.exists() and key.exists():
        return Identity(cert, key, _fingerprint(cert))
    try:
        _make(config.csid, cert, key, now or datetime.now(UTC))
    except OSError as error:
        raise ConfigError("data_dir", "--data-dir", f"no certificate can be made: {error}") from None
    return Identity(cert, key, _fingerprint(cert), made=True)


def server_secret(config: Config) -> bytes:
    """The secret that unknown users' salts come from; made at the first start, the same ever after."""
    path = config.data_folder / SECRET
    try:
        if not path.exists():
            _write_private(path, secrets.token_bytes(SECRET_OCTETS))
        return path.read_bytes()
    except OSError as error:
        raise ConfigError("data_dir", "--data-dir", f"no secret can be kept: {error}") from None


def server_context(identity: Identity, client_ca: Path | None) -> ssl.SSLContext:
    """TLS 1.2 or newer; client certificates are asked for, not demanded, when an authority is named.

    Raises:
        ConfigError: the files do not fit together.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    try:
        context.load_cert_chain(identity.cert, identity.key)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError("tls_cert", "--tls-cert", f"certificate and key cannot be used: {error}") from None
    if client_ca is not None:
        context.verify_mode = ssl.CERT_OPTIONAL
        try:
            context.load_verify_locations(client_ca)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError("client_ca", "--client-ca", f"cannot be used: {error}") from None
    return context


def names_in(peer: Mapping[str, Any], field: str) -> list[str]:
    """Whom a field of a verified client certificate names.

    Args:
        peer: what `getpeercert` returns; empty when there is no certificate.
        field: one of readings.IDENTITY_FIELDS, `fingerprint` excepted.

    Returns:
        User names or UPNs, untrusted in form; empty when the field is not there.

    Source: RFC 4324 §4.1.1; UPN-06.
    """
    if field in _SAN_KINDS:
        kind = _SAN_KINDS[field]
        found = [value for key, value in peer.get("subjectAltName", ()) if key == kind]
    else:
        wanted = _SUBJECT_FIELDS[field]
        found = [value for rdn in peer.get("subject", ()) for key, value in rdn if key == wanted]
    return [re.sub(r"(?i)\Amailto:", "", one) for one in found]


def user_of(
    tx: Tx, peer: Mapping[str, Any], der: bytes, told_by: Sequence[str], policy: Policy
) -> str | None:
    """The user that a verified client certificate stands for.

    The first of `told_by` that is there counts, and no other: a certificate that names somebody unknown, or
    two people, in one field stands for nobody, whatever its other fields say.

    Args:
        tx: a transaction.
        peer: what `getpeercert` returns.
        der: the certificate itself.
        told_by: some of readings.IDENTITY_FIELDS, in order.
        policy: the realm that completes a user name.

    Returns:
        The UPN of a user, room or resource; None for nobody's certificate.

    Source: RFC 4324 §4.1.1; UPN-06, UPN-11.
    """
    found: list[str] = []
    for field in told_by:
        if field == "fingerprint":
            entered = certificates.owner(tx, hashlib.sha256(der).hexdigest())
            found = [] if entered is None else [entered]
        else:
            found = names_in(peer, field)
        if found:
            break
    if len(found) != 1:
        return None
    try:
        who = identity.identify(tx, complete_upn(found[0], policy))
    except InvalidError:
        return None
    return None if who is None or who.principal_id is None else who.upn


def _fingerprint(cert: Path) -> str:
    try:
        digest = pem_fingerprint(cert.read_text("ascii")).upper()
    except (OSError, ValueError) as error:
        raise ConfigError("tls_cert", "--tls-cert", f"{cert} is no certificate: {error}") from None
    return ":".join(digest[i : i + 2] for i in range(0, len(digest), 2))


def pem_fingerprint(pem: str) -> str:
    """The SHA-256 of the first certificate in PEM text, in lower-case hex. Raises ValueError."""
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(_first_certificate(pem))).hexdigest()


def _first_certificate(pem: str) -> str:
    match = re.search(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", pem, re.DOTALL)
    if match is None:
        raise ValueError("no BEGIN CERTIFICATE in it")
    return match[0]


def _make(csid: str, cert: Path, key: Path, now: datetime) -> None:
    """A self-signed ECDSA P-256 certificate for the CSID and this machine's loopback names."""
    from cryptography import x509  # noqa: PLC0415 - slow to load, and needed at the first start only
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415 - see above
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415 - see above
    from cryptography.x509.oid import ExtendedKeyUsageOID  # noqa: PLC0415 - see above

    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, csid[:64])])
    hosts: list[x509.GeneralName] = [x509.DNSName(host) for host in dict.fromkeys((csid, "localhost"))]
    hosts += [x509.IPAddress(ipaddress.ip_address(address)) for address in ("127.0.0.1", "::1")]
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=VALID_DAYS))
        .add_extension(x509.SubjectAlternativeName(hosts), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=False)
        .sign(private, hashes.SHA256())
    )
    pem_key = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    _write_private(key, pem_key)
    _write_private(cert, certificate.public_bytes(serialization.Encoding.PEM))


def _write_private(path: Path, data: bytes) -> None:
    """Write a file that only we may read, whole or not at all."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()
