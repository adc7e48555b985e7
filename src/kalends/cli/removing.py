"""What `kalends user remove` and `kalends group remove` have in common."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kalends.cli.group import Command
from kalends.cli.offline import Office, office, store_options

if TYPE_CHECKING:
    from kalends.store.base import Tx


def removal(
    noun: str, *, said: str, owners: str
) -> Callable[[Callable[[Tx, Office, str, bool], int]], click.Command]:
    """Make the command that removes a principal: it asks when calendars go too, and says what went.

    The function below it removes in a transaction, given the completed UPN and whether calendars go, and
    returns how many went.

    Args:
        noun: what is removed, in the help.
        said: what stands before the UPN in what is said.
        owners: "it owns" or "they own", in the question.
    """

    def make(work: Callable[[Tx, Office, str, bool], int]) -> click.Command:
        @click.command("remove", cls=Command, help=work.__doc__)
        @click.argument("upn")
        @click.option("--with-calendars", is_flag=True, help=f"Also the calendars only this {noun} owns.")
        @click.option("--yes", is_flag=True, help="Do not ask.")
        @store_options
        def remove(
            upn: str, with_calendars: bool, yes: bool, store: str | None, config_file: Path | None
        ) -> None:
            from kalends.cli.output import ask
            from kalends.core.names import complete_upn

            with office(store, config_file) as at:
                full = complete_upn(upn, at.policy)
                if not yes and with_calendars:
                    ask(f"Remove {full} and every calendar only {owners}?")
                gone = at.write(lambda tx: work(tx, at, full, with_calendars))
            calendars = f" and {gone} calendar{'s' if gone != 1 else ''}" if gone else ""
            click.echo(f"removed {said}{full}{calendars}")

        return remove

    return make
