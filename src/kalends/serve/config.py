"""The settings of a server: one table of names, read from options, the environment, a TOML file, defaults.

Every setting has one name. `cap_port` is `--cap-port` on the command line, `KALENDS_CAP_PORT` in the
environment and `cap-port` in the file; what stands first in this list wins.
"""

from __future__ import annotations

import ipaddress
import os
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from kalends.core.model import Policy
from kalends.serve.proxies import Network
from kalends.serve.readings import (
    one_of,
    read_auto_or_switch,
    read_count,
    read_fields,
    read_hostname,
    read_hostnames,
    read_http_prefix,
    read_mailbox,
    read_mechanisms,
    read_nobody,
    read_number,
    read_octets,
    read_path,
    read_place,
    read_port,
    read_port_or_off,
    read_proxies,
    read_seconds,
    read_switch,
    read_text,
)

ENV_PREFIX = "KALENDS_"
HOST_SETTINGS = (
    "csid", "aliases", "realm", "store", "data_dir", "tls_cert", "tls_key", "client_ca", "identity_from",
    "anonymous", "mail_from",
)  # fmt: skip
"""Settings that each virtual host has for itself; of the others there is one for the whole process."""

MAIL = "mail"
"""The table in a settings file, [mail]: its `host` is `mail-host`, and so on."""
MAIL_PORTS = {"starttls": 587, "tls": 465, "none": 25}
"""Port of a mail server by how TLS begins there (RFC 6409, RFC 8314, RFC 5321)."""
VIRTUAL_HOST = "virtual_host"
"""The table in a settings file, [[virtual-host]]; `host` is the address to listen on."""


class ConfigError(ValueError):
    """A setting that cannot be used.

    Attributes:
        setting: its name, or '' when it is about the file as a whole.
        source: where it came from, as one may write it: `--cap-port`, `KALENDS_CAP_PORT`, a file's name.
        reason: what is wrong and what was expected.
    """

    def __init__(self, setting: str, source: str, reason: str) -> None:
        self.setting, self.source, self.reason = setting, source, reason
        super().__init__(f"{source}: {reason}")


def default_store(environ: Mapping[str, str]) -> str:
    """The store used when none is named: `kalends/store.db` under the XDG data directory."""
    base = environ.get("XDG_DATA_HOME") or str(
        Path(environ.get("HOME", "~")).expanduser() / ".local" / "share"
    )
    return str(Path(base) / "kalends" / "store.db")


