"""`kalends calendar`: the calendars of a store."""

from __future__ import annotations

from pathlib import Path

import click

from kalends.cli.group import Command, LazyGroup
from kalends.cli.offline import Office, office, store_options


class _Calendars(LazyGroup):
    lazy = {  # noqa: RUF012  a table, never changed
        "add": ("kalends.cli.calendars:add", "Add a calendar."),
        "list": ("kalends.cli.calendars:list_", "List the calendars."),
        "remove": ("kalends.cli.calendars:remove", "Remove a calendar and all it contains."),
    }


@click.command(cls=_Calendars)
def calendar() -> None:
    """Add, list and remove calendars; directly in the store, also while a server runs."""


@click.command(
    "add",
    cls=Command,
    epilog="\b\nexample:\n  kalends calendar add company/meeting-room --owner amira --no-conflict",
)
@click.argument("calid")
@click.option("--owner", required=True, metavar="UPN", help="Who owns it.")
@click.option("--name", metavar="NAME", help="What people call it.")
@click.option("--no-conflict", is_flag=True, help="Nothing in it may overlap (ALLOW-CONFLICT:FALSE).")
@store_options
def add(
    calid: str, owner: str, name: str | None, no_conflict: bool, store: str | None, config_file: Path | None
) -> None:
    """Add a calendar named CALID."""
    from kalends.core.containers import create_calendar

    with office(store, config_file, create=True) as at:
        made = at.write(
            lambda tx: create_calendar(tx, at.caller, calid, owner, name=name, allow_conflict=not no_conflict)
        )
    click.echo(f"added calendar {made.calid}")


@click.command("list", cls=Command)
@click.option("--owner", metavar="UPN", help="Only those of one owner.")
@click.option("--json", "as_json", is_flag=True, help="As data.")
@store_options
def list_(owner: str | None, as_json: bool, store: str | None, config_file: Path | None) -> None:
    """List the calendars of the store."""
    from kalends.cli.output import data, table

    with office(store, config_file) as at:
        found = _described(at, owner)
    if as_json:
        data(found)
        return
    if not found:
        click.echo("no calendars")
        return
    headers = ("calendar", "name", "owners", "objects", "conflicts")
    table(
        headers,
        [
            (
                str(one["calid"]),
                str(one["name"]),
                ", ".join(str(upn) for upn in one["owners"]),  # type: ignore[attr-defined]  # a list
                str(one["objects"]),
                "allowed" if one["allow_conflict"] else "refused",
            )
            for one in found
        ],
    )


_CONTENTS = frozenset(("VAGENDA", "VCAR", "VTIMEZONE", "VQUERY"))
"""Kinds of objects that belong to the calendar itself, not to what people put into it."""


def _described(at: Office, owner: str | None) -> list[dict[str, object]]:
    from kalends.core import agendas
    from kalends.core.containers import calendar_of, calendars_of
    from kalends.ical.values import unescape_text
    from kalends.store import objects
    from kalends.store.base import Tx

    def work(tx: Tx) -> list[dict[str, object]]:
        found: list[dict[str, object]] = []
        for target in calendars_of(tx, at.caller, owner):
            row = calendar_of(tx, target)
            held = agendas.properties(tx, row)
            counts = objects.counts(tx, target.calendar_id)
            found.append(
                {
                    "calid": target.calid,
                    "name": unescape_text(held.value("NAME") or ""),
                    "owners": agendas.owners_in(held),
                    "objects": sum(n for (kind, _), n in counts.items() if kind not in _CONTENTS),
                    "allow_conflict": agendas.allows_conflict(held),
                }
            )
        return found

    return at.read(work)


@click.command("remove", cls=Command)
@click.argument("calid")
@click.option("--yes", is_flag=True, help="Do not ask.")
@store_options
def remove(calid: str, yes: bool, store: str | None, config_file: Path | None) -> None:
    """Remove a calendar and all it contains; asks unless --yes."""
    from kalends.cli.output import ask
    from kalends.core.containers import resolve
    from kalends.core.ledger import remove_calendar

    with office(store, config_file) as at:
        target = at.read(lambda tx: resolve(tx, at.caller, calid))
        if not yes:
            ask(f"Remove {target.calid} and all it contains?")
        at.write(lambda tx: remove_calendar(tx, at.caller, target))
    click.echo(f"removed {target.calid} and all it contained")
