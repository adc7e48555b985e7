"""`kalends create`, `modify`, `move`, `delete`: writing over CAP."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kalends.cli.connection import Login, login_options, target_option
from kalends.cli.failures import REFUSED, RefusalError, UsageError
from kalends.cli.files import FileName
from kalends.cli.group import Command
from kalends.cli.text import clean
from kalends.ical.tree import Component, Line, parse_all
from kalends.ical.values import unescape_text

if TYPE_CHECKING:
    from kalends.client.results import Found, Outcome
    from kalends.client.sync import Client

_ASSIGNMENT = re.compile(r"([A-Za-z][A-Za-z0-9-]*)((?:;[^=:]+=[^:]*)?)[=:](.*)\Z", re.DOTALL)
_file = FileName(exists=True, dir_okay=False, allow_dash=True)
uid_option = click.option("--uid", metavar="UID", help="Instead of a query: everything with this UID.")


def report(outcomes: Sequence[Outcome], done: str, nothing: str) -> None:
    """Say what became of every object; ends with exit code 1 when something was refused or nothing matched.

    Args:
        outcomes: one for each object.
        done: the verb for those that succeeded.
        nothing: what to say when there is none.
    """
    refused = False
    for one in outcomes:
        name = f"{one.id_name} {unescape_text(one.id_value)}".strip() or "an object"
        instance = f" ({one.recurrence.value})" if one.recurrence is not None else ""
        what = clean(f"{one.target}: {name}{instance}", 300)
        if one.ok:
            click.echo(f"{what} {done}")
            continue
        refused = True
        click.echo(
            f"kalends: {what} refused: {clean(one.status.text or one.status.meaning)} ({one.status.code})",
            err=True,
        )
    if not outcomes:
        raise RefusalError(nothing)
    if refused:
        raise click.exceptions.Exit(REFUSED)


def assignment(text: str) -> Line:
    """Read NAME=VALUE or a whole content line: `LOCATION=Room 5`, `DTSTART;TZID=Asia/Tokyo:20260401T090000`.

    After = stands the text as one reads it; after : the value as it stands in a file.

    Raises:
        UsageError: it is neither.
    """
    from kalends.ical.build import prop

    match = _ASSIGNMENT.match(text)
    if match is None:
        raise UsageError(f"{text!r}: expected NAME=VALUE")
    name, params, value = match[1].upper(), match[2], match[3]
    if params or text[len(name)] == ":":
        return parse_all(f"BEGIN:X\r\n{text}\r\nEND:X\r\n")[0].lines[0]
    if name in ("DTSTART", "DTEND", "DUE", "RECURRENCE-ID") and re.fullmatch(r"\d{8}", value):
        return Line.make(name, value, (("VALUE", ("DATE",)),))
    return prop(name, value)


@click.command(
    cls=Command,
    epilog="\b\nexamples:\n"
    "  kalends create holidays.ics -t amira/calendar\n"
    "  kalends create --set SUMMARY=Lunch --set DTSTART=20260401T110000Z \\\n"
    "    --set DTEND=20260401T120000Z",
)
@click.argument("files", nargs=-1, type=_file, metavar="[FILE…]")
@click.option("--kind", default="VEVENT", metavar="NAME", help="With --set: what to make [VEVENT]")
@click.option("--set", "sets", multiple=True, metavar="NAME=VALUE", help="Make one component of these.")
@target_option
@login_options
def create(
    login: Login, files: tuple[Path, ...], kind: str, sets: tuple[str, ...], targets: tuple[str, ...]
) -> None:
    """Create what iCalendar files hold (- is standard input), or one component made of --set."""
    if bool(files) == bool(sets):
        raise UsageError("name files, or properties with --set")
    where = login.targets(targets)
    whole = [_read(file) for file in files]
    lines = [assignment(text) for text in sets]
    with login.open() as client:
        if sets:
            whole = [_made(client, kind, lines)]
        outcomes = [one for part in whole for one in client.create(part, *where, check=False)]
    report(outcomes, "created", "there was nothing to create")


def _read(file: Path) -> bytes:
    octets = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    if not parse_all(octets):
        raise RefusalError(f"{file}: no iCalendar object in it")
    return octets


def _made(client: Client, kind: str, lines: Sequence[Line]) -> bytes:
    from kalends.ical.build import stamp

    made = Component(kind, list(lines))
    if made.first("UID") is None:
        made.items.insert(0, Line.make("UID", client.generate_uids(1)[0]))
    if made.first("DTSTAMP") is None:
        made.items.insert(0, stamp("DTSTAMP", time.time()))
    return made.to_bytes()


@click.command(
    cls=Command,
    epilog="\b\nexamples:\n"
    "  kalends modify --uid lunch-1 --set LOCATION='Room 5' --unset COMMENT\n"
    "  kalends modify \"SELECT * FROM VTODO WHERE SUMMARY LIKE 'buy%'\" \\\n"
    "    --set STATUS=COMPLETED\n"
    "  kalends modify --uid lunch-1 --old before.ics --new after.ics",
)
@click.argument("query", required=False, metavar="['SELECT …']")
@uid_option
@click.option("--set", "sets", multiple=True, metavar="NAME=VALUE", help="Give a property a new value.")
@click.option("--unset", "unsets", multiple=True, metavar="NAME", help="Remove a property.")
@click.option("--old", type=_file, metavar="FILE", help="A component with the values to be replaced.")
@click.option("--new", type=_file, metavar="FILE", help="A component with the values to come.")
@target_option
@login_options
def modify(
    login: Login,
    query: str | None,
    uid: str | None,
    sets: tuple[str, ...],
    unsets: tuple[str, ...],
    old: Path | None,
    new: Path | None,
    targets: tuple[str, ...],
) -> None:
    """Change properties of the components that a query or a UID selects.

    The old values are compared: who changed a component meanwhile is not overwritten (exit code 1).
    """
    if (old is None) != (new is None) or (old is None) == (not sets and not unsets):
        raise UsageError("say what to change: --set and --unset, or --old and --new")
    lines = [assignment(text) for text in sets]
    where = login.targets(targets)
    queries = selection(query, uid)
    from kalends.client.commands import component_of
    from kalends.client.verbs import by_uid as query_by_uid

    with login.open() as client:
        outcomes: list[Outcome] = []
        if old is not None and new is not None:
            before, after = component_of(_read(old)), component_of(_read(new))
            text = query or query_by_uid("*", before.name, uid or "")
            outcomes += client.modify(text, before, after, *where, check=False)
        else:
            for target in where:
                for found in list(client.search(queries or by_uid(client, uid or "", where), target)):
                    outcomes += _change(client, found, target, lines, unsets)
    report(outcomes, "modified", "nothing matched")


def _change(
    client: Client, found: Found, target: str, sets: Sequence[Line], unsets: Sequence[str]
) -> list[Outcome]:
    """Compare and swap: the properties named, and those that say which component it is."""
    from kalends.calquery.literals import write_literal
    from kalends.client.verbs import by_uid as query_by_uid

    component = found.component
    uid = component.value("UID")
    if uid is None:
        raise RefusalError(f"a {component.name} without UID cannot be named: use --old and --new")
    touched = {line.name for line in sets} | {name.upper() for name in unsets}
    instance = component.first("RECURRENCE-ID")
    keep = [line for line in component.lines if line.name in ("UID", "RECURRENCE-ID")]
    before = Component(component.name, [*keep, *(line for line in component.lines if line.name in touched)])
    after = Component(component.name, [*keep, *sets])
    which = (
        " AND RECURRENCE-ID IS NULL"
        if instance is None
        else f" AND RECURRENCE-ID = {write_literal(_utc(instance))}"
    )
    return client.modify(query_by_uid("*", component.name, uid) + which, before, after, target, check=False)


def _utc(line: Line) -> str:
    """A RECURRENCE-ID as CAL-QUERY compares it: in UTC, or a date."""
    from kalends.ical.moment import format_moment, parse_moment, utc_moment
    from kalends.ical.values import value_type
    from kalends.ical.zones import Zones

    when = parse_moment(line.value, line.param("TZID"), value_type(line))
    return line.value if when.is_date else format_moment(utc_moment(Zones().to_epoch(when)))


def selection(query: str | None, uid: str | None) -> list[str] | None:
    """The query, parsed here to be told what is wrong with it; None when a UID selects.

    Raises:
        UsageError: both or neither were given. QueryError: it is no CAL-QUERY.
    """
    from kalends.calquery.parse import parse

    if (query is None) == (uid is None):
        raise UsageError("say which: a query, or --uid")
    if query is None:
        return None
    parse(query.strip())
    return [query]


def by_uid(client: Client, uid: str, _targets: Sequence[str]) -> list[str]:
    """One QUERY for every kind of component the server stores (RFC 4324 §6.1.1.14)."""
    from kalends.client.verbs import WITH_UID
    from kalends.client.verbs import by_uid as one

    supported = client.capabilities.components
    return [one("*", kind, uid) for kind in WITH_UID if kind in supported]


@click.command(
    cls=Command,
    epilog="\b\nexample:\n  kalends move --uid lunch-1 --from amira/calendar --to amira/archive",
)
@click.argument("query", required=False, metavar="['SELECT …']")
@uid_option
@click.option("--from", "source", metavar="CALID", help="Where they are [USER/calendar]")
@click.option("--to", "to", required=True, metavar="CALID", help="Where they go.")
@login_options
def move(login: Login, query: str | None, uid: str | None, source: str | None, to: str) -> None:
    """Move what a query or a UID selects to another calendar."""
    queries = selection(query, uid)
    [origin] = login.targets((source,) if source else ())[:1]
    with login.open() as client:
        outcomes = client.move(
            queries or by_uid(client, uid or "", (origin,)), to, source=origin, check=False
        )
    report(outcomes, "moved", "nothing matched")


@click.command(
    cls=Command,
    epilog="\b\nexamples:\n"
    "  kalends delete --uid lunch-1\n"
    "  kalends delete \"SELECT * FROM VEVENT WHERE DTEND < '20200101'\" --mark",
)
@click.argument("query", required=False, metavar="['SELECT …']")
@uid_option
@click.option("--mark", is_flag=True, help="Only put it in state DELETED.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@target_option
@login_options
def delete(
    login: Login, query: str | None, uid: str | None, mark: bool, yes: bool, targets: tuple[str, ...]
) -> None:
    """Delete what a query or a UID selects; on a terminal it asks unless --yes."""
    from kalends.cli.output import ask

    queries = selection(query, uid)
    where = login.targets(targets)
    if not yes and not mark and sys.stdin.isatty() and not login.password_stdin:
        what = query if uid is None else f"everything with UID {uid}"
        ask(f"Delete {clean(what or '', 200)} in {', '.join(where)}?")
    with login.open() as client:
        outcomes = client.delete(queries or by_uid(client, uid or "", where), *where, mark=mark, check=False)
    report(outcomes, "marked" if mark else "deleted", "nothing matched")
