"""`kalends history`, `undo`, `trash`, `restore`, `purge`: the past of a calendar, directly in the store."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kalends.cli.failures import UsageError
from kalends.cli.group import Command
from kalends.cli.offline import Office, office, store_options

if TYPE_CHECKING:
    from kalends.core.model import Target
    from kalends.core.past.differences import Difference
    from kalends.core.past.history import Entry
    from kalends.core.past.undoing import Undone

SHOWN = 50
"""Changes shown unless --limit says how many."""
_SHORT = 40
"""Characters of a value in a table."""
_NOISE = frozenset(("DTSTAMP", "LAST-MODIFIED", "CREATED", "SEQUENCE"))
"""What every change changes: shown when nothing else did, and in --json."""
_NOBODY = {"cli": "administrator", "imip": "somebody by mail", "job": "the store"}
"""Who it was when nobody is named, by way."""


def _target(at: Office, calid: str) -> Target:
    from kalends.core.containers import resolve

    return at.read(lambda tx: resolve(tx, at.caller, calid))


def _when(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


@click.command(
    cls=Command,
    epilog="\b\nexamples:\n  kalends history amira/calendar\n  kalends history amira/calendar tea --json",
)
@click.argument("calid")
@click.argument("uid", required=False)
@click.option("--limit", type=click.IntRange(1), default=SHOWN, show_default=True, metavar="N",
              help="So many changes.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="As data, values whole.")
@store_options
def history(
    calid: str, uid: str | None, limit: int, as_json: bool, store: str | None, config_file: Path | None
) -> None:
    """Show what changed in a calendar, newest first: who, when, by which way, old -> new.

    CALID names the calendar, UID one object of it. Times are UTC. What was taken back is in parentheses.
    """
    from kalends.cli.output import data, note, table
    from kalends.core.past.history import entries

    with office(store, config_file) as at:
        target = _target(at, calid)
        found = at.read(lambda tx: entries(tx, at.caller, target, uid=uid, limit=limit))
    if as_json:
        data([_as_data(entry) for entry in found])
    elif not found:
        note("no changes")
    else:
        headers = ("no.", "when", "who", "what", "change")
        rows = [
            (
                str(entry.tick),
                f"{_when(entry.at):%Y-%m-%d %H:%M}",
                _who(entry),
                entry.title or f"{entry.kind} {entry.uid}",
                f"({_told(entry)})" if entry.undone else _told(entry),
            )
            for entry in found
        ]
        table(headers, rows, flexible=headers[2:])


def _who(entry: Entry) -> str:
    by = f", by {entry.behind}" if entry.behind else ""
    return f"{entry.who or _NOBODY.get(entry.via, 'somebody')} ({entry.via}{by})"


def _told(entry: Entry) -> str:
    """What a change did, on one line."""
    if entry.undoes is not None or not entry.differences:
        return entry.action
    meant = [one for one in entry.differences if one.name.rpartition("/")[2] not in _NOISE]
    return "; ".join(_shown(one) for one in meant or entry.differences)


def _shown(one: Difference) -> str:
    where = f" of {one.instance}" if one.instance else ""
    if one.old is None:
        return f"{one.name}{where}: + {_short(one.new)}"
    if one.new is None:
        return f"{one.name}{where}: - {_short(one.old)}"
    return f"{one.name}{where}: {_short(one.old)} → {_short(one.new)}"


def _short(text: str | None) -> str:
    text = text or ""
    return text if len(text) <= _SHORT else f"{text[: _SHORT - 1]}…"


def _as_data(entry: Entry) -> dict[str, object]:
    return {
        "tick": entry.tick,
        "at": _when(entry.at).isoformat(),
        "who": entry.who,
        "behind": entry.behind,
        "via": entry.via,
        "kind": entry.kind,
        "uid": entry.uid,
        "title": entry.title,
        "action": entry.action,
        "undoes": entry.undoes,
        "undone": entry.undone,
        "changes": [
            {"name": one.name, "old": one.old, "new": one.new}
            | ({"instance": one.instance} if one.instance else {})
            for one in entry.differences
        ],
    }


@click.command(
    cls=Command,
    epilog="\b\nexamples:\n  kalends undo amira/calendar tea\n  kalends undo amira/calendar --tick 17",
)
@click.argument("calid")
@click.argument("uid", required=False)
@click.option("--tick", type=click.IntRange(1), metavar="N", help="The change of that number in the history.")
@store_options
def undo(calid: str, uid: str | None, tick: int | None, store: str | None, config_file: Path | None) -> None:
    """Take back the last change of a calendar, or of the object UID, or change number N.

    That is a change itself: said again it takes back the one before, and by its own number it is taken back.
    It is refused when something newer touched the object, and when the time was taken meanwhile. Who is
    invited hears of it.
    """
    from kalends.core.past.undoing import undo as take_back

    with office(store, config_file) as at:
        target = _target(at, calid)
        done = at.write(lambda tx: take_back(tx, at.caller, target, uid=uid, tick=tick))
    _say(done)


def _say(done: list[Undone]) -> None:
    from kalends.cli.text import clean

    for one in done:
        click.echo(clean(f"{one.kind} {one.uid}: {one.action} (change {one.tick})", 500))


@click.command(cls=Command, epilog="\b\nexample:\n  kalends trash amira/calendar")
@click.argument("calid")
@click.option("--json", "as_json", is_flag=True, help="As data.")
@store_options
def trash(calid: str, as_json: bool, store: str | None, config_file: Path | None) -> None:
    """List what was marked as deleted in a calendar and can be restored; times are UTC."""
    from kalends.cli.output import data, note, table
    from kalends.core.past.trash import lying

    with office(store, config_file) as at:
        target = _target(at, calid)
        found = at.read(lambda tx: lying(tx, at.caller, target))
    if as_json:
        data(
            [
                {
                    "kind": one.kind,
                    "uid": one.uid,
                    "title": one.title,
                    "marked": _when(one.at).isoformat(),
                    "who": one.who,
                }
                for one in found
            ]
        )
    elif not found:
        note("the trash is empty")
    else:
        rows = [(f"{_when(one.at):%Y-%m-%d %H:%M}", one.kind, one.uid, one.title, one.who) for one in found]
        table(("marked", "kind", "uid", "title", "by"), rows, flexible=("uid", "title", "by"))


@click.command(cls=Command, epilog="\b\nexample:\n  kalends restore amira/calendar tea")
@click.argument("calid")
@click.argument("uid")
@store_options
def restore(calid: str, uid: str, store: str | None, config_file: Path | None) -> None:
    """Take the object UID out of the trash, into the state it had.

    Of several with that UID it is the one marked last. It is refused when the UID, or the time, was taken
    meanwhile.
    """
    from kalends.core.past.trash import restore as take_out

    with office(store, config_file) as at:
        target = _target(at, calid)
        done = at.write(lambda tx: take_out(tx, at.caller, target, uid))
    _say(done)


@click.command(cls=Command, epilog="\b\nexample:\n  kalends purge --older-than 90")
@click.option("--older-than", "days", type=click.IntRange(0), metavar="DAYS",
              help="Instead of what the setting `retention` says; 0 for everything.")  # fmt: skip
@store_options
def purge(days: int | None, store: str | None, config_file: Path | None) -> None:
    """Forget the past that is older than the retention: former states of objects, and the trash.

    Servers do so by themselves when they start, and once a day. Who changed what and when stays known.
    """
    from kalends.core.guard import guard
    from kalends.core.past.purging import purge as forget

    with office(store, config_file) as at, guard():
        days = days if days is not None else at.config.retention or None
        if days is None:
            raise UsageError("the retention is 0: everything is kept; say --older-than DAYS")
        past, gone = forget(at.store, at.policy, at.now, days)
    click.echo(
        f"forgot {past} former state{'s' if past != 1 else ''} and"
        f" {gone} object{'s' if gone != 1 else ''} of the trash"
    )
