"""Saved queries: VQUERYs that lie in a calendar under a name (RFC 4324 §9.6)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from kalends.cli.connection import Login
from kalends.cli.failures import RefusalError, UsageError
from kalends.ical.tree import Component
from kalends.ical.values import escape_text, unescape_text

if TYPE_CHECKING:
    from kalends.client.results import Found
    from kalends.client.sync import Client

ANYTHING = "SELECT * FROM VEVENT"
"""Stands for a saved query that may be run but not read, when columns are chosen."""
_OPTIONS = (
    click.option("--save", metavar="NAME", help="Save the query in the calendar instead of asking it."),
    click.option("--run", metavar="NAME", help="Ask the query saved under that name."),
    click.option("--from", "home", metavar="CALID", help="Where that one is saved [USER/calendar]"),
    click.option("--saved", is_flag=True, help="List the saved queries."),
    click.option("--forget", metavar="NAME", help="Remove a saved query."),
)


def saved_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --save, --run, --from, --saved and --forget."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def check(
    queries: tuple[str, ...],
    expand: bool,
    save: str | None,
    run: str | None,
    home: str | None,
    saved: bool,
    forget: str | None,
) -> None:
    """Refuse options that contradict each other.

    Raises:
        UsageError: with what is wrong.
    """
    if sum((save is not None, run is not None, saved, forget is not None)) > 1:
        raise UsageError("--save, --run, --saved and --forget exclude each other")
    alone = run is not None or saved or forget is not None
    if queries and alone:
        raise UsageError("there is no query to be given beside --run, --saved or --forget")
    if not queries and not alone:
        raise UsageError("Missing argument 'SELECT …'.")
    if home is not None and run is None:
        raise UsageError("--from says where --run finds its query")
    if expand and (saved or forget is not None):
        raise UsageError("--expand belongs to a query")
    if "" in (save, run, forget):
        raise UsageError("a saved query needs a name")


def keep(client: Client, name: str, queries: tuple[str, ...], where: tuple[str, ...], expand: bool) -> None:
    """Save queries under a name, in every calendar named.

    Args:
        client: logged in.
        name: the QUERYID.
        queries: CAL-QUERY.
        where: calendars.
        expand: ask for instances when it is run.
    """
    from kalends.cli.changing import report
    from kalends.client.commands import vquery

    box = vquery(queries, expand=expand)
    box.items.insert(0, _named(name).items[0])
    report(client.create(box, *where, check=False), "saved", "nothing was saved")


def forget(client: Client, name: str, where: tuple[str, ...]) -> None:
    """Remove a saved query from the calendars named."""
    from kalends.cli.changing import report

    outcomes = client.delete(_by_name(name), *where, check=False)
    report(outcomes, "forgotten", f"there is no saved query {name[:80]}")


def listed(client: Client, where: tuple[str, ...], *, as_json: bool) -> None:
    """Print the saved queries of some calendars."""
    from kalends.cli.output import data, note, table

    found = [_described(one) for one in client.search("SELECT * FROM VQUERY", *where)]
    if as_json:
        data(found)
    elif not found:
        note("no saved queries")
    else:
        several = len(where) > 1
        headers = ["calendar"] * several + ["name", "query", "expand"]
        rows = [
            [str(one["calendar"])] * several
            + [str(one["name"]), "; ".join(one["queries"]), "yes" if one["expand"] else ""]  # type: ignore[arg-type]  # a list
            for one in found
        ]
        table(headers, rows, flexible=("calendar", "name", "query"))


def _described(one: Found) -> dict[str, object]:
    held = one.component
    return {
        "calendar": one.target,
        "name": unescape_text(held.value("QUERYID") or ""),
        "queries": [line.value for line in held.all("QUERY")],
        "expand": (held.value("EXPAND") or "").upper() == "TRUE",
    }


def by_name(
    login: Login, client: Client, name: str, home: str | None, expand: bool
) -> tuple[Component, tuple[str, ...]]:
    """What asks for a saved query.

    Args:
        login: whose query it is.
        client: logged in.
        name: the QUERYID.
        home: the calendar it is saved in; None for the user's own, or each calendar asked.
        expand: ask for instances even if it was saved without.

    Returns:
        A VQUERY with its QUERYID, and the queries it stands for as far as they may be read.

    Raises:
        RefusalError: it is not there.
    """
    box = _named(name)
    if expand:
        box.add("EXPAND", "TRUE")
    if home is None and login.who is not None:
        home = login.targets(())[0]
    if home is None:
        return box, (ANYTHING,)
    box.add("TARGET", home)
    found = list(client.search(_by_name(name), home))
    if not found:
        raise RefusalError(f"there is no saved query {name[:80]} in {home}")
    return box, tuple(line.value for line in found[0].component.all("QUERY")) or (ANYTHING,)


def _named(name: str) -> Component:
    from kalends.client.commands import wire

    box = Component("VQUERY")
    box.add("QUERYID", escape_text(wire(name, "a name")))
    return box


def _by_name(name: str) -> str:
    from kalends.calquery.literals import write_literal

    return f"SELECT * FROM VQUERY WHERE QUERYID = {write_literal(name)}"  # noqa: S608  no SQL: quoted CAL-QUERY
