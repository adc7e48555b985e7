"""How a client connects: everything with its default, in one record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypedDict

from kalends.client.address import Address, expect_host
from kalends.client.trust import Trust

MAX_ANSWER = 256 * 1024 * 1024
"""Octets of one answer taken at most: a calendar of some hundred thousand events in one reply."""
CONNECT_TIMEOUT = 20.0
"""Seconds from the first packet to the server's capabilities: TLS and SCRAM need a fraction of one."""
TIMEOUT = 120.0
"""Seconds without a single octet while an answer is awaited: a large query on a slow disk stays below."""

Decide = Callable[[str], bool]
"""Asked with the command's ID when the server cannot keep its latency: True goes on, False aborts."""


@dataclass(frozen=True, slots=True)
class Options:
    """What `connect` takes.

    Attributes:
        user: who authenticates, as UPN or user name; None for ANONYMOUS (or EXTERNAL with a certificate).
        password: proves it; never shown.
        act_as: whom to act as, when that is someone else (SASL authorisation identity).
        mechanism: the one SASL mechanism to use; None for the best that both sides know.
        tls: secure the session; without it the server has to allow plain text, and PLAIN is never used.
        trust: which certificates are believed.
        server_name: virtual host to ask for; None for the host of the address.
        languages: wishes for texts of the server, best first.
        default_tz: zone of floating times in queries, told to the server on its GET-CAPABILITY.
        connect_timeout: seconds until the session must be ready.
        timeout: seconds without a single octet while an answer is awaited.
        latency: seconds a command may take before the server asks or aborts; None for no bound.
        on_timeout: asked when a command takes longer than `latency`; without it such commands are aborted.
        max_answer: octets of one answer taken at most.
    """

    user: str | None = None
    password: str | None = field(default=None, repr=False)
    act_as: str = ""
    mechanism: str | None = None
    tls: bool = True
    trust: Trust = field(default_factory=Trust)
    server_name: str | None = None
    languages: tuple[str, ...] = ("en", "i-default")
    default_tz: str | None = None
    connect_timeout: float = CONNECT_TIMEOUT
    timeout: float = TIMEOUT
    latency: int | None = None
    on_timeout: Decide | None = None
    max_answer: int = MAX_ANSWER


class Settings(TypedDict, total=False):
    """What `connect` takes by name: the attributes of Options, and those of Trust most often needed."""

    user: str | None
    password: str | None
    act_as: str
    mechanism: str | None
    tls: bool
    trust: Trust
    ca_file: str | None
    fingerprint: str | None
    first_use: bool
    certificate: str | None
    key: str | None
    server_name: str | None
    languages: tuple[str, ...]
    default_tz: str | None
    connect_timeout: float
    timeout: float
    latency: int | None
    on_timeout: Decide | None
    max_answer: int


_OF_TRUST = ("ca_file", "fingerprint", "first_use", "certificate", "key")


def read_settings(url: str | Address, settings: Settings) -> tuple[Address, Options]:
    """Bring what `connect` was given into one form.

    Args:
        url: `cap://[user@]host[:port]`.
        settings: by name, see Settings.

    Returns:
        The server and the options; a user named in the URL counts when no other is named.

    Raises:
        AddressError: the URL is none, or `server_name` no name of a host.
        TypeError: an unknown setting.
    """
    address = url if isinstance(url, Address) else Address.parse(url)
    given = dict(settings)
    of_trust = {name: given.pop(name) for name in _OF_TRUST if name in given}
    options = Options(**given)  # type: ignore[arg-type]  # Settings lists the very attributes of Options
    if of_trust:
        options = replace(options, trust=replace(options.trust, **of_trust))  # type: ignore[arg-type]  # as above
    if options.server_name is not None:
        expect_host(options.server_name)
    if options.user is None and address.user is not None:
        options = replace(options, user=address.user)
    return address, options
