"""`kalends user`: the people of a store."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from kalends.cli.failures import UsageError
from kalends.cli.group import Command, LazyGroup
from kalends.cli.offline import office, store_options
from kalends.cli.secrets import from_stdin, new_password


class _Users(LazyGroup):
    lazy = {  # noqa: RUF012  a table, never changed
        "add": ("kalends.cli.users:add", "Add a user with a first calendar."),
        "list": ("kalends.cli.users:list_", "List the users."),
        "passwd": ("kalends.cli.users:passwd", "Set a user's password."),
        "remove": ("kalends.cli.users:remove", "Remove a user."),
    }


@click.command(cls=_Users)
def user() -> None:
    """Add, list and remove users; directly in the store, also while a server runs."""


@click.command(
    "add",
    cls=Command,
    epilog="\b\nexample:\n  kalends user add amira@example.com --name 'Amira Haddad' --admin",
)
@click.argument("upn")
@click.option("--name", metavar="NAME", help="What people call the user.")
@click.option("--admin", is_flag=True, help="An administrator may do everything.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@click.option("--no-password", is_flag=True, help="Set none: the user cannot log in with one.")
@store_options
def add(
    upn: str,
    name: str | None,
    admin: bool,
    password_stdin: bool,
    no_password: bool,
    store: str | None,
    config_file: Path | None,
) -> None:
    """Add a user and a first calendar, LOCAL-PART/calendar.

    UPN is user@realm; without a realm that of the store is taken.
    """
    if password_stdin and no_password:
        raise UsageError("--password-stdin and --no-password contradict each other")
    from kalends.beep.scram import make_verifier
    from kalends.core import identity
    from kalends.core.containers import calendars_of
    from kalends.core.names import complete_upn

    with office(store, config_file, create=True) as at:
        complete_upn(upn, at.policy)  # refused before anybody types a password
        verifier = None if no_password else make_verifier(new_password(password_stdin))
        added = at.write(
            lambda tx: identity.add_user(
                tx, at.policy, upn, now=at.now, name=name, admin=admin, verifier=verifier
            )
        )
        owned = at.read(lambda tx: calendars_of(tx, at.caller, added.upn))
    click.echo(f"added {added.upn} with calendar {', '.join(target.calid for target in owned)}")


@click.command("list", cls=Command)
@click.option("--json", "as_json", is_flag=True, help="As data.")
@store_options
def list_(as_json: bool, store: str | None, config_file: Path | None) -> None:
    """List the users of the store."""
    from kalends.cli.output import data, table
    from kalends.core import identity

    with office(store, config_file) as at:
        users = at.read(identity.users)
    if as_json:
        data(
            [
                {
                    "upn": one.upn,
                    "name": one.name,
                    "kind": one.kind,
                    "admin": one.admin,
                    "password": one.has_password,
                    "created": datetime.fromtimestamp(one.created_at, UTC).isoformat(),
                }
                for one in users
            ]
        )
        return
    if not users:
        click.echo("no users yet: kalends user add UPN")
        return
    rows = [
        (one.upn, one.name, "admin" if one.admin else "", "set" if one.has_password else "none")
        for one in users
    ]
    table(("user", "name", "role", "password"), rows)


@click.command("passwd", cls=Command)
@click.argument("upn")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@store_options
def passwd(upn: str, password_stdin: bool, store: str | None, config_file: Path | None) -> None:
    """Set the password of a user."""
    from kalends.beep.scram import make_verifier
    from kalends.core import identity
    from kalends.core.errors import NotFoundError
    from kalends.core.names import complete_upn

    with office(store, config_file) as at:
        full = complete_upn(upn, at.policy)
        if at.read(lambda tx: identity.identify(tx, full)) is None:
            raise NotFoundError(f"there is no user {full}")
        password = from_stdin() if password_stdin else new_password(False)
        at.write(lambda tx: identity.set_verifier(tx, full, make_verifier(password)))
    click.echo(f"password of {full} set")


@click.command("remove", cls=Command)
@click.argument("upn")
@click.option("--with-calendars", is_flag=True, help="Also the calendars only this user owns.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@store_options
def remove(upn: str, with_calendars: bool, yes: bool, store: str | None, config_file: Path | None) -> None:
    """Remove a user."""
    from kalends.core import identity
    from kalends.core.names import complete_upn

    with office(store, config_file) as at:
        full = complete_upn(upn, at.policy)
        if not yes and with_calendars:
            click.confirm(f"Remove {full} and every calendar only they own?", abort=True, err=True)
        gone = at.write(
            lambda tx: identity.remove_user(
                tx, full, now=at.now, with_calendars=with_calendars, policy=at.policy
            )
        )
    click.echo(f"removed {full}" + (f" and {gone} calendar{'s' if gone != 1 else ''}" if gone else ""))
