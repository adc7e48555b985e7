"""Who really asks, and what for: what a reverse proxy says, believed only when the proxy is trusted."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from kalends.serve.http.head import BadHeadError, Head, is_host

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
MAX_HOPS = 20
"""Proxies in one chain that are looked at."""

_PREFIX = re.compile(r"(?:/[A-Za-z0-9._~!$&'()*+,;=:@-]+)*\Z")
_PAIR = re.compile(r"""\s*([A-Za-z0-9!#$%&'*+.^_`|~-]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]*))\s*(?:;|\Z)""")
_LISTED = re.compile(r"""(?:[^,"]|"(?:[^"\\]|\\.)*")+""")


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as the client sees it.

    Attributes:
        address: of the client.
        private: whether nobody could read along: TLS, or this machine.
        origin: `https://host[:port]`.
        host: the host without a port, lower case; chooses the virtual host.
        prefix: the path under which the site is mounted, '' or '/cal'.
        path: the request's path below the prefix.
    """

    address: str
    private: bool
    origin: str
    host: str
    prefix: str
    path: str


class Proxies:
    """What is believed of whom.

    Args:
        trusted: addresses of our reverse proxies.
        prefix: the configured path under which the site is mounted.
        own: the host named where a request (HTTP/1.0) names none.
    """

    def __init__(self, trusted: tuple[Network, ...], prefix: str, own: str) -> None:
        self._trusted, self._prefix, self._own = trusted, prefix, own
        self.trusts = lru_cache(1024)(self._trusts)

    def _trusts(self, address: str) -> bool:
        """Whether an address is a proxy of ours."""
        try:
            found = ipaddress.ip_address(address)
        except ValueError:
            return False
        mapped = getattr(found, "ipv4_mapped", None)
        return any((mapped or found) in network for network in self._trusted)

    def see(self, head: Head) -> Seen:
        """Tell what a client asked for.

        Raises:
            BadHeadError: 400 for a host that is none.
        """
        address, secure, prefix = head.peer, head.secure, self._prefix
        host = head.headers.get("host", self._own)
        if self._trusted and self.trusts(address):
            # Most proxies write X-Forwarded-For and pass on whatever Forwarded their client made up.
            told = None if "x-forwarded-for" in head.headers else _forwarded(head.headers)
            told = told or _x_forwarded(head.headers)
            address = self._client(told.chain, address)
            secure = told.proto == "https" if told.proto else secure
            host = told.host or host
            given = head.headers.get("x-forwarded-prefix", "").rstrip("/")
            if given and _fits(given):
                prefix = given
        if not is_host(host):
            raise BadHeadError(400, "the Host is not one")
        host = host.lower()
        path = head.path
        if prefix and (path == prefix or path.startswith(prefix + "/")):
            path = path[len(prefix) :] or "/"
        scheme = "https" if secure else "http"
        bare = host[: host.rfind("]") + 1] if host.startswith("[") else host.partition(":")[0]
        # Loopback is private for who is there: not for a proxy on this machine that nobody told us of.
        relayed = address == head.peer and ("x-forwarded-for" in head.headers or "forwarded" in head.headers)
        private = secure or (_is_loopback(address) and not relayed)
        return Seen(address, private, f"{scheme}://{host}", bare, prefix, path)

    def _client(self, chain: list[str], peer: str) -> str:
        """The last address in the chain that is no proxy of ours: what stands before it anybody may write."""
        client = peer
        for hop in reversed(chain[-MAX_HOPS:]):
            address = _address(hop)
            if address is None:
                break
            client = address
            if not self.trusts(client):
                break
        return client


@dataclass(slots=True)
class _Told:
    chain: list[str]
    proto: str
    host: str


def _forwarded(headers: Mapping[str, str]) -> _Told | None:
    """RFC 7239's field; the last hop's word for proto and host, for ours wrote that."""
    value = headers.get("forwarded")
    if value is None:
        return None
    chain: list[str] = []
    proto = host = ""
    for element in _LISTED.findall(value)[-MAX_HOPS:]:
        pairs = {name.lower(): quoted or bare for name, quoted, bare in _PAIR.findall(element)}
        chain.append(pairs.get("for", ""))
        proto = pairs.get("proto", proto).lower()
        host = pairs.get("host", host)
    return _Told(chain, proto, host)


def _x_forwarded(headers: Mapping[str, str]) -> _Told:
    chain = [hop.strip() for hop in headers.get("x-forwarded-for", "").split(",") if hop.strip()]
    proto = headers.get("x-forwarded-proto", "").rpartition(",")[2].strip().lower()
    host = headers.get("x-forwarded-host", "").rpartition(",")[2].strip()
    return _Told(chain, proto, host)


def _address(hop: str) -> str | None:
    """An address, perhaps bracketed, perhaps with a port; None for `unknown` and hidden ones."""
    text = hop.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None


@lru_cache(1024)
def _is_loopback(address: str) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return bool((mapped or found).is_loopback)


def _fits(prefix: str) -> bool:
    return len(prefix) <= 200 and bool(_PREFIX.match(prefix)) and "/.." not in prefix and "/./" not in prefix


def read_networks(items: tuple[str, ...]) -> tuple[Network, ...]:
    """Read addresses and networks (CIDR).

    Raises:
        ValueError: one that is neither.
    """
    return tuple(ipaddress.ip_network(item, strict=False) for item in items)


def read_prefix(text: str) -> str:
    """Read a path such as `/cal`; '' for none.

    Raises:
        ValueError: anything that is no such path.
    """
    prefix = text.strip().rstrip("/")
    if not _fits(prefix):
        raise ValueError(f"expected a path such as /cal, not {text!r}")
    return prefix
