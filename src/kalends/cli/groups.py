"""`kalends group`: groups of users, rooms and other groups."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from kalends.cli.group import Command, LazyGroup
from kalends.cli.offline import Office, office, store_options
from kalends.cli.removing import removal

if TYPE_CHECKING:
    from kalends.store.base import Tx


class _Groups(LazyGroup):
    lazy = {  # noqa: RUF012  a table, never changed
        "add": ("kalends.cli.groups:add", "Add a group."),
        "remove": ("kalends.cli.groups:remove", "Remove a group; its members stay."),
        "list": ("kalends.cli.groups:list_", "List the groups."),
        "show": ("kalends.cli.groups:show", "Show who is in a group."),
        "add-member": ("kalends.cli.groups:add_member", "Put users or groups into a group."),
        "remove-member": ("kalends.cli.groups:remove_member", "Take users or groups out of a group."),
    }


@click.command(cls=_Groups)
def group() -> None:
    """Groups, named like users; directly in the store. Open sessions know of changes at once.

    A group can own calendars, be granted rights, and hold other groups.
    """


@click.command(
    "add",
    cls=Command,
    epilog="\b\nexample:\n  kalends group add staff --name 'Everybody at work'\n"
    "  kalends group add-member staff amira bruno board@example.com",
)
@click.argument("upn")
@click.option("--name", metavar="NAME", help="What people call it.")
@store_options
def add(upn: str, name: str | None, store: str | None, config_file: Path | None) -> None:
    """Add an empty group. UPN is group@realm; without a realm that of the store is taken."""
    from kalends.core.people import groups

    with office(store, config_file, create=True) as at:
        made = at.write(lambda tx: groups.add(tx, at.policy, upn, now=at.now, name=name))
    click.echo(f"added group {made.upn}")


@removal("group", said="group ", owners="it owns")
def remove(tx: Tx, at: Office, upn: str, with_calendars: bool) -> int:
    """Remove a group. Its members stay, without the rights they had through it."""
    from kalends.core.people import groups

    return groups.remove(tx, at.policy, upn, now=at.now, with_calendars=with_calendars)


@click.command("list", cls=Command)
@click.option("--json", "as_json", is_flag=True, help="As data.")
@store_options
def list_(as_json: bool, store: str | None, config_file: Path | None) -> None:
    """List the groups and how many members each has."""
    from kalends.cli.output import data, table
    from kalends.core.people import groups

    with office(store, config_file) as at:
        found = at.read(groups.every)
    if as_json:
        data([{"upn": one.upn, "name": one.name, "members": list(one.members)} for one in found])
    elif not found:
        click.echo("no groups yet: kalends group add UPN")
    else:
        table(("group", "name", "members"), [(one.upn, one.name, str(len(one.members))) for one in found])


@click.command("show", cls=Command)
@click.argument("upn")
@click.option("--json", "as_json", is_flag=True, help="As data.")
@store_options
def show(upn: str, as_json: bool, store: str | None, config_file: Path | None) -> None:
    """Show the members of a group, and everybody who is in it through other groups."""
    from kalends.cli.output import data, table
    from kalends.core.names import complete_upn
    from kalends.core.people import groups

    with office(store, config_file) as at:
        full = complete_upn(upn, at.policy)

        def work(tx: Tx) -> tuple[groups.Group, list[str]]:
            return groups.show(tx, full), groups.everybody_in(tx, full)

        found, everybody = at.read(work)
    if as_json:
        data({"upn": found.upn, "name": found.name, "members": list(found.members), "everybody": everybody})
        return
    direct = frozenset(found.members)
    rows = [(one, "member") for one in found.members]
    rows += [(one, "through a group") for one in everybody if one not in direct]
    if rows:
        table(("who", "how"), rows)
    else:
        click.echo(f"nobody is in {found.upn}")


@click.command("add-member", cls=Command)
@click.argument("upn")
@click.argument("members", metavar="MEMBER...", nargs=-1, required=True)
@store_options
def add_member(upn: str, members: tuple[str, ...], store: str | None, config_file: Path | None) -> None:
    """Put every MEMBER, a user, room or group, into the group UPN; all of them or none."""
    from kalends.core.names import complete_upn
    from kalends.core.people import groups

    with office(store, config_file) as at:
        full = complete_upn(upn, at.policy)
        wanted = [complete_upn(member, at.policy) for member in members]

        def work(tx: Tx) -> list[str]:
            return [one for one in wanted if groups.add_member(tx, full, one)]

        added = at.write(work)
    click.echo(f"{full}: {', '.join(added)} added" if added else f"{full}: nothing to add")


@click.command("remove-member", cls=Command)
@click.argument("upn")
@click.argument("members", metavar="MEMBER...", nargs=-1, required=True)
@store_options
def remove_member(upn: str, members: tuple[str, ...], store: str | None, config_file: Path | None) -> None:
    """Take every MEMBER out of the group UPN; all of them or none."""
    from kalends.core.names import complete_upn
    from kalends.core.people import groups

    with office(store, config_file) as at:
        full = complete_upn(upn, at.policy)
        gone = [complete_upn(member, at.policy) for member in members]

        def work(tx: Tx) -> None:
            for one in gone:
                groups.remove_member(tx, full, one)

        at.write(work)
    click.echo(f"{full}: {', '.join(gone)} removed")
