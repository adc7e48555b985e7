"""Whether a server's certificate is believed: authorities, a pinned fingerprint, or the one seen first."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import re
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kalends.client.address import Address
from kalends.client.errors import AddressError, ConnectError, TrustError

_HEX = re.compile(r"[0-9a-f]{64}\Z")

CHANGED = """\
the certificate of {address} has changed: this may be somebody who listens in, or a new certificate
  known:  {known}
  shown:  {shown}
If the server was given a new certificate, delete its line from {store} and connect again."""


def fingerprint(certificate: bytes) -> str:
    """Name a certificate: `SHA256:` and 64 hexadecimal digits.

    Args:
        certificate: in DER.
    """
    return "SHA256:" + hashlib.sha256(certificate).hexdigest()


def normal_fingerprint(text: str) -> str:
    """Read a fingerprint as people write it: with or without `SHA256:`, colons, spaces, in any case.

    Raises:
        AddressError: this is no SHA-256 fingerprint.
    """
    digits = re.sub(r"[:\s]", "", text.strip().lower().removeprefix("sha256:"))
    if not _HEX.match(digits):
        raise AddressError("a fingerprint is written as SHA256: and 64 hexadecimal digits")
    return "SHA256:" + digits


def state_dir() -> Path:
    """Where Kalends keeps what it learnt: `$XDG_STATE_HOME/kalends`, else `~/.local/state/kalends`."""
    base = os.environ.get("XDG_STATE_HOME", "")
    return (Path(base) if os.path.isabs(base) else Path.home() / ".local" / "state") / "kalends"


@dataclass(frozen=True, slots=True)
class Trust:
    """Which certificates are believed.

    The first rule that applies decides: a pinned fingerprint; a file of authorities; a certificate
    remembered from an earlier visit; the first one seen on this very machine (loopback) or anywhere with
    `first_use`, which is then remembered; else the authorities of the system.

    Attributes:
        fingerprint: the only certificate to believe, by its SHA-256 fingerprint.
        ca_file: PEM file of the authorities to believe instead of the system's.
        first_use: believe and remember the first certificate of any server.
        known_servers: where remembered certificates are kept; None for the XDG state directory.
        certificate: PEM file of our own certificate, for SASL EXTERNAL. key: PEM file of its key.
        notice: told, in one sentence, when a certificate is remembered.
    """

    fingerprint: str | None = None
    ca_file: str | None = None
    first_use: bool = False
    known_servers: Path | None = None
    certificate: str | None = None
    key: str | None = None
    notice: Callable[[str], None] | None = None

    @property
    def store(self) -> Path:
        """The file of remembered certificates."""
        return self.known_servers or state_dir() / "known_servers"

    def known(self, address: Address, name: str | None = None) -> str | None:
        """The fingerprint remembered of a server, or None.

        Args:
            address: where it listens.
            name: which of the hosts there is meant, where several share an address.
        """
        try:
            lines = self.store.read_text("utf-8").splitlines()
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise ConnectError(f"cannot read {self.store}: {error}") from None
        for line in lines:
            words = line.split()
            if len(words) == 2 and words[0] == _place(address, name):
                return normal_fingerprint(words[1])
        return None

    def remember(self, address: Address, print_: str, name: str | None = None) -> None:
        """Keep the fingerprint of a server, or of one of the hosts that share its address.

        Raises:
            ConnectError: the file cannot be written.
        """
        try:
            self.store.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = os.open(self.store, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            with contextlib.closing(os.fdopen(handle, "a", encoding="utf-8")) as file:
                file.write(f"{_place(address, name)} {print_}\n")
        except OSError as error:
            raise ConnectError(
                f"cannot remember the certificate in {self.store} ({error.strerror}): "
                f"pin it instead, its fingerprint is {print_}"
            ) from None
        if self.notice is not None:
            self.notice(f"remembered the certificate of {_place(address, name)}: {print_}")

    def plan(self, address: Address, name: str | None = None) -> Plan:
        """Decide how the certificate of a server will be judged, before the handshake.

        Args:
            address: where it listens.
            name: which of the hosts there is meant (RFC 3080 §2.3.1.2); None for its own name.

        Raises:
            ConnectError: a file cannot be read.
        """
        if self.fingerprint is not None:
            return Plan(self, address, normal_fingerprint(self.fingerprint), name, pinned=True)
        if self.ca_file is not None:
            return Plan(self, address, None, name, authorities=True)
        known = self.known(address, name)
        if known is not None or self.first_use or address.is_loopback:
            return Plan(self, address, known, name)
        return Plan(self, address, None, name, authorities=True)


@dataclass(frozen=True, slots=True)
class Plan:
    """How one server's certificate is judged.

    Attributes:
        trust: the rules behind it.
        address: the server.
        expected: the fingerprint it must have; None when any (first use), or when authorities judge.
        name: which of the hosts at that address; None for its own name.
        pinned: the caller gave the fingerprint.
        authorities: certificate authorities judge, and the name must fit.
    """

    trust: Trust
    address: Address
    expected: str | None
    name: str | None = None
    pinned: bool = False
    authorities: bool = False

    def context(self) -> ssl.SSLContext:
        """The TLS settings: 1.2 or later, our certificate if there is one.

        Raises:
            ConnectError: a certificate file cannot be used.
        """
        try:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            if self.trust.ca_file is not None and self.authorities:
                context.load_verify_locations(self.trust.ca_file)
            elif self.authorities:
                context.load_default_certs()  # some 30 ms: only where they judge
            if self.trust.certificate is not None:
                context.load_cert_chain(self.trust.certificate, self.trust.key)
        except (OSError, ssl.SSLError) as error:
            files = (self.trust.ca_file if self.authorities else None, self.trust.certificate, self.trust.key)
            named = ", ".join(file for file in files if file is not None)
            raise ConnectError(f"cannot use the certificate files {named}: {error}") from None
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if not self.authorities:  # judged below, by fingerprint
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    def judge(self, certificate: bytes | None) -> None:
        """Believe the certificate that the handshake showed, or not.

        Args:
            certificate: the server's certificate in DER.

        Raises:
            TrustError: it is not the expected one.
        """
        if self.authorities:
            return
        shown = fingerprint(certificate or b"")
        if self.expected is None:
            self.trust.remember(self.address, shown, self.name)
        elif not hmac.compare_digest(shown, self.expected):
            if self.pinned:
                raise TrustError(f"{self.address} shows another certificate than asked for: {shown}", shown)
            raise TrustError(
                CHANGED.format(
                    address=self.address, known=self.expected, shown=shown, store=self.trust.store
                ),
                shown,
            )

    def explain(self, error: ssl.SSLError) -> ConnectError:
        """The failed handshake in words."""
        if isinstance(error, ssl.SSLCertVerificationError):
            return TrustError(
                f"the certificate of {self.address} is not trusted: {error.verify_message}"
                " (name its authorities, or its fingerprint, or allow trust on first use)"
            )
        return ConnectError(f"no TLS with {self.address}: {error.reason or error}")


def _place(address: Address, name: str | None) -> str:
    """What a certificate is remembered under: hosts that share an address have one each."""
    return str(address) if name is None or name == address.host else f"{address}/{''.join(name.split())}"