def redact_url(url: str) -> str:
    """A URL that may be shown: its password, wherever it stands, is replaced by `…`."""
    url = re.sub(r"(?<=://)([^/:@?]*):[^?]*@", r"\1:…@", url)
    return re.sub(r"(?i)(password=)[^&\s]*", r"\1…", url)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _says(parse: Callable[[Any], Any], text: str) -> Mapping[str, Any]:
    return {"parse": parse, "help": text}


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Everything a server wants to know. Each field's metadata holds its parser and one line of help."""

    store: str = field(
        default="",
        repr=False,
        metadata=_says(read_text, "where calendars are kept: a path, sqlite:///path or postgresql://…"),
    )
    host: str = field(
        default="127.0.0.1", metadata=_says(read_text, "address to listen on; 0.0.0.0 or :: for all")
    )
    cap_port: int = field(default=1026, metadata=_says(read_port, "TCP port of CAP; 0 picks a free one"))
    http_port: int | None = field(
        default=8026,
        metadata=_says(
            read_port_or_off, "TCP port of HTTP; 0 picks a free one, off: none. TLS except on loopback"
        ),
    )
    http_prefix: str = field(
        default="",
        metadata=_says(read_http_prefix, "path below which a reverse proxy shows HTTP, such as /cal"),
    )
    trusted_proxies: tuple[Network, ...] = field(
        default=(),
        metadata=_says(
            read_proxies, "reverse proxies whose X-Forwarded-* counts: addresses, networks (CIDR)"
        ),
    )
    udp: str = field(
        default="auto",
        metadata=_says(
            read_auto_or_switch, "signpost on the CAP port of UDP: on, off, auto (on loopback only)"
        ),
    )
    csid: str = field(
        default="localhost", metadata=_says(read_hostname, "host part of the store's CSID (cap://CSID)")
    )
    aliases: tuple[str, ...] = field(
        default=(), metadata=_says(read_hostnames, "other names by which clients may ask for this host")
    )
    realm: str = field(
        default="", metadata=_says(read_hostname, "realm that completes a user name; the CSID when not said")
    )
    data_dir: Path | None = field(
        default=None, metadata=_says(read_path, "folder for the certificate and the server's secret")
    )
    tls_cert: Path | None = field(
        default=None, metadata=_says(read_path, "certificate chain (PEM); one is made when none is named")
    )
    tls_key: Path | None = field(
        default=None, metadata=_says(read_path, "private key of the certificate (PEM)")
    )
    client_ca: Path | None = field(
        default=None, metadata=_says(read_path, "authorities whose client certificates are accepted (PEM)")
    )
    identity_from: tuple[str, ...] = field(
        default=("fingerprint", "san-email"),
        metadata=_says(
            read_fields, "what of a client certificate tells the user; the first that is there counts"
        ),
    )
    plaintext: bool = field(
        default=False, metadata=_says(read_switch, "allow sessions without TLS; only on a loopback address")
    )
    mechanisms: tuple[str, ...] = field(
        default=("SCRAM-SHA-256", "PLAIN", "EXTERNAL"),
        metadata=_says(read_mechanisms, "SASL mechanisms offered"),
    )
    anonymous: str = field(
        default="@",
        metadata=_says(
            read_nobody, "whom anonymous sessions act as: @, or @realm; ANONYMOUS has to be offered"
        ),
    )
    strict: bool = field(
        default=False, metadata=_says(read_switch, "refuse what RFC 4324 forbids even where it is harmless")
    )
    max_connections: int = field(default=1024, metadata=_says(read_count, "connections at once"))
    max_connections_per_address: int = field(
        default=256, metadata=_says(read_count, "connections at once from one address or IPv6 /64")
    )
    max_channels: int = field(default=512, metadata=_says(read_count, "open channels of one connection"))
    max_outstanding: int = field(  # a full window of the smallest commands is no attack
        default=16_384, metadata=_says(read_count, "unanswered messages of one channel")
    )
    max_object: int = field(default=10_000_000, metadata=_says(read_octets, "octets of one calendar object"))
    max_buffered: int = field(
        default=128 * 1024**2, metadata=_says(read_octets, "octets one connection may hold in memory")
    )
    login_timeout: float = field(default=120.0, metadata=_says(read_seconds, "time to authenticate"))
    idle_timeout: float = field(
        default=1800.0, metadata=_says(read_seconds, "time without a word from the peer")
    )
    command_timeout: float = field(
        default=60.0, metadata=_says(read_seconds, "time one command may work before it is stopped")
    )
    drain_timeout: float = field(
        default=30.0, metadata=_says(read_seconds, "time for running commands to finish at shutdown")
    )
    retention: int = field(
        default=0,
        metadata=_says(read_number, "days to keep former states and deleted objects; 0 keeps them for ever"),
    )
    conflict_counts_everything: bool = field(
        default=False,
        metadata=_says(
            read_switch, "ALLOW-CONFLICT:FALSE to the letter: CANCELLED and TRANSPARENT count, too"
        ),
    )
    read_threads: int = field(default=8, metadata=_says(read_count, "threads that run queries"))
    log_level: str = field(
        default="info", metadata=_says(one_of("debug", "info", "warning", "error"), "how much to log")
    )
    log_format: str = field(default="text", metadata=_says(one_of("text", "json"), "form of log lines"))
    mail_host: str = field(
        default="", metadata=_says(read_text, "mail server that takes invitations for people elsewhere")
    )
    mail_port: int = field(
        default=0, metadata=_says(read_port, "its port; 0: 587 for starttls, 465 for tls, 25 for none")
    )
    mail_tls: str = field(
        default="starttls", metadata=_says(one_of("starttls", "tls", "none"), "how TLS begins there")
    )
    mail_ca: Path | None = field(
        default=None, metadata=_says(read_path, "authorities that it is trusted by (PEM); else the system's")
    )
    mail_user: str = field(default="", metadata=_says(read_text, "user name for it"))
    mail_password_file: Path | None = field(
        default=None, metadata=_says(read_path, "file with the password for it")
    )
    mail_from: str = field(
        default="", metadata=_says(read_mailbox, "the calendar's own mailbox; calendar@realm when not said")
    )
    mail_timeout: float = field(
        default=30.0, metadata=_says(read_seconds, "time the mail server may take for one answer")
    )
    mail_attempts: int = field(default=12, metadata=_says(read_count, "how often a mail is tried"))
    mail_per_hour: int = field(default=200, metadata=_says(read_count, "mails of one user in one hour"))
    mail_recipients: int = field(
        default=100, metadata=_says(read_count, "people elsewhere whom one change is mailed to")
    )
    mail_size: int = field(default=5_000_000, metadata=_says(read_octets, "octets of one mail, out or in"))
    mail_require_authentication_results: str = field(
        default="",
        metadata=_says(
            read_text, "mail server whose Authentication-Results prove a sender; off: all are proven"
        ),
    )
    mail_lmtp: str = field(
        default="", metadata=_says(read_place, "where a mail server hands mail in: a loopback address:port")
    )
    virtual_hosts: tuple[Config, ...] = ()

    def serving(self, store: str) -> Config:
        """The settings for work on a store: those of the host whose it is, else these here, with that store.

        Raises:
            ConfigError: the store is named by nothing.
        """
        url = _parsed("store", "--store", store, read_text)
        place = _same_place(url)
        host = next((host for host in self.virtual_hosts if _same_place(host.store) == place), self)
        return replace(host, store=url)

    @property
    def names(self) -> tuple[str, ...]:
        """What clients may call this host: its CSID, and the aliases."""
        return tuple(dict.fromkeys((self.csid, *self.aliases)))

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can connect."""
        return _is_loopback(self.host)

    @property
    def data_folder(self) -> Path:
        """Where the certificate is kept: `data_dir`, or the folder of a SQLite store, or the XDG one."""
        if self.data_dir is not None:
            return self.data_dir
        url = self.store
        if url.startswith("postgres"):
            return Path(default_store(os.environ)).parent
        return Path(re.sub(r"^sqlite:(//)?", "", url)).expanduser().absolute().parent

    @property
    def shown_store(self) -> str:
        """The store's URL for people and logs: without a password."""
        return redact_url(self.store)

    @property
    def policy(self) -> Policy:
        """What this server promises and refuses."""
        return Policy(
            csid=self.csid,
            realm=self.realm,
            max_object=self.max_object,
            anonymous=self.anonymous,
            conflict_counts_everything=self.conflict_counts_everything,
            imip=bool(self.mail_host),
            mail_recipients=self.mail_recipients,
        )

    @property
    def lmtp_address(self) -> tuple[str, int]:
        """The address and port of `mail_lmtp`."""
        host, _, port = self.mail_lmtp.rpartition(":")
        return host.strip("[]"), int(port)

    @property
    def mailbox(self) -> str:
        """The calendar's own mailbox: mail goes out from it, and what bounces comes back there."""
        return self.mail_from or f"calendar@{self.realm}"


