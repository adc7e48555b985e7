"""`kalends reindex` and `kalends check`: the index that is derived from the texts."""

from __future__ import annotations

from pathlib import Path

import click

from kalends.cli.failures import REFUSED
from kalends.cli.group import Command
from kalends.cli.offline import office, store_options

SHOWN = 50
"""Findings told one by one; --json tells all."""


@click.command(cls=Command)
@store_options
def reindex(store: str | None, config_file: Path | None) -> None:
    """Derive the store's index (cells and instances) anew from the texts."""
    from kalends.cli.output import progress
    from kalends.core.guard import guard
    from kalends.core.writer import HORIZON
    from kalends.store.maintenance import reindex as derive

    with office(store, config_file) as at, progress("reindexing", 0) as bar, guard():
        limit = at.policy.recur_limit
        count = derive(at.store, horizon=at.now + HORIZON, recur_limit=limit, progress=bar.at)
    click.echo(f"reindexed {count} object{'s' if count != 1 else ''}")


@click.command(cls=Command)
@click.option("--json", "as_json", is_flag=True, help="All findings as data.")
@store_options
def check(as_json: bool, store: str | None, config_file: Path | None) -> None:
    """Verify that the store's index equals its texts, and nothing else contradicts anything.

    The exit code is 1 when something was found.
    """
    from kalends.cli.output import data, progress
    from kalends.cli.text import clean
    from kalends.core import attachments
    from kalends.core.conflicts import conflict
    from kalends.core.guard import guard
    from kalends.store.maintenance import check as verify

    with office(store, config_file) as at, progress("checking", 0) as bar, guard():
        findings = verify(at.store, progress=bar.at) + conflict.findings(at.store, at.policy)
        findings += attachments.findings(at.store)
    if as_json:
        data([{"code": one.code, "where": one.where, "text": one.text} for one in findings])
    else:
        for one in findings[:SHOWN]:
            click.echo(f"{clean(one.where)}: {clean(one.text, 500)} [{clean(one.code)}]")
        if len(findings) > SHOWN:
            click.echo(f"… and {len(findings) - SHOWN} more (--json tells all)")
        many = "1 finding" if len(findings) == 1 else f"{len(findings)} findings"
        click.echo(f"{many}; what is said of the index, kalends reindex mends" if findings else "clean")
    if findings:
        raise click.exceptions.Exit(REFUSED)
