"""`kalends user`: the people of a store."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from kalends.cli.failures import UsageError
from kalends.cli.group import Command, LazyGroup
from kalends.cli.offline import Office, office, store_options
from kalends.cli.removing import removal
from kalends.cli.secrets import from_stdin, new_password

if TYPE_CHECKING:
    from kalends.store.base import Tx


class _Users(LazyGroup):
    lazy = {  # noqa: RUF012  a table, never changed
        "add": ("kalends.cli.users:add", "Add a user, room or resource with first calendars."),
        "list": ("kalends.cli.users:list_", "List users, groups, rooms and resources."),
        "set": ("kalends.cli.users:set_", "Set name, time zone, locale, administrator."),
        "passwd": ("kalends.cli.users:passwd", "Set a user's password."),
        "app-password": ("kalends.cli.devices:app_password", "Passwords for one application each."),
        "certificate": ("kalends.cli.devices:certificate", "Client certificates of a user."),
        "may-act-as": ("kalends.cli.acting:may_act_as", "Who may act as whom."),
        "address": ("kalends.cli.devices:address", "Calendar addresses of a user."),
        "remove": ("kalends.cli.users:remove", "Remove a user."),
    }


@click.command(cls=_Users)
def user() -> None:
    """Users, rooms and resources; directly in the store, also while a server runs."""


@click.command(
    "add",
    cls=Command,
    epilog="\b\nexamples:\n  kalends user add amira@example.com --name 'Amira Haddad' --admin\n"
    "  kalends user add board-room --kind room --name 'Board room, 2nd floor'",
)
@click.argument("upn")
@click.option("--name", metavar="NAME", help="What people call the user.")
@click.option(
    "--kind",
    type=click.Choice(("user", "room", "resource")),
    default="user",
    show_default=True,
    help="A room or resource lets nothing overlap.",
)
@click.option("--admin", is_flag=True, help="An administrator may do everything.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@click.option("--no-password", is_flag=True, help="Set none: the user cannot log in with one.")
@store_options
def add(
    upn: str,
    name: str | None,
    kind: Literal["user", "room", "resource"],
    admin: bool,
    password_stdin: bool,
    no_password: bool,
    store: str | None,
    config_file: Path | None,
) -> None:
    """Add a user with two calendars, NAME/calendar for events and NAME/tasks for to-dos.

    UPN is user@realm; without a realm that of the store is taken. NAME is the part before the @, or the
    whole UPN where that is taken. A room or resource has one calendar, and a password only with
    --password-stdin.
    """
    if password_stdin and no_password:
        raise UsageError("--password-stdin and --no-password contradict each other")
    if admin and kind != "user":
        raise UsageError("only a user can be an administrator")
    silent = no_password or (kind != "user" and not password_stdin)
    from kalends.beep.scram import make_verifier
    from kalends.core.containers import calendars_of
    from kalends.core.names import complete_upn
    from kalends.core.people import identity

    with office(store, config_file, create=True) as at:
        complete_upn(upn, at.policy)  # refused before anybody types a password
        verifier = None if silent else make_verifier(new_password(password_stdin))
        added = at.write(
            lambda tx: identity.add_user(
                tx, at.policy, upn, now=at.now, name=name, admin=admin, verifier=verifier, kind=kind
            )
        )
        owned = at.read(lambda tx: calendars_of(tx, at.caller, added.upn))
    calids = " and ".join(target.calid for target in owned)
    click.echo(f"added {added.upn} with calendar{'s' if len(owned) != 1 else ''} {calids}")


@click.command("list", cls=Command)
@click.option("--json", "as_json", is_flag=True, help="As data.")
@store_options
def list_(as_json: bool, store: str | None, config_file: Path | None) -> None:
    """List the users of the store, and its groups, rooms and resources."""
    from kalends.cli.output import data, table
    from kalends.core.people import identity

    with office(store, config_file) as at:
        users = at.read(identity.users)
        known = {one.upn: one for one in at.read(identity.everybody)}
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
                    "path": known[one.upn].path,
                    "addresses": known[one.upn].addresses,
                    "timezone": known[one.upn].tz,
                    "locale": known[one.upn].locale,
                }
                for one in users
                if one.upn in known  # the second look may come after somebody was removed
            ]
        )
        return
    if not users:
        click.echo("no users yet: kalends user add UPN")
        return
    rows = [
        (
            one.upn,
            one.name,
            "admin" if one.admin else "" if one.kind == "user" else one.kind,
            "set" if one.has_password else "none",
        )
        for one in users
    ]
    table(("user", "name", "role", "password"), rows)


@click.command(
    "set",
    cls=Command,
    epilog="\b\nexample:\n  kalends user set amira --name 'Amira Haddad' --timezone Europe/Vienna",
)
@click.argument("upn")
@click.option("--name", metavar="NAME", help="What people call the user.")
@click.option("--timezone", metavar="TZID", help="Such as Europe/Vienna; an empty text for none.")
@click.option("--locale", metavar="TAG", help="Such as de-AT; an empty text for none.")
@click.option("--admin/--no-admin", default=None, help="Whether the user may do everything.")
@store_options
def set_(
    upn: str,
    name: str | None,
    timezone: str | None,
    locale: str | None,
    admin: bool | None,
    store: str | None,
    config_file: Path | None,
) -> None:
    """Set what is known of a user, group, room or resource."""
    from kalends.core.names import complete_upn
    from kalends.core.people import identity

    if name is None and timezone is None and locale is None and admin is None:
        raise UsageError("nothing to set: give --name, --timezone, --locale or --admin")
    with office(store, config_file) as at:
        full = complete_upn(upn, at.policy)
        at.write(lambda tx: identity.describe(tx, full, name=name, tz=timezone, locale=locale, admin=admin))
    click.echo(f"{full} changed")


@click.command("passwd", cls=Command)
@click.argument("upn")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@store_options
def passwd(upn: str, password_stdin: bool, store: str | None, config_file: Path | None) -> None:
    """Set the password of a user."""
    from kalends.beep.scram import make_verifier
    from kalends.core.errors import NotFoundError
    from kalends.core.names import complete_upn
    from kalends.core.people import identity

    with office(store, config_file) as at:
        full = complete_upn(upn, at.policy)
        if at.read(lambda tx: identity.identify(tx, full)) is None:
            raise NotFoundError(f"there is no user {full}")
        password = from_stdin() if password_stdin else new_password(False)
        at.write(lambda tx: identity.set_verifier(tx, full, make_verifier(password)))
    click.echo(f"password of {full} set")


@removal("user", said="", owners="they own")
def remove(tx: Tx, at: Office, upn: str, with_calendars: bool) -> int:
    """Remove a user."""
    from kalends.core.people import identity

    return identity.remove_user(tx, upn, now=at.now, with_calendars=with_calendars, policy=at.policy)
