"""`kalends watch`: what changes in a calendar, as it happens, over CAP."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from kalends.cli.connection import Login, login_options
from kalends.cli.group import Command
from kalends.cli.output import note
from kalends.cli.text import clean

if TYPE_CHECKING:
    from kalends.client.results import Change

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
"""Seconds before the first and before every later attempt to connect again, doubled each time."""


@click.command(
    cls=Command,
    epilog="\b\nexamples:\n  kalends watch amira/calendar\n"
    "  kalends watch amira/calendar --json | jq .title\n"
    "  kalends watch amira/calendar --since 41 --once",
)
@click.argument("calid")
@click.option("--since", type=click.IntRange(0), metavar="TICK", help="Begin with what changed after this.")
@click.option("--json", "as_json", is_flag=True, help="As data, one object a line.")
@click.option("--once", is_flag=True, help="End after the first change.")
@login_options
def watch(login: Login, calid: str, since: int | None, as_json: bool, once: bool) -> None:
    """Print what changes in the calendar CALID, as it happens, until Ctrl-C.

    A connection that breaks is made again, and nothing is missed meanwhile. Times are UTC.
    """
    try:
        for change in _changes(login, calid, since):
            click.echo(json.dumps(_data(change), ensure_ascii=False) if as_json else _line(change))
            if once:
                return
    except KeyboardInterrupt:  # the way this command ends
        return


def _changes(login: Login, calid: str, since: int | None) -> Iterator[Change]:
    """All changes, over as many sessions as it takes.

    Raises:
        ClientError: the first connection fails, or the server refuses.
    """
    from kalends.client.errors import ConnectError, LostError, TimedOutError, TrustError

    pause, begun = FIRST_PAUSE, False
    while True:
        try:
            with login.open() as client:
                if since is None:
                    since = client.tick(calid)
                if begun:
                    note("connected again")
                else:
                    note(f"watching {calid}; Ctrl-C ends it")
                begun, pause = True, FIRST_PAUSE
                for change in client.watch(calid, since=since):
                    since = change.tick
                    yield change
        except (ConnectError, LostError, TimedOutError) as error:
            if not begun or isinstance(error, TrustError):
                raise
            note(f"{error}; trying again in {pause:g} s")
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)


def _data(change: Change) -> dict[str, object]:
    names = ("tick", "action", "kind", "uid", "title", "who", "via", "at")
    return {name: getattr(change, name) for name in names}


def _line(change: Change) -> str:
    at = change.at
    when = f"{at[:4]}-{at[4:6]}-{at[6:8]} {at[9:11]}:{at[11:13]}:{at[13:15]}" if len(at) == 16 else at
    by = f"by {change.who} " if change.who else ""
    title = f'"{change.title}" ' if change.title else ""
    return clean(f"{when} {change.action} {change.kind} {change.uid} {title}{by}({change.via})", 500)
