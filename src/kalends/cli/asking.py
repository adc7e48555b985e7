"""`kalends query` and `kalends capability`: reading over CAP."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from kalends.cli import saved
from kalends.cli.connection import Login, login_options, target_option
from kalends.cli.failures import UsageError
from kalends.cli.group import Command
from kalends.cli.output import data, note, table
from kalends.cli.saved import saved_options

if TYPE_CHECKING:
    from kalends.calquery.tree import Query
    from kalends.ical.tree import Component

FORMAT_NAMES = ("table", "ics", "json", "csv")


def parsed(queries: tuple[str, ...]) -> list[Query]:
    """Read the queries here, before anybody connects.

    Raises:
        QueryError: shown with a caret under the place.
    """
    from kalends.calquery.parse import parse

    return [parse(query.strip()) for query in queries]


@click.command(
    cls=Command,
    epilog="\b\nexamples:\n"
    '  kalends query "SELECT DTSTART,SUMMARY FROM VEVENT\n'
    "    WHERE SUMMARY LIKE '%tea%'\"\n"
    "  kalends query \"SELECT * FROM VEVENT WHERE DTSTART >= '20260301T000000Z'\n"
    "    AND DTSTART < '20260401T000000Z'\" --expand --zone Europe/Berlin\n"
    '  kalends query "SELECT * FROM VTODO" -t amira/calendar --format json\n'
    '  kalends query "SELECT * FROM VTODO WHERE DUE IS NOT NULL" --save due\n'
    "  kalends query --run due -t amira/calendar -t school/timetable",
)
@click.argument("queries", nargs=-1, metavar="'SELECT …'")
@target_option
@click.option("--expand", is_flag=True, help="Instances instead of recurring components.")
@click.option("--format", "form", type=click.Choice(FORMAT_NAMES), default="table", help="How to show it.")
@click.option("--json", "as_json", is_flag=True, help="Short for --format json.")
@click.option("--zone", metavar="ZONE", help="Show times in this zone, not in the one they were written in.")
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Stop after so many.")
@saved_options
@login_options
def query(
    login: Login,
    queries: tuple[str, ...],
    targets: tuple[str, ...],
    expand: bool,
    form: str,
    as_json: bool,
    zone: str | None,
    limit: int | None,
    **by_name: Any,
) -> None:
    """Find components with CAL-QUERY (RFC 4324 §6.1.1), over CAP; save queries and run them by name."""
    from kalends.cli.render import FORMATS, Clock, Results

    saved.check(queries, expand, **by_name)
    trees = parsed(queries)
    clock = Clock(zone or login.settings.zone)
    where = login.targets(targets)
    with login.open() as client:
        if by_name["saved"]:
            return saved.listed(client, where, as_json=as_json or form == "json")
        if by_name["save"] is not None:
            return saved.keep(client, by_name["save"], queries, where, expand)
        if by_name["forget"] is not None:
            return saved.forget(client, by_name["forget"], where)
        asked: tuple[str, ...] | Component = queries
        if by_name["run"] is not None:
            asked, read = saved.by_name(login, client, by_name["run"], by_name["home"], expand)
            trees = parsed(read)
        found = Results(client.search(asked, *where, expand=expand), limit)
        count = FORMATS["json" if as_json else form](found, trees[0], clock)
        found.finish()
    if not count:
        note("nothing found")
    return None


@click.command(
    cls=Command,
    epilog="\b\nexamples:\n  kalends capability --server cap://cal.example.com\n"
    "  kalends capability --udp cal.example.com",
)
@click.option("--json", "as_json", is_flag=True, help="As data.")
@click.option("--udp", metavar="HOST[:PORT]", help="Ask the signpost there: no session, no password.")
@login_options
def capability(login: Login, as_json: bool, udp: str | None) -> None:
    """Show what a CAP server can do, for whom, and how the session is secured."""
    if udp is not None:
        _signpost(login, udp, as_json)
        return
    with login.open() as client:
        properties = client.capabilities.properties
        upn = client.upn
    if as_json:
        data({"user": upn, "capabilities": _listed(properties)})
    else:
        _tabulate(properties, f"told to {upn or 'whom the certificate names'}")


def _signpost(login: Login, udp: str, as_json: bool) -> None:
    """Ask by datagram; nothing of it is authenticated."""
    from kalends.client.address import Address
    from kalends.client.signpost import ask

    if login.server or login.user:
        raise UsageError("--udp asks HOST itself, as nobody: leave --server and --user out")
    asked = Address.parse(udp)
    told = ask(asked) if login.timeout is None else ask(asked, login.timeout)
    tcp = None if told.tcp is None else f"cap://{told.tcp}"
    properties = told.capability.properties
    if as_json:
        data({"udp": str(asked), "tcp": tcp, "capabilities": _listed(properties)})
    else:
        _tabulate(properties, f"told by udp {asked}")


def _listed(properties: Sequence[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in properties]


def _tabulate(properties: Sequence[tuple[str, str]], told: str) -> None:
    rows = [(name, value.replace(",", ", ")) for name, value in properties if name != "REQUEST-STATUS"]
    table(("capability", told), rows, flexible=(told,))
