"""`kalends mail`: invitations by mail: what waits, sending it now, a trial."""

from __future__ import annotations

import secrets
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kalends.cli.failures import RefusalError, UsageError
from kalends.cli.group import Command, LazyGroup
from kalends.cli.offline import Office, office, store_options

if TYPE_CHECKING:
    from kalends.store.jobs import JobRow

SHOWN = 50
"""Waiting mails that are shown unless --limit says how many."""


class _Mail(LazyGroup):
    lazy = {  # noqa: RUF012  a table, never changed
        "status": ("kalends.cli.mail:status", "Show which mails wait, and why."),
        "send-now": ("kalends.cli.mail:send_now", "Send all that waits, without waiting any longer."),
        "receive": ("kalends.cli.mailbox:receive", "Read one mail from standard input, for a mail server."),
        "test": ("kalends.cli.mail:test", "Send one mail, to see whether the settings are right."),
    }


@click.command(
    "mail",
    cls=_Mail,
    epilog="\b\nexamples:\n  kalends mail test amira@example.com\n  kalends mail status",
)
def mail() -> None:
    """Invitations to people elsewhere, by mail (iMIP)."""


def _require_mail(at: Office) -> None:
    if not at.config.mail_host:
        raise UsageError(
            "no mail server is named: say mail-host in the settings (--config, KALENDS_MAIL_HOST)"
        )


@click.command("status", cls=Command)
@click.option("--limit", type=click.IntRange(1), default=SHOWN, show_default=True, metavar="N",
              help="So many mails.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="As data.")
@store_options
def status(limit: int, as_json: bool, store: str | None, config_file: Path | None) -> None:
    """Show which mails wait, the next one first; times are UTC. What was sent is in the events themselves."""
    from kalends.cli.output import data, note, table
    from kalends.core.scheduling import MAIL
    from kalends.store import jobs

    with office(store, config_file) as at:
        total, found = at.read(lambda tx: (jobs.count(tx, MAIL), jobs.waiting(tx, MAIL, limit)))
        now, server = at.now, at.config.mail_host
    if as_json:
        data({"server": server or None, "waiting": total, "mails": [_as_data(job, now) for job in found]})
        return
    if not found:
        click.echo("no mail waits")
    else:
        rows = [_row(_as_data(job, now)) for job in found]
        table(("to", "what", "tried", "next", "why"), rows, flexible=("to", "why"))
        if total > len(found):
            note(f"{total - len(found)} more wait (--limit shows them)")
    if not server:
        note("no mail server is named: what waits is kept, and nothing is added")


def _as_data(job: JobRow, now: int) -> dict[str, object]:
    from kalends.imip import letter
    from kalends.imip.errors import LetterError

    held = None if job.held_until is None or job.held_until <= now else _when(job.held_until)
    shown: dict[str, object] = {"tried": job.attempts, "held_until": held, "next": _when(job.due_at),
                                "error": job.last_error}  # fmt: skip
    try:
        one = letter.read(job)
    except LetterError as error:
        return (
            {"mark": None, "from": None, "to": None, "method": None, "written": None}
            | shown
            | {"error": str(error)}
        )
    return {"mark": one.mark, "from": one.sender, "to": one.to, "method": one.method,
            "written": _when(one.at)} | shown  # fmt: skip


def _when(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def _minute(moment: object) -> str:
    return str(moment)[:16].replace("T", " ")


def _row(told: dict[str, object]) -> tuple[str, ...]:
    due = f"held until {str(told['held_until'])[11:16]}" if told["held_until"] else _minute(told["next"])
    to = str(told["to"] or "?").removeprefix("mailto:")
    cells = (to, told["method"] or "?", told["tried"], due, told["error"] or "")
    return tuple(map(str, cells))


@click.command("send-now", cls=Command)
@store_options
def send_now(store: str | None, config_file: Path | None) -> None:
    """Send all that waits, also what was to be tried again later. Servers of this store may run meanwhile."""
    from kalends.core.scheduling import MAIL
    from kalends.imip.queue import Tally
    from kalends.serve.mailer import Mailer
    from kalends.store import jobs

    tally = Tally()
    with office(store, config_file) as at:
        _require_mail(at)
        mailer = Mailer(at.config, at.store)
        at.write(lambda tx: jobs.hasten(tx, MAIL, mailer.now))
        while mailer.is_due() and not mailer.troubled:
            done = at.guarded(mailer.round)
            tally += done
            if done == Tally():
                break
        left = at.read(lambda tx: jobs.count(tx, MAIL))
    click.echo(f"{tally.sent} sent, {tally.failed} failed, {left} waiting")
    if mailer.troubled:
        raise RefusalError("the mail server could not be used (kalends mail status says why)")


@click.command("test", cls=Command)
@click.argument("address")
@store_options
def test(address: str, store: str | None, config_file: Path | None) -> None:
    """Send one mail to ADDRESS, and say what the mail server answered."""
    from kalends.imip.errors import LetterError
    from kalends.imip.writing import trial
    from kalends.serve.relay import Relay, RelayError

    with office(store, config_file) as at:
        _require_mail(at)
        try:
            one = trial(at.config.mailbox, address, int(time.time()), secrets.token_hex(16))
            with Relay(at.config).connected() as relay:
                verdict = relay.send(one)
        except (LetterError, RelayError) as error:
            raise RefusalError(str(error)) from None
    if verdict.kind != "sent":
        raise RefusalError(f"{at.config.mail_host} refused it: {verdict.words}")
    click.echo(f"{at.config.mail_host} took it: {verdict.words}")