SETTINGS: tuple[tuple[str, str, object], ...] = tuple(
    (f.name, f.metadata["help"], f.default) for f in fields(Config) if "help" in f.metadata
)
"""Every setting: its name, one line of help, its default; options and manual are made from it."""


def load_config(
    options: Mapping[str, object] | None = None,
    environ: Mapping[str, str] | None = None,
    file: Path | None = None,
) -> Config:
    """Gather the settings: options first, then the environment, then the file, then defaults.

    Args:
        options: explicitly given settings by field name; None values count as not given.
        environ: the environment; `KALENDS_CONFIG` names a file when `file` is None. Default os.environ.
        file: a TOML file with kebab-case keys (`cap-port = 1026`).

    Raises:
        ConfigError: a value that cannot be used, an unknown key in the file, or settings that contradict
            each other.
    """
    env = os.environ if environ is None else environ
    if file is None and env.get(ENV_PREFIX + "CONFIG"):
        file = Path(env[ENV_PREFIX + "CONFIG"]).expanduser()
    written = _read_file(file) if file is not None else {}
    values: dict[str, Any] = {}
    for name, parse in _PARSERS.items():
        found = _find(name, options or {}, env, written, file)
        if found is not None:
            source, raw = found
            values[name] = _parsed(name, source, raw, parse)
    values.setdefault("store", default_store(env))
    values.setdefault("realm", values.get("csid", Config.__dataclass_fields__["csid"].default))
    config = Config(**values)
    _check(config)
    tables = written.get(VIRTUAL_HOST, [])
    hosts = tuple(
        _virtual_host(config, one, file) for one in (tables if isinstance(tables, list) else [tables])
    )
    _tell_apart((config, *hosts), str(file))
    return replace(config, virtual_hosts=hosts)


_PARSERS: Mapping[str, Callable[[Any], Any]] = {
    f.name: f.metadata["parse"] for f in fields(Config) if "parse" in f.metadata
}


def _parsed(name: str, source: str, raw: object, parse: Callable[[Any], Any]) -> Any:
    try:
        return parse(raw)
    except ValueError as error:
        raise ConfigError(name, source, str(error)) from None


