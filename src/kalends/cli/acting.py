"""`kalends user may-act-as`: who may act as whom (RFC 4324 §10.8)."""

from __future__ import annotations

from pathlib import Path

import click

from kalends.cli.group import Command, LazyGroup
from kalends.cli.offline import office, store_options


class _Acting(LazyGroup):
    lazy = {  # noqa: RUF012  a table, never changed
        "add": ("kalends.cli.acting:add", "Let somebody act as others."),
        "remove": ("kalends.cli.acting:remove", "Take that back."),
        "list": ("kalends.cli.acting:list_", "List who may act as whom."),
    }


@click.command("may-act-as", cls=_Acting)
def may_act_as() -> None:
    """Who may act as whom, with IDENTIFY or while logging in.

    Administrators may act as anybody. What somebody does as another is kept with both names.
    """


@click.command(
    "add",
    cls=Command,
    epilog="\b\nexamples:\n  kalends user may-act-as add bruno amira@example.com\n"
    "  kalends user may-act-as add front-desk '*@rooms.example.com'",
)
@click.argument("upn")
@click.argument("whom")
@store_options
def add(upn: str, whom: str, store: str | None, config_file: Path | None) -> None:
    """Let the user UPN, or all in the group UPN, act as WHOM.

    WHOM is a user, room or group, @ for anonymous, @realm, *@realm or *. The last two mean no
    administrators: name those.
    """
    from kalends.core.access.sharing import sharer
    from kalends.core.names import complete_upn
    from kalends.core.people import acting

    with office(store, config_file) as at:
        full = complete_upn(upn, at.policy)
        told = at.write(lambda tx: acting.allow(tx, full, sharer(tx, at.policy, whom)))
    click.echo(f"{full} may act as {told}")


@click.command("remove", cls=Command)
@click.argument("upn")
@click.argument("whom")
@store_options
def remove(upn: str, whom: str, store: str | None, config_file: Path | None) -> None:
    """No longer let UPN act as WHOM; sessions that do lose it with their next command."""
    from kalends.core.names import complete_upn
    from kalends.core.people import acting

    with office(store, config_file) as at:
        full = complete_upn(upn, at.policy)
        other = whom if "@" in whom or "*" in whom else complete_upn(whom, at.policy)
        at.write(lambda tx: acting.forbid(tx, full, other))
    click.echo(f"{full} may no longer act as {other}")


@click.command("list", cls=Command)
@click.argument("upn", required=False)
@click.option("--json", "as_json", is_flag=True, help="As data.")
@store_options
def list_(upn: str | None, as_json: bool, store: str | None, config_file: Path | None) -> None:
    """List who may act as whom: all, or what was allowed to UPN itself."""
    from kalends.cli.output import data, table
    from kalends.core.names import complete_upn
    from kalends.core.people import acting

    with office(store, config_file) as at:
        full = None if upn is None else complete_upn(upn, at.policy)
        found = at.read(lambda tx: acting.permissions(tx, full))
    if as_json:
        data([{"upn": one, "as": whom} for one, whom in found])
    elif not found:
        click.echo("only administrators may act as others")
    else:
        table(("who", "may act as"), found)
