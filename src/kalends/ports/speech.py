"""What a service speaks, told from the first octets it sends: one row a protocol, most telling first."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from kalends.ports.clean import clean

TLS_PROFILE = b"http://iana.org/beep/TLS"
MAX_PROFILES = 20
"""Profiles of a greeting that are shown."""
_BEEP_NAMES = ("cap", "xmlrpc-beep", "soap-beep", "netconf-beep", "syslog-conn", "iris-beep", "idxp")
_PROFILE = re.compile(rb"<profile\s[^>]*?uri\s*=\s*[\"']([^\"']{1,200})[\"']")


class Speech(NamedTuple):
    """A recognised protocol.

    Attributes:
        protocol: what it is called: CAP, BEEP, HTTP, TLS, SSH, …
        names: registered service names that such a service agrees with.
        detail: sentences about it, already cleaned of control characters.
    """

    protocol: str
    names: tuple[str, ...]
    detail: tuple[str, ...] = ()


def _line(data: bytes) -> str:
    return clean(data.split(b"\n", 1)[0].decode("utf-8", "replace"), 100)


def beep(uris: Sequence[bytes], about: tuple[str, ...] = ()) -> Speech:
    """Tell CAP from other BEEP by the profiles of a greeting (RFC 3080 §2.3.1.1, RFC 4324 §12.1).

    Args:
        uris: profiles as the greeting names them, untrusted.
        about: sentences that come first.
    """
    profiles = [clean(uri.decode("utf-8", "replace"), 70) for uri in uris[:MAX_PROFILES]]
    detail = (*about, *(f"profile {uri}" for uri in profiles))
    if any(uri.startswith("http://iana.org/beep/cap/") for uri in profiles):
        return Speech("CAP", ("cap",), detail)
    return Speech("BEEP", _BEEP_NAMES, detail or ("a BEEP greeting without profiles",))


def signpost(answer: bytes) -> Speech:
    """What a CAP signpost on udp told: an extension of Kalends, for RFC 4324 knows tcp only."""
    place = re.search(rb"X-KALENDS-TCP:([^\r\n]{1,80})", answer)
    where = (f"says that tcp listens at {clean(place[1].decode('utf-8', 'replace'), 60)}",) if place else ()
    return Speech("CAP signpost", ("cap",), ("an extension of Kalends; RFC 4324 defines tcp only", *where))


def _beep(data: bytes) -> Speech:
    return beep(_PROFILE.findall(data))


def _named(protocol: str, *names: str) -> Callable[[bytes], Speech]:
    return lambda data: Speech(protocol, names, (_line(data),))


def _postgres(_data: bytes) -> Speech:
    return Speech("PostgreSQL", ("postgresql",), ("answered the question for TLS",))


def _mysql(data: bytes) -> Speech:
    version = data[5:].split(b"\0", 1)[0].decode("ascii", "replace")
    return Speech("MySQL", ("mysql", "mysqlx"), (f"server version {clean(version, 60)}",))


TELLS: tuple[tuple[re.Pattern[bytes], Callable[[bytes], Speech]], ...] = (
    (re.compile(rb"(RPY|ERR) 0 0 [.*] 0 \d+\r\n"), _beep),
    (re.compile(rb"SSH-\d"), _named("SSH", "ssh")),
    (re.compile(rb"HTTP/\d"), _named("HTTP", "http", "http-alt", "https", "www", "www-http")),
    (re.compile(rb"220[ -][^\r\n]*(?:E?SMTP|mail)", re.IGNORECASE), _named("SMTP", "smtp", "submission")),
    (re.compile(rb"220[ -][^\r\n]*FTP", re.IGNORECASE), _named("FTP", "ftp")),
    (
        re.compile(rb"220[ -]"),
        _named("a service that greets with 220 (FTP or SMTP)", "ftp", "smtp", "submission"),
    ),
    (re.compile(rb"\* (OK|PREAUTH|BYE)", re.IGNORECASE), _named("IMAP", "imap", "imaps")),
    (re.compile(rb"\+OK", re.IGNORECASE), _named("POP3", "pop3", "pop3s")),
    (re.compile(rb"\"IMPLEMENTATION\"|\"SIEVE\"", re.IGNORECASE), _named("ManageSieve", "sieve")),
    (re.compile(rb".\x00\x00\x00\x0a[\x20-\x7e]{1,80}\x00", re.DOTALL), _mysql),
    (re.compile(rb"RFB \d"), _named("VNC (RFB)", "rfb")),
    (re.compile(rb"@RSYNCD:"), _named("rsync", "rsync")),
    (re.compile(rb"-(ERR|NOAUTH|DENIED)|\+PONG"), _named("Redis", "redis")),
    (re.compile(rb"ERROR\r\n\Z"), _named("memcached", "memcache")),
    (re.compile(rb"20[01] "), _named("NNTP", "nntp", "nntps")),
    (re.compile(rb"AMQP"), _named("AMQP", "amqp", "amqps")),
)
"""The table: how the first octets begin, and what that means."""


def recognise(data: bytes) -> Speech | None:
    """Name the protocol of a banner or an answer, or None."""
    for pattern, speech in TELLS:
        if pattern.match(data):
            return speech(data)
    return None


POSTGRES = _postgres
