"""Logging in to a CAP server as the options, the environment and the settings file say."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from kalends.cli.failures import UsageError
from kalends.cli.files import FileName
from kalends.cli.settings import Settings, load

if TYPE_CHECKING:
    from kalends.client.sync import Client

F = TypeVar("F", bound=Callable[..., object])

_LOGIN = (
    click.option("--server", metavar="URL", help="cap://HOST:PORT; also KALENDS_SERVER [cap://localhost]"),
    click.option("--user", metavar="UPN", help="Who asks; nobody: anonymous. Also KALENDS_USER."),
    click.option("--password-stdin", is_flag=True, help="Read the password from standard input."),
    click.option(
        "--password-file",
        type=FileName(dir_okay=False),
        metavar="FILE",
        help="Read it from a file of mode 600; also KALENDS_PASSWORD.",
    ),
    click.option("--ca-file", metavar="FILE", help="Authorities to trust (PEM)."),
    click.option("--fingerprint", metavar="SHA256", help="The one certificate to trust."),
    click.option("--trust-new", is_flag=True, help="Trust and remember an unknown certificate."),
    click.option("--server-name", metavar="NAME", help="Virtual host to ask for."),
    click.option("--no-tls", is_flag=True, help="Plain text; only where the server allows it."),
    click.option("--as", "act_as", metavar="UPN", help="Act as somebody else; the server has to let you."),
    click.option("--language", metavar="TAG", help="What refusals are told in: de, fr … [that of LANG]"),
    click.option(
        "--timeout",
        type=click.FloatRange(0, 86400, min_open=True),
        metavar="SECONDS",
        help="Longest silence of the server.",
    ),
)


def login_options(command: F) -> F:
    """Add the options that say where and as whom to log in; the command gets them as one `login`."""
    names = [option_name for option_name in Login.__dataclass_fields__ if option_name != "settings"]

    def wrapped(**options: Any) -> object:
        _expect_texts(options, names)
        login = Login(settings=load(), **{name: options.pop(name) for name in names})
        return command(login=login, **options)

    wrapped.__name__, wrapped.__doc__ = command.__name__, command.__doc__
    wrapped.__click_params__ = getattr(command, "__click_params__", [])  # type: ignore[attr-defined]  # click's own
    for option in reversed(_LOGIN):
        wrapped = option(wrapped)
    return wrapped  # type: ignore[return-value]  # click only calls it with options


def _expect_texts(options: Mapping[str, object], names: list[str]) -> None:
    """Refuse an empty text (`--fingerprint "$UNSET"`): taken for none, it would trust whom nobody named.

    Raises:
        UsageError: an option is empty.
    """
    for name in names:
        value = options[name]
        if isinstance(value, str) and not value.strip():
            option = "as" if name == "act_as" else name.replace("_", "-")
            raise UsageError(f"--{option}: expected some text")


@dataclass(frozen=True, slots=True)
class Login:
    """Where and as whom to log in: the options of one call, over the settings.

    Attributes:
        settings: file and environment; the others are the options of the same names.
    """

    settings: Settings
    server: str | None
    user: str | None
    password_stdin: bool
    password_file: Path | None
    ca_file: str | None
    fingerprint: str | None
    trust_new: bool
    server_name: str | None
    no_tls: bool
    act_as: str | None
    language: str | None
    timeout: float | None

    def open(self) -> Client:
        """Connect and log in.

        Raises:
            ClientError: the server cannot be reached, is not trusted, or does not accept who we are.
        """
        from kalends.cli.output import note
        from kalends.cli.secrets import known_password
        from kalends.client.address import Address
        from kalends.client.sync import connect
        from kalends.client.trust import Trust

        address = Address.parse(self.server or self.settings.server)
        user = self.login_user
        password = None
        if user is not None:
            file = self.password_file or self.settings.password_file
            password = known_password(user, stdin=self.password_stdin, file=file)
        trust = Trust(
            fingerprint=self.fingerprint or self.settings.fingerprint,
            ca_file=self.ca_file or self.settings.ca_file,
            first_use=self.trust_new,
            notice=note,
        )
        more: dict[str, Any] = {} if self.timeout is None else {"timeout": self.timeout}
        client = connect(
            address,
            user=user,
            password=password,
            tls=not self.no_tls,
            trust=trust,
            server_name=self.server_name,
            default_tz=self.settings.zone,
            languages=(*wished(self.language, self.settings.language, os.environ), "en", "i-default"),
            **more,
        )
        if self.act_as is not None:
            try:
                client.identify(self.act_as)
            except BaseException:
                client.abandon()
                raise
        return client

    @property
    def who(self) -> str | None:
        """As whom the command acts, as far as that is somebody with a name."""
        return self.act_as or self.login_user

    @property
    def login_user(self) -> str | None:
        """Who logs in, by option, URL, variable or file."""
        from kalends.client.address import Address

        return self.user or Address.parse(self.server or self.settings.server).user or self.settings.user

    def targets(self, named: tuple[str, ...]) -> tuple[str, ...]:
        """The calendars to work on: those named, those of the settings, or the user's first calendar.

        Raises:
            UsageError: there is none of them.
        """
        if named or self.settings.target:
            return named or self.settings.target
        who = self.who
        if who is None:
            raise UsageError("which calendar? name it with --target")
        return (f"{who.partition('@')[0]}/calendar",)


_TAG = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*\Z")
_LOCALES = ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")
"""Variables that say what somebody reads, the first that is set counting (POSIX XBD §8.2; GNU's LANGUAGE)."""


def wished(option: str | None, setting: str | None, environ: Mapping[str, str]) -> tuple[str, ...]:
    """The languages that refusals are wanted in, best first; none is English.

    Args:
        option: --language.
        setting: that of the settings.
        environ: the environment.

    Raises:
        UsageError: the option or the setting is no language tag.
    """
    given = option or setting
    if given is not None:
        tag = given.partition(".")[0].replace("_", "-")
        if not _TAG.match(tag):
            raise UsageError(f"{given[:40]!r} is no language: give a tag such as de or pt-BR")
        return (tag,)
    locales = next((environ[name] for name in _LOCALES if environ.get(name)), "")
    tags = [re.split("[.@]", one, maxsplit=1)[0].replace("_", "-") for one in locales.split(":")]
    return tuple(tag for tag in tags if _TAG.match(tag) and tag.upper() != "POSIX")


target_option = click.option(
    "-t",
    "--target",
    "targets",
    multiple=True,
    metavar="CALID",
    help="A calendar; may be given several times. Also KALENDS_TARGET [USER/calendar]",
)