def _virtual_host(main: Config, written: object, file: Path | None) -> Config:
    """The settings of one [[virtual-host]]: its own, and those of the process."""
    source = f"{file}: [[virtual-host]]"
    if not isinstance(written, Mapping):
        raise ConfigError("", source, "expected settings of a host, such as csid and store")
    given = {key.replace("-", "_"): value for key, value in written.items()}
    for key in given:
        if key not in HOST_SETTINGS:
            raise ConfigError("", source, f"there is no setting {key.replace('_', '-')!r} of a virtual host")
    own = {name: _parsed(name, f"{source}: {name}", raw, _PARSERS[name]) for name, raw in given.items()}
    for name in ("csid", "store"):
        if name not in own:
            raise ConfigError(name, source, f"a virtual host needs {name}")
    ours: dict[str, Any] = {name: Config.__dataclass_fields__[name].default for name in HOST_SETTINGS}
    ours |= {"realm": own["csid"], "data_dir": main.data_folder / own["csid"]} | own
    host = replace(main, **ours)
    _check(host)
    return host


def _tell_apart(hosts: Sequence[Config], source: str) -> None:
    """Refuse hosts that have a name or a store in common."""
    for what, taken in (
        ("name", [name for host in hosts for name in host.names]),
        ("store", [_same_place(host.store) for host in hosts]),
    ):
        twice = sorted({one for one in taken if taken.count(one) > 1})
        if twice:
            raise ConfigError("", source, f"two hosts have one {what}: {redact_url(twice[0])}")


def _same_place(store: str) -> str:
    if store.startswith("postgres") or store.endswith(":memory:"):
        return store
    return str(Path(re.sub(r"^sqlite:(//)?", "", store)).expanduser().absolute())


def _read_file(file: Path) -> dict[str, Any]:
    try:
        with file.open("rb") as stream:
            written = tomllib.load(stream)
    except OSError as error:
        raise ConfigError("", str(file), f"cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError("", str(file), f"is not TOML: {error}") from None
    _spread_mail(written, file)
    known = {*_PARSERS, VIRTUAL_HOST}
    for key in written:
        if key.replace("-", "_") not in known:
            raise ConfigError("", str(file), f"there is no setting {key!r}")
    return {key.replace("-", "_"): value for key, value in written.items()}


def _spread_mail(written: dict[str, Any], file: Path) -> None:
    """Turn a table [mail] into settings that begin with mail-, in place."""
    table = written.pop(MAIL, {})
    if not isinstance(table, dict):
        raise ConfigError("", str(file), "expected a table [mail]")
    for key, value in table.items():
        if f"{MAIL}_{key.replace('-', '_')}" not in _PARSERS:
            raise ConfigError("", f"{file}: [mail]", f"there is no setting {key!r}")
        if f"{MAIL}-{key}" in written:
            raise ConfigError("", f"{file}: [mail]", f"{key!r} is said twice, here and as '{MAIL}-{key}'")
        written[f"{MAIL}-{key}"] = value


def _find(
    name: str,
    options: Mapping[str, object],
    env: Mapping[str, str],
    written: Mapping[str, Any],
    file: Path | None,
) -> tuple[str, object] | None:
    if options.get(name) is not None:
        return "--" + name.replace("_", "-"), options[name]
    variable = ENV_PREFIX + name.upper()
    if variable in env:
        return variable, env[variable]
    if name in written:
        return f"{file}: {name.replace('_', '-')}", written[name]
    return None


def _check(config: Config) -> None:
    if config.plaintext and not config.is_loopback:
        raise ConfigError(
            "plaintext",
            "--plaintext",
            f"refused: {config.host} can be reached from other machines; use TLS, or listen on 127.0.0.1",
        )
    if (config.tls_cert is None) != (config.tls_key is None):
        raise ConfigError("tls_cert", "--tls-cert", "a certificate and its key go together; one is missing")
    if config.mail_user and config.mail_password_file is None:
        raise ConfigError("mail_user", "--mail-user", "a user name needs mail-password-file")
    if config.mail_user and config.mail_tls == "none" and not _is_loopback(config.mail_host):
        raise ConfigError("mail_tls", "--mail-tls", "refused: a password is sent over TLS only")
    if config.mail_lmtp and not _is_loopback(config.lmtp_address[0]):
        raise ConfigError("mail_lmtp", "--mail-lmtp", "refused: only a loopback address can be listened on")
    if config.mail_lmtp and not config.mail_require_authentication_results:
        needed = "mail-require-authentication-results has to say who proves senders (docs/mail.md)"
        raise ConfigError("mail_lmtp", "--mail-lmtp", needed)
    if config.max_buffered < 2 * config.max_object:
        raise ConfigError("max_buffered", "--max-buffered", "must be at least twice max-object")
