"""`kalends mail receive`: what a mail server runs for each mail that is for the calendar (RFC 6047)."""

from __future__ import annotations

import logging
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from kalends.cli.group import Command
from kalends.cli.offline import office, store_options

if TYPE_CHECKING:
    from kalends.serve.config import Config

log = logging.getLogger(__name__)

DATAERR, NOUSER, UNAVAILABLE, TEMPFAIL, NOPERM, CONFIG = 65, 67, 69, 75, 77, 78
"""Exit codes that mail servers know (sysexits.h): all but TEMPFAIL send the mail back to its sender."""
_CHUNK = 1 << 16


@click.command("receive", cls=Command)
@click.option("--recipient", "recipients", multiple=True, metavar="ADDRESS",
              help="Whom the mail came to; several times for several.")  # fmt: skip
@store_options
def receive(recipients: tuple[str, ...], store: str | None, config_file: Path | None) -> None:
    """Read one mail from standard input, and do what the message in it says.

    What is refused changes nothing and is told in one line on standard error. The exit code is one that mail
    servers understand: 0 done, 65 no message, 67 nobody here, 69 refused, 75 try again later, 77 the sender
    is not proven or may not say that, 78 a setting is missing.
    """
    code, words = _received(recipients, store, config_file)
    if words:
        click.echo(f"kalends: {words}", err=True)
    if code:
        raise click.exceptions.Exit(code)


def _received(recipients: tuple[str, ...], store: str | None, config_file: Path | None) -> tuple[int, str]:
    from kalends.cli.text import clean
    from kalends.imip.outcomes import Outcome, outcome_of
    from kalends.serve.config import ConfigError

    codes = {
        Outcome.UNREADABLE: DATAERR, Outcome.NOBODY: NOUSER, Outcome.UNPROVEN: NOPERM,
        Outcome.LATER: TEMPFAIL, Outcome.REFUSED: UNAVAILABLE,
    }  # fmt: skip
    try:
        return 0, _take(recipients, store, config_file)
    except ConfigError as error:
        return CONFIG, clean(str(error), 500)
    except Exception as error:  # a mail must not be lost because of an error in Kalends
        outcome = outcome_of(error)
        if outcome is not None:
            return codes[outcome], clean(str(error), 500)
        log.debug("mail", exc_info=True)
        return TEMPFAIL, clean(f"internal error: {type(error).__name__}: {error}", 500)


def _take(recipients: tuple[str, ...], store: str | None, config_file: Path | None) -> str:
    from kalends.imip import intake

    with office(store, config_file) as at:
        trusted = _trusted(at.config)
        messages = intake.read(_octets(sys.stdin.buffer, at.config.mail_size), trusted)
        now, policy = int(time.time()), at.policy
        reached = at.write(lambda tx: intake.deliver(tx, policy, now, messages, recipients))
    for one in messages:
        log.info(
            "%s of %s: for %s", one.method, one.sender, ", ".join(reached) or "nobody, it was here before"
        )
    return "" if messages else "an automatic answer without a calendar: dropped"


def _trusted(config: Config) -> str:
    from kalends.serve.config import ConfigError

    trusted = config.mail_require_authentication_results
    if not trusted:
        name = "mail-require-authentication-results"
        why = "say which mail server proves who sent a mail (docs/mail.md)"
        raise ConfigError(name.replace("-", "_"), name, why)
    return trusted


def _octets(stream: BinaryIO, limit: int) -> bytes:
    """Read a mail. One that is too large is read to its end and not kept: a broken pipe is no answer."""
    from kalends.imip.errors import BadMailError

    data = stream.read(limit + 1)
    if len(data) > limit:
        while stream.read(_CHUNK):
            continue
        raise BadMailError(f"the mail has more than {limit} octets")
    return data
