"""Where a CAP server is: `cap://host:port`."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from kalends.client.errors import AddressError

CAP_PORT = 1026
"""Where CAP servers listen (RFC 4324 §3.3.1)."""


@dataclass(frozen=True, slots=True)
class Address:
    """Host, port and what else a CAP URL says.

    Attributes:
        host: name or IP address, without brackets.
        port: TCP port.
        user: the user named in the URL, or None.
        calid: the relative CALID behind the slash; '' when the URL names the server only.
    """

    host: str
    port: int = CAP_PORT
    user: str | None = None
    calid: str = ""

    @classmethod
    def parse(cls, url: str) -> Address:
        """Read `cap://[user@]host[:port][/calid]`; the scheme may be left out.

        Raises:
            AddressError: this is no CAP URL, or it holds a password.

        Source: RFC 4324 §5.
        """
        text = url.strip()
        try:
            parts = urlsplit(text if "://" in text else f"cap://{text}")
            port = parts.port
        except ValueError as error:
            raise AddressError(f"{url!r} is no CAP URL: {error}") from None
        if parts.scheme.lower() != "cap":
            raise AddressError(f"{url!r} is no CAP URL: it must begin with cap://")
        if parts.password is not None:
            raise AddressError("a CAP URL holds no password: give it in another way")
        if not parts.hostname or any(c.isspace() for c in parts.netloc):
            raise AddressError(f"{url!r} is no CAP URL: the host is missing")
        expect_host(parts.hostname)
        user = unquote(parts.username) if parts.username else None
        return cls(
            parts.hostname, CAP_PORT if port is None else port, user, unquote(parts.path.removeprefix("/"))
        )

    @property
    def is_loopback(self) -> bool:
        """Whether this machine itself is meant: 127.0.0.0/8, ::1 or localhost."""
        if self.host == "localhost" or self.host.endswith(".localhost"):
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def expect_host(name: str) -> None:
    """Refuse what can be no host's name, before it is looked up or shown to a server.

    Args:
        name: a host name or an IP address.

    Raises:
        AddressError: it has empty or overlong labels, or characters that no name has.

    Source: RFC 1034 §3.1, RFC 3490 §4.
    """
    try:
        encoded = name.encode("idna")
    except UnicodeError:
        encoded = b""
    if not encoded or any(octet <= 32 or octet == 127 for octet in encoded):
        raise AddressError(f"{name[:80]!r} is no name of a host")
