"""How the value of a setting is read: the words of an option or a variable, or what TOML makes of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kalends.core.names import ANONYMOUS
from kalends.serve.proxies import Network, read_networks, read_prefix

MECHANISMS = ("SCRAM-SHA-256", "PLAIN", "EXTERNAL", "ANONYMOUS")
"""SASL mechanisms that can be switched on, best first."""
IDENTITY_FIELDS = ("fingerprint", "san-email", "san-dns", "san-uri", "cn", "subject-email")
"""What of a client certificate may tell the user: itself, by the store's table, or a field (§4.1.1)."""
_HOSTNAME = re.compile(
    r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*\Z"
)
_LOCAL_PART = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*\Z")
_SIZE = re.compile(r"(\d+)\s*([kmg]?)(i?b)?\Z", re.IGNORECASE)
_SIZES = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3}
_TIME = re.compile(r"(\d+(?:\.\d+)?)\s*([smh]?)\Z", re.IGNORECASE)
_TIMES = {"": 1, "s": 1, "m": 60, "h": 3600}
_TRUE, _FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off", ""}


def read_text(value: Any) -> str:
    """Some text, trimmed. Raises ValueError."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError("expected some text")
    return value.strip()


def read_hostname(value: Any) -> str:
    """A host name, in lower case. Raises ValueError."""
    text = read_text(value)
    if len(text) > 253 or not _HOSTNAME.match(text):
        raise ValueError(f"expected a host name such as cal.example.com, not {text!r}")
    return text.lower()


def read_mailbox(value: Any) -> str:
    """A mailbox: local-part@domain. Raises ValueError."""
    text = read_text(value)
    user, at, domain = text.rpartition("@")
    if not at or not _LOCAL_PART.match(user) or not _HOSTNAME.match(domain):
        raise ValueError(f"expected a mailbox such as calendar@example.com, not {text!r}")
    return f"{user}@{domain.lower()}"


def read_place(value: Any) -> str:
    """An address and a port: 127.0.0.1:24, [::1]:24. Raises ValueError."""
    text = read_text(value)
    host, colon, port = text.rpartition(":")
    if not colon or not host:
        raise ValueError(f"expected an address and a port such as 127.0.0.1:24, not {text!r}")
    return f"{host}:{read_port(port)}"


def read_port(value: Any) -> int:
    """A TCP port. Raises ValueError."""
    number = read_number(value)
    if number > 65535:
        raise ValueError(f"expected a port from 0 (any free one) to 65535, not {number}")
    return number


def read_port_or_off(value: Any) -> int | None:
    """A TCP port; None for off. Raises ValueError."""
    return None if str(value).strip().lower() in ("off", "none", "no") else read_port(value)


def read_number(value: Any) -> int:
    """A whole number, 0 or more. Raises ValueError."""
    if isinstance(value, bool) or not str(value).strip().isdecimal():
        raise ValueError(f"expected a whole number, not {value!r}")
    return int(str(value))


def read_count(value: Any) -> int:
    """A whole number, 1 or more. Raises ValueError."""
    number = read_number(value)
    if number < 1:
        raise ValueError("expected 1 or more")
    return number


def read_octets(value: Any) -> int:
    """A size in octets. Raises ValueError."""
    match = _SIZE.match(str(value).strip())
    if not match or isinstance(value, bool):
        raise ValueError(f"expected octets such as 10M or 65536, not {value!r}")
    number = int(match[1]) * _SIZES[match[2].lower()]
    if number < 4096:
        raise ValueError("expected at least 4096 octets")
    return number


def read_seconds(value: Any) -> float:
    """A time in seconds. Raises ValueError."""
    match = _TIME.match(str(value).strip())
    if not match or isinstance(value, bool):
        raise ValueError(f"expected seconds such as 30, 90s, 5m or 1h, not {value!r}")
    return float(match[1]) * _TIMES[match[2].lower()]


def read_switch(value: Any) -> bool:
    """True or false. Raises ValueError."""
    if isinstance(value, bool):
        return value
    text = str(value).strip().lower()
    if text not in _TRUE | _FALSE:
        raise ValueError(f"expected true or false, not {value!r}")
    return text in _TRUE


def read_auto_or_switch(value: Any) -> str:
    """auto, on or off. Raises ValueError."""
    if str(value).strip().lower() == "auto":
        return "auto"
    try:
        return "on" if read_switch(value) else "off"
    except ValueError:
        raise ValueError(f"expected one of auto, on, off, not {value!r}") from None


def read_path(value: Any) -> Path:
    """A path; ~ is somebody's home. Raises ValueError."""
    return Path(read_text(str(value) if isinstance(value, Path) else value)).expanduser()


def read_words(value: Any) -> tuple[str, ...]:
    """Words, separated by commas or white space, or as a list. Raises ValueError."""
    items = value if isinstance(value, list | tuple) else re.split(r"[,\s]+", read_text(value))
    return tuple(read_text(item) for item in items if item != "")


def read_mechanisms(value: Any) -> tuple[str, ...]:
    """SASL mechanisms, best first. Raises ValueError."""
    names = tuple(name.upper() for name in read_words(value))
    for name in names:
        if name not in MECHANISMS:
            raise ValueError(f"unknown SASL mechanism {name!r}; there are {', '.join(MECHANISMS)}")
    if not names:
        raise ValueError("expected at least one SASL mechanism")
    return tuple(name for name in MECHANISMS if name in names)


def read_nobody(value: Any) -> str:
    """Whom anonymous sessions act as. Raises ValueError."""
    text = str(value).strip().lower()
    if text != ANONYMOUS and (not text.startswith(ANONYMOUS) or not _HOSTNAME.match(text[1:])):
        raise ValueError(f"expected @ or @realm, not {value!r}")
    return text


def read_proxies(value: Any) -> tuple[Network, ...]:
    """Addresses and networks. Raises ValueError."""
    try:
        return read_networks(read_words(value) if value else ())
    except ValueError as error:
        raise ValueError(f"expected addresses or networks such as 10.0.0.0/8: {error}") from None


def read_http_prefix(value: Any) -> str:
    """A path below which HTTP is shown. Raises ValueError."""
    return read_prefix(str(value))


def read_fields(value: Any) -> tuple[str, ...]:
    """Fields of a certificate. Raises ValueError."""
    names = tuple(name.lower() for name in read_words(value))
    for name in names:
        if name not in IDENTITY_FIELDS:
            raise ValueError(f"expected one or more of {', '.join(IDENTITY_FIELDS)}, not {name!r}")
    return names


def read_hostnames(value: Any) -> tuple[str, ...]:
    """Host names. Raises ValueError."""
    return tuple(read_hostname(name) for name in read_words(value))


def one_of(*choices: str) -> Callable[[Any], str]:
    """Makes a reader of one of some words."""

    def parse(value: Any) -> str:
        text = str(value).strip().lower()
        if text not in choices:
            raise ValueError(f"expected one of {', '.join(choices)}, not {value!r}")
        return text

    return parse
