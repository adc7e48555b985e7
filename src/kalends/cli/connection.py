"""Logging in to a CAP server as the options, the environment and the settings file say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from kalends.cli.failures import UsageError
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
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE",
        help="Read it from a file of mode 600; also KALENDS_PASSWORD.",
    ),
    click.option("--ca-file", metavar="FILE", help="Authorities to trust (PEM)."),
    click.option("--fingerprint", metavar="SHA256", help="The one certificate to trust."),
    click.option("--trust-new", is_flag=True, help="Trust and remember an unknown certificate."),
    click.option("--server-name", metavar="NAME", help="Virtual host to ask for."),
    click.option("--no-tls", is_flag=True, help="Plain text; only where the server allows it."),
    click.option("--timeout", type=float, metavar="SECONDS", help="Longest silence of the server."),
)


def login_options(command: F) -> F:
    """Add the options that say where and as whom to log in; the command gets them as one `login`."""
    names = [option_name for option_name in Login.__dataclass_fields__ if option_name != "settings"]

    def wrapped(**options: Any) -> object:
        login = Login(settings=load(), **{name: options.pop(name) for name in names})
        return command(login=login, **options)

    wrapped.__name__, wrapped.__doc__ = command.__name__, command.__doc__
    wrapped.__click_params__ = getattr(command, "__click_params__", [])  # type: ignore[attr-defined]  # click's own
    for option in reversed(_LOGIN):
        wrapped = option(wrapped)
    return wrapped  # type: ignore[return-value]  # click only calls it with options


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
        user = self.who
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
        return connect(
            address,
            user=user,
            password=password,
            tls=not self.no_tls,
            trust=trust,
            server_name=self.server_name,
            default_tz=self.settings.zone,
            **more,
        )

    @property
    def who(self) -> str | None:
        """The user, by option, URL, variable or file."""
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


target_option = click.option(
    "-t",
    "--target",
    "targets",
    multiple=True,
    metavar="CALID",
    help="A calendar; may be given several times. Also KALENDS_TARGET [USER/calendar]",
)
