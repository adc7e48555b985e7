"""Virtual hosts: several calendar stores in one process, each under names of its own.

A host is chosen by the name a client asks for: BEEP's `serverName` (RFC 3080 §2.3.1.2), the name in the TLS
handshake (SNI, RFC 6066 §3), HTTP's Host field. All faces look it up here.
"""

from __future__ import annotations

import ipaddress
import ssl
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from kalends.core.model import Policy
from kalends.core.people.tokens import Uses, save
from kalends.serve.config import Config
from kalends.serve.executor import Executor
from kalends.serve.feed import Feed
from kalends.store.base import Store


@dataclass(frozen=True, slots=True)
class VirtualHost:
    """A store, and what it is served with.

    Attributes:
        config: the settings as this host has them: CSID, realm, store, certificate.
        store: where its calendars are.
        executor: runs work on that store.
        feed: tells whoever waits for a change of that store.
        tls: with this host's certificate; None where there is none.
        names: what clients may call it, in lower case; the CSID is the first.
        uses: which app passwords were used lately.
    """

    config: Config
    store: Store
    executor: Executor
    feed: Feed
    tls: ssl.SSLContext | None
    names: tuple[str, ...]
    uses: Uses = field(default_factory=lambda: Uses(int(time.time())))

    @property
    def together(self) -> bool:
        """Whether the store keeps the order of writes submitted together: SQLite has one writer, who does."""
        return self.store.dialect == "sqlite"

    @property
    def inline(self) -> bool:
        """Whether short reads may be done in the loop: with SQLite, no network lies between."""
        return self.store.dialect == "sqlite"

    def save_uses(self, now: int) -> None:
        """Write down which app passwords were used. Raises StoreError."""
        used = self.uses.take(now)
        if used:
            self.store.write(lambda tx: save(tx, used, now))

    @property
    def policy(self) -> Policy:
        """What this host promises and refuses."""
        return self.config.policy


class Hosts:
    """The hosts of a server by name.

    Args:
        hosts: the first is the one for clients that name none; no name may be there twice.
    """

    def __init__(self, hosts: Sequence[VirtualHost]) -> None:
        self._hosts = tuple(hosts)
        self._by_name = {name: host for host in hosts for name in host.names}
        self._by_context = {id(host.tls): host for host in hosts if host.tls is not None}
        if len(hosts) > 1:
            for host in hosts:
                if host.tls is not None:
                    host.tls.sni_callback = self._named_in_handshake

    @property
    def default(self) -> VirtualHost:
        """The host for clients that name none."""
        return self._hosts[0]

    def __iter__(self) -> Iterator[VirtualHost]:
        """All hosts, the default first."""
        return iter(self._hosts)

    def __len__(self) -> int:
        """How many there are."""
        return len(self._hosts)

    def find(self, name: str | None) -> VirtualHost | None:
        """The host a client asks for.

        Args:
            name: a host name, with a port or without, in any case; None or '' when the client named none. An
                address names no host, for nobody is called so: it means the default.

        Returns:
            The host; None when it is not one of ours.

        Source: RFC 3080 §2.3.1.2; RFC 9110 §7.4 (an authority that is not ours is refused: 421).
        """
        if not name or len(self._hosts) == 1:
            return self.default
        bare = _without_port(name.strip().lower()).rstrip(".")
        found = self._by_name.get(bare)
        return self.default if found is None and _is_address(bare) else found

    def of_handshake(self, context: ssl.SSLContext | None) -> VirtualHost | None:
        """The host whose certificate a finished handshake showed (`SSLObject.context`)."""
        return self._by_context.get(id(context))

    def _named_in_handshake(
        self, handshake: ssl.SSLObject, name: str | None, context: ssl.SSLContext
    ) -> int | None:
        """Show the certificate of the host that SNI names; an unknown name ends the handshake."""
        wanted = self.find(name)
        if wanted is None or wanted.tls is None:
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        if name:
            handshake.context = wanted.tls
        return None


def _without_port(name: str) -> str:
    """`cal.example.com:8026` and `[::1]:8026` without the port."""
    if name.startswith("["):
        return name[1:].partition("]")[0]
    host, colon, port = name.rpartition(":")
    return host if colon and port.isdecimal() and ":" not in host else name


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name == "localhost"
    return True
