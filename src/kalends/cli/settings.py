"""What a CUA need not say every time: server, user, targets and trust, from a TOML file.

The file is `~/.config/kalends/config.toml` (under XDG_CONFIG_HOME if that is set):

    server = "cap://cal.example.com"
    user = "amira@example.com"
    target = ["amira/calendar"]
    password-file = "~/.config/kalends/password"
    ca-file = "/etc/ssl/our-ca.pem"
    fingerprint = "SHA256:…"
    zone = "Europe/Berlin"
    language = "de"
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kalends.cli.failures import UsageError

DEFAULT_SERVER = "cap://localhost"


@dataclass(frozen=True, slots=True)
class Settings:
    """Defaults of the commands that speak CAP.

    Attributes:
        server: CAP URL. user: UPN. target: CALIDs. password_file: where the password is.
        ca_file, fingerprint: what is trusted. zone: time zone that times are shown in.
        language: tag of the language that refusals are told in.
    """

    server: str = DEFAULT_SERVER
    user: str | None = None
    target: tuple[str, ...] = ()
    password_file: Path | None = None
    ca_file: str | None = None
    fingerprint: str | None = None
    zone: str | None = None
    language: str | None = None


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("expected a text")
    return value


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(_text(one) for one in (value if isinstance(value, list) else [value]))


_READERS = {
    "server": _text,
    "user": _text,
    "target": _texts,
    "password_file": lambda value: Path(_text(value)).expanduser(),
    "ca_file": lambda value: str(Path(_text(value)).expanduser()),
    "fingerprint": _text,
    "zone": _text,
    "language": _text,
}
"""How each setting is read; its key in the file has hyphens, its variable is KALENDS_ and upper case."""


def settings_file(environ: Mapping[str, str]) -> Path:
    """Where the settings are looked for."""
    base = environ.get("XDG_CONFIG_HOME", "")
    return (Path(base) if os.path.isabs(base) else Path.home() / ".config") / "kalends" / "config.toml"


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings file and the environment; a variable wins over the file.

    Args:
        environ: the environment; that of the process by default.

    Raises:
        UsageError: the file is no TOML, or a setting is none or of the wrong form.
    """
    environ = os.environ if environ is None else environ
    file = settings_file(environ)
    found = {name: (str(file), value) for name, value in _written(file).items()}
    for name in _READERS:
        variable = "KALENDS_" + name.upper()
        if environ.get(variable):
            value: object = environ[variable]
            found[name] = (variable, environ[variable].split() if name == "target" else value)
    read: dict[str, Any] = {}
    for name, (source, value) in found.items():
        try:
            read[name] = _READERS[name](value)
        except ValueError as error:
            raise UsageError(f"{source}: {name.replace('_', '-')}: {error}") from None
    return Settings(**read)


def _written(file: Path) -> dict[str, object]:
    try:
        with file.open("rb") as stream:
            keys = tomllib.load(stream)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} is no TOML: {error}") from None
    for key in keys:
        if key.replace("-", "_") not in _READERS:
            known = ", ".join(name.replace("_", "-") for name in _READERS)
            raise UsageError(f"{file}: there is no setting {key!r}; there are {known}")
    return {key.replace("-", "_"): value for key, value in keys.items()}
